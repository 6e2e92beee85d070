"""Runs `find(verify=N)` on every pair, with N twice the updates of a run, from three initial weights and batch orders.

    KERAS_BACKEND=tensorflow python benchmarks/regret/verified.py [--minutes 8] [--out verified.json]
    python benchmarks/regret/score.py --answers benchmarks/regret/verified.json

The command continues after a stop. The validation data are those of truth.py, as a user has one validation set for both; the
initial weights and the orders are others.
"""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
from tasks import halves
from truth import SHAPES

import keras_lr as klr

OUT = pathlib.Path(__file__).parent / "verified.json"
SEEDS = (100, 101, 102)  # other seeds than those of truth.py


def record_of(task, arrays, seed):
    """Returns the answers for both shapes."""
    updates = task.epochs * (len(arrays[0]) // task.batch_size)
    record = {"task": task.name, "seed": seed}
    for shape, schedule in SHAPES.items():
        keras.utils.set_random_seed(seed)
        result = klr.find(
            task.build_model(),
            *arrays[:2],
            batch_size=task.batch_size,
            validation_data=tuple(arrays[2:]),
            schedule=schedule,
            verify=max(200, 2 * updates),
            seed=10 * seed,
            verbose=0,
        )
        trials = [
            (float(f"{t.learning_rate:.5g}"), t.updates, float(f"{t.validation_loss:.5g}"))
            for t in result.verified.trials
        ]
        record[shape] = {"answer": result.learning_rate, "interval": result.interval, "reason": result.reason}
        record[shape] |= {"updates": result.verified.updates, "trials": trials}
    return record


def main(minutes, out):
    records = json.loads(out.read_text()) if out.exists() else []
    complete = {(record["task"], record["seed"]) for record in records}
    end = time.monotonic() + 60.0 * minutes
    for task in [task for half in halves().values() for task in half]:
        for seed in SEEDS:
            if (task.name, seed) in complete or time.monotonic() > end:
                continue
            start = time.perf_counter()
            records.append(record_of(task, task.arrays(), seed))
            lines = ",\n".join(json.dumps(record) for record in records)
            out.write_text(f"[\n{lines}\n]\n")
            keras.backend.clear_session()
            print(f"{task.name}, {seed}: {time.perf_counter() - start:.0f} s", flush=True)
    print(f"{len(records)} of {len(SEEDS) * len([task for half in halves().values() for task in half])} are complete")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="start no run after that")
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    arguments = parser.parse_args()
    main(arguments.minutes, arguments.out)
