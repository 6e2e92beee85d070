"""Intervals, paired differences and verdicts, against figures computed by hand."""

import math

import numpy as np
import pytest

from keras_lr.comparison.statistics import verdict

pytestmark = pytest.mark.once

T_2 = 0.95 * math.sqrt(2 / (1 - 0.95**2))  # the t quantile at 97.5 % in closed form, for 2 degrees of freedom
T_4 = 2.7764451051977987  # from a table, for 4


def test_the_t_interval():
    low, high = verdict.interval([1.0, 2.0, 3.0])  # mean 2, s = 1
    assert (low, high) == pytest.approx((2 - T_2 / math.sqrt(3), 2 + T_2 / math.sqrt(3)), rel=1e-9)
    low, high = verdict.interval([0.0, 0.0, 0.0, 0.0, 5.0])  # mean 1, s = sqrt(5)
    assert (low, high) == pytest.approx((1 - T_4, 1 + T_4), rel=1e-9)


def test_one_seed_has_no_interval():
    assert verdict.interval([1.0]) is None
    assert verdict.interval([]) is None
    assert verdict.mean([]) is None


def test_equal_scores_have_an_interval_of_no_width():
    assert verdict.interval([0.5, 0.5]) == (0.5, 0.5)


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for seeds in (3, 5, 10):
        draws = rng.normal(size=(4000, seeds))
        held = [low <= 0 <= high for low, high in map(verdict.interval, draws)]
        assert np.mean(held) == pytest.approx(0.95, abs=0.012)  # three standard errors of 4000 draws


def test_differences_are_paired():
    # Seeds differ by 10, cases by 1: only pairs tell them apart.
    best, other = {0: 0.0, 1: 10.0, 2: 20.0}, {0: 1.0, 1: 11.0, 2: 21.5}
    mean, (low, high) = verdict.difference(other, best)
    half = T_2 * np.std([1.0, 1.0, 1.5], ddof=1) / math.sqrt(3)
    assert (mean, low, high) == pytest.approx((3.5 / 3, 3.5 / 3 - half, 3.5 / 3 + half))
    assert verdict.decide([best, other], "min").indistinguishable == ()


def test_a_difference_that_may_be_none_is_indistinguishable():
    decision = verdict.decide([{0: 1.2, 1: 1.0, 2: 1.4}, {0: 1.0, 1: 1.1, 2: 1.2}, {0: 9.0, 1: 9.1, 2: 9.2}], "min")
    assert decision.best == 1
    assert decision.order == (1, 0, 2)
    assert decision.indistinguishable == (0,)
    assert decision.differences[1] is None
    assert decision.differences[2][0] == pytest.approx(8.0)


def test_more_is_better_where_it_is():
    assert verdict.decide([{0: 0.1}, {0: 0.9}, {0: 0.5}], "max").order == (1, 2, 0)


def test_a_diverged_run_outweighs_any_score():
    decision = verdict.decide([{0: 0.0, 1: 0.0}, {0: 5.0, 1: 5.0, 2: 5.0}, {0: 5.1, 1: 4.9, 2: 5.2}, {}], "min")
    assert decision.best == 1
    assert decision.order == (1, 2, 0)
    assert decision.indistinguishable == (2,)
    assert decision.differences[0] == (-5.0, (-5.0, -5.0))
    assert decision.differences[3] is None


def test_where_all_lost_some_runs_the_fewest_win():
    decision = verdict.decide([{0: 1.0}, {1: 2.0, 2: 3.0}], "min")
    assert decision.best == 1


def test_a_loss_that_blew_up_is_told_apart_by_its_ratio():
    blown, best = {0: 1e5, 1: 2e5, 2: 1e5}, {0: 0.5, 1: 0.6, 2: 0.7}
    assert verdict.difference(blown, best)[1][0] < 0.0
    assert verdict.decide([blown, best], "min").indistinguishable == ()


@pytest.mark.parametrize("worlds", [1000, pytest.param(3000, marks=pytest.mark.slow)])
def test_equal_cases_are_told_apart_as_rarely_as_promised(worlds):
    rng = np.random.default_rng(1)
    wrong = 0
    for draws in rng.lognormal(sigma=0.3, size=(worlds, 2, 5)):
        first, second = (dict(enumerate(row)) for row in draws)
        wrong += not verdict.decide([first, second], "min").indistinguishable
    assert wrong / worlds == pytest.approx(0.05, abs=0.02)  # two questions, nearly one: 0.05 and a little more


def test_one_seed_tells_nothing_apart():
    assert verdict.decide([{7: 1.0}, {7: 2.0}, {7: 3.0}], "min").indistinguishable == (1, 2)


def test_nothing_finished():
    decision = verdict.decide([{}, {}], "min")
    assert (decision.best, decision.order, decision.indistinguishable) == (None, (), ())


def test_a_curve_is_the_mean_at_each_epoch():
    found = verdict.curve([[3.0, 1.0], [5.0, 1.0]])
    assert found.epochs == (1, 2)
    assert found.mean == (4.0, 1.0)
    half = 12.706204736432095  # t(1) at 97.5 %; s / sqrt(2) is 1 at the first epoch
    assert found.low == pytest.approx((4.0 - half, 1.0))
    assert found.high == pytest.approx((4.0 + half, 1.0))
    assert verdict.curve([[1.0, 2.0]]).low is None
    assert verdict.curve([]).epochs == ()
