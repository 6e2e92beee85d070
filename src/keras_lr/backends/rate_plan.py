"""How one rate, which is tested, sets the rates of all optimizers of a model."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class RatePlan:
    """The optimizers that follow a rate, each at its ratio, and those that keep their own.

    A compiled update depends on which optimizers follow, not on their ratios: the rates go in as data.

    Attributes:
        factors: For each of `optimizers_of(model)`: its rate over the rate that is tested; None if it keeps its own.
    """

    factors: tuple[float | None, ...]

    @property
    def following(self) -> tuple[bool, ...]:
        """Whether each optimizer follows."""
        return tuple(factor is not None for factor in self.factors)

    def rates(self, learning_rates: np.ndarray) -> np.ndarray:
        """Returns the rates of the optimizers that follow, of shape (updates, optimizers).

        Example:
            >>> RatePlan((1.0, None, 10.0)).rates(np.array([0.1, 0.2])).tolist()
            [[0.1, 1.0], [0.2, 2.0]]
        """
        return np.multiply.outer(learning_rates, [factor for factor in self.factors if factor is not None])
