"""PyTorch: an epoch of training as a bare loop around Keras's step, with nothing between two updates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import torch

from keras_lr.backends import keras as machinery
from keras_lr.backends.in_place import InPlace, count, mapped


class Program(InPlace):
    """The data is on the device as a whole; losses are read once an epoch, so that no update waits for another."""

    def on_device(self, data: Any) -> Any:
        """Data as tensors."""
        return mapped(keras.ops.convert_to_tensor, data)

    def makings(self, state: Any, cases: int, complete: bool, names: Iterable[str] = ()) -> list[Callable[[], None]]:
        """There is nothing to make: PyTorch runs eagerly."""
        del state, cases, complete, names
        return []

    def several(self, order: Any, rates: Any, settings: dict[str, np.ndarray], first: int, stop: int) -> np.ndarray:
        """Updates `first` to `stop`; the raw loss of each."""
        model, kept, current = self.model, [], [0.0]
        rows = keras.ops.convert_to_tensor(np.ascontiguousarray(order))
        before = [_copy(variable) for variable in self._tracked]
        own = {name: float(value) for name, value in settings.items()}
        model.train()
        with machinery.rate_replaced(model, lambda: current[0]), machinery.settings_replaced(model, own):
            for update in range(first, stop):
                current[0] = float(rates[update])
                batch_rows = rows[update * self._size : (update + 1) * self._size]
                for variable in self._tracked:
                    variable.assign(0.0)
                logs = model.train_step(self._batch(self._train, batch_rows))
                kept.append([_copy(variable) for variable in self._tracked])
        self.checked(logs)
        totals, counts = (torch.stack(several) for several in zip(*kept, strict=True))
        for variable, value, several in zip(self._tracked, before, (totals, counts), strict=True):
            variable.assign(value + several.sum())
        return (totals / counts).cpu().numpy()

    def tested(self) -> None:
        """Brings the metrics to what they are on the validation data."""
        self.model.eval()
        rows = torch.arange(count(self._validation), device=_copy(self._tracked[0]).device)
        with torch.no_grad():
            for batch_rows in rows.split(self._size):
                logs = self.model.test_step(self._batch(self._validation, batch_rows))
        self.checked(logs)

    @staticmethod
    def _batch(data: Any, rows: Any) -> Any:
        return mapped(lambda part: part.index_select(0, rows), data)


def _copy(variable: Any) -> Any:
    return variable.value.detach().clone()
