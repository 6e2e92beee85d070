"""Calibrates the 90 % interval of `find` on the tuning half, leaving out one kind of pair at a time.

    MNIST=mnist.npz python benchmarks/regret/intervals.py [--answers answers.json] [--half tune]

For each kind, the error of the rule (`lengths.ERROR`) is the smallest at which 90 % of the intervals of all other kinds contain a
good rate; then it counts how many of its own do. A good rate has a regret of 0.01 at most, in long trainings and texts an excess of 5 %.
"""

import argparse
import json
import pathlib

import numpy as np
from answers import ALL, OUT, SHAPES
from rules import by_lengths_of, per_epoch_of
from scores import truths

from keras_lr.finder.deciding import lengths
from keras_lr.finder.target import mean_share

ERRORS = np.arange(0.0, 0.41, 0.02)
LEVEL = 0.9


def hits_of(records, kinds):
    """Returns for each kind, and each error, whether the intervals contain a good rate."""
    hits = {}
    for record, by_length in by_lengths_of(records):
        kind, group = kinds[record["task"]]
        for shape, schedule in SHAPES.items():
            truth = truths(shape).get(record["task"])
            if truth is None:
                continue
            share, row = mean_share("intervals", schedule), []
            for error in ERRORS:
                lengths.ERROR = float(error)
                row.append(truth.holds(by_length.interval_for(record["steps"], share), group))
            hits.setdefault(kind, []).append(row)
    return {kind: np.array(rows, float) for kind, rows in hits.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=pathlib.Path, default=OUT)
    parser.add_argument("--half", choices=("tune", "held out"), default="tune")
    arguments = parser.parse_args()
    tasks = [(task, group) for group, halves in ALL.items() for task in halves[arguments.half]]
    kinds = {task.name: (f"{group}, {task.kind}", group) for task, group in tasks}
    records = [one for one in json.loads(arguments.answers.read_text()) if one["named"] and one["task"] in kinds]
    per_epoch = per_epoch_of([task for task, _ in tasks])
    built_in, every = lengths.ERROR, hits_of([{**one, "per_epoch": per_epoch[one["task"]]} for one in records], kinds)
    lengths.ERROR, own = built_in, []
    for kind, rows in every.items():
        others = np.concatenate([more for other, more in every.items() if other != kind]).mean(axis=0)
        error = ERRORS[int(np.argmax(others >= LEVEL))]
        own.append(float(rows[:, int(np.argmax(others >= LEVEL))].mean()))
        print(f"{kind:28s} error from the other kinds {error:.2f}, its own intervals hold a good rate: {own[-1]:.2f}")
    pooled = np.concatenate(list(every.values()))
    place = int(np.argmin(np.abs(ERRORS - built_in)))
    print(
        f"all kinds, each left out in turn: {np.mean(own):.2f}; with the built-in error of {built_in:g}: {pooled[:, place].mean():.2f}"
    )


if __name__ == "__main__":
    main()
