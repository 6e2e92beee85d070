"""What `find(verify=N)` answers on every pair, with N twice the updates of a run, from three initial weights and orders.

    KERAS_BACKEND=tensorflow python benchmarks/regret/verified.py [--minutes 8] [--out verified.json]
    python benchmarks/regret/score.py --answers benchmarks/regret/verified.json

The command goes on where it stopped. The validation data are those by which the truth was measured, as when a user picks a
rate by them; the initial weights and the orders are others.
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

FOUND = pathlib.Path(__file__).parent / "verified.json"
SEEDS = (100, 101, 102)  # none of those that the truth was trained with


def asked(task, arrays, seed):
    """The answers for both shapes."""
    updates = task.epochs * (len(arrays[0]) // task.batch_size)
    record = {"task": task.name, "seed": seed}
    for shape, schedule in SHAPES.items():
        keras.utils.set_random_seed(seed)
        found = klr.find(
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
            for t in found.verified.trials
        ]
        record[shape] = {"answer": found.learning_rate, "interval": found.interval, "reason": found.reason}
        record[shape] |= {"updates": found.verified.updates, "trials": trials}
    return record


def main(minutes, out):
    records = json.loads(out.read_text()) if out.exists() else []
    done = {(record["task"], record["seed"]) for record in records}
    end = time.monotonic() + 60.0 * minutes
    for task in [task for half in halves().values() for task in half]:
        for seed in SEEDS:
            if (task.name, seed) in done or time.monotonic() > end:
                continue
            started = time.perf_counter()
            records.append(asked(task, task.arrays(), seed))
            lines = ",\n".join(json.dumps(record) for record in records)
            out.write_text(f"[\n{lines}\n]\n")
            keras.backend.clear_session()
            print(f"{task.name}, {seed}: {time.perf_counter() - started:.0f} s", flush=True)
    print(f"{len(records)} of {len(SEEDS) * len([task for half in halves().values() for task in half])} are done")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="begin nothing after that")
    parser.add_argument("--out", type=pathlib.Path, default=FOUND)
    arguments = parser.parse_args()
    main(arguments.minutes, arguments.out)
