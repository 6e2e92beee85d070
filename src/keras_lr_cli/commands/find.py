"""`keras-lr find`: the learning rate of the user's own model on the user's own data."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import keras

import keras_lr
from keras_lr.core.errors import ArgumentError
from keras_lr.finder.deciding.consensus import LONGER
from keras_lr.finder.deciding.critical import cross_check
from keras_lr.schedules import text
from keras_lr_cli import outcome, parse, tables, user_code
from keras_lr_cli.outcome import Answer

_DATA = ("x", "y", "sample_weight", "class_weight", "batch_size")


def run(
    *,
    model: str,
    data: str,
    batch_size: int | None,
    schedule: str | None,
    verify: int,
    rule: str | None,
    seed: int,
    plot: pathlib.Path | None,
    save: pathlib.Path | None,
    **ramp: Any,
) -> Answer:
    """Runs `keras_lr.find` on the user's model and data. The answer is missing if no rate is found.

    With `verify`, the trials use the validation data of the user's data function, if there is any.
    """
    parse.writable("find", parse.PICTURES, plot=plot)
    parse.writable("find", save=save)
    peak_of = None if schedule is None else text.parse(schedule)
    build = user_code.factory("find", model=model)
    arguments = user_code.data("find", data, (*_DATA, "validation_data") if verify else _DATA, outcome.note)
    arguments |= {} if batch_size is None else {"batch_size": batch_size}
    keras.utils.set_random_seed(seed)
    built = user_code.call("find", build, model=model)
    try:
        result = keras_lr.find(built, schedule=peak_of, verify=verify, seed=seed, verbose="auto", **ramp, **arguments)
    except ArgumentError as error:
        raise parse.with_flags(error, "epochs", "steps_per_epoch") from None
    return _answer(result, rule, plot, save)


def _answer(
    result: keras_lr.FindResult, rule: str | None, plot: pathlib.Path | None, save: pathlib.Path | None
) -> Answer:
    document = {
        **summary(result),
        "group": result.group,
        "critical": result.critical and outcome.fields(result.critical, "learning_rate", "interval", "reason"),
        "warmup_steps": result.warmup_steps,
        "suggestion": None,
        "plot": plot,
        "save": save,
    }
    shown = rows(result)
    if rule is not None:
        suggestion = result.suggest(rule)
        rate = "no rate" if suggestion.learning_rate is None else tables.number(suggestion.learning_rate)
        shown[f"rule {rule}"] = f"{rate}: {suggestion.reason}"
        document["suggestion"] = outcome.fields(suggestion, "rule", "learning_rate", "reason")
    no_answer = result.reason if result.learning_rate is None else None
    files = outcome.save((result.plot, plot), (result.save, save))
    return Answer(document, [tables.pairs("Learning rate", shown)], no_answer, files)


def summary(result: keras_lr.FindResult) -> dict[str, Any]:
    """Returns a `FindResult` as plain values, without its curve."""
    plain = {
        **outcome.fields(result, "learning_rate", "interval", "steps", "reason", "stop_reason", "schedule", "note"),
        "longer": _longer(result),
        "cost": result.cost and result.cost.updates,
    }
    return plain if result.verified is None else {**plain, "verified": dataclasses.asdict(result.verified)}


def rows(result: keras_lr.FindResult) -> dict[str, Any]:
    """Returns the table of a `FindResult`: its labels and values."""
    longer = _longer(result)
    shown = {
        **{"learning rate": result.learning_rate, "interval": result.interval},
        "for": None if longer is None else f"{result.steps:,} updates",
        f"{LONGER} times as long": longer and longer["learning_rate"],
        **outcome.fields(result, "reason", "note"),
        "cost": result.cost and f"{result.cost.updates:,} updates",
    }
    if result.critical is None:
        return shown
    return {
        **shown,
        "critical rate": result.critical.learning_rate,
        "cross-check": cross_check(result.learning_rate, result.critical),
        "warm-up": None if result.warmup_steps is None else f"{result.warmup_steps} updates or more",
    }


def _longer(result: keras_lr.FindResult) -> dict[str, Any] | None:
    """Returns the rate of a training ten times as long, or None if the answer does not depend on the length."""
    if result.learning_rate is None or result.by_length is None or result.steps is None:
        return None
    steps = LONGER * result.steps
    return {"steps": steps, "learning_rate": result.rate_for(steps)}
