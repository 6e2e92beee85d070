"""Operators for the start and the end of a run: warm-up and cooldown."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any, final

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import fields
from keras_lr.schedules import length as lengths
from keras_lr.schedules.atoms import shapes
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.length import Length, RunLength, Steps
from keras_lr.schedules.operators.algebra import after
from keras_lr.schedules.operators.operator import Operator
from keras_lr.schedules.ops import Arithmetic

MODES = ("prefix", "overlap", "scale")


@final
@fields.schedule
class Warmup(Operator):
    """`schedule.warmup(n)`: a linear rise of n updates. The mode says what the schedule does meanwhile.

    - "prefix": lr(t) = schedule(0) * (t + 1) / (n + 1) for t < n, schedule(t - n) after: it waits.
    - "overlap": lr(t) = schedule(n) * (t + 1) / (n + 1) for t < n, schedule(t) after: it runs, but has no effect.
    - "scale": lr(t) = schedule(t) * min((t + 1) / (n + 1), 1): it runs, scaled.

    Example:
        >>> from keras_lr import Constant
        >>> Constant(1.0).warmup(3).evaluate(range(5)).tolist()
        [0.25, 0.5, 0.75, 1.0, 1.0]

    References:
        Goyal et al. 2017, section 2.2. https://arxiv.org/abs/1706.02677
    """

    steps: Steps = fields.length(least=0)
    mode: str = fields.choice(MODES, "prefix")
    _call = "warmup"

    def _check_fields(self) -> None:
        self._check_share()

    @property
    def rise(self) -> Length:
        """The length of the rise alone."""
        return lengths.of(self.steps)

    @property
    def extent(self) -> Length | None:
        inner = self.schedule.extent
        if self.mode == "prefix":
            return after(self.rise, inner)
        if inner is not None and inner.bound and self.rise.bound:
            return max(inner, self.rise, key=lambda length: length.steps)
        return inner

    def _share(self) -> Fraction:
        return self.rise.share + self.schedule._share() if self.mode == "prefix" else super()._share()

    def longest_rise(self) -> int:
        return max(self.rise.steps, super().longest_rise())

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


@final
@fields.schedule
class Cooldown(Operator):
    """`schedule.cooldown(n)`: lowers the last n updates, or the n updates from `at` on, to `end`.

    lr(t) = schedule(t) for t < at, end + (rate - end) * left((t - at) / n) after, and `end` from at + n on.

    rate is schedule(at), or schedule(t) with `freeze=False`; left(p) is the shape (see `Ramp`).

    Example:
        >>> from keras_lr import Constant
        >>> Constant(1.0, 6).cooldown(4).evaluate(range(7)).tolist()
        [1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]

    References:
        Haegele et al. 2024. https://arxiv.org/abs/2405.18392
    """

    steps: Steps = fields.length(least=0)
    at: Steps | None = fields.length(None, least=0)
    end: float = fields.rate(0.0)
    shape: str = fields.choice(shapes.SHAPES, "linear")
    freeze: bool = True
    _call = "cooldown"
    _keywords = ("at", "end", "shape", "freeze")

    def _check_fields(self) -> None:
        shapes.check_end("cooldown", self.shape, self.end)
        if self.at is None and self.schedule.extent is None:
            repair = "Say where the cooldown begins: at=1000, or give the schedule a length"
            raise ArgumentError("cooldown", "the schedule has no end", repair, schedule=self.schedule)
        if self.begin.bound and self.begin.steps < 0:
            rule = f"it is longer than the schedule, {self.schedule.length} updates"
            raise ArgumentError("cooldown", rule, "Make it shorter", steps=self.steps)
        share = self.fall.share + self.begin.share
        if share > 1:
            rule = f"it ends at {float(100 * share):g} % of the run"
            raise ArgumentError("cooldown", rule, "Begin earlier or make it shorter", at=self.at)

    @property
    def fall(self) -> Length:
        """The length of the cooldown alone."""
        return lengths.of(self.steps)

    @property
    def begin(self) -> Length:
        """The step at which the cooldown starts."""
        if self.at is not None:
            return lengths.of(self.at)
        assert self.schedule.extent is not None
        return self.schedule.extent - self.fall

    @property
    def extent(self) -> Length:
        return self.begin + self.fall

    @property
    def tabular(self) -> bool:
        return self.plain

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        begin, middle = lengths.place(self.begin, run, start), start + self.begin.resolve(run)
        fall = lengths.place(self.fall, run, middle)
        return Cooldown(self.schedule.placed(run, start), fall, begin, self.end, self.shape, self.freeze)

    def _longer(self, steps: int) -> Schedule | None:
        inner = self.schedule._longer(steps)
        if inner is None:
            return None
        at = self.at + steps if isinstance(self.at, int) else self.at
        return dataclasses.replace(self, schedule=inner, at=at)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        begin, fall = self.begin.steps, self.fall.steps
        rate = self.schedule.formula(xp.minimum(step, begin) if self.freeze else step, xp)
        progress = shapes.progress(step - begin, fall, xp)
        return xp.where(step < begin, rate, shapes.between(rate, self.end, progress, self.shape, xp))
