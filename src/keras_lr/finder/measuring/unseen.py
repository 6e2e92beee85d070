"""Rows that no sprint trains on. Imports no Keras."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from keras_lr.backends.arrays import Chunk
from keras_lr.engines.borrowed.ramp import Source
from keras_lr.finder.measuring.batches import Arrays, Batches

SHARE = 0.2  # of the rows
FEWEST, MOST = 5, 25  # batches of them


@dataclasses.dataclass(frozen=True)
class Unseen:
    """Rows kept apart.

    Attributes:
        reader: Gives the batches of the other rows, always in the same order.
        chunk: Batches of those kept apart, as large as the others; of few rows each is there several times.
    """

    reader: Callable[[], Source]
    chunk: Chunk


def unseen(source: Batches, seed: int) -> Unseen | None:
    """A fifth of the rows of arrays, drawn at random and 25 batches at most; None for other data, or for fewer rows.

    Args:
        source: The data.
        seed: Of the choice and of the order of the others.
    """
    if not isinstance(source, Arrays):
        return None
    apart = min(int(SHARE * source.count), MOST * source.size)
    if apart < FEWEST or source.count - apart < source.size:
        return None
    rows = np.random.default_rng([seed, 0]).permutation(source.count)
    parts = np.array_split(rows[:apart], max(FEWEST, -(-apart // source.size)))
    chunk = source.chunk(np.stack([np.resize(part, source.size) for part in parts]))
    return Unseen(lambda: source.reader_of(rows[apart:], seed), chunk)
