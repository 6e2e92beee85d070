"""Named schedules that rise and fall: triangles, restarts, one cycle."""

from __future__ import annotations

import functools
from typing import final

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import fields
from keras_lr.schedules import length as lengths
from keras_lr.schedules.atoms import shapes
from keras_lr.schedules.atoms.decays import Exponential
from keras_lr.schedules.atoms.ramps import Cosine, Linear, Ramp
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.length import Steps
from keras_lr.schedules.named.falling import Named


@final
@fields.schedule
class Triangular(Named):
    """Rises from `low` to `high` and falls back, without end.

    lr(t) = low + (high - low) * gain ** (t // n) * gamma ** t * triangle(t mod n),  n = up + down.

    `gain=0.5` is the policy "triangular2" of the paper; `gamma=0.999` is its "exp_range".

    Args:
        low: The rate at the start of each cycle. 0 or more.
        high: The rate at the top of the first cycle.
        up: Length of the rise: updates, or a length with a unit.
        down: Length of the fall. Default: `up`.
        gain: The factor of each cycle against the one before.
        gamma: The factor of each step against the one before.

    Example:
        >>> Triangular(0.0, 1.0, up=2).evaluate(range(6)).tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]

    References:
        Smith 2017, section 3. https://arxiv.org/abs/1506.01186
    """

    low: float = fields.rate()
    high: float = fields.number()
    up: Steps = fields.length()
    down: Steps | None = fields.length(None, least=0)
    gain: float = fields.positive(1.0)
    gamma: float = fields.positive(1.0)

    def _check_fields(self) -> None:
        if self.high < self.low:
            rule = f"high must not be below low, {float(self.low)!r}"
            raise ArgumentError("Triangular", rule, "Swap them", high=self.high)

    def own_lengths(self) -> tuple[Steps | float, ...]:
        return super().own_lengths() + (() if self.gamma == 1.0 else (1,))  # gamma is applied once in each update

    @functools.cached_property
    def expression(self) -> Schedule:
        triangle = Linear(0.0, 1.0, self.up) >> Linear(1.0, 0.0, self.up if self.down is None else self.down)
        cycles: Schedule = triangle.repeat(gain=self.gain)
        if self.gamma != 1.0:
            cycles = cycles * Exponential(1.0, self.gamma)
        return cycles * (self.high - self.low) + self.low


@final
@fields.schedule
class CosineRestarts(Named):
    """Falls along half a cosine and restarts at the top, each time `stretch` times as long and `gain` times as high.

    lr(t) = end + (peak - end) * gain ** i * (1 + cos(pi * p)) / 2.

    i is the cycle, and p the share of it that is over.

    Args:
        peak: The rate at the start of the first cycle.
        steps: Length of the first cycle: updates, or a length with a unit.
        end: The rate that each cycle falls to. 0 or more.
        stretch: How much longer each cycle is than the one before. Cycles start at whole steps.
        gain: The factor of the height of each cycle against the one before.
        times: How many cycles; the end of the last one is held. None: no end.

    Example:
        >>> CosineRestarts(1.0, 2, stretch=2.0).evaluate(range(7)).round(4).tolist()
        [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0]

    References:
        Loshchilov and Hutter 2017, SGDR, eq. 5. https://arxiv.org/abs/1608.03983
    """

    peak: float = fields.number()
    steps: Steps = fields.length()
    end: float = fields.rate(0.0)
    stretch: float = fields.positive(1.0)
    gain: float = fields.positive(1.0)
    times: int | None = fields.count(None)

    def _check_fields(self) -> None:
        if self.peak < self.end:
            rule = f"peak must not be below end, {self.end!r}"
            raise ArgumentError("CosineRestarts", rule, "Swap them", peak=self.peak)

    @functools.cached_property
    def expression(self) -> Schedule:
        cycles = Cosine(1.0, 0.0, self.steps).repeat(self.times, gain=self.gain, stretch=self.stretch)
        return cycles * (self.peak - self.end) + self.end


