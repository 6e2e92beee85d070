"""`keras-lr batch-size`: the largest batch that fits, and what the noise of the gradient says of larger ones."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import keras
from rich.console import Console

import keras_lr
from keras_lr.core import records
from keras_lr_cli import parse, tables, user_code
from keras_lr_cli.outcome import Answer, screen

_TAKEN = ("x", "y", "sample_weight", "class_weight")


def run(*, model: str, data: str, seed: int, save: pathlib.Path | None, **sizes: Any) -> Answer:
    """Runs `keras_lr.find_batch_size` on what the user's functions make.

    Args:
        model: The function that makes the compiled model.
        data: The function that loads the data.
        seed: Sets the initial weights and the examples drawn.
        save: Where to save the record.
        **sizes: `smallest` and `largest`.

    Returns:
        Size, noise scale and reason; without a size that fits, no answer for that reason.
    """
    parse.writable("batch-size", save=save)
    build = user_code.factory("batch-size", model=model)
    arguments = user_code.data("batch-size", data, _TAKEN, lambda note: screen().print(f"note: {note}"))
    keras.utils.set_random_seed(seed)
    made = user_code.call("batch-size", build, model=model)
    found = keras_lr.find_batch_size(made, seed=seed, verbose="auto", **sizes, **arguments)
    if save is not None:
        records.save(found, save)
    shown = {"batch size": found.batch_size, "noise scale": found.noise_scale, "reason": found.reason}

    def show(console: Console) -> None:
        console.print(tables.pairs("Batch size", shown))
        if save is not None:
            console.print(f"Saved {save}", soft_wrap=True)

    document = {**dataclasses.asdict(found), "save": save}
    return Answer(document, show, no_answer=found.reason if found.batch_size is None else None)
