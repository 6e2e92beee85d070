"""The grid and halving that find is compared with, on made-up losses, and the stops of the other finders."""

import json
import math
import pathlib

import numpy as np
import pytest

pytestmark = pytest.mark.once


@pytest.fixture
def searches(script):
    return script("searches")


class Trainings:
    """Losses with their minimum at 0.01 after every length; counts the trainings."""

    def __init__(self):
        self.made = []

    def __call__(self, rate, length):
        self.made.append((round(math.log10(rate), 6), length))
        return abs(math.log10(rate) + 2.0) if rate < 0.5 else math.inf


@pytest.mark.parametrize(("updates", "budget"), [(240, 600), (3000, 600), (3125, 625), (20_000, 4000), (50_000, 5000)])
def test_the_budget_is_that_of_find(searches, updates, budget):
    assert searches.budget_of(updates) == budget


def test_the_grid_trains_each_rate_for_its_share(searches):
    trainings = Trainings()
    assert searches.search_grid(trainings, searches.Rates(1e-4, 1.0, 5), 600) == pytest.approx(0.01)
    assert trainings.made == [(-4, 120), (-3, 120), (-2, 120), (-1, 120), (0, 120)]


def test_halving_doubles_the_length_of_the_better_half(searches):
    trainings = Trainings()
    assert searches.search_by_halving(trainings, searches.Rates(1e-4, 1.0, 5), 520, resumes=False) == pytest.approx(
        0.01
    )
    lengths = [length for _, length in trainings.made]
    assert lengths == 5 * [27] + 3 * [54] + 2 * [108]
    assert {rate for rate, length in trainings.made if length == 54} == {-3, -2, -1}


@pytest.mark.parametrize("count", [5, 6, 9, 15])
@pytest.mark.parametrize("resumes", [True, False])
def test_halving_spends_no_more_than_its_budget(searches, count, resumes):
    rounds = searches.halving_rounds(count, 600, resumes)
    before = [0, *(length for _, length in rounds)] if resumes else [0] * len(rounds)
    spent = sum(trainings * (length - earlier) for (trainings, length), earlier in zip(rounds, before, strict=False))
    assert 600 - spent < 3 * count + 15
    assert spent <= 600
    assert rounds[-1][0] == 2


def test_nothing_but_divergence_has_no_answer(searches):
    assert searches.search_grid(lambda rate, length: math.inf, searches.Rates(0.1, 1.0, 3), 600) is None
    assert searches.search_by_halving(lambda rate, length: math.inf, searches.Rates(0.1, 1.0, 4), 600, True) is None


@pytest.mark.parametrize("group", ["short", "long", "text"])
def test_no_training_is_longer_than_the_longest(searches, group):
    trainings = Trainings()
    for resumes in (True, False):
        searches.search_by_halving(trainings, searches.HALVING[group], 625, resumes)
    searches.search_grid(trainings, searches.GRID[group], 625)
    assert max(length for _, length in trainings.made) == searches.longest(group, 625)


def test_a_ramp_stops_where_its_average_has_risen_enough(script):
    baselines = script("baselines")
    fastai, lightning, ignite = (baselines.PEERS[name] for name in ("fastai valley", "Lightning", "ignite"))
    lengths = {}
    for name, losses in {
        "jump": [1.0, 1.0, 1.0, 200.0, 200.0],
        "rise": [1.0, 1.0, 60.0, 60.0],
        "low": [1.0] * 90 + [100.0] * 9,
    }.items():
        lengths[name] = [len(baselines.until_stop(np.array(losses), peer)) for peer in (fastai, lightning, ignite)]
    assert lengths["jump"] == [4, 4, 4]  # averages of 52, 41 and 11 over 1, 0.5 and 1
    assert lengths["rise"] == [3, 3, 4]  # 20.7, 15.5 and 3.95, then 6.75
    assert lengths["low"] == [92, 91, 91]  # 3.36, then 5.30; over 2.0; 5.95
    assert len(baselines.until_stop(np.array([1.0, math.nan, 1.0]), ignite)) == 3


def test_a_ramp_is_that_of_the_library(script):
    baselines, vectors = script("baselines"), pathlib.Path(__file__).parent.parent / "finder" / "deciding" / "vectors"
    for name, file in (("fastai valley", "fastai"), ("ignite", "ignite")):
        peer = baselines.PEERS[name]
        theirs = json.loads((vectors / f"{file}.json").read_text())["learning_rates"]["100"]
        np.testing.assert_allclose(peer.rates[peer.rungs], theirs, rtol=1e-5)
    lightning = baselines.PEERS["Lightning"]
    theirs = json.loads((vectors / "lightning.json").read_text())["learning_rates"]["100"]
    np.testing.assert_allclose(lightning.rates[lightning.rungs] * 10.0, theirs, rtol=1e-5)  # a test from 1e-7 to 10


def test_a_recorded_training_is_read_between_rates_and_lengths(script):
    file = {
        "rates": np.array([0.01, 1.0]),
        "idle": np.array([8.0]),
        "lengths": np.array([10, 100]),
        "holdout": np.array([[[6.0, 4.0], [2.0, np.nan]]]),
    }
    loss = script("settings").Recorded(file, "constant", 0)
    assert [loss(0.01, length) for length in (1, 10, 100)] == pytest.approx([8.0, 6.0, 4.0])
    assert loss(0.1, 10) == pytest.approx(4.0)
    assert loss(0.01, 30) == pytest.approx(6.0 - 2.0 * math.log10(3.0))
    assert loss(1.0, 10) == pytest.approx(2.0)
    assert loss(1.0, 50) == math.inf
