"""Declares schedules and their fields: what each field accepts, and how a run changes it.

`schedule` is the decorator of the classes. Every other function returns a `dataclasses.field` whose metadata hold a `Rule`.
A field without a `default` is required; with the default None it accepts None.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeVar, cast

import keras

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import length as lengths
from keras_lr.schedules.length import RunLength, Steps

KINDS: dict[str, Any] = {}
"""The schedules that can be made, by the names of their classes; operators and methods take theirs from here."""

REQUIRED: Any = dataclasses.MISSING
Kind = TypeVar("Kind", bound=type)

Check = Callable[..., Any]
"""Takes the call and the argument by its name, as the functions of `core.checks` do; returns the value to store."""

Place = Callable[[Any, RunLength, Fraction], Any]
"""Takes a value, a run, and the update of the run at which the schedule starts; returns the value for that run."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """What one field accepts, and how a run changes it.

    Args:
        check: Checks a value. None: any value is accepted.
        place: Turns a value into the one for a run. None: one value serves every run.
        kind: "value", "length" or "part" (a sub-schedule).
        many: Whether the field holds a tuple of such values.
        optional: Whether None is accepted.
    """

    check: Check | None = None
    place: Place | None = None
    kind: str = "value"
    many: bool = False
    optional: bool = False

    def check_value(self, call: str, name: str, value: Any) -> Any:
        """Returns the value to store, or raises an `ArgumentError`."""
        if self.check is None or (self.optional and value is None):
            return value
        return self._each(value, lambda item: self.check(call, **{name: item}))  # type: ignore[misc]

    def place_value(self, value: Any, run: RunLength, start: Fraction) -> Any:
        """Returns the value for a schedule that starts `start` updates into `run`."""
        if self.place is None or value is None:
            return value
        return self._each(value, lambda item: self.place(item, run, start))  # type: ignore[misc]

    def _each(self, value: Any, change: Callable[[Any], Any]) -> Any:
        return tuple(change(item) for item in value) if self.many else change(value)


def schedule(kind: Kind) -> Kind:
    """Makes a class with fields a frozen dataclass and collects the rules of its fields; registers it unless it is abstract.

    The base class has `__eq__` and `__hash__`: made for each class they would double the time that an import takes.
    """
    result: Any = dataclasses.dataclass(frozen=True, repr=False, eq=False)(cast(Any, kind))
    declared = dataclasses.fields(result)
    result._rules = {field.name: field.metadata["rule"] for field in declared if "rule" in field.metadata}
    if "_call" not in vars(result):
        result._call = result.__name__
    if not result.__abstractmethods__:
        KINDS[result.__name__] = result
        keras.saving.register_keras_serializable(package="keras_lr")(result)
    return cast(Kind, result)


def part() -> Any:
    """Declares a sub-schedule."""
    return _field(None, place=lambda schedule, run, start: schedule.placed(run, start), kind="part")


def length(default: Any = REQUIRED, *, least: int = 1, many: bool = False) -> Any:
    """Declares a length: an int of at least `least` (updates), or a text with a unit."""

    def check(call: str, **argument: Any) -> Steps:
        lengths.parse(call, least, **argument)
        (value,) = argument.values()
        return value  # type: ignore[no-any-return]

    def place(value: Steps, run: RunLength, start: Fraction) -> int:
        return lengths.place(lengths.of(value), run, start)

    return _field(check, default, place=place, kind="length", many=many)


def updates(default: Any = REQUIRED, *, least: int = 1) -> Any:
    """Declares a number of updates that no run changes: an int of at least `least`."""
    return _field(lambda call, **argument: checks.whole(call, least, **argument), default, kind="length")


def timescale(default: Any = REQUIRED) -> Any:
    """Declares how long a change takes: a number of updates above 0, whole or not, or a text with a unit."""

    def check(call: str, **argument: Any) -> str | float:
        (value,) = argument.values()
        (lengths.parse if isinstance(value, str) else checks.above_zero)(call, **argument)
        return value  # type: ignore[no-any-return]

    def place(value: str | float, run: RunLength, start: Fraction) -> float:
        if not isinstance(value, str):
            return value
        exact = lengths.of(value).resolve(run)
        return int(exact) if exact.denominator == 1 else float(exact)

    return _field(check, default, place=place, kind="length")


def knots() -> Any:
    """Declares a tuple of points in time: numbers of updates of 0 or more, whole or not, or texts with a unit."""

    def check(call: str, **argument: Any) -> str | float:
        ((name, value),) = argument.items()
        if isinstance(value, str):
            lengths.parse(call, 0, **argument)
            return value
        number = checks.at_least_zero(call, **argument)
        if number > checks.LARGEST_STEP:
            rule = f"{name} must be at most 2**31 - 1, where step counters end"
            raise ArgumentError(call, rule, "Pass less", **argument)
        return int(number) if number.is_integer() else number

    def place(value: str | float, run: RunLength, start: Fraction) -> float:
        return lengths.place(lengths.of(value), run, start) if isinstance(value, str) else value

    return _field(check, place=place, kind="length", many=True)


def divisor(default: Any = REQUIRED) -> Any:
    """Declares a number of 1 or more."""

    def check(call: str, **argument: Any) -> float:
        (name,) = argument
        number = checks.finite(call, **argument)
        if number < 1.0:
            raise ArgumentError(call, f"{name} must be 1 or more", "Pass a divisor", **argument)
        return number

    return _field(check, default)


def choice(choices: Sequence[str], default: str) -> Any:
    """Declares one of a few names."""
    return _field(lambda call, **argument: checks.one_of(call, choices, **argument), default)


def _field(check: Check | None, default: Any = REQUIRED, **options: Any) -> Any:
    rule = Rule(check, optional=default is None, **options)
    return dataclasses.field(default=default, metadata={"rule": rule})


number = functools.partial(_field, checks.finite)
"""Declares a finite number."""

rate = functools.partial(_field, checks.at_least_zero)
"""Declares a number of 0 or more."""

positive = functools.partial(_field, checks.above_zero)
"""Declares a number above 0."""

count = functools.partial(_field, checks.whole)
"""Declares an int of at least 1 that is not a number of updates."""
