"""What `find` measures and answers on every pair, from three initial weights and orders.

    KERAS_BACKEND=jax python benchmarks/regret/answers.py [--out answers.json] [--further]

The curves are written with the answers, so that deciding rules can be compared on them without measuring again.
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

FOUND = STORES / "answers.json"
SEEDS = (100, 101, 102)  # none of those that the truth was trained with


def asked(task, arrays, seed):
    """The answers for both shapes, and the curve that both are read from."""
    keras.utils.set_random_seed(seed)
    found = klr.find(task.build_model(), *arrays[:2], batch_size=task.batch_size, seed=10 * seed, verbose=0)
    record = {"task": task.name, "seed": seed, "rates": found.learning_rates, "losses": found.losses}
    record["sprints"] = None if found.sprints is None else dataclasses.asdict(found.sprints)
    for shape, schedule in SHAPES.items():
        answer = consensus(found.curve, mean_share("find", schedule), found.sprints)
        record[shape] = {"answer": answer.learning_rate, "interval": answer.interval, "reason": answer.reason}
    return record


def main(out, tasks):
    out.parent.mkdir(exist_ok=True)
    records, started = [], time.perf_counter()
    for task in tasks:
        arrays = task.arrays()
        records += [asked(task, arrays, seed) for seed in SEEDS]
        keras.backend.clear_session()
        print(f"{task.name}: {time.perf_counter() - started:.0f} s so far", flush=True)
    out.write_text(json.dumps(records) + "\n")
    print(json.dumps({"curves": len(records), "file": str(out)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=FOUND)
    parser.add_argument("--further", action="store_true", help="the further pairs to tune on")
    chosen = parser.parse_args()
    main(chosen.out, further() if chosen.further else TASKS)
