"""The rule of keras-lr: from ramps and sprints to a rate with an interval, or to a refusal. Imports no Keras.

With sprints, the answer comes from their best rates and the length of the training. Without sprints, it is a share of the
landmarks of the mean ramp, combined in log rate.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.lengths import RateByLength, rate_by_length
from keras_lr.finder.deciding.ramps import (
    NOT_FINITE,
    Descent,
    Landmarks,
    center_spread,
    descent,
    flat_reason,
    share_of_center,
    still_falling,
)
from keras_lr.finder.deciding.sprints import SAME, SprintCurves, best_sprint, shows_progress

NOMINAL_STEPS = 3000  # updates of a training of unknown length
RAMP_ERROR = 0.15  # decades: the error of the reading of ramps, one standard deviation
WIDEST_INTERVAL = 10.0
LONGER = 10  # the reason also names the rate of a training this many times as long


@dataclasses.dataclass(frozen=True)
class Purpose:
    """What an answer is for.

    Attributes:
        steps: The length of the training in updates.
        mean_share: Mean of the schedule over its peak, in (0, 1]: 1 for a constant rate, 0.5 for a cosine.
        label: The length in words, if nobody named it; else empty.
        steps_per_epoch: Updates until the data repeat, or None if nobody knows.
    """

    steps: int = NOMINAL_STEPS
    mean_share: float = 1.0
    label: str = ""
    steps_per_epoch: int | None = None


@dataclasses.dataclass(frozen=True)
class Decision:
    """A rate with its interval, or None with the reason of the refusal."""

    learning_rate: float | None
    interval: tuple[float, float] | None
    reason: str
    smoothed: tuple[float, ...] = ()
    landmarks: Landmarks | None = None
    by_length: RateByLength | None = None


def consensus(curve: Curve, purpose: Purpose | None = None, sprints: SprintCurves | None = None) -> Decision:
    """Decides on a rate.

    Args:
        curve: One ramp or several, on one ladder.
        purpose: What the answer is for. Default: a constant rate, for 3,000 updates.
        sprints: Short trainings at one rate each, or None to read the ramps alone.

    Returns:
        A `Decision`. It has no rate if no loss fell, if the ramps were too short or diverged at once, or if the answer is
        too uncertain.
    """
    purpose = purpose or Purpose()
    ramps = descent(curve)
    if ramps.obstacle is not None:
        return Decision(None, None, ramps.obstacle, ramps.smooth)
    if sprints is not None:
        decision = _from_sprints(purpose, sprints, ramps.landmarks, curve.learning_rates[-1])
    elif ramps.landmarks is not None:
        decision = _from_ramps(curve, purpose, ramps)
    else:
        decision = Decision(None, None, ramps.flat or "")
    return dataclasses.replace(decision, smoothed=ramps.smooth, landmarks=ramps.landmarks)


def _from_sprints(purpose: Purpose, sprints: SprintCurves, marks: Landmarks | None, highest: float) -> Decision:
    """Reads the sprints. Without landmarks, the ramps did not come back up from the highest rate of the ladder."""
    if not np.isfinite(np.concatenate(sprints.idle_losses)).all():
        return Decision(None, None, NOT_FINITE)
    _, gain, noise = best_sprint(sprints)
    if not math.isfinite(gain):
        reason = f"Every sprint diverged, even at {sprints.learning_rates[0]:.2g}. Lower min_lr, or check the data and the loss."
        return Decision(None, None, reason)
    if not shows_progress(sprints):
        return Decision(None, None, flat_reason("no rate lowered the loss", gain, noise))
    by_length = rate_by_length(sprints, purpose.steps_per_epoch, None if marks is None else marks.center)
    if by_length.best_rates[-1] >= highest / SAME and marks is None:
        return Decision(None, None, still_falling(by_length.best_rates[-1]))
    interval = by_length.interval_for(purpose.steps, purpose.mean_share)
    answer = by_length.rate_for(purpose.steps, purpose.mean_share)
    return Decision(answer, interval, _sprint_reason(sprints, by_length, purpose), by_length=by_length)


def _from_ramps(curve: Curve, purpose: Purpose, ramps: Descent) -> Decision:
    """Reads the ramps alone."""
    marks = ramps.landmarks
    assert marks is not None
    half_width = 10.0 ** (1.64 * math.hypot(center_spread(curve), RAMP_ERROR))
    answer = share_of_center(purpose.mean_share) * marks.center
    lowest, highest = curve.learning_rates[0], curve.learning_rates[-1]
    interval = (max(answer / half_width, lowest), min(answer * half_width, highest))
    if interval[1] / interval[0] > WIDEST_INTERVAL:
        return _refuse_wide(interval)
    return Decision(answer, interval, _ramp_reason(curve, marks, purpose))


def _refuse_wide(interval: tuple[float, float]) -> Decision:
    span = f"{interval[0]:.2g} to {interval[1]:.2g}"
    repair = "Raise repeats or steps, or the batch size."
    return Decision(None, interval, f"The ramps disagree: the answer may lie anywhere from {span}. {repair}")


def _sprint_reason(sprints: SprintCurves, by_length: RateByLength, purpose: Purpose) -> str:
    _, gain, _ = best_sprint(sprints)
    idle = float(np.mean(sprints.idle_losses[-1]))
    where = "on the holdout" if sprints.on_holdout else "in training"
    longer = by_length.rate_for(LONGER * purpose.steps, purpose.mean_share)
    length = (
        f"{purpose.label}, {purpose.steps:,} updates" if purpose.label else f"a training of {purpose.steps:,} updates"
    )
    return (
        f"The answer is for {length}, {_shape(purpose)}; {longer:.2g} for {LONGER * purpose.steps:,}. "
        f"{len(sprints.learning_rates)} sprints (short trainings at one rate): after {by_length.lengths[-1]} updates "
        f"{by_length.best_rates[-1]:.2g} is best {where} and lowers the loss from {idle:.3g} to {idle - gain:.3g}."
    )


def _ramp_reason(curve: Curve, marks: Landmarks, purpose: Purpose) -> str:
    back = f"and back at its start at {marks.edge:.2g}" if marks.edge is not None else "and never came back up"
    ramps = f"{len(curve.losses)} ramps" if len(curve.losses) > 1 else "One ramp"
    return (
        f"{ramps} fell from {marks.start_loss:.3g} to {marks.lowest_loss:.3g}: half of it by {marks.half:.2g}, "
        f"nine tenths by {marks.nine_tenths:.2g}, lowest at {marks.lowest:.2g} {back}. The answer is for {_shape(purpose)}."
    )


def _shape(purpose: Purpose) -> str:
    if purpose.mean_share > 0.999:
        return "a constant rate"
    return f"the peak of a schedule whose mean is {purpose.mean_share:.2g} of its peak"
