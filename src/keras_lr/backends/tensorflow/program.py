"""TensorFlow: an epoch as one graph with a loop in it, traced once for all runs of a model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import count_rows, map_arrays
from keras_lr.backends.program import EpochInputs, Logs, State
from keras_lr.backends.sequential import SequentialProgram, as_logs
from keras_lr.backends.traced_floats import Pairs, TracedFloat, pairs

LOOP, EPOCH, TEST = "loop", "epoch", "test"
RANDOM_OPERATIONS = {
    "RandomUniform",
    "RandomUniformInt",
    "RandomStandardNormal",
    "TruncatedNormal",
    "RandomShuffle",
    "Multinomial",
}
"""Operations with a state of their own, which can't be reset at the start of a run."""


class Program(SequentialProgram):
    """Loops over the updates of an epoch in the graph, which gathers each batch by its rows.

    XLA is not used at first. It makes a loop of dense layers up to twice as fast, but one of convolutions on a CPU twenty
    times slower. Its dropout differs from that of `fit`. See `faster`.
    """

    @staticmethod
    def on_device(data: Any) -> Any:
        return map_arrays(tf.convert_to_tensor, data)

    def __init__(self, model: Any, train: Any, validation: Any, batch_size: int, together: bool) -> None:
        super().__init__(model, train, validation, batch_size, together)
        self._xla = False
        self._graphs: dict[tuple[str, tuple[str, ...]], Any] = {}

    def trace(self, seeds: int, cases: int, complete: bool, names: Iterable[str] = ()) -> list[Callable[[], None]]:
        settings = {name: tf.TensorSpec([2], keras.config.floatx()) for name in sorted(names)}
        order = tf.TensorSpec([self.examples], tf.int32)
        rates = tf.TensorSpec([self.updates], keras.config.floatx())
        if self.full:
            self._trace(LOOP, self._loop, order, rates, settings, tf.TensorSpec([], tf.int32), xla=self._xla)
        if complete or not self.full:
            self._trace(EPOCH, self._epoch, order, rates, settings)
        if complete and self.validates:
            self._trace(TEST, self._test)
        return []  # TensorFlow compiles in the first call

    def epoch(self, state: State, inputs: EpochInputs) -> tuple[State, np.ndarray, Logs]:
        losses, examples, metrics = self._call(EPOCH, inputs)
        self._check_examples(examples.numpy())
        return state, losses.numpy(), as_logs(metrics)

    def validate(self, state: State) -> tuple[State, Logs]:
        return state, as_logs(self._graphs[TEST, ()]())

    def faster(self) -> Program | None:
        """Returns a copy whose loop is compiled by XLA, unless there is dropout or a convolution on a CPU."""
        loops = [graph for (name, _), graph in self._graphs.items() if name == LOOP]
        operations = {operation for graph in loops for operation in _operations(graph)}
        convolves = any("Conv" in operation for operation in operations) and not tf.config.list_physical_devices("GPU")
        if self._xla or not loops or convolves or any("StatelessRandom" in operation for operation in operations):
            return None
        other = copy.copy(self)
        other._xla, other._graphs = True, {key: graph for key, graph in self._graphs.items() if key[0] == TEST}
        return other

    def _run(self, inputs: EpochInputs, stop: int) -> None:
        if self.full:
            self._call(LOOP, inputs, tf.constant(stop)).numpy()
        else:
            self._call(EPOCH, inputs)[0].numpy()

    def _trace(self, name: str, fn: Callable[..., Any], *specs: Any, xla: bool = False) -> None:
        key = name, next((tuple(spec) for spec in specs if isinstance(spec, dict)), ())
        if key in self._graphs:
            return
        graph = tf.function(fn, autograph=False, jit_compile=xla or None).get_concrete_function(*specs)
        own = {id(variable.value) for variable in machinery.variables_of(self.model)}
        foreign = [variable.name for variable in graph.graph.variables if id(variable) not in own]
        if foreign:
            raise ValueError(f"its step uses {foreign[0]}, which does not belong to the model")
        if RANDOM_OPERATIONS & _operations(graph):
            raise ValueError("its step draws from TensorFlow's global random state")
        self._graphs[key] = graph

    def _call(self, name: str, inputs: EpochInputs, *more: Any) -> Any:
        floatx = keras.config.floatx()
        settings = {name: tf.constant(pair) for name, pair in sorted(pairs(inputs.settings, floatx).items())}
        order, rates = tf.constant(inputs.orders, tf.int32), tf.constant(inputs.rates, floatx)
        return self._graphs[name, tuple(settings)](order, rates, settings, *more)

    def _loop(self, order: Any, rates: Any, settings: Pairs, stop: Any) -> Any:
        """Returns the raw losses of the updates before `stop`, all of full batches."""
        losses = tf.TensorArray(keras.config.floatx(), self.full, element_shape=[])

        def body(update: Any, losses: Any) -> Any:
            return update + 1, losses.write(update, self._update(order, rates, settings, update, self._size))

        start, limit = [tf.constant(0), losses], lambda update, _: update < stop
        return tf.while_loop(limit, body, start, parallel_iterations=1)[1].stack()

    def _epoch(self, order: Any, rates: Any, settings: Pairs) -> Any:
        """Returns the raw losses of an epoch, the number of examples that the loss tracker counted, and the metrics."""
        self.model.reset_metrics()
        losses, more = [], self.examples % self._size
        if self.full:
            losses.append(self._graphs[LOOP, tuple(settings)](order, rates, settings, tf.constant(self.full)))
        if more:
            losses.append(self._update(order, rates, settings, self.full, more)[None])
        return tf.concat(losses, 0), tf.identity(self._loss_variables[1].value), self.model.get_metrics_result()

    def _update(self, order: Any, rates: Any, settings: Pairs, update: Any, size: int) -> Any:
        """Runs a training step of Keras. Its raw loss is what it adds to the loss tracker, which starts at 0."""
        model, rate = self.model, rates[update]
        rows = tf.ensure_shape(tf.slice(order, [update * self._size], [size]), [size])
        batch = map_arrays(lambda array: tf.gather(array, rows), self._train)
        before = [tf.identity(variable.value) for variable in self._loss_variables]
        for variable in self._loss_variables:
            variable.assign(tf.zeros_like(variable.value))
        floats = {name: TracedFloat(pair) for name, pair in settings.items()}
        with machinery.replace_rate(model, lambda: rate), machinery.replace_settings(model, floats):
            loss = self._loss_in(model.train_step(batch))
        for variable, value in zip(self._loss_variables, before, strict=True):
            variable.assign_add(value)
        return tf.cast(loss, keras.config.floatx())

    def _test(self) -> Any:
        """Returns the metrics on the validation data."""
        self.model.reset_metrics()
        examples = count_rows(self._validation)

        def on_batch(first: Any, size: int) -> None:
            def part(array: Any) -> Any:
                return tf.ensure_shape(array[first : first + size], [size, *array.shape[1:]])

            self._loss_in(self.model.test_step(map_arrays(part, self._validation)))

        def body(batch: Any) -> Any:
            on_batch(batch * self._size, self._size)
            return batch + 1

        full = examples // self._size
        if full:
            tf.while_loop(lambda batch: batch < full, body, [tf.constant(0)], parallel_iterations=1)
        if examples % self._size:
            on_batch(full * self._size, examples % self._size)
        return self.model.get_metrics_result()


def _operations(graph: Any) -> set[str]:
    """Returns the names of the operations in a graph and in its loops."""
    definition = graph.graph.as_graph_def()
    return {
        node.op for part in (definition.node, *(one.node_def for one in definition.library.function)) for node in part
    }
