"""Where a range test takes its batches from: arrays in an order of their own, a PyDataset, or a dataset that repeats.

No global source of chance is drawn from: an order comes from a seed.
"""

from __future__ import annotations

import abc
import itertools
from collections.abc import Iterator
from typing import Any, final

import keras
import numpy as np

from keras_lr.backends.arrays import Chunk
from keras_lr.backends.keras import batch_of
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.engines.borrowed.ramp import Source

Batch = tuple[Any, ...]
RESIDENT = 2**26  # bytes: arrays up to this size are handed over whole, of larger ones only the rows that are needed
_ONCE = "Pass a function that makes it, a PyDataset or a tf.data.Dataset"


class Batches(abc.ABC):
    """A source of training batches `(x,)`, `(x, y)` or `(x, y, sample_weight)` that can be read again and again."""

    note: str | None = None  # what can't be promised about this source

    @abc.abstractmethod
    def reader(self, seed: int) -> Source:
        """Gives batches from the beginning, epoch after epoch; the same seed gives the same order."""

    @abc.abstractmethod
    def first(self) -> Batch:
        """One batch, to build the model with."""

    @abc.abstractmethod
    def once(self) -> Iterator[Batch]:
        """Every example once, in an order that is always the same where the source has none of its own."""


@final
class Arrays(Batches):
    """Arrays in memory, or nests of them: full batches, shuffled anew each epoch, without a last one that is smaller.

    So every loss is measured on as many examples.
    """

    def __init__(self, parts: Batch, batch_size: int) -> None:
        self.parts = parts
        self.size = batch_size
        self.count = _rows(parts)
        self.resident = sum(array.nbytes for part in parts for array in _leaves(part)) <= RESIDENT

    def reader(self, seed: int) -> Source:
        return self.reader_of(np.arange(self.count), seed)

    def reader_of(self, rows: np.ndarray, seed: int) -> Source:
        """Gives batches of some rows alone."""
        return _ArrayReader(self, rows, np.random.default_rng(seed))

    def first(self) -> Batch:
        return self.at(np.arange(self.size))

    def once(self) -> Iterator[Batch]:
        for start in range(0, self.count, self.size):
            yield self.at(np.arange(start, min(start + self.size, self.count)))

    def cut(self, start: int, stop: int) -> Arrays:
        """The rows from `start` to before `stop`, in batches of the same size; nothing is copied."""
        return Arrays(tuple(_map(lambda array: array[start:stop], part) for part in self.parts), self.size)

    def at(self, rows: np.ndarray) -> Batch:
        """Some rows of each array."""
        return tuple(_map(lambda array: np.take(array, rows, axis=0), part) for part in self.parts)

    def chunk(self, rows: np.ndarray) -> Chunk:
        """Batches of these rows, of shape (batches, size)."""
        if self.resident:
            return Chunk(self.parts, rows)
        return Chunk(self.at(rows.reshape(-1)), np.arange(rows.size).reshape(rows.shape))


@final
class _ArrayReader:
    """Draws rows."""

    def __init__(self, arrays: Arrays, rows: np.ndarray, order: np.random.Generator) -> None:
        self._arrays, self._rows, self._order = arrays, rows, order
        self.whole = arrays.resident
        self._drawn = np.zeros((0, arrays.size), np.int64)

    def take(self, count: int) -> Chunk:
        arrays, parts = self._arrays, [self._drawn]
        while sum(map(len, parts)) < count:
            full = len(self._rows) // arrays.size * arrays.size
            order = self._order.permutation(len(self._rows))[:full]
            parts.append(self._rows[order].reshape(-1, arrays.size))
        drawn = np.concatenate(parts)
        rows, self._drawn = drawn[:count], drawn[count:]
        return arrays.chunk(rows)


