"""The arithmetic of the benchmark of find, by hand."""

import numpy as np
import pytest

pytestmark = pytest.mark.once


@pytest.fixture
def scores(script):
    return script("scores")


@pytest.fixture
def truth(scores):
    """Rates 0.01, 0.1, 1, 10 with losses 3, 1, 2 and a divergence; 5 before training."""
    return scores.Truth(np.array([-2.0, -1.0, 0.0, 1.0]), [3.0, 1.0, 2.0, None], 5.0)


def test_regret_is_the_share_of_the_gain_that_is_lost(truth):
    assert truth.best == 0.1
    assert [truth.regret(rate) for rate in (0.01, 0.1, 1.0, 10.0)] == [0.5, 0.0, 0.25, 1.0]
    assert truth.regret(10**-1.5) == pytest.approx(0.25)  # half-way in log rate
    assert [truth.regret(rate) for rate in (1e-4, 1e3)] == [0.5, 1.0]  # as at the ends of the grid


def test_excess_is_the_loss_over_the_best_one(truth):
    assert [truth.excess(rate) for rate in (0.01, 0.1, 1.0)] == [2.0, 0.0, 1.0]
    assert truth.excess(10**-1.5) == pytest.approx(1.0)


@pytest.mark.parametrize("loss", [None, float("nan"), float("inf"), 80.0])
def test_a_training_that_diverges_counts_as_none(scores, loss):
    truth = scores.Truth(np.array([-1.0, 0.0]), [1.0, loss], 5.0)
    assert truth.excess(1.0) == truth.excess(None) == 4.0
    assert truth.regret(1.0) == 1.0


def test_a_refusal_costs_all_unless_training_is_of_no_use(scores, truth):
    assert truth.regret(None) == 1.0
    assert truth.excess(None) == 4.0
    of_no_use = scores.Truth(np.array([-2.0, -1.0]), [4.95, 4.91], 5.0)
    assert not of_no_use.worth
    assert of_no_use.regret(None) == 0.0


def test_an_interval_holds_a_good_rate_within_it_or_at_its_ends(truth):
    assert truth.holds((0.05, 0.2))
    assert truth.holds((0.1, 0.2))
    assert not truth.holds((0.2, 0.9))


def test_an_interval_of_a_long_pair_is_good_by_excess(scores):
    truth = scores.Truth(np.array([-2.0, -1.0, 0.0]), [1.0, 1.04, 1.06], 1000.0)
    assert truth.holds((0.1, 1.0), "long")
    assert not truth.holds((0.9, 1.0), "text")
    assert truth.holds((0.9, 1.0), "short")  # a regret of 0.00006


def test_a_score_is_over_pairs_and_seeds(scores, truth):
    found = scores.score_of({"a": [0.1, 0.01], "b": [0.1, None]}, {"a": truth, "b": truth}, ["a", "b"])
    assert found.regret == scores.Cost(mean=0.375, worst=0.5, worst_answer=1.0)
    assert found.excess == scores.Cost(mean=1.5, worst=2.0, worst_answer=4.0)
    assert (found.spread, found.refusals, found.pairs) == (pytest.approx(10.0), 0.25, 2)


def test_a_finder_without_answers_has_no_score(scores, truth):
    assert scores.score_of({"a": [0.1]}, {"a": truth, "b": truth}, ["b"]) is None


def test_most_refusals_are_a_refusal(scores):
    assert scores.middle([3.0, 1.0, 2.0]) == 2.0
    assert scores.middle([3.0, 1.0, None]) == 1.0
    assert scores.middle([3.0, None, None]) is None


def test_coverage_is_the_share_of_intervals_with_a_good_rate(scores, truth, monkeypatch):
    monkeypatch.setattr(scores, "truths", lambda shape: {"a": truth})
    records = [{"task": "a", "cosine": {"interval": one}} for one in ((0.05, 0.2), (1.0, 10.0), None)]
    assert scores.coverage(records, "cosine", "short") == (0.5, pytest.approx(7.0))
    assert scores.coverage(records[2:], "cosine", "short") is None


def test_a_parabola_in_log_log_is_smooth_already(scores):
    logs = np.linspace(-3.0, -1.0, 9)
    grid, curve = scores.smooth(logs, np.exp(0.9 * (logs + 2.0) ** 2))
    assert (grid[0], grid[-1], len(grid)) == (-3.0, pytest.approx(-1.0), 41)
    np.testing.assert_allclose(curve[::5], np.exp(0.9 * (logs + 2.0) ** 2), rtol=1e-6)


def test_a_single_noisy_rate_hardly_moves_the_smooth_curve(scores):
    logs = np.linspace(-3.0, -1.0, 9)
    losses = np.exp(0.9 * (logs + 2.0) ** 2)
    losses[3] *= 0.9  # the lowest one
    grid, curve = scores.smooth(logs, losses)
    assert curve.min() > 0.93
    assert grid[int(np.argmin(curve))] == pytest.approx(-2.0, abs=0.2)


def test_losses_far_above_the_best_stay_as_they_are(scores):
    _, curve = scores.smooth(np.linspace(-1.0, 0.0, 5), np.array([1.0, 1.0, 1.0, 50.0, 1000.0]))
    assert curve[-1] == pytest.approx(1000.0)
    assert curve[15] == pytest.approx(50.0)
