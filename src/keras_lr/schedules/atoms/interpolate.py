"""A schedule through given points."""

from __future__ import annotations

import itertools
import math
from typing import Any, final

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import fields
from keras_lr.schedules import length as lengths
from keras_lr.schedules.atoms import shapes
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.length import Length, Steps
from keras_lr.schedules.ops import Arithmetic


@final
@fields.schedule
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

    steps: tuple[Steps | float, ...] = fields.knots()
    values: tuple[float, ...] = fields.rate(many=True)
    shape: str = fields.choice(("linear", "cosine"), "linear")

    def _check_fields(self) -> None:
        if len(self.steps) != len(self.values) or not self.steps:
            rule = f"{len(self.steps)} steps need {max(1, len(self.steps))} values"
            raise ArgumentError("Interpolate", rule, "Pass one value for each step", values=list(self.values))
        numbers = [step for step in self.steps if isinstance(step, (int, float))]
        if any(late <= early for early, late in itertools.pairwise(numbers)):
            repair = "Sort them and leave out doubles"
            raise ArgumentError("Interpolate", "steps must rise", repair, steps=list(self.steps))

    @property
    def extent(self) -> Length:
        last = self.steps[-1]
        return lengths.of(math.ceil(last) if isinstance(last, float) else last)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        rate = xp.real(step) * 0.0 + self.values[0]
        ends = zip(itertools.pairwise(self.steps), itertools.pairwise(self.values), strict=True)
        for (early, late), (start, end) in ends:
            whole = int(early) if early == int(early) else early  # type: ignore[arg-type]
            clock = step - whole if isinstance(whole, int) else xp.real(step) - whole
            progress = shapes.progress(clock, late - early, xp)  # type: ignore[operator, arg-type]
            rate = xp.where(clock >= 0, shapes.between(start, end, progress, self.shape, xp), rate)
        return rate
