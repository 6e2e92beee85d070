"""How far one may go with the learning rate, and what a rate that is off costs.

Pure functions of plain numbers, for the rates of one optimizer and schedule.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence

FAR = 10.0  # a loss of so many times the median loss blew up


@dataclasses.dataclass(frozen=True)
class RateOutcome:
    """What happened at one rate.

    Attributes:
        rate: The learning rate.
        first: The loss after the first epoch, by seed, of the runs that got so far.
        last: The loss after the last epoch, by seed, of the runs that finished.
        diverged: How many runs diverged.
    """

    rate: float
    first: Mapping[int, float]
    last: Mapping[int, float]
    diverged: int = 0


@dataclasses.dataclass(frozen=True)
class Stability:
    """Up to which rate training is stable.

    Attributes:
        largest: The largest rate that is stable with all smaller ones; None where the smallest isn't.
        unstable: The smallest rate that isn't, or None where all are.
    """

    largest: float | None
    unstable: float | None


def stability(tried: Sequence[RateOutcome]) -> Stability:
    """The largest stable rate.

    A rate is stable when no run diverged, and no run's loss after the last epoch is above the loss that the smallest rate
    had after the first, with the same seed: it would have ended worse than a model that is hardly trained.

    Example:
        >>> small, good = RateOutcome(0.01, {0: 2.2}, {0: 1.0}), RateOutcome(0.1, {0: 1.5}, {0: 0.2})
        >>> stability([small, good, RateOutcome(1.0, {0: 9.0}, {0: 2.3}), RateOutcome(10.0, {}, {}, diverged=1)])
        Stability(largest=0.1, unstable=1.0)
    """
    by_rate = sorted(tried, key=lambda one: one.rate)
    if not by_rate:
        return Stability(None, None)
    untrained = by_rate[0].first
    largest = None
    for one in by_rate:
        if not _stable(one, untrained):
            return Stability(largest, one.rate)
        largest = one.rate
    return Stability(largest, None)


def sensitivity(rates: Sequence[float], values: Sequence[float | None], mode: str, cap: float | None) -> float | None:
    """What a rate that is off costs: how much worse than at its best the metric is, averaged over decades of rate.

    1 / log10(r_n / r_1) * integral of |m(r) - m_best| d log10(r), by trapezoids between the rates. A rate whose runs
    diverged counts as `cap`, and none counts as worse than it.

    Args:
        rates: The rates, all different.
        values: The mean metric at each; None where a run diverged.
        mode: "min" or "max".
        cap: The worst metric that counts.

    Returns:
        The mean excess in units of the metric, 0 or more; None with fewer than two rates or without any value.

    Example:
        >>> sensitivity([0.01, 0.1, 1.0], [2.0, 1.0, None], "min", cap=3.0)  # excess 1, 0 and 2
        0.75

    References:
        Wortsman et al., "Small-scale proxies for large-scale Transformer training instabilities", 2023.
    """
    known = [value for value in values if value is not None]
    if len(rates) < 2 or not known or cap is None:
        return None
    sign = 1.0 if mode == "min" else -1.0
    best = min(sign * value for value in known)
    worst = max(best, sign * cap)
    excess = [worst - best if value is None else min(sign * value, worst) - best for value in values]
    pairs = sorted(zip(map(math.log10, rates), excess, strict=True))
    area = sum((b - a) * (left + right) / 2 for (a, left), (b, right) in itertools.pairwise(pairs))
    return area / (pairs[-1][0] - pairs[0][0])


def worst_of(means: Sequence[float], mode: str) -> float | None:
    """The worst mean of all cases that counts: the worst, but for losses that blew up. None of nothing."""
    if not means:
        return None
    limit = blown_up_from(means, mode)
    return max(value for value in means if value <= limit) if mode == "min" else min(means)


def blown_up_from(means: Sequence[float], mode: str) -> float:
    """Above what a mean loss is said to have blown up without becoming infinite: ten times the median of all."""
    middle = statistics.median(means) if means else 0.0
    return FAR * middle if mode == "min" and middle > 0.0 else math.inf


def _stable(tried: RateOutcome, untrained: Mapping[int, float]) -> bool:
    if tried.diverged or not tried.last:
        return False
    return all(loss <= untrained.get(seed, math.inf) for seed, loss in tried.last.items())
