"""`keras-lr schedule`: draws and describes a schedule."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
from rich.console import Console

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Schedule
from keras_lr.schedules.text import parse as parse_schedule
from keras_lr_cli import parse, tables
from keras_lr_cli.outcome import Answer

MOST_STEPS = 2000
_DRAWN = 60


def run(
    *,
    expression: str,
    steps_per_epoch: int | None,
    epochs: int | None,
    batch_size: int | None,
    plot: pathlib.Path | None,
) -> Answer:
    """Evaluates the schedule over its run.

    Args:
        expression: The schedule as code.
        steps_per_epoch: Updates in an epoch; with `epochs` the length of the run.
        epochs: Epochs of the run.
        batch_size: For lengths in examples.
        plot: Where to save the picture.

    Returns:
        The rates at a few steps, the area under them and what is unusual; in the document up to 2,001 steps with their rates.

    Raises:
        ArgumentError: The text is no schedule, or the length of the run is not known.
    """
    parse.writable("schedule", parse.PICTURES, plot=plot)
    schedule, total = _of_a_run(parse_schedule(expression), steps_per_epoch, epochs, batch_size)
    steps = np.unique(np.linspace(0, total, min(total, MOST_STEPS) + 1).round().astype(np.int64))
    rates = schedule.evaluate(steps)
    findings = schedule.check(total)
    if plot is not None:
        schedule.plot(plot, steps=total)
    document = {
        "schedule": repr(schedule),
        "total_steps": total,
        "steps": steps,
        "rates": rates,
        "highest": rates.max(),
        "lowest": rates.min(),
        "area": schedule.area(total),
        "findings": [str(finding) for finding in findings],
        "plot": plot,
    }
    return Answer(document, lambda console: _show(console, schedule, steps, rates, document))


def _of_a_run(
    schedule: Schedule, steps_per_epoch: int | None, epochs: int | None, batch_size: int | None
) -> tuple[Schedule, int]:
    """The schedule with its lengths in updates, and how many updates to look at."""
    known = steps_per_epoch is not None and epochs is not None
    if known:
        schedule = schedule.bind(steps_per_epoch=steps_per_epoch, epochs=epochs, batch_size=batch_size)  # type: ignore[arg-type]
        return schedule, steps_per_epoch * epochs  # type: ignore[operator]
    repair = "Pass --steps-per-epoch 100 --epochs 10"
    if schedule.unbound:
        raise ArgumentError(
            "schedule", "its lengths have units, and no run is given", repair, expression=repr(schedule)
        )
    if not schedule.length:
        raise ArgumentError("schedule", "it has no end, and no run is given", repair, expression=repr(schedule))
    return schedule, schedule.length


def _show(console: Console, schedule: Schedule, steps: Any, rates: Any, document: dict[str, Any]) -> None:
    total = int(steps[-1])
    marks = {"start": 0, "25 %": total // 4, "50 %": total // 2, "75 %": 3 * total // 4, "end": total}
    rows = [(name, step, float(schedule.evaluate(step))) for name, step in marks.items()]
    for name, index in (("highest", int(rates.argmax())), ("lowest", int(rates.argmin()))):
        rows.append((name, int(steps[index]), float(rates[index])))
    console.print(repr(schedule), markup=False)
    console.print(tables.grid("", ("", "Step", "Learning rate"), rows))
    places = np.linspace(0, total, min(_DRAWN, total + 1)).round().astype(np.int64)
    console.print(f" {tables.sparkline(schedule.evaluate(places).tolist())}")
    console.print(f" area {document['area']:.4g}: the sum of the rates of all {total} updates")
    for finding in document["findings"]:
        console.print(f" Note: {finding}", markup=False, soft_wrap=True)
    if document["plot"] is not None:
        console.print(f"Saved {document['plot']}", soft_wrap=True)
