"""The optimizers where they are used: in `fit`, compiled, saved, watched, searched and compared."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.backends import keras as machinery
from keras_lr.comparison.planning.optimizers import with_rate
from keras_lr.optimizers import SGD, Adam, Coupled
from tests.optimizers import twins

JITS = (
    [False, True] if keras.backend.backend() != "torch" else [False]
)  # on PyTorch it is another compiler, torch.compile
BATCH, EPOCHS = 4, 3
THAW = klr.Constant(0.0, 4) >> klr.Constant(1.0)
RATE = klr.Linear(0.02, 0.1, 6) >> klr.Linear(0.1, 0.0, 6)


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    return x, (x.sum(axis=1, keepdims=True) * 0.5 + 0.1).astype("float32")


def two_layers(optimizer, **kwargs):
    """A linear model of two layers, whose gradients are easily written down."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(2, name="bottom"), keras.layers.Dense(1, name="top")]
    model = keras.Sequential([keras.layers.Input((3,)), *layers], name="model")
    model.compile(optimizer, "mse", **kwargs)
    return model


def gradients_of(weights, x, y):
    """Of the mean squared error of (x a + b) c + d, in the order of the weights."""
    a, b, c, d = weights
    hidden = x @ a + b
    wrong = 2.0 * (hidden @ c + d - y) / len(x)
    back = wrong @ c.T
    return [x.T @ back, back.sum(axis=0), hidden.T @ wrong, wrong.sum(axis=0)]


class Weights(keras.callbacks.Callback):
    """The weights after each update."""

    def __init__(self):
        super().__init__()
        self.values = []

    def on_train_batch_end(self, batch, logs=None):
        self.values.append(self.model.get_weights())


def fit(model, data, callbacks=(), epochs=EPOCHS, **kwargs):
    x, y = data
    return model.fit(
        x, y, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks), **kwargs
    )


CASES = {
    "factors": (
        lambda: klr.PerLayer(keras.optimizers.SGD(0.05, momentum=0.9), {"bottom": 0.1}),
        twins.KerasSGD,
        lambda place, t: 0.05 * (0.1 if place < 2 else 1.0),
    ),
    "thawing": (
        lambda: klr.PerLayer(keras.optimizers.SGD(0.05, momentum=0.9), {"bottom": THAW}),
        twins.KerasSGD,
        lambda place, t: 0.05 * float(place >= 2 or t >= 4),
    ),
    "schedules": (
        lambda: klr.PerLayer(SGD(RATE, momentum=Coupled(0.95, 0.85)), {"bias": 2.0, "bottom": THAW}),
        lambda value: twins.TorchSGD(value, Coupled(0.95, 0.85).within(RATE)(RATE.evaluate(range(12)))),
        lambda place, t: float(RATE.evaluate(t)) * (2.0 if place % 2 else float(place >= 2 or t >= 4)),
    ),
    "adam": (
        lambda: Adam(RATE, beta_1=Coupled(0.95, 0.85)),
        lambda value: twins.Adam(value, beta_1=Coupled(0.95, 0.85).within(RATE)(RATE.evaluate(range(12)))),
        lambda place, t: float(RATE.evaluate(t)),
    ),
}


@pytest.mark.parametrize("jit", JITS, ids=lambda jit: "jit" if jit else "no jit")
@pytest.mark.parametrize("name", CASES)
def test_every_update_of_fit_is_that_of_the_groups_rate(name, jit, data):
    make, twin, rate = CASES[name]
    model, seen = two_layers(make(), jit_compile=jit), Weights()
    several = [twin(value) for value in model.get_weights()]
    fit(model, data, [seen])
    assert len(seen.values) == 12
    for t, values in enumerate(seen.values):
        place = slice(BATCH * (t % 4), BATCH * (t % 4) + BATCH)
        rows = gradients_of([one.value for one in several], *(part[place].astype("float64") for part in data))
        for i, (one, gradient) in enumerate(zip(several, rows, strict=True)):
            one.update(gradient, rate(i, t))
            np.testing.assert_allclose(
                values[i], one.value, rtol=0, atol=2e-6
            )  # float32 weights of about 1, 12 updates


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras refuses steps_per_execution on PyTorch")
@pytest.mark.parametrize("name", ["schedules", "adam"])
def test_several_steps_in_one_call_are_the_same_steps(name, data):
    weights = []
    for steps in (1, 4):
        model = two_layers(CASES[name][0](), steps_per_execution=steps)
        fit(model, data)
        weights.append(model.get_weights())
    for one, four in zip(*weights, strict=True):
        np.testing.assert_allclose(one, four, rtol=0, atol=3e-7)


