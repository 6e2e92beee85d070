"""Records the rate that each update used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import keras
import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.callbacks import live_rate
from keras_lr.callbacks.binding import bind_rates
from keras_lr.callbacks.logged_rates import hyperparameter, logged_rates_of
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError

_NAME = "LearningRateMonitor"
_AHEAD = 1024  # the rates that are computed at once for the logs of batches


@final
class LearningRateMonitor(keras.callbacks.Callback):
    """Records the learning rate of every update, for a float rate and for any schedule.

    `History["learning_rate"]` is the rate of each epoch's last update. Place it before CSVLogger or a callback of W&B or
    MLflow in the list of callbacks: these then record the rate too, because it is in `logs`. (Keras's TensorBoard overwrites
    it, under the same name, with the rate of the next update. With `batch_logs=True` it also writes the rate of every batch,
    as `batch_learning_rate`.) The monitor also binds a schedule with lengths in epochs or percent to the run.

    If layers or optimizers have rates of their own (`PerLayer`, `keras.optimizers.MultiOptimizer`), each group is recorded
    under `learning_rate/<group>`; `learning_rate` is the rate of the first optimizer, without a factor.

    The rates are computed, not read: once an epoch the monitor reads the optimizer's step count and evaluates the schedule
    for the epoch's updates, which costs nothing per update. Changes by the other callbacks of keras-lr are recorded at their
    step. If other code changes a float rate within an epoch, use `observe=True`.

    Args:
        observe: Reads the rate at every update. On JAX this makes each update wait for the one before (40 % slower for a
            small model); on TensorFlow and PyTorch it costs a few percent. With `steps_per_execution` it reads the first
            rate of each execution.
        batch_logs: Also puts the rate of each update into the logs of its batch, which TensorBoard (with
            `update_freq="batch"`) and the progress bar show.
        also: More values for the logs of each epoch: "momentum" (or beta_1), "weight_decay", "scale" (the product of the
            changes that `ReduceLROnPlateau` or `LearningRateControl` made to a schedule).

    Attributes:
        learning_rates: The rate of every update of the last `fit`, a list of floats.
        groups: The same for each group that has a rate of its own, a dict of lists.
        steps: The optimizer's step of each of them: the axis of updates.
        epochs: The epoch of each of them, with its fraction: the axis of epochs.

    Raises:
        ArgumentError: `also` has another word.

    Example:
        >>> import keras, numpy as np, keras_lr as klr
        >>> model = keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(klr.Linear(0.1, 0.0, "100%")), "mse")
        >>> monitor = klr.LearningRateMonitor()
        >>> history = model.fit(np.ones([8, 2]), np.ones(8), batch_size=4, epochs=2, verbose=0, callbacks=[monitor])
        >>> [round(rate, 3) for rate in monitor.learning_rates]
        [0.1, 0.075, 0.05, 0.025]
        >>> [round(rate, 3) for rate in history.history["learning_rate"]]
        [0.075, 0.025]
        >>> monitor.epochs
        [0.0, 0.5, 1.0, 1.5]
    """

    def __init__(self, observe: bool = False, *, batch_logs: bool = False, also: Sequence[str] = ()) -> None:
        super().__init__()
        if isinstance(also, str):
            raise ArgumentError(_NAME, "also must be a list", f"Pass [{also!r}]", also=also)
        self.also = tuple(checks.one_of(_NAME, ("momentum", "weight_decay", "scale"), also=name) for name in also)
        self.observe, self.batch_logs = bool(observe), bool(batch_logs)
        self._clear()

    def _clear(self) -> None:
        self.learning_rates: list[float] = []
        self.groups: dict[str, list[float]] = {}
        self.steps: list[int] = []
        self.epochs: list[float] = []
        self._observed: list[float] = []
        self._segments: list[_Segment] = []
        self._bound = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts a new record."""
        self._clear()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Binds a schedule with units, before the first update is traced."""
        if not self._bound:
            bind_rates(_NAME, self.model, self.params, epoch)
            self._bound = True
        live_rate.warn_of_ignored(self.model)
        self._segments = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts a segment if the epoch begins or a rate was changed; with `observe`, reads the rate."""
        self._update_segments(batch)
        if self.observe:
            self._observed.append(live_rate.number(machinery.optimizers_of(self.model)[0].learning_rate))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """With `batch_logs`, puts the rate of the batch into its logs."""
        if self.batch_logs and logs is not None:
            self._update_segments()
            last = self._segments[-1]
            step = last.first_step + batch - last.first_batch
            segment = next(segment for segment in reversed(self._segments) if segment.first_step <= step)
            logs["learning_rate"] = segment.rate(step)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Computes the epoch's rates, and puts the last one into the logs."""
        if not self._segments:
            return
        self._update_segments()
        first_step, before = self._segments[0].first_step, len(self.steps)
        ends = [*(segment.first_step for segment in self._segments[1:]), machinery.steps_of(self.model)]
        for segment, end in zip(self._segments, ends, strict=True):
            steps = np.arange(segment.first_step, end)
            self.steps += steps.tolist()
            for logged in segment.logged:
                record = self.learning_rates if logged.name is None else self.groups.setdefault(logged.name, [])
                record.extend(logged.rates(steps))
        updates = len(self.steps) - before
        self.epochs += [epoch + i / updates for i in range(updates)]
        if self.observe:
            self.learning_rates[:] = self._observed
        if logs is not None and self.learning_rates:
            logs["learning_rate"] = self.learning_rates[-1]
            logs.update({f"learning_rate/{name}": rates[-1] for name, rates in self.groups.items() if rates})
            optimizer, step = machinery.optimizers_of(self.model)[0], max(first_step, self.steps[-1])
            logs.update({name: hyperparameter(name, optimizer, step) for name in self.also})
        live_rate.remember_trace(self.model)

    def _update_segments(self, batch: int = 0) -> None:
        """Starts a segment if the epoch begins or a rate was changed, possibly by a callback later in the list."""
        if not self._segments:
            self._segments.append(_Segment(self.model, machinery.steps_of(self.model), batch))
        elif self._segments[-1].outdated():
            self._segments.append(self._segments[-1].next(self.model))


class _Segment:
    """A part of an epoch in which no rate changes."""

    def __init__(self, model: Any, first_step: int, first_batch: int) -> None:
        self.first_step, self.first_batch = first_step, first_batch
        self.logged = logged_rates_of(model)
        optimizers = machinery.optimizers_of(model)
        self._marks = [(each, machinery.rate_of(each), live_rate.changes_of(each)) for each in optimizers]
        self._start, self._rates = first_step, list[float]()

    def outdated(self) -> bool:
        """Whether a rate was changed since. Reads nothing from a device."""
        return any(
            machinery.rate_of(each) is not rate or live_rate.changes_of(each) != changes
            for each, rate, changes in self._marks
        )

    def next(self, model: Any) -> _Segment:
        """The segment that begins at the last change by keras-lr; after a change by other code, at the next update."""
        now = [(live_rate.changes_of(each), changes) for each, _, changes in self._marks]
        step = max((last.step for last, before in now if last != before), default=machinery.steps_of(model))
        return _Segment(model, step, self.first_batch + step - self.first_step)

    def rate(self, step: int) -> float:
        """The rate of a step, from those of many steps computed at once."""
        if not self._start <= step < self._start + len(self._rates):
            self._start, self._rates = step, self.logged[0].rates(np.arange(step, step + _AHEAD))
        return self._rates[step - self._start]
