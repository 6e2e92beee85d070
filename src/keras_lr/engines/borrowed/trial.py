"""A trial: a short training for real from the model's present state, and what it comes to on validation data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from keras_lr.backends.keras import micro_batches
from keras_lr.engines.borrowed.ramp import CHUNK, Progress, Source, Stepper


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """What a trial came to.

    Attributes:
        losses: The validation loss of each batch after the last update; None where the training diverged.
        updates: Updates made, those of a training that diverged too.
        data_ended: Whether the data came to an end before.
    """

    losses: np.ndarray | None
    updates: int
    data_ended: bool = False


def run_trial(
    stepper: Stepper,
    source: Source,
    learning_rates: np.ndarray,
    validation: Callable[[], Iterable[Any]],
    counter: Progress,
) -> TrialResult:
    """Trains from the start, one update at each rate in turn, and looks at the validation data at the end.

    Under gradient accumulation an update is made of as many batches as the optimizer wants, all at one rate.

    Args:
        stepper: The model's updates.
        source: As many batches as it may take.
        learning_rates: The rate of each update.
        validation: Gives the validation batches.
        counter: Told of every update.
    """
    several = micro_batches(stepper.model)
    rates, done = np.repeat(learning_rates, several), 0
    stepper.reset()
    while done < len(rates):
        chunk = source.take(min(CHUNK * several, len(rates) - done))
        if chunk is None:
            return TrialResult(None, done // several, data_ended=True)
        losses = stepper.updates(chunk, rates[done : done + len(chunk)])["loss"]
        before, done = done // several, done + len(chunk)
        for _ in range(done // several - before):
            counter.step()
        if not np.isfinite(losses).all():
            return TrialResult(None, -(-done // several))
    tested = stepper.evaluate(validation())
    return TrialResult(tested if all(map(math.isfinite, tested)) else None, len(learning_rates))
