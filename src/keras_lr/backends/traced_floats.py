"""Floats of an optimizer (its betas, decay, epsilon) as inputs of a program, so that one program serves many values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Pairs = dict[str, Any]
"""By name of the attribute, a tensor whose last axis holds the value and 1 minus the value."""


def pairs(settings: Mapping[str, Any], dtype: str) -> Pairs:
    """Pairs each value with 1 minus the value, which is exact only if it is taken before rounding to float32."""
    return {name: np.stack([value, 1.0 - value], -1).astype(dtype) for name, value in settings.items()}


class TracedFloat:
    """Stands in for a positive float while a step is traced; it supports what Keras's update rules do with such a float.

    Args:
        pair: The value and 1 minus the value, in a tensor of the framework.
    """

    __hash__ = None  # type: ignore[assignment] # tensors have none either

    def __init__(self, pair: Any) -> None:
        self._value, self._rest = pair[0], pair[1]

    def __jax_array__(self) -> Any:
        return self._value

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        del dtype, name
        return self._value

    def __rsub__(self, other: Any) -> Any:
        return self._rest if _is_one(other) else other - self._value

    def __sub__(self, other: Any) -> Any:
        return -self._rest if _is_one(other) else self._value - other

    def __mul__(self, other: Any) -> Any:
        return self._value * other

    def __add__(self, other: Any) -> Any:
        return self._value + other

    __rmul__, __radd__ = __mul__, __add__

    def __ne__(self, other: object) -> bool:
        return True

    def __gt__(self, other: Any) -> bool:
        if other != 0:
            raise TypeError("a traced float can only be compared with 0")
        return True


def _is_one(other: Any) -> bool:
    return isinstance(other, (int, float)) and other == 1
