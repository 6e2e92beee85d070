"""The only files that import a framework, and the only two that use Keras's private names: `keras.py` and `keras_rates.py`.

`tensorflow.py`, `jax.py` and `torch.py` have the same names in them; `active` gives the one of this process.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import random
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from keras_lr.core.errors import KerasLRError


def active() -> ModuleType:
    """The module of the backend that Keras runs on in this process.

    Each has `devices()`, `compiled(fn)`, `host_step(step)`, `random_state()`, `set_random_state(state)`, `scope(model)`
    and `Stepper(model)`.
    """
    import keras

    name = keras.backend.backend()
    if name not in ("tensorflow", "jax", "torch"):
        raise KerasLRError(
            f"keras-lr works on the backends tensorflow, jax and torch, not on {name!r}. Set KERAS_BACKEND."
        )
    return importlib.import_module(f"keras_lr.backends.{name}.stepper")


@contextlib.contextmanager
def random_state() -> Iterator[None]:
    """Puts every global source of chance back at its end: Python's, NumPy's, the framework's and Keras's."""
    from keras_lr.backends.keras import GlobalState

    framework, others = active(), {name: _state_of(name) for name in ("tensorflow", "torch")}
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the legacy state is the global one
    own, state = framework.random_state(), GlobalState()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        framework.set_random_state(own)
        for (
            name,
            other,
        ) in others.items():  # their datasets are read on every backend, and Keras seeds TensorFlow always
            if name in sys.modules and other is not None:
                importlib.import_module(f"keras_lr.backends.{name}.stepper").set_random_state(other)
        state.restore()


def _state_of(name: str) -> object:
    """The state of a framework's global seed; of TensorFlow that isn't imported yet, that of one that nobody has seeded."""
    if name not in sys.modules:
        return (None, None) if name == "tensorflow" else None
    return importlib.import_module(f"keras_lr.backends.{name}.stepper").random_state()


def programs(model: Any, train: Any, validation: Any, batch_size: int) -> Callable[[bool], Any]:
    """Makes programs for many runs of a model: of members together (True; on JAX alone) or each alone (False).

    The data is put on the device once for all of them.

    See `jax_population.Program`, whose names all have.
    """
    import keras

    module = importlib.import_module(f"keras_lr.backends.{keras.backend.backend()}.program")
    return functools.partial(module.Program, model, module.on_device(train), module.on_device(validation), batch_size)
