"""How much a mean over a few seeds may be wrong, when many cases share the seeds.

With three seeds the spread of one case is hardly known, and among twenty cases some spread is small by chance. So a
case's variance is moderated by that of the cases that rank next to it. `docs/decisions/0019` has the simulations.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

LEVEL = 0.95
DRAWS = 10_000
MOST_NUMBERS = 4_000_000  # drawn at once: 32 MB
PRIOR_DEGREES = 4  # how many degrees of freedom the neighbours count for
REACH = 2  # neighbours on either side, by rank
LEAST_SHRINKAGE = 0.05  # means that differ by noise alone keep this much of their differences

Array = Any


@dataclasses.dataclass(frozen=True)
class Noise:
    """What is left of the scores when the cases' means and the seeds' common effects are taken out.

    Attributes:
        means: The mean of each case.
        variances: The variance of each of these means, moderated; what a seed does to all cases alike is not in it.
        degrees: Degrees of freedom of these variances.
    """

    means: Array
    variances: Array
    degrees: int


def noise(scores: Array) -> Noise:
    """Splits scores into cases, seeds and noise: score = case + seed + noise, the noise as large as the case has it.

    The variance s2 of a case's noise over n seeds is moderated: max(s2, (4 * m + (n - 1) * s2) / (4 + n - 1)), where m
    is the median of s2, made unbiased, over the case and the two that rank next to it on either side. So it is raised
    where it is small by chance, and never lowered. Two cases have no neighbours: what remains is the variance of their
    paired difference.

    Args:
        scores: A row a case, a column a seed; two rows and two columns or more.

    Returns:
        The means, with the variances of their noise.

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


def indistinguishable_from(scores: Array, found: Noise, best: int) -> Array:
    """Which cases can't be told from `best`, as a row of booleans.

    A case is told from it when both are so: its own paired difference leaves 0 out of its t-interval, and
    |difference of means| > c * standard error, by the moderated noise. c makes that hold for all cases at once: 95 of 100
    times, the best of equal cases isn't told from the one that looks best (Dunnett). For two cases c is the quantile of t
    and the two are one.

    References:
        Dunnett, "A multiple comparison procedure for comparing several treatments with a control", 1955. Hsu, "Multiple
        comparisons: theory and methods", 1996, for the choice of a best.
    """
    errors = np.sqrt(found.variances + found.variances[best])
    together = np.abs(found.means - found.means[best]) <= critical(len(found.means), found.degrees) * errors
    pairs = scores - scores[best]
    half = quantile(scores.shape[1] - 1) * pairs.std(axis=1, ddof=1) / np.sqrt(scores.shape[1])
    return together | (np.abs(pairs.mean(axis=1)) <= half)


def chances(found: Noise, together: Array, mode: str) -> tuple[float, ...]:
    """The probability of each case that its true mean is the best: the share of draws of all means in which it is.

    The means are drawn from a multivariate t distribution around the measured ones. Those of the cases that can't be
    told from the best are first drawn together, as far as their differences may be noise (Lindley): the best of many
    equal cases looks better than it is.

    Args:
        found: The noise.
        together: Which cases can't be told from the best, as a row of booleans.
        mode: "min" or "max".

    Returns:
        A number for each case; their sum is 1. Equal input gives equal output.

    References:
        Efron and Morris, "Stein's estimation rule and its competitors", 1973.
    """
    means = found.means if mode == "min" else -found.means
    means, variances = _drawn_together(means, found.variances, together)
    normal, scale = _draws(len(means), found.degrees)
    drawn = means + np.sqrt(variances) * normal / scale
    first = drawn == drawn.min(axis=1, keepdims=True)
    share = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return tuple(float(value) for value in share)


@functools.cache
def critical(cases: int, degrees: int) -> float:
    """The bound for |difference| / standard error of a best case against all others at once, at 95 %."""
    if cases == 2:
        return quantile(degrees)
    normal, scale = _draws(cases, degrees)
    differences = np.abs(normal[:, 1:] - normal[:, :1]).max(axis=1, keepdims=True) / scale / np.sqrt(2.0)
    return float(np.quantile(differences, LEVEL))


def quantile(degrees: int) -> float:
    """The bound for |t| at 95 %."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + LEVEL / 2))


def _drawn_together(means: Array, variances: Array, together: Array) -> tuple[Array, Array]:
    """Means and variances shrunk by 1 - (k - 3) / (k - 1) * (mean variance) / (variance of the k means)."""
    count = int(together.sum())
    if count <= 3:
        return means, variances
    near = means[together]
    spread = float(np.var(near, ddof=1))
    ratio = float(variances[together].mean()) / spread if spread > 0.0 else 0.0
    kept = max(LEAST_SHRINKAGE, 1.0 - (count - 3) / (count - 1) * ratio)
    shrunk = near.mean() + kept * (near - near.mean())
    means, variances = means.copy(), variances.copy()
    means[together] = shrunk
    variances[together] *= kept
    return means, variances


def _draws(cases: int, degrees: int) -> tuple[Array, Array]:
    """Standard normal numbers, a row a draw, and for each draw the square root of a chi-square over its degrees."""
    rng = np.random.default_rng(0)
    count = min(DRAWS, MOST_NUMBERS // cases)
    normal = rng.standard_normal((count, cases))
    return normal, np.sqrt(rng.chisquare(degrees, size=(count, 1)) / degrees)


def _shares(variances: Array) -> Array:
    """How much each case says about what the seeds do to all: the less noise, the more."""
    largest = float(variances.max())
    if largest == 0.0:
        return np.full(len(variances), 1.0 / len(variances))
    weights = 1.0 / np.maximum(variances / largest, 1e-12)
    return weights / weights.sum()


def _among_neighbours(average: Any, values: Array, order: Array) -> Array:
    """The average over each case and those that rank next to it."""
    ranked = values[order]
    smooth = [average(ranked[max(0, place - REACH) : place + REACH + 1]) for place in range(len(ranked))]
    found = np.empty_like(values)
    found[order] = smooth
    return found


def _median_of_variances(degrees: int) -> float:
    """The median of the sample variance of standard normal numbers, which is less than its mean of 1."""
    from scipy.special import chdtri

    return float(chdtri(degrees, 0.5) / degrees)
