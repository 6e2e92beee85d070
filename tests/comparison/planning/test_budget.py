"""A comparison that may take only so long: which runs start, what the record says of the others, and how it goes on."""

import functools
import importlib

import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison.execution import engines
from keras_lr.comparison.planning.budget import Budget, runs_to_start
from keras_lr.comparison.planning.cost import Cost, cost_of_a_run, updates_per_epoch
from keras_lr.comparison.planning.plan import build_plan
from keras_lr.comparison.views.figures import figure_of
from keras_lr.comparison.views.page import page_of
from tests.comparison.stored import X, Y, build_line, compare

compare_module = importlib.import_module("keras_lr.comparison.compare")  # the package has the function under this name
RATES = {"learning_rates": [0.1, 0.01], "seeds": 3, "engine": "sequential"}
EACH = 10.0  # seconds of a run, by the clock of the tests


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """A clock by which each run takes ten seconds, and is expected to."""
    clock, own = Clock(), engines.execute_run

    def execute_run(*arguments):
        clock.now += EACH
        return own(*arguments)

    monkeypatch.setattr(engines, "execute_run", execute_run)
    monkeypatch.setattr(compare_module, "Budget", functools.partial(Budget, clock=clock))
    monkeypatch.setattr(compare_module, "cost_of_a_run", lambda plan, build: Cost(0.0, EACH / plan.epochs, 0.0))
    return clock


@pytest.mark.once
def test_no_run_starts_that_is_expected_to_end_too_late(clock):
    result = compare(**RATES, budget_seconds=35.0)
    assert clock.now == 30.0
    assert [[one.outcome for one in case.runs] for case in result.cases] == [
        ["finished", "finished", "not run"],
        ["finished", "not run", "not run"],
    ]
    assert (result.not_run, result.cases[0].not_run, result.cases[1].not_run) == (3, 1, 2)
    assert result.budget_seconds == 35.0


@pytest.mark.once
def test_the_statistics_use_the_seeds_that_all_cases_have(clock):
    result, whole = compare(**RATES, budget_seconds=35.0), compare(**{**RATES, "seeds": 1})
    assert [case.mean for case in result.cases] == [case.mean for case in whole.cases]
    assert [one.counts for one in result.cases[0].runs] == [True, False, True]
    assert result.cases[0].runs[1].score is not None
    assert result.cases[0].scores.keys() == {0}
    assert result.reason == whole.reason
    assert result.warnings[0] == (
        "The budget of 35 s left out 3 of 6 runs. With a store, a later call executes them; the statistics use the "
        "seeds that all cases have."
    )


@pytest.mark.once
def test_two_shared_seeds_have_an_interval(clock):
    result = compare(**RATES, budget_seconds=50.0)
    assert all(set(case.scores) == {0, 1} and case.interval is not None for case in result.cases)
    assert "as its mean over 2 seeds" in result.reason


@pytest.mark.once
def test_with_a_store_a_later_call_makes_the_others(clock, tmp_path):
    whole = compare(**RATES)
    path = tmp_path / "runs.sqlite"
    first = compare(path, **RATES, budget_seconds=35.0)
    assert "The same call with this store executes them" in first.warnings[0]
    before = clock.now
    assert compare(path, **RATES, budget_seconds=1000.0) == whole
    assert clock.now == before + 30.0


@pytest.mark.once
def test_a_budget_for_less_than_the_first_seed(clock):
    result = compare(**{**RATES, "learning_rates": [0.001, 0.1]}, budget_seconds=15.0)
    made, unmade = result.cases
    assert (result.best.name, result.verdict(unmade), unmade.p_best) == ("lr 0.001", "not run", None)
    assert unmade not in result.indistinguishable
    assert result.ranked[-1] is unmade
    assert result.warnings[0].endswith("; not all cases have a run.")
    assert len(result.warnings) == 1  # one rate that was tried has no edge
    assert made.scores.keys() == {0}


@pytest.mark.once
def test_a_budget_for_nothing(clock, tmp_path):
    result = compare(**RATES, budget_seconds=5.0)
    assert clock.now == 0.0
    assert (result.best, result.not_run) == (None, 6)
    assert result.reason == "No run was executed: the budget is 5 s, and a run is expected to take 10 s."
    assert result.engine_reason.startswith("The runs are trained one after the other")
    left, right = figure_of(result).panels
    assert (left.title, right.title) == ("No run was trained", "No run was trained")
    result.save(tmp_path / "a.json")
    assert klr.Comparison.load(tmp_path / "a.json") == result
    assert set(result.table()["not_run"]) == {3}
    result.stability(), result.sensitivity()


