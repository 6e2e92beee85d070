"""Sprints: their record, which of them to run, and what they show. No model is trained here."""

import math

import numpy as np
import pytest

from keras_lr.finder.deciding.sprints import (
    CLEAR,
    CLEAR_IN_TRAINING,
    MOST,
    READINGS,
    STEP,
    SprintCurves,
    best_sprint,
    fall_in_errors,
    next_long,
    next_short,
    shows_progress,
    sprint_lengths,
    vertex,
)
from tests.finder.deciding.landscapes import Landscape, all_sprints, short_sprints

pytestmark = pytest.mark.once

IDLE = (2.0, 3.0)
SHORT, LONG, DIVERGED = ((1.0, 2.5),), ((0.5, 1.0), (0.25, 0.5)), ((), ())
CURVES = SprintCurves((0.1, 1.0, 10.0), (10, 20), (SHORT, LONG, DIVERGED), (IDLE, IDLE), (1.0, 2.0, 0.0))


def test_a_record_tells_which_sprints_reached_a_length_and_what_they_gained():
    assert (CURVES.reached(0), CURVES.reached(1)) == ([0, 1, 2], [1, 2])
    assert CURVES.rates(1) == (1.0, 10.0)
    assert CURVES.gains(0).tolist() == [[1.0, 0.5], [1.5, 2.0], [-math.inf, -math.inf]]
    assert CURVES.gains(1).tolist() == [[1.75, 2.5], [-math.inf, -math.inf]]


def test_a_sprint_that_diverged_on_its_way_counts_at_every_length():
    curves = CURVES.with_sprint(3.0, ((1.0, 1.0), ()))
    assert curves.gains(0)[2].tolist() == [1.0, 2.0]
    assert curves.gains(1)[1].tolist() == [-math.inf, -math.inf]


@pytest.mark.parametrize("losses", [(math.nan, 1.0), (1.0,), (math.inf, 1.0)])
def test_losses_that_are_not_finite_or_missing_are_a_divergence(losses):
    assert CURVES.with_sprint(3.0, (losses,)).gains(0)[2].tolist() == [-math.inf, -math.inf]


def test_sprints_stay_in_the_order_of_their_rates_and_a_longer_one_replaces_a_short_one():
    between = CURVES.with_sprint(0.5, SHORT, 3.0)
    assert between.learning_rates == (0.1, 0.5, 1.0, 10.0)
    assert between.falls == (1.0, 3.0, 2.0, 0.0)
    longer = CURVES.with_sprint(0.1 * 1.0005, LONG, 4.0)
    assert longer.learning_rates == pytest.approx((0.1 * 1.0005, 1.0, 10.0))
    assert longer.losses == (LONG, LONG, DIVERGED)
    assert longer.falls == (4.0, 2.0, 0.0)


def test_a_long_sprint_is_read_where_a_short_one_ends_and_on_the_way():
    assert sprint_lengths(100, 25) == (25, *(round(100 * share) for share in READINGS))
    assert sprint_lengths(2, 1) == (1, 2)
    assert sprint_lengths(1, 1) == (1,)


@pytest.mark.parametrize("best", [1e-6, 1e-4, 1e-2, 1.0, 100.0])
@pytest.mark.parametrize("edge", [math.inf, 10.0])
def test_short_sprints_follow_until_the_best_has_a_worse_one_on_each_side(best, edge):
    curves, order = short_sprints(Landscape(best=best, edge=edge * best))
    assert order[:3] == pytest.approx([1e-2, 1e-2 / STEP, 1e-2 * STEP])
    means = curves.gains(0).mean(axis=1)
    top = int(np.argmax(means))
    assert 0 < top < len(means) - 1
    assert abs(math.log10(curves.learning_rates[top] / best)) <= 0.5 * math.log10(STEP) + 1e-9
    assert np.diff(np.log(curves.learning_rates)) == pytest.approx(math.log(STEP))


def test_no_short_sprint_is_outside_of_the_ladder_and_their_number_has_a_limit():
    curves, _ = short_sprints(Landscape(best=1.0), start=1e-4, lowest=1e-4, highest=1e-3)
    assert curves.learning_rates == pytest.approx([1e-4, 1e-4 * STEP, 1e-3])
    curves, _ = short_sprints(Landscape(best=1e-7), start=1e-3, lowest=1e-3, highest=1e-2)
    assert curves.learning_rates[0] == 1e-3
    assert len(short_sprints(Landscape(edge=0.0), start=1e4, lowest=1e-14)[1]) == MOST


def test_where_no_rate_changes_anything_three_short_sprints_and_a_long_one_suffice():
    flat = Landscape(depth=0.0)
    assert len(short_sprints(flat)[1]) == 3
    assert len(all_sprints(flat)[1]) == 1


def test_where_every_sprint_diverges_lower_ones_follow():
    _, order = short_sprints(Landscape(best=1e-5, edge=1e-4))
    assert order[3:6] == pytest.approx([1e-2 / STEP**2, 1e-2 / STEP**3, 1e-2 / STEP**4])
    assert min(order) < 1e-5
    curves, _ = short_sprints(Landscape(edge=0.0), start=1e-6)
    assert curves.learning_rates[0] == 1e-7
    assert next_long(curves, 1e-7, 1e4) is None


