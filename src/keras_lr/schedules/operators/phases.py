"""Operators for the beginning and the end of a run: warm-up, cooldown, and a longer middle."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any, final

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import length as lengths
from keras_lr.schedules.atoms import shapes
from keras_lr.schedules.base import Schedule, register, schedule
from keras_lr.schedules.length import Length, RunLength, Steps
from keras_lr.schedules.operators.algebra import after, check_share, dotted
from keras_lr.schedules.ops import Arithmetic

MODES = ("prefix", "overlap", "scale")


@final
@register
@schedule
class Warmup(Schedule):
    """`schedule.warmup(n)`: a linear rise of n updates. What the schedule does meanwhile, the mode says.

    - "prefix": lr(t) = schedule(0) * (t + 1) / (n + 1) for t < n, schedule(t - n) after: it waits.
    - "overlap": lr(t) = schedule(n) * (t + 1) / (n + 1) for t < n, schedule(t) after: it runs unseen.
    - "scale": lr(t) = schedule(t) * min((t + 1) / (n + 1), 1): it runs, scaled.

    Example:
        >>> from keras_lr import Constant
        >>> Constant(1.0).warmup(3).evaluate(range(5)).tolist()
        [0.25, 0.5, 0.75, 1.0, 1.0]

    References:
        Goyal et al. 2017, section 2.2. https://arxiv.org/abs/1706.02677
    """

    schedule: Schedule
    steps: Steps
    mode: str = "prefix"

    def __post_init__(self) -> None:
        lengths.parse("warmup", 0, steps=self.steps)
        checks.one_of("warmup", MODES, mode=self.mode)
        check_share("warmup", self)

    @property
    def rise(self) -> Length:
        """The length of the rise alone."""
        return lengths.parse("warmup", 0, steps=self.steps)

    @property
    def extent(self) -> Length | None:
        inner = self.schedule.extent
        if self.mode == "prefix":
            return after(self.rise, inner)
        if inner is not None and inner.bound and self.rise.bound:
            return max(inner, self.rise, key=lambda length: length.steps)
        return inner

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        begin = start + self.rise.resolve(run) if self.mode == "prefix" else start
        return Warmup(self.schedule.placed(run, begin), lengths.place(self.rise, run, start), self.mode)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        rise = self.rise.steps
        share = xp.real(xp.minimum(xp.maximum(step, 0), rise) + 1) / (rise + 1)
        if self.mode == "prefix":
            step = xp.maximum(step - rise, 0)  # for t < n this is its first rate
        elif self.mode == "overlap":
            step = xp.maximum(step, rise)
        return self.schedule.formula(step, xp) * share

    def __repr__(self) -> str:
        mode = "" if self.mode == "prefix" else f", {self.mode!r}"
        return f"{dotted(self.schedule)}.warmup({self.steps!r}{mode})"


@final
@register
@schedule
class Cooldown(Schedule):
    """`schedule.cooldown(n)`: its last n updates go down to `end`; or those from `at` on.

    lr(t) = schedule(t) for t < at, end + (rate - end) * left((t - at) / n) after, and `end` from at + n on,

    where rate is schedule(at), frozen, or schedule(t) with `freeze=False`, and left(p) the shape (see `Ramp`).

    Example:
        >>> from keras_lr import Constant
        >>> Constant(1.0, 6).cooldown(4).evaluate(range(7)).tolist()
        [1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]

    References:
        Haegele et al. 2024. https://arxiv.org/abs/2405.18392
    """

    schedule: Schedule
    steps: Steps
    at: Steps | None = None
    end: float = 0.0
    shape: str = "linear"
    freeze: bool = True

    def __post_init__(self) -> None:
        fall = lengths.parse("cooldown", 0, steps=self.steps)
        object.__setattr__(self, "end", checks.at_least_zero("cooldown", end=self.end))
        shapes.check("cooldown", self.shape, self.end)
        if self.at is not None:
            lengths.parse("cooldown", 0, at=self.at)
        elif self.schedule.extent is None:
            repair = "Say where the cooldown begins: at=1000, or give the schedule a length"
            raise ArgumentError("cooldown", "the schedule has no end", repair, schedule=self.schedule)
        elif self.begin.bound and self.begin.steps < 0:
            rule = f"it is longer than the schedule, {self.schedule.extent.steps} updates"
            raise ArgumentError("cooldown", rule, "Make it shorter", steps=self.steps)
        if fall.share + self.begin.share > 1:
            rule = f"it ends at {float(100 * (fall.share + self.begin.share)):g} % of the run"
            raise ArgumentError("cooldown", rule, "Begin earlier or make it shorter", at=self.at)

    @property
    def fall(self) -> Length:
        """The length of the cooldown alone."""
        return lengths.parse("cooldown", 0, steps=self.steps)

    @property
    def begin(self) -> Length:
        """Where it begins."""
        if self.at is not None:
            return lengths.parse("cooldown", 0, at=self.at)
        assert self.schedule.extent is not None
        return self.schedule.extent - self.fall

    @property
    def extent(self) -> Length:
        return self.begin + self.fall

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        begin, middle = lengths.place(self.begin, run, start), start + self.begin.resolve(run)
        fall = lengths.place(self.fall, run, middle)
        return Cooldown(self.schedule.placed(run, start), fall, begin, self.end, self.shape, self.freeze)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        begin, fall = self.begin.steps, self.fall.steps
        rate = self.schedule.formula(xp.minimum(step, begin) if self.freeze else step, xp)
        done = shapes.progress(step - begin, fall, xp)
        return xp.where(step < begin, rate, shapes.between(rate, self.end, done, self.shape, xp))

    def __repr__(self) -> str:
        fields = [field for field in dataclasses.fields(self) if field.name not in ("schedule", "steps")]
        told = [
            (field.name, getattr(self, field.name)) for field in fields if getattr(self, field.name) != field.default
        ]
        words = [repr(self.steps), *(f"{name}={value!r}" for name, value in told)]
        return f"{dotted(self.schedule)}.cooldown({', '.join(words)})"


def extended(whole: Schedule, steps: int) -> Schedule:
    """The schedule with its last constant part `steps` updates longer; what comes after it comes later.

    Raises:
        ArgumentError: No part of it is constant for a number of updates.
    """
    checks.whole("extend", steps=steps)
    longer = _longer(whole, steps)
    if longer is None:
        repair = "Use .retime(at, old_total, new_total) to stretch the rest"
        raise ArgumentError("extend", "it has no constant part that could be longer", repair, schedule=whole)
    return longer


def _longer(part: Schedule, steps: int) -> Schedule | None:
    """The part with a longer constant in it, or None where it has none."""
    lengthen = getattr(part, "lengthened", None)
    if lengthen is not None:
        own: Schedule | None = lengthen(steps)
        return own
    for name in ("second", "first", "schedule", "left", "right", "expression"):
        inner = getattr(part, name, None)
        longer = _longer(inner, steps) if isinstance(inner, Schedule) else None
        if longer is None:
            continue
        if name == "expression":
            return longer
        moved = {"at": part.at + steps} if isinstance(part, Cooldown) and isinstance(part.at, int) else {}
        return dataclasses.replace(part, **{name: longer}, **moved)  # type: ignore[type-var]
    return None
