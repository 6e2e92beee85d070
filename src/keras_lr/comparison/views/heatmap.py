"""The heat map of a comparison: its rates beside each other, its optimizers and schedules below each other."""

from __future__ import annotations

from keras_lr.comparison.case import Case
from keras_lr.comparison.record import Comparison
from keras_lr.comparison.statistics.stability import blown_up_from
from keras_lr.comparison.views import tables
from keras_lr.comparison.views.figures import family_name, label_of, limits_of, scale_of, without_a_best
from keras_lr.report import text
from keras_lr.report.figure import Cells, Figure, Panel

MOST_TEXTS = 9  # in a row; numbers in more columns would run into each other
CROSS = "\N{MULTIPLICATION SIGN}"


def heatmap_of(result: Comparison) -> Figure | None:
    """The mean after the last epoch at each rate of each optimizer and schedule; None with fewer than two of either."""
    families = tables.grids(result.cases, every=True)
    rates = sorted(
        {case.learning_rate for cases in families.values() for case in cases if case.learning_rate is not None}
    )
    if len(families) < 2 or len(rates) < 2:
        return None
    by_place = {family: {case.learning_rate: case for case in cases} for family, cases in families.items()}
    rows = [[by_place[family].get(rate) for rate in rates] for family in families]
    names = tuple(family_name(result, family) for family in families)
    lost = any(case.diverged for cases in families.values() for case in cases)
    title = f"Best: {result.best_name}" if result.best_name else without_a_best(result)
    empty = any(not case.trained for cases in families.values() for case in cases)
    signs = ([f"{CROSS}: runs diverged"] if lost else []) + (["empty: not trained for all epochs"] if empty else [])
    panel = Panel(
        title=title,
        x_label=f"Learning rate ({', '.join(signs)})" if signs else "Learning rate",
        y_label="",
        x_names=tuple(text.rate(rate) for rate in rates),
        cells=_cells(result, names, rows),
    )
    return Figure((panel,))


def _cells(result: Comparison, names: tuple[str, ...], rows: list[list[Case | None]]) -> Cells:
    means = [case.mean for case in result.cases if case.mean is not None]
    near = [mean for mean in means if mean <= blown_up_from(means, result.mode)]
    scale = scale_of(near, result.mode)
    after = "after 1 epoch" if result.epochs == 1 else f"after {result.epochs} epochs"
    places = {case.name: (y, x) for y, row in enumerate(rows) for x, case in enumerate(row) if case is not None}
    low, high = (min(near), max(near)) if near else (0.0, 1.0)
    return Cells(
        names=names,
        values=[[None if case is None else case.mean for case in row] for row in rows],
        texts=[[_text(case, len(row)) for case in row] for row in rows],
        label=label_of(f"{result.metric} {after}", scale),
        limits=(low, high) if high > low else limits_of([low], scale) or (0.0, 1.0),
        scale=scale,
        darkest="low" if result.mode == "min" else "high",
        framed=[places[name] for name in result.alike if name in places],
        framed_label="can't be told from the best",
        best=places.get(result.best_name or ""),
    )


def _text(case: Case | None, columns: int) -> str:
    """The mean where there is room, and a cross where runs diverged."""
    if case is None:
        return ""
    number = (
        ""
        if case.mean is None or columns > MOST_TEXTS
        else text.number(case.mean, 3 if columns < MOST_TEXTS - 2 else 2)
    )
    return "\n".join(part for part in (number, CROSS if case.diverged else "") if part)
