"""`keras-lr compare`: rates, schedules and optimizers on the user's own model and data."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from rich.console import Console

import keras_lr
from keras_lr.comparison.preview import Preview, preview
from keras_lr.comparison.views.page import HEADER, row_of
from keras_lr_cli import parse, tables, user_code
from keras_lr_cli.outcome import Answer, screen

_TAKEN = ("x", "y", "sample_weight", "class_weight", "batch_size", "epochs", "validation_data", "validation_split")


def run(
    *,
    model: str,
    data: str,
    learning_rates: str | None,
    schedule: list[str],
    optimizers: str | None,
    seeds: str,
    metric: str,
    engine: str,
    workers: int,
    prune: str,
    budget: str | None,
    dry_run: bool,
    store: pathlib.Path | None,
    plot: pathlib.Path | None,
    report: pathlib.Path | None,
    save: pathlib.Path | None,
    **fit: Any,
) -> Answer:
    """Runs `keras_lr.compare` on what the user's functions make.

    Args:
        model: The function that makes the compiled model.
        data: The function that loads the data.
        learning_rates: Rates with commas between.
        schedule: `NAME=EXPR` of each schedule.
        optimizers: Keras names with commas between.
        seeds: A count, or the seeds with commas between.
        metric: What is compared after the last epoch.
        engine: How the runs are made.
        workers: In how many processes.
        prune: Which runs are cut: divergence, halving or none.
        budget: How long it may take, such as 10min.
        dry_run: Whether to say what would be done, and do nothing.
        store: The file that keeps every finished run.
        plot: Where to save the picture.
        report: Where to save the page.
        save: Where to save the record.
        **fit: `epochs, batch_size, validation_split`; those that are not None go before the data's own.

    Returns:
        The table of cases; where none has a finite result, no answer.
    """
    _check_paths(plot, report, save)
    parse.writable("compare", store=store)
    seconds = None if budget is None else parse.seconds("compare", budget=budget)
    cases = _cases(learning_rates, schedule, optimizers, seeds)
    build = user_code.factory("compare", model=model)
    arguments = user_code.data("compare", data, _TAKEN, lambda note: screen().print(f"note: {note}"))
    arguments |= {name: value for name, value in {**fit, "store": store}.items() if value is not None}
    arguments |= {**cases, "metric": metric, "engine": engine, "workers": workers}
    arguments["prune"] = None if prune == "none" else prune
    if dry_run:
        return _previewed(preview(build, **arguments, budget_seconds=seconds))
    result = keras_lr.compare(build, **arguments, budget_seconds=seconds, verbose="auto")
    return _answer(result, metric, _saved(result, plot, report, save))


def _cases(learning_rates: str | None, schedule: list[str], optimizers: str | None, seeds: str) -> dict[str, Any]:
    """The arguments of `compare` that make its cases."""
    return {
        "learning_rates": _rates(learning_rates),
        "schedules": parse.schedules("compare", schedule) or None,
        "optimizers": None if optimizers is None else [name.strip() for name in optimizers.split(",") if name.strip()],
        "seeds": _seeds(seeds),
    }


def _previewed(told: Preview) -> Answer:
    def show(console: Console) -> None:
        console.print(tables.pairs("would compare", told.rows))
        for note in told.notes:
            console.print(note, markup=False)

    return Answer(dataclasses.asdict(told), show)


def _check_paths(plot: pathlib.Path | None, report: pathlib.Path | None, save: pathlib.Path | None) -> None:
    parse.writable("compare", parse.PICTURES, plot=plot)
    parse.writable("compare", (".html",), report=report)
    parse.writable("compare", save=save)


def _saved(result: Any, *paths: pathlib.Path | None) -> list[pathlib.Path]:
    """Writes picture, page and record where they were asked for."""
    for write, path in zip((result.plot, result.report, result.save), paths, strict=True):
        if path is not None:
            write(path)
    return [path for path in paths if path is not None]


def _rates(texts: str | None) -> list[float] | str | None:
    if texts is None or texts.strip() == "auto":
        return None if texts is None else "auto"
    return list(parse.numbers("compare", float, learning_rates=texts))


def _seeds(texts: str) -> int | list[int]:
    several = parse.numbers("compare", int, seeds=texts)
    return several[0] if len(several) == 1 and "," not in texts else several


def _answer(result: Any, metric: str, saved: list[pathlib.Path]) -> Answer:
    def show(console: Console) -> None:
        print_table(console, result, f"{metric} after the last epoch")
        console.print(result.engine_reason, markup=False)
        for path in saved:
            console.print(f"Saved {path}", soft_wrap=True, markup=False)

    document = {**summary(result), "saved": saved}
    return Answer(document, show, no_answer=result.reason if result.best is None else None)


def summary(result: Any) -> dict[str, Any]:
    """A `Comparison` as plain values."""
    best = result.best
    fields = ("name", "learning_rate", "mean", "interval")
    return {
        "best": None if best is None else {name: getattr(best, name) for name in fields},
        "indistinguishable": [case.name for case in result.indistinguishable],
        "reason": result.reason,
        "warnings": result.warnings,
        "engine": result.engine,
        "engine_reason": result.engine_reason,
        "metric": result.metric,
        "seeds": result.seeds,
        "epochs": result.epochs,
        "not_run": result.not_run,
        "table": result.table().to_dict("records"),
    }


def print_table(console: Console, result: Any, title: str) -> None:
    """The cases from best to worst, the best bold, and what the scores say."""
    rows = [row_of(result, case) for case in result.ranked]
    best = None if result.best is None else [case.name for case in result.ranked].index(result.best.name)
    console.print(tables.grid(title, HEADER, rows, best))
    for sentence in (*([result.reason] if result.best is not None else []), *result.warnings):
        console.print(sentence, markup=False)
