"""The result of `compare` as plain data: no pandas, no drawing."""

from __future__ import annotations

import dataclasses
import math

from keras_lr.comparison.case import Case, CaseRow


@dataclasses.dataclass(frozen=True)
class ComparisonRecord:
    """The cases with their runs, and the verdict.

    Attributes:
        metric: The metric to compare after the last epoch.
        mode: "min" if less is better, "max" if more is.
        cases: All cases, in the order of the plan.
        best_name: The name of the best case, or None.
        alike: The names of the other cases that are indistinguishable from the best, from best to worst.
        reason: The verdict in a sentence or two.
        warnings: What to check before you trust the verdict.
        seeds: Those that every case was planned with.
        epochs: Epochs of each run.
        batch_size: As for `fit`.
        template: The name of `build_model`.
        engine: The engine that executed the runs.
        engine_reason: Why this engine.
        versions: Of Python and of the packages.
        seconds: The time of the call.
        prune: As in `compare`.
        budget_seconds: As in `compare`.
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
        """The best case; None if no run has a score, and `reason` says why."""
        return None if self.best_name is None else self._case(self.best_name)

    @property
    def indistinguishable(self) -> tuple[Case, ...]:
        """The other cases that are indistinguishable from the best with these seeds, from best to worst."""
        return tuple(self._case(name) for name in self.alike)

    @property
    def ranked(self) -> tuple[Case, ...]:
        """All cases from best to worst: by the runs without a score, then by the mean; at the end those not trained."""
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
        """The number of planned runs that the budget left out."""
        return sum(case.not_run for case in self.cases)

    def verdict(self, case: Case) -> str:
        """Returns "best", "indistinguishable", "worse", "diverged", "failed", "dropped" or "not run"."""
        if case.name == self.best_name:
            return "best"
        if case.name in self.alike:
            return "indistinguishable"
        if case.mean is not None:
            return "worse"
        if case.dropped_after is not None:
            return "dropped"
        return "diverged" if case.diverged else "failed" if case.failed else "not run"

    def row(self, case: Case) -> CaseRow:
        """Returns the row of a case in tables."""
        return CaseRow(case, self.verdict(case), self.epochs)

    @property
    def rows(self) -> list[CaseRow]:
        """The rows of all cases, from best to worst."""
        return [self.row(case) for case in self.ranked]

    def _case(self, name: str) -> Case:
        return next(case for case in self.cases if case.name == name)
