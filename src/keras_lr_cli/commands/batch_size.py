"""`keras-lr batch-size`: the largest batch that fits, and the size beyond which larger ones gain little."""

from __future__ import annotations

import dataclasses
import functools
import pathlib

import keras

import keras_lr
from keras_lr.core import records
from keras_lr_cli import outcome, parse, tables, user_code
from keras_lr_cli.outcome import Answer

_DATA = ("x", "y", "sample_weight", "class_weight")


def run(*, model: str, data: str, smallest: int, largest: int | None, seed: int, save: pathlib.Path | None) -> Answer:
    """Runs `keras_lr.find_batch_size` on the user's model and data. The answer is missing if no size fits."""
    parse.writable("batch-size", save=save)
    build = user_code.factory("batch-size", model=model)
    arguments = user_code.data("batch-size", data, _DATA, outcome.note)
    keras.utils.set_random_seed(seed)
    built = user_code.call("batch-size", build, model=model)
    result = keras_lr.find_batch_size(built, smallest=smallest, largest=largest, seed=seed, verbose="auto", **arguments)
    rows = {"batch size": result.batch_size, "noise scale": result.noise_scale, "reason": result.reason}
    return Answer(
        {**dataclasses.asdict(result), "save": save},
        [tables.pairs("Batch size", rows)],
        no_answer=result.reason if result.batch_size is None else None,
        saved=outcome.save((functools.partial(records.save, result), save)),
    )
