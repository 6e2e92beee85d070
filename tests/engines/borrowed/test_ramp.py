"""How often a ramp is looked at: by the updates' speed, which changes no number."""

import types

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.backends.arrays import Chunk
from keras_lr.engines.borrowed import ramp
from keras_lr.engines.borrowed.ramp import climb

STEPS = 100


class Timed:
    """Updates that take a fixed time, by a clock of their own."""

    def __init__(self, model, seconds):
        self.model, self.seconds, self.now, self.sizes = model, seconds, 0.0, []

    def updates(self, chunk, learning_rates):
        self.now += self.seconds * len(chunk)
        self.sizes.append(len(chunk))
        return {"loss": np.ones(len(learning_rates))}


class Rows:
    def __init__(self, whole):
        self.whole = whole

    def take(self, count):
        return Chunk((), np.zeros((count, 4), int))


@pytest.mark.once
@pytest.mark.parametrize(
    ("seconds", "whole", "accumulated", "sizes"),
    [
        (4e-5, True, None, [25, 75]),
        (2e-4, True, None, [25, 50, 25]),
        (4e-4, True, None, [25, 25, 25, 25]),
        (4e-5, False, None, [25, 25, 25, 25]),  # longer chunks would be arrays of another shape
        (4e-5, True, 2, [50, 74, 74, 2]),
        (4e-5, True, 4, [100, 100, 100, 100]),
    ],
    ids=["quick", "middling", "slow", "stacked", "accumulated", "accumulated more"],
)
def test_quick_updates_are_looked_at_less_often(seconds, whole, accumulated, sizes, line, monkeypatch):
    model = line[2]()
    model.compile(keras.optimizers.SGD(gradient_accumulation_steps=accumulated), "mse")
    stepper = Timed(model, seconds)
    monkeypatch.setattr(ramp, "time", types.SimpleNamespace(perf_counter=lambda: stepper.now))
    rates, counter = np.geomspace(1e-6, 1.0, STEPS), types.SimpleNamespace(step=lambda: None)
    found = climb(stepper, Rows(whole), rates, lambda losses: None, counter)
    assert stepper.sizes == sizes
    assert found.losses == (1.0,) * STEPS


def test_the_speed_changes_no_number(make_mlp, some_digits, monkeypatch):
    found = []
    for quick in (0.0, 1e9):
        monkeypatch.setattr(ramp, "QUICK", quick)
        found.append(klr.find(make_mlp(), *some_digits, batch_size=64, steps=60, repeats=2, sprint_steps=12, verbose=0))
    assert found[0] == found[1]