@final
@fields.schedule
class OneCycle(Named):
    """Rises to the peak and falls far below the start: one cycle for the whole run.

    Goes from peak / div at step 0 to peak at rise * T, then to peak / (div * final_div) at T = `steps`. With `back` there are
    three phases: the rate is peak / div again at back * T, then falls to the end.

    Args:
        peak: The highest rate.
        steps: T: updates, or a length with a unit. Default: the whole run.
        rise: The share of the rise, between 0 and 1.
        div: The start is peak / div. 1 or more.
        final_div: The end is the start / final_div. 1 or more.
        shape: "cosine", or another of `Ramp`'s shapes.
        back: None: two phases. A share above `rise`, for example 2 * rise: three.

    Example:
        >>> OneCycle(1.0, 10, rise=0.4, div=4.0, final_div=100.0).evaluate([0, 2, 4, 7, 10]).round(4).tolist()
        [0.25, 0.625, 1.0, 0.5012, 0.0025]

    References:
        Smith and Topin 2019, super-convergence. https://arxiv.org/abs/1708.07120
    """

    peak: float = fields.positive()
    steps: Steps = fields.length("100%")
    rise: float = fields.number(0.3)
    div: float = fields.divisor(25.0)
    final_div: float = fields.divisor(1e4)
    shape: str = fields.choice(shapes.SHAPES, "cosine")
    back: float | None = fields.positive(None)

    def _check_fields(self) -> None:
        if not 0.0 < self.rise < (1.0 if self.back is None else self.back) <= 1.0:
            rule = "rise must be above 0 and below " + ("1" if self.back is None else f"back={self.back}, at most 1")
            raise ArgumentError("OneCycle", rule, "Pass a share of the run, for example 0.3", rise=self.rise)

    @functools.cached_property
    def expression(self) -> Schedule:
        start = self.peak / self.div
        shares = [self.rise] if self.back is None else [self.rise, self.back]
        rates = [start, self.peak, *([] if self.back is None else [start]), start / self.final_div]
        parts = lengths.split(lengths.of(self.steps), *shares)
        whole: Schedule = Ramp(rates[0], rates[1], parts[0], self.shape)
        for before, after, steps in zip(rates[1:], rates[2:], parts[1:], strict=False):
            whole = whole >> Ramp(before, after, steps, self.shape)
        return whole


@final
@fields.schedule
class SlantedTriangular(Named):
    """Rises for a short and falls for a long time, in straight lines; for fine-tuning.

    Goes from peak / ratio at step 0 to peak at rise * T, then back to peak / ratio at T = `steps`.

    Args:
        peak: The highest rate.
        steps: T: updates, or a length with a unit. Default: the whole run.
        rise: The share of the rise, between 0 and 1.
        ratio: How far below the peak it starts and ends. 1 or more.

    Example:
        >>> SlantedTriangular(1.0, 10, rise=0.2, ratio=5.0).evaluate([0, 1, 2, 6, 10]).round(4).tolist()
        [0.2, 0.6, 1.0, 0.6, 0.2]

    References:
        Howard and Ruder 2018, ULMFiT, eq. 3. https://arxiv.org/abs/1801.06146
    """

    peak: float = fields.positive()
    steps: Steps = fields.length("100%")
    rise: float = fields.number(0.1)
    ratio: float = fields.divisor(32.0)

    def _check_fields(self) -> None:
        if not 0.0 < self.rise < 1.0:
            rule = "rise must be above 0 and below 1"
            raise ArgumentError("SlantedTriangular", rule, "Pass a share of the run, for example 0.1", rise=self.rise)

    @functools.cached_property
    def expression(self) -> Schedule:
        up, down = lengths.split(lengths.of(self.steps), self.rise)
        low = self.peak / self.ratio
        return Linear(low, self.peak, up) >> Linear(self.peak, low, down)
