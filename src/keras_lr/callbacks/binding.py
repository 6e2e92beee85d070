"""Giving a schedule with units the length of the `fit` that it is used in, before the first update is traced."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

from keras_lr.backends import keras as machinery
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Bound, Every, Scaled, Schedule


@dataclasses.dataclass(frozen=True)
class Run:
    """What a callback knows of a `fit`: its length, where it begins, and how many steps the optimizer has counted."""

    steps_per_epoch: int | None
    epochs: int
    first_epoch: int
    counted: int


def bind_rates(model: Any, params: dict[str, Any], epoch: int) -> None:
    """Binds the schedules with units of a model's optimizers; called in the first `on_epoch_begin` of a `fit`.

    Args:
        model: The model that is being fitted.
        params: The callback's `params`, with "steps" and "epochs".
        epoch: The epoch that begins.

    Raises:
        ArgumentError: The length of the run is unknown, or the schedule was bound to another run.
    """
    for optimizer in machinery.optimizers_of(model):
        rate = machinery.rate_of(optimizer)
        if not isinstance(rate, Schedule):
            continue
        if optimizer.gradient_accumulation_steps and counts_steps(rate):
            warnings.warn(
                f"LearningRateMonitor: {rate!r} counts batches, but the optimizer makes an update only once in "
                f"{optimizer.gradient_accumulation_steps} batches. Use .every({optimizer.gradient_accumulation_steps}) to "
                "count updates, or lengths with units such as '3ep'.",
                stacklevel=2,
            )
        base = rate.schedule if isinstance(rate, Scaled) else rate
        if isinstance(base, Bound) or base.unbound:
            run = Run(params.get("steps"), params["epochs"], epoch, machinery.step_count(optimizer))
            bound = bound_for(base, run)
            if bound is not base:
                machinery.set_rate(optimizer, bound)
                machinery.retrace(model)


def bound_for(schedule: Schedule, run: Run) -> Schedule:
    """The schedule bound to a run, or as it is where it was bound to an equal one.

    Raises:
        ArgumentError: The run has no known length, differs from the one that the schedule was bound to, or its
            optimizer is ahead of it.
    """
    if run.steps_per_epoch is None:
        repair = "Pass steps_per_epoch to fit, or bind it yourself: schedule.bind(steps_per_epoch=100, epochs=10)"
        raise ArgumentError(
            "fit", "the schedule has units, but the number of steps is unknown", repair, schedule=schedule
        )
    repair = "Compile again for a new run, pass initial_epoch to go on, or use .bind for the whole length yourself"
    total = run.steps_per_epoch * run.epochs
    if isinstance(schedule, Bound) and schedule.total_steps != total:
        rule = f"the schedule was bound to {schedule.total_steps} steps by an earlier fit, and this one has {total}"
        raise ArgumentError("fit", rule, repair, schedule=schedule)
    begun = run.first_epoch * run.steps_per_epoch
    if run.counted > begun:
        rule = f"the optimizer has made {run.counted} updates, but this fit begins at update {begun}"
        if isinstance(schedule, Bound):
            rule = f"the schedule was bound to {schedule.total_steps} steps by an earlier fit, and {rule}"
        raise ArgumentError("fit", rule, repair, schedule=schedule)
    if begun - run.counted > run.steps_per_epoch:
        warnings.warn(
            f"fit begins at update {begun}, but the optimizer has counted {run.counted}: its state was lost, and the "
            "schedule starts there. Load the model with its optimizer.",
            stacklevel=2,
        )
    if isinstance(schedule, Bound):
        return schedule
    return schedule.bind(steps_per_epoch=run.steps_per_epoch, epochs=run.epochs)


def counts_steps(schedule: Schedule) -> bool:
    """Whether a length in it is a number of steps, outside of `.every`."""
    if isinstance(schedule, Every):
        return False
    own = any(isinstance(length, (int, float)) and length > 0 for length in schedule.own_lengths())
    return own or any(counts_steps(child) for child in schedule.children())
