"""The schedules of Hugging Face transformers."""

from __future__ import annotations

import functools
from typing import Any

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules.atoms.constants import Constant
from keras_lr.schedules.atoms.decays import InverseSqrt
from keras_lr.schedules.atoms.ramps import Cosine, Linear, Polynomial, Ramp
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.importers.extra_schedules import CosineWave, chain, cut, falling, rising, steps_of
from keras_lr.schedules.importers.registry import Peer, reacts

WHERE = "from_transformers"
PEER = Peer(WHERE, {name: reacts(name) for name in ("reduce_lr_on_plateau", "greedy")})

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


def from_transformers(scheduler: Any, /, **arguments: Any) -> Schedule:
    """The schedule that `transformers.get_scheduler` makes, step by step with the same rates.

    The library's surprises are kept: the warm-up begins at rate 0, and "cosine" rises again after `num_training_steps`.

    Args:
        scheduler: A name: "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup",
            "inverse_sqrt", "cosine_with_min_lr", "cosine_warmup_with_min_lr" or "warmup_stable_decay". Or the scheduler
            that `get_scheduler` returned.
        **arguments: `lr`, which is the optimizer's rate, and the arguments of `get_scheduler` and of the schedule itself.

    Returns:
        A schedule.

    Raises:
        ArgumentError: The name or an argument is unknown, one is missing, or the scheduler follows a metric.

    Example:
        >>> from_transformers("linear", lr=0.1, num_warmup_steps=2, num_training_steps=6)
        Linear(0.0, 0.1, 2) >> Linear(0.1, 0.0, 4)
    """
    if hasattr(scheduler, "lr_lambdas"):
        from keras_lr.schedules.importers.torch.by_name import from_torch

        return from_torch(scheduler, **arguments)
    return PEER.make(getattr(scheduler, "value", scheduler), arguments)


def arguments_of(fn: Any) -> tuple[str, dict[str, Any]] | None:
    """The name and the arguments of a schedule that transformers gave to PyTorch as a function; None for another one."""
    inner = fn.func if isinstance(fn, functools.partial) else fn
    if getattr(inner, "__module__", None) != "transformers.optimization" or inner.__name__ not in _FUNCTIONS:
        return None
    name, arguments = _FUNCTIONS[inner.__name__], dict(getattr(fn, "keywords", {}))
    arguments.pop("lr_init", None)
    if name == "cosine" and "min_lr_rate" in arguments:
        name = "cosine_with_min_lr"
    return name, arguments


def _base(lr: Any) -> float:
    return checks.at_least_zero(WHERE, lr=lr)


@PEER.knows("constant")
def _constant(lr: float, num_warmup_steps: int | None = None, num_training_steps: int | None = None) -> Schedule:
    return Constant(_base(lr))  # transformers ignores the other two


@PEER.knows("constant_with_warmup")
def _constant_with_warmup(lr: float, num_warmup_steps: int, num_training_steps: int | None = None) -> Schedule:
    return rising(0.0, _base(lr), steps_of(WHERE, num_warmup_steps=num_warmup_steps), Constant(lr))


@PEER.knows("linear")
def _linear(lr: float, num_warmup_steps: int, num_training_steps: int) -> Schedule:
    warmup, total = _lengths(num_warmup_steps, num_training_steps)
    return rising(0.0, _base(lr), warmup, Linear(lr, 0.0, max(0, total - warmup)))


@PEER.knows("polynomial")
def _polynomial(
    lr: float, num_warmup_steps: int, num_training_steps: int, lr_end: float = 1e-7, power: float = 1.0
) -> Schedule:
    warmup, total = _lengths(num_warmup_steps, num_training_steps)
    if not _base(lr) > lr_end:
        raise ArgumentError(WHERE, f"lr_end must be below lr, {lr!r}", "Pass less", lr_end=lr_end)
    return rising(0.0, lr, warmup, falling(lr, lr_end, max(0, total - warmup), power))


@PEER.knows("inverse_sqrt")
def _inverse_sqrt(
    lr: float, num_warmup_steps: int, num_training_steps: int | None = None, timescale: int | None = None
) -> Schedule:
    warmup = steps_of(WHERE, num_warmup_steps=num_warmup_steps)
    return rising(0.0, _base(lr), warmup, InverseSqrt(lr, (warmup or 10_000) if timescale is None else timescale))


@PEER.knows("cosine")
def _cosine(lr: float, num_warmup_steps: int, num_training_steps: int, num_cycles: float = 0.5) -> Schedule:
    warmup, total = _lengths(num_warmup_steps, num_training_steps)
    return rising(0.0, _base(lr), warmup, _wave(lr, 0.0, total - warmup, num_cycles))


