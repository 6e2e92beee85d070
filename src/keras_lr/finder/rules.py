"""The rules of fastai, as plain functions of a curve, for comparison with what users know. Imports no Keras.

Each takes one ramp, smoothed as fastai does: the average of `moving_average`, without the first tenth and the last five
rungs, cut at the first loss that isn't finite. With several ramps the answers are averaged in log rate.

References:
    fastai, callback/schedule.py; valley and slide came from ESRI and Novetta, https://github.com/fastai/fastai/pull/3377
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from keras_lr.finder.curve import Curve, moving_average

LEAST_POINTS = 5


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """What one rule says: a rate or None, and why. `float(suggestion)` is the rate."""

    learning_rate: float | None
    rule: str
    reason: str

    def __float__(self) -> float:
        return math.nan if self.learning_rate is None else self.learning_rate


def prepared(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """The rates and smoothed losses of a single ramp, as fastai hands them to its rules."""
    raw = np.asarray(curve.losses[0], np.float64)
    smooth = moving_average(raw)
    rates = np.asarray(curve.learning_rates[: len(raw)])
    skipped = len(raw) // 10
    rates, smooth = rates[skipped:-5], smooth[skipped:-5]
    bad = np.flatnonzero(~np.isfinite(smooth))
    end = len(smooth) if len(bad) == 0 else int(bad[0])
    return rates[:end], smooth[:end]


def valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """Half-way down the longest falling subsequence: one third and one sixth of it, counted from its start.

    The start is one rung to the left of the run's first, as in fastai; a curve that never falls gives the lowest rate.
    """
    best = np.ones(len(losses), int)
    for i in range(1, len(losses)):
        lower = [best[j] for j in range(i) if losses[j] > losses[i]]
        best[i] = max([best[i], *(length + 1 for length in lower)])
    end = int(np.argmax(best))
    start = end - int(best[end]) if best[end] > 1 else 0
    third = (end - start) / 3
    return float(rates[start + int(third) + int(third / 2)])


def slide(rates: np.ndarray, losses: np.ndarray, step: int = 15, threshold: float = 0.005) -> float:
    """From the right, two points `step` rungs apart slide left while their slopes differ by more than `threshold`."""
    slopes = np.gradient(losses)
    right, left = -1, -1 - step
    if len(losses) <= step:
        return float(rates[right])
    taken = float(rates[left])
    while left >= -len(losses) and abs(slopes[right] - slopes[left]) > threshold:
        taken = float(rates[left])
        right, left = right - 1, left - 1
    return taken


def minimum(rates: np.ndarray, losses: np.ndarray) -> float:
    """A tenth of the rate with the lowest loss."""
    return float(rates[int(np.argmin(losses))]) / 10.0


def steep(rates: np.ndarray, losses: np.ndarray) -> float:
    """Where the loss falls fastest against the logarithm of the rate."""
    return float(rates[int(np.argmin(np.diff(losses) / np.diff(np.log(rates))))])


RULES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "valley": valley,
    "slide": slide,
    "minimum": minimum,
    "steep": steep,
}


def suggest(curve: Curve, rule: str) -> Suggestion:
    """What `rule` says of the curve: its answers for the single ramps, averaged in log rate.

    Args:
        curve: One ramp or several.
        rule: "valley", "slide", "minimum" or "steep".
    """
    answers = []
    for index in range(len(curve.losses)):
        rates, losses = prepared(curve.ramp(index))
        if len(rates) >= LEAST_POINTS:
            answers.append(RULES[rule](rates, losses))
    if not answers:
        return Suggestion(None, rule, "Too few points: the ramps stopped before the rule could look at them.")
    rate = math.exp(sum(math.log(answer) for answer in answers) / len(answers))
    spread = f", {min(answers):.2g} to {max(answers):.2g}" if len(answers) > 1 else ""
    return Suggestion(rate, rule, f"The rule {rule!r} of fastai on {len(answers)} ramp(s){spread}.")
