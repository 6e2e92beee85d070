"""Which cases are indistinguishable from the best, and how likely each is the best: by hand, and in simulations."""

import math

import numpy as np
import pytest

from keras_lr.comparison.statistics import verdict
from keras_lr.comparison.statistics.variance import chances, critical, indistinguishable_from, quantile, split_noise

pytestmark = pytest.mark.once


def likely(scores, mode="min"):
    """P(best) of each row of scores."""
    return verdict.decide([dict(enumerate(row)) for row in scores], mode).chances


def test_two_cases_have_the_noise_of_their_paired_difference():
    scores = np.array([[0.0, 10.0, 20.0], [1.0, 11.0, 21.5]])
    found = split_noise(scores)
    assert found.means == pytest.approx([10.0, 33.5 / 3])
    assert found.variances.sum() == pytest.approx(np.var([1.0, 1.0, 1.5], ddof=1) / 3)
    assert found.degrees == 2
    assert critical(2, 2) == quantile(2) == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)))


def test_what_a_seed_does_to_all_is_taken_out():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(6, 4))
    shifted = scores + np.array([0.0, 50.0, -50.0, 7.0])
    # The weights of the cases change, but what is left has the size of the noise, not of the shift.
    assert split_noise(shifted).variances == pytest.approx(split_noise(scores).variances, rel=0.6)


def test_a_case_is_worse_only_where_its_own_interval_says_so_too():
    good = [[0.39, 0.40, 0.41], [0.64, 0.65, 0.64], [0.96, 0.95, 0.98], [1.60, 1.62, 1.61]]
    loud = [1.1, 2.0, 3.0]  # its difference to the best is 1.6, with an interval from -0.7 to 4.0
    cases = [dict(enumerate(row)) for row in [*good, loud]]
    assert verdict.difference(cases[4], cases[0])[1][0] < 0.0
    negative = [{seed: score - 9.0 for seed, score in case.items()} for case in cases]  # no ratios of these
    assert verdict.decide(negative, "min").indistinguishable == (4,)
    assert verdict.decide(cases, "min").indistinguishable == ()


def test_the_bound_grows_with_the_number_of_cases():
    # Dunnett's two-sided 5 % points for infinitely many degrees of freedom: 1.96, 2.21, 2.51 for 1, 2 and 5 others.
    assert critical(2, 10**6) == pytest.approx(1.96, abs=0.01)
    assert critical(3, 10**6) == pytest.approx(2.21, abs=0.05)
    assert critical(6, 10**6) == pytest.approx(2.51, abs=0.05)


def test_two_cases_are_as_likely_best_as_t_says():
    # The mean difference is 1 with a standard error of 1/3; P(t_2 > 3) = 0.0477.
    first, second = [0.0, 0.0, 0.0], [1 - 3**-0.5, 1.0, 1 + 3**-0.5]
    assert likely([first, second]) == pytest.approx([1 - 0.0477, 0.0477], abs=0.01)
    assert likely([[-v for v in first], [-v for v in second]], "max") == pytest.approx([0.952, 0.048], abs=0.01)


def test_equal_scores_are_equally_likely():
    assert likely([[1.0, 1.0, 1.0]] * 4) == pytest.approx([0.25] * 4)
    assert likely([[2.0, 2.0], [1.0, 1.0]]) == (0.0, 1.0)


def test_equal_input_gives_equal_output():
    scores = np.random.default_rng(1).normal(size=(8, 3))
    assert likely(scores) == likely(scores)
    assert sum(likely(scores)) == pytest.approx(1.0)


def test_one_case_and_one_seed():
    assert likely([[1.0, 2.0]]) == (1.0,)
    assert likely([[1.0], [2.0]]) == (None, None)
    assert verdict.decide([{}, {}], "min").chances == (None, None)


def test_cases_with_more_diverged_runs_are_not_in_it():
    decision = verdict.decide([{0: 0.0, 1: 0.0}, {0: 5.0, 1: 5.1, 2: 5.2}, {}], "min")
    assert decision.chances == (0.0, 1.0, 0.0)
    few = verdict.decide([{0: 1.0, 1: 1.1}, {1: 1.2, 2: 1.3}], "min")  # one common seed
    assert (few.chances, few.indistinguishable) == ((None, None), (1,))


