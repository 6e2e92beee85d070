"""Scores each finder's answers: prints the tables of the benchmark from `truth.json`, `peers.json` and the answers of `find`.

    python benchmarks/regret/score.py [--answers answers.json] [--json]

The regret of a rate is (final validation loss - best) / (untrained loss - best), clipped to [0, 1]. Between two rates of the
grid it is linear in log rate. A rate at which a run diverged has regret 1. So has a refusal, unless the best rate improves
the untrained loss by less than 2 %: then its regret is 0.
"""

import argparse
import dataclasses
import json
import math
import pathlib
import statistics

import numpy as np
from tasks import halves

HERE = pathlib.Path(__file__).parent
STORES = HERE.parent.parent / ".venv" / "regret"
A_DECADE = 4  # as in truth.py
LEAST_GAIN = 0.02  # of the untrained loss: with less, the pair is not worth training
GOOD = 0.01  # regret: an interval should contain such a rate
OURS, VERIFIED = "find", "find(verify=2T)"


@dataclasses.dataclass(frozen=True)
class Truth:
    """The losses of a grid of rates on a pair.

    Args:
        logs: The base-10 logarithms of the rates.
        losses: The mean final validation losses; None if a run diverged.
        untrained: The validation loss before training.
    """

    logs: np.ndarray
    losses: list[float | None]
    untrained: float

    @property
    def finite(self) -> np.ndarray:
        """The losses; infinite if a run diverged."""
        return np.array([loss if loss is not None and math.isfinite(loss) else math.inf for loss in self.losses])

    @property
    def worth(self) -> bool:
        """Whether the best rate improves the model enough."""
        return self.untrained - self.finite.min() >= LEAST_GAIN * abs(self.untrained)

    @property
    def regrets(self) -> np.ndarray:
        """The regret of each rate of the grid."""
        best = self.finite.min()
        return np.clip((self.finite - best) / (self.untrained - best), 0.0, 1.0)

    @property
    def best(self) -> float:
        """The best rate of the grid."""
        return float(10.0 ** self.logs[int(np.argmin(self.finite))])

    def regret(self, rate: float | None) -> float:
        """Returns the regret of a rate, or of a refusal."""
        if rate is None or not math.isfinite(rate) or rate <= 0.0:
            return 1.0 if self.worth else 0.0
        return float(np.interp(math.log10(rate), self.logs, self.regrets))

    def holds(self, interval: tuple[float, float]) -> bool:
        """Returns whether an interval contains a good rate."""
        low, high = np.log10(interval)
        within = self.regrets[(self.logs >= low) & (self.logs <= high)]
        return min([self.regret(interval[0]), self.regret(interval[1]), *within]) <= GOOD


def truths(shape: str) -> dict[str, Truth]:
    """Reads the losses of every pair, by its name."""
    pairs = {}
    for name, record in json.loads((HERE / "truth.json").read_text()).items():
        logs = np.array([int(place) / A_DECADE for place in record[shape]])
        pairs[name] = Truth(logs, list(record[shape].values()), record["untrained"])
    return pairs


@dataclasses.dataclass(frozen=True)
class Score:
    """The score of a finder on some pairs.

    Attributes:
        mean: The mean regret over pairs and seeds.
        worst: The worst mean over the seeds of a pair.
        worst_answer: The worst single answer.
        spread: The median over pairs of largest / smallest answer.
        refusals: Their share in all answers.
    """

    mean: float
    worst: float
    worst_answer: float
    spread: float
    refusals: float


def score_of(answers: dict[str, list[float | None]], truth: dict[str, Truth], names: list[str]) -> Score:
    """Scores a finder's answers on the pairs with these names."""
    regrets = [[truth[name].regret(rate) for rate in answers[name]] for name in names]
    rates = [[rate for rate in answers[name] if rate is not None] for name in names]
    spreads = [max(several) / min(several) for several in rates if len(several) > 1]
    return Score(
        mean=float(np.mean(regrets)),
        worst=float(np.max(np.mean(regrets, axis=1))),
        worst_answer=float(np.max(regrets)),
        spread=statistics.median(spreads) if spreads else math.nan,
        refusals=1.0 - sum(map(len, rates)) / sum(map(len, regrets)),
    )


