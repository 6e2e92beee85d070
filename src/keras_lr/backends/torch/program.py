"""PyTorch: an epoch as a bare loop around Keras's training step, with nothing between two updates."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch

from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import count_rows, map_arrays
from keras_lr.backends.program import EpochInputs, Logs, State
from keras_lr.backends.sequential import SequentialProgram, as_logs


class Program(SequentialProgram):
    """Reads the losses once an epoch, so that no update waits for another."""

    @staticmethod
    def on_device(data: Any) -> Any:
        return map_arrays(keras.ops.convert_to_tensor, data)

    def epoch(self, state: State, inputs: EpochInputs) -> tuple[State, np.ndarray, Logs]:
        self.model.reset_metrics()
        losses = self._losses(inputs, self.updates)
        self._check_examples(_copy(self._loss_variables[1]).cpu().numpy())
        return state, losses.cpu().numpy(), as_logs(self.model.get_metrics_result())

    def validate(self, state: State) -> tuple[State, Logs]:
        self.model.reset_metrics()
        self.model.eval()
        rows = torch.arange(count_rows(self._validation), device=_copy(self._loss_variables[0]).device)
        with torch.no_grad():
            for batch_rows in rows.split(self._size):
                logs = self.model.test_step(_batch(self._validation, batch_rows))
        self._loss_in(logs)
        return state, as_logs(self.model.get_metrics_result())

    def _run(self, inputs: EpochInputs, stop: int) -> None:
        self._losses(inputs, stop).cpu()

    def _losses(self, inputs: EpochInputs, stop: int) -> Any:
        """Runs the updates before `stop` and returns their raw losses, which the loss tracker of the model sums up."""
        model, rates, sums, current = self.model, inputs.rates, [], [0.0]
        rows = keras.ops.convert_to_tensor(np.ascontiguousarray(inputs.orders))
        floats = {name: float(value) for name, value in inputs.settings.items()}
        model.train()
        with machinery.replace_rate(model, lambda: current[0]), machinery.replace_settings(model, floats):
            for update in range(stop):
                current[0] = float(rates[update])
                batch_rows = rows[update * self._size : (update + 1) * self._size]
                for variable in self._loss_variables:
                    variable.assign(0.0)
                logs = model.train_step(_batch(self._train, batch_rows))
                sums.append([_copy(variable) for variable in self._loss_variables])
        self._loss_in(logs)
        totals, counts = (torch.stack(values) for values in zip(*sums, strict=True))
        for variable, values in zip(self._loss_variables, (totals, counts), strict=True):
            variable.assign(values.sum())
        return totals / counts


def _batch(data: Any, rows: Any) -> Any:
    return map_arrays(lambda array: array.index_select(0, rows), data)


def _copy(variable: Any) -> Any:
    return variable.value.detach().clone()
