"""`keras-lr compare` on a user's own file."""

from __future__ import annotations

import pytest

import keras_lr as klr

OWN = ("compare", "train.py:build_model", "--data", "train.py:load_split")
SHORT = ("--learning-rates", "0.01,0.0001", "--seeds", "2", "--epochs", "2")


@pytest.mark.once
def test_a_table_for_people_and_files(quick, here):
    ran = quick(*OWN, *SHORT, "--plot", "c.png", "--report", "c.html", "--save", "c.json")
    assert ran.code == 0, ran.err
    for word in ("lr 0.01", "lr 0.0001", "best", "val_loss"):
        assert word in ran.out
    assert (here / "c.png").read_bytes().startswith(b"\x89PNG")
    assert "<html" in (here / "c.html").read_text()
    assert klr.Comparison.load(here / "c.json").best.name == "lr 0.01"


def test_as_json(quick):
    ran = quick(*OWN, *SHORT, "--json")
    assert ran.code == 0, ran.err
    document = ran.document
    assert document["best"]["name"] == "lr 0.01"
    assert [row["case"] for row in document["table"]] == ["lr 0.01", "lr 0.0001"]
    assert document["seeds"] == [0, 1]
    assert document["engine"] in ("sequential", "population")
    assert document["engine_reason"]
    assert ran.err == "the user's own print\n"


@pytest.mark.once
def test_an_unknown_engine_is_2(quick):
    ran = quick(*OWN, *SHORT, "--engine", "warp")
    assert ran.code == 2
    assert "engine='warp'" in ran.err


@pytest.mark.once
def test_every_run_diverged_is_1(quick):
    ran = quick(*OWN, "--learning-rates", "1e30", "--seeds", "2", "--optimizers", "sgd", "--json")
    assert ran.code == 1, ran.err
    assert ran.document["best"] is None
    assert ran.err.splitlines()[-1] == f"no answer: {ran.document['reason']}"


@pytest.fixture
def arguments_of(quick, monkeypatch):
    """Returns the arguments that `compare` receives for the given words."""

    def run(*words):
        got = {}

        def compare(build_model, **arguments):
            got.update(arguments)
            raise klr.KerasLRError("enough")

        monkeypatch.setattr(klr, "compare", compare)
        assert quick("compare", "train.py:build_model", *words).code == 3
        return got

    return run


@pytest.mark.once
def test_options_reach_the_function(arguments_of):
    schedules = ("--schedule", "cosine=Cosine(1.0, 0.0, '100%')", "--schedule", "flat = Constant(1.0)")
    words = (
        "--optimizers",
        "adam, sgd",
        "--seeds",
        "3,5",
        "--batch-size",
        "8",
        "--metric",
        "val_mae",
        "--engine",
        "sequential",
        "--workers",
        "2",
    )
    got = arguments_of(
        "--data", "train.py:load_data", *SHORT[:2], *schedules, *words, "--validation-split", "0.2", "--epochs", "4"
    )
    assert got.pop("x").shape == (1024, 4)
    assert got.pop("y").shape == (1024,)
    assert got == {
        "engine": "sequential",
        "workers": 2,
        "prune": "divergence",
        "budget_seconds": None,
        "learning_rates": [0.01, 0.0001],
        "schedules": {"cosine": klr.Cosine(1.0, 0.0, "100%"), "flat": klr.Constant(1.0)},
        "optimizers": ["adam", "sgd"],
        "seeds": [3, 5],
        "epochs": 4,
        "batch_size": 8,
        "metric": "val_mae",
        "validation_split": 0.2,
        "verbose": "auto",
    }


@pytest.mark.once
def test_budget_prune_and_auto_reach_the_function(arguments_of):
    words = ("--learning-rates", "auto", "--prune", "none", "--budget", "1.5min")
    got = arguments_of("--data", "train.py:load_data", *words)
    assert (got["learning_rates"], got["prune"], got["budget_seconds"]) == ("auto", None, 90.0)


@pytest.mark.once
def test_a_dry_run_trains_nothing_and_writes_nothing(quick, here, monkeypatch):
    def compare(*args, **arguments):
        raise AssertionError("it compared")

    monkeypatch.setattr(klr, "compare", compare)
    before = {path.name for path in here.iterdir() if path.name != "__pycache__"}
    words = (*OWN, *SHORT, "--dry-run", "--store", "r.sqlite", "--report", "r.html", "--budget", "1h")
    ran = quick(*words)
    assert ran.code == 0, ran.err
    for word in ("2: lr 0.01, lr 0.0001", "2: 0, 1", "50 updates each", "r.sqlite: has 0 of 4 runs", "about"):
        assert word in ran.out
    ran = quick(*words, "--json")
    assert ran.code == 0, ran.err
    document = ran.document
    assert (document["cases"], document["runs"], document["updates"]) == (["lr 0.01", "lr 0.0001"], 4, 50)
    assert document["seconds"] > 0.0 and document["engine_reason"]
    assert {path.name for path in here.iterdir() if path.name != "__pycache__"} == before


@pytest.mark.once
def test_a_budget_that_is_too_short_is_no_answer(quick):
    ran = quick(*OWN, *SHORT, "--budget", "0.001s", "--json")
    assert ran.code == 1, ran.err
    assert ran.document["not_run"] == 4
    assert ran.document["reason"].startswith("No run was executed: the budget is 0.001 s")
    assert {row["verdict"] for row in ran.document["table"]} == {"not run"}


@pytest.mark.once
def test_what_is_not_given_is_left_to_the_data_and_the_function(arguments_of):
    got = arguments_of("--data", "train.py:load_dict")
    assert {name: got[name] for name in ("epochs", "batch_size", "validation_split", "seeds")} == {
        "epochs": 2,
        "batch_size": 16,
        "validation_split": 0.25,
        "seeds": 3,
    }


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--learning-rates", "0.1;0.2"), "compare(learning_rates='0.1;0.2'): learning_rates must be numbers with commas between. Write 0.1,0.01."),
        (("--seeds", "many"), "compare(seeds='many'): seeds must be numbers with commas between. Write 0,1,2."),
        (("--schedule", "Cosine(1.0, 0.0, 5)"), "a schedule to compare needs a name."),
        (("--schedule", "a=Constant(1.0)", "--schedule", "a=Constant(2.0)"), "two schedules are called 'a'. Rename one."),
        (("--schedule", "a=open('x')"), "open is not allowed"),
        (("--learning-rates", "0.1", "--optimizers", "nosuch"), "nosuch"),
        (("--report", "c.doc"), "report must end in .html. Write c.html."),
        (("--save", "."), "compare(save='.'): it is a folder."),
        (("--budget", "soon"), "compare(budget='soon'): a time must be a number above 0 with s, min or h. Write 90s, 10min or 1h."),
        (("--budget", "0min"), "compare(budget='0min'): a time must be a number above 0"),
        (("--budget", "-5s"), "compare(budget='-5s'): a time must be a number above 0"),
        (("--prune", "rank"), "compare(prune='rank'): prune must be 'divergence', 'halving' or None."),
    ],
)  # fmt: skip
def test_bad_arguments_are_2(quick, words, message):
    ran = quick(*OWN, *words)
    assert ran.code == 2, ran.err
    assert message in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.once
def test_a_model_function_that_raises_is_3_with_its_traceback(quick):
    ran = quick("compare", "train.py:fails", "--data", "train.py:load_split", *SHORT)
    assert ran.code == 3, ran.err
    assert ran.err.index("in fails") < ran.err.index("in deeper")
    assert "LookupError: the column price is missing" in ran.err
