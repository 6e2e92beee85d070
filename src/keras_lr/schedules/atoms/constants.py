"""Constant rates, one or several, and a function of the user."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any, final

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import fields
from keras_lr.schedules import length as lengths
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.length import Length, Steps
from keras_lr.schedules.ops import Arithmetic


@final
@fields.schedule
class Constant(Schedule):
    """Holds one rate for `steps` updates, or without end.

    Args:
        value: Any finite number.
        steps: The length, needed if a schedule follows with `>>`: updates, or a length with a unit. None: no end.

    Example:
        >>> (Constant(0.1, 2) >> Constant(0.01)).evaluate(range(4)).tolist()
        [0.1, 0.1, 0.01, 0.01]
    """

    value: float = fields.number()
    steps: Steps | None = fields.length(None, least=0)

    @property
    def extent(self) -> Length | None:
        return None if self.steps is None else lengths.of(self.steps)

    def _longer(self, steps: int) -> Schedule | None:
        if self.extent is None or not self.extent.bound:
            return None
        return Constant(self.value, self.extent.steps + steps)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return xp.real(step) * 0.0 + self.value


@final
@fields.schedule
class Piecewise(Schedule):
    """Holds one constant rate after another.

    lr(t) = values[i], where i counts the boundaries b <= t: a boundary takes effect at t = b.

    Args:
        boundaries: Steps at which the rate changes, rising: updates, or lengths with a unit.
        values: The rates, one more than the boundaries.

    Example:
        >>> Piecewise([2, 4], [0.1, 0.01, 0.001]).evaluate(range(6)).tolist()
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    """

    boundaries: tuple[Steps, ...] = fields.length(many=True)
    values: tuple[float, ...] = fields.rate(many=True)

    def _check_fields(self) -> None:
        count = len(self.boundaries)
        if len(self.values) != count + 1:
            rule = f"{count} boundaries need {count + 1} values"
            raise ArgumentError("Piecewise", rule, "Pass one value more than boundaries", values=list(self.values))
        for before, after in itertools.pairwise(lengths.of(boundary) for boundary in self.boundaries):
            gap = after - before
            if not any(size > 0 for size in gap.parts):
                repair = "Sort them and leave out doubles"
                raise ArgumentError("Piecewise", "boundaries must rise", repair, boundaries=list(self.boundaries))

    @property
    def extent(self) -> Length:
        return lengths.of(self.boundaries[-1]) if self.boundaries else Length()

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        return xp.pick(self.values, xp.count_passed(step, self.boundaries))


@final
@fields.schedule
class Function(Schedule):
    """Calls a function of your own: lr(t) = fn(t).

    Args:
        fn: Takes the step as a float and returns the rate. It may use arithmetic and `keras.ops`. Register it with
            `@keras.saving.register_keras_serializable()`, so that a saved model can be loaded.
        steps: The length, needed if a schedule follows with `>>`. None: no end.

    Example:
        >>> def halving(t):
        ...     return 0.1 / (1 + t)
        >>> Function(halving).evaluate([0, 1]).tolist()
        [0.1, 0.05]
    """

    fn: Callable[[Any], Any]
    steps: Steps | None = fields.length(None, least=0)

    def _check_fields(self) -> None:
        if not callable(self.fn):
            repair = "Pass a function such as my_rate(t)"
            raise ArgumentError("Function", "fn must be a function of the step", repair, fn=self.fn)
        if getattr(self.fn, "__name__", "") == "<lambda>":
            warnings.warn(
                "Function(fn=<lambda>): a model saved with a lambda can't be loaded in safe mode. Use a named, registered function.",
                stacklevel=4,
            )

    @property
    def plain(self) -> bool:
        return False  # the function may read anything

    @property
    def extent(self) -> Length | None:
        return None if self.steps is None else lengths.of(self.steps)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        step = xp.maximum(step, 0)
        if self.length is not None:
            step = xp.minimum(step, self.length)
        return xp.user(self.fn, xp.real(step))
