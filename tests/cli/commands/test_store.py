"""`keras-lr compare --store`, `keras-lr store check` and `keras-lr store export`, and their exit codes."""

from __future__ import annotations

import sys

import pytest

from tests.comparison.stored import made, stored

pytestmark = pytest.mark.once

OWN = ("compare", "train.py:build_model", "--data", "train.py:load_split", "--store", "runs.sqlite", "--json")
SHORT = ("--learning-rates", "0.01,0.0001", "--seeds", "1", "--epochs")


def test_a_comparison_goes_on_and_another_is_refused(quick, here):
    first = quick(*OWN, *SHORT, "1")
    assert first.code == 0, first.err
    assert len(stored(here / "runs.sqlite")) == 2
    again = quick(*OWN, *SHORT, "1")
    answer = {
        name: value for name, value in first.document.items() if name != "engine_reason"
    }  # names the runs of this call
    assert {name: again.document[name] for name in answer} == answer
    other = quick(*OWN, *SHORT, "2")
    assert other.code == 2
    assert "compare(store='runs.sqlite'): it holds another plan: epochs is 1 there and 2 here." in other.err
    assert quick("store", "check", "runs.sqlite").code == 0


def test_a_whole_store_is_0(quick, here):
    made(here / "runs.sqlite")
    ran = quick("store", "check", "runs.sqlite")
    assert ran.code == 0, ran.err
    assert "12 of 12 planned" in ran.out
    assert "7 finished, 4 diverged, 1 failed" in ran.out
    document = quick("store", "check", "runs.sqlite", "--json").document
    assert document["whole"] is True and document["problems"] == []


def test_a_damaged_store_is_1_and_is_salvaged(quick, here):
    data = made(here / "runs.sqlite").read_bytes()
    (here / "runs.sqlite").write_bytes(data[: int(0.95 * len(data))])
    ran = quick("store", "check", "runs.sqlite")
    assert ran.code == 1
    assert "keras-lr store check runs.sqlite --salvage NEW copies the " in ran.err
    ran = quick("store", "check", "runs.sqlite", "--salvage", "new.sqlite", "--json")
    assert ran.code == 1
    assert ran.document["salvaged"] == "new.sqlite"
    assert quick("store", "check", "new.sqlite").code == 0
    assert len(stored(here / "new.sqlite")) == ran.document["runs"] > 0


def test_a_file_that_is_none_at_all_is_1_and_cannot_be_salvaged(quick, here):
    (here / "runs.sqlite").write_text("case,seed\n" * 100)
    ran = quick("store", "check", "runs.sqlite")
    assert ran.code == 1
    assert "runs.sqlite is damaged: file is not a database. Nothing in it can be used." in ran.err
    ran = quick("store", "check", "runs.sqlite", "--salvage", "new.sqlite")
    assert ran.code == 3
    assert "its plan can't be read, so its runs can't be used" in ran.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("check", "nosuch"), 2, "check(store='nosuch'): the file does not exist."),
        (("check", "runs.sqlite", "--salvage", "runs.sqlite"), 2, "the file exists. Pass a new path."),
        (("check", "runs.sqlite", "--salvage", "no/a"), 2, "the folder no does not exist"),
        (("export", "nosuch", "a.csv"), 2, "export(store='nosuch'): the file does not exist."),
        (
            ("export", "runs.sqlite", "a.txt"),
            2,
            "the ending of the name gives no format. Add --to with one of csv, parquet",
        ),
        (("export", "runs.sqlite", "a.txt", "--to", "xml"), 2, "to must be one of 'csv', 'parquet'"),
        (("export", "runs.sqlite", "no/a.csv"), 2, "the folder no does not exist"),
        (("export",), 2, "Usage"),
    ],
)
def test_bad_usage(quick, here, words, code, message):
    made(here / "runs.sqlite")
    ran = quick("store", *words)
    assert ran.code == code, ran.err
    assert message in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(("out", "words"), [("a.csv", ()), ("a", ()), ("b.txt", ("--to", "csv"))])
def test_export(quick, here, out, words):
    made(here / "runs.sqlite")
    ran = quick("store", "export", "runs.sqlite", out, *words)
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"12 runs written to {out} (")
    assert (here / out).is_dir() == (out == "a")


def test_a_missing_library_is_3_with_the_line(quick, here, monkeypatch):
    made(here / "runs.sqlite")
    monkeypatch.setitem(sys.modules, "optuna", None)
    ran = quick("store", "export", "runs.sqlite", "study.db")
    assert ran.code == 3
    assert 'pip install "keras-lr[optuna]"' in ran.err
