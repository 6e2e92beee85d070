"""The figure of a comparison, as plain data for `keras_lr.report`.

A colour means the same in both panels: a case, or an optimizer and schedule if several of them have a grid of rates.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

from keras_lr.comparison.case import NOT_EXECUTED, Case
from keras_lr.comparison.record import ComparisonRecord
from keras_lr.comparison.statistics.stability import blown_up_from
from keras_lr.comparison.views.tables import Family, families, family_of
from keras_lr.report import text
from keras_lr.report.figure import GREY, Band, Figure, Line, Mark, Panel, Points

MOST_COLORS = 7
LOG_FROM = 12.0  # a loss that spans more than this factor has a log axis
MOST_BANDS = 3  # more overlapping bands are unreadable
MARGIN = 0.12  # of the data's range, above and below it
ALIKE = "indistinguishable from the best"


@dataclasses.dataclass(frozen=True)
class ColorGroup:
    """Cases that share a colour, from best to worst."""

    label: str
    color: int
    cases: tuple[Case, ...]

    @property
    def front(self) -> Case | None:
        """The best of them, which represents the group; None if all diverged."""
        return next((case for case in self.cases if case.mean is not None), None)


def figure_of(result: ComparisonRecord) -> Figure:
    """Draws two panels: the metric against the epoch, and after the last epoch against the learning rate or the case."""
    groups = groups_of(result)
    return Figure((epochs_panel(result, groups), scores_panel(result, groups)))


def groups_of(result: ComparisonRecord) -> list[ColorGroup]:
    """Returns the groups from best to worst, grey from the eighth on."""
    by_family = families(result.ranked)
    chosen = [(family_name(result, family), tuple(cases)) for family, cases in by_family.items()]
    if len(by_family) in (1, len(result.cases)):
        chosen = [(case.name, (case,)) for case in result.ranked]
    return [ColorGroup(name, rank if rank < MOST_COLORS else GREY, cases) for rank, (name, cases) in enumerate(chosen)]


def epochs_panel(result: ComparisonRecord, groups: Sequence[ColorGroup]) -> Panel:
    """Draws the mean over seeds of each group's best case, with the t-intervals of the first few groups."""
    first_grey = next((group for group in groups if group.color == GREY and group.front is not None), None)
    lines = [line for group in groups for line in _curves(result, group, first=group is first_grey)]
    bands = [band for group in groups for band in _bands(result, group)][:MOST_BANDS]
    scale = scale_of([value for line in lines for value in line.y], result.mode)
    return Panel(
        title=_title(result, len(bands), len([line for line in lines if not line.faint])),
        x_label="Epoch",
        y_label=axis_label(result.metric, scale),
        y_scale=scale,
        lines=tuple(lines),
        bands=tuple(bands),
        x_limits=(0.5, 1.5) if result.epochs == 1 else None,
        y_limits=limits_of([value for line in lines if not line.faint for value in line.y], scale),
    )


def _title(result: ComparisonRecord, bands: int, groups: int) -> str:
    counts = [sum(run.counts and run.outcome not in NOT_EXECUTED for run in case.runs) for case in result.cases]
    seeds, planned = max(counts, default=0), len(result.seeds)
    some = _count(seeds, "seed") if seeds == planned else f"{seeds} of {_count(planned, 'seed')}"
    if seeds <= 1:
        return f"{some}, no interval" if seeds else "No run was trained"
    if bands == 0:
        return f"Mean of {some}"
    which = "" if bands == groups else " of the best" if bands == 1 else f" of the first {bands}"
    return f"Mean of {some}, 95 % t-interval{which}"


def _curves(result: ComparisonRecord, group: ColorGroup, first: bool) -> list[Line]:
    """Draws the curves of a group. Only its best case has a label and is not faint."""
    lines = []
    for case in group.cases:
        curve = case.curve(result.metric)
        front = case is group.front and group.color != GREY
        label = _label(group, case) if front else "the others" if first and case is group.front else None
        if curve.epochs and not _is_far(result, case):
            lines.append(Line(curve.epochs, curve.mean, label, group.color, faint=not front))
    return lines


def _bands(result: ComparisonRecord, group: ColorGroup) -> list[Band]:
    case = group.front
    if case is None or group.color == GREY or _is_far(result, case):
        return []
    curve = case.curve(result.metric)
    if curve.low is None or curve.high is None:
        return []
    return [Band(curve.epochs, curve.low, curve.high, color=group.color)]


