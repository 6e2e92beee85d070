"""The schedules of timm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules.atoms.constants import Constant, Piecewise
from keras_lr.schedules.atoms.decays import InverseSqrt, PowerLaw
from keras_lr.schedules.atoms.ramps import Cosine, Ramp, Tanh
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.importers.extra_schedules import UnevenRepeat, falling, rising, steps_of
from keras_lr.schedules.importers.registry import Peer, reacts
from keras_lr.schedules.named.falling import StepDecay

WHERE = "from_timm"
PEER = Peer(WHERE, {"plateau": reacts("plateau")})

Shape = Callable[[float, float], Schedule]
"""Makes one cycle, from a rate to another."""


def from_timm(scheduler: str, /, **arguments: Any) -> Schedule:
    """The schedule of a scheduler of timm, step by step with the same rates, where `t` counts updates.

    The library's surprises are kept: without `warmup_prefix` the rate jumps at the end of the warm-up, because the schedule
    has run meanwhile, and "multistep" decays one step before its milestone.

    Args:
        scheduler: A name: "cosine", "tanh", "poly", "step", "multistep", "constant", "wsd" or "rsqrt".
        **arguments: `lr`, which is the optimizer's rate, and the arguments of the scheduler's class, counted in updates.
            Noise is not known.

    Returns:
        A schedule.

    Raises:
        ArgumentError: The name or an argument is unknown, one is missing, or the scheduler follows a metric.

    Example:
        >>> from_timm("cosine", lr=0.1, t_initial=10, warmup_t=2, warmup_prefix=True)
        Linear(0.0, 0.1, 2) >> Cosine(0.1, 0.0, 10)
    """
    return PEER.make(scheduler, arguments)


@PEER.knows("cosine")
def _cosine(
    lr: float,
    t_initial: int,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    k_decay: float = 1.0,
) -> Schedule:
    steps = steps_of(WHERE, 1, t_initial=t_initial)

    def shape(start: float, end: float) -> Schedule:
        return Cosine(start, end, steps) if k_decay == 1.0 else Ramp(start, end, steps, "cosine", warp=k_decay)

    cycles = _cycles(shape, _base(lr), lr_min, cycle_mul, cycle_decay, cycle_limit)
    return _warmed(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix)


@PEER.knows("poly")
def _poly(
    lr: float,
    t_initial: int,
    power: float = 0.5,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    k_decay: float = 1.0,
) -> Schedule:
    steps = steps_of(WHERE, 1, t_initial=t_initial)

    def shape(start: float, end: float) -> Schedule:
        return (
            falling(start, end, steps, power) if k_decay == 1.0 else Ramp(start, end, steps, "linear", power, k_decay)
        )

    cycles = _cycles(shape, _base(lr), lr_min, cycle_mul, cycle_decay, cycle_limit)
    return _warmed(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix)


@PEER.knows("tanh")
def _tanh(
    lr: float,
    t_initial: int,
    lb: float = -7.0,
    ub: float = 3.0,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
) -> Schedule:
    steps = steps_of(WHERE, 1, t_initial=t_initial)

    def shape(start: float, end: float) -> Schedule:
        return Tanh(start, end, steps, lb, ub)

    cycles = _cycles(shape, _base(lr), lr_min, cycle_mul, cycle_decay, cycle_limit)
    if cycles.extent is not None:
        cycles = cycles >> Constant(lr_min)  # a tangent does not reach its end
    top = lr if warmup_prefix else float(cycles.evaluate(steps_of(WHERE, warmup_t=warmup_t)))
    return _warmed(cycles, top, warmup_t, warmup_lr_init, warmup_prefix)


@PEER.knows("step")
def _step(
    lr: float,
    decay_t: int,
    decay_rate: float = 1.0,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = True,
) -> Schedule:
    decay = StepDecay(_base(lr), decay_rate, steps_of(WHERE, 1, decay_t=decay_t))
    return _warmed(decay, lr, warmup_t, warmup_lr_init, warmup_prefix)


@PEER.knows("constant")
def _constant(lr: float, warmup_t: int = 0, warmup_lr_init: float = 0.0, warmup_prefix: bool = True) -> Schedule:
    return _warmed(Constant(_base(lr)), lr, warmup_t, warmup_lr_init, warmup_prefix=True)  # it is the same either way


@PEER.knows("multistep")
def _multistep(
    lr: float,
    decay_t: Any,
    decay_rate: float = 1.0,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = True,
) -> Schedule:
    milestones = [steps_of(WHERE, decay_t=milestone) for milestone in decay_t]
    if milestones != sorted(milestones):
        raise ArgumentError(WHERE, "decay_t must rise", "Sort it", decay_t=list(decay_t))
    steps = [milestone - 1 for milestone in sorted(set(milestones)) if milestone > 1]  # timm decays at t + 1
    counts = [sum(milestone <= step + 1 for milestone in milestones) for step in (0, *steps)]
    rates = [_base(lr) * decay_rate**count for count in counts]
    decay = Piecewise(tuple(steps), tuple(rates)) if steps else Constant(rates[0])
    return _warmed(decay, lr, warmup_t, warmup_lr_init, warmup_prefix)


@PEER.knows("wsd")
def _wsd(
    lr: float,
    t_initial: int,
    decay_t: int,
    lr_min: float = 0.0,
    stable_fn: str = "constant",
    stable_timescale: float | None = None,
    stable_power: float = 0.5,
    decay_fn: str = "1-sqrt",
    decay_power: float = 0.5,
    decay_ratio: float = 0.1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
) -> Schedule:
    total, fall = steps_of(WHERE, 1, t_initial=t_initial), steps_of(WHERE, 1, decay_t=decay_t)
    if fall > total:
        raise ArgumentError(WHERE, f"decay_t must be at most t_initial, {total}", "Pass less", decay_t=decay_t)
    low = checks.at_least_zero(WHERE, lr_min=lr_min)
    checks.one_of(WHERE, ("constant", "rsqrt", "power"), stable_fn=stable_fn)
    if stable_fn == "constant":
        start, flat = max(_base(lr), low), total - fall
        decay = _decay(start, low, fall, decay_fn, decay_power, decay_ratio)
        return rising(warmup_lr_init, lr, warmup_t, Constant(start, flat) >> decay if flat else decay)
    scale = checks.above_zero(WHERE, stable_timescale=warmup_t if stable_timescale is None else stable_timescale)
    power = 0.5 if stable_fn == "rsqrt" else stable_power
    stable: Schedule = InverseSqrt(_base(lr), scale) if power == 0.5 else PowerLaw(_base(lr), scale, power)
    stable = stable.clip(low=low) if low else stable  # it goes on falling in the decay
    if decay_fn in ("linear", "1-sqrt", "cosine"):
        whole = stable.cooldown(fall, at=total - fall, end=low, shape=decay_fn, freeze=False)
        return rising(warmup_lr_init, lr, warmup_t, whole)
    decay = _decay(1.0, 0.0, fall, decay_fn, decay_power, decay_ratio)
    share = Constant(1.0, total - fall) >> decay if total > fall else decay
    return rising(warmup_lr_init, lr, warmup_t, (stable + -low) * share + low if low else stable * share)


@PEER.knows("rsqrt")
def _rsqrt(
    lr: float,
    t_initial: int,
    decay_t: int,
    lr_min: float = 0.0,
    stable_timescale: float | None = None,
    decay_fn: str = "linear",
    decay_power: float = 0.5,
    decay_ratio: float = 0.1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
) -> Schedule:
    rule = {"stable_fn": "rsqrt", "decay_fn": decay_fn, "decay_power": decay_power, "decay_ratio": decay_ratio}
    rest = {"lr_min": lr_min, "stable_timescale": stable_timescale, "warmup_t": warmup_t}
    return _wsd(lr, t_initial, decay_t, warmup_lr_init=warmup_lr_init, **rule, **rest)  # type: ignore[arg-type]


def _decay(start: float, low: float, steps: int, decay_fn: Any, power: float, ratio: float) -> Schedule:
    """The last phase of "wsd", which ends at `low` and stays there."""
    checks.one_of(WHERE, ("linear", "1-sqrt", "cosine", "power", "exp"), decay_fn=decay_fn)
    if decay_fn == "power":
        return Ramp(start, low, steps, "linear", warp=power)
    if decay_fn != "exp":
        return Ramp(start, low, steps, decay_fn)
    if not 0.0 < checks.finite(WHERE, decay_ratio=ratio) < 1.0:
        raise ArgumentError(WHERE, "decay_ratio must be between 0 and 1", "Pass such as 0.1", decay_ratio=ratio)
    # low + (start - low) * (ratio ** p - ratio) / (1 - ratio)
    high = (start - low) / (1.0 - ratio)
    return Ramp(high, high * ratio, steps, "geometric") + (low - high * ratio) if high else Constant(low)


def _base(lr: Any) -> float:
    return checks.at_least_zero(WHERE, lr=lr)


def _cycles(shape: Shape, lr: float, lr_min: float, mul: float, decay: float, limit: int) -> Schedule:
    """`limit` cycles, each `mul` times as long as the one before and from a rate `decay` times as high, to `lr_min`."""
    low = checks.at_least_zero(WHERE, lr_min=lr_min)
    limit = steps_of(WHERE, cycle_limit=limit)
    if limit < 2:
        return shape(lr, low) if limit else Constant(low)
    if checks.finite(WHERE, cycle_mul=mul) < 1.0:
        raise ArgumentError(WHERE, "cycle_mul must be 1 or more", "Pass 1 or more", cycle_mul=mul)

    def again(one: Schedule, gain: float) -> Schedule:
        whole = mul == int(mul)
        return one.repeat(limit, gain=gain, stretch=mul) if whole else UnevenRepeat(one, mul, limit, gain)

    if decay == 1.0 or low == 0.0:
        return again(shape(lr, low), decay)
    return again(shape(lr, 0.0), decay) + again(shape(0.0, low), 1.0)  # only the way above lr_min decays


def _warmed(decay: Schedule, top: float, warmup_t: int, warmup_lr_init: float, warmup_prefix: bool) -> Schedule:
    """The warm-up, and after it the schedule from its own step 0 (prefix) or from the step that it is (not)."""
    steps = steps_of(WHERE, warmup_t=warmup_t)
    first = checks.at_least_zero(WHERE, warmup_lr_init=warmup_lr_init)
    return rising(first, top, steps, decay if warmup_prefix or not steps else decay.skip(steps))