class Stream(Batches):
    """A source that gives one batch after another."""

    def __init__(self, source: Any, class_weight: dict[int, float] | None) -> None:
        self.source = source
        self._class_weight = class_weight
        self._first: Batch | None = None

    @abc.abstractmethod
    def raw(self, order: np.random.Generator) -> Iterator[Any]:
        """The batches of one epoch, in an order drawn from `order` where the source has no order of its own."""

    def reader(self, seed: int) -> Source:
        return _StreamReader(self._endless(seed))

    def first(self) -> Batch:
        self._first = self._first or next(self._endless(0), None)
        if self._first is None:
            raise ArgumentError("find", "the data has no batch", _ONCE, x=self.source)
        return self._first

    def once(self) -> Iterator[Batch]:
        for batch in self.raw(np.random.default_rng(0)):
            yield _weighted(_map(_to_numpy, _as_tuple(batch)), self._class_weight)

    def _endless(self, seed: int) -> Iterator[Batch]:
        """Epoch after epoch, until one has no batch: such data can be read only once."""
        order = np.random.default_rng(seed)
        given = True
        while given:
            given = False
            for batch in self.raw(order):
                given = True
                yield _weighted(_map(_to_numpy, _as_tuple(batch)), self._class_weight)


@final
class _StreamReader:
    """Lays batches of the same shape together."""

    whole = False

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self._ahead: list[Batch] = []  # a batch of another shape, read but not yet given

    def take(self, count: int) -> Chunk | None:
        taken: list[Batch] = []
        for batch in itertools.chain(self._ahead, self._batches):
            self._ahead = []
            if taken and _shapes(batch) != _shapes(taken[0]):
                self._ahead = [batch]
                break
            taken.append(batch)
            if len(taken) == count:
                break
        if not taken:
            return None
        data = keras.tree.map_structure(lambda *arrays: None if arrays[0] is None else np.concatenate(arrays), *taken)
        size = _rows(taken[0])
        return Chunk(data, np.arange(len(taken) * size).reshape(-1, size))


@final
class PyDatasets(Stream):
    """A `keras.utils.PyDataset`, by index, in shuffled order."""

    def raw(self, order: np.random.Generator) -> Iterator[Any]:
        count = self.source.num_batches
        if count is None:
            raise ArgumentError("find", "the PyDataset has no end", "Give it a __len__", x=self.source)
        for index in order.permutation(count):
            yield self.source[int(index)]


@final
class Datasets(Stream):
    """A `tf.data.Dataset` or another iterable of batches, in its own order."""

    note = "The data keeps an order of its own: everything but that order is as it was before."

    def raw(self, order: np.random.Generator) -> Iterator[Any]:
        del order
        return iter(self.source)


@final
class Functions(Stream):
    """A function without arguments that makes an iterator of batches, called once for each epoch."""

    note = Datasets.note

    def raw(self, order: np.random.Generator) -> Iterator[Any]:
        del order
        return iter(self.source())


def batches(
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    batch_size: int | None = None,
) -> Batches:
    """The source for what a user passes to `find`, checked as `fit` would and a little more.

    Args:
        x: Arrays (or a list, tuple or dict of them), a PyDataset, a tf.data.Dataset, a PyTorch DataLoader, or a function
            without arguments that makes a generator of batches.
        y: Targets of arrays; None for a dataset.
        sample_weight: A weight per example; None for a dataset.
        class_weight: A weight per class index.
        batch_size: Examples per batch of arrays. Default: 32.
    """
    if hasattr(x, "__next__"):
        raise ArgumentError("find", "a generator can be read only once", _ONCE, x=x)
    kind = _kind_of(x)
    if kind is not None:
        for name, value in (("y", y), ("sample_weight", sample_weight), ("batch_size", batch_size)):
            if value is not None:
                raise ArgumentError("find", f"a dataset brings its own {name}", f"Leave {name} out", **{name: value})
        return kind(x, class_weight)
    size = checks.whole("find", batch_size=32 if batch_size is None else batch_size)
    parts = tuple(_map(_to_array, part) for part in (x, y, sample_weight))
    named = dict(zip(("x", "y", "sample_weight"), parts, strict=True))
    _check_arrays(named, size)
    return Arrays(_weighted(batch_of(*parts), class_weight), size)


