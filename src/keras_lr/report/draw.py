"""Draw a figure as PNG, SVG or PDF, or as the SVG text that a page embeds. Only this file draws.

It imports matplotlib on first use, and changes none of its global state.
"""

from __future__ import annotations

import io
import math
import os
import pathlib
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_lr.core.errors import ArgumentError
from keras_lr.report.figure import GREY, Band, Cells, Figure, Line, Mark, Panel, Points

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

# The palette of Okabe and Ito, safe for colour-blind readers, without its yellow, which is too pale on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#333333")
OTHERS = "#9a9a9a"
PANEL_WIDTH, PANEL_HEIGHT = 4.2, 3.1  # inches: one column of a paper
LEGEND_ROW = 0.17  # inches
TITLE_LETTERS = 50  # in a row of the title
LEGEND_LETTERS = 62  # in a row of the legend
FAINT_SIZE = 2.4  # points
MOST_FAINT = 120  # points of a faint line
SETTINGS = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "grid.color": "#e2e2e2",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "svg.hashsalt": "keras-lr",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}


def draw(
    figure: Figure,
    path: str | os.PathLike[str] | None = None,
    ax: Any = None,
    size: tuple[float, float] | None = None,
) -> Picture:
    """Draws the panels side by side or stacked, and saves the picture if `path` is given.

    Args:
        figure: The panels and their data.
        path: A file to write, `.png`, `.svg` or `.pdf`.
        ax: A matplotlib axis. Only the first panel is drawn, on this axis; the rest of its figure stays unchanged.
        size: Width and height in inches. Default: 4.2 x 3.1 per panel, plus room for the legends below.

    Returns:
        The matplotlib figure.

    Raises:
        ArgumentError: The path has another suffix.

    Example:
        >>> from keras_lr.report.figure import Line
        >>> panel = Panel("A rate", "Step (updates)", "Learning rate", lines=(Line([0, 1], [0.1, 0.0]),))
        >>> draw(Figure((panel,))).axes[0].get_xlabel()
        'Step (updates)'
    """
    import matplotlib

    kind = _format_of(path)
    with matplotlib.rc_context(SETTINGS):
        picture = _draw_on_axis(figure, ax) if ax is not None else _draw_picture(figure, size)
        if path is not None:
            picture.savefig(path, format=kind, dpi=160, metadata=_metadata(kind))
    return picture


def svg(figure: Figure, size: tuple[float, float] | None = None) -> str:
    """Returns an SVG element to embed in a page. Equal figures give equal text, and labels stay text."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context(SETTINGS):
        _draw_picture(figure, size).savefig(text, format="svg", metadata=_metadata("svg"))
    document = text.getvalue()
    return re.sub(r' d="[^"]*"', _round_coordinates, document[document.index("<svg") :].strip())


def _round_coordinates(path: re.Match[str]) -> str:
    """Rounds the coordinates of a path from matplotlib's millionths of a point to hundredths, which look the same."""
    return re.sub(r"(\.\d\d)\d+", r"\1", path.group())


def _format_of(path: str | os.PathLike[str] | None) -> str | None:
    if path is None:
        return None
    kind = pathlib.Path(path).suffix.lower().removeprefix(".")
    if kind not in ("png", "svg", "pdf"):
        rule, repair = "the path must end in .png, .svg or .pdf", 'Pass a path such as "picture.png"'
        raise ArgumentError("plot", rule, repair, path=str(path))
    return kind


def _metadata(kind: str | None) -> dict[str, Any]:
    """Returns the metadata of a file, without a date, so that equal figures give equal files."""
    return {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind or "", {})


def _draw_picture(figure: Figure, size: tuple[float, float] | None) -> Picture:
    import matplotlib.figure

    picture = matplotlib.figure.Figure(dpi=160)
    picture.set_layout_engine("constrained", w_pad=0.08, wspace=0.04)
    count = len(figure.panels)
    axes = picture.subplots(*((count, 1) if figure.stacked else (1, count)), squeeze=False).flat
    heights = []
    for panel, axis in zip(figure.panels, axes, strict=True):
        _draw_panel(panel, axis)
        names = _draw_x_names(panel, axis)
        heights.append(PANEL_HEIGHT + names + _draw_legend(axis, names))
    stacked, beside = (PANEL_WIDTH, sum(heights)), (PANEL_WIDTH * count, max(heights))
    picture.set_size_inches(size or (stacked if figure.stacked else beside))
    return picture


def _draw_on_axis(figure: Figure, axis: Any) -> Picture:
    """Draws the first panel on the user's axis, with the legend inside."""
    _draw_panel(figure.panels[0], axis)
    _draw_x_names(figure.panels[0], axis)
    handles, labels = _legend_entries(axis)
    if handles:
        axis.legend(handles, labels, loc="best", frameon=True, framealpha=0.85, edgecolor="none")
    picture: Picture = axis.get_figure(root=True)
    return picture


