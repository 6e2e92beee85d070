"""The pairs of the benchmark of find, their halves, and the optimizers that the other finders get."""

import collections
import json

import keras
import numpy as np
import pytest

from tests.benchmarks.conftest import FOLDER


@pytest.mark.once
def test_the_halves_are_those_that_were_fixed_before_the_rule_was_tuned(script):
    halves = script("tasks").halves()
    fixed = json.loads((FOLDER / "split.json").read_text())
    assert {half: [task.name for task in tasks] for half, tasks in halves.items()} == fixed
    assert [len(tasks) for tasks in halves.values()] == [24, 24]


@pytest.mark.once
def test_both_halves_have_every_kind_twice_and_every_optimizer_three_times(script):
    tasks = script("tasks")
    for half in tasks.halves().values():
        kinds, optimizers = (
            collections.Counter(getattr(task, what) for task in half) for what in ("kind", "optimizer")
        )
        assert (len(kinds), set(kinds.values())) == (12, {2})
        assert optimizers == dict.fromkeys(tasks.OPTIMIZERS, 3)


@pytest.mark.once
def test_the_halves_of_long_pairs_and_texts_are_those_that_were_fixed(script):
    groups = script("long_tasks").GROUPS
    fixed = json.loads((FOLDER / "long_split.json").read_text())
    assert {
        group: {half: [task.name for task in tasks] for half, tasks in halves.items()}
        for group, halves in groups.items()
    } == fixed
    assert [len(tasks) for halves in groups.values() for tasks in halves.values()] == [10, 10, 4, 4]


@pytest.mark.once
def test_each_half_has_one_long_pair_of_a_kind_and_one_text_of_a_kind_and_an_optimizer(script):
    groups = script("long_tasks").GROUPS
    kinds = [[task.kind for task in tasks] for tasks in groups["long"].values()]
    assert kinds[0] == kinds[1]
    assert len(set(kinds[0])) == 10
    for tasks in groups["text"].values():
        assert {(task.kind, task.optimizer) for task in tasks} == {
            (kind, optimizer) for kind in ("transformer", "recurrent") for optimizer in ("Adam", "Momentum")
        }


@pytest.mark.once
def test_a_long_training_and_a_text_see_each_example_once(script, few_digits):
    groups = script("long_tasks").GROUPS
    tasks = [task for halves in groups.values() for tasks in halves.values() for task in tasks]
    assert {task.epochs for task in tasks} == {1}
    quick = {
        task.kind: len(task.arrays()[0]) // task.batch_size
        for task in tasks
        if task.data in ("hastie", "friedman", "GRU")
    }
    assert quick == {"tabular": 20_000, "recurrent": 1200}


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the other finders run on PyTorch")
def test_the_optimizer_of_the_peers_is_that_of_keras(script):
    import torch

    tasks, peers = script("tasks"), script("peers")
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