def test_the_rate_can_be_set_and_keras_callbacks_set_it(data):
    model = two_layers(klr.PerLayer(keras.optimizers.SGD(0.5), {"bottom": 0.1}))
    monitor = klr.LearningRateMonitor()
    model.optimizer.learning_rate = 0.25
    assert float(model.optimizer.learning_rate) == 0.25
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (epoch + 1))
    fit(model, data, [monitor, scheduler])
    assert monitor.learning_rates == pytest.approx([0.1] * 4 + [0.05] * 4 + [0.1 / 3] * 4)
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=1e9)
    fit(model, data, [monitor, plateau])
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1 / 3 * 0.01, rel=1e-6)
    assert int(model.optimizer.iterations) == 24


def test_the_monitor_sees_the_rate_of_a_factor_of_1_and_binds_units(data):
    thaw = klr.Constant(0.0, "1ep") >> klr.Constant(1.0)
    model = two_layers(klr.PerLayer(keras.optimizers.SGD(klr.Linear(0.1, 0.0, "100%")), {"bottom": thaw}))
    monitor, seen, start = klr.LearningRateMonitor(), Weights(), model.get_weights()
    history = fit(model, data, [monitor, seen]).history
    assert monitor.learning_rates == pytest.approx([0.1 * (1 - t / 12) for t in range(12)])
    assert history["learning_rate"] == pytest.approx([0.1 * (1 - t / 12) for t in (3, 7, 11)])
    assert [values[0].tolist() == start[0].tolist() for values in seen.values[:5]] == [True] * 4 + [False]


SEARCHED = {
    "per layer": lambda: klr.PerLayer(
        keras.optimizers.Adam(0.01, weight_decay=0.1), {"dense.*/bias": 0, "dense.*": THAW}
    ),
    "in a loss scale": lambda: keras.optimizers.LossScaleOptimizer(
        klr.PerLayer(keras.optimizers.SGD(0.1, momentum=0.9), {"kernel": 0.5})
    ),
    "coupled": lambda: SGD(RATE, momentum=Coupled(0.95, 0.85)),
    "adam": lambda: klr.PerLayer(Adam(0.01, beta_1=klr.Linear(0.95, 0.85, 20)), {"kernel": 0.5}),
}


@pytest.mark.parametrize("name", SEARCHED)
def test_find_leaves_it_bit_for_bit_as_it_was(name, some_digits, make_mlp):
    x, y = some_digits
    histories = []
    for search in (False, True):
        model = make_mlp(SEARCHED[name]())
        inner = machinery.optimizers_of(model)[0]
        rate = machinery.rate_of(inner)
        if search:
            found = klr.find(model, x, y, batch_size=64, repeats=1, steps=60, sprint_steps=8, min_lr=1e-5)
            assert found.learning_rate is None or found.learning_rate > 0
            assert len(found.losses[0]) > 20
            assert machinery.rate_of(inner) is rate
        histories.append(model.fit(x, y, batch_size=64, epochs=2, verbose=0).history)
    assert histories[0] == histories[1]


