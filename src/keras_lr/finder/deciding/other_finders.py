"""The rules of other learning-rate finders, as pure functions of a curve, for comparison. Imports no Keras.

Each one smooths a ramp, cuts it and picks a rung exactly as its library does, in the library's precision and with its
faults, which its docstring lists. `find` decides where a ramp ends. With several ramps the answers are averaged in log
rate. Unlike `consensus`, these rules answer on a flat curve too.

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
RatesAndLosses = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """The answer of one rule: a rate or None, and the reason. `float(suggestion)` is the rate, NaN for None."""

    learning_rate: float | None
    rule: str
    reason: str

    def __float__(self) -> float:
        return math.nan if self.learning_rate is None else self.learning_rate


@dataclasses.dataclass(frozen=True)
class FinderRule:
    """The rule of a library.

    Attributes:
        library: Its name.
        prepare: Returns the rates and smooth losses of one ramp that the rule reads.
        decide: Returns the rate for these.
        least: The number of points that the rule needs.
    """

    library: str
    prepare: Callable[[Curve], RatesAndLosses]
    decide: Callable[[np.ndarray, np.ndarray], float]
    least: int = 1


def as_fastai(curve: Curve) -> RatesAndLosses:
    """Averages with 0.98 and corrects for the start; drops the first tenth and the last five points, and all from a NaN on.

    fastai computes it in float32 as `lerp` does: a = a - (a - loss) * 0.02, in which an infinity becomes a NaN.
    """
    average, share, smooth = np.float32(0.0), float(np.float32(1.0) - np.float32(0.98)), []
    for count, loss in enumerate(np.asarray(curve.losses[0], np.float32), start=1):
        difference = np.float64(np.float32(average - loss))
        average = np.float32(np.float64(average) - difference * share)  # fused: one rounding for product and sum
        smooth.append(average / np.float32(1.0 - 0.98**count))
    window = slice(len(curve.learning_rates) // 10, -5)
    losses = np.asarray(smooth, np.float32)[window]
    missing = np.flatnonzero(np.isnan(losses))
    end = int(missing[0]) if len(missing) else len(losses)
    return np.asarray(curve.learning_rates[: len(smooth)], np.float32)[window][:end], losses[:end]


def as_lightning(curve: Curve) -> RatesAndLosses:
    """Averages with 0.98; drops the first ten points, the last one, and all that are not finite in float32.

    Fault: the correction for the start is off by one, so that a constant loss seems to begin at half of its value.
    """
    rates, losses = _lightning(curve)
    finite = np.isfinite(losses)
    return rates[finite], losses[finite]


def as_lightning_before(curve: Curve) -> RatesAndLosses:
    """Averages as `as_lightning`, but keeps the rates of losses that are not finite: all later losses move to the left."""
    rates, losses = _lightning(curve)
    return rates, losses[np.isfinite(losses)]


def as_torch_lr_finder(curve: Curve) -> RatesAndLosses:
    """Averages with 0.95 from the first loss on; drops the first ten points and the last five. A NaN stays."""
    return np.asarray(curve.learning_rates[: len(curve.losses[0])])[10:-5], _from_the_first(curve)[10:-5]


def as_ignite(curve: Curve) -> RatesAndLosses:
    """Averages with 0.95 from the first loss on, in float32, up to the lowest point. A NaN is the lowest."""
    losses = _from_the_first(curve).astype(np.float32)
    end = int(np.argmin(losses)) + 1
    return np.asarray(curve.learning_rates)[:end], losses[:end]


def valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """Picks the middle of the longest falling subsequence: one third plus one sixth of it from its start.

    Faults: it counts the start back from the end as if there were no gaps, one rung too far; a curve that never falls
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
    """Slides two points, fifteen rungs apart, from right to left while their slopes differ by more than 0.005.

    Fault: 0.005 is absolute, so the answer changes with the scale of the loss.
    """
    slopes = np.gradient(losses)
    right, left = -1, -1 - SLIDE
    answer = float(rates[left])
    while left >= -len(losses) and abs(slopes[right] - slopes[left]) > 0.005:
        answer = float(rates[left])
        right, left = right - 1, left - 1
    return answer


def minimum(rates: np.ndarray, losses: np.ndarray) -> float:
    """Picks a tenth of the rate with the lowest loss."""
    return float(rates[int(np.argmin(losses))]) / 10.0


def steep(rates: np.ndarray, losses: np.ndarray) -> float:
    """Picks the steepest fall of the loss against the logarithm of the rate."""
    logs = np.log(rates.astype(np.float64)).astype(np.float32)  # the float32 logarithm differs between processors
    return float(rates[int(np.argmin(np.diff(losses) / np.diff(logs)))])


def steepest(rates: np.ndarray, losses: np.ndarray) -> float:
    """Picks the steepest fall from rung to rung; on an exponential ramp, against the logarithm of the rate."""
    return float(rates[int(np.argmin(np.gradient(losses)))])


def steepest_against_rate(rates: np.ndarray, losses: np.ndarray) -> float:
    """Picks the steepest fall of the loss against the rate itself.

    Fault: on an exponential ramp this divides the slope by the rate, so that noise at 1e-7 outweighs the true descent at
    0.1 a millionfold.
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
    """Picks the steepest fall from rung to rung, among points with two neighbours."""
    return float(rates[1 + int(np.argmin(np.float32(0.5) * (losses[2:] - losses[:-2])))])


RULES: dict[str, FinderRule] = {
    "valley": FinderRule("fastai", as_fastai, valley),
    "slide": FinderRule("fastai", as_fastai, slide, least=SLIDE + 1),
    "minimum": FinderRule("fastai", as_fastai, minimum),
    "steep": FinderRule("fastai", as_fastai, steep, least=2),
    "lightning": FinderRule("Lightning", as_lightning, steepest_against_rate, least=2),
    "lightning_before": FinderRule("Lightning before August 2025", as_lightning_before, steepest, least=2),
    "torch_lr_finder": FinderRule("torch-lr-finder", as_torch_lr_finder, steepest, least=2),
    "ignite": FinderRule("ignite", as_ignite, steepest_before_lowest, least=3),
}


def suggest(curve: Curve, rule: str) -> Suggestion:
    """Returns the rate that `rule` picks: its answers for the single ramps, averaged in log rate.

    Args:
        curve: One ramp or several.
        rule: One of `RULES`.
    """
    reader, answers = RULES[rule], []
    with np.errstate(invalid="ignore", over="ignore"):
        for index in range(len(curve.losses)):
            rates, losses = reader.prepare(curve.ramp(index))
            if len(losses) >= reader.least:
                answers.append(reader.decide(rates, losses))
    if not answers:
        return Suggestion(None, rule, f"Too few points: {reader.library} would give no answer.")
    rate = answers[0] if len(answers) == 1 else math.exp(sum(map(math.log, answers)) / len(answers))
    spread = f", {min(answers):.2g} to {max(answers):.2g}" if len(answers) > 1 else ""
    return Suggestion(rate, rule, f"The rule {rule!r} of {reader.library} on {len(answers)} ramp(s){spread}.")


def _lightning(curve: Curve) -> RatesAndLosses:
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
