"""Rates computed on the host ahead of the steps that need them: a whole table, or the next thousand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_lr.schedules.ops import COMPILED

LARGEST_TABLE = 2**18  # steps: a megabyte in float32
STEPS_AHEAD = 1024

Evaluate = Callable[[np.ndarray], np.ndarray]


class Table:
    """The rates of a schedule up to its last step, for the compiled step to look up.

    Args:
        evaluate: Returns the rates of steps in float64.
        last: The step whose rate is held.
    """

    def __init__(self, evaluate: Evaluate, last: int) -> None:
        self._last = last
        self._rates = COMPILED.table(evaluate(np.arange(last + 1)))

    def rate(self, step: Any) -> Any:
        """Returns the rate of an integer step as a tensor."""
        return COMPILED.pick(self._rates, COMPILED.minimum(COMPILED.maximum(step, 0), self._last))


class Ahead:
    """The rates of a schedule for a caller that goes step by step on the host; computes many at once."""

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate, self._first, self._rates = evaluate, 0, np.empty(0)

    def rate(self, step: int) -> float:
        """Returns the rate of a step."""
        if not self._first <= step < self._first + len(self._rates):
            self._first, self._rates = step, self._evaluate(np.arange(step, step + STEPS_AHEAD))
        return float(self._rates[step - self._first])
