"""`keras-lr compare`: rates, schedules and optimizers on the user's own model and data."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from rich.console import RenderableType

import keras_lr
from keras_lr.comparison.case import HEADER
from keras_lr.comparison.preview import preview
from keras_lr_cli import outcome, parse, tables, user_code
from keras_lr_cli.outcome import Answer

_DATA = ("x", "y", "sample_weight", "class_weight", "batch_size", "epochs", "validation_data", "validation_split")


def run(
    *,
    model: str,
    data: str,
    learning_rates: str | None,
    schedule: list[str] | None,
    optimizers: str | None,
    seeds: str,
    prune: str,
    budget: str | None,
    dry_run: bool,
    plot: pathlib.Path | None,
    report: pathlib.Path | None,
    save: pathlib.Path | None,
    store: pathlib.Path | None,
    **others: Any,
) -> Answer:
    """Runs `keras_lr.compare` on the user's model and data. The answer is missing if no case has a finite result.

    Options in `others` that are not None replace the arguments of the user's data function.
    """
    parse.writable("compare", parse.PICTURES, plot=plot)
    parse.writable("compare", (".html",), report=report)
    parse.writable("compare", save=save)
    parse.writable("compare", store=store)
    arguments: dict[str, Any] = {
        "budget_seconds": None if budget is None else parse.seconds("compare", budget=budget),
        "learning_rates": _rates(learning_rates),
        "schedules": parse.schedules("compare", schedule or ()) or None,
        "optimizers": None if optimizers is None else parse.words(optimizers),
        "seeds": _seeds(seeds),
        "prune": None if prune == "none" else prune,
    }
    build = user_code.factory("compare", model=model)
    arguments |= user_code.data("compare", data, _DATA, outcome.note)
    arguments |= {name: value for name, value in {**others, "store": store}.items() if value is not None}
    if dry_run:
        plan = preview(build, **arguments)
        return Answer(dataclasses.asdict(plan), [tables.pairs("would compare", plan.rows), *plan.notes])
    result = keras_lr.compare(build, **arguments, verbose="auto")
    display = [*table(result, f"{result.metric} after the last epoch"), result.engine_reason]
    files = outcome.save((result.plot, plot), (result.report, report), (result.save, save))
    no_answer = result.reason if result.best is None else None
    return Answer({**summary(result), "saved": files}, display, no_answer, files)


def _rates(text: str | None) -> list[float] | str | None:
    if text is None or text.strip() == "auto":
        return None if text is None else "auto"
    return parse.numbers("compare", float, learning_rates=text)


def _seeds(text: str) -> int | list[int]:
    several = parse.numbers("compare", int, seeds=text)
    return several[0] if len(several) == 1 and "," not in text else several


def summary(result: keras_lr.Comparison) -> dict[str, Any]:
    """Returns a `Comparison` as plain values."""
    engine = outcome.fields(result, "engine", "engine_reason", "metric", "seeds", "epochs", "not_run")
    return {
        "best": result.best and outcome.fields(result.best, "name", "learning_rate", "mean", "interval"),
        "indistinguishable": [case.name for case in result.indistinguishable],
        "reason": result.reason,
        "warnings": result.warnings,
        **engine,
        "table": result.table().to_dict("records"),
    }


def table(result: keras_lr.Comparison, title: str) -> list[RenderableType]:
    """Returns the cases from best to worst, the best in bold, with the reason and the warnings below."""
    rows = [row.texts for row in result.rows]
    if result.best is None:
        return [tables.grid(title, HEADER, rows), *result.warnings]
    best = [case.name for case in result.ranked].index(result.best.name)
    return [tables.grid(title, HEADER, rows, best), result.reason, *result.warnings]
