"""Operators written as `>>`, `*` and `+`, and `.clip`; the repr shows that code."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar, final

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import base, fields
from keras_lr.schedules.atoms.constants import Constant
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.length import Length, RunLength
from keras_lr.schedules.operators.operator import Operator
from keras_lr.schedules.ops import Arithmetic


@final
@fields.schedule
class Then(Schedule):
    """`first >> second`: the first to its end, then the second from its own step 0.

    lr(t) = first(t) for t < n, second(t - n) after,  n = the length of `first`.

    Example:
        >>> from keras_lr import Constant, Linear
        >>> (Linear(0.0, 1.0, 2) >> Constant(1.0)).evaluate(range(4)).tolist()
        [0.0, 0.5, 1.0, 1.0]
    """

    first: Schedule = fields.part()
    second: Schedule = fields.part()
    _call = ">>"
    precedence = base.THEN

    def _check_fields(self) -> None:
        if self.first.extent is None:
            repair = "Give it a length, such as Constant(0.1, steps=100)"
            raise ArgumentError(">>", "the left side has no end", repair, first=self.first)
        self._check_share()

    @property
    def extent(self) -> Length | None:
        return after(self.first.extent, self.second.extent)

    @property
    def tabular(self) -> bool:
        return self.plain and self.second.tabular

    def _share(self) -> Fraction:
        return self.first._share() + self.second._share()

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        assert self.first.extent is not None
        middle = start + self.first.extent.resolve(run)
        return Then(self.first.placed(run, start), self.second.placed(run, middle))

    def _longer(self, steps: int) -> Schedule | None:
        second = self.second._longer(steps)
        return super()._longer(steps) if second is None else Then(self.first, second)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        turn = self.first.length
        return xp.where(step < turn, self.first.rate_at(step, xp), self.second.rate_at(xp.maximum(step - turn, 0), xp))

    def __repr__(self) -> str:
        return f"{self.first!r} >> {self.second.code_in(base.THEN + 1)}"


@fields.schedule
class _Pair(Schedule):
    """What sum and product share. The length is the longer of the two that have one."""

    left: Schedule = fields.part()
    right: Schedule = fields.part()
    _symbol: ClassVar[str]

    @property
    def extent(self) -> Length | None:
        extents = [side.extent for side in (self.left, self.right) if side.extent is not None]
        if len(extents) == 2 and all(extent.bound for extent in extents):
            return max(extents, key=lambda extent: extent.steps)
        if len(extents) == 2 and extents[0] != extents[1]:
            rule = "the two sides have lengths in different units"
            raise ArgumentError(self._call, rule, "Bind both first, or give them one length", left=self.left)
        return extents[0] if extents else None

    @property
    def tabular(self) -> bool:
        # a side without an end continues after the end of the other
        ends = all(side.extent is not None or isinstance(side, Constant) for side in (self.left, self.right))
        return ends and super().tabular

    def __repr__(self) -> str:
        left, right = _operand(self.left, self.precedence), _operand(self.right, self.precedence + 1)
        return f"{left} {self._symbol} {right}"


@final
@fields.schedule
class Product(_Pair):
    """`left * right`: the product of two schedules, step by step. A number is a constant schedule.

    Example:
        >>> from keras_lr import Cosine
        >>> (0.1 * Cosine(1.0, 0.0, 2)).evaluate(range(3)).round(6).tolist()
        [0.1, 0.05, 0.0]
    """

    precedence = base.PRODUCT
    _symbol = "*"

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.left.formula(step, xp) * self.right.formula(step, xp)


@final
@fields.schedule
class Sum(_Pair):
    """`left + right`: the sum of two schedules, step by step. A number is a constant schedule.

    Example:
        >>> from keras_lr import Cosine
        >>> (Cosine(1.0, 0.0, 2) + 0.5).evaluate(range(3)).tolist()
        [1.5, 1.0, 0.5]
    """

    precedence = base.SUM
    _symbol = "+"

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.left.formula(step, xp) + self.right.formula(step, xp)


@final
@fields.schedule
class Clip(Operator):
    """`schedule.clip(low, high)`: never below `low` nor above `high`.

    Example:
        >>> from keras_lr import Exponential
        >>> Exponential(1.0, 0.5).clip(low=0.2).evaluate(range(4)).tolist()
        [1.0, 0.5, 0.25, 0.2]
    """

    low: float | None = fields.number(None)
    high: float | None = fields.number(None)
    _call = "clip"
    _keywords = ("low", "high")

    def _check_fields(self) -> None:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ArgumentError("clip", f"low must not be above high, {self.high!r}", "Swap them", low=self.low)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        rate = self.schedule.formula(step, xp)
        rate = rate if self.low is None else xp.maximum(rate, self.low)
        return rate if self.high is None else xp.minimum(rate, self.high)


def after(first: Length | None, second: Length | None) -> Length | None:
    """Returns the length of one after the other, or None if one has no end."""
    return None if first is None or second is None else first + second


def _operand(part: Schedule, precedence: int) -> str:
    """Returns the code of a part; a constant without a length is the number that it stands for."""
    return repr(part.value) if isinstance(part, Constant) and part.steps is None else part.code_in(precedence)
