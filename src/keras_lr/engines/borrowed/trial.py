"""A trial: a short training from the model's current state, and the validation loss at its end."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable

import numpy as np

from keras_lr.backends.arrays import Batch
from keras_lr.backends.keras import micro_batches
from keras_lr.backends.protocols import Stepper
from keras_lr.engines.borrowed.ramp import CHUNK, Progress, Source


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """What a trial measured.

    Attributes:
        losses: The loss of each validation batch after the last update; None if the training diverged.
        updates: The number of updates trained, even if the training diverged.
        data_ended: Whether the data ended early.
    """

    losses: np.ndarray | None
    updates: int
    data_ended: bool = False


def run_trial(
    stepper: Stepper,
    source: Source,
    learning_rates: np.ndarray,
    validation: Callable[[], Iterable[Batch]],
    progress: Progress,
) -> TrialResult:
    """Trains from the start, one update per rate, and evaluates the validation data at the end.

    Under gradient accumulation an update uses several batches, all at one rate.
    """
    batches = micro_batches(stepper.model)
    rates, count = np.repeat(learning_rates, batches), 0
    stepper.reset()
    while count < len(rates):
        chunk = source.take(min(CHUNK * batches, len(rates) - count))
        if chunk is None:
            return TrialResult(None, count // batches, data_ended=True)
        losses = stepper.updates(chunk, rates[count : count + len(chunk)])["loss"]
        before, count = count // batches, count + len(chunk)
        for _ in range(count // batches - before):
            progress.step()
        if not np.isfinite(losses).all():
            return TrialResult(None, -(-count // batches))
    validated = stepper.evaluate(validation())
    return TrialResult(validated if all(map(math.isfinite, validated)) else None, len(learning_rates))
