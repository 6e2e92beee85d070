"""Measures the seconds of `klr.find(model, x, y)` in a user's script: `keras_lr` is imported, nothing else is warm.

The data are 60,000 rows of 784, the model a dense one of MNIST's size. Compilation and the lazy imports of the package count.
Prints one JSON document.

python benchmarks/default_call.py [batch_size]
"""

import json
import os
import sys
import time

os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)  # a user does not have one

import keras
import numpy as np
from keras import layers

import keras_lr as klr

EXAMPLES, FEATURES, CLASSES = 60_000, 784, 10


def data():
    """Rows like flat images: a picture for each class, three quarters of it empty, plus noise."""
    order = np.random.default_rng(0)
    y = order.integers(0, CLASSES, EXAMPLES)
    pictures = np.where(order.random((CLASSES, FEATURES)) < 0.25, order.random((CLASSES, FEATURES)), 0.0)
    noise = order.random((EXAMPLES, FEATURES), np.float32)
    return 0.5 * pictures.astype("float32")[y] + 0.5 * noise, y


def mlp():
    """784-128-64-10."""
    keras.utils.set_random_seed(0)
    body = [layers.Dense(128, activation="relu"), layers.Dense(64, activation="relu")]
    model = keras.Sequential([layers.Input([FEATURES]), *body, layers.Dense(CLASSES, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(batch_size=None):
    x, y = data()
    model = mlp()
    start = time.perf_counter()
    result = klr.find(model, x, y, batch_size=batch_size)
    row = {
        "batch_size": batch_size or "default",
        "seconds": time.perf_counter() - start,
        "answer": result.learning_rate,
    }
    print(json.dumps({"rows": [row]}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