def _check_arrays(named: dict[str, Any], size: int) -> None:
    """As many rows everywhere, enough for a batch, and finite numbers."""
    if not _leaves(named["x"]):
        raise ArgumentError("find", "there is no data", "Pass x, and y where the loss needs it", x=named["x"])
    rows = _rows((named["x"],))
    for name, part in named.items():
        for array in _leaves(part):
            if array.ndim == 0 or len(array) != rows:
                raise ArgumentError(
                    "find", f"{name} has not as many rows as x, {rows}", "Pass one row per example", **{name: array}
                )
            if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
                row = int(np.argmin(np.isfinite(array).reshape(rows, -1).all(axis=1)))
                raise ArgumentError(
                    "find", f"{name} has a NaN or an infinity, first in row {row}", "Clean the data", **{name: array}
                )
    if rows == 0:
        raise ArgumentError("find", "there is no data", "Pass at least one batch", x=named["x"])
    if size > rows:
        raise ArgumentError(
            "find", f"a batch is larger than the data, {rows} rows", "Pass a smaller batch_size", batch_size=size
        )


def _kind_of(x: Any) -> type[Stream] | None:
    """How to read a source of batches, or None for arrays."""
    if isinstance(x, keras.utils.PyDataset):
        return PyDatasets
    names = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(x).__mro__}
    if names & {
        "tensorflow.DatasetV2",
        "torch.DataLoader",
        "grain.IterDataset",
        "grain.MapDataset",
        "grain.DataLoader",
    }:
        return Datasets
    return Functions if callable(x) else None


def _as_tuple(batch: Any) -> Batch:
    return tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)


def _weighted(batch: Batch, class_weight: dict[int, float] | None) -> Batch:
    """The batch with the weight of each example's class as its sample weight."""
    if class_weight is None:
        return batch
    if len(batch) > 2 and batch[2] is not None:
        raise ArgumentError(
            "find", "class_weight and sample_weight exclude each other", "Pass one", class_weight=class_weight
        )
    labels = batch[1] if len(batch) > 1 else None
    if labels is None or len(_leaves(labels)) != 1:
        raise ArgumentError(
            "find", "class_weight needs one array of labels", "Pass sample_weight", class_weight=class_weight
        )
    array = np.asarray(_leaves(labels)[0])
    classes = array.argmax(axis=-1) if array.ndim > 1 and array.shape[-1] > 1 else array.reshape(-1).round().astype(int)
    weights = np.array([class_weight.get(int(label), 1.0) for label in classes.reshape(-1)], keras.config.floatx())
    return (batch[0], labels, weights.reshape(classes.shape))


def _to_array(value: Any) -> Any:
    array = (
        value.to_numpy() if hasattr(value, "to_numpy") else value if isinstance(value, np.ndarray) else _to_numpy(value)
    )
    if array.dtype == object:
        raise ArgumentError("find", "the data holds objects, not numbers", "Pass arrays of numbers", x=array)
    return array.astype(keras.config.floatx()) if array.dtype == np.float64 else array


def _to_numpy(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):  # a tensor of PyTorch, on whatever backend
        value = value.detach().cpu()
    return value if isinstance(value, np.ndarray) else np.asarray(value)


def _map(fn: Any, structure: Any) -> Any:
    """`fn` of every array in a nest; None stays None."""
    return keras.tree.map_structure(lambda leaf: None if leaf is None else fn(leaf), structure)


def _leaves(structure: Any) -> list[Any]:
    return [leaf for leaf in keras.tree.flatten(structure) if leaf is not None]


def _rows(parts: Batch) -> int:
    leaves = _leaves(parts)
    return 0 if not leaves or leaves[0].ndim == 0 else len(leaves[0])


def _shapes(batch: Batch) -> Any:
    """What must be equal for batches to lie together."""
    kinds = [None if leaf is None else (leaf.shape, leaf.dtype) for leaf in keras.tree.flatten(batch)]
    return len(batch), kinds