def scores_panel(result: ComparisonRecord, groups: Sequence[ColorGroup]) -> Panel:
    """Draws the metric after the last epoch, against the learning rate if rates were compared, else case by case."""
    cases = [case for group in groups for case in group.cases]
    by_rate = len({family_of(case) for case in cases}) < len(cases) and all(case.learning_rate for case in cases)
    x = _x_by_rate(groups) if by_rate else {case.name: float(index) for index, case in enumerate(cases)}
    near = [case for case in cases if _is_near(result, case)]
    scale = scale_of([case.mean for case in near if case.mean is not None], result.mode)
    limits = _score_limits(near, scale)
    scores = [_scores(result, group, x) for group in groups if any(_is_near(result, case) for case in group.cases)]
    return Panel(
        title=best_title(result),
        x_label="Learning rate (log scale)" if by_rate else "",
        y_label=score_label(result, scale),
        x_scale="log" if by_rate else "linear",
        y_scale=scale,
        lines=tuple(_rate_lines(result, groups, x)) if by_rate else (),
        points=(*scores, *_best_point(result, groups, x), *_edge_points(result, cases, x, limits)),
        marks=tuple(_shading(result, x, by_rate)),
        y_limits=limits,
        x_names=() if by_rate else tuple(case.name for case in cases),
    )


def _x_by_rate(groups: Sequence[ColorGroup]) -> dict[str, float]:
    """Returns the rate of each case. Shifts groups that share rates a little, so that no point hides another."""
    per_group = [[case.learning_rate for case in group.cases if case.learning_rate is not None] for group in groups]
    rates = sorted({rate for own in per_group for rate in own})
    shared = len(rates) < sum(len(group.cases) for group in groups)
    gap = min((math.log(b / a) for a, b in itertools.pairwise(rates)), default=0.0)
    step = min(0.3 * gap / max(1, len(groups) - 1), 0.12) if shared else 0.0
    middle = (len(groups) - 1) / 2
    return {
        case.name: (case.learning_rate or 0.0) * math.exp(step * (index - middle))
        for index, group in enumerate(groups)
        for case in group.cases
    }


def _shading(result: ComparisonRecord, x: dict[str, float], by_rate: bool) -> list[Mark]:
    """Shades the best case and those indistinguishable from it, each up to halfway to its neighbours.

    If several families share the rates, every shade is as narrow as the narrowest, to stay centred.
    """
    if not result.alike or result.best_name is None:
        return []
    scale, back = (math.log, math.exp) if by_rate else (float, float)
    at = sorted({scale(value) for value in x.values()})
    middles = [(left + right) / 2 for left, right in itertools.pairwise(at)]
    narrow = min(((right - left) / 2 for left, right in itertools.pairwise(at)), default=0.5)
    widest = narrow if by_rate and len(families(result.cases)) > 1 else math.inf
    edges = itertools.pairwise([at[0] - narrow, *middles, at[-1] + narrow])
    bounds = {x: (max(low, x - widest), min(high, x + widest)) for x, (low, high) in zip(at, edges, strict=True)}
    spans: list[tuple[float, float]] = []
    for low, high in sorted(bounds[scale(x[name])] for name in {result.best_name, *result.alike}):
        adjacent = bool(spans) and low <= spans[-1][1]
        spans = [*spans[:-1], (spans[-1][0], max(high, spans[-1][1]))] if adjacent else [*spans, (low, high)]
    return [Mark(back(low), None if n else ALIKE, back(high), color=GREY) for n, (low, high) in enumerate(spans)]


def _is_far(result: ComparisonRecord, case: Case) -> bool:
    """Returns whether the loss blew up without becoming infinite."""
    means = [other.mean for other in result.cases if other.mean is not None]
    return case.mean is not None and case.mean > blown_up_from(means, result.mode)


def _is_near(result: ComparisonRecord, case: Case) -> bool:
    return case.mean is not None and not _is_far(result, case)


def _scores(result: ComparisonRecord, group: ColorGroup, x: dict[str, float]) -> Points:
    near = [case for case in group.cases if _is_near(result, case)]
    means = [case.mean for case in near if case.mean is not None]
    low, high = zip(*(case.interval or (mean, mean) for case, mean in zip(near, means, strict=True)), strict=True)
    return Points([x[case.name] for case in near], means, list(low), list(high), color=group.color)


def _rate_lines(result: ComparisonRecord, groups: Sequence[ColorGroup], x: dict[str, float]) -> list[Line]:
    """Draws a thin line through the rates of each optimizer and schedule."""
    colors = {case.name: GREY if len(group.cases) == 1 else group.color for group in groups for case in group.cases}
    lines = []
    for cases in families([case for group in groups for case in group.cases if _is_near(result, case)]).values():
        ordered = sorted(cases, key=lambda case: x[case.name])
        means = [case.mean or 0.0 for case in ordered]
        lines.append(Line([x[case.name] for case in ordered], means, color=colors[ordered[0].name], faint=True))
    return lines


