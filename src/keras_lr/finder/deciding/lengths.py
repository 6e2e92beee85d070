"""The best rate of each length that the sprints read, and from these the rate of a training of any length. Imports no Keras.

The rate of a training of T updates in E epochs is r * (T / L) ** slope * E ** EPOCH_SLOPE: r is the best rate of sprints of about
L updates. Where a small holdout leaves r uncertain, the ramps correct it. The peak of a schedule is higher, by the mean of its
shape. docs/decisions/0032-rates-by-length.md shows what else was tried.
"""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np

from keras_lr.finder.deciding.sprints import SprintCurves, vertex

SLOPE = -0.35  # of the log of the best rate against log length
NORMALIZED_SLOPE = -0.05  # the same with layers that normalize: weights grow, and their effective rate falls by itself
FIXED_LENGTH_SLOPE = -0.3  # to add if an update is as long as the rate, near the minimum too
FIXED_LENGTH = ("Lion", "Muon")
MEASURED, FAR = 0.25, 110  # weight of the slope that the sprints show, and updates that they need for it
STEEPEST, FLATTEST = -1.0, 0.2  # of a slope that counts
EPOCH_SLOPE = -0.2  # of the log of the best rate against log epochs: data that repeat are overfitted
PEAK = 0.66  # a schedule whose mean is m of its peak may peak higher by m ** -PEAK
RELIEF = 0.5  # and its peak falls less with length: its slope is that of a constant rate times m ** RELIEF
BELOW_CENTER = 0.32  # best rate of sprints / center of the landmarks of the ramps, as a rule
CENTER_ERROR, SPRINT_ERROR = 0.4, 0.1  # decades: how far each is off besides the scatter of the sprints
BLOCKS = 5  # of the batches that count: each is left out in turn to measure the spread
ERROR = 0.12  # decades: the error of the rule, one standard deviation
ERROR_PER_DECADE = 0.05  # and for each decade between the two lengths, and for each decade of epochs


@dataclasses.dataclass(frozen=True)
class RateByLength:
    """The rate of a training of any length.

    Attributes:
        lengths: Updates of the trainings that were measured.
        best_rates: The best rate of each of these lengths.
        length: The middle of the lengths that the answer starts from.
        learning_rate: The best rate there.
        slope: How log rate changes with log length.
        steps_per_epoch: Updates until the data repeat, or None if they don't or nobody knows.
        spread: The standard error of `learning_rate` in decades, from leaving out a fifth of the batches in turn.
    """

    lengths: tuple[int, ...]
    best_rates: tuple[float, ...]
    length: float
    learning_rate: float
    slope: float
    spread: float
    steps_per_epoch: int | None = None

    def rate_for(self, steps: float, mean_share: float = 1.0) -> float:
        """Returns the rate, or the peak of a schedule, of a training of `steps` updates.

        Args:
            steps: The length in updates.
            mean_share: Mean of the schedule over its peak; 1 for a constant rate.
        """
        slope = self.slope * mean_share**RELIEF
        factor = (steps / self.length) ** slope * self._epochs(steps) ** EPOCH_SLOPE * mean_share**-PEAK
        return self.learning_rate * min(factor, 1.0)

    def _epochs(self, steps: float) -> float:
        return max(1.0, steps / (self.steps_per_epoch or steps))

    def interval_for(self, steps: float, mean_share: float = 1.0) -> tuple[float, float]:
        """Returns the 90 % interval of `rate_for`; it grows with the distance between the lengths, and with the epochs."""
        decades = max(0.0, math.log10(steps / self.length)) + math.log10(self._epochs(steps))
        half_width = 10.0 ** (1.64 * math.hypot(self.spread, ERROR + ERROR_PER_DECADE * decades))
        rate = self.rate_for(steps, mean_share)
        return rate / half_width, rate * half_width


def rate_by_length(
    curves: SprintCurves, steps_per_epoch: int | None = None, center: float | None = None
) -> RateByLength:
    """Reads the best rate of each length. The answer starts from the mean, in log rate, over the long sprints' lengths.

    Args:
        curves: The losses of the sprints.
        steps_per_epoch: Updates until the data repeat, or None.
        center: The center of the landmarks of the ramps, or None if they show none.
    """
    places = [place for place in range(len(curves.lengths)) if len(curves.reached(place))]
    best = [vertex(curves.rates(place), curves.gains(place)) for place in places]
    lengths = [curves.lengths[place] for place in places]
    counted = places[1:] if len(places) > 1 else places
    spread = _spread(curves, counted)
    return RateByLength(
        lengths=tuple(lengths),
        best_rates=tuple(best),
        length=_middle([lengths[place] for place in counted]),
        learning_rate=_pooled(_middle([best[place] for place in counted]), spread, center),
        slope=_slope(curves, lengths, best),
        spread=spread,
        steps_per_epoch=steps_per_epoch,
    )


def _pooled(rate: float, spread: float, center: float | None) -> float:
    """Returns the mean of what sprints and ramps show, in log rate, each weighted by the inverse of its variance."""
    if center is None:
        return rate
    sprints, ramps = 1.0 / (SPRINT_ERROR**2 + spread**2), 1.0 / CENTER_ERROR**2
    logs = sprints * math.log(rate) + ramps * math.log(BELOW_CENTER * center)
    return math.exp(logs / (sprints + ramps))


def _slope(curves: SprintCurves, lengths: list[int], best: list[float]) -> float:
    """Returns the usual slope for the model and its optimizer; sprints that are long enough correct it."""
    usual = NORMALIZED_SLOPE if curves.normalized else SLOPE
    usual += FIXED_LENGTH_SLOPE if curves.optimizer in FIXED_LENGTH else 0.0
    if lengths[-1] < FAR or len(set(lengths)) < 3:
        return usual
    measured = float(np.polyfit(np.log(lengths), np.log(best), 1)[0])
    return (1.0 - MEASURED) * usual + MEASURED * min(max(measured, STEEPEST), FLATTEST)


def _middle(values: list[float] | list[int]) -> float:
    """Returns the geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))


def _spread(curves: SprintCurves, places: list[int]) -> float:
    """Returns the standard error of the mean best rate, in decades, from leaving out a fifth of the batches in turn."""
    count = min(len(curves.idle_losses[place]) for place in places)
    if count < 2:
        return 0.0
    shares = np.linspace(0.0, 1.0, min(BLOCKS, count) + 1)
    logs = []
    for first, last in itertools.pairwise(shares):
        rates = []
        for place in places:
            gains = curves.gains(place)
            block = np.arange(round(first * gains.shape[1]), round(last * gains.shape[1]))
            rates.append(vertex(curves.rates(place), np.delete(gains, block, axis=1)))
        logs.append(math.log10(_middle(rates)))
    return math.sqrt((len(logs) - 1) * float(np.var(logs)))
