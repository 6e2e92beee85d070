"""What a picture shows, as plain frozen data. Renderers draw it; tests check its numbers.

A `color` is an index into the palette; `GREY` is for what stands behind: the others, the rest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

GREY = -1


@dataclasses.dataclass(frozen=True)
class Line:
    """A curve. Lines of one `color` index share a colour; `faint` ones lie behind the others, `stepped` ones hold a value to the next."""

    x: Sequence[float]
    y: Sequence[float]
    label: str | None = None
    color: int = 0
    faint: bool = False
    dashed: bool = False
    stepped: bool = False


@dataclasses.dataclass(frozen=True)
class Band:
    """The area between two curves, for an interval."""

    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    label: str | None = None
    color: int = 0


@dataclasses.dataclass(frozen=True)
class Points:
    """Separate points, with error bars where `low` and `high` are given.

    `marker`: "o", "x" for diverged and failed runs, "^" for what lies above the picture, "v" and "|" for what was dropped
    and not run, "*" for the answer, or another of matplotlib's. `faint` ones are small and lie behind the others.
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
    """A vertical line at `x`, or a shaded stretch up to `end`, named in the legend."""

    x: float
    label: str | None = None
    end: float | None = None
    color: int = 0
    dashed: bool = False


@dataclasses.dataclass(frozen=True)
class Cells:
    """A table of numbers as colours, the better the darker; a value of None has no colour.

    Attributes:
        names: The names of the rows, from above; the columns' are the panel's `x_names`.
        values: A number for each row and column.
        texts: What is written in each.
        label: What the colours stand for.
        limits: The values of the first and the last colour.
        scale: "linear" or "log".
        darkest: Which values are dark, the "low" or the "high" ones.
        framed: Row and column of those in a thin frame, named `framed_label` in the legend.
        best: Row and column of the one in a thick frame, or None.
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
    """One pair of axes. Scales: "linear" or "log". Limits None: from the data.

    `x_names`: the names of the places 0, 1, 2... where x counts things instead of measuring them.
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
    """Panels side by side."""

    panels: tuple[Panel, ...]
