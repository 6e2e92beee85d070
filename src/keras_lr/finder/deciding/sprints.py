"""Sprints: short trainings at one rate each, which show what a ramp can't: whether a rate goes on working. Imports no Keras.

All begin at the same weights and see the same batches, and one is made at rate 0, so that what a rate gains is measured batch
by batch: on rows that no sprint trains on, or where none can be kept apart, on the last batches trained on. The first three lie
around where the ramps had done half of their descent, half a decade apart; more follow until the best has a worse one above it
and one below it that gains less than seven tenths as much.
See docs/decisions/0029-sprints.md for how the numbers below were chosen.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

STEP = 10.0 ** (1 / 2)  # between two rates
ENOUGH = 0.7  # of the best gain: the lowest rate that gains so much is read
COUNTED = 0.5  # of a sprint, at its end: the updates whose losses count where no rows are kept apart
BLOCKS = 5  # of counted batches, left out in turn to see how far the reading depends on chance
MOST = 12  # sprints, besides that at rate 0
SAME = 1.001  # rates nearer than that are one
CLEAR, CLEAR_APART = 4.0, 3.0  # standard errors that a gain must have to count: in training, and on rows kept apart
ROUNDING = 1e-9  # of the loss: a gain below it is not one


@dataclasses.dataclass(frozen=True)
class Sprints:
    """What short trainings lost.

    Attributes:
        learning_rates: Rising.
        losses: For each rate the raw loss of every update; fewer where one was not finite.
        idle_losses: Those of the same batches at rate 0.
        unseen_losses: For each rate the losses of batches of rows that no sprint trains on, after its last update; none where
            it diverged, or where no rows are kept apart.
        idle_unseen_losses: Those at rate 0.
        optimizer: The name of the optimizer's class, which says what a long training makes of a rate.
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
        """The losses that are compared: at rate 0, and for each rate; none where it diverged."""
        if self.idle_unseen_losses:
            return np.asarray(self.idle_unseen_losses, np.float64), list(self.unseen_losses)
        start = self.steps - max(1, round(COUNTED * self.steps))
        ended = [losses[start:] if len(losses) == self.steps else () for losses in self.losses]
        return np.asarray(self.idle_losses[start:], np.float64), ended

    @property
    def gains(self) -> np.ndarray:
        """How much lower the loss of each counted batch was than without training, of shape (rates, batches).

        Minus infinity where the sprint diverged.
        """
        idle, ended = self.counted
        rows = [
            idle - np.asarray(losses, np.float64)
            if len(losses) == len(idle) and all(map(math.isfinite, losses))
            else np.full(len(idle), -np.inf)
            for losses in ended
        ]
        return np.asarray(rows).reshape(len(rows), len(idle))

    def of_training(self) -> Sprints:
        """Without the rows kept apart: gains are those of training."""
        return dataclasses.replace(self, unseen_losses=(), idle_unseen_losses=())

    def joined(self, rate: float, losses: tuple[float, ...], unseen: tuple[float, ...] = ()) -> Sprints:
        """With one more sprint."""
        place = int(np.searchsorted(self.learning_rates, rate))

        def put(values: tuple, value: object) -> tuple:
            return (*values[:place], value, *values[place:])

        return dataclasses.replace(
            self,
            learning_rates=put(self.learning_rates, rate),
            losses=put(self.losses, losses),
            unseen_losses=put(self.unseen_losses, unseen),
        )


@dataclasses.dataclass(frozen=True)
class Reading:
    """What sprints say.

    Attributes:
        enough: The lowest rate that gains seven tenths of what the best does.
        best: The rate of the best sprint.
        gain: Its mean gain.
        noise: The standard error of that, from batch to batch.
        spread: The standard error of `enough`, in decades, from leaving out a fifth of the batches in turn.
        clear: Whether the gain is more than noise.
    """

    enough: float
    best: float
    gain: float
    noise: float
    spread: float
    clear: bool


def next_sprint(sprints: Sprints, start: float, lowest: float, highest: float) -> float | None:
    """The rate of the next sprint, or None where enough is known.

    Args:
        sprints: Those that are made.
        start: Where to look first.
        lowest: No sprint has a lower rate.
        highest: No sprint has a higher one.
    """
    rates = sprints.learning_rates
    for wanted in (start, start / STEP, start * STEP):
        rate = min(max(wanted, lowest), highest)
        if not any(_same(rate, other) for other in rates):
            return rate
    if len(rates) >= MOST:
        return None
    gains = sprints.gains.mean(axis=1)
    best = int(np.argmax(gains))
    if best == len(rates) - 1 and math.isfinite(gains[best]) and not _same(rates[-1], highest):
        return min(rates[-1] * STEP, highest)
    known = gains[best] > 0.0 and gains[0] < ENOUGH * gains[best]
    if not known and gains.any() and not _same(rates[0], lowest):
        return max(rates[0] / STEP, lowest)
    return None


def deciding(sprints: Sprints) -> Sprints:
    """The sprints with the losses that decide: without the rows kept apart where these are too few to show a gain."""
    reading = read(sprints) if sprints.idle_unseen_losses else None
    return sprints if reading is not None and reading.clear else sprints.of_training()


def read(sprints: Sprints) -> Reading | None:
    """Which rate gains enough; None where every sprint diverged."""
    gains = sprints.gains
    means = gains.mean(axis=1)
    best = int(np.argmax(means))
    if not math.isfinite(means[best]):
        return None
    counted, gain = gains.shape[1], float(means[best])
    blocks = np.array_split(np.arange(counted), min(BLOCKS, counted))
    without = [
        _enough(sprints.learning_rates, np.delete(gains, block, axis=1)) for block in blocks if counted > len(block)
    ]
    noise = float(np.std(gains[best], ddof=1)) / math.sqrt(counted) if counted > 1 else 0.0
    errors = CLEAR_APART if sprints.idle_unseen_losses else CLEAR
    return Reading(
        enough=_enough(sprints.learning_rates, gains),
        best=sprints.learning_rates[best],
        gain=gain,
        noise=noise,
        spread=math.sqrt((len(without) - 1) * float(np.var(np.log10(without)))) if len(without) > 1 else 0.0,
        clear=gain > max(errors * noise, ROUNDING * abs(float(np.mean(sprints.counted[0])))),
    )


def _enough(rates: tuple[float, ...], gains: np.ndarray) -> float:
    """The lowest rate that gains enough, between two sprints along a straight line in log rate."""
    means = np.maximum(gains.mean(axis=1), 0.0)
    wanted = ENOUGH * float(means.max())
    index = int(np.argmax(means >= wanted))
    if index == 0:
        return rates[0]
    share = (wanted - means[index - 1]) / (means[index] - means[index - 1])
    return float(rates[index - 1] * (rates[index] / rates[index - 1]) ** share)


def _same(rate: float, other: float) -> bool:
    return max(rate, other) <= SAME * min(rate, other)
