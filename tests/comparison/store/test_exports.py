"""A store's runs for other programs, and the runs of a damaged store saved."""

import contextlib
import csv
import sys

import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison.measured import RunKey
from keras_lr.comparison.store import exports, salvage
from keras_lr.comparison.store.store import Store
from tests.comparison.stored import KEYS, PLAN, RUNS, made, measured, same, stored

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return made(tmp_path_factory.mktemp("store") / "runs.sqlite")


@pytest.fixture(scope="module")
def contents(whole):
    return salvage.contents_of(whole)


def test_what_is_in_a_whole_store(contents):
    assert contents.problems == ()
    assert (contents.planned, len(contents.runs)) == (12, 12)
    assert contents.outcomes == {"finished": 7, "diverged": 4, "failed": 1}
    assert contents.runs[0].versions["keras-lr"] == klr.__version__


def test_csv_has_every_number(contents, tmp_path):
    exports.export(contents, tmp_path / "runs.csv", "csv")
    with (tmp_path / "runs.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == exports.COLUMNS
    own = [row for row in rows if row[:1] == ["lr 0.01"] and row[3] == "2" and row[5:7] == ["epoch", "val_loss"]]
    assert [float(row[8]) for row in own] == list(RUNS[RunKey(0, 1, 2)].run.history["val_loss"])
    assert [row[7] for row in own] == ["0", "1", "2"]
    assert len([row for row in rows if row[5:7] == ["update", "loss"]]) == 9 * 5
    assert {row[4] for row in rows if row[0] == "lr 10.0"} == {"diverged"}


def test_tensorboard_has_a_folder_a_run_without_tensorflow(contents, tmp_path):
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    exports.export(contents, tmp_path / "runs", "tensorboard")
    files = sorted((tmp_path / "runs").rglob("events*"))
    assert len(files) == 12
    assert str(files[0].relative_to(tmp_path / "runs").parent) == "000 lr 0.1/seed 0"
    found = {}
    for event in EventFileLoader(str(tmp_path / "runs" / "001 lr 0.01" / "seed 2" / files[0].name)).Load():
        for value in event.summary.value:
            if value.tensor.float_val:
                found.setdefault(value.tag, []).append((event.step, value.tensor.float_val[0]))
    assert set(found) == {"epoch/loss", "epoch/val_loss", "update/learning_rate", "update/loss"}
    expected = [(step, np.float32(value)) for step, value in enumerate(RUNS[RunKey(0, 1, 2)].run.history["loss"])]
    assert found["epoch/loss"] == expected


def test_parquet_reads_back_equal(contents, tmp_path):
    """Every number with its bits, and every text, as rows are in the store."""
    import pandas

    exports.export(contents, tmp_path / "runs.parquet", "parquet")
    table = pandas.read_parquet(tmp_path / "runs.parquet")
    rows = list(exports.rows_of(contents))
    assert tuple(table.columns) == exports.COLUMNS
    assert len(table) == len(rows) > 100
    for column, values in zip(exports.COLUMNS, zip(*rows, strict=True), strict=True):
        if column in ("learning_rate", "value"):
            assert np.array_equal(table[column].to_numpy(), np.array(values, np.float64), equal_nan=True)
        else:
            assert table[column].tolist() == list(values)


def test_an_optuna_study_has_every_run_with_its_values(contents, tmp_path):
    import optuna

    exports.export(contents, tmp_path / "study.db", "optuna")
    study = optuna.load_study(study_name="keras-lr", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    trials = {(trial.params["case"], trial.params["seed"]): trial for trial in study.trials}
    assert len(study.trials) == len(trials) == 12
    for key, measured_run in RUNS.items():
        trial, run = trials[PLAN["cases"][key.case]["name"], key.seed], measured_run.run
        finished = run.outcome == "finished"
        state = optuna.trial.TrialState.COMPLETE if finished else optuna.trial.TrialState.FAIL
        assert (trial.state, trial.user_attrs["outcome"]) == (state, run.outcome)
        assert trial.user_attrs["learning_rate"] == PLAN["cases"][key.case]["learning_rate"]
        if finished:
            assert trial.value == run.history["loss"][-1]
            assert trial.intermediate_values == dict(enumerate(run.history["loss"]))
    best = min(one.run.history["loss"][-1] for one in RUNS.values() if one.run.outcome == "finished")
    assert study.best_value == best


@pytest.mark.parametrize(
    ("kind", "package"), [("parquet", "pyarrow"), ("optuna", "optuna"), ("tensorboard", "tensorboard")]
)
def test_a_library_that_is_missing_is_named_with_its_line(contents, tmp_path, monkeypatch, kind, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(klr.MissingExtraError, match=rf'needs {package}, .* Run: pip install "keras-lr\[{kind}\]"'):
        exports.export(contents, tmp_path / "out", kind)
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(contents, tmp_path):
    (tmp_path / "runs.csv").write_text("mine")
    with pytest.raises(klr.ArgumentError, match="the path exists. Pass a new one"):
        exports.export(contents, tmp_path / "runs.csv", "csv")
    with pytest.raises(klr.ArgumentError, match="the file exists. Pass a new path"):
        salvage.salvage(contents, tmp_path / "runs.csv")


# Damage


def damaged(whole, path, rng):
    """A copy that is cut off, or has some bytes flipped, behind its first page."""
    data = bytearray(whole.read_bytes())
    if rng.random() < 0.3:
        data = data[: rng.integers(4096, len(data))]
    else:
        for place in rng.integers(4096, len(data), size=rng.integers(1, 6)):
            data[place] ^= 1 << rng.integers(8)
    path.write_bytes(data)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_called_whole_is_whole_and_a_salvaged_store_goes_on(whole, tmp_path, seed):
    rng, rescued = np.random.default_rng(seed), 0
    for turn in range(15):
        broken, new = tmp_path / f"{turn}.sqlite", tmp_path / f"{turn} new.sqlite"
        damaged(whole, broken, rng)
        before = broken.read_bytes()
        found = salvage.contents_of(broken)
        assert broken.read_bytes() == before
        assert all(same(one.measured, RUNS[one.key]) for one in found.runs)
        assert found.problems or len(found.runs) == 12
        if found.plan is None:
            with pytest.raises(klr.StoreError, match="its plan can't be read"):
                salvage.salvage(found, new)
            continue
        salvage.salvage(found, new)
        assert len(salvage.contents_of(new).runs) == len(found.runs)
        made(new, [key for key in KEYS if key not in dict(stored(new))], PLAN)
        assert sorted(key for key, _ in stored(new)) == sorted(KEYS)
        rescued += len(found.runs)
    assert rescued > 40


def test_one_flipped_byte_loses_no_plan_and_one_run_at_most(whole, tmp_path):
    data = bytearray(whole.read_bytes())
    points = np.asarray(RUNS[RunKey(0, 1, 2)].run.history["val_loss"]).tobytes()
    data[data.index(points) + 3] ^= 8
    data[data.index(b'"cases"') + 1] ^= 8
    (tmp_path / "runs.sqlite").write_bytes(data)
    found = salvage.contents_of(tmp_path / "runs.sqlite")
    assert found.plan == PLAN
    assert set(KEYS) - {one.key for one in found.runs} == {RunKey(0, 1, 2)}
    assert found.problems == ("1 of 12 runs in it can't be read",)


def test_of_a_store_that_was_cut_off_the_runs_before_are_whole(tmp_path):
    with contextlib.closing(Store(tmp_path / "runs.sqlite", PLAN)) as store:
        for key in KEYS:
            store.write(key, measured(key.case, key.seed, 3000))
    data = (tmp_path / "runs.sqlite").read_bytes()
    (tmp_path / "runs.sqlite").write_bytes(data[: int(0.7 * len(data))])
    found = salvage.contents_of(tmp_path / "runs.sqlite")
    assert [one.key for one in found.runs] == KEYS[: len(found.runs)]
    assert 6 <= len(found.runs) < 12
    assert len(found.problems) > 1


def test_a_store_that_is_being_written_can_be_looked_at(tmp_path):
    path = tmp_path / "runs.sqlite"
    store = Store(path, PLAN)
    store.write(KEYS[0], RUNS[KEYS[0]])
    assert (len(salvage.contents_of(path).runs), salvage.contents_of(path).problems) == (1, ())
    store.write(KEYS[1], RUNS[KEYS[1]])
    assert len(salvage.contents_of(path).runs) == 2
    store.close()


def test_no_file_and_an_empty_file(tmp_path):
    with pytest.raises(klr.ArgumentError, match="the file does not exist"):
        salvage.contents_of(tmp_path / "runs.sqlite")
    (tmp_path / "runs.sqlite").touch()
    assert salvage.contents_of(tmp_path / "runs.sqlite").problems == ("it is empty",)
