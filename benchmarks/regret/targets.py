"""The targets of the benchmark, and what was measured of each: met, or missed by how much."""

from __future__ import annotations

from collections.abc import Iterator

from scores import Cost, coverage
from tables import MAIN, NAMED, OURS, SHAPES, VERIFIED, Benchmark, Row, pair_of, percent_of

COVERAGE = 0.85
LIMITS = (  # the call, its pairs, its cost, and the limits of the mean and of the worst pair
    (OURS, "short", "regret", 0.025, 0.15),
    (NAMED, "short", "regret", 0.025, 0.15),
    (NAMED, "long", "excess", 0.04, 0.15),
    (NAMED, "text", "excess", 0.05, 0.15),
    (VERIFIED, "short", "regret", 0.012, 0.08),
)


def of_targets(benchmark: Benchmark) -> list[Row]:
    """Returns a row for each target that something was measured for."""
    return [*of_limits(benchmark), *of_others(benchmark), *of_coverage(benchmark)]


def row_of(target: str, limit: str, shape: str, measured: str, met: bool) -> Row:
    """Returns a row of the table."""
    return {
        "target": target,
        "limit": limit,
        "shape": shape,
        "measured": measured,
        "result": "met" if met else "**missed**",
    }


def of_limits(benchmark: Benchmark) -> Iterator[Row]:
    """Yields a row for each limit of a cost and each shape."""
    for finder, group, kind, mean, worst in LIMITS:
        for shape in SHAPES:
            score = benchmark.score(finder, group, "held out", shape)
            if score is not None:
                cost: Cost = getattr(score, kind)
                percent, met = kind == "excess", cost.mean <= mean and cost.worst <= worst
                target = f"{kind} of `{finder}`, {group} pairs, mean / worst"
                yield row_of(target, pair_of(mean, worst, percent), shape, pair_of(cost.mean, cost.worst, percent), met)


def is_rival(finder: str) -> bool:
    """Whether `find` has to be ahead of it: the searches, and all peers on one ramp or on several."""
    return finder not in (OURS, NAMED, VERIFIED)


def of_others(benchmark: Benchmark) -> Iterator[Row]:
    """Yields a row for each group and shape: who is ahead of `find`, in the mean or in the worst pair, on the same pairs."""
    for group, finder in MAIN.items():
        kind = "regret" if group == "short" else "excess"
        for shape in SHAPES:
            scores = {one: benchmark.score(one, group, "held out", shape) for one in benchmark.finders[shape]}
            full = {one: score for one, score in scores.items() if score is not None}
            if finder in full:
                pairs = full[finder].pairs
                costs = {one: getattr(score, kind) for one, score in full.items() if score.pairs == pairs}
                yield from of_rivals(finder, costs, f"{kind} of `{finder}` below all others, {group} pairs", shape)


def of_rivals(finder: str, costs: dict[str, Cost], target: str, shape: str) -> Iterator[Row]:
    """Yields the row of one comparison, if there are rivals."""
    rivals = [one for one in costs if is_rival(one)]
    if rivals:
        own, next_one = costs[finder], min(rivals, key=lambda one: costs[one].mean)
        ahead = [one for one in rivals if costs[one].mean < own.mean or costs[one].worst < own.worst]
        percent = target.startswith("excess")
        named = ", ".join(f"{one} {pair_of(costs[one].mean, costs[one].worst, percent)}" for one in ahead or [next_one])
        measured = f"{pair_of(own.mean, own.worst, percent)}; {'ahead of it' if ahead else 'next'}: {named}"
        yield row_of(target, "ahead in mean and worst", shape, measured, not ahead)


def of_coverage(benchmark: Benchmark) -> Iterator[Row]:
    """Yields a row for each group and shape: how often the interval contains a good rate."""
    for group, finder in MAIN.items():
        for shape in SHAPES:
            covered = coverage(benchmark.records_of(finder, group, "held out"), shape, group)
            if covered is not None:
                good = "regret <= 0.01" if group == "short" else "excess <= 5 %"
                target = f"interval of `{finder}` holds a rate of {good}, {group} pairs"
                limit = f">= {percent_of(COVERAGE)}"
                yield row_of(target, limit, shape, percent_of(covered[0]), covered[0] >= COVERAGE)
