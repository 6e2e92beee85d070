"""The benchmark of find: its split, its arithmetic, and the optimizers that the other finders get."""

import collections
import importlib
import json
import pathlib
import sys

import keras
import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parent.parent.parent / "benchmarks" / "regret"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The scripts of the benchmark find each other by their names."""
    monkeypatch.syspath_prepend(FOLDER)
    yield
    for name in ("tasks", "score", "peers", "data", "networks"):
        sys.modules.pop(name, None)


def truth_of(score):
    """Rates 0.01, 0.1, 1, 10 with losses 3, 1, 2 and a divergence; 5 before training."""
    return score.Truth(np.array([-2.0, -1.0, 0.0, 1.0]), [3.0, 1.0, 2.0, None], 5.0)


@pytest.mark.once
def test_the_halves_are_those_that_were_fixed_before_the_rule_was_tuned():
    halves = importlib.import_module("tasks").halves()
    fixed = json.loads((FOLDER / "split.json").read_text())
    assert {half: [task.name for task in tasks] for half, tasks in halves.items()} == fixed
    assert [len(tasks) for tasks in halves.values()] == [24, 24]


@pytest.mark.once
def test_both_halves_have_every_kind_twice_and_every_optimizer_three_times():
    tasks = importlib.import_module("tasks")
    for half in tasks.halves().values():
        kinds, optimizers = (
            collections.Counter(getattr(task, what) for task in half) for what in ("kind", "optimizer")
        )
        assert (len(kinds), set(kinds.values())) == (12, {2})
        assert optimizers == dict.fromkeys(tasks.OPTIMIZERS, 3)


@pytest.mark.once
def test_regret_is_the_share_of_the_gain_that_is_lost():
    truth = truth_of(importlib.import_module("score"))
    assert truth.best == 0.1
    assert [truth.regret(rate) for rate in (0.01, 0.1, 1.0, 10.0)] == [0.5, 0.0, 0.25, 1.0]
    assert truth.regret(10**-1.5) == pytest.approx(0.25)  # half-way in log rate
    assert [truth.regret(rate) for rate in (1e-4, 1e3)] == [0.5, 1.0]  # as at the ends of the grid


@pytest.mark.once
def test_a_refusal_costs_all_unless_training_is_of_no_use():
    score = importlib.import_module("score")
    assert truth_of(score).regret(None) == 1.0
    of_no_use = score.Truth(np.array([-2.0, -1.0]), [4.95, 4.91], 5.0)
    assert not of_no_use.worth
    assert of_no_use.regret(None) == 0.0


@pytest.mark.once
def test_an_interval_holds_a_good_rate_within_it_or_at_its_ends():
    truth = truth_of(importlib.import_module("score"))
    assert truth.holds((0.05, 0.2))
    assert truth.holds((0.1, 0.2))
    assert not truth.holds((0.2, 0.9))


@pytest.mark.once
def test_a_score_is_over_pairs_and_seeds():
    score = importlib.import_module("score")
    truth = {"a": truth_of(score), "b": truth_of(score)}
    found = score.score_of({"a": [0.1, 0.01], "b": [0.1, None]}, truth, ["a", "b"])
    assert (found.mean, found.worst, found.worst_answer) == (0.375, 0.5, 1.0)
    assert (found.spread, found.refusals) == (pytest.approx(10.0), 0.25)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the other finders run on PyTorch")
def test_the_optimizer_of_the_peers_is_that_of_keras():
    import torch

    tasks, peers = importlib.import_module("tasks"), importlib.import_module("peers")
    for task in {task.optimizer: task for task in tasks.TASKS if task.data in ("digits", "wine", "diabetes")}.values():
        work = peers.Work(task, 0)
        optimizer, loader = work.optimizer(lr=1e-2), iter(work.loader())
        keras.utils.set_random_seed(0)
        model = task.build_model(1e-2)
        variables = model.trainable_variables
        for _ in range(2):
            x, y = next(loader)
            optimizer.zero_grad()
            work.loss(work.net(x), y).backward()
            optimizer.step()
            model.zero_grad()
            (tasks.LOSSES[task.loss]()(y, model(x, training=True)) * task.scale).backward()
            with torch.no_grad():
                model.optimizer.apply([variable.value.grad for variable in variables], variables)
        for peers_own, keras_own in zip(work.keras_model.trainable_variables, variables, strict=True):
            np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (peers_own, keras_own)))
