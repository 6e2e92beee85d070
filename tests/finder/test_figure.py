"""What the picture of a range test shows, as numbers."""

import numpy as np
import pytest

import keras_lr as klr
from keras_lr.finder.deciding.consensus import Purpose, consensus
from keras_lr.finder.deciding.critical import CriticalRate
from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.other_finders import RULES
from keras_lr.finder.figure import figure_of
from keras_lr.report.draw import draw
from tests.finder.deciding.landscapes import RATES, Landscape, all_sprints, ramps

pytestmark = pytest.mark.once


def result(curve, edge=None):
    answer = consensus(curve)
    known = None if edge is None else CriticalRate(edge, (edge, edge), "")
    decision = (answer.learning_rate, answer.interval, answer.reason)
    return klr.FindResult(*decision, "diverged", RATES, curve.losses, answer.smoothed, answer.landmarks, critical=known)


@pytest.fixture
def found():
    return result(ramps(), edge=0.2)


@pytest.fixture
def refused():
    noise = np.random.default_rng(0).normal(2.3, 0.05, size=(3, 100))
    noise[:, -1] = 1e4  # a blow-up at the end, which must not flatten the rest
    return result(Curve(RATES, tuple(map(tuple, noise))))


def panel_of(found):
    (panel,) = figure_of(found).panels
    return panel


def test_the_answer_its_interval_and_the_critical_rate_are_marked(found):
    panel = panel_of(found)
    marks = {mark.label: (mark.x, mark.end) for mark in panel.marks}
    low, high = found.interval
    assert marks[f"answer {found.learning_rate:.2g}"] == (found.learning_rate, None)
    assert marks[f"interval {low:.2g} to {high:.2g}"] == (low, high)
    assert marks["critical rate 0.2"] == (0.2, None)
    assert panel.x_scale == "log"
    assert panel.x_label == "Learning rate (log scale)"
    assert panel.x_limits[0] < low < high < panel.x_limits[1]


def test_every_update_is_a_faint_point(found):
    faint = [points for points in panel_of(found).points if points.faint]
    assert [points.y for points in faint] == list(found.losses)
    assert [points.label for points in faint] == ["every update", None, None]


def test_each_rule_is_one_quiet_mark_on_the_curve(found):
    said = {points.label: points for points in panel_of(found).points if points.label and points.color == -1}
    assert len(said) == len(RULES)
    for rule in RULES:
        value = found.suggest(rule).learning_rate
        points = next(points for label, points in said.items() if label.startswith(f"{rule} "))
        assert points.x == [value]
        expected = np.interp(np.log(value), np.log(found.learning_rates[: len(found.smoothed)]), found.smoothed)
        assert points.y == pytest.approx([expected])
    assert len({points.marker for points in said.values()}) == len(RULES)


def test_the_band_holds_the_ramps_and_the_landmarks_lie_on_the_curve(found):
    (band,) = panel_of(found).bands
    assert (np.array(band.low) <= np.array(band.high)).all()
    middle = np.array(found.smoothed[: len(band.x)])
    quiet = slice(0, 50)
    assert (middle[quiet] >= np.array(band.low)[quiet] - 1e-9).all()
    assert (middle[quiet] <= np.array(band.high)[quiet] + 1e-9).all()
    (landmarks,) = (points for points in panel_of(found).points if points.label == "landmarks of the descent")
    marks = found.landmarks
    assert landmarks.x == [marks.half, marks.nine_tenths, marks.lowest, *([marks.edge] if marks.edge else [])]


def test_most_updates_are_in_the_picture(found):
    low, high = panel_of(found).y_limits
    before = [
        loss for ramp in found.losses for rate, loss in zip(RATES, ramp, strict=False) if rate < found.learning_rate
    ]
    assert np.mean([low < loss < high for loss in before]) > 0.95


def test_a_refusal_says_why_and_its_blow_up_is_out_of_the_picture(refused):
    panel = panel_of(refused)
    assert panel.title.startswith("No learning rate. Flat: the loss never fell")
    assert not panel.marks
    assert panel.y_limits[1] < 3.0
    assert panel.y_limits[0] < 2.2


def test_nothing_measured_is_drawn_too():
    refused = klr.FindResult(None, None, "There is no batch.", "not_started", RATES, (), ())
    assert draw(figure_of(refused)).axes[0].get_title(loc="left") == "No learning rate. There is no batch"


def test_the_legend_is_below_the_curves(found):
    picture = draw(figure_of(found))
    picture.canvas.draw()
    (axis,) = picture.axes
    legend = axis.get_legend().get_window_extent()
    assert legend.y1 < axis.get_window_extent().y0
    assert legend.x0 >= 0
    assert legend.x1 <= picture.bbox.x1
    assert picture.get_size_inches()[0] == pytest.approx(4.2)


def test_the_ends_of_the_long_sprints_are_a_line_and_the_star_is_on_it():
    landscape = Landscape(edge=5e-2)
    sprints = all_sprints(landscape)[0]
    answer = consensus(ramps(), Purpose(100), sprints)
    decision = (answer.learning_rate, answer.interval, answer.reason, "diverged", RATES, ramps().losses)
    found = klr.FindResult(*decision, answer.smoothed, answer.landmarks, sprint_curves=sprints)
    panel = panel_of(found)
    (line,) = (line for line in panel.lines if line.label == "100 updates at one rate")
    assert line.x == [rate for rate in sprints.rates(3) if rate < landscape.edge]
    assert len(line.x) >= 2
    assert line.y == pytest.approx([np.mean(landscape.losses(rate, (100,))) for rate in line.x])
    (star,) = (points for points in panel.points if points.marker == "*")
    assert star.x == [answer.learning_rate]
    assert line.x[0] <= answer.learning_rate <= line.x[-1]
    assert star.y == pytest.approx([np.interp(np.log(answer.learning_rate), np.log(line.x), line.y)])
    assert panel.y_limits[0] < min(line.y)


def test_below_the_rates_of_the_sprints_the_star_is_on_the_ramp():
    sprints = all_sprints(Landscape())[0]
    answer = consensus(ramps(), Purpose(30_000), sprints)
    decision = (answer.learning_rate, answer.interval, answer.reason, "diverged", RATES, ramps().losses)
    found = klr.FindResult(*decision, answer.smoothed, answer.landmarks, sprint_curves=sprints)
    (star,) = (points for points in panel_of(found).points if points.marker == "*")
    assert star.x == [answer.learning_rate]
    assert answer.learning_rate < sprints.rates(3)[0]
    ladder = np.log(found.learning_rates[: len(found.smoothed)])
    assert star.y == pytest.approx([np.interp(np.log(answer.learning_rate), ladder, found.smoothed)])


def test_sprints_that_all_diverged_draw_no_line():
    sprints = all_sprints(Landscape(edge=0.0), start=1e-6)[0]
    answer = consensus(ramps(), None, sprints)
    curves = ("diverged", RATES, ramps().losses, answer.smoothed, answer.landmarks)
    found = klr.FindResult(None, None, answer.reason, *curves, sprint_curves=sprints)
    assert [line.label for line in panel_of(found).lines] == ["mean of the ramps, smooth"]
    assert draw(figure_of(found)).axes[0].get_title(loc="left").startswith("No learning rate. Every sprint diverged")
