"""The verdict on the scores of several seeds: t-intervals, paired differences, and indistinguishable cases.

Pure functions of plain numbers. A score is the result of a finished run; a run that diverged has none.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from keras_lr.comparison.statistics.variance import Array, chances, indistinguishable_from, quantile, split_noise

Scores = Mapping[int, float]
"""The scores of one case, by seed."""
Bounds = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The ranking of cases by their scores.

    Attributes:
        order: The cases with a score, from best to worst.
        best: The best case, or None if no case has a score.
        differences: For each case the mean difference to the best over their common seeds, with its interval (None with
            fewer than two seeds); None for the best itself and without a common seed.
        indistinguishable: The other cases that are indistinguishable from the best, from best to worst.
        chances: For each case the probability that its true mean is the best; 0 with more diverged runs than the best, None
            if the other cases share fewer than two seeds.
    """

    order: tuple[int, ...]
    best: int | None
    differences: tuple[tuple[float, Bounds | None] | None, ...]
    indistinguishable: tuple[int, ...]
    chances: tuple[float | None, ...] = ()


@dataclasses.dataclass(frozen=True)
class MeanCurve:
    """The mean over runs at each epoch, with its t-interval if there are at least two runs."""

    epochs: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None


def mean(values: Sequence[float]) -> float | None:
    """Returns the mean; None without values. The mean of equal values is that value, to the last bit."""
    return _mean(values) if len(values) else None


def interval(values: Sequence[float]) -> Bounds | None:
    """Returns the 95 % t-interval of the mean: mean -+ t(n - 1) * s / sqrt(n). None with fewer than two values.

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
    """Ranks the cases and finds those that are indistinguishable from the best.

    A case with fewer diverged runs is better than one with more, regardless of the scores. The cases share their seeds, so
    the differences are paired, which removes the common effect of a seed. The best case and those indistinguishable from it
    include the truly best case in 95 of 100 comparisons, for any number of cases. For two cases it is the paired t-test.

    Args:
        cases: For each case the scores of its finished runs, by seed.
        mode: "min" or "max".
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
    """Returns the mean of `scores - best` over common seeds, with its t-interval; None without a common seed."""
    pairs = [scores[seed] - best[seed] for seed in best if seed in scores]
    return (_mean(pairs), interval(pairs)) if pairs else None


def curve(runs: Sequence[Sequence[float]]) -> MeanCurve:
    """Returns the mean of several runs at each epoch, counted from 1, up to the end of the shortest."""
    length = min((len(run) for run in runs), default=0)
    epochs = tuple(range(1, length + 1))
    if length == 0:
        return MeanCurve((), (), None, None)
    values: Array = np.array([run[:length] for run in runs], float)
    with np.errstate(invalid="ignore", over="ignore"):
        offsets = values - values[0]
        center = values[0] + offsets.mean(axis=0)
        if len(runs) < 2:
            return MeanCurve(epochs, tuple(center.tolist()), None, None)
        half = quantile(len(runs) - 1) * offsets.std(axis=0, ddof=1) / math.sqrt(len(runs))
        bounds = (center, center - half, center + half)
    return MeanCurve(epochs, *(tuple(line.tolist()) for line in bounds))


def _mean(values: Sequence[float]) -> float:
    return float(values[0] + np.mean(np.subtract(values, values[0])))


def _contest(rivals: Sequence[Scores], mode: str) -> tuple[Sequence[bool], Sequence[float | None]]:
    """Returns which cases are indistinguishable from the first, the best, and how likely each is the best.

    Losses must be close by their differences and by their ratios. For similar cases the two agree. They disagree for a loss
    that blew up: 1e5, 2e5 and 1e5 are far from 0.6 by ratio, but so spread that the interval of their difference includes 0.
    """
    if len(rivals) == 1:
        return [True], [1.0]
    seeds = sorted(set.intersection(*(set(scores) for scores in rivals)))
    if len(seeds) < 2:
        return [True] * len(rivals), [None] * len(rivals)
    scores: Array = np.array([[scores[seed] for seed in seeds] for scores in rivals])
    differences = split_noise(scores)
    close = indistinguishable_from(scores, differences, 0)
    if mode == "max" or scores.min() <= 0.0:
        return close.tolist(), chances(differences, close, mode)
    logs = np.log(scores)
    ratios = split_noise(logs)
    close &= indistinguishable_from(logs, ratios, 0)
    likely: Array = np.array(chances(differences, close, mode))
    likely = np.where(close, likely, np.minimum(likely, chances(ratios, close, mode)))
    return close.tolist(), (likely / likely.sum()).tolist()
