"""Runs of one model as a program: the interface, and what the programs of all backends have in common."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_lr.backends.arrays import count_rows

State = Any
"""Members in training, in a form of the backend's own. A call that takes a state uses it up."""
Logs = dict[str, np.ndarray]
"""Metrics by name."""


class EpochInputs(NamedTuple):
    """What varies between epochs and members. The first axis of a shape is missing if a state holds one member.

    Attributes:
        orders: The order of the rows, of shape (seeds, examples).
        rates: The rate of each update, of shape (cases, updates).
        settings: Floats of the optimizer by name, each of shape (cases,).
    """

    orders: np.ndarray
    rates: np.ndarray
    settings: Mapping[str, Any]


class Program(abc.ABC):
    """Trains members: runs that share the model and the data, each with its own weights, optimizer state and rates.

    On JAX a program can train its members together. They are laid out as seeds x cases: the cases of a seed start with equal
    weights and see equal batches. Otherwise a state holds one member, and arrays lack these two axes.

    Args:
        model: A compiled model, built with its optimizer, loss and metrics.
        train: The training data as a step gets it, `(x,)`, `(x, y)` or `(x, y, sample_weight)`, on the device.
        validation: The same for validation, or None.
        batch_size: Examples in a batch. The last batch of an epoch may be smaller.
        together: Whether a state holds all members.

    Attributes:
        examples: The number of training examples.
        on_update: Called after each update, if each update is a call of its own, as on JAX.
    """

    def __init__(self, model: Any, train: Any, validation: Any, batch_size: int, together: bool) -> None:
        self.model, self.together, self._size = model, together, batch_size
        self._train, self._validation = train, validation
        self.examples = count_rows(train)
        self.on_update: Callable[[], None] = lambda: None

    @property
    def full(self) -> int:
        """The number of updates in an epoch that use a full batch."""
        return self.examples // self._size

    @property
    def updates(self) -> int:
        """The number of updates in an epoch."""
        return -(-self.examples // self._size)

    @property
    def validates(self) -> bool:
        """Whether there is validation data."""
        return self._validation is not None and count_rows(self._validation) > 0

    def trace(self, seeds: int, cases: int, complete: bool, names: Iterable[str] = ()) -> Sequence[Callable[[], None]]:
        """Traces what is not traced yet. A framework that runs eagerly has nothing to trace.

        Args:
            seeds: The number of seeds, on the first axis.
            cases: The number of cases of each seed, on the second axis.
            complete: Whether to trace all that training needs, or only a full update, which is enough to time it.
            names: Floats of the optimizer that are inputs of the program, as the rate is.

        Returns:
            Functions that compile what was traced. They can be called from any thread.
        """
        return ()

    @staticmethod
    @abc.abstractmethod
    def on_device(data: Any) -> Any:
        """Returns a nest of arrays on the device."""

    @abc.abstractmethod
    def begin(self, starts: Sequence[tuple[Any, Any]], cases: int) -> State:
        """Returns the first state, with the optimizer as it was built.

        Args:
            starts: For each seed its trainable and its non-trainable values. A state of one member uses the first.
            cases: The number of members that start with each of them.
        """

    @abc.abstractmethod
    def epoch(self, state: State, inputs: EpochInputs) -> tuple[State, np.ndarray, Logs]:
        """Trains one epoch.

        Args:
            state: From `begin` or an earlier epoch.
            inputs: Of this epoch.

        Returns:
            The state, the raw loss of each update (updates on the last axis), and the metrics at the end of the epoch.
        """

    @abc.abstractmethod
    def validate(self, state: State) -> tuple[State, Logs]:
        """Returns the state and the metrics on the validation data."""

    @abc.abstractmethod
    def finite(self, state: State) -> np.ndarray:
        """Returns for each member whether all its weights are finite."""

    @abc.abstractmethod
    def seconds(self, state: State, inputs: EpochInputs, count: int) -> float:
        """Returns the seconds that a full update takes, measured over up to `count` of them after a first one."""

    def faster(self) -> Program | None:
        """Returns an untraced program that may be faster but takes longer to compile, if there is one."""
        return None

    def capacity(self) -> int:
        """Returns how many members the memory has room for at once."""
        return 1

    def slower_together(self) -> bool:
        """Returns whether it is known, without a measurement, that members are slower together."""
        return True
