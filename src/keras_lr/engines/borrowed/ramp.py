"""One ramp: updates at rising rates, and the raw loss of each, until a rule stops it.

The updates run in chunks, each one call of the backend, and the rule sees the losses after each chunk. It cuts the curve where
it would have stopped the ramp if it had seen the losses after every update.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from keras_lr.backends.arrays import Chunk
from keras_lr.backends.keras import micro_batches
from keras_lr.backends.protocols import Stepper

CHUNK, MOST = 25, 75  # updates in a chunk; quick updates run in larger chunks, up to the second number
QUICK = 0.01  # seconds that a larger chunk takes at most
WARMUP, MEASURED = 8, 4  # updates at each rate of `restart`: before its loss counts, and those whose losses count
Stop = Callable[[Sequence[float]], tuple[int, str] | None]
"""Gets the losses so far. Returns how many of them to keep and the reason to stop, or None to continue."""


class Source(Protocol):
    """Provides batches.

    Attributes:
        whole: Whether all chunks share the same data, so that a longer chunk costs no memory.
    """

    whole: bool

    def take(self, count: int) -> Chunk | None:
        """Returns the next batches: `count`, or fewer (at least one) where their size changes; None at the end."""


class Progress(Protocol):
    """Shows progress."""

    def step(self) -> None:
        """Counts one update, or in `restart` one rate."""


@dataclasses.dataclass(frozen=True)
class RampResult:
    """What one ramp measured.

    Attributes:
        losses: The raw loss at each rate, up to where the ramp ended.
        stop_reason: The reason of the rule, or "reached_end" or "data_ended".
        output_losses: The same for each output of a model with several, by the name that Keras logs.
        updates: The updates that this took, with the rest of the last chunk; larger chunks count as those of the usual size,
            so that the number does not depend on the speed.
    """

    losses: tuple[float, ...]
    stop_reason: str
    output_losses: dict[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    updates: int = 0


def climb(
    stepper: Stepper, source: Source, learning_rates: Sequence[float], stop: Stop, progress: Progress
) -> RampResult:
    """Trains one update at each rate in turn, from the stepper's current state; `progress` counts the updates.

    Under gradient accumulation an update uses several batches, and its loss is their mean.
    """
    batches = micro_batches(stepper.model)
    rates = np.repeat(np.asarray(learning_rates, np.float64), batches)
    history: dict[str, list[float]] = {"loss": []}
    size = CHUNK * batches
    while len(history["loss"]) < len(rates):
        first, start = len(history["loss"]), time.perf_counter()
        chunk = source.take(min(size, len(rates) - first))
        if chunk is None:
            return _result(history, batches, first // batches, "data_ended")
        for name, losses in stepper.updates(chunk, rates[first : first + len(chunk)]).items():
            history.setdefault(name, []).extend(losses.tolist())
        for _ in range(len(history["loss"]) // batches - first // batches):
            progress.step()
        end = stop(_means(history["loss"], batches))
        if end is not None:
            updates = min(len(learning_rates), -(-end[0] // CHUNK) * CHUNK)
            return dataclasses.replace(_result(history, batches, *end), updates=updates)
        if source.whole:
            quick = int(QUICK * len(chunk) / (time.perf_counter() - start))
            size = max(CHUNK * batches, min(MOST, quick) // batches * batches)
    return _result(history, batches, len(learning_rates), "reached_end")


def restart(
    stepper: Stepper, source: Source, learning_rates: Sequence[float], stop: Stop, progress: Progress
) -> RampResult:
    """Trains twelve updates at each rate, always from the same start and on the same batches.

    The curve shows the effect of the rate without the progress of training. The loss of a rate is the mean of the raw
    losses of its last four updates; `progress` counts the rates.
    """
    batches = micro_batches(stepper.model)
    missing, chunks = (WARMUP + MEASURED) * batches, []
    while missing > 0 and (chunk := source.take(missing)) is not None:
        chunks.append(chunk)
        missing -= len(chunk)
    history: dict[str, list[float]] = {"loss": []}
    end = (0, "data_ended") if missing > 0 else None
    for rate in learning_rates if end is None else ():
        stepper.reset()
        parts = [stepper.updates(chunk, np.full(len(chunk), rate)) for chunk in chunks]
        for name in parts[0]:
            losses = np.concatenate([part[name] for part in parts])
            history.setdefault(name, []).append(float(losses[-MEASURED * batches :].mean()))
        progress.step()
        end = stop(history["loss"])
        if end is not None:
            break
    count, reason = end or (len(learning_rates), "reached_end")
    updates = len(history["loss"]) * (WARMUP + MEASURED)
    return dataclasses.replace(_result(history, 1, count, reason), updates=updates)


def _means(losses: Sequence[float], batches: int) -> list[float]:
    """Returns the loss of each whole update: the mean over its batches."""
    whole = len(losses) // batches * batches
    return list(losses) if batches == 1 else np.reshape(losses[:whole], (-1, batches)).mean(axis=1).tolist()


def _result(history: dict[str, list[float]], batches: int, count: int, reason: str) -> RampResult:
    means = {name: tuple(_means(losses, batches)[:count]) for name, losses in history.items()}
    return RampResult(means.pop("loss"), reason, means, updates=count)
