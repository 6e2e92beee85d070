"""`learning_rates="auto"`: rates around the answer of `find`, and further ones while the best rate is at an edge.

The plan has all rates that may be tried from the start, so the key of a run never changes. The store has the first rates,
so a later call makes the same choices.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.callbacks.live_rate import as_ours
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning import data_checks
from keras_lr.comparison.planning.plan import Plan, PlannedCase, at_rate
from keras_lr.comparison.statistics import verdict
from keras_lr.finder.find import find_for
from keras_lr.finder.target import NOMINAL

AROUND = 2  # rates on either side of the answer
BEYOND = 2  # rates to add beyond an edge at once
TIMES = 3  # additions on either side: three decades in all
WIDE = (-4.0, 0.0)  # decades of the first rates without an answer
HALF_DECADE = math.sqrt(10.0)


@dataclasses.dataclass(frozen=True)
class RateStart:
    """The first rates of one optimizer and schedule.

    Attributes:
        name: The names of the optimizer and the schedule.
        rates: Ascending, half a decade apart.
        reason: Why `find` had no answer; None if it had one.
    """

    name: str
    rates: tuple[float, ...]
    reason: str | None = None


def starts_of(plan: Plan, build: Callable[[], Any], identity: Mapping[str, Any] | None) -> tuple[RateStart, ...]:
    """Returns the first rates of each optimizer and schedule, from the identity in the store or from `find`."""
    return starts_in(plan, identity) or tuple(_start(plan, case, build) for case in plan.cases)


def starts_in(plan: Plan, identity: Mapping[str, Any] | None) -> tuple[RateStart, ...]:
    """Returns the first rates in the identity of a stored plan; empty if it has other optimizers or schedules."""
    entries = (identity or {}).get("auto", ())
    starts = tuple(RateStart(entry["name"], tuple(entry["rates"]), entry["reason"]) for entry in entries)
    return starts if [start.name for start in starts] == [case.name for case in plan.cases] else ()


def with_rates(plan: Plan, starts: Sequence[RateStart]) -> Plan:
    """Returns the plan with a case for every rate that may be tried."""
    cases = [at_rate(case, rate) for case, start in zip(plan.cases, starts, strict=True) for rate in ladder(start)]
    return dataclasses.replace(plan, cases=tuple(cases), auto=False)


def ladder(start: RateStart) -> tuple[float, ...]:
    """Returns all rates that may be tried, ascending.

    Example:
        >>> ladder(RateStart("adam", (0.001, 0.0032)))
        (1e-06, 3.2e-06, 1e-05, 3.2e-05, 0.0001, 0.00032, 0.001, 0.0032, 0.01, 0.032, 0.1, 0.32, 1.0, 3.2)
    """
    more = range(1, BEYOND * TIMES + 1)
    below = [round_rate(start.rates[0] / HALF_DECADE**count) for count in reversed(more)]
    return (*below, *start.rates, *(round_rate(start.rates[-1] * HALF_DECADE**count) for count in more))


class Ladders:
    """The rates of each optimizer and schedule that are tried so far.

    Args:
        plan: Has a case for every rate.
        starts: The first rates.
    """

    def __init__(self, plan: Plan, starts: Sequence[RateStart]) -> None:
        self._plan = plan
        self._spans: list[tuple[range, range]] = []  # for each, all cases and those to try
        first = 0
        for start in starts:
            cases = range(first, first + len(ladder(start)))
            self._spans.append((cases, cases[BEYOND * TIMES : BEYOND * TIMES + len(start.rates)]))
            first = cases.stop

    @property
    def tried(self) -> list[int]:
        """The numbers of the cases to try."""
        return [case for _, tried in self._spans for case in tried]

    def widen(self, measurements: Mapping[RunKey, RunMeasurement]) -> list[int]:
        """Adds rates beyond each edge at which the best rate lies; returns the numbers of the new cases.

        There are none if no best rate is at an edge, or no rates are left.
        """
        before = set(self.tried)
        self._spans = [(cases, self._widen(cases, tried, measurements)) for cases, tried in self._spans]
        return [case for case in self.tried if case not in before]

    def _widen(self, cases: range, tried: range, measurements: Mapping[RunKey, RunMeasurement]) -> range:
        best = self._best(tried, measurements)
        low, high = tried.start, tried.stop
        if best == tried[0]:
            low = max(cases.start, low - BEYOND)
        elif best == tried[-1]:
            high = min(cases.stop, high + BEYOND)
        return range(low, high)

    def _best(self, tried: range, measurements: Mapping[RunKey, RunMeasurement]) -> int | None:
        """Returns the best case; the smallest rate if every run diverged or failed, None if every run failed."""
        best = verdict.decide([self._plan.scores(case, measurements) for case in tried], self._plan.mode).best
        if best is None:
            keys = [self._plan.key(case, seed) for case in tried for seed in self._plan.seeds]
            diverged = any(measurements[key].run.outcome != "failed" for key in keys)
            return tried[0] if diverged else None
        return tried[best]


def notes_of(starts: Sequence[RateStart]) -> list[str]:
    """Returns a warning for each optimizer and schedule for which `find` had no answer."""
    return [
        f"find gave no rate for {start.name!r}, so it started at {len(start.rates)} rates from {start.rates[0]:g} to "
        f"{start.rates[-1]:g}. {start.reason}"
        for start in starts
        if start.reason is not None
    ]


def round_rate(rate: float) -> float:
    """Rounds a rate to two significant digits."""
    return float(f"{rate:.2g}")


def _start(plan: Plan, case: PlannedCase, build: Callable[[], Any]) -> RateStart:
    """Returns the rates around the answer of `find` for a case without a rate."""
    try:
        rate, reason = _find(plan, case, build)
    except Exception as error:  # the comparison can start without an answer
        rate, reason = None, f"{type(error).__name__}: {error}"
    if rate is None:
        low, high = WIDE
        return RateStart(case.name, tuple(round_rate(rate) for rate in np.geomspace(10**low, 10**high, 9)), reason)
    steps = range(-AROUND, AROUND + 1)
    return RateStart(case.name, tuple(round_rate(rate * HALF_DECADE**step) for step in steps))


def _find(plan: Plan, case: PlannedCase, build: Callable[[], Any]) -> tuple[float | None, str]:
    shape = None if case.schedule is None else as_ours(case.schedule)
    with backends.random_state():
        keras.utils.set_random_seed(plan.seeds[0])
        model = build()
        plain = at_rate(dataclasses.replace(case, schedule=None, schedule_name=None), 0.001)
        machinery.replace_optimizer(model, plain.optimizer_for(model.optimizer))
        result = find_for("compare", model, **_training_data(plan), schedule=shape, verbose=0)
    rate = result.learning_rate
    return None if rate is None else rate / _peak(shape), result.reason


def _training_data(plan: Plan) -> dict[str, Any]:
    """Returns the data arguments of `find`: those of `fit` without the part to validate on."""
    names = ("x", "y", "sample_weight", "class_weight")
    data = {name: plan.data[name] for name in names} | {"batch_size": plan.batch_size}
    split = plan.data["validation_split"]
    if split:
        count = math.floor(data_checks.examples_of(data["x"]) * (1.0 - split))
        x, y, weights = data_checks.first_batch(data["x"], data["y"], data["sample_weight"], count)
        data |= {"x": x, "y": y, "sample_weight": weights}
    return data


def _peak(shape: Any) -> float:
    """Returns the highest value of the schedule that a rate multiplies."""
    if shape is None:
        return 1.0
    per_epoch, epochs = NOMINAL
    bound = shape.bind(steps_per_epoch=per_epoch, epochs=epochs) if shape.unbound else shape
    return float(bound.evaluate(np.arange(per_epoch * epochs)).max())