def test_find_moves_the_rate_of_every_layer(some_digits, make_mlp):
    """Half the factor on every layer is half the rate: with SGD the curve at twice the rates is the same curve."""
    x, y = some_digits
    losses = []
    for factor, ends in ((1.0, (1e-3, 1.0)), (0.5, (2e-3, 2.0))):
        model = make_mlp(klr.PerLayer(keras.optimizers.SGD(0.1), {".*": factor}))
        found = klr.find(
            model, x, y, batch_size=64, repeats=1, steps=40, sprint_steps=0, min_lr=ends[0], max_lr=ends[1]
        )
        losses.append(np.asarray(found.losses[0]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)  # float32: rates that differ in the last place, 40 updates


def test_mixed_precision_scales_the_loss_around_it(data):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = two_layers(klr.PerLayer(keras.optimizers.SGD(0.05), {"bottom": 0}))
        start = model.get_weights()
        history = fit(model, data).history
    finally:
        keras.config.set_dtype_policy(policy)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert machinery.optimizers_of(model) == [model.optimizer.inner_optimizer.inner_optimizer]
    assert history["loss"][-1] < history["loss"][0]
    assert [one.tolist() == other.tolist() for one, other in zip(start, model.get_weights(), strict=True)] == [
        *(True, True, False, False)
    ]
    assert int(model.optimizer.iterations) > 0


SAVED = {
    "per layer": lambda: klr.PerLayer(keras.optimizers.Adam(RATE), {"bottom/bias": 0, "bottom": THAW}),
    "coupled": lambda: SGD(RATE, momentum=Coupled(0.95, 0.85), nesterov=True),
    "adam": lambda: klr.PerLayer(Adam(RATE, beta_1=klr.Linear(0.95, 0.85, 9)), {"top": 0.5}),
}


@pytest.mark.parametrize("name", SAVED)
def test_a_loaded_model_goes_on_as_if_it_had_not_stopped(name, data, tmp_path, recwarn):
    whole = two_layers(SAVED[name]())
    fit(whole, data)
    model = two_layers(SAVED[name]())
    fit(model, data, epochs=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert int(loaded.optimizer.iterations) == 4
    for one, other in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        assert keras.ops.convert_to_numpy(one).tolist() == keras.ops.convert_to_numpy(other).tolist()
    fit(loaded, data, initial_epoch=1)
    for one, other in zip(loaded.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=3e-7)
    assert not [warning for warning in recwarn if "optimizer" in str(warning.message)]


def test_backup_and_restore_goes_on_too(data, tmp_path):
    whole = two_layers(SAVED["per layer"]())
    fit(whole, data)
    model = two_layers(SAVED["per layer"]())

    def fail(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    backup = [keras.callbacks.BackupAndRestore(tmp_path / "b"), keras.callbacks.LambdaCallback(on_epoch_begin=fail)]
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, backup)
    again = two_layers(SAVED["per layer"]())
    fit(again, data, [keras.callbacks.BackupAndRestore(tmp_path / "b")])
    assert int(again.optimizer.iterations) == 12
    for one, other in zip(again.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=3e-7)


def test_saved_models_load_in_a_fresh_process_after_import_keras_lr(data, tmp_path):
    for name, make in SAVED.items():
        model = two_layers(make())
        fit(model, data, epochs=1)
        model.save(tmp_path / f"{name}.keras")
        np.savez(tmp_path / f"{name}.npz", *[keras.ops.convert_to_numpy(v) for v in model.optimizer.variables])
    code = f"""
import keras_lr, keras, numpy as np, pathlib
for path in sorted(pathlib.Path({str(tmp_path)!r}).glob("*.keras")):
    model = keras.saving.load_model(path)
    saved = np.load(path.with_suffix(".npz"))
    same = [np.array_equal(saved[f"arr_{{i}}"], keras.ops.convert_to_numpy(v)) for i, v in enumerate(model.optimizer.variables)]
    print(path.stem, all(same) and len(same) == len(saved.files), int(model.optimizer.iterations), sep=",")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:3] == ["adam,True,4", "coupled,True,4", "per layer,True,4"]


@pytest.mark.parametrize(
    "make", [lambda: SGD(0.1, momentum=0.9), lambda: Adam(0.1), lambda: SGD(0.1, 0.9, nesterov=True)]
)
def test_embeddings_learn_whose_gradients_are_sparse_on_tensorflow(make, feed):
    """Words that are not in the batch have a gradient of 0, dense or sparse."""
    words, weights = np.array([[0, 1], [1, 2]] * 4), []
    for optimizer in (make(), make()):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Embedding(5, 2, name="word")])
        if not weights:
            model.compile(optimizer, loss=lambda y_true, y_pred: keras.ops.mean(y_pred))
            model.fit(words, words, batch_size=2, epochs=1, shuffle=False, verbose=0)
        else:
            gradient = np.repeat([[1.0], [2.0], [1.0], [0.0], [0.0]], 2, axis=1).astype("float32") / 8
            feed(optimizer, model.trainable_variables, [[gradient]] * 4)
        weights.append(model.get_weights()[0])
    np.testing.assert_allclose(*weights, rtol=0, atol=3e-7)


def test_compare_clones_it_with_another_rate(data):
    x, y = data
    template = klr.PerLayer(keras.optimizers.SGD(0.05), {"bottom": THAW, "bias": 2.0}, scale_weight_decay=True)
    clone = with_rate(template, 0.5)
    assert (clone.factors, clone.scale_weight_decay, float(clone.learning_rate)) == (template.factors, True, 0.5)
    optimizers = {
        "slow": klr.PerLayer(keras.optimizers.SGD(0.05), {"bottom": 0}),
        "coupled": SGD(RATE, Coupled(0.95, 0.85)),
    }
    result = klr.compare(
        lambda: two_layers("sgd"), x, y, validation_split=0.25, optimizers=optimizers, seeds=2, epochs=2, verbose=0
    )
    assert sorted(case.name for case in result.cases) == ["coupled", "slow"]
