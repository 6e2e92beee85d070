"""The 24 pairs of task and optimizer that `find` is judged by, and the rule that splits them into two halves.

Twelve kinds of task with two pairs each, eight optimizers with three pairs each. The data are those of scikit-learn. This
file and the split were fixed before any rule was tuned: rules are tuned on the half "tune", and "held out" is only looked at.
Imports Keras and scikit-learn alone, so that every finder can be run on the same work.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
TEMPLATE_RATE = 1e-3  # of a model as it is built; every finder and every training sets its own

OPTIMIZERS: dict[str, Callable[[float], Any]] = {
    "SGD": keras.optimizers.SGD,
    "Momentum": functools.partial(keras.optimizers.SGD, momentum=0.9),
    "Adam": keras.optimizers.Adam,
    "AdamW": keras.optimizers.AdamW,
    "RMSprop": keras.optimizers.RMSprop,
    "Adagrad": keras.optimizers.Adagrad,
    "Lion": keras.optimizers.Lion,
    "Nadam": keras.optimizers.Nadam,
}


@dataclasses.dataclass(frozen=True)
class Task:
    """A pair of task and optimizer.

    Attributes:
        kind: What is special about it; each kind has two pairs.
        data: What it is trained on.
        optimizer: A name of `OPTIMIZERS`.
        arrays: x, y, x_val, y_val.
        network: Makes the model, not compiled.
        loss: A name of `LOSSES`.
        batch_size: Examples in a batch; it divides the training examples.
        epochs: Epochs of a run.
        scale: What the loss is multiplied by.
    """

    kind: str
    data: str
    optimizer: str
    arrays: Callable[[], Arrays]
    network: Callable[[], Any]
    loss: str
    batch_size: int
    epochs: int
    scale: float = 1.0

    @property
    def name(self) -> str:
        """The kind, the data and the optimizer."""
        return f"{self.kind}, {self.data}, {self.optimizer}"

    def build_model(self, learning_rate: float = TEMPLATE_RATE) -> Any:
        """A new compiled model; its weights are drawn from Keras's global seed."""
        model = self.network()
        weights = None if self.scale == 1.0 else [self.scale]
        model.compile(OPTIMIZERS[self.optimizer](learning_rate), LOSSES[self.loss](), loss_weights=weights)
        return model


LOSSES: dict[str, Callable[[], Any]] = {
    "classes": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "two classes": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "squares": keras.losses.MeanSquaredError,
}


def dense(inputs: int, hidden: list[int], outputs: int, activation: str = "relu", dropout: float = 0.0) -> Any:
    """Makes a function that makes a network of dense layers."""

    def make() -> Any:
        layers = []
        for units in hidden:
            layers.append(keras.layers.Dense(units, activation=activation))
            if dropout:
                layers.append(keras.layers.Dropout(dropout))
        return keras.Sequential([keras.layers.Input([inputs]), *layers, keras.layers.Dense(outputs)])

    return make


def convolutional(filters: list[int], normalized: bool) -> Any:
    """Makes a function that makes a small convolutional network for images of 8 x 8."""

    def make() -> Any:
        layers = []
        for count in filters:
            layers.append(keras.layers.Conv2D(count, 3, strides=2, padding="same", use_bias=not normalized))
            if normalized:
                layers.append(keras.layers.BatchNormalization())
            layers.append(keras.layers.ReLU())
        head = [keras.layers.Flatten(), keras.layers.Dense(10)]
        return keras.Sequential([keras.layers.Input([8, 8, 1]), *layers, *head])

    return make


def recurrent(layer: Any, steps: int, features: int) -> Any:
    """Makes a function that makes a recurrent network."""

    def make() -> Any:
        body = layer(16, unroll=True)
        return keras.Sequential([keras.layers.Input([steps, features]), body, keras.layers.Dense(10)])

    return make


def attention(blocks: int) -> Any:
    """Makes a function that makes a small transformer for 8 tokens of 16 features."""

    def make() -> Any:
        inputs = keras.layers.Input([8, 16])
        x = keras.layers.Dense(16)(inputs)
        for _ in range(blocks):
            seen = keras.layers.LayerNormalization()(x)
            x = x + keras.layers.MultiHeadAttention(2, 8)(seen, seen)
            seen = keras.layers.LayerNormalization()(x)
            x = x + keras.layers.Dense(16)(keras.layers.Dense(32, activation="relu")(seen))
        x = keras.layers.GlobalAveragePooling1D()(keras.layers.LayerNormalization()(x))
        return keras.Model(inputs, keras.layers.Dense(10)(x))

    return make


def trained_before(first: Callable[[], tuple[np.ndarray, np.ndarray]], hidden: list[int], outputs: int | None) -> Any:
    """Makes a function that makes a network that was trained before, by scikit-learn; a new head where `outputs` is given."""

    @functools.cache
    def learned() -> list[np.ndarray]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            before = MLPClassifier(tuple(hidden), max_iter=30, random_state=0).fit(*first())
        pairs = zip(before.coefs_, before.intercepts_, strict=True)
        return [array.astype("float32") for pair in pairs for array in pair]

    def make() -> Any:
        arrays = learned()
        model = dense(len(arrays[0]), hidden, outputs or len(arrays[-1]))()
        kept = arrays if outputs is None else [*arrays[:-2], *model.get_weights()[-2:]]
        model.set_weights(kept)
        return model

    return make


