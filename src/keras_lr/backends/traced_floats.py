"""The floats of an optimizer (its betas, decay, epsilon) handed in as data, so that one program serves many of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Settings = dict[str, Any]
"""By name of the attribute, an array whose last axis has the value and 1 less the value."""


def pairs(settings: Mapping[str, np.ndarray], dtype: str) -> Settings:
    """Values with what they lack to 1, which is exact only if it is taken before the rounding to float32."""
    return {name: np.stack([value, 1.0 - value], -1).astype(dtype) for name, value in settings.items()}


class HandedIn:
    """Stands in for a float that is not 0 while a step is traced, and does what Keras's update rules do with it.

    Args:
        pair: The value, and 1 less the value, in a tensor of the framework.
    """

    def __init__(self, pair: Any) -> None:
        self._value, self._rest = pair[0], pair[1]

    def __jax_array__(self) -> Any:
        return self._value

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        del dtype, name
        return self._value

    def __rsub__(self, other: Any) -> Any:
        return self._rest if isinstance(other, (int, float)) and other == 1 else other - self._value

    def __sub__(self, other: Any) -> Any:
        return -self._rest if isinstance(other, (int, float)) and other == 1 else self._value - other

    def __mul__(self, other: Any) -> Any:
        return self._value * other

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Any:
        return self._value + other

    __radd__ = __add__

    def __ne__(self, other: object) -> bool:
        return True

    def __gt__(self, other: Any) -> bool:
        return _above_zero(other)

    __hash__ = None  # type: ignore[assignment] # it is no value of its own


def _above_zero(other: Any) -> bool:
    if other != 0:
        raise TypeError("only whether it is above 0 is known of it")
    return True
