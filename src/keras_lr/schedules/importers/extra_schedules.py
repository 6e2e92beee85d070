"""Schedules that only the importers need: a cosine without an end, a cut, and cycles that end between updates."""

from __future__ import annotations

import dataclasses
import functools
import math
from fractions import Fraction
from typing import Any, final

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import fields
from keras_lr.schedules.atoms.constants import Constant
from keras_lr.schedules.atoms.ramps import Linear, Polynomial
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.length import Length, RunLength
from keras_lr.schedules.operators.algebra import Then
from keras_lr.schedules.ops import Arithmetic


@final
@fields.schedule
class CosineWave(Schedule):
    """Falls from `start` to `end` along a cosine and rises back, without an end.

    lr(t) = end + (start - end) * (1 + cos(pi * falls * (t + offset) / steps)) / 2.

    PyTorch's and transformers' cosine schedules do this past their end. With `restart=True` each fall starts at `start`
    again: falls * (t + offset) / steps is taken modulo 1.

    Args:
        start: The rate at the top. 0 or more.
        end: The rate at the bottom. 0 or more.
        steps: The updates that `falls` falls and rises take. Above 0; it may be a fraction.
        falls: The number of falls and rises in `steps`. Above 0.
        restart: Whether every fall is followed by another fall instead of a rise.
        offset: The updates by which the wave is ahead. 0 or more.

    Example:
        >>> CosineWave(1.0, 0.0, 2).evaluate(range(5)).round(6).tolist()
        [1.0, 0.5, 0.0, 0.5, 1.0]
    """

    start: float = fields.rate()
    end: float = fields.rate()
    steps: float = fields.timescale()
    falls: float = fields.positive(1.0)
    restart: bool = False
    offset: float = fields.rate(0.0)

    def _check_fields(self) -> None:
        for name in ("steps", "falls"):
            value = checks.above_zero("CosineWave", **{name: getattr(self, name)})
            object.__setattr__(self, name, int(value) if value.is_integer() else value)

    @property
    def extent(self) -> None:
        return None

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        way = self._way(xp.maximum(step, 0), xp)
        return self.end + (self.start - self.end) * (1.0 + xp.cos(math.pi * way)) / 2.0

    def _way(self, step: Any, xp: Arithmetic) -> Any:
        """The position in the current wave: 0 to 1 in a fall, 1 to 2 in a rise."""
        turns, ways = 1 if self.restart else 2, Fraction(str(self.falls))
        unit = self.steps * ways.denominator
        if isinstance(unit, float) or self.offset or unit * turns * ways.numerator > checks.LARGEST_STEP:
            return (xp.real(step) + self.offset) * (self.falls / self.steps) % turns
        return xp.real(step % (unit * turns) * ways.numerator % (unit * turns)) / unit  # a late step loses no digits


@final
@fields.schedule
class Excerpt(Schedule):
    """Ends a schedule after `steps` updates, so that another can follow with `>>`.

    lr(t) = schedule(min(t, n)),  n = `steps`.

    Args:
        schedule: Any schedule.
        steps: The updates to take. 0 or more.

    Example:
        >>> from keras_lr import Constant, Linear
        >>> (Excerpt(Linear(1.0, 0.0, 4), 2) >> Constant(0.1)).evaluate(range(4)).tolist()
        [1.0, 0.75, 0.1, 0.1]
    """

    schedule: Schedule = fields.part()
    steps: int = fields.updates(least=0)

    @property
    def extent(self) -> Length:
        return Length(self.steps)

    def _longer(self, steps: int) -> None:
        """Returns None: no part of an excerpt can be extended."""

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.schedule.formula(xp.minimum(step, self.steps), xp)


