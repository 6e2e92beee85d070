"""What other libraries do that no schedule of ours does: a cosine without an end, a cut, cycles that end between updates."""

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
from keras_lr.schedules.base import Schedule, register, schedule
from keras_lr.schedules.length import Length, RunLength
from keras_lr.schedules.operators.algebra import Then
from keras_lr.schedules.ops import Arithmetic


@final
@register
@schedule
class CosineWave(Schedule):
    """Goes from `start` to `end` along a cosine and then back again, for ever.

    lr(t) = end + (start - end) * (1 + cos(pi * falls * (t + offset) / steps)) / 2.

    This is what PyTorch's and transformers' cosine schedules are where they are used past their end. With `restart=True` it
    doesn't go back, but begins again at `start`: falls * (t + offset) / steps is taken modulo 1.

    Args:
        start: The rate at the top. 0 or more.
        end: The rate at the bottom. 0 or more.
        steps: The updates that `falls` of its ways take, in all. Above 0; it may be a fraction.
        falls: How many ways from the top to the bottom, or back, there are in `steps`. Above 0.
        restart: Whether it falls only.
        offset: How many updates it is ahead. 0 or more.

    Example:
        >>> CosineWave(1.0, 0.0, 2).evaluate(range(5)).round(6).tolist()
        [1.0, 0.5, 0.0, 0.5, 1.0]
    """

    start: float
    end: float
    steps: float = fields.timescale()
    falls: float = 1.0
    restart: bool = False
    offset: float = 0.0

    def __post_init__(self) -> None:
        for name in ("start", "end", "offset"):
            object.__setattr__(self, name, checks.at_least_zero("CosineWave", **{name: getattr(self, name)}))
        for name in ("steps", "falls"):
            value = checks.above_zero("CosineWave", **{name: getattr(self, name)})
            object.__setattr__(self, name, int(value) if value.is_integer() else value)

    @property
    def extent(self) -> None:
        return None

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return self

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        way = self._way(xp.maximum(step, 0), xp)
        return self.end + (self.start - self.end) * (1.0 + xp.cos(math.pi * way)) / 2.0

    def _way(self, step: Any, xp: Arithmetic) -> Any:
        """How much of the present way is behind: from 0 to 1, and on to 2 on the way back."""
        turns, ways = 1 if self.restart else 2, Fraction(str(self.falls))
        unit = self.steps * ways.denominator
        if isinstance(unit, float) or self.offset or unit * turns * ways.numerator > checks.LARGEST_STEP:
            return (xp.real(step) + self.offset) * (self.falls / self.steps) % turns
        return xp.real(step % (unit * turns) * ways.numerator % (unit * turns)) / unit  # a late step loses no digits


@final
@register
@schedule
class Excerpt(Schedule):
    """The first `steps` updates of a schedule, so that another can follow with `>>`.

    lr(t) = schedule(min(t, n)),  n = `steps`.

    Args:
        schedule: Any schedule.
        steps: How many of its updates.

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
        """None: what is cut has no part that could be longer."""

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return Excerpt(self.schedule.placed(run, start), self.steps)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.schedule.formula(xp.minimum(step, self.steps), xp)


@final
@register
@schedule
class UnevenRepeat(Schedule):
    """A schedule again and again, each time `stretch` times as long; a time may end between two updates.

    lr(t) = gain ** i * schedule((t - b[i]) / stretch ** i),  i = the last one with b[i] <= t,
    b[i] = n * (1 + stretch + ... + stretch ** (i - 1)),  n = the length of the schedule.

    `.repeat(stretch=)` rounds these ends to whole updates. The end of the last time is held.

    Args:
        schedule: A schedule that has a length.
        stretch: How much longer each time is than the one before. Above 1.
        times: How often. None: for ever.
        gain: By how much each time is scaled against the one before. Above 0.

    Example:
        >>> from keras_lr import Linear
        >>> UnevenRepeat(Linear(1.0, 0.0, 1), 1.5).evaluate(range(4)).round(6).tolist()
        [1.0, 1.0, 0.333333, 0.777778]
    """

    schedule: Schedule = fields.part()
    stretch: float
    times: int | None = None
    gain: float = 1.0

    def __post_init__(self) -> None:
        if not self.schedule.length:
            rule = "the schedule has no length"
            raise ArgumentError("UnevenRepeat", rule, "Give it one of 1 or more", schedule=self.schedule)
        if checks.finite("UnevenRepeat", stretch=self.stretch) <= 1.0:
            raise ArgumentError("UnevenRepeat", "stretch must be above 1", "Use .repeat", stretch=self.stretch)
        if self.times is not None:
            checks.whole("UnevenRepeat", times=self.times)
        object.__setattr__(self, "gain", checks.above_zero("UnevenRepeat", gain=self.gain))

    @functools.cached_property
    def starts(self) -> tuple[Fraction, ...]:
        """Where each time begins, as far as steps are counted, and where the last one ends."""
        assert self.schedule.length is not None
        stretch, begin = Fraction(str(self.stretch)), Fraction(0)
        found = [begin]
        while (self.times is None or len(found) <= self.times) and begin <= checks.LARGEST_STEP:
            begin += self.schedule.length * stretch ** (len(found) - 1)
            found.append(begin)
        return tuple(found)

    @property
    def extent(self) -> Length | None:
        return None if self.times is None else Length(math.ceil(self.starts[-1]))

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return dataclasses.replace(self, schedule=self.schedule.placed(run, Fraction(0)))

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        step, begins = xp.maximum(step, 0), self.starts[:-1]
        cycle = xp.passed(step, [math.ceil(begin) for begin in begins[1:]])
        since = xp.real(step - xp.pick([int(begin) for begin in begins], cycle))
        since = since - xp.pick([float(begin % 1) for begin in begins], cycle)
        rate = self.schedule.formula(since * xp.pick([self.stretch**-i for i in range(len(begins))], cycle), xp)
        return rate if self.gain == 1.0 else rate * xp.power(self.gain, xp.real(cycle))


def steps_of(where: str, least: int = 0, **argument: Any) -> int:
    """A number of updates as other libraries take it: an int, or a float without a fraction."""
    ((name, value),) = argument.items()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return checks.whole(where, least, **{name: value})


def cut(whole: Schedule, steps: int) -> Schedule:
    """The schedule with the length `steps`: itself where it has that length already."""
    if isinstance(whole, Constant):
        return Constant(whole.value, steps)
    return whole if whole.extent == Length(steps) else Excerpt(whole, steps)


def chain(*parts: Schedule) -> Schedule:
    """The parts one after another, without parentheses in the code that it is."""
    flat = [piece for part in parts for piece in _pieces(part)]
    return functools.reduce(lambda before, after: before >> after, flat)


def _pieces(part: Schedule) -> list[Schedule]:
    return [*_pieces(part.first), *_pieces(part.second)] if isinstance(part, Then) else [part]


def rising(start: float, peak: float, steps: int, then: Schedule) -> Schedule:
    """A linear rise from `start` to `peak`, which is reached after `steps` updates, then another schedule."""
    return chain(Linear(start, peak, steps), then) if steps else then


def falling(start: float, end: float, steps: int, power: float = 1.0) -> Schedule:
    """A power of the time that is left, as the plainest schedule that it is."""
    return Linear(start, end, steps) if power == 1.0 else Polynomial(start, end, steps, power)
