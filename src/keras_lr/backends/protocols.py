"""The `stepper` module of a backend. mypy compares each backend with these protocols, in `backends/__init__.py`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from keras_lr.backends.arrays import Batch, Chunk
from keras_lr.backends.rate_plan import RatePlan


class Stepper(Protocol):
    """Trains a built model, each update at a rate of its own, and always from the same start.

    The start is the state that the model has when the stepper is created.

    Attributes:
        model: A compiled model, built with its optimizer, loss and metrics.
        plan: How the rate of an update sets the rates of the model's optimizers.
        programs: Compiled functions of the model, by name. They may serve the next stepper too, so they hold no data.
    """

    model: Any
    plan: RatePlan
    programs: dict[Any, Any]

    def reset(self) -> None:
        """Restores the start."""

    def updates(self, chunk: Chunk, learning_rates: np.ndarray) -> dict[str, np.ndarray]:
        """Runs one training step on each batch, each at its own rate.

        Returns:
            By name, the raw losses before each step: "loss" and, if the model has several outputs, the loss of each output.
        """

    def losses(self, chunk: Chunk) -> np.ndarray:
        """Returns the loss of each batch in training mode, all from the current state, which stays as it is.

        An update at a rate of 0 would not do: it moves weights by their momentum, and some rules divide by the rate.
        """

    def trainable(self) -> list[Any]:
        """Returns the current trainable values, as tensors of the framework."""

    def evaluate(self, batches: Iterable[Batch]) -> np.ndarray:
        """Returns the current loss of each batch, computed by the model's own test step."""

    def close(self) -> None:
        """Restores the model's start."""


class StepperModule(Protocol):
    """The names in the `stepper` module of each backend."""

    def devices(self) -> list[str]:
        """Returns the devices that the framework can compute on, such as "CPU:0"."""

    def compiled(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Compiles a function to one program; returns it unchanged if the framework runs eagerly."""

    def host_step(self, step: Any) -> int | None:
        """Returns the step as an int if reading it costs nothing, else None."""

    def random_state(self) -> Any:
        """Returns the state of the framework's global random generators."""

    def set_random_state(self, state: Any) -> None:
        """Restores what `random_state` returned."""

    def scope(self, model: Any) -> contextlib.AbstractContextManager[Any]:
        """Returns the distribution scope that a model was created in."""

    def Stepper(self, model: Any, plan: RatePlan, programs: dict[Any, Any] | None = None) -> Stepper:
        """Creates a stepper of a built model, with the programs of an earlier one if the model is the same."""
