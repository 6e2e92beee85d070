"""Trains the pairs of long trainings and of texts around their best rate, constant and along a cosine, by `klr.compare`.

    MNIST=mnist.npz KERAS_BACKEND=jax python benchmarks/regret/long_truth.py [--minutes 8] [--only text] [--half tune]

Stores in `.venv/regret/` keep every run, so that the command continues after a stop. It writes `long_truth.json`, as `truth.py`
does: for each pair and shape the mean final validation loss of each rate, and the untrained loss.
"""

import argparse
import contextlib
import json
import os
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from long_tasks import GROUPS
from truth import A_DECADE, HERE, NEAR, SHAPES, STORES, compare, untrained

OUT = HERE / "long_truth.json"
SEEDS = [0, 1, 2]
COARSE = range(-5 * A_DECADE, A_DECADE + 1, 2)  # 1e-5 to 10, two a decade
COARSE_SHARE = 4  # the first pass trains this part of the updates
OFFSETS = (-8, -4, -2, -1, 0, 1, 2, 4)  # from the best rate of the first pass
ALONG_COSINE = 1  # the best peak is about twice as high


def best_of(losses):
    """Returns the place of the lowest loss."""
    return min((place for place, loss in losses.items() if loss is not None), key=losses.get)


def grid(task, arrays, shape, center):
    """Returns the losses around a place; more places until the best is well inside."""
    losses = compare(task, arrays, shape, [center + offset for offset in OFFSETS], SEEDS)
    while True:
        best, low, high = best_of(losses), min(losses), max(losses)
        if best - low < NEAR:
            more = range(low - NEAR, low)
        elif high - best < NEAR and losses[high] is not None:
            more = range(high + 1, high + NEAR + 1)
        else:
            return dict(sorted(losses.items()))
        losses |= compare(task, arrays, shape, more, SEEDS)


def measure(task):
    """Measures a pair, and returns its record."""
    x, y, *validation = arrays = task.arrays()
    part = len(x) // COARSE_SHARE // task.batch_size * task.batch_size
    coarse = best_of(compare(task, (x[:part], y[:part], *validation), "constant", COARSE, SEEDS[:1]))
    record = {"untrained": untrained(task, arrays, SEEDS), "seeds": len(SEEDS), "updates": len(x) // task.batch_size}
    for shape in SHAPES:
        losses = grid(task, arrays, shape, coarse + (ALONG_COSINE if shape == "cosine" else 0))
        record[shape] = {str(place): loss for place, loss in losses.items()}
    return record


def store(name, record):
    """Adds a record to the file; another process may do the same."""
    records = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.write_text(json.dumps(records | {name: record}, indent=1) + "\n")


def main(minutes, tasks):
    STORES.mkdir(exist_ok=True, parents=True)
    end = time.monotonic() + 60.0 * minutes
    for task in tasks:
        if (OUT.exists() and task.name in json.loads(OUT.read_text())) or time.monotonic() > end:
            continue
        start = time.perf_counter()
        with contextlib.redirect_stdout(None):
            record = measure(task)
        store(task.name, record)
        keras.backend.clear_session()
        print(f"{task.name}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="start no pair after that")
    parser.add_argument("--only", choices=GROUPS, help="one group of pairs; default: all")
    parser.add_argument("--half", choices=("tune", "held out"), help="one half; default: both")
    arguments = parser.parse_args()
    groups = [GROUPS[arguments.only]] if arguments.only else GROUPS.values()
    main(
        arguments.minutes,
        [
            task
            for halves in groups
            for half, tasks in halves.items()
            for task in tasks
            if arguments.half in (None, half)
        ],
    )
