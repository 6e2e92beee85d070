"""Runs the trials of `verify` with a borrowed model; `search` decides on their rates and reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keras_lr.backends.arrays import Batch, count_rows
from keras_lr.backends.rate_plan import RatePlan
from keras_lr.core.errors import ArgumentError
from keras_lr.engines.borrowed.borrow import borrow
from keras_lr.engines.borrowed.trial import run_trial
from keras_lr.finder.measuring.batches import Batches
from keras_lr.finder.target import relative_rates
from keras_lr.finder.verifying.search import ValidationLoss, Verification, verify
from keras_lr.report.progress import progress
from keras_lr.schedules import Schedule


def verify_by_training(
    where: str,
    model: Any,
    source: Batches,
    validation: Batches,
    plan: Callable[[Any], RatePlan],
    schedule: Schedule | None,
    start: float | None,
    budget: int,
    seed: int,
    verbose: str | int,
) -> Verification:
    """Runs trials, all from the same start in the same order, and restores the model.

    The arguments are those of `find`, with the data split in two and the plan of a built model's rates, and those of `search.verify`.
    """
    sizes: list[int] = []

    def examples() -> Iterator[Batch]:
        sizes.clear()
        for batch in validation.once():
            sizes.append(count_rows(batch[0]))
            yield batch

    with progress(where, budget, verbose, "Verifying") as bar, borrow(model, source.first, plan) as stepper:

        def train(rate: float, length: int) -> tuple[ValidationLoss, int]:
            rates = rate * relative_rates(schedule, length) if length else np.zeros(0)
            outcome = run_trial(stepper, source.reader(seed), rates, examples, bar)
            if outcome.data_ended:
                repair = "Pass a function that returns it, or data that can be read from its beginning"
                raise ArgumentError(where, "verify reads the data again and again", repair, verify=budget)
            losses = () if outcome.losses is None else tuple(outcome.losses.tolist())
            return ValidationLoss(losses, tuple(sizes) if losses else ()), outcome.updates

        untrained, _ = train(0.0, 0)
        return verify(train, start, budget, untrained)
