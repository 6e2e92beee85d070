"""Further tables of a comparison: sensitivity to the learning rate, stability, and time to a target."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_lr.comparison.statistics import stability, time_to_target

if TYPE_CHECKING:
    import pandas

    from keras_lr.comparison.case import Case, Run
    from keras_lr.comparison.record import ComparisonRecord

Family = tuple[str | None, str | None]
"""The names of an optimizer and a schedule."""


@dataclasses.dataclass(frozen=True)
class RateStatistics:
    """The statistics of one optimizer and schedule over their grid of rates.

    Attributes:
        optimizer: The optimizer's name, or None.
        schedule: The schedule's name, or None.
        rates: How many rates the grid has.
        decades: Their span, log10(largest / smallest).
        best_rate: The rate of the best case, or None.
        best_mean: The mean of the best case, or None.
        largest_stable: The largest rate that is stable together with all smaller ones, or None.
        smallest_unstable: The smallest unstable rate, or None.
        margin: largest_stable / best_rate, or None.
        sensitivity: The mean excess over best_mean, in units of the metric, or None.
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


def family_of(case: Case) -> Family:
    """Returns the family of a case."""
    return case.optimizer_name, case.schedule


def families(cases: Sequence[Case]) -> dict[Family, list[Case]]:
    """Groups cases by optimizer and schedule; keeps their order."""
    groups: dict[Family, list[Case]] = {}
    for case in cases:
        groups.setdefault(family_of(case), []).append(case)
    return groups


def grids(cases: Sequence[Case], every: bool = False) -> dict[Family, list[Case]]:
    """Returns the families with at least two rates, each with its cases by ascending rate.

    Args:
        cases: Those to group; the ones without a rate are left out.
        every: Whether to include cases that were not trained for all epochs.
    """
    rated = families([case for case in cases if case.learning_rate is not None and (every or case.trained)])
    return {
        family: sorted(members, key=_rate)
        for family, members in rated.items()
        if len({case.learning_rate for case in members}) > 1
    }


def stability_of(cases: Sequence[Case], metric: str, mode: str) -> stability.Stability:
    """Finds the largest stable rate of a family, by the training loss, or by the metric if no loss was logged."""
    loss = all("loss" in run.history for case in cases for run in case.runs if run.seed in case.scores)
    name, sign = ("loss", 1.0) if loss else (metric, 1.0 if mode == "min" else -1.0)
    return stability.stability([_rate_outcome(case, name, sign) for case in cases])


def rate_statistics(result: ComparisonRecord) -> list[RateStatistics]:
    """Returns the statistics of each optimizer and schedule that has a grid of rates."""
    cap = stability.worst_of([case.mean for case in result.cases if case.mean is not None], result.mode)
    return [_rate_statistics(result, cases, cap) for cases in grids(result.cases).values()]


def stability_table(result: ComparisonRecord) -> pandas.DataFrame:
    """Builds a table with a row for each optimizer and schedule that has a grid of rates."""
    numbers = ["best_rate", "largest_stable", "smallest_unstable", "margin"]
    return _rate_table(result, ["optimizer", "schedule", *numbers]).astype(dict.fromkeys(numbers, float))


def sensitivity_table(result: ComparisonRecord) -> pandas.DataFrame:
    """Builds a table with a row for each optimizer and schedule that has a grid of rates, the least sensitive first."""
    table = _rate_table(result, ["optimizer", "schedule", "rates", "decades", "best_mean", "sensitivity"])
    table = table.astype({"best_mean": float, "sensitivity": float})
    return table.sort_values("sensitivity", kind="stable", ignore_index=True)


def time_to_table(result: ComparisonRecord, target: float, metric: str, mode: str) -> pandas.DataFrame:
    """Builds a table with a row for each case, the fastest first."""
    import pandas

    columns = ["case", "runs", "reached", "median", "low", "high", "median_seconds"]
    rows = []
    for case in result.ranked:
        runs = [run for run in case.runs if run.outcome in ("finished", "diverged") and run.counts]
        reached = [time_to_target.reached_at(run.history.get(metric, ()), target, mode) for run in runs]
        epochs = [math.inf if epoch is None else float(epoch) for epoch in reached]
        seconds = [_seconds(run, epoch) for run, epoch in zip(runs, reached, strict=True)]
        interval = time_to_target.median_interval(epochs) or (math.nan, math.nan)
        medians = (time_to_target.median(epochs), *map(float, interval), time_to_target.median(seconds))
        rows.append([case.name, len(runs), sum(epoch is not None for epoch in reached), *medians])
    return pandas.DataFrame(rows, columns=columns).sort_values("median", kind="stable", ignore_index=True)


def near_divergence(cases: Sequence[Case], best: Case) -> str | None:
    """Returns a warning if runs diverged at up to twice the best rate, with the same optimizer and schedule."""
    if best.learning_rate is None:
        return None
    lost = [
        case for case in grids(cases).get(family_of(best), ()) if case.diverged and _rate(case) > best.learning_rate
    ]
    if not lost or _rate(lost[0]) > 2.0 * best.learning_rate * (1.0 + 1e-9):
        return None
    count, rate = lost[0].diverged, _rate(lost[0])
    return (
        f"The best learning rate, {best.learning_rate:g}, is within a factor of 2 of {rate:g}, where {count} of "
        f"{len(lost[0].runs)} runs diverged: with other seeds it may diverge too. Consider smaller rates that are "
        "indistinguishable from it."
    )


def _rate_table(result: ComparisonRecord, columns: list[str]) -> pandas.DataFrame:
    import pandas

    rows = [[getattr(statistics, column) for column in columns] for statistics in rate_statistics(result)]
    return pandas.DataFrame(rows, columns=columns)


def _rate_statistics(result: ComparisonRecord, cases: Sequence[Case], cap: float | None) -> RateStatistics:
    own = {case.name for case in cases}
    best = next((case for case in result.ranked if case.name in own and case.mean is not None), None)
    stable = stability_of(cases, result.metric, result.mode)
    rates = [_rate(case) for case in cases]
    values = [None if case.diverged else case.mean for case in cases]
    return RateStatistics(
        *family_of(cases[0]),
        rates=len(rates),
        decades=math.log10(rates[-1] / rates[0]),
        best_rate=None if best is None else best.learning_rate,
        best_mean=None if best is None else best.mean,
        largest_stable=stable.largest,
        smallest_unstable=stable.unstable,
        margin=None if best is None or stable.largest is None else stable.largest / _rate(best),
        sensitivity=stability.sensitivity(rates, values, result.mode, cap),
    )


def _rate_outcome(case: Case, name: str, sign: float) -> stability.RateOutcome:
    losses = {run.seed: [sign * loss for loss in run.history[name]] for run in case.runs if run.history.get(name)}
    first = {seed: values[0] for seed, values in losses.items() if math.isfinite(values[0])}
    last = {seed: values[-1] for seed, values in losses.items() if seed in case.scores}
    return stability.RateOutcome(_rate(case), first, last, case.diverged)


def _seconds(run: Run, epoch: int | None) -> float:
    """Returns the run's time up to an epoch, as a share of its total; NaN if no time was recorded."""
    if epoch is None:
        return math.inf
    epochs = max(len(values) for values in run.history.values())
    return run.seconds * epoch / epochs if run.seconds > 0.0 else math.nan


def _rate(case: Case) -> float:
    return case.learning_rate or 0.0
