"""The 48 pairs of task and optimizer on which `find` is judged, in two halves.

Each half has twelve kinds of task with two pairs each, and eight optimizers with three pairs each. Rules are tuned on the
half "tune" and only scored on the half "held out"; the split was fixed before the present rule was tuned. Imports only
Keras and scikit-learn, so that every finder can run on the same work.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import data
import keras
import networks
from data import Arrays

TEMPLATE_RATE = 1e-3  # of a new model; every finder and every training replaces it

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
        kind: The property that it tests; each half has two pairs of a kind.
        data: Which data it has, in a word or two.
        optimizer: A key of `OPTIMIZERS`.
        arrays: x, y, x_val, y_val.
        network: Builds the model, not compiled.
        loss: A key of `LOSSES`.
        batch_size: Examples in a batch; it divides the training examples.
        epochs: Epochs of a run.
        scale: A factor of the loss.
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
        """Builds and compiles a model; its weights come from Keras's global seed."""
        model = self.network()
        weights = None if self.scale == 1.0 else [self.scale]
        model.compile(OPTIMIZERS[self.optimizer](learning_rate), LOSSES[self.loss](), loss_weights=weights)
        return model


LOSSES: dict[str, Callable[[], Any]] = {
    "classes": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "two classes": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "squares": keras.losses.MeanSquaredError,
}