@pytest.mark.once
def test_it_is_shown(clock):
    result = compare(**{**RATES, "learning_rates": [0.1, 0.01, 0.001]}, budget_seconds=25.0)
    assert [result.row(case).texts[-2:] for case in result.ranked] == [
        ["0 of 1, 2 not run", "best"],
        ["0 of 1, 2 not run", "indistinguishable"],
        ["3 not run", "not run"],
    ]
    left, right = figure_of(result).panels
    assert left.title == "1 of 3 seeds, no interval"
    (strokes,) = [points for points in right.points if points.marker == "|"]
    assert (strokes.x, strokes.y, strokes.label) == ([0.001], [right.y_limits[0]], "not run, 1 case")
    page = page_of(result)
    assert "25 s" in page and "The budget of 25 s left out 7 of 9 runs." in page


@pytest.mark.once
def test_the_population_gets_whole_seeds(monkeypatch):
    """As many runs at once as are expected to end in time."""
    clock, asked = Clock(), []

    class Together:
        name, reason, separable = "population", "", False

        def __init__(self, plan, build):
            self._alone = engines.SequentialEngine(plan, build, "")

        def runs(self, keys):
            asked.append(len(keys))
            clock.now += 2.0 + 0.5 * len(keys)
            yield from self._alone.runs(keys)

    monkeypatch.setattr(compare_module, "Budget", functools.partial(Budget, clock=clock))
    monkeypatch.setattr(compare_module, "cost_of_a_run", lambda plan, build: Cost(4.0, 1.0, 0.0))
    own = compare_module.prepare

    def prepare(*arguments):
        ready = own(*arguments)
        object.__setattr__(ready, "engine", Together(ready.plan, ready.template.build))
        return ready

    monkeypatch.setattr(compare_module, "prepare", prepare)
    result = compare(learning_rates=[0.1, 0.01, 0.001], seeds=6, budget_seconds=19.0)
    assert (asked, result.not_run) == ([3, 12, 3], 0)
    assert clock.now == 15.0


@pytest.mark.once
@pytest.mark.parametrize("allowed", [0, 1, 2, 3, 4, 7, 11, 100, float("inf")])
@pytest.mark.parametrize("first", [1, 3])
def test_a_portion_is_a_part_of_the_first_seed_or_whole_seeds(allowed, first):
    missing = 9 + first
    count = runs_to_start(allowed, missing, first, 3, False)
    assert count <= allowed and (count <= first or (count - first) % 3 == 0)
    assert allowed - count < 3 or count == missing
    assert runs_to_start(allowed, missing, first, 3, True) == (missing if allowed == float("inf") else min(allowed, 1))


@pytest.mark.once
def test_what_runs_took_corrects_what_was_expected():
    clock = Clock()
    budget = Budget(100.0, clock)
    assert budget.allows(5) == 1  # nothing is known: one is tried
    budget.estimate(Cost(2.0, 1.0, 0.1))
    assert (budget.expected(8), budget.allows(8)) == (10.0, 10)
    budget.learn(5.0, 1, 8)  # half of what was expected
    assert (budget.expected(8), budget.expected(3)) == (5.0, 2.5)
    budget.learn(1.5, 1, 1)  # a run that was cut after an epoch counts for as much
    assert budget.expected(8) == 5.0
    clock.now = 94.0
    assert budget.allows(8) == 1
    clock.now = 96.0
    assert budget.allows(8) == 0


def _planned(**changed):
    data = {"x": X, "y": Y, "sample_weight": None, "class_weight": None, "validation_data": None}
    data |= {"validation_split": 0.2}
    named = {"learning_rates": [0.1], "schedules": None, "optimizers": None, "seeds": 1, "epochs": 3, "batch_size": 8}
    return build_plan(build_line, data, **{**named, **changed}, metric="loss", mode="auto")


def test_a_run_is_timed_without_a_trace():
    before = np.random.random(), np.random.get_state()[1].tolist()
    plan = _planned(schedules={"fall": klr.Cosine(1.0, 0.0, "100%")})
    cost = cost_of_a_run(plan, build_line)
    assert np.random.get_state()[1].tolist() == before[1]
    assert updates_per_epoch(plan) == 4
    assert cost.fixed > 0.0 and cost.epoch >= 4 * cost.update > 0.0
    assert cost.seconds(3) == cost.fixed + 3 * cost.epoch


@pytest.mark.once
def test_a_model_that_cannot_be_trained_is_not_timed():
    def broken():
        raise LookupError("no")

    assert cost_of_a_run(_planned(), broken) is None


@pytest.mark.once
@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), "10min", True, float("inf")])
def test_a_budget_is_a_number_above_0(seconds):
    with pytest.raises(klr.ArgumentError) as caught:
        compare(budget_seconds=seconds)
    assert str(caught.value) == (
        f"compare(budget_seconds={seconds!r}): budget_seconds must be a number above 0. "
        "Pass seconds, for example 600, or None for no limit."
    )


def test_a_real_budget_ends_a_real_comparison():
    """By the machine's own clock: what was made and what was not are all that was planned, and it is a record."""
    result = compare(learning_rates=[0.1, 0.01], seeds=400, budget_seconds=1.5, engine="sequential")
    made = sum(one.outcome == "finished" for case in result.cases for one in case.runs)
    assert made + result.not_run == 800 and result.not_run > 0
