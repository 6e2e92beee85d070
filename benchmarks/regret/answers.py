"""Runs `find` on every pair, from three initial weights and batch orders, and writes its curves and answers.

    KERAS_BACKEND=jax python benchmarks/regret/answers.py [--out answers.json] [--further]

With the curves, rules that decide on a rate can be compared without another measurement.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from tasks import TASKS, further
from truth import SHAPES, STORES

import keras_lr as klr
from keras_lr.finder.deciding.consensus import consensus
from keras_lr.finder.target import mean_share

OUT = STORES / "answers.json"
SEEDS = (100, 101, 102)  # other seeds than those of truth.py


def record_of(task, arrays, seed):
    """Returns the answers for both shapes, and the curve behind them."""
    keras.utils.set_random_seed(seed)
    result = klr.find(task.build_model(), *arrays[:2], batch_size=task.batch_size, seed=10 * seed, verbose=0)
    record = {"task": task.name, "seed": seed, "rates": result.learning_rates, "losses": result.losses}
    record["sprints"] = None if result.sprints is None else dataclasses.asdict(result.sprints)
    for shape, schedule in SHAPES.items():
        answer = consensus(result.curve, mean_share("find", schedule), result.sprints)
        record[shape] = {"answer": answer.learning_rate, "interval": answer.interval, "reason": answer.reason}
    return record


def main(out, tasks):
    out.parent.mkdir(exist_ok=True)
    records, start = [], time.perf_counter()
    for task in tasks:
        arrays = task.arrays()
        records += [record_of(task, arrays, seed) for seed in SEEDS]
        keras.backend.clear_session()
        print(f"{task.name}: {time.perf_counter() - start:.0f} s so far", flush=True)
    out.write_text(json.dumps(records) + "\n")
    print(json.dumps({"curves": len(records), "file": str(out)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--further", action="store_true", help="run the further pairs")
    arguments = parser.parse_args()
    main(arguments.out, further() if arguments.further else TASKS)
