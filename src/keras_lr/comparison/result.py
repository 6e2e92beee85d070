"""`Comparison`: the result of `compare`, to read, to draw, to save and to load without training again."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
from typing import TYPE_CHECKING

from keras_lr.comparison.case import HEADER
from keras_lr.comparison.planning.plan import direction
from keras_lr.comparison.record import ComparisonRecord
from keras_lr.comparison.views import tables
from keras_lr.comparison.views.figures import figure_of
from keras_lr.comparison.views.heatmap import heatmap_of
from keras_lr.comparison.views.page import fragment_of, page_of
from keras_lr.core import checks, records
from keras_lr.core.errors import ArgumentError
from keras_lr.report import text
from keras_lr.report.draw import draw

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure as Picture


@dataclasses.dataclass(frozen=True)
class Comparison(ComparisonRecord):
    """The result of `compare`: every case with its runs, the best case, and the cases that are indistinguishable from it.

    `ComparisonRecord` describes its attributes: `cases`, `reason`, `warnings`, `seeds` and more.
    """

    def table(self) -> pandas.DataFrame:
        """Returns a pandas table with a row for each case, from best to worst.

        Returns:
            Columns: case, optimizer, schedule, learning_rate; mean, low, high (95 % t-interval of the metric); difference,
            difference_low, difference_high (to the best, paired by seed); p_best; runs, diverged, failed, not_run,
            dropped_after (epochs of the rung, or NaN); verdict.
        """
        import pandas

        return pandas.DataFrame([row.values for row in self.rows])

    def curves(self, metric: str | None = None) -> pandas.DataFrame:
        """Returns a metric at each epoch: the mean over the runs that finished, with its 95 % t-interval.

        Args:
            metric: Its name in `History`, such as "loss" or "learning_rate". Default: the metric of the comparison.

        Returns:
            A pandas table with the columns case, epoch (from 1), mean, low, high.

        Raises:
            ArgumentError: No run logged it.
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
        """Returns the cost of a mistuned rate for each optimizer and schedule with at least two rates.

        It is the metric's excess over its best, averaged over decades of rate: 1 / log10(r_n / r_1) * integral of
        |m(r) - m_best| d log10(r). A rate with a diverged run counts as the worst mean of all cases, and so does a mean
        loss above ten times the median.

        Returns:
            A pandas table with the columns optimizer, schedule, rates (their number), decades (their span), best_mean and
            sensitivity, the least sensitive first.

        References:
            Wortsman et al., "Small-scale proxies for large-scale Transformer training instabilities", 2023.
        """
        return tables.sensitivity_table(self)

    def stability(self) -> pandas.DataFrame:
        """Returns the largest stable rate of each optimizer and schedule with at least two rates.

        A rate is stable if no run diverged, and no training loss ended above that of the smallest rate after its first
        epoch, with the same seed. All rates below the largest stable one are stable too.

        Returns:
            A pandas table with the columns optimizer, schedule, best_rate, largest_stable, smallest_unstable (or NaN) and
            margin = largest_stable / best_rate.
        """
        return tables.stability_table(self)

    def time_to(self, target: float, metric: str | None = None) -> pandas.DataFrame:
        """Returns the epochs until a metric first reaches a target.

        A run that never reaches it is censored: it counts as infinity.

        Args:
            target: A value of the metric.
            metric: Its name in `History`. Default: the metric of the comparison.

        Returns:
            A pandas table with a row for each case, the fastest first. The columns are case, runs, reached (the runs
            that reach it), median (in epochs), low, high (its 95 % interval, which needs 6 runs) and median_seconds.

        Raises:
            ArgumentError: No run logged the metric, or the target isn't finite.
        """
        name = self._logged("time_to", metric)
        mode = self.mode if name == self.metric else direction(name, "auto")
        return tables.time_to_table(self, checks.finite("time_to", target=target), name, mode)

    def plot(self, path: str | os.PathLike[str] | None = None, *, kind: str = "curves") -> Picture:
        """Draws the metric against the epoch, and after the last epoch against the learning rate.

        Args:
            path: A file to write, `.png`, `.svg` or `.pdf`.
            kind: "curves", or "heatmap" for the metric after the last epoch as colours, with a column for each rate and a
                row for each optimizer and schedule.

        Returns:
            The matplotlib figure.

        Raises:
            ArgumentError: A heat map needs at least two rates, and two optimizers or schedules.
        """
        checks.one_of("plot", ["curves", "heatmap"], kind=kind)
        figure = heatmap_of(self) if kind == "heatmap" else figure_of(self)
        if figure is None:
            rule = "a heat map needs two rates or more, and two optimizers or schedules or more that have them"
            raise ArgumentError("plot", rule, "Leave it out to draw curves", kind=kind)
        return draw(figure, path)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Writes one self-contained HTML file with the figure, the table, and everything needed to repeat the comparison.

        Args:
            path: The file to write.
        """
        pathlib.Path(path).write_text(page_of(self), encoding="utf-8")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the result as JSON, completely or not at all."""
        records.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Comparison:
        """Reads a file of `save`."""
        return records.load(cls, path)

    def _logged(self, where: str, metric: str | None) -> str:
        """Checks that a run logged the metric."""
        names = sorted({name for case in self.cases for run in case.runs for name in run.history})
        name = self.metric if metric is None else metric
        if name not in names:
            raise ArgumentError(where, "no run has logged it", f"Pass one of {', '.join(names)}", metric=name)
        return name

    def _repr_html_(self) -> str:
        return fragment_of(self)

    def __repr__(self) -> str:
        size = f"{len(self.cases)} cases x {len(self.seeds)} seeds by {self.metric!r}"
        return f"<Comparison of {size}, best: {self.best_name!r}>"

    def __str__(self) -> str:
        rows = text.table(HEADER, [row.texts for row in self.rows])
        return "\n\n".join([self.reason, rows, *self.warnings])
