"""What a comparison would do: the figures are those of the comparison, and nothing is left behind."""

import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison import preview
from keras_lr.comparison.planning import auto_rates
from tests.comparison.stored import X, Y, build_line, compare

pytestmark = pytest.mark.once

PLAN = {"learning_rates": [0.1, 0.01], "seeds": 3, "epochs": 4, "metric": "loss", "batch_size": 8}


def test_the_figures_of_a_plan():
    told = preview(build_line, X, Y, **PLAN)
    assert (told.cases, told.seeds, told.epochs, told.runs) == (("lr 0.1", "lr 0.01"), (0, 1, 2), 4, 6)
    assert told.updates == 4 * 5
    assert told.engine == "sequential" and "run_eagerly" in told.engine_reason
    assert told.seconds > 6 * 20 * told.update_seconds > 0.0
    assert (told.store, told.stored, told.rungs, told.notes) == (None, 0, (), ())
    lines = str(told).splitlines()
    assert lines[0] == "cases   2: lr 0.1, lr 0.01"
    assert lines[3] == "runs    6, 20 updates each"
    assert lines[-1].startswith("time    about ")


def test_the_store_is_looked_at_and_left_as_it_is(tmp_path):
    path = tmp_path / "runs.sqlite"
    told = preview(build_line, X, Y, **PLAN, store=path)
    assert told.stored == 0 and not list(tmp_path.iterdir())
    compare(path, **{**PLAN, "seeds": 3}, budget_seconds=None)
    before = path.read_bytes(), sorted(one.name for one in tmp_path.iterdir())
    told = preview(build_line, X, Y, **PLAN, store=path)
    assert (told.stored, told.seconds) == (6, 0.0)
    assert told.rows["store"] == f"{path}: has 6 of 6 runs"
    assert (path.read_bytes(), sorted(one.name for one in tmp_path.iterdir())) == before
    with pytest.raises(klr.ArgumentError, match="it holds another plan: epochs is 4 there and 5 here"):
        preview(build_line, X, Y, **{**PLAN, "epochs": 5}, store=path)


def test_halving_and_budget_are_told():
    arguments = {**PLAN, "learning_rates": [10.0**-n for n in range(9)], "epochs": 9, "prune": "halving"}
    told = preview(build_line, X, Y, **arguments, budget_seconds=1e-3)
    assert told.rungs == ((1, 9), (3, 3))
    assert told.runs == 3 * (9 + 3 + 1)
    assert told.rows["epochs"] == "9 cases x 1 epochs; then 3 cases x 3 epochs; then 9"
    assert "The budget is 0.001 s: it may not be enough for all runs." in told.notes


def test_auto_asks_find_nothing(tmp_path, monkeypatch):

    def find(*args, **named):
        raise AssertionError("find was asked")

    monkeypatch.setattr(auto_rates, "find_for", find)
    arguments = {**PLAN, "learning_rates": "auto"}
    told = preview(build_line, X, Y, **arguments)
    assert (len(told.cases), told.runs) == (5, 15)
    assert told.notes[0] == "find will select the first 5 rates."


def test_no_state_of_chance_is_touched():
    before = np.random.get_state()[1].tolist()
    preview(build_line, X, Y, **PLAN)
    assert np.random.get_state()[1].tolist() == before


def test_arguments_are_those_of_compare():
    with pytest.raises(TypeError, match="unexpected keyword argument 'rates'"):
        preview(build_line, X, Y, rates=[0.1])
    with pytest.raises(klr.ArgumentError, match=r"compare\(seeds=0\)"):
        preview(build_line, X, Y, seeds=0)
    with pytest.raises(klr.ArgumentError, match=r"compare\(budget_seconds=0\)"):
        preview(build_line, X, Y, **PLAN, budget_seconds=0)
