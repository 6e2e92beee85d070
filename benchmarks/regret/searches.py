"""Plain searches with short trainings, to compare `find` with: a grid of rates, and successive halving. Imports only NumPy.

Both get a function that returns the holdout's loss after a training from the start, given its rate and its length, and a number
of updates to spend. The tune half decided on their rates (`settings.py`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

Loss = Callable[[float, int], float]
RAMP = 100  # updates of a range test, as in the other finders


def budget_of(updates: int) -> int:
    """Returns the updates that `find` may spend on a training of so many: 600, or a fifth, but at most 5,000."""
    return 600 if updates <= 3000 else min(updates // 5, 5000)


@dataclasses.dataclass(frozen=True)
class Rates:
    """`count` rates from `low` to `high`, with a constant ratio."""

    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.count} rates from {self.low:g} to {self.high:g}"

    def values(self) -> list[float]:
        """Returns the rates, rising."""
        return np.geomspace(self.low, self.high, self.count).tolist()


RANGES = ((1e-6, 10.0, (8, 15)), (1e-5, 1.0, (6, 11)), (1e-4, 1.0, (5, 9, 13)), (1e-4, 0.1, (4, 7, 10)))
CHOICES = tuple(Rates(low, high, count) for low, high, counts in RANGES for count in counts)
GRID = {"short": Rates(1e-4, 0.1, 4), "long": Rates(1e-4, 1.0, 5), "text": Rates(1e-4, 1.0, 5)}  # best on the tune half
HALVING = {"short": Rates(1e-4, 0.1, 7), "long": Rates(1e-5, 1.0, 6), "text": Rates(1e-5, 1.0, 6)}


def lowest(losses: dict[float, float]) -> float | None:
    """Returns the rate with the lowest loss, or None if every training diverged."""
    finite = {rate: loss for rate, loss in losses.items() if math.isfinite(loss)}
    return min(finite, key=finite.__getitem__) if finite else None


def search_grid(loss: Loss, rates: Rates, budget: int) -> float | None:
    """Trains every rate for the same number of updates; the lowest loss wins."""
    length = budget // rates.count
    return lowest({rate: loss(rate, length) for rate in rates.values()})


def halving_rounds(count: int, budget: int, resumes: bool) -> list[tuple[int, int]]:
    """Returns the number of trainings in each round, and their length; a round halves the one and doubles the other.

    Args:
        count: Trainings in the first round.
        budget: Updates to spend.
        resumes: Whether a training continues from the round before. One along a cosine starts again.
    """
    counts = [count]
    while counts[-1] > 2:
        counts.append(-(-counts[-1] // 2))
    costs = [count << number for number, count in enumerate(counts)]  # in lengths of the first round
    if resumes:
        costs = costs[:1] + [cost // 2 for cost in costs[1:]]
    first = budget // sum(costs)
    return [(count, first << number) for number, count in enumerate(counts)]


def search_by_halving(loss: Loss, rates: Rates, budget: int, resumes: bool) -> float | None:
    """Trains every rate for a short while, and half of them twice as long, until two are left; the lowest loss wins."""
    alive = rates.values()
    for count, length in halving_rounds(rates.count, budget, resumes):
        losses = {rate: loss(rate, length) for rate in alive[:count]}
        alive = sorted(losses, key=losses.__getitem__)
    return lowest(losses)


def longest(group: str, budget: int) -> int:
    """Returns the updates of the longest training of both searches."""
    rounds = [halving_rounds(HALVING[group].count, budget, resumes)[-1][1] for resumes in (True, False)]
    return max(budget // GRID[group].count, *rounds)
