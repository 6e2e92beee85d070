"""Named schedules that come and go: triangles, restarts, one cycle."""

from __future__ import annotations

import functools
from typing import final

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import length as lengths
from keras_lr.schedules.atoms import shapes
from keras_lr.schedules.atoms.decays import Exponential
from keras_lr.schedules.atoms.ramps import Cosine, Linear, Ramp
from keras_lr.schedules.base import Schedule, register, schedule
from keras_lr.schedules.length import Steps
from keras_lr.schedules.named.falling import Named


@final
@register
@schedule
class Triangular(Named):
    """Goes up from `low` to `high` and down again, for ever.

    lr(t) = low + (high - low) * gain ** (t // n) * gamma ** t * triangle(t mod n),  n = up + down.

    `gain=0.5` is the policy "triangular2" of the paper, `gamma=0.999` its "exp_range".

    Args:
        low: The rate at the start of each cycle. 0 or more.
        high: The rate at the top of the first cycle.
        up: Length of the rise: updates, or a length with a unit.
        down: Length of the fall. Default: `up`.
        gain: By how much each cycle is scaled against the one before.
        gamma: By how much each step is scaled against the one before.

    Example:
        >>> Triangular(0.0, 1.0, up=2).evaluate(range(6)).tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]

    References:
        Smith 2017, section 3. https://arxiv.org/abs/1506.01186
    """

    low: float
    high: float
    up: Steps
    down: Steps | None = None
    gain: float = 1.0
    gamma: float = 1.0

    def __post_init__(self) -> None:
        low = checks.at_least_zero("Triangular", low=self.low)
        if checks.finite("Triangular", high=self.high) < low:
            raise ArgumentError("Triangular", f"high must not be below low, {low!r}", "Swap them", high=self.high)
        lengths.parse("Triangular", up=self.up)
        lengths.parse("Triangular", 0, down=self.up if self.down is None else self.down)
        checks.above_zero("Triangular", gain=self.gain)
        checks.above_zero("Triangular", gamma=self.gamma)

    @functools.cached_property
    def expression(self) -> Schedule:
        triangle = Linear(0.0, 1.0, self.up) >> Linear(1.0, 0.0, self.up if self.down is None else self.down)
        cycles: Schedule = triangle.repeat(gain=self.gain)
        if self.gamma != 1.0:
            cycles = cycles * Exponential(1.0, self.gamma)
        return cycles * (self.high - self.low) + self.low


@final
@register
@schedule
class CosineRestarts(Named):
    """Falls along half a cosine and starts again at the top, each time `stretch` times as long and `gain` times as high.

    lr(t) = end + (peak - end) * gain ** i * (1 + cos(pi * p)) / 2,  i the cycle, p the share of it that is over.

    Args:
        peak: The rate at the start of the first cycle.
        steps: Length of the first cycle: updates, or a length with a unit.
        end: The rate that each cycle falls to. 0 or more.
        stretch: How much longer each cycle is than the one before. Cycles begin at whole steps.
        gain: By how much the height of each cycle is scaled against the one before.
        times: How many cycles; the end of the last one is held. None: for ever.

    Example:
        >>> CosineRestarts(1.0, 2, stretch=2.0).evaluate(range(7)).round(4).tolist()
        [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0]

    References:
        Loshchilov and Hutter 2017, SGDR, eq. 5. https://arxiv.org/abs/1608.03983
    """

    peak: float
    steps: Steps
    end: float = 0.0
    stretch: float = 1.0
    gain: float = 1.0
    times: int | None = None

    def __post_init__(self) -> None:
        checks.at_least_zero("CosineRestarts", end=self.end)
        if checks.finite("CosineRestarts", peak=self.peak) < self.end:
            raise ArgumentError(
                "CosineRestarts", f"peak must not be below end, {self.end!r}", "Swap them", peak=self.peak
            )
        lengths.parse("CosineRestarts", steps=self.steps)
        checks.above_zero("CosineRestarts", stretch=self.stretch)
        checks.above_zero("CosineRestarts", gain=self.gain)
        if self.times is not None:
            checks.whole("CosineRestarts", times=self.times)

    @functools.cached_property
    def expression(self) -> Schedule:
        cycles = Cosine(1.0, 0.0, self.steps).repeat(self.times, gain=self.gain, stretch=self.stretch)
        return cycles * (self.peak - self.end) + self.end


