"""PyTorch: training steps one after the other without waiting for the device, and the global random state."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import torch

from keras_lr.backends import keras as machinery


def devices() -> list[str]:
    """The devices that PyTorch can compute on."""
    return ["CPU:0", *(f"CUDA:{index}" for index in range(torch.cuda.device_count()))]


def compiled(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is: PyTorch runs eagerly."""
    return fn


def host_step(step: Any) -> int | None:
    """The step as an int where reading it costs nothing: on the CPU, outside of `torch.compile`. Else None."""
    value = step.value if isinstance(step, keras.Variable) else step
    at_hand = isinstance(value, torch.Tensor) and value.device.type == "cpu" and value.dim() == 0
    return int(value) if at_hand and not torch.compiler.is_compiling() else None


def random_state() -> Any:
    """The states of PyTorch's global generators."""
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None


def set_random_state(state: Any) -> None:
    """Puts back what `random_state` gave."""
    host, cuda = state
    torch.set_rng_state(host)
    if cuda is not None:
        torch.cuda.set_rng_state_all(cuda)


def scope(model: Any) -> Any:
    """A model of PyTorch needs none."""
    del model
    return contextlib.nullcontext()


class Stepper:
    """Training updates of a built model, each with a rate of its own, always from the same start.

    Args:
        model: A compiled model, built with its optimizer, loss and metrics. Its state is the start; `close` brings it back.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._variables = machinery.variables_of(model)
        self._start = [variable.value.detach().clone() for variable in self._variables]
        self._placed: tuple[Any, Any] = (None, None)
        self._chance = random_state()  # dropout draws from it
        self._gradients = [None if p.grad is None else p.grad.detach().clone() for p in model.parameters()]

    def reset(self) -> None:
        """Goes back to the start, that of chance included."""
        set_random_state(self._chance)
        for variable, value in zip(self._variables, self._start, strict=True):
            variable.assign(value)

    def updates(self, chunk: Any, learning_rates: np.ndarray) -> dict[str, np.ndarray]:
        """One training step on each batch, at its own rate. Returns the raw losses before each, by name."""
        model = self.model
        if self._placed[0] is not chunk.data:
            placed = keras.tree.map_structure(
                lambda part: None if part is None else keras.ops.convert_to_tensor(part), chunk.data
            )
            self._placed = (chunk.data, placed)
        rows = keras.ops.convert_to_tensor(chunk.rows, "int64")
        made, current = [], [0.0]
        with machinery.replace_rate(model, lambda: current[0]):
            for own, rate in zip(rows, learning_rates.tolist(), strict=True):
                current[0] = rate
                for metric in model.metrics:
                    metric.reset_state()
                losses = machinery.losses_in(model, model.train_step(self._batch(own)))
                made.append({name: loss.detach().clone() for name, loss in losses.items()})
        return {name: torch.stack([losses[name] for losses in made]).double().cpu().numpy() for name in made[0]}

    def _batch(self, rows: Any) -> Any:
        return keras.tree.map_structure(lambda part: None if part is None else part[rows], self._placed[1])

    def trainable(self) -> list[Any]:
        """The trainable values as they are now."""
        return [variable.value.detach() for variable in self.model.trainable_variables]

    def evaluate(self, batches: Iterable[Any]) -> np.ndarray:
        """The loss of each batch by the model's own test step, as it is now."""
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            with torch.no_grad():
                return np.array([self._tested(batch) for batch in batches], np.float64)
        finally:
            for module, training in modes:
                module.training = training

    def _tested(self, batch: Any) -> float:
        """The loss of one batch."""
        for metric in self.model.metrics:
            metric.reset_state()
        placed = keras.tree.map_structure(
            lambda part: None if part is None else keras.ops.convert_to_tensor(part), batch
        )
        return float(machinery.losses_in(self.model, self.model.test_step(placed), "test_step")["loss"])

    def close(self) -> None:
        """Leaves the model at the start, with the gradients that it came with."""
        self.reset()
        for parameter, gradient in zip(self.model.parameters(), self._gradients, strict=True):
            parameter.grad = gradient
