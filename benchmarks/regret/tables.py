"""The tables of the benchmark: a row for each finder, for each interval and for each pair."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
from long_tasks import GROUPS
from scores import HERE, Answers, Rate, Score, coverage, middle, score_of, truths
from tasks import halves

SHAPES = {"constant": "a constant rate", "cosine": "a cosine to 0"}
HALVES = ("tune", "held out")
OURS, NAMED, VERIFIED = "find", "find, length named", "find(verify=2T)"
GRID, HALVING, SAME = "grid of short trainings", "successive halving", "same updates"
MAIN = {"short": OURS, "long": NAMED, "text": NAMED}  # the call that the targets and the tables of pairs are about
Row = dict[str, str]


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """The answers of all finders.

    Attributes:
        records: Those of `find`, as answers.py writes them.
        finders: For each shape the answers of each finder.
    """

    records: list[dict]
    finders: dict[str, dict[str, Answers]]

    def score(self, finder: str, group: str, half: str, shape: str) -> Score | None:
        """Scores a finder on a half of a group of pairs."""
        truth = truths(shape)
        names = [name for name in names_of(group, half) if name in truth]
        return score_of(self.finders[shape].get(finder, {}), truth, names)

    def records_of(self, finder: str, group: str, half: str) -> list[dict]:
        """Returns the records of one way to call `find`."""
        names = names_of(group, half)
        return [one for one in self.records if one["task"] in names and way_of(one) == finder]


def names_of(group: str, half: str) -> list[str]:
    """Returns the names of the pairs in a half of a group."""
    return [task.name for task in (halves() if group == "short" else GROUPS[group])[half]]


def way_of(record: dict) -> str:
    """Returns the name of the call of `find` behind a record."""
    return NAMED if record.get("named") else OURS


def stored(name: str) -> list[dict]:
    """Reads a list of records, empty without the file."""
    path = HERE / name
    return json.loads(path.read_text()) if path.exists() else []


def peers_of_libraries() -> dict[str, dict[str, list[Rate]]]:
    """Reads the answers of the other finders' own packages, by pair and finder."""
    path = HERE / "peers.json"
    return json.loads(path.read_text())["answers"] if path.exists() else {}


def read(records: list[dict]) -> Benchmark:
    """Returns the answers of all finders, given those of `find`."""
    return Benchmark(records, {shape: finders(shape, records) for shape in SHAPES})


def finders(shape: str, records: list[dict]) -> dict[str, Answers]:
    """Returns the answers of every finder: `find` in its ways, the peers, and the searches for the same updates."""
    several: dict[str, Answers] = {name: {} for name in (OURS, NAMED, VERIFIED)}
    for record in records:
        several[way_of(record)].setdefault(record["task"], []).append(record[shape]["answer"])
    for record in stored("verified.json"):
        several[VERIFIED].setdefault(record["task"], []).append(record[shape]["answer"])
    for task, peers in peers_of_libraries().items():
        for peer, rates in peers.items():
            several.setdefault(peer, {})[task] = rates
            several.setdefault(f"{peer}, median of 3", {})[task] = [middle(rates)]
    for record in stored("baselines.json"):
        task = record["task"]
        for name, key in ((GRID, "grid"), (HALVING, "halving")):
            several.setdefault(name, {})[task] = [answers[key] for answers in record[shape]]
        for peer in record["peers"][0]:
            singles, medians = ([one[peer][key] for one in record["peers"]] for key in ("single", SAME))
            several.setdefault(peer, {}).setdefault(task, singles)
            several.setdefault(f"{peer}, {SAME}", {})[task] = medians
    return several


def pair_of(mean: float, worst: float, percent: bool = False) -> str:
    """Formats a mean and a worst pair."""
    return f"{percent_of(mean)} / {percent_of(worst)}" if percent else f"{mean:.3f} / {worst:.3f}"


def percent_of(share: float) -> str:
    """Formats a share in percent: small ones with a digit."""
    percent = 100.0 * share
    return f"{percent:.1f} %" if percent < 9.95 else f"{percent:,.0f} %"


def of_finders(benchmark: Benchmark, group: str, half: str) -> list[Row]:
    """Returns a row for each finder, the lowest mean at a constant rate first."""
    rows = []
    for finder in benchmark.finders["constant"]:
        scores = {shape: benchmark.score(finder, group, half, shape) for shape in SHAPES}
        constant = scores["constant"]
        if constant is None:
            continue
        row = {"finder": f"**{finder}**" if finder in (OURS, NAMED, VERIFIED) else finder}
        if constant.pairs < len(names_of(group, half)):
            row["finder"] += f" ({constant.pairs} pairs)"
        row |= {f"regret, {shape}": pair_of(one.regret.mean, one.regret.worst) for shape, one in scores.items()}
        row |= {f"excess, {shape}": pair_of(one.excess.mean, one.excess.worst, True) for shape, one in scores.items()}
        row["worst answer"] = f"{max(one.regret.worst_answer for one in scores.values()):.3f}"
        row["spread"] = "" if math.isnan(constant.spread) else f"{constant.spread:.2f}"
        row["no answer"] = f"{100.0 * constant.refusals:.0f} %"
        rows.append((constant.regret.mean if group == "short" else constant.excess.mean, row))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def of_intervals(benchmark: Benchmark) -> list[Row]:
    """Returns a row for each group, half, way and shape: how often the interval contains a good rate, and its width."""
    rows = []
    for group in MAIN:
        for half in HALVES:
            for finder in (OURS, NAMED):
                records = benchmark.records_of(finder, group, half)
                for shape in SHAPES:
                    covered = coverage(records, shape, group)
                    if covered is not None:
                        row = {"pairs": f"{group}, {half}", "call": finder, "shape": shape}
                        row["holds a good rate"] = f"{100.0 * covered[0]:.0f} %"
                        rows.append(row | {"median width": f"x {covered[1]:.1f}"})
    return rows


def of_pairs(benchmark: Benchmark, group: str) -> list[Row]:
    """Returns a row for each pair: its best rates, the answers of `find` and their cost."""
    rows = []
    for half in HALVES:
        for name in names_of(group, half):
            row = {"half": half, "pair": name}
            for shape in SHAPES:
                truth, rates = truths(shape).get(name), benchmark.finders[shape][MAIN[group]].get(name)
                if truth is None or rates is None:
                    continue
                row[f"best, {shape}"] = f"{truth.best:.2g}" + ("" if truth.worth else " (of no use)")
                row[f"find, {shape}"] = " ".join("none" if rate is None else f"{rate:.2g}" for rate in rates)
                regret, excess = (np.mean([cost(rate) for rate in rates]) for cost in (truth.regret, truth.excess))
                row[f"regret, excess, {shape}"] = f"{regret:.3f}, {percent_of(float(excess))}"
            if len(row) > 2:
                rows.append(row)
    return rows
