"""JAX: stateless training steps in a compiled loop, with their rates as an input. The model's arrays never change."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import Batch, Chunk
from keras_lr.backends.rate_plan import RatePlan

LENGTH = 96  # the lengths of a compiled loop are multiples of it, so that few programs are compiled


def devices() -> list[str]:
    """Returns the devices that JAX can compute on."""
    return [f"{device.platform.upper()}:{device.id}" for device in jax.devices()]


def compiled(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function as one program."""
    return jax.jit(fn)


def host_step(step: Any) -> None:
    """Returns None: the training step is one program, in which a formula costs little."""


def random_state() -> None:
    """Returns None: JAX has no global random state."""


def set_random_state(state: None) -> None:
    """Does nothing."""


def scope(model: Any) -> contextlib.nullcontext[None]:
    """Returns an empty context: `keras.distribution` is global."""
    return contextlib.nullcontext()


def fresh_metrics(model: Any) -> list[Any]:
    """Returns the values that the metrics of a built model start with, and leaves the current ones in place."""
    own = [variable.value for variable in model.metrics_variables]
    for metric in model.metrics:
        metric.reset_state()
    fresh = [variable.value for variable in model.metrics_variables]
    for variable, value in zip(model.metrics_variables, own, strict=True):
        variable.assign(value)
    return fresh


class Stepper:
    """Runs many updates as one program with a loop in it; the model stays as it is.

    Convolutions on a CPU are slow in such a loop. With them each update is a call, and no call waits for the one before.
    """

    def __init__(self, model: Any, plan: RatePlan) -> None:
        self.model, self.plan = model, plan
        self._metrics = fresh_metrics(model)
        self._state: Any = None
        self._data: tuple[Any, Any] = (None, None)
        self._compiles = bool(model.jit_compile) and not model.run_eagerly
        self._one = jax.jit(self._update) if self._compiles else self._update
        self._alone = jax.jit(self._update, donate_argnums=0) if self._compiles else self._update
        self._together = jax.jit(self._loop, donate_argnums=0)
        self._test = jax.jit(self._loss_of) if self._compiles else self._loss_of
        self._loops: bool | None = None if self._compiles else False

    def reset(self) -> None:
        model = self.model  # its arrays are copied, so that updates can reuse the memory
        start = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
        self._state = tuple([jnp.copy(variable.value) for variable in variables] for variables in start)

    def losses(self, chunk: Chunk) -> np.ndarray:
        state, losses = self._state, []
        for batch in chunk.singles():
            self._state = jax.tree.map(jnp.copy, state)
            losses.append(self.updates(batch, np.zeros(1))["loss"])
        self._state = state
        return np.concatenate(losses)

    def updates(self, chunk: Chunk, learning_rates: np.ndarray) -> dict[str, np.ndarray]:
        if self._data[0] is not chunk.data:
            self._data = (chunk.data, jax.tree.map(jnp.asarray, chunk.data))
        data, count = self._data[1], len(chunk)
        padded = -(-count // LENGTH) * LENGTH
        rows = np.resize(chunk.rows, (padded, chunk.rows.shape[1])).astype(np.int32)
        rates = self.plan.rates(np.resize(learning_rates, padded)).astype(keras.config.floatx())
        if self._loops is None:
            self._loops = not has_slow_convolutions(self._one, self._state, self._metrics, data, rows, rates, 0)
        if self._loops:
            losses, self._state = self._together(self._state, self._metrics, data, rows, rates, count)
            return {name: np.asarray(values, np.float64)[:count] for name, values in losses.items()}
        steps = []
        for update in range(count):
            losses, self._state = self._alone(self._state, self._metrics, data, rows, rates, update)
            steps.append(losses)
        return {name: np.array([losses[name] for losses in steps], np.float64) for name in steps[0]}

    def trainable(self) -> list[Any]:
        return list(self._state[0])

    def evaluate(self, batches: Iterable[Batch]) -> np.ndarray:
        state = self._state[:2]
        return np.array([float(self._test(state, self._metrics, batch)) for batch in batches], np.float64)

    def close(self) -> None:
        self._state = None

    def _loop(self, state: Any, metrics: Any, data: Any, rows: Any, rates: Any, count: Any) -> Any:
        """Runs the first `count` updates, one after the other."""
        kinds, _ = jax.eval_shape(self._one, state, metrics, data, rows, rates, 0)
        collected = {name: jnp.zeros(len(rates), kind.dtype) for name, kind in kinds.items()}

        def body(update: Any, carry: Any) -> Any:
            collected, state = carry
            losses, after = self._one(state, metrics, data, rows, rates, update)
            after = jax.tree.map(lambda new, old: new.astype(old.dtype), after, state)
            return {name: collected[name].at[update].set(loss) for name, loss in losses.items()}, after

        return jax.lax.fori_loop(0, count, body, (collected, state))

    def _update(self, state: Any, metrics: Any, data: Any, rows: Any, rates: Any, update: Any) -> Any:
        """Runs one training step with fresh metrics."""
        batch = jax.tree.map(lambda array: _spread(jnp.take(array, rows[update], axis=0)), data)
        with machinery.replace_rates(self.model, self.plan, lambda: rates[update]):
            logs, after = self.model.train_step((*state, metrics), batch)
        return machinery.losses_in(self.model, logs), tuple(after[:3])

    def _loss_of(self, state: Any, metrics: Any, batch: Any) -> Any:
        """Returns the loss of one batch."""
        logs, _ = self.model.test_step((*state, metrics), jax.tree.map(_spread, batch))
        return machinery.losses_in(self.model, logs, "test_step")["loss"]


def has_slow_convolutions(step: Any, *arguments: Any) -> bool:
    """Returns whether a compiled step has convolutions and runs on a CPU: they are slow in a loop and in `jax.vmap`."""
    if jax.devices()[0].platform != "cpu":
        return False
    return "conv_general_dilated" in str(step.trace(*arguments).jaxpr)


def _spread(array: Any) -> Any:
    """Spreads a batch over the devices, as `keras.distribution` is set."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return array
    return keras.distribution.distribute_tensor(array, distribution.get_data_layout(array.shape))
