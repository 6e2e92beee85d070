"""Keras's own machinery: the only file that uses a Keras name with a leading underscore. Each has a test.

It reads and swaps the rate of an optimizer, and lists what a training step changes, so that it can be put back.
"""

from __future__ import annotations

import contextlib
import copy
import functools
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


def steps_counted(optimizer: Any) -> int:
    """The optimizer's own count of steps, which is what a schedule gets (micro-batches under accumulation)."""
    return int(keras.ops.convert_to_numpy(optimizer._iterations))


def steps_of(model: Any) -> int:
    """The count of the model's optimizers; one of several that no variable belongs to stays behind."""
    return max(steps_counted(optimizer) for optimizer in optimizers_of(model))


@contextlib.contextmanager
def rate_replaced(model: Any, rate: Callable[[], Any]) -> Iterator[None]:
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
def settings_replaced(model: Any, settings: Mapping[str, Any]) -> Iterator[None]:
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

    def take_away(self) -> None:
        """Hides them, so that the model and the optimizer can be built alone."""
        for name in self.NAMES:
            object.__setattr__(self.model, name, None)

    def give_back(self) -> None:
        """Undoes `take_away`."""
        for name, own in self.own.items():
            object.__setattr__(self.model, name, own)

    def restore(self) -> None:
        """Leaves those that were built as they are, and unbuilt ones as new."""
        for name, own in self.own.items():
            object.__setattr__(self.model, name, own if self.built[name] else _unbuilt(own))


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
        with_metrics: False hides the compiled metrics, until `containers.restore`.
    """
    containers.take_away()
    try:
        model._symbolic_build(data_batch=batch)
        state = GlobalState()
    finally:
        containers.give_back()
    if not with_metrics:
        object.__setattr__(model, "_compile_metrics", None)
    model._symbolic_build(data_batch=batch)
    return state


def has_plain_step(model: Any) -> bool:
    """Whether training and metrics are Keras's own, so that the metrics can be left out without a change of training."""
    plain = all(getattr(type(model), name) is getattr(keras.Model, name) for name in ("train_step", "compute_metrics"))
    return plain and not {"train_step", "compute_metrics"} & set(vars(model))


def losses_in(model: Any, logs: dict[str, Any], step: str = "train_step") -> dict[str, Any]:
    """Of what a step returned, the loss and, of a model with several outputs, that of each."""
    if "loss" not in logs:
        told = ", ".join(map(repr, logs)) or "nothing"
        raise ArgumentError("find", f"{step} returns {told}, but no 'loss'", "Return it too", model=model)
    own = model._compile_loss
    names = [] if own is None else [tracker.name for tracker in own.metrics]
    return {name: logs[name] for name in ["loss", *names] if name in logs}


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


def trained_by(optimizer: Any) -> list[Any]:
    """The variables that a built optimizer was built for."""
    return list(optimizer._trainable_variables)


def index_in(optimizer: Any, variable: Any) -> int:
    """The place of a variable among those that the optimizer was built for; it may come as the framework's own."""
    return optimizer._get_variable_index(variable)


def overwritten(variable: Any) -> bool:
    """Whether what comes as its gradient is its next value (the scales of float8 training), not a direction."""
    return bool(getattr(variable, "overwrite_with_gradient", False))


