"""JAX: one compiled, stateless training step with the rate as an input. The model's own arrays are never touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras

from keras_lr.backends import keras as machinery


def devices() -> list[str]:
    """The devices that JAX can compute on."""
    return [f"{device.platform.upper()}:{device.id}" for device in jax.devices()]


def compiled(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function as one program."""
    return jax.jit(fn)


def host_step(step: Any) -> None:
    """Steps stay where they are: the training step is one program, in which a formula costs little."""
    del step


def random_state() -> None:
    """JAX has no global random state."""
    return


def set_random_state(state: None) -> None:
    """JAX has no global random state."""
    del state


def fresh_metrics(model: Any) -> list[Any]:
    """The values that the metrics of a built model start with; its own stay as they are."""
    own = [variable.value for variable in model.metrics_variables]
    for metric in model.metrics:
        metric.reset_state()
    fresh = [variable.value for variable in model.metrics_variables]
    for variable, value in zip(model.metrics_variables, own, strict=True):
        variable.assign(value)
    return fresh


class Stepper:
    """Training updates of a built model, each with a rate of its own, always from the same start.

    Args:
        model: A compiled model, built with its optimizer, loss and metrics. Its state is the start, and stays as it is.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._metrics = fresh_metrics(model)
        self._update = self._compile()
        self._state: Any = None

    def reset(self) -> None:
        """Goes back to the start: a copy of it, so that updates may reuse the memory."""
        model = self.model
        start = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
        self._state = tuple([jnp.copy(variable.value) for variable in variables] for variables in start)

    def update(self, batch: tuple[Any, ...], learning_rate: float) -> float:
        """One update at the given rate. Returns the loss of this batch, before the update."""
        rate = jnp.asarray(learning_rate, keras.config.floatx())
        loss, self._state = self._update(self._state, self._metrics, batch, rate)
        return float(loss)

    def trainable(self) -> list[Any]:
        """The trainable values as they are now."""
        return list(self._state[0])

    def close(self) -> None:
        """Lets go of the copies."""
        self._state = None

    def _compile(self) -> Callable[..., Any]:
        model = self.model

        def update(state: Any, metrics: Any, batch: tuple[Any, ...], learning_rate: Any) -> Any:
            with machinery.rate_replaced(model, lambda: learning_rate):
                logs, state = model.train_step((*state, metrics), batch)
            return logs["loss"], tuple(state[:3])

        return update if model.run_eagerly or not model.jit_compile else jax.jit(update, donate_argnums=0)
