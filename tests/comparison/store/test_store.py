"""The store: what is put in comes out, the same call goes on, and another is refused."""

import contextlib
import dataclasses

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison.execution import engines
from keras_lr.comparison.measured import RunKey
from keras_lr.comparison.planning import reference_model
from keras_lr.comparison.store import schema
from keras_lr.comparison.store.identity import difference
from keras_lr.comparison.store.store import Store
from tests.comparison.stored import (
    KEYS,
    PLAN,
    RUNS,
    SHORT,
    Stop,
    X,
    Y,
    build_line,
    compare,
    made,
    measured,
    same,
    stored,
)

pytestmark = pytest.mark.once


def after(count, error, monkeypatch):
    """Lets an error be raised in place of the run after `count` ones; returns the cases and seeds that were trained."""
    own, trained = engines.execute_run, []

    def execute_run(plan, key, *arguments):
        if len(trained) == count:
            raise error
        trained.append((plan.cases[key.case].name, key.seed))
        return own(plan, key, *arguments)

    monkeypatch.setattr(engines, "execute_run", execute_run)
    return trained


# What is put in comes out


def test_runs_come_out_as_they_were_put_in(tmp_path):
    path = made(tmp_path / "runs.sqlite")
    found = dict(stored(path))
    assert list(found) == KEYS
    assert all(same(found[key], RUNS[key]) for key in KEYS)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["runs.sqlite"]


@pytest.mark.parametrize("values", [[], [0.1, np.inf, -np.inf, np.nan], [0.5, 1e39], [1 / 3, 5e-324], [0.5] * 3])
def test_numbers_are_kept_to_the_last_bit(values):
    assert repr(schema.unpack(*schema.pack(values))) == repr(tuple(float(value) for value in values))


def test_a_run_that_failed_is_replaced_and_one_that_is_done_is_known(tmp_path):
    path = made(tmp_path / "runs.sqlite")
    with contextlib.closing(Store(path, PLAN)) as store:
        assert set(KEYS) - set(store.runs) == {RunKey(0, 1, 3)}
        store.write(RunKey(0, 1, 3), measured(0, 3))
    found = stored(path)
    assert sorted(key for key, _ in found) == sorted(KEYS)
    assert same(dict(found)[RunKey(0, 1, 3)], measured(0, 3))


# The same call goes on


@pytest.fixture(scope="module")
def undisturbed():
    return compare()


def test_a_comparison_with_a_store_is_one_without(tmp_path, undisturbed):
    path = tmp_path / "runs.sqlite"
    assert compare(path) == undisturbed
    assert sorted(one.name for one in tmp_path.iterdir()) == ["runs.sqlite", "runs.sqlite.lock"]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_it_goes_on_where_it_stopped(tmp_path, undisturbed, monkeypatch, count):
    path = tmp_path / "runs.sqlite"
    with monkeypatch.context() as patch, pytest.raises(Stop):
        after(count, Stop(), patch)
        compare(path)
    trained = after(-1, None, monkeypatch)
    assert compare(str(path)) == undisturbed
    assert len(trained) == 6 - count
    assert compare(path) == undisturbed
    assert len(trained) == 6 - count
    assert len(stored(path)) == 6


