"""Keras's internals. Only this file and `keras_rates.py` use Keras's private names, and each name has a test.

The functions read and replace the rate of an optimizer, and list what a training step changes, to restore it later.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.trainers.data_adapters import array_slicing
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

from keras_lr.backends.rate_plan import RatePlan
from keras_lr.core.errors import ArgumentError

_NAME_COUNTERS = "object_name_uids"
_GLOBAL_SEED = "global_seed_generator"
_RANDOM_SEED = "global_random_seed"


def optimizers_of(model: Any) -> list[Any]:
    """Returns the optimizers that hold a rate, in place of those that wrap others (loss scaling, several optimizers)."""
    optimizers: list[Any] = []
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
        elif optimizer is not None and all(optimizer is not other for other in optimizers):
            optimizers.append(optimizer)
    return optimizers


def wrappers_of(model: Any) -> list[Any]:
    """Returns the optimizers that wrap another one, from the outside in."""
    wrappers, optimizer = [], model.optimizer
    while getattr(optimizer, "inner_optimizer", None) is not None:
        wrappers.append(optimizer)
        optimizer = optimizer.inner_optimizer
    return wrappers


def rate_of(optimizer: Any) -> Any:
    """Returns the optimizer's rate: a variable (for a float), a LearningRateSchedule or a callable."""
    return optimizer._learning_rate


def set_rate(optimizer: Any, rate: Any) -> None:
    """Replaces the optimizer's rate. The variables of the optimizer stay the same."""
    object.__setattr__(optimizer, "_learning_rate", rate)


def counter_of(optimizer: Any) -> Any:
    """Returns the variable that counts the optimizer's steps: the input of a schedule (micro-batches in accumulation)."""
    return optimizer._iterations


def step_count(optimizer: Any) -> int:
    """Returns the value of `counter_of`."""
    return int(keras.ops.convert_to_numpy(counter_of(optimizer)))


def steps_of(model: Any) -> int:
    """Returns the highest step count of the model's optimizers: one without variables does not count."""
    return max(step_count(optimizer) for optimizer in optimizers_of(model))


def count_as(wrapper: Any, inner: Any) -> None:
    """Makes a wrapper use the step counter of the optimizer inside."""
    object.__setattr__(wrapper, "_iterations", inner._iterations)


def micro_batches(model: Any) -> int:
    """Returns the number of batches in an update: more than one under gradient accumulation."""
    return max((optimizer.gradient_accumulation_steps or 1 for optimizer in optimizers_of(model)), default=1)


def replace_rate(model: Any, rate: Callable[[], Any]) -> contextlib.AbstractContextManager[None]:
    """Makes every optimizer of the model use `rate()` within the block. A step that is traced in the block keeps it."""
    return _replace(optimizers_of(model), {"_learning_rate": rate})


@contextlib.contextmanager
def replace_rates(model: Any, plan: RatePlan, rates: Callable[[], Any]) -> Iterator[None]:
    """Makes the optimizers that follow use the numbers of `rates()` in turn within the block; the others keep their own."""
    with contextlib.ExitStack() as replacements:
        for index, optimizer in enumerate(followers_of(model, plan)):
            own = {"_learning_rate": lambda index=index: rates()[index]}
            replacements.enter_context(_replace([optimizer], own))
        yield


def equal_rates(model: Any) -> RatePlan:
    """Returns the plan by which all optimizers of a model have the rate that is tested."""
    return RatePlan((1.0,) * len(optimizers_of(model)))


def followers_of(model: Any, plan: RatePlan) -> list[Any]:
    """Returns the optimizers that follow the rate that is tested."""
    return [own for own, follows in zip(optimizers_of(model), plan.following, strict=True) if follows]


def replace_settings(model: Any, settings: Mapping[str, Any]) -> contextlib.AbstractContextManager[None]:
    """Gives attributes of the model's optimizer, such as `beta_1`, other values within the block."""
    return _replace([model.optimizer], settings)


@contextlib.contextmanager
def _replace(owners: Iterable[Any], values: Mapping[str, Any]) -> Iterator[None]:
    """Replaces attributes within the block, past the checks and the tracking of Keras."""
    before = [(owner, {name: getattr(owner, name) for name in values}) for owner in owners]
    try:
        for owner, _ in before:
            for name, value in values.items():
                object.__setattr__(owner, name, value)
        yield
    finally:
        for owner, own in before:
            for name, value in own.items():
                object.__setattr__(owner, name, value)


