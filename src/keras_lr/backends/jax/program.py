"""JAX: the training step of many members of one architecture as one program, and of one member as it is.

A member has its own weights, optimizer state, metrics and rate. Members are laid out as seeds x cases: the cases of a seed
begin with equal weights and see equal batches, so a batch is gathered once for all of them.
"""

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
from keras_lr.backends.jax.stepper import fresh_metrics
from keras_lr.backends.traced_floats import HandedIn, Settings, pairs

State = Any  # (trainable, non-trainable, optimizer, metrics), each a list of arrays


def on_device(data: Any) -> Any:
    """Data where JAX computes."""
    return jax.device_put(data)


class Program:
    """Updates and validation of members, compiled once: see `makings`.

    Args:
        model: A compiled model, built with its optimizer, loss and metrics. It is traced, and never changed.
        train: The training data as a step gets it, (x,), (x, y) or (x, y, sample_weight), on the device.
        validation: The same for validation, or None.
        batch_size: Examples in a batch; the last of an epoch may be smaller.
        together: Whether all members are trained by one program, `jax.vmap` over seeds and cases. Else each state is that
            of one member alone.

    Attributes:
        on_update: Called after each update that is begun, few of which are under way at a time.
    """

    def __init__(self, model: Any, train: Any, validation: Any, batch_size: int, together: bool) -> None:
        self.model, self.together, self._size = model, together, batch_size
        self._train, self._validation = train, validation
        self.examples = _count(train)
        self._metrics = [np.asarray(value) for value in fresh_metrics(model)]
        own = {id(variable) for variable in machinery.loss_variables(model)}
        self._tracked = [place for place, one in enumerate(model.metrics_variables) if id(one) in own]
        self._made: dict[tuple[str, int], Any] = {}
        self.on_update: Callable[[], None] = lambda: None

    @property
    def updates(self) -> int:
        """Updates in an epoch."""
        return -(-self.examples // self._size)

    @property
    def validates(self) -> bool:
        """Whether there is anything to validate on."""
        return self._validation is not None

    def makings(self, seeds: int, cases: int, complete: bool, names: Iterable[str] = ()) -> list[Callable[[], None]]:
        """Traces what is not made yet; calling what is returned, in any threads, compiles it.

        Args:
            seeds: How many seeds it is for.
            cases: How many cases of each.
            complete: Whether to make all that training needs, or a full update alone, which is enough to time it.
            names: The floats of the optimizer that are handed in, as the rate is.
        """
        of_seed, of_case = ((seeds,), (cases,)) if self.together else ((), ())
        orders = jax.ShapeDtypeStruct((*of_seed, self.examples), np.int32)
        rates = jax.ShapeDtypeStruct((*of_case, self.updates), keras.config.floatx())
        handed = {name: jax.ShapeDtypeStruct((*of_case, 2), keras.config.floatx()) for name in names}
        state, sizes = self._shapes((*of_seed, *of_case)), _sizes(self.examples, self._size)
        wanted = [("update", size) for size in (sizes if complete else sizes[:1])]
        if complete and self.validates:
            wanted += [("test", size) for size in _sizes(_count(self._validation), self._size)]
        traced = {}
        for name, size in wanted:
            if (name, size) in self._made:
                continue
            if name == "update":
                update = jax.jit(functools.partial(self._updated, size=size), donate_argnums=0)
                traced[name, size] = update.lower(state, self._train, orders, rates, handed, 0, 0)
            else:
                test = jax.jit(functools.partial(self._tested, size=size), donate_argnums=0)
                traced[name, size] = test.lower((*state[:2], state[3]), self._validation, 0)

        def compiled(key: tuple[str, int]) -> None:
            self._made[key] = traced[key].compile()

        return [functools.partial(compiled, key) for key in traced]

    def bytes_of(self) -> int:
        """The memory that the state of one member takes."""
        return sum(math.prod(one.shape) * one.dtype.itemsize for several in self._shapes(()) for one in several)

    def room(self) -> int:
        """The memory that is free, of the device or of the machine; where nobody tells, as if it had no end."""
        known = jax.devices()[0].memory_stats()
        if known and "bytes_limit" in known:
            return int(known["bytes_limit"] - known.get("bytes_in_use", 0))
        try:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError, AttributeError):
            return sys.maxsize

    def slower_together(self) -> bool:
        """Whether a step has convolutions in it and runs on a CPU, where they are slow under `jax.vmap`."""
        if jax.devices()[0].platform != "cpu":
            return False
        rate = np.float32(0.0)
        batch = jax.tree.map(
            lambda array: jax.ShapeDtypeStruct((self._size, *array.shape[1:]), array.dtype), self._train
        )
        step = jax.make_jaxpr(lambda state, batch: self._one_update(state, rate, {}, batch=batch))
        return "conv_general_dilated" in str(step(self._shapes(()), batch))

    def begin(self, starts: Sequence[tuple[Any, Any]], cases: int) -> State:
        """The first state of members: weights by seed, and the optimizer as it was built.

        Args:
            starts: For each seed its trainable and its non-trainable values.
            cases: How many members begin with each. Where members are trained alone there is one of both.
        """
        optimizer = [np.asarray(variable.value) for variable in self.model.optimizer.variables]
        if not self.together:
            return tuple([jax.device_put(np.array(one)) for one in several] for several in (*starts[0], optimizer, []))
        shape = (len(starts), cases)
        stacked = [
            [_device(np.stack(values)[:, None], (*shape, *np.shape(values[0]))) for values in zip(*lists, strict=True)]
            for lists in zip(*starts, strict=True)
        ]
        return (*stacked, [_device(value, (*shape, *value.shape)) for value in optimizer], [])

    def epoch(
        self, state: State, orders: Any, rates: Any, settings: Mapping[str, np.ndarray]
    ) -> tuple[State, np.ndarray, dict[str, np.ndarray]]:
        """One epoch of updates.

        Args:
            state: As `begin` or an earlier epoch gave it. It is used up.
            orders: The rows in their order, of shape (seeds, examples), or (examples,) for one member.
            rates: The rate of each update, of shape (cases, updates), or (updates,).
            settings: Floats of the optimizer by name, each of shape (cases,), or one number.

        Returns:
            The state, the raw loss of each update (the updates last), and the metrics at the end of the epoch by name.
        """
        state, losses, logs = self._several(state, orders, rates, settings, range(self.updates))
        return state, np.stack([np.asarray(loss) for loss in losses], axis=-1), self._logged(logs, state)

    def seconds(self, state: State, orders: Any, rates: Any, settings: Mapping[str, Any], count: int) -> float:
        """The time of one full update, from `count` of them after one to warm up. The state is used up."""
        full = max(1, self.examples // self._size)
        state, losses, _ = self._several(state, orders, rates, settings, [0])
        jax.block_until_ready(losses)
        started = time.perf_counter()
        _, losses, _ = self._several(state, orders, rates, settings, [update % full for update in range(count)])
        jax.block_until_ready(losses)
        return (time.perf_counter() - started) / count

    def validate(self, state: State) -> tuple[State, dict[str, np.ndarray]]:
        """The metrics on the validation data, by name. The state goes on with the metrics of training."""
        tested, rest = (*state[:2], self._fresh_like(state)), state[2:]
        examples, logs = _count(self._validation), {}
        for first in range(0, examples, self._size):
            size = min(self._size, examples - first)
            logs, tested = self._made["test", size](tested, self._validation, first)
        return (*tested[:2], *rest), {name: np.asarray(value, np.float64) for name, value in logs.items()}

    def finite(self, state: State) -> np.ndarray:
        """Whether all weights of each member are finite."""
        axes = 2 if self.together else 0
        weights = [np.asarray(value) for value in state[0]]
        return np.logical_and.reduce(
            [np.isfinite(value.astype(np.float32)).all(axis=tuple(range(axes, value.ndim))) for value in weights]
        )

    def _several(
        self, state: State, orders: Any, rates: Any, settings: Mapping[str, Any], updates: Any
    ) -> tuple[State, list[Any], dict[str, Any]]:
        """Updates with fresh metrics; nothing waits for the device."""
        state = (*state[:3], self._fresh_like(state))
        orders, rates = jnp.asarray(orders), jnp.asarray(rates)
        handed = jax.device_put(pairs(settings, keras.config.floatx()))
        losses, logs = [], {}
        for update in updates:
            first = update * self._size
            size = min(self._size, self.examples - first)
            loss, logs, state = self._made["update", size](state, self._train, orders, rates, handed, update, first)
            losses.append(loss)
            self.on_update()
        return state, losses, logs

    def _updated(
        self, state: State, data: Any, orders: Any, rates: Any, handed: Settings, update: Any, first: Any, *, size: int
    ) -> Any:
        def of_seed(state: State, order: Any) -> Any:
            rows = jax.lax.dynamic_slice_in_dim(order, first, size)
            batch = jax.tree.map(lambda array: jnp.take(array, rows, axis=0), data)
            one = functools.partial(self._one_update, batch=batch)
            return (jax.vmap(one) if self.together else one)(state, rates[..., update], handed)

        return jax.vmap(of_seed)(state, orders) if self.together else of_seed(state, orders)

    def _one_update(self, state: State, rate: Any, handed: Settings, *, batch: Any) -> Any:
        """A training step of Keras at the given rate; its raw loss is what it adds to the emptied loss tracker."""
        *variables, metrics = state
        settings = {name: HandedIn(pair) for name, pair in handed.items()}
        emptied = [jnp.zeros_like(one) if place in self._tracked else one for place, one in enumerate(metrics)]
        with machinery.replace_rate(self.model, lambda: rate), machinery.replace_settings(self.model, settings):
            logs, (*variables, metrics_after) = self.model.train_step((*variables, emptied), batch)
        summed = list(metrics_after)
        for place in self._tracked:
            summed[place] = metrics[place] + metrics_after[place]
        return logs["loss"], logs, (*variables, summed)

    def _tested(self, state: Any, data: Any, first: Any, *, size: int) -> Any:
        batch = jax.tree.map(lambda array: jax.lax.dynamic_slice_in_dim(array, first, size), data)
        one = functools.partial(self.model.test_step, data=batch)
        return jax.vmap(jax.vmap(one))(state) if self.together else one(state)

    def _logged(self, logs: dict[str, Any], state: State) -> dict[str, np.ndarray]:
        """The logs of the last update, with the loss of the whole epoch."""
        total, count = (state[3][place] for place in self._tracked)
        return {name: np.asarray(value, np.float64) for name, value in {**logs, "loss": total / count}.items()}

    def _shapes(self, members: tuple[int, ...]) -> State:
        """A state of members without its values."""
        model = self.model
        several = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
        state = [[(variable.shape, variable.value.dtype) for variable in variables] for variables in several]
        state.append([(value.shape, value.dtype) for value in self._metrics])
        return tuple([jax.ShapeDtypeStruct((*members, *shape), kind) for shape, kind in one] for one in state)

    def _fresh_like(self, state: State) -> list[Any]:
        """Metrics at their beginning, for as many members as are in a state."""
        members = np.shape(state[0][0])[:2] if self.together else ()
        return [_device(value, (*members, *value.shape)) for value in self._metrics]


def _count(data: Any) -> int:
    return len(jax.tree.leaves(data)[0])


def _sizes(examples: int, batch: int) -> list[int]:
    """The sizes of the batches of an epoch, the full one first."""
    return [size for size in dict.fromkeys([min(batch, examples), examples % batch]) if size]


def _device(value: np.ndarray, shape: tuple[int, ...]) -> Any:
    """A value repeated, on the device, with no other copy of it on the host; by NumPy, as JAX would compile for each shape."""
    return jax.device_put(np.broadcast_to(value, shape)).block_until_ready()