@contextlib.contextmanager
def rates_scaled(optimizer: Any, groups: list[int], factors: list[Any], scale_weight_decay: bool) -> Iterator[None]:
    """Within the block, around `apply`, the rate of each variable is the optimizer's times the factor of its group.

    Nothing is left behind: the methods that Keras hands rates to are stood in for while the block lasts.

    Args:
        optimizer: A built optimizer that holds its rate itself.
        groups: The group of each variable that it was built for.
        factors: The factor of each group: a float, or a tensor where it changes with the step.
        scale_weight_decay: Whether the decay takes the scaled rate too. There is none where a factor is 0.
    """
    decays = factors if scale_weight_decay else [_zero_or_one(factor) for factor in factors]
    parallel = hasattr(optimizer, "_parallel_update_step")  # PyTorch updates many variables in one call
    update, scaled = ("_parallel_update_step", _scaled_updates) if parallel else ("update_step", _scaled_update)
    stand_ins = {update: (scaled, factors), "_apply_weight_decay": (_scaled_decay, decays)}
    for name, (stand_in, taken) in stand_ins.items():
        own = functools.partial(getattr(type(optimizer), name), optimizer)
        object.__setattr__(optimizer, name, functools.partial(stand_in, optimizer, own, groups, taken))
    try:
        yield
    finally:
        for name in stand_ins:
            vars(optimizer).pop(name, None)


def _scaled_update(optimizer: Any, own: Any, groups: Any, factors: Any, *step: Any) -> None:
    """The update of one variable, at its own rate."""
    gradient, variable, learning_rate = step
    factor = factors[groups[index_in(optimizer, variable)]]
    with _still_at_zero(optimizer, factor, [variable]):
        own(gradient, variable, _times(learning_rate, factor))


def _scaled_updates(optimizer: Any, own: Any, groups: Any, factors: Any, *step: Any) -> None:
    """The updates of many variables, in one call for each group."""
    gradients, variables, learning_rate = step
    shared = getattr(optimizer, "_u_product", None)  # Nadam's, which moves on in each call but is one for all groups
    before = None if shared is None else keras.ops.copy(shared.value)
    for group, places in _by_group(optimizer, groups, variables):
        if shared is not None:
            shared.assign(before)
        together = [variables[place] for place in places]
        with _still_at_zero(optimizer, factors[group], together):
            own([gradients[place] for place in places], together, _times(learning_rate, factors[group]))


def _scaled_decay(optimizer: Any, own: Any, groups: Any, factors: Any, variables: Any) -> None:
    """The weight decay of all variables, each at its own rate."""
    if optimizer.weight_decay is None and not hasattr(optimizer, "adam_weight_decay"):  # Muon has two
        return
    decayed = [variable for variable in variables if optimizer._use_weight_decay(variable)]
    rate = rate_of(optimizer)
    try:
        for group, places in _by_group(optimizer, groups, decayed):
            set_rate(optimizer, rate)
            scaled = _times(optimizer.learning_rate, factors[group])
            set_rate(optimizer, lambda value=scaled: value)
            own([decayed[place] for place in places])
    finally:
        set_rate(optimizer, rate)


@contextlib.contextmanager
def _still_at_zero(optimizer: Any, factor: Any, variables: Any) -> Iterator[None]:
    """Variables stay as they are while a changing factor is 0, whatever velocity the optimizer has."""
    changing = not isinstance(factor, float)
    before = [keras.ops.copy(keras.ops.convert_to_tensor(variable)) for variable in variables if changing]
    yield
    for variable, value in zip(variables, before, strict=False):
        optimizer.assign(variable, keras.ops.where(factor == 0.0, value, keras.ops.convert_to_tensor(variable)))


def _times(learning_rate: Any, factor: Any) -> Any:
    return learning_rate if isinstance(factor, float) and factor == 1.0 else learning_rate * factor


def _zero_or_one(factor: Any) -> Any:
    return float(factor != 0.0) if isinstance(factor, float) else keras.ops.cast(factor != 0.0, factor.dtype)


def _by_group(optimizer: Any, groups: list[int], variables: Any) -> list[tuple[int, list[int]]]:
    """The places of the variables, group by group."""
    places: dict[int, list[int]] = {}
    for place, variable in enumerate(variables):
        places.setdefault(groups[index_in(optimizer, variable)], []).append(place)
    return list(places.items())


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


def before_split(x: Any, y: Any, sample_weight: Any, validation_split: float) -> tuple[Any, Any, Any]:
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
