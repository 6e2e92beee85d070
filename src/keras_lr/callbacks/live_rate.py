"""Changing the rate of a running `fit`: a float is assigned, a schedule replaced by itself scaled and compiled anew.

No variable is added to the optimizer, so whatever is saved meanwhile loads anywhere. The state of a change is what is in
the optimizer; nothing has to be undone at the end, and after an interruption nothing is left half done.
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
from keras_lr.schedules import Adopted, Scaled, Schedule

_CHANGES: weakref.WeakKeyDictionary[Any, Changed] = weakref.WeakKeyDictionary()
_TRACED: weakref.WeakKeyDictionary[Any, _Traced] = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True)
class Changed:
    """How often the rate of an optimizer was changed here, and the first step that the last change holds for."""

    times: int = 0
    step: int = 0


@dataclasses.dataclass(frozen=True)
class _Traced:
    """A training function, and the rates that were in the optimizers while it was compiled."""

    function: Any
    rates: list[Any]


def is_schedule(rate: Any) -> bool:
    """Whether a rate is a schedule, Keras's or ours."""
    return isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)


def number(rate: Any) -> float:
    """A rate that is no schedule (a variable, a tensor, a number or a callable) as a float: 0.1, not 0.10000000149."""
    if callable(rate) and not hasattr(rate, "dtype"):
        rate = rate()
    return float(str(np.float32(keras.ops.convert_to_numpy(rate))))


def as_ours(rate: Any) -> Schedule:
    """A schedule as one of ours, which can be evaluated for many steps at once."""
    return rate if isinstance(rate, Schedule) else Adopted(rate)


def rate_at(optimizer: Any, step: int) -> float:
    """The rate of a step, as things are now."""
    rate = machinery.rate_of(optimizer)
    return float(as_ours(rate).evaluate(max(step, 0))) if is_schedule(rate) else number(rate)


def changed(optimizer: Any) -> Changed:
    """What was changed so far; whoever remembers a rate sees by it that it is old. Reads nothing from a device."""
    return _CHANGES.get(optimizer, Changed())


def check_changeable(where: str, model: Any) -> None:
    """Every optimizer has a rate that can be changed.

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
    swapped = False
    for optimizer in machinery.optimizers_of(model):
        rate = machinery.rate_of(optimizer)
        if is_schedule(rate):
            base, so_far = (rate.schedule, rate.scale) if isinstance(rate, Scaled) else (as_ours(rate), 1.0)
            _put(optimizer, Scaled(base, so_far * factor, low, high))
            swapped = True
        else:
            before = number(rate)
            after = max(before * factor, min(before, low))
            _assign(optimizer, after if high is None else min(after, max(before, high)))
    if swapped:
        machinery.retrace(model)


def scales(model: Any) -> list[dict[str, float | None]]:
    """What the rates have become, so that `restore` can bring them there again."""
    return [_told(machinery.rate_of(optimizer)) for optimizer in machinery.optimizers_of(model)]


def restore(model: Any, told: list[dict[str, float | None]]) -> None:
    """Brings the rates of a model to what `scales` told of it or of an equal one. Twice is once."""
    swapped = False
    for optimizer, words in zip(machinery.optimizers_of(model), told, strict=True):
        rate = machinery.rate_of(optimizer)
        if not is_schedule(rate):
            _assign(optimizer, words["learning_rate"])
        elif words["scale"] is not None:
            base = rate.schedule if isinstance(rate, Scaled) else as_ours(rate)
            wanted = Scaled(base, words["scale"], words["low"] or 0.0, words["high"])
            if wanted != rate:
                _put(optimizer, wanted)
                swapped = True
    if swapped:
        machinery.retrace(model)


def tell_ignored(model: Any) -> None:
    """Warns of a rate that Keras will not use: one that was put in after compilation, or set as `optimizer.lr`.

    Called when an epoch begins. What was compiled is known from `remember`.
    """
    optimizers = machinery.optimizers_of(model)
    for optimizer in optimizers:
        if "lr" in vars(optimizer):
            warnings.warn(
                "optimizer.lr is an attribute that Keras does not read: the rate is unchanged. Use "
                "optimizer.learning_rate, or keras_lr.LearningRateControl to change it while training.",
                stacklevel=3,
            )
    traced, rates = _TRACED.get(model), [machinery.rate_of(optimizer) for optimizer in optimizers]
    if traced is None or traced.function is None or traced.function is not model.train_function:
        return
    if len(rates) == len(traced.rates) and any(
        now is not then and now != then for now, then in zip(rates, traced.rates, strict=True) if is_schedule(now)
    ):
        if keras.backend.backend() == "torch":
            return  # it runs step by step and takes what is there
        warnings.warn(
            "optimizer.learning_rate was set to another schedule after the training step had been compiled: Keras goes on "
            "with the one before and does not say so. Call model.compile(...) with the optimizer again, or change the "
            "rate through keras_lr.LearningRateControl.",
            stacklevel=3,
        )


def remember(model: Any) -> None:
    """Notes what the training function was compiled with, at the end of an epoch."""
    traced = _TRACED.get(model)
    if traced is None or traced.function is not model.train_function:
        rates = [machinery.rate_of(optimizer) for optimizer in machinery.optimizers_of(model)]
        _TRACED[model] = _Traced(model.train_function, rates)


def _told(rate: Any) -> dict[str, float | None]:
    if not is_schedule(rate):
        return {"learning_rate": number(rate), "scale": None, "low": None, "high": None}
    if isinstance(rate, Scaled):
        return {"learning_rate": None, "scale": rate.scale, "low": rate.low, "high": rate.high}
    return {"learning_rate": None, "scale": None, "low": None, "high": None}


def _assign(optimizer: Any, value: float | None) -> None:
    if value is not None:
        optimizer.learning_rate = value
        _note(optimizer)


def _put(optimizer: Any, rate: Schedule) -> None:
    machinery.set_rate(optimizer, rate)
    _note(optimizer)


def _note(optimizer: Any) -> None:
    _CHANGES[optimizer] = Changed(changed(optimizer).times + 1, machinery.step_count(optimizer))