def _draw_panel(panel: Panel, axis: Any) -> None:
    axis.set_xscale(panel.x_scale, **({"nonpositive": "clip"} if panel.x_scale == "log" else {}))
    axis.set_yscale(panel.y_scale, **({"nonpositive": "clip"} if panel.y_scale == "log" else {}))
    for mark in panel.marks:
        _draw_mark(mark, axis)
    for band in panel.bands:
        _draw_band(band, axis)
    for index, line in enumerate(panel.lines):
        _draw_line(line, axis, index)
    for points in panel.points:
        _draw_points(points, axis)
    if panel.cells is not None:
        _draw_cells(panel.cells, axis)
    axis.set_title("\n".join(textwrap.wrap(_escape_dollars(panel.title), TITLE_LETTERS)), loc="left")
    axis.set_xlabel(_escape_dollars(panel.x_label))
    axis.set_ylabel(_escape_dollars(panel.y_label))
    if panel.x_limits is not None:
        axis.set_xlim(*panel.x_limits)
    if panel.y_limits is not None:
        axis.set_ylim(*panel.y_limits)
    _set_ticks(panel, axis)


def _set_ticks(panel: Panel, axis: Any) -> None:
    """Puts plain numbers on short log axes, and whole numbers on axes that count."""
    from matplotlib import ticker

    for scale, side in ((panel.x_scale, axis.xaxis), (panel.y_scale, axis.yaxis)):
        low, high = sorted(side.get_view_interval())
        if scale == "log" and low > 0 and math.log10(high / low) < 2:
            _set_plain_ticks(side, math.log10(high / low))
    if panel.x_scale == "linear" and _counts(panel) and not panel.x_names:
        axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))


def _set_plain_ticks(axis: Any, decades: float) -> None:
    """Writes plain numbers on a log axis of a few decades."""
    from matplotlib import ticker

    axis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0) if decades > 0.7 else range(1, 10)))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def _counts(panel: Panel) -> bool:
    """Returns whether every x is a whole number, such as an epoch or an update."""
    parts: list[Line | Points] = [*panel.lines, *panel.points]
    return all(float(value).is_integer() for part in parts for value in part.x)


def _draw_x_names(panel: Panel, axis: Any) -> float:
    """Writes `x_names` below the axis; returns the height in inches that they need beyond a line of numbers."""
    if not panel.x_names:
        return 0.0
    count = len(panel.x_names)
    letters = (48 if panel.cells is None else 38) // count
    upright = all(len(word) <= letters for name in panel.x_names for word in (name.split() if count <= 6 else [name]))
    names = ["\n".join(textwrap.wrap(name, letters if upright else 28)) or name for name in panel.x_names]
    axis.set_xticks(range(count), [_escape_dollars(name) for name in names], rotation=0 if upright else 90)
    axis.grid(False, axis="x")
    axis.margins(x=0.5 / count)
    if upright:
        return 0.12 * (max(name.count("\n") for name in names))
    return 0.052 * max(len(row) for name in names for row in name.split("\n"))