def _best_point(result: ComparisonRecord, groups: Sequence[ColorGroup], x: dict[str, float]) -> list[Points]:
    best = result.best
    if best is None or best.mean is None:
        return []
    color = next(group.color for group in groups if best in group.cases)
    spread = "" if best.interval is None else f" ({text.interval(best.interval)})"
    label = f"best, {text.measured(best.mean, best.interval)}{spread}"
    return [Points([x[best.name]], [best.mean], label=label, color=color, marker="*")]


def _edge_points(
    result: ComparisonRecord, cases: Sequence[Case], x: dict[str, float], limits: tuple[float, float] | None
) -> list[Points]:
    """Draws cases without a score at the lower edge, and those far above or lost at the upper edge."""
    bottom, top = limits if limits is not None else (0.0, 1.0)
    untrained = [case for case in cases if not case.trained]
    dropped = [case for case in untrained if case.dropped_after is not None]
    skipped = [case for case in untrained if case.dropped_after is None]
    far = [case for case in cases if _is_far(result, case)]
    least = min((case.mean or 0.0 for case in far), default=0.0)
    diverged, failed = [case for case in cases if case.diverged], [case for case in cases if case.failed]
    rows = [
        (dropped, bottom, f"dropped in a shorter rung, {_count(len(dropped), 'case')}", GREY, "v"),
        (skipped, bottom, f"not run, {_count(len(skipped), 'case')}", GREY, "|"),
        (far, top, f"far above, {text.number(least, 2)} or more", GREY, "^"),
        (diverged, top, _lost_label("diverged", [case.diverged for case in diverged]), MOST_COLORS - 1, "x"),
        (failed, top, _lost_label("failed", [case.failed for case in failed]), GREY, "x"),
    ]
    return [
        Points([x[case.name] for case in chosen], [edge] * len(chosen), label=label, color=color, marker=marker)
        for chosen, edge, label, color, marker in rows
        if chosen
    ]


def _lost_label(outcome: str, counts: Sequence[int]) -> str:
    runs = sum(counts)
    return f"{outcome}, 1 run" if runs == 1 else f"{outcome}, {runs} runs in {_count(len(counts), 'case')}"


def best_title(result: ComparisonRecord) -> str:
    """Returns a title with the best case, or why there is none."""
    if result.best_name:
        return f"Best: {result.best_name}"
    outcomes = {run.outcome for case in result.cases for run in case.runs if case.trained} - set(NOT_EXECUTED)
    if not outcomes:
        return "No run was trained"
    if outcomes == {"failed"}:
        return "Every run failed"
    return f"Every run diverged{' or failed' if 'failed' in outcomes else ''}"


def _score_limits(cases: Sequence[Case], scale: str) -> tuple[float, float] | None:
    """Returns limits that include every mean, and the intervals of the better half of the cases."""
    values = [case.mean for case in cases if case.mean is not None]
    for case in cases[: (len(cases) + 1) // 2]:
        values += [bound for bound in case.interval or () if scale != "log" or bound > 0]
    return limits_of(values, scale)


def limits_of(values: Sequence[float], scale: str) -> tuple[float, float] | None:
    """Returns limits a little beyond the lowest and the highest value; None without values."""
    if not values:
        return None
    low, high = min(values), max(values)
    if scale == "log":
        factor = (high / low) ** MARGIN or 1.0
        return (low / factor, high * factor) if high > low else (low / 2, high * 2)
    room = MARGIN * (high - low) or max(0.1 * abs(high), 1e-6)
    return low - room, high + room


def scale_of(values: Sequence[float], mode: str) -> str:
    """Returns "log" for losses that span more than a decade, else "linear"."""
    wide = mode == "min" and bool(values) and min(values) > 0 and max(values) / min(values) > LOG_FROM
    return "log" if wide else "linear"


def axis_label(name: str, scale: str) -> str:
    """Returns the label of an axis, with its scale."""
    return f"{name} (log scale)" if scale == "log" else name


def score_label(result: ComparisonRecord, scale: str) -> str:
    """Returns the label of an axis of final scores."""
    return axis_label(f"{result.metric} after {_count(result.epochs, 'epoch')}", scale)


def _label(group: ColorGroup, case: Case) -> str:
    """Returns the label in the legend: the group, the rate of its best case, and its lost runs."""
    rate = f", lr {text.rate(case.learning_rate)}" if len(group.cases) > 1 and case.learning_rate else ""
    counts = {"diverged": case.diverged, "failed": case.failed}
    lost = [f"{count} of {len(case.runs)} {word}" for word, count in counts.items() if count]
    return f"{group.label}{rate}" + (f" ({', '.join(lost)})" if lost else "")


def family_name(result: ComparisonRecord, family: Family) -> str:
    """Names the optimizer and the schedule; leaves out the one that all cases share."""
    names = zip(family, zip(*map(family_of, result.cases), strict=True), strict=True)
    return ", ".join(name for name, every in names if name and len(set(every)) > 1)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
