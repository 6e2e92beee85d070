"""TensorFlow: training steps in a loop of one graph, with their rates as an input, and the global random state."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import Batch, Chunk, map_arrays
from keras_lr.backends.rate_plan import RatePlan


def devices() -> list[str]:
    """Returns the devices that TensorFlow can compute on."""
    return [f"{device.device_type}:{device.name.rpartition(':')[2]}" for device in tf.config.list_physical_devices()]


def compiled(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function as one graph."""
    return tf.function(fn, autograph=False)


def host_step(step: Any) -> None:
    """Returns None: the training step is one program, in which a formula costs little."""


def random_state() -> Any:
    """Returns the state of `tf.random`'s global seed."""
    eager = context.context()
    generator = getattr(eager, "_rng", None)  # there is none before a seed is set or drawn
    return eager._seed, None if generator is None else generator.getstate()


def set_random_state(state: Any) -> None:
    """Restores what `random_state` returned."""
    seed, generator = state
    eager = context.context()
    eager._seed = seed
    if generator is not None:
        eager._rng.setstate(generator)
    elif getattr(eager, "_rng", None) is not None:
        del eager._rng


def scope(model: Any) -> contextlib.AbstractContextManager[Any]:
    """Returns the scope of the `tf.distribute` strategy that a model was created in, if it has several replicas."""
    strategy = model.distribute_strategy
    return strategy.scope() if strategy.num_replicas_in_sync > 1 else contextlib.nullcontext()


