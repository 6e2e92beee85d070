"""PyTorch: an epoch of training as a bare loop around Keras's step, with nothing between two updates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
import torch

from keras_lr.backends import keras as machinery
from keras_lr.backends.sequential import InPlace, Logs, count, mapped, numbers


def on_device(data: Any) -> Any:
    """Data as tensors."""
    return mapped(keras.ops.convert_to_tensor, data)


class Program(InPlace):
    """The data is on the device as a whole; losses are read once an epoch, so that no update waits for another."""

    def makings(self, seeds: int, cases: int, complete: bool, names: Iterable[str] = ()) -> list[Callable[[], None]]:
        """There is nothing to make: PyTorch runs eagerly."""
        del seeds, cases, complete, names
        return []

    def epoch(self, state: Any, orders: Any, rates: Any, settings: Mapping[str, Any]) -> tuple[Any, np.ndarray, Logs]:
        """One epoch of updates; see `jax_population.Program`."""
        self.model.reset_metrics()
        losses = self._updated(orders, rates, settings, self.updates)
        self.check_counted(_copy(self._tracked[1]).cpu().numpy())
        return state, losses.cpu().numpy(), numbers(self.model.get_metrics_result())

    def several(self, orders: Any, rates: Any, settings: Mapping[str, Any], stop: int) -> None:
        """The first updates."""
        self._updated(orders, rates, settings, stop).cpu()

    def _updated(self, order: Any, rates: Any, settings: Mapping[str, Any], stop: int) -> Any:
        """The raw losses of the first updates, which are summed in the model's loss tracker."""
        model, kept, current = self.model, [], [0.0]
        rows = keras.ops.convert_to_tensor(np.ascontiguousarray(order))
        own = {name: float(value) for name, value in settings.items()}
        model.train()
        with machinery.replace_rate(model, lambda: current[0]), machinery.replace_settings(model, own):
            for update in range(stop):
                current[0] = float(rates[update])
                batch_rows = rows[update * self._size : (update + 1) * self._size]
                for variable in self._tracked:
                    variable.assign(0.0)
                logs = model.train_step(self._batch(self._train, batch_rows))
                kept.append([_copy(variable) for variable in self._tracked])
        self.checked(logs)
        totals, counts = (torch.stack(several) for several in zip(*kept, strict=True))
        for variable, several in zip(self._tracked, (totals, counts), strict=True):
            variable.assign(several.sum())
        return totals / counts

    def validate(self, state: Any) -> tuple[Any, Logs]:
        """The metrics on the validation data, by name."""
        self.model.reset_metrics()
        self.model.eval()
        rows = torch.arange(count(self._validation), device=_copy(self._tracked[0]).device)
        with torch.no_grad():
            for batch_rows in rows.split(self._size):
                logs = self.model.test_step(self._batch(self._validation, batch_rows))
        self.checked(logs)
        return state, numbers(self.model.get_metrics_result())

    @staticmethod
    def _batch(data: Any, rows: Any) -> Any:
        return mapped(lambda part: part.index_select(0, rows), data)


def _copy(variable: Any) -> Any:
    return variable.value.detach().clone()
