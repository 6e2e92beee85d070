"""`keras-lr find` on a user's own file."""

from __future__ import annotations

import dataclasses
import json

import pytest

import keras_lr as klr
from keras_lr.finder.deciding.lengths import RateByLength
from keras_lr.finder.measuring.cost import FindCost
from keras_lr_cli.commands.find import rows

STREAM = """
import keras
import numpy as np
from train import build_model


def load_data():
    def batches():
        order = np.random.default_rng(0)
        while True:
            x = order.normal(size=(64, 4)).astype("float32")
            yield x, x @ np.array([1.0, -2.0, 0.5, 0.0], "float32")

    return {"x": batches}
"""
OWN = ("find", "train.py:build_model", "--data", "train.py:load_data", "--batch-size", "64")


def test_for_people(quick):
    ran = quick(*OWN)
    assert ran.code == 0, ran.err
    for word in ("learning rate", "interval", "reason"):
        assert word in ran.out
    assert ran.err == ""


@pytest.mark.once
def test_as_json_in_a_process_of_its_own(keras_lr, folder):
    before = sorted(path.name for path in folder.iterdir())
    ran = keras_lr(*OWN, "--json")
    assert ran.code == 0, ran.err
    assert ran.err == "the user's own print\n"
    low, high = ran.document["interval"]
    assert 1e-7 < low < ran.document["learning_rate"] < high < 10.0
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == before


@pytest.mark.once
def test_files_and_a_rule(quick, here):
    ran = quick(*OWN, "--rule", "valley", "--plot", "lr.png", "--save", "found.json", "--json")
    assert ran.code == 0, ran.err
    assert (here / "lr.png").read_bytes().startswith(b"\x89PNG")
    result = klr.FindResult.load(here / "found.json")
    assert result.learning_rate == ran.document["learning_rate"]
    assert ran.document["suggestion"] == {
        "rule": "valley",
        "learning_rate": result.suggest("valley").learning_rate,
        "reason": result.suggest("valley").reason,
    }


@pytest.mark.once
def test_options_reach_the_function(quick, monkeypatch):
    got = {}

    def find(model, **arguments):
        got.update(arguments, compiled=model.compiled)
        return klr.FindResult(0.01, (0.005, 0.02), "it falls", "diverged", (), (), ())

    monkeypatch.setattr(klr, "find", find)
    words = [
        "--batch-size",
        "8",
        "--min-lr",
        "1e-4",
        "--max-lr",
        "1",
        "--steps",
        "50",
        "--repeats",
        "2",
        "--ramp",
        "linear",
        "--sprint-steps",
        "40",
        "--verify",
        "300",
        "--group",
        "adam",
        "--epochs",
        "30",
        "--steps-per-epoch",
        "16",
    ]
    ran = quick(*OWN[:4], *words, "--seed", "5", "--schedule", "Cosine(1.0, 0.0, '100%')")
    assert ran.code == 0, ran.err
    assert got.pop("x").shape == (1024, 4)
    assert got.pop("y").shape == (1024,)
    assert got.pop("schedule") == klr.Cosine(1.0, 0.0, "100%")
    assert got.pop("verbose") == "auto"
    assert got.pop("compiled")
    assert got == {
        "batch_size": 8,
        "min_lr": 1e-4,
        "max_lr": 1.0,
        "steps": 50,
        "repeats": 2,
        "ramp": "linear",
        "sprint_steps": 40,
        "critical": False,
        "group": "adam",
        "epochs": 30,
        "steps_per_epoch": 16,
        "verify": 300,
        "seed": 5,
    }
    assert "0.005 to 0.02" in ran.out


@pytest.mark.once
def test_the_defaults_are_those_of_the_function(quick, monkeypatch):
    got = {}

    def find(model, **arguments):
        got.update(arguments)
        return klr.FindResult(0.01, (0.005, 0.02), "it falls", "diverged", (), (), ())

    monkeypatch.setattr(klr, "find", find)
    assert quick(*OWN).code == 0
    assert {name: got[name] for name in ("epochs", "steps_per_epoch", "repeats", "sprint_steps")} == dict.fromkeys(
        ("epochs", "steps_per_epoch", "repeats", "sprint_steps")
    )


@pytest.mark.once
def test_the_answer_is_for_the_length_that_is_named(quick, here):
    ran = quick(*OWN, "--epochs", "200", "--save", "found.json", "--json")
    assert ran.code == 0, ran.err
    result = klr.FindResult.load(here / "found.json")
    assert ran.document["steps"] == 3200  # 1,024 rows in batches of 64
    assert ran.document["longer"] == {"steps": 32_000, "learning_rate": result.rate_for(32_000)}
    assert ran.document["longer"]["learning_rate"] < ran.document["learning_rate"]
    assert ran.document["cost"] == result.cost.updates


@pytest.mark.once
def test_the_table_names_the_length_the_longer_training_and_the_cost(quick):
    by_length = RateByLength((25, 100), (0.02, 0.02), 100.0, 0.02, -0.3, 0.1)
    answer = klr.FindResult(by_length.rate_for(3000), (0.001, 0.1), "it falls", "diverged", (), (), ())
    found = dataclasses.replace(answer, by_length=by_length, steps=3000, cost=FindCost(86, 410))
    shown = rows(found)
    assert list(shown)[:4] == ["learning rate", "interval", "for", "10 times as long"]
    assert shown["for"] == "3,000 updates"
    assert shown["10 times as long"] == by_length.rate_for(30_000)
    assert shown["cost"] == "496 updates"
    refused = dataclasses.replace(found, learning_rate=None, interval=None, by_length=None)
    assert rows(refused)["for"] is rows(refused)["10 times as long"] is None


