"""Watching the rate that each update used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import keras
import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.callbacks import live_rate
from keras_lr.callbacks.binding import bind_rates
from keras_lr.callbacks.logged_rates import Group, groups_of, hyperparameter
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError

ALSO = ("momentum", "weight_decay", "scale")


@final
class LearningRateMonitor(keras.callbacks.Callback):
    """Records the learning rate of every update, for a float rate and for any schedule.

    `History["learning_rate"]` is the rate of each epoch's last update. Placed before CSVLogger or a callback of W&B or
    MLflow in the list of callbacks, these see it too, because it is in `logs`. (Keras's TensorBoard gets it as well, but
    writes its own reading of the optimizer over it under the same name: the rate of the next update. With
    `batch_logs=True` it writes ours for every batch, as `batch_learning_rate`.) It also binds a schedule with lengths in
    epochs or percent to the run.

    Where layers or optimizers have rates of their own (`PerLayer`, `keras.optimizers.MultiOptimizer`), each group is
    recorded under `learning_rate/<group>`; `learning_rate` is that of the first optimizer, without a factor.

    The rates are computed, not read: the optimizer's count is read once an epoch and the schedule evaluated for the
    epoch's updates, which costs nothing per update. Changes by our own callbacks are seen at their step. A float rate that
    somebody else changes in the middle of an epoch needs `observe=True`.

    Args:
        observe: Reads the rate at every update. On JAX this makes each update wait for the one before (40 % slower for a
            small model), on TensorFlow and PyTorch it costs a few percent. With `steps_per_execution` it sees the first of each execution.
        batch_logs: Also puts the rate of each update into the logs of its batch, which TensorBoard (with
            `update_freq="batch"`) and the progress bar show.
        also: What else goes into the logs of each epoch: "momentum" (or beta_1), "weight_decay", "scale" (what
            `ReduceLROnPlateau` or `LearningRateControl` have made of a schedule).

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
            raise ArgumentError("LearningRateMonitor", "also must be a list", f"Pass [{also!r}]", also=also)
        self.also = tuple(checks.one_of("LearningRateMonitor", ALSO, also=word) for word in also)
        self.observe, self.batch_logs = bool(observe), bool(batch_logs)
        self.learning_rates: list[float] = []
        self.groups: dict[str, list[float]] = {}
        self.steps: list[int] = []
        self.epochs: list[float] = []
        self._observed: list[float] = []
        self._pieces: list[_Piece] = []
        self._bound = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins anew."""
        del logs
        self._clear()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Binds a schedule with units, before the first update is traced."""
        del logs
        if not self._bound:
            bind_rates(self.model, self.params, epoch)
            self._bound = True
        live_rate.tell_ignored(self.model)
        self._pieces = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes what the rates are computed from when the epoch begins or a rate was changed; or reads them, if asked to."""
        del logs
        self._look(batch)
        if self.observe:
            self._observed.append(live_rate.number(self._first().learning_rate))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Puts the rate of the batch into its logs, if asked to."""
        if self.batch_logs and logs is not None:
            self._look(None)
            step = self._pieces[-1].first_step + batch - self._pieces[-1].first_batch
            piece = next(piece for piece in reversed(self._pieces) if piece.first_step <= step)
            logs["learning_rate"] = piece.ahead(step)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Computes the epoch's rates, and puts the last one into the logs."""
        if not self._pieces:
            return
        self._look(None)
        optimizer, ends = self._first(), [piece.first_step for piece in self._pieces[1:]]
        begun = self._pieces[0].first_step
        for piece, end in zip(self._pieces, [*ends, machinery.steps_of(self.model)], strict=True):
            steps = np.arange(piece.first_step, end)
            self.steps += steps.tolist()
            for group in piece.groups:
                self._group(group.name).extend(group.rates(steps))
        done = len(self.steps) - len(self.epochs)
        self.epochs += [epoch + i / max(1, done) for i in range(done)]
        if self.observe:
            self.learning_rates[:] = self._observed
        if logs is not None and self.learning_rates:
            logs["learning_rate"] = self.learning_rates[-1]
            logs.update({f"learning_rate/{name}": rates[-1] for name, rates in self.groups.items() if rates})
            last = max(begun, self.steps[-1])
            logs.update({word: hyperparameter(word, optimizer, last) for word in self.also})
        live_rate.remember(self.model)

    def _look(self, batch: int | None) -> None:
        """Begins a new piece where an epoch begins or a rate was changed, maybe by a callback that comes after this one."""
        if not self._pieces:
            self._pieces.append(_Piece(self.model, machinery.steps_of(self.model), batch or 0))
        elif self._pieces[-1].old():
            self._pieces.append(self._pieces[-1].next(self.model))

    def _first(self) -> Any:
        """The first optimizer. On JAX asking for the model brings its variables up to date, which is what costs."""
        return machinery.optimizers_of(self.model)[0]

    def _group(self, name: str | None) -> list[float]:
        return self.learning_rates if name is None else self.groups.setdefault(name, [])

    def _clear(self) -> None:
        self.learning_rates, self.groups, self.steps, self.epochs = [], {}, [], []
        self._observed, self._pieces, self._bound = [], [], False


class _Piece:
    """A stretch of an epoch in which nobody changed the rates."""

    def __init__(self, model: Any, first_step: int, first_batch: int) -> None:
        self.first_step, self.first_batch = first_step, first_batch
        self.groups: list[Group] = groups_of(model)
        self._marks = [
            (each, machinery.rate_of(each), live_rate.changed(each)) for each in machinery.optimizers_of(model)
        ]
        self._ahead: tuple[int, list[float]] = (first_step, [])

    def old(self) -> bool:
        """Whether a rate has been changed since. Reads nothing from a device."""
        return any(
            machinery.rate_of(each) is not rate or live_rate.changed(each) != before
            for each, rate, before in self._marks
        )

    def next(self, model: Any) -> _Piece:
        """The piece that begins with the last change; where somebody else made it, with the update about to be made."""
        told = [live_rate.changed(each) for each, _, before in self._marks if live_rate.changed(each) != before]
        step = max((change.step for change in told), default=machinery.steps_of(model))
        return _Piece(model, step, self.first_batch + step - self.first_step)

    def ahead(self, step: int, chunk: int = 1024) -> float:
        """The rate of a step, out of those of many steps computed at once."""
        start, rates = self._ahead
        if not start <= step < start + len(rates):
            start, rates = step, self.groups[0].rates(np.arange(step, step + chunk))
            self._ahead = (start, rates)
        return rates[step - start]
