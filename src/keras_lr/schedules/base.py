"""What a schedule is: a learning rate as a pure function of the step.

A step is the update about to be made, counted from 0. A schedule owns no optimizer, no counter and no file: it is a
value, equal to another when their configurations are equal, so it can be drawn, joined, tested, saved and compiled.
`Schedule` is abstract; every class below it is final and has one `formula`.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import importlib
import os
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self, cast

import keras
import numpy as np

from keras_lr import backends
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules.length import Length, RunLength, Steps
from keras_lr.schedules.ops import COMPILED, HOST, Arithmetic

if TYPE_CHECKING:
    from keras_lr.schedules.inspect import Finding

schedule = dataclasses.dataclass(frozen=True, repr=False)
LARGEST_TABLE = 2**18  # steps: a megabyte in float32
STEPS_AHEAD = 1024
register = keras.saving.register_keras_serializable(package="keras_lr")


class Schedule(keras.optimizers.schedules.LearningRateSchedule, abc.ABC):
    """A learning rate as a function of the step, for `keras.optimizers.X(learning_rate=schedule)`.

    Schedules compose: `a >> b` (then), `a * b`, `a + b`, `.warmup(n)`, `.cooldown(n)`, `.clip(low, high)`, `.repeat()`,
    `.every(k)`, `.delay(n)`, `.skip(n)`, `.retime(...)`, `.extend(n)`. Lengths are updates (`1000`), or `"3ep"`, `"10%"`, `"5000ex"`, which bind to a run with `.bind` or through a callback
    of keras-lr in `fit`.

    Example:
        >>> import keras_lr as klr
        >>> schedule = (klr.Constant(0.01, 2) >> klr.Cosine(0.01, 0.0, 2)).warmup(1)
        >>> schedule.evaluate(range(6)).tolist()
        [0.005, 0.01, 0.01, 0.01, 0.005, 0.0]
    """

    __array_ufunc__ = None  # so that np.float64(0.1) * schedule is left to __rmul__

    @abc.abstractmethod
    def formula(self, step: Any, xp: Arithmetic) -> Any:
        """The formula: the rate of the given steps, in the arithmetic `xp`."""

    @property
    @abc.abstractmethod
    def extent(self) -> Length | None:
        """How long until it holds its last value, or None where it has no end."""

    @abc.abstractmethod
    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        """The same schedule with lengths in updates, when it starts `start` updates into `run`."""

    @property
    def unbound(self) -> bool:
        """Whether a length in it has a unit that only a run can turn into updates."""
        fields = dataclasses.fields(cast(Any, self))
        return any(_has_units(getattr(self, field.name), "Steps" in str(field.type)) for field in fields)

    @property
    def plain(self) -> bool:
        """Whether its rates depend on the step alone, by formulas that are known here."""
        parts = (getattr(self, field.name) for field in dataclasses.fields(cast(Any, self)))
        return all(part.plain for part in parts if isinstance(part, Schedule))

    @property
    def tabular(self) -> bool:
        """Whether its rates up to its end say all: it is plain, and the last one is held."""
        return self.plain

    @functools.cached_property
    def _tabulated(self) -> bool:
        return self.length is not None and self.length < LARGEST_TABLE and self.tabular

    @functools.cached_property
    def _ahead(self) -> _Ahead | None:
        """Its rates step by step on the host; None where they can't be known ahead."""
        return None if self.unbound or not self.plain else _Ahead(self)

    @functools.cached_property
    def _table(self) -> np.ndarray:
        assert self.length is not None
        return self.evaluate(np.arange(self.length + 1))

    @functools.cached_property
    def _constant(self) -> Any:
        """The table as the backend takes it; on PyTorch, which runs step by step, it is moved to the device once."""
        return COMPILED.table(self._table)

    @property
    def length(self) -> int | None:
        """How many updates until it holds its last value, or None where it has no end."""
        if self.extent is None:
            return None
        if not self.extent.bound:
            raise unbound_error(self)
        return self.extent.steps

    def __call__(self, step: Any) -> Any:
        """The rate of `step`, as a tensor of the backend; called by the optimizer inside the compiled step.

        A schedule that ends within 2**18 steps is looked up in its own float64 values, which costs two operations however
        many parts it has; any other is computed by its formula. On PyTorch, where every operation costs, a step that is
        on the host is looked up there.
        """
        known = backends.active().host_step(step)
        if known is not None and self._ahead is not None:
            return COMPILED.real(self._ahead.rate(known))
        if self.unbound:
            raise unbound_error(self)
        return self.rate_at(COMPILED.integer(step), COMPILED)

    def rate_at(self, step: Any, xp: Arithmetic) -> Any:
        """The rate of an integer step: by the formula, or in a compiled step by the table where there is one."""
        if xp is not COMPILED or not self._tabulated:
            return self.formula(step, xp)
        last = len(self._table) - 1
        return xp.pick(self._constant, xp.minimum(xp.maximum(step, 0), last))

    def evaluate(self, steps: Any) -> np.ndarray:
        """The rates of the given steps in float64, without touching a backend.

        Args:
            steps: An int, or anything that NumPy makes an array of ints of, counted from 0.

        Returns:
            A float64 array of the same shape.
        """
        if self.unbound:
            raise unbound_error(self)
        taken = np.asarray(list(steps) if isinstance(steps, range) else steps, np.int64)
        return np.broadcast_to(np.asarray(self.formula(taken, HOST), np.float64), taken.shape).copy()

    def bind(self, *, steps_per_epoch: int, epochs: int, batch_size: int | None = None) -> Schedule:
        """The same schedule for a run of `epochs * steps_per_epoch` updates; this one stays as it is.

        Args:
            steps_per_epoch: Updates in an epoch, as `fit` counts them.
            epochs: Epochs of the whole run.
            batch_size: Examples in a batch; only for lengths in examples (`"5000ex"`).

        Returns:
            A schedule that can be called; `self` where no length has a unit.
        """
        return _operator("bound", "Bound", self, steps_per_epoch, epochs, batch_size) if self.unbound else self

    def __rshift__(self, other: Schedule) -> Schedule:
        """This schedule to its end, then `other` from its own step 0."""
        return _operator("algebra", "Then", self, other) if isinstance(other, Schedule) else NotImplemented

    def __mul__(self, other: Any) -> Schedule:
        """The product, step by step; a number scales the schedule."""
        return _combine("Product", self, other)

    def __rmul__(self, other: Any) -> Schedule:
        return _combine("Product", other, self)

    def __add__(self, other: Any) -> Schedule:
        """The sum, step by step; a number is added to every rate."""
        return _combine("Sum", self, other)

    def __radd__(self, other: Any) -> Schedule:
        return _combine("Sum", other, self)

    def warmup(self, steps: Steps, mode: str = "prefix") -> Schedule:
        """The schedule with a linear rise of `steps` updates: (t + 1) / (steps + 1) of its rate, then all of it.

        The rise never wastes update 0 at rate 0, and the first update after it is made at the full rate.

        Args:
            steps: How long.
            mode: "prefix": the schedule begins after the rise. "overlap": it has begun at step 0, the rise goes to what it is
                at its end. "scale": it has begun at step 0 and is scaled by the rise.
        """
        return _operator("phases", "Warmup", self, steps, mode)

    def cooldown(
        self, steps: Steps, at: Steps | None = None, end: float = 0.0, shape: str = "linear", freeze: bool = True
    ) -> Schedule:
        """The schedule with its last `steps` updates, or `steps` updates from `at` on, going down to `end`.

        Args:
            steps: How long.
            at: Where it begins. Default: so that it ends with the schedule.
            end: The last rate.
            shape: One of `Ramp`'s shapes.
            freeze: Whether the rate at its begin goes down, or the schedule as it goes on.
        """
        return _operator("phases", "Cooldown", self, steps, at, end, shape, freeze)

    def clip(self, low: float | None = None, high: float | None = None) -> Schedule:
        """The schedule, but never below `low` nor above `high`."""
        return _operator("algebra", "Clip", self, low, high)

    def repeat(self, times: int | None = None, *, gain: float = 1.0, stretch: float = 1.0) -> Schedule:
        """The schedule again and again (`times` in all, or for ever).

        Args:
            times: How often. None: for ever.
            gain: By how much each time is scaled against the one before.
            stretch: How much longer each time is than the one before.
        """
        return _operator("clocks", "Repeat", self, times, gain, stretch)

    def every(self, steps: Steps) -> Schedule:
        """The schedule on a clock that ticks once in `steps` steps: its value at t is that of t // steps."""
        return _operator("clocks", "Every", self, steps)

    def delay(self, steps: Steps) -> Schedule:
        """The schedule begun `steps` updates later; its first rate is held until then."""
        return _operator("clocks", "Delay", self, steps)

    def skip(self, steps: int) -> Schedule:
        """The schedule from its own step `steps` on: its value at t is that of t + steps."""
        return _operator("clocks", "Skip", self, steps)

    def retime(self, at: int, old_total: int, new_total: int) -> Schedule:
        """The schedule for a run that turns out to have another length: from step `at` on the rest is stretched.

        Args:
            at: The step from which the new plan holds. Up to it nothing changes, and there is no jump.
            old_total: The updates that the run was planned for.
            new_total: The updates that it will have.
        """
        return _operator("clocks", "Retime", self, at, old_total, new_total)

    def extend(self, steps: int) -> Schedule:
        """The schedule with its last constant part `steps` updates longer; what comes after it comes later."""
        from keras_lr.schedules.operators.phases import extended

        return extended(self, steps)

    def area(self, steps: int | None = None) -> float:
        """The sum of the rates of the first `steps` updates (default: the schedule's length): the way that it can go."""
        from keras_lr.schedules.inspect import area

        return area(self, steps)

    def check(self, steps: int | None = None) -> tuple[Finding, ...]:
        """What is unusual about the schedule in a run of `steps` updates (default: its length); empty where nothing is."""
        from keras_lr.schedules.inspect import check

        return check(self, steps)

    def describe(self, steps: int | None = None) -> str:
        """The schedule in words, over `steps` updates (default: its length): rates, phases, area, and what is unusual."""
        from keras_lr.schedules.inspect import describe

        return describe(self, steps)

    def plot(self, path: str | os.PathLike[str] | None = None, *, steps: int | None = None, ax: Any = None) -> Any:
        """Draws the rate against the step; saves a picture to `path` where one is given.

        Args:
            path: A file to write, `.png`, `.svg` or `.pdf`.
            steps: How many updates to draw. Default: the schedule's length.
            ax: A matplotlib axis to draw on.

        Returns:
            The matplotlib figure.
        """
        from keras_lr.report import draw
        from keras_lr.schedules.figure import figure_of

        return draw.draw(figure_of(self, steps), path=path, ax=ax)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as Keras saves them."""
        fields = dataclasses.fields(cast(Any, self))
        return {field.name: _serialized(getattr(self, field.name)) for field in fields}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The schedule that `get_config` described."""
        return cls(**{name: _deserialized(value) for name, value in config.items()})

    def __repr__(self) -> str:
        """The code that makes it: positional arguments, without those at their defaults at the end."""
        fields = dataclasses.fields(cast(Any, self))
        shown = [(field, getattr(self, field.name)) for field in fields]
        while shown and shown[-1][0].default is not dataclasses.MISSING and shown[-1][1] == shown[-1][0].default:
            shown.pop()
        return f"{type(self).__name__}({', '.join(_code(value) for _, value in shown)})"


