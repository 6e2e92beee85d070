"""The data of a picture, as frozen records: `draw` renders them, and tests check their numbers.

A `color` is an index into the palette. `GREY` marks what is less important than the coloured parts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

GREY = -1


@dataclasses.dataclass(frozen=True)
class Line:
    """A curve. `faint` lines lie behind the others; `stepped` lines keep a value until the next point."""

    x: Sequence[float]
    y: Sequence[float]
    label: str | None = None
    color: int = 0
    faint: bool = False
    dashed: bool = False
    stepped: bool = False


@dataclasses.dataclass(frozen=True)
class Band:
    """The area between two curves, such as an interval."""

    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    label: str | None = None
    color: int = 0


@dataclasses.dataclass(frozen=True)
class Points:
    """Points, with error bars from `low` to `high` if both are given.

    A `marker` is one of matplotlib's: "*" for the best, "x" for diverged and failed runs, "^" for values above the axis,
    "v" for dropped cases and "|" for cases not run. `faint` points are small and lie behind the others.
    """

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    label: str | None = None
    color: int = 0
    marker: str = "o"
    faint: bool = False


@dataclasses.dataclass(frozen=True)
class Mark:
    """A vertical line at `x`, or a shaded area from `x` to `end`, with a label in the legend."""

    x: float
    label: str | None = None
    end: float | None = None
    color: int = 0
    dashed: bool = False


@dataclasses.dataclass(frozen=True)
class Cells:
    """A heat map: the better a value, the darker its cell.

    Attributes:
        names: The names of the rows, from the top. The columns have the panel's `x_names`.
        values: A number for each row and column; None for an empty cell.
        texts: The label of each cell, such as its number.
        label: The quantity that the colours show.
        limits: The values of the first and the last colour.
        scale: "linear" or "log".
        darkest: Whether "low" or "high" values are dark.
        framed: The rows and columns of cells with a thin frame, labelled `framed_label` in the legend.
        best: The row and column of the cell with a thick frame, or None.
    """

    names: Sequence[str]
    values: Sequence[Sequence[float | None]]
    texts: Sequence[Sequence[str]]
    label: str
    limits: tuple[float, float]
    scale: str = "linear"
    darkest: str = "low"
    framed: Sequence[tuple[int, int]] = ()
    framed_label: str = ""
    best: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Panel:
    """One pair of axes. A scale is "linear" or "log"; limits of None follow from the data.

    `x_names` are the labels of x = 0, 1, 2..., for an axis of categories.
    """

    title: str
    x_label: str
    y_label: str
    x_scale: str = "linear"
    y_scale: str = "linear"
    lines: tuple[Line, ...] = ()
    bands: tuple[Band, ...] = ()
    points: tuple[Points, ...] = ()
    marks: tuple[Mark, ...] = ()
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    x_names: tuple[str, ...] = ()
    cells: Cells | None = None


@dataclasses.dataclass(frozen=True)
class Figure:
    """Panels side by side, or one below the other if `stacked`, for a narrow column or screen."""

    panels: tuple[Panel, ...]
    stacked: bool = False
