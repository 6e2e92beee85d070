"""`keras-lr demo`: find, compare and train on real images of digits, with pictures, a report and a table."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console

import keras_lr
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Constant, Cosine, Schedule
from keras_lr_cli import tables
from keras_lr_cli.commands import compare, doctor, find
from keras_lr_cli.commands.demo import data as demo_data
from keras_lr_cli.commands.demo.figure import training_figure
from keras_lr_cli.outcome import Answer, as_json_text, screen

RATES = (0.1, 0.01, 0.001, 0.0001)
SEEDS = 3
PICTURES = ("lr_finder.png", "learning_rate_comparison.png", "training.png", "report.html")
_UPDATES = {"compare": 200, "train": 900}  # how long a run is, whatever the size of the data
_BATCH = 32
_VALIDATION = 0.15


def run(*, data: str, output: pathlib.Path, seed: int) -> Answer:
    """Runs the demo and writes its files into one folder.

    Args:
        data: "digits", "mnist" or a path of a file `.npz`.
        output: The folder, which is made if need be.
        seed: Sets initial weights, the order of the data and dropout.

    Returns:
        What was found; where the finder has no rate, no answer.
    """
    import keras

    if output.exists() and not output.is_dir():
        raise ArgumentError("demo", "there is a file of this name", "Pass a folder", output=str(output))
    show = screen()
    with _step(show, "1/4 Load the images"):
        images = demo_data.load(data, seed)
    output.mkdir(parents=True, exist_ok=True)
    train, validation = _split(images)
    shape = (Constant(1.0, "55%") >> Cosine(1.0, 0.0, "40%")).warmup("5%")
    keras.utils.set_random_seed(seed)
    with _step(show, "2/4 Find the learning rate for warm-up, constant, cosine"):
        found = keras_lr.find(_network(images), *train, batch_size=_BATCH, schedule=shape, seed=seed)
        found.plot(output / PICTURES[0])
    result: dict[str, Any] = {"data": images.name, "finder": find.summary(found), "versions": _versions()}
    if found.learning_rate is None:
        _write(result, output)
        return Answer(result, lambda console: console.print(_finder_table(found, images)), no_answer=found.reason)
    with _step(show, f"3/4 Compare {len(RATES)} learning rates over {SEEDS} seeds"):
        comparison = _compare(images, train, validation, output)
    with _step(show, "4/4 Train the final model with the rate found"):
        accuracy = _train(images, train, validation, shape * found.learning_rate, seed, output)
    result |= {"comparison": compare.summary(comparison), "test_accuracy": accuracy}
    _write(result, output)
    return Answer(result, lambda console: _show(console, images, found, comparison, accuracy, output))


def _network(images: demo_data.DemoData) -> Any:
    """A small network with Adam, at Keras's own rate."""
    import keras

    layers = keras.layers
    hidden = [layers.Dense(128, activation="relu"), layers.Dropout(0.2), layers.Dense(64, activation="relu")]
    start = [layers.Input(images.x_train.shape[1:]), layers.Flatten()]
    model = keras.Sequential([*start, *hidden, layers.Dense(images.classes, activation="softmax")])
    model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _split(images: demo_data.DemoData) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Training and validation images; their order is random already."""
    cut = round(len(images.x_train) * (1 - _VALIDATION))
    x, y = images.x_train, images.y_train
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def _epochs(of: str, train: tuple[Any, Any]) -> int:
    """As many epochs as make the run's number of updates."""
    return max(2, round(_UPDATES[of] / -(-len(train[0]) // _BATCH)))


def _compare(images: demo_data.DemoData, train: Any, validation: Any, output: pathlib.Path) -> Any:
    def build_model() -> Any:
        return _network(images)

    comparison = keras_lr.compare(
        build_model,
        *train,
        validation_data=validation,
        learning_rates=list(RATES),
        seeds=SEEDS,
        epochs=_epochs("compare", train),
        batch_size=_BATCH,
    )
    comparison.plot(output / PICTURES[1])
    comparison.report(output / PICTURES[3])
    return comparison


def _train(
    images: demo_data.DemoData, train: Any, validation: Any, schedule: Schedule, seed: int, output: pathlib.Path
) -> float:
    """Trains a new network under the schedule, draws its training, and returns its accuracy on the test images."""
    import keras

    from keras_lr.report import draw

    keras.utils.set_random_seed(seed)
    model = _network(images)
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"])
    monitor = keras_lr.LearningRateMonitor()
    epochs = _epochs("train", train)
    fit = {"batch_size": _BATCH, "validation_data": validation, "verbose": 0, "callbacks": [monitor]}
    history = model.fit(*train, epochs=epochs, **fit)
    draw.draw(training_figure(history.history, monitor.learning_rates), path=output / PICTURES[2])
    measured = model.evaluate(images.x_test, images.y_test, batch_size=256, verbose=0, return_dict=True)
    return float(measured["accuracy"])


def _write(result: dict[str, Any], output: pathlib.Path) -> None:
    (output / "result.json").write_text(as_json_text(result) + "\n", encoding="utf-8")


def _versions() -> dict[str, str | None]:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    versions = {name: doctor.version(name) for name in ("keras", backend)}
    return {"python": platform.python_version(), "backend": backend, "keras-lr": keras_lr.__version__, **versions}


@contextlib.contextmanager
def _step(show: Console, label: str) -> Iterator[None]:
    """Says what is going on, and when it is done how long it took."""
    show.print(f"[bold]{label}[/bold] ...", end="\n" if show.is_terminal else " ")
    start = time.perf_counter()
    yield
    show.print(f"[dim]done in {time.perf_counter() - start:.1f} s[/dim]")


def _finder_table(found: Any, images: demo_data.DemoData) -> Any:
    return tables.pairs(f"Learning rate found ({images.name})", find.rows(found))


def _show(
    console: Console, images: demo_data.DemoData, found: Any, comparison: Any, accuracy: float, output: pathlib.Path
) -> None:
    console.print(_finder_table(found, images))
    compare.print_table(console, comparison, f"Fixed learning rates, {SEEDS} seeds each: val_loss after the last epoch")
    trained = {
        "test accuracy": f"{accuracy:.1%} of {len(images.x_test):,} held-out images",
        "schedule": f"warm-up, constant, cosine with peak {tables.number(found.learning_rate)}",
    }
    console.print(tables.pairs("Final model", trained))
    console.print(f"Saved in {output}: {', '.join(PICTURES)}, result.json", soft_wrap=True)
