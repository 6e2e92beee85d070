"""Ways of search, tried on `lengths.json` without training: what the rates that they pick lose, against `truth.json`.

    python benchmarks/regret/policies.py

The way of `find(verify=N)` is the one that is built in; the others are it with another number. The range test's answer is
played by the best rate, off by 0.35 decades at random.
"""

import json
import math
import pathlib

import numpy as np
from score import truths
from tasks import TASKS

from keras_lr.finder.verifying import search

HERE = pathlib.Path(__file__).parent
RUN = 1000  # updates of a run that is played
OFF = 0.35  # decades
REPEATS = 16
A_DECADE, FIRST = 3, -18  # the grid of lengths.json
WAYS = {
    "as built in": {},
    "without the power": {"STEEPEST": 0.0},
    "longer trainings not lower": {"LOWER": 1.0},
    "half a decade between the longer ones": {"FINE_STEP": 10.0**0.5},
    "first trainings twice as long": {"COARSE_SHARE": 0.1},
}


class Played:
    """The trainings of one pair, shape and seed, read from the grid."""

    def __init__(self, record, shape, seed):
        self.untrained = record["untrained"][seed]
        grid = {float(share): [row[seed] for row in rows] for share, rows in record[shape].items()}
        self.shares = sorted(grid)
        self.losses = [[math.inf if one is None else one for one in grid[share]] for share in self.shares]

    def __call__(self, rate, updates):
        """The loss after so many updates at a rate, and the updates made."""
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
    """Five rates half a decade apart at 40 % of the run; the lowest wins."""
    rates = [start * 10.0 ** (place / 2) for place in (-2, -1, 0, 1, 2)]
    return min(rates, key=lambda rate: train(rate, int(0.4 * RUN))[0].mean)


def chosen(train, start):
    """What `find` would answer."""
    untrained = search.ValidationLoss((train.untrained,), (1,))
    return search.verify(train, start, 2 * RUN, untrained).learning_rate


def lost(way, shape):
    """The mean regret over the pairs, and that of the worst one."""
    chance, known, truth = np.random.default_rng(0), json.loads((HERE / "lengths.json").read_text()), truths(shape)
    means = []
    for task in [task for task in TASKS if task.name in known]:
        record, regrets = known[task.name], []
        for seed in range(len(record["untrained"])):
            train = Played(record, shape, seed)
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
            told = [lost(plain if numbers is None else chosen, shape) for shape in ("constant", "cosine")]
            for key, value in own.items():
                setattr(search, key, value)
            print(f"{name:40s}", *(f"{mean:.4f} / {worst:.4f}" for mean, worst in told), sep="   ")


if __name__ == "__main__":
    main()