def test_negative_losses_and_losses_that_blew_up():
    assert verdict.decide([dict(enumerate(row)) for row in ([-1.0, -1.1], [-5.0, -5.1])], "min").best == 1
    good, blown = [0.5, 0.6, 0.7], [1e5, 2e5, 1e5]
    found = likely([good, [0.51, 0.62, 0.69], blown, [3e5, 1e6, 1e7]])
    assert sum(found[2:]) < 0.01
    assert likely([good, [1e38, 2e38, 1e37]])[0] > 0.99


def test_a_hundred_cases():
    scores = np.random.default_rng(2).normal(size=(100, 3))
    found = likely(scores)
    assert sum(found) == pytest.approx(1.0)
    assert max(found) < 0.3  # they are equal


# Simulations. Scores are case + seed + noise, with a correlation of 0 or 0.8 between the cases of a seed; the cases'
# true means are spread by half, one or three times the noise, or lie on a parabola as the rates of a grid do.


def worlds(seed, cases, seeds, correlation, kind, count):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        if kind == "parabola":
            places = np.linspace(0.0, 3.0, cases)
            true = 2.0 * (places - rng.uniform(0.0, 3.0)) ** 2
        else:
            true = kind * rng.normal(size=cases)
        common = math.sqrt(correlation / (1 - correlation)) * rng.normal(size=seeds)
        yield true, true[:, None] + common + rng.normal(size=(cases, seeds))


@pytest.mark.parametrize(
    ("seeds", "correlation"),
    [(3, 0.8), (5, 0.0), *(pytest.param(*more, marks=pytest.mark.slow) for more in [(3, 0.0), (5, 0.8)])],
)
def test_the_stated_probability_is_the_frequency(seeds, correlation):
    stated, held = [], []
    for cases in (2, 4, 7):
        for kind in (0.5, 1.0, 3.0, "parabola"):
            for true, scores in worlds(cases, cases, seeds, correlation, kind, 150):
                found = split_noise(scores)
                values = chances(found, indistinguishable_from(scores, found, int(found.means.argmin())), "min")
                stated.extend(values)
                held.extend(np.arange(cases) == true.argmin())
    stated, held = np.array(stated), np.array(held)
    for low, high in [(0.0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)]:
        within = (stated >= low) & (stated < high)
        assert held[within].mean() == pytest.approx(stated[within].mean(), abs=0.1)
    calibrated = np.mean(stated * (1 - stated))  # the Brier score of a statement that is exactly right
    assert np.mean((stated - held) ** 2) == pytest.approx(calibrated, abs=0.015)


@pytest.mark.parametrize(("cases", "seeds"), [(2, 3), (5, 3), (20, 3), (20, 5)])
@pytest.mark.parametrize("kind", [1e-9, 0.5, 3.0])
def test_the_truly_best_is_among_the_best_and_those_not_told_from_it(cases, seeds, kind):
    held = []
    for true, scores in worlds(7, cases, seeds, 0.5, kind, 400):
        found = split_noise(scores)
        held.append(indistinguishable_from(scores, found, int(found.means.argmin()))[true.argmin()])
    assert np.mean(held) >= 0.95


@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_cover_at_three_seeds(seeds):
    rng = np.random.default_rng(3)
    half = quantile(seeds - 1) / math.sqrt(seeds)
    common = 2.0 * rng.normal(size=(100_000, seeds))
    first, second = common + rng.normal(size=(2, 100_000, seeds))
    for draws in (first, first - second):  # a mean, and a paired difference; the truth is 0
        covered = np.abs(draws.mean(axis=1)) <= half * draws.std(axis=1, ddof=1)
        assert covered.mean() >= 0.93
        assert covered.mean() == pytest.approx(0.95, abs=0.003)
    one = dict(enumerate(first[0])), dict(enumerate(second[0]))
    mean, (low, high) = verdict.difference(*one)  # the same formula as above
    pairs = first[0] - second[0]
    assert (mean, high - low) == pytest.approx((pairs.mean(), 2 * half * pairs.std(ddof=1)))
