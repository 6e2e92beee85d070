"""Trains every pair at a dense grid of rates by `klr.compare`, at a constant rate and along a cosine, to know the good rates.

    KERAS_BACKEND=jax python benchmarks/regret/truth.py [--minutes 8] [--further]

Stores in `.venv/regret/` keep every run, so that the command continues after a stop. It writes `truth.json`: for each pair and
shape, the mean final validation loss of each rate, and the untrained loss. With --further it trains the further pairs for
tuning, with fewer seeds, and writes `further.json`.
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from tasks import TASKS, further

import keras_lr as klr

HERE = pathlib.Path(__file__).parent
STORES = HERE.parent.parent / ".venv" / "regret"
SEEDS, FEWER = list(range(8)), list(range(4))
A_DECADE = 4
FIRST = range(-5 * A_DECADE, 1 * A_DECADE + 1)  # 1e-5 to 10
MORE = 2 * A_DECADE  # rates to add at an end
NEAR = 4  # the least distance of the best rate from both ends
SHAPES = {"constant": None, "cosine": klr.Cosine(1.0, 0.0, "100%")}


def rate_of(place):
    """Returns the rate at a place of the grid, which has four per decade."""
    return 10.0 ** (place / A_DECADE)


def untrained(task, arrays, seeds):
    """Returns the mean validation loss of the first weights."""
    losses = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        losses.append(task.build_model().evaluate(*arrays[2:], verbose=0))
    return float(np.mean(losses))


def compare(task, arrays, shape, places, seeds):
    """Returns the mean final validation loss of each place, or None if a run diverged."""
    x, y, *validation = arrays
    schedule = SHAPES[shape]
    result = klr.compare(
        task.build_model,
        x,
        y,
        validation_data=tuple(validation),
        learning_rates=[rate_of(place) for place in places],
        schedules=None if schedule is None else {shape: schedule},
        seeds=seeds,
        epochs=task.epochs,
        batch_size=task.batch_size,
        store=STORES / f"{task.name}, {shape}, {places[0]} to {places[-1]}.sqlite",
        engine="population",
        verbose=0,
    )
    return {place: None if case.diverged else case.mean for place, case in zip(places, result.cases, strict=True)}


def grid(task, arrays, shape, seeds):
    """Returns the losses of a grid that extends beyond the best rate on both sides."""
    losses = compare(task, arrays, shape, FIRST, seeds)
    while True:
        finite = {place: loss for place, loss in losses.items() if loss is not None and math.isfinite(loss)}
        best, low, high = min(finite, key=finite.get), min(losses), max(losses)
        if best - low < NEAR:
            more = range(low - MORE, low)
        elif high - best < NEAR:
            more = range(high + 1, high + MORE + 1)
        else:
            return dict(sorted(losses.items()))
        losses |= compare(task, arrays, shape, more, seeds)


def measure(task, seeds):
    """Measures a pair, and returns its record."""
    arrays = task.arrays()
    record = {"untrained": untrained(task, arrays, seeds), "seeds": len(seeds)}
    for shape in SHAPES:
        record[shape] = {str(place): loss for place, loss in grid(task, arrays, shape, seeds).items()}
    return record


def main(minutes, tasks, seeds, out):
    STORES.mkdir(exist_ok=True)
    records = json.loads(out.read_text()) if out.exists() else {}
    end = time.monotonic() + 60.0 * minutes
    for task in tasks:
        if task.name in records or time.monotonic() > end:
            continue
        start = time.perf_counter()
        with contextlib.redirect_stdout(None):
            records[task.name] = measure(task, seeds)
        out.write_text(json.dumps(records, indent=1) + "\n")
        keras.backend.clear_session()
        print(f"{task.name}: {time.perf_counter() - start:.0f} s", flush=True)
    print(f"{len(records)} of {len(tasks)} pairs are complete")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="start no pair after that")
    parser.add_argument("--further", action="store_true")
    arguments = parser.parse_args()
    more = (further(), FEWER, HERE / "further.json") if arguments.further else (TASKS, SEEDS, HERE / "truth.json")
    main(arguments.minutes, *more)
