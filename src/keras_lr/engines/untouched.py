"""Borrowing a model: whatever happens within the block, the model and every source of chance are left as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from keras_lr import backends
from keras_lr.backends import keras as machinery


@contextlib.contextmanager
def untouched(model: Any, batch: tuple[Any, ...]) -> Iterator[Any]:
    """Gives a stepper of the model, built as the first batch of `fit` would build it, and puts everything back.

    Args:
        model: A compiled model.
        batch: A first batch, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Returns:
        A context manager that gives the backend's `Stepper`.
    """
    containers = machinery.Containers(model)
    state = None
    try:
        state = machinery.build(model, batch, containers)
        with backends.random_state():
            stepper = backends.active().Stepper(model)
            try:
                yield stepper
            finally:
                stepper.close()
    finally:
        containers.restore()
        if state is not None:
            state.restore()
