"""The best rate of each length that the sprints read, and from these the rate of a long training. Imports no Keras.

The rate of a training of T updates is SHARE * r * (T / L) ** slope: r is the best rate of sprints of about L updates. Only the
optimizer and the shape of the schedule change the rule. docs/decisions/0032-rates-by-length.md shows what else was tried.
"""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np

from keras_lr.finder.deciding.sprints import SprintCurves, vertex

SHARE = 0.4  # rate of a training at a constant rate / best rate of short ones
SLOPE = -0.1  # of log rate against log length
SIGN_SLOPE = -0.5  # the same if an update is as long as the rate, near the minimum too
SIGN_LIKE = ("Lion",)
BLOCKS = 5  # of the batches that count: each is left out in turn to measure the spread
ERROR = 0.2  # decades: the error of the rule, one standard deviation
ERROR_PER_DECADE = 0.1  # and for each decade between the two lengths


@dataclasses.dataclass(frozen=True)
class RateByLength:
    """The rate of a training of any length.

    Attributes:
        lengths: Updates of the trainings that were measured.
        best_rates: The best rate of each of these lengths.
        length: The middle of the lengths that the answer starts from.
        learning_rate: The best rate there.
        slope: How log rate falls with log length.
        spread: The standard error of `learning_rate` in decades, from leaving out a fifth of the batches in turn.
    """

    lengths: tuple[int, ...]
    best_rates: tuple[float, ...]
    length: float
    learning_rate: float
    slope: float
    spread: float

    def rate_for(self, steps: float, mean_share: float = 1.0) -> float:
        """Returns the rate, or the peak of a schedule, of a training of `steps` updates.

        Args:
            steps: The length in updates.
            mean_share: Mean of the schedule over its peak; 1 for a constant rate.
        """
        rate = SHARE / mean_share * self.learning_rate * (steps / self.length) ** self.slope
        return min(rate, self.learning_rate)

    def interval_for(self, steps: float, mean_share: float = 1.0) -> tuple[float, float]:
        """Returns the 90 % interval of `rate_for`; it grows with the distance between the lengths."""
        distance = max(0.0, math.log10(steps / self.length))
        half_width = 10.0 ** (1.64 * math.hypot(self.spread, ERROR + ERROR_PER_DECADE * distance))
        rate = self.rate_for(steps, mean_share)
        return rate / half_width, rate * half_width


def rate_by_length(curves: SprintCurves) -> RateByLength:
    """Reads the best rate of each length. The answer starts from the mean, in log rate, over the long sprints' lengths."""
    places = [place for place in range(len(curves.lengths)) if len(curves.reached(place))]
    best = [vertex(curves.rates(place), curves.gains(place)) for place in places]
    lengths = [curves.lengths[place] for place in places]
    counted = places[1:] if len(places) > 1 else places
    return RateByLength(
        lengths=tuple(lengths),
        best_rates=tuple(best),
        length=_middle([lengths[place] for place in counted]),
        learning_rate=_middle([best[place] for place in counted]),
        slope=SIGN_SLOPE if curves.optimizer in SIGN_LIKE else SLOPE,
        spread=_spread(curves, counted),
    )


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
