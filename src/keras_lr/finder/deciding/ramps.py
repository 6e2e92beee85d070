"""What ramps show: the landmarks of their mean, where sprints begin, and without sprints a rate. Imports no Keras."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from keras_lr.finder.deciding.curve import BANDWIDTH, Curve, zero_phase
from keras_lr.finder.deciding.sprints import ROUNDING
from keras_lr.finder.deciding.stopping import level_and_noise

SAFETY = 0.16  # answer / geometric mean of the landmarks, for a constant rate
RELIEF = 0.6  # a schedule whose mean is m of its peak may peak higher by m ** -RELIEF
LARGEST_SHARE = 0.5  # answer / geometric mean of the landmarks, at most
SINGLE_RAMP = 0.2  # decades: the spread between ramps, assumed for a single one
LEAST_DESCENT = 4.0  # in standard deviations of what noise alone does to the smooth curve and its starting level
LEAST_RUNGS = 10
NOT_FINITE = "The loss is not finite before the first update. Check the data, the labels and the loss."
_ADVICE = "Check that the model has trainable weights and that the labels fit the loss, or raise max_lr."


@dataclasses.dataclass(frozen=True)
class Landmarks:
    """Points of the smooth curve, as rates. `edge` is None if the loss never came back up to its start."""

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
class Descent:
    """What the mean ramp shows.

    Attributes:
        smooth: The mean ramp, smooth.
        landmarks: The landmarks of its descent; None if there is none to read.
        obstacle: Why the ramps show nothing at all, not even where to look; or None.
        flat: Why they show no descent, or None.
    """

    smooth: tuple[float, ...]
    landmarks: Landmarks | None = None
    obstacle: str | None = None
    flat: str | None = None


def descent(curve: Curve) -> Descent:
    """Reads the mean of the ramps."""
    rates, losses = curve.pooled()
    obstacle = _too_short(curve, len(losses))
    if obstacle is not None:
        return Descent(tuple(losses.tolist()), obstacle=obstacle)
    smooth = smooth_curve(curve.lead_in, rates, losses)
    flat = _flat(curve, rates, losses, smooth)
    if flat is None and int(np.argmin(smooth)) == len(smooth) - 1 and len(smooth) == len(curve.learning_rates):
        flat = still_falling(rates[-1])
    marks = None if flat is not None else landmarks(curve.lead_in, rates, losses, smooth)
    return Descent(tuple(smooth.tolist()), marks, flat=flat)


def sprint_start(curve: Curve) -> float | None:
    """Returns the rate of the first sprint: where half of the descent is complete, or the middle of a flat ladder.

    None if the ramps are too short to show either.
    """
    rates, losses = curve.pooled()
    if _too_short(curve, len(losses)) is not None:
        return None
    smooth = smooth_curve(curve.lead_in, rates, losses)
    if _flat(curve, rates, losses, smooth) is not None:
        return math.sqrt(curve.learning_rates[0] * curve.learning_rates[-1])
    return landmarks(curve.lead_in, rates, losses, smooth).half


def center_spread(curve: Curve) -> float:
    """Returns the standard error of the center of the landmarks in decades, from ramp to ramp."""
    single = [_center_of(curve.ramp(index)) for index in range(len(curve.losses))]
    logs = [math.log10(center) for center in single if center is not None]
    return float(np.std(logs, ddof=1)) / math.sqrt(len(logs)) if len(logs) > 1 else SINGLE_RAMP


def share_of_center(mean_share: float) -> float:
    """Returns answer / center of the landmarks, for a schedule whose mean is `mean_share` of its peak."""
    return min(SAFETY * mean_share**-RELIEF, LARGEST_SHARE)


def smooth_curve(lead_in: int, rates: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Smooths the mean ramp; cuts a blow-up to the height of the descent, so that it does not leak to the left."""
    level, _ = level_and_noise(losses[:lead_in])
    ceiling = level + max(level - float(losses.min()), 1e-12)
    return zero_phase(rates, np.minimum(losses, ceiling))


def landmarks(lead_in: int, rates: np.ndarray, losses: np.ndarray, smooth: np.ndarray) -> Landmarks:
    """Returns the rates at which the smooth curve passes half and nine tenths of its descent, its bottom and its start."""
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


def still_falling(rate: float) -> str:
    """Returns the reason of a refusal: the loss has not turned."""
    return f"The loss was still falling at the highest rate, {rate:.2g}. Raise max_lr."


def flat_reason(fact: str, gain: float, noise: float) -> str:
    """Returns the reason of a refusal: the loss has not fallen by more than noise."""
    return f"Flat: {fact} by more than its own noise ({max(gain, 0.0):.3g} against {noise:.3g}). {_ADVICE}"


def _flat(curve: Curve, rates: np.ndarray, losses: np.ndarray, smooth: np.ndarray) -> str | None:
    """Returns why a smooth curve is refused: it never fell by more than noise. None if it did."""
    level, _ = level_and_noise(losses[: curve.lead_in])
    bottom = int(np.argmin(smooth))
    steps = np.diff(losses[: max(bottom, curve.lead_in) + 1])
    scatter = float(1.4826 * np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2.0)
    per_decade = (len(rates) - 1) / math.log10(rates[-1] / rates[0])
    rungs = max(1.0, 2.0 * math.sqrt(math.pi) * BANDWIDTH * per_decade)  # in the average behind a smooth point
    noise = scatter * math.sqrt(1.0 / rungs + 1.0 / curve.lead_in)
    descent = level - float(smooth[bottom])
    if bottom < curve.lead_in or not descent > max(LEAST_DESCENT * noise, ROUNDING * abs(level)):
        return flat_reason("the loss never fell", descent, noise)
    return None


def _too_short(curve: Curve, rungs: int) -> str | None:
    if any(len(ramp) == 1 and not math.isfinite(ramp[0]) for ramp in curve.losses):
        return NOT_FINITE
    if rungs < max(LEAST_RUNGS, curve.lead_in + 1):
        return f"Too few points: the ramps ended after {rungs} rungs. Lower min_lr, or raise steps."
    return None


def _first_below(rates: np.ndarray, smooth: np.ndarray, loss: float) -> float:
    """Returns the rate at which the smooth curve first falls to `loss`, interpolated in log rate."""
    index = int(np.argmax(smooth <= loss))
    if index == 0:
        return float(rates[0])
    before, after = smooth[index - 1], smooth[index]
    share = (before - loss) / (before - after)
    return float(math.exp(math.log(rates[index - 1]) + share * math.log(rates[index] / rates[index - 1])))


def _center_of(ramp: Curve) -> float | None:
    """Returns the center of a single ramp, or None if it shows no descent."""
    rates, losses = ramp.pooled()
    if _too_short(ramp, len(losses)) is not None:
        return None
    smooth = smooth_curve(ramp.lead_in, rates, losses)
    level, _ = level_and_noise(losses[: ramp.lead_in])
    return landmarks(ramp.lead_in, rates, losses, smooth).center if smooth.min() < level else None
