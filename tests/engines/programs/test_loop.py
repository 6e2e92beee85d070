"""Runs trained one after the other by one program on TensorFlow and PyTorch are the runs that `fit` makes."""

import re

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.comparison.execution import placement
from keras_lr.engines.programs.loop import Loop
from keras_lr.engines.programs.population import Members, SeedStart, train_alone
from tests.engines.programs.test_population import MODELS, OPTIMIZERS, UNEVEN, X, Y, dense, run_compare

L = keras.layers
BATCH = 16  # of 72 examples, so that the last batch of an epoch has 8
pytestmark = pytest.mark.skipif(keras.backend.backend() == "jax", reason="there the loop is that of the population")
on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow traces")


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """Runs stay in this process, however slow it is at the moment, unless a test says otherwise."""
    monkeypatch.setattr(placement, "PROCESS", 1e9)


def build_seeded(build, seed=1):
    keras.utils.set_random_seed(seed)
    model = build()
    machinery.build(model, (MODELS_X[build][:BATCH], Y[:BATCH]))
    return model


MODELS_X = {build: x for build, x in MODELS.values()}


def program_and_start(build, epochs):
    """A program, the first values of its model, and orders that don't shuffle."""
    x, model = MODELS_X[build], build_seeded(build)
    start = SeedStart(*machinery.values_of(model), np.tile(np.arange(72, dtype="int32"), (epochs, 1)))
    return backends.programs(model, (x, Y), (x[:20], Y[:20]), BATCH)(False), start


@pytest.mark.parametrize("name", MODELS)
def test_the_logs_are_those_of_fit(name):
    build, x = MODELS[name]
    program, start = program_and_start(build, 3)
    plain = build_seeded(build)
    if keras.backend.backend() == "torch":  # its dropout draws from PyTorch's random state, as the loader of `fit` does
        for layer in [*machinery.layers_of(program.model), *machinery.layers_of(plain)]:
            layer.rate = 0.0
    rates = np.full((1, 15), 0.05, "float32")
    (member,) = train_alone(program, Members((start,), rates, 3))[0]
    again = train_alone(program, Members((start,), rates, 3))[0][0]
    plain.optimizer.learning_rate = 0.05
    expected = plain.fit(
        x, Y, batch_size=BATCH, epochs=3, shuffle=False, validation_data=(x[:20], Y[:20]), verbose=0
    ).history
    assert list(member.run.history) == list(expected)
    for key, values in expected.items():
        assert member.run.history[key] == pytest.approx(values, rel=1e-5), key
    assert again.losses == pytest.approx(member.losses, rel=1e-6)  # nothing of the first run is left


def by_fit(build, start, rates, moved=False):
    """The raw loss of each update by Keras's `train_on_batch`, maybe from a first weight that is one float away."""
    model, x, losses = build_seeded(build), MODELS_X[build], []
    for variable, value in zip(model.trainable_variables, start.trainable, strict=True):
        variable.assign(value)
    if moved:
        first = start.trainable[0].copy()
        first.flat[0] = np.nextafter(first.flat[0], np.float32(np.inf))
        model.trainable_variables[0].assign(first)
    keras.utils.set_random_seed(start.seed)
    for update, rate in enumerate(rates):
        first = update % 5 * BATCH
        model.optimizer.learning_rate = rate
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x[first : first + BATCH], Y[first : first + BATCH])[0]))
    return np.array(losses)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_update_is_that_of_train_on_batch(optimizer):
    """Within 1e-5 for 50 updates, or where the run is chaotic within ten times what one ulp makes of it."""

    def build():
        return dense(optimizer)

    MODELS_X[build] = X
    program, start = program_and_start(build, 10)
    rates = np.linspace(0.01, 0.001, 50, dtype="float32")
    own, other = by_fit(build, start, rates), by_fit(build, start, rates, moved=True)
    drift = np.maximum.accumulate(np.abs(other / own - 1.0))
    (member,) = train_alone(program, Members((start,), rates[None], 10), keras.utils.set_random_seed)[0]
    assert (np.abs(np.array(member.losses) / own - 1.0) <= np.maximum(1e-5, 10.0 * drift)).all()


@on_tensorflow
def test_xla_makes_the_same_runs_and_is_not_used_where_it_would_not():
    program, start = program_and_start(MODELS["recurrent"][0], 2)
    members = Members((start,), np.full((1, 10), 0.05, "float32"), 2)
    plain, faster = train_alone(program, members)[0][0], program.faster()
    assert train_alone(faster, members)[0][0].losses == pytest.approx(plain.losses, rel=1e-5)
    assert faster.faster() is None
    for name in ("dense", "convolution"):  # other dropout than that of `fit`, and twenty times slower
        program, start = program_and_start(MODELS[name][0], 2)
        train_alone(program, Members((start,), members.rates, 2))
        assert program.faster() is None


def test_floats_of_the_optimizer_are_handed_in():
    """A program for three of them makes the runs that programs for each make."""
    optimizers = {
        "a": keras.optimizers.Adam(0.01, beta_1=0.5, weight_decay=0.1),
        "b": keras.optimizers.Adam(0.02, beta_2=0.9, weight_decay=0.2),
        "c": keras.optimizers.Adam(0.03, epsilon=0.1, weight_decay=0.3),
    }
    arguments = {"learning_rates": None, "seeds": 1, "engine": "auto"}
    found = run_compare(dense, X, optimizers=optimizers, **arguments)
    assert "3 short runs" in found.engine_reason
    for name, case in zip(optimizers, found.cases, strict=True):
        alone = run_compare(dense, X, optimizers={name: optimizers[name]}, **{**arguments, "seeds": [0, 1]})
        assert case.runs[0].history["loss"] == pytest.approx(alone.cases[0].runs[0].history["loss"], rel=1e-5)


