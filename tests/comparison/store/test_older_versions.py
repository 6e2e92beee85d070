"""Files that the first version of the store and of the record wrote. They are never written again."""

import contextlib
import json
import pathlib
import sqlite3

import keras
import pytest

import keras_lr as klr
from keras_lr.comparison.measured import RunKey
from keras_lr.comparison.store import schema
from keras_lr.comparison.store.exports import rows_of
from keras_lr.comparison.store.salvage import contents_of, salvage
from keras_lr.comparison.store.store import Store
from tests.comparison.store.test_store import after
from tests.comparison.stored import Stop, compare

SAVED = pathlib.Path(__file__).parents[1] / "saved"
HALVED = {"learning_rates": [0.1, 1e-9, 2e-9, 3e-9], "seeds": 3, "epochs": 4, "prune": "halving"}
on_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="the plan in the file is one on JAX")


@pytest.fixture
def old_store(tmp_path):
    """Writes a store as the first version left it."""

    def write(name):
        path = tmp_path / "runs.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.executescript((SAVED / f"{name}.sql").read_text())
        return path

    return write


def runs_of(path):
    return [repr(one.measured) for one in contents_of(path).runs]


@on_jax
def test_a_plain_comparison_goes_on(old_store, monkeypatch):
    path, trained = old_store("plain"), after(-1, None, monkeypatch)
    before = runs_of(path)
    result = compare(path)
    assert trained == [("lr 0.01", 1), ("lr 1e+38", 1)]
    assert (len(before), len(runs_of(path))) == (4, 6)
    assert set(before) <= set(runs_of(path))
    assert [case.diverged for case in result.cases] == [0, 0, 2]
    assert compare(path) == result and len(trained) == 2


@on_jax
def test_a_halved_comparison_goes_on_in_the_rung_where_it_stopped(old_store, monkeypatch):
    path, trained = old_store("halved"), after(-1, None, monkeypatch)
    before = runs_of(path)
    assert (len(before), contents_of(path).planned, contents_of(path).open_ended) == (22, 36, True)
    result = compare(path, **HALVED)
    assert trained[:2] == [("lr 2e-09", 2), ("lr 3e-09", 2)]
    assert ("lr 0.1", 0) in trained[2:]
    assert len(runs_of(path)) == 22 + len(trained)
    assert set(before) <= set(runs_of(path))
    assert [rung.epochs for rung in result.best.rungs] == [1, 2]
    assert result.best.learning_rate == 0.1
    assert compare(path, **HALVED) == result


@on_jax
def test_another_plan_is_refused_and_no_run_is_lost(old_store):
    path = old_store("halved")
    before = runs_of(path)
    with pytest.raises(klr.ArgumentError, match="it holds another plan: .*prune is 'halving' there"):
        compare(path, **HALVED | {"prune": "divergence"})
    assert contents_of(path).problems == ()
    assert runs_of(path) == before


@pytest.mark.once
def test_a_saved_comparison_loads(tmp_path):
    result = klr.Comparison.load(SAVED / "halved.json")
    assert (result.best.name, result.best.rungs[1].epochs, len(result.best.runs)) == ("lr 0.1", 2, 3)
    assert len(result.table()) == 4
    result.save(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads((SAVED / "halved.json").read_text())


@pytest.mark.once
def test_every_run_of_an_older_store_has_its_rung_case_and_seed(old_store):
    keys = [RunKey(rung, case, seed) for rung in (1, 2) for seed in range(3) for case in range(4)]
    contents = contents_of(old_store("halved"))
    assert {one.key for one in contents.runs} == set(keys[:22])
    assert all(len(one.measured.run.history["loss"]) == one.key.rung for one in contents.runs)
    assert contents.plan["rungs"] == [1, 2]
    assert [case["name"] for case in contents.plan["cases"]] == ["lr 0.1", "lr 1e-09", "lr 2e-09", "lr 3e-09"]
    names = {row[0] for row in rows_of(contents)}
    assert {"lr 0.1, rung of 1 epochs", "lr 3e-09, rung of 2 epochs"} < names and len(names) == 8


@pytest.mark.once
@pytest.mark.parametrize("count", [0, 1, 21])
def test_a_crash_while_a_store_is_upgraded_leaves_it_as_it_was(old_store, monkeypatch, count):
    path, own, written = old_store("halved"), schema.write_run, []
    before = runs_of(path)

    def write_run(connection, stored):
        if len(written) == count:
            raise Stop
        written.append(stored)
        own(connection, stored)

    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(schema, "write_run", write_run)
        Store(path, contents_of(path).plan)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert (runs_of(path), contents_of(path).problems) == (before, ())
    with contextlib.closing(Store(path, contents_of(path).plan)) as store:
        assert len(store.runs) == 22
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    assert runs_of(path) == before


@pytest.mark.once
def test_the_whole_runs_of_a_damaged_older_store_are_salvaged(old_store, tmp_path):
    path = old_store("halved")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE curve SET points = zeroblob(length(points)) WHERE id = 3 * 1048576")
    contents = contents_of(path)
    assert contents.problems == ("1 of 22 runs in it can't be read",)
    with pytest.raises(klr.ArgumentError, match=f"it is damaged. Run keras-lr store check {path}"):
        Store(path, contents.plan)
    salvage(contents, tmp_path / "new.sqlite")
    with contextlib.closing(Store(tmp_path / "new.sqlite", contents.plan)) as store:
        assert {one.key for one in contents.runs} == set(store.runs)
