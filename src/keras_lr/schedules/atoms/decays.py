"""Schedules that fall without end: by a factor, by a growing divisor, as a power of time."""

from __future__ import annotations

from typing import Any, final

from keras_lr.schedules import fields
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.length import Steps
from keras_lr.schedules.ops import Arithmetic


@fields.schedule
class _Decay(Schedule):
    """What decays share: the rate starts at `start` and changes by `rate` once in `per` steps."""

    start: float = fields.rate()
    rate: float = fields.rate()
    per: Steps | float = fields.timescale(1)

    @property
    def extent(self) -> None:
        return None

    def _periods(self, step: Any, xp: Arithmetic) -> Any:
        return xp.real(xp.maximum(step, 0)) / self.per  # type: ignore[operator]


@final
@fields.schedule
class Exponential(_Decay):
    """Multiplies the rate by `rate` once in `per` steps, smoothly.

    lr(t) = start * rate ** (t / per).

    Args:
        start: The rate at step 0. 0 or more.
        rate: The factor, above 0. Below 1 the rate falls.
        per: Steps in which it is applied once: updates, or a length with a unit.

    Example:
        >>> Exponential(1.0, 0.5, per=10).evaluate([0, 10, 20]).tolist()
        [1.0, 0.5, 0.25]
    """

    rate: float = fields.positive()

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.start * xp.power(self.rate, self._periods(step, xp))


@final
@fields.schedule
class InverseTime(_Decay):
    """Divides the rate by a number that grows with time.

    lr(t) = start / (1 + rate * t / per).

    Args:
        start: The rate at step 0. 0 or more.
        rate: How fast it falls, 0 or more.
        per: Steps in which the divisor grows by `rate`: updates, or a length with a unit.

    Example:
        >>> InverseTime(0.1, 1.0).evaluate([0, 1, 4]).tolist()
        [0.1, 0.05, 0.02]
    """

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.start / (1.0 + self.rate * self._periods(step, xp))


@final
@fields.schedule
class InverseSqrt(Schedule):
    """Falls as one over the square root of time.

    lr(t) = peak / sqrt(1 + t / timescale).

    Args:
        peak: The rate at step 0. 0 or more.
        timescale: The step at which the rate is peak / sqrt(2): updates, or a length with a unit.

    Example:
        >>> InverseSqrt(1.0, 100).evaluate([0, 300]).tolist()
        [1.0, 0.5]
    """

    peak: float = fields.rate()
    timescale: Steps | float = fields.timescale()

    @property
    def extent(self) -> None:
        return None

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.peak / xp.sqrt(1.0 + xp.real(xp.maximum(step, 0)) / self.timescale)  # type: ignore[operator]


@final
@fields.schedule
class PowerLaw(Schedule):
    """Falls as a power of time.

    lr(t) = peak * (1 + t / timescale) ** -power.

    Args:
        peak: The rate at step 0. 0 or more.
        timescale: The step at which the rate is peak / 2 ** power: updates, or a length with a unit.
        power: Above 0; 0.5 is `InverseSqrt`, 1 is `InverseTime`.

    Example:
        >>> PowerLaw(1.0, 100, power=2.0).evaluate([0, 100, 300]).tolist()
        [1.0, 0.25, 0.0625]
    """

    peak: float = fields.rate()
    timescale: Steps | float = fields.timescale()
    power: float = fields.positive(0.5)

    @property
    def extent(self) -> None:
        return None

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.peak * xp.power(1.0 + xp.real(xp.maximum(step, 0)) / self.timescale, -self.power)  # type: ignore[operator]
