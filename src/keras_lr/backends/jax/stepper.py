"""JAX: stateless training steps in a compiled loop, with their rates as an input. The model's own arrays are never touched."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_lr.backends import keras as machinery

LENGTH = 96  # lengths of a compiled loop are multiples of it


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


def scope(model: Any) -> Any:
    """A model of JAX needs none: `keras.distribution` is global."""
    del model
    return contextlib.nullcontext()


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
    """Training updates of a built model, many in one call, each at a rate of its own, always from the same start.

    The call is one program with a loop in it. Where there are convolutions on a CPU, which are slow in such a loop, it is
    a call for each update, and nothing waits for the device between them.

    Args:
        model: A compiled model, built with its optimizer, loss and metrics. Its state is the start, and stays as it is.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._metrics = fresh_metrics(model)
        self._state: Any = None
        self._placed: tuple[Any, Any] = (None, None)
        self._compiles = bool(model.jit_compile) and not model.run_eagerly
        self._one = jax.jit(self._update) if self._compiles else self._update
        self._alone = jax.jit(self._update, donate_argnums=0) if self._compiles else self._update
        self._together = jax.jit(self._loop, donate_argnums=0)
        self._test = jax.jit(self._tested) if self._compiles else self._tested
        self._looped: bool | None = None if self._compiles else False

    def reset(self) -> None:
        """Goes back to the start: a copy of it, so that updates may reuse the memory."""
        model = self.model
        start = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
        self._state = tuple([jnp.copy(variable.value) for variable in variables] for variables in start)

    def updates(self, chunk: Any, learning_rates: np.ndarray) -> dict[str, np.ndarray]:
        """One training step on each batch, at its own rate. Returns the raw losses before each, by name."""
        if self._placed[0] is not chunk.data:
            self._placed = (chunk.data, jax.tree.map(jnp.asarray, chunk.data))
        data, count = self._placed[1], len(chunk)
        padded = -(-count // LENGTH) * LENGTH  # few lengths, so that few programs are made
        rows = np.resize(chunk.rows, (padded, chunk.rows.shape[1])).astype(np.int32)
        rates = np.resize(learning_rates, padded).astype(keras.config.floatx())
        if self._looped is None:
            self._looped = not slow_in_loops(self._one, self._state, self._metrics, data, rows, rates, 0)
        if self._looped:
            made, self._state = self._together(self._state, self._metrics, data, rows, rates, count)
            return {name: np.asarray(losses, np.float64)[:count] for name, losses in made.items()}
        several = []
        for update in range(count):
            losses, self._state = self._alone(self._state, self._metrics, data, rows, rates, update)
            several.append(losses)
        return {name: np.array([losses[name] for losses in several], np.float64) for name in several[0]}

    def trainable(self) -> list[Any]:
        """The trainable values as they are now."""
        return list(self._state[0])

    def evaluate(self, batches: Iterable[Any]) -> np.ndarray:
        """The loss of each batch by the model's own test step, as it is now."""
        tested = self._state[:2]
        return np.array([float(self._test(tested, self._metrics, batch)) for batch in batches], np.float64)

    def close(self) -> None:
        """Lets go of the copies."""
        self._state = None

    def _loop(self, state: Any, metrics: Any, data: Any, rows: Any, rates: Any, count: Any) -> Any:
        """The first `count` updates, one after the other."""
        kinds, _ = jax.eval_shape(self._one, state, metrics, data, rows, rates, 0)
        collected = {name: jnp.zeros(len(rates), kind.dtype) for name, kind in kinds.items()}

        def body(update: Any, carried: Any) -> Any:
            collected, state = carried
            losses, after = self._one(state, metrics, data, rows, rates, update)
            after = jax.tree.map(lambda new, old: new.astype(old.dtype), after, state)
            return {name: collected[name].at[update].set(loss) for name, loss in losses.items()}, after

        return jax.lax.fori_loop(0, count, body, (collected, state))

    def _update(self, state: Any, metrics: Any, data: Any, rows: Any, rates: Any, update: Any) -> Any:
        """One training step, with metrics that begin anew."""
        batch = jax.tree.map(lambda array: _spread(jnp.take(array, rows[update], axis=0)), data)
        with machinery.replace_rate(self.model, lambda: rates[update]):
            logs, after = self.model.train_step((*state, metrics), batch)
        return machinery.losses_in(self.model, logs), tuple(after[:3])

    def _tested(self, state: Any, metrics: Any, batch: Any) -> Any:
        """The loss of one batch."""
        logs, _ = self.model.test_step((*state, metrics), jax.tree.map(_spread, batch))
        return machinery.losses_in(self.model, logs, "test_step")["loss"]


def slow_in_loops(step: Any, *arguments: Any) -> bool:
    """Whether a compiled step has convolutions in it and runs on a CPU, where they are slow in a compiled loop."""
    if jax.devices()[0].platform != "cpu":
        return False
    return "conv_general_dilated" in str(step.trace(*arguments).jaxpr)


def _spread(array: Any) -> Any:
    """A batch over the devices, as `keras.distribution` says."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return array
    return keras.distribution.distribute_tensor(array, distribution.get_data_layout(array.shape))
