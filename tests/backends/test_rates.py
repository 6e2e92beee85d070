"""An update of a borrowed model is that of `fit` at the same rates, for every optimizer that has a part in it."""

import keras
import numpy as np
import pytest

from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import Chunk
from keras_lr.backends.rate_plan import RatePlan
from keras_lr.engines.borrowed.borrow import borrow

RATE, BATCH = 0.02, 16
X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
Y = np.tanh(X @ np.random.default_rng(1).normal(size=(6, 3))).astype("float32")
COMPILED = {"jit_compile": keras.backend.backend() == "jax"}  # as in tests/finder/test_exact.py


def network(optimizer, **layer):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(8, activation="tanh", name="body", **layer), keras.layers.Dense(3, name="head")]
    model = keras.Sequential([keras.layers.Input((6,)), *layers])
    model.compile(optimizer, "mse", **COMPILED)
    return model


def first_batch():
    return X[:BATCH], Y[:BATCH]


def chunk_of(count):
    return Chunk((X, Y), np.arange(count * BATCH).reshape(count, BATCH))


def arrays(tensors):
    return [np.array(keras.ops.convert_to_numpy(tensor)) for tensor in tensors]


def borrowed(model, count=1, rate=RATE, **kwargs):
    """The trainable values after updates of a borrowed model."""
    with borrow(model, first_batch, **kwargs) as stepper:
        stepper.reset()
        stepper.updates(chunk_of(count), np.full(count, rate))
        return arrays(stepper.trainable())


def trained(model, count=1):
    """The trainable values after updates of a model at its own rates."""
    for batch in chunk_of(count).batches():
        model.train_on_batch(*batch)
    return arrays(model.trainable_variables)


def muon(rate):
    return keras.optimizers.Muon(rate, adam_lr_ratio=0.3, exclude_layers=["head"])


def several(body, head):
    rules = {".*body.*": keras.optimizers.Adam(body), ".*head.*": keras.optimizers.SGD(head, momentum=0.9)}
    return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(keras.optimizers.SGD(1.0), rules))


def same(values, others):
    return [np.array_equal(value, other) for value, other in zip(values, others, strict=True)]


def test_an_update_of_muon_is_that_of_muon_at_the_rate_with_its_ratio():
    model = network(muon(0.5))
    values = borrowed(model)
    assert model.optimizer.adam_velocities[0] is None  # the kernel of the body is Muon's, the rest is AdamW's
    assert same(values, trained(network(muon(RATE)))) == [True] * 4
    other_ratio = keras.optimizers.Muon(RATE, adam_lr_ratio=0.6, exclude_layers=["head"])
    assert same(values, trained(network(other_ratio))) == [True, False, False, False]


def test_optimizers_follow_a_rate_at_their_ratios():
    plan = RatePlan((1.0, 5.0, None))
    values = borrowed(network(several(0.1, 0.1)), 2, plan=lambda model: plan)
    assert same(values, trained(network(several(RATE, 5.0 * RATE)), 2)) == [True] * 4


def test_an_optimizer_that_does_not_follow_keeps_its_rate():
    values = borrowed(network(several(0.5, 0.1)), 2, plan=lambda model: RatePlan((1.0, None, None)))
    assert same(values, trained(network(several(RATE, 0.1)), 2)) == [True] * 4


def test_a_schedule_that_is_kept_goes_on():
    def decay():
        return keras.optimizers.schedules.PolynomialDecay(0.1, 4)

    model, alone = network(several(0.5, decay())), network(several(0.5, decay()))
    assert same(trained(model), trained(alone)) == [True] * 4
    alone.optimizer.optimizers[0].learning_rate = RATE
    values = borrowed(model, 3, plan=lambda model: RatePlan((1.0, None, None)))
    assert same(values, trained(alone, 3)) == [True] * 4


OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "average": lambda: keras.optimizers.AdamW(0.1, use_ema=True, ema_overwrite_frequency=2),
    "accumulation": lambda: keras.optimizers.Adam(0.1, gradient_accumulation_steps=2),
    "schedule-free": lambda: keras.optimizers.ScheduleFreeAdamW(0.1),
    "divides by the rate": lambda: keras.optimizers.Ftrl(0.1),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_losses_are_measured_without_an_update(name):
    model = network(OPTIMIZERS[name]())
    with borrow(model, first_batch) as stepper:
        results = []
        for measures in (False, True):
            stepper.reset()
            stepper.updates(chunk_of(3), np.full(3, 0.1))
            losses = stepper.losses(chunk_of(4)) if measures else []
            results.append([stepper.updates(chunk_of(3), np.full(3, 0.1))["loss"], *arrays(stepper.trainable())])
        assert same(*results) == [True] * 5
        stepper.reset()
        stepper.updates(chunk_of(3), np.full(3, 0.1))
        expected = stepper.evaluate(chunk_of(4).batches())  # the same without dropout
    assert losses == pytest.approx(expected, rel=1e-6)


def test_losses_are_those_of_training_mode():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.BatchNormalization(), keras.layers.Dropout(0.5), keras.layers.Dense(3)]
    model = keras.Sequential([keras.layers.Input((6,)), *layers])
    model.compile(keras.optimizers.SGD(0.1), "mse", **COMPILED)
    with borrow(model, first_batch) as stepper:
        stepper.reset()
        losses = stepper.losses(chunk_of(3))
        first = stepper.updates(chunk_of(1), np.zeros(1))["loss"]
        stepper.reset()
        evaluated = stepper.evaluate(chunk_of(1).batches())
    assert losses[0] == pytest.approx(first[0], rel=1e-6)
    assert abs(losses[0] / evaluated[0] - 1.0) > 0.01


def test_the_rates_of_a_plan():
    plan = RatePlan((1.0, None, 10.0))
    assert plan.following == (True, False, True)
    assert plan.rates(np.array([0.1, 0.2])).tolist() == [[0.1, 1.0], [0.2, 2.0]]
    model = network(several(0.5, 0.1))
    model.optimizer.build(model.trainable_variables)
    assert machinery.followers_of(model, plan) == [model.optimizer.optimizers[0], model.optimizer.optimizers[2]]
    assert machinery.equal_rates(model) == RatePlan((1.0, 1.0, 1.0))
