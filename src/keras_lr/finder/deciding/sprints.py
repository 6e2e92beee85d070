"""Sprints: trainings of a few dozen updates at one rate each, which show whether a rate keeps working. Imports no Keras.

All start from the same weights and use the same batches. One has rate 0, so that gains are measured batch by batch: on a
holdout, or without one, on the last batches that the sprints train on. The first three sprints are half a decade apart,
around the rate at which half of the ramps' descent is complete. More follow until the best one has a worse one above it,
and one below it that gains less than seven tenths as much. docs/decisions/0029-sprints.md explains the numbers below.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

STEP = 10.0 ** (1 / 2)  # ratio of two neighbouring rates
ENOUGH = 0.7  # share of the best gain; the lowest rate that gains it decides
TAIL = 0.5  # share of a sprint, at its end, whose losses count without a holdout
BLOCKS = 5  # of the batches that count: each is left out in turn to measure the spread
MOST = 12  # sprints, without the one at rate 0
SAME = 1.001  # two rates within this ratio count as one
CLEAR, CLEAR_HOLDOUT = 4.0, 3.0  # standard errors that a gain must exceed: in training, and on the holdout
ROUNDING = 1e-9  # of the loss: smaller gains do not count


@dataclasses.dataclass(frozen=True)
class Sprints:
    """The losses of sprints.

    Attributes:
        learning_rates: One for each sprint, rising.
        losses: For each rate the raw loss of every update; fewer if one was not finite.
        idle_losses: The losses of the same batches at rate 0.
        unseen_losses: For each rate the losses of the holdout's batches after the last update; empty if the sprint diverged,
            or without a holdout.
        idle_unseen_losses: The losses of the holdout's batches at rate 0.
        optimizer: The name of the optimizer's class; some need another rate in a long training.
    """

    learning_rates: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]
    idle_losses: tuple[float, ...]
    unseen_losses: tuple[tuple[float, ...], ...] = ()
    idle_unseen_losses: tuple[float, ...] = ()
    optimizer: str = ""

    @property
    def steps(self) -> int:
        """Updates of a sprint."""
        return len(self.idle_losses)

    @property
    def counted(self) -> tuple[np.ndarray, list[tuple[float, ...]]]:
        """The losses that are compared: at rate 0, and for each rate; empty if the sprint diverged."""
        if self.idle_unseen_losses:
            return np.asarray(self.idle_unseen_losses, np.float64), list(self.unseen_losses)
        start = self.steps - max(1, round(TAIL * self.steps))
        tails = [losses[start:] if len(losses) == self.steps else () for losses in self.losses]
        return np.asarray(self.idle_losses[start:], np.float64), tails

    @property
    def gains(self) -> np.ndarray:
        """The decrease of each batch's loss against rate 0, of shape (rates, batches); -inf for a sprint that diverged."""
        idle, every = self.counted
        rows = [
            idle - np.asarray(losses, np.float64)
            if len(losses) == len(idle) and all(map(math.isfinite, losses))
            else np.full(len(idle), -np.inf)
            for losses in every
        ]
        return np.asarray(rows).reshape(len(rows), len(idle))

    def of_training(self) -> Sprints:
        """Returns the same without the holdout, so that gains are those in training."""
        return dataclasses.replace(self, unseen_losses=(), idle_unseen_losses=())

    def with_sprint(self, rate: float, losses: tuple[float, ...], holdout: tuple[float, ...] = ()) -> Sprints:
        """Returns the same with one more sprint."""
        place = int(np.searchsorted(self.learning_rates, rate))

        def insert(values: tuple, value: object) -> tuple:
            return (*values[:place], value, *values[place:])

        return dataclasses.replace(
            self,
            learning_rates=insert(self.learning_rates, rate),
            losses=insert(self.losses, losses),
            unseen_losses=insert(self.unseen_losses, holdout),
        )


@dataclasses.dataclass(frozen=True)
class Reading:
    """What sprints show.

    Attributes:
        enough: The lowest rate that gains seven tenths of the best gain.
        best: The rate with the highest mean gain.
        gain: That gain.
        noise: Its standard error, from batch to batch.
        spread: The standard error of `enough` in decades, from leaving out a fifth of the batches in turn.
        clear: Whether the gain exceeds the noise.
    """

    enough: float
    best: float
    gain: float
    noise: float
    spread: float
    clear: bool


def next_sprint(sprints: Sprints, start: float, lowest: float, highest: float) -> float | None:
    """Returns the rate of the next sprint, or None if the sprints suffice.

    The first sprint has the rate `start`; none is below `lowest` or above `highest`.
    """
    rates = sprints.learning_rates
    for target in (start, start / STEP, start * STEP):
        rate = min(max(target, lowest), highest)
        if not any(_same(rate, other) for other in rates):
            return rate
    if len(rates) >= MOST:
        return None
    gains = sprints.gains.mean(axis=1)
    best = int(np.argmax(gains))
    if best == len(rates) - 1 and math.isfinite(gains[best]) and not _same(rates[-1], highest):
        return min(rates[-1] * STEP, highest)
    bounded = gains[best] > 0.0 and gains[0] < ENOUGH * gains[best]
    if not bounded and gains.any() and not _same(rates[0], lowest):
        return max(rates[0] / STEP, lowest)
    return None


def choose_losses(sprints: Sprints) -> Sprints:
    """Returns the sprints with the losses that decide: without a holdout that is too small to show a gain."""
    reading = read(sprints) if sprints.idle_unseen_losses else None
    return sprints if reading is not None and reading.clear else sprints.of_training()


def read(sprints: Sprints) -> Reading | None:
    """Reads which rate gains enough; None if every sprint diverged."""
    gains = sprints.gains
    means = gains.mean(axis=1)
    best = int(np.argmax(means))
    if not math.isfinite(means[best]):
        return None
    rates, count, gain = sprints.learning_rates, gains.shape[1], float(means[best])
    blocks = np.array_split(np.arange(count), min(BLOCKS, count))
    without = [_enough(rates, np.delete(gains, block, axis=1)) for block in blocks if count > len(block)]
    noise = float(np.std(gains[best], ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    errors = CLEAR_HOLDOUT if sprints.idle_unseen_losses else CLEAR
    return Reading(
        enough=_enough(rates, gains),
        best=rates[best],
        gain=gain,
        noise=noise,
        spread=math.sqrt((len(without) - 1) * float(np.var(np.log10(without)))) if len(without) > 1 else 0.0,
        clear=gain > max(errors * noise, ROUNDING * abs(float(np.mean(sprints.counted[0])))),
    )


def _enough(rates: tuple[float, ...], gains: np.ndarray) -> float:
    """Returns the lowest rate that gains enough, on a straight line in log rate between two sprints."""
    means = np.maximum(gains.mean(axis=1), 0.0)
    target = ENOUGH * float(means.max())
    index = int(np.argmax(means >= target))
    if index == 0:
        return rates[0]
    share = (target - means[index - 1]) / (means[index] - means[index - 1])
    return float(rates[index - 1] * (rates[index] / rates[index - 1]) ** share)


def _same(rate: float, other: float) -> bool:
    return max(rate, other) <= SAME * min(rate, other)
