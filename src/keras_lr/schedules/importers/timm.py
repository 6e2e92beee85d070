"""The schedules of timm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Constant, Cosine, InverseSqrt, Piecewise, PowerLaw, Ramp, Schedule, StepDecay, Tanh
from keras_lr.schedules.importers.extra_schedules import UnevenRepeat, falling, rising, steps_of
from keras_lr.schedules.importers.registry import Natural, Peer, Rate, Whole, follows_metric

WHERE = "from_timm"
PEER = Peer(WHERE, {"plateau": follows_metric("plateau")})


@PEER.entry("cosine")
def _cosine(
    lr: Rate,
    t_initial: Natural,
    lr_min: Rate = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: Whole = 1,
    warmup_t: Whole = 0,
    warmup_lr_init: Rate = 0.0,
    warmup_prefix: bool = False,
    k_decay: float = 1.0,
) -> Schedule:
    def cycle(start: float, end: float) -> Schedule:
        return Cosine(start, end, t_initial) if k_decay == 1.0 else Ramp(start, end, t_initial, "cosine", warp=k_decay)

    cycles = _cycles(cycle, lr, lr_min, cycle_mul, cycle_decay, cycle_limit)
    return _with_warmup(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix)


@PEER.entry("poly")
def _poly(
    lr: Rate,
    t_initial: Natural,
    power: float = 0.5,
    lr_min: Rate = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: Whole = 1,
    warmup_t: Whole = 0,
    warmup_lr_init: Rate = 0.0,
    warmup_prefix: bool = False,
    k_decay: float = 1.0,
) -> Schedule:
    def cycle(start: float, end: float) -> Schedule:
        if k_decay == 1.0:
            return falling(start, end, t_initial, power)
        return Ramp(start, end, t_initial, "linear", power, k_decay)

    cycles = _cycles(cycle, lr, lr_min, cycle_mul, cycle_decay, cycle_limit)
    return _with_warmup(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix)


@PEER.entry("tanh")
def _tanh(
    lr: Rate,
    t_initial: Natural,
    lb: float = -7.0,
    ub: float = 3.0,
    lr_min: Rate = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: Whole = 1,
    warmup_t: Whole = 0,
    warmup_lr_init: Rate = 0.0,
    warmup_prefix: bool = False,
) -> Schedule:
    def cycle(start: float, end: float) -> Schedule:
        return Tanh(start, end, t_initial, lb, ub)

    cycles = _cycles(cycle, lr, lr_min, cycle_mul, cycle_decay, cycle_limit)
    if cycles.extent is not None:
        cycles = cycles >> Constant(lr_min)  # a tangent does not reach its end
    top = lr if warmup_prefix else float(cycles.evaluate(warmup_t))
    return _with_warmup(cycles, top, warmup_t, warmup_lr_init, warmup_prefix)


@PEER.entry("step")
def _step(
    lr: Rate,
    decay_t: Natural,
    decay_rate: float = 1.0,
    warmup_t: Whole = 0,
    warmup_lr_init: Rate = 0.0,
    warmup_prefix: bool = True,
) -> Schedule:
    return _with_warmup(StepDecay(lr, decay_rate, decay_t), lr, warmup_t, warmup_lr_init, warmup_prefix)


@PEER.entry("constant")
def _constant(lr: Rate, warmup_t: Whole = 0, warmup_lr_init: Rate = 0.0, warmup_prefix: bool = True) -> Schedule:
    return rising(warmup_lr_init, lr, warmup_t, Constant(lr))  # with warmup_prefix or without


@PEER.entry("multistep")
def _multistep(
    lr: Rate,
    decay_t: Any,
    decay_rate: float = 1.0,
    warmup_t: Whole = 0,
    warmup_lr_init: Rate = 0.0,
    warmup_prefix: bool = True,
) -> Schedule:
    milestones = [steps_of(WHERE, decay_t=milestone) for milestone in decay_t]
    if milestones != sorted(milestones):
        raise ArgumentError(WHERE, "decay_t must rise", "Sort it", decay_t=list(decay_t))
    steps = [milestone - 1 for milestone in sorted(set(milestones)) if milestone > 1]  # timm decays at t + 1
    counts = [sum(milestone <= step + 1 for milestone in milestones) for step in (0, *steps)]
    rates = [lr * decay_rate**count for count in counts]
    decay = Piecewise(tuple(steps), tuple(rates)) if steps else Constant(rates[0])
    return _with_warmup(decay, lr, warmup_t, warmup_lr_init, warmup_prefix)


@PEER.entry("wsd")
def _wsd(
    lr: Rate,
    t_initial: Natural,
    decay_t: Natural,
    lr_min: Rate = 0.0,
    stable_fn: str = "constant",
    stable_timescale: float | None = None,
    stable_power: float = 0.5,
    decay_fn: str = "1-sqrt",
    decay_power: float = 0.5,
    decay_ratio: float = 0.1,
    warmup_t: Whole = 0,
    warmup_lr_init: Rate = 0.0,
) -> Schedule:
    flat = t_initial - decay_t
    if flat < 0:
        raise ArgumentError(WHERE, f"decay_t must be at most t_initial, {t_initial}", "Pass less", decay_t=decay_t)
    checks.one_of(WHERE, ("constant", "rsqrt", "power"), stable_fn=stable_fn)
    if stable_fn == "constant":
        start = max(lr, lr_min)
        decay = _decay(start, lr_min, decay_t, decay_fn, decay_power, decay_ratio)
        return rising(warmup_lr_init, lr, warmup_t, Constant(start, flat) >> decay if flat else decay)
    scale = checks.above_zero(WHERE, stable_timescale=warmup_t if stable_timescale is None else stable_timescale)
    power = 0.5 if stable_fn == "rsqrt" else stable_power
    stable: Schedule = InverseSqrt(lr, scale) if power == 0.5 else PowerLaw(lr, scale, power)
    stable = stable.clip(low=lr_min) if lr_min else stable  # it keeps falling in the decay
    if decay_fn in ("linear", "1-sqrt", "cosine"):
        whole = stable.cooldown(decay_t, at=flat, end=lr_min, shape=decay_fn, freeze=False)
        return rising(warmup_lr_init, lr, warmup_t, whole)
    decay = _decay(1.0, 0.0, decay_t, decay_fn, decay_power, decay_ratio)
    share = Constant(1.0, flat) >> decay if flat else decay
    return rising(warmup_lr_init, lr, warmup_t, (stable + -lr_min) * share + lr_min if lr_min else stable * share)


@PEER.entry("rsqrt")
def _rsqrt(
    lr: Rate,
    t_initial: Natural,
    decay_t: Natural,
    lr_min: Rate = 0.0,
    stable_timescale: float | None = None,
    decay_fn: str = "linear",
    decay_power: float = 0.5,
    decay_ratio: float = 0.1,
    warmup_t: Whole = 0,
    warmup_lr_init: Rate = 0.0,
) -> Schedule:
    phases = (lr, t_initial, decay_t, lr_min, "rsqrt", stable_timescale, 0.5, decay_fn, decay_power, decay_ratio)
    return _wsd(*phases, warmup_t, warmup_lr_init)


def _decay(start: float, low: float, steps: int, decay_fn: Any, power: float, ratio: float) -> Schedule:
    """The last phase of "wsd", which ends at `low` and stays there."""
    checks.one_of(WHERE, ("linear", "1-sqrt", "cosine", "power", "exp"), decay_fn=decay_fn)
    if decay_fn == "power":
        return Ramp(start, low, steps, "linear", warp=power)
    if decay_fn != "exp":
        return Ramp(start, low, steps, decay_fn)
    if not 0.0 < checks.finite(WHERE, decay_ratio=ratio) < 1.0:
        raise ArgumentError(
            WHERE, "decay_ratio must be between 0 and 1", "Pass a number such as 0.1", decay_ratio=ratio
        )
    # low + (start - low) * (ratio ** p - ratio) / (1 - ratio)
    high = (start - low) / (1.0 - ratio)
    return Ramp(high, high * ratio, steps, "geometric") + (low - high * ratio) if high else Constant(low)


def _cycles(
    cycle: Callable[[float, float], Schedule], lr: float, lr_min: float, mul: float, decay: float, limit: int
) -> Schedule:
    """`limit` cycles down to `lr_min`: each is `mul` times as long, and starts `decay` times as high, as the one before."""
    if limit < 2:
        return cycle(lr, lr_min) if limit else Constant(lr_min)
    if checks.finite(WHERE, cycle_mul=mul) < 1.0:
        raise ArgumentError(WHERE, "cycle_mul must be 1 or more", "Pass 1 or more", cycle_mul=mul)

    def repeated(one: Schedule, gain: float) -> Schedule:
        whole = mul == int(mul)
        return one.repeat(limit, gain=gain, stretch=mul) if whole else UnevenRepeat(one, mul, limit, gain)

    if decay == 1.0 or lr_min == 0.0:
        return repeated(cycle(lr, lr_min), decay)
    return repeated(cycle(lr, 0.0), decay) + repeated(cycle(0.0, lr_min), 1.0)  # only the part above lr_min decays


def _with_warmup(decay: Schedule, top: float, warmup_t: int, warmup_lr_init: float, warmup_prefix: bool) -> Schedule:
    """The warm-up, then the schedule: with `warmup_prefix` from its own step 0, otherwise from step `warmup_t`."""
    return rising(warmup_lr_init, top, warmup_t, decay if warmup_prefix or not warmup_t else decay.skip(warmup_t))
