"""The networks of long trainings and of texts. Imports only Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from long_data import CHARACTERS, WINDOW

Build = Callable[[], Any]


def normalized(inputs: int, hidden: list[int], outputs: int) -> Build:
    """Returns a function that builds dense layers with batch normalization."""

    def make() -> Any:
        layers = []
        for units in hidden:
            layers += [
                keras.layers.Dense(units, use_bias=False),
                keras.layers.BatchNormalization(),
                keras.layers.ReLU(),
            ]
        return keras.Sequential([keras.layers.Input([inputs]), *layers, keras.layers.Dense(outputs)])

    return make


def recurrent(layer: Any, units: int, steps: int, features: int, outputs: int) -> Build:
    """Returns a function that builds a recurrent network."""

    def make() -> Any:
        return keras.Sequential([keras.layers.Input([steps, features]), layer(units), keras.layers.Dense(outputs)])

    return make


class Positions(keras.layers.Layer):
    """Adds a trained vector for each position."""

    def build(self, shape: Any) -> None:
        """Creates the vectors."""
        self.vectors = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02))

    def call(self, x: Any) -> Any:
        """Returns the sum."""
        return x + self.vectors


def blocks(x: Any, count: int, width: int, heads: int, before: bool, causal: bool) -> Any:
    """Applies blocks of attention and two dense layers, normalized before them or after them."""
    normalize = keras.layers.LayerNormalization
    for _ in range(count):
        normal = normalize()(x) if before else x
        attention = keras.layers.MultiHeadAttention(heads, width // heads)
        x = x + attention(normal, normal, use_causal_mask=causal)
        x = x if before else normalize()(x)
        normal = normalize()(x) if before else x
        x = x + keras.layers.Dense(width)(keras.layers.Dense(2 * width, activation="gelu")(normal))
        x = x if before else normalize()(x)
    return normalize()(x) if before else x


def attention(steps: int, features: int, width: int, count: int, outputs: int) -> Build:
    """Returns a function that builds a transformer that reads a sequence."""

    def make() -> Any:
        inputs = keras.layers.Input([steps, features])
        x = blocks(Positions()(keras.layers.Dense(width)(inputs)), count, width, 2, True, False)
        return keras.Model(inputs, keras.layers.Dense(outputs)(keras.layers.GlobalAveragePooling1D()(x)))

    return make


def transformer(width: int, count: int, before: bool) -> Build:
    """Returns a function that builds a transformer that predicts the next character."""

    def make() -> Any:
        inputs = keras.layers.Input([WINDOW], dtype="int32")
        x = Positions()(keras.layers.Embedding(CHARACTERS, width)(inputs))
        x = blocks(x, count, width, 4, before, True)
        return keras.Model(inputs, keras.layers.Dense(CHARACTERS)(x))

    return make


def recurrent_text(layer: Any, units: int) -> Build:
    """Returns a function that builds a recurrent network that predicts the next character."""

    def make() -> Any:
        inputs = keras.layers.Input([WINDOW], dtype="int32")
        x = layer(units, return_sequences=True)(keras.layers.Embedding(CHARACTERS, units)(inputs))
        return keras.Model(inputs, keras.layers.Dense(CHARACTERS)(x))

    return make
