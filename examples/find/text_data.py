"""Windows of text, one number per character, and a small transformer that predicts the next character."""

import pathlib

import keras
import numpy as np
import scipy.stats
from keras import layers

WINDOW = 24  # characters of an example
CHARACTERS = 97  # the printable ones of ASCII, the end of a line, and all others as one


def windows(rows, seed=0):
    """Returns windows of the sources of scipy.stats with their next characters, and some of a later part of the text."""
    folder = pathlib.Path(scipy.stats.__file__).parent
    codes = np.frombuffer(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py"))), np.uint8).astype("int32")
    text = np.where(codes == 10, 95, np.where((codes >= 32) & (codes < 127), codes - 32, 96)).astype("int32")
    chance, end = np.random.default_rng(seed), len(text) * 9 // 10
    starts = chance.integers(0, end - WINDOW - 1, rows), chance.integers(end, len(text) - WINDOW - 1, 1000)
    train, later = (text[first[:, None] + np.arange(WINDOW + 1)] for first in starts)
    return (train[:, :-1], train[:, 1:]), (later[:, :-1], later[:, 1:])


@keras.saving.register_keras_serializable(package="examples")
class Positions(layers.Layer):
    """Adds a learned vector to each position."""

    def build(self, shape):
        """Creates the vectors."""
        self.table = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02))

    def call(self, x):
        """Returns the sum."""
        return x + self.table


def transformer(width=32, blocks=1, pre_norm=True):
    """Returns a transformer, not compiled. It normalizes the input of each part (pre-norm) or the sum after it."""
    inputs = layers.Input([WINDOW], dtype="int32")
    x = Positions()(layers.Embedding(CHARACTERS, width)(inputs))
    for _ in range(blocks):
        attention = layers.MultiHeadAttention(2, width // 2)
        x = _add(x, lambda z, attend=attention: attend(z, z, use_causal_mask=True), pre_norm)
        wide, narrow = layers.Dense(2 * width, "gelu"), layers.Dense(width)
        x = _add(x, lambda z, first=wide, second=narrow: second(first(z)), pre_norm)
    x = layers.LayerNormalization()(x) if pre_norm else x
    return keras.Model(inputs, layers.Dense(CHARACTERS)(x))


def _add(x, part, pre_norm):
    """Adds a part of a block to its input."""
    if pre_norm:
        return x + part(layers.LayerNormalization()(x))
    return layers.LayerNormalization()(x + part(x))
