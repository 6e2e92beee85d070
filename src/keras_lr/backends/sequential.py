"""Runs trained one after the other in the model's own variables: what the programs of TensorFlow and PyTorch share."""

from __future__ import annotations

import abc
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.backends.program import EpochInputs, Logs, Program, State

OWN_LOSS = "its train_step does not report the loss with the model's own loss tracker"


class SequentialProgram(Program):
    """Trains one member at a time. The state is the model itself, so there is one at a time; `begin` resets it."""

    def __init__(self, model: Any, train: Any, validation: Any, batch_size: int, together: bool) -> None:
        if together:
            raise NotImplementedError("only JAX trains members together")
        super().__init__(model, train, validation, batch_size, together)
        self._optimizer = [_to_numpy(variable) for variable in model.optimizer.variables]
        self._loss_variables = machinery.loss_variables(model)

    @abc.abstractmethod
    def _run(self, inputs: EpochInputs, stop: int) -> None:
        """Runs the updates before `stop`, and waits for them."""

    def begin(self, starts: Sequence[tuple[Any, Any]], cases: int) -> State:
        model, (trainable, rest) = self.model, starts[0]
        variables = [*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables]
        for variable, value in zip(variables, [*trainable, *rest, *self._optimizer], strict=True):
            variable.assign(value)
        return model

    def seconds(self, state: State, inputs: EpochInputs, count: int) -> float:
        updates = min(count, max(1, self.full))
        self._run(inputs, 1)
        start = time.perf_counter()
        self._run(inputs, updates)
        return (time.perf_counter() - start) / updates

    def finite(self, state: State) -> np.ndarray:
        weights = [_to_numpy(variable).astype(np.float32) for variable in state.trainable_variables]
        return np.asarray(all(np.isfinite(weight).all() for weight in weights))

    def _loss_in(self, logs: dict[str, Any]) -> Any:
        """Returns the loss in the logs of an update. They must be the logs that `fit` computes from the metrics."""
        if set(logs) != set(self.model.get_metrics_result()) or "loss" not in logs:
            raise ValueError(OWN_LOSS)
        return logs["loss"]

    def _check_examples(self, count: Any) -> None:
        """Raises if the loss tracker did not count each example of an epoch."""
        if int(count) != self.examples:
            raise ValueError(OWN_LOSS)


def as_logs(metrics: Mapping[str, Any]) -> Logs:
    """Returns metrics as NumPy arrays, in the order in which `fit` logs them."""
    return {name: np.asarray(_to_numpy(value), np.float64) for name, value in sorted(metrics.items())}


def _to_numpy(value: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(value))
