"""Time to a target: the epochs until a metric reaches a value, if some runs never reach it.

Pure functions of plain numbers. A run that never reaches the target is censored: it counts as infinity, which a median
allows.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from keras_lr.comparison.statistics.variance import LEVEL


def reached_at(values: Sequence[float], target: float, mode: str) -> int | None:
    """Returns the first epoch, counted from 1, after which a run is at the target or better; None if there is none.

    Example:
        >>> reached_at([0.9, 0.5, 0.6], 0.5, "min"), reached_at([0.1, 0.2], 0.3, "max")
        (2, None)
    """
    sign = 1.0 if mode == "min" else -1.0
    return next((epoch for epoch, value in enumerate(values, 1) if sign * value <= sign * target), None)


def median(times: Sequence[float]) -> float:
    """Returns the median; infinity if at least half of the times are infinite, NaN without times.

    Example:
        >>> median([3.0, math.inf, 2.0]), median([3.0, math.inf]), median([1.0, 2.0])
        (3.0, inf, 1.5)
    """
    return statistics.median(times) if times else math.nan


def median_interval(times: Sequence[float]) -> tuple[float, float] | None:
    """Returns the 95 % interval of the median by order statistics, without assumptions about the times.

    From the i-th shortest to the i-th longest, with the largest i for which 1 - 2 * P(Binomial(n, 1/2) < i) >= 95 %.
    None with fewer than six times: with five, even the full range covers the median in only 94 % of samples.

    Example:
        >>> median_interval([1, 2, 3, 4, 5]), median_interval([1, 2, 3, 4, 5, math.inf])
        (None, (1, inf))
    """
    ordered, count = sorted(times), len(times)
    tail, rank = 0.0, 0
    while True:
        tail += math.comb(count, rank) / 2**count
        if 2.0 * tail > 1.0 - LEVEL:
            break
        rank += 1
    return None if rank == 0 else (ordered[rank - 1], ordered[count - rank])
