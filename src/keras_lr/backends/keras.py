"""Keras's own machinery: with `keras_rates.py` the only file that uses a Keras name with a leading underscore. Each has a test.

It reads and swaps the rate of an optimizer, and lists what a training step changes, so that it can be put back.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.trainers.data_adapters import array_slicing
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

from keras_lr.core.errors import ArgumentError

_NAME_COUNTERS = "object_name_uids"
_GLOBAL_SEED = "global_seed_generator"
_RANDOM_SEED = "global_random_seed"
Rate = Any  # a keras.Variable, a LearningRateSchedule or a callable without arguments


def optimizers_of(model: Any) -> list[Any]:
    """The optimizers that hold a rate of their own: wrappers (loss scaling, several optimizers) are looked into."""
    found: list[Any] = []
    pending = [model.optimizer]
    pending += [value for value in vars(model).values() if isinstance(value, keras.optimizers.Optimizer)]
    while pending:
        optimizer = pending.pop(0)
        inner = getattr(optimizer, "inner_optimizer", None)
        several = getattr(optimizer, "optimizers", None)
        if inner is not None:
            pending.insert(0, inner)
        elif several is not None:
            pending[:0] = list(several)
        elif optimizer is not None and all(optimizer is not other for other in found):
            found.append(optimizer)
    return found


def wrappers_of(model: Any) -> list[Any]:
    """The optimizers that hold another one, from the outside in."""
    found, optimizer = [], model.optimizer
    while getattr(optimizer, "inner_optimizer", None) is not None:
        found.append(optimizer)
        optimizer = optimizer.inner_optimizer
    return found


def rate_of(optimizer: Any) -> Rate:
    """What the optimizer was given as its rate: a variable (for a float), a schedule or a callable."""
    return optimizer._learning_rate


def set_rate(optimizer: Any, rate: Rate) -> None:
    """Puts a rate in the optimizer's place for it. No variable is added to the optimizer or taken from it."""
    object.__setattr__(optimizer, "_learning_rate", rate)


def step_count(optimizer: Any) -> int:
    """The optimizer's own count of steps, which is what a schedule gets (micro-batches under accumulation)."""
    return int(keras.ops.convert_to_numpy(optimizer._iterations))


def steps_of(model: Any) -> int:
    """The count of the model's optimizers; one of several that no variable belongs to stays behind."""
    return max(step_count(optimizer) for optimizer in optimizers_of(model))


@contextlib.contextmanager
def replace_rate(model: Any, rate: Callable[[], Any]) -> Iterator[None]:
    """Within the block every optimizer of the model takes its rate from `rate()`; around tracing, it is compiled in."""
    optimizers = optimizers_of(model)
    before = [rate_of(optimizer) for optimizer in optimizers]
    try:
        for optimizer in optimizers:
            set_rate(optimizer, rate)
        yield
    finally:
        for optimizer, own in zip(optimizers, before, strict=True):
            set_rate(optimizer, own)


@contextlib.contextmanager
def replace_settings(model: Any, settings: Mapping[str, Any]) -> Iterator[None]:
    """Within the block the model's optimizer has other values in attributes such as `beta_1`."""
    optimizer = model.optimizer
    before = {name: getattr(optimizer, name) for name in settings}
    try:
        for name, value in settings.items():
            object.__setattr__(optimizer, name, value)
        yield
    finally:
        for name, value in before.items():
            object.__setattr__(optimizer, name, value)


def retrace(model: Any) -> None:
    """Makes `fit` trace its training step again, so that a rate that was put in after the first trace is used.

    JAX remembers what it has traced by the function, and two bound methods are equal: it is given one that it can't know.
    """
    if model.train_function is None:
        return
    if keras.backend.backend() != "jax":
        model.make_train_function(force=True)
        return
    own, step = vars(model).get("train_step"), model.train_step
    object.__setattr__(model, "train_step", lambda *batch: step(*batch))  # noqa: PLW0108 - a new function is the point
    try:
        model.make_train_function(force=True)
    finally:
        object.__delattr__(model, "train_step")
        if own is not None:
            object.__setattr__(model, "train_step", own)


def replace_optimizer(model: Any, optimizer: Any) -> None:
    """Gives a freshly compiled model another optimizer, wrapped for loss scaling if its own was."""
    scaled = keras.optimizers.LossScaleOptimizer
    if isinstance(model.optimizer, scaled) and not isinstance(optimizer, scaled):
        optimizer = scaled(optimizer)
    model.optimizer = optimizer
    if getattr(model, "_compile_config", None) is not None:
        model._compile_config.config["optimizer"] = optimizer


