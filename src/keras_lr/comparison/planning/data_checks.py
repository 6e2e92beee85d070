"""Check the data of a comparison before any training, for faults that `fit` fails on or does not notice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError

WHERE = "compare"
_ONCE = "it can be read only once"
_AGAIN = "Pass arrays, a PyDataset or a tf.data.Dataset"


def check_data(x: Any, y: Any, sample_weight: Any, validation_data: Any, validation_split: float) -> None:
    """Refuses data that several runs can't train on.

    Raises:
        ArgumentError: The data is empty, can be read only once, has different lengths, or contains NaN.
    """
    if x is None:
        raise ArgumentError(WHERE, "x is missing", _AGAIN, x=x)
    _check_validation(x, validation_data, validation_split)
    parts = {"x": x, "y": y, "sample_weight": sample_weight}
    for name, value in parts.items():
        _check_part(name, value)
    if not arrays_of(x) and y is not None:
        raise ArgumentError(WHERE, "y must be None if x has the labels", "Pass y only with arrays", y=y)
    lengths = {name: examples_of(value) for name, value in parts.items() if value is not None and arrays_of(value)}
    if lengths.get("x") == 0:
        raise ArgumentError(WHERE, "x is empty", "Pass at least one example", x=x)
    for name, length in lengths.items():
        if length != lengths["x"]:
            rule = f"x has {lengths['x']} examples and {name} has {length}"
            raise ArgumentError(WHERE, rule, "Pass the same number of both", **{name: parts[name]})


def check_batch_size(x: Any, validation_split: float, batch_size: int | None) -> None:
    """Refuses a batch that is larger than the training data.

    Raises:
        ArgumentError: The batch is too large or not a whole number, or the data has its own batches.
    """
    if batch_size is None:
        return
    size = checks.whole(WHERE, batch_size=batch_size)
    if not arrays_of(x):
        rule = "batch_size must be None if x has its own batches"
        raise ArgumentError(WHERE, rule, "Set the batch size in the dataset", batch_size=batch_size)
    training = math.floor(examples_of(x) * (1.0 - validation_split))
    if size > training:
        rule = f"batch_size must be at most the number of training examples, {training}"
        raise ArgumentError(WHERE, rule, "Pass a smaller one, or more data", batch_size=batch_size)


def arrays_of(value: Any) -> list[Any]:
    """Returns the arrays in a nested structure; an empty list for a dataset."""
    if value is None or isinstance(value, (Iterator, str, bytes)):
        return []
    leaves = keras.tree.flatten(value)
    return leaves if all(_is_array(leaf) for leaf in leaves) else []


def examples_of(value: Any) -> int:
    """Returns the number of examples in arrays."""
    return min((int(array.shape[0]) for array in arrays_of(value)), default=0)


def first_batch(x: Any, y: Any, sample_weight: Any, batch_size: int | None) -> tuple[Any, ...]:
    """Returns the first batch of arrays, as a training step gets it."""
    count = min(batch_size or 32, examples_of(x))

    def top(value: Any) -> Any:
        return None if value is None else keras.tree.map_structure(lambda array: np.asarray(array[:count]), value)

    return tuple(top(value) for value in (x, y, sample_weight))


def _check_validation(x: Any, validation_data: Any, validation_split: float) -> None:
    share = checks.at_least_zero(WHERE, validation_split=validation_split)
    if share >= 1.0:
        repair = "Pass a share, for example 0.2"
        raise ArgumentError(WHERE, "validation_split must be below 1", repair, validation_split=validation_split)
    if share and validation_data is not None:
        rule = "validation_data and validation_split exclude each other"
        raise ArgumentError(WHERE, rule, "Pass one of the two", validation_split=validation_split)
    if share and not isinstance(x, Iterator) and not arrays_of(x):
        rule = "only arrays can be split"
        raise ArgumentError(WHERE, rule, "Pass validation_data", validation_split=validation_split)
    for part in validation_data if isinstance(validation_data, (tuple, list)) else [validation_data]:
        _check_part("validation_data", part)


def _check_part(name: str, value: Any) -> None:
    if isinstance(value, Iterator):
        raise ArgumentError(WHERE, _ONCE, _AGAIN, **{name: value})
    for array in arrays_of(value):
        if _has_nan(array):
            raise ArgumentError(WHERE, f"{name} contains NaN", "Fill or drop these examples", **{name: value})


def _is_array(leaf: Any) -> bool:
    """Returns whether a leaf has examples: an array, a tensor or a table of pandas."""
    return len(getattr(leaf, "shape", ())) > 0 and (hasattr(leaf, "dtype") or hasattr(leaf, "dtypes"))


def _has_nan(array: Any) -> bool:
    """Returns whether an array contains NaN; then its minimum is NaN, which needs no temporary array."""
    array = array if hasattr(array, "dtype") else np.asarray(array)
    if "float" not in str(array.dtype) or not math.prod(array.shape):
        return False
    values = array if isinstance(array, np.ndarray) else keras.ops.convert_to_numpy(array)
    return bool(np.isnan(np.min(values)))
