"""Runs `keras-lr demo`: find, compare and train on real images of digits, with pictures, a report and a table."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import time
from collections.abc import Iterator
from typing import Any

import keras

import keras_lr
from keras_lr.core.errors import ArgumentError
from keras_lr.report import draw
from keras_lr.schedules import Constant, Cosine, Schedule
from keras_lr_cli import outcome, tables
from keras_lr_cli.commands import compare, doctor, find
from keras_lr_cli.commands.demo import data as demo_data
from keras_lr_cli.commands.demo.figure import training_figure
from keras_lr_cli.outcome import Answer

RATES = (0.1, 0.01, 0.001, 0.0001)
SEEDS = 3
PICTURES = ("lr_finder.png", "learning_rate_comparison.png", "training.png", "report.html")
_COMPARISON_UPDATES, _TRAINING_UPDATES = 200, 900  # the length of a run, for data of any size
_BATCH = 32
_VALIDATION = 0.15


def run(*, data: str, output: pathlib.Path, seed: int) -> Answer:
    """Runs the demo and writes its files into the folder `output`. The answer is missing if `find` has no rate."""
    if output.exists() and not output.is_dir():
        raise ArgumentError("demo", "there is a file of this name", "Pass a folder", output=str(output))
    with _step("1/4 Load the images"):
        images = demo_data.load(data, seed)
    output.mkdir(parents=True, exist_ok=True)
    train, validation = _split(images)
    shape = (Constant(1.0, "55%") >> Cosine(1.0, 0.0, "40%")).warmup("5%")
    keras.utils.set_random_seed(seed)
    with _step("2/4 Find the learning rate for warm-up, constant, cosine"):
        epochs = _epochs(_TRAINING_UPDATES, train)
        finding = keras_lr.find(_network(images), *train, batch_size=_BATCH, epochs=epochs, schedule=shape, seed=seed)
        finding.plot(output / PICTURES[0])
    table = tables.pairs(f"Learning rate found ({images.name})", find.rows(finding))
    document: dict[str, Any] = {"data": images.name, "finder": find.summary(finding), "versions": _versions()}
    if finding.learning_rate is None:
        _write(document, output)
        return Answer(document, [table], no_answer=finding.reason)
    with _step(f"3/4 Compare {len(RATES)} learning rates over {SEEDS} seeds"):
        comparison = _compare(images, train, validation, output)
    with _step("4/4 Train the final model with the rate found"):
        accuracy = _train(images, train, validation, shape * finding.learning_rate, seed, output)
    document |= {"comparison": compare.summary(comparison), "test_accuracy": accuracy}
    _write(document, output)
    model = {
        "test accuracy": f"{accuracy:.1%} of {len(images.x_test):,} held-out images",
        "schedule": f"warm-up, constant, cosine with peak {tables.number(finding.learning_rate)}",
    }
    title = f"Fixed learning rates, {SEEDS} seeds each: val_loss after the last epoch"
    files = f"Saved in {output}: {', '.join(PICTURES)}, result.json"
    return Answer(document, [table, *compare.table(comparison, title), tables.pairs("Final model", model), files])


def _network(images: demo_data.DemoData, learning_rate: float | Schedule = 0.001) -> keras.Model:
    """Builds a small network, compiled with Adam."""
    layers = keras.layers
    hidden = [layers.Dense(128, activation="relu"), layers.Dropout(0.2), layers.Dense(64, activation="relu")]
    start = [layers.Input(images.x_train.shape[1:]), layers.Flatten()]
    model = keras.Sequential([*start, *hidden, layers.Dense(images.classes, activation="softmax")])
    model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _split(images: demo_data.DemoData) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Cuts the training images, whose order is random, into training and validation."""
    cut = round(len(images.x_train) * (1 - _VALIDATION))
    x, y = images.x_train, images.y_train
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def _epochs(updates: int, train: tuple[Any, Any]) -> int:
    """Returns the number of epochs that have so many updates, at least 2."""
    return max(2, round(updates / -(-len(train[0]) // _BATCH)))


def _compare(images: demo_data.DemoData, train: Any, validation: Any, output: pathlib.Path) -> keras_lr.Comparison:
    comparison = keras_lr.compare(
        lambda: _network(images),
        *train,
        validation_data=validation,
        learning_rates=list(RATES),
        seeds=SEEDS,
        epochs=_epochs(_COMPARISON_UPDATES, train),
        batch_size=_BATCH,
    )
    comparison.plot(output / PICTURES[1])
    comparison.report(output / PICTURES[3])
    return comparison


def _train(
    images: demo_data.DemoData, train: Any, validation: Any, schedule: Schedule, seed: int, output: pathlib.Path
) -> float:
    """Trains a new network under the schedule, draws its training, and returns its accuracy on the test images."""
    keras.utils.set_random_seed(seed)
    model = _network(images, schedule)
    monitor = keras_lr.LearningRateMonitor()
    fit = {"batch_size": _BATCH, "validation_data": validation, "verbose": 0, "callbacks": [monitor]}
    history = model.fit(*train, epochs=_epochs(_TRAINING_UPDATES, train), **fit)
    draw.draw(training_figure(history.history, monitor.learning_rates), path=output / PICTURES[2])
    scores = model.evaluate(images.x_test, images.y_test, batch_size=256, verbose=0, return_dict=True)
    return float(scores["accuracy"])


def _write(document: dict[str, Any], output: pathlib.Path) -> None:
    (output / "result.json").write_text(outcome.to_json(document) + "\n", encoding="utf-8")


def _versions() -> dict[str, str | None]:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    versions = {name: doctor.version(name) for name in ("keras", backend)}
    return {"python": platform.python_version(), "backend": backend, "keras-lr": keras_lr.__version__, **versions}


@contextlib.contextmanager
def _step(label: str) -> Iterator[None]:
    """Prints the label of a step on stderr, and its time when it ends."""
    screen = outcome.screen()
    screen.print(f"[bold]{label}[/bold] ...", end="\n" if screen.is_terminal else " ")
    start = time.perf_counter()
    yield
    screen.print(f"[dim]done in {time.perf_counter() - start:.1f} s[/dim]")
