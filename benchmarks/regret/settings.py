"""Tries rates for the grid and for halving on the trainings that curves.py recorded, and prints their regret on the tune half.

    python benchmarks/regret/settings.py

It trains nothing. Between two recorded rates and between two recorded lengths the loss is linear in the logarithms. The best
settings are those of `searches.py`.
"""

import functools
import math

import numpy as np
import searches
from long_tasks import GROUPS
from scores import STORES, truths
from tasks import halves

SHAPES = ("constant", "cosine")


class Recorded:
    """The trainings of a pair from one seed, read from its curves."""

    def __init__(self, file, shape, seed):
        name, lengths = ("holdout", "lengths") if shape == "constant" else ("cosine", "cosines")
        self.logs, self.lengths = np.log(file["rates"]), np.log(file[lengths])
        losses, idle = file[name][seed], np.full((len(self.logs), 1), file["idle"][seed])
        self.lengths = np.concatenate([[0.0], self.lengths])
        self.losses = np.concatenate([idle, np.where(np.isfinite(losses), losses, np.inf)], axis=1)

    def __call__(self, rate, length):
        """Returns the loss after a training."""
        with np.errstate(invalid="ignore"):
            rows = [np.interp(math.log(length), self.lengths, row) for row in self.losses]
            loss = float(np.interp(math.log(rate), self.logs, rows))
        return loss if math.isfinite(loss) else math.inf


@functools.cache
def pairs(group):
    """Returns the recorded pairs of the tune half: for each its name, updates and trainings by shape."""
    several = []
    for task in (halves() if group == "short" else GROUPS[group])["tune"]:
        path = STORES / "curves" / f"{task.name}.npz"
        if path.exists() and task.name in truths("constant"):
            with np.load(path) as file:
                trainings = {
                    shape: [Recorded(file, shape, seed) for seed in range(len(file["idle"]))] for shape in SHAPES
                }
                several.append((task.name, int(file["updates"]), trainings))
    return several


def figures(group, search, rates):
    """Returns for each shape the mean and the worst pair of regret and of excess."""
    cells = {}
    for shape in SHAPES:
        regrets, excesses = [], []
        for name, updates, trainings in pairs(group):
            budget, truth = searches.budget_of(updates), truths(shape)[name]
            if search == "grid":
                answers = [searches.search_grid(loss, rates, budget) for loss in trainings[shape]]
            else:
                resumes = shape == "constant"
                answers = [searches.search_by_halving(loss, rates, budget, resumes) for loss in trainings[shape]]
            regrets.append(np.mean([truth.regret(rate) for rate in answers]))
            excesses.append(100.0 * np.mean([truth.excess(rate) for rate in answers]))
        cells[shape] = (
            f"{np.mean(regrets):.3f} / {np.max(regrets):.3f}, {np.mean(excesses):4.0f} / {np.max(excesses):4.0f} %"
        )
    return cells


def main():
    for group in ("short", *GROUPS):
        print(f"\n{group}: {len(pairs(group))} pairs; mean / worst regret, and excess")
        for search in ("grid", "halving") if pairs(group) else ():
            for rates in searches.CHOICES:
                cells = figures(group, search, rates)
                print(f"{search:8s} {rates!s:28s}", *(f"{shape}: {cell}" for shape, cell in cells.items()), sep="   ")


if __name__ == "__main__":
    main()
