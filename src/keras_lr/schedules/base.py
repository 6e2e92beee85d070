"""`Schedule`, the abstract class: a learning rate as a pure function of the step.

A step is the update about to be made, counted from 0. A schedule owns no optimizer, no counter and no file. It is a value:
two are equal if their configurations are equal, so schedules can be drawn, joined, tested, saved and compiled. Every class
below `Schedule` is final and has one `formula`.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import os
from fractions import Fraction
from typing import Any, ClassVar, Self, cast

import keras
import numpy as np

from keras_lr import backends
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import inspect
from keras_lr.schedules.fields import KINDS, Rule
from keras_lr.schedules.length import Length, RunLength, Steps
from keras_lr.schedules.lookup import LARGEST_TABLE, Ahead, Table
from keras_lr.schedules.ops import COMPILED, HOST, Arithmetic

THEN, SUM, PRODUCT, CALL = range(4)
"""The precedence of the code of a schedule: how tightly `>>`, `+`, `*` and a call bind."""


class Schedule(keras.optimizers.schedules.LearningRateSchedule, abc.ABC):
    """A learning rate as a function of the step, for `keras.optimizers.X(learning_rate=schedule)`.

    Schedules compose: `a >> b` (then), `a * b`, `a + b`, `.warmup(n)`, `.cooldown(n)`, `.clip(low, high)`, `.repeat()`,
    `.every(k)`, `.delay(n)`, `.skip(n)`, `.retime(...)`, `.extend(n)`. Lengths are updates (`1000`), or `"3ep"`, `"10%"`,
    `"5000ex"`, which bind to a run with `.bind` or through a callback of keras-lr in `fit`.

    Example:
        >>> import keras_lr as klr
        >>> schedule = (klr.Constant(0.01, 2) >> klr.Cosine(0.01, 0.0, 2)).warmup(1)
        >>> schedule.evaluate(range(6)).tolist()
        [0.005, 0.01, 0.01, 0.01, 0.005, 0.0]
    """

    __array_ufunc__ = None  # so that np.float64(0.1) * schedule is left to __rmul__
    _rules: ClassVar[dict[str, Rule]] = {}
    _call: ClassVar[str]
    """The call that makes it, for error messages. Default: the name of the class."""
    _verbatim: ClassVar[bool] = False
    """Whether its arguments keep their types: an int stays an int where others store a float."""
    precedence: ClassVar[int] = CALL

    def __post_init__(self) -> None:
        for name, rule in self._rules.items():
            value = rule.check_value(self._call, name, getattr(self, name))
            if rule.many or not self._verbatim:
                object.__setattr__(self, name, value)
        self._check_fields()

    def _check_fields(self) -> None:
        """Raises an `ArgumentError` if the fields do not fit each other."""

    @abc.abstractmethod
    def formula(self, step: Any, xp: Arithmetic) -> Any:
        """Returns the rate of the given steps, computed in the arithmetic `xp`."""

    @property
    @abc.abstractmethod
    def extent(self) -> Length | None:
        """How long until it holds its last value, or None if it has no end."""

    def placed(self, run: RunLength, start: Fraction) -> Schedule:
        """Returns the same schedule with lengths in updates, for a start `start` updates into `run`."""
        rules = {name: rule for name, rule in self._rules.items() if rule.place}
        values = {name: rule.place_value(getattr(self, name), run, start) for name, rule in rules.items()}
        return dataclasses.replace(cast(Any, self), **values) if values else self

    def _fields_of(self, kind: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name, rule in self._rules.items() if rule.kind == kind}

    def children(self) -> tuple[Schedule, ...]:
        """Returns the schedules that it is made of, without those inside them."""
        return tuple(self._fields_of("part").values())

    def own_lengths(self) -> tuple[Steps | float, ...]:
        """Returns the lengths among its arguments, as they were written."""
        values = self._fields_of("length").values()
        flat = [item for value in values for item in (value if isinstance(value, tuple) else (value,))]
        return tuple(item for item in flat if item is not None)

    def lengths(self) -> tuple[Steps | float, ...]:
        """Returns every length in it, its children's and its own, as they were written."""
        return (*(length for child in self.children() for length in child.lengths()), *self.own_lengths())

    @property
    def unbound(self) -> bool:
        """Whether a length in it has a unit that only a run can turn into updates."""
        own = any(isinstance(each, str) or (isinstance(each, Length) and not each.bound) for each in self.own_lengths())
        return own or any(child.unbound for child in self.children())

    @property
    def plain(self) -> bool:
        """Whether its rates depend on the step alone, by formulas of keras-lr."""
        return all(child.plain for child in self.children())

    @property
    def tabular(self) -> bool:
        """Whether the rates up to its end define it: it is plain and holds the last one."""
        return self.plain and all(child.tabular for child in self.children())

    @property
    def original(self) -> Schedule:
        """The schedule without the run that it is bound to."""
        return self

    @property
    def length(self) -> int | None:
        """How many updates until it holds its last value, or None if it has no end."""
        if self.extent is None:
            return None
        if not self.extent.bound:
            raise unbound_error(self)
        return self.extent.steps

    @property
    def total_steps(self) -> int | None:
        """The updates of the run that it is bound to, else its length."""
        return self.length

    def _share(self) -> Fraction:
        """The share of the run that its parts take, one after another."""
        return Fraction(0) if self.extent is None else self.extent.share

    def _check_share(self) -> None:
        if self._share() > 1:
            rule = f"its parts add up to {float(self._share() * 100):g} % of the run"
            raise ArgumentError(self._call, rule, "Make them 100 % or less", schedule=self)

    def longest_rise(self) -> int:
        """Returns the updates of the longest warm-up in it."""
        return max((child.longest_rise() for child in self.children()), default=0)

    def __call__(self, step: Any) -> Any:
        """Returns the rate of `step` as a tensor of the backend; the optimizer calls it inside the compiled step.

        A schedule that ends within 2**18 steps is looked up in its own float64 values, which costs two operations however
        many parts it has. Any other is computed by its formula. On PyTorch, where every operation is slow, a step on the
        host is looked up there.
        """
        host_step = backends.active().host_step(step)
        if host_step is not None and self._ahead is not None:
            return COMPILED.real(self._ahead.rate(host_step))
        if self.unbound:
            raise unbound_error(self)
        return self.rate_at(COMPILED.integer(step), COMPILED)

    def rate_at(self, step: Any, xp: Arithmetic) -> Any:
        """Returns the rate of an integer step: from the table in a compiled step, if there is one, else by the formula."""
        if xp is not COMPILED or self._table is None:
            return self.formula(step, xp)
        return self._table.rate(step)

    @functools.cached_property
    def _table(self) -> Table | None:
        """All its rates for the compiled step, or None if they are too many or may change."""
        small = self.length is not None and self.length < LARGEST_TABLE and self.tabular
        return Table(self.evaluate, self.length) if small else None  # type: ignore[arg-type]

    @functools.cached_property
    def _ahead(self) -> Ahead | None:
        """Its rates step by step on the host, or None if they can't be computed ahead."""
        return None if self.unbound or not self.plain else Ahead(self.evaluate)

    def evaluate(self, steps: Any) -> np.ndarray:
        """Computes rates in float64 on the host, without a backend.

        Args:
            steps: An int, or anything that NumPy turns into an array of ints; steps count from 0.

        Returns:
            A float64 array of the same shape.
        """
        if self.unbound:
            raise unbound_error(self)
        array = np.asarray(list(steps) if isinstance(steps, range) else steps, np.int64)
        return np.broadcast_to(np.asarray(self.formula(array, HOST), np.float64), array.shape).copy()

    def bind(self, *, steps_per_epoch: int, epochs: int, batch_size: int | None = None) -> Schedule:
        """Returns the same schedule for a run of `epochs * steps_per_epoch` updates.

        Args:
            steps_per_epoch: Updates in an epoch, as `fit` counts them.
            epochs: Epochs of the whole run.
            batch_size: Examples in a batch; only lengths in examples (`"5000ex"`) need it.

        Returns:
            A schedule that can be called; `self` if no length has a unit.
        """
        return KINDS["Bound"](self, steps_per_epoch, epochs, batch_size) if self.unbound else self

    def __rshift__(self, other: Schedule) -> Schedule:
        """Returns this schedule up to its end, then `other` from its own step 0."""
        return KINDS["Then"](self, other) if isinstance(other, Schedule) else NotImplemented

    def __mul__(self, other: Any) -> Schedule:
        """Returns the product, step by step; a number scales the schedule."""
        return _combine("Product", self, other)

    def __rmul__(self, other: Any) -> Schedule:
        return _combine("Product", other, self)

    def __add__(self, other: Any) -> Schedule:
        """Returns the sum, step by step; a number is added to every rate."""
        return _combine("Sum", self, other)

    def __radd__(self, other: Any) -> Schedule:
        return _combine("Sum", other, self)

    def warmup(self, steps: Steps, mode: str = "prefix") -> Schedule:
        """Adds a linear rise of `steps` updates: (t + 1) / (steps + 1) of the rate, then all of it.

        Update 0 has a rate above 0, and the first update after the rise has the full rate.

        Args:
            steps: The length of the rise.
            mode: "prefix": the schedule starts after the rise. "overlap": it starts at step 0, and the rise goes to its rate
                at the end of the rise. "scale": it starts at step 0, and the rise scales it.
        """
        return KINDS["Warmup"](self, steps, mode)

    def cooldown(
        self, steps: Steps, at: Steps | None = None, end: float = 0.0, shape: str = "linear", freeze: bool = True
    ) -> Schedule:
        """Lowers the rate to `end` in the last `steps` updates, or in `steps` updates from `at` on.

        Args:
            steps: The length of the cooldown.
            at: The step at which it starts. Default: it ends with the schedule.
            end: The last rate.
            shape: One of `Ramp`'s shapes.
            freeze: Whether the rate at the start of the cooldown is lowered, or the schedule as it continues.
        """
        return KINDS["Cooldown"](self, steps, at, end, shape, freeze)

    def clip(self, low: float | None = None, high: float | None = None) -> Schedule:
        """Keeps the rate between `low` and `high`."""
        return KINDS["Clip"](self, low, high)

    def repeat(self, times: int | None = None, *, gain: float = 1.0, stretch: float = 1.0) -> Schedule:
        """Repeats the schedule.

        Args:
            times: How many times it runs in all. None: without end.
            gain: The factor of each repetition against the one before.
            stretch: How much longer each repetition is than the one before.
        """
        return KINDS["Repeat"](self, times, gain, stretch)

    def every(self, steps: Steps) -> Schedule:
        """Slows the clock to one tick in `steps` steps: the value at t is that of t // steps."""
        return KINDS["Every"](self, steps)

    def delay(self, steps: Steps) -> Schedule:
        """Starts the schedule `steps` updates later; holds its first rate until then."""
        return KINDS["Delay"](self, steps)

    def skip(self, steps: int) -> Schedule:
        """Starts at the schedule's own step `steps`: the value at t is that of t + steps."""
        return KINDS["Skip"](self, steps)

    def retime(self, at: int, old_total: int, new_total: int) -> Schedule:
        """Stretches or shrinks the rest of the schedule from step `at` on, for a run whose length changes.

        Args:
            at: The step at which the new plan starts. Nothing changes up to it, and the rate does not jump.
            old_total: The updates that the run was planned for.
            new_total: The updates that it will have.
        """
        return KINDS["Retime"](self, at, old_total, new_total)

    def extend(self, steps: int) -> Schedule:
        """Makes the last constant part `steps` updates longer; the parts after it come later.

        Raises:
            ArgumentError: No part is constant for a number of updates.
        """
        checks.whole("extend", steps=steps)
        longer = self._longer(steps)
        if longer is None:
            repair = "Use .retime(at, old_total, new_total) to stretch the rest"
            raise ArgumentError("extend", "it has no constant part that could be longer", repair, schedule=self)
        return longer

    def _longer(self, steps: int) -> Schedule | None:
        """The schedule with a constant part `steps` updates longer, or None if it has none."""
        for name, child in self._fields_of("part").items():
            longer = child._longer(steps)
            if longer is not None:
                return dataclasses.replace(cast(Any, self), **{name: longer})
        return None

    def area(self, steps: int | None = None) -> float:
        """Returns the sum of the rates of the first `steps` updates (default: the schedule's length)."""
        return inspect.area(self, steps)

    def check(self, steps: int | None = None) -> tuple[inspect.Finding, ...]:
        """Returns what is unusual about the schedule in a run of `steps` updates (default: its length)."""
        return inspect.check(self, steps)

    def describe(self, steps: int | None = None) -> str:
        """Describes the schedule over `steps` updates (default: its length): rates, phases, area, what is unusual."""
        return inspect.describe(self, steps)

    def plot(self, path: str | os.PathLike[str] | None = None, *, steps: int | None = None, ax: Any = None) -> Any:
        """Draws the rate against the step, and saves the picture to `path` if one is given.

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
        """Returns the constructor's arguments, as Keras saves them."""
        fields = dataclasses.fields(cast(Any, self))
        return {field.name: _serialized(getattr(self, field.name)) for field in fields}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes a schedule from what `get_config` returned."""
        return cls(**{name: _deserialized(value) for name, value in config.items()})

    def __repr__(self) -> str:
        """Returns the code that makes it: positional arguments, without trailing ones that have their default."""
        arguments = [(getattr(self, field.name), field.default) for field in dataclasses.fields(cast(Any, self))]
        while arguments and arguments[-1][0] == arguments[-1][1]:
            arguments.pop()
        return f"{type(self).__name__}({', '.join(_code(value) for value, _ in arguments)})"

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field.name) for field in dataclasses.fields(cast(Any, self)))

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if other.__class__ is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def code_in(self, precedence: int) -> str:
        """Returns the code that makes it, in parentheses if it binds less tightly than `precedence`."""
        return repr(self) if self.precedence >= precedence else f"({self!r})"


def as_schedule(where: str, value: Any) -> Schedule:
    """Returns a schedule as it is, and a number as a constant one; anything else is an error."""
    return value if isinstance(value, Schedule) else KINDS["Constant"](checks.finite(where, value=value))


def unbound_error(schedule: Schedule) -> ArgumentError:
    """Returns the error for a schedule with units that is used before it is bound to a run."""
    return ArgumentError(
        "schedule",
        "its lengths have units, and it is not bound to a run",
        "Pass a callback of keras-lr to fit, such as callbacks=[keras_lr.LearningRateMonitor()], "
        "or bind it yourself: schedule.bind(steps_per_epoch=100, epochs=10)",
        schedule=schedule,
    )


def _combine(name: str, left: Any, right: Any) -> Schedule:
    if left is None or right is None:
        raise ArgumentError("schedule", "find gave no answer to multiply with", "See found.reason", learning_rate=None)
    return KINDS[name](as_schedule(name, left), as_schedule(name, right))


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
