"""Measures the seconds of `klr.find(model, x, y)` in a user's script: `keras_lr` is imported, nothing else is warm.

The data are 60,000 rows of 784, the model a dense one of MNIST's size. Compilation and the lazy imports of the package count.
With "transformer" the model is one of four layers, 64 wide, on 4,000 texts of 16 characters. A second call on the same model
compiles nothing; its seconds are compared with those of its updates. Prints one JSON document.

python benchmarks/default_call.py [batch_size] [transformer]
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
from keras_lr import backends

EXAMPLES, FEATURES, CLASSES = 60_000, 784, 10
TEXTS, LENGTH, CHARACTERS, WIDTH, DEPTH = 4_000, 16, 64, 64, 4


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


def texts():
    """Characters of which every other one follows from the one before, and the next characters."""
    characters = np.random.default_rng(0).integers(0, CHARACTERS, (TEXTS, LENGTH + 1)).astype("int32")
    characters[:, 1::2] = (3 * characters[:, :-1:2] + 1) % CHARACTERS
    return characters[:, :-1], characters[:, 1:]


def transformer():
    """Pre-norm, with causal attention."""
    keras.utils.set_random_seed(0)
    text = layers.Input([LENGTH], dtype="int32")
    stream = layers.Embedding(CHARACTERS, WIDTH)(text)
    for _ in range(DEPTH):
        normal = layers.LayerNormalization()(stream)
        stream = stream + layers.MultiHeadAttention(4, WIDTH // 4)(normal, normal, use_causal_mask=True)
        normal = layers.LayerNormalization()(stream)
        stream = stream + layers.Dense(WIDTH)(layers.Dense(4 * WIDTH, activation="gelu")(normal))
    model = keras.Model(text, layers.Dense(CHARACTERS)(layers.LayerNormalization()(stream)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


class Clock:
    """Measures what the updates of all steppers take without compilation, by the median over them."""

    def __init__(self):
        self.each, stepper = [], backends.active().Stepper
        updates = stepper.updates

        def timed(this, chunk, learning_rates):
            start = time.perf_counter()
            losses = updates(this, chunk, learning_rates)
            self.each += [(time.perf_counter() - start) / len(chunk)] * len(chunk)
            return losses

        stepper.updates = timed

    @property
    def seconds(self):
        """The median update times their number."""
        return float(np.median(self.each)) * len(self.each)


def main(arguments):
    text = "transformer" in arguments
    batch_size = next((int(argument) for argument in arguments if argument.isdigit()), None)
    (x, y), model = (texts(), transformer()) if text else (data(), mlp())
    start = time.perf_counter()
    result = klr.find(model, x, y, batch_size=batch_size)
    seconds, clock = time.perf_counter() - start, Clock()
    start = time.perf_counter()
    klr.find(model, x, y, batch_size=batch_size)
    row = {
        "model": "transformer" if text else "MLP",
        "batch_size": batch_size or "default",
        "seconds": seconds,
        "second call": time.perf_counter() - start,
        "its updates": clock.seconds,
        "answer": result.learning_rate,
    }
    print(json.dumps({"rows": [row]}))


if __name__ == "__main__":
    main(sys.argv[1:])
