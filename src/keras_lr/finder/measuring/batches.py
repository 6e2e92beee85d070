"""The batches that `find` trains on: from arrays in an order of their own, a PyDataset, or a dataset that repeats.

Every order comes from a seed; global random state is not used.
"""

from __future__ import annotations

import abc
import itertools
from collections.abc import Iterator
from typing import Any, final

import keras
import numpy as np

from keras_lr.backends.arrays import Batch, Chunk, map_arrays
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.engines.borrowed.ramp import Source

RESIDENT = 2**26  # bytes; the backend gets smaller arrays as a whole, of larger ones only the rows of a chunk
_ONCE = "Pass a function that returns it, a PyDataset or a tf.data.Dataset"
_DATASETS = {f"grain.{name}" for name in ("DataLoader", "IterDataset", "MapDataset")}
_DATASETS |= {"tensorflow.DatasetV2", "torch.DataLoader"}


class Batches(abc.ABC):
    """A source of training batches `(x,)`, `(x, y)` or `(x, y, sample_weight)` that can be read again and again."""

    note: str | None = None  # a limit of this source that the result reports

    @property
    def per_epoch(self) -> int | None:
        """The batches that `fit` reads in an epoch, or None if the source does not tell."""
        return None

    @abc.abstractmethod
    def reader(self, seed: int) -> Source:
        """Returns batches from the beginning, epoch after epoch; the same seed gives the same order."""

    @abc.abstractmethod
    def first(self) -> Batch:
        """Returns one batch, to build the model with."""

    @abc.abstractmethod
    def once(self) -> Iterator[Batch]:
        """Yields every example once; the order is fixed unless the source has its own."""


