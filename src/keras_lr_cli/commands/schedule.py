"""`keras-lr schedule`: draws and describes a schedule."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
from rich.console import RenderableType

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Schedule, text
from keras_lr_cli import outcome, parse, tables
from keras_lr_cli.outcome import Answer

MOST_STEPS = 2000
_SPARKS = 60


def run(
    *,
    expression: str,
    steps_per_epoch: int | None,
    epochs: int | None,
    batch_size: int | None,
    plot: pathlib.Path | None,
) -> Answer:
    """Evaluates the schedule at up to 2,001 steps of its run; its area and findings cover all steps.

    Raises:
        ArgumentError: The text is not a schedule, or the length of the run is unknown.
    """
    parse.writable("schedule", parse.PICTURES, plot=plot)
    schedule = text.parse(expression)
    if steps_per_epoch is not None and epochs is not None:
        schedule = schedule.bind(steps_per_epoch=steps_per_epoch, epochs=epochs, batch_size=batch_size)
        total = steps_per_epoch * epochs
    else:
        total = _own_length(schedule)
    steps = np.unique(np.linspace(0, total, min(total, MOST_STEPS) + 1).round().astype(np.int64))
    rates = schedule.evaluate(steps)
    document = {
        "schedule": repr(schedule),
        "total_steps": total,
        "steps": steps,
        "rates": rates,
        "highest": rates.max(),
        "lowest": rates.min(),
        "area": schedule.area(total),
        "findings": [str(finding) for finding in schedule.check(total)],
        "plot": plot,
    }
    files = outcome.save((lambda path: schedule.plot(path, steps=total), plot))
    return Answer(document, _display(schedule, document), saved=files)


def _own_length(schedule: Schedule) -> int:
    """Returns the length in updates of a schedule that needs no run."""
    if not schedule.unbound and schedule.length:
        return schedule.length
    rule = f"{'its lengths have units' if schedule.unbound else 'it has no end'}, and the length of the run is unknown"
    repair = "Pass --steps-per-epoch 100 --epochs 10"
    raise ArgumentError("schedule", rule, repair, expression=repr(schedule))


def _display(schedule: Schedule, document: dict[str, Any]) -> list[RenderableType]:
    total, steps, rates = document["total_steps"], document["steps"], document["rates"]
    marks = {"start": 0, "25 %": total // 4, "50 %": total // 2, "75 %": 3 * total // 4, "end": total}
    rows = [(name, step, float(schedule.evaluate(step))) for name, step in marks.items()]
    for name, index in (("highest", int(rates.argmax())), ("lowest", int(rates.argmin()))):
        rows.append((name, int(steps[index]), float(rates[index])))
    places = np.linspace(0, total, min(_SPARKS, total + 1)).round().astype(np.int64)
    return [
        repr(schedule),
        tables.grid("", ("", "Step", "Learning rate"), rows),
        f" {tables.sparkline(schedule.evaluate(places).tolist())}",
        f" area {document['area']:.4g}: the sum of the rates of all {total} updates",
        *(f" Note: {finding}" for finding in document["findings"]),
    ]