def retrace(model: Any) -> None:
    """Makes `fit` trace its training step again, so that it uses a rate that was replaced after the first trace.

    JAX caches traces by function, and two bound methods are equal, so it gets a new function.
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
    """Gives a freshly compiled model another optimizer, wrapped for loss scaling if the first one is."""
    scaled = keras.optimizers.LossScaleOptimizer
    if isinstance(model.optimizer, scaled) and not isinstance(optimizer, scaled):
        optimizer = scaled(optimizer)
    model.optimizer = optimizer
    if getattr(model, "_compile_config", None) is not None:
        model._compile_config.config["optimizer"] = optimizer


class Containers:
    """The compiled loss and metrics of a model, which its first batch builds.

    A built loss or metric changes what `fit` does next: on JAX and PyTorch it draws one batch less before it starts, and the
    name of a metric depends on how many exist. So copies stand in for unbuilt ones, until `restore`.

    Args:
        model: A compiled model.
        earlier: The copies of an earlier loan, by name with the container that they stand in for. They are already built.
    """

    NAMES = ("_compile_loss", "_compile_metrics")

    def __init__(self, model: Any, earlier: Mapping[str, tuple[Any, Any]] | None = None) -> None:
        self._model = model
        self._own = {name: getattr(model, name) for name in self.NAMES}
        self._tracker = getattr(model, "_loss_tracker", None)
        self.copies: dict[str, tuple[Any, Any]] = {}
        for name, own in self._own.items():
            if own is not None and not own.built:
                known, copied = (earlier or {}).get(name, (None, None))
                self.copies[name] = (own, copied if known is own else _copy_unbuilt(own))
                object.__setattr__(model, name, self.copies[name][1])

    def hide_metrics(self) -> None:
        """Removes the compiled metrics and the mean of the losses, until `restore`. The updates stay the same."""
        object.__setattr__(self._model, "_compile_metrics", None)
        if self._tracker is not None:
            object.__setattr__(self._model, "_loss_tracker", LastLoss())

    def restore(self) -> None:
        """Puts the model's own in place again."""
        if self._tracker is not None:
            object.__setattr__(self._model, "_loss_tracker", self._tracker)
        for name, own in self._own.items():
            object.__setattr__(self._model, name, own)


class LastLoss(keras.metrics.Metric):
    """Stands in for the loss tracker of a model: it reports the loss of the last batch, and has no variables.

    To reset the tracker and update its mean takes a tenth of an update of a small model. Each thread has its own loss: the
    replicas of `tf.distribute` are threads that take turns in the middle of a step.
    """

    def __init__(self) -> None:
        super().__init__(name="loss")
        self._last = threading.local()

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Stores the loss of a batch. The mean over one batch is the loss itself, for any weight."""
        del sample_weight
        self._last.loss = keras.ops.cast(values, self.dtype)

    def result(self) -> Any:
        """Returns the loss of the last batch; before the first, 0 like a mean."""
        return getattr(self._last, "loss", 0.0)

    def reset_state(self) -> None:
        """Forgets the loss."""
        vars(self._last).clear()


def _copy_unbuilt(container: Any) -> Any:
    """Returns a compiled loss or metric container as `compile` creates it."""
    kind, names = type(container), container.output_names
    if hasattr(container, "_user_loss"):
        return kind(container._user_loss, container._user_loss_weights, output_names=names)
    return kind(container._user_metrics, container._user_weighted_metrics, output_names=names)


def build(model: Any, batch: tuple[Any, ...], hide_metrics_of: Containers | None = None) -> GlobalState:
    """Builds what the first batch of `fit` builds in a compiled model.

    With the model's containers in `hide_metrics_of`, hides its metrics from the build; their `restore` restores them.

    Returns:
        Keras's global state after the model and before its metrics. If it is restored, metrics that are built again get
        the same names.
    """
    with _replace([model], dict.fromkeys(Containers.NAMES)):  # builds the model and the optimizer alone
        model._symbolic_build(data_batch=batch)
        state = GlobalState()
    if hide_metrics_of is not None:
        hide_metrics_of.hide_metrics()
    model._symbolic_build(data_batch=batch)
    return state


def has_plain_step(model: Any) -> bool:
    """Returns whether steps and metrics are Keras's own, so that training is the same without the metrics."""
    names = {"train_step", "test_step", "compute_metrics"}
    plain = all(getattr(type(model), name) is getattr(keras.Model, name) for name in names)
    return plain and not names & set(vars(model))


def losses_in(model: Any, logs: dict[str, Any], step: str = "train_step") -> dict[str, Any]:
    """Returns the loss in the logs of a step and, if the model has several outputs, the loss of each output."""
    if "loss" not in logs:
        names, where = ", ".join(map(repr, logs)) or "nothing", f"{type(model).__name__}.{step}"
        raise ArgumentError(where, f"{step} returns {names}, but no 'loss'", "Return it too", model=model)
    own = model._compile_loss
    outputs = [] if own is None else [tracker.name for tracker in own.metrics]
    return {"loss": logs["loss"]} | {name: logs[name] for name in outputs if name in logs}


