"""Pictures show the data, and drawing changes no global state."""

import dataclasses

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure as Picture

from keras_lr.core.errors import ArgumentError
from keras_lr.report.draw import COLORS, MOST_FAINT, OTHERS, draw, svg
from keras_lr.report.figure import GREY, Band, Cells, Figure, Line, Mark, Panel, Points

pytestmark = pytest.mark.once

PANEL = Panel(
    title="Loss",
    x_label="Learning rate",
    y_label="Loss",
    x_scale="log",
    lines=(Line([1e-4, 1e-3, 1e-2], [3.0, 2.0, 1.0], "a line"), Line([1e-4, 1e-2], [1.0, 1.0], color=GREY, faint=True)),
    bands=(Band([1e-4, 1e-2], [0.5, 0.5], [1.5, 1.5], color=1),),
    points=(
        Points([1e-3], [2.0], [1.5], [3.0], "a point", 1),
        Points([1e-2], [3.5], label="diverged", color=2, marker="x"),
        Points([1e-3], [2.0], label="_best", marker="*"),
    ),
    marks=(Mark(5e-4, "here"), Mark(1e-3, "interval", end=2e-3, color=1)),
    y_limits=(0.0, 4.0),
)
COUNTS = Panel("Rate", "Epoch", "Rate", lines=(Line([1, 2, 3], [0.1, 0.2, 0.1]),))


def test_the_data_is_drawn():
    axis = draw(Figure((PANEL,))).axes[0]
    line = axis.get_lines()[1]
    assert line.get_xdata().tolist() == [1e-4, 1e-3, 1e-2]
    assert line.get_ydata().tolist() == [3.0, 2.0, 1.0]
    assert line.get_color() == COLORS[0]
    assert axis.get_lines()[2].get_color() == OTHERS
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "linear")
    assert axis.get_ylim() == (0.0, 4.0)
    assert (axis.get_xlabel(), axis.get_ylabel(), axis.get_title(loc="left")) == ("Learning rate", "Loss", "Loss")


def test_error_bars_reach_the_bounds():
    axis = draw(Figure((PANEL,))).axes[0]
    ends = [segment[:, 1].tolist() for part in axis.collections for segment in getattr(part, "get_segments", list)()]
    assert [1.5, 3.0] in ends


def test_the_legend_is_below_and_covers_nothing():
    picture = draw(Figure((PANEL, COUNTS)))
    picture.draw_without_rendering()
    axis = picture.axes[0]
    legend = axis.get_legend()
    assert [label.get_text() for label in legend.get_texts()] == [
        "here",
        "interval",
        "a line",
        "a point",
        "diverged",
        " _best",
    ]
    assert legend.get_window_extent().y1 < axis.xaxis.label.get_window_extent().y0
    assert legend.get_window_extent().y0 >= 0
    assert picture.axes[1].get_legend() is None


def test_panels_have_axes_of_one_size():
    picture = draw(Figure((PANEL, COUNTS)))
    picture.draw_without_rendering()
    first, second = (axis.get_position() for axis in picture.axes)
    assert first.height == pytest.approx(second.height)
    assert first.y0 == pytest.approx(second.y0)


def test_epochs_have_whole_ticks():
    picture = draw(Figure((COUNTS,)))
    assert all(float(tick).is_integer() for tick in picture.axes[0].get_xticks())


def test_a_short_log_axis_has_plain_numbers():
    panel = Panel("", "x", "y", x_scale="log", lines=(Line([0.001, 0.01], [1, 2]),))
    picture = draw(Figure((panel,)))
    picture.draw_without_rendering()
    shown = [label.get_text() for label in picture.axes[0].get_xticklabels()]
    assert {"0.001", "0.002", "0.005", "0.01"} <= set(shown)


@pytest.mark.parametrize("count", [3, 9])
def test_places_have_names(count):
    names = tuple(f"a long name of case {index}" for index in range(count))
    panel = Panel("", "", "y", points=(Points(range(count), range(count), label="a"),), x_names=names)
    picture = draw(Figure((panel,)))
    picture.draw_without_rendering()
    axis = picture.axes[0]
    assert tuple(" ".join(label.get_text().split()) for label in axis.get_xticklabels()) == names
    lowest = min(label.get_window_extent().y0 for label in axis.get_xticklabels())
    assert axis.get_legend().get_window_extent().y1 < lowest


