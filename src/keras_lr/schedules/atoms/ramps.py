"""Schedules that go from one rate to another in a given time, along a line, a cosine, a power or another shape."""

from __future__ import annotations

from typing import Any, final

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import fields
from keras_lr.schedules import length as lengths
from keras_lr.schedules.atoms import shapes
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.length import Length, Steps
from keras_lr.schedules.ops import Arithmetic


@fields.schedule
class _Transition(Schedule):
    """What ramps share: the rate goes from `start` to `end` in `steps` updates and stays there."""

    start: float = fields.rate()
    end: float = fields.rate()
    steps: Steps = fields.length(least=0)

    @property
    def extent(self) -> Length:
        return lengths.of(self.steps)

    def _progress(self, step: Any, xp: Arithmetic) -> tuple[Any, Any]:
        """Returns the shares of the ramp that are over and left."""
        return shapes.progress(step, self.extent.steps, xp)


@final
@fields.schedule
class Linear(_Transition):
    """Goes from `start` to `end` in a straight line, then stays there.

    lr(t) = start + (end - start) * min(t, T) / T,  T = `steps`.

    Args:
        start: The rate at step 0. 0 or more.
        end: The rate from step T on. 0 or more.
        steps: T: updates, or a length with a unit (`"3ep"`, `"10%"`, `"5000ex"`).

    Example:
        >>> Linear(0.0, 1.0, 4).evaluate([0, 1, 4, 9]).tolist()
        [0.0, 0.25, 1.0, 1.0]
    """

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return shapes.between(self.start, self.end, self._progress(step, xp), "linear", xp)


@final
@fields.schedule
class Cosine(_Transition):
    """Goes from `start` to `end` along half a cosine, then stays there.

    lr(t) = end + (start - end) * ((1 + cos(pi * min(t, T) / T)) / 2) ** power,  T = `steps`.

    Args:
        start: The rate at step 0. 0 or more.
        end: The rate from step T on. 0 or more.
        steps: T: updates, or a length with a unit (`"3ep"`, `"10%"`, `"5000ex"`).
        power: Above 0; above 1 the rate falls earlier.

    Example:
        >>> Cosine(1.0, 0.0, 4).evaluate([0, 2, 4, 9]).round(6).tolist()
        [1.0, 0.5, 0.0, 0.0]

    References:
        Loshchilov and Hutter 2017, SGDR, eq. 5. https://arxiv.org/abs/1608.03983
    """

    power: float = fields.positive(1.0)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return shapes.between(self.start, self.end, self._progress(step, xp), "cosine", xp, self.power)


@final
@fields.schedule
class Polynomial(_Transition):
    """Goes from `start` to `end` along a power of the time that is left, then stays there.

    lr(t) = end + (start - end) * (1 - min(t, T) / T) ** power,  T = `steps`.

    Args:
        start: The rate at step 0. 0 or more.
        end: The rate from step T on. 0 or more.
        steps: T: updates, or a length with a unit (`"3ep"`, `"10%"`, `"5000ex"`).
        power: Above 0; 1 is a straight line.

    Example:
        >>> Polynomial(1.0, 0.0, 4, power=2).evaluate([0, 2, 4]).tolist()
        [1.0, 0.25, 0.0]
    """

    power: float = fields.positive(1.0)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return shapes.between(self.start, self.end, self._progress(step, xp), "linear", xp, self.power)


@final
@fields.schedule
class Ramp(_Transition):
    """Goes from `start` to `end` along a named shape, then stays there.

    lr(t) = end + (start - end) * left(p ** warp) ** power,  p = min(t, T) / T,  T = `steps`,  left(p) is

    - "linear": 1 - p
    - "cosine": (1 + cos(pi * p)) / 2
    - "1-sqrt": 1 - sqrt(p), which falls at once and ends softly
    - "1-square": 1 - p ** 2
    - "exponential": 2 * 0.5 ** p - 1
    - "rex": (1 - p) / (1 - p / 2)

    and "geometric" is start * (end / start) ** (p ** warp), the same factor at every step.

    Args:
        start: The rate at step 0. 0 or more.
        end: The rate from step T on. 0 or more.
        steps: T: updates, or a length with a unit (`"3ep"`, `"10%"`, `"5000ex"`).
        shape: One of the names above.
        power: Above 0; above 1 the rate falls earlier.
        warp: Above 0; above 1 the rate falls later (the k of k-decay).

    Example:
        >>> Ramp(1.0, 0.0, 4, "1-sqrt").evaluate([0, 1, 4]).tolist()
        [1.0, 0.5, 0.0]

    References:
        "1-sqrt": Haegele et al. 2024. https://arxiv.org/abs/2405.18392
        "rex": Chen et al. 2021. https://arxiv.org/abs/2107.04197
        `warp`: Zhang and Li 2020, k-decay. https://arxiv.org/abs/2004.05909
    """

    shape: str = fields.choice(shapes.SHAPES, "linear")
    power: float = fields.positive(1.0)
    warp: float = fields.positive(1.0)

    def _check_fields(self) -> None:
        shapes.check_end("Ramp", self.shape, self.end)
        if self.shape == shapes.GEOMETRIC:
            checks.above_zero("Ramp", start=self.start)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        p, q = self._progress(step, xp)
        if self.warp != 1.0:
            p = xp.power(p, self.warp)
            q = 1.0 - p
        return shapes.between(self.start, self.end, (p, q), self.shape, xp, self.power)


@final
@fields.schedule
class Tanh(_Transition):
    """Goes from `start` to `end` along a hyperbolic tangent, then holds its last rate.

    lr(t) = end + (start - end) * (1 - tanh(low + (high - low) * min(t, T) / T)) / 2,  T = `steps`.

    Args:
        start: The limit that the tangent comes from; the rate at step 0 is off by the tail before `low`. 0 or more.
        end: The limit that it goes to; the rate at step T is off by the tail after `high`. 0 or more.
        steps: T: updates, or a length with a unit (`"3ep"`, `"10%"`, `"5000ex"`).
        low: The point of the tangent at step 0.
        high: The point at step T, above `low`.

    Example:
        >>> Tanh(1.0, 0.0, 4).evaluate([0, 2, 4]).round(4).tolist()
        [1.0, 0.982, 0.0025]

    References:
        Hsueh et al. 2019, HTD. https://arxiv.org/abs/1806.01593
    """

    low: float = fields.number(-7.0)
    high: float = fields.number(3.0)

    def _check_fields(self) -> None:
        if self.high <= self.low:
            raise ArgumentError("Tanh", f"high must be above low, {self.low!r}", "Swap them", high=self.high)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        p, q = self._progress(step, xp)
        return self.end + (self.start - self.end) * 0.5 * (1.0 - xp.tanh(self.low * q + self.high * p))