def test_the_first_long_sprint_has_the_best_rate_of_the_short_ones():
    _, order = all_sprints(Landscape(best=1e-2))
    assert order == pytest.approx([1e-2, 1e-2 / STEP, 1e-2 * STEP])


@pytest.mark.parametrize("slope", [-1.0, -0.3, 0.0, 0.3])
@pytest.mark.parametrize("edge", [math.inf, 4.0, 0.5])
@pytest.mark.parametrize("best", [1e-5, 3e-3, 1e-2, 0.5])
def test_long_sprints_follow_until_the_best_of_each_length_has_a_worse_one_on_each_side(slope, edge, best):
    landscape = Landscape(best=best, slope=slope, edge=edge * best)
    curves, _ = all_sprints(landscape)
    for place in range(1, len(curves.lengths)):
        top = int(np.argmax(curves.gains(place).mean(axis=1)))
        assert 0 < top < len(curves.rates(place)) - 1
    if math.isinf(edge):
        rates, length = curves.rates(3), curves.lengths[3]
        assert vertex(rates, curves.gains(3)) == pytest.approx(landscape.best_at(length))


def test_no_long_sprint_is_outside_of_the_ladder():
    curves, order = all_sprints(Landscape(best=1.0), start=1e-3, highest=1e-3)
    assert order == pytest.approx([1e-3, 1e-3 / STEP])
    assert max(curves.learning_rates) == 1e-3
    curves, _ = all_sprints(Landscape(best=1e-9), start=1e-3, lowest=1e-3)
    assert min(curves.learning_rates) == 1e-3


def test_the_next_short_sprint_lies_beyond_the_best():
    rising = SprintCurves((0.1, 1.0, 10.0), (10,), (((1.5,),), ((1.0,),), ((0.5,),)), ((2.0,),))
    assert next_short(rising, 1.0, 1e-7, 1e4) == pytest.approx(1.0 / STEP)  # the start needs its neighbours first
    rates = (1.0 / STEP, 1.0, STEP)
    rising = SprintCurves(rates, (10,), rising.losses, ((2.0,),))
    assert next_short(rising, 1.0, 1e-7, 1e4) == pytest.approx(STEP**2)
    assert next_short(rising, 1.0, 1e-7, 2.0 * STEP) == 2.0 * STEP
    assert next_short(rising, 1.0, 1e-7, STEP) is None
    falling = SprintCurves(rates, (10,), rising.losses[::-1], ((2.0,),))
    assert next_short(falling, 1.0, 1e-7, 1e4) == pytest.approx(STEP**-2)
    assert next_short(falling, 1.0, 1.0 / STEP, 1e4) is None
    harmful = SprintCurves(rates, (10,), (((5.0,),), ((4.0,),), ((3.0,),)), ((2.0,),))
    assert next_short(harmful, 1.0, 1e-7, 1e4) == pytest.approx(STEP**-2)


def test_on_a_plateau_the_low_rates_count():
    """By hand: 95 % of the best gain, 1.9, is reached at 10 ** -0.1, and the answer is at most a step above, 10 ** 0.4."""
    assert vertex([0.1, 1.0, 10.0], np.array([[1.0], [2.0], [2.0]])) == pytest.approx(10.0**0.4)
    equal = np.full((6, 3), 1.37)
    equal[0], equal[5] = 0.5, 1.3701  # the highest rate by a hair
    low = 10.0 ** ((0.95 * 1.3701 - 0.5) / (1.37 - 0.5) / 2)  # in units of the lowest rate
    assert vertex([STEP**place for place in range(6)], equal) == pytest.approx(STEP * low)


def test_the_vertex_of_a_parabola_is_exact():
    """By hand: through (-1, 1), (0, 2), (1, 0) in log10 of the rate, y = 2 - x / 2 - 3 x^2 / 2 is highest at -1/6."""
    assert vertex([0.1, 1.0, 10.0], np.array([[1.0], [2.0], [0.0]])) == pytest.approx(10.0 ** (-1 / 6))
    uneven = [[5.0 - (x - 0.2) ** 2] for x in (-2.0, 0.0, 1.0)]
    assert vertex([0.01, 1.0, 10.0], np.array(uneven)) == pytest.approx(10.0**0.2)


def test_a_best_rate_at_an_end_is_the_answer_itself():
    gains = np.array([[3.0, 3.0], [2.0, 2.0], [1.0, 1.0]])
    assert vertex([0.1, 1.0, 10.0], gains) == 0.1
    assert vertex([0.1, 1.0, 10.0], gains[::-1]) == 10.0
    assert vertex([0.1], gains[:1]) == 0.1


def test_a_divergence_and_a_harm_count_as_no_gain():
    expected = vertex([0.1, 1.0, 10.0], np.array([[1.0], [2.0], [0.0]]))
    assert vertex([0.1, 1.0, 10.0], np.array([[1.0], [2.0], [-np.inf]])) == expected
    assert vertex([0.1, 1.0, 10.0], np.array([[1.0], [2.0], [-7.0]])) == expected


