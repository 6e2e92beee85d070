"""One ramp: updates at rising rates, the raw loss of each, until a rule says stop."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from keras_lr.backends.keras import micro_batches


class Stepper(Protocol):
    """What a backend offers: training updates of one model, always from the same start."""

    model: Any

    def reset(self) -> None: ...
    def trainable(self) -> list[Any]: ...
    def update(self, batch: tuple[Any, ...], learning_rate: float) -> float: ...
    def close(self) -> None: ...


class Counter(Protocol):
    """Where progress is told."""

    def step(self) -> None: ...


@dataclasses.dataclass(frozen=True)
class Ramp:
    """What one ramp measured: the raw loss of each rung that it reached, and why it ended there."""

    losses: tuple[float, ...]
    stop_reason: str


def climb(
    stepper: Stepper,
    batches: Iterator[tuple[Any, ...]],
    learning_rates: Sequence[float],
    stop: Callable[[Sequence[float]], str | None],
    counter: Counter,
) -> Ramp:
    """Trains one update at each rate in turn.

    Under gradient accumulation a rung is as many batches as make one update, and its loss is their mean.

    Args:
        stepper: The model's updates, at their start.
        batches: As many batches as it may take.
        learning_rates: The ladder.
        stop: Tells from the losses so far why to stop, or None.
        counter: Told of every rung.
    """
    losses: list[float] = []
    several = micro_batches(stepper.model)
    for rate in learning_rates:
        losses.append(sum(stepper.update(next(batches), rate) for _ in range(several)) / several)
        counter.step()
        reason = stop(losses)
        if reason is not None:
            return Ramp(tuple(losses), reason)
    return Ramp(tuple(losses), "reached_end")