@final
@fields.schedule
class UnevenRepeat(Schedule):
    """Repeats a schedule in cycles, each `stretch` times as long as the one before; a cycle may end between two updates.

    lr(t) = gain ** i * schedule((t - b[i]) / stretch ** i).

    b[i] = n * (1 + stretch + ... + stretch ** (i - 1)) is the start of cycle i, and n the length of the schedule. Cycle i is
    the last one with b[i] <= t. `.repeat(stretch=)` rounds these starts to whole updates. After the last cycle its last rate
    stays.

    Args:
        schedule: A schedule that has a length.
        stretch: The length of a cycle relative to the one before. Above 1.
        times: The number of cycles. None: without an end.
        gain: The factor of a cycle's rates relative to the one before. Above 0.

    Example:
        >>> from keras_lr import Linear
        >>> UnevenRepeat(Linear(1.0, 0.0, 1), 1.5).evaluate(range(4)).round(6).tolist()
        [1.0, 1.0, 0.333333, 0.777778]
    """

    schedule: Schedule = fields.part()
    stretch: float = fields.number()
    times: int | None = fields.count(None)
    gain: float = fields.positive(1.0)

    def _check_fields(self) -> None:
        if not self.schedule.length:
            rule = "the schedule has no length"
            raise ArgumentError("UnevenRepeat", rule, "Give it one of 1 or more", schedule=self.schedule)
        if self.stretch <= 1.0:
            raise ArgumentError("UnevenRepeat", "stretch must be above 1", "Use .repeat", stretch=self.stretch)

    @functools.cached_property
    def starts(self) -> tuple[Fraction, ...]:
        """The start of each cycle up to the largest step, and the end of the last one."""
        assert self.schedule.length is not None
        stretch, start = Fraction(str(self.stretch)), Fraction(0)
        starts = [start]
        while (self.times is None or len(starts) <= self.times) and start <= checks.LARGEST_STEP:
            start += self.schedule.length * stretch ** (len(starts) - 1)
            starts.append(start)
        return tuple(starts)

    @property
    def extent(self) -> Length | None:
        return None if self.times is None else Length(math.ceil(self.starts[-1]))

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return dataclasses.replace(self, schedule=self.schedule.placed(run, Fraction(0)))

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        step, starts = xp.maximum(step, 0), self.starts[:-1]
        cycle = xp.count_passed(step, [math.ceil(start) for start in starts[1:]])
        since = xp.real(step - xp.pick([int(start) for start in starts], cycle))
        since = since - xp.pick([float(start % 1) for start in starts], cycle)
        rate = self.schedule.formula(since * xp.pick([self.stretch**-i for i in range(len(starts))], cycle), xp)
        return rate if self.gain == 1.0 else rate * xp.power(self.gain, xp.real(cycle))


def steps_of(where: str, least: int = 0, **argument: Any) -> int:
    """Checks a whole number as other libraries take it: an int, or a float without a fraction."""
    ((name, value),) = argument.items()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return checks.whole(where, least, **{name: value})


def cut(whole: Schedule, steps: int) -> Schedule:
    """Ends a schedule after `steps` updates; one that ends there already is returned as it is."""
    if isinstance(whole, Constant):
        return Constant(whole.value, steps)
    return whole if whole.extent == Length(steps) else Excerpt(whole, steps)


def chain(*parts: Schedule) -> Schedule:
    """Joins parts with `>>`, so that the repr needs no parentheses."""
    flat = [piece for part in parts for piece in _pieces(part)]
    return functools.reduce(lambda before, after: before >> after, flat)


def _pieces(part: Schedule) -> list[Schedule]:
    return [*_pieces(part.first), *_pieces(part.second)] if isinstance(part, Then) else [part]


def rising(start: float, peak: float, steps: int, then: Schedule) -> Schedule:
    """Rises linearly from `start` to `peak` within `steps` updates, then follows another schedule."""
    return chain(Linear(start, peak, steps), then) if steps else then


def falling(start: float, end: float, steps: int, power: float = 1.0) -> Schedule:
    """Falls with a power of the remaining time, as the simplest schedule that does so."""
    return Linear(start, end, steps) if power == 1.0 else Polynomial(start, end, steps, power)
