"""One training run in this process: a fresh model, one seed, `fit`, and what became of it.

A run that diverges is an outcome, not an error, and so is one whose code raises: the other runs go on. Whatever happens,
every global source of chance is left as it was.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_lr import backends
from keras_lr.core.errors import KerasLRError, UserCodeError
from keras_lr.engines import failures


@dataclasses.dataclass(frozen=True)
class TrainingRun:
    """What one run measured.

    Attributes:
        history: What `fit` logged after each epoch, by name.
        outcome: "finished", "diverged" where a loss or a weight was not finite, or "failed" where an exception was raised.
        diverged_at: The epoch and the update within it, counted from 0, that showed it; the update is None where it was
            seen only at the end of the epoch. None for a finished run.
        seconds: How long it took, with making and compiling the model.
        error: Of a failed run what was raised, in a line, and its traceback below; or None.
        exception: What was raised, while it is known. It is not kept in a store.
    """

    history: dict[str, tuple[float, ...]]
    outcome: str
    diverged_at: tuple[int, int | None] | None
    seconds: float
    error: str | None = None
    exception: BaseException | None = dataclasses.field(default=None, compare=False, repr=False)


def train(
    build_model: Callable[[], Any],
    prepare: Callable[[Any], None],
    fit_arguments: Mapping[str, Any],
    *,
    seed: int,
    callbacks: Sequence[Any] = (),
    to_the_end: bool = False,
) -> TrainingRun:
    """Trains a fresh model once, silently.

    Args:
        build_model: Makes a compiled model.
        prepare: Gets the model before it is trained, for instance to put an optimizer in.
        fit_arguments: The data and the other arguments of `fit`.
        seed: Sets the initial weights, the order of the data and the dropout.
        callbacks: Callbacks of this run alone.
        to_the_end: Whether a run whose loss is not finite trains on. It is diverged if it isn't finite at its end.

    Returns:
        What happened, with the history of `fit`; of a run that failed, without a history.

    Raises:
        KerasLRError: A rule of keras-lr is broken, which no other run would mend.
    """
    started = time.perf_counter()
    watch = _DivergenceWatch(to_the_end)
    try:
        with backends.random_state():
            keras.utils.set_random_seed(seed)
            model = build_model()
            prepare(model)
            history = model.fit(**fit_arguments, callbacks=[*callbacks, watch], verbose=0).history
            watch.look_at_weights()
    except Exception as error:
        if isinstance(error, KerasLRError) and not isinstance(error, UserCodeError):
            raise
        text = failures.described(error)
        failures.release(error)
        return TrainingRun({}, "failed", None, time.perf_counter() - started, text, error)
    return TrainingRun(
        history={name: tuple(float(value) for value in values) for name, values in history.items()},
        outcome="finished" if watch.diverged_at is None else "diverged",
        diverged_at=watch.diverged_at,
        seconds=time.perf_counter() - started,
    )


class _DivergenceWatch(keras.callbacks.Callback):
    """Ends the run at the first loss that is not finite, or lets it go on, and remembers where that was.

    The loss that Keras hands over is the mean of the epoch so far: it is not finite from the first bad batch on.
    """

    def __init__(self, to_the_end: bool) -> None:
        super().__init__()
        self.diverged_at: tuple[int, int | None] | None = None
        self._epoch, self._to_the_end = 0, to_the_end

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        del logs
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._look(logs, "loss", batch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        del epoch
        finite = all(math.isfinite(float(np.mean((logs or {}).get(name, 0.0)))) for name in ("loss", "val_loss"))
        if self._to_the_end and finite:
            self.diverged_at = None  # it came back
        self._look(logs, "loss", None)
        self._look(logs, "val_loss", None)

    def look_at_weights(self) -> None:
        """The last update can spoil the weights without a loss that shows it."""
        if self.diverged_at is None and not all(_is_finite(weight) for weight in self.model.trainable_variables):
            self.diverged_at = (self._epoch, None)

    def _look(self, logs: dict[str, Any] | None, name: str, update: int | None) -> None:
        loss = (logs or {}).get(name)
        if self.diverged_at is None and loss is not None and not math.isfinite(float(np.mean(loss))):
            self.diverged_at = (self._epoch, update)
            self.model.stop_training = not self._to_the_end


def _is_finite(weight: Any) -> bool:
    return bool(np.isfinite(np.asarray(keras.ops.convert_to_numpy(weight), np.float64)).all())
