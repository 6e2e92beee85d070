"""Training runs of one model one after the other in its own variables: what TensorFlow and PyTorch have in common.

It has the names of `jax_population.Program` for members that are trained alone. A state is the model itself, so there is one
at a time, and `begin` puts the next run's first values into it.
"""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_lr.backends import keras as machinery

Logs = dict[str, np.ndarray]
OWN_LOSS = "its train_step does not tell the loss by the model's own loss tracker"


class InPlace(abc.ABC):
    """Updates and validation of one member at a time.

    Args:
        model: A compiled model, built with its optimizer, loss and metrics. Its variables are trained.
        train: The training data as a step gets it, (x,), (x, y) or (x, y, sample_weight), on the device.
        validation: The same for validation, or None.
        batch_size: Examples in a batch; the last of an epoch may be smaller.
        together: False: members together are JAX's alone.
    """

    together = False

    def __init__(self, model: Any, train: Any, validation: Any, batch_size: int, together: bool = False) -> None:
        if together:
            raise NotImplementedError("members are trained together on JAX alone")
        self.model, self._size = model, batch_size
        self.examples = count(train)
        self._held_out = 0 if validation is None else count(validation)
        self._train, self._validation = train, validation
        self._optimizer = [_number(variable) for variable in model.optimizer.variables]
        self._tracked = machinery.loss_variables(model)

    @property
    def full(self) -> int:
        """Updates of an epoch on full batches."""
        return self.examples // self._size

    @property
    def updates(self) -> int:
        """Updates in an epoch."""
        return -(-self.examples // self._size)

    @property
    def validates(self) -> bool:
        """Whether there is anything to validate on."""
        return self._held_out > 0

    @abc.abstractmethod
    def makings(self, seeds: int, cases: int, complete: bool, names: Iterable[str] = ()) -> list[Callable[[], None]]:
        """What is to be called before anything is trained; see `jax_population.Program`."""

    @abc.abstractmethod
    def epoch(self, state: Any, orders: Any, rates: Any, settings: Mapping[str, Any]) -> tuple[Any, np.ndarray, Logs]:
        """One epoch of updates; see `jax_population.Program`."""

    @abc.abstractmethod
    def validate(self, state: Any) -> tuple[Any, Logs]:
        """The metrics on the validation data, by name."""

    @abc.abstractmethod
    def several(self, orders: Any, rates: Any, settings: Mapping[str, Any], stop: int) -> None:
        """The first updates, waited for."""

    def faster(self) -> InPlace | None:
        """A program that may be faster but takes longer to make, or None."""
        return None

    def begin(self, starts: Sequence[tuple[Any, Any]], cases: int) -> Any:
        """Puts the first values of a run into the model; see `jax_population.Program`."""
        del cases
        model, (trainable, rest) = self.model, starts[0]
        several = [*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables]
        for variable, value in zip(several, [*trainable, *rest, *self._optimizer], strict=True):
            variable.assign(value)
        return model

    def seconds(self, state: Any, orders: Any, rates: Any, settings: Mapping[str, Any], count: int) -> float:
        """The time of one full update, from up to `count` of them after one to warm up. The state is used up."""
        del state
        timed = min(count, max(1, self.full))
        self.several(orders, rates, settings, 1)
        started = time.perf_counter()
        self.several(orders, rates, settings, timed)
        return (time.perf_counter() - started) / timed

    def finite(self, state: Any) -> np.ndarray:
        """Whether all weights are finite."""
        weights = [_number(variable).astype(np.float32) for variable in state.trainable_variables]
        return np.asarray(all(np.isfinite(weight).all() for weight in weights))

    def checked(self, logs: dict[str, Any]) -> Any:
        """The loss among the logs of an update, which must be those that `fit` makes of the metrics."""
        if set(logs) != set(self.model.get_metrics_result()) or "loss" not in logs:
            raise ValueError(OWN_LOSS)
        return logs["loss"]

    def check_counted(self, examples: Any) -> None:
        """Refuses a step that does not keep the loss tracker."""
        if int(examples) != self.examples:
            raise ValueError(OWN_LOSS)


def numbers(logs: Mapping[str, Any]) -> Logs:
    """The logs of an epoch in the order in which `fit` has them."""
    return {name: np.asarray(_number(value), np.float64) for name, value in sorted(logs.items())}


def count(data: Any) -> int:
    """How many examples there are."""
    return len(keras.tree.flatten(data)[0])


def mapped(fn: Callable[[Any], Any], data: Any) -> Any:
    """Data with each of its arrays changed; there may be no labels among them."""
    return keras.tree.map_structure(lambda part: None if part is None else fn(part), data)


def _number(value: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(value))
