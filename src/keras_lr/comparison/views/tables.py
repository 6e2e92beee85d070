"""A comparison as tables beside that of its cases: how sensitive it is to the rate, where it breaks, how fast it is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_lr.comparison.statistics import stability, time_to_target

if TYPE_CHECKING:
    import pandas

    from keras_lr.comparison.case import Case, Run
    from keras_lr.comparison.record import Comparison

Family = tuple[str | None, str | None]
"""An optimizer and a schedule, by name."""


@dataclasses.dataclass(frozen=True)
class Rates:
    """What the rates of one optimizer and schedule show.

    Attributes:
        optimizer: Its name, or None.
        schedule: Its name, or None.
        rates: How many were tried.
        decades: How far they span.
        best_rate: The rate of the best case, or None.
        best_mean: Its mean.
        largest_stable: The largest rate that is stable with all smaller ones, or None.
        smallest_unstable: The smallest that isn't, or None.
        margin: largest_stable / best_rate.
        sensitivity: The mean excess over best_mean, in units of the metric.
    """

    optimizer: str | None
    schedule: str | None
    rates: int
    decades: float
    best_rate: float | None
    best_mean: float | None
    largest_stable: float | None
    smallest_unstable: float | None
    margin: float | None
    sensitivity: float | None


def families(cases: Sequence[Case]) -> dict[Family, list[Case]]:
    """Cases by optimizer and schedule, each in the order given."""
    found: dict[Family, list[Case]] = {}
    for case in cases:
        found.setdefault((case.optimizer_name, case.schedule), []).append(case)
    return found


def grids(cases: Sequence[Case], every: bool = False) -> dict[Family, list[Case]]:
    """The families with two rates or more, each with its rates in ascending order.

    Args:
        cases: The cases.
        every: Whether those count too that were not trained for all epochs.
    """
    rated = families([case for case in cases if case.learning_rate is not None and (every or case.trained)])
    return {
        family: sorted(members, key=_rate)
        for family, members in rated.items()
        if len({case.learning_rate for case in members}) > 1
    }


def stability_of(cases: Sequence[Case], metric: str, mode: str) -> stability.Stability:
    """Up to which rate the cases of one family are stable, by their training loss or else the metric."""
    loss = all("loss" in run.history for case in cases for run in case.runs if run.seed in case.scores)
    name, sign = ("loss", 1.0) if loss else (metric, 1.0 if mode == "min" else -1.0)
    return stability.stability([_tried(case, name, sign) for case in cases])


def rates_of(result: Comparison) -> list[Rates]:
    """What the rates of each optimizer and schedule show, where it has a grid of them."""
    cap = stability.worst_of([case.mean for case in result.cases if case.mean is not None], result.mode)
    return [_rates_of(result, cases, cap) for cases in grids(result.cases).values()]


def stability_table(result: Comparison) -> pandas.DataFrame:
    """A row for each optimizer and schedule that has a grid of rates."""
    import pandas

    columns = ["optimizer", "schedule", "best_rate", "largest_stable", "smallest_unstable", "margin"]
    rows = [[getattr(rates, column) for column in columns] for rates in rates_of(result)]
    numbers = dict.fromkeys(columns[2:], float)
    return pandas.DataFrame(rows, columns=columns).astype(numbers)


def sensitivity_table(result: Comparison) -> pandas.DataFrame:
    """A row for each optimizer and schedule that has a grid of rates, the least sensitive first."""
    import pandas

    columns = ["optimizer", "schedule", "rates", "decades", "best_mean", "sensitivity"]
    rows = [[getattr(rates, column) for column in columns] for rates in rates_of(result)]
    table = pandas.DataFrame(rows, columns=columns).astype({"best_mean": float, "sensitivity": float})
    return table.sort_values("sensitivity", kind="stable", ignore_index=True)


def time_to_table(result: Comparison, target: float, metric: str, mode: str) -> pandas.DataFrame:
    """A row a case, the fastest first."""
    import pandas

    columns = ["case", "runs", "reached", "median", "low", "high", "median_seconds"]
    rows = []
    for case in result.ranked:
        runs = [run for run in case.runs if run.outcome in ("finished", "diverged") and run.counts]
        found = [time_to_target.reached_at(run.history.get(metric, ()), target, mode) for run in runs]
        epochs = [math.inf if epoch is None else float(epoch) for epoch in found]
        seconds = [_seconds(run, epoch) for run, epoch in zip(runs, found, strict=True)]
        low, high = time_to_target.median_interval(epochs) or (None, None)
        reached = sum(epoch is not None for epoch in found)
        middle = (time_to_target.median(epochs), _cell(low), _cell(high), time_to_target.median(seconds))
        rows.append([case.name, len(runs), reached, *middle])
    return pandas.DataFrame(rows, columns=columns).sort_values("median", kind="stable", ignore_index=True)


def near_divergence(cases: Sequence[Case], best: Case) -> str | None:
    """A sentence where runs diverged at up to twice the best rate, with its optimizer and schedule."""
    if best.learning_rate is None:
        return None
    family = (best.optimizer_name, best.schedule)
    lost = [case for case in grids(cases).get(family, ()) if case.diverged and _rate(case) > best.learning_rate]
    if not lost or _rate(lost[0]) > 2.0 * best.learning_rate * (1.0 + 1e-9):
        return None
    count, rate = lost[0].diverged, _rate(lost[0])
    return (
        f"The best learning rate, {best.learning_rate:g}, is within a factor of 2 of {rate:g}, where {count} of "
        f"{len(lost[0].runs)} runs diverged: with other seeds it may diverge too. Look at smaller ones that can't be told from it."
    )


def _rates_of(result: Comparison, cases: Sequence[Case], cap: float | None) -> Rates:
    own = {case.name for case in cases}
    best = next((case for case in result.ranked if case.name in own and case.mean is not None), None)
    stable = stability_of(cases, result.metric, result.mode)
    rates = [_rate(case) for case in cases]
    values = [None if case.diverged else case.mean for case in cases]
    return Rates(
        optimizer=cases[0].optimizer_name,
        schedule=cases[0].schedule,
        rates=len(rates),
        decades=math.log10(rates[-1] / rates[0]),
        best_rate=None if best is None else best.learning_rate,
        best_mean=None if best is None else best.mean,
        largest_stable=stable.largest,
        smallest_unstable=stable.unstable,
        margin=None if best is None or stable.largest is None else stable.largest / _rate(best),
        sensitivity=stability.sensitivity(rates, values, result.mode, cap),
    )


def _tried(case: Case, name: str, sign: float) -> stability.Tried:
    began = {run.seed: sign * run.history[name][0] for run in case.runs if run.history.get(name)}
    ended = {
        run.seed: sign * run.history[name][-1] for run in case.runs if run.seed in case.scores and name in run.history
    }
    first = {seed: loss for seed, loss in began.items() if math.isfinite(loss)}
    return stability.Tried(_rate(case), first, ended, case.diverged)


def _seconds(run: Run, epoch: int | None) -> float:
    """The share of the run's time up to an epoch; NaN where no time was recorded."""
    if epoch is None:
        return math.inf
    epochs = max(len(values) for values in run.history.values())
    return run.seconds * epoch / epochs if run.seconds > 0.0 else math.nan


def _rate(case: Case) -> float:
    return case.learning_rate or 0.0


def _cell(value: Any) -> float:
    return math.nan if value is None else float(value)
