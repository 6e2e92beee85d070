"""JAX: stateless training steps in a compiled loop, with their rates as an input. The model's arrays never change."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import Batch, Chunk, count_rows, layout, map_arrays
from keras_lr.backends.rate_plan import RatePlan

LENGTH = 96  # updates in one call of the loop, at most; every call has room for so many, so that all share a program
BLOCK = 2**26  # bytes of data in one call, at most, where each batch brings data of its own
ALIGNMENT = 64  # bytes: on a CPU, JAX uses an array without a copy if its address is a multiple of it


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


@jax.jit
def copies(tree: Any) -> Any:
    """Returns copies of all arrays, by one program: an operation for each would be compiled for each shape."""
    return jax.tree.map(jnp.copy, tree)


class CompiledSteps:
    """The steps of a model as programs, which serve all steppers whose plans let the same optimizers follow.

    Attributes:
        update: Runs one training step with fresh metrics.
        alone: The same, in the memory of the state that it gets.
        loop: Runs the first updates of several, one after the other, in the memory of the state that it gets.
        test: Returns the loss of one batch.
        loops: Whether updates run in a loop; None before the first.
        rows: By layout and size of a batch, the rows of the data that the programs are for.
    """

    def __init__(self, model: Any, plan: RatePlan) -> None:
        self.model, self.plan = model, plan
        compiles = bool(model.jit_compile) and not model.run_eagerly
        self.update = jax.jit(self._update) if compiles else self._update
        self.alone = jax.jit(self._update, donate_argnums=0) if compiles else self._update
        self.loop = jax.jit(self._loop, donate_argnums=0)
        self.test = jax.jit(self._loss_of) if compiles else self._loss_of
        self.loops: bool | None = None if compiles else False
        self.rows: dict[tuple[str, int], int] = {}

    def _loop(self, state: Any, metrics: Any, data: Any, rows: Any, rates: Any, count: Any) -> Any:
        kinds, _ = jax.eval_shape(self.update, state, metrics, data, rows, rates, np.int32(0))
        collected = {name: jnp.zeros(len(rates), kind.dtype) for name, kind in kinds.items()}

        def body(update: Any, carry: Any) -> Any:
            collected, state = carry
            losses, after = self.update(state, metrics, data, rows, rates, update)
            after = jax.tree.map(lambda new, old: new.astype(old.dtype), after, state)
            return {name: collected[name].at[update].set(loss) for name, loss in losses.items()}, after

        return jax.lax.fori_loop(np.int32(0), count, body, (collected, state))

    def _update(self, state: Any, metrics: Any, data: Any, rows: Any, rates: Any, update: Any) -> Any:
        batch = jax.tree.map(lambda array: _spread(jnp.take(array, rows[update], axis=0)), data)
        with machinery.replace_rates(self.model, self.plan, lambda: rates[update]):
            logs, after = self.model.train_step((*state, metrics), batch)
        return machinery.losses_in(self.model, logs), tuple(after[:3])

    def _loss_of(self, state: Any, metrics: Any, batch: Any) -> Any:
        logs, _ = self.model.test_step((*state, metrics), jax.tree.map(_spread, batch))
        return machinery.losses_in(self.model, logs, "test_step")["loss"]


class Stepper:
    """Runs many updates as one program with a loop in it; the model stays as it is.

    Convolutions on a CPU are slow in such a loop. With them each update is a call, and no call waits for the one before.
    """

    def __init__(self, model: Any, plan: RatePlan, programs: dict[Any, Any] | None = None) -> None:
        self.model, self.plan = model, plan
        self.programs = {} if programs is None else programs
        self._steps: CompiledSteps = self.programs.setdefault(("steps", plan.following), CompiledSteps(model, plan))
        self._metrics = fresh_metrics(model)
        self._state: Any = None
        self._data: tuple[Any, int, Any] = (None, 0, None)  # the data, the size of a batch, and the same on the device

    def reset(self) -> None:
        model = self.model  # its arrays are copied, so that updates can reuse the memory
        start = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
        self._state = copies(tuple([variable.value for variable in variables] for variables in start))

    def losses(self, chunk: Chunk) -> np.ndarray:
        state, losses = self._state, []
        for batch in chunk.singles():
            self._state = copies(state)
            losses.append(self.updates(batch, np.zeros(1))["loss"])
        self._state = state
        return np.concatenate(losses)

    def updates(self, chunk: Chunk, learning_rates: np.ndarray) -> dict[str, np.ndarray]:
        rates, parts = self.plan.rates(learning_rates).astype(keras.config.floatx()), []
        for data, rows in self._pieces(chunk):
            parts.append(self._run(data, rows, rates[: len(rows)]))
            rates = rates[len(rows) :]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def trainable(self) -> list[Any]:
        return list(self._state[0])

    def evaluate(self, batches: Iterable[Batch]) -> np.ndarray:
        state = self._state[:2]
        return np.array([float(self._steps.test(state, self._metrics, batch)) for batch in batches], np.float64)

    def close(self) -> None:
        self._state, self._data = None, (None, 0, None)

    def _run(self, data: Any, rows: np.ndarray, rates: np.ndarray) -> dict[str, np.ndarray]:
        """Runs at most `LENGTH` updates."""
        steps, count = self._steps, len(rows)
        rows = np.resize(rows, (LENGTH, rows.shape[1])).astype(np.int32)
        rates = np.resize(rates, (LENGTH, rates.shape[1]))
        if steps.loops is None:
            first = (self._state, self._metrics, data, rows, rates, np.int32(0))
            steps.loops = not has_slow_convolutions(steps.update, *first)
        if steps.loops:
            losses, self._state = steps.loop(self._state, self._metrics, data, rows, rates, np.int32(count))
            return {name: np.asarray(values, np.float64)[:count] for name, values in losses.items()}
        each = []
        for update in range(count):
            losses, self._state = steps.alone(self._state, self._metrics, data, rows, rates, np.int32(update))
            each.append(losses)
        return {name: np.array([losses[name] for losses in each], np.float64) for name in each[0]}

    def _pieces(self, chunk: Chunk) -> Iterator[tuple[Any, np.ndarray]]:
        """Yields data on the device, and batches of its rows.

        Each number of rows would be another program. So data of fewer rows than `most` batches, or than earlier data, are
        padded. Large data, and data of more batches that come in turn, go to the device in pieces of so many rows.
        """
        data, size = chunk.data, chunk.rows.shape[1]
        if self._data[0] is data and self._data[1] == size:
            yield from self._parts(chunk)
            return
        total = count_rows(data)
        memory = sum(leaf.nbytes for leaf in jax.tree.leaves(data))
        most = max(1, min(LENGTH, BLOCK * total // max(memory * size, 1)))
        in_turn = chunk.rows.size == total and np.array_equal(chunk.rows.reshape(-1), np.arange(total))
        in_pieces = memory > BLOCK or (in_turn and len(chunk) > most)
        kind = (layout(data), size)
        room = max(most * size, self._steps.rows.get(kind, 0), 0 if in_pieces else total)
        self._steps.rows[kind] = room
        if in_pieces:
            for start in range(0, len(chunk), most):
                rows = chunk.rows[start : start + most]
                piece = map_arrays(operator.itemgetter(rows.reshape(-1)), data)
                yield _on_device(piece, room), np.arange(rows.size).reshape(rows.shape)
            return
        self._data = (data, size, _on_device(data, room))
        yield from self._parts(chunk)

    def _parts(self, chunk: Chunk) -> Iterator[tuple[Any, np.ndarray]]:
        """Yields the data that are on the device already, and as many batches of its rows as one call takes."""
        for start in range(0, len(chunk), LENGTH):
            yield self._data[2], chunk.rows[start : start + LENGTH]


def _on_device(data: Any, least: int) -> Any:
    """Returns data on the device, with at least so many rows; no batch has the rows that are added."""

    def transfer(array: Any) -> Any:
        if len(array) < least:
            padded = _room((least, *array.shape[1:]), jax.dtypes.canonicalize_dtype(array.dtype))
            padded[: len(array)] = array
            array = padded
        return jax.device_put(array)

    return jax.tree.map(transfer, data)


def _room(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """Returns an array that JAX uses without a copy on a CPU. Rows that are neither written nor read then cost nothing."""
    length = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(length + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + length].view(dtype).reshape(shape)


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
