"""The schedules of Keras."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

import keras

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Piecewise,
    Polynomial,
    PowerLaw,
    Schedule,
    StepDecay,
)
from keras_lr.schedules.importers.extra_schedules import Excerpt, UnevenRepeat, falling, rising, steps_of
from keras_lr.schedules.importers.registry import Natural, Peer, Rate

WHERE = "from_keras"
PEER = Peer(WHERE)


def schedule_of(schedule: Any) -> Schedule:
    """Returns a schedule object of Keras, or a number, as a schedule of keras-lr."""
    if isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, (int, float)):
        return Constant(checks.at_least_zero(WHERE, schedule=schedule))
    name = type(schedule).__name__
    if type(schedule) is not getattr(keras.optimizers.schedules, name, None):
        repair = f"Pass one of {', '.join(sorted(PEER.builders))}, or wrap another with keras_lr.Function"
        raise ArgumentError(WHERE, "the class isn't one of Keras's own schedules", repair, schedule=schedule)
    arguments = schedule.get_config()
    arguments.pop("name", None)
    return PEER.build(name, arguments)


def _float_rate(where: str, *, initial_learning_rate: Any) -> float:
    """Checks the first rate, from which Keras takes the precision of its arithmetic."""
    if isinstance(initial_learning_rate, int):
        rule = (
            "initial_learning_rate must be a float: Keras computes in whole numbers from an int, and most rates are 0"
        )
        raise ArgumentError(where, rule, "Write it with a point", initial_learning_rate=initial_learning_rate)
    return checks.at_least_zero(where, initial_learning_rate=initial_learning_rate)


FloatRate = Annotated[float, _float_rate]


@PEER.entry("ExponentialDecay")
def _exponential(
    initial_learning_rate: FloatRate, decay_steps: float, decay_rate: float, staircase: bool = False
) -> Schedule:
    if staircase:
        return StepDecay(initial_learning_rate, float(decay_rate), steps_of(WHERE, 1, decay_steps=decay_steps))
    return Exponential(initial_learning_rate, decay_rate, decay_steps)


@PEER.entry("InverseTimeDecay")
def _inverse_time(
    initial_learning_rate: FloatRate, decay_steps: float, decay_rate: float, staircase: bool = False
) -> Schedule:
    if staircase:
        return InverseTime(initial_learning_rate, decay_rate).every(steps_of(WHERE, 1, decay_steps=decay_steps))
    return InverseTime(initial_learning_rate, decay_rate, decay_steps)


@PEER.entry("PiecewiseConstantDecay")
def _piecewise(boundaries: Any, values: Any) -> Schedule:
    ends = [int(boundary) for boundary in boundaries]  # Keras casts them to the type of the step
    if not ends or any(late <= early for early, late in itertools.pairwise(ends)):
        rule = "boundaries must rise, and there must be at least one"
        raise ArgumentError(WHERE, rule, "Sort them and leave out duplicates", boundaries=list(boundaries))
    past = sum(end < 0 for end in ends)
    return Piecewise([end + 1 for end in ends[past:]], [float(value) for value in values[past:]])  # type: ignore[arg-type]


@PEER.entry("PolynomialDecay")
def _polynomial(
    initial_learning_rate: FloatRate,
    decay_steps: Natural,
    end_learning_rate: float = 0.0001,
    power: float = 1.0,
    cycle: bool = False,
) -> Schedule:
    if not cycle:
        return falling(initial_learning_rate, end_learning_rate, decay_steps, power)
    # cycle i is i times as long as the first, of which only the last part is used: (1 - s / D) ** power / i ** power
    one = Excerpt(Polynomial(1.0, 0.0, decay_steps, power).skip(1), decay_steps)
    saw = one.repeat() * PowerLaw(1.0, 1, power).every(decay_steps)
    return Constant(initial_learning_rate, 1) >> saw * (initial_learning_rate - end_learning_rate) + end_learning_rate


@PEER.entry("CosineDecay")
def _cosine(
    initial_learning_rate: FloatRate,
    decay_steps: Natural,
    alpha: float = 0.0,
    warmup_target: Rate | None = None,
    warmup_steps: int = 0,
) -> Schedule:
    if warmup_target is None:  # Keras then ignores warmup_steps
        return Cosine(initial_learning_rate, alpha * initial_learning_rate, decay_steps)
    fall = Cosine(warmup_target, alpha * warmup_target, decay_steps)
    return rising(initial_learning_rate, warmup_target, steps_of(WHERE, warmup_steps=warmup_steps), fall)


@PEER.entry("CosineDecayRestarts")
def _cosine_restarts(
    initial_learning_rate: FloatRate,
    first_decay_steps: Natural,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
) -> Schedule:
    if checks.finite(WHERE, t_mul=t_mul) < 1.0:
        rule = "t_mul must be 1 or more: below, Keras's rate isn't a number after first_decay_steps / (1 - t_mul)"
        raise ArgumentError(WHERE, rule, "Use CosineRestarts of keras_lr", t_mul=t_mul)
    one = Cosine((1.0 - alpha) * initial_learning_rate, 0.0, first_decay_steps)
    cycles = one.repeat(gain=m_mul, stretch=t_mul) if t_mul == int(t_mul) else UnevenRepeat(one, t_mul, gain=m_mul)
    return cycles + alpha * initial_learning_rate if alpha else cycles
