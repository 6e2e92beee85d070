"""Builds the figure of a schedule, as plain data for `report`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from keras_lr.report.figure import Figure, Line, Panel
from keras_lr.schedules.inspect import total_of

if TYPE_CHECKING:
    from keras_lr.schedules.base import Schedule

MOST_POINTS = 2000


def figure_of(schedule: Schedule, steps: int | None = None) -> Figure:
    """Returns one panel: the rate against the step, over `steps` updates, else the run it is bound to, else its length."""
    line = _line(schedule, total_of("plot", schedule, steps))
    return Figure((_panel(_title(schedule), (line,)),))


def figure_of_several(schedules: Mapping[str, Schedule], steps: int) -> Figure:
    """Returns one panel with a line for each schedule, over the same updates."""
    lines = tuple(_line(each, steps, name, color) for color, (name, each) in enumerate(schedules.items()))
    title = f"{len(lines)} schedules, {steps} updates"
    return Figure((_panel(title, lines),))


def _panel(title: str, lines: tuple[Line, ...]) -> Panel:
    """Starts the axis a little below 0, so that half the height is half the rate and a line at 0 is visible.

    If a rate is negative or not finite, the data set the limits.
    """
    rates = np.concatenate([line.y for line in lines])
    plain = np.isfinite(rates).all() and rates.min() >= 0.0 and rates.max() > 0.0
    top = float(rates.max())
    limits = (-0.03 * top, 1.05 * top) if plain else None
    return Panel(title, x_label="Step (updates)", y_label="Learning rate", lines=lines, y_limits=limits)


def _line(schedule: Schedule, total: int, label: str | None = None, color: int = 0) -> Line:
    drawn = np.unique(np.linspace(0, total, min(total + 1, MOST_POINTS)).astype(np.int64))
    return Line(drawn.tolist(), schedule.evaluate(drawn).tolist(), label=label, color=color, stepped=True)


def _title(schedule: Schedule) -> str:
    """Returns the schedule's code without the run that it is bound to, with long numbers rounded."""
    code = repr(schedule.original)
    return re.sub(r"\d+\.\d{4,}(e-?\d+)?", lambda number: f"{float(number[0]):.3g}", code)
