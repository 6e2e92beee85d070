"""Reads the values of options that Typer can't check: output paths, lists of numbers, times, named schedules."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence
from typing import Any

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Schedule
from keras_lr.schedules import text as schedule_text

PICTURES = (".png", ".svg", ".pdf")


def writable(where: str, endings: tuple[str, ...] = (), **argument: pathlib.Path | None) -> None:
    """Checks that an output path is valid before the work starts. `endings` are the allowed file name endings."""
    ((name, path),) = argument.items()
    if path is None:
        return
    if not path.parent.is_dir():
        rule, repair = f"the folder {path.parent} does not exist", "Create it first"
    elif path.is_dir():
        rule, repair = "it is a folder", f"Add a file name, such as {path / 'result'}{(*endings, '.json')[0]}"
    elif endings and path.suffix.lower() not in endings:
        rule, repair = f"{name} must end in {', '.join(endings)}", f"Write {path.stem}{endings[0]}"
    else:
        return
    raise ArgumentError(where, rule, repair, **{name: str(path)})


def with_flags(error: ArgumentError, *names: str) -> ArgumentError:
    """Returns the error with a repair that names options instead of arguments.

    Example:
        >>> str(with_flags(ArgumentError("find", "the data has no length", "Pass steps_per_epoch", epochs=3), "steps_per_epoch"))
        'find(epochs=3): the data has no length. Pass --steps-per-epoch.'
    """
    rule, stop, repair = str(error).rpartition(". ")
    for name in names:
        repair = re.sub(rf"\b{name}\b", f"--{name.replace('_', '-')}", repair)
    error.args = (f"{rule}{stop}{repair}",)
    return error


def words(text: str) -> list[str]:
    """Splits `adam, sgd` at its commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(where: str, kind: type, **argument: str) -> list[Any]:
    """Reads `0.1,0.01` as a list of numbers of the given kind."""
    ((name, text),) = argument.items()
    try:
        return [kind(word) for word in words(text)]
    except ValueError:
        repair = f"Write {'0.1,0.01' if kind is float else '0,1,2'}"
        raise ArgumentError(where, f"{name} must be numbers with commas between", repair, **argument) from None


def seconds(where: str, **argument: str) -> float:
    """Reads `90s`, `10min` or `1h` as seconds; a plain number is seconds.

    Example:
        >>> seconds("compare", budget="90s"), seconds("compare", budget="1.5h"), seconds("compare", budget="20")
        (90.0, 5400.0, 20.0)
    """
    ((_, text),) = argument.items()
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+) *(s|min|h|)", text.strip())
    time = 0.0 if match is None else float(match[1]) * {"h": 3600.0, "min": 60.0}.get(match[2], 1.0)
    if not time > 0.0:
        rule = "a time must be a number above 0 with s, min or h"
        raise ArgumentError(where, rule, "Write 90s, 10min or 1h", **argument)
    return time


def schedules(where: str, texts: Sequence[str]) -> dict[str, Schedule]:
    """Reads each `NAME=EXPR` into a dict of schedules by name."""
    by_name: dict[str, Schedule] = {}
    for text in texts:
        name, sign, expression = (part.strip() for part in text.partition("="))
        if not sign or not name.replace("-", "_").isidentifier():
            repair = "Write \"cosine=Cosine(1.0, 0.0, '100%')\""
            raise ArgumentError(where, "a schedule to compare needs a name", repair, schedule=text)
        if name in by_name:
            raise ArgumentError(where, f"two schedules are called {name!r}", "Rename one", schedule=text)
        by_name[name] = schedule_text.parse(expression)
    return by_name
