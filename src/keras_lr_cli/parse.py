"""Options that several commands share: paths that will be written, lists of numbers, named schedules."""

from __future__ import annotations

import pathlib
import re
from typing import Any

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Schedule
from keras_lr.schedules.text import parse

PICTURES = (".png", ".svg", ".pdf")


def writable(where: str, endings: tuple[str, ...] = (), **argument: pathlib.Path | None) -> None:
    """Checks a path before the work starts, so that no result is lost at the end for want of a folder."""
    ((name, path),) = argument.items()
    if path is None:
        return
    if not path.parent.is_dir():
        raise ArgumentError(where, f"the folder {path.parent} does not exist", "Make it first", **{name: str(path)})
    if path.is_dir():
        raise ArgumentError(
            where,
            "it is a folder",
            f"Add a file name, such as {path}/result{endings[0] if endings else '.json'}",
            **{name: str(path)},
        )
    if endings and path.suffix.lower() not in endings:
        raise ArgumentError(
            where, f"{name} must end in {', '.join(endings)}", f"Write {path.stem}{endings[0]}", **{name: str(path)}
        )


def numbers(where: str, kind: type, **argument: str) -> list[Any]:
    """`0.1,0.01` as a list of numbers."""
    ((name, text),) = argument.items()
    try:
        return [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        example = "0.1,0.01" if kind is float else "0,1,2"
        raise ArgumentError(
            where, f"{name} must be numbers with commas between", f"Write {example}", **argument
        ) from None


def seconds(where: str, **argument: str) -> float:
    """`90s`, `10min` or `1h` as seconds; a plain number is seconds.

    Example:
        >>> seconds("compare", budget="90s"), seconds("compare", budget="1.5h"), seconds("compare", budget="20")
        (90.0, 5400.0, 20.0)
    """
    ((_, text),) = argument.items()
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+) *(s|min|h|)", text.strip())
    found = 0.0 if match is None else float(match[1]) * {"h": 3600.0, "min": 60.0}.get(match[2], 1.0)
    if not found > 0.0:
        raise ArgumentError(
            where, "a time must be a number above 0 with s, min or h", "Write 90s, 10min or 1h", **argument
        )
    return found


def schedules(where: str, texts: list[str]) -> dict[str, Schedule]:
    """`NAME=EXPR`, several times, as a dict."""
    named: dict[str, Schedule] = {}
    for text in texts:
        name, sign, expression = text.partition("=")
        if not sign or not name.strip().replace("-", "_").isidentifier():
            raise ArgumentError(
                where, "a schedule to compare needs a name", "Write \"cosine=Cosine(1.0, 0.0, '100%')\"", schedule=text
            )
        if name.strip() in named:
            raise ArgumentError(where, f"two schedules are called {name.strip()!r}", "Rename one", schedule=text)
        named[name.strip()] = parse(expression)
    return named
