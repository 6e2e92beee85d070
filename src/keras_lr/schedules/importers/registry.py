"""What the importers share: schedulers by their names, with the arguments that they have in their own library."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules.base import Schedule

Maker = Callable[..., Schedule]


class Peer:
    """The schedulers of one library: for each name a function with that scheduler's arguments and defaults.

    Args:
        where: The importer, for errors.
        refused: Names that can't be imported, each with the reason and what to do instead.
    """

    def __init__(self, where: str, refused: Mapping[str, tuple[str, str]] | None = None) -> None:
        self.where = where
        self.refused = dict(refused or {})
        self.makers: dict[str, Maker] = {}

    def knows(self, name: str) -> Callable[[Maker], Maker]:
        """Makes a function the importer of a name."""

        def keep(maker: Maker) -> Maker:
            self.makers[name] = maker
            return maker

        return keep

    def make(self, name: Any, arguments: Mapping[str, Any]) -> Schedule:
        """The schedule of a name and its arguments.

        Raises:
            ArgumentError: The name or an argument is unknown, or one is missing.
        """
        if isinstance(name, str) and name in self.refused:
            rule, repair = self.refused[name]
            raise ArgumentError(self.where, rule, repair, scheduler=name)
        if not isinstance(name, str) or name not in self.makers:
            known = ", ".join(sorted(self.makers))
            raise ArgumentError(self.where, "no such schedule is known", f"Use one of {known}", scheduler=name)
        self._check_arguments(name, arguments)
        return self.makers[name](**arguments)

    def takes(self, name: str, argument: str) -> bool:
        """Whether a scheduler has an argument."""
        return name in self.makers and argument in inspect.signature(self.makers[name]).parameters

    def _check_arguments(self, name: str, arguments: Mapping[str, Any]) -> None:
        parameters = inspect.signature(self.makers[name]).parameters
        told = f"It takes {', '.join(parameters)}"
        for argument, value in arguments.items():
            if argument not in parameters:
                raise ArgumentError(self.where, f"{name} has no argument {argument}", told, **{argument: value})
        for argument, parameter in parameters.items():
            if parameter.default is inspect.Parameter.empty and argument not in arguments:
                raise ArgumentError(self.where, f"{name} needs {argument}", told, scheduler=name)


def reacts(name: str) -> tuple[str, str]:
    """Why a scheduler that follows a metric is refused."""
    return (
        f"{name} follows a metric, so it is no function of the step",
        "Pass a callback such as ReduceLROnPlateau to fit",
    )
