"""Gives a schedule with units the length of the `fit` that uses it, before the first update is traced."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

from keras_lr.backends import keras as machinery
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Bound, Every, Scaled, Schedule


@dataclasses.dataclass(frozen=True)
class FitSpan:
    """The part of a run that one `fit` trains: the run's length, the first epoch, and the steps counted before it."""

    steps_per_epoch: int | None
    epochs: int
    first_epoch: int
    counted: int


def bind_rates(where: str, model: Any, params: dict[str, Any], epoch: int) -> None:
    """Binds the schedules with units of a model's optimizers; called in the first `on_epoch_begin` of a `fit`.

    Args:
        where: The callback, for warnings.
        model: The model in `fit`.
        params: The callback's `params`, with "steps" and "epochs".
        epoch: The first epoch of this `fit`.

    Raises:
        ArgumentError: The length of the run is unknown, or the schedule was bound to another run.
    """
    for optimizer in machinery.optimizers_of(model):
        rate = machinery.rate_of(optimizer)
        if not isinstance(rate, Schedule):
            continue
        batches = optimizer.gradient_accumulation_steps
        if batches and counts_steps(rate):
            warnings.warn(
                f"{where}: {rate!r} counts batches, but the optimizer makes an update only once in {batches} batches. "
                f"Use .every({batches}) to count updates, or lengths with units such as '3ep'.",
                stacklevel=2,
            )
        base = rate.schedule if isinstance(rate, Scaled) else rate
        if isinstance(base, Bound) or base.unbound:
            span = FitSpan(params.get("steps"), params["epochs"], epoch, machinery.step_count(optimizer))
            bound = bound_for(base, span)
            if bound is not base:
                machinery.set_rate(optimizer, bound)
                machinery.retrace(model)


def bound_for(schedule: Schedule, span: FitSpan) -> Schedule:
    """Returns the schedule bound to the run of a `fit`, or as it is if it was bound to a run of the same length.

    Raises:
        ArgumentError: The run has no known length, differs from the one that the schedule was bound to, or its
            optimizer has already counted more steps.
    """
    if span.steps_per_epoch is None:
        rule = "the schedule has units, but the number of steps is unknown"
        repair = "Pass steps_per_epoch to fit, or bind it yourself: schedule.bind(steps_per_epoch=100, epochs=10)"
        raise ArgumentError("fit", rule, repair, schedule=schedule)
    repair = "Compile again for a new run, pass initial_epoch to continue, or use .bind for the whole length yourself"
    total, first_step = span.steps_per_epoch * span.epochs, span.first_epoch * span.steps_per_epoch
    earlier = ""
    if isinstance(schedule, Bound):
        earlier = f"the schedule was bound to {schedule.total_steps} steps by an earlier fit, and "
        if schedule.total_steps != total:
            raise ArgumentError("fit", f"{earlier}this one has {total}", repair, schedule=schedule)
    if span.counted > first_step:
        rule = f"{earlier}the optimizer has made {span.counted} updates, but this fit begins at update {first_step}"
        raise ArgumentError("fit", rule, repair, schedule=schedule)
    if first_step - span.counted > span.steps_per_epoch:
        warnings.warn(
            f"fit begins at update {first_step}, but the optimizer has counted {span.counted}: its state was lost, and "
            "the schedule starts there. Load the model with its optimizer.",
            stacklevel=2,
        )
    if isinstance(schedule, Bound):
        return schedule
    return schedule.bind(steps_per_epoch=span.steps_per_epoch, epochs=span.epochs)


def counts_steps(schedule: Schedule) -> bool:
    """Whether a length in it is a number of steps, outside of `.every`."""
    if isinstance(schedule, Every):
        return False
    own = any(isinstance(length, (int, float)) and length > 0 for length in schedule.own_lengths())
    return own or any(counts_steps(child) for child in schedule.children())
