"""The largest stable learning rate, and the cost of a mistuned rate.

Pure functions of plain numbers, for the rates of one optimizer and schedule.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence

FAR = 10.0  # a loss above this many times the median has blown up


@dataclasses.dataclass(frozen=True)
class RateOutcome:
    """The losses at one rate.

    Attributes:
        rate: The learning rate of all these runs.
        first: The loss after the first epoch, by seed, of the runs that completed it.
        last: The loss after the last epoch, by seed, of the runs that finished.
        diverged: The number of runs that diverged.
    """

    rate: float
    first: Mapping[int, float]
    last: Mapping[int, float]
    diverged: int = 0


@dataclasses.dataclass(frozen=True)
class Stability:
    """The limit of stable training.

    Attributes:
        largest: The largest rate that is stable together with all smaller ones; None if the smallest is unstable.
        unstable: The smallest unstable rate; None if all are stable.
    """

    largest: float | None
    unstable: float | None


def stability(outcomes: Sequence[RateOutcome]) -> Stability:
    """Finds the largest stable rate.

    A rate is stable if no run diverged, and none ended above the loss of the smallest rate after its first epoch, with the
    same seed. So an unstable run ends worse than a model that is hardly trained.

    Example:
        >>> small, good = RateOutcome(0.01, {0: 2.2}, {0: 1.0}), RateOutcome(0.1, {0: 1.5}, {0: 0.2})
        >>> stability([small, good, RateOutcome(1.0, {0: 9.0}, {0: 2.3}), RateOutcome(10.0, {}, {}, diverged=1)])
        Stability(largest=0.1, unstable=1.0)
    """
    by_rate = sorted(outcomes, key=lambda outcome: outcome.rate)
    if not by_rate:
        return Stability(None, None)
    untrained = by_rate[0].first
    largest = None
    for outcome in by_rate:
        if not _is_stable(outcome, untrained):
            return Stability(largest, outcome.rate)
        largest = outcome.rate
    return Stability(largest, None)


def sensitivity(rates: Sequence[float], values: Sequence[float | None], mode: str, cap: float | None) -> float | None:
    """Measures the cost of a mistuned rate: the excess of the metric over its best, averaged over decades of rate.

    1 / log10(r_n / r_1) * integral of |m(r) - m_best| d log10(r), by trapezoids between the rates. Values worse than `cap`,
    and rates with a diverged run, count as `cap`.

    Args:
        rates: The rates, all different.
        values: The mean metric at each; None if a run diverged.
        mode: "min" or "max".
        cap: The worst value that counts.

    Returns:
        The mean excess in units of the metric, at least 0; None with fewer than two rates or without any value.

    Example:
        >>> sensitivity([0.01, 0.1, 1.0], [2.0, 1.0, None], "min", cap=3.0)  # excess 1, 0 and 2
        0.75

    References:
        Wortsman et al., "Small-scale proxies for large-scale Transformer training instabilities", 2023.
    """
    finite = [value for value in values if value is not None]
    if len(rates) < 2 or not finite or cap is None:
        return None
    sign = 1.0 if mode == "min" else -1.0
    best = min(sign * value for value in finite)
    worst = max(best, sign * cap)
    excess = [worst - best if value is None else min(sign * value, worst) - best for value in values]
    pairs = sorted(zip(map(math.log10, rates), excess, strict=True))
    area = sum((b - a) * (left + right) / 2 for (a, left), (b, right) in itertools.pairwise(pairs))
    return area / (pairs[-1][0] - pairs[0][0])


def worst_of(means: Sequence[float], mode: str) -> float | None:
    """Returns the worst mean that has not blown up; None without means."""
    if not means:
        return None
    limit = blown_up_from(means, mode)
    return max(value for value in means if value <= limit) if mode == "min" else min(means)


def blown_up_from(means: Sequence[float], mode: str) -> float:
    """Returns the limit above which a finite mean loss has blown up: ten times the median."""
    middle = statistics.median(means) if means else 0.0
    return FAR * middle if mode == "min" and middle > 0.0 else math.inf


def _is_stable(outcome: RateOutcome, untrained: Mapping[int, float]) -> bool:
    if outcome.diverged or not outcome.last:
        return False
    return all(loss <= untrained.get(seed, math.inf) for seed, loss in outcome.last.items())
