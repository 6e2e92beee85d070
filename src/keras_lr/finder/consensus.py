"""Our own rule: several ramps pooled, landmarks of the descent combined in log rate, an interval, or a refusal.

The answer depends on what it is for. A constant rate must be safe to the end of training; the peak of a schedule that
falls may be higher. Imports no Keras.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from keras_lr.finder.curve import BANDWIDTH, Curve, zero_phase
from keras_lr.finder.stopping import level_and_noise

SAFETY = 0.16  # answer / geometric mean of the landmarks, for a constant rate
RELIEF = 0.6  # a schedule whose mean is m of its peak may peak higher by m ** -RELIEF
LARGEST_SHARE = 0.5  # answer / geometric mean of the landmarks, at most
SYSTEMATIC = 0.15  # decades: how far the rule itself is off, one standard deviation
SINGLE_RAMP = 0.2  # decades: how far one ramp alone may be from another, where there is only one
LEAST_DESCENT = 4.0  # in standard deviations of what noise alone does to the smooth curve and its starting level
ROUNDING = 1e-9  # of the loss: a descent below it is not one
LEAST_RUNGS = 10
WIDEST_INTERVAL = 10.0


@dataclasses.dataclass(frozen=True)
class Landmarks:
    """Places on the smooth curve, as rates. `edge` is None where the loss never came back up to its start."""

    half: float
    nine_tenths: float
    lowest: float
    edge: float | None
    start_loss: float
    lowest_loss: float

    @property
    def center(self) -> float:
        """The geometric mean of the landmarks; a missing edge counts as four times the lowest point."""
        edge = self.edge if self.edge is not None else 4.0 * self.lowest
        return math.exp(sum(map(math.log, (self.half, self.nine_tenths, self.lowest, edge))) / 4.0)


@dataclasses.dataclass(frozen=True)
class Answer:
    """A rate with its interval, or None with the reason for refusing one."""

    learning_rate: float | None
    interval: tuple[float, float] | None
    reason: str
    smoothed: tuple[float, ...]
    landmarks: Landmarks | None = None


def consensus(curve: Curve, mean_share: float = 1.0) -> Answer:
    """The rate that the pooled ramps agree on.

    Args:
        curve: One ramp or several, up one ladder.
        mean_share: Mean of the schedule over its peak, in (0, 1]: 1 for a constant rate, 0.5 for a cosine.

    Returns:
        An `Answer`. It has no rate where the curve is flat, too short, diverged at once or too uncertain.
    """
    rates, losses = curve.pooled()
    refusal = _too_short(curve, len(losses))
    if refusal is not None:
        return Answer(None, None, refusal, tuple(losses.tolist()))
    smooth = smoothed(curve.lead_in, rates, losses)
    refusal = _no_descent(curve, rates, losses, smooth)
    if refusal is not None:
        return Answer(None, None, refusal, tuple(smooth.tolist()))
    marks = landmarks(curve.lead_in, rates, losses, smooth)
    factor = share_of_center(mean_share)
    single = [_center_of(curve.ramp(index)) for index in range(len(curve.losses))]
    logs = [math.log10(center) for center in single if center is not None]
    spread = float(np.std(logs, ddof=1)) / math.sqrt(len(logs)) if len(logs) > 1 else SINGLE_RAMP
    half_width = 10.0 ** (1.64 * math.hypot(spread, SYSTEMATIC))
    answer = factor * marks.center
    lowest, highest = curve.learning_rates[0], curve.learning_rates[-1]
    interval = (max(answer / half_width, lowest), min(answer * half_width, highest))
    if interval[1] / interval[0] > WIDEST_INTERVAL:
        text = f"The ramps disagree: the answer may lie anywhere from {interval[0]:.2g} to {interval[1]:.2g}. Raise repeats or steps, or the batch size."
        return Answer(None, interval, text, tuple(smooth.tolist()), marks)
    return Answer(answer, interval, _told(curve, marks, mean_share), tuple(smooth.tolist()), marks)


def share_of_center(mean_share: float) -> float:
    """Which share of the landmarks' center to answer, for a schedule whose mean is `mean_share` of its peak."""
    return min(SAFETY * mean_share**-RELIEF, LARGEST_SHARE)


