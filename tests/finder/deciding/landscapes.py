"""Ramps and sprints with known answers, made up for tests of the rules that read them."""

import dataclasses
import math

import numpy as np

from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.sprints import SprintCurves, next_long, next_short
from keras_lr.finder.measuring.ladder import ladder

RATES = ladder("find", 1e-7, 10.0, 100, "exponential")
LENGTHS = (25, 50, 70, 100)


def descent(rate, start=2.3, low=0.5, middle=1e-3, edge=0.3):
    """A loss that falls around `middle` and blows up past `edge`."""
    fall = 1.0 / (1.0 + (middle / rate) ** 1.5)
    return start - (start - low) * fall + (rate / edge) ** 2


def ramps(noise=0.02, count=3, **kwargs):
    """Noisy ramps of `descent`."""
    order = np.random.default_rng(0)
    clean = np.array([descent(rate, **kwargs) for rate in RATES])
    reached = int(np.argmax(clean > 5.0)) or len(RATES)
    return Curve(
        RATES, tuple(tuple((clean + noise * order.normal(size=len(clean)))[:reached].tolist()) for _ in range(count))
    )


@dataclasses.dataclass(frozen=True)
class Landscape:
    """What sprints gain: a parabola around a rate that falls with their length; lower rates always gain a little.

    Args:
        best: The best rate of a sprint of 100 updates.
        slope: How the log of the best rate changes with log length.
        edge: Sprints at this rate or above diverge at once.
        depth: The gain at the best rate; 0 for a loss that never falls.
        noise: Standard deviation of the gain from batch to batch, the same at every rate.
        batches: How many batches each loss is read on.
    """

    best: float = 1e-2
    slope: float = 0.0
    edge: float = math.inf
    depth: float = 1.0
    noise: float = 0.0
    batches: int = 5

    def best_at(self, length):
        return self.best * (length / 100) ** self.slope

    def idle(self):
        return tuple((2.0 + np.arange(self.batches)).tolist())

    def losses(self, rate, lengths):
        """The losses of a sprint after each of these updates; none once it has diverged."""
        if rate >= self.edge:
            return ((),) * len(lengths)
        scatter = (
            self.noise * np.random.default_rng(1).normal(size=self.batches) if self.noise else np.zeros(self.batches)
        )
        distances = [math.log10(rate / self.best_at(length)) for length in lengths]
        shares = [
            max(1.0 - 0.25 * distance**2, 10.0**distance if distance < 0 else -math.inf) for distance in distances
        ]
        gains = [self.depth * (share + scatter) for share in shares]
        return tuple(tuple((np.array(self.idle()) - gain).tolist()) for gain in gains)


def short_sprints(landscape, start=1e-2, lowest=1e-7, highest=1e4, length=LENGTHS[0], **kwargs):
    """All short sprints that `next_short` asks for, and their order."""
    curves, order = SprintCurves((), (length,), (), (landscape.idle(),), **kwargs), []
    while (rate := next_short(curves, start, lowest, highest)) is not None:
        curves = curves.with_sprint(rate, landscape.losses(rate, curves.lengths))
        order.append(rate)
    return curves, order


def all_sprints(landscape, start=1e-2, lowest=1e-7, highest=1e4, lengths=LENGTHS, **kwargs):
    """All sprints that `next_short` and `next_long` ask for, and the order of the long ones."""
    curves, order = short_sprints(landscape, start, lowest, highest, lengths[0], **kwargs)[0], []
    curves = dataclasses.replace(curves, lengths=lengths, idle_losses=(landscape.idle(),) * len(lengths))
    while (rate := next_long(curves, lowest, highest)) is not None:
        curves = curves.with_sprint(rate, landscape.losses(rate, lengths))
        order.append(rate)
    return curves, order
