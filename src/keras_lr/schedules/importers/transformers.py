"""The schedules of Hugging Face transformers."""

from __future__ import annotations

import functools
from typing import Any

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Constant, Cosine, InverseSqrt, Linear, Polynomial, Ramp, Schedule
from keras_lr.schedules.importers.extra_schedules import CosineWave, chain, cut, falling, rising
from keras_lr.schedules.importers.registry import Peer, Rate, Whole, follows_metric

WHERE = "from_transformers"
PEER = Peer(WHERE, {name: follows_metric(name) for name in ("reduce_lr_on_plateau", "greedy")})

_FUNCTIONS = {
    "_get_constant_lambda": "constant",
    "_get_constant_schedule_with_warmup_lr_lambda": "constant_with_warmup",
    "_get_linear_schedule_with_warmup_lr_lambda": "linear",
    "_get_cosine_schedule_with_warmup_lr_lambda": "cosine",
    "_get_cosine_with_hard_restarts_schedule_with_warmup_lr_lambda": "cosine_with_restarts",
    "_get_polynomial_decay_schedule_with_warmup_lr_lambda": "polynomial",
    "_get_inverse_sqrt_schedule_lr_lambda": "inverse_sqrt",
    "_get_cosine_with_min_lr_schedule_with_warmup_lr_rate_lambda": "cosine_warmup_with_min_lr",
    "_get_wsd_scheduler_lambda": "warmup_stable_decay",
}


def arguments_of(fn: Any) -> tuple[str, dict[str, Any]] | None:
    """Returns the name and the arguments of a function that transformers gave to PyTorch; None for any other function."""
    inner = fn.func if isinstance(fn, functools.partial) else fn
    if getattr(inner, "__module__", None) != "transformers.optimization" or inner.__name__ not in _FUNCTIONS:
        return None
    name, arguments = _FUNCTIONS[inner.__name__], dict(getattr(fn, "keywords", {}))
    arguments.pop("lr_init", None)
    if name == "cosine" and "min_lr_rate" in arguments:
        name = "cosine_with_min_lr"
    return name, arguments


@PEER.entry("constant")
def _constant(lr: Rate, num_warmup_steps: int | None = None, num_training_steps: int | None = None) -> Schedule:
    return Constant(lr)  # transformers ignores the other two


@PEER.entry("constant_with_warmup")
def _constant_with_warmup(lr: Rate, num_warmup_steps: Whole, num_training_steps: int | None = None) -> Schedule:
    return rising(0.0, lr, num_warmup_steps, Constant(lr))


@PEER.entry("linear")
def _linear(lr: Rate, num_warmup_steps: Whole, num_training_steps: Whole) -> Schedule:
    return rising(0.0, lr, num_warmup_steps, Linear(lr, 0.0, max(0, num_training_steps - num_warmup_steps)))


@PEER.entry("polynomial")
def _polynomial(
    lr: Rate, num_warmup_steps: Whole, num_training_steps: Whole, lr_end: float = 1e-7, power: float = 1.0
) -> Schedule:
    if not lr > lr_end:
        raise ArgumentError(WHERE, f"lr_end must be below lr, {lr!r}", "Pass less", lr_end=lr_end)
    fall = falling(lr, lr_end, max(0, num_training_steps - num_warmup_steps), power)
    return rising(0.0, lr, num_warmup_steps, fall)


@PEER.entry("inverse_sqrt")
def _inverse_sqrt(
    lr: Rate, num_warmup_steps: Whole, num_training_steps: int | None = None, timescale: int | None = None
) -> Schedule:
    fall = InverseSqrt(lr, (num_warmup_steps or 10_000) if timescale is None else timescale)
    return rising(0.0, lr, num_warmup_steps, fall)


@PEER.entry("cosine")
def _cosine(lr: Rate, num_warmup_steps: Whole, num_training_steps: Whole, num_cycles: float = 0.5) -> Schedule:
    return rising(0.0, lr, num_warmup_steps, _wave(lr, 0.0, num_training_steps - num_warmup_steps, num_cycles))


@PEER.entry("cosine_with_restarts")
def _cosine_with_restarts(
    lr: Rate, num_warmup_steps: Whole, num_training_steps: Whole, num_cycles: int = 1
) -> Schedule:
    fall = max(1, num_training_steps - num_warmup_steps)
    saw = CosineWave(lr, 0.0, fall, num_cycles, restart=True) if num_cycles else Constant(lr)
    return rising(0.0, lr, num_warmup_steps, cut(saw, fall) >> Constant(0.0))


