"""Reduces the rate when a measurement stops improving, beside any schedule."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import tempfile
import warnings
from fractions import Fraction
from typing import Any, final

import keras

from keras_lr.backends import keras as machinery
from keras_lr.callbacks import live_rate
from keras_lr.callbacks.binding import bind_rates
from keras_lr.callbacks.plateau_rule import PlateauRule, PlateauState
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Scaled, Schedule
from keras_lr.schedules import length as lengths

_NAME = "ReduceLROnPlateau"
_FILE_VERSION = 1


@final
class ReduceLROnPlateau(keras.callbacks.Callback):
    """Multiplies the rate by `factor` when a measurement has not improved for `patience` epochs.

    rate(t) = max(s * scale, min(s, min_lr)),  s the schedule at t or the float rate.

    It works with a float rate and with any schedule of Keras or keras-lr, with several optimizers and with loss scaling. A
    schedule continues underneath: the optimizer gets the same schedule scaled, which adds no variable, so a model saved in
    the middle of `fit` loads anywhere. On TensorFlow and JAX each change of a schedule compiles the training step again; a
    change of a float rate does not.

    Args:
        monitor: The measurement: a name in the logs of an epoch.
        factor: The factor of a reduction, above 0 and below 1.
        patience: The number of consecutive epochs without improvement that make a plateau.
        verbose: 1 prints each change.
        mode: "min", "max", or "auto": "max" for names that contain "acc" or "auc" or begin with "fmeasure".
        min_delta: The smallest improvement; see `threshold`.
        cooldown: The exact number of epochs after a reduction that are not counted. (Keras counts one less.)
        min_lr: The lowest rate that a reduction leads to. It never raises the schedule.
        threshold: "absolute": better by `min_delta`. "relative": by `min_delta` times the best, right for a loss of 1e-5.
            "both": by the larger of the two.
        every_steps: Measures the mean training loss of this many updates, instead of every epoch; `patience` and
            `cooldown` then count these measurements. Only for `monitor="loss"`.
        ema: Judges an exponential average of the measurements, with this weight of the past.
        window: Judges the mean of this many measurements.
        restore_best: Restores the weights of the best measurement when the rate is reduced.
        up_factor: Above 1: the factor of the rate after `patience` consecutive improvements.
        max_lr: The highest rate that a raise leads to. It never lowers the schedule.
        after: Measurements count only from here on: "warmup" (of the schedule), updates, or a length in epochs or percent.
        state_path: A JSON file for the scale and the counters. It is written after each epoch and read at the start; an
            interrupted run then continues as if it had not been interrupted.

    Raises:
        ArgumentError: An argument is invalid, or the state file belongs to another run.

    Example:
        >>> import keras, numpy as np, keras_lr as klr
        >>> model = keras.Sequential([keras.layers.Input([1]), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(klr.Constant(0.1)), "mse")
        >>> plateau = klr.ReduceLROnPlateau("loss", patience=1, min_delta=1e9)
        >>> history = model.fit(np.ones([8, 1]), np.ones(8), epochs=3, verbose=0, callbacks=[plateau])
        >>> [round(rate, 4) for rate in history.history["learning_rate"]]
        [0.1, 0.1, 0.01]
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        *,
        threshold: str = "absolute",
        every_steps: int | None = None,
        ema: float | None = None,
        window: int | None = None,
        restore_best: bool = False,
        up_factor: float | None = None,
        max_lr: float | None = None,
        after: int | str | None = None,
        state_path: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        if not 0.0 < checks.finite(_NAME, factor=factor) < 1.0:
            raise ArgumentError(_NAME, "factor must be above 0 and below 1", "Pass a number such as 0.1", factor=factor)
        if up_factor is not None and checks.finite(_NAME, up_factor=up_factor) <= 1.0:
            raise ArgumentError(_NAME, "up_factor must be above 1", "Pass a number such as 1.5", up_factor=up_factor)
        checks.one_of(_NAME, ("auto", "min", "max"), mode=mode)
        mode = _mode(monitor) if mode == "auto" else mode
        self.rule = PlateauRule(mode, patience, cooldown, min_delta, threshold, ema, window, up_factor is not None)
        self.monitor, self.factor, self.verbose, self.up_factor = monitor, float(factor), verbose, up_factor
        self.min_lr = checks.at_least_zero(_NAME, min_lr=min_lr)
        self.max_lr = None if max_lr is None else checks.above_zero(_NAME, max_lr=max_lr)
        self.every_steps = None if every_steps is None else checks.whole(_NAME, every_steps=every_steps)
        if self.every_steps and monitor != "loss":
            repair = "Pass monitor='loss', or leave every_steps out"
            raise ArgumentError(_NAME, "with every_steps the training loss is measured", repair, monitor=monitor)
        if after is not None and after != "warmup" and lengths.parse(_NAME, 0, after=after).examples:
            repair = "Pass updates, or a length such as '2ep' or '10%'"
            raise ArgumentError(_NAME, "after can't be in examples", repair, after=after)
        self.after, self.restore_best = after, bool(restore_best)
        self.state_path = None if state_path is None else pathlib.Path(state_path)
        self._clear()

    def _clear(self) -> None:
        self.state, self._window, self._best_weights = PlateauState(), _LossWindow(), None
        self._attached, self._first_counted = False, 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts with an empty state; a state file is read when the first epoch begins."""
        self._clear()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Binds a schedule with units, and restores the state of an earlier run."""
        if not self._attached:
            live_rate.check_changeable(_NAME, self.model)
            bind_rates(_NAME, self.model, self.params, epoch)
            self._first_counted = self._steps_before_counting()
            self._read(epoch)
            self._attached = True
        live_rate.warn_of_ignored(self.model)
        self._window.open()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """With `every_steps`, measures after this many updates."""
        if self.every_steps and self._window.steps + batch + 1 - self._window.closed >= self.every_steps:
            self._window.add(batch + 1, *machinery.loss_sums(self.model))
            self._measure(self._window.mean())
            self._window.clear()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures, decides, and writes the state."""
        logs = {} if logs is None else logs
        if "learning_rate" not in logs:
            optimizer = machinery.optimizers_of(self.model)[0]
            logs["learning_rate"] = live_rate.rate_at(optimizer, machinery.steps_of(self.model) - 1)
        live_rate.remember_trace(self.model)
        if self.every_steps:
            self._window.add(self.params.get("steps") or 0, *machinery.loss_sums(self.model))
        elif self.monitor in logs:
            self._measure(float(logs[self.monitor]))
        else:
            names = ", ".join(name for name in logs if name != "learning_rate")
            warnings.warn(f"{_NAME}: there is no {self.monitor!r} in the logs, which have {names}.", stacklevel=2)
        self._write(epoch)

    def _measure(self, value: float) -> None:
        """Takes one measurement: the rule decides, and the rate changes."""
        if self._first_counted and machinery.steps_of(self.model) <= self._first_counted:
            return
        best = self.state.best_count
        decision = self.rule.decide(self.state, value)
        if self.restore_best and self.state.best_count > best:
            self._best_weights = self.model.get_weights()
        if decision is None:
            return
        factor = self.factor if decision == "reduce" else self.up_factor
        assert factor is not None
        live_rate.scale(self.model, factor, low=self.min_lr, high=self.max_lr)
        if decision == "reduce" and self._best_weights is not None:
            self.model.set_weights(self._best_weights)
        if self.verbose:
            optimizer = machinery.optimizers_of(self.model)[0]
            rate = live_rate.rate_at(optimizer, machinery.steps_of(self.model))
            keras.utils.io_utils.print_msg(f"\n{_NAME}: {self.monitor} is {value:.4g}; the rate is now {rate:.4g}.")

    def _steps_before_counting(self) -> int:
        """The last step whose measurement is not counted."""
        if self.after is None:
            return 0
        if self.after == "warmup":
            rate = machinery.rate_of(machinery.optimizers_of(self.model)[0])
            rate = rate.schedule if isinstance(rate, Scaled) else rate
            return rate.longest_rise() if isinstance(rate, Schedule) else 0
        length, steps = lengths.parse(_NAME, 0, after=self.after), self.params.get("steps")
        if length.bound:
            return length.steps
        if steps is None:
            rule = "the number of steps is unknown, so after needs updates"
            raise ArgumentError(_NAME, rule, "Pass steps_per_epoch to fit, or updates", after=self.after)
        run = lengths.RunLength(Fraction(steps * self.params["epochs"]), Fraction(steps))
        return lengths.place(length, run, Fraction(0))

    def _read(self, epoch: int) -> None:
        """Restores the state that an earlier run wrote into the state file."""
        if self.state_path is None or not self.state_path.exists():
            return
        try:
            saved = json.loads(self.state_path.read_text())
            if (saved["version"], saved["monitor"], saved["mode"]) != (_FILE_VERSION, self.monitor, self.rule.mode):
                raise ValueError("it belongs to another monitor")
            state, window = PlateauState(**saved["state"]), _LossWindow(**saved["window"])
            live_rate.restore(self.model, saved["rates"])
        except (ValueError, KeyError, TypeError) as error:
            repair = "Delete the file for a new run, or pass the one that belongs to this run"
            rule = f"the file can't be read as the state of this callback ({type(error).__name__}: {error})"
            raise ArgumentError(_NAME, rule, repair, state_path=str(self.state_path)) from error
        self.state, self._window = state, window
        if saved["epoch"] + 1 != epoch and not self.every_steps:
            warnings.warn(
                f"{_NAME}: the state is of the end of epoch {saved['epoch']}, and this fit begins with epoch {epoch}. Pass "
                "initial_epoch to continue, or delete the file for a new run.",
                stacklevel=2,
            )

    def _write(self, epoch: int) -> None:
        """Writes the state; a reader finds either the old file or the new one, complete."""
        if self.state_path is None:
            return
        state = {
            "version": _FILE_VERSION,
            "monitor": self.monitor,
            "mode": self.rule.mode,
            "epoch": epoch,
            "rates": live_rate.scales(self.model),
            "state": dataclasses.asdict(self.state),
            "window": {"steps": self._window.steps, "total": self._window.total, "count": self._window.count},
        }
        self.state_path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self.state_path.parent, delete=False, suffix=".tmp") as file:
            json.dump(state, file)
        pathlib.Path(file.name).replace(self.state_path)


class _LossWindow:
    """The mean loss of some updates, from the running sums of each epoch, which start again with the next epoch."""

    def __init__(self, steps: int = 0, total: float = 0.0, count: float = 0.0) -> None:
        self.steps, self.total, self.count = steps, total, count
        self.open()

    def open(self) -> None:
        """Starts an epoch: its sums are 0, and none of its updates was added."""
        self.closed, self._total, self._count = 0, 0.0, 0.0

    def add(self, until: int, total: float, count: float) -> None:
        """Adds the updates of this epoch up to one of them."""
        self.steps += until - self.closed
        self.total += total - self._total
        self.count += count - self._count
        self.closed, self._total, self._count = until, total, count

    def mean(self) -> float:
        """The mean loss of the window."""
        return self.total / self.count if self.count else float("nan")

    def clear(self) -> None:
        """Starts the next window."""
        self.steps, self.total, self.count = 0, 0.0, 0.0


def _mode(monitor: str) -> str:
    """The mode of "auto": more is better for accuracies, as in Keras, and for areas under a curve and F-measures."""
    return "max" if "acc" in monitor or "auc" in monitor or monitor.startswith("fmeasure") else "min"