@on_tensorflow
def test_it_is_traced_once_for_all_runs(monkeypatch):
    traced, own = [], keras.Model.train_step
    monkeypatch.setattr(keras.Model, "train_step", lambda self, data: traced.append(1) or own(self, data))
    run_compare(dense, X, "auto", learning_rates=[0.1, 0.01, 0.001, 0.0001], seeds=2, **UNEVEN)
    assert len(traced) == 2  # a full batch and the last one


class Doubled(L.Layer):
    def call(self, inputs):
        return 2.0 * inputs


class OwnStep(keras.Model):
    def train_step(self, data):
        return super().train_step(data)


class OwnLoss(keras.Model):
    def compute_loss(self, *args, **kwargs):
        return 2.0 * super().compute_loss(*args, **kwargs)


class NoTracker(keras.Model):
    def train_step(self, data):
        return {"loss": super().train_step(data)["loss"] * 0.0 + 1.0, "other": 1.0}


class OwnFit(keras.Model):
    def fit(self, *args, **kwargs):
        return super().fit(*args, **kwargs)


def of_class(kind, *layers):
    def build():
        inputs = L.Input([8])
        hidden = inputs
        for layer in layers:
            hidden = layer()(hidden)
        model = kind(inputs, L.Dense(3, "softmax")(hidden))
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    return build


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "said"),
    [
        (of_class(keras.Model, Doubled), "the model can't be rebuilt from its description: .*Doubled"),
        (of_class(OwnStep), "OwnStep has its own train_step"),
        (of_class(OwnLoss), "OwnLoss has its own compute_loss"),
    ],
    ids=["layer", "step", "loss"],
)
def test_what_is_the_users_own_is_trained_by_a_program_here(build, said, monkeypatch):
    monkeypatch.setattr(placement, "PROCESS", 0.0)
    found = run_compare(build, X, "auto", seeds=1)
    assert found.engine == "sequential"
    assert "one after the other, in this process: " in found.engine_reason
    assert re.search(said, found.engine_reason)
    plain = run_compare(build, X, "sequential", seeds=1, batch_size=57)
    whole = run_compare(build, X, "auto", seeds=1, batch_size=57)  # one batch an epoch: the order does not matter
    for case, other in zip(whole.cases, plain.cases, strict=True):
        assert case.runs[0].history["loss"] == pytest.approx(other.runs[0].history["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "said"),
    [(NoTracker, "does not report the loss with the model's own loss tracker"), (OwnFit, "OwnFit has its own fit")],
)
def test_what_no_program_can_tell_is_trained_by_fit(kind, said):
    found = run_compare(of_class(kind), X, "auto", seeds=1, metric="loss")
    assert (found.engine, said in found.engine_reason) == ("sequential", True)
    assert found.engine_reason.startswith("The runs are trained one after the other")


@on_tensorflow
def test_chance_of_tensorflows_own_is_left_to_fit():
    import tensorflow as tf

    class Noise(L.Layer):
        def call(self, inputs):
            return inputs + tf.random.normal(tf.shape(inputs))

    found = run_compare(of_class(keras.Model, Noise), X, "auto", seeds=1)
    assert "draws from TensorFlow's global random state" in found.engine_reason


def test_a_run_that_diverges_ends_there_and_leaves_the_others():
    found = run_compare(dense, X, "auto", learning_rates=[1e38, 0.01], seeds=2)
    assert [case.diverged for case in found.cases] == [2, 0]
    for run in found.cases[0].runs:
        assert len(run.history["loss"]) == run.diverged_at[0] + 1
    alone = run_compare(dense, X, "auto", learning_rates=[0.01], seeds=2)
    assert found.cases[1].mean == pytest.approx(alone.cases[0].mean, rel=1e-5)


def test_chance_is_left_as_it_was():
    keras.utils.set_random_seed(3)
    expected = np.random.random(), keras.ops.convert_to_numpy(keras.random.normal([2]))
    keras.utils.set_random_seed(3)
    run_compare(dense, X, "auto")
    assert np.random.random() == expected[0]
    assert np.array_equal(keras.ops.convert_to_numpy(keras.random.normal([2])), expected[1])


@pytest.mark.slow
def test_many_long_updates_go_to_the_process_and_slow_ones_come_back(monkeypatch):
    """Where JAX turns out to be slower, the runs are trained here."""
    monkeypatch.setattr(placement, "PROCESS", 0.0)
    monkeypatch.setattr(Loop, "_time_update", lambda *args: 1e-9)
    found = run_compare(dense, X, "auto", seeds=1)
    assert (found.engine, "JAX takes" in found.engine_reason) == ("sequential", True)
    assert "27 updates of" in found.engine_reason
    monkeypatch.setattr(Loop, "_time_update", lambda *args: 10.0)
    assert run_compare(dense, X, "auto", seeds=1).engine == "population"


def test_a_store_keeps_a_program_and_fit_apart(tmp_path):
    """The orders of the data are another one's own."""
    begun = run_compare(dense, X, "auto", store=tmp_path / "runs.sqlite", epochs=1, seeds=1)
    assert begun.engine == "sequential"
    assert run_compare(dense, X, "auto", store=tmp_path / "runs.sqlite", epochs=1, seeds=1) == begun
    with pytest.raises(klr.ArgumentError, match="engine is 'population' there and 'sequential' here"):
        run_compare(dense, X, "sequential", store=tmp_path / "runs.sqlite", epochs=1, seeds=1)