@PEER.entry("cosine_with_min_lr")
def _cosine_with_min_lr(
    lr: Rate,
    num_warmup_steps: Whole,
    num_training_steps: Whole,
    num_cycles: float = 0.5,
    min_lr: Rate | None = None,
    min_lr_rate: Rate | None = None,
) -> Schedule:
    wave = _wave(lr, _lowest(lr, min_lr, min_lr_rate), num_training_steps - num_warmup_steps, num_cycles)
    return rising(0.0, lr, num_warmup_steps, wave)


@PEER.entry("cosine_warmup_with_min_lr")
def _cosine_warmup_with_min_lr(
    lr: Rate,
    num_warmup_steps: Whole,
    num_training_steps: Whole,
    num_cycles: float = 0.5,
    min_lr: Rate | None = None,
    min_lr_rate: Rate | None = None,
    warmup_lr_rate: Rate | None = None,
) -> Schedule:
    warmup = num_warmup_steps
    # the fall is one update ahead, so that it meets the last update of the warm-up at the peak
    wave = _wave(lr, _lowest(lr, min_lr, min_lr_rate), num_training_steps - warmup, num_cycles)
    if warmup_lr_rate is not None and warmup > 0:
        first = warmup_lr_rate * lr
        return Linear(first, lr, warmup - 1) >> wave if warmup > 1 else Constant(first, 1) >> wave.skip(1)
    if warmup < 2:
        return wave if warmup else wave.skip(1)
    return Linear(0.0, lr, warmup).skip(1) >> wave


@PEER.entry("warmup_stable_decay")
def _warmup_stable_decay(
    lr: Rate,
    num_warmup_steps: Whole,
    num_decay_steps: Whole,
    num_training_steps: int | None = None,
    num_stable_steps: int | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: Rate = 0.0,
    num_cycles: float = 0.5,
) -> Schedule:
    stable = num_stable_steps
    if stable is None:
        if num_training_steps is None:
            rule = "num_training_steps or num_stable_steps must be given"
            raise ArgumentError(WHERE, rule, "Pass one of the two", num_stable_steps=None)
        stable = num_training_steps - num_warmup_steps - num_decay_steps
    low = lr * min_lr_ratio
    fall = _decay(decay_type, lr, low, num_decay_steps, num_cycles)
    middle = Constant(lr, stable) >> fall if stable > 0 else fall.skip(-stable) if stable < 0 else fall
    return chain(_warmup(warmup_type, low, lr, num_warmup_steps), middle) if num_warmup_steps else middle


def _warmup(warmup_type: str, low: float, lr: float, steps: int) -> Schedule:
    """The rise of "warmup_stable_decay"."""
    checks.one_of(WHERE, ("linear", "cosine", "1-sqrt"), warmup_type=warmup_type)
    if warmup_type == "cosine":
        return Cosine(low, lr, steps)
    return Linear(low, lr, steps) if warmup_type == "linear" else Polynomial(low, lr, steps, 0.5)


def _decay(decay_type: str, lr: float, low: float, steps: int, num_cycles: float) -> Schedule:
    """The fall of "warmup_stable_decay", which ends at `low` and stays there."""
    checks.one_of(WHERE, ("linear", "cosine", "1-sqrt"), decay_type=decay_type)
    if decay_type == "1-sqrt":
        return Ramp(lr, low, steps, "1-sqrt")
    if decay_type == "linear":
        return Linear(lr, low, steps)
    if num_cycles == 0.5:
        return Cosine(lr, low, steps)
    return cut(_wave(lr, low, steps, num_cycles), steps) >> Constant(low)


def _wave(lr: float, end: float, steps: int, num_cycles: float) -> Schedule:
    """The cosine, which continues past its end; one cycle is a fall and a rise."""
    return CosineWave(lr, end, max(1, steps), 2.0 * num_cycles) if num_cycles else Constant(lr)


def _lowest(lr: float, min_lr: float | None, min_lr_rate: float | None) -> float:
    if min_lr is not None and min_lr_rate is None:
        return min_lr
    if min_lr_rate is not None and min_lr is None:
        return lr * min_lr_rate
    raise ArgumentError(WHERE, "one of min_lr and min_lr_rate must be given", "Pass one of the two", min_lr=min_lr)