def _draw_legend(axis: Any, offset: float) -> float:
    """Draws the legend below the panel, `offset` inches further down; returns its height in inches."""
    from matplotlib.transforms import ScaledTranslation

    handles, labels = _legend_entries(axis)
    if not handles:
        return 0.0
    longest = max(len(label) for label in labels) + 5
    columns = max(1, min(len(labels), 4, LEGEND_LETTERS // longest))
    rows = math.ceil(len(labels) / columns)
    drop = ScaledTranslation(0, -0.44 - offset, axis.figure.dpi_scale_trans)
    axis.legend(
        handles,
        labels,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=axis.transAxes + drop,
        ncols=columns,
        borderaxespad=0.0,
        columnspacing=1.2,
        handlelength=1.6,
        labelspacing=0.35,
    )
    return LEGEND_ROW * rows


def _legend_entries(axis: Any) -> tuple[list[Any], list[str]]:
    handles, labels = axis.get_legend_handles_labels()
    return handles, ["\n".join(textwrap.wrap(label, LEGEND_LETTERS, break_long_words=False)) for label in labels]


def _draw_line(line: Line, axis: Any, index: int) -> None:
    """Draws a line; earlier lines lie on top, as they come first in the legend."""
    style = (
        {"alpha": 0.4, "linewidth": 0.8, "zorder": 1.5} if line.faint else {"zorder": 3.0 - 0.4 * min(index, 100) / 100}
    )
    single = len(line.x) == 1
    x, y = _thin(line.x, line.y) if line.faint and not line.stepped else (line.x, line.y)
    axis.plot(
        x,
        y,
        color=_color(line.color),
        linestyle=(0, (4, 2)) if line.dashed else _line_style(line.color),
        drawstyle="steps-post" if line.stepped else "default",
        marker="o" if single else None,
        markersize=4,
        label=_label(line.label),
        **style,
    )


def _thin(x: Sequence[float], y: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """Reduces a line to the extremes of each stretch, which keeps spikes and makes pages of many lines small."""
    if len(x) <= MOST_FAINT:
        return x, y
    step = math.ceil(len(x) / (MOST_FAINT // 2))
    stretches = [range(start, min(start + step, len(x))) for start in range(0, len(x), step)]
    extremes = {extreme(stretch, key=y.__getitem__) for stretch in stretches for extreme in (min, max)}
    indices = sorted({0, *extremes, len(x) - 1})
    return [x[index] for index in indices], [y[index] for index in indices]


def _draw_band(band: Band, axis: Any) -> None:
    axis.fill_between(
        band.x,
        band.low,
        band.high,
        color=_color(band.color),
        alpha=0.16,
        linewidth=0,
        label=_label(band.label),
        zorder=1.2,
    )


def _draw_points(points: Points, axis: Any) -> None:
    sizes = {"o": 5.0, "x": 6.0, "|": 8.0, "^": 6.0, "v": 6.0, "*": 11.0}
    stroke = points.marker in ("x", "|")
    color = _color(points.color)
    if points.low is not None and points.high is not None:
        below = [max(0.0, y - low) for y, low in zip(points.y, points.low, strict=True)]
        above = [max(0.0, high - y) for y, high in zip(points.y, points.high, strict=True)]
        axis.errorbar(
            points.x, points.y, yerr=[below, above], fmt="none", ecolor=color, elinewidth=1.1, capsize=2.5, zorder=3.5
        )
    axis.plot(
        points.x,
        points.y,
        linestyle="none",
        marker=points.marker,
        markersize=FAINT_SIZE if points.faint else sizes.get(points.marker, 5.0),
        markeredgewidth=1.6 if stroke else 0.0 if points.faint else 0.6,
        markeredgecolor=color if stroke else "white",
        color=color,
        label=_label(points.label),
        alpha=0.35 if points.faint else None,
        zorder=1.5 if points.faint else 5.0 if points.marker == "*" else 4.0,
        clip_on=points.marker not in ("x", "^", "v", "|"),
    )


def _draw_mark(mark: Mark, axis: Any) -> None:
    if mark.end is not None:
        axis.axvspan(
            mark.x, mark.end, color=_color(mark.color), alpha=0.14, linewidth=0, label=_label(mark.label), zorder=1.0
        )
        return
    style = (0, (4, 2)) if mark.dashed else "-"
    axis.axvline(mark.x, color=_color(mark.color), linewidth=1.2, linestyle=style, label=_label(mark.label), zorder=2.5)


def _draw_cells(cells: Cells, axis: Any) -> None:
    """Draws coloured cells with their texts, frames around some of them, and a colour bar."""
    from matplotlib.colors import LogNorm, Normalize

    norm = (LogNorm if cells.scale == "log" else Normalize)(*cells.limits, clip=True)
    values = [[math.nan if value is None else value for value in row] for row in cells.values]
    colors = "Blues_r" if cells.darkest == "low" else "Blues"
    image = axis.imshow(values, cmap=colors, norm=norm, aspect="auto", interpolation="nearest")
    axis.grid(False)
    names = [textwrap.fill(_escape_dollars(name), 24, break_long_words=False) for name in cells.names]
    axis.set_yticks(range(len(names)), names)
    for row, texts in enumerate(cells.texts):
        for column, text in enumerate(texts):
            dark = _is_dark(image.to_rgba(values[row][column])) if cells.values[row][column] is not None else False
            color = "white" if dark else "#333333"
            axis.text(column, row, _escape_dollars(text), ha="center", va="center", fontsize=7.0, color=color)
    if cells.best is not None:
        _draw_frame(cells.best, axis, 3.0, "best")
    for position in cells.framed:
        _draw_frame(position, axis, 1.4, cells.framed_label if position == cells.framed[0] else None)
    bar = axis.figure.colorbar(image, ax=axis, label=_escape_dollars(cells.label), pad=0.02)
    if cells.scale == "log":
        _set_plain_ticks(bar.ax.yaxis, math.log10(cells.limits[1] / cells.limits[0]))


def _draw_frame(position: tuple[int, int], axis: Any, width: float, label: str | None) -> None:
    from matplotlib.patches import Rectangle

    row, column = position
    corner = (column - 0.46, row - 0.46)
    frame = Rectangle(
        corner, 0.92, 0.92, fill=False, edgecolor=COLORS[1], linewidth=width, label=_label(label), zorder=4
    )
    axis.add_patch(frame)


def _is_dark(color: tuple[float, float, float, float]) -> bool:
    """Returns whether white text is easier to read on the colour than black, by its luminance."""
    red, green, blue, _ = color
    return 0.299 * red + 0.587 * green + 0.114 * blue < 0.55


def _color(index: int) -> str:
    return OTHERS if index == GREY else COLORS[index % len(COLORS)]


def _line_style(index: int) -> Any:
    """Returns the line style, which differs each time the palette repeats."""
    return ("-", (0, (6, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))[max(index, 0) // len(COLORS) % 4]


def _label(label: str | None) -> str | None:
    """Returns the label, protected from matplotlib, which hides labels with a leading underscore."""
    if not label:
        return None
    return _escape_dollars(f" {label}" if label.startswith("_") else label)


def _escape_dollars(text: str) -> str:
    """Escapes dollars, which would start a formula."""
    return text.replace("$", r"\$")
