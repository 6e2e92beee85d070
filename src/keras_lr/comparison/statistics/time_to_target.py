"""Time to a target: how long runs took to get as good as asked, where some never did.

Pure functions of plain numbers. A run that never got there is censored: it took longer than was measured, so it counts as
infinity, which a median can bear.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from keras_lr.comparison.statistics.variance import LEVEL


def reached_at(values: Sequence[float], target: float, mode: str) -> int | None:
    """The first epoch, counted from 1, after which a run is at the target or better; None where it never is.

    Example:
        >>> reached_at([0.9, 0.5, 0.6], 0.5, "min"), reached_at([0.1, 0.2], 0.3, "max")
        (2, None)
    """
    sign = 1.0 if mode == "min" else -1.0
    return next((epoch for epoch, value in enumerate(values, 1) if sign * value <= sign * target), None)


def median(times: Sequence[float]) -> float:
    """The median, infinity where half of the times or more are. NaN of nothing.

    Example:
        >>> median([3.0, math.inf, 2.0]), median([3.0, math.inf]), median([1.0, 2.0])
        (3.0, inf, 1.5)
    """
    ordered, count = sorted(times), len(times)
    if not ordered:
        return math.nan
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2


def median_interval(times: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the median by order statistics, which assumes nothing of the times.

    From the i-th shortest to the i-th longest, with the largest i for which 1 - 2 * P(Binomial(n, 1/2) < i) >= 95 %.
    None with fewer than six times: from five, even the whole range holds the median only 94 % of the time.

    Example:
        >>> median_interval([1, 2, 3, 4, 5]), median_interval([1, 2, 3, 4, 5, math.inf])
        (None, (1, inf))
    """
    ordered, count = sorted(times), len(times)
    tail, place = 0.0, 0
    while True:
        tail += math.comb(count, place) / 2**count
        if 2.0 * tail > 1.0 - LEVEL:
            break
        place += 1
    return None if place == 0 else (ordered[place - 1], ordered[count - place])
