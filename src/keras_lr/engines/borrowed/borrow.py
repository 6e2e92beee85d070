"""Lends a model to a block; restores the model and every global random state after it, even on an error."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.backends import loans
from keras_lr.backends.arrays import Batch
from keras_lr.backends.protocols import Stepper
from keras_lr.backends.rate_plan import RatePlan


@contextlib.contextmanager
def borrow(
    model: Any, first: Callable[[], Batch], plan: Callable[[Any], RatePlan] = machinery.equal_rates
) -> Iterator[Stepper]:
    """Yields a stepper of the model, built as the first batch of `fit` would build it, and restores everything after.

    Args:
        model: A compiled model.
        first: Returns a first batch, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
        plan: Returns how one rate sets the rates of the model's optimizers, which a first batch may have created.
    """
    loan = loans.begin(model)
    containers = state = stepper = None
    with backends.random_state(), backends.active().scope(model):
        batch = first()
        try:
            with _delay_interrupts():  # Keras can't continue with a model that is half built
                containers = loan.borrow_containers(model, batch)
                state = machinery.build(model, batch, containers if machinery.has_plain_step(model) else None)
                stepper = backends.active().Stepper(model, plan(model), loan.programs)
            yield stepper
        except Exception as error:
            if _follows_interrupt(error):
                raise KeyboardInterrupt from error
            raise
        finally:
            with _delay_interrupts():
                if stepper is not None:
                    stepper.close()
                if containers is not None:
                    containers.restore()
                if state is not None:
                    state.restore()
                    loans.end(model, loan)


def _follows_interrupt(error: BaseException | None) -> bool:
    """Whether an error replaced Ctrl-C: TensorFlow raises a SystemError if Ctrl-C comes while it traces."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


@contextlib.contextmanager
def _delay_interrupts() -> Iterator[None]:
    """Delays Ctrl-C until the end of the block."""
    own = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or own is None:  # None: not a handler of Python
        yield
        return
    signals: list[Any] = []
    signal.signal(signal.SIGINT, lambda *arguments: signals.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, own)
    if signals and callable(own):
        own(*signals[0])
