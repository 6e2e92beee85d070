"""The critical rate: the lowest rate at which the optimizer's update raises the loss of its own batch. Imports no Keras.

It holds for the first update and is measured by forward passes. Later in training the weights often allow higher rates, so
it does not bound the answer; it shows where a warm-up must begin.

References:
    Kalra and Barkeshli 2024, why warm up the learning rate. https://arxiv.org/abs/2406.09405
    Kalra et al. 2026, critical sharpness. https://arxiv.org/abs/2601.16979
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_lr.engines.borrowed.line_search import LineSearch

BATCHES = 5
LOWEST, HIGHEST = 1e-10, 1e6
PRECISION = 1.1  # ratio of the two rates at which a search ends


@dataclasses.dataclass(frozen=True)
class CriticalRate:
    """The rate above which the optimizer's first update raises the loss of its own batch.

    Attributes:
        learning_rate: The median over batches, or None; then `reason` says why.
        interval: The lowest and the highest rate of a batch, or None.
        reason: The measurement in a sentence.
        learning_rates: The critical rate of each batch.
    """

    learning_rate: float | None
    interval: tuple[float, float] | None
    reason: str
    learning_rates: tuple[float, ...] = ()


def next_rate(search: LineSearch, first: float) -> float | None:
    """Returns the next rate of a search that begins at `first`, or None at its end.

    Doubles the rate until the loss rises, or halves it until the loss falls, then bisects.
    """
    if not math.isfinite(search.loss):
        return None
    if not search.points:
        return min(max(first, LOWEST), HIGHEST)
    fell, rose = _bracket(search)
    if rose == math.inf:
        return 2.0 * fell if 2.0 * fell <= HIGHEST else None
    if fell == 0.0:
        return 0.5 * rose if 0.5 * rose >= LOWEST else None
    return math.sqrt(fell * rose) if rose / fell > PRECISION else None


def critical(searches: Sequence[LineSearch] | None) -> CriticalRate:
    """Returns the critical rate of several searches; None stands for a model that can't be searched."""
    if searches is None:
        return CriticalRate(None, None, "The model has its own train_step, so a forward pass does not give its loss.")
    if not searches:
        return CriticalRate(None, None, "The update of the optimizer doesn't move the weights.")
    ends = [_bracket(search) for search in searches if search.points]
    rates = tuple(math.sqrt(fell * rose) for fell, rose in ends if fell > 0.0 and rose < math.inf)
    if 2 * len(rates) <= len(searches):
        never = all(rose == math.inf for _, rose in ends)
        why = "no rate raised it" if never else "it rose at every rate, or is not finite"
        return CriticalRate(None, None, f"The loss has no edge along the update: {why}.", rates)
    middle, low, high = statistics.median(rates), min(rates), max(rates)
    reason = (
        f"On {len(rates)} of {len(searches)} batches the first update lowers the loss of its own batch up to "
        f"{middle:.2g} ({low:.2g} to {high:.2g}) and raises it above."
    )
    return CriticalRate(middle, (low, high), reason, rates)


def warmup_steps(learning_rate: float | None, edge: CriticalRate | None) -> int | None:
    """Returns the shortest warm-up whose first update is not above the critical rate: ceil(learning_rate / critical) - 1.

    A warm-up of n updates begins at learning_rate / (n + 1) and rises by the same amount with each update. This amount is
    at most the critical rate.

    Returns 0 if the rate is below the critical rate; None if one of the two is None.

    Example:
        >>> warmup_steps(0.01, CriticalRate(0.003, (0.002, 0.004), "")), warmup_steps(0.001, CriticalRate(0.003, None, ""))
        (3, 0)
    """
    if learning_rate is None or edge is None or edge.learning_rate is None:
        return None
    return max(0, math.ceil(learning_rate / edge.learning_rate * (1.0 - 1e-9)) - 1)


def cross_check(learning_rate: float | None, edge: CriticalRate | None) -> str | None:
    """Compares the answer with the critical rate in a sentence; None without a measurement."""
    if edge is None:
        return None
    steps = warmup_steps(learning_rate, edge)
    if learning_rate is None or edge.learning_rate is None or steps is None:
        return edge.reason
    ratio = learning_rate / edge.learning_rate
    where = f"{ratio:.2g} times the critical rate of the first update, {edge.learning_rate:.2g}"
    if steps == 0:
        return f"The answer is {where}: it needs no warm-up for stability."
    return f"The answer is {where}: begin with a warm-up of {steps} updates or more."


def _bracket(search: LineSearch) -> tuple[float, float]:
    """Returns the lowest rate at which the loss rose, or infinity, and before it the highest below that, or 0."""
    rose = min((rate for rate, loss in search.points if not loss <= search.loss), default=math.inf)
    return max((rate for rate, loss in search.points if rate < rose), default=0.0), rose
