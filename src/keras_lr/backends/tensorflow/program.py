"""TensorFlow: an epoch of training as one graph with a loop in it, traced once for all runs of a model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_lr.backends import keras as machinery
from keras_lr.backends.sequential import InPlace, Logs, count, mapped, numbers
from keras_lr.backends.traced_floats import HandedIn, Settings, pairs

LOOP, EPOCH, TEST = "loop", "epoch", "test"
CHANCE = {
    "RandomUniform",
    "RandomUniformInt",
    "RandomStandardNormal",
    "TruncatedNormal",
    "RandomShuffle",
    "Multinomial",
}
"""Operations that draw from a state of their own, which no run can be given at its start."""


def on_device(data: Any) -> Any:
    """Data as tensors."""
    return mapped(tf.convert_to_tensor, data)


class Program(InPlace):
    """The loop over the updates of an epoch is in the graph, which gathers each batch by its rows.

    XLA is not used at first: a loop of dense layers is up to twice as fast with it, but one of convolutions on a CPU
    twenty times slower, and its chance is another one than that of `fit`. See `faster`.
    """

    def __init__(self, model: Any, train: Any, validation: Any, batch_size: int, together: bool = False) -> None:
        super().__init__(model, train, validation, batch_size, together)
        self._xla = False
        self._made: dict[tuple[str, tuple[str, ...]], Any] = {}

    def makings(self, seeds: int, cases: int, complete: bool, names: Iterable[str] = ()) -> list[Callable[[], None]]:
        """Traces what is not made yet; see `jax_population.Program`. Nothing is left to be called."""
        del seeds, cases
        handed = {name: tf.TensorSpec([2], keras.config.floatx()) for name in sorted(names)}
        order = tf.TensorSpec([self.examples], tf.int32)
        rates = tf.TensorSpec([self.updates], keras.config.floatx())
        if self.full:
            self._make(LOOP, self._loop, order, rates, handed, tf.TensorSpec([], tf.int32), xla=self._xla)
        if complete or not self.full:
            self._make(EPOCH, self._epoch, order, rates, handed)
        if complete and self.validates:
            self._make(TEST, self._test)
        return []

    def epoch(self, state: Any, orders: Any, rates: Any, settings: Mapping[str, Any]) -> tuple[Any, np.ndarray, Logs]:
        """One epoch of updates, in one call; see `jax_population.Program`."""
        losses, counted, logs = self._called(EPOCH, orders, rates, settings)
        self.check_counted(counted.numpy())
        return state, losses.numpy(), numbers(logs)

    def validate(self, state: Any) -> tuple[Any, Logs]:
        """The metrics on the validation data, in one call."""
        return state, numbers(self._made[TEST, ()]())

    def several(self, orders: Any, rates: Any, settings: Mapping[str, Any], stop: int) -> None:
        """The first updates, or all where none is of a full batch."""
        if self.full:
            self._called(LOOP, orders, rates, settings, tf.constant(stop)).numpy()
        else:
            self._called(EPOCH, orders, rates, settings)[0].numpy()

    def faster(self) -> Program | None:
        """The same with its loop compiled by XLA, but for convolutions on a CPU and for dropout."""
        loops = [one for (name, _), one in self._made.items() if name == LOOP]
        found = {operation for one in loops for operation in _operations(one)}
        convolves = any("Conv" in operation for operation in found) and not tf.config.list_physical_devices("GPU")
        if self._xla or not loops or convolves or any("StatelessRandom" in operation for operation in found):
            return None
        other = copy.copy(self)
        other._xla, other._made = True, {key: one for key, one in self._made.items() if key[0] == TEST}
        return other

    def _make(self, name: str, make: Callable[..., Any], *specs: Any, xla: bool = False) -> None:
        handed = next((tuple(spec) for spec in specs if isinstance(spec, dict)), ())
        if (name, handed) in self._made:
            return
        function = tf.function(make, autograph=False, jit_compile=xla or None)
        made = function.get_concrete_function(*specs)
        own = {id(variable.value) for variable in machinery.variables_of(self.model)}
        strange = [variable.name for variable in made.graph.variables if id(variable) not in own]
        if strange:
            raise ValueError(f"its step uses {strange[0]}, which is no variable of the model")
        if CHANCE & _operations(made):
            raise ValueError("its step draws from TensorFlow's global chance")
        self._made[name, handed] = made

    def _called(self, name: str, orders: Any, rates: Any, settings: Mapping[str, Any], *more: Any) -> Any:
        floatx = keras.config.floatx()
        handed = {name: tf.constant(pair) for name, pair in sorted(pairs(settings, floatx).items())}
        return self._made[name, tuple(handed)](tf.constant(orders, tf.int32), tf.constant(rates, floatx), handed, *more)

    def _loop(self, order: Any, rates: Any, handed: Settings, stop: Any) -> Any:
        losses = tf.TensorArray(keras.config.floatx(), self.full, element_shape=[])

        def body(update: Any, losses: Any) -> Any:
            return update + 1, losses.write(update, self._update(order, rates, handed, update, self._size))

        start, limit = [tf.constant(0), losses], lambda update, _: update < stop
        return tf.while_loop(limit, body, start, parallel_iterations=1)[1].stack()

    def _epoch(self, order: Any, rates: Any, handed: Settings) -> Any:
        """The raw losses, how many examples they are of, and the logs of an epoch."""
        self.model.reset_metrics()
        losses, more = [], self.examples % self._size
        if self.full:
            losses.append(self._made[LOOP, tuple(handed)](order, rates, handed, tf.constant(self.full)))
        if more:
            losses.append(self._update(order, rates, handed, self.full, more)[None])
        return tf.concat(losses, 0), tf.identity(self._tracked[1].value), self.model.get_metrics_result()

    def _update(self, order: Any, rates: Any, handed: Settings, update: Any, size: int) -> Any:
        """A training step of Keras at its rate; its raw loss is what it adds to the emptied loss tracker."""
        model, rate = self.model, rates[update]
        rows = tf.ensure_shape(tf.slice(order, [update * self._size], [size]), [size])
        batch = mapped(lambda part: tf.gather(part, rows), self._train)
        before = [tf.identity(variable.value) for variable in self._tracked]
        for variable in self._tracked:
            variable.assign(tf.zeros_like(variable.value))
        settings = {name: HandedIn(pair) for name, pair in handed.items()}
        with machinery.replace_rate(model, lambda: rate), machinery.replace_settings(model, settings):
            loss = self.checked(model.train_step(batch))
        for variable, value in zip(self._tracked, before, strict=True):
            variable.assign_add(value)
        return tf.cast(loss, keras.config.floatx())

    def _test(self) -> Any:
        """The logs of validation."""
        self.model.reset_metrics()
        examples = count(self._validation)

        def on_batch(first: Any, size: int) -> None:
            def part(array: Any) -> Any:
                return tf.ensure_shape(array[first : first + size], [size, *array.shape[1:]])

            self.checked(self.model.test_step(mapped(part, self._validation)))

        def body(batch: Any) -> Any:
            on_batch(batch * self._size, self._size)
            return batch + 1

        full = examples // self._size
        if full:
            tf.while_loop(lambda batch: batch < full, body, [tf.constant(0)], parallel_iterations=1)
        if examples % self._size:
            on_batch(full * self._size, examples % self._size)
        return self.model.get_metrics_result()


def _operations(made: Any) -> set[str]:
    """The operations of a graph, those of its loops included."""
    graph = made.graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return {node.op for node in nodes}
