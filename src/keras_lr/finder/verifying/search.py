"""Chooses a rate by trials, short trainings: plans the next one, and reads all of them. Imports no Keras.

The first trials get a twentieth of the budget each. They are half a decade apart, until the best has a worse one on both
sides. The rest of the budget goes to three trials of equal length, a third of a decade apart, at lower rates, as longer
trainings need. The two best rates show how the best rate falls with the length of a training; the answer is the rate for a
length of half of the budget. No training at all is a candidate too: the model as it is, or trained at rate 0 if that
changes it. docs/decisions/0027-verify.md explains the numbers below.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

LEAST_BUDGET = 200  # updates: the shortest trials have ten
WHOLE = 10  # lengths are multiples of it, so that tenths of a schedule are whole updates
COARSE_SHARE = 0.05  # of the budget: the length of a first trial
COARSE_MOST = 0.5  # of the budget, for all first trials
COARSE_STEP = 10.0 ** (1 / 2)
DECADES = range(-6, 1)  # the first candidates without a start
LOWER = 10.0 ** (-1 / 2)  # middle rate of the longer trials / best rate of the first ones
FINE = 3  # longer trials
FINE_STEP = 10.0 ** (1 / 3)
BUDGETS = 2.0  # budget / length of the training that the answer is for
STEEPEST = 1.0  # the best rate falls at most in proportion to the length
ROUNDING = 1e-6  # of the loss: if training at rate 0 changes it by more, it changes the model (moving averages)
TRUST = 0.6  # weight of the trials beside the sprints, in log rate
SURE = 1.0  # standard errors that the fall must exceed; low, as a wrong refusal costs more than a vain training


@dataclasses.dataclass(frozen=True)
class ValidationLoss:
    """The validation loss of each batch, and its number of examples. Empty if the training diverged."""

    losses: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def mean(self) -> float:
        """The mean over all examples; infinite if the training diverged."""
        return float(np.average(self.losses, weights=self.sizes)) if self.losses else math.inf

    def above(self, other: ValidationLoss) -> tuple[float, float]:
        """Returns how much higher this is than another, and the standard error of that, from batch to batch."""
        if not other.losses:
            return -math.inf, 0.0
        differences = np.asarray(self.losses) - np.asarray(other.losses)
        error = float(np.std(differences, ddof=1)) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
        return self.mean - other.mean, error


@dataclasses.dataclass(frozen=True)
class Trial:
    """A short training.

    Attributes:
        learning_rate: Its rate, or the peak of its schedule; 0 shows what training changes besides the weights.
        updates: Its planned length.
        validation_loss: The loss at its end; infinite if it diverged.
    """

    learning_rate: float
    updates: int
    validation_loss: float


@dataclasses.dataclass(frozen=True)
class Verification:
    """The trials of `verify`, and the rate that they choose.

    Attributes:
        learning_rate: The answer, or None if no trial lowered the loss.
        interval: The next candidates on both sides, or None.
        reason: What the trials showed, in a sentence or two.
        untrained_loss: The validation loss before training; after training at rate 0 if that changes moving averages.
        trials: The trials in their order; the longest come last.
        updates: The number of updates that all trials used.
        horizon: The length in updates of the training that the answer is for.
    """

    learning_rate: float | None
    interval: tuple[float, float] | None
    reason: str
    untrained_loss: float
    trials: tuple[Trial, ...]
    updates: int
    horizon: int


Train = Callable[[float, int], tuple[ValidationLoss, int]]
"""Trains at a rate for a number of updates; returns the validation loss and the updates, fewer if it diverged."""


class _Search:
    """Runs trials and counts their updates."""

    def __init__(self, train: Train, budget: int) -> None:
        self._train = train
        self.budget, self.spent = budget, 0
        self.trials: list[Trial] = []
        self.outcomes: dict[float, ValidationLoss] = {}

    def run(self, rate: float, updates: int) -> float:
        """Runs a trial, and returns its loss."""
        loss, count = self._train(rate, updates)
        self.spent += count
        self.trials.append(Trial(rate, updates, loss.mean))
        self.outcomes[rate] = loss
        return loss.mean


def verify(train: Train, start: float | None, budget: int, untrained: ValidationLoss) -> Verification:
    """Runs trials within a budget and picks a rate.

    Args:
        train: Runs one trial.
        start: The middle rate of the first trials; None: one per decade.
        budget: Updates to spend, at least `LEAST_BUDGET`.
        untrained: The validation loss before any update.
    """
    search = _Search(train, budget)
    short = whole(budget * COARSE_SHARE)
    drift = abs(search.run(0.0, WHOLE) - untrained.mean) / WHOLE
    coarse = lowest(*_coarse(search, start, short), untrained.mean)
    length = whole((budget - search.spent) / FINE)
    rates, untrained = _fine(search, coarse * LOWER, length, drift * length, untrained)
    losses = [search.outcomes[rate].mean for rate in rates]
    fine, horizon = lowest(rates, losses, untrained.mean), budget / BUDGETS
    slope = math.log(coarse / fine) / math.log(length / short)
    answer = fine * (length / horizon) ** min(max(slope, 0.0), STEEPEST)
    best = rates[int(np.argmin(losses))]
    fall, error = untrained.above(search.outcomes[best])
    helps = fall > max(SURE * error, ROUNDING * abs(untrained.mean))
    reason = (
        f"{len(search.trials)} short trainings, {search.spent} updates in all: after {length} updates the validation loss "
        f"is lowest at {best:.2g}, {min(losses):.3g} against {untrained.mean:.3g} untrained."
    )
    if helps:
        reason = f"{reason} The answer is for a training of {horizon:.0f} updates."
    else:
        reason = f"No rate improves the validation loss. {reason} Don't train, or check labels and data."
    return Verification(
        learning_rate=answer if helps else None,
        interval=(answer / FINE_STEP, answer * FINE_STEP) if helps else None,
        reason=reason,
        untrained_loss=untrained.mean,
        trials=tuple(search.trials),
        updates=search.spent,
        horizon=round(horizon),
    )


def pool(trials: Verification, rate: float | None) -> tuple[float | None, tuple[float, float] | None]:
    """Returns the rate of the trials, corrected by the rate of the sprints, and the interval around it.

    Args:
        trials: What the trials show.
        rate: What the sprints show, or None.
    """
    chosen = trials.learning_rate
    if chosen is None or rate is None:
        return chosen, trials.interval
    pooled = chosen**TRUST * rate ** (1.0 - TRUST)
    return pooled, (pooled / FINE_STEP, pooled * FINE_STEP)


def whole(updates: float) -> int:
    """Rounds a number of updates down to a multiple of ten."""
    return int(updates) // WHOLE * WHOLE


def _coarse(search: _Search, start: float | None, length: int) -> tuple[list[float], list[float]]:
    """Runs the first trials around the start, and more on the side of the best while it is at an end."""
    if start is None:
        rates, step = [10.0**decade for decade in DECADES], 10.0
    else:
        rates, step = [start / COARSE_STEP, start, start * COARSE_STEP], COARSE_STEP
    losses = {rate: search.run(rate, length) for rate in rates}
    while search.spent + length <= COARSE_MOST * search.budget:
        best = min(losses, key=losses.__getitem__)
        if best not in (min(losses), max(losses)):
            break
        rate = best / step if best == min(losses) else best * step
        losses[rate] = search.run(rate, length)
    if start is None:
        best = min(losses, key=losses.__getitem__)
        losses |= {rate: search.run(rate, length) for rate in (best / COARSE_STEP, best * COARSE_STEP)}
    rates = sorted(losses)
    return rates, [losses[rate] for rate in rates]


def _fine(
    search: _Search, center: float, length: int, drift: float, untrained: ValidationLoss
) -> tuple[list[float], ValidationLoss]:
    """Runs the longer trials, and returns their rates and the loss without training.

    Two lie around the center. The third is beyond the better of them, or at rate 0 if `drift` explains their fall.
    """
    low, high = rates = [center / FINE_STEP**0.5, center * FINE_STEP**0.5]
    for rate in rates:
        search.run(rate, length)
    fall = untrained.mean - min(search.outcomes[rate].mean for rate in rates)
    if drift > ROUNDING * abs(untrained.mean) and fall <= drift:
        search.run(0.0, length)
        return rates, search.outcomes[0.0]
    lower = search.outcomes[low].mean < search.outcomes[high].mean
    rates = [low / FINE_STEP, low, high] if lower else [low, high, high * FINE_STEP]
    search.run(rates[0] if lower else rates[-1], length)
    return rates, untrained


def lowest(rates: Sequence[float], losses: Sequence[float], highest_loss: float) -> float:
    """Returns the lowest point of the parabola, in log rate, through the best candidate and its neighbours.

    Losses above `highest_loss` count as that. A best candidate at an end is the answer itself.

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