class Containers:
    """The compiled loss and metrics of a model, which are built by its first batch.

    A built loss or metric changes what `fit` does next (on JAX and PyTorch it draws one batch less before it starts, and
    a metric's name depends on how many were made before), so a model that came unbuilt is given unbuilt ones back.
    """

    NAMES = ("_compile_loss", "_compile_metrics")

    def __init__(self, model: Any) -> None:
        self.model = model
        self.own = {name: getattr(model, name, None) for name in self.NAMES}
        self.built = {name: own is None or own.built for name, own in self.own.items()}
        self._tracker = getattr(model, "_loss_tracker", None)

    def take_away(self) -> None:
        """Hides them, so that the model and the optimizer can be built alone."""
        for name in self.NAMES:
            object.__setattr__(self.model, name, None)

    def give_back(self) -> None:
        """Undoes `take_away`."""
        for name, own in self.own.items():
            object.__setattr__(self.model, name, own)

    def hide_metrics(self) -> None:
        """Until `restore` the model has no compiled metrics and keeps no mean of its losses; its updates stay the same."""
        object.__setattr__(self.model, "_compile_metrics", None)
        if self._tracker is not None:
            object.__setattr__(self.model, "_loss_tracker", LastLoss())

    def restore(self) -> None:
        """Leaves those that were built as they are, and unbuilt ones as new."""
        if self._tracker is not None:
            object.__setattr__(self.model, "_loss_tracker", self._tracker)
        for name, own in self.own.items():
            object.__setattr__(self.model, name, own if self.built[name] else _unbuilt(own))


class LastLoss(keras.metrics.Metric):
    """Stands in for the loss tracker of a model: tells the loss of the last batch, and has no variables.

    To empty the tracker and to take the mean again costs a tenth of an update of a small model. Each thread has a loss
    of its own: the replicas of `tf.distribute` are threads that take turns in the middle of a step.
    """

    def __init__(self) -> None:
        super().__init__(name="loss")
        self._last = threading.local()

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Keeps the loss of a batch; the mean over one batch is the loss itself, whatever its weight."""
        del sample_weight
        self._last.loss = keras.ops.cast(values, self.dtype)

    def result(self) -> Any:
        """The loss of the last batch; 0 before the first, as a mean has it."""
        return getattr(self._last, "loss", 0.0)

    def reset_state(self) -> None:
        """Forgets it."""
        vars(self._last).clear()


def _unbuilt(container: Any) -> Any:
    """A compiled loss or metric container as `compile` made it."""
    kind, names = type(container), container.output_names
    if hasattr(container, "_user_loss"):
        return kind(container._user_loss, container._user_loss_weights, output_names=names)
    return kind(container._user_metrics, container._user_weighted_metrics, output_names=names)


def build(model: Any, batch: tuple[Any, ...], containers: Containers, *, with_metrics: bool = True) -> GlobalState:
    """Builds what the first batch of `fit` would build; returns Keras's global state as it is to be put back.

    The state is taken between the model and its metrics: a metric that is built again must get its name again.

    Args:
        model: A compiled model.
        batch: A first batch.
        containers: Of the model.
        with_metrics: False hides the compiled metrics and the loss tracker, until `containers.restore`.
    """
    containers.take_away()
    try:
        model._symbolic_build(data_batch=batch)
        state = GlobalState()
    finally:
        containers.give_back()
    if not with_metrics:
        containers.hide_metrics()
    model._symbolic_build(data_batch=batch)
    return state


def has_plain_step(model: Any) -> bool:
    """Whether steps and metrics are Keras's own, so that the metrics can be left out without a change of training."""
    names = {"train_step", "test_step", "compute_metrics"}
    plain = all(getattr(type(model), name) is getattr(keras.Model, name) for name in names)
    return plain and not names & set(vars(model))


def losses_in(model: Any, logs: dict[str, Any], step: str = "train_step") -> dict[str, Any]:
    """Of what a step returned, the loss and, of a model with several outputs, that of each."""
    if "loss" not in logs:
        told = ", ".join(map(repr, logs)) or "nothing"
        raise ArgumentError(
            f"{type(model).__name__}.{step}", f"{step} returns {told}, but no 'loss'", "Return it too", model=model
        )
    own = model._compile_loss
    names = [] if own is None else [tracker.name for tracker in own.metrics]
    return {"loss": logs["loss"]} | {name: logs[name] for name in names if name in logs}


class GlobalState:
    """Keras's counters of names and its global seeds, as they are now."""

    def __init__(self) -> None:
        self.names = copy.copy(global_state.get_global_attribute(_NAME_COUNTERS))
        self.random_seed = global_state.get_global_attribute(_RANDOM_SEED)
        self.generator = global_state.get_global_attribute(_GLOBAL_SEED)
        self.seed = None if self.generator is None else np.array(keras.ops.convert_to_numpy(self.generator.state))

    def restore(self) -> None:
        """Puts them back."""
        global_state.set_global_attribute(_NAME_COUNTERS, copy.copy(self.names))
        global_state.set_global_attribute(_RANDOM_SEED, self.random_seed)
        global_state.set_global_attribute(_GLOBAL_SEED, self.generator)
        if self.generator is not None:
            self.generator.state.assign(self.seed)


