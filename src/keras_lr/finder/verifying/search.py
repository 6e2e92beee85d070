"""Choosing a rate by short trainings: which to make next, and what they say together. Imports no Keras.

First come trainings of a twentieth of the budget each, half a decade apart, until the best has a worse one on both sides. The
rest of the budget goes to three of equal length, a third of a decade apart. Longer trainings want lower rates, so these lie lower.
By how much lower their best is says how the best rate falls with the length of a training, and what it is for one of half
of the budget. Not to train is a candidate: the model as it came, or trained at rate 0 where that changes it. See docs/decisions/0027-verify.md for how the numbers below were chosen.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

LEAST_BUDGET = 200  # updates: the shortest trainings have ten
WHOLE = 10  # lengths are multiples of it, so that shares of a schedule are whole updates
COARSE_SHARE = 0.05  # of the budget: the length of a first training
COARSE_MOST = 0.5  # of the budget, for all first trainings
COARSE_STEP = 10.0 ** (1 / 2)
DECADES = range(-6, 1)  # the first candidates where nothing is known
LOWER = 10.0 ** (-1 / 2)  # middle of the longer trainings' rates / best of the short ones
FINE = 3  # longer trainings
FINE_STEP = 10.0 ** (1 / 3)
BUDGETS = 2.0  # the budget is so many times the training that the answer is for
STEEPEST = 1.0  # the best rate falls at most as fast as the length grows: as if only their product counted
ROUNDING = 1e-6  # of the loss: training at rate 0 that changes it by more changes the model (moving averages)
SURE = 1.0  # standard errors of its fall: with less the model is not to be trained; to refuse wrongly costs more than a try


@dataclasses.dataclass(frozen=True)
class Validated:
    """The loss on the validation data: of each batch, with the examples in it. No losses: the training diverged."""

    losses: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def mean(self) -> float:
        """Over all examples; infinite where the training diverged."""
        return float(np.average(self.losses, weights=self.sizes)) if self.losses else math.inf

    def above(self, other: Validated) -> tuple[float, float]:
        """How much higher this is than another, and the standard error of that, from batch to batch."""
        if not other.losses:
            return -math.inf, 0.0
        differences = np.asarray(self.losses) - np.asarray(other.losses)
        error = float(np.std(differences, ddof=1)) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
        return self.mean - other.mean, error


@dataclasses.dataclass(frozen=True)
class Trial:
    """A short training.

    Attributes:
        learning_rate: Its rate, or the peak of its schedule; 0 to see what training changes besides the weights.
        updates: How long it was to be.
        validation_loss: At its end; infinite where it diverged.
    """

    learning_rate: float
    updates: int
    validation_loss: float


@dataclasses.dataclass(frozen=True)
class Verification:
    """Short trainings, and what they come to.

    Attributes:
        learning_rate: The rate to take, or None where no training helped.
        interval: The candidates next to it on both sides, or None.
        reason: What the trials showed, in a sentence or two.
        untrained_loss: The validation loss of the model as it came, or where moving averages change by training alone, of
            one trained at rate 0.
        trials: The trainings in the order in which they were made; the longest come last.
        updates: Updates made in all.
        horizon: Updates of the training that the answer is for.
    """

    learning_rate: float | None
    interval: tuple[float, float] | None
    reason: str
    untrained_loss: float
    trials: tuple[Trial, ...]
    updates: int
    horizon: int


Train = Callable[[float, int], tuple[Validated, int]]
"""Trains at a rate for so many updates; gives the validation loss and the updates made, fewer where it diverged."""


class _Search:
    """Makes trials as long as there is budget."""

    def __init__(self, train: Train, budget: int) -> None:
        self._train = train
        self.budget, self.spent = budget, 0
        self.trials: list[Trial] = []
        self.outcomes: dict[float, Validated] = {}

    def make(self, rate: float, updates: int) -> float:
        """One trial; gives its loss."""
        validated, made = self._train(rate, updates)
        self.spent += made
        self.trials.append(Trial(rate, updates, validated.mean))
        self.outcomes[rate] = validated
        return validated.mean


def verify(train: Train, start: float | None, budget: int, untrained: Validated) -> Verification:
    """Makes short trainings and picks a rate.

    Args:
        train: Makes one.
        start: Where to look first; None where nothing is known.
        budget: Updates to spend, at least `LEAST_BUDGET`.
        untrained: The validation loss before any update.
    """
    search = _Search(train, budget)
    short = whole(budget * COARSE_SHARE)
    drift = abs(search.make(0.0, WHOLE) - untrained.mean) / WHOLE
    coarse = lowest(*_coarse(search, start, short), untrained.mean)
    length = whole((budget - search.spent) / FINE)
    rates = _two(search, coarse * LOWER, length)
    if _due_to_drift(search, rates, drift * length, untrained.mean):
        search.make(0.0, length)
        untrained = search.outcomes[0.0]
    else:
        rates = _third(search, rates, length)
    losses = [search.outcomes[rate].mean for rate in rates]
    fine, horizon = lowest(rates, losses, untrained.mean), budget / BUDGETS
    slope = math.log(coarse / fine) / math.log(length / short)
    answer = fine * (length / horizon) ** min(max(slope, 0.0), STEEPEST)
    best = rates[int(np.argmin(losses))]
    fall, error = untrained.above(search.outcomes[best])
    helps = fall > max(SURE * error, ROUNDING * abs(untrained.mean))
    told = (
        f"{len(search.trials)} short trainings, {search.spent} updates in all: after {length} updates the validation loss "
        f"is lowest at {best:.2g}, {min(losses):.3g} against {untrained.mean:.3g} untrained."
    )
    return Verification(
        learning_rate=answer if helps else None,
        interval=(answer / FINE_STEP, answer * FINE_STEP) if helps else None,
        reason=f"{told} The answer is for a training of {horizon:.0f} updates."
        if helps
        else f"No rate improves the validation loss. {told} Don't train, or check labels and data.",
        untrained_loss=untrained.mean,
        trials=tuple(search.trials),
        updates=search.spent,
        horizon=round(horizon),
    )


def whole(updates: float) -> int:
    """A number of updates, cut to a multiple of ten."""
    return int(updates) // WHOLE * WHOLE


def _coarse(search: _Search, start: float | None, length: int) -> tuple[list[float], list[float]]:
    """Short trainings around the start, and further to the side of the best as long as that is at an end."""
    if start is None:
        rates, step = [10.0**decade for decade in DECADES], 10.0
    else:
        rates, step = [start / COARSE_STEP, start, start * COARSE_STEP], COARSE_STEP
    losses = {rate: search.make(rate, length) for rate in rates}
    while search.spent + length <= COARSE_MOST * search.budget:
        best = min(losses, key=losses.__getitem__)
        if best not in (min(losses), max(losses)):
            break
        rate = best / step if best == min(losses) else best * step
        losses[rate] = search.make(rate, length)
    if start is None:
        best = min(losses, key=losses.__getitem__)
        losses |= {rate: search.make(rate, length) for rate in (best / COARSE_STEP, best * COARSE_STEP)}
    rates = sorted(losses)
    return rates, [losses[rate] for rate in rates]


def _two(search: _Search, center: float, length: int) -> list[float]:
    """The first two longer trainings, around the center."""
    rates = [center / FINE_STEP**0.5, center * FINE_STEP**0.5]
    for rate in rates:
        search.make(rate, length)
    return rates


def _third(search: _Search, rates: list[float], length: int) -> list[float]:
    """The third one, beyond the better of the two."""
    low, high = rates
    lower = search.outcomes[low].mean < search.outcomes[high].mean
    rates = [low / FINE_STEP, low, high] if lower else [low, high, high * FINE_STEP]
    search.make(rates[0] if lower else rates[-1], length)
    return rates


def _due_to_drift(search: _Search, rates: list[float], drift: float, untrained: float) -> bool:
    """Whether what training changes at rate 0 too could explain the fall of the loss."""
    fall = untrained - min(search.outcomes[rate].mean for rate in rates)
    return drift > ROUNDING * abs(untrained) and fall <= drift


def lowest(rates: Sequence[float], losses: Sequence[float], highest_loss: float) -> float:
    """The rate at the lowest point of the parabola through the best candidate and its neighbours, in log rate.

    Losses above `highest_loss` count as that. At an end there is no such parabola, and the answer is the end.

    Example:
        >>> round(lowest([0.01, 0.1, 1.0], [2.0, 1.0, 2.0], 9.0), 6)
        0.1
    """
    values = [min(loss, highest_loss) for loss in losses]
    best = int(np.argmin(losses))
    if best in (0, len(rates) - 1):
        return rates[best]
    low, middle, high = (math.log(rate) for rate in rates[best - 1 : best + 2])
    left, center, right = values[best - 1 : best + 2]
    fall, rise = (left - center) / (middle - low), (right - center) / (high - middle)
    if fall + rise <= 0.0:
        return rates[best]
    vertex = 0.5 * (low + middle) * rise / (fall + rise) + 0.5 * (middle + high) * fall / (fall + rise)
    return math.exp(vertex)
