"""A case of a comparison with its runs, and its row in tables."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from keras_lr.comparison.statistics import verdict
from keras_lr.report import text

HEADER = ("case", "mean", "95 % interval", "difference to the best", "P(best)", "diverged", "verdict")
"""The header of `CaseRow.texts`."""
NOT_EXECUTED = ("not run", "dropped")
"""Outcomes of runs that were planned and not executed."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One case trained with one seed.

    Attributes:
        seed: Sets the initial weights, the order of the data and the dropout.
        outcome: "finished", "diverged", "failed" after an exception, "not run" if the budget left it out, or "dropped" if its
            case was dropped in a shorter rung.
        score: The metric after the last epoch; None if the run did not finish.
        history: The logs of `fit` after each epoch, by name; "learning_rate" is the rate of the epoch's last update.
        diverged_at: The epoch and its update, counted from 0, at which the loss was not finite; or None.
        seconds: The wall time. It does not count for equality.
        error: The exception of a failed run in a line, and its traceback below; or None.
        counts: Whether the statistics use it. They use the seeds that all cases have.
    """

    seed: int
    outcome: str
    score: float | None
    history: dict[str, tuple[float, ...]]
    diverged_at: tuple[int, int | None] | None = None
    seconds: float = dataclasses.field(default=0.0, compare=False)
    error: str | None = None
    counts: bool = True

    def __post_init__(self) -> None:
        # One NaN object for all, so that equal histories compare as equal.
        items = self.history.items()
        history = {name: tuple(math.nan if math.isnan(v) else v for v in values) for name, values in items}
        object.__setattr__(self, "history", history)


@dataclasses.dataclass(frozen=True)
class Rung:
    """The runs of a case in a shorter round of successive halving.

    Attributes:
        epochs: Epochs of each run.
        runs: One for each seed. Their scores can't be compared with those after all epochs.
    """

    epochs: int
    runs: tuple[Run, ...]


@dataclasses.dataclass(frozen=True)
class Case:
    """One way to train, over all seeds.

    Attributes:
        name: The names of the optimizer, the schedule and the rate that distinguish it.
        learning_rate: The rate; None if a schedule alone sets it.
        optimizer: The config, for `keras.optimizers.deserialize`.
        schedule: The name of the schedule, or None.
        code: Python that builds the optimizer.
        mean: Mean of the metric after the last epoch over the runs that finished, or None.
        interval: 95 % t-interval of that mean; None with fewer than two such runs.
        difference: Mean difference to the best case over their common seeds; None for the best.
        difference_interval: 95 % t-interval of that difference, or None.
        learning_rates: The rate of every update of the longest run.
        runs: One for each seed.
        optimizer_name: The name of the optimizer or of its class.
        p_best: The probability that its true mean is the best, among the cases with the fewest diverged runs; 0 for the
            others, None if it was dropped or fewer than two seeds are common.
        rungs: With `prune="halving"`, the shorter rungs that it was in.
    """

    name: str
    learning_rate: float | None
    optimizer: dict[str, Any]
    schedule: str | None
    code: str
    mean: float | None
    interval: tuple[float, float] | None
    difference: float | None
    difference_interval: tuple[float, float] | None
    learning_rates: tuple[float, ...]
    runs: tuple[Run, ...]
    optimizer_name: str | None = None
    p_best: float | None = None
    rungs: tuple[Rung, ...] = ()

    @property
    def diverged(self) -> int:
        """The number of runs that ended without a finite score, except those that failed."""
        return sum(run.score is None and run.outcome in ("finished", "diverged") for run in self.runs)

    @property
    def failed(self) -> int:
        """The number of runs that an exception ended."""
        return sum(run.outcome == "failed" for run in self.runs)

    @property
    def not_run(self) -> int:
        """The number of runs that the budget left out."""
        return sum(run.outcome == "not run" for run in self.runs)

    @property
    def dropped_after(self) -> int | None:
        """The epochs of the shorter rung in which it was dropped, or None."""
        dropped = any(run.outcome == "dropped" for run in self.runs)
        return self.rungs[-1].epochs if dropped and self.rungs else None

    @property
    def trained(self) -> bool:
        """Whether any run for all epochs was executed."""
        return any(run.outcome not in NOT_EXECUTED for run in self.runs)

    @property
    def lost(self) -> int:
        """The number of counting runs that diverged or failed."""
        return sum(run.score is None and run.outcome not in NOT_EXECUTED for run in self.runs if run.counts)

    @property
    def scores(self) -> dict[int, float]:
        """The metric after the last epoch, by seed, of the runs that finished and count."""
        return {run.seed: run.score for run in self.runs if run.score is not None and run.counts}

    def curve(self, metric: str) -> verdict.MeanCurve:
        """Returns the mean of a metric at each epoch over the runs that finished and count, with its t-interval."""
        return verdict.curve([run.history.get(metric, ()) for run in self.runs if run.seed in self.scores])

    def __repr__(self) -> str:
        spread = "" if self.interval is None else f", interval=({text.interval(self.interval).replace(' to ', ', ')})"
        others = {"failed": self.failed, "not_run": self.not_run, "dropped_after": self.dropped_after}
        lost = f"diverged={self.diverged}" + "".join(f", {name}={value}" for name, value in others.items() if value)
        return f"<Case {self.name!r}: mean={text.measured(self.mean, self.interval)}{spread}, {lost}>"


@dataclasses.dataclass(frozen=True)
class CaseRow:
    """A case as a row of a table: of pandas, of a page or of the command line.

    Attributes:
        case: Gives the numbers.
        verdict: "best", "worse", "dropped" and the like.
        epochs: Epochs of each run of the comparison.
    """

    case: Case
    verdict: str
    epochs: int

    @property
    def values(self) -> dict[str, Any]:
        """The row as numbers, by the columns of `Comparison.table`; NaN for what is missing."""
        case = self.case
        low, high = case.interval or (math.nan, math.nan)
        difference_low, difference_high = case.difference_interval or (math.nan, math.nan)
        return {
            "case": case.name,
            "optimizer": case.optimizer_name,
            "schedule": case.schedule,
            "learning_rate": _number(case.learning_rate),
            "mean": _number(case.mean),
            "low": low,
            "high": high,
            "difference": _number(case.difference),
            "difference_low": difference_low,
            "difference_high": difference_high,
            "p_best": _number(case.p_best),
            "runs": len(case.runs),
            "diverged": case.diverged,
            "failed": case.failed,
            "not_run": case.not_run,
            "dropped_after": _number(case.dropped_after),
            "verdict": self.verdict,
        }

    @property
    def texts(self) -> list[str]:
        """The row as texts under `HEADER`."""
        case, after = self.case, self.case.dropped_after
        return [
            case.name,
            text.measured(case.mean, case.interval),
            text.interval(case.interval),
            self._difference,
            text.MISSING if case.p_best is None else f"{case.p_best:.2f}",
            self._lost,
            self.verdict if after is None else f"dropped after the rung of {after} of {self.epochs} epochs",
        ]

    @property
    def _difference(self) -> str:
        mean, interval = self.case.difference, self.case.difference_interval
        if mean is None or interval is None:
            return text.number(mean)
        return f"{text.measured(mean, interval)} ({text.interval(interval)})"

    @property
    def _lost(self) -> str:
        """How many runs diverged, failed and were not executed."""
        case = self.case
        executed = sum(run.outcome not in NOT_EXECUTED for run in case.runs)
        parts = [f"{case.diverged} of {executed}"] if executed else []
        counts = {"failed": case.failed, "not run": case.not_run}
        return ", ".join([*parts, *(f"{count} {word}" for word, count in counts.items() if count)]) or text.MISSING


def _number(value: float | None) -> float:
    return math.nan if value is None else value
