"""Named schedules for a whole run, whose length may be decided late."""

from __future__ import annotations

import dataclasses
import functools
from typing import final

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import fields
from keras_lr.schedules import length as lengths
from keras_lr.schedules.atoms import shapes
from keras_lr.schedules.atoms.constants import Constant
from keras_lr.schedules.atoms.decays import InverseSqrt
from keras_lr.schedules.atoms.ramps import Linear, Ramp
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.length import Length, Steps
from keras_lr.schedules.named.falling import Named


@final
@fields.schedule
class WarmupStableDecay(Named):
    """Rises, holds, and falls; its length can be decided late.

    Rises for `warmup_steps`, holds `peak`, and falls to `end` in the last `decay_steps` of `steps` updates.

    Args:
        peak: The rate between rise and fall.
        steps: The whole length, warm-up and decay included: updates, or a length with a unit. Default: the whole run.
        warmup_steps: The length of the rise, as in `.warmup`.
        decay_steps: The length of the fall.
        end: The last rate. 0 or more.
        shape: One of `Ramp`'s shapes.

    Example:
        >>> WarmupStableDecay(1.0, 8, warmup_steps=3, decay_steps=2).evaluate(range(9)).tolist()
        [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0]
        >>> WarmupStableDecay(1.0, 8, warmup_steps=3, decay_steps=2).extend(2).evaluate([5, 8, 9, 10]).tolist()
        [1.0, 1.0, 0.5, 0.0]

    References:
        Hu et al. 2024, MiniCPM, section 4. https://arxiv.org/abs/2404.06395
    """

    peak: float = fields.rate()
    steps: Steps = fields.length("100%")
    warmup_steps: Steps = fields.length("5%", least=0)
    decay_steps: Steps = fields.length("20%", least=0)
    end: float = fields.rate(0.0)
    shape: str = fields.choice(shapes.SHAPES, "linear")

    def _check_fields(self) -> None:
        shapes.check_end("WarmupStableDecay", self.shape, self.end)
        whole, rise, fall = self._lengths()
        rest = whole - rise - fall
        if any(size < 0 for size in rest.parts) and _one_unit(whole, rise, fall):
            rule = f"warm-up and decay are longer than the whole, {self.steps!r}"
            raise ArgumentError("WarmupStableDecay", rule, "Make them shorter", decay_steps=self.decay_steps)

    def _lengths(self) -> tuple[Length, Length, Length]:
        return lengths.of(self.steps), lengths.of(self.warmup_steps), lengths.of(self.decay_steps)

    def _longer(self, steps: int) -> Schedule | None:
        return dataclasses.replace(self, steps=self.steps + steps) if isinstance(self.steps, int) else None

    @functools.cached_property
    def expression(self) -> Schedule:
        whole, rise, fall = self._lengths()
        stable = Constant(self.peak, whole - rise - fall) >> Ramp(self.peak, self.end, fall, self.shape)
        return stable.warmup(rise)


@final
@fields.schedule
class Infinite(Named):
    """Rises, falls to a rate that it can hold for any time, and falls from there to the end.

    Rises to `peak` in `warmup_steps`, falls to `constant` in `cooldown_steps`, holds it for `constant_steps`, and falls to
    `end` in `annealing_steps`, by the same factor at every step.

    Args:
        peak: The highest rate.
        constant: The rate that it holds.
        end: The last rate, above 0.
        warmup_steps: The length of the rise: updates, or a length with a unit, as the next three.
        cooldown_steps: From the peak to the constant rate.
        constant_steps: The time at the constant rate; `.extend(n)` adds to it.
        annealing_steps: From there to the end.
        shape: The shape of the first fall, one of `Ramp`'s.

    Example:
        >>> Infinite(1.0, 0.5, 0.125, 1, 2, 2, 2).evaluate(range(8)).round(4).tolist()
        [0.5, 1.0, 0.75, 0.5, 0.5, 0.5, 0.25, 0.125]

    References:
        Ibrahim et al. 2024, section 4.2. https://arxiv.org/abs/2403.08763
    """

    peak: float = fields.positive()
    constant: float = fields.positive()
    end: float = fields.positive()
    warmup_steps: Steps = fields.length(least=0)
    cooldown_steps: Steps = fields.length(least=0)
    constant_steps: Steps = fields.length(least=0)
    annealing_steps: Steps = fields.length(least=0)
    shape: str = "cosine"

    def _check_fields(self) -> None:
        _ = self.expression  # checks the rest

    @functools.cached_property
    def expression(self) -> Schedule:
        fall = Ramp(self.peak, self.constant, self.cooldown_steps, self.shape)
        hold = Constant(self.constant, self.constant_steps)
        last = Ramp(self.constant, self.end, self.annealing_steps, shapes.GEOMETRIC)
        return fall.warmup(self.warmup_steps) >> hold >> last


@final
@fields.schedule
class Noam(Named):
    """Rises in a straight line and falls as one over the square root of time: the transformer's schedule.

    lr(t) = scale * model_dim ** -0.5 * min((t + 1) ** -0.5, (t + 1) * warmup_steps ** -1.5).

    Args:
        model_dim: The width of the model.
        warmup_steps: The length of the rise, in updates.
        scale: A factor of the whole.

    Example:
        >>> Noam(64, 4).evaluate([0, 3, 15]).tolist()
        [0.015625, 0.0625, 0.03125]

    References:
        Vaswani et al. 2017, eq. 3. https://arxiv.org/abs/1706.03762
    """

    model_dim: int = fields.count()
    warmup_steps: int = fields.updates()
    scale: float = fields.positive(1.0)

    @functools.cached_property
    def expression(self) -> Schedule:
        peak = self.scale * (self.model_dim * self.warmup_steps) ** -0.5
        rise = Linear(peak / self.warmup_steps, peak, self.warmup_steps - 1)
        return rise >> InverseSqrt(peak, self.warmup_steps)


def _one_unit(*parts: Length) -> bool:
    """Whether lengths can be compared before a run is known."""
    return len({unit for part in parts for unit, size in enumerate(part.parts) if size}) == 1
