"""How many of the runs that are missing may start now, so that they are expected to end within the time that is left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from keras_lr.comparison.planning.cost import Cost
from keras_lr.comparison.planning.plan import WHERE
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError

PER_EPOCH = Cost(0.0, 1.0, 0.0)  # where no updates were timed, an epoch is the unit


class Budget:
    """The time that a comparison may take, and how long its runs took so far.

    Args:
        seconds: The time from now on, or None for no limit.
        clock: Tells the time in seconds.

    Attributes:
        seconds: The same.
    """

    def __init__(self, seconds: Any, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds = None if seconds is None else _checked(seconds)
        self.clock, self._began = clock, clock()
        self._cost: Cost | None = None
        self._took, self._expected = 0.0, 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since it was made."""
        return self.clock() - self._began

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return math.inf if self.seconds is None else self.seconds - self.elapsed

    def estimate(self, cost: Cost | None) -> None:
        """Takes what a run is expected to cost. The runs that are made correct it."""
        self._cost = cost

    def learn(self, seconds: float, runs: int, epochs: int) -> None:
        """Takes how long runs took that had so many epochs together; of runs that were cut, those that they had."""
        cost = self._cost or PER_EPOCH
        self._took += seconds
        self._expected += runs * cost.fixed + epochs * cost.epoch

    def expected(self, epochs: int) -> float | None:
        """Seconds that a run is expected to take; None where nothing is known yet."""
        if self._expected > 0.0:
            return (self._cost or PER_EPOCH).seconds(epochs) * self._took / self._expected
        return None if self._cost is None else self._cost.seconds(epochs)

    def allows(self, epochs: int) -> float:
        """How many runs of so many epochs are expected to end in time. Of an unknown length one is tried."""
        if self.seconds is None:
            return math.inf
        each = self.expected(epochs)
        if self.left <= 0.0:
            return 0
        return 1 if each is None else math.inf if each == 0.0 else self.left // each

    def told(self, missing: int, planned: int, stored: bool, shared: bool) -> str:
        """A sentence on the runs that it left out, where all cases share a seed or not."""
        later = "The same call with this store makes them" if stored else "With a store, a later call would make them"
        used = "; the statistics use the seeds that all cases have" if shared else "; not all cases have a run"
        return f"The budget of {duration(self.seconds)} left out {missing} of {planned} runs. {later}{used}."

    def unmade(self, epochs: int) -> str:
        """Why no run was made."""
        each = self.expected(epochs)
        return (
            f"No run was made: the budget is {duration(self.seconds)}, and a run is expected to take {duration(each)}."
        )


def duration(seconds: float | None) -> str:
    """Seconds as people say them.

    Example:
        >>> duration(0.25), duration(90.0), duration(600.0), duration(9000.0), duration(None)
        ('0.25 s', '90 s', '10 min', '2.5 h', 'an unknown time')
    """
    if seconds is None:
        return "an unknown time"
    unit, word = (1.0, "s") if seconds < 120 else (60.0, "min") if seconds < 7200 else (3600.0, "h")
    return f"{seconds / unit:.2g} {word}" if seconds / unit < 10 else f"{seconds / unit:.0f} {word}"


def runs_to_start(allowed: float, missing: int, first: int, row: int, one_by_one: bool) -> int:
    """How many runs to start at once.

    Args:
        allowed: How many are expected to end in time.
        missing: How many there are.
        first: How many of them belong to the seed that is begun.
        row: How many a seed has.
        one_by_one: Whether the engine makes them one after the other, so that each can be decided on anew.

    Returns:
        All where they fit; else whole seeds, or a part of the first.

    Example:
        >>> runs_to_start(100, 12, 4, 4, False), runs_to_start(9, 12, 4, 4, False), runs_to_start(3, 12, 4, 4, False), runs_to_start(9, 12, 4, 4, True)
        (12, 8, 3, 1)
    """
    if math.isinf(allowed):
        return missing
    fitting = min(int(allowed), missing)
    if one_by_one:
        return min(fitting, 1)
    if fitting == missing or fitting <= first:
        return fitting
    return first + (fitting - first) // row * row


def _checked(seconds: Any) -> float:
    try:
        return checks.above_zero(WHERE, budget_seconds=seconds)
    except ArgumentError:
        rule = "budget_seconds must be a number above 0"
        raise ArgumentError(
            WHERE, rule, "Pass seconds such as 600, or None for no limit", budget_seconds=seconds
        ) from None
