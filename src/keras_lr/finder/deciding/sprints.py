"""Sprints: short trainings at one rate each, and which of them to run. Imports no Keras.

All sprints start at the same weights, and train on the same batches in the same order. Short ones come first, half a decade
apart, until the best has a worse one on each side. Longer ones follow around the best, until the best rate of every length
that is read on their way has a worse one on each side. docs/decisions/0032-rates-by-length.md explains the numbers below.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

STEP = 10.0 ** (1 / 2)  # ratio of two neighbouring rates
READINGS = (0.5, 0.7, 1.0)  # shares of a long sprint after which its losses are read
SHORT = 0.25  # length of a short sprint / length of a long one
MOST = 12  # short sprints
CLEAR = 2.0  # standard errors that a gain on the holdout must exceed
CLEAR_IN_TRAINING = 4.0  # the same for losses in training, which fall by memory too
ROUNDING = 1e-9  # of the loss: smaller gains do not count
ENOUGH = 0.95  # share of the best gain; no best rate is more than a step above the lowest one that gains it
HARM = 0.1  # of the loss without training: a larger rise is harm; a larger fall after a slow start, progress
SAME = 1.001  # two rates within this ratio count as one

Losses = tuple[tuple[float, ...], ...]
"""For each length the losses of some batches; none after a divergence."""


@dataclasses.dataclass(frozen=True)
class SprintCurves:
    """The losses of sprints at growing lengths.

    Attributes:
        learning_rates: One for each sprint, rising.
        lengths: The updates after which losses are read. A short sprint ends at the first.
        losses: For each rate and each length that it reached, the losses of some batches; none if it diverged before.
        idle_losses: For each length the losses of the same batches without training.
        falls: For each rate how much the loss in training fell in the sprint, in standard errors of that.
        on_holdout: Whether the batches are a holdout; else they are the last ones that were trained on.
        optimizer: The name of the optimizer's class; some need another rate in a long training.
        normalized: Whether the model has layers that normalize; these need another one too.
        late: Whether these are the longer sprints after a slow start.
    """

    learning_rates: tuple[float, ...]
    lengths: tuple[int, ...]
    losses: tuple[Losses, ...]
    idle_losses: Losses
    falls: tuple[float, ...] = ()
    on_holdout: bool = True
    optimizer: str = ""
    normalized: bool = False
    late: bool = False

    def reached(self, place: int) -> list[int]:
        """Returns the sprints that reached a length or diverged before."""
        return [index for index, losses in enumerate(self.losses) if len(losses) > place or not all(map(len, losses))]

    def gains(self, place: int) -> np.ndarray:
        """Returns how much each of these lowered the loss of each batch: (sprints, batches); -inf after a divergence."""
        idle = np.asarray(self.idle_losses[place], np.float64)
        rows = []
        for index in self.reached(place):
            losses = self.losses[index][place] if len(self.losses[index]) > place else ()
            good = len(losses) == len(idle) and all(map(math.isfinite, losses))
            rows.append(idle - np.asarray(losses, np.float64) if good else np.full(len(idle), -np.inf))
        return np.asarray(rows).reshape(len(rows), len(idle))

    def rates(self, place: int) -> tuple[float, ...]:
        """Returns the rates of the sprints that reached a length or diverged before."""
        return tuple(self.learning_rates[index] for index in self.reached(place))

    def with_sprint(self, rate: float, losses: Losses, fall: float = 0.0) -> SprintCurves:
        """Returns the same with one more sprint; a longer one replaces a short one at the same rate."""
        every = zip(self.learning_rates, self.losses, self.falls, strict=True)
        others = [sprint for sprint in every if not _same(sprint[0], rate)]
        rates, curves, falls = zip(*sorted([*others, (rate, losses, fall)], key=lambda sprint: sprint[0]), strict=True)
        return dataclasses.replace(self, learning_rates=rates, losses=curves, falls=falls)


def sprint_lengths(updates: int, length: int) -> tuple[int, ...]:
    """Returns the lengths to read.

    Args:
        updates: The length of a long sprint.
        length: That of a short one.
    """
    return tuple(dict.fromkeys((length, *(max(length, round(share * updates)) for share in READINGS))))


def next_short(curves: SprintCurves, start: float, lowest: float, highest: float) -> float | None:
    """Returns the rate of the next short sprint, or None if they suffice. The first has the rate `start`."""
    rates = curves.rates(0)
    for target in (start, start / STEP, start * STEP):
        rate = min(max(target, lowest), highest)
        if not any(_same(rate, other) for other in rates):
            return rate
    means = curves.gains(0).mean(axis=1)
    best = int(np.argmax(means))
    if len(rates) >= MOST:
        return None
    if means.any() and _on_plateau(curves) and _is_harmless(curves, means[-1]) and not _same(rates[-1], highest):
        return min(rates[-1] * STEP, highest)  # high rates leave a plateau first
    if best == len(rates) - 1 and means[best] > 0.0:
        return min(rates[-1] * STEP, highest) if not _same(rates[-1], highest) else None
    if best == 0 or not means[best] > 0.0:
        return max(rates[0] / STEP, lowest) if not _same(rates[0], lowest) and means.any() else None
    return None


def _on_plateau(curves: SprintCurves) -> bool:
    """Returns whether no short sprint gains more than noise."""
    gains = curves.gains(0)
    row = gains[int(np.argmax(gains.mean(axis=1)))]
    return not row.mean() > CLEAR * _noise(row)


def _is_harmless(curves: SprintCurves, gain: float) -> bool:
    """Returns whether a sprint with this gain does no harm: its loss is at most a tenth above that without training."""
    return gain > -HARM * abs(float(np.mean(curves.idle_losses[0])))


def next_long(curves: SprintCurves, lowest: float, highest: float) -> float | None:
    """Returns the rate of the next long sprint, or None if they suffice. Longer trainings need lower rates."""
    last = len(curves.lengths) - 1
    if not any(len(losses) > last for losses in curves.losses):
        return _first_long(curves)
    places = range(min(1, last), last + 1)
    best = [int(np.argmax(curves.gains(place).mean(axis=1))) for place in places]
    rates = curves.rates(last)
    if not curves.gains(last).any():  # no rate changes anything
        return None
    if min(best) == 0 and not _same(rates[0], lowest):
        return max(rates[0] / STEP, lowest)
    if max(best) == len(rates) - 1 and not _same(rates[-1], highest):
        return min(rates[-1] * STEP, highest)
    return None


def _first_long(curves: SprintCurves) -> float | None:
    """Returns the best rate of the short sprints; on a plateau the highest that does no harm: high rates leave it first."""
    means, rates = curves.gains(0).mean(axis=1).tolist(), curves.rates(0)
    if not any(map(math.isfinite, means)):
        return None
    best = rates[int(np.argmax(means))]
    if not _on_plateau(curves):
        return best
    return max((rate for rate, gain in zip(rates, means, strict=True) if _is_harmless(curves, gain)), default=best)


def shows_progress(curves: SprintCurves) -> bool:
    """Returns whether the best sprint lowered the loss by more than noise, at the longest length.

    A small holdout may be too noisy to show it. Then the loss in training decides, if the holdout does not contradict. After a
    slow start the loss on the holdout must fall by a tenth, or by four standard errors: leaving a plateau shows.
    """
    index, gain, noise = best_sprint(curves)
    idle = abs(float(np.mean(curves.idle_losses[-1])))
    least = (HARM if curves.late else ROUNDING) * idle
    strict = curves.late or not curves.on_holdout
    if gain > max((CLEAR_IN_TRAINING if strict else CLEAR) * noise, ROUNDING * idle):
        return True
    return curves.on_holdout and gain > least and curves.falls[index] > CLEAR_IN_TRAINING


def best_sprint(curves: SprintCurves) -> tuple[int, float, float]:
    """Returns the sprint with the best mean gain at the longest length, that gain, and its standard error over batches."""
    place = max(place for place in range(len(curves.lengths)) if curves.reached(place))
    gains = curves.gains(place)
    best = int(np.argmax(gains.mean(axis=1)))
    row = gains[best]
    return curves.reached(place)[best], float(row.mean()), _noise(row)


def _noise(gains: np.ndarray) -> float:
    """Returns the standard error of the mean gain of a sprint, from batch to batch."""
    if len(gains) < 2 or not np.isfinite(gains).all():
        return 0.0
    return float(np.std(gains, ddof=1)) / math.sqrt(len(gains))


def fall_in_errors(losses: Sequence[float]) -> float:
    """Returns how much the losses of a sprint's updates fell, from its first tenth to its last half, in standard errors."""
    values = np.asarray(losses, np.float64)
    first, last = values[: max(3, len(values) // 10)], values[len(values) // 2 :]
    if len(last) < 3 or not np.isfinite(values).all():
        return 0.0
    error = float(np.std(last, ddof=1)) * math.sqrt(1.0 / len(first) + 1.0 / len(last))
    return float(first.mean() - last.mean()) / error if error > 0.0 else math.inf


def vertex(rates: Sequence[float], gains: np.ndarray) -> float:
    """Returns the highest point of the parabola, in log rate, through the best mean gain and its neighbours.

    Gains below 0 count as 0, so that a rate that diverges counts as one that does not train. A best rate at an end is the
    answer itself. The result depends on neither the scale of the loss nor a constant added to it. Where many rates gain
    all that there is to gain, the lowest of them count: the answer is at most a step above the lowest rate that gains 95 %.

    Example:
        >>> round(vertex([0.01, 0.1, 1.0], np.array([[1.0], [2.0], [1.0]])), 6)
        0.1
    """
    means = np.maximum(gains.mean(axis=1), 0.0)
    best = int(np.argmax(means))
    return min(_highest_point(rates, means, best), STEP * _lowest_enough(rates, means))


def _highest_point(rates: Sequence[float], means: np.ndarray, best: int) -> float:
    if best in (0, len(rates) - 1):
        return rates[best]
    low, middle, high = (math.log(rate) for rate in rates[best - 1 : best + 2])
    left, center, right = means[best - 1 : best + 2].tolist()
    rise, fall = (center - left) / (middle - low), (center - right) / (high - middle)
    if rise + fall <= 0.0:
        return rates[best]
    return math.exp((0.5 * (low + middle) * fall + 0.5 * (middle + high) * rise) / (rise + fall))


def _lowest_enough(rates: Sequence[float], means: np.ndarray) -> float:
    """Returns the lowest rate that gains enough, on a straight line in log rate between two sprints."""
    target = ENOUGH * float(means.max())
    index = int(np.argmax(means >= target))
    if index == 0:
        return rates[0]
    share = float((target - means[index - 1]) / (means[index] - means[index - 1]))
    return rates[index - 1] * (rates[index] / rates[index - 1]) ** share


def _same(rate: float, other: float) -> bool:
    return max(rate, other) <= SAME * min(rate, other)
