"""The table of one library's schedulers: a name, and a function with the arguments that the library takes."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Schedule
from keras_lr.schedules.importers.extra_schedules import steps_of

Builder = Callable[..., Schedule]

# Annotations of arguments that `Peer.build` checks and converts.
Rate = Annotated[float, checks.at_least_zero]
Positive = Annotated[float, checks.above_zero]
Whole = Annotated[int, steps_of]
Natural = Annotated[int, functools.partial(steps_of, least=1)]


class Peer:
    """The schedulers of one library: for each name a function with that scheduler's arguments and defaults.

    Args:
        where: The importer, for errors.
        refused: Names that can't be imported, each with the reason and the repair.
        builders: Entries to start from.
    """

    def __init__(
        self,
        where: str,
        refused: Mapping[str, tuple[str, str]] = types.MappingProxyType({}),
        builders: Mapping[str, Builder] = types.MappingProxyType({}),
    ) -> None:
        self.where, self.refused, self.builders = where, dict(refused), dict(builders)

    def entry(self, name: str) -> Callable[[Builder], Builder]:
        """Registers a function as the builder of a name."""

        def register(builder: Builder) -> Builder:
            self.builders[name] = builder
            return builder

        return register

    def build(self, name: Any, arguments: Mapping[str, Any]) -> Schedule:
        """Builds the schedule of a name and its arguments.

        Raises:
            ArgumentError: The name or an argument is unknown, one is missing, or a value is out of range.
        """
        if isinstance(name, str) and name in self.refused:
            raise ArgumentError(self.where, *self.refused[name], scheduler=name)
        if not isinstance(name, str) or name not in self.builders:
            names = ", ".join(sorted(self.builders))
            raise ArgumentError(self.where, "the schedule is unknown", f"Use one of {names}", scheduler=name)
        return self.builders[name](**self._checked(name, arguments))

    def accepts(self, name: str, argument: str) -> bool:
        """Whether a scheduler has an argument."""
        return name in self.builders and argument in inspect.signature(self.builders[name]).parameters

    def _checked(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        parameters = inspect.signature(self.builders[name]).parameters
        repair = f"It takes {', '.join(parameters)}"
        for argument, value in arguments.items():
            if argument not in parameters:
                raise ArgumentError(self.where, f"{name} has no argument {argument}", repair, **{argument: value})
        for argument, parameter in parameters.items():
            if parameter.default is inspect.Parameter.empty and argument not in arguments:
                raise ArgumentError(self.where, f"{name} needs {argument}", repair, scheduler=name)
        checked = dict(arguments)
        for argument, check in _checks_of(self.builders[name]).items():
            if argument in arguments and not (arguments[argument] is None and parameters[argument].default is None):
                checked[argument] = check(self.where, **{argument: arguments[argument]})
        return checked


def follows_metric(name: str) -> tuple[str, str]:
    """Returns why a scheduler that follows a metric is refused, and the repair."""
    return (
        f"{name} follows a metric, so it isn't a function of the step",
        "Pass a callback such as ReduceLROnPlateau to fit",
    )


def _checks_of(builder: Builder) -> dict[str, Callable[..., Any]]:
    """The check of each parameter whose annotation has one: `Rate`, or `Natural | None`."""
    checks = {}
    for name, hint in typing.get_type_hints(builder, include_extras=True).items():
        for part in (hint, *typing.get_args(hint)):
            if typing.get_origin(part) is Annotated:
                checks[name] = part.__metadata__[0]
    return checks
