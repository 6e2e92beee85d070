"""Schedules that hold: one rate, one rate after another, and a function of the user's own."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any, final

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import length as lengths
from keras_lr.schedules.base import Schedule, register, schedule
from keras_lr.schedules.length import Length, RunLength, Steps
from keras_lr.schedules.ops import Arithmetic


@final
@register
@schedule
class Constant(Schedule):
    """One rate, for `steps` updates or for ever.

    Args:
        value: The rate.
        steps: How long, where something follows with `>>`: updates, or a length with a unit. None: no end.

    Example:
        >>> (Constant(0.1, 2) >> Constant(0.01)).evaluate(range(4)).tolist()
        [0.1, 0.1, 0.01, 0.01]
    """

    value: float
    steps: Steps | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", checks.finite("Constant", value=self.value))
        if self.steps is not None:
            lengths.parse("Constant", 0, steps=self.steps)

    @property
    def extent(self) -> Length | None:
        return None if self.steps is None else lengths.parse("Constant", 0, steps=self.steps)

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return self if self.extent is None else Constant(self.value, lengths.place(self.extent, run, start))

    def lengthened(self, steps: int) -> Schedule | None:
        """The same rate for longer, or None where it has no length in updates."""
        if self.extent is None or not self.extent.bound:
            return None
        return Constant(self.value, self.extent.steps + steps)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return xp.real(step) * 0.0 + self.value


@final
@register
@schedule
class Piecewise(Schedule):
    """One constant rate after another.

    lr(t) = values[i], where i counts the boundaries b <= t: a boundary takes effect at t = b.

    Args:
        boundaries: Steps at which the rate changes, rising: updates, or lengths with a unit.
        values: The rates, one more than the boundaries.

    Example:
        >>> Piecewise([2, 4], [0.1, 0.01, 0.001]).evaluate(range(6)).tolist()
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    """

    boundaries: tuple[Steps, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "boundaries", tuple(self.boundaries))
        object.__setattr__(self, "values", tuple(checks.at_least_zero("Piecewise", values=v) for v in self.values))
        parsed = [lengths.parse("Piecewise", boundaries=boundary) for boundary in self.boundaries]
        if len(self.values) != len(parsed) + 1:
            raise ArgumentError(
                "Piecewise",
                f"{len(parsed)} boundaries need {len(parsed) + 1} values",
                "Pass one value more than boundaries",
                values=list(self.values),
            )
        for before, after in itertools.pairwise(parsed):
            gaps = (
                after.steps - before.steps,
                after.epochs - before.epochs,
                after.share - before.share,
                after.examples - before.examples,
            )
            if not any(gap > 0 for gap in gaps):
                raise ArgumentError(
                    "Piecewise",
                    "boundaries must rise",
                    "Sort them and leave out doubles",
                    boundaries=list(self.boundaries),
                )

    @property
    def extent(self) -> Length:
        return lengths.parse("Piecewise", boundaries=self.boundaries[-1]) if self.boundaries else Length()

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        parsed = (lengths.parse("Piecewise", boundaries=boundary) for boundary in self.boundaries)
        return Piecewise(tuple(lengths.place(length, run, start) for length in parsed), self.values)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return xp.pick(self.values, xp.passed(step, self.boundaries))


@final
@register
@schedule
class Function(Schedule):
    """A function of your own: lr(t) = fn(t).

    Args:
        fn: Takes the step as a float and returns the rate. It may use arithmetic and `keras.ops`. For a model that can be
            loaded again, register it: `@keras.saving.register_keras_serializable()`.
        steps: How long, where something follows with `>>`. None: no end.

    Example:
        >>> def halving(t):
        ...     return 0.1 / (1 + t)
        >>> Function(halving).evaluate([0, 1]).tolist()
        [0.1, 0.05]
    """

    fn: Callable[[Any], Any]
    steps: Steps | None = None

    def __post_init__(self) -> None:
        if not callable(self.fn):
            raise ArgumentError(
                "Function", "fn must be a function of the step", "Pass a function such as my_rate(t)", fn=self.fn
            )
        if getattr(self.fn, "__name__", "") == "<lambda>":
            warnings.warn(
                "Function(fn=<lambda>): a model saved with a lambda can't be loaded in safe mode. Use a named, registered function.",
                stacklevel=3,
            )
        if self.steps is not None:
            lengths.parse("Function", 0, steps=self.steps)

    @property
    def plain(self) -> bool:
        return False  # the function may read anything

    @property
    def extent(self) -> Length | None:
        return None if self.steps is None else lengths.parse("Function", 0, steps=self.steps)

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        return self if self.extent is None else dataclasses.replace(self, steps=lengths.place(self.extent, run, start))

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        step = xp.maximum(step, 0)
        if self.length is not None:
            step = xp.minimum(step, self.length)
        return xp.user(self.fn, xp.real(step))
