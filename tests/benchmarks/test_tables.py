"""The tables of the benchmark of find, and its targets, from made-up answers."""

import numpy as np
import pytest

pytestmark = pytest.mark.once
SHORT, LONG = "dense, wine, Lion", "dense, shifted digits, AdamW"


@pytest.fixture
def tables(script, monkeypatch):
    """The tables, for a short and a long held-out pair with losses 2, 1, 2 at 0.01, 0.1, 1, and 11 before training."""
    tables, scores = script("tables"), script("scores")
    truth = scores.Truth(np.array([-2.0, -1.0, 0.0]), [2.0, 1.0, 2.0], 11.0)
    for module in (tables, scores):
        monkeypatch.setattr(module, "truths", lambda shape: {SHORT: truth, LONG: truth})
    monkeypatch.setattr(
        tables,
        "names_of",
        lambda group, half: {"short": [SHORT], "long": [LONG]}.get(group, []) if half == "held out" else [],
    )
    return tables


def record(task, named, rate):
    answer = {"answer": rate, "interval": [rate / 2, rate * 2]}
    return {"task": task, "seed": 100, "named": named, "constant": answer, "cosine": answer}


def read(tables, monkeypatch, records, **stored):
    """Returns the benchmark; `stored` has the records of the other files."""
    monkeypatch.setattr(tables, "stored", lambda name: stored.get(name.removesuffix(".json"), []))
    monkeypatch.setattr(tables, "peers_of_libraries", lambda: stored.get("peers", {}))
    return tables.read(records)


def baseline(task, grid, valley, median):
    peers = [{"fastai valley": {"single": valley, "same updates": median}}]
    searches = [{"grid": grid, "halving": None}]
    return {"task": task, "constant": searches, "cosine": searches, "peers": peers}


def test_the_length_named_is_another_finder(tables, monkeypatch):
    benchmark = read(tables, monkeypatch, [record(SHORT, False, 1.0), record(SHORT, True, 0.1)])
    assert benchmark.finders["constant"]["find"] == {SHORT: [1.0]}
    assert benchmark.finders["cosine"]["find, length named"] == {SHORT: [0.1]}


def test_a_record_without_the_key_names_no_length(tables, monkeypatch):
    old = record(SHORT, False, 1.0)
    del old["named"]
    assert read(tables, monkeypatch, [old]).finders["constant"]["find"] == {SHORT: [1.0]}


def test_the_answers_of_the_libraries_go_before_those_of_their_rules(tables, monkeypatch):
    peers = {SHORT: {"fastai valley": [0.01, 0.1, 1.0]}}
    stored = [baseline(SHORT, 0.1, 5.0, 6.0), baseline(LONG, 0.1, 7.0, 8.0)]
    several = read(tables, monkeypatch, [], peers=peers, baselines=stored).finders["constant"]
    assert several["fastai valley"] == {SHORT: [0.01, 0.1, 1.0], LONG: [7.0]}
    assert several["fastai valley, median of 3"] == {SHORT: [0.1]}
    assert several["fastai valley, same updates"] == {SHORT: [6.0], LONG: [8.0]}
    assert several["successive halving"] == {SHORT: [None], LONG: [None]}


def test_a_row_has_the_regret_and_the_excess_of_both_shapes(tables, monkeypatch):
    benchmark = read(tables, monkeypatch, [record(SHORT, False, 1.0)], baselines=[baseline(SHORT, 0.1, None, 0.01)])
    rows = tables.of_finders(benchmark, "short", "held out")
    assert [row["finder"] for row in rows] == [
        "grid of short trainings",
        "**find**",
        "fastai valley, same updates",
        "successive halving",
        "fastai valley",
    ]
    assert rows[1] == {
        "finder": "**find**",
        "regret, constant": "0.100 / 0.100",
        "regret, cosine": "0.100 / 0.100",
        "excess, constant": "100 % / 100 %",
        "excess, cosine": "100 % / 100 %",
        "worst answer": "0.100",
        "spread": "",
        "no answer": "0 %",
    }
    assert (rows[-1]["excess, cosine"], rows[-1]["no answer"]) == ("1,000 % / 1,000 %", "100 %")


def test_a_pair_has_a_row_with_its_best_rate_and_the_answers(tables, monkeypatch):
    (row,) = tables.of_pairs(read(tables, monkeypatch, [record(LONG, True, 0.1), record(LONG, True, 1.0)]), "long")
    assert row["pair"] == LONG
    assert (row["best, cosine"], row["find, cosine"]) == ("0.1", "0.1 1")
    assert row["regret, excess, cosine"] == "0.050, 50 %"


def test_a_target_is_met_or_missed_with_its_figure(tables, monkeypatch, script):
    targets = script("targets")
    benchmark = read(tables, monkeypatch, [record(SHORT, False, 0.1), record(LONG, True, 1.0)])
    rows = [(row["target"], row["limit"], row["measured"], row["result"]) for row in targets.of_limits(benchmark)]
    short = ("regret of `find`, short pairs, mean / worst", "0.025 / 0.150", "0.000 / 0.000", "met")
    long = ("excess of `find, length named`, long pairs, mean / worst", "4.0 % / 15 %", "100 % / 100 %", "**missed**")
    assert rows == [short, short, long, long]


def test_a_finder_that_is_ahead_is_named(tables, monkeypatch, script):
    targets = script("targets")
    stored = [baseline(SHORT, 1.0, None, None), baseline(LONG, 0.1, 0.01, None)]
    benchmark = read(tables, monkeypatch, [record(SHORT, False, 0.1), record(LONG, True, 1.0)], baselines=stored)
    short, _, long, _ = [(row["measured"], row["result"]) for row in targets.of_others(benchmark)]
    assert short == ("0.000 / 0.000; next: grid of short trainings 0.100 / 0.100", "met")
    assert long == ("100 % / 100 %; ahead of it: grid of short trainings 0.0 % / 0.0 %", "**missed**")


def test_a_finder_with_answers_for_other_pairs_only_is_not_compared(tables, monkeypatch, script):
    benchmark = read(tables, monkeypatch, [record(LONG, True, 1.0)], baselines=[baseline(SHORT, 0.1, 0.1, 0.1)])
    assert list(script("targets").of_others(benchmark)) == []


def test_the_interval_has_a_target(tables, monkeypatch, script):
    benchmark = read(tables, monkeypatch, [record(SHORT, False, 0.1), record(LONG, True, 0.001)])
    short, _, long, _ = [
        (row["target"], row["measured"], row["result"]) for row in script("targets").of_coverage(benchmark)
    ]
    assert short == ("interval of `find` holds a rate of regret <= 0.01, short pairs", "100 %", "met")
    assert long[1:] == ("0.0 %", "**missed**")
