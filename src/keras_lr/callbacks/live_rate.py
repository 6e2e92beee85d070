"""Changes the rate of a running `fit`: a float is assigned, a schedule is replaced by itself scaled and compiled again.

No variable is added to the optimizer, so a model that is saved meanwhile loads anywhere. The optimizer holds the whole state
of a change: nothing has to be undone at the end, and an interruption leaves nothing half done.
"""

from __future__ import annotations

import dataclasses
import warnings
import weakref
from typing import Any

import keras
import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.core.errors import ArgumentError
from keras_lr.optimizers.changing import is_schedule as is_schedule
from keras_lr.schedules import Adopted, Scaled, Schedule

_CHANGES: weakref.WeakKeyDictionary[Any, ChangeCount] = weakref.WeakKeyDictionary()
_TRACES: weakref.WeakKeyDictionary[Any, _Trace] = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True)
class ChangeCount:
    """The number of changes of an optimizer's rate by this module, and the first step of the last one."""

    times: int = 0
    step: int = 0


@dataclasses.dataclass(frozen=True)
class _Trace:
    """A training function, and the rates of the optimizers when it was compiled."""

    function: Any
    rates: list[Any]


def number(rate: Any) -> float:
    """Returns a variable, a tensor, a number or the value of a callable as a float: 0.1, not 0.10000000149."""
    if callable(rate) and not hasattr(rate, "dtype"):
        rate = rate()
    return float(str(np.float32(keras.ops.convert_to_numpy(rate))))


def as_ours(rate: Any) -> Schedule:
    """Returns a schedule of Keras as one of keras-lr, which can be evaluated for many steps at once."""
    return rate if isinstance(rate, Schedule) else Adopted(rate)


def rate_at(optimizer: Any, step: int) -> float:
    """Returns the rate of a step, with the present rate or schedule."""
    rate = machinery.rate_of(optimizer)
    return float(as_ours(rate).evaluate(max(step, 0))) if is_schedule(rate) else number(rate)


def changes_of(optimizer: Any) -> ChangeCount:
    """Returns the number of changes so far, which shows whether a cached rate is out of date. Reads nothing from a device."""
    return _CHANGES.get(optimizer, ChangeCount())


def check_changeable(where: str, model: Any) -> None:
    """Checks that the rate of every optimizer can be changed.

    Raises:
        ArgumentError: A rate is a function without arguments, which is compiled in.
    """
    for optimizer in machinery.optimizers_of(model):
        rate = machinery.rate_of(optimizer)
        if not is_schedule(rate) and not hasattr(rate, "assign"):
            repair = "Pass a float or a schedule: keras.optimizers.Adam(0.001)"
            raise ArgumentError(where, "the rate is a function, which can't be changed", repair, learning_rate=rate)


def scale(model: Any, factor: float, *, low: float = 0.0, high: float | None = None) -> None:
    """Multiplies the rates of a model's optimizers, from the next update on.

    The result stays within `low` and `high`, but neither bound moves a rate that is beyond it already.
    """
    for optimizer in machinery.optimizers_of(model):
        rate = machinery.rate_of(optimizer)
        if is_schedule(rate):
            base, before = (rate.schedule, rate.scale) if isinstance(rate, Scaled) else (as_ours(rate), 1.0)
            _replace(model, optimizer, Scaled(base, before * factor, low, high))
        else:
            before = number(rate)
            after = max(before * factor, min(before, low))
            _assign(optimizer, after if high is None else min(after, max(before, high)))


def scales(model: Any) -> list[dict[str, float | None]]:
    """Returns what the changes have made of each rate, for a file and for `restore`."""
    return [_as_dict(machinery.rate_of(optimizer)) for optimizer in machinery.optimizers_of(model)]


def restore(model: Any, saved: list[dict[str, float | None]]) -> None:
    """Restores the rates that `scales` returned for this model or an equal one; idempotent."""
    for optimizer, values in zip(machinery.optimizers_of(model), saved, strict=True):
        rate = machinery.rate_of(optimizer)
        if not is_schedule(rate):
            _assign(optimizer, values["learning_rate"])
        elif values["scale"] is not None:
            base = rate.schedule if isinstance(rate, Scaled) else as_ours(rate)
            scaled = Scaled(base, values["scale"], values["low"] or 0.0, values["high"])
            if scaled != rate:
                _replace(model, optimizer, scaled)


def warn_of_ignored(model: Any) -> None:
    """Warns of a rate that Keras doesn't use: a schedule set after compilation, or the attribute `optimizer.lr`.

    Called when an epoch begins. `remember_trace` recorded what was compiled.
    """
    optimizers = machinery.optimizers_of(model)
    for optimizer in optimizers:
        if "lr" in vars(optimizer):
            warnings.warn(
                "optimizer.lr is an attribute that Keras does not read: the rate is unchanged. Use "
                "optimizer.learning_rate, or keras_lr.LearningRateControl to change it while training.",
                stacklevel=3,
            )
    if keras.backend.backend() == "torch":
        return  # Keras compiles nothing there, and uses the present rate
    trace, rates = _TRACES.get(model), [machinery.rate_of(optimizer) for optimizer in optimizers]
    if trace is None or trace.function is None or trace.function is not model.train_function:
        return
    if len(rates) == len(trace.rates) and any(
        now is not then and now != then for now, then in zip(rates, trace.rates, strict=True) if is_schedule(now)
    ):
        warnings.warn(
            "optimizer.learning_rate was set to another schedule after the training step had been compiled: Keras still "
            "uses the one before and does not say so. Call model.compile(...) with the optimizer again, or change the "
            "rate through keras_lr.LearningRateControl.",
            stacklevel=3,
        )


def remember_trace(model: Any) -> None:
    """Records the rates that the training function was compiled with, at the end of an epoch."""
    trace = _TRACES.get(model)
    if trace is None or trace.function is not model.train_function:
        rates = [machinery.rate_of(optimizer) for optimizer in machinery.optimizers_of(model)]
        _TRACES[model] = _Trace(model.train_function, rates)


def _as_dict(rate: Any) -> dict[str, float | None]:
    values: dict[str, float | None] = dict.fromkeys(("learning_rate", "scale", "low", "high"))
    if not is_schedule(rate):
        return {**values, "learning_rate": number(rate)}
    return {**values, "scale": rate.scale, "low": rate.low, "high": rate.high} if isinstance(rate, Scaled) else values


def _assign(optimizer: Any, value: float | None) -> None:
    if value is not None:
        optimizer.learning_rate = value
        _count_change(optimizer)


def _replace(model: Any, optimizer: Any, rate: Schedule) -> None:
    machinery.set_rate(optimizer, rate)
    _count_change(optimizer)
    machinery.retrace(model)


def _count_change(optimizer: Any) -> None:
    _CHANGES[optimizer] = ChangeCount(changes_of(optimizer).times + 1, machinery.step_count(optimizer))
