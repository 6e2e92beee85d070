"""A schedule through given points."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any, final

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import length as lengths
from keras_lr.schedules.atoms import shapes
from keras_lr.schedules.base import Schedule, register, schedule
from keras_lr.schedules.length import Length, RunLength, Steps
from keras_lr.schedules.ops import Arithmetic

_SHAPES = ("linear", "cosine")


@final
@register
@schedule
class Interpolate(Schedule):
    """Goes through the given rates at the given steps, and holds the first before and the last after them.

    lr(t) = b + (a - b) * left((t - i) / (j - i)) between the knots (i, a) and (j, b),  left as in `Ramp`.

    Args:
        steps: The knots, rising: steps (they may be fractional: a knot between two updates), or lengths with a unit.
        values: The rates there, one for each. 0 or more.
        shape: "linear" or "cosine".

    Example:
        >>> Interpolate([0, 2, 6], [0.0, 1.0, 0.0]).evaluate(range(8)).tolist()
        [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """

    steps: tuple[Steps | float, ...]
    values: tuple[float, ...]
    shape: str = "linear"

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(_knot(step) for step in self.steps))
        rates = tuple(checks.at_least_zero("Interpolate", values=value) for value in self.values)
        object.__setattr__(self, "values", rates)
        checks.one_of("Interpolate", _SHAPES, shape=self.shape)
        if len(self.steps) != len(self.values) or not self.steps:
            rule = f"{len(self.steps)} steps need {max(1, len(self.steps))} values"
            raise ArgumentError("Interpolate", rule, "Pass one value for each step", values=list(self.values))
        numbers = [step for step in self.steps if isinstance(step, (int, float))]
        if any(late <= early for early, late in itertools.pairwise(numbers)):
            raise ArgumentError(
                "Interpolate", "steps must rise", "Sort them and leave out doubles", steps=list(self.steps)
            )

    @property
    def extent(self) -> Length:
        last = self.steps[-1]
        return (
            Length(math.ceil(last)) if isinstance(last, (int, float)) else lengths.parse("Interpolate", 0, steps=last)
        )

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        if not self.unbound:
            return self
        knots = [
            lengths.place(lengths.parse("Interpolate", 0, steps=step), run, start) if isinstance(step, str) else step
            for step in self.steps
        ]
        return Interpolate(tuple(knots), self.values, self.shape)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        rate = xp.real(step) * 0.0 + self.values[0]
        ends = zip(itertools.pairwise(self.steps), itertools.pairwise(self.values), strict=True)
        for (early, late), (start, end) in ends:
            whole = int(early) if early == int(early) else early  # type: ignore[arg-type]
            clock = step - whole if isinstance(whole, int) else xp.real(step) - whole
            done = shapes.progress(clock, late - early, xp)  # type: ignore[operator, arg-type]
            rate = xp.where(clock >= 0, shapes.between(start, end, done, self.shape, xp), rate)
        return rate


def _knot(step: Any) -> float | str:
    """A step of the list, checked: a number of 0 or more, or a length with a unit."""
    if isinstance(step, str):
        lengths.parse("Interpolate", 0, steps=step)
        return step
    number = checks.at_least_zero("Interpolate", steps=step)
    if number > checks.LARGEST_STEP:
        raise ArgumentError(
            "Interpolate", "steps must be at most 2**31 - 1, where step counters end", "Pass less", steps=step
        )
    return int(number) if number == int(number) else number
