"""`keras-lr store`: what is in a store of runs, what of it is whole, and the runs for other programs."""

from __future__ import annotations

import pathlib
from typing import Any

from rich.console import Console

from keras_lr.comparison.store import exports, salvage
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr_cli import parse
from keras_lr_cli.outcome import Answer
from keras_lr_cli.tables import pairs


def run(*, action: str, **arguments: Any) -> Answer:
    """Carries out `keras-lr store check` or `keras-lr store export`.

    Args:
        action: "check" or "export".
        **arguments: Those of the action.
    """
    return _check(**arguments) if action == "check" else _export(**arguments)


def _check(path: pathlib.Path, into: pathlib.Path | None) -> Answer:
    """Looks at every run; where `into` is given, writes those that are whole into a new store.

    Returns:
        What is in the store; where it is damaged, exit code 1 with the reason.
    """
    parse.writable("check", salvage=into)
    found = salvage.contents_of(path)
    document: dict[str, Any] = {
        "path": path,
        "whole": not found.problems,
        "planned": found.planned,
        "open_ended": found.open_ended,
        "runs": len(found.runs),
        "outcomes": found.outcomes,
        "problems": found.problems,
    }
    if into is not None:
        salvage.salvage(found, into)
        document["salvaged"] = into
    why = None if not found.problems else f"{path} is damaged: {found.problems[0]}. {_next(found, path, into)}"
    return Answer(document, lambda console: _show(console, document), no_answer=why)


def _next(found: salvage.Contents, path: pathlib.Path, into: pathlib.Path | None) -> str:
    if into is not None:
        return f"{len(found.runs)} whole runs are in {into} now."
    if found.plan is None:
        return "Nothing in it can be used."
    return f"keras-lr store check {path} --salvage NEW copies the {len(found.runs)} runs that are whole."


def _export(path: pathlib.Path, out: pathlib.Path, kind: str | None) -> Answer:
    """Writes the runs that are whole in another format."""
    parse.writable("export", out=out)
    chosen = exports.format_of(out) if kind is None else checks.one_of("export", exports.FORMATS, to=kind)
    if chosen is None:
        rule = "the ending tells no format"
        raise ArgumentError("export", rule, f"Add --to with one of {', '.join(exports.FORMATS)}", out=str(out))
    found = salvage.contents_of(path, "export")
    exports.export(found, out, chosen)
    document = {"path": path, "out": out, "format": chosen, "runs": len(found.runs), "problems": found.problems}

    def show(console: Console) -> None:
        console.print(f"{len(found.runs)} runs written to {out} ({chosen})", soft_wrap=True, markup=False)
        for problem in found.problems[:1]:
            console.print(f"The store is damaged: {problem}", soft_wrap=True, markup=False)

    return Answer(document, show)


def _show(console: Console, document: dict[str, Any]) -> None:
    ended = ", ".join(f"{count} {outcome}" for outcome, count in document["outcomes"].items())
    most = "at most " if document["open_ended"] else ""
    planned = "of an unknown plan" if document["planned"] is None else f"of {most}{document['planned']} planned"
    shown = {"whole runs": f"{document['runs']} {planned}", "ended": ended or "-"}
    shown |= {f"problem {place}": problem for place, problem in enumerate(document["problems"], 1)}
    if "salvaged" in document:
        shown["salvaged into"] = str(document["salvaged"])
    console.print(pairs(str(document["path"]), shown))
