"""What the scores of several seeds allow to say: t-intervals, paired differences, and who can't be told from the best.

Pure functions of plain numbers. A score is what a finished run reached; a run that diverged has none.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from keras_lr.comparison.statistics.variance import Array, chances, indistinguishable_from, noise, quantile

Scores = Mapping[int, float]
"""The scores of one case, by seed."""
Bounds = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a comparison says.

    Attributes:
        order: The cases from best to worst; those without a score are not in it.
        best: The best case, or None where no case has a score.
        differences: For each case the mean difference to the best over their common seeds, with its interval (None with
            fewer than two); None for the best itself and for cases without a common seed.
        indistinguishable: The other cases that can't be told from the best, from best to worst.
        chances: For each case the probability that its true mean is the best; 0 for those with more diverged runs than
            the best, None where fewer than two seeds are common to the others.
    """

    order: tuple[int, ...]
    best: int | None
    differences: tuple[tuple[float, Bounds | None] | None, ...]
    indistinguishable: tuple[int, ...]
    chances: tuple[float | None, ...] = ()


@dataclasses.dataclass(frozen=True)
class MeanCurve:
    """The mean over runs, epoch by epoch, with its t-interval where there are two runs or more."""

    epochs: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None


def mean(values: Sequence[float]) -> float | None:
    """The mean, or None of nothing. Of equal values it is that value, to the last bit."""
    return _mean(values) if len(values) else None


def interval(values: Sequence[float]) -> Bounds | None:
    """The 95 % t-interval of the mean: mean -+ t(n - 1) * s / sqrt(n). None with fewer than two values.

    Example:
        >>> low, high = interval([1.0, 2.0, 3.0])
        >>> round(low, 4), round(high, 4)
        (-0.4841, 4.4841)
    """
    if len(values) < 2:
        return None
    half = quantile(len(values) - 1) * float(np.std(np.subtract(values, values[0]), ddof=1)) / math.sqrt(len(values))
    center = _mean(values)
    return center - half, center + half


def decide(cases: Sequence[Scores], mode: str) -> Verdict:
    """Ranks the cases and says which can't be told from the best.

    A case with fewer diverged runs is better than one with more, whatever the scores are. Seeds are common to the cases,
    so the differences are paired: what a seed does to all cases alike is taken out. The best and those not told from it hold
    the truly best case 95 of 100 times, however many cases there are; of two cases the paired t-test decides.

    Args:
        cases: For each case the scores of its finished runs, by seed.
        mode: "min" or "max".

    Returns:
        The verdict.
    """
    sign = 1.0 if mode == "min" else -1.0
    finished = [index for index, scores in enumerate(cases) if scores]
    order = sorted(finished, key=lambda index: (-len(cases[index]), sign * _mean(list(cases[index].values()))))
    if not order:
        return Verdict((), None, (None,) * len(cases), (), (None,) * len(cases))
    best = order[0]
    differences = tuple(
        None if index == best else difference(scores, cases[best]) for index, scores in enumerate(cases)
    )
    rivals = [index for index in order if len(cases[index]) == len(cases[best])]
    close, likely = _contest([cases[index] for index in rivals], mode)
    by_case = dict(zip(rivals, likely, strict=True))
    return Verdict(
        order=tuple(order),
        best=best,
        differences=differences,
        indistinguishable=tuple(index for index, near in zip(rivals[1:], close[1:], strict=True) if near),
        chances=tuple(by_case.get(index, 0.0) for index in range(len(cases))),
    )


def difference(scores: Scores, best: Scores) -> tuple[float, Bounds | None] | None:
    """The mean of `scores - best` over common seeds, with its t-interval; None without a common seed."""
    pairs = [scores[seed] - best[seed] for seed in best if seed in scores]
    return (_mean(pairs), interval(pairs)) if pairs else None


def curve(runs: Sequence[Sequence[float]]) -> MeanCurve:
    """The mean of several runs at each epoch, counted from 1, as far as all of them go."""
    length = min((len(run) for run in runs), default=0)
    epochs = tuple(range(1, length + 1))
    if length == 0:
        return MeanCurve((), (), None, None)
    values: Array = np.array([run[:length] for run in runs], float)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = values - values[0]
        center = values[0] + apart.mean(axis=0)
        if len(runs) < 2:
            return MeanCurve(epochs, tuple(center.tolist()), None, None)
        half = quantile(len(runs) - 1) * apart.std(axis=0, ddof=1) / math.sqrt(len(runs))
        bounds = (center, center - half, center + half)
    return MeanCurve(epochs, *(tuple(line.tolist()) for line in bounds))


def _mean(values: Sequence[float]) -> float:
    return float(values[0] + np.mean(np.subtract(values, values[0])))


def _contest(rivals: Sequence[Scores], mode: str) -> tuple[Sequence[bool], Sequence[float | None]]:
    """Of cases from best to worst: which can't be told from the first, and how likely each is the best.

    For losses the differences and the ratios are asked. Where two cases are close that is one question. They part for a
    loss that blew up: 1e5, 2e5 and 1e5 are far from 0.6 in ratio, but spread so much that the interval of their
    difference holds 0.
    """
    if len(rivals) == 1:
        return [True], [1.0]
    seeds = sorted(set.intersection(*(set(scores) for scores in rivals)))
    if len(seeds) < 2:
        return [True] * len(rivals), [None] * len(rivals)
    scores: Array = np.array([[scores[seed] for seed in seeds] for scores in rivals])
    found = noise(scores)
    close = indistinguishable_from(scores, found, 0)
    if mode == "max" or scores.min() <= 0.0:
        return close.tolist(), chances(found, close, mode)
    logs = np.log(scores)
    ratios = noise(logs)
    close &= indistinguishable_from(logs, ratios, 0)
    likely: Array = np.array(chances(found, close, mode))
    likely = np.where(close, likely, np.minimum(likely, chances(ratios, close, mode)))
    return close.tolist(), (likely / likely.sum()).tolist()
