"""One way to train in the record of a comparison, with its runs."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from keras_lr.comparison.statistics import verdict
from keras_lr.report import text

HEADER = ("case", "mean", "95 % interval", "difference to the best", "P(best)", "diverged", "verdict")
"""The header of `CaseRow.texts`."""
NOT_EXECUTED = ("not run", "dropped")
"""Outcomes of runs that were planned and not made."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One case trained with one seed.

    Attributes:
        seed: It set the initial weights, the order of the data and the dropout.
        outcome: "finished", "diverged", "failed" where an exception was raised, "not run" where the budget ended before it,
            or "dropped" where its case was not good enough in a shorter rung.
        score: The metric after the last epoch; None where the run did not finish.
        history: What `fit` logged after each epoch, by name; "learning_rate" is the rate of the epoch's last update.
        diverged_at: The epoch and the update in it, counted from 0, that diverged; or None.
        seconds: How long it took. Two runs that differ in nothing else are equal.
        error: Of a failed run what was raised, in a line, and its traceback below; or None.
        counts: Whether the statistics use it. They leave out the seeds that the budget did not let all cases have.
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
        # One NaN for all, so that equal histories are equal.
        one = {name: tuple(math.nan if math.isnan(v) else v for v in values) for name, values in self.history.items()}
        object.__setattr__(self, "history", one)


@dataclasses.dataclass(frozen=True)
class Rung:
    """The runs of a case in a shorter comparison, whose schedules were shortened with it.

    Attributes:
        epochs: Epochs of each of its runs.
        runs: The runs, one a seed. Their scores tell nothing of those after all epochs.
    """

    epochs: int
    runs: tuple[Run, ...]


@dataclasses.dataclass(frozen=True)
class Case:
    """One way to train, over all seeds.

    Attributes:
        name: The names of its optimizer, schedule and rate, as far as they were compared.
        learning_rate: The rate; None where a schedule alone gives it.
        optimizer: The optimizer's config, for `keras.optimizers.deserialize`.
        schedule: The name of its schedule, or None.
        code: Python that makes the optimizer.
        mean: Mean of the metric after the last epoch over the runs that finished, or None.
        interval: 95 % t-interval of that mean; None with fewer than two such runs.
        difference: Mean difference to the best case over their common seeds; None for the best.
        difference_interval: 95 % t-interval of that difference, or None.
        learning_rates: The rate of every update, of the run that went furthest.
        runs: The runs, one a seed.
        p_best: The probability that its true mean is the best, among the cases with the fewest diverged runs; 0 for the
            others, None where fewer than two seeds are common or it was dropped.
        rungs: Of `prune="halving"`, the shorter rungs that it was in.
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
        """How many of its runs ended without a finite score, but for those that failed."""
        return sum(run.score is None and run.outcome in ("finished", "diverged") for run in self.runs)

    @property
    def failed(self) -> int:
        """How many of its runs were ended by an exception."""
        return sum(run.outcome == "failed" for run in self.runs)

    @property
    def not_run(self) -> int:
        """How many of its runs the budget left out."""
        return sum(run.outcome == "not run" for run in self.runs)

    @property
    def dropped_after(self) -> int | None:
        """The epochs of the shorter rung in which it was not good enough, or None."""
        dropped = any(run.outcome == "dropped" for run in self.runs)
        return self.rungs[-1].epochs if dropped and self.rungs else None

    @property
    def trained(self) -> bool:
        """Whether any of its runs was made."""
        return any(run.outcome not in NOT_EXECUTED for run in self.runs)

    @property
    def lost(self) -> int:
        """How many of the runs that count diverged or failed."""
        return sum(run.score is None and run.outcome not in NOT_EXECUTED for run in self.runs if run.counts)

    @property
    def scores(self) -> dict[int, float]:
        """The metric after the last epoch, by seed, of the runs that finished and count."""
        return {run.seed: run.score for run in self.runs if run.score is not None and run.counts}

    def curve(self, metric: str) -> verdict.MeanCurve:
        """The mean of a metric over the runs that finished and count, epoch by epoch, with its t-interval."""
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
        case: The case.
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
        low, high = case.interval or (None, None)
        difference_low, difference_high = case.difference_interval or (None, None)
        numbers = {"mean": case.mean, "low": low, "high": high, "difference": case.difference}
        numbers |= {"difference_low": difference_low, "difference_high": difference_high, "p_best": case.p_best}
        return {
            "case": case.name,
            "optimizer": case.optimizer_name,
            "schedule": case.schedule,
            **{name: _number(value) for name, value in {"learning_rate": case.learning_rate, **numbers}.items()},
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
