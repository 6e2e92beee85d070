"""Schedules that fall for ever: by a factor, by a growing divisor, as a square root."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any, final

from keras_lr.core import checks
from keras_lr.schedules import length as lengths
from keras_lr.schedules.base import Schedule, register, rounded, schedule
from keras_lr.schedules.length import RunLength, Steps
from keras_lr.schedules.ops import Arithmetic


class _Decay(Schedule):
    """What the decays without an end share: a `start` rate and a `rate` of change once in `per` steps."""

    start: float
    rate: float
    per: Steps | float

    def __post_init__(self) -> None:
        name = type(self).__name__
        object.__setattr__(self, "start", checks.at_least_zero(name, start=self.start))
        object.__setattr__(self, "rate", self._checked_rate())
        if isinstance(self.per, str):
            lengths.parse(name, per=self.per)
        else:
            checks.above_zero(name, per=self.per)

    def _checked_rate(self) -> float:
        return checks.at_least_zero(type(self).__name__, rate=self.rate)

    @property
    def extent(self) -> None:
        return None

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        if not isinstance(self.per, str):
            return self
        per = rounded(lengths.parse(type(self).__name__, per=self.per).resolve(run))
        return dataclasses.replace(self, per=per)  # type: ignore[type-var]

    def _periods(self, step: Any, xp: Arithmetic) -> Any:
        return xp.real(xp.maximum(step, 0)) / self.per  # type: ignore[operator]


@final
@register
@schedule
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

    start: float
    rate: float
    per: Steps | float = 1

    def _checked_rate(self) -> float:
        return checks.above_zero("Exponential", rate=self.rate)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.start * xp.power(self.rate, self._periods(step, xp))


@final
@register
@schedule
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

    start: float
    rate: float
    per: Steps | float = 1

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.start / (1.0 + self.rate * self._periods(step, xp))


@final
@register
@schedule
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

    peak: float
    timescale: Steps | float

    def __post_init__(self) -> None:
        object.__setattr__(self, "peak", checks.at_least_zero("InverseSqrt", peak=self.peak))
        _check_timescale("InverseSqrt", self.timescale)

    @property
    def extent(self) -> None:
        return None

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return InverseSqrt(self.peak, _timescale_in(run, "InverseSqrt", self.timescale))

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.peak / xp.sqrt(1.0 + xp.real(xp.maximum(step, 0)) / self.timescale)  # type: ignore[operator]


@final
@register
@schedule
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

    peak: float
    timescale: Steps | float
    power: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "peak", checks.at_least_zero("PowerLaw", peak=self.peak))
        object.__setattr__(self, "power", checks.above_zero("PowerLaw", power=self.power))
        _check_timescale("PowerLaw", self.timescale)

    @property
    def extent(self) -> None:
        return None

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return PowerLaw(self.peak, _timescale_in(run, "PowerLaw", self.timescale), self.power)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.peak * xp.power(1.0 + xp.real(xp.maximum(step, 0)) / self.timescale, -self.power)  # type: ignore[operator]


def _check_timescale(where: str, timescale: Any) -> None:
    """Refuses what is neither a number above 0 nor a length with a unit."""
    if isinstance(timescale, str):
        lengths.parse(where, timescale=timescale)
    else:
        checks.above_zero(where, timescale=timescale)


def _timescale_in(run: RunLength, where: str, timescale: Any) -> Any:
    """A time scale in updates of a run; a number is in updates already."""
    return rounded(lengths.parse(where, timescale=timescale).resolve(run)) if isinstance(timescale, str) else timescale
