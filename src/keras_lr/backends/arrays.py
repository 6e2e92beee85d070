"""Nests of arrays with an example per row, and batches that are rows of them."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

Batch = tuple[Any, ...]
"""`(x,)`, `(x, y)` or `(x, y, sample_weight)`, each a nest of arrays with an example per row, or None."""


def map_arrays(fn: Callable[[Any], Any], data: Any) -> Any:
    """Applies a function to each array of a nest. None stays None."""
    return keras.tree.map_structure(lambda array: None if array is None else fn(array), data)


def count_rows(data: Any) -> int:
    """Returns the number of examples in a nest of arrays."""
    return next(len(array) for array in keras.tree.flatten(data) if array is not None)


def layout(data: Any) -> str:
    """Returns what batches have in common that one program can serve: their nest, and each array's dtype and row shape."""
    return str(map_arrays(lambda array: (str(array.dtype), *array.shape[1:]), data))


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Batches of one size that share their data.

    Args:
        data: The examples, in the form of one batch.
        rows: The rows of `data` that make up each batch, of shape (batches, size).
    """

    data: Batch
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def repeated(cls, batch: Batch, count: int) -> Chunk:
        """Returns one batch `count` times."""
        return cls(batch, np.tile(np.arange(count_rows(batch)), (count, 1)))

    def singles(self) -> Iterator[Chunk]:
        """Yields a chunk of each batch alone."""
        for index in range(len(self)):
            yield dataclasses.replace(self, rows=self.rows[index : index + 1])

    def batches(self) -> Iterator[Batch]:
        """Yields each batch as arrays of its own."""
        for rows in self.rows:
            yield map_arrays(operator.itemgetter(rows), self.data)
