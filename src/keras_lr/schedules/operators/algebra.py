"""The operators: schedules made of schedules. Users write them as `>>`, `*`, `+` and methods; the repr shows that code."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, final

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules.atoms.constants import Constant
from keras_lr.schedules.base import Schedule, register, schedule
from keras_lr.schedules.length import Length, RunLength
from keras_lr.schedules.ops import Arithmetic


@final
@register
@schedule
class Then(Schedule):
    """`first >> second`: the first to its end, then the second from its own step 0.

    lr(t) = first(t) for t < n, second(t - n) after,  n = the length of `first`.

    Example:
        >>> from keras_lr import Constant, Linear
        >>> (Linear(0.0, 1.0, 2) >> Constant(1.0)).evaluate(range(4)).tolist()
        [0.0, 0.5, 1.0, 1.0]
    """

    first: Schedule
    second: Schedule

    def __post_init__(self) -> None:
        if self.first.extent is None:
            raise ArgumentError(
                ">>", "the left side has no end", "Give it a length, such as Constant(0.1, steps=100)", first=self.first
            )
        check_share(">>", self)

    @property
    def extent(self) -> Length | None:
        return after(self.first.extent, self.second.extent)

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        assert self.first.extent is not None
        middle = start + self.first.extent.resolve(run)
        return Then(self.first.placed(run, start), self.second.placed(run, middle))

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        turn = self.first.length
        return xp.where(step < turn, self.first.rate_at(step, xp), self.second.rate_at(xp.maximum(step - turn, 0), xp))

    def __repr__(self) -> str:
        return f"{self.first!r} >> {_nested(self.second, Then)}"


class _Pair(Schedule):
    """What sum and product share. The length is the longer of the two that have one."""

    left: Schedule
    right: Schedule

    @property
    def extent(self) -> Length | None:
        extents = [side.extent for side in (self.left, self.right) if side.extent is not None]
        if len(extents) == 2 and all(extent.bound for extent in extents):
            return max(extents, key=lambda extent: extent.steps)
        if len(extents) == 2 and extents[0] != extents[1]:
            raise ArgumentError(
                type(self).__name__,
                "the two sides have lengths in different units",
                "Bind both first, or give them one length",
                left=self.left,
            )
        return extents[0] if extents else None

    @property
    def tabular(self) -> bool:
        held = all(side.extent is not None or isinstance(side, Constant) for side in (self.left, self.right))
        return held and super().tabular  # a side without an end goes on after the end of the other

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return type(self)(self.left.placed(run, start), self.right.placed(run, start))  # type: ignore[call-arg]


@final
@register
@schedule
class Product(_Pair):
    """`left * right`: the product of two schedules, step by step. A number is a constant schedule.

    Example:
        >>> from keras_lr import Cosine
        >>> (0.1 * Cosine(1.0, 0.0, 2)).evaluate(range(3)).round(6).tolist()
        [0.1, 0.05, 0.0]
    """

    left: Schedule
    right: Schedule

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.left.formula(step, xp) * self.right.formula(step, xp)

    def __repr__(self) -> str:
        return f"{_number(self.left, Then, Sum)} * {_number(self.right, Then, Sum, Product)}"


@final
@register
@schedule
class Sum(_Pair):
    """`left + right`: the sum of two schedules, step by step. A number is a constant schedule.

    Example:
        >>> from keras_lr import Cosine
        >>> (Cosine(1.0, 0.0, 2) + 0.5).evaluate(range(3)).tolist()
        [1.5, 1.0, 0.5]
    """

    left: Schedule
    right: Schedule

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.left.formula(step, xp) + self.right.formula(step, xp)

    def __repr__(self) -> str:
        return f"{_number(self.left, Then)} + {_number(self.right, Then, Sum)}"


@final
@register
@schedule
class Clip(Schedule):
    """`schedule.clip(low, high)`: never below `low` nor above `high`.

    Example:
        >>> from keras_lr import Exponential
        >>> Exponential(1.0, 0.5).clip(low=0.2).evaluate(range(4)).tolist()
        [1.0, 0.5, 0.25, 0.2]
    """

    schedule: Schedule
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checks.finite("clip", **{name: getattr(self, name)}))
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ArgumentError("clip", f"low must not be above high, {self.high!r}", "Swap them", low=self.low)

    @property
    def extent(self) -> Length | None:
        return self.schedule.extent

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return Clip(self.schedule.placed(run, start), self.low, self.high)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        rate = self.schedule.formula(step, xp)
        rate = rate if self.low is None else xp.maximum(rate, self.low)
        return rate if self.high is None else xp.minimum(rate, self.high)

    def __repr__(self) -> str:
        bounds = [f"{name}={getattr(self, name)!r}" for name in ("low", "high") if getattr(self, name) is not None]
        return f"{dotted(self.schedule)}.clip({', '.join(bounds)})"


def after(first: Length | None, second: Length | None) -> Length | None:
    """The length of one after the other, or None where one has no end."""
    return None if first is None or second is None else first + second


def check_share(where: str, whole: Schedule) -> None:
    """The shares of a run in a chain add up to at most the run."""
    from keras_lr.schedules.operators.phases import Warmup

    parts: list[Length] = []
    pending = [whole]
    while pending:
        part = pending.pop()
        if isinstance(part, Then):
            pending += [part.first, part.second]
        elif isinstance(part, Warmup) and part.mode == "prefix":
            parts.append(part.rise)
            pending.append(part.schedule)
        elif part.extent is not None:
            parts.append(part.extent)
    share = sum((part.share for part in parts), Fraction(0))
    if share > 1:
        raise ArgumentError(
            where, f"its parts add up to {float(share * 100):g} % of the run", "Make them 100 % or less", schedule=whole
        )


def _nested(part: Schedule, *kinds: type) -> str:
    """The code of a part, in parentheses where its operator binds less tightly than the one around it."""
    return f"({part!r})" if isinstance(part, kinds) else repr(part)


def _number(part: Schedule, *kinds: type) -> str:
    """As `_nested`, but a constant without a length is written as the number that it is."""
    return repr(part.value) if isinstance(part, Constant) and part.steps is None else _nested(part, *kinds)


def dotted(part: Schedule) -> str:
    """The code of a part that a method follows."""
    return _nested(part, Then, Product, Sum)
