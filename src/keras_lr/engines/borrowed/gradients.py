"""Norms of gradients, measured as training updates of plain SGD on a borrowed model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import Batch, Chunk
from keras_lr.backends.protocols import Stepper


@contextlib.contextmanager
def squared_norms(model: Any) -> Iterator[Callable[[Batch], float]]:
    """Yields a function from a batch to the squared norm of its mean gradient, at the model's current weights.

    Within the block plain SGD replaces the optimizer: an update at a rate of 1 is the gradient. Use it within `borrow`.
    """
    own = model.optimizer
    plain = keras.optimizers.SGD(1.0)
    plain.build(model.trainable_variables)
    model.optimizer = plain
    try:
        stepper = backends.active().Stepper(model, machinery.equal_rates(model))
        try:
            yield lambda batch: _squared_norm(stepper, batch)
        finally:
            stepper.close()
    finally:
        model.optimizer = own


def _squared_norm(stepper: Stepper, batch: Batch) -> float:
    stepper.reset()
    before = [keras.ops.copy(value) for value in stepper.trainable()]
    stepper.updates(Chunk.repeated(batch, 1), np.ones(1))
    return sum(sum_of_squares(value - start) for value, start in zip(stepper.trainable(), before, strict=True))


def sum_of_squares(value: Any) -> float:
    """Returns the sum of the squares of a tensor."""
    return float(keras.ops.convert_to_numpy(keras.ops.sum(keras.ops.square(keras.ops.cast(value, "float32")))))