@final
class Arrays(Batches):
    """Arrays in memory, or nests of them: full batches, shuffled in each epoch, without a smaller last one.

    Thus every loss is the mean of the same number of examples.
    """

    def __init__(self, parts: Batch, batch_size: int, count: int | None = None) -> None:
        self.parts = parts
        self.size = batch_size
        self.count = _rows(parts) if count is None else count  # of the first rows; the others belong to no batch
        self.resident = sum(array.nbytes for part in parts for array in _leaves(part)) <= RESIDENT

    @property
    def per_epoch(self) -> int | None:
        return -(-self.count // self.size)

    def reader(self, seed: int) -> Source:
        return self.reader_of(np.arange(self.count), seed)

    def reader_of(self, rows: np.ndarray, seed: int) -> Source:
        """Returns batches of these rows only."""
        return _ArrayReader(self, rows, np.random.default_rng(seed))

    def first(self) -> Batch:
        return self.at(np.arange(self.size))

    def once(self) -> Iterator[Batch]:
        for start in range(0, self.count, self.size):
            yield self.at(np.arange(start, min(start + self.size, self.count)))

    def cut(self, start: int, stop: int) -> Arrays:
        """Returns the rows from `start` to before `stop`, in batches of the same size.

        The first rows are batches of the same data, so that one program serves all rows and these.
        """
        if start == 0:
            return Arrays(self.parts, self.size, stop)
        return Arrays(tuple(map_arrays(lambda array: array[start:stop], part) for part in self.parts), self.size)

    def at(self, rows: np.ndarray) -> Batch:
        """Returns these rows of each array."""
        return tuple(map_arrays(lambda array: np.take(array, rows, axis=0), part) for part in self.parts)

    def chunk(self, rows: np.ndarray) -> Chunk:
        """Returns batches of these rows, of shape (batches, size)."""
        if self.resident:
            return Chunk(self.parts, rows)
        return Chunk(self.at(rows.reshape(-1)), np.arange(rows.size).reshape(rows.shape))


@final
class _ArrayReader:
    """Shuffles rows into batches."""

    def __init__(self, arrays: Arrays, rows: np.ndarray, order: np.random.Generator) -> None:
        self._arrays, self._rows, self._order = arrays, rows, order
        self.whole = arrays.resident
        self._queue = np.zeros((0, arrays.size), np.int64)

    def take(self, count: int) -> Chunk:
        arrays, parts = self._arrays, [self._queue]
        while sum(map(len, parts)) < count:
            full = len(self._rows) // arrays.size * arrays.size
            order = self._order.permutation(len(self._rows))[:full]
            parts.append(self._rows[order].reshape(-1, arrays.size))
        queue = np.concatenate(parts)
        rows, self._queue = queue[:count], queue[count:]
        return arrays.chunk(rows)


class Stream(Batches):
    """A source that yields one batch after another."""

    def __init__(self, where: str, source: Any, class_weight: dict[int, float] | None) -> None:
        self.where = where
        self.source = source
        self._class_weight = class_weight
        self._first: Batch | None = None

    @abc.abstractmethod
    def raw(self, order: np.random.Generator) -> Iterator[Any]:
        """Returns the batches of one epoch; `order` decides unless the source has an order of its own."""

    def reader(self, seed: int) -> Source:
        return _StreamReader(self._endless(seed))

    def first(self) -> Batch:
        self._first = self._first or next(self._endless(0), None)
        if self._first is None:
            raise ArgumentError(self.where, "the data has no batch", _ONCE, x=self.source)
        return self._first

    def once(self) -> Iterator[Batch]:
        return self._epoch(np.random.default_rng(0))

    def _epoch(self, order: np.random.Generator) -> Iterator[Batch]:
        for batch in self.raw(order):
            parts = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
            yield _with_weights(self.where, map_arrays(_to_numpy, parts), self._class_weight)

    def _endless(self, seed: int) -> Iterator[Batch]:
        """Yields epoch after epoch, until one is empty: such data can be read only once."""
        order = np.random.default_rng(seed)
        empty = False
        while not empty:
            empty = True
            for batch in self._epoch(order):
                empty = False
                yield batch


@final
class _StreamReader:
    """Joins batches of the same shape into chunks."""

    whole = False

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self._ahead: list[Batch] = []  # a batch of another shape, for the next chunk

    def take(self, count: int) -> Chunk | None:
        parts: list[Batch] = []
        for batch in itertools.chain(self._ahead, self._batches):
            self._ahead = []
            if parts and _shapes(batch) != _shapes(parts[0]):
                self._ahead = [batch]
                break
            parts.append(batch)
            if len(parts) == count:
                break
        if not parts:
            return None
        data = keras.tree.map_structure(lambda *arrays: None if arrays[0] is None else np.concatenate(arrays), *parts)
        size = _rows(parts[0])
        return Chunk(data, np.arange(len(parts) * size).reshape(-1, size))


@final
class PyDatasets(Stream):
    """A `keras.utils.PyDataset`, by index, in shuffled order."""

    @property
    def per_epoch(self) -> int | None:
        return self.source.num_batches

    def raw(self, order: np.random.Generator) -> Iterator[Any]:
        count = self.source.num_batches
        if count is None:
            raise ArgumentError(self.where, "the PyDataset has no end", "Give it a __len__", x=self.source)
        for index in order.permutation(count):
            yield self.source[int(index)]


@final
class Datasets(Stream):
    """A `tf.data.Dataset`, another iterable of batches, or a function that returns one, each in its own order."""

    note = "The data keeps its own order, which find can't restore; everything else is restored."

    @property
    def per_epoch(self) -> int | None:
        try:  # a tf.data.Dataset of unknown or endless length raises TypeError, as do a function and a generator
            return len(self.source) or None
        except TypeError:
            return None

    def raw(self, order: np.random.Generator) -> Iterator[Any]:
        del order
        return iter(self.source() if callable(self.source) else self.source)


def batches(
    where: str,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    batch_size: int | None = None,
) -> Batches:
    """Returns the source of batches for the data of `find`, after checks that are a little stricter than those of `fit`."""
    if hasattr(x, "__next__"):
        raise ArgumentError(where, "a generator can be read only once", _ONCE, x=x)
    kind = _stream_of(x)
    if kind is not None:
        for name, value in (("y", y), ("sample_weight", sample_weight), ("batch_size", batch_size)):
            if value is not None:
                raise ArgumentError(where, f"a dataset brings its own {name}", f"Leave {name} out", **{name: value})
        return kind(where, x, class_weight)
    size = checks.whole(where, batch_size=32 if batch_size is None else batch_size)
    parts = tuple(map_arrays(lambda value: _to_array(where, value), part) for part in (x, y, sample_weight))
    _check_arrays(where, dict(zip(("x", "y", "sample_weight"), parts, strict=True)), size)
    return Arrays(_with_weights(where, keras.utils.pack_x_y_sample_weight(*parts), class_weight), size)


def _check_arrays(where: str, arrays: dict[str, Any], size: int) -> None:
    """Checks that all have the same number of rows, enough for a batch, and finite numbers."""
    rows = _rows((arrays["x"],))
    if rows == 0:
        raise ArgumentError(where, "there is no data", "Pass x, and y if the loss needs it", x=arrays["x"])
    for name, part in arrays.items():
        for array in _leaves(part):
            rule, repair = None, "Pass one row per example"
            if array.ndim == 0 or len(array) != rows:
                rule = f"{name} must have as many rows as x, {rows}"
            elif np.issubdtype(array.dtype, np.floating) and not _is_finite(array):
                row = int(np.argmin(np.isfinite(array).reshape(rows, -1).all(axis=1)))
                rule, repair = f"{name} has a NaN or an infinity, first in row {row}", "Clean the data"
            if rule is not None:
                raise ArgumentError(where, rule, repair, **{name: array})
    if size > rows:
        rule = f"a batch is larger than the data, {rows} rows"
        raise ArgumentError(where, rule, "Pass a smaller batch_size", batch_size=size)


def _is_finite(array: np.ndarray) -> bool:
    """Returns whether all numbers are finite. The sum tells it in half of the time, unless it overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def _stream_of(x: Any) -> type[Stream] | None:
    """Returns the class that reads a source of batches, or None for arrays."""
    if isinstance(x, keras.utils.PyDataset):
        return PyDatasets
    names = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(x).__mro__}
    return Datasets if callable(x) or names & _DATASETS else None


def _with_weights(where: str, batch: Batch, class_weight: dict[int, float] | None) -> Batch:
    """Returns the batch; the weight of each example's class becomes its sample weight."""
    if class_weight is None:
        return batch
    labels = batch[1] if len(batch) > 1 else None
    rule = None
    if len(batch) > 2 and batch[2] is not None:
        rule, repair = "class_weight and sample_weight exclude each other", "Pass one"
    elif labels is None or len(_leaves(labels)) != 1:
        rule, repair = "class_weight needs one array of labels", "Pass sample_weight"
    if rule is not None:
        raise ArgumentError(where, rule, repair, class_weight=class_weight)
    array = np.asarray(_leaves(labels)[0])
    classes = array.argmax(axis=-1) if array.ndim > 1 and array.shape[-1] > 1 else array.reshape(-1).round().astype(int)
    weights = np.array([class_weight.get(int(label), 1.0) for label in classes.reshape(-1)], keras.config.floatx())
    return (batch[0], labels, weights.reshape(classes.shape))


def _to_array(where: str, value: Any) -> np.ndarray:
    array = value.to_numpy() if hasattr(value, "to_numpy") else _to_numpy(value)
    if array.dtype == object:
        raise ArgumentError(where, "the data holds objects, not numbers", "Pass arrays of numbers", x=array)
    return array.astype(keras.config.floatx()) if array.dtype == np.float64 else array


def _to_numpy(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):  # a tensor of PyTorch, on any backend
        value = value.detach().cpu()
    return value if isinstance(value, np.ndarray) else np.asarray(value)


def _leaves(structure: Any) -> list[Any]:
    return [leaf for leaf in keras.tree.flatten(structure) if leaf is not None]


def _rows(parts: Batch) -> int:
    leaves = _leaves(parts)
    return 0 if not leaves or leaves[0].ndim == 0 else len(leaves[0])


def _shapes(batch: Batch) -> Any:
    """Returns what batches of one chunk have in common."""
    kinds = [None if leaf is None else (leaf.shape, leaf.dtype) for leaf in keras.tree.flatten(batch)]
    return len(batch), kinds
