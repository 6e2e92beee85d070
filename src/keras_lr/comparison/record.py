"""The result of `compare` as plain data: no pandas, no drawing."""

from __future__ import annotations

import dataclasses
import math

from keras_lr.comparison.case import Case, CaseRow


@dataclasses.dataclass(frozen=True)
class ComparisonRecord:
    """The cases with their runs, and the verdict.

    Attributes:
        metric: The metric that they are compared by, after the last epoch.
        mode: "min" where less is better, "max" where more is.
        cases: All cases, in the order of the plan.
        best_name: The name of the best case, or None.
        alike: The names of the other cases that can't be told from the best, from best to worst.
        reason: What the scores say, in a sentence or two.
        warnings: What to look at before trusting it.
        seeds: The seeds, common to all cases.
        epochs: Epochs of each run.
        batch_size: As it was passed to `fit`.
        template: The name of the function that built the models.
        engine: How the runs were made.
        engine_reason: Why so.
        versions: Of Python and of the packages.
        seconds: How long it took.
        prune: Which runs were cut, as it was passed.
        budget_seconds: How long it was allowed to take, or None.
    """

    metric: str
    mode: str
    cases: tuple[Case, ...]
    best_name: str | None
    alike: tuple[str, ...]
    reason: str
    warnings: tuple[str, ...]
    seeds: tuple[int, ...]
    epochs: int
    batch_size: int | None
    template: str
    engine: str
    engine_reason: str = dataclasses.field(compare=False)
    versions: dict[str, str]
    seconds: float = dataclasses.field(default=0.0, compare=False)
    prune: str | None = "divergence"
    budget_seconds: float | None = dataclasses.field(default=None, compare=False)

    @property
    def best(self) -> Case | None:
        """The best case, or None where no run has a score; `reason` says why."""
        return None if self.best_name is None else self._case(self.best_name)

    @property
    def indistinguishable(self) -> tuple[Case, ...]:
        """The other cases that can't be told from the best with these seeds, from best to worst."""
        return tuple(self._case(name) for name in self.alike)

    @property
    def ranked(self) -> tuple[Case, ...]:
        """All cases from best to worst: fewer runs without a score first, then the mean; last those that were not made."""
        sign = 1.0 if self.mode == "min" else -1.0

        def key(case: Case) -> tuple[bool, int, float]:
            reached = case.rungs[-1].epochs if case.rungs else 0
            return (
                not case.trained,
                case.lost if case.trained else -reached,
                math.inf if case.mean is None else sign * case.mean,
            )

        return tuple(sorted(self.cases, key=key))

    @property
    def not_run(self) -> int:
        """How many of the planned runs the budget left out."""
        return sum(case.not_run for case in self.cases)

    def verdict(self, case: Case) -> str:
        """What is said of a case: "best", "not told from the best", "worse", "diverged", "failed", "dropped" or "not run"."""
        if case.name == self.best_name:
            return "best"
        if case.name in self.alike:
            return "not told from the best"
        if case.mean is not None:
            return "worse"
        if case.dropped_after is not None:
            return "dropped"
        return "diverged" if case.diverged else "failed" if case.failed else "not run"

    def row(self, case: Case) -> CaseRow:
        """The row of a case in tables."""
        return CaseRow(case, self.verdict(case), self.epochs)

    @property
    def rows(self) -> list[CaseRow]:
        """The rows of all cases, from best to worst."""
        return [self.row(case) for case in self.ranked]

    def _case(self, name: str) -> Case:
        return next(case for case in self.cases if case.name == name)