@pytest.mark.once
def test_a_length_without_that_of_an_epoch_asks_for_the_option(quick, here):
    (here / "stream.py").write_text(STREAM)
    ran = quick("find", "stream.py:build_model", "--data", "stream.py:load_data", "--epochs", "3")
    assert ran.code == 2
    assert ran.err.splitlines()[-1] == (
        "error: find(epochs=3): the data has no length. Pass --steps-per-epoch, the updates of an epoch."
    )
    ran = quick(
        "find",
        "stream.py:build_model",
        "--data",
        "stream.py:load_data",
        "--epochs",
        "3",
        "--steps-per-epoch",
        "300",
        "--json",
    )
    assert ran.document["steps"] == 900


@pytest.mark.once
def test_the_critical_rate_is_told_where_it_is_asked_for(quick):
    ran = quick(*OWN, "--critical", "--json")
    assert ran.code == 0, ran.err
    low, high = ran.document["critical"]["interval"]
    assert low <= ran.document["critical"]["learning_rate"] <= high
    assert ran.document["warmup_steps"] >= 0
    assert "warm-up" in quick(*OWN, "--critical").out
    ran = quick(*OWN, "--json")
    assert ran.document["critical"] is ran.document["warmup_steps"] is None


@pytest.mark.once
def test_every_rule_can_be_asked_for(quick):
    for rule in ("lightning", "lightning_before", "torch_lr_finder", "ignite"):
        ran = quick(*OWN, "--rule", rule, "--json", "--repeats", "1")
        assert 1e-7 <= ran.document["suggestion"]["learning_rate"] <= 10.0


@pytest.mark.once
def test_the_dict_has_the_batch_size_and_the_rest_is_told(quick, monkeypatch):
    got = {}

    def find(model, **arguments):
        got.update(arguments)
        return klr.FindResult(0.01, None, "it falls", "diverged", (), (), ())

    monkeypatch.setattr(klr, "find", find)
    ran = quick("find", "train.py:build_model", "--data", "train.py:load_dict")
    assert got["batch_size"] == 16
    assert "note: find has no use for epochs, callbacks, validation_split in the data's dict" in ran.err


@pytest.mark.once
def test_verified_by_short_trainings(quick):
    ran = quick(*OWN, "--verify", "200", "--sprint-steps", "0", "--json")
    assert ran.code == 0, ran.err
    verified = ran.document["verified"]
    assert verified["learning_rate"] == ran.document["learning_rate"]
    assert verified["updates"] <= 200
    assert len(verified["trials"]) >= 6


@pytest.mark.once
@pytest.mark.parametrize("as_json", [False, True])
def test_no_answer_is_1_with_the_reason(quick, as_json):
    ran = quick(*OWN, "--min-lr", "1e-12", "--max-lr", "1e-10", *["--json"] * as_json)
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("no answer: ")
    if as_json:
        assert json.loads(ran.out)["learning_rate"] is None
        assert json.loads(ran.out)["reason"]


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("train.py:nosuch", "--data", "train.py:load_data"),
            "error: find(model='train.py:nosuch'): train.py has no 'nosuch'.",
        ),
        (
            ("train.py:build_model", "--data", "gone.py:load"),
            "error: find(data='gone.py:load'): the file gone.py does not exist.",
        ),
        (("train.py:not_compiled", "--data", "train.py:load_data"), "the model is not compiled."),
        ((*OWN[1:], "--min-lr", "1", "--max-lr", "0.1"), "min_lr"),
        ((*OWN[1:], "--rule", "nosuch"), "rule"),
        ((*OWN[1:], "--ramp", "nosuch"), "ramp"),
        ((*OWN[1:], "--batch-size", "5000"), "batch_size"),
        ((*OWN[1:], "--epochs", "0"), "'--epochs'"),
        ((*OWN[1:], "--schedule", "Cosine"), "Cosine needs its arguments"),
        ((*OWN[1:], "--plot", "no/lr.png"), "error: find(plot='no/lr.png'): the folder no does not exist."),
    ],
)
def test_bad_arguments_are_2(quick, words, message):
    ran = quick("find", *words)
    assert ran.code == 2, ran.err
    assert message in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.once
def test_a_factory_that_raises_is_3_with_its_traceback(quick):
    ran = quick("find", "train.py:fails", "--data", "train.py:load_data", "--json")
    assert ran.code == 3
    assert ran.err.index("Traceback") < ran.err.index("in fails") < ran.err.index("in deeper")
    assert "user_code.py" not in ran.err
    assert "LookupError: the column price is missing" in ran.err
    message = (
        "find(model='train.py:fails'): fails raised LookupError: the column price is missing. Its traceback says where."
    )
    assert ran.err.splitlines()[-1] == f"error: {message}"
    assert ran.document == {"error": message, "exit_code": 3}
