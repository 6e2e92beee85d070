"""`keras-lr find`: the learning rate of the user's own model on the user's own data."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from typing import Any

import keras
from rich.console import Console

import keras_lr
from keras_lr.finder.deciding.critical import cross_check
from keras_lr.schedules.text import parse as parse_schedule
from keras_lr_cli import parse, tables, user_code
from keras_lr_cli.outcome import Answer, screen

_TAKEN = ("x", "y", "sample_weight", "class_weight", "batch_size")


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
    """Runs `keras_lr.find` on what the user's functions make.

    Args:
        model: The function that makes the compiled model.
        data: The function that loads the data.
        batch_size: Examples in a batch; None: the data's, else Keras's default.
        schedule: What the rate is for, as code; None: a constant rate.
        verify: Updates to spend on short trainings; 0: none. They are validated on the data's validation data, if any.
        rule: A rule whose suggestion is printed too.
        seed: Sets the initial weights and the batch orders.
        plot: Where to save the picture.
        save: Where to save the record.
        **ramp: `min_lr, max_lr, steps, repeats, ramp, sprint_steps, critical` of `find`.

    Returns:
        Rate, interval and reason; without a rate, no answer for that reason.
    """
    parse.writable("find", parse.PICTURES, plot=plot)
    parse.writable("find", save=save)
    shape = None if schedule is None else parse_schedule(schedule)
    build = user_code.factory("find", model=model)
    taken = (*_TAKEN, "validation_data") if verify else _TAKEN
    arguments = user_code.data("find", data, taken, lambda note: screen().print(f"note: {note}"))
    arguments |= {} if batch_size is None else {"batch_size": batch_size}
    keras.utils.set_random_seed(seed)
    made = user_code.call("find", build, model=model)
    found = keras_lr.find(made, schedule=shape, verify=verify, seed=seed, verbose="auto", **ramp, **arguments)
    return _answer(found, rule, plot, save)


def _answer(found: Any, rule: str | None, plot: pathlib.Path | None, save: pathlib.Path | None) -> Answer:
    suggestion = None if rule is None else found.suggest(rule)
    if plot is not None:
        found.plot(plot)
    if save is not None:
        found.save(save)
    said = None if suggestion is None else {"rule": rule, **_fields(suggestion, "learning_rate", "reason")}
    edge = None if found.critical is None else _fields(found.critical, "learning_rate", "interval", "reason")
    more = {"critical": edge, "warmup_steps": found.warmup_steps, "suggestion": said}
    document = {**summary(found), **more, "plot": plot, "save": save}

    def show(console: Console) -> None:
        console.print(tables.pairs("Learning rate", rows(found) | _said(suggestion)))
        for path in filter(None, (plot, save)):
            console.print(f"Saved {path}", soft_wrap=True)

    return Answer(document, show, no_answer=found.reason if found.learning_rate is None else None)


def summary(found: Any) -> dict[str, Any]:
    """A `FindResult` as plain values, without its curve."""
    plain = _fields(found, "learning_rate", "interval", "reason", "stop_reason", "schedule", "note")
    if found.verified is None:
        return plain
    trials = [dataclasses.asdict(trial) for trial in found.verified.trials]
    for trial in trials:  # JSON has no infinity
        trial["validation_loss"] = trial["validation_loss"] if math.isfinite(trial["validation_loss"]) else None
    return {**plain, "verified": {**dataclasses.asdict(found.verified), "trials": trials}}


def rows(found: Any) -> dict[str, Any]:
    """What is printed about a `FindResult`."""
    return {
        "learning rate": found.learning_rate,
        "interval": found.interval,
        "reason": found.reason,
        "note": found.note,
    } | _critical(found)


def _critical(found: Any) -> dict[str, Any]:
    if found.critical is None:
        return {}
    return {
        "critical rate": found.critical.learning_rate,
        "cross-check": cross_check(found.learning_rate, found.critical),
        "warm-up": None if found.warmup_steps is None else f"{found.warmup_steps} updates or more",
    }


def _said(suggestion: Any) -> dict[str, Any]:
    if suggestion is None:
        return {}
    rate = "no rate" if suggestion.learning_rate is None else tables.number(suggestion.learning_rate)
    return {f"rule {suggestion.rule}": f"{rate}: {suggestion.reason}"}


def _fields(record: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}
