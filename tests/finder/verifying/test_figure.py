"""The panel of the short trainings: what is drawn where."""

import math

import pytest

from keras_lr.finder.verifying.figure import panel_of
from keras_lr.finder.verifying.search import Trial, Verification

pytestmark = pytest.mark.once

TRIALS = (
    Trial(0.0, 10, 2.0),
    Trial(0.01, 50, 1.5),
    Trial(0.001, 50, 1.8),
    Trial(0.1, 50, math.inf),
    Trial(0.003, 300, 1.2),
    Trial(0.006, 300, 1.0),
    Trial(0.013, 300, 7.0),
)
FOUND = Verification(0.005, (0.0023, 0.011), "it falls", 2.0, TRIALS, 1000, 500)


def test_each_length_is_a_colour_and_bad_trainings_are_at_the_top():
    panel = panel_of(FOUND)
    points = [(one.label, one.color, one.marker, list(one.x), list(one.y)) for one in panel.points]
    assert points == [
        ("after 50 updates", 0, "o", [0.001, 0.01], [1.8, 1.5]),
        (None, 0, "x", [0.1], [2.15]),
        ("after 300 updates", 1, "o", [0.003, 0.006], [1.2, 1.0]),
        (None, 1, "^", [0.013], [2.15]),
    ]
    assert panel.y_limits == pytest.approx((0.85, 2.15))
    assert [mark.x for mark in panel.marks] == [0.005]


def test_the_untrained_loss_is_a_line():
    line = panel_of(FOUND).lines[0]
    assert (list(line.x), list(line.y), line.label) == ([0.001, 0.1], [2.0, 2.0], "untrained")
