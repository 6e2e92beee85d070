"""Numbers of an optimizer that may change with the step, beside its rate: a layer's factor, the momentum."""

from __future__ import annotations

import functools
from typing import Any

import keras

from keras_lr.backends import keras as machinery
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Bound, Schedule


def is_schedule(value: Any) -> bool:
    """Whether it is a schedule, Keras's or ours."""
    return isinstance(value, keras.optimizers.schedules.LearningRateSchedule)


def now(schedule: Any, optimizer: Any) -> Any:
    """The value of a schedule for the update that the optimizer is about to make, as a tensor."""
    return known(schedule, machinery.rate_of(optimizer))(machinery.counter_of(optimizer))


def known(schedule: Any, rate: Any) -> Any:
    """A schedule or number; a schedule with units takes the length of the run from the rate, which a callback has bound."""
    if isinstance(schedule, Schedule) and schedule.unbound:
        run = bound_in(rate)
        if run is None:
            raise ArgumentError(
                "schedule",
                "its lengths have units, and the optimizer's rate has no run to take them from",
                "Give the learning rate a schedule with units too, and fit a callback of keras-lr, or bind it yourself: "
                "schedule.bind(steps_per_epoch=100, epochs=10)",
                schedule=schedule,
            )
        return _bound_alike(schedule, run)
    return schedule


def bound_in(rate: Any) -> Bound | None:
    """The run that a rate was bound to: its own or that of a schedule inside it."""
    if isinstance(rate, Bound):
        return rate
    children = rate.children() if isinstance(rate, Schedule) else ()
    return next((bound for bound in map(bound_in, children) if bound is not None), None)


def serialized(value: Any) -> Any:
    """A number, a schedule or another registered object, as Keras saves it."""
    return value if isinstance(value, (int, float, str)) else keras.saving.serialize_keras_object(value)


def deserialized(value: Any) -> Any:
    """What `serialized` gave; anything else as it is."""
    return keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value


@functools.lru_cache(maxsize=256)
def _bound_alike(schedule: Schedule, run: Bound) -> Schedule:
    return schedule.bind(steps_per_epoch=run.steps_per_epoch, epochs=run.epochs, batch_size=run.batch_size)
