"""JAX: runs of one model as a program, one member at a time or many together."""

from __future__ import annotations

import functools
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.backends import program
from keras_lr.backends.arrays import count_rows
from keras_lr.backends.jax.stepper import fresh_metrics, has_slow_convolutions
from keras_lr.backends.program import EpochInputs, Logs
from keras_lr.backends.traced_floats import Pairs, TracedFloat, pairs

COPIES = 4  # of a member's state: before and after an update, gradients, and the values between layers
State = tuple[list[Any], ...]
"""The trainable, non-trainable, optimizer and metric values."""


class Program(program.Program):
    """Compiles an update, and `jax.vmap` of it over cases and seeds for members together. The model never changes."""

    @staticmethod
    def on_device(data: Any) -> Any:
        return jax.device_put(data)

    def __init__(self, model: Any, train: Any, validation: Any, batch_size: int, together: bool) -> None:
        super().__init__(model, train, validation, batch_size, together)
        self._metrics = [np.asarray(value) for value in fresh_metrics(model)]
        own = {id(variable) for variable in machinery.loss_variables(model)}
        self._loss_indices = [index for index, one in enumerate(model.metrics_variables) if id(one) in own]
        self._programs: dict[tuple[str, int], Any] = {}

    def trace(self, seeds: int, cases: int, complete: bool, names: Iterable[str] = ()) -> list[Callable[[], None]]:
        of_seed, of_case = ((seeds,), (cases,)) if self.together else ((), ())
        orders = jax.ShapeDtypeStruct((*of_seed, self.examples), np.int32)
        rates = jax.ShapeDtypeStruct((*of_case, self.updates), keras.config.floatx())
        settings = {name: jax.ShapeDtypeStruct((*of_case, 2), keras.config.floatx()) for name in names}
        state, sizes = self._shapes((*of_seed, *of_case)), _sizes(self.examples, self._size)
        keys = [("update", size) for size in (sizes if complete else sizes[:1])]
        if complete and self.validates:
            keys += [("test", size) for size in _sizes(count_rows(self._validation), self._size)]
        traces = {}
        for name, size in keys:
            if (name, size) in self._programs:
                continue
            if name == "update":
                update = jax.jit(functools.partial(self._update, size=size), donate_argnums=0)
                traces[name, size] = update.lower(state, self._train, orders, rates, settings, 0, 0)
            else:
                test = jax.jit(functools.partial(self._test, size=size), donate_argnums=0)
                traces[name, size] = test.lower((*state[:2], state[3]), self._validation, 0)

        def compile_trace(key: tuple[str, int]) -> None:
            self._programs[key] = traces[key].compile()

        return [functools.partial(compile_trace, key) for key in traces]

    def begin(self, starts: Sequence[tuple[Any, Any]], cases: int) -> State:
        optimizer = [np.asarray(variable.value) for variable in self.model.optimizer.variables]
        if not self.together:
            return tuple([jax.device_put(np.array(one)) for one in values] for values in (*starts[0], optimizer, []))
        shape = (len(starts), cases)
        stacks = [
            [_repeat(np.stack(values)[:, None], (*shape, *np.shape(values[0]))) for values in zip(*lists, strict=True)]
            for lists in zip(*starts, strict=True)
        ]
        return (*stacks, [_repeat(value, (*shape, *value.shape)) for value in optimizer], [])

    def epoch(self, state: State, inputs: EpochInputs) -> tuple[State, np.ndarray, Logs]:
        state, losses, logs = self._run(state, inputs, range(self.updates))
        total, count = (state[3][index] for index in self._loss_indices)
        return (
            state,
            np.stack([np.asarray(loss) for loss in losses], axis=-1),
            _as_logs({**logs, "loss": total / count}),
        )

    def validate(self, state: State) -> tuple[State, Logs]:
        tested, rest = (*state[:2], self._fresh_like(state)), state[2:]
        examples, logs = count_rows(self._validation), {}
        for first in range(0, examples, self._size):
            size = min(self._size, examples - first)
            logs, tested = self._programs["test", size](tested, self._validation, first)
        return (*tested[:2], *rest), _as_logs(logs)

    def finite(self, state: State) -> np.ndarray:
        axes = 2 if self.together else 0
        weights = [np.asarray(value) for value in state[0]]
        return np.logical_and.reduce(
            [np.isfinite(value.astype(np.float32)).all(axis=tuple(range(axes, value.ndim))) for value in weights]
        )

    def seconds(self, state: State, inputs: EpochInputs, count: int) -> float:
        full = max(1, self.full)
        state, losses, _ = self._run(state, inputs, [0])
        jax.block_until_ready(losses)
        start = time.perf_counter()
        _, losses, _ = self._run(state, inputs, [update % full for update in range(count)])
        jax.block_until_ready(losses)
        return (time.perf_counter() - start) / count

    def capacity(self) -> int:
        return self.room() // (COPIES * self.bytes_of())

    def bytes_of(self) -> int:
        """Returns the bytes of the state of one member."""
        return sum(math.prod(one.shape) * one.dtype.itemsize for values in self._shapes(()) for one in values)

    def room(self) -> int:
        """Returns the free bytes of the device or of the machine; if neither is known, a number without limit."""
        stats = jax.devices()[0].memory_stats()
        if stats and "bytes_limit" in stats:
            return int(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
        try:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError, AttributeError):
            return sys.maxsize

    def slower_together(self) -> bool:
        def shape_of_batch(array: Any) -> Any:
            return jax.ShapeDtypeStruct((self._size, *array.shape[1:]), array.dtype)

        step = jax.jit(lambda state, batch: self._one_update(state, np.float32(0.0), {}, batch=batch))
        return has_slow_convolutions(step, self._shapes(()), jax.tree.map(shape_of_batch, self._train))

    def _run(
        self, state: State, inputs: EpochInputs, updates: Iterable[int]
    ) -> tuple[State, list[Any], dict[str, Any]]:
        """Runs updates with fresh metrics, without waiting for the device."""
        state = (*state[:3], self._fresh_like(state))
        settings = jax.device_put(pairs(inputs.settings, keras.config.floatx()))
        arrays = jnp.asarray(inputs.orders), jnp.asarray(inputs.rates), settings
        losses, logs = [], {}
        for update in updates:
            first = update * self._size
            size = min(self._size, self.examples - first)
            loss, logs, state = self._programs["update", size](state, self._train, *arrays, update, first)
            losses.append(loss)
            self.on_update()
        return state, losses, logs

    def _update(
        self, state: State, data: Any, orders: Any, rates: Any, settings: Pairs, update: Any, first: Any, *, size: int
    ) -> Any:
        """Runs an update of all members. The batch of a seed is gathered once for its cases."""

        def of_seed(state: State, order: Any) -> Any:
            rows = jax.lax.dynamic_slice_in_dim(order, first, size)
            batch = jax.tree.map(lambda array: jnp.take(array, rows, axis=0), data)
            one = functools.partial(self._one_update, batch=batch)
            return (jax.vmap(one) if self.together else one)(state, rates[..., update], settings)

        return jax.vmap(of_seed)(state, orders) if self.together else of_seed(state, orders)

    def _one_update(self, state: State, rate: Any, settings: Pairs, *, batch: Any) -> Any:
        """Runs a training step of Keras at a rate. Its raw loss is what it adds to the loss tracker, which starts at 0."""
        *variables, metrics = state
        floats = {name: TracedFloat(pair) for name, pair in settings.items()}
        zeroed = [jnp.zeros_like(one) if index in self._loss_indices else one for index, one in enumerate(metrics)]
        with machinery.replace_rate(self.model, lambda: rate), machinery.replace_settings(self.model, floats):
            logs, (*variables, metrics_after) = self.model.train_step((*variables, zeroed), batch)
        sums = list(metrics_after)
        for index in self._loss_indices:
            sums[index] = metrics[index] + metrics_after[index]
        return logs["loss"], logs, (*variables, sums)

    def _test(self, state: State, data: Any, first: Any, *, size: int) -> Any:
        batch = jax.tree.map(lambda array: jax.lax.dynamic_slice_in_dim(array, first, size), data)
        one = functools.partial(self.model.test_step, data=batch)
        return jax.vmap(jax.vmap(one))(state) if self.together else one(state)

    def _shapes(self, members: tuple[int, ...]) -> State:
        """Returns a state with shapes and types in place of values."""
        model = self.model
        lists = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
        state = [[(variable.shape, variable.value.dtype) for variable in variables] for variables in lists]
        state.append([(value.shape, value.dtype) for value in self._metrics])
        return tuple([jax.ShapeDtypeStruct((*members, *shape), kind) for shape, kind in one] for one in state)

    def _fresh_like(self, state: State) -> list[Any]:
        """Returns fresh metrics for the members of a state."""
        members = np.shape(state[0][0])[:2] if self.together else ()
        return [_repeat(value, (*members, *value.shape)) for value in self._metrics]


def _as_logs(metrics: Mapping[str, Any]) -> Logs:
    return {name: np.asarray(value, np.float64) for name, value in metrics.items()}


def _sizes(examples: int, batch: int) -> list[int]:
    """Returns the sizes of the batches of an epoch, the full one first."""
    return [size for size in dict.fromkeys([min(batch, examples), examples % batch]) if size]


def _repeat(value: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Broadcasts a value onto the device, by NumPy: JAX would compile for each shape, and the host keeps no second copy."""
    return jax.device_put(np.broadcast_to(value, shape)).block_until_ready()
