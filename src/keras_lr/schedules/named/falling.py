"""Named schedules that fall, and what all named schedules share.

The arguments of a named schedule stay as they were written; its value is an expression of atoms and operators.
"""

from __future__ import annotations

import abc
import functools
import itertools
from fractions import Fraction
from typing import Any, final

from keras_lr.schedules import fields
from keras_lr.schedules.atoms.constants import Piecewise
from keras_lr.schedules.atoms.decays import Exponential, InverseTime
from keras_lr.schedules.atoms.ramps import Linear, Ramp
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.length import Length, RunLength, Steps
from keras_lr.schedules.ops import Arithmetic


class Named(Schedule):
    """A short name for an expression of other schedules."""

    _verbatim = True

    @property
    @abc.abstractmethod
    def expression(self) -> Schedule:
        """The same schedule, written in atoms and operators."""

    @property
    def extent(self) -> Length | None:
        return self.expression.extent

    @property
    def plain(self) -> bool:
        return self.expression.plain

    @property
    def tabular(self) -> bool:
        return self.expression.tabular

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return self.expression.placed(run, start)

    def longest_rise(self) -> int:
        return self.expression.longest_rise()

    def _longer(self, steps: int) -> Schedule | None:
        return self.expression._longer(steps)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return self.expression.formula(step, xp)


@final
@fields.schedule
class StepDecay(Named):
    """Multiplies the rate by `rate` once in `per` steps, all at once.

    lr(t) = start * rate ** (t // per).

    Args:
        start: The first rate. 0 or more.
        rate: The factor, above 0. Below 1 the rate falls.
        per: Steps between two falls: updates, or a length with a unit such as `"10ep"`.

    Example:
        >>> StepDecay(0.1, 0.5, per=2).evaluate(range(5)).tolist()
        [0.1, 0.1, 0.05, 0.05, 0.025]
    """

    start: float = fields.rate()
    rate: float = fields.positive()
    per: Steps = fields.length()

    @functools.cached_property
    def expression(self) -> Schedule:
        return Exponential(self.start, self.rate).every(self.per)


@final
@fields.schedule
class MultiStepDecay(Named):
    """Multiplies the rate by `rate` at each of some steps.

    lr(t) = start * rate ** (how many boundaries b <= t).

    Args:
        start: The first rate. 0 or more.
        rate: The factor, above 0. Below 1 the rate falls.
        boundaries: The steps at which it is applied, rising: updates, or lengths with a unit.

    Example:
        >>> MultiStepDecay(0.4, 0.5, [2, 3]).evaluate(range(5)).tolist()
        [0.4, 0.4, 0.2, 0.1, 0.1]
    """

    start: float = fields.rate()
    rate: float = fields.positive()
    boundaries: tuple[Steps, ...] = fields.length(many=True)

    def _check_fields(self) -> None:
        _ = self.expression  # checks that the boundaries rise

    @functools.cached_property
    def expression(self) -> Schedule:
        rates = itertools.accumulate([self.start, *[self.rate] * len(self.boundaries)], lambda rate, by: rate * by)
        return Piecewise(self.boundaries, tuple(rates))


@final
@fields.schedule
class TimeDecay(Named):
    """Divides the rate by a number that grows with time: the `decay` argument of optimizers before Keras 3.

    lr(t) = start / (1 + decay * t / per).

    Args:
        start: The first rate. 0 or more.
        decay: How fast it falls, 0 or more.
        per: Steps in which the divisor grows by `decay`: updates, or a length with a unit such as `"1ep"`.

    Example:
        >>> TimeDecay(0.1, decay=1.0).evaluate([0, 1, 4]).tolist()
        [0.1, 0.05, 0.02]
    """

    start: float = fields.rate()
    decay: float = fields.rate()
    per: Steps = fields.length(1)

    @functools.cached_property
    def expression(self) -> Schedule:
        return InverseTime(self.start, self.decay, self.per)


@final
@fields.schedule
class Budgeted(Named):
    """Falls in a straight line to 0 at the end of the budget.

    lr(t) = start * (1 - min(t, T) / T),  T = `steps`.

    Args:
        start: The first rate. 0 or more.
        steps: T, the budget: updates, or a length with a unit. Default: the whole run.

    Example:
        >>> Budgeted(1.0, 4).evaluate(range(6)).tolist()
        [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]

    References:
        Li, Yumer and Ramanan 2020, eq. 2. https://arxiv.org/abs/1905.04753
    """

    start: float = fields.rate()
    steps: Steps = fields.length("100%")

    @functools.cached_property
    def expression(self) -> Schedule:
        return Linear(self.start, 0.0, self.steps)


@final
@fields.schedule
class Rex(Named):
    """Falls slowly, then fast: between a straight line and a constant rate.

    lr(t) = end + (start - end) * (1 - p) / (1 - p / 2),  p = min(t, T) / T,  T = `steps`.

    Args:
        start: The first rate. 0 or more.
        end: The rate from step T on. 0 or more.
        steps: T: updates, or a length with a unit. Default: the whole run.

    Example:
        >>> Rex(1.0, 0.0, 4).evaluate([0, 2, 4]).round(4).tolist()
        [1.0, 0.6667, 0.0]

    References:
        Chen et al. 2021. https://arxiv.org/abs/2107.04197
    """

    start: float = fields.rate()
    end: float = fields.rate(0.0)
    steps: Steps = fields.length("100%")

    @functools.cached_property
    def expression(self) -> Schedule:
        return Ramp(self.start, self.end, self.steps, "rex")


@final
@fields.schedule
class KDecay(Named):
    """Falls along a cosine or another shape, but later: its time is p ** k.

    lr(t) = end + (start - end) * left(p ** k),  p = min(t, T) / T,  T = `steps`,  left as in `Ramp`.

    Args:
        start: The first rate. 0 or more.
        end: The rate from step T on. 0 or more.
        steps: T: updates, or a length with a unit. Default: the whole run.
        k: Above 0; 1 is the plain shape.
        shape: One of `Ramp`'s shapes.

    Example:
        >>> KDecay(1.0, 0.0, 4, k=2.0).evaluate([0, 2, 4]).round(4).tolist()
        [1.0, 0.8536, 0.0]

    References:
        Zhang and Li 2020. https://arxiv.org/abs/2004.05909
    """

    start: float
    end: float = 0.0
    steps: Steps = fields.length("100%")
    k: float = fields.positive(2.0)
    shape: str = "cosine"

    def _check_fields(self) -> None:
        _ = self.expression  # checks the rest

    @functools.cached_property
    def expression(self) -> Schedule:
        return Ramp(self.start, self.end, self.steps, self.shape, warp=self.k)
