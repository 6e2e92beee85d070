"""The rule of keras-lr: from ramps and sprints to a rate with an interval, or to a refusal. Imports no Keras.

With sprints, the answer is a multiple of the lowest rate that gains seven tenths of what the best sprint gains. For a
schedule, its mean is that answer, but its peak never exceeds the best sprint. Without sprints, the answer is a share of
the landmarks of the mean ramp, combined in log rate.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from keras_lr.finder.deciding.curve import BANDWIDTH, Curve, zero_phase
from keras_lr.finder.deciding.sprints import ENOUGH, ROUNDING, Reading, Sprints, choose_losses, read
from keras_lr.finder.deciding.stopping import level_and_noise

ABOVE_ENOUGH = 2.5  # answer / lowest rate that gains enough on the holdout
ABOVE_ENOUGH_IN_TRAINING = 1.6  # the same for gains in training, which favour high rates
LONG_RUN = {"Lion": 0.25}  # a further factor: each update is as long as the rate, near the minimum too
RULE_ERROR = 0.175  # decades: the error of the reading of sprints, one standard deviation
SAFETY = 0.16  # answer / geometric mean of the landmarks, for a constant rate
RELIEF = 0.6  # a schedule whose mean is m of its peak may peak higher by m ** -RELIEF
LARGEST_SHARE = 0.5  # answer / geometric mean of the landmarks, at most
SYSTEMATIC = 0.15  # decades: the error of the reading of ramps, one standard deviation
SINGLE_RAMP = 0.2  # decades: the spread between ramps, assumed for a single one
LEAST_DESCENT = 4.0  # in standard deviations of what noise alone does to the smooth curve and its starting level
LEAST_RUNGS = 10
WIDEST_INTERVAL = 10.0
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
class Decision:
    """A rate with its interval, or None with the reason of the refusal."""

    learning_rate: float | None
    interval: tuple[float, float] | None
    reason: str
    smoothed: tuple[float, ...] = ()
    landmarks: Landmarks | None = None


def consensus(curve: Curve, mean_share: float = 1.0, sprints: Sprints | None = None) -> Decision:
    """Decides on a rate.

    Args:
        curve: One ramp or several, on one ladder.
        mean_share: Mean of the schedule over its peak, in (0, 1]: 1 for a constant rate, 0.5 for a cosine.
        sprints: Trainings of a few dozen updates at one rate each, or None to read the ramps alone.

    Returns:
        A `Decision`. It has no rate if no loss fell, if the ramps were too short or diverged at once, or if the answer is
        too uncertain.
    """
    rates, losses = curve.pooled()
    refusal = _too_short(curve, len(losses))
    if refusal is not None:
        return Decision(None, None, refusal, tuple(losses.tolist()))
    smooth = smooth_curve(curve.lead_in, rates, losses)
    refusal = _no_descent(curve, rates, losses, smooth)
    marks = None if refusal is not None else landmarks(curve.lead_in, rates, losses, smooth)
    if sprints is not None and sprints.learning_rates:
        decision = _from_sprints(mean_share, sprints, marks is not None)
    elif marks is not None:
        decision = _from_ramps(curve, mean_share, marks)
    else:
        decision = Decision(None, None, refusal or "")
    return dataclasses.replace(decision, smoothed=tuple(smooth.tolist()), landmarks=marks)


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


def _from_sprints(mean_share: float, sprints: Sprints, turned: bool) -> Decision:
    """Reads the sprints; `turned`: whether the ramps came back up."""
    sprints = choose_losses(sprints)
    reading = read(sprints)
    if reading is None:
        reason = f"Every sprint diverged, even at {sprints.learning_rates[0]:.2g}. Lower min_lr, or check the data and the loss."
        return Decision(None, None, reason)
    if not reading.clear:
        return Decision(None, None, _flat_reason("no rate lowered the loss", reading.gain, reading.noise))
    if reading.best == sprints.learning_rates[-1] and not turned:
        return Decision(None, None, _still_falling(reading.best))
    above = ABOVE_ENOUGH if sprints.idle_unseen_losses else ABOVE_ENOUGH_IN_TRAINING
    answer = min(above * reading.enough / mean_share, reading.best) * LONG_RUN.get(sprints.optimizer, 1.0)
    half_width = 10.0 ** (1.64 * math.hypot(reading.spread, RULE_ERROR))
    interval = (answer / half_width, answer * half_width)
    if interval[1] / interval[0] > WIDEST_INTERVAL:
        return _refuse_wide("batches", interval, "sprint_steps")
    return Decision(answer, interval, _sprint_reason(sprints, reading, mean_share))


def _from_ramps(curve: Curve, mean_share: float, marks: Landmarks) -> Decision:
    """Reads the ramps alone."""
    factor = share_of_center(mean_share)
    single = [_center_of(curve.ramp(index)) for index in range(len(curve.losses))]
    logs = [math.log10(center) for center in single if center is not None]
    spread = float(np.std(logs, ddof=1)) / math.sqrt(len(logs)) if len(logs) > 1 else SINGLE_RAMP
    half_width = 10.0 ** (1.64 * math.hypot(spread, SYSTEMATIC))
    answer = factor * marks.center
    lowest, highest = curve.learning_rates[0], curve.learning_rates[-1]
    interval = (max(answer / half_width, lowest), min(answer * half_width, highest))
    if interval[1] / interval[0] > WIDEST_INTERVAL:
        return _refuse_wide("ramps", interval, "repeats or steps")
    return Decision(answer, interval, _ramp_reason(curve, marks, mean_share))


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


def _no_descent(curve: Curve, rates: np.ndarray, losses: np.ndarray, smooth: np.ndarray) -> str | None:
    """Returns why the smooth curve shows no descent to read a rate from, or None."""
    flat = _flat(curve, rates, losses, smooth)
    if flat is None and int(np.argmin(smooth)) == len(smooth) - 1 and len(smooth) == len(curve.learning_rates):
        return _still_falling(rates[-1])
    return flat


def _still_falling(rate: float) -> str:
    return f"The loss was still falling at the highest rate, {rate:.2g}. Raise max_lr."


def _flat_reason(fact: str, descent: float, noise: float) -> str:
    return f"Flat: {fact} by more than its own noise ({max(descent, 0.0):.3g} against {noise:.3g}). {_ADVICE}"


def _refuse_wide(disagreeing: str, interval: tuple[float, float], repair: str) -> Decision:
    span = f"{interval[0]:.2g} to {interval[1]:.2g}"
    reason = f"The {disagreeing} disagree: the answer may lie anywhere from {span}. Raise {repair}, or the batch size."
    return Decision(None, interval, reason)


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
        return _flat_reason("the loss never fell", descent, noise)
    return None


def _too_short(curve: Curve, rungs: int) -> str | None:
    if any(len(ramp) == 1 and not math.isfinite(ramp[0]) for ramp in curve.losses):
        return "The loss is not finite before the first update. Check the data, the labels and the loss."
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


def _sprint_reason(sprints: Sprints, reading: Reading, mean_share: float) -> str:
    idle = float(np.mean(sprints.counted[0]))
    where = "on the holdout" if sprints.idle_unseen_losses else "in training"
    sentences = [
        f"{len(sprints.learning_rates)} sprints (trainings of {sprints.steps} updates at one rate): {reading.best:.2g} "
        f"gained most {where}, from {idle:.3g} to {idle - reading.gain:.3g}; {reading.enough:.2g} gained {ENOUGH:.0%} of that."
    ]
    if sprints.optimizer in LONG_RUN:
        share = f"{LONG_RUN[sprints.optimizer]:g} of the rate that is best in a short one"
        sentences.append(f"In a long training {sprints.optimizer} needs {share}.")
    return " ".join([*sentences, f"The answer is for {_purpose(mean_share)}."])


def _purpose(mean_share: float) -> str:
    if mean_share > 0.999:
        return "a constant rate"
    return f"the peak of a schedule whose mean is {mean_share:.2g} of its peak"


def _ramp_reason(curve: Curve, marks: Landmarks, mean_share: float) -> str:
    back = f"and back at its start at {marks.edge:.2g}" if marks.edge is not None else "and never came back up"
    ramps = f"{len(curve.losses)} ramps" if len(curve.losses) > 1 else "One ramp"
    return (
        f"{ramps} fell from {marks.start_loss:.3g} to {marks.lowest_loss:.3g}: half of it by {marks.half:.2g}, "
        f"nine tenths by {marks.nine_tenths:.2g}, lowest at {marks.lowest:.2g} {back}. The answer is for {_purpose(mean_share)}."
    )
