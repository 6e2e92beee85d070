"""What ramps show, on curves whose answers are known. No model is trained here."""

import math

import numpy as np
import pytest

from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.ramps import (
    LARGEST_SHARE,
    RELIEF,
    SAFETY,
    SINGLE_RAMP,
    Landmarks,
    center_spread,
    descent,
    share_of_center,
    sprint_start,
)
from tests.finder.deciding.landscapes import RATES, ramps

pytestmark = pytest.mark.once


def curve_of(*losses):
    return Curve(RATES, tuple(map(tuple, losses)))


def test_the_landmarks_of_a_descent_are_in_order():
    marks = descent(ramps()).landmarks
    assert marks.half < marks.nine_tenths < marks.lowest < marks.edge
    assert marks.half == pytest.approx(1e-3, rel=0.25)  # where the clean curve is half down
    assert (marks.start_loss, marks.lowest_loss) == pytest.approx((2.3, 0.5), abs=0.1)


def test_the_center_is_the_geometric_mean_of_the_landmarks():
    assert Landmarks(1.0, 2.0, 4.0, 32.0, 2.0, 1.0).center == pytest.approx(4.0)
    assert Landmarks(1.0, 2.0, 4.0, None, 2.0, 1.0).center == pytest.approx(2.0**1.75)  # the edge counts as 16


def test_the_smooth_curve_has_every_rung_of_the_ramps():
    found = descent(ramps())
    assert len(found.smooth) == len(ramps().losses[0])
    assert (found.obstacle, found.flat) == (None, None)


@pytest.mark.parametrize(
    ("losses", "text"),
    [
        ([float("nan")], "The loss is not finite before the first update. Check the data, the labels and the loss."),
        ([2.3, 2.2, float("inf")], "Too few points: the ramps ended after 2 rungs. Lower min_lr, or raise steps."),
    ],
)
def test_ramps_that_show_nothing_are_an_obstacle(losses, text):
    found = descent(curve_of(losses))
    assert (found.obstacle, found.landmarks, found.flat) == (text, None, None)
    assert sprint_start(curve_of(losses)) is None


@pytest.mark.parametrize(
    ("losses", "text"),
    [
        ([2.3] * 100, "Flat: the loss never fell by more than its own noise ("),
        ((2.3 + 0.1 * np.random.default_rng(1).normal(size=100)).tolist(), "Flat: the loss never fell"),
        (np.linspace(2.0, 3.0, 100).tolist(), "Flat: the loss never fell"),
        (np.linspace(3.0, 2.0, 100).tolist(), "The loss was still falling at the highest rate, 10. Raise max_lr."),
    ],
)
def test_ramps_without_a_descent_have_no_landmarks(losses, text):
    found = descent(curve_of(losses))
    assert (found.landmarks, found.obstacle) == (None, None)
    assert found.flat.startswith(text)


def test_sprints_begin_where_half_of_the_descent_is_complete_or_in_the_middle_of_a_flat_ladder():
    assert sprint_start(ramps()) == descent(ramps()).landmarks.half
    assert sprint_start(curve_of([2.3] * 100)) == pytest.approx(1e-3)
    assert 1e-3 < sprint_start(curve_of(np.linspace(3.0, 2.0, 100).tolist())) < 10.0  # still falling at the end


def test_the_spread_of_the_center_is_its_standard_error_over_ramps():
    far = [ramps(middle=middle, edge=300 * middle, count=1, noise=0.0).losses[0] for middle in (1e-5, 1e-4, 1e-3)]
    single = [descent(curve_of(losses)).landmarks.center for losses in far]
    expected = np.std(np.log10(single), ddof=1) / math.sqrt(3)
    assert center_spread(curve_of(*far)) == pytest.approx(expected)
    assert expected == pytest.approx(1.0 / math.sqrt(3), rel=0.1)
    assert center_spread(curve_of(far[0])) == SINGLE_RAMP


def test_the_share_of_the_center_grows_with_the_relief_of_the_schedule():
    assert share_of_center(1.0) == SAFETY
    assert share_of_center(0.5) == pytest.approx(SAFETY * 2.0**RELIEF)
    assert share_of_center(0.01) == LARGEST_SHARE
