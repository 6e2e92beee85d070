"""PyTorch: training steps one after the other without waiting for the device, and the global random state."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import torch

from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import Batch, Chunk, map_arrays
from keras_lr.backends.rate_plan import RatePlan


def devices() -> list[str]:
    """Returns the devices that PyTorch can compute on."""
    return ["CPU:0", *(f"CUDA:{index}" for index in range(torch.cuda.device_count()))]


def compiled(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function as it is: PyTorch runs eagerly."""
    return fn


def host_step(step: Any) -> int | None:
    """Returns the step as an int on the CPU, outside of `torch.compile`, where reading it costs nothing. Else None."""
    value = step.value if isinstance(step, keras.Variable) else step
    at_hand = isinstance(value, torch.Tensor) and value.device.type == "cpu" and value.dim() == 0
    return int(value) if at_hand and not torch.compiler.is_compiling() else None


def random_state() -> Any:
    """Returns the states of PyTorch's global generators."""
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None


def set_random_state(state: Any) -> None:
    """Restores what `random_state` returned."""
    host, cuda = state
    torch.set_rng_state(host)
    if cuda is not None:
        torch.cuda.set_rng_state_all(cuda)


def scope(model: Any) -> contextlib.nullcontext[None]:
    """Returns an empty context: PyTorch has no distribution scope."""
    return contextlib.nullcontext()


class Stepper:
    """Trains the model itself, step by step. The start includes PyTorch's random state, from which dropout draws."""

    def __init__(self, model: Any, plan: RatePlan, programs: dict[Any, Any] | None = None) -> None:
        self.model, self.plan = model, plan
        self.programs = {} if programs is None else programs  # of others: updates run eagerly
        self._variables = machinery.variables_of(model)
        self._start = [variable.value.detach().clone() for variable in self._variables]
        self._data: tuple[Any, Any] = (None, None)
        self._random_state = random_state()
        self._gradients = [None if p.grad is None else p.grad.detach().clone() for p in model.parameters()]

    def reset(self) -> None:
        self._restore(self._random_state, self._start)

    def losses(self, chunk: Chunk) -> np.ndarray:
        state = random_state(), [variable.value.detach().clone() for variable in self._variables]
        losses = []
        for batch in chunk.singles():
            losses.append(self.updates(batch, np.zeros(1))["loss"])
            self._restore(*state)
        return np.concatenate(losses)

    def _restore(self, random: Any, values: list[Any]) -> None:
        set_random_state(random)
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)

    def updates(self, chunk: Chunk, learning_rates: np.ndarray) -> dict[str, np.ndarray]:
        model = self.model
        if self._data[0] is not chunk.data:
            self._data = (chunk.data, map_arrays(keras.ops.convert_to_tensor, chunk.data))
        rows = keras.ops.convert_to_tensor(chunk.rows, "int64")
        rates = torch.tensor(self.plan.rates(learning_rates), dtype=getattr(torch, keras.config.floatx()))
        steps: list[dict[str, Any]] = []
        with machinery.replace_rates(model, self.plan, lambda: rates[len(steps)]):
            for own in rows:
                for metric in model.metrics:
                    metric.reset_state()
                losses = machinery.losses_in(model, model.train_step(self._batch(own)))
                steps.append({name: loss.detach().clone() for name, loss in losses.items()})
        return {name: torch.stack([losses[name] for losses in steps]).double().cpu().numpy() for name in steps[0]}

    def _batch(self, rows: Any) -> Any:
        return map_arrays(lambda array: array[rows], self._data[1])

    def trainable(self) -> list[Any]:
        return [variable.value.detach() for variable in self.model.trainable_variables]

    def evaluate(self, batches: Iterable[Batch]) -> np.ndarray:
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            with torch.no_grad():
                return np.array([self._loss_of(batch) for batch in batches], np.float64)
        finally:
            for module, training in modes:
                module.training = training

    def _loss_of(self, batch: Batch) -> float:
        for metric in self.model.metrics:
            metric.reset_state()
        logs = self.model.test_step(map_arrays(keras.ops.convert_to_tensor, batch))
        return float(machinery.losses_in(self.model, logs, "test_step")["loss"])

    def close(self) -> None:
        """Restores the start of the model, and its gradients."""
        self.reset()
        for parameter, gradient in zip(self.model.parameters(), self._gradients, strict=True):
            parameter.grad = gradient