def as_schedule(where: str, value: Any) -> Schedule:
    """A schedule as it is, a number as a constant one; anything else is an error."""
    from keras_lr.schedules.atoms.constants import Constant

    if isinstance(value, Schedule):
        return value
    return Constant(checks.finite(where, value=value))


def rounded(number: Fraction) -> float | int:
    """A placed rate of change: an int where it is whole, else a float."""
    return int(number) if number.denominator == 1 else float(number)


def _operator(module: str, name: str, *arguments: Any) -> Schedule:
    """An operator of a module that itself needs this one."""
    made: Schedule = getattr(importlib.import_module(f"keras_lr.schedules.operators.{module}"), name)(*arguments)
    return made


def _combine(name: str, left: Any, right: Any) -> Schedule:
    if left is None or right is None:
        raise ArgumentError("schedule", "find gave no answer to multiply with", "See found.reason", learning_rate=None)
    return _operator("algebra", name, as_schedule(name, left), as_schedule(name, right))


def _has_units(value: Any, is_length: bool) -> bool:
    if isinstance(value, Schedule):
        return value.unbound
    if isinstance(value, tuple):
        return any(_has_units(item, is_length) for item in value)
    return not value.bound if isinstance(value, Length) else is_length and isinstance(value, str)


def unbound_error(schedule: Schedule) -> ArgumentError:
    """The error of a schedule that is used before a run has told how long its parts are."""
    return ArgumentError(
        "schedule",
        "its lengths have units, and no run has told how long they are",
        "Pass a callback of keras-lr to fit, such as callbacks=[keras_lr.LearningRateMonitor()], "
        "or bind it yourself: schedule.bind(steps_per_epoch=100, epochs=10)",
        schedule=schedule,
    )


def _code(value: Any) -> str:
    if callable(value) and not isinstance(value, Schedule):
        return getattr(value, "__name__", repr(value))
    return repr(list(value)) if isinstance(value, tuple) else repr(value)


def _serialized(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_serialized(item) for item in value]
    return keras.saving.serialize_keras_object(value) if isinstance(value, Schedule) or callable(value) else value


def _deserialized(value: Any) -> Any:
    return keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value


class _Ahead:
    """The rates of a schedule for a caller that goes step by step: many are computed at once, on the host."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule, self._first, self._rates = schedule, 0, np.empty(0)

    def rate(self, step: int) -> float:
        """The rate of a step."""
        if not self._first <= step < self._first + len(self._rates):
            self._first, self._rates = step, self._schedule.evaluate(np.arange(step, step + STEPS_AHEAD))
        return float(self._rates[step - self._first])
