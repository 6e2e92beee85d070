"""Checks of arguments. Each returns the value as a plain Python type, or raises an `ArgumentError` with the rule."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

from keras_lr.core.errors import ArgumentError

LARGEST_STEP = 2**31 - 1  # Keras counts steps in int32 on JAX and PyTorch


def finite(where: str, **argument: Any) -> float:
    """Returns a finite real number as a Python float."""
    ((name, value),) = argument.items()
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ArgumentError(where, f"{name} must be a finite number", "Pass a float, for example 0.01", **argument)
    return float(value)


def above_zero(where: str, **argument: Any) -> float:
    """Returns a finite number above 0 as a Python float."""
    (name,) = argument
    value = finite(where, **argument)
    if value <= 0.0:
        raise ArgumentError(where, f"{name} must be above 0", "Pass a float, for example 0.01", **argument)
    return value


def at_least_zero(where: str, **argument: Any) -> float:
    """Returns a finite number of at least 0 as a Python float."""
    (name,) = argument
    value = finite(where, **argument)
    if value < 0.0:
        raise ArgumentError(where, f"{name} must be 0 or more", "Pass a float, for example 0.01", **argument)
    return value


def whole(where: str, least: int = 1, **argument: Any) -> int:
    """Returns a whole number of at least `least` that fits a step counter, as a Python int."""
    ((name, value),) = argument.items()
    integral = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not integral or int(value) < least:
        rule, repair = f"{name} must be a whole number of at least {least}", f"Pass {least} or more"
        raise ArgumentError(where, rule, repair, **argument)
    if int(value) > LARGEST_STEP:
        rule, repair = f"{name} must be at most 2**31 - 1, where step counters end", "Pass less"
        raise ArgumentError(where, rule, repair, **argument)
    return int(value)


def one_of(where: str, choices: Sequence[str], **argument: Any) -> str:
    """Returns a string that is one of `choices`."""
    ((name, value),) = argument.items()
    if value not in choices:
        rule = f"{name} must be one of {', '.join(map(repr, choices))}"
        raise ArgumentError(where, rule, "Pass one of these", **argument)
    return str(value)
