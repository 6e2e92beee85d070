"""Runs `find` on every pair, from three initial weights and batch orders, and writes its curves and answers.

    MNIST=mnist.npz KERAS_BACKEND=jax python benchmarks/regret/answers.py [--out answers.json] [--group short] [--half tune]

For short pairs it answers twice: with the length of the training named, and without. One measurement serves a constant rate
and a cosine. With the curves, rules that decide on a rate can be compared without another measurement.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import time
import warnings

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from long_tasks import GROUPS
from tasks import further, halves
from truth import SHAPES, STORES

import keras_lr as klr
from keras_lr.core.records import as_record
from keras_lr.finder.deciding.consensus import Purpose, consensus
from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.sprints import SprintCurves
from keras_lr.finder.target import mean_share

OUT = STORES / "answers.json"
SEEDS = (100, 101, 102)  # other seeds than those of truth.py
ALL = {"short": halves(), **GROUPS}
FURTHER = {"further": {"tune": further()}}  # for tuning only


def record_of(task, arrays, seed, named):
    """Returns the answers for both shapes, and the curve behind them."""
    keras.utils.set_random_seed(seed)
    warnings.simplefilter("ignore")  # find tells if a training is shorter than its search
    length = {"epochs": task.epochs} if named else {}
    start = time.perf_counter()
    result = klr.find(task.build_model(), *arrays[:2], batch_size=task.batch_size, seed=10 * seed, verbose=0, **length)
    record = {"task": task.name, "seed": seed, "named": named, "updates": result.cost.updates, "steps": result.steps}
    record |= {
        "seconds": round(time.perf_counter() - start, 2),
        "rates": result.learning_rates,
        "losses": result.losses,
    }
    record["sprints"] = None if result.sprint_curves is None else dataclasses.asdict(result.sprint_curves)
    return decide(record, len(arrays[0]) // task.batch_size)


def decide(record, per_epoch):
    """Adds the answers for both shapes, by the present rule."""
    curve = Curve(tuple(record["rates"]), tuple(map(tuple, record["losses"])))
    sprints = None if record["sprints"] is None else as_record(SprintCurves, record["sprints"])
    for shape, schedule in SHAPES.items():
        purpose = Purpose(record["steps"], mean_share("find", schedule), steps_per_epoch=per_epoch)
        answer = consensus(curve, purpose, sprints)
        record[shape] = {"answer": answer.learning_rate, "interval": answer.interval, "reason": answer.reason}
    return record


def decide_again(out):
    """Decides again on the curves on file."""
    per_epoch = {
        task.name: len(task.arrays()[0]) // task.batch_size
        for halves in (ALL | FURTHER).values()
        for half in halves.values()
        for task in half
    }
    records = [decide(record, per_epoch[record["task"]]) for record in json.loads(out.read_text())]
    out.write_text(json.dumps(records) + "\n")


def main(out, groups, half):
    out.parent.mkdir(exist_ok=True, parents=True)
    records, start = [], time.perf_counter()
    for group in groups:
        for task in [task for name, tasks in (ALL | FURTHER)[group].items() for task in tasks if half in (None, name)]:
            arrays = task.arrays()
            for named in (True, False) if group == "short" else (True,):
                records += [record_of(task, arrays, seed, named) for seed in SEEDS]
            keras.backend.clear_session()
            print(f"{task.name}: {time.perf_counter() - start:.0f} s so far", flush=True)
    out.write_text(json.dumps(records) + "\n")
    print(json.dumps({"curves": len(records), "file": str(out)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--group", choices=ALL | FURTHER, action="append", help="some pairs; default: all")
    parser.add_argument("--half", choices=("tune", "held out"), help="one half; default: both")
    parser.add_argument("--again", action="store_true", help="only decide again on the curves in the file")
    arguments = parser.parse_args()
    if arguments.again:
        decide_again(arguments.out)
        raise SystemExit
    main(arguments.out, arguments.group or list(ALL), arguments.half)
