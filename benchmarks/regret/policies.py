"""Tries ways of search on `lengths.json` without training, and prints the regret of their rates by `truth.json`.

    python benchmarks/regret/policies.py

The first way is that of `find(verify=N)`; each of the others changes one number of it. The best rate with a random error of
0.35 decades replaces the answer of the range test.
"""

import json
import math
import pathlib

import numpy as np
from score import truths
from tasks import TASKS

from keras_lr.finder.verifying import search

HERE = pathlib.Path(__file__).parent
RUN = 1000  # updates of a simulated run
OFF = 0.35  # decades: the error of the range test
REPEATS = 16
A_DECADE, FIRST = 3, -18  # the grid of lengths.json
WAYS = {
    "as built in": {},
    "without the power": {"STEEPEST": 0.0},
    "longer trainings not lower": {"LOWER": 1.0},
    "half a decade between the longer ones": {"FINE_STEP": 10.0**0.5},
    "first trainings twice as long": {"COARSE_SHARE": 0.1},
}


class Simulation:
    """The trainings of one pair, shape and seed, read from the grid."""

    def __init__(self, record, shape, seed):
        self.untrained = record["untrained"][seed]
        grid = {float(share): [row[seed] for row in rows] for share, rows in record[shape].items()}
        self.shares = sorted(grid)
        self.losses = [[math.inf if one is None else one for one in grid[share]] for share in self.shares]

    def __call__(self, rate, updates):
        """Returns the loss after a number of updates at a rate, and the number of updates."""
        if rate == 0.0:
            return search.ValidationLoss((self.untrained,), (1,)), updates
        place = max(0.0, A_DECADE * math.log10(rate) - FIRST)
        several = [self._between(row, place) for row in self.losses]
        loss = float(np.interp(math.log(updates / RUN), np.log(self.shares), several))
        if not math.isfinite(loss):
            return search.ValidationLoss(), updates // 3
        return search.ValidationLoss((loss,), (1,)), updates

    @staticmethod
    def _between(row, place):
        low = int(place)
        if low >= len(row) - 1:
            return math.inf if place > len(row) - 1 else row[-1]
        share = place - low
        return row[low] if share == 0.0 else (1.0 - share) * row[low] + share * row[low + 1]


def plain(train, start):
    """Picks the best of five rates, half a decade apart, at 40 % of the run."""
    rates = [start * 10.0 ** (place / 2) for place in (-2, -1, 0, 1, 2)]
    return min(rates, key=lambda rate: train(rate, int(0.4 * RUN))[0].mean)


def built_in(train, start):
    """Returns the answer of `find`."""
    untrained = search.ValidationLoss((train.untrained,), (1,))
    return search.verify(train, start, 2 * RUN, untrained).learning_rate


def regrets_of(way, shape):
    """Returns the mean regret over the pairs, and that of the worst pair."""
    chance, lengths, truth = np.random.default_rng(0), json.loads((HERE / "lengths.json").read_text()), truths(shape)
    means = []
    for task in [task for task in TASKS if task.name in lengths]:
        record, regrets = lengths[task.name], []
        for seed in range(len(record["untrained"])):
            train = Simulation(record, shape, seed)
            starts = truth[task.name].best * 10.0 ** chance.normal(scale=OFF, size=REPEATS)
            regrets += [truth[task.name].regret(way(train, start)) for start in starts]
        means.append(np.mean(regrets))
    return float(np.mean(means)), float(np.max(means))


def main():
    with np.errstate(invalid="ignore"):
        for name, numbers in {"five rates, the lowest wins": None, **WAYS}.items():
            own = {key: getattr(search, key) for key in numbers or {}}
            for key, value in (numbers or {}).items():
                setattr(search, key, value)
            pairs = [regrets_of(plain if numbers is None else built_in, shape) for shape in ("constant", "cosine")]
            for key, value in own.items():
                setattr(search, key, value)
            print(f"{name:40s}", *(f"{mean:.4f} / {worst:.4f}" for mean, worst in pairs), sep="   ")


if __name__ == "__main__":
    main()
