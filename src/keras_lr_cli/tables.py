"""Tables and numbers for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

_BARS = "▁▂▃▄▅▆▇█"


def number(value: Any, digits: int = 3) -> str:
    """Formats a number in few digits, an interval as `low to high`, and anything else with `str`."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, (tuple, list)) and value and all(isinstance(part, (int, float)) for part in value):
        return " to ".join(number(part, digits) for part in value)
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def pairs(title: str, rows: Mapping[str, Any]) -> Table:
    """Builds a table of names and values. Leaves out values that are None."""
    table = Table(title=title or None, title_justify="left", title_style="bold", box=box.ROUNDED, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value is not None:
            table.add_row(name, Text(number(value)))
    return table


def grid(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], best: int | None = None) -> Table:
    """Builds a table with a header. The row `best` is bold."""
    table = Table(title=title or None, title_justify="left", title_style="bold", box=box.ROUNDED, header_style="dim")
    for index, column in enumerate(columns):
        numeric = any(isinstance(row[index], (int, float)) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for position, row in enumerate(rows):
        table.add_row(*(Text(number(value)) for value in row), style="bold green" if position == best else None)
    return table


def sparkline(values: Sequence[float]) -> str:
    """Draws a curve in one line of text."""
    low, high = min(values), max(values)
    if high <= low:
        return _BARS[3] * len(values)
    return "".join(_BARS[min(int((value - low) / (high - low) * len(_BARS)), len(_BARS) - 1)] for value in values)
