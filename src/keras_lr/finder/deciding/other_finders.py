"""The rules of other finders, as pure functions of a curve, for comparison with what users know. Imports no Keras.

Each smooths one ramp, cuts it and picks a rung exactly as its library does, in the library's own precision, faults
included; what is known to be wrong with a rule is in its docstring. When a ramp stops is measuring and is `find`'s. With
several ramps the answers are averaged in log rate. No rule refuses a curve that has nothing to say; ours does.

References:
    fastai 2.8.12, callback/schedule.py; valley and slide came from ESRI and Novetta,
    https://github.com/fastai/fastai/pull/3377
    lightning 2.6.6, pytorch/tuner/lr_finder.py; https://github.com/Lightning-AI/pytorch-lightning/pull/21055
    torch-lr-finder 0.2.2, https://github.com/davidtvs/pytorch-lr-finder
    pytorch-ignite 0.5.5, handlers/lr_finder.py
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from keras_lr.finder.deciding.curve import Curve

SLIDE = 15  # rungs between the two points of slide
Prepared = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """What one rule says: a rate or None, and why. `float(suggestion)` is the rate."""

    learning_rate: float | None
    rule: str
    reason: str

    def __float__(self) -> float:
        return math.nan if self.learning_rate is None else self.learning_rate


@dataclasses.dataclass(frozen=True)
class Rule:
    """How a library reads a curve.

    Attributes:
        library: Whose rule it is.
        prepare: From one ramp to the rates and smoothed losses that the rule looks at.
        decide: From these to a rate.
        least: How few points leave the library without an answer.
    """

    library: str
    prepare: Callable[[Curve], Prepared]
    decide: Callable[[np.ndarray, np.ndarray], float]
    least: int = 1


def as_fastai(curve: Curve) -> Prepared:
    """An average with 0.98 that is corrected for its start, without the first tenth and the last five, up to a NaN.

    fastai computes it in float32 as `lerp` does: a = a - (a - loss) * 0.02, in which an infinity becomes a NaN.
    """
    average, share, smooth = np.float32(0.0), float(np.float32(1.0) - np.float32(0.98)), []
    for count, loss in enumerate(np.asarray(curve.losses[0], np.float32), start=1):
        difference = np.float64(np.float32(average - loss))
        average = np.float32(np.float64(average) - difference * share)  # fused: one rounding for product and sum
        smooth.append(average / np.float32(1.0 - 0.98**count))
    kept = slice(len(curve.learning_rates) // 10, -5)
    losses = np.asarray(smooth, np.float32)[kept]
    missing = np.flatnonzero(np.isnan(losses))
    end = int(missing[0]) if len(missing) else len(losses)
    return np.asarray(curve.learning_rates[: len(smooth)], np.float32)[kept][:end], losses[:end]


def as_lightning(curve: Curve) -> Prepared:
    """An average with 0.98, without the first ten and the last one, where it is finite in float32.

    Fault: the correction for the start is off by one, so that a constant loss seems to begin at half of its value.
    """
    rates, losses = _lightning(curve)
    finite = np.isfinite(losses)
    return rates[finite], losses[finite]


def as_lightning_before(curve: Curve) -> Prepared:
    """The same, but rates of losses that are not finite stay, so that what comes after one is moved to the left."""
    rates, losses = _lightning(curve)
    return rates, losses[np.isfinite(losses)]


def as_torch_lr_finder(curve: Curve) -> Prepared:
    """An average with 0.95 that starts at the first loss, without the first ten and the last five. A NaN stays."""
    return np.asarray(curve.learning_rates[: len(curve.losses[0])])[10:-5], _from_the_first(curve)[10:-5]


def as_ignite(curve: Curve) -> Prepared:
    """An average with 0.95 that starts at the first loss, in float32, up to its lowest point. A NaN is the lowest."""
    losses = _from_the_first(curve).astype(np.float32)
    end = int(np.argmin(losses)) + 1
    return np.asarray(curve.learning_rates)[:end], losses[:end]


def valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """Half-way down the longest falling subsequence: one third and one sixth of it, counted from its start.

    Faults: the start is counted back from the end as if there were no gaps, one rung too far; a curve that never falls
    gives the lowest rate.
    """
    best = np.ones(len(losses), int)
    for i in range(1, len(losses)):
        lower = best[:i][losses[:i] > losses[i]]
        best[i] = 1 + (int(lower.max()) if len(lower) else 0)
    end = int(np.argmax(best))
    start = end - int(best[end]) if best[end] > 1 else 0
    third = (end - start) / 3
    return float(rates[start + int(third) + int(third / 2)])


def slide(rates: np.ndarray, losses: np.ndarray) -> float:
    """From the right, two points fifteen rungs apart slide left while their slopes differ by more than 0.005.

    Fault: 0.005 is absolute, so that a loss on another scale has another answer.
    """
    slopes = np.gradient(losses)
    right, left = -1, -1 - SLIDE
    taken = float(rates[left])
    while left >= -len(losses) and abs(slopes[right] - slopes[left]) > 0.005:
        taken = float(rates[left])
        right, left = right - 1, left - 1
    return taken


def minimum(rates: np.ndarray, losses: np.ndarray) -> float:
    """A tenth of the rate with the lowest loss."""
    return float(rates[int(np.argmin(losses))]) / 10.0


def steep(rates: np.ndarray, losses: np.ndarray) -> float:
    """Where the loss falls fastest against the logarithm of the rate."""
    logs = np.log(rates.astype(np.float64)).astype(
        np.float32
    )  # NumPy's own float32 logarithm differs between processors
    return float(rates[int(np.argmin(np.diff(losses) / np.diff(logs)))])


def steepest(rates: np.ndarray, losses: np.ndarray) -> float:
    """Where the loss falls fastest from rung to rung: against the logarithm of the rate on an exponential ramp."""
    return float(rates[int(np.argmin(np.gradient(losses)))])


def steepest_against_rate(rates: np.ndarray, losses: np.ndarray) -> float:
    """Where the loss falls fastest against the rate itself.

    Fault: on an exponential ramp the slope is divided by the rate, so that the noise at 1e-7 outweighs the true descent
    at 0.1 a millionfold.
    """
    single = rates.astype(np.float32)
    gaps = np.diff(single)
    before, after = gaps[:-1], gaps[1:]
    slopes = np.empty_like(losses)
    slopes[1:-1] = (
        -after / (before * (before + after)) * losses[:-2]
        + (after - before) / (before * after) * losses[1:-1]
        + before / (after * (before + after)) * losses[2:]
    )
    slopes[0] = (losses[1] - losses[0]) / gaps[0]
    slopes[-1] = (losses[-1] - losses[-2]) / gaps[-1]
    return float(rates[int(np.argmin(slopes))])


def steepest_before_lowest(rates: np.ndarray, losses: np.ndarray) -> float:
    """Where the loss falls fastest from rung to rung; only points with two neighbours count."""
    return float(rates[1 + int(np.argmin(np.float32(0.5) * (losses[2:] - losses[:-2])))])


RULES: dict[str, Rule] = {
    "valley": Rule("fastai", as_fastai, valley),
    "slide": Rule("fastai", as_fastai, slide, least=SLIDE + 1),
    "minimum": Rule("fastai", as_fastai, minimum),
    "steep": Rule("fastai", as_fastai, steep, least=2),
    "lightning": Rule("Lightning", as_lightning, steepest_against_rate, least=2),
    "lightning_before": Rule("Lightning before August 2025", as_lightning_before, steepest, least=2),
    "torch_lr_finder": Rule("torch-lr-finder", as_torch_lr_finder, steepest, least=2),
    "ignite": Rule("ignite", as_ignite, steepest_before_lowest, least=3),
}


def suggest(curve: Curve, rule: str) -> Suggestion:
    """What `rule` says of the curve: its answers for the single ramps, averaged in log rate.

    Args:
        curve: One ramp or several.
        rule: One of `RULES`.
    """
    how, answers = RULES[rule], []
    with np.errstate(invalid="ignore", over="ignore"):
        for index in range(len(curve.losses)):
            rates, losses = how.prepare(curve.ramp(index))
            if len(losses) >= how.least:
                answers.append(how.decide(rates, losses))
    if not answers:
        return Suggestion(None, rule, f"Too few points: {how.library} would give no answer.")
    rate = answers[0] if len(answers) == 1 else math.exp(sum(map(math.log, answers)) / len(answers))
    spread = f", {min(answers):.2g} to {max(answers):.2g}" if len(answers) > 1 else ""
    return Suggestion(rate, rule, f"The rule {rule!r} of {how.library} on {len(answers)} ramp(s){spread}.")


def _lightning(curve: Curve) -> Prepared:
    average, smooth = 0.0, []
    for index, loss in enumerate(curve.losses[0]):
        average = 0.98 * average + (1.0 - 0.98) * float(loss)
        smooth.append(average / (1.0 - 0.98 ** (index + 2)))
    rates = np.asarray(curve.learning_rates[: len(smooth)])
    return rates[10:-1], np.asarray(smooth, np.float32)[10:-1]


def _from_the_first(curve: Curve) -> np.ndarray:
    smooth = list(curve.losses[0][:1])
    for loss in curve.losses[0][1:]:
        smooth.append(0.05 * loss + (1.0 - 0.05) * smooth[-1])
    return np.asarray(smooth, np.float64)
