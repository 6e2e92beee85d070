"""A schedule with units, bound to the length of one run."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any, final

from keras_lr.core import checks
from keras_lr.schedules import fields
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.length import Length, RunLength
from keras_lr.schedules.operators.operator import Operator
from keras_lr.schedules.ops import Arithmetic


@final
@fields.schedule
class Bound(Operator):
    """`schedule.bind(steps_per_epoch=, epochs=)`: the schedule with its units, and the run that gives them a length.

    Boundary i is round(T * the shares so far),  T = epochs * steps_per_epoch.

    Example:
        >>> from keras_lr import Constant, Linear
        >>> bound = (Constant(1.0, "50%") >> Linear(1.0, 0.0, "50%")).bind(steps_per_epoch=4, epochs=2)
        >>> bound.evaluate(range(9)).tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    steps_per_epoch: int = fields.count()
    epochs: int = fields.count()
    batch_size: int | None = fields.count(None)
    _call = "bind"
    _keywords = ("steps_per_epoch", "epochs", "batch_size")

    def _check_fields(self) -> None:
        checks.whole("bind", total_steps=self.total_steps)
        _ = self.expression  # a length that this run can't give is an error here, not in the first update

    @property
    def total_steps(self) -> int:
        """T, the updates of the whole run."""
        return self.steps_per_epoch * self.epochs

    @property
    def unbound(self) -> bool:
        return False

    @property
    def original(self) -> Schedule:
        return self.schedule

    @functools.cached_property
    def expression(self) -> Schedule:
        """The same schedule with every length in updates."""
        example = None if self.batch_size is None else Fraction(1, self.batch_size)
        run = RunLength(Fraction(self.total_steps), Fraction(self.steps_per_epoch), example)
        return self.schedule.placed(run, Fraction(0))

    @property
    def extent(self) -> Length | None:
        return self.expression.extent

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return self

    def longest_rise(self) -> int:
        return self.expression.longest_rise()

    def _longer(self, steps: int) -> Schedule | None:
        return super()._longer(steps) or self.expression._longer(steps)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.expression.formula(step, xp)
