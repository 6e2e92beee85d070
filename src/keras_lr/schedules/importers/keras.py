"""The schedules of Keras itself."""

from __future__ import annotations

import itertools
from typing import Any

import keras

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules.atoms.constants import Constant, Piecewise
from keras_lr.schedules.atoms.decays import Exponential, InverseTime, PowerLaw
from keras_lr.schedules.atoms.ramps import Cosine, Polynomial
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.importers.extra_schedules import Excerpt, UnevenRepeat, falling, rising, steps_of
from keras_lr.schedules.importers.registry import Peer
from keras_lr.schedules.named.falling import StepDecay

WHERE = "from_keras"
PEER = Peer(WHERE)


def from_keras(schedule: Any, /) -> Schedule:
    """A schedule of Keras as one of ours, step by step with the same rates.

    Keras's ways are kept: a boundary still has the old rate, and `CosineDecay` is warmup_steps + decay_steps long.

    Args:
        schedule: A schedule of `keras.optimizers.schedules`. A schedule of ours is returned as it is, and a number as a
            constant rate.

    Returns:
        A schedule.

    Raises:
        ArgumentError: The schedule is of another class, or one of its arguments makes Keras compute nonsense.

    Example:
        >>> import keras
        >>> from_keras(keras.optimizers.schedules.CosineDecay(0.1, 100, alpha=0.5))
        Cosine(0.1, 0.05, 100)
    """
    if isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, (int, float)):
        return Constant(checks.at_least_zero(WHERE, schedule=schedule))
    name = type(schedule).__name__
    if type(schedule) is not getattr(keras.optimizers.schedules, name, None):
        known = ", ".join(sorted(PEER.makers))
        repair = f"Pass one of {known}, or wrap another with keras_lr.Function"
        raise ArgumentError(WHERE, "this is none of Keras's own schedules", repair, schedule=schedule)
    arguments = schedule.get_config()
    arguments.pop("name", None)
    return PEER.make(name, arguments)


def _rate(value: Any) -> float:
    """The first rate, which Keras takes the precision of its arithmetic from."""
    if isinstance(value, int):
        rule = (
            "initial_learning_rate must be a float: with an int Keras computes in whole numbers, and most rates are 0"
        )
        raise ArgumentError(WHERE, rule, "Write it with a point", initial_learning_rate=value)
    return checks.at_least_zero(WHERE, initial_learning_rate=value)


@PEER.knows("ExponentialDecay")
def _exponential(
    initial_learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False
) -> Schedule:
    rate = _rate(initial_learning_rate)
    if staircase:
        return StepDecay(rate, float(decay_rate), steps_of(WHERE, 1, decay_steps=decay_steps))
    return Exponential(rate, decay_rate, decay_steps)


@PEER.knows("InverseTimeDecay")
def _inverse_time(
    initial_learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False
) -> Schedule:
    rate = _rate(initial_learning_rate)
    if staircase:
        return InverseTime(rate, decay_rate).every(steps_of(WHERE, 1, decay_steps=decay_steps))
    return InverseTime(rate, decay_rate, decay_steps)


@PEER.knows("PiecewiseConstantDecay")
def _piecewise(boundaries: Any, values: Any) -> Schedule:
    ends = [int(boundary) for boundary in boundaries]  # Keras casts them to the type of the step
    if not ends or any(late <= early for early, late in itertools.pairwise(ends)):
        rule = "boundaries must rise, and there must be one"
        raise ArgumentError(WHERE, rule, "Sort them and leave out doubles", boundaries=list(boundaries))
    begun = sum(end < 0 for end in ends)
    return Piecewise([end + 1 for end in ends[begun:]], [float(value) for value in values[begun:]])  # type: ignore[arg-type]


@PEER.knows("PolynomialDecay")
def _polynomial(
    initial_learning_rate: float,
    decay_steps: int,
    end_learning_rate: float = 0.0001,
    power: float = 1.0,
    cycle: bool = False,
) -> Schedule:
    rate, steps = _rate(initial_learning_rate), steps_of(WHERE, 1, decay_steps=decay_steps)
    if not cycle:
        return falling(rate, end_learning_rate, steps, power)
    # cycle i is i times as long as the first, and only its last part is seen: (1 - s / D) ** power / i ** power
    one = Excerpt(Polynomial(1.0, 0.0, steps, power).skip(1), steps)
    saw = one.repeat() * PowerLaw(1.0, 1, power).every(steps)
    return Constant(rate, 1) >> saw * (rate - end_learning_rate) + end_learning_rate


@PEER.knows("CosineDecay")
def _cosine(
    initial_learning_rate: float,
    decay_steps: int,
    alpha: float = 0.0,
    warmup_target: float | None = None,
    warmup_steps: int = 0,
) -> Schedule:
    rate, steps = _rate(initial_learning_rate), steps_of(WHERE, 1, decay_steps=decay_steps)
    if warmup_target is None:  # Keras then ignores warmup_steps
        return Cosine(rate, alpha * rate, steps)
    peak = checks.at_least_zero(WHERE, warmup_target=warmup_target)
    return rising(rate, peak, steps_of(WHERE, warmup_steps=warmup_steps), Cosine(peak, alpha * peak, steps))


@PEER.knows("CosineDecayRestarts")
def _cosine_restarts(
    initial_learning_rate: float, first_decay_steps: int, t_mul: float = 2.0, m_mul: float = 1.0, alpha: float = 0.0
) -> Schedule:
    rate, steps = _rate(initial_learning_rate), steps_of(WHERE, 1, first_decay_steps=first_decay_steps)
    if checks.finite(WHERE, t_mul=t_mul) < 1.0:
        rule = "t_mul must be 1 or more: below, Keras gives no number after first_decay_steps / (1 - t_mul)"
        raise ArgumentError(WHERE, rule, "Use CosineRestarts of keras_lr", t_mul=t_mul)
    one = Cosine((1.0 - alpha) * rate, 0.0, steps)
    again = one.repeat(gain=m_mul, stretch=t_mul) if t_mul == int(t_mul) else UnevenRepeat(one, t_mul, gain=m_mul)
    return again + alpha * rate if alpha else again
