"""Kills the driver of a comparison at random moments, 200 times over 1,000 runs, and looks whether anything is lost.

`compare`, its plan, its store and its record are the real ones. The training is not: a run of some milliseconds with made-up
numbers stands in for `fit`, so that the kills fall on the writing of runs and not on training. Each driver is a process of
its own, forked from one that has imported everything, and is killed with SIGKILL. Prints one JSON document.
"""

import collections
import contextlib
import importlib
import json
import os
import pathlib
import random
import signal
import sqlite3
import sys
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

with contextlib.suppress(ImportError):  # Keras seeds it on every backend; imported once here, and not in each driver
    importlib.import_module("tensorflow")

import keras_lr as klr
from keras_lr.comparison.execution import engines
from keras_lr.comparison.measured import RunMeasurement
from keras_lr.engines.fit import TrainingRun

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
RATES = [float(rate) for rate in np.geomspace(1e-4, 1.0, 100)]
SEEDS = 10
POINTS = 500  # updates of a run
LONGEST = max(1, 1600 // KILLS)  # runs that a driver begins at most before it is killed
LATER = 0.008  # seconds after the begin of a run that the kill comes at most: within the run, its writing or the next
EARLY = 0.1  # the share of drivers that are killed before their first run
X = np.zeros((8, 3), "float32")


def build_model():
    model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def stand_in(begun):
    """What takes the place of a training run; tells through a pipe that the runs have begun, and counts them."""

    def execute_run(plan, key, build):
        del build
        case, seed = plan.cases[key.case], key.seed
        os.write(begun, b".")
        time.sleep(0.003)
        chance = np.random.default_rng([seed, int(case.learning_rate * 1e9)])
        history = {name: tuple(chance.random(20).tolist()) for name in ("loss", "accuracy")}
        losses = chance.random(POINTS).tolist()
        return RunMeasurement(TrainingRun(history, "finished", None, 0.003), (case.learning_rate,) * POINTS, losses)

    return execute_run


def driver(store, record, begun):
    """Compares in a new process, and saves the record."""
    process = os.fork()
    if process:
        return process
    try:
        engines.execute_run = stand_in(begun)
        plan = {"learning_rates": RATES, "seeds": SEEDS, "metric": "loss", "engine": "sequential"}
        result = klr.compare(build_model, X, X[:, 0], **plan, store=store)
        result.save(record)
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        os._exit(3)


def killed(store, record, chance):
    """Starts a driver and kills it; returns whether it was alive, and how many runs it began."""
    out, begun = os.pipe()
    process = driver(store, record, begun)
    os.close(begun)
    runs = 0
    if chance.random() < EARLY:
        time.sleep(chance.uniform(0.0, 0.5))
    else:
        runs = sum(len(os.read(out, 1)) for _ in range(chance.randint(1, LONGEST)))
        time.sleep(chance.uniform(0.0, LATER))
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    while data := os.read(out, 4096):
        runs += len(data)
    os.close(out)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit(f"a driver failed with {os.WEXITSTATUS(status)}")
    return os.WIFSIGNALED(status), runs


def finished(store, record):
    """Lets a driver run to its end."""
    out, begun = os.pipe()
    _, status = os.waitpid(driver(store, record, begun), 0)
    os.close(begun)
    runs = len(os.read(out, 65536))
    os.close(out)
    assert status == 0, status
    return runs


def keys(store):
    with contextlib.closing(sqlite3.connect(store)) as connection:
        return collections.Counter(connection.execute("SELECT rung, case_number, seed FROM run").fetchall())


def main():
    chance, kills, began, start = random.Random(0), 0, 0, time.perf_counter()
    expected = {(0, case, seed): 1 for case in range(len(RATES)) for seed in range(SEEDS)}
    with tempfile.TemporaryDirectory() as folder:
        store, record, plain = (pathlib.Path(folder) / name for name in ("runs.sqlite", "a.json", "b.json"))
        finished(None, plain)
        while kills < KILLS:
            was_alive, runs = killed(store, record, chance)
            kills, began = kills + was_alive, began + runs
            if not was_alive:
                sys.exit(f"all runs were done after {kills} kills: make LONGEST smaller")
        before = sum(keys(store).values())
        began += finished(store, record)
        assert keys(store) == expected
        assert klr.Comparison.load(record) == klr.Comparison.load(plain)
        assert klr.Comparison.load(record).table().equals(klr.Comparison.load(plain).table())
    rows = {"kills": kills, "runs": len(expected), "kept before the last driver": before, "begun": began}
    print(json.dumps({"rows": rows, "seconds": round(time.perf_counter() - start, 1)}))


if __name__ == "__main__":
    main()
