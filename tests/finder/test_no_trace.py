"""`fit` after `find` is `fit` without it, to the last bit, whatever happened in between."""

import _thread
import dataclasses
import functools
import random
import threading
import time

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import Chunk
from keras_lr.engines.borrowed.borrow import borrow

BATCH = {"batch_size": 64}
SHORT = {"repeats": 1, "steps": 60, "min_lr": 1e-5, "sprint_steps": 12}


def history_of(model, x, y=None, **kwargs):
    return model.fit(x, y, epochs=2, verbose=0, **kwargs).history


@pytest.fixture(scope="module")
def alone_for(some_digits, make_mlp):
    """Trains a new model that nothing searched, once for each kind; returns its history."""

    @functools.cache
    def train(built=True, loss="categorical_crossentropy"):
        return history_of(make_mlp(built=built, loss=loss), *some_digits, **BATCH)

    return train


def global_state():
    """Every global source of chance, and the next name that Keras would give."""
    framework = backends.active().random_state()
    return (
        random.getstate(),
        [part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],
        [part.tolist() if hasattr(part, "tolist") else part for part in framework or ()],
        keras.backend.get_uid("mean_metric_wrapper"),
    )


def values_of(model):
    return [np.array(keras.ops.convert_to_numpy(variable)).tolist() for variable in machinery.variables_of(model)]


@pytest.mark.parametrize("built", [True, False], ids=["built", "unbuilt"])
def test_fit_after_find_is_fit_without_it(built, some_digits, make_mlp):
    x, y = some_digits
    alone = history_of(make_mlp(built=built), x, y, **BATCH, validation_split=0.1)
    model = make_mlp(built=built)
    found = klr.find(model, x, y, **BATCH)
    assert found.learning_rate is not None
    assert history_of(model, x, y, **BATCH, validation_split=0.1) == alone


def test_in_the_middle_of_a_training(some_digits, make_mlp):
    x, y = some_digits
    histories = []
    for search in (False, True):
        model = make_mlp()
        history_of(model, x, y, **BATCH)
        if search:
            before = values_of(model)
            klr.find(model, x, y, **BATCH, **SHORT)
            assert values_of(model) == before
        histories.append(history_of(model, x, y, **BATCH))
    assert histories[0] == histories[1]


OPTIMIZERS = {
    "schedule": lambda: keras.optimizers.Adam(klr.Cosine(0.01, 0.0, 100)),
    "keras schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5), momentum=0.9
    ),
    "average": lambda: keras.optimizers.AdamW(0.01, use_ema=True, ema_overwrite_frequency=7),
    "accumulation": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=3),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
    "clipping": lambda: keras.optimizers.RMSprop(0.01, clipnorm=1.0),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_any_optimizer_is_left_as_it_was(name, some_digits, make_mlp):
    x, y = some_digits
    histories = []
    for search in (False, True):
        model = make_mlp(OPTIMIZERS[name]())
        inner = machinery.optimizers_of(model)[0]
        rate, count = machinery.rate_of(inner), len(inner.variables)
        if search:
            model.optimizer.build(model.trainable_variables)
            count = len(inner.variables)
            klr.find(model, x, y, **BATCH, **SHORT)
            assert machinery.rate_of(inner) is rate
            assert len(inner.variables) == count
        histories.append(history_of(model, x, y, **BATCH))
    assert histories[0] == histories[1]


class Interrupting:
    """Raises Ctrl-C, or another exception, after the n-th update, in the middle of a chunk."""

    def __init__(self, monkeypatch, at, error):
        stepper = backends.active().Stepper
        self.updates, updates = 0, stepper.updates

        def interrupted(this, chunk, learning_rates):
            if self.updates < at <= self.updates + len(chunk):
                count = at - self.updates
                updates(this, dataclasses.replace(chunk, rows=chunk.rows[:count]), learning_rates[:count])
                raise error
            self.updates += len(chunk)
            return updates(this, chunk, learning_rates)

        monkeypatch.setattr(stepper, "updates", interrupted)


