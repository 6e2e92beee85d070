"""Which rates are good: every pair trained at a dense grid of rates by `klr.compare`, at a constant rate and along a cosine.

    KERAS_BACKEND=jax python benchmarks/regret/truth.py [--minutes 8] [--further]

Every run goes into a store in `.venv/regret/`, so that the command goes on where it stopped. What it found is written into
`truth.json`: for each pair and shape the mean final validation loss of each rate, and the untrained loss. With --further it does so for the further pairs to tune on,
with fewer seeds, into `further.json`.
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
MORE = 2 * A_DECADE  # rates to widen by at an end
NEAR = 4  # the best rate must be as far from both ends
SHAPES = {"constant": None, "cosine": klr.Cosine(1.0, 0.0, "100%")}


def rate_of(place):
    """The rate at a place of the grid, which has four a decade."""
    return 10.0 ** (place / A_DECADE)


def untrained(task, arrays, seeds):
    """The mean validation loss over the first weights."""
    losses = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        losses.append(task.build_model().evaluate(*arrays[2:], verbose=0))
    return float(np.mean(losses))


def trained(task, arrays, shape, places, seeds):
    """The mean final validation loss of each place, None where a run diverged."""
    x, y, *validation = arrays
    schedule = SHAPES[shape]
    found = klr.compare(
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
    return {place: None if case.diverged else case.mean for place, case in zip(places, found.cases, strict=True)}


def grid(task, arrays, shape, seeds):
    """The losses of a grid that reaches beyond the best rate on both sides."""
    losses = trained(task, arrays, shape, FIRST, seeds)
    while True:
        finite = {place: loss for place, loss in losses.items() if loss is not None and math.isfinite(loss)}
        best, low, high = min(finite, key=finite.get), min(losses), max(losses)
        if best - low < NEAR:
            more = range(low - MORE, low)
        elif high - best < NEAR:
            more = range(high + 1, high + MORE + 1)
        else:
            return dict(sorted(losses.items()))
        losses |= trained(task, arrays, shape, more, seeds)


def measured(task, seeds):
    """The record of a pair."""
    arrays = task.arrays()
    record = {"untrained": untrained(task, arrays, seeds), "seeds": len(seeds)}
    for shape in SHAPES:
        record[shape] = {str(place): loss for place, loss in grid(task, arrays, shape, seeds).items()}
    return record


def main(minutes, tasks, seeds, out):
    STORES.mkdir(exist_ok=True)
    found = json.loads(out.read_text()) if out.exists() else {}
    end = time.monotonic() + 60.0 * minutes
    for task in tasks:
        if task.name in found or time.monotonic() > end:
            continue
        started = time.perf_counter()
        with contextlib.redirect_stdout(None):
            found[task.name] = measured(task, seeds)
        out.write_text(json.dumps(found, indent=1) + "\n")
        keras.backend.clear_session()
        print(f"{task.name}: {time.perf_counter() - started:.0f} s", flush=True)
    print(f"{len(found)} of {len(tasks)} pairs are done")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="begin no pair after that")
    parser.add_argument("--further", action="store_true")
    chosen = parser.parse_args()
    more = (further(), FEWER, HERE / "further.json") if chosen.further else (TASKS, SEEDS, HERE / "truth.json")
    main(chosen.minutes, *more)
