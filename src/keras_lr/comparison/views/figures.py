"""The pictures of a comparison, as plain data for the report floor.

A colour means one thing in both panels: a case, or where several optimizers or schedules have a grid of rates each, the
optimizer and schedule.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

from keras_lr.comparison.case import NOT_MADE, Case
from keras_lr.comparison.record import Comparison
from keras_lr.comparison.statistics.stability import blown_up_from
from keras_lr.report import text
from keras_lr.report.figure import GREY, Band, Figure, Line, Mark, Panel, Points

MOST_COLORS = 7
LOG_FROM = 12.0  # a loss that spans more than this factor is drawn on a log axis
MOST_BANDS = 3  # more of them over each other can't be read
MARGIN = 0.12  # of what is drawn, above and below it


@dataclasses.dataclass(frozen=True)
class Group:
    """Cases that share a colour."""

    label: str
    color: int
    cases: tuple[Case, ...]

    @property
    def front(self) -> Case | None:
        """The best of them, which stands for all; None where all diverged. Cases come from best to worst."""
        return next((case for case in self.cases if case.mean is not None), None)


def figure_of(result: Comparison) -> Figure:
    """Two panels: the metric against the epoch, and after the last epoch against the learning rate or the case."""
    groups = groups_of(result)
    return Figure((epochs_panel(result, groups), scores_panel(result, groups)))


def groups_of(result: Comparison) -> list[Group]:
    """What gets a colour: best first, and grey from the eighth on."""
    families: dict[tuple[str | None, str | None], list[Case]] = {}
    for case in result.ranked:
        families.setdefault(_family(case), []).append(case)
    alone = len(families) == 1 or len(families) == len(result.cases)
    chosen = (
        [(case.name, (case,)) for case in result.ranked]
        if alone
        else [(family_name(result, key), tuple(cases)) for key, cases in families.items()]
    )
    return [Group(name, place if place < MOST_COLORS else GREY, cases) for place, (name, cases) in enumerate(chosen)]


def epochs_panel(result: Comparison, groups: Sequence[Group]) -> Panel:
    """The mean over seeds, against the epoch: of each group its best case, and the t-intervals of the first few."""
    lines = [line for group in groups for line in _curves(result, group, first=group is _first_grey(groups))]
    bands = [band for group in groups for band in _bands(result, group)][:MOST_BANDS]
    scale = scale_of([value for line in lines for value in line.y], result.mode)
    return Panel(
        title=_title(result, len(bands), len([line for line in lines if not line.faint])),
        x_label="Epoch",
        y_label=label_of(result.metric, scale),
        y_scale=scale,
        lines=tuple(lines),
        bands=tuple(bands),
        x_limits=(0.5, 1.5) if result.epochs == 1 else None,
        y_limits=limits_of([value for line in lines if not line.faint for value in line.y], scale),
    )


def _title(result: Comparison, bands: int, groups: int) -> str:
    seeds = max(
        (sum(run.counts and run.outcome not in NOT_MADE for run in case.runs) for case in result.cases), default=0
    )
    planned = len(result.seeds)
    some = _count(seeds, "seed") if seeds == planned else f"{seeds} of {_count(planned, 'seed')}"
    if seeds <= 1:
        return f"{some}, no interval" if seeds else "No run was made"
    if bands == 0:
        return f"Mean of {some}"
    which = "" if bands == groups else " of the best" if bands == 1 else f" of the first {bands}"
    return f"Mean of {some}, 95 % t-interval{which}"


def _first_grey(groups: Sequence[Group]) -> Group | None:
    return next((group for group in groups if group.color == GREY and group.front is not None), None)


def _curves(result: Comparison, group: Group, first: bool) -> list[Line]:
    """The cases of a group; only the one that stands for it is named and drawn in full."""
    lines = []
    for case in group.cases:
        curve = case.curve(result.metric)
        front = case is group.front and group.color != GREY
        label = _named(group, case) if front else "the others" if first and case is group.front else None
        if curve.epochs and not _is_far(result, case):
            lines.append(Line(curve.epochs, curve.mean, label, group.color, faint=not front))
    return lines


def _bands(result: Comparison, group: Group) -> list[Band]:
    case = group.front
    if case is None or group.color == GREY or _is_far(result, case):
        return []
    curve = case.curve(result.metric)
    if curve.low is None or curve.high is None:
        return []
    return [Band(curve.epochs, curve.low, curve.high, color=group.color)]


def scores_panel(result: Comparison, groups: Sequence[Group]) -> Panel:
    """The metric after the last epoch, against the learning rate where rates were compared, else case by case."""
    cases = [case for group in groups for case in group.cases]
    by_rate = len({_family(case) for case in cases}) < len(cases) and all(case.learning_rate for case in cases)
    places = _by_rate(groups) if by_rate else {case.name: float(place) for place, case in enumerate(cases)}
    scored = [case for case in cases if case.mean is not None and not _is_far(result, case)]
    scale = scale_of([case.mean for case in scored if case.mean is not None], result.mode)
    limits = _score_limits(scored, scale)
    points = [_scores(result, group, places) for group in groups if _near(result, group)]
    after = "after 1 epoch" if result.epochs == 1 else f"after {result.epochs} epochs"
    return Panel(
        title=f"Best: {result.best_name}" if result.best_name else without_a_best(result),
        x_label="Learning rate (log scale)" if by_rate else "",
        y_label=label_of(f"{result.metric} {after}", scale),
        x_scale="log" if by_rate else "linear",
        y_scale=scale,
        lines=tuple(_joined(result, groups, places)) if by_rate else (),
        points=(*points, *_answer(result, groups, places), *_outside(result, cases, places, limits)),
        marks=tuple(_shaded(result, places, by_rate)),
        y_limits=limits,
        x_names=() if by_rate else tuple(case.name for case in cases),
    )


def _by_rate(groups: Sequence[Group]) -> dict[str, float]:
    """Each case at its rate; those of several groups a little beside each other, so that none hides another."""
    shared = len({rate for group in groups for rate in _rates(group)}) < sum(len(group.cases) for group in groups)
    rates = sorted({rate for group in groups for rate in _rates(group)})
    gap = min((math.log(b / a) for a, b in itertools.pairwise(rates)), default=0.0)
    step = min(0.3 * gap / max(1, len(groups) - 1), 0.12) if shared else 0.0
    middle = (len(groups) - 1) / 2
    return {
        case.name: (case.learning_rate or 0.0) * math.exp(step * (place - middle))
        for place, group in enumerate(groups)
        for case in group.cases
    }


def _rates(group: Group) -> list[float]:
    return [case.learning_rate for case in group.cases if case.learning_rate is not None]


def _shaded(result: Comparison, places: dict[str, float], by_rate: bool) -> list[Mark]:
    """Behind the best case and those that can't be told from it, each up to half-way to its neighbours.

    Where several cases share a rate each stretch is as narrow as the narrowest, so that it is in the middle.
    """
    if not result.alike or result.best_name is None:
        return []
    forth, back = (math.log, math.exp) if by_rate else (float, float)
    at = sorted({forth(place) for place in places.values()})
    middles = [(left + right) / 2 for left, right in itertools.pairwise(at)]
    narrow = min(((right - left) / 2 for left, right in itertools.pairwise(at)), default=0.5)
    widest = narrow if by_rate and len({_family(case) for case in result.cases}) > 1 else math.inf
    edges = itertools.pairwise([at[0] - narrow, *middles, at[-1] + narrow])
    bounds = {x: (max(low, x - widest), min(high, x + widest)) for x, (low, high) in zip(at, edges, strict=True)}
    spans: list[tuple[float, float]] = []
    for low, high in sorted(bounds[forth(places[name])] for name in {result.best_name, *result.alike}):
        joined = bool(spans) and low <= spans[-1][1]
        spans = [*spans[:-1], (spans[-1][0], max(high, spans[-1][1]))] if joined else [*spans, (low, high)]
    label = "can't be told from the best"
    return [Mark(back(low), None if n else label, back(high), color=GREY) for n, (low, high) in enumerate(spans)]


def _is_far(result: Comparison, case: Case) -> bool:
    """Whether a loss blew up without becoming infinite."""
    means = [other.mean for other in result.cases if other.mean is not None]
    return case.mean is not None and case.mean > blown_up_from(means, result.mode)


def _near(result: Comparison, group: Group) -> list[Case]:
    return [case for case in group.cases if case.mean is not None and not _is_far(result, case)]


def _scores(result: Comparison, group: Group, places: dict[str, float]) -> Points:
    scored = _near(result, group)
    means = [case.mean for case in scored if case.mean is not None]
    bounds = [case.interval or (mean, mean) for case, mean in zip(scored, means, strict=True)]
    x = [places[case.name] for case in scored]
    return Points(x, means, [low for low, _ in bounds], [high for _, high in bounds], color=group.color)


def _joined(result: Comparison, groups: Sequence[Group], places: dict[str, float]) -> list[Line]:
    """Thin lines through the rates of each optimizer and schedule."""
    families: dict[tuple[str | None, str | None], list[tuple[Case, int]]] = {}
    for group in groups:
        for case in _near(result, group):
            color = GREY if len(group.cases) == 1 else group.color
            families.setdefault(_family(case), []).append((case, color))
    lines = []
    for members in families.values():
        ordered = sorted(members, key=lambda member: places[member[0].name])
        x, y = [places[case.name] for case, _ in ordered], [case.mean or 0.0 for case, _ in ordered]
        lines.append(Line(x, y, color=ordered[0][1], faint=True))
    return lines


def _answer(result: Comparison, groups: Sequence[Group], places: dict[str, float]) -> list[Points]:
    best = result.best
    if best is None or best.mean is None:
        return []
    color = next(group.color for group in groups if best in group.cases)
    spread = "" if best.interval is None else f" ({text.interval(best.interval)})"
    label = f"best, {text.measured(best.mean, best.interval)}{spread}"
    return [Points([places[best.name]], [best.mean], label=label, color=color, marker="*")]


def _outside(
    result: Comparison, cases: Sequence[Case], places: dict[str, float], limits: tuple[float, float] | None
) -> list[Points]:
    """At the upper edge a cross for each case with runs that diverged or failed, and a triangle for what lies above.

    At the lower edge what has no score after all epochs: a triangle for each case that was dropped, a stroke for those that
    were not run.
    """
    bottom, top = limits if limits is not None else (0.0, 1.0)
    found = []
    for word, marker in (("dropped in a shorter rung", "v"), ("not run", "|")):
        x = [
            places[case.name] for case in cases if not case.trained and (case.dropped_after is None) == (marker == "|")
        ]
        if x:
            label = f"{word}, {_count(len(x), 'case')}"
            found.append(Points(x, [bottom] * len(x), label=label, color=GREY, marker=marker))
    far = [case for case in cases if _is_far(result, case)]
    if far:
        x = [places[case.name] for case in far]
        label = f"far above, {text.number(min(case.mean or 0.0 for case in far), 2)} or more"
        found.append(Points(x, [top] * len(far), label=label, color=GREY, marker="^"))
    for word, color, counts in (
        ("diverged", MOST_COLORS - 1, [case.diverged for case in cases]),
        ("failed", GREY, [case.failed for case in cases]),
    ):
        x = [places[case.name] for case, count in zip(cases, counts, strict=True) if count]
        if x:
            runs = sum(counts)
            label = f"{word}, 1 run" if runs == 1 else f"{word}, {runs} runs in {_count(len(x), 'case')}"
            found.append(Points(x, [top] * len(x), label=label, color=color, marker="x"))
    return found


def without_a_best(result: Comparison) -> str:
    """A title where no case is the best."""
    words = {run.outcome for case in result.cases for run in case.runs if case.trained} - set(NOT_MADE)
    if not words:
        return "No run was made"
    return (
        "Every run failed" if words == {"failed"} else f"Every run diverged{' or failed' if 'failed' in words else ''}"
    )


def _score_limits(scored: Sequence[Case], scale: str) -> tuple[float, float] | None:
    """Every mean is in it, and the interval of the best half; wide intervals of bad cases may leave it."""
    values = [case.mean for case in scored if case.mean is not None]
    for case in scored[: (len(scored) + 1) // 2]:
        values += [bound for bound in case.interval or () if scale != "log" or bound > 0]
    return limits_of(values, scale)


def limits_of(values: Sequence[float], scale: str) -> tuple[float, float] | None:
    """From a little below the lowest to a little above the highest; None where there is nothing to see."""
    if not values:
        return None
    low, high = min(values), max(values)
    if scale == "log":
        factor = (high / low) ** MARGIN or 1.0
        return (low / factor, high * factor) if high > low else (low / 2, high * 2)
    room = MARGIN * (high - low) or max(0.1 * abs(high), 1e-6)
    return low - room, high + room


def scale_of(values: Sequence[float], mode: str) -> str:
    """A log axis for losses that span more than a decade."""
    wide = mode == "min" and bool(values) and min(values) > 0 and max(values) / min(values) > LOG_FROM
    return "log" if wide else "linear"


def label_of(metric: str, scale: str) -> str:
    """What an axis says."""
    return f"{metric} (log scale)" if scale == "log" else metric


def _named(group: Group, case: Case) -> str:
    """A label in the legend: the group, with the rate of the case that stands for it, and its lost runs."""
    rate = f", lr {text.rate(case.learning_rate)}" if len(group.cases) > 1 and case.learning_rate else ""
    counts = {"diverged": case.diverged, "failed": case.failed}
    lost = [f"{count} of {len(case.runs)} {word}" for word, count in counts.items() if count]
    return f"{group.label}{rate}" + (f" ({', '.join(lost)})" if lost else "")


def _family(case: Case) -> tuple[str | None, str | None]:
    return case.optimizer_name, case.schedule


def family_name(result: Comparison, family: tuple[str | None, str | None]) -> str:
    """The names that differ between families."""
    several = [len({_family(case)[part] for case in result.cases}) > 1 for part in (0, 1)]
    return ", ".join(name for name, shown in zip(family, several, strict=True) if shown and name)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