class CompiledSteps:
    """The steps of a model as graphs, which serve all steppers whose plans let the same optimizers follow."""

    def __init__(self, model: Any, plan: RatePlan) -> None:
        self.model, self.plan = model, plan
        self._graphs: dict[Any, Callable[..., Any]] = {}

    def loop_for(self, data: Any, tensors: list[Any], size: int) -> Callable[..., Any]:
        """Returns the loop for any number of batches of this size, drawn from such data."""
        nest = map_arrays(lambda _: 0, data)

        def loop(rows: Any, rates: Any, *leaves: Any) -> Any:
            return self._loop(lambda own: _pack(nest, [tf.gather(leaf, own) for leaf in leaves]), rows, rates)

        rows = tf.TensorSpec([None, size], tf.int32)
        rates = tf.TensorSpec([None, sum(self.plan.following)], keras.config.floatx())
        return self._graph(loop, nest, [rows, rates, *_specs(tensors)])

    def test_for(self, batch: Any, tensors: list[Any]) -> Callable[..., Any]:
        """Returns the loss of one batch as a function of its tensors, for any number of rows."""
        nest = map_arrays(lambda _: 0, batch)
        return self._graph(lambda *leaves: self._loss_of(_pack(nest, leaves)), nest, _specs(tensors))

    def _graph(self, function: Callable[..., Any], nest: Any, specs: list[Any]) -> Callable[..., Any]:
        """Traces a function once, unless the model runs eagerly."""
        if self.model.run_eagerly:
            return function
        key = (str(nest), *specs)
        if key not in self._graphs:
            self._graphs[key] = tf.function(function, autograph=False).get_concrete_function(*specs)
        return self._graphs[key]

    def _loss_of(self, batch: Any) -> Any:
        """Returns the loss of one batch. Each of several replicas evaluates all of it."""
        for metric in self.model.metrics:
            metric.reset_state()
        strategy = self.model.distribute_strategy
        if strategy.num_replicas_in_sync == 1:
            return machinery.losses_in(self.model, self.model.test_step(batch), "test_step")["loss"]
        logs = strategy.run(lambda: self.model.test_step(batch))
        return strategy.reduce("MEAN", machinery.losses_in(self.model, logs, "test_step")["loss"], axis=None)

    def _loop(self, batch_at: Callable[[Any], Any], rows: Any, rates: Any) -> dict[str, Any]:
        """Runs the updates one after the other and collects their losses by name."""
        if self.model.run_eagerly:
            steps = [self._update(batch_at, rows[i], rates[i]) for i in range(len(rows))]
            return {name: tf.stack([losses[name] for losses in steps]) for name in steps[0]}
        names: list[str] = []
        kind = tf.float64 if keras.config.floatx() == "float64" else tf.float32

        def body(i: Any, collected: Any) -> Any:
            losses = self._update(batch_at, rows[i], rates[i])
            names[:] = list(losses)
            values = tf.stack([tf.cast(losses[name], kind) for name in names])
            return i + 1, collected.write(i, values)

        count = tf.shape(rows)[0]
        collected = tf.TensorArray(kind, size=count)
        _, collected = tf.while_loop(lambda i, _: i < count, body, (0, collected), parallel_iterations=1)
        return dict(zip(names, tf.unstack(tf.ensure_shape(collected.stack(), [None, len(names)]), axis=1), strict=True))

    def _update(self, batch_at: Callable[[Any], Any], rows: Any, rates: Any) -> dict[str, Any]:
        """Runs one training step with fresh metrics on every replica, each with its share of the batch."""
        strategy = self.model.distribute_strategy
        replicas = strategy.num_replicas_in_sync
        share = -(-rows.shape[0] // replicas)

        def on_replica() -> dict[str, Any]:
            own = rows
            if replicas > 1:
                replica = tf.distribute.get_replica_context().replica_id_in_sync_group
                own = rows[replica * share : (replica + 1) * share]
            for metric in self.model.metrics:
                metric.reset_state()
            return machinery.losses_in(self.model, self.model.train_step(batch_at(own)))

        with machinery.replace_rates(self.model, self.plan, lambda: rates):  # around all replicas: they are threads
            if replicas == 1:
                return on_replica()
            losses = strategy.run(on_replica)
        return {name: strategy.reduce("MEAN", values, axis=None) for name, values in losses.items()}


class Stepper:
    """Runs many updates as one graph with a loop in it, in the model's own variables.

    XLA is not used: for some hundred updates it takes longer to compile than it saves, and its convolutions on a CPU are
    thirty times slower. See docs/decisions/0024-chunks-of-updates.md.
    """

    def __init__(self, model: Any, plan: RatePlan, programs: dict[Any, Any] | None = None) -> None:
        self.model, self.plan = model, plan
        self.programs = {} if programs is None else programs
        self._steps: CompiledSteps = self.programs.setdefault(("steps", plan.following), CompiledSteps(model, plan))
        self._variables = machinery.variables_of(model)
        self._start = [tf.constant(keras.ops.convert_to_numpy(variable)) for variable in self._variables]
        self._data: tuple[Any, list[Any]] = (None, [])

    def reset(self) -> None:
        self._assign(self._start)

    def losses(self, chunk: Chunk) -> np.ndarray:
        state, losses = [tf.identity(variable.value) for variable in self._variables], []
        for batch in chunk.singles():
            losses.append(self.updates(batch, np.zeros(1))["loss"])
            self._assign(state)
        return np.concatenate(losses)

    def _assign(self, values: list[Any]) -> None:
        for variable, value in zip(self._variables, values, strict=True):
            if isinstance(variable.value, tf.distribute.DistributedValues):
                variable.value.assign(value, read_value=False)
            else:  # the same as assign, in a third of the time
                tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=value)

    def updates(self, chunk: Chunk, learning_rates: np.ndarray) -> dict[str, np.ndarray]:
        if self._data[0] is not chunk.data:
            self._data = (chunk.data, _tensors(chunk.data))
        rows = tf.constant(chunk.rows, tf.int32)
        rates = tf.constant(self.plan.rates(learning_rates), keras.config.floatx())
        losses = self._steps.loop_for(*self._data, rows.shape[1])(rows, rates, *self._data[1])
        return {name: values.numpy().astype(np.float64) for name, values in losses.items()}

    def trainable(self) -> list[Any]:
        return [variable.value for variable in self.model.trainable_variables]

    def evaluate(self, batches: Iterable[Batch]) -> np.ndarray:
        losses = []
        for batch in batches:
            tensors = _tensors(batch)
            losses.append(float(self._steps.test_for(batch, tensors)(*tensors)))
        return np.array(losses, np.float64)

    def close(self) -> None:
        self.reset()
        self._data = (None, [])


def _tensors(data: Any) -> list[Any]:
    return [tf.constant(leaf) for leaf in keras.tree.flatten(data) if leaf is not None]


def _specs(tensors: list[Any]) -> list[Any]:
    """Returns what the tensors are, but for their number of rows."""
    return [tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype) for tensor in tensors]


def _pack(nest: Any, tensors: Iterable[Any]) -> Any:
    """Returns a nest with its numbers replaced by the tensors in turn; None stays None."""
    following = iter(tensors)
    return map_arrays(lambda _: next(following), nest)