def test_after_ctrl_c_finished_runs_are_kept_and_lines_go_on(tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        after(2, KeyboardInterrupt(), patch)
        compare(tmp_path / "runs.sqlite")
    assert len(stored(tmp_path / "runs.sqlite")) == 2
    compare(tmp_path / "runs.sqlite", verbose=1)
    assert capsys.readouterr().err.splitlines()[0].startswith("[3/6] lr 1e+38, seed 0: diverged")


@pytest.mark.slow
def test_failed_runs_are_tried_again(tmp_path, undisturbed, monkeypatch):
    path = tmp_path / "runs.sqlite"
    with monkeypatch.context() as patch:
        own, calls = reference_model.Template._call, []

        def call(probe):
            calls.append(None)
            if len(calls) == 3:
                raise klr.UserCodeError("compare: build_model raised MemoryError: ") from MemoryError()
            return own(probe)

        patch.setattr(reference_model.Template, "_call", call)
        first = compare(path)
    assert [one.failed for one in first.cases] == [0, 1, 0]
    assert first.cases[1].runs[0].error.startswith("out of memory: MemoryError")
    trained = after(-1, None, monkeypatch)
    assert compare(path) == undisturbed
    assert trained == [("lr 0.01", 0)]


def test_all_cases_failing_is_raised_again_and_mended(tmp_path, undisturbed):
    path, broken = tmp_path / "runs.sqlite", [True]

    def build_model():
        model = build_line()
        if broken[0]:
            model.train_step = lambda *_: 1 / 0
        return model

    for _ in range(2):
        with pytest.raises(klr.UserCodeError, match="every case raised, the first ZeroDivisionError"):
            compare(path, build_model)
    broken.clear()
    broken.append(False)
    mended = compare(path, build_model)
    assert dataclasses.replace(mended, template="build_line") == undisturbed


def test_names_that_keras_numbers_do_not_make_it_another_plan(tmp_path):
    def build_model():
        model = build_line()
        model.compile("sgd", "mse", metrics=[keras.metrics.Recall()], run_eagerly=True)
        return model

    arguments = {"metric": "recall", "learning_rates": [0.1, 0.01]}
    first = compare(tmp_path / "runs.sqlite", build_model, **arguments)
    build_model()
    keras.metrics.Recall()
    again = compare(tmp_path / "runs.sqlite", build_model, **arguments)
    assert again.metric != first.metric
    assert [one.scores for one in again.cases] == [one.scores for one in first.cases]


# Another plan is refused


def wide():
    model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(2), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    return model


def absolute():
    model = build_line()
    model.compile("sgd", "mae", run_eagerly=True)
    return model


OTHER = Y.copy()
OTHER[7] += 1e-6


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"epochs": 3}, "epochs is 2 there and 3 here"),
        ({"seeds": 3}, "seeds is [0, 1] there and [0, 1, 2] here"),
        ({"batch_size": 8}, "batch_size is None there and 8 here"),
        ({"mode": "max"}, "mode is 'min' there and 'max' here"),
        ({"learning_rates": [0.1, 1e38]}, "the case 'lr 0.01' only there"),
        ({"learning_rates": [0.1, 0.01, 1e38, 0.5]}, "the case 'lr 0.5' only here"),
        ({"learning_rates": [0.01, 0.1, 1e38]}, "the cases are in another order"),
        ({"build_model": wide}, "model.config.layers is "),
        ({"build_model": absolute}, "model.compiled.loss is 'mse' there and 'mae' here"),
        ({"class_weight": {0: 1.0, 1: 2.0}}, "class_weight is None there and "),
        ({"validation_split": 0.2}, "validation_split is 0.0 there and 0.2 here"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_another_plan_is_refused_before_any_training(tmp_path, monkeypatch, changed, said):
    path = tmp_path / "runs.sqlite"
    trained = after(1, Stop(), monkeypatch)
    with pytest.raises(Stop):
        compare(path)
    with pytest.raises(klr.ArgumentError) as caught:
        compare(path, **changed)
    assert str(caught.value).startswith(f"compare(store='{path}'): it holds another plan: ")
    assert said in str(caught.value)
    assert str(caught.value).endswith(". Pass another path, or the arguments of the plan in it.")
    assert len(trained) == 1


def test_other_data_is_refused(tmp_path, monkeypatch):
    after(0, Stop(), monkeypatch)
    with pytest.raises(Stop):
        compare(tmp_path / "a.sqlite")
    for data, said in [((X, OTHER), "y has other values"), ((X[:30], Y[:30]), "x.array is 'float32 (40, 3)' there")]:
        with pytest.raises(klr.ArgumentError, match="it holds another plan") as caught:
            klr.compare(build_line, *data, **SHORT, store=tmp_path / "a.sqlite")
        assert said in str(caught.value)


def test_a_difference_in_many_places_is_cut_short():
    cases = [{"name": "a", "optimizer": {"momentum": 0.0}}]
    there = {"cases": cases, "epochs": 1, "seeds": [0], "mode": "min", "metric": "loss", "batch_size": 8}
    here = {"cases": [{"name": "a", "optimizer": {"momentum": 0.9}}], "epochs": 2, "seeds": [1]}
    assert difference(there, there) == ""
    assert difference(there, here) == (
        "case 'a'.optimizer.momentum is 0.0 there and 0.9 here; batch_size is 8 there and None here; "
        "epochs is 1 there and 2 here; metric is 'loss' there and None here; 2 more"
    )