@PEER.knows("cosine_with_restarts")
def _cosine_with_restarts(lr: float, num_warmup_steps: int, num_training_steps: int, num_cycles: int = 1) -> Schedule:
    warmup, total = _lengths(num_warmup_steps, num_training_steps)
    fall = max(1, total - warmup)
    saw = CosineWave(_base(lr), 0.0, fall, num_cycles, restart=True) if num_cycles else Constant(lr)
    return rising(0.0, lr, warmup, cut(saw, fall) >> Constant(0.0))


@PEER.knows("cosine_with_min_lr")
def _cosine_with_min_lr(
    lr: float,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
) -> Schedule:
    warmup, total = _lengths(num_warmup_steps, num_training_steps)
    end = _lowest(_base(lr), min_lr, min_lr_rate)
    return rising(0.0, lr, warmup, _wave(lr, end, total - warmup, num_cycles))


@PEER.knows("cosine_warmup_with_min_lr")
def _cosine_warmup_with_min_lr(
    lr: float,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
    warmup_lr_rate: float | None = None,
) -> Schedule:
    warmup, total = _lengths(num_warmup_steps, num_training_steps)
    # the fall is one update ahead, and so meets the last update of the warm-up at the peak
    wave = _wave(_base(lr), _lowest(lr, min_lr, min_lr_rate), total - warmup, num_cycles)
    if warmup_lr_rate is not None and warmup > 0:
        first = checks.at_least_zero(WHERE, warmup_lr_rate=warmup_lr_rate) * lr
        return Linear(first, lr, warmup - 1) >> wave if warmup > 1 else Constant(first, 1) >> wave.skip(1)
    if warmup < 2:
        return wave if warmup else wave.skip(1)
    return Linear(0.0, lr, warmup).skip(1) >> wave


@PEER.knows("warmup_stable_decay")
def _warmup_stable_decay(
    lr: float,
    num_warmup_steps: int,
    num_decay_steps: int,
    num_training_steps: int | None = None,
    num_stable_steps: int | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: float = 0.0,
    num_cycles: float = 0.5,
) -> Schedule:
    if num_training_steps is None and num_stable_steps is None:
        repair = "Pass one of the two"
        raise ArgumentError(
            WHERE, "num_training_steps or num_stable_steps must be given", repair, num_stable_steps=None
        )
    warmup, decay = steps_of(WHERE, num_warmup_steps=num_warmup_steps), steps_of(WHERE, num_decay_steps=num_decay_steps)
    stable = num_training_steps - warmup - decay if num_stable_steps is None else num_stable_steps  # type: ignore[operator]
    low = _base(lr) * checks.at_least_zero(WHERE, min_lr_ratio=min_lr_ratio)
    fall = _decay(decay_type, lr, low, decay, num_cycles)
    middle = Constant(lr, stable) >> fall if stable > 0 else fall.skip(-stable) if stable < 0 else fall
    return chain(_warmup(warmup_type, low, lr, warmup), middle) if warmup else middle


def _warmup(warmup_type: str, low: float, lr: float, steps: int) -> Schedule:
    """The rise of "warmup_stable_decay"."""
    checks.one_of(WHERE, ("linear", "cosine", "1-sqrt"), warmup_type=warmup_type)
    if warmup_type == "cosine":
        return Cosine(low, lr, steps)
    return Linear(low, lr, steps) if warmup_type == "linear" else Polynomial(low, lr, steps, 0.5)


def _decay(decay_type: str, lr: float, low: float, steps: int, num_cycles: float) -> Schedule:
    """Its fall, which ends at `low` and stays there."""
    checks.one_of(WHERE, ("linear", "cosine", "1-sqrt"), decay_type=decay_type)
    if decay_type == "1-sqrt":
        return Ramp(lr, low, steps, "1-sqrt")
    if decay_type == "linear":
        return Linear(lr, low, steps)
    if num_cycles == 0.5:
        return Cosine(lr, low, steps)
    return cut(_wave(lr, low, steps, num_cycles), steps) >> Constant(low)


def _wave(lr: float, end: float, steps: int, num_cycles: float) -> Schedule:
    """The cosine, which goes on after its end; one cycle is a fall and a rise."""
    return CosineWave(lr, end, max(1, steps), 2.0 * num_cycles) if num_cycles else Constant(lr)


def _lowest(lr: float, min_lr: float | None, min_lr_rate: float | None) -> float:
    if (min_lr is None) == (min_lr_rate is None):
        raise ArgumentError(WHERE, "one of min_lr and min_lr_rate must be given", "Pass one of the two", min_lr=min_lr)
    if min_lr is not None:
        return checks.at_least_zero(WHERE, min_lr=min_lr)
    return lr * checks.at_least_zero(WHERE, min_lr_rate=min_lr_rate)


def _lengths(num_warmup_steps: Any, num_training_steps: Any) -> tuple[int, int]:
    warmup = steps_of(WHERE, num_warmup_steps=num_warmup_steps)
    return warmup, steps_of(WHERE, num_training_steps=num_training_steps)
