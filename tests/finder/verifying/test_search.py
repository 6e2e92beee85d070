"""Which short trainings are made, and what they say: pure arithmetic on landscapes that are known."""

import dataclasses
import math

import pytest

from keras_lr.finder.verifying.search import FINE_STEP, LEAST_BUDGET, TRUST, ValidationLoss, lowest, pool, verify

pytestmark = pytest.mark.once

UNTRAINED = ValidationLoss((2.0,) * 10, (30,) * 10)


class Landscape:
    """A validation loss with its lowest point at `best`, counted from where the horizon's correction is undone."""

    def __init__(self, best, *, depth=1.0, diverges_at=math.inf, added=0.0, drift=0.0):
        self.best, self.depth, self.diverges_at, self.added, self.drift = best, depth, diverges_at, added, drift
        self.made = []

    def __call__(self, rate, updates):
        if rate == 0.0:
            self.made.append(updates)
            return ValidationLoss((2.0 + self.added - self.drift * updates,) * 10, (30,) * 10), updates
        diverged = rate >= self.diverges_at
        self.made.append(updates // 2 if diverged else updates)
        if diverged:
            return ValidationLoss(), self.made[-1]
        loss = 2.0 - self.drift * updates - self.depth * math.exp(-0.5 * math.log10(rate / self.best) ** 2)
        return ValidationLoss((loss + self.added,) * 10, (30,) * 10), updates


@pytest.mark.parametrize("vertex", [-0.9, -0.3, 0.0, 0.4, 0.6])
def test_the_lowest_point_of_a_parabola_is_found_exactly(vertex):
    places = [-2.0, -1.0, 0.2, 1.1]
    losses = [(place - vertex) ** 2 for place in places]
    rates = [math.exp(place) for place in places]
    assert math.log(lowest(rates, losses, 9.0)) == pytest.approx(vertex, abs=1e-12)


def test_the_lowest_of_the_candidates_at_an_end_is_taken_as_it_is():
    assert lowest([1.0, 2.0, 4.0], [1.0, 2.0, 3.0], 9.0) == 1.0
    assert lowest([1.0, 2.0, 4.0], [3.0, 2.0, 1.0], 9.0) == 4.0


def test_a_blow_up_counts_no_higher_than_no_training():
    rates, losses = [0.01, 0.1, 1.0], [1.5, 1.0, math.inf]
    assert lowest(rates, losses, 2.0) == lowest(rates, [1.5, 1.0, 2.0], 2.0)


@pytest.mark.parametrize("budget", [LEAST_BUDGET, 333, 1000, 12345])
@pytest.mark.parametrize("start", [1e-4, 0.01, 0.3, None])
@pytest.mark.parametrize("diverges_at", [math.inf, 1.0, 0.02])
def test_the_budget_is_never_passed(budget, start, diverges_at):
    landscape = Landscape(0.01, diverges_at=diverges_at)
    found = verify(landscape, start, budget, UNTRAINED)
    assert found.updates == sum(landscape.made) <= budget
    assert found.updates >= 0.6 * budget
    assert [trial.updates % 10 for trial in found.trials] == [0] * len(found.trials)


@pytest.mark.parametrize("start", [0.0005, 0.01, 0.03, 0.5, None])
def test_the_best_rate_is_found_from_a_bad_start_and_from_none(start):
    found = verify(Landscape(0.01), start, 2000, UNTRAINED)
    assert abs(math.log10(found.learning_rate / 0.01)) < 0.3
    assert found.interval[0] <= found.learning_rate <= found.interval[1]


def test_the_answer_is_for_half_of_the_budget():
    found = verify(Landscape(0.01), 0.01, 2000, UNTRAINED)
    assert found.horizon == 1000
    assert found.reason.endswith("The answer is for a training of 1000 updates.")


def test_a_constant_on_every_loss_changes_nothing():
    plain, lifted = Landscape(0.02), Landscape(0.02, added=1000.0)
    start = dataclasses.replace(UNTRAINED, losses=(1002.0,) * 10)
    rates = [verify(plain, 0.01, 2000, UNTRAINED).learning_rate, verify(lifted, 0.01, 2000, start).learning_rate]
    assert rates[0] == pytest.approx(rates[1], rel=1e-9)


def test_a_training_that_never_helps_is_refused():
    found = verify(Landscape(0.01, depth=-0.5), 0.01, 2000, UNTRAINED)
    assert found.learning_rate is None
    assert found.interval is None
    assert found.reason.startswith("No rate improves the validation loss.")
    assert found.untrained_loss == 2.0


def test_what_changes_at_rate_0_too_is_no_merit_of_a_rate():
    """Moving averages that go on alone: the model that was trained at rate 0 is the one to beat."""
    found = verify(Landscape(0.01, depth=-0.5, drift=1e-3), 0.01, 2000, UNTRAINED)
    assert found.learning_rate is None
    longest = max(trial.updates for trial in found.trials)
    assert found.untrained_loss == pytest.approx(2.0 - 1e-3 * longest, rel=1e-12)
    assert found.updates <= 2000
    helped = verify(Landscape(0.01, depth=0.5, drift=1e-4), 0.01, 2000, UNTRAINED)
    assert abs(math.log10(helped.learning_rate / 0.01)) < 0.3


def test_a_fall_within_the_scatter_of_the_batches_is_none():
    """A fall of 0.01 whose standard error is 0.1 / 3 is none, one of 0.05 is one."""
    rates = []
    for fall in (0.01, 0.05):

        def train(rate, updates, fall=fall):
            losses = tuple(2.0 - fall + 0.1 * (-1) ** batch for batch in range(10))
            return (ValidationLoss(losses, (30,) * 10) if rate else UNTRAINED), updates

        rates.append(verify(train, 0.01, 2000, UNTRAINED).learning_rate)
    assert rates[0] is None
    assert rates[1] is not None


def test_the_mean_counts_examples():
    assert ValidationLoss((1.0, 4.0), (30, 10)).mean == 1.75
    assert ValidationLoss().mean == math.inf


def test_the_rate_of_the_sprints_corrects_that_of_the_trials():
    trials = dataclasses.replace(verify(Landscape(0.01), 0.01, 2000, UNTRAINED), learning_rate=0.01)
    rate, interval = pool(trials, 0.1)
    assert math.log10(rate) == pytest.approx(-2.0 * TRUST - (1.0 - TRUST))
    assert interval == pytest.approx((rate / FINE_STEP, rate * FINE_STEP))
    assert pool(trials, None) == (0.01, trials.interval)
    refused = verify(Landscape(0.01, depth=-0.5), 0.01, 2000, UNTRAINED)
    assert pool(refused, 0.1) == (None, None)
