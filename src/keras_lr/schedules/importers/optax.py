"""The schedules of optax."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Constant, Cosine, Exponential, Interpolate, Piecewise, Schedule, StepDecay
from keras_lr.schedules.importers.extra_schedules import chain, cut, falling, rising, steps_of
from keras_lr.schedules.importers.registry import Natural, Peer, Rate, Whole

WHERE = "from_optax"
PEER = Peer(WHERE)


@PEER.entry("constant_schedule")
def _constant(value: Rate) -> Schedule:
    return Constant(value)


@PEER.entry("polynomial_schedule")
def _polynomial(
    init_value: float, end_value: float, power: float, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    if transition_steps <= 0:
        return Constant(init_value)
    steps = steps_of(WHERE, transition_steps=transition_steps)
    return _delayed(falling(init_value, end_value, steps, power), transition_begin)


@PEER.entry("linear_schedule")
def _linear(init_value: float, end_value: float, transition_steps: int, transition_begin: int = 0) -> Schedule:
    return _polynomial(init_value, end_value, 1.0, transition_steps, transition_begin)


@PEER.entry("piecewise_constant_schedule")
def _piecewise_constant(init_value: float, boundaries_and_scales: Mapping[int, float] | None = None) -> Schedule:
    steps, values = _scaled(init_value, boundaries_and_scales)
    past = sum(step <= 0 for step in steps)
    return Piecewise(steps[past:], values[past:]) if steps[past:] else Constant(values[-1])  # type: ignore[arg-type]


@PEER.entry("exponential_decay")
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
    decay = _delayed(decay, transition_begin)
    if end_value is None:
        return decay
    return decay.clip(low=end_value) if decay_rate < 1.0 else decay.clip(high=end_value)


@PEER.entry("cosine_decay_schedule")
def _cosine(init_value: float, decay_steps: Natural, alpha: float = 0.0, exponent: float = 1.0) -> Schedule:
    return Cosine(init_value, alpha * init_value, decay_steps, exponent)


@PEER.entry("piecewise_interpolate_schedule")
def _piecewise_interpolate(
    interpolate_type: str, init_value: float, boundaries_and_scales: Mapping[int, float] | None = None
) -> Schedule:
    checks.one_of(WHERE, ("linear", "cosine"), interpolate_type=interpolate_type)
    steps, values = _scaled(init_value, boundaries_and_scales)
    if steps and steps[0] < 0:
        rule, repair = "boundaries must be 0 or more", "Leave out those below 0"
        raise ArgumentError(WHERE, rule, repair, boundaries_and_scales=boundaries_and_scales)
    if steps and steps[0] == 0:
        steps, values = steps[1:], values[1:]
    return Interpolate((0, *steps), tuple(values), interpolate_type) if steps else Constant(values[-1])


@PEER.entry("linear_onecycle_schedule")
def _linear_onecycle(
    transition_steps: Natural,
    peak_value: float,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    knots = {  # equal steps collapse, in optax too
        int(pct_start * transition_steps): div_factor,
        int(pct_final * transition_steps): 1.0 / div_factor,
        transition_steps: 1.0 / final_div_factor,
    }
    return _piecewise_interpolate("linear", peak_value / div_factor, knots)


@PEER.entry("cosine_onecycle_schedule")
def _cosine_onecycle(
    transition_steps: Natural,
    peak_value: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    knots = {int(pct_start * transition_steps): div_factor, transition_steps: 1.0 / (div_factor * final_div_factor)}
    return _piecewise_interpolate("cosine", peak_value / div_factor, knots)


@PEER.entry("warmup_constant_schedule")
def _warmup_constant(init_value: float, peak_value: float, warmup_steps: int) -> Schedule:
    return _linear(init_value, peak_value, warmup_steps)


@PEER.entry("warmup_cosine_decay_schedule")
def _warmup_cosine(
    init_value: float,
    peak_value: float,
    warmup_steps: Whole,
    decay_steps: Whole,
    end_value: float = 0.0,
    exponent: float = 1.0,
) -> Schedule:
    if decay_steps <= warmup_steps:
        rule = f"decay_steps must be above warmup_steps, {warmup_steps}: it includes them"
        raise ArgumentError(WHERE, rule, "Pass the steps of the whole run", decay_steps=decay_steps)
    fall = Cosine(peak_value, end_value if peak_value else 0.0, decay_steps - warmup_steps, exponent)
    return rising(init_value, peak_value, warmup_steps, fall)


@PEER.entry("warmup_exponential_decay_schedule")
def _warmup_exponential(
    init_value: float,
    peak_value: float,
    warmup_steps: Whole,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    decay = _exponential(peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value)
    return rising(init_value, peak_value, warmup_steps, decay)


@PEER.entry("sgdr_schedule")
def _sgdr(cosine_kwargs: Any) -> Schedule:
    cycles = [PEER.build("warmup_cosine_decay_schedule", arguments) for arguments in cosine_kwargs]
    ends = itertools.accumulate(int(arguments["decay_steps"]) for arguments in cosine_kwargs)
    return _joined(cycles, list(ends)[:-1])


@PEER.entry("join_schedules")
def _join(schedules: Any, boundaries: Any) -> Schedule:
    parts = [part if isinstance(part, Schedule) else PEER.build(*part) for part in schedules]
    ends = [steps_of(WHERE, boundaries=boundary) for boundary in boundaries]
    if len(parts) != len(ends) + 1 or ends != sorted(ends):
        rule = f"{len(parts)} schedules need {len(parts) - 1} boundaries that rise"
        raise ArgumentError(WHERE, rule, "Pass one schedule more than boundaries", boundaries=list(boundaries))
    return _joined(parts, ends)


def _joined(parts: list[Schedule], ends: list[int]) -> Schedule:
    """Each part up to its boundary, and the last one without an end."""
    if not parts:
        raise ArgumentError(WHERE, "there must be a schedule", "Pass one or more", schedules=parts)
    pieces = [cut(part, end - begin) for part, begin, end in zip(parts, [0, *ends], ends, strict=False)]
    return chain(*pieces, parts[-1])


def _delayed(decay: Schedule, begin: int) -> Schedule:
    return decay.delay(steps_of(WHERE, transition_begin=begin)) if begin > 0 else decay


def _scaled(init_value: float, scales: Mapping[int, float] | None) -> tuple[list[int], list[float]]:
    """The boundaries in rising order, and the rates before, between and after them."""
    ordered = sorted((scales or {}).items())
    rates = [checks.at_least_zero(WHERE, init_value=init_value)]
    for _, scale in ordered:
        rates.append(rates[-1] * checks.at_least_zero(WHERE, boundaries_and_scales=scale))
    return [int(step) for step, _ in ordered], rates