@final
@register
@schedule
class OneCycle(Named):
    """Goes up to the peak, and down to far below the start: one cycle for the whole run.

    From peak / div at step 0 to peak at rise * T, then to peak / (div * final_div) at T = `steps`; with `back` in three
    phases: back at peak / div at the share `back` of T, then on to the end.

    Args:
        peak: The highest rate.
        steps: T: updates, or a length with a unit. Default: the whole run.
        rise: The share of the rise, between 0 and 1.
        div: The start is peak / div. 1 or more.
        final_div: The end is the start / final_div. 1 or more.
        shape: "cosine", or another of `Ramp`'s shapes.
        back: None: two phases. A share above `rise`, such as 2 * rise: three.

    Example:
        >>> OneCycle(1.0, 10, rise=0.4, div=4.0, final_div=100.0).evaluate([0, 2, 4, 7, 10]).round(4).tolist()
        [0.25, 0.625, 1.0, 0.5012, 0.0025]

    References:
        Smith and Topin 2019, super-convergence. https://arxiv.org/abs/1708.07120
    """

    peak: float
    steps: Steps = "100%"
    rise: float = 0.3
    div: float = 25.0
    final_div: float = 1e4
    shape: str = "cosine"
    back: float | None = None

    def __post_init__(self) -> None:
        checks.above_zero("OneCycle", peak=self.peak)
        lengths.parse("OneCycle", steps=self.steps)
        last = 1.0 if self.back is None else checks.above_zero("OneCycle", back=self.back)
        if not 0.0 < checks.finite("OneCycle", rise=self.rise) < last <= 1.0:
            rule = "rise must be above 0 and below " + ("1" if self.back is None else f"back={self.back}, at most 1")
            raise ArgumentError("OneCycle", rule, "Pass a share of the run such as 0.3", rise=self.rise)
        for name in ("div", "final_div"):
            if checks.finite("OneCycle", **{name: getattr(self, name)}) < 1.0:
                raise ArgumentError(
                    "OneCycle", f"{name} must be 1 or more", "Pass a divisor", **{name: getattr(self, name)}
                )
        shapes.check("OneCycle", self.shape, self.peak)

    @functools.cached_property
    def expression(self) -> Schedule:
        start = self.peak / self.div
        shares = [self.rise] if self.back is None else [self.rise, self.back]
        rates = [start, self.peak, *([] if self.back is None else [start]), start / self.final_div]
        parts = lengths.split(lengths.parse("OneCycle", steps=self.steps), *shares)
        whole: Schedule = Ramp(rates[0], rates[1], parts[0], self.shape)
        for before, after, steps in zip(rates[1:], rates[2:], parts[1:], strict=False):
            whole = whole >> Ramp(before, after, steps, self.shape)
        return whole


@final
@register
@schedule
class SlantedTriangular(Named):
    """A short rise and a long fall in straight lines, for fine-tuning.

    From peak / ratio at step 0 to peak at rise * T, then back to peak / ratio at T = `steps`.

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

    peak: float
    steps: Steps = "100%"
    rise: float = 0.1
    ratio: float = 32.0

    def __post_init__(self) -> None:
        checks.above_zero("SlantedTriangular", peak=self.peak)
        lengths.parse("SlantedTriangular", steps=self.steps)
        if not 0.0 < checks.finite("SlantedTriangular", rise=self.rise) < 1.0:
            rule = "rise must be above 0 and below 1"
            raise ArgumentError("SlantedTriangular", rule, "Pass a share of the run such as 0.1", rise=self.rise)
        if checks.finite("SlantedTriangular", ratio=self.ratio) < 1.0:
            raise ArgumentError("SlantedTriangular", "ratio must be 1 or more", "Pass a divisor", ratio=self.ratio)

    @functools.cached_property
    def expression(self) -> Schedule:
        up, down = lengths.split(lengths.parse("SlantedTriangular", steps=self.steps), self.rise)
        low = self.peak / self.ratio
        return Linear(low, self.peak, up) >> Linear(self.peak, low, down)
