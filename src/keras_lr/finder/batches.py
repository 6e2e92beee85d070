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

from keras_lr.backends.keras import batch_of
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError

Batch = tuple[Any, ...]
_ONCE = "Pass a function that makes it, a PyDataset or a tf.data.Dataset"


class Batches(abc.ABC):
    """A source of training batches `(x,)`, `(x, y)` or `(x, y, sample_weight)` that can be read again and again."""

    note: str | None = None  # what can't be promised about this source

    @abc.abstractmethod
    def epoch(self, order: np.random.Generator) -> Iterator[Batch]:
        """The batches of one epoch, in an order drawn from `order` where the source has no order of its own."""

    def endless(self, seed: int) -> Iterator[Batch]:
        """Epoch after epoch; the same seed gives the same order."""
        order = np.random.default_rng(seed)
        for epoch in itertools.count():
            taken = 0
            for batch in self.epoch(order):
                taken += 1
                yield batch
            if taken == 0:
                text = "the data has no batch" if epoch == 0 else "the data can be read only once"
                raise ArgumentError("find", text, _ONCE, x=self)

    def first(self) -> Batch:
        """One batch, to build the model with."""
        return next(self.endless(0))


@final
class Arrays(Batches):
    """Arrays in memory, or nests of them: full batches, shuffled anew each epoch."""

    def __init__(self, parts: Batch, batch_size: int) -> None:
        self.parts = parts
        self.size = batch_size
        self.count = _rows(parts)

    def epoch(self, order: np.random.Generator) -> Iterator[Batch]:
        """Full batches only, so that every loss is measured on as many examples."""
        shuffled = order.permutation(self.count)
        for start in range(0, self.count - self.size + 1, self.size):
            yield self.at(shuffled[start : start + self.size])

    def at(self, rows: np.ndarray) -> Batch:
        """Some rows of each array."""
        return tuple(_map(lambda array: np.take(array, rows, axis=0), part) for part in self.parts)


@final
class PyDatasets(Batches):
    """A `keras.utils.PyDataset`, by index, in shuffled order."""

    def __init__(self, dataset: Any, class_weight: dict[int, float] | None) -> None:
        self._dataset = dataset
        self._class_weight = class_weight

    def epoch(self, order: np.random.Generator) -> Iterator[Batch]:
        count = self._dataset.num_batches
        if count is None:
            raise ArgumentError("find", "the PyDataset has no end", "Give it a __len__", x=self._dataset)
        for index in order.permutation(count):
            yield _weighted(_as_tuple(self._dataset[int(index)]), self._class_weight)


@final
class Datasets(Batches):
    """A `tf.data.Dataset` or another iterable of batches, in its own order."""

    note = "The data keeps an order of its own: everything but that order is as it was before."

    def __init__(self, dataset: Any, class_weight: dict[int, float] | None) -> None:
        self._dataset = dataset
        self._class_weight = class_weight

    def epoch(self, order: np.random.Generator) -> Iterator[Batch]:
        del order
        for batch in self._dataset:
            yield _weighted(_map(_to_numpy, _as_tuple(batch)), self._class_weight)


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
        x: Arrays (or a list, tuple or dict of them), a PyDataset or a tf.data.Dataset.
        y: Targets of arrays; None for a dataset.
        sample_weight: A weight per example; None for a dataset.
        class_weight: A weight per class index.
        batch_size: Examples per batch of arrays. Default: 32.
    """
    if hasattr(x, "__next__"):
        raise ArgumentError("find", "a generator can be read only once", _ONCE, x=x)
    if _is_dataset(x):
        for name, value in (("y", y), ("sample_weight", sample_weight), ("batch_size", batch_size)):
            if value is not None:
                raise ArgumentError("find", f"a dataset brings its own {name}", f"Leave {name} out", **{name: value})
        return PyDatasets(x, class_weight) if isinstance(x, keras.utils.PyDataset) else Datasets(x, class_weight)
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


def _is_dataset(x: Any) -> bool:
    if isinstance(x, keras.utils.PyDataset):
        return True
    names = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(x).__mro__}
    return bool(names & {"tensorflow.DatasetV2", "torch.DataLoader", "grain.IterDataset", "grain.MapDataset"})


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
    return value if isinstance(value, np.ndarray) else np.asarray(keras.ops.convert_to_numpy(value))


def _map(fn: Any, structure: Any) -> Any:
    """`fn` of every array in a nest; None stays None."""
    return keras.tree.map_structure(lambda leaf: None if leaf is None else fn(leaf), structure)


def _leaves(structure: Any) -> list[Any]:
    return [leaf for leaf in keras.tree.flatten(structure) if leaf is not None]


def _rows(parts: Batch) -> int:
    leaves = _leaves(parts)
    return 0 if not leaves or leaves[0].ndim == 0 else len(leaves[0])
