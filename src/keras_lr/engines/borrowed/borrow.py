"""Borrowing a model: whatever happens within the block, the model and every source of chance are left as they were."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from keras_lr import backends
from keras_lr.backends import keras as machinery


@contextlib.contextmanager
def borrow(model: Any, first: Callable[[], tuple[Any, ...]]) -> Iterator[Any]:
    """Gives a stepper of the model, built as the first batch of `fit` would build it, and puts everything back.

    Args:
        model: A compiled model.
        first: Gives a first batch, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Returns:
        A context manager that gives the backend's `Stepper`.
    """
    containers = machinery.Containers(model)
    state = stepper = None
    with backends.random_state(), backends.active().scope(model):
        batch = first()
        try:
            with _uninterrupted():  # Keras can't go on with a model that is half built
                state = machinery.build(model, batch, containers, with_metrics=not machinery.has_plain_step(model))
                stepper = backends.active().Stepper(model)
            yield stepper
        finally:
            with _uninterrupted():
                if stepper is not None:
                    stepper.close()
                containers.restore()
                if state is not None:
                    state.restore()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the block is done."""
    own = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or own is None:  # no handler of Python
        yield
        return
    pressed: list[Any] = []
    signal.signal(signal.SIGINT, lambda *told: pressed.append(told))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, own)
    if pressed and callable(own):
        own(*pressed[0])