def middle(rates: list[float | None]) -> list[float | None]:
    """Returns the median of the answers, or None if most are refusals."""
    answers = sorted(rate for rate in rates if rate is not None)
    return [answers[(len(answers) - 1) // 2] if 2 * len(answers) > len(rates) else None]


def finders(shape: str, records: list[dict]) -> dict[str, dict[str, list[float | None]]]:
    """Returns the answers of every finder: `find`, `find(verify=)`, and each peer, single and as the median of three."""
    ours: dict[str, list[float | None]] = {}
    for record in records:
        ours.setdefault(record["task"], []).append(record[shape]["answer"])
    finders = {OURS: ours, VERIFIED: {}}
    for record in json.loads((HERE / "verified.json").read_text()):
        finders[VERIFIED].setdefault(record["task"], []).append(record[shape]["answer"])
    answers = json.loads((HERE / "peers.json").read_text())["answers"] if (HERE / "peers.json").exists() else {}
    for peer in next(iter(answers.values()), {}):
        finders[peer] = {task: rates[peer] for task, rates in answers.items()}
        finders[f"{peer}, median of 3"] = {task: middle(rates[peer]) for task, rates in answers.items()}
    return finders


def intervals(shape: str, records: list[dict], truth: dict[str, Truth], names: list[str]) -> tuple[float, float]:
    """Returns the share of the intervals that contain a good rate, and their median width as a factor."""
    stated = [(truth[one["task"]], one[shape]["interval"]) for one in records if one["task"] in names]
    stated = [(true, interval) for true, interval in stated if interval is not None]
    return float(np.mean([true.holds(one) for true, one in stated])), statistics.median(b / a for _, (a, b) in stated)


def table(half: str, shape: str, records: list[dict]) -> list[dict]:
    """Returns a row for each finder, best first."""
    truth = truths(shape)
    names = [task.name for task in halves()[half] if task.name in truth]
    rows = []
    for finder, answers in finders(shape, records).items():
        if not all(name in answers for name in names):
            continue
        score = score_of(answers, truth, names)
        rows.append(
            {
                "finder": f"**{finder}**" if finder in (OURS, VERIFIED) else finder,
                "mean regret": f"{score.mean:.3f}",
                "worst pair": f"{score.worst:.3f}",
                "worst answer": f"{score.worst_answer:.3f}",
                "spread": "" if finder.endswith("of 3") else f"{score.spread:.2f}",
                "no answer": f"{100.0 * score.refusals:.0f} %",
            }
        )
    return sorted(rows, key=lambda row: float(row["mean regret"]))


def of_intervals(records: list[dict]) -> list[dict]:
    """Returns a row for each half and shape: how often the interval contains a good rate, and its width."""
    rows = []
    for half, tasks in halves().items():
        for shape in ("constant", "cosine"):
            share, width = intervals(shape, records, truths(shape), [task.name for task in tasks])
            row = {"half": half, "shape": shape, "holds a rate of regret <= 0.01": f"{100.0 * share:.0f} %"}
            rows.append(row | {"median width": f"x {width:.1f}"})
    return rows


def of_pairs(records: list[dict]) -> list[dict]:
    """Returns a row for each pair: its best rates, the answers of `find` and their regret."""
    ours = {shape: finders(shape, records)[OURS] for shape in ("constant", "cosine")}
    rows = []
    for half, tasks in halves().items():
        for task in tasks:
            row = {"half": half, "pair": task.name}
            for shape, answers in ours.items():
                truth = truths(shape)[task.name]
                rates = answers[task.name]
                row[f"best, {shape}"] = f"{truth.best:.2g}" + ("" if truth.worth else " (of no use)")
                row[f"find, {shape}"] = " ".join("none" if rate is None else f"{rate:.2g}" for rate in rates)
                row[f"regret, {shape}"] = f"{np.mean([truth.regret(rate) for rate in rates]):.3f}"
            rows.append(row)
    return rows


def tables(records: list[dict], pairs: bool = True) -> dict[str, list[dict]]:
    """Returns all tables by title."""
    titled = {}
    for shape in ("constant", "cosine"):
        for half in halves():
            titled[f"{half.capitalize()}, {'a constant rate' if shape == 'constant' else 'a cosine to 0'}"] = table(
                half, shape, records
            )
    titled["The stated 90 % interval of `find`"] = of_intervals(records)
    if pairs:
        titled["Each pair"] = of_pairs(records)
    return titled


def main() -> None:
    """Prints the tables as text or as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=pathlib.Path, default=STORES / "answers.json")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    arguments = parser.parse_args()
    document = tables(json.loads(arguments.answers.read_text()))
    if arguments.json:
        print(json.dumps(document))
        return
    for title, rows in document.items():
        print(f"\n{title}\n")
        widths = [
            max(len(str(row[name])) for row in [*rows, dict(zip(rows[0], rows[0], strict=True))]) for name in rows[0]
        ]
        for row in [dict(zip(rows[0], rows[0], strict=True)), *rows]:
            print("  ".join(str(value).ljust(width) for value, width in zip(row.values(), widths, strict=True)))


if __name__ == "__main__":
    main()
