"""The rate goes down when a measurement stands still, beside any schedule."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
import warnings
from typing import Any, final

import keras

from keras_lr.backends import keras as machinery
from keras_lr.callbacks import live_rate
from keras_lr.callbacks.binding import bind_rates
from keras_lr.callbacks.plateau_rule import Plateau, State
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Bound, Scaled, Schedule
from keras_lr.schedules import length as lengths

_NAME = "ReduceLROnPlateau"
_FILE_VERSION = 1


@final
class ReduceLROnPlateau(keras.callbacks.Callback):
    """Multiplies the rate by `factor` when a measurement has not improved for `patience` epochs.

    rate(t) = max(s * scale, min(s, min_lr)),  s the schedule at t or the float rate.

    It works on a float rate and on any schedule, Keras's or ours, on several optimizers and under loss scaling. The
    schedule goes on underneath; in the optimizer it is replaced by itself scaled, which adds no variable, so that a model
    saved in the middle of `fit` loads anywhere. On TensorFlow and JAX each change of a schedule compiles the training step
    anew (a float rate does not need it).

    Args:
        monitor: What is measured: a name in the logs of an epoch.
        factor: What the rate is multiplied by, above 0 and below 1.
        patience: How many epochs in a row without improvement make a plateau.
        verbose: 1 prints each change.
        mode: "min", "max", or "auto": "max" for names that contain "acc", "auc" or begin with "fmeasure".
        min_delta: How much better counts as better; see `threshold`.
        cooldown: How many epochs after a reduction are not counted, exactly. (Keras's counts one less.)
        min_lr: What the reductions do not go below. It never raises the schedule.
        threshold: "absolute": better by `min_delta`. "relative": by `min_delta` times the best, right for a loss of 1e-5.
            "both": by the larger of the two.
        every_steps: Measure every so many updates, on the mean training loss of these, instead of every epoch; `patience`
            and `cooldown` then count these. Only for `monitor="loss"`.
        ema: Judge an exponential average of the measurements, with this weight of what was before.
        window: Judge the mean of so many measurements.
        restore_best: Go back to the weights of the best measurement when the rate is reduced.
        up_factor: Above 1: what the rate is multiplied by after `patience` improvements in a row.
        max_lr: What the raises do not go above. It never lowers the schedule.
        after: Measurements are counted only from here on: "warmup" (of the schedule), updates, or a length with a unit.
        state_path: A JSON file for the scale and the counters, written after each epoch and read at the start, so that a
            run that was interrupted goes on as if it had not been.

    Raises:
        ArgumentError: An argument breaks a rule, or the state file is of another run.

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
        self.rule = Plateau(mode, patience, cooldown, min_delta, threshold, ema, window, up_factor is not None)
        self.monitor, self.factor, self.verbose, self.up_factor = monitor, float(factor), verbose, up_factor
        self.min_lr = checks.at_least_zero(_NAME, min_lr=min_lr)
        self.max_lr = None if max_lr is None else checks.above_zero(_NAME, max_lr=max_lr)
        self.every_steps = None if every_steps is None else checks.whole(_NAME, every_steps=every_steps)
        if self.every_steps and monitor != "loss":
            repair = "Pass monitor='loss', or leave every_steps out"
            raise ArgumentError(_NAME, "with every_steps the training loss is measured", repair, monitor=monitor)
        if after is not None and after != "warmup":
            lengths.parse(_NAME, 0, after=after)
        self.after, self.restore_best = after, bool(restore_best)
        self.state_path = None if state_path is None else pathlib.Path(state_path)
        self.state, self._best_weights = State(), None
        self._window = _Window()
        self._attached = False
        self._first_counted = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins anew; what a state file says is read when the first epoch begins."""
        del logs
        self.state, self._best_weights, self._window, self._attached = State(), None, _Window(), False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Binds a schedule with units, and takes up the state of an earlier run."""
        del logs
        if not self._attached:
            live_rate.check_changeable(_NAME, self.model)
            bind_rates(self.model, self.params, epoch)
            self._first_counted = self._steps_before_counting()
            self._read(epoch)
            self._attached = True
        live_rate.tell_ignored(self.model)
        if self.every_steps:
            self._window.open(*machinery.loss_sums(self.model))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """With `every_steps`: measures when so many updates have been made."""
        del logs
        if self.every_steps and self._window.steps + batch + 1 - self._window.closed >= self.every_steps:
            self._window.add(batch + 1, *machinery.loss_sums(self.model))
            self._measured(self._window.mean())
            self._window.clear()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures, decides, and writes the state."""
        logs = {} if logs is None else logs
        optimizer = machinery.optimizers_of(self.model)[0]
        logs.setdefault("learning_rate", live_rate.rate_at(optimizer, machinery.steps_of(self.model) - 1))
        live_rate.remember(self.model)
        if self.every_steps:
            self._window.add(None, *machinery.loss_sums(self.model), steps=self._steps_of_epoch())
        elif self.monitor in logs:
            self._measured(float(logs[self.monitor]))
        else:
            names = ", ".join(name for name in logs if name != "learning_rate")
            warnings.warn(f"{_NAME}: there is no {self.monitor!r} in the logs, which have {names}.", stacklevel=2)
        self._write(epoch)

    def _measured(self, value: float) -> None:
        """One measurement: the rule decides, the rate changes."""
        optimizer = machinery.optimizers_of(self.model)[0]
        if machinery.steps_of(self.model) <= self._first_counted:
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
            rate = live_rate.rate_at(optimizer, machinery.steps_of(self.model))
            keras.utils.io_utils.print_msg(f"\n{_NAME}: {self.monitor} is {value:.4g}; the rate is now {rate:.4g}.")

    def _steps_of_epoch(self) -> int | None:
        return self.params.get("steps")

    def _steps_before_counting(self) -> int:
        """The step up to which measurements are not counted."""
        rate = machinery.rate_of(machinery.optimizers_of(self.model)[0])
        rate = rate.schedule if isinstance(rate, Scaled) else rate
        if self.after is None:
            return 0
        if self.after == "warmup":
            return rate.longest_rise() if isinstance(rate, Schedule) else 0
        length = lengths.parse(_NAME, 0, after=self.after)
        if length.bound:
            return length.steps
        return Bound(_clock(self.after), self.params["steps"], self.params["epochs"]).expression.length or 0

    def _read(self, epoch: int) -> None:
        """Takes up what an earlier run has left in the state file."""
        if self.state_path is None or not self.state_path.exists():
            return
        try:
            told = json.loads(self.state_path.read_text())
            if told["version"] != _FILE_VERSION or told["monitor"] != self.monitor or told["mode"] != self.rule.mode:
                raise ValueError("it is of another monitor")
            state, window = State(**told["state"]), _Window(**told["window"])
            live_rate.restore(self.model, told["rates"])
        except (ValueError, KeyError, TypeError) as error:
            repair = "Delete the file for a new run, or pass the one that belongs to this run"
            rule = f"the file can't be read as the state of this callback ({type(error).__name__}: {error})"
            raise ArgumentError(_NAME, rule, repair, state_path=str(self.state_path)) from error
        self.state, self._window = state, window
        if told["epoch"] + 1 != epoch and not self.every_steps:
            warnings.warn(
                f"{_NAME}: the state is of the end of epoch {told['epoch']}, and this fit begins with epoch {epoch}. Pass "
                "initial_epoch to go on, or delete the file for a new run.",
                stacklevel=2,
            )

    def _write(self, epoch: int) -> None:
        """Writes the state; whoever reads at any moment finds the old one or the new one, whole."""
        if self.state_path is None:
            return
        told = {
            "version": _FILE_VERSION,
            "monitor": self.monitor,
            "mode": self.rule.mode,
            "epoch": epoch,
            "rates": live_rate.scales(self.model),
            "state": self.state.as_dict(),
            "window": self._window.as_dict(),
        }
        self.state_path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self.state_path.parent, delete=False, suffix=".tmp") as file:
            json.dump(told, file)
        pathlib.Path(file.name).replace(self.state_path)


class _Window:
    """The mean loss of some updates, out of the running sums of an epoch, which begin again with each epoch."""

    def __init__(self, steps: int = 0, total: float = 0.0, count: float = 0.0) -> None:
        self.steps, self.total, self.count = steps, total, count  # of epochs that are over
        self.closed = 0  # updates of this epoch that are in an earlier window
        self._total, self._count = 0.0, 0.0  # the epoch's sums where this window began

    def open(self, total: float, count: float) -> None:
        """An epoch begins; its sums are those of its first update on."""
        del total, count
        self.closed, self._total, self._count = 0, 0.0, 0.0

    def add(self, until: int | None, total: float, count: float, steps: int | None = None) -> None:
        """Takes in the updates of this epoch up to one of them, or to its end."""
        done = until if until is not None else steps or 0
        self.steps += done - self.closed
        self.total += total - self._total
        self.count += count - self._count
        self.closed, self._total, self._count = done, total, count

    def mean(self) -> float:
        """The mean loss of the window."""
        return self.total / self.count if self.count else float("nan")

    def clear(self) -> None:
        """The next window begins."""
        self.steps, self.total, self.count = 0, 0.0, 0.0

    def as_dict(self) -> dict[str, float]:
        """For a file, at the end of an epoch."""
        return {"steps": self.steps, "total": self.total, "count": self.count}


def _mode(monitor: str) -> str:
    """What "auto" means: more is better for accuracies, as in Keras, and for areas under a curve and F-measures."""
    return "max" if "acc" in monitor or "auc" in monitor or monitor.startswith("fmeasure") else "min"


def _clock(after: int | str) -> Schedule:
    from keras_lr.schedules import Constant

    return Constant(1.0, after)
