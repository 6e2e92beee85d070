"""The settings of an optimizer, beside its rate, that may change with the step: a layer's factor, the momentum."""

from __future__ import annotations

import functools
from typing import Any

import keras

from keras_lr.backends import keras as machinery
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Bound, Schedule


def is_schedule(value: Any) -> bool:
    """Whether a value is a schedule of Keras or keras-lr."""
    return isinstance(value, keras.optimizers.schedules.LearningRateSchedule)


def now(value: Any, optimizer: Any) -> Any:
    """Returns a number as it is; the value of a schedule for the optimizer's next update, as a tensor."""
    if not is_schedule(value):
        return value
    return for_run(value, machinery.rate_of(optimizer))(machinery.counter_of(optimizer))


def for_run(value: Any, rate: Any) -> Any:
    """Returns a schedule or number; a schedule with units is bound to the run that a callback has bound the rate to."""
    if not (isinstance(value, Schedule) and value.unbound):
        return value
    run = _bound_in(rate)
    if run is None:
        rule = "its lengths have units, and the optimizer's rate has no run to take them from"
        repair = (
            "Give the learning rate a schedule with units too, and fit a callback of keras-lr, or bind it yourself: "
            "schedule.bind(steps_per_epoch=100, epochs=10)"
        )
        raise ArgumentError("schedule", rule, repair, schedule=value)
    return _bind_alike(value, run)


def _bound_in(rate: Any) -> Bound | None:
    """The bound schedule of a rate: itself, or one inside it."""
    if isinstance(rate, Bound):
        return rate
    children = rate.children() if isinstance(rate, Schedule) else ()
    return next((bound for bound in map(_bound_in, children) if bound is not None), None)


def serialized(value: Any) -> Any:
    """Returns a number, a schedule or another registered object as Keras saves it."""
    return value if isinstance(value, (int, float, str)) else keras.saving.serialize_keras_object(value)


def deserialized(value: Any) -> Any:
    """Returns what `serialized` saved; any other value unchanged."""
    return keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value


@functools.lru_cache(maxsize=256)
def _bind_alike(schedule: Schedule, run: Bound) -> Schedule:
    return schedule.bind(steps_per_epoch=run.steps_per_epoch, epochs=run.epochs, batch_size=run.batch_size)
