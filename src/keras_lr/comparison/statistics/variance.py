"""The standard error of the mean score of a case, if many cases share a few seeds.

Three seeds estimate the spread of a case poorly, and among twenty cases some spread is small by chance. So the variance of
a case is moderated by those of the cases that rank next to it. `docs/decisions/0019` has the simulations.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

LEVEL = 0.95
DRAWS = 10_000
MOST_NUMBERS = 4_000_000  # random numbers drawn at once: 32 MB
PRIOR_DEGREES = 4  # degrees of freedom of the neighbours
REACH = 2  # neighbours on either side, by rank
LEAST_SHRINKAGE = 0.05  # the factor for means that differ by noise alone

Array = Any


@dataclasses.dataclass(frozen=True)
class Noise:
    """The noise of the scores, without the means of the cases and the common effects of the seeds.

    Attributes:
        means: Of the scores of each case.
        variances: The moderated variance of each mean, without the common effects of the seeds.
        degrees: Degrees of freedom of these variances.
    """

    means: Array
    variances: Array
    degrees: int


def split_noise(scores: Array) -> Noise:
    """Splits scores into score = case + seed + noise, with a noise variance for each case.

    The variance s2 of a case over n seeds is moderated to max(s2, (4 * m + (n - 1) * s2) / (4 + n - 1)). Here m is the
    unbiased median of s2 over the case and the two that rank next to it on either side. So a variance that is small by
    chance is raised, and none is lowered. Two cases have no neighbours: they get the variance of their paired difference.

    Args:
        scores: A row for each case, a column for each seed; at least two of both.

    References:
        Smyth, "Linear models and empirical Bayes methods for assessing differential expression in microarray
        experiments", 2004.
    """
    cases, seeds = scores.shape
    means = scores[:, 0] + (scores - scores[:, :1]).mean(axis=1)
    order = np.argsort(means, kind="stable")
    rest = scores - means[:, None]
    raw = (rest**2).sum(axis=1) / (seeds - 1)
    share = _shares(np.maximum(raw, _among_neighbours(np.median, raw, order)))
    rest = rest - share @ rest
    own = (rest**2).sum(axis=1) / (seeds - 1) / (1.0 - share)
    if cases == 2:
        return Noise(means, own / seeds, seeds - 1)
    median = _among_neighbours(np.median, own, order) / _median_of_variances(seeds - 1)
    usual = np.minimum(median, _among_neighbours(np.mean, own, order))
    prior = min(PRIOR_DEGREES, (cases - 2) * (seeds - 1))
    moderated = np.maximum(own, (prior * usual + (seeds - 1) * own) / (prior + seeds - 1))
    return Noise(means, moderated / seeds, prior + seeds - 1)


def indistinguishable_from(scores: Array, noise: Noise, best: int) -> Array:
    """Returns which cases are indistinguishable from `best`, as a row of booleans.

    A case is distinguishable if the t-interval of its paired difference excludes 0, and if
    |difference of means| > c * standard error, by the moderated noise. c holds for all cases at once: in 95 of 100
    comparisons of equal cases, the truly best one is indistinguishable from the apparent best (Dunnett). For two cases c is
    the quantile of t, and both conditions are the same.

    References:
        Dunnett, "A multiple comparison procedure for comparing several treatments with a control", 1955. Hsu, "Multiple
        comparisons: theory and methods", 1996, for the choice of a best.
    """
    errors = np.sqrt(noise.variances + noise.variances[best])
    close = np.abs(noise.means - noise.means[best]) <= critical(len(noise.means), noise.degrees) * errors
    pairs = scores - scores[best]
    half = quantile(scores.shape[1] - 1) * pairs.std(axis=1, ddof=1) / np.sqrt(scores.shape[1])
    return close | (np.abs(pairs.mean(axis=1)) <= half)


def chances(noise: Noise, alike: Array, mode: str) -> tuple[float, ...]:
    """Returns the probability that each case has the best true mean; they sum to 1.

    It is the share of draws in which the case is the best. The draws of all means are from a multivariate t distribution
    around the measured means. The means of indistinguishable cases are shrunk towards each other first, as their
    differences may be noise (Lindley): the best of many equal cases looks better than it is. Equal input gives equal output.

    Args:
        noise: As `split_noise` returns it.
        alike: Which cases are indistinguishable from the best, as a row of booleans.
        mode: "min" or "max".

    References:
        Efron and Morris, "Stein's estimation rule and its competitors", 1973.
    """
    means = noise.means if mode == "min" else -noise.means
    means, variances = _shrink(means, noise.variances, alike)
    normal, scale = _draws(len(means), noise.degrees)
    drawn = means + np.sqrt(variances) * normal / scale
    first = drawn == drawn.min(axis=1, keepdims=True)
    share = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return tuple(float(value) for value in share)


@functools.cache
def critical(cases: int, degrees: int) -> float:
    """Returns the 95 % bound for |difference| / standard error between the best case and all others at once."""
    if cases == 2:
        return quantile(degrees)
    normal, scale = _draws(cases, degrees)
    differences = np.abs(normal[:, 1:] - normal[:, :1]).max(axis=1, keepdims=True) / scale / np.sqrt(2.0)
    return float(np.quantile(differences, LEVEL))


def quantile(degrees: int) -> float:
    """Returns the 95 % bound for |t|."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + LEVEL / 2))


def _shrink(means: Array, variances: Array, alike: Array) -> tuple[Array, Array]:
    """Shrinks means and variances by 1 - (k - 3) / (k - 1) * (mean variance) / (variance of the k means)."""
    count = int(alike.sum())
    if count <= 3:
        return means, variances
    group = means[alike]
    spread = float(np.var(group, ddof=1))
    ratio = float(variances[alike].mean()) / spread if spread > 0.0 else 0.0
    factor = max(LEAST_SHRINKAGE, 1.0 - (count - 3) / (count - 1) * ratio)
    means, variances = means.copy(), variances.copy()
    means[alike] = group.mean() + factor * (group - group.mean())
    variances[alike] *= factor
    return means, variances


def _draws(cases: int, degrees: int) -> tuple[Array, Array]:
    """Draws standard normal numbers, a row for each draw, and the square roots of chi-squares over their degrees."""
    rng = np.random.default_rng(0)
    count = min(DRAWS, MOST_NUMBERS // cases)
    normal = rng.standard_normal((count, cases))
    return normal, np.sqrt(rng.chisquare(degrees, size=(count, 1)) / degrees)


def _shares(variances: Array) -> Array:
    """Returns the weight of each case in the common effects of the seeds: the less noise, the more."""
    largest = float(variances.max())
    if largest == 0.0:
        return np.full(len(variances), 1.0 / len(variances))
    weights = 1.0 / np.maximum(variances / largest, 1e-12)
    return weights / weights.sum()


def _among_neighbours(average: Any, values: Array, order: Array) -> Array:
    """Averages each case with those that rank next to it."""
    ranked = values[order]
    smooth = [average(ranked[max(0, place - REACH) : place + REACH + 1]) for place in range(len(ranked))]
    averages = np.empty_like(values)
    averages[order] = smooth
    return averages


def _median_of_variances(degrees: int) -> float:
    """Returns the median of the sample variance of standard normal numbers, which is below its mean of 1."""
    from scipy.special import chdtri

    return float(chdtri(degrees, 0.5) / degrees)