@pytest.mark.parametrize("at", [1, 2, 57])
@pytest.mark.parametrize("built", [True, False], ids=["built", "unbuilt"])
def test_after_ctrl_c(at, built, some_digits, make_mlp, alone_for, monkeypatch):
    x, y = some_digits
    alone = alone_for(built=built)
    model = make_mlp(built=built)
    with monkeypatch.context() as patch:
        Interrupting(patch, at, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            klr.find(model, x, y, **BATCH)
    assert history_of(model, x, y, **BATCH) == alone


@pytest.mark.parametrize("at", [1, 3])
@pytest.mark.parametrize("built", [True, False], ids=["built", "unbuilt"])
def test_after_ctrl_c_while_the_holdout_is_read(at, built, some_digits, make_mlp, alone_for, monkeypatch):
    """In the middle of a sprint: a batch of the holdout has just updated the model, which is not yet put back."""
    alone, model = alone_for(built=built), make_mlp(built=built)
    stepper = backends.active().Stepper
    losses, updates, calls, batches = stepper.losses, stepper.updates, [], []

    with monkeypatch.context() as patch:

        def reads(this, chunk):
            calls.append(chunk)
            if len(calls) == 5:
                patch.setattr(stepper, "updates", interrupted)
            return losses(this, chunk)

        def interrupted(this, chunk, learning_rates):
            batches.append(chunk)
            result = updates(this, chunk, learning_rates)
            if len(batches) == at:
                raise KeyboardInterrupt
            return result

        patch.setattr(stepper, "losses", reads)
        with pytest.raises(KeyboardInterrupt):
            klr.find(model, *some_digits, **BATCH, **SHORT)
    assert (len(calls), len(batches)) == (5, at)
    assert history_of(model, *some_digits, **BATCH) == alone


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_losses_that_are_read_on_the_way_change_no_update(name, some_digits, make_mlp):
    """With dropout, batch normalization, moving averages and an accumulation that is not complete."""
    x, y = some_digits
    model, rates = make_mlp(OPTIMIZERS[name]()), np.full(4, 0.01)
    chunks = [Chunk((x, y), np.arange(256 * part, 256 * part + 256).reshape(4, 64)) for part in (0, 1)]
    results = []
    with borrow(model, lambda: (x[:64], y[:64])) as stepper:
        for reads in (False, True):
            stepper.reset()
            losses = [stepper.updates(chunks[0], rates)["loss"].tolist()]
            if reads:
                unseen = [stepper.losses(chunks[1]).tolist() for _ in range(2)]
            losses.append(stepper.updates(chunks[1], rates)["loss"].tolist())
            values = [keras.ops.convert_to_numpy(value).tolist() for value in stepper.trainable()]
            results.append((losses, values))
    assert results[0] == results[1]
    assert np.isfinite(unseen).all()


def test_ctrl_c_that_a_framework_turns_into_its_own_error_is_ctrl_c(some_digits, make_mlp, alone_for, monkeypatch):
    x, y = some_digits
    alone = alone_for(built=False)
    model = make_mlp(built=False)

    def updates(*_):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise SystemError("bad argument to internal function")  # noqa: B904 - as TensorFlow does while it traces

    with monkeypatch.context() as patch:
        patch.setattr(backends.active().Stepper, "updates", updates)
        with pytest.raises(KeyboardInterrupt):
            klr.find(model, x, y, **BATCH)
    assert history_of(model, x, y, **BATCH) == alone


# An interrupt that comes while the garbage collector calls back is lost, and Python warns of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seed", range(6))
def test_after_a_real_ctrl_c_at_any_moment(seed, some_digits, make_mlp, alone_for):
    """A signal, wherever it comes: while the model is built or compiled, in a chunk, or while all is put back."""
    x, y = some_digits
    alone = alone_for(built=False)
    model, seconds = make_mlp(built=False), np.random.default_rng(seed).uniform(0.0, 1.0)
    alarm = threading.Timer(seconds, _thread.interrupt_main)
    alarm.start()
    try:
        klr.find(model, x, y, **BATCH, repeats=5)
        alarm.join()
        time.sleep(0.1)
    except KeyboardInterrupt:
        pass
    finally:
        alarm.cancel()
    assert history_of(model, x, y, **BATCH) == alone


def test_after_a_loss_that_is_not_finite(some_digits, make_mlp, alone_for):
    x, y = some_digits
    wrong = np.array([1e38, -1e38], "float32")[np.arange(len(x)) % 2][:, None] * np.ones_like(
        x
    )  # its square is infinite
    alone = alone_for(loss="mse")
    model = make_mlp(loss="mse")
    found = klr.find(model, x, wrong[:, :10], **BATCH)
    assert found.learning_rate is None
    assert found.stop_reason == "loss_not_finite"
    assert found.reason.startswith("The loss is not finite before the first update.")
    assert history_of(model, x, y, **BATCH) == alone


class Failing(keras.utils.PyDataset):
    def __init__(self, x, y, good):
        super().__init__()
        self.x, self.y, self.good, self.given = x, y, good, 0

    def __len__(self):
        return 10

    def __getitem__(self, index):
        self.given += 1
        if self.given > self.good:
            raise OSError("the disk is gone")
        return self.x[index * 64 : (index + 1) * 64], self.y[index * 64 : (index + 1) * 64]


def test_after_an_exception_in_the_data(some_digits, make_mlp, alone_for):
    x, y = some_digits
    alone = alone_for(built=False)
    model = make_mlp(built=False)
    with pytest.raises(OSError, match="the disk is gone"):
        klr.find(model, Failing(x, y, 30))
    assert history_of(model, x, y, **BATCH) == alone


def test_a_pydataset_is_read_by_index(some_digits, make_mlp):
    x, y = some_digits
    alone = history_of(make_mlp(), Failing(x, y, 10**6))
    model = make_mlp()
    found = klr.find(model, Failing(x, y, 10**6), **SHORT)
    assert found.learning_rate is not None
    assert found.note is None
    assert history_of(model, Failing(x, y, 10**6)) == alone


def test_a_dataset_that_keeps_its_order(some_digits, make_mlp):
    tf = pytest.importorskip("tensorflow")
    x, y = some_digits
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(64)
    alone = history_of(make_mlp(), dataset, shuffle=False)
    model = make_mlp()
    found = klr.find(model, dataset, **SHORT)
    assert found.learning_rate is not None
    assert found.note is not None
    assert history_of(model, dataset, shuffle=False) == alone


def test_dictionaries_and_weights(some_digits):
    x, y = some_digits

    def make():
        keras.utils.set_random_seed(0)
        left, right = keras.layers.Input((32,), name="left"), keras.layers.Input((32,), name="right")
        joined = keras.layers.Concatenate()([left, right])
        model = keras.Model({"left": left, "right": right}, keras.layers.Dense(10, activation="softmax")(joined))
        model.compile("adam", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
        return model

    data = {"left": x[:, :32], "right": x[:, 32:]}
    labels, weights = y.argmax(axis=1), np.linspace(0.5, 1.5, len(x))
    alone = history_of(make(), data, labels, sample_weight=weights, **BATCH)
    model = make()
    assert klr.find(model, data, labels, sample_weight=weights, **BATCH, **SHORT).learning_rate is not None
    assert history_of(model, data, labels, sample_weight=weights, **BATCH) == alone


def test_no_global_source_of_chance_is_drawn_from(some_digits, make_mlp):
    x, y = some_digits
    model = make_mlp()
    before = global_state()
    klr.find(model, x, y, **BATCH, **SHORT)
    after = global_state()
    assert after[:3] == before[:3]
    assert after[3] == before[3] + 1  # by asking


def test_nothing_is_written(some_digits, make_mlp, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    klr.find(make_mlp(), *some_digits, **BATCH, **SHORT)
    assert list(tmp_path.iterdir()) == []


def test_names_of_metrics_stay(some_digits, make_mlp):
    model = make_mlp(built=False, metrics=["accuracy", "AUC"])
    klr.find(model, *some_digits, **BATCH, **SHORT)
    assert set(history_of(model, *some_digits, **BATCH)) == {"loss", "accuracy", "AUC"}


def test_the_trained_function_of_fit_is_not_traced_again(some_digits, make_mlp):
    model = make_mlp()
    history_of(model, *some_digits, **BATCH)
    traced = model.train_function
    klr.find(model, *some_digits, **BATCH, **SHORT)
    assert model.train_function is traced
