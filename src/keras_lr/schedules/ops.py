"""The few operations that a schedule's formula may use, on the host and inside a compiled step.

Each formula is written once, as `formula(step, xp)`. With `HOST` it runs in NumPy float64, to draw, test and log a
schedule. With `COMPILED` it runs in `keras.ops` float32 inside the training step of any backend. Steps stay integers until
`real`, because float32 can't count past 2**24.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import keras
import numpy as np


class Arithmetic(Protocol):
    """What `formula(step, xp)` may call on `xp`; the plain operators (+ - * / // % < <= ==) work too.

    `count_passed(step, boundaries)` counts the boundaries b <= step. `pick(values, index)` looks a value up. `user(fn, step)`
    calls a function of the user.
    """

    def real(self, step: Any) -> Any: ...
    def integer(self, step: Any) -> Any: ...
    def where(self, condition: Any, yes: Any, no: Any) -> Any: ...
    def minimum(self, a: Any, b: Any) -> Any: ...
    def maximum(self, a: Any, b: Any) -> Any: ...
    def cos(self, x: Any) -> Any: ...
    def sqrt(self, x: Any) -> Any: ...
    def tanh(self, x: Any) -> Any: ...
    def power(self, base: Any, exponent: Any) -> Any: ...
    def count_passed(self, step: Any, boundaries: Any) -> Any: ...
    def pick(self, values: Any, index: Any) -> Any: ...
    def user(self, fn: Any, step: Any) -> Any: ...


class _Host:
    """NumPy in float64, without a backend."""

    where = staticmethod(np.where)
    minimum = staticmethod(np.minimum)
    maximum = staticmethod(np.maximum)
    cos = staticmethod(np.cos)
    sqrt = staticmethod(np.sqrt)
    tanh = staticmethod(np.tanh)
    power = staticmethod(np.power)

    @staticmethod
    def real(step: Any) -> Any:
        return np.asarray(step, np.float64)

    @staticmethod
    def integer(step: Any) -> Any:
        return np.asarray(step).astype(np.int64)

    @staticmethod
    def count_passed(step: Any, boundaries: Any) -> Any:
        return np.searchsorted(np.asarray(boundaries), np.asarray(step), side="right")

    @staticmethod
    def pick(values: Any, index: Any) -> Any:
        return np.asarray(values)[index]

    @staticmethod
    def user(fn: Any, step: Any) -> Any:
        steps = np.asarray(step, np.float64)
        return np.array([float(fn(t)) for t in steps.ravel().tolist()]).reshape(steps.shape)


class _Compiled:
    """`keras.ops` in float32 (float64 where Keras is set to it), on the backend of this process."""

    where = staticmethod(keras.ops.where)
    minimum = staticmethod(keras.ops.minimum)
    maximum = staticmethod(keras.ops.maximum)
    cos = staticmethod(keras.ops.cos)
    sqrt = staticmethod(keras.ops.sqrt)
    tanh = staticmethod(keras.ops.tanh)

    @staticmethod
    def real(step: Any) -> Any:
        return keras.ops.cast(step, _real_dtype())

    @staticmethod
    def integer(step: Any) -> Any:
        return keras.ops.cast(step, _integer_dtype())

    @staticmethod
    def power(base: Any, exponent: Any) -> Any:
        if isinstance(base, float) and base > 0.0:  # 0.999 rounded to float32 and raised to 1000 is 3e-5 off
            return keras.ops.exp(keras.ops.cast(exponent, _real_dtype()) * math.log(base))
        return keras.ops.power(keras.ops.cast(base, _real_dtype()), keras.ops.cast(exponent, _real_dtype()))

    @staticmethod
    def count_passed(step: Any, boundaries: Any) -> Any:
        step = keras.ops.convert_to_tensor(step)
        ends = keras.ops.convert_to_tensor(np.asarray(boundaries), dtype=step.dtype)
        return keras.ops.sum(keras.ops.cast(keras.ops.expand_dims(step, -1) >= ends, "int32"), axis=-1)

    @staticmethod
    def table(values: np.ndarray) -> Any:
        """Returns values for `pick`; on PyTorch, which would convert them in every step, as a tensor."""
        return _tensor(values) if keras.backend.backend() == "torch" else values

    @staticmethod
    def pick(values: Any, index: Any) -> Any:
        return keras.ops.take(values if keras.ops.is_tensor(values) else _tensor(values), index)

    @staticmethod
    def user(fn: Any, step: Any) -> Any:
        return keras.ops.cast(fn(step), _real_dtype())


def _real_dtype() -> str:
    return "float64" if keras.config.floatx() == "float64" else "float32"


def _tensor(values: Any) -> Any:
    """Converts numbers to a tensor in the dtype of steps or of rates."""
    numbers = np.asarray(values)
    dtype = _integer_dtype() if np.issubdtype(numbers.dtype, np.integer) else _real_dtype()
    return keras.ops.convert_to_tensor(numbers, dtype=dtype)


def _integer_dtype() -> str:
    return "int64" if keras.backend.backend() == "tensorflow" else "int32"


HOST: Arithmetic = _Host()
COMPILED = _Compiled()
