"""Verifying: short trainings with a borrowed model. Which to make and what they mean is decided in `verifying`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_lr.core.errors import ArgumentError
from keras_lr.engines.borrowed.borrow import borrow
from keras_lr.engines.borrowed.trial import run_trial
from keras_lr.finder.measuring.batches import Batch, Batches
from keras_lr.finder.measuring.ladder import shortened
from keras_lr.finder.verifying.search import Validated, Verification, verify
from keras_lr.report.progress import progress
from keras_lr.schedules import Schedule


def verified(
    model: Any,
    source: Batches,
    validation: Batches,
    schedule: Schedule | None,
    start: float | None,
    updates: int,
    seed: int,
    verbose: str | int,
) -> Verification:
    """Spends updates on short trainings, all from the same start in the same order; the model is left as it was.

    Args:
        model: A compiled model.
        source: What to train on.
        validation: What to validate on.
        schedule: What the rate is the peak of; None for a constant rate.
        start: Where to look first, or None.
        updates: How many to spend at most.
        seed: Of the order.
        verbose: As `find` has it.
    """
    sizes: list[int] = []

    def examples() -> Iterator[Batch]:
        sizes.clear()
        for batch in validation.once():
            sizes.append(len(next(leaf for leaf in keras.tree.flatten(batch[0]) if leaf is not None)))
            yield batch

    with progress("Verifying", updates, verbose) as bar, borrow(model, source.first) as stepper:

        def train(rate: float, length: int) -> tuple[Validated, int]:
            rates = rate * shortened(schedule, length) if length else np.zeros(0)
            tested = run_trial(stepper, source.reader(seed), rates, examples, bar)
            if tested.data_ended:
                repair = "Pass a function that makes it, or data that can be read from its beginning"
                raise ArgumentError("find", "verify reads the data again and again", repair, verify=updates)
            losses = () if tested.losses is None else tuple(tested.losses.tolist())
            return Validated(losses, tuple(sizes) if losses else ()), tested.updates

        untrained, _ = train(0.0, 0)
        return verify(train, start, updates, untrained)
