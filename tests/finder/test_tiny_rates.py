"""Rules that break at tiny rates: they get an answer from trainings at one rate each."""

import keras
import numpy as np

import keras_lr as klr
from keras_lr.engines.borrowed.borrow import borrow
from keras_lr.finder.measuring.batches import batches
from keras_lr.finder.measuring.prechecks import divides_by_rate

X = np.random.default_rng(0).normal(size=(512, 8)).astype("float32")
Y = np.tanh(X @ np.random.default_rng(1).normal(size=(8, 3))).astype("float32")


def network(optimizer, loss="mse"):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(16, activation="relu", name="body"), keras.layers.Dense(3, name="head")]
    model = keras.Sequential([keras.layers.Input((8,)), *layers])
    model.compile(optimizer, loss)
    return model


def divides(optimizer, **kwargs):
    source = batches("find", X, Y, batch_size=32)
    with borrow(network(optimizer, **kwargs), source.first) as stepper:
        return divides_by_rate(stepper, source)


def ftrl_for_the_head():
    rules = {".*body.*": keras.optimizers.Adam(0.01, name="adam"), ".*head.*": keras.optimizers.Ftrl(0.1, name="ftrl")}
    return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1, name="rest"), rules))


def test_a_rule_that_divides_by_the_rate_is_measured():
    assert divides(keras.optimizers.Ftrl(0.1))
    assert divides(ftrl_for_the_head())
    assert divides(keras.optimizers.Ftrl(0.1, gradient_accumulation_steps=2))
    for kind in ("SGD", "Adam", "Muon", "Adafactor", "Lamb", "ScheduleFreeAdamW"):
        assert not divides(getattr(keras.optimizers, kind)())


def test_a_gradient_that_is_not_finite_is_no_fault_of_the_rule():
    def loss(y, predicted):
        return keras.ops.sqrt(0.0 * keras.ops.mean(predicted))

    assert not divides(keras.optimizers.SGD(), loss=loss)


def test_ftrl_gets_a_rate():
    """Of trainings of 200 updates, those at 0.1 and 0.3 end lowest: 0.080 and 0.076, against 0.11 at 0.03 and 0.14 at 1."""
    model = network(keras.optimizers.Ftrl(0.1))
    found = klr.find(model, X, Y, repeats=1, steps=40, verbose=0)
    assert 0.03 < found.learning_rate < 1.0
    assert "The optimizer divides by the rate, so each rate of a ramp trained from the start." in found.note


def test_fit_after_find_is_fit_without_it():
    histories = []
    for search in (False, True):
        model = network(keras.optimizers.Ftrl(0.1))
        if search:
            klr.find(model, X, Y, repeats=1, steps=20, verbose=0)
        histories.append(model.fit(X, Y, epochs=2, verbose=0).history)
    assert histories[0] == histories[1]


def test_the_rate_of_another_optimizer_is_tested_by_ramps():
    found = klr.find(network(ftrl_for_the_head()), X, Y, group="adam", repeats=1, steps=40, sprint_steps=20, verbose=0)
    assert found.learning_rate is not None
    assert found.note is None
    assert found.reason.endswith("The answer is the rate of 'adam': 'ftrl' keeps its own, 'rest' keeps its own.")
