"""The best rate of each length, and the rate of a training of any length. No model is trained here."""

import math

import numpy as np
import pytest

from keras_lr.finder.deciding.lengths import (
    BELOW_CENTER,
    CENTER_ERROR,
    EPOCH_SLOPE,
    ERROR,
    ERROR_PER_DECADE,
    FAR,
    FIXED_LENGTH,
    FIXED_LENGTH_SLOPE,
    FLATTEST,
    MEASURED,
    NORMALIZED_SLOPE,
    PEAK,
    RELIEF,
    SLOPE,
    SPRINT_ERROR,
    STEEPEST,
    RateByLength,
    rate_by_length,
)
from keras_lr.finder.deciding.sprints import SprintCurves
from tests.finder.deciding.landscapes import LENGTHS, Landscape, all_sprints

pytestmark = pytest.mark.once

RULE = RateByLength((25, 50, 100), (0.02, 0.015, 0.01), length=100.0, learning_rate=0.01, slope=-0.3, spread=0.0)
EPOCHS = RateByLength((25,), (0.01,), length=100.0, learning_rate=0.01, slope=-0.3, spread=0.0, steps_per_epoch=50)
SHORTER = tuple(FAR * length // (LENGTHS[-1] + 1) for length in LENGTHS)  # too short to measure a slope
LONGER = tuple(FAR * length // 50 for length in LENGTHS)


GAINS = np.array([[2.0, 2.0, 2.0, 0.0, 0.0], [3.0, 3.0, 3.0, 3.0, 3.0], [0.0, 0.0, 0.0, 2.0, 2.0]])
SCATTER = tuple((tuple(row),) for row in (4.0 - GAINS).tolist())


def test_the_rate_of_the_measured_length_is_the_measured_rate():
    assert RULE.rate_for(100) == 0.01


def test_the_rate_falls_with_a_power_of_the_length():
    assert RULE.rate_for(1000) == pytest.approx(0.01 * 10.0**-0.3)
    assert RULE.rate_for(10_000) == pytest.approx(0.01 * 10.0**-0.6)


def test_data_that_repeat_need_a_lower_rate():
    assert EPOCHS.rate_for(1000) == pytest.approx(0.01 * 10.0**-0.3 * 20.0**EPOCH_SLOPE)
    assert EPOCHS.rate_for(100) == pytest.approx(0.01 * 2.0**EPOCH_SLOPE)
    within = RateByLength((25,), (0.01,), 100.0, 0.01, -0.3, 0.0, steps_per_epoch=5000)
    assert within.rate_for(1000) == RULE.rate_for(1000)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_the_peak_of_a_schedule_is_higher_and_falls_less_with_length(share):
    for steps, decades in ((10**4, 2), (10**8, 6)):
        expected = 0.01 * 10.0 ** (-0.3 * decades * share**RELIEF) * share**-PEAK
        assert RULE.rate_for(steps, share) == pytest.approx(min(expected, 0.01))
    assert RULE.rate_for(10**8, 0.25) < 0.01


def test_no_rate_is_above_the_measured_one():
    assert RULE.rate_for(10) == 0.01
    assert RULE.rate_for(1000, 0.01) == 0.01
    assert EPOCHS.rate_for(10, 0.01) == 0.01


def half_width(interval, rate):
    low, high = interval
    assert high / rate == pytest.approx(rate / low)
    return math.log10(high / rate)


def test_the_interval_grows_with_the_distance_between_the_lengths():
    widths = [half_width(RULE.interval_for(steps), RULE.rate_for(steps)) for steps in (10, 100, 1000, 100_000)]
    repeated = half_width(EPOCHS.interval_for(5000), EPOCHS.rate_for(5000))  # 1.7 decades and 100 epochs
    assert repeated == pytest.approx(1.64 * (ERROR + ERROR_PER_DECADE * (math.log10(50.0) + 2.0)))
    expected = [ERROR, ERROR, ERROR + ERROR_PER_DECADE, ERROR + 3.0 * ERROR_PER_DECADE]
    assert widths == pytest.approx([1.64 * error for error in expected])
    assert half_width(RULE.interval_for(1000, 0.5), RULE.rate_for(1000, 0.5)) == pytest.approx(widths[2])


def test_the_interval_grows_with_the_scatter_of_the_batches():
    scatter = RateByLength((100,), (0.01,), 100.0, 0.01, -0.3, spread=0.3)
    assert half_width(scatter.interval_for(100), 0.01) == pytest.approx(1.64 * math.hypot(ERROR, 0.3))


def test_the_answer_starts_from_the_mean_over_the_lengths_of_long_sprints():
    landscape = Landscape(slope=-0.2)
    rule = rate_by_length(all_sprints(landscape)[0], steps_per_epoch=7)
    assert rule.lengths == LENGTHS
    assert rule.best_rates == pytest.approx([landscape.best_at(length) for length in LENGTHS])
    assert rule.length == pytest.approx((50 * 70 * 100) ** (1 / 3))
    assert rule.learning_rate == pytest.approx(landscape.best_at(rule.length))
    assert rule.steps_per_epoch == 7


def test_with_short_sprints_only_the_answer_starts_there():
    rule = rate_by_length(all_sprints(Landscape(), lengths=(25,))[0])
    assert (rule.lengths, rule.length) == ((25,), pytest.approx(25.0))
    assert rule.best_rates == pytest.approx((1e-2,))


def test_the_ramps_correct_the_answer_by_their_precision():
    """By hand: the mean of two logs, weighted by the inverse of their variances."""
    ramps, sprints = 1.0 / CENTER_ERROR**2, 1.0 / SPRINT_ERROR**2
    curves = all_sprints(Landscape())[0]
    assert rate_by_length(curves, center=1e-2 / BELOW_CENTER).learning_rate == pytest.approx(1e-2)
    rule = rate_by_length(curves, center=1e-4 / BELOW_CENTER)
    assert math.log10(rule.learning_rate) == pytest.approx(-2.0 - 2.0 * ramps / (ramps + sprints))
    assert rule.best_rates == pytest.approx([1e-2] * len(LENGTHS))
    uncertain = SprintCurves((0.1, 1.0, 10.0), (50,), SCATTER, ((4.0,) * 5,))
    alone = rate_by_length(uncertain)
    sprints = 1.0 / (SPRINT_ERROR**2 + alone.spread**2)
    expected = (sprints * math.log10(alone.learning_rate) + ramps * math.log10(BELOW_CENTER)) / (ramps + sprints)
    assert math.log10(rate_by_length(uncertain, center=1.0).learning_rate) == pytest.approx(expected)


def slope_of(lengths=SHORTER, slope=-0.5, **kwargs):
    return rate_by_length(all_sprints(Landscape(slope=slope), lengths=lengths, **kwargs)[0]).slope


@pytest.mark.parametrize(
    ("kind", "usual"),
    [
        ({}, SLOPE),
        ({"optimizer": "Adam"}, SLOPE),
        ({"normalized": True}, NORMALIZED_SLOPE),
        ({"optimizer": "Lion"}, SLOPE + FIXED_LENGTH_SLOPE),
        ({"optimizer": "Lion", "normalized": True}, NORMALIZED_SLOPE + FIXED_LENGTH_SLOPE),
    ],
    ids=str,
)
def test_the_slope_is_that_of_the_kind_of_model_and_long_sprints_correct_it(kind, usual):
    assert "Lion" in FIXED_LENGTH
    assert slope_of(**kind) == pytest.approx(usual)
    assert slope_of(LONGER, **kind) == pytest.approx((1.0 - MEASURED) * usual + MEASURED * -0.5)


@pytest.mark.parametrize(("slope", "counts"), [(-1.6, STEEPEST), (0.7, FLATTEST)])
def test_a_measured_slope_has_limits(slope, counts):
    assert slope_of(LONGER, slope) == pytest.approx((1.0 - MEASURED) * SLOPE + MEASURED * counts)


def test_two_lengths_do_not_measure_a_slope():
    assert slope_of((FAR, 2 * FAR)) == SLOPE


def test_the_spread_is_that_of_answers_without_a_fifth_of_the_batches():
    """By hand: five batches, of which the last two speak for a higher rate."""
    curves = SprintCurves((0.1, 1.0, 10.0), (50,), SCATTER, ((4.0,) * 5,))
    logs = []
    for left, right in [(1.0, 1.0)] * 3 + [(1.5, 0.5)] * 2:  # the mean gains of the outer rates without each batch
        logs.append(0.5 * (right - left) / (6.0 - left - right))
    rule = rate_by_length(curves)
    assert rule.spread == pytest.approx(math.sqrt(4.0 / 5.0 * sum((log - np.mean(logs)) ** 2 for log in logs)))
    assert math.log10(rule.learning_rate) == pytest.approx(0.5 * (0.8 - 1.2) / (6.0 - 2.0))


def test_batches_that_agree_or_a_single_one_have_no_spread():
    assert rate_by_length(all_sprints(Landscape())[0]).spread == pytest.approx(0.0, abs=1e-12)
    assert rate_by_length(all_sprints(Landscape(batches=1))[0]).spread == 0.0


def test_many_batches_are_left_out_in_five_blocks():
    """Ten batches in pairs: leaving out a pair is the same as leaving out one of five."""
    five = np.array([[2.0, 1.0, 2.0, 0.5, 0.0], [3.0, 3.0, 3.5, 3.0, 3.0], [0.0, 0.0, 1.0, 2.0, 2.0]])
    spreads = []
    for gains in (five, np.repeat(five, 2, axis=1)):
        losses = tuple((tuple(row),) for row in (4.0 - gains).tolist())
        curves = SprintCurves((0.1, 1.0, 10.0), (50,), losses, ((4.0,) * gains.shape[1],))
        spreads.append(rate_by_length(curves).spread)
    assert spreads[0] > 0.01
    assert spreads[1] == pytest.approx(spreads[0])