def shuffled(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In an order that is always the same."""
    order = np.random.default_rng(0).permutation(len(x))
    return x[order].astype("float32"), y[order]


def standard(x: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and standard deviation 1."""
    return (x - x.mean(0)) / (x.std(0) + 1e-9)


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """1,797 images of 8 x 8 as rows in [0, 1], and ten classes."""
    x, y = datasets.load_digits(return_X_y=True)
    return shuffled(x / 16.0, y)


@functools.cache
def cancer() -> tuple[np.ndarray, np.ndarray]:
    """569 examples of 30 columns, two classes."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return shuffled(standard(x), y)


def cut(x: np.ndarray, y: np.ndarray, rows: int, held: int = 500) -> Arrays:
    """The first rows to train on, and those behind them, or some of them, to validate on."""
    return x[:rows], y[:rows], x[rows : rows + held], y[rows : rows + held]


def digit_rows() -> Arrays:
    """Digits as they are."""
    return cut(*digits(), 1024)


def digit_images() -> Arrays:
    """Digits as images."""
    x, y = digits()
    return cut(x.reshape(-1, 8, 8, 1), y, 1024)


def digit_steps(steps: int) -> Callable[[], Arrays]:
    """Digits read pixel after pixel, some at a time."""
    return lambda: cut(digits()[0].reshape(-1, steps, 64 // steps), digits()[1], 1024)


def digit_tokens(across: bool) -> Callable[[], Arrays]:
    """Digits as eight tokens, their rows or their columns, each with its place."""

    def arrays() -> Arrays:
        x, y = digits()
        tokens = x.reshape(-1, 8, 8)
        tokens = tokens.transpose(0, 2, 1) if across else tokens
        places = np.broadcast_to(np.eye(8, dtype="float32"), tokens.shape)
        return cut(np.concatenate([tokens, places], axis=2), y, 1024)

    return arrays


def digit_copies() -> Arrays:
    """Digits as their own targets."""
    x, _ = digits()
    return cut(x, x, 1024)


def noisy(data: Callable[[], tuple[np.ndarray, np.ndarray]], share: float, rows: int) -> Callable[[], Arrays]:
    """A share of all labels is drawn anew, of those to validate on too."""

    def arrays() -> Arrays:
        x, y = data()
        chance = np.random.default_rng(1)
        wrong = chance.random(len(y)) < share
        return cut(x, np.where(wrong, chance.integers(0, y.max() + 1, len(y)), y), rows)

    return arrays


def later_digits() -> Arrays:
    """The digits 5 to 9 alone, as five classes."""
    x, y = digits()
    return cut(x[y >= 5], y[y >= 5] - 5, 512)


def earlier_digits() -> tuple[np.ndarray, np.ndarray]:
    """The digits 0 to 4 alone."""
    x, y = digits()
    return x[y < 5], y[y < 5]


def first_digits() -> tuple[np.ndarray, np.ndarray]:
    """The first 300 digits."""
    x, y = digits()
    return x[:300], y[:300]


def other_digits() -> Arrays:
    """All digits but the first 300."""
    x, y = digits()
    return cut(x[300:], y[300:], 1024)


def cancer_rows() -> Arrays:
    """Cancer as it is, the labels as a column."""
    x, y = cancer()
    return cut(x, y[:, None].astype("float32"), 384)


def cancer_copies() -> Arrays:
    """Cancer as its own targets."""
    x, _ = cancer()
    return cut(x, x, 384)


def noisy_cancer() -> Arrays:
    """Cancer with half of the labels drawn anew."""
    x, y, x_val, y_val = noisy(cancer, 0.5, 384)()
    return x, y[:, None].astype("float32"), x_val, y_val[:, None].astype("float32")


def cancer_area() -> Arrays:
    """The worst area of a cell, some hundreds to thousands, from the ten mean columns."""
    x, _ = datasets.load_breast_cancer(return_X_y=True)
    return cut(*shuffled(standard(x[:, :10]), x[:, [23]].astype("float32")), 384)


def diabetes(raw: bool) -> Callable[[], Arrays]:
    """442 patients of ten columns; the progression as it is, 25 to 346, or of mean 0 and standard deviation 1."""

    def arrays() -> Arrays:
        x, y = datasets.load_diabetes(return_X_y=True)
        y = (y if raw else standard(y))[:, None].astype("float32")
        return cut(*shuffled(standard(x), y), 320)

    return arrays


def wine() -> Arrays:
    """178 wines of 13 columns, three classes."""
    x, y = datasets.load_wine(return_X_y=True)
    return cut(*shuffled(standard(x), y), 128)


GRU, LSTM = keras.layers.GRU, keras.layers.LSTM
TASKS = (
    Task("dense", "digits", "SGD", digit_rows, dense(64, [64, 32], 10), "classes", 64, 25),
    Task("dense", "cancer", "Adam", cancer_rows, dense(30, [32, 32], 1, dropout=0.3), "two classes", 32, 30),
    Task("convolutional", "digits", "Momentum", digit_images, convolutional([6, 8], True), "classes", 64, 15),
    Task("convolutional", "digits", "Nadam", digit_images, convolutional([8], False), "classes", 64, 20),
    Task("recurrent", "digits by 8", "RMSprop", digit_steps(8), recurrent(GRU, 8, 8), "classes", 64, 20),
    Task("recurrent", "digits by 4", "Adam", digit_steps(16), recurrent(LSTM, 16, 4), "classes", 64, 20),
    Task("attention", "digit rows", "AdamW", digit_tokens(False), attention(1), "classes", 64, 20),
    Task("attention", "digit columns", "Lion", digit_tokens(True), attention(2), "classes", 64, 16),
    Task("autoencoder", "digits", "Adagrad", digit_copies, dense(64, [32, 8, 32], 64), "squares", 64, 25),
    Task("autoencoder", "cancer", "Nadam", cancer_copies, dense(30, [16, 4, 16], 30, "tanh"), "squares", 32, 30),
    Task("raw targets", "diabetes", "SGD", diabetes(True), dense(10, [32], 1), "squares", 32, 40),
    Task("raw targets", "cancer area", "RMSprop", cancer_area, dense(10, [32, 16], 1), "squares", 32, 30),
    Task("tiny loss", "diabetes", "Momentum", diabetes(False), dense(10, [32], 1), "squares", 32, 30, 1e-2),
    Task("tiny loss", "digits", "AdamW", digit_rows, dense(64, [48], 10, "tanh"), "classes", 64, 20, 1e-4),
    Task("huge loss", "cancer", "Momentum", cancer_rows, dense(30, [32], 1), "two classes", 32, 25, 1e3),
    Task("huge loss", "digits", "Lion", digit_rows, dense(64, [48, 48], 10), "classes", 64, 25, 1e4),
    Task("noisy labels", "digits", "Adam", noisy(digits, 0.4, 1024), dense(64, [96], 10), "classes", 64, 20),
    Task("noisy labels", "cancer", "Adagrad", noisy_cancer, dense(30, [32, 16], 1), "two classes", 32, 25),
    Task("fine-tuning", "new digits", "AdamW", later_digits, trained_before(earlier_digits, [64, 32], 5), "classes", 32, 20),
    Task("fine-tuning", "more digits", "RMSprop", other_digits, trained_before(first_digits, [64], None), "classes", 64, 20),
    Task("small batches", "digits", "SGD", digit_rows, dense(64, [32], 10, "tanh"), "classes", 4, 2),
    Task("small batches", "wine", "Adagrad", wine, dense(13, [24], 3), "classes", 4, 12),
    Task("large batches", "digits", "Lion", digit_rows, dense(64, [48], 10), "classes", 512, 120),
    Task("large batches", "cancer", "Nadam", cancer_rows, dense(30, [24, 24], 1), "two classes", 192, 120),
)  # fmt: skip


def kinds() -> list[tuple[Task, ...]]:
    """The pairs of each kind."""
    return [tuple(pairs) for _, pairs in itertools.groupby(TASKS, lambda task: task.kind)]


@functools.cache
def halves() -> dict[str, tuple[Task, ...]]:
    """The halves "tune" and "held out".

    The rule: one pair of each kind is for tuning, the other is held out. Of all ways to choose, those count in which every
    optimizer is in both halves, and the one is taken whose names have the lowest SHA-256.
    """

    def rank(chosen: tuple[Task, ...]) -> str:
        return hashlib.sha256("; ".join(task.name for task in chosen).encode()).hexdigest()

    def rest(chosen: tuple[Task, ...]) -> tuple[Task, ...]:
        return tuple(task for task in TASKS if task not in chosen)

    def balanced(chosen: tuple[Task, ...]) -> bool:
        return all({task.optimizer for task in half} == set(OPTIMIZERS) for half in (chosen, rest(chosen)))

    tuned = min(filter(balanced, itertools.product(*kinds())), key=rank)
    return {"tune": tuned, "held out": rest(tuned)}


def further() -> tuple[Task, ...]:
    """More to tune on: some quick pairs of the half for tuning, with every other optimizer."""
    quick = ("dense", "autoencoder", "noisy labels", "fine-tuning", "small batches", "large batches")
    chosen = [task for task in halves()["tune"] if task.kind in quick]
    return tuple(
        dataclasses.replace(task, optimizer=other) for task in chosen for other in OPTIMIZERS if other != task.optimizer
    )


def main() -> None:
    """Prints the split."""
    for name, half in halves().items():
        print(name)
        for task in half:
            print("   ", task.name)


if __name__ == "__main__":
    main()
