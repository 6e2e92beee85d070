"""The 20 pairs of long trainings and the 8 pairs of texts, each in two halves. Each half has one pair of each kind.

The split was fixed before a rule for them was written. A training sees each example once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras
import long_data as data
import long_networks as networks
from networks import convolutional, dense, pretrained
from tasks import GRU, LSTM, OPTIMIZERS, Task

EARLIER, LATER = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9)

OPTIMIZERS.update({"Muon": functools.partial(keras.optimizers.Muon, exclude_layers=["head"])})


def with_head(hidden: list[int], inputs: int, outputs: int) -> Callable[[], keras.Model]:
    """Returns a function that builds dense layers; the last one is named, so that Muon leaves it to AdamW."""

    def make() -> keras.Model:
        layers = [keras.layers.Dense(units, activation="relu") for units in hidden]
        return keras.Sequential([keras.layers.Input([inputs]), *layers, keras.layers.Dense(outputs, name="head")])

    return make


def long(kind: str, name: str, optimizer: str, arrays, network, loss: str, updates: int, batch_size: int = 32) -> Task:
    """Returns a pair whose training has this many updates, in one epoch."""
    return Task(kind, name, optimizer, arrays(updates * batch_size), network, loss, batch_size, 1)


def classes_of(classes: tuple[int, ...]):
    """Returns the rows of digits of some classes."""
    return lambda rows: data.digit_rows(rows, classes)


ROWS, COLUMNS = functools.partial(data.digit_steps, across=False), functools.partial(data.digit_steps, across=True)
LONG_FIRST = (
    long("dense", "shifted digits", "Adam", data.digit_rows, dense(196, [64, 64], 10), "classes", 3125),
    long("deep", "shifted digits", "Momentum", data.digit_rows, dense(196, [48] * 5, 10, "tanh"), "classes", 3125),
    long("convolutional", "shifted digits", "Momentum", data.digit_images, convolutional([6, 8], True, size=14), "classes", 2500),
    long("recurrent", "shifted digit rows", "Adam", ROWS, networks.recurrent(GRU, 24, 14, 14, 10), "classes", 2500),
    long("attention", "shifted digit rows", "AdamW", ROWS, networks.attention(14, 14, 24, 1, 10), "classes", 2000),
    long("tabular", "hastie", "RMSprop", data.hastie, dense(10, [64, 32], 1), "two classes", 10_000, 16),
    long("autoencoder", "crops", "Nadam", data.crop_copies, dense(64, [32, 12, 32], 64), "squares", 5000),
    long("fine-tuning", "later digits", "Momentum", classes_of(LATER), pretrained(data.unshifted(EARLIER), [64, 32], 5), "classes", 2000),
    long("Muon", "shifted digits", "Muon", data.digit_rows, with_head([64, 64], 196, 10), "classes", 3125),
    long("Lion", "crops", "Lion", data.crop_rows, dense(64, [64, 32], 1), "two classes", 4000),
)  # fmt: skip
LONG_SECOND = (
    long("dense", "shifted digits", "AdamW", data.digit_rows, dense(196, [128], 10), "classes", 6250, 16),
    long("deep", "shifted digits, normalized", "Momentum", data.digit_rows, networks.normalized(196, [64, 64, 32], 10), "classes", 3125),
    long("convolutional", "crops", "Adam", data.crop_images, convolutional([8, 8], False, 1), "two classes", 2500),
    long("recurrent", "shifted digit columns", "AdamW", COLUMNS, networks.recurrent(LSTM, 24, 14, 14, 10), "classes", 2500),
    long("attention", "shifted digit columns", "Momentum", COLUMNS, networks.attention(14, 14, 24, 1, 10), "classes", 2000),
    long("tabular", "friedman", "Adam", data.friedman, dense(10, [32, 32], 1), "squares", 20_000, 8),
    long("autoencoder", "shifted digits", "RMSprop", data.digit_copies, dense(196, [64, 16, 64], 196), "squares", 4000),
    long("fine-tuning", "earlier digits", "Adam", classes_of(EARLIER), pretrained(data.unshifted(LATER), [64], 5), "classes", 2000),
    long("Muon", "crops", "Muon", data.crop_rows, with_head([48, 48], 64, 1), "two classes", 3125),
    long("Lion", "shifted digits", "Lion", data.digit_rows, dense(196, [64, 64], 10), "classes", 3125),
)  # fmt: skip

TEXT_UPDATES = 1200
text = functools.partial(long, arrays=data.windows, loss="classes", updates=TEXT_UPDATES)
TEXT_FIRST = (
    text("transformer", "pre-norm, two blocks", "Adam", network=networks.transformer(32, 2, True)),
    text("transformer", "post-norm, one block", "Momentum", network=networks.transformer(32, 1, False)),
    text("recurrent", "GRU", "Adam", network=networks.recurrent_text(GRU, 48)),
    text("recurrent", "LSTM", "Momentum", network=networks.recurrent_text(LSTM, 32)),
)
TEXT_SECOND = (
    text("transformer", "post-norm, two blocks", "Adam", network=networks.transformer(32, 2, False)),
    text("transformer", "pre-norm, two blocks", "Momentum", network=networks.transformer(24, 2, True)),
    text("recurrent", "LSTM", "Adam", network=networks.recurrent_text(LSTM, 48)),
    text("recurrent", "GRU", "Momentum", network=networks.recurrent_text(GRU, 32)),
)
GROUPS = {
    "long": {"tune": LONG_FIRST, "held out": LONG_SECOND},
    "text": {"tune": TEXT_FIRST, "held out": TEXT_SECOND},
}