def smoothed(lead_in: int, rates: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """The zero-phase smooth curve; a blow-up counts no higher than the descent is deep, so that it doesn't leak left."""
    level, _ = level_and_noise(losses[:lead_in])
    ceiling = level + max(level - float(losses.min()), 1e-12)
    return zero_phase(rates, np.minimum(losses, ceiling))


def landmarks(lead_in: int, rates: np.ndarray, losses: np.ndarray, smooth: np.ndarray) -> Landmarks:
    """Where the smooth curve has done half and nine tenths of its descent, is lowest, and is back where it began."""
    level, _ = level_and_noise(losses[:lead_in])
    bottom = int(np.argmin(smooth))
    depth = level - float(smooth[bottom])
    above = np.flatnonzero(smooth[bottom:] >= level)
    return Landmarks(
        half=_first_below(rates, smooth, level - 0.5 * depth),
        nine_tenths=_first_below(rates, smooth, level - 0.9 * depth),
        lowest=float(rates[bottom]),
        edge=float(rates[bottom + above[0]]) if len(above) else None,
        start_loss=level,
        lowest_loss=float(smooth[bottom]),
    )


def _no_descent(curve: Curve, rates: np.ndarray, losses: np.ndarray, smooth: np.ndarray) -> str | None:
    """Why the smooth curve shows no descent to read a rate from, or None."""
    level, _ = level_and_noise(losses[: curve.lead_in])
    bottom = int(np.argmin(smooth))
    steps = np.diff(losses[: max(bottom, curve.lead_in) + 1])
    scatter = float(1.4826 * np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2.0)
    per_decade = (len(rates) - 1) / math.log10(rates[-1] / rates[0])
    averaged = max(1.0, 2.0 * math.sqrt(math.pi) * BANDWIDTH * per_decade)  # rungs that a smooth point stands for
    noise = scatter * math.sqrt(1.0 / averaged + 1.0 / curve.lead_in)
    descent = level - float(smooth[bottom])
    if bottom < curve.lead_in or not descent > max(LEAST_DESCENT * noise, ROUNDING * abs(level)):
        advice = "Check that the model has trainable weights and that the labels fit the loss, or raise max_lr."
        return f"Flat: the loss never fell by more than its own noise ({max(descent, 0.0):.3g} against {noise:.3g}). {advice}"
    if bottom == len(smooth) - 1 and len(smooth) == len(curve.learning_rates):
        return f"The loss was still falling at the highest rate, {rates[-1]:.2g}. Raise max_lr."
    return None


def _too_short(curve: Curve, rungs: int) -> str | None:
    if any(len(ramp) == 1 and not math.isfinite(ramp[0]) for ramp in curve.losses):
        return "The loss is not finite before the first update. Check the data, the labels and the loss."
    if rungs < max(LEAST_RUNGS, curve.lead_in + 1):
        return f"Too few points: the ramps went on for {rungs} rungs only. Lower min_lr, or raise steps."
    return None


def _first_below(rates: np.ndarray, smooth: np.ndarray, loss: float) -> float:
    """The rate at which the smooth curve first falls to `loss`, interpolated in log rate."""
    index = int(np.argmax(smooth <= loss))
    if index == 0:
        return float(rates[0])
    before, after = smooth[index - 1], smooth[index]
    share = (before - loss) / (before - after)
    return float(math.exp(math.log(rates[index - 1]) + share * math.log(rates[index] / rates[index - 1])))


def _center_of(ramp: Curve) -> float | None:
    """The center of one ramp alone, or None where it shows no descent."""
    rates, losses = ramp.pooled()
    if _too_short(ramp, len(losses)) is not None:
        return None
    smooth = smoothed(ramp.lead_in, rates, losses)
    level, _ = level_and_noise(losses[: ramp.lead_in])
    return landmarks(ramp.lead_in, rates, losses, smooth).center if smooth.min() < level else None


def _told(curve: Curve, marks: Landmarks, mean_share: float) -> str:
    """The reason of an answer, in a sentence or two."""
    back = f"and back at its start at {marks.edge:.2g}" if marks.edge is not None else "and never came back up"
    purpose = (
        "a constant rate"
        if mean_share > 0.999
        else f"the peak of a schedule whose mean is {mean_share:.2g} of its peak"
    )
    ramps = f"{len(curve.losses)} ramps" if len(curve.losses) > 1 else "One ramp"
    return (
        f"{ramps} fell from {marks.start_loss:.3g} to {marks.lowest_loss:.3g}: half of it by {marks.half:.2g}, "
        f"nine tenths by {marks.nine_tenths:.2g}, lowest at {marks.lowest:.2g} {back}. The answer is for {purpose}."
    )
