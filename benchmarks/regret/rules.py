"""Tries rules on the sprints of `answers.json` without training, and prints what their rates cost.

    MNIST=mnist.npz python benchmarks/regret/rules.py [--answers answers.json] [--half tune]

The first rule is that of `find`; each of the others changes one number or one part of it. For short pairs the cost is regret,
for long ones and texts excess; mean / worst pair, at a constant rate and along a cosine.
"""

import argparse
import json
import math
import pathlib

import numpy as np
from answers import ALL, OUT, SHAPES
from scores import truths

from keras_lr.core.records import as_record
from keras_lr.finder.deciding import lengths
from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.lengths import rate_by_length
from keras_lr.finder.deciding.ramps import descent
from keras_lr.finder.deciding.sprints import SprintCurves
from keras_lr.finder.target import mean_share

RULES = {
    "as built in": {},
    "the best rate of the sprints, as it is": {
        name: 0.0 for name in ("SLOPE", "NORMALIZED_SLOPE", "FIXED_LENGTH_SLOPE", "MEASURED", "EPOCH_SLOPE", "PEAK")
    },
    "without length": {"SLOPE": 0.0, "NORMALIZED_SLOPE": 0.0, "FIXED_LENGTH_SLOPE": 0.0, "MEASURED": 0.0},
    "without epochs": {"EPOCH_SLOPE": 0.0},
    "one slope for all models": {"NORMALIZED_SLOPE": lengths.SLOPE},
    "one slope for all optimizers": {"FIXED_LENGTH_SLOPE": 0.0},
    "no measured slope": {"MEASURED": 0.0},
    "measured slope for all": {"FAR": 1},
    "half of the slope measured": {"MEASURED": 0.5},
    "the peak falls as a constant rate does": {"RELIEF": 0.0},
    "sprints without the ramps": {"CENTER_ERROR": 1e9},
    "normalized models: slope 0": {"NORMALIZED_SLOPE": 0.0},
    "normalized models: slope -0.2": {"NORMALIZED_SLOPE": -0.2},
    "slope -0.25": {"SLOPE": -0.25},
    "slope -0.45": {"SLOPE": -0.45},
}


def by_lengths_of(records):
    """Yields each record that has sprints, with what they show by the present numbers of the rule."""
    for record in records:
        if record["sprints"] is not None:
            marks = descent(Curve(tuple(record["rates"]), tuple(map(tuple, record["losses"])))).landmarks
            sprints = as_record(SprintCurves, record["sprints"])
            yield record, rate_by_length(sprints, record["per_epoch"], marks and marks.center)


def per_epoch_of(tasks):
    """Returns for each pair the updates until its data repeat, or None if they don't."""
    counts = {task.name: math.ceil(len(task.arrays()[0]) / task.batch_size) for task in tasks if task.epochs > 1}
    return {task.name: counts.get(task.name) for task in tasks}


def answers_of(records):
    """Returns the rates for each pair and shape, by the present numbers of the rule."""
    rates = {}
    for record, by_length in by_lengths_of(records):
        for shape, schedule in SHAPES.items():
            rate = by_length.rate_for(record["steps"], mean_share("rules", schedule))
            rates.setdefault((shape, record["task"]), []).append(rate)
    return rates


def cost_of(rates, group, names):
    """Returns the mean and the worst cost for each shape, as text."""
    texts = []
    for shape in SHAPES:
        truth = truths(shape)
        costs = [
            float(
                np.mean(
                    [
                        (truth[name].regret if group == "short" else truth[name].excess)(rate)
                        for rate in rates[shape, name]
                    ]
                )
            )
            for name in names
            if name in truth and (shape, name) in rates
        ]
        texts.append(f"{np.mean(costs):.3f} / {max(costs):.3f}" if costs else "-")
    return "   ".join(texts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=pathlib.Path, default=OUT)
    parser.add_argument("--half", choices=("tune", "held out"), default="tune")
    arguments = parser.parse_args()
    records = [record for record in json.loads(arguments.answers.read_text()) if record["named"]]
    tasks = {group: halves[arguments.half] for group, halves in ALL.items()}
    per_epoch = per_epoch_of([task for several in tasks.values() for task in several])
    records = [{**record, "per_epoch": per_epoch[record["task"]]} for record in records if record["task"] in per_epoch]
    print(f"{'':42s}" + "".join(f"{f'{group}: constant':20s}{'cosine':20s}" for group in ALL))
    for name, numbers in RULES.items():
        own = {key: getattr(lengths, key) for key in numbers}
        for key, value in numbers.items():
            setattr(lengths, key, value)
        rates = answers_of(records)
        for key, value in own.items():
            setattr(lengths, key, value)
        print(f"{name:42s}" + "".join(f"{cost_of(rates, group, [t.name for t in tasks[group]]):40s}" for group in ALL))


if __name__ == "__main__":
    main()
