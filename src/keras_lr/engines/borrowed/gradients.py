"""Lengths of gradients, measured as training updates of plain SGD on a borrowed model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_lr import backends
from keras_lr.backends.arrays import Chunk


@contextlib.contextmanager
def squared_norms(model: Any) -> Iterator[Callable[[tuple[Any, ...]], float]]:
    """Gives a function from a batch to the squared length of its mean gradient, at the weights as they are.

    Within the block the model has plain SGD for its optimizer: an update at a rate of 1 is the gradient. To be used within
    `borrow`.

    Args:
        model: A built, compiled model.
    """
    own = model.optimizer
    plain = keras.optimizers.SGD(1.0)
    plain.build(model.trainable_variables)
    model.optimizer = plain
    try:
        stepper = backends.active().Stepper(model)
        try:
            yield lambda batch: _squared_length(stepper, batch)
        finally:
            stepper.close()
    finally:
        model.optimizer = own


def _squared_length(stepper: Any, batch: tuple[Any, ...]) -> float:
    stepper.reset()
    before = [keras.ops.copy(value) for value in stepper.trainable()]
    stepper.updates(Chunk.repeated(batch, 1), np.ones(1))
    total = 0.0
    for value, start in zip(stepper.trainable(), before, strict=True):
        moved = keras.ops.cast(value - start, "float32")
        total += float(keras.ops.convert_to_numpy(keras.ops.sum(keras.ops.square(moved))))
    return total
