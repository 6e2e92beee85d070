"""What `compare` answers: a frozen record that can be asked, drawn, saved and loaded without training again."""

from __future__ import annotations

import dataclasses
import math
import os
from typing import TYPE_CHECKING, Any

from keras_lr.comparison.case import Case
from keras_lr.core import records
from keras_lr.core.errors import ArgumentError
from keras_lr.report import text

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure as Picture


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The cases with their scores, and what can be said of them.

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

    def table(self) -> pandas.DataFrame:
        """A pandas table, a row a case, from best to worst.

        Returns:
            Columns: case, optimizer, schedule, learning_rate, mean, low, high (of the metric's 95 % t-interval),
            difference, difference_low, difference_high (to the best, paired by seed), p_best, runs, diverged, failed,
            not_run, dropped_after (epochs of the rung, or NaN), verdict.
        """
        import pandas

        return pandas.DataFrame([self._row(case) for case in self.ranked])

    def curves(self, metric: str | None = None) -> pandas.DataFrame:
        """A metric epoch by epoch: the mean over the runs that finished, with its 95 % t-interval.

        Args:
            metric: Its name in `History`, such as "loss" or "learning_rate". Default: the metric compared by.

        Returns:
            A pandas table with the columns case, epoch (from 1), mean, low, high.

        Raises:
            ArgumentError: No run has logged it.
        """
        import pandas

        metric = self._logged("curves", metric)
        rows = []
        for case in self.cases:
            curve = case.curve(metric)
            gaps = (math.nan,) * len(curve.epochs)
            columns = (curve.epochs, curve.mean, curve.low or gaps, curve.high or gaps)
            rows += [(case.name, *values) for values in zip(*columns, strict=True)]
        return pandas.DataFrame(rows, columns=["case", "epoch", "mean", "low", "high"])

    def sensitivity(self) -> pandas.DataFrame:
        """What a rate that is off costs, for each optimizer and schedule that has two rates or more.

        The metric's excess over its best, averaged over decades of rate: 1 / log10(r_n / r_1) * integral of
        |m(r) - m_best| d log10(r). A rate at which a run diverged counts as the worst mean of all cases, and so does a
        mean loss of over ten times the median.

        Returns:
            A pandas table with the columns optimizer, schedule, rates (how many), decades (that they span), best_mean and
            sensitivity, the least sensitive first.

        References:
            Wortsman et al., "Small-scale proxies for large-scale Transformer training instabilities", 2023.
        """
        from keras_lr.comparison.views.tables import sensitivity_table

        return sensitivity_table(self)

    def stability(self) -> pandas.DataFrame:
        """Up to which rate training is stable, for each optimizer and schedule that has two rates or more.

        A rate is stable when no run diverged, and none ended with a training loss above the one that the smallest rate
        had after its first epoch, with the same seed. The largest stable rate is stable with all smaller ones.

        Returns:
            A pandas table with the columns optimizer, schedule, best_rate, largest_stable, smallest_unstable (NaN where
            there is none) and margin, which is largest_stable / best_rate.
        """
        from keras_lr.comparison.views.tables import stability_table

        return stability_table(self)

    def time_to(self, target: float, metric: str | None = None) -> pandas.DataFrame:
        """How many epochs it takes until the metric first is as good as the target.

        A run that never gets there is censored: it counts as infinity.

        Args:
            target: The value to reach.
            metric: Its name in `History`. Default: the metric compared by.

        Returns:
            A pandas table with the columns case, runs, reached (how many of them), median (epochs, infinity where half
            of the runs or more never got there), low, high (its 95 % interval, which needs 6 runs) and median_seconds
            (the epoch's share of a run's time), the fastest first.

        Raises:
            ArgumentError: No run has logged the metric, or the target isn't finite.
        """
        from keras_lr.comparison.planning.plan import direction
        from keras_lr.comparison.views.tables import time_to_table
        from keras_lr.core import checks

        name = self._logged("time_to", metric)
        mode = self.mode if name == self.metric else direction(name, "auto")
        return time_to_table(self, checks.finite("time_to", target=target), name, mode)

    def plot(self, path: str | os.PathLike[str] | None = None, *, kind: str = "curves") -> Picture:
        """Draws the metric against the epoch, and after the last epoch against the learning rate.

        Args:
            path: A file to write, `.png`, `.svg` or `.pdf`.
            kind: "curves", or "heatmap" for the metric after the last epoch as colours, the rates beside each other and
                the optimizers and schedules below each other.

        Returns:
            The matplotlib figure.

        Raises:
            ArgumentError: There is no heat map of a single rate, or of a single optimizer and schedule.
        """
        from keras_lr.comparison.views.figures import figure_of
        from keras_lr.comparison.views.heatmap import heatmap_of
        from keras_lr.core import checks
        from keras_lr.report.draw import draw

        checks.one_of("plot", ["curves", "heatmap"], kind=kind)
        figure = heatmap_of(self) if kind == "heatmap" else figure_of(self)
        if figure is None:
            rule = "a heat map needs two rates or more, and two optimizers or schedules or more that have them"
            raise ArgumentError("plot", rule, "Leave it out to draw curves", kind=kind)
        return draw(figure, path)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Writes one HTML file with the picture, the table, and all that is needed to do it again.

        Args:
            path: The file. It needs no other file and no network.
        """
        import pathlib

        from keras_lr.comparison.views.page import page_of

        pathlib.Path(path).write_text(page_of(self), encoding="utf-8")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes it as JSON, whole or not at all."""
        records.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Comparison:
        """Reads what `save` wrote."""
        return records.load(cls, path)

    def _logged(self, where: str, metric: str | None) -> str:
        """The metric, which some run must have logged."""
        known = sorted({name for case in self.cases for run in case.runs for name in run.history})
        name = self.metric if metric is None else metric
        if name not in known:
            raise ArgumentError(where, "no run has logged it", f"Pass one of {', '.join(known)}", metric=name)
        return name

    def _case(self, name: str) -> Case:
        return next(case for case in self.cases if case.name == name)

    def _row(self, case: Case) -> dict[str, Any]:
        low, high = case.interval or (None, None)
        difference_low, difference_high = case.difference_interval or (None, None)
        return {
            "case": case.name,
            "optimizer": case.optimizer_name,
            "schedule": case.schedule,
            "learning_rate": _cell(case.learning_rate),
            "mean": _cell(case.mean),
            "low": _cell(low),
            "high": _cell(high),
            "difference": _cell(case.difference),
            "difference_low": _cell(difference_low),
            "difference_high": _cell(difference_high),
            "p_best": _cell(case.p_best),
            "runs": len(case.runs),
            "diverged": case.diverged,
            "failed": case.failed,
            "not_run": case.not_run,
            "dropped_after": _cell(case.dropped_after),
            "verdict": self.verdict(case),
        }

    def _repr_html_(self) -> str:
        from keras_lr.comparison.views.page import fragment_of

        return fragment_of(self)

    def __repr__(self) -> str:
        size = f"{len(self.cases)} cases x {len(self.seeds)} seeds by {self.metric!r}"
        return f"<Comparison of {size}, best: {self.best_name!r}>"

    def __str__(self) -> str:
        from keras_lr.comparison.views.page import HEADER, row_of

        rows = text.table([*HEADER], [row_of(self, case) for case in self.ranked])
        return "\n\n".join([self.reason, rows, *self.warnings])


def _cell(value: float | None) -> float:
    return math.nan if value is None else value
