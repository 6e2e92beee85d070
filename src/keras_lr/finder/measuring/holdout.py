"""Holdouts: the rows that sprints are compared on, and the data that `verify` validates on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_lr.backends.arrays import Chunk
from keras_lr.core.errors import ArgumentError
from keras_lr.engines.borrowed.ramp import Source
from keras_lr.finder.measuring.batches import Arrays, Batches, batches

SPRINT_SHARE = 0.2  # of the rows, for sprints
FEWEST, MOST = 5, 8  # batches of these rows
VERIFY_SHARE = 0.1  # of the rows, from their end, for `verify` without validation data
VERIFY_BATCHES = 10  # at least, so that their scatter can be measured


@dataclasses.dataclass(frozen=True)
class Holdout:
    """Rows that no sprint trains on, and all others.

    Attributes:
        reader: Returns batches of the other rows, always in the same order.
        chunk: The holdout in batches of the usual size; rows repeat if there are too few.
    """

    reader: Callable[[], Source]
    chunk: Chunk


def sprint_holdout(source: Batches, seed: int) -> Holdout | None:
    """Draws a fifth of the rows of arrays, at most 8 batches; returns None for streams or too few rows.

    Args:
        source: The data of `find`.
        seed: Seed for the choice, and for the order of the other rows.
    """
    if not isinstance(source, Arrays):
        return None
    count = min(int(SPRINT_SHARE * source.count), MOST * source.size)
    if count < FEWEST or source.count - count < source.size:
        return None
    rows = np.random.default_rng([seed, 0]).permutation(source.count)
    parts = np.array_split(rows[:count], max(FEWEST, -(-count // source.size)))
    chunk = source.chunk(np.stack([np.resize(part, source.size) for part in parts]))
    return Holdout(lambda: source.reader_of(rows[count:], seed), chunk)


def verify_split(where: str, source: Batches, arrays: dict[str, Any], validation_data: Any) -> tuple[Batches, Batches]:
    """Returns the batches that trials train on, and those that they validate on.

    `source` has the data of `find`, `arrays` its arguments `x, y, sample_weight, batch_size`.
    """
    if validation_data is not None:
        return source, _in_small_batches(_validation(where, validation_data, arrays["batch_size"]))
    if not isinstance(source, Arrays):
        rule, repair = "verify needs validation data if x is not arrays", "Pass validation_data=(x, y) or a dataset"
        raise ArgumentError(where, rule, repair, validation_data=None)
    stop = math.floor(source.count * (1.0 - VERIFY_SHARE))
    if stop < source.size or stop == source.count:
        rule = f"without the last tenth of {source.count} rows, the holdout, no batch of {source.size} is left"
        raise ArgumentError(where, rule, "Pass validation_data=(x, y)", validation_data=None)
    plain = batches(where, **arrays)  # class weights are for training
    assert isinstance(plain, Arrays)
    return source.cut(0, stop), _in_small_batches(plain.cut(stop, plain.count))


def _validation(where: str, data: Any, batch_size: int | None) -> Batches:
    if not isinstance(data, (tuple, list)):
        return batches(where, data)
    if len(data) not in (2, 3):
        rule, repair = "validation_data must have two or three parts", "Pass (x, y), (x, y, sample_weight) or a dataset"
        raise ArgumentError(where, rule, repair, validation_data=data)
    x, y, sample_weight = (*data, None)[:3]
    return batches(where, x, y, sample_weight=sample_weight, batch_size=batch_size and min(batch_size, len(x)))


def _in_small_batches(source: Batches) -> Batches:
    """Returns the same examples in at least ten batches, if they are arrays."""
    if not isinstance(source, Arrays):
        return source
    return Arrays(source.parts, max(1, min(source.size, source.count // VERIFY_BATCHES)))
