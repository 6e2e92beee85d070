"""What all tests share: the backend of this process, real data, small models."""

import gc
import os
import random

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Tests compile hundreds of programs and run each for a moment: XLA's optimizations cost half of the time on JAX.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

ONCE = "jax"  # the backend of the tests marked `once`: processes start sooner on it, and it holds fewer objects


@pytest.fixture(scope="module", autouse=True)
def _older_objects_rest():
    """Full collections, of which failed runs make one each, look at what this module made, not at the frameworks."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_stays():
    """Fails the test that leaves a setting of Keras changed, or another object registered under a name."""
    settings, registered = _settings(), dict(keras.saving.get_custom_objects())
    yield
    assert _settings() == settings
    now = keras.saving.get_custom_objects()
    assert [name for name, kind in registered.items() if now.get(name) is not kind] == []


def _settings():
    config = keras.config
    return config.floatx(), config.epsilon(), config.image_data_format(), config.dtype_policy().name


def pytest_collection_modifyitems(config, items):
    """Leaves tests that check nothing of a backend to one of them; a seed in KERAS_LR_TEST_ORDER shuffles the rest."""
    if keras.backend.backend() != ONCE:
        once = {item for item in items if item.get_closest_marker("once")}
        config.hook.pytest_deselected(items=list(once))
        items[:] = [item for item in items if item not in once]
    if seed := os.environ.get("KERAS_LR_TEST_ORDER"):
        random.Random(seed).shuffle(items)


@pytest.fixture(scope="session")
def digits():
    """The 1,797 digit images of scikit-learn as rows of 64 numbers in [0, 1], and one-hot labels."""
    x, y = load_digits(return_X_y=True)
    return (x / 16.0).astype("float32"), keras.utils.to_categorical(y)


@pytest.fixture(scope="session")
def some_digits(digits):
    """The first 640 of them: ten batches of 64."""
    return digits[0][:640], digits[1][:640]


@pytest.fixture(scope="session")
def make_mlp():
    """Makes a compiled model with dropout and batch normalization, always with the same weights."""

    def make(optimizer="adam", *, built=True, seed=3, loss="categorical_crossentropy", metrics=("accuracy",), **kwargs):
        keras.utils.set_random_seed(seed)
        layers = [
            keras.layers.Dense(32, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(10, activation="softmax"),
        ]
        model = keras.Sequential([keras.layers.Input((64,)), *layers] if built else layers)
        model.compile(optimizer, loss, metrics=list(metrics), **kwargs)
        return model

    return make


@pytest.fixture(scope="session")
def line():
    """Forty points on a plane, and a compiled model of one layer to fit them."""
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")

    def make(learning_rate=0.1, **kwargs):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(learning_rate), "mse", **kwargs)
        return model

    return x, x.sum(axis=1), make
