"""Measures how fast a store writes and reads runs, and its size. Prints one JSON document.

A row is one number of a curve. Each run is a transaction, flushed to the disk, as in `compare`.
"""

import contextlib
import json
import pathlib
import tempfile
import time

import numpy as np

from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.store.store import Store
from keras_lr.engines.fit import TrainingRun

SHAPES = {"short": (10, 4, 80), "long": (100, 6, 5000)}  # epochs, metrics, updates
RUNS = 300


def measurement(epochs, metrics, updates):
    chance = np.random.default_rng(0)
    history = {f"metric_{place}": tuple(chance.random(epochs).tolist()) for place in range(metrics)}
    losses = chance.random(updates).astype("float32").tolist()
    return RunMeasurement(TrainingRun(history, "finished", None, 1.0), (0.001,) * updates, losses)


def row(shape):
    one, plan = measurement(*SHAPES[shape]), {"cases": [{"name": "a"}], "seeds": list(range(RUNS))}
    epochs, metrics, updates = SHAPES[shape]
    rows = RUNS * (epochs * metrics + 2 * updates)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "runs.sqlite"
        with contextlib.closing(Store(path, plan)) as store:
            start = time.perf_counter()
            for seed in range(RUNS):
                store.write(RunKey(0, 0, seed), one)
            writing = time.perf_counter() - start
        start = time.perf_counter()
        with contextlib.closing(Store(path, plan)) as store:
            assert len(store.runs) == RUNS
        opening = time.perf_counter() - start
        size = path.stat().st_size
    return {
        "runs": shape,
        "rows a second": round(rows / writing),
        "ms a run": round(1e3 * writing / RUNS, 2),
        "opened and checked, s": round(opening, 3),
        "bytes a row": round(size / rows, 1),
    }


if __name__ == "__main__":
    print(json.dumps({"rows": [row(shape) for shape in SHAPES]}))