class GlobalState:
    """A copy of Keras's name counters and global seeds."""

    def __init__(self) -> None:
        self.names = copy.copy(global_state.get_global_attribute(_NAME_COUNTERS))
        self.random_seed = global_state.get_global_attribute(_RANDOM_SEED)
        self.generator = global_state.get_global_attribute(_GLOBAL_SEED)
        self.seed = None if self.generator is None else np.array(keras.ops.convert_to_numpy(self.generator.state))

    def restore(self) -> None:
        """Restores them."""
        global_state.set_global_attribute(_NAME_COUNTERS, copy.copy(self.names))
        global_state.set_global_attribute(_RANDOM_SEED, self.random_seed)
        global_state.set_global_attribute(_GLOBAL_SEED, self.generator)
        if self.generator is not None:
            self.generator.state.assign(self.seed)


def variables_of(model: Any) -> list[Any]:
    """Returns every variable that a training step may change, each once: model, seeds, optimizers, metrics."""
    lists = [model.variables, model.metrics_variables]
    lists += [optimizer.variables for optimizer in [model.optimizer, *optimizers_of(model)]]
    return list({id(variable): variable for variables in lists for variable in variables}.values())


def values_of(model: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns the trainable and the non-trainable values of a built model, with the seeds of its dropout."""
    lists = (model.trainable_variables, model.non_trainable_variables)
    trainable, rest = ([np.array(keras.ops.convert_to_numpy(one)) for one in variables] for variables in lists)
    return trainable, rest


def step_takes_rate(model: Any) -> bool:
    """Returns whether the model is compiled with an optimizer."""
    return bool(getattr(model, "compiled", False)) and model.optimizer is not None


def trainable_variables_of(optimizer: Any) -> list[Any]:
    """Returns the variables that an optimizer was built for."""
    return list(optimizer._trainable_variables)


def index_in(optimizer: Any, variable: Any) -> int:
    """Returns the index in `trainable_variables_of` of a variable, which may be the framework's own."""
    return optimizer._get_variable_index(variable)


def takes_next_value(variable: Any) -> bool:
    """Returns whether the gradient of a variable is its next value (the scales of float8 training)."""
    return bool(getattr(variable, "overwrite_with_gradient", False))


def loss_variables(model: Any) -> list[Any]:
    """Returns the variables of the loss tracker: the sum of the losses in the epoch, and their number of examples."""
    return list(model._loss_tracker.variables)


def loss_sums(model: Any) -> tuple[float, float]:
    """Returns the values of `loss_variables`."""
    tracker = model._loss_tracker
    total, count = keras.ops.convert_to_numpy(tracker.total), keras.ops.convert_to_numpy(tracker.count)
    return float(total), float(count)


def compilation_of(model: Any) -> Any:
    """Returns an object that each `compile` of a model makes anew, or None. It dies with the model."""
    return getattr(model, "_compile_config", None)


def layers_of(model: Any) -> list[Any]:
    """Returns all layers of a model, with those inside of layers."""
    return list(model._flatten_layers())


def draws_before_training(model: Any) -> bool:
    """Returns whether `fit` draws one more order, because it builds with a batch before its first epoch."""
    containers = (model._compile_loss, model._compile_metrics)
    return not model.built or not all(one is None or one.built for one in containers)


def training_part(x: Any, y: Any, sample_weight: Any, validation_split: float) -> tuple[Any, Any, Any]:
    """Returns the part of arrays that `fit` trains on under `validation_split`."""
    if not validation_split:
        return x, y, sample_weight
    (x, y, sample_weight), _ = array_slicing.train_validation_split((x, y, sample_weight), validation_split)
    return x, y, sample_weight


def arrays_of_fit(data: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
    """Returns training and validation data as `fit` would give them to its steps, each in one batch, unshuffled.

    Args:
        data: Arguments of `fit`: x, y, sample_weight, class_weight, validation_data and validation_split, all arrays.
    """
    parts, validation = (data["x"], data["y"], data["sample_weight"]), data["validation_data"]
    if data["validation_split"]:
        parts, validation = array_slicing.train_validation_split(parts, validation_split=data["validation_split"])
    train = _one_batch(parts, data["class_weight"])
    return train, None if validation is None else _one_batch(validation, None)


def _one_batch(parts: Any, class_weight: Any) -> tuple[Any, ...]:
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(tuple(parts))
    count = len(keras.tree.flatten(x)[0])
    adapter = ArrayDataAdapter(x, y, sample_weight, batch_size=count, class_weight=class_weight)
    return tuple(next(iter(adapter.get_numpy_iterator())))