def test_dollars_are_no_formula():
    picture = draw(Figure((Panel("from $1 to $2 \\frac{", "x", "y", lines=(Line([0, 1], [0, 1], "$x_$"),)),)))
    picture.draw_without_rendering()
    assert svg(Figure((Panel("$1 and $2", "x", "y"),))).count("$1 and $2") >= 1


@pytest.mark.parametrize("ending,start", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_equal_figures_give_equal_files(tmp_path, ending, start):
    paths = [tmp_path / f"{name}.{ending}" for name in "ab"]
    for path in paths:
        draw(Figure((PANEL,)), path)
    first, second = (path.read_bytes() for path in paths)
    assert first.startswith(start)
    assert first == second


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(
        ArgumentError, match=r"plot\(path='.*a\.jpg'\): the path must end in \.png, \.svg or \.pdf\. Pass"
    ):
        draw(Figure((PANEL,)), tmp_path / "a.jpg")
    assert list(tmp_path.iterdir()) == []


def test_an_axis_of_the_user_is_drawn_on():
    picture = Picture()
    left, right = picture.subplots(1, 2)
    assert draw(Figure((PANEL, COUNTS)), ax=left) is picture
    assert left.get_xlabel() == "Learning rate"
    assert right.lines[:] == []
    assert len(picture.axes) == 2


def test_faint_long_lines_keep_their_ends_and_spikes():
    x, y = list(range(1000)), [0.0] * 1000
    y[317], y[801] = 9.0, -9.0
    lines = (Line(x, y, faint=True), Line(x, y))
    axis = draw(Figure((Panel("", "x", "y", lines=lines),))).axes[0]
    thin, whole = axis.get_lines()
    assert len(thin.get_xdata()) <= MOST_FAINT + 2
    assert {(0, 0.0), (317, 9.0), (801, -9.0), (999, 0.0)} <= set(zip(*thin.get_data(), strict=True))
    assert len(whole.get_xdata()) == 1000


CELLS = Cells(
    names=("above", "below"),
    values=[[1.0, 2.0, None], [4.0, 8.0, 100.0]],
    texts=[["1", "2", "x"], ["4", "8", "far"]],
    label="val_loss",
    limits=(1.0, 8.0),
    scale="log",
    framed=[(1, 0), (1, 1)],
    framed_label="like the best",
    best=(0, 0),
)


@pytest.mark.parametrize(("darkest", "place"), [("low", 0), ("high", 4)])
def test_cells_are_coloured_and_written(darkest, place):
    cells = dataclasses.replace(CELLS, darkest=darkest)
    picture = draw(Figure((Panel("", "Rate", "", x_names=("0.1", "1", "10"), cells=cells),)))
    axis, bar = picture.axes
    image = axis.images[0]
    colors = image.to_rgba(np.array([1.0, 2.0, 4.0, 6.0, 8.0])).sum(axis=1)
    assert int(np.argmin(colors)) == place
    assert [text.get_text() for text in axis.texts] == ["1", "2", "x", "4", "8", "far"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["above", "below"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0.1", "1", "10"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["best", "like the best"]
    assert bar.get_ylabel() == "val_loss"
    assert len(axis.patches) == 3


def test_cells_on_an_axis_of_the_user():
    axis = Picture().subplots()
    draw(Figure((Panel("", "", "", x_names=("a", "b", "c"), cells=CELLS),)), ax=axis)
    assert len(axis.texts) == 6


def test_svg_is_an_element_with_its_words():
    text = svg(Figure((PANEL,)))
    assert text.startswith("<svg")
    assert text.endswith("</svg>")
    assert "Learning rate" in text
    assert svg(Figure((PANEL,))) == text


def test_global_settings_and_figures_stay():
    before = dict(matplotlib.rcParams)
    draw(Figure((PANEL,)))
    svg(Figure((PANEL,)))
    assert dict(matplotlib.rcParams) == before


def test_size_is_the_users():
    assert np.allclose(draw(Figure((COUNTS,)), size=(5, 2)).get_size_inches(), (5, 2))
