"""The only package that imports a framework. In it, only `keras.py` and `keras_rates.py` use Keras's private names.

`jax`, `tensorflow` and `torch` have the same modules, `stepper` and `program`, with the same names in them.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import random
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from keras import config  # not `import keras`: the name belongs to the module keras.py of this package

from keras_lr.backends.keras import GlobalState
from keras_lr.backends.program import Program
from keras_lr.backends.protocols import StepperModule
from keras_lr.core.errors import KerasLRError

if TYPE_CHECKING:  # mypy compares each backend with the protocol
    from keras_lr.backends.jax import stepper as jax_stepper
    from keras_lr.backends.tensorflow import stepper as tensorflow_stepper
    from keras_lr.backends.torch import stepper as torch_stepper

    _STEPPERS: tuple[StepperModule, ...] = (jax_stepper, tensorflow_stepper, torch_stepper)


def active() -> StepperModule:
    """Returns the `stepper` module of the backend that Keras runs on in this process."""
    name = config.backend()
    if name not in ("tensorflow", "jax", "torch"):
        raise KerasLRError(
            f"keras-lr works on the backends tensorflow, jax and torch, not on {name!r}. Set KERAS_BACKEND."
        )
    return _stepper_module(name)


def programs(model: Any, train: Any, validation: Any, batch_size: int) -> Callable[[bool], Program]:
    """Puts data on the device once for many programs. The arguments are those of `Program`.

    Returns:
        A function that creates a program: for members together (True; JAX only) or for one member at a time (False).
    """
    kind: type[Program] = importlib.import_module(f"keras_lr.backends.{config.backend()}.program").Program
    return functools.partial(kind, model, kind.on_device(train), kind.on_device(validation), batch_size)


@contextlib.contextmanager
def random_state() -> Iterator[None]:
    """Restores at its end every global random state: Python's, NumPy's, Keras's, TensorFlow's and PyTorch's.

    Keras seeds TensorFlow on every backend, and datasets of TensorFlow and PyTorch are read on every backend.
    """
    active()  # raises on another backend
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the legacy state is the global one
    frameworks, own = {name: _state_of(name) for name in ("tensorflow", "torch")}, GlobalState()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        for name, state in frameworks.items():
            if sys.modules.get(name) is not None and state is not None:
                _stepper_module(name).set_random_state(state)
        own.restore()


def _state_of(name: str) -> Any:
    """Returns a framework's global random state. If TensorFlow is not imported, it is that of an unseeded TensorFlow."""
    if sys.modules.get(name) is None:
        return (None, None) if name == "tensorflow" else None
    return _stepper_module(name).random_state()


def _stepper_module(name: str) -> StepperModule:
    return cast(StepperModule, importlib.import_module(f"keras_lr.backends.{name}.stepper"))
