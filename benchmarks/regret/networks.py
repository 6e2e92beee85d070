"""The networks of the benchmark, each as a function that builds one without compiling it.

Imports only Keras and scikit-learn, so that every finder can run on the same work.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier


def dense(inputs: int, hidden: list[int], outputs: int, activation: str = "relu", dropout: float = 0.0) -> Any:
    """Returns a function that builds a network of dense layers."""

    def make() -> Any:
        layers = []
        for units in hidden:
            layers.append(keras.layers.Dense(units, activation=activation))
            if dropout:
                layers.append(keras.layers.Dropout(dropout))
        return keras.Sequential([keras.layers.Input([inputs]), *layers, keras.layers.Dense(outputs)])

    return make


def convolutional(filters: list[int], normalize: bool, outputs: int = 10, size: int = 8) -> Any:
    """Returns a function that builds a small convolutional network for images of `size` x `size`."""

    def make() -> Any:
        layers = []
        for count in filters:
            layers.append(keras.layers.Conv2D(count, 3, strides=2, padding="same", use_bias=not normalize))
            if normalize:
                layers.append(keras.layers.BatchNormalization())
            layers.append(keras.layers.ReLU())
        head = [keras.layers.Flatten(), keras.layers.Dense(outputs)]
        return keras.Sequential([keras.layers.Input([size, size, 1]), *layers, *head])

    return make


def recurrent(layer: Any, steps: int, features: int, outputs: int = 10) -> Any:
    """Returns a function that builds a recurrent network."""

    def make() -> Any:
        body = layer(16, unroll=True)
        return keras.Sequential([keras.layers.Input([steps, features]), body, keras.layers.Dense(outputs)])

    return make


def attention(blocks: int) -> Any:
    """Returns a function that builds a small transformer for 8 tokens of 16 features."""

    def make() -> Any:
        inputs = keras.layers.Input([8, 16])
        x = keras.layers.Dense(16)(inputs)
        for _ in range(blocks):
            normal = keras.layers.LayerNormalization()(x)
            x = x + keras.layers.MultiHeadAttention(2, 8)(normal, normal)
            normal = keras.layers.LayerNormalization()(x)
            x = x + keras.layers.Dense(16)(keras.layers.Dense(32, activation="relu")(normal))
        x = keras.layers.GlobalAveragePooling1D()(keras.layers.LayerNormalization()(x))
        return keras.Model(inputs, keras.layers.Dense(10)(x))

    return make


def pretrained(first: Callable[[], tuple[np.ndarray, np.ndarray]], hidden: list[int], outputs: int | None) -> Any:
    """Returns a function that builds a network with weights from scikit-learn; with `outputs`, the head is new."""

    @functools.cache
    def weights() -> list[np.ndarray]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            before = MLPClassifier(tuple(hidden), max_iter=30, random_state=0).fit(*first())
        pairs = zip(before.coefs_, before.intercepts_, strict=True)
        return [array.astype("float32") for pair in pairs for array in pair]

    def make() -> Any:
        arrays = weights()
        model = dense(len(arrays[0]), hidden, outputs or len(arrays[-1]))()
        model.set_weights(arrays if outputs is None else [*arrays[:-2], *model.get_weights()[-2:]])
        return model

    return make
