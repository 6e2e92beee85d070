"""The heat map of a comparison: a column for each rate, a row for each optimizer and schedule."""

from __future__ import annotations

from keras_lr.comparison.case import Case
from keras_lr.comparison.record import ComparisonRecord
from keras_lr.comparison.statistics.stability import blown_up_from
from keras_lr.comparison.views import tables
from keras_lr.comparison.views.figures import ALIKE, best_title, family_name, limits_of, scale_of, score_label
from keras_lr.report import text
from keras_lr.report.figure import Cells, Figure, Panel

MOST_TEXTS = 9  # columns; numbers in more columns would overlap
CROSS = "\N{MULTIPLICATION SIGN}"


def heatmap_of(result: ComparisonRecord) -> Figure | None:
    """Draws the mean after the last epoch by rate and by optimizer and schedule; None with fewer than two of either."""
    grids = tables.grids(result.cases, every=True)
    cases = [case for grid in grids.values() for case in grid]
    rates = sorted({case.learning_rate for case in cases if case.learning_rate is not None})
    if len(grids) < 2 or len(rates) < 2:
        return None
    by_rate = [{case.learning_rate: case for case in grid} for grid in grids.values()]
    signs = [f"{CROSS}: runs diverged"] if any(case.diverged for case in cases) else []
    signs += ["empty: not trained for all epochs"] if any(not case.trained for case in cases) else []
    panel = Panel(
        title=best_title(result),
        x_label=f"Learning rate ({', '.join(signs)})" if signs else "Learning rate",
        y_label="",
        x_names=tuple(text.rate(rate) for rate in rates),
        cells=_cells(
            result,
            tuple(family_name(result, family) for family in grids),
            [[row.get(rate) for rate in rates] for row in by_rate],
        ),
    )
    return Figure((panel,))


def _cells(result: ComparisonRecord, names: tuple[str, ...], rows: list[list[Case | None]]) -> Cells:
    means = [case.mean for case in result.cases if case.mean is not None]
    near = [mean for mean in means if mean <= blown_up_from(means, result.mode)]
    scale = scale_of(near, result.mode)
    positions = {case.name: (y, x) for y, row in enumerate(rows) for x, case in enumerate(row) if case is not None}
    low, high = (min(near), max(near)) if near else (0.0, 1.0)
    return Cells(
        names=names,
        values=[[None if case is None else case.mean for case in row] for row in rows],
        texts=[[_text(case, len(row)) for case in row] for row in rows],
        label=score_label(result, scale),
        limits=(low, high) if high > low else limits_of([low], scale) or (0.0, 1.0),
        scale=scale,
        darkest="low" if result.mode == "min" else "high",
        framed=[positions[name] for name in result.alike if name in positions],
        framed_label=ALIKE,
        best=positions.get(result.best_name or ""),
    )


def _text(case: Case | None, columns: int) -> str:
    """Returns the mean, if there is room, and a cross if runs diverged."""
    if case is None:
        return ""
    shown = case.mean is not None and columns <= MOST_TEXTS
    number = text.number(case.mean, 3 if columns < MOST_TEXTS - 2 else 2) if shown else ""
    return "\n".join(part for part in (number, CROSS if case.diverged else "") if part)
