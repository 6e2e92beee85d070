"""Train one fresh model with one seed by `fit` in this process, and record the outcome.

A run that diverges or raises is an outcome, not an error: the other runs continue. Global random state is restored.
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
    """The measurements of one run.

    Attributes:
        history: The logs of `fit` after each epoch, by name. Empty for a failed run.
        outcome: "finished", "diverged" (a loss or a weight became non-finite) or "failed" (an exception was raised).
        diverged_at: The epoch and the update within it, counted from 0, at which the run diverged. The update is None if
            only the end of the epoch showed it. None for other outcomes.
        seconds: The wall time, including building and compiling the model.
        error: For a failed run, a line about the exception and its traceback; else None.
        exception: The exception itself, in the process that trained the run. It is not stored.
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
    stop_on_divergence: bool = True,
) -> TrainingRun:
    """Trains a fresh model once, silently.

    Args:
        build_model: Returns a compiled model.
        prepare: Changes the model before training, for instance its optimizer.
        fit_arguments: The data and the other arguments of `fit`.
        seed: Sets the initial weights, the order of the data and the dropout.
        callbacks: Further callbacks of this run.
        stop_on_divergence: Whether the first non-finite loss ends the run. If False the run trains on, and counts as
            diverged only if it is still non-finite at its end.

    Raises:
        KerasLRError: The arguments are invalid, so every other run would fail too.
    """
    start = time.perf_counter()
    watch = _DivergenceWatch(stop_on_divergence)
    try:
        with backends.random_state():
            keras.utils.set_random_seed(seed)
            model = build_model()
            prepare(model)
            history = model.fit(**fit_arguments, callbacks=[*callbacks, watch], verbose=0).history
            watch.check_weights()
    except Exception as error:
        if isinstance(error, KerasLRError) and not isinstance(error, UserCodeError):
            raise
        description = failures.describe(error)
        failures.release_memory(error)
        return TrainingRun({}, "failed", None, time.perf_counter() - start, description, error)
    return TrainingRun(
        history={name: tuple(float(value) for value in values) for name, values in history.items()},
        outcome="finished" if watch.diverged_at is None else "diverged",
        diverged_at=watch.diverged_at,
        seconds=time.perf_counter() - start,
    )


class _DivergenceWatch(keras.callbacks.Callback):
    """Records the first non-finite loss, and ends the run there if `stop` is set.

    Keras passes the mean loss of the epoch so far, which is non-finite from the first bad batch on.
    """

    def __init__(self, stop: bool) -> None:
        super().__init__()
        self.diverged_at: tuple[int, int | None] | None = None
        self._epoch, self._stop = 0, stop

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        del logs
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._check(logs, "loss", batch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        del epoch
        finite = all(math.isfinite(float(np.mean((logs or {}).get(name, 0.0)))) for name in ("loss", "val_loss"))
        if finite and not self._stop:
            self.diverged_at = None  # the run recovered
        self._check(logs, "loss", None)
        self._check(logs, "val_loss", None)

    def check_weights(self) -> None:
        """Catches a last update that spoils the weights without a loss that shows it."""
        if self.diverged_at is None and not all(map(_is_finite, self.model.trainable_variables)):
            self.diverged_at = (self._epoch, None)

    def _check(self, logs: dict[str, Any] | None, name: str, update: int | None) -> None:
        loss = (logs or {}).get(name)
        if self.diverged_at is None and loss is not None and not math.isfinite(float(np.mean(loss))):
            self.diverged_at = (self._epoch, update)
            self.model.stop_training = self._stop


def _is_finite(weight: Any) -> bool:
    return bool(np.isfinite(np.asarray(keras.ops.convert_to_numpy(weight), np.float64)).all())
