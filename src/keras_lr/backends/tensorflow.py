"""TensorFlow: one compiled training step with the rate as an input, and the global random state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from keras_lr.backends import keras as machinery


def devices() -> list[str]:
    """The devices that TensorFlow can compute on."""
    return [f"{device.device_type}:{device.name.rpartition(':')[2]}" for device in tf.config.list_physical_devices()]


def compiled(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function as one graph."""
    return tf.function(fn, autograph=False)


def host_step(step: Any) -> None:
    """Steps stay where they are: the training step is one program, in which a formula costs little."""
    del step


def random_state() -> Any:
    """The state of `tf.random`'s global seed."""
    eager = context.context()
    generator = getattr(eager, "_rng", None)  # there is none until somebody sets or draws a seed
    return eager._seed, None if generator is None else generator.getstate()


def set_random_state(state: Any) -> None:
    """Puts back what `random_state` gave."""
    seed, generator = state
    eager = context.context()
    eager._seed = seed
    if generator is not None:
        eager._rng.setstate(generator)
    elif getattr(eager, "_rng", None) is not None:
        del eager._rng


class Stepper:
    """Training updates of a built model, each with a rate of its own, always from the same start.

    Args:
        model: A compiled model, built with its optimizer, loss and metrics. Its state is the start; `close` brings it back.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._variables = machinery.variables_of(model)
        self._start = [np.array(keras.ops.convert_to_numpy(variable)) for variable in self._variables]
        self._update = self._compile()

    def reset(self) -> None:
        """Goes back to the start."""
        for variable, value in zip(self._variables, self._start, strict=True):
            variable.assign(value)

    def update(self, batch: tuple[Any, ...], learning_rate: float) -> float:
        """One update at the given rate. Returns the loss of this batch, before the update."""
        return float(self._update(batch, tf.constant(learning_rate, keras.config.floatx())))

    def trainable(self) -> list[Any]:
        """The trainable values as they are now."""
        return [variable.value for variable in self.model.trainable_variables]

    def close(self) -> None:
        """Leaves the model at the start."""
        self.reset()

    def _compile(self) -> Callable[..., Any]:
        model = self.model

        @tf.autograph.experimental.do_not_convert
        def update(batch: tuple[Any, ...], learning_rate: Any) -> Any:
            for metric in model.metrics:
                metric.reset_state()
            with machinery.rate_replaced(model, lambda: learning_rate):
                return model.train_step(batch)["loss"]

        if model.run_eagerly:
            return update
        return tf.function(update, jit_compile=bool(model.jit_compile), reduce_retracing=True)
