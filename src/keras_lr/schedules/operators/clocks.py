"""Operators that change the clock of a schedule: delay, skip, slow down, repeat, and stretch the rest of a run."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any, final

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import fields
from keras_lr.schedules import length as lengths
from keras_lr.schedules.base import Schedule, unbound_error
from keras_lr.schedules.length import Length, RunLength, Steps
from keras_lr.schedules.operators.operator import Operator
from keras_lr.schedules.ops import Arithmetic


@final
@fields.schedule
class Delay(Operator):
    """`schedule.delay(n)`: holds the first rate for n updates, then the schedule from its own step 0.

    lr(t) = schedule(max(t - n, 0)).

    Example:
        >>> from keras_lr import Linear
        >>> Linear(1.0, 0.0, 2).delay(2).evaluate(range(5)).tolist()
        [1.0, 1.0, 1.0, 0.5, 0.0]
    """

    steps: Steps = fields.length(least=0)
    _call = "delay"

    @property
    def wait(self) -> Length:
        """How long the first rate is held."""
        return lengths.of(self.steps)

    @property
    def extent(self) -> Length | None:
        return None if self.schedule.extent is None else self.wait + self.schedule.extent

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return Delay(self.schedule.placed(run, start + self.wait.resolve(run)), lengths.place(self.wait, run, start))

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.schedule.formula(xp.maximum(step - self.wait.steps, 0), xp)


@final
@fields.schedule
class Skip(Operator):
    """`schedule.skip(n)`: starts at the schedule's own step n.

    lr(t) = schedule(t + n).

    Example:
        >>> from keras_lr import Linear
        >>> Linear(1.0, 0.0, 4).skip(1).evaluate(range(4)).tolist()
        [0.75, 0.5, 0.25, 0.0]
    """

    steps: int = fields.updates(least=0)
    _call = "skip"

    @property
    def extent(self) -> Length | None:
        if self.schedule.extent is None:
            return None
        rest = self.schedule.extent - Length(self.steps)
        return Length() if rest.bound and rest.steps < 0 else rest

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        last = checks.LARGEST_STEP - self.steps  # the sum must not pass what a step counter holds
        return self.schedule.formula(xp.minimum(xp.maximum(step, 0), last) + self.steps, xp)


@final
@fields.schedule
class Every(Operator):
    """`schedule.every(k)`: the schedule on a clock that ticks once in k steps.

    lr(t) = schedule(t // k).

    Example:
        >>> from keras_lr import Exponential
        >>> Exponential(1.0, 0.5).every(2).evaluate(range(5)).tolist()
        [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    steps: Steps = fields.length()
    _call = "every"

    def _check_fields(self) -> None:
        if not lengths.of(self.steps).bound and self.schedule.extent is not None:
            rule = "a schedule with an end needs a whole number of steps here"
            raise ArgumentError("every", rule, "Pass an int, for example 4", steps=self.steps)

    @property
    def extent(self) -> Length | None:
        inner = self.schedule.extent
        return None if inner is None else inner * lengths.of(self.steps).steps

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        period = max(1, lengths.place(lengths.of(self.steps), run, Fraction(0)))
        return Every(self.schedule.placed(run.slowed(period), start / period), period)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.schedule.formula(xp.maximum(step, 0) // self.steps, xp)


@final
@fields.schedule
class Repeat(Operator):
    """`schedule.repeat(times, stretch=s, gain=g)`: repeats it, each time s times as long and scaled by g.

    lr(t) = g ** i * schedule((t - b[i]) * n / (b[i + 1] - b[i])),  i = the last one with b[i] <= t.

    b[i] = round(n * (1 + s + ... + s ** (i - 1))),  n = the length of the schedule.

    The end of the last repetition is held. With a stretch below 1 the repetitions get shorter until none is left.

    Example:
        >>> from keras_lr import Linear
        >>> Linear(1.0, 0.0, 2).repeat(gain=0.5).evaluate(range(5)).tolist()
        [1.0, 0.5, 0.5, 0.25, 0.25]
        >>> Linear(1.0, 0.0, 2).repeat(stretch=2.0).evaluate(range(7)).tolist()
        [1.0, 0.5, 1.0, 0.75, 0.5, 0.25, 1.0]
    """

    times: int | None = fields.count(None)
    gain: float = fields.positive(1.0)
    stretch: float = fields.positive(1.0)
    _call = "repeat"
    _keywords = ("gain", "stretch")

    def _check_fields(self) -> None:
        if self.schedule.extent is None:
            raise ArgumentError("repeat", "the schedule has no end", "Give it a length first", schedule=self.schedule)
        if self.schedule.extent == Length():
            repair = "Give it a length of 1 or more"
            raise ArgumentError("repeat", "the schedule is empty", repair, schedule=self.schedule)

    @property
    def extent(self) -> Length | None:
        one = self.schedule.extent
        assert one is not None
        if self.stretch == 1.0:
            return None if self.times is None else one * self.times
        if one.bound:
            ends = self.boundaries
            return Length(ends[-1]) if self.times is not None or self.stretch < 1.0 else None
        stretch = Fraction(str(self.stretch))
        return None if self.times is None else one * sum(stretch**i for i in range(self.times))

    @functools.cached_property
    def boundaries(self) -> tuple[int, ...]:
        """The steps at which the repetitions end, up to the last step that a counter holds."""
        period, stretch = self.schedule.length, Fraction(str(self.stretch))
        assert period is not None
        before, ends = Fraction(0), list[int]()
        while self.times is None or len(ends) < self.times:
            before += period * stretch ** len(ends)
            if round(before) > checks.LARGEST_STEP or (ends and round(before) == ends[-1]):
                break
            ends.append(round(before))
        return tuple(ends)

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return super().placed(run, Fraction(0))

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        step = xp.maximum(step, 0)
        cycle, local = self._alike(step, xp) if self.stretch == 1.0 else self._stretched(step, xp)
        rate = self.schedule.formula(local, xp)
        return rate if self.gain == 1.0 else rate * xp.power(self.gain, xp.real(cycle))

    def _alike(self, step: Any, xp: Arithmetic) -> tuple[Any, Any]:
        """Returns the number of the repetition, and the schedule's own step in it."""
        period = self.schedule.length
        cycle = step // period if self.times is None else xp.minimum(step // period, self.times - 1)
        return cycle, step - cycle * period

    def _stretched(self, step: Any, xp: Arithmetic) -> tuple[Any, Any]:
        """Returns the same for repetitions of different lengths; the own step may be a fraction."""
        period, ends = self.schedule.length, self.boundaries
        starts, spans = (0, *ends[:-1]), [end - start for start, end in zip((0, *ends), ends, strict=False)]
        if self.times is None and self.stretch > 1.0:  # the repetition in which the counter ends
            starts, spans = (0, *ends), [*spans, round(period * self.stretch ** len(ends))]  # type: ignore[operator]
        cycle = xp.minimum(xp.count_passed(step, ends), len(starts) - 1)
        slower = [period / span for span in spans]  # type: ignore[operator]
        return cycle, xp.real(step - xp.pick(starts, cycle)) * xp.pick(slower, cycle)


@final
@fields.schedule
class Retime(Operator):
    """`schedule.retime(at, old_total, new_total)`: a run that was planned for old_total updates gets new_total.

    lr(t) = schedule(t) for t < at, schedule(at + (t - at) * (old_total - at) / (new_total - at)) after.

    The rate does not jump, and what was planned for the end happens at the new end.

    Example:
        >>> from keras_lr import Linear
        >>> Linear(1.0, 0.0, 4).retime(at=2, old_total=4, new_total=6).evaluate(range(7)).tolist()
        [1.0, 0.75, 0.5, 0.375, 0.25, 0.125, 0.0]
    """

    at: int = fields.updates(least=0)
    old_total: int = fields.updates()
    new_total: int = fields.updates()
    _call = "retime"

    def _check_fields(self) -> None:
        if self.schedule.unbound:
            raise unbound_error(self.schedule)
        for name in ("old_total", "new_total"):
            value = getattr(self, name)
            if value <= self.at:
                rule = f"{name} must be above at, {self.at}"
                raise ArgumentError("retime", rule, "Pass the updates of the whole run", **{name: value})

    @property
    def extent(self) -> Length | None:
        inner = self.schedule.extent
        if inner is None or inner.steps <= self.at:
            return inner
        rest = Fraction((inner.steps - self.at) * (self.new_total - self.at), self.old_total - self.at)
        return Length(self.at + -(-rest.numerator // rest.denominator))

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return self

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        pace = (self.old_total - self.at) / (self.new_total - self.at)
        before = self.schedule.formula(xp.minimum(step, self.at), xp)
        after = self.schedule.formula(self.at + xp.real(xp.maximum(step - self.at, 0)) * pace, xp)
        return xp.where(step < self.at, before, after)
