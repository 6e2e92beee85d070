"""`keras-lr store`: checks a store of runs, recovers its intact runs, and exports them for other programs."""

from __future__ import annotations

import pathlib
from typing import Any

from keras_lr.comparison.store import exports
from keras_lr.comparison.store import salvage as salvaging
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr_cli import parse, tables
from keras_lr_cli.outcome import Answer


def check(*, path: pathlib.Path, salvage: pathlib.Path | None) -> Answer:
    """Reads every run. Writes the intact ones into a new store if `salvage` is a path.

    Returns:
        The contents of the store. The answer is missing if the store is damaged.
    """
    parse.writable("check", salvage=salvage)
    contents = salvaging.contents_of(path)
    document: dict[str, Any] = {
        "path": path,
        "whole": not contents.problems,
        "planned": contents.planned,
        "open_ended": contents.open_ended,
        "runs": len(contents.runs),
        "outcomes": contents.outcomes,
        "problems": contents.problems,
    }
    if salvage is not None:
        salvaging.salvage(contents, salvage)
        document["salvaged"] = salvage
    damage = (
        f"{path} is damaged: {contents.problems[0]}. {_advice(contents, path, salvage)}" if contents.problems else None
    )
    return Answer(document, [tables.pairs(str(path), _rows(document))], no_answer=damage)


def _advice(contents: salvaging.Contents, path: pathlib.Path, copy: pathlib.Path | None) -> str:
    if copy is not None:
        return f"{len(contents.runs)} intact runs are in {copy} now."
    if contents.plan is None:
        return "Nothing in it can be used."
    return f"keras-lr store check {path} --salvage NEW copies the {len(contents.runs)} intact runs."


def export(*, path: pathlib.Path, out: pathlib.Path, to: str | None) -> Answer:
    """Writes the intact runs in another format."""
    parse.writable("export", out=out)
    form = exports.format_of(out) if to is None else checks.one_of("export", exports.FORMATS, to=to)
    if form is None:
        repair = f"Add --to with one of {', '.join(exports.FORMATS)}"
        raise ArgumentError("export", "the ending of the name gives no format", repair, out=str(out))
    contents = salvaging.contents_of(path, "export")
    exports.export(contents, out, form)
    document = {"path": path, "out": out, "format": form, "runs": len(contents.runs), "problems": contents.problems}
    damage = [f"The store is damaged: {problem}" for problem in contents.problems[:1]]
    return Answer(document, [f"{len(contents.runs)} runs written to {out} ({form})", *damage])


def _rows(document: dict[str, Any]) -> dict[str, Any]:
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in document["outcomes"].items())
    most = "at most " if document["open_ended"] else ""
    planned = "of an unknown plan" if document["planned"] is None else f"of {most}{document['planned']} planned"
    return {
        "intact runs": f"{document['runs']} {planned}",
        "outcomes": outcomes or "-",
        **{f"problem {number}": problem for number, problem in enumerate(document["problems"], 1)},
        "salvaged into": document.get("salvaged"),
    }
