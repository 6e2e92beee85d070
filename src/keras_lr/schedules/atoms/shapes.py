"""The shapes of ramps: how much of the difference between two rates is left when a share p of the time is over.

The share that is left, q = 1 - p, is computed separately. A compiler may turn a division by T into a product with 1 / T.
Then p is 0.9999999 or 1.0000001 at the end, and the root of 1 - p is 3e-4 or NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules.ops import Arithmetic

LEFT: dict[str, Callable[[Any, Any, Arithmetic], Any]] = {
    "linear": lambda p, q, xp: q,
    "cosine": lambda p, q, xp: (1.0 + xp.cos(math.pi * p)) / 2.0,
    "1-sqrt": lambda p, q, xp: 1.0 - xp.sqrt(p),
    "1-square": lambda p, q, xp: q * (1.0 + p),
    "exponential": lambda p, q, xp: xp.maximum(2.0 * xp.power(0.5, p) - 1.0, 0.0),
    "rex": lambda p, q, xp: q / (1.0 - p / 2.0),
}
"""Each falls from 1 at p = 0, q = 1 to 0 at p = 1, q = 0."""

GEOMETRIC = "geometric"
"""The only shape that multiplies, instead of adding a share of the difference: start * (end / start) ** p."""

SHAPES = (*LEFT, GEOMETRIC)


def check_end(where: str, shape: str, end: float) -> None:
    """Raises an `ArgumentError` if a geometric ramp ends at 0, which it can't reach."""
    if shape == GEOMETRIC and end == 0.0:
        raise ArgumentError(
            where, "a geometric ramp can't go through 0", "Pass an end above 0, for example 1e-6", end=end
        )


def progress(step: Any, steps: float, xp: Arithmetic) -> tuple[Any, Any]:
    """Returns the shares p and q of `steps` that are over and left; an empty ramp is at its end."""
    if not steps:
        return xp.real(step) * 0.0 + 1.0, xp.real(step) * 0.0
    elapsed = xp.minimum(xp.maximum(step, 0), steps)
    return xp.minimum(xp.real(elapsed) / steps, 1.0), xp.minimum(xp.real(steps - elapsed) / steps, 1.0)


def between(start: Any, end: float, pq: tuple[Any, Any], shape: str, xp: Arithmetic, power: float = 1.0) -> Any:
    """Returns the rate between `start` and `end` when the shares p and q of the time are over and left."""
    if shape == GEOMETRIC:
        return start * xp.power(end / start, pq[0])
    left = LEFT[shape](*pq, xp)
    return end + (start - end) * (left if power == 1.0 else xp.power(left, power))