GRU, LSTM = keras.layers.GRU, keras.layers.LSTM
FIRST = (
    Task("dense", "digits", "SGD", data.digit_rows, networks.dense(64, [64, 32], 10), "classes", 64, 25),
    Task("dense", "cancer", "Adam", data.cancer_rows, networks.dense(30, [32, 32], 1, dropout=0.3), "two classes", 32, 30),
    Task("convolutional", "digits", "Momentum", data.digit_images, networks.convolutional([6, 8], True), "classes", 64, 15),
    Task("convolutional", "digits", "Nadam", data.digit_images, networks.convolutional([8], False), "classes", 64, 20),
    Task("recurrent", "digits by 8", "RMSprop", data.digit_steps(8), networks.recurrent(GRU, 8, 8), "classes", 64, 20),
    Task("recurrent", "digits by 4", "Adam", data.digit_steps(16), networks.recurrent(LSTM, 16, 4), "classes", 64, 20),
    Task("attention", "digit rows", "AdamW", data.digit_tokens(False), networks.attention(1), "classes", 64, 20),
    Task("attention", "digit columns", "Lion", data.digit_tokens(True), networks.attention(2), "classes", 64, 16),
    Task("autoencoder", "digits", "Adagrad", data.digit_copies, networks.dense(64, [32, 8, 32], 64), "squares", 64, 25),
    Task("autoencoder", "cancer", "Nadam", data.cancer_copies, networks.dense(30, [16, 4, 16], 30, "tanh"), "squares", 32, 30),
    Task("raw targets", "diabetes", "SGD", data.diabetes(True), networks.dense(10, [32], 1), "squares", 32, 40),
    Task("raw targets", "cancer area", "RMSprop", data.cancer_area, networks.dense(10, [32, 16], 1), "squares", 32, 30),
    Task("tiny loss", "diabetes", "Momentum", data.diabetes(False), networks.dense(10, [32], 1), "squares", 32, 30, 1e-2),
    Task("tiny loss", "digits", "AdamW", data.digit_rows, networks.dense(64, [48], 10, "tanh"), "classes", 64, 20, 1e-4),
    Task("huge loss", "cancer", "Momentum", data.cancer_rows, networks.dense(30, [32], 1), "two classes", 32, 25, 1e3),
    Task("huge loss", "digits", "Lion", data.digit_rows, networks.dense(64, [48, 48], 10), "classes", 64, 25, 1e4),
    Task("noisy labels", "digits", "Adam", data.noisy(data.digits, 0.4, 1024), networks.dense(64, [96], 10), "classes", 64, 20),
    Task("noisy labels", "cancer", "Adagrad", data.noisy_cancer(0.5), networks.dense(30, [32, 16], 1), "two classes", 32, 25),
    Task("fine-tuning", "new digits", "AdamW", data.later_digits, networks.pretrained(data.earlier_digits, [64, 32], 5), "classes", 32, 20),
    Task("fine-tuning", "more digits", "RMSprop", data.other_digits, networks.pretrained(data.first_digits, [64], None), "classes", 64, 20),
    Task("small batches", "digits", "SGD", data.digit_rows, networks.dense(64, [32], 10, "tanh"), "classes", 4, 2),
    Task("small batches", "wine", "Adagrad", data.wine, networks.dense(13, [24], 3), "classes", 4, 12),
    Task("large batches", "digits", "Lion", data.digit_rows, networks.dense(64, [48], 10), "classes", 512, 120),
    Task("large batches", "cancer", "Nadam", data.cancer_rows, networks.dense(30, [24, 24], 1), "two classes", 192, 120),
)  # fmt: skip
SECOND = (
    Task("dense", "wine", "Lion", data.wine, networks.dense(13, [32], 3), "classes", 16, 30),
    Task("dense", "cancer", "Momentum", data.cancer_rows, networks.dense(30, [64], 1, "tanh"), "two classes", 32, 30),
    Task("convolutional", "digits", "Adam", data.digit_images, networks.convolutional([12], True), "classes", 64, 15),
    Task("convolutional", "photos", "SGD", data.photo_images, networks.convolutional([8, 8], False, 1), "two classes", 32, 15),
    Task("recurrent", "digits by 8", "Nadam", data.digit_steps(8), networks.recurrent(LSTM, 8, 8), "classes", 64, 20),
    Task("recurrent", "photos by 8", "AdamW", data.photo_steps, networks.recurrent(GRU, 8, 8, 1), "two classes", 64, 20),
    Task("attention", "digit columns", "Adam", data.digit_tokens(True), networks.attention(1), "classes", 64, 16),
    Task("attention", "digit rows", "RMSprop", data.digit_tokens(False), networks.attention(1), "classes", 32, 10),
    Task("autoencoder", "photos", "Momentum", data.photo_copies, networks.dense(64, [32], 64), "squares", 64, 25),
    Task("autoencoder", "digits", "Lion", data.digit_copies, networks.dense(64, [48, 12, 48], 64, "tanh"), "squares", 64, 25),
    Task("raw targets", "proline", "Adam", data.proline, networks.dense(12, [32], 1), "squares", 16, 60),
    Task("raw targets", "diabetes", "AdamW", data.diabetes(True), networks.dense(10, [24, 24], 1), "squares", 32, 40),
    Task("tiny loss", "wine", "SGD", data.wine, networks.dense(13, [24], 3, "tanh"), "classes", 16, 30, 1e-3),
    Task("tiny loss", "cancer", "RMSprop", data.cancer_rows, networks.dense(30, [32], 1), "two classes", 32, 25, 1e-5),
    Task("huge loss", "diabetes", "Adagrad", data.diabetes(False), networks.dense(10, [32], 1), "squares", 32, 30, 1e3),
    Task("huge loss", "digits", "Nadam", data.digit_rows, networks.dense(64, [64], 10), "classes", 64, 20, 1e2),
    Task("noisy labels", "cancer", "SGD", data.noisy_cancer(0.3), networks.dense(30, [32], 1), "two classes", 32, 25),
    Task("noisy labels", "digits", "Lion", data.noisy(data.digits, 0.2, 1024), networks.dense(64, [64], 10), "classes", 64, 20),
    Task("fine-tuning", "old digits", "Momentum", data.earlier_digits_only, networks.pretrained(data.later_digits_before, [64], 5), "classes", 32, 20),
    Task("fine-tuning", "more cancer", "Adagrad", data.other_cancers, networks.pretrained(data.first_cancers, [32], None), "two classes", 32, 25),
    Task("small batches", "cancer", "AdamW", data.cancer_rows, networks.dense(30, [24], 1), "two classes", 4, 6),
    Task("small batches", "digits", "Nadam", data.digit_rows, networks.dense(64, [32], 10), "classes", 4, 2),
    Task("large batches", "digits", "RMSprop", data.digit_rows, networks.dense(64, [48], 10), "classes", 512, 120),
    Task("large batches", "cancer", "Adagrad", data.cancer_rows, networks.dense(30, [24], 1), "two classes", 192, 120),
)  # fmt: skip
TASKS = FIRST + SECOND
FURTHER = (  # quick pairs of the first half
    "dense, digits, SGD",
    "autoencoder, cancer, Nadam",
    "noisy labels, digits, Adam",
    "fine-tuning, new digits, AdamW",
    "small batches, wine, Adagrad",
    "large batches, cancer, Nadam",
)


def halves() -> dict[str, tuple[Task, ...]]:
    """Returns the two halves by name, each with two pairs of a kind and three of an optimizer."""
    return {"tune": FIRST, "held out": SECOND}


def further() -> tuple[Task, ...]:
    """Returns more pairs for tuning: some quick ones of the half "tune", with every other optimizer."""
    quick = [task for task in FIRST if task.name in FURTHER]
    return tuple(
        dataclasses.replace(task, optimizer=other) for task in quick for other in OPTIMIZERS if other != task.optimizer
    )


def main() -> None:
    """Prints the split."""
    for name, half in halves().items():
        print(name)
        for task in half:
            print("   ", task.name)


if __name__ == "__main__":
    main()
