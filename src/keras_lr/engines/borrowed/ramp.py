"""One ramp: updates at rising rates, the raw loss of each, until a rule says stop.

The updates are made in chunks, each one call of the backend, and the losses are looked at after each chunk. The curve is
cut where the rule would have stopped it, had it been asked after every update.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from keras_lr.backends.arrays import Chunk
from keras_lr.backends.keras import micro_batches

CHUNK, MOST = 25, 75  # updates between two looks at the losses, and how many at most where they are quick
QUICK = 0.01  # seconds: as many updates as take so long are made between two looks, within these bounds
TRAINED, LOOKED_AT = 8, 4  # of a rung of `restart`: updates before its loss counts, and updates whose losses count
Stop = Callable[[Sequence[float]], tuple[int, str] | None]


class Stepper(Protocol):
    """What a backend offers: training updates of one model, always from the same start."""

    model: Any

    def reset(self) -> None:
        """Goes back to the start."""

    def updates(self, chunk: Chunk, learning_rates: np.ndarray) -> dict[str, np.ndarray]:
        """One training step on each batch, at its own rate.

        Returns:
            Of each step the raw losses before it: "loss", and of a model with several outputs the loss of each by name.
        """
        ...

    def trainable(self) -> list[Any]:
        """The trainable values as they are now."""
        ...

    def evaluate(self, batches: Iterable[Any]) -> np.ndarray:
        """The loss of each batch by the model's own test step, as it is now."""
        ...

    def close(self) -> None:
        """Leaves the model as it was."""


class Source(Protocol):
    """Where batches come from.

    Attributes:
        whole: Whether every chunk is rows of the same data, so that a longer one costs nothing.
    """

    whole: bool

    def take(self, count: int) -> Chunk | None:
        """The next batches, at most `count` and at least one; fewer where the size changes; None at the end."""
        ...


class Progress(Protocol):
    """Where progress is told."""

    def step(self) -> None:
        """One rung is done."""


@dataclasses.dataclass(frozen=True)
class RampResult:
    """What one ramp measured: the raw loss of each rung that it reached, and why it ended there.

    Attributes:
        losses: The loss of each rung.
        stop_reason: What the rule said, "reached_end" or "data_ended".
        output_losses: The same for each output of a model with several, by the name that Keras logs.
    """

    losses: tuple[float, ...]
    stop_reason: str
    output_losses: dict[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)


def climb(
    stepper: Stepper, source: Source, learning_rates: Sequence[float], stop: Stop, counter: Progress
) -> RampResult:
    """Trains one update at each rate in turn.

    Under gradient accumulation a rung is as many batches as make one update, and its loss is their mean.

    Args:
        stepper: The model's updates, at their start.
        source: As many batches as it may take.
        learning_rates: The ladder.
        stop: Tells from the losses so far how many of them to keep and why to stop there, or None to go on.
        counter: Told of every rung.
    """
    several = micro_batches(stepper.model)
    rates = np.repeat(np.asarray(learning_rates, np.float64), several)
    kept: dict[str, list[float]] = {"loss": []}
    wanted = CHUNK * several
    while len(kept["loss"]) < len(rates):
        done, began = len(kept["loss"]), time.perf_counter()
        chunk = source.take(min(wanted, len(rates) - done))
        if chunk is None:
            return _ramp(kept, several, done // several, "data_ended")
        for name, losses in stepper.updates(chunk, rates[done : done + len(chunk)]).items():
            kept.setdefault(name, []).extend(losses.tolist())
        for _ in range(len(kept["loss"]) // several - done // several):
            counter.step()
        stopped = stop(_rungs(kept["loss"], several))
        if stopped is not None:
            return _ramp(kept, several, *stopped)
        if source.whole:
            quick = int(QUICK * len(chunk) / (time.perf_counter() - began))
            wanted = max(CHUNK * several, min(MOST, quick) // several * several)
    return _ramp(kept, several, len(learning_rates), "reached_end")


def restart(
    stepper: Stepper, source: Source, learning_rates: Sequence[float], stop: Stop, counter: Progress
) -> RampResult:
    """Trains a few updates at each rate, every time from the same start and on the same batches.

    The rate and the progress of training are not mixed up in such a curve. Twelve updates are made at each rate, and the
    loss of a rung is the mean of the raw losses of the last four, which are always of the same four batches (of as many
    more under gradient accumulation).

    Args:
        stepper: The model's updates.
        source: As many batches as it may take.
        learning_rates: The ladder.
        stop: Tells from the losses so far how many of them to keep and why to stop there, or None to go on.
        counter: Told of every rung.
    """
    several = micro_batches(stepper.model)
    wanted, chunks = (TRAINED + LOOKED_AT) * several, []
    while wanted > 0 and (chunk := source.take(wanted)) is not None:
        chunks.append(chunk)
        wanted -= len(chunk)
    kept: dict[str, list[float]] = {"loss": []}
    if wanted > 0:
        return _ramp(kept, 1, 0, "data_ended")
    for rate in learning_rates:
        stepper.reset()
        made = [stepper.updates(chunk, np.full(len(chunk), rate)) for chunk in chunks]
        for name in made[0]:
            losses = np.concatenate([one[name] for one in made])
            kept.setdefault(name, []).append(float(losses[-LOOKED_AT * several :].mean()))
        counter.step()
        stopped = stop(kept["loss"])
        if stopped is not None:
            return _ramp(kept, 1, *stopped)
    return _ramp(kept, 1, len(learning_rates), "reached_end")


def _rungs(losses: Sequence[float], several: int) -> list[float]:
    """The losses of whole rungs: each the mean of `several` batches in a row."""
    whole = len(losses) // several * several
    return list(losses) if several == 1 else np.reshape(losses[:whole], (-1, several)).mean(axis=1).tolist()


def _ramp(kept: dict[str, list[float]], several: int, rungs: int, reason: str) -> RampResult:
    means = {name: tuple(_rungs(losses, several)[:rungs]) for name, losses in kept.items()}
    return RampResult(means.pop("loss"), reason, means)