def variables_of(model: Any) -> list[Any]:
    """Every variable that a training step may change, each once: model, seeds, optimizers, metrics."""
    several = [model.variables, model.metrics_variables]
    several += [optimizer.variables for optimizer in [model.optimizer, *optimizers_of(model)]]
    return list({id(variable): variable for variables in several for variable in variables}.values())


def step_takes_rate(model: Any) -> bool:
    """Whether the model has an optimizer that a rate can be handed to."""
    return bool(getattr(model, "compiled", False)) and model.optimizer is not None


def batch_of(x: Any, y: Any = None, sample_weight: Any = None) -> tuple[Any, ...]:
    """A batch as a training step gets it."""
    return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)


def micro_batches(model: Any) -> int:
    """How many batches make one update: more than one under gradient accumulation."""
    return max(optimizer.gradient_accumulation_steps or 1 for optimizer in optimizers_of(model))


def counter_of(optimizer: Any) -> Any:
    """The variable that counts the optimizer's steps, which is what a schedule gets (micro-batches under accumulation)."""
    return optimizer._iterations


def count_as(wrapper: Any, inner: Any) -> None:
    """Lets a wrapper's count be that of the optimizer inside."""
    object.__setattr__(wrapper, "_iterations", inner._iterations)


def trainable_variables_of(optimizer: Any) -> list[Any]:
    """The variables that a built optimizer was built for."""
    return list(optimizer._trainable_variables)


def index_in(optimizer: Any, variable: Any) -> int:
    """The place of a variable among those that the optimizer was built for; it may come as the framework's own."""
    return optimizer._get_variable_index(variable)


def takes_next_value(variable: Any) -> bool:
    """Whether what comes as its gradient is its next value (the scales of float8 training), not a direction."""
    return bool(getattr(variable, "overwrite_with_gradient", False))


def loss_sums(model: Any) -> tuple[float, float]:
    """The sum of the losses of the examples of the epoch so far, and how many they are."""
    tracker = model._loss_tracker
    total, count = keras.ops.convert_to_numpy(tracker.total), keras.ops.convert_to_numpy(tracker.count)
    return float(total), float(count)


def loss_variables(model: Any) -> list[Any]:
    """The variables in which a model sums the losses of an epoch: their total, and how many examples they are of."""
    return list(model._loss_tracker.variables)


def values_of(model: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The trainable and the non-trainable values of a built model, the seeds of its dropout included."""
    trainable, rest = (
        [np.array(keras.ops.convert_to_numpy(variable)) for variable in several]
        for several in (model.trainable_variables, model.non_trainable_variables)
    )
    return trainable, rest


def layers_of(model: Any) -> list[Any]:
    """All layers of a model, those within layers too."""
    return list(model._flatten_layers())


def draws_before_training(model: Any) -> bool:
    """Whether `fit` takes a batch to build with before its first epoch, and so draws one order more."""
    containers = (model._compile_loss, model._compile_metrics)
    return not model.built or not all(one is None or one.built for one in containers)


def training_part(x: Any, y: Any, sample_weight: Any, validation_split: float) -> tuple[Any, Any, Any]:
    """The part of arrays that `fit` trains on under `validation_split`."""
    if not validation_split:
        return x, y, sample_weight
    (x, y, sample_weight), _ = array_slicing.train_validation_split((x, y, sample_weight), validation_split)
    return x, y, sample_weight


def arrays_of_fit(data: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
    """Training and validation data as `fit` would hand them to its steps, in one batch each, unshuffled.

    Args:
        data: Arguments of `fit`: x, y, sample_weight, class_weight, validation_data and validation_split, all arrays.
    """
    parts, validation = (data["x"], data["y"], data["sample_weight"]), data["validation_data"]
    if data["validation_split"]:
        parts, validation = array_slicing.train_validation_split(parts, validation_split=data["validation_split"])
    trained = _one_batch(parts, data["class_weight"])
    return trained, None if validation is None else _one_batch(validation, None)


def _one_batch(parts: Any, class_weight: Any) -> tuple[Any, ...]:
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(tuple(parts))
    count = len(keras.tree.flatten(x)[0])
    adapter = ArrayDataAdapter(x, y, sample_weight, batch_size=count, class_weight=class_weight)
    return tuple(next(iter(adapter.get_numpy_iterator())))