def test_the_vertex_does_not_depend_on_the_scale_of_the_loss():
    gains = np.array([[1.0, 1.5], [2.0, 2.5], [0.5, 0.25]])
    assert vertex([0.1, 1.0, 10.0], 1e5 * gains) == pytest.approx(vertex([0.1, 1.0, 10.0], gains))


def test_the_best_sprint_is_that_with_the_best_mean_at_the_longest_length():
    """By hand: gains 1.75 and 2.5 have the mean 2.125 and the standard error 0.75 / 2."""
    index, gain, noise = best_sprint(CURVES)
    assert (index, gain) == (1, 2.125)
    assert noise == pytest.approx(0.375)
    index, gain, noise = best_sprint(SprintCurves((1.0,), (10,), (((),),), (IDLE,), (0.0,)))
    assert (index, gain, noise) == (0, -math.inf, 0.0)


def gaining(errors, on_holdout, fall):
    """One sprint whose mean gain is 1 and so many standard errors: ten batches gain 1 +- d, with the error d / 3."""
    gains = 1.0 + 3.0 / errors * np.resize([1.0, -1.0], 10)
    return SprintCurves((0.1,), (10,), ((tuple((9.0 - gains).tolist()),),), ((9.0,) * 10,), (fall,), on_holdout)


def test_a_gain_beyond_noise_is_progress():
    assert shows_progress(gaining(1.01 * CLEAR, True, 0.0))
    assert not shows_progress(gaining(0.99 * CLEAR, True, 0.0))
    assert shows_progress(gaining(1.01 * CLEAR_IN_TRAINING, False, 0.0))
    assert not shows_progress(gaining(0.99 * CLEAR_IN_TRAINING, False, 0.0))


def test_the_fall_in_training_counts_where_a_holdout_gains_a_little():
    assert shows_progress(gaining(0.5 * CLEAR, True, 1.01 * CLEAR_IN_TRAINING))
    assert not shows_progress(gaining(0.5 * CLEAR, True, 0.99 * CLEAR_IN_TRAINING))
    assert not shows_progress(gaining(0.5 * CLEAR, False, 1.01 * CLEAR_IN_TRAINING))
    worse = SprintCurves((0.1,), (10,), (((9.5, 9.1),),), ((9.0, 9.0),), (100.0,))
    assert not shows_progress(worse)


def test_a_gain_by_rounding_is_no_progress():
    rounding = SprintCurves((0.1,), (10,), (((1.0 - 1e-12,) * 3,),), ((1.0,) * 3,), (100.0,))
    assert not shows_progress(rounding)


def test_the_fall_in_training_by_hand():
    """Forty losses: the first four are 5, and the last twenty alternate between 1 and 3."""
    losses = [5.0] * 4 + [4.0] * 16 + [1.0, 3.0] * 10
    error = math.sqrt(20.0 / 19.0) * math.sqrt(1 / 4 + 1 / 20)
    assert fall_in_errors(losses) == pytest.approx((5.0 - 2.0) / error)
    assert fall_in_errors([5.0] * 20 + [1.0] * 20) == math.inf
    assert fall_in_errors([2.0, 1.0]) == 0.0
    assert fall_in_errors([2.0] * 20 + [math.nan]) == 0.0


def plateau(*gains):
    """Short sprints a step apart whose holdout hardly changes: gains of two batches that differ more than they gain."""
    idle = ((2.0, 2.0), (2.0, 2.0))
    rates = tuple(1e-3 * STEP**place for place in range(len(gains)))
    losses = tuple((((2.0 - gain - 0.01), (2.0 - gain + 0.01)),) for gain in gains)
    return SprintCurves(rates, (10, 20), losses, idle, (0.0,) * len(gains))


def test_on_a_plateau_the_search_goes_up_until_a_sprint_blows_up():
    up = next_short(plateau(1e-4, -1e-4, -2e-4), 1e-3 * STEP, 1e-7, 10.0)
    assert up == pytest.approx(1e-3 * STEP**3)
    down = next_short(plateau(1e-4, -1e-4, -5.0), 1e-3 * STEP, 1e-7, 10.0)
    assert down == pytest.approx(1e-3 / STEP)
    assert next_long(plateau(1e-4, -1e-4, -2e-4, -5.0), 1e-7, 10.0) == pytest.approx(1e-3 * STEP**2)


def test_after_a_slow_start_only_a_large_gain_is_progress():
    """By hand: gains of 0.09 and 0.11 are ten standard errors of 0.01; of 0.02 and 0.08 they are 0.05 / 0.03, less than two."""

    def curves(first, second, fall, late):
        return SprintCurves((0.1,), (10,), (((2.0 - first, 2.0 - second),),), ((2.0, 2.0),), (fall,), late=late)

    assert [shows_progress(curves(0.09, 0.11, 0.0, late)) for late in (False, True)] == [True, True]
    assert [shows_progress(curves(0.05, 0.11, 0.0, late)) for late in (False, True)] == [True, False]
    assert [shows_progress(curves(0.02, 0.08, 9.0, late)) for late in (False, True)] == [True, False]
