"""What the picture of rates by length shows, as numbers."""

import dataclasses
import itertools

import numpy as np
import pytest

import keras_lr as klr
from keras_lr.finder.deciding.lengths import RateByLength
from keras_lr.finder.figure import figure_of
from keras_lr.report.draw import draw
from tests.finder.deciding.test_consensus import RATES, ramps

pytestmark = pytest.mark.once
BY_LENGTH = RateByLength((25, 50, 70, 100), (0.04, 0.03, 0.025, 0.02), 70.0, 0.025, -0.3, 0.05, steps_per_epoch=1000)
STEPS = 4000


@pytest.fixture
def found():
    answer, interval = BY_LENGTH.rate_for(STEPS), BY_LENGTH.interval_for(STEPS)
    record = klr.FindResult(answer, interval, "", "diverged", RATES, ramps().losses, (2.3,) * 100)
    return dataclasses.replace(record, by_length=BY_LENGTH, steps=STEPS)


def panel_of(found):
    _, panel = figure_of(found).panels
    return panel


def test_the_measured_rates_are_points_and_the_answer_is_a_star(found):
    measured, star = panel_of(found).points
    assert (measured.x, measured.y) == (BY_LENGTH.lengths, BY_LENGTH.best_rates)
    assert (star.x, star.y, star.marker) == ([STEPS], [found.learning_rate], "*")
    assert star.label == f"{found.learning_rate:.2g} for 4,000 updates"


def test_what_is_extrapolated_is_dashed_up_to_ten_times_the_length_and_passes_the_answer(found):
    (line,) = panel_of(found).lines
    assert line.dashed
    assert (line.x[0], line.x[-1]) == pytest.approx((70.0, 10 * STEPS))
    assert line.y == [BY_LENGTH.rate_for(length) for length in line.x]

    at_star = np.exp(np.interp(np.log(STEPS), np.log(line.x), np.log(line.y)))
    assert at_star == pytest.approx(found.learning_rate, rel=1e-9)


def test_the_band_is_the_interval_and_widens_with_the_distance(found):
    (band,) = panel_of(found).bands
    assert band.label == "90 % interval"
    assert list(zip(band.low, band.high, strict=True)) == [BY_LENGTH.interval_for(length) for length in band.x]
    widths = np.array(band.high) / np.array(band.low)
    assert (np.diff(widths) > 0.0).all()


def test_both_axes_are_logarithmic_and_name_their_unit(found):
    panel = panel_of(found)
    assert (panel.x_scale, panel.y_scale) == ("log", "log")
    assert panel.x_label == "Length of the training in updates (log scale)"
    assert panel.y_label == "Learning rate (log scale)"


def test_with_a_schedule_the_line_is_its_peak(found):
    share = 0.5
    cosine = dataclasses.replace(
        found, schedule="Cosine(1.0, 0.0, '100%')", mean_share=share, learning_rate=BY_LENGTH.rate_for(STEPS, share)
    )
    (line,) = panel_of(cosine).lines
    assert line.label == "best peak, expected"
    assert line.y == [BY_LENGTH.rate_for(length, share) for length in line.x]
    assert line.y[0] == BY_LENGTH.learning_rate  # at most the best rate of the sprints


def test_a_training_shorter_than_the_sprints_is_in_the_picture(found):
    short = dataclasses.replace(found, steps=40, learning_rate=BY_LENGTH.rate_for(40))
    (line,) = panel_of(short).lines
    assert (line.x[0], line.x[-1]) == pytest.approx((40.0, 400.0))


@pytest.mark.parametrize("change", [{"by_length": None}, {"learning_rate": None, "interval": None}, {"steps": None}])
def test_without_rates_by_length_there_is_one_panel(found, change):
    assert len(figure_of(dataclasses.replace(found, **change)).panels) == 1


def test_the_panels_stand_one_below_the_other_with_their_legends_between(found):
    picture = draw(figure_of(found))
    picture.draw_without_rendering()
    ramp, lengths = picture.axes
    assert picture.get_size_inches()[0] == pytest.approx(4.2)
    boxes = [ramp.get_window_extent(), ramp.get_legend().get_window_extent(), lengths.get_window_extent()]
    boxes.append(lengths.get_legend().get_window_extent())
    for above, below in itertools.pairwise(boxes):
        assert below.y1 < above.y0
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= picture.bbox.x1
    assert ramp.get_window_extent().height == pytest.approx(lengths.get_window_extent().height, rel=0.02)
