"""`learning_rates="auto"`: rates around the one that `find` gives, and more of them beyond an edge while the best is there.

All rates that may be tried are in the plan from the start, so that a run has the same place whenever it is made. What
`find` gave is in the store: a later call makes the same choices.
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

AROUND = 2  # rates on either side of the one that was found
BEYOND = 2  # rates beyond an edge, at a time
TIMES = 3  # that it may be widened to either side: three decades
WIDE = (-4.0, 0.0)  # decades of the rates where find gives none
HALF_DECADE = math.sqrt(10.0)


@dataclasses.dataclass(frozen=True)
class RateStart:
    """Where the rates of one optimizer and schedule start.

    Attributes:
        name: Of the optimizer and the schedule.
        rates: The first rates, ascending, half a decade apart.
        reason: Why `find` gave none, or None where it did.
    """

    name: str
    rates: tuple[float, ...]
    reason: str | None = None


def starts_of(plan: Plan, build: Callable[[], Any], there: Mapping[str, Any] | None) -> tuple[RateStart, ...]:
    """Where the rates of each optimizer and schedule start.

    Args:
        plan: A plan whose cases have no rates yet.
        build: Makes a compiled model.
        there: The identity of the plan in the store, whose choices hold; None where there is none.
    """
    stored = starts_in(plan, there)
    return stored or tuple(_found(plan, case, build) for case in plan.cases)


def starts_in(plan: Plan, there: Mapping[str, Any] | None) -> tuple[RateStart, ...]:
    """Where the rates started in the plan of a store; nothing where that has other optimizers or schedules."""
    known = tuple(RateStart(one["name"], tuple(one["rates"]), one["reason"]) for one in (there or {}).get("auto", ()))
    return known if [one.name for one in known] == [case.name for case in plan.cases] else ()


def with_rates(plan: Plan, starts: Sequence[RateStart]) -> Plan:
    """The plan with a case for every rate that may be tried."""
    cases = [at_rate(case, rate) for case, start in zip(plan.cases, starts, strict=True) for rate in ladder(start)]
    return dataclasses.replace(plan, cases=tuple(cases), auto=False)


def ladder(start: RateStart) -> tuple[float, ...]:
    """All rates that may be tried, ascending.

    Example:
        >>> ladder(RateStart("adam", (0.001, 0.0032)))
        (1e-06, 3.2e-06, 1e-05, 3.2e-05, 0.0001, 0.00032, 0.001, 0.0032, 0.01, 0.032, 0.1, 0.32, 1.0, 3.2)
    """
    more = range(1, BEYOND * TIMES + 1)
    below = [short(start.rates[0] / HALF_DECADE**count) for count in reversed(more)]
    return (*below, *start.rates, *(short(start.rates[-1] * HALF_DECADE**count) for count in more))


class Ladders:
    """Which rates of each optimizer and schedule are tried so far.

    Args:
        plan: The plan, with all rates.
        starts: Where each starts.
    """

    def __init__(self, plan: Plan, starts: Sequence[RateStart]) -> None:
        self._plan = plan
        self._spans: list[tuple[range, range]] = []  # the cases of each, and those that are tried
        first = 0
        for start in starts:
            cases = range(first, first + len(ladder(start)))
            self._spans.append((cases, cases[BEYOND * TIMES : BEYOND * TIMES + len(start.rates)]))
            first = cases.stop

    @property
    def tried(self) -> list[int]:
        """The numbers of the cases that are tried."""
        return [case for _, tried in self._spans for case in tried]

    def widen(self, found: Mapping[RunKey, RunMeasurement]) -> list[int]:
        """Goes on beyond the edges at which the best is.

        Args:
            found: The runs of all cases that are tried.

        Returns:
            The numbers of the new cases; none where no best is at an edge, or no rates are left.
        """
        before = set(self.tried)
        self._spans = [(cases, self._widened(cases, tried, found)) for cases, tried in self._spans]
        return [case for case in self.tried if case not in before]

    def _widened(self, cases: range, tried: range, found: Mapping[RunKey, RunMeasurement]) -> range:
        best = self._best(tried, found)
        low, high = tried.start, tried.stop
        if best == tried[0]:
            low = max(cases.start, low - BEYOND)
        elif best == tried[-1]:
            high = min(cases.stop, high + BEYOND)
        return range(low, high)

    def _best(self, tried: range, found: Mapping[RunKey, RunMeasurement]) -> int | None:
        """The best case; where every run diverged the smallest rate, and None where every run failed."""
        best = verdict.decide([self._plan.scores(case, found) for case in tried], self._plan.mode).best
        if best is None:
            keys = [self._plan.key(case, seed) for case in tried for seed in self._plan.seeds]
            diverged = any(found[key].run.outcome != "failed" for key in keys)
            return tried[0] if diverged else None
        return tried[best]


def notes_of(starts: Sequence[RateStart]) -> list[str]:
    """A sentence for each optimizer and schedule for which `find` gave no rate."""
    return [
        f"find gave no rate for {start.name!r}, so it started at {len(start.rates)} rates from {start.rates[0]:g} to "
        f"{start.rates[-1]:g}. {start.reason}"
        for start in starts
        if start.reason is not None
    ]


def short(rate: float) -> float:
    """A rate in two significant digits."""
    return float(f"{rate:.2g}")


def _found(plan: Plan, case: PlannedCase, build: Callable[[], Any]) -> RateStart:
    """The rates around what `find` gives for a case without a rate."""
    try:
        rate, reason = _asked(plan, case, build)
    except Exception as error:  # whatever is in the way of find, the comparison needs no answer of it
        rate, reason = None, f"{type(error).__name__}: {error}"
    if rate is None:
        low, high = WIDE
        return RateStart(case.name, tuple(short(rate) for rate in np.geomspace(10**low, 10**high, 9)), reason)
    places = range(-AROUND, AROUND + 1)
    return RateStart(case.name, tuple(short(rate * HALF_DECADE**place) for place in places))


def _asked(plan: Plan, case: PlannedCase, build: Callable[[], Any]) -> tuple[float | None, str]:
    shape = None if case.schedule is None else as_ours(case.schedule)
    with backends.random_state():
        keras.utils.set_random_seed(plan.seeds[0])
        model = build()
        plain = at_rate(dataclasses.replace(case, schedule=None, schedule_name=None), 0.001)
        machinery.replace_optimizer(model, plain.optimizer_for(model.optimizer))
        found = find_for("compare", model, **_training_data(plan), schedule=shape, verbose=0)
    rate = found.learning_rate
    return None if rate is None else rate / _peak(shape), found.reason


def _training_data(plan: Plan) -> dict[str, Any]:
    """The arguments of `find`: what `fit` trains on, without the part that it validates on."""
    names = ("x", "y", "sample_weight", "class_weight")
    data = {name: plan.data[name] for name in names} | {"batch_size": plan.batch_size}
    split = plan.data["validation_split"]
    if split:
        count = math.floor(data_checks.examples_of(data["x"]) * (1.0 - split))
        x, y, weights = data_checks.first_batch(data["x"], data["y"], data["sample_weight"], count)
        data |= {"x": x, "y": y, "sample_weight": weights}
    return data


def _peak(shape: Any) -> float:
    """The highest value of a schedule, which a rate multiplies."""
    if shape is None:
        return 1.0
    per_epoch, epochs = NOMINAL
    bound = shape.bind(steps_per_epoch=per_epoch, epochs=epochs) if shape.unbound else shape
    return float(bound.evaluate(np.arange(per_epoch * epochs)).max())
