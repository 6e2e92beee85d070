"""The time budget: how many of the missing runs may start, so that they end in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from keras_lr.comparison.planning.cost import Cost
from keras_lr.comparison.planning.plan import WHERE
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError

PER_EPOCH = Cost(0.0, 1.0, 0.0)  # without an estimate, an epoch is the unit


class Budget:
    """The time limit of a comparison, and the time that its runs took so far.

    Args:
        seconds: The limit from now on, or None for no limit.
        clock: Returns seconds.
    """

    def __init__(self, seconds: Any, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds = None if seconds is None else _check_seconds(seconds)
        self.clock, self._start = clock, clock()
        self._cost: Cost | None = None
        self._took, self._expected = 0.0, 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.clock() - self._start

    @property
    def left(self) -> float:
        """The remaining seconds."""
        return math.inf if self.seconds is None else self.seconds - self.elapsed

    def estimate(self, cost: Cost | None) -> None:
        """Sets the expected cost of a run. Finished runs correct it."""
        self._cost = cost

    def learn(self, seconds: float, runs: int, epochs: int) -> None:
        """Records the wall time of finished runs, and their epochs in total."""
        cost = self._cost or PER_EPOCH
        self._took += seconds
        self._expected += runs * cost.fixed + epochs * cost.epoch

    def expected(self, epochs: int) -> float | None:
        """Returns the expected seconds of a run; None without an estimate and a finished run."""
        if self._expected > 0.0:
            return (self._cost or PER_EPOCH).seconds(epochs) * self._took / self._expected
        return None if self._cost is None else self._cost.seconds(epochs)

    def allows(self, epochs: int) -> float:
        """Returns the number of runs that are expected to end in time; 1 if the time of a run is unknown."""
        if self.seconds is None:
            return math.inf
        each = self.expected(epochs)
        if self.left <= 0.0:
            return 0
        return 1 if each is None else math.inf if each == 0.0 else self.left // each

    def shortfall(self, missing: int, planned: int, stored: bool, shared: bool) -> str:
        """Returns a warning about the runs that the budget left out.

        `stored`: whether the comparison has a store; `shared`: whether all cases have a run with the first seed.
        """
        later = "The same call with this store executes them" if stored else "With a store, a later call executes them"
        seeds = "the statistics use the seeds that all cases have" if shared else "not all cases have a run"
        return f"The budget of {duration(self.seconds)} left out {missing} of {planned} runs. {later}; {seeds}."

    def refusal(self, epochs: int) -> str:
        """Returns the reason if no run starts."""
        budget, run = duration(self.seconds), duration(self.expected(epochs))
        return f"No run was executed: the budget is {budget}, and a run is expected to take {run}."


def duration(seconds: float | None) -> str:
    """Formats seconds with a unit.

    Example:
        >>> duration(0.25), duration(90.0), duration(600.0), duration(9000.0), duration(None)
        ('0.25 s', '90 s', '10 min', '2.5 h', 'an unknown time')
    """
    if seconds is None:
        return "an unknown time"
    unit, word = (1.0, "s") if seconds < 120 else (60.0, "min") if seconds < 7200 else (3600.0, "h")
    return f"{seconds / unit:.2g} {word}" if seconds / unit < 10 else f"{seconds / unit:.0f} {word}"


def runs_to_start(allowed: float, missing: int, first: int, row: int, one_by_one: bool) -> int:
    """Returns how many runs to start together: all if they fit, or whole seeds, or a part of the first seed.

    Args:
        allowed: The number of runs that are expected to end in time.
        missing: How many runs do not exist yet.
        first: Those of them with the first seed.
        row: The number of runs for a seed.
        one_by_one: Whether to start one run at a time.

    Example:
        >>> [runs_to_start(allowed, 12, 4, 4, False) for allowed in (100, 9, 3)], runs_to_start(9, 12, 4, 4, True)
        ([12, 8, 3], 1)
    """
    if math.isinf(allowed):
        return missing
    fitting = min(int(allowed), missing)
    if one_by_one:
        return min(fitting, 1)
    if fitting == missing or fitting <= first:
        return fitting
    return first + (fitting - first) // row * row


def _check_seconds(seconds: Any) -> float:
    try:
        return checks.above_zero(WHERE, budget_seconds=seconds)
    except ArgumentError:
        rule, repair = "budget_seconds must be a number above 0", "Pass seconds, for example 600, or None for no limit"
        raise ArgumentError(WHERE, rule, repair, budget_seconds=seconds) from None
