"""The schedules of optax."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules.atoms.constants import Constant, Piecewise
from keras_lr.schedules.atoms.decays import Exponential
from keras_lr.schedules.atoms.interpolate import Interpolate
from keras_lr.schedules.atoms.ramps import Cosine
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.importers.extra_schedules import chain, cut, falling, rising, steps_of
from keras_lr.schedules.importers.registry import Peer
from keras_lr.schedules.named.falling import StepDecay

WHERE = "from_optax"
PEER = Peer(WHERE)


def from_optax(schedule: str, /, **arguments: Any) -> Schedule:
    """A schedule of optax as one of ours, step by step with the same rates.

    The library's surprises are kept: a linear schedule of 0 steps stays at its start, `decay_steps` includes the warm-up, and
    knots of a one-cycle schedule that fall on the same step collapse.

    Args:
        schedule: The name of the function in optax, such as "warmup_cosine_decay_schedule". (What the function returns is a
            closure, from which its arguments can't be read.)
        **arguments: Its arguments, by their names in optax. `join_schedules` takes schedules of ours or pairs (name,
            arguments).

    Returns:
        A schedule.

    Raises:
        ArgumentError: The name or an argument is unknown, or one is missing.

    Example:
        >>> from_optax("warmup_cosine_decay_schedule", init_value=0.0, peak_value=0.1, warmup_steps=2, decay_steps=6)
        Linear(0.0, 0.1, 2) >> Cosine(0.1, 0.0, 4)
    """
    return PEER.make(schedule, arguments)


@PEER.knows("constant_schedule")
def _constant(value: float) -> Schedule:
    return Constant(checks.at_least_zero(WHERE, value=value))


@PEER.knows("polynomial_schedule")
def _polynomial(
    init_value: float, end_value: float, power: float, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    if transition_steps <= 0:
        return Constant(init_value)
    steps = steps_of(WHERE, transition_steps=transition_steps)
    return _begun(falling(init_value, end_value, steps, power), transition_begin)


@PEER.knows("linear_schedule")
def _linear(init_value: float, end_value: float, transition_steps: int, transition_begin: int = 0) -> Schedule:
    return _polynomial(init_value, end_value, 1.0, transition_steps, transition_begin)


@PEER.knows("piecewise_constant_schedule")
def _piecewise_constant(init_value: float, boundaries_and_scales: Mapping[int, float] | None = None) -> Schedule:
    steps, values = _scaled(init_value, boundaries_and_scales)
    begun = sum(step <= 0 for step in steps)
    return Piecewise(steps[begun:], values[begun:]) if steps[begun:] else Constant(values[-1])  # type: ignore[arg-type]


@PEER.knows("exponential_decay")
def _exponential(
    init_value: float,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    if transition_steps <= 0 or decay_rate == 0:
        return Constant(init_value)
    decay: Schedule = Exponential(init_value, decay_rate, transition_steps)
    if staircase:
        decay = StepDecay(init_value, decay_rate, steps_of(WHERE, transition_steps=transition_steps))
    decay = _begun(decay, transition_begin)
    if end_value is None:
        return decay
    return decay.clip(low=end_value) if decay_rate < 1.0 else decay.clip(high=end_value)


@PEER.knows("cosine_decay_schedule")
def _cosine(init_value: float, decay_steps: int, alpha: float = 0.0, exponent: float = 1.0) -> Schedule:
    steps = steps_of(WHERE, 1, decay_steps=decay_steps)
    return Cosine(init_value, alpha * init_value, steps, exponent)


@PEER.knows("piecewise_interpolate_schedule")
def _piecewise_interpolate(
    interpolate_type: str, init_value: float, boundaries_and_scales: Mapping[int, float] | None = None
) -> Schedule:
    checks.one_of(WHERE, ("linear", "cosine"), interpolate_type=interpolate_type)
    steps, values = _scaled(init_value, boundaries_and_scales)
    if steps and steps[0] < 0:
        raise ArgumentError(
            WHERE, "boundaries must be 0 or more", "Leave it out", boundaries_and_scales=boundaries_and_scales
        )
    if steps and steps[0] == 0:
        steps, values = steps[1:], values[1:]
    return Interpolate((0, *steps), tuple(values), interpolate_type) if steps else Constant(values[-1])


@PEER.knows("linear_onecycle_schedule")
def _linear_onecycle(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    total = steps_of(WHERE, 1, transition_steps=transition_steps)
    knots = {  # equal steps collapse, in optax too
        int(pct_start * total): div_factor,
        int(pct_final * total): 1.0 / div_factor,
        total: 1.0 / final_div_factor,
    }
    return _piecewise_interpolate("linear", peak_value / div_factor, knots)


@PEER.knows("cosine_onecycle_schedule")
def _cosine_onecycle(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    total = steps_of(WHERE, 1, transition_steps=transition_steps)
    knots = {int(pct_start * total): div_factor, total: 1.0 / (div_factor * final_div_factor)}
    return _piecewise_interpolate("cosine", peak_value / div_factor, knots)


@PEER.knows("warmup_constant_schedule")
def _warmup_constant(init_value: float, peak_value: float, warmup_steps: int) -> Schedule:
    return _linear(init_value, peak_value, warmup_steps)


@PEER.knows("warmup_cosine_decay_schedule")
def _warmup_cosine(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    decay_steps: int,
    end_value: float = 0.0,
    exponent: float = 1.0,
) -> Schedule:
    warmup, total = steps_of(WHERE, warmup_steps=warmup_steps), steps_of(WHERE, decay_steps=decay_steps)
    if total <= warmup:
        rule = f"decay_steps must be above warmup_steps, {warmup}: it includes them"
        raise ArgumentError(WHERE, rule, "Pass the steps of the whole run", decay_steps=decay_steps)
    fall = Cosine(peak_value, end_value if peak_value else 0.0, total - warmup, exponent)
    return rising(init_value, peak_value, warmup, fall)


@PEER.knows("warmup_exponential_decay_schedule")
def _warmup_exponential(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    decay = _exponential(peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value)
    return rising(init_value, peak_value, steps_of(WHERE, warmup_steps=warmup_steps), decay)


@PEER.knows("sgdr_schedule")
def _sgdr(cosine_kwargs: Any) -> Schedule:
    cycles = [PEER.make("warmup_cosine_decay_schedule", dict(arguments)) for arguments in cosine_kwargs]
    return _joined(
        cycles, list(itertools.accumulate(int(arguments["decay_steps"]) for arguments in cosine_kwargs))[:-1]
    )


@PEER.knows("join_schedules")
def _join(schedules: Any, boundaries: Any) -> Schedule:
    parts = [part if isinstance(part, Schedule) else PEER.make(part[0], part[1]) for part in schedules]
    ends = [steps_of(WHERE, boundaries=boundary) for boundary in boundaries]
    if len(parts) != len(ends) + 1 or ends != sorted(ends):
        rule = f"{len(parts)} schedules need {len(parts) - 1} boundaries that rise"
        raise ArgumentError(WHERE, rule, "Pass one schedule more than boundaries", boundaries=list(boundaries))
    return _joined(parts, ends)


def _joined(parts: list[Schedule], ends: list[int]) -> Schedule:
    """Each part up to its boundary, and the last one for ever."""
    if not parts:
        raise ArgumentError(WHERE, "there must be a schedule", "Pass one or more", schedules=parts)
    begins = [0, *ends]
    pieces = [cut(part, end - begin) for part, begin, end in zip(parts, begins, ends, strict=False)]
    return chain(*pieces, parts[-1])


def _begun(decay: Schedule, begin: int) -> Schedule:
    return decay.delay(steps_of(WHERE, transition_begin=begin)) if begin > 0 else decay


def _scaled(init_value: float, scales: Mapping[int, float] | None) -> tuple[list[int], list[float]]:
    """The boundaries, rising, and the rates that their factors give one after another."""
    ordered = sorted((scales or {}).items())
    rates = [checks.at_least_zero(WHERE, init_value=init_value)]
    for _, scale in ordered:
        rates.append(rates[-1] * checks.at_least_zero(WHERE, boundaries_and_scales=scale))
    return [int(step) for step, _ in ordered], rates
