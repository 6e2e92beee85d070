"""The arithmetic of the benchmark: what a rate costs, by the trainings on file.

The **regret** of a rate is (final validation loss - best) / (untrained loss - best), clipped to [0, 1]. Its **excess** is the
final validation loss / best - 1. Long trainings and texts have three seeds, which leaves noise of 5 to 15 % in the loss of a single
rate, so a curve through their grid replaces it (`smooth`). Between two rates of the grid the loss is linear in log rate. A training that diverges, or
ends above the untrained loss, counts as the untrained loss; so does a refusal. If the best rate improves the untrained loss by
less than 2 %, a refusal has regret 0.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import pathlib
import statistics

import numpy as np

HERE = pathlib.Path(__file__).parent
STORES = HERE.parent.parent / ".venv" / "regret"
A_DECADE = 4  # as in truth.py
LEAST_GAIN = 0.02  # of the untrained loss: with less, the pair is not worth training
GOOD_REGRET, GOOD_EXCESS = 0.01, 0.05  # an interval should contain such a rate
WIDTH, FEWEST, FINE = 0.8, 5, 0.05  # of `smooth`: decades to each side, rates of a fit, decades between two points

Rate = float | None  # None is a refusal
Answers = dict[str, list[Rate]]  # by the name of a pair, from several seeds


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
        """The losses, at most the untrained one, which stands for a divergence too."""
        finite = [loss if loss is not None and math.isfinite(loss) else math.inf for loss in self.losses]
        return np.minimum(finite, self.untrained)

    @property
    def lowest(self) -> float:
        """The loss at the best rate."""
        return float(self.finite.min())

    @property
    def worth(self) -> bool:
        """Whether the best rate improves the model enough."""
        return self.untrained - self.lowest >= LEAST_GAIN * abs(self.untrained)

    @property
    def best(self) -> float:
        """The best rate of the grid."""
        return float(10.0 ** self.logs[int(np.argmin(self.finite))])

    def loss(self, rate: Rate) -> float:
        """Returns the final validation loss at a rate."""
        if rate is None or not math.isfinite(rate) or rate <= 0.0:
            return self.untrained
        return float(np.interp(math.log10(rate), self.logs, self.finite))

    def regret(self, rate: Rate) -> float:
        """Returns the regret of a rate, or of a refusal."""
        if rate is None and not self.worth:
            return 0.0
        gain = self.untrained - self.lowest
        return (self.loss(rate) - self.lowest) / gain if gain > 0.0 else 0.0

    def excess(self, rate: Rate) -> float:
        """Returns the excess of a rate, or of a refusal."""
        return self.loss(rate) / self.lowest - 1.0

    def holds(self, interval: tuple[float, float], group: str = "short") -> bool:
        """Returns whether an interval contains a good rate: by its regret on short pairs, by its excess on the others."""
        cost, limit = (self.regret, GOOD_REGRET) if group == "short" else (self.excess, GOOD_EXCESS)
        within = [10.0**log for log in self.logs if interval[0] <= 10.0**log <= interval[1]]
        return min(map(cost, [*interval, *within])) <= limit


def smooth(logs: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns a finer grid and a smooth curve of losses on it.

    At each rate whose loss is within a factor of e of the best, a parabola in log-log is fitted to the rates within 0.8 decades,
    with weights that fall with the distance.
    """
    values = np.log(losses)
    near, curve = values < values.min() + 1.0, values.copy()
    for place in np.flatnonzero(near):
        distance = np.abs(logs - logs[place]) / WIDTH
        weights = np.where((distance < 1.0) & near, (1.0 - np.minimum(distance, 1.0) ** 3) ** 3, 0.0)
        if np.count_nonzero(weights) >= FEWEST:
            curve[place] = np.polyfit(logs - logs[place], values, 2, w=np.sqrt(weights))[2]
    grid = np.arange(logs[0], logs[-1] + FINE / 2.0, FINE)
    return grid, np.exp(np.interp(grid, logs, curve))


@functools.cache
def truths(shape: str) -> dict[str, Truth]:
    """Reads the losses of every pair, by its name."""
    pairs = {}
    for path in (HERE / "truth.json", HERE / "long_truth.json"):
        for name, record in json.loads(path.read_text()).items() if path.exists() else ():
            logs = np.array([int(place) / A_DECADE for place in record[shape]])
            truth = Truth(logs, list(record[shape].values()), record["untrained"])
            if path.name == "long_truth.json":
                grid, curve = smooth(logs, truth.finite)
                truth = Truth(grid, curve.tolist(), record["untrained"])
            pairs[name] = truth
    return pairs


@dataclasses.dataclass(frozen=True)
class Cost:
    """A cost of a finder's answers on some pairs.

    Attributes:
        mean: The mean over pairs and seeds.
        worst: The worst mean over the seeds of a pair.
        worst_answer: The worst single answer.
    """

    mean: float
    worst: float
    worst_answer: float


@dataclasses.dataclass(frozen=True)
class Score:
    """The score of a finder on some pairs.

    Attributes:
        regret: Its regret.
        excess: Its excess.
        spread: The median over pairs of largest / smallest answer; NaN with one answer for each pair.
        refusals: Their share in all answers.
        pairs: How many pairs it has answers for.
    """

    regret: Cost
    excess: Cost
    spread: float
    refusals: float
    pairs: int


def cost_of(costs: list[list[float]]) -> Cost:
    """Summarizes the costs of each pair's answers."""
    means = [float(np.mean(several)) for several in costs]
    return Cost(float(np.mean(means)), max(means), max(map(max, costs)))


def score_of(answers: Answers, truth: dict[str, Truth], names: list[str]) -> Score | None:
    """Scores a finder's answers on those of the pairs that it has answers for; returns None if there is none."""
    names = [name for name in names if name in answers]
    if not names:
        return None
    rates = [[rate for rate in answers[name] if rate is not None] for name in names]
    spreads = [max(several) / min(several) for several in rates if len(several) > 1]
    return Score(
        regret=cost_of([[truth[name].regret(rate) for rate in answers[name]] for name in names]),
        excess=cost_of([[truth[name].excess(rate) for rate in answers[name]] for name in names]),
        spread=statistics.median(spreads) if spreads else math.nan,
        refusals=1.0 - sum(map(len, rates)) / sum(len(answers[name]) for name in names),
        pairs=len(names),
    )


def middle(rates: list[Rate]) -> Rate:
    """Returns the lower median of the answers, or None if most are refusals."""
    answers = sorted(rate for rate in rates if rate is not None)
    return answers[(len(answers) - 1) // 2] if 2 * len(answers) > len(rates) else None


def coverage(records: list[dict], shape: str, group: str) -> tuple[float, float] | None:
    """Returns the share of the stated intervals that contain a good rate, and their median width as a factor."""
    truth = truths(shape)
    stated = [(truth[one["task"]], one[shape]["interval"]) for one in records if one["task"] in truth]
    stated = [(true, interval) for true, interval in stated if interval is not None]
    if not stated:
        return None
    return float(np.mean([true.holds(one, group) for true, one in stated])), statistics.median(
        b / a for _, (a, b) in stated
    )
