"""Kills the driver of a comparison 200 times at random moments of 1,000 runs, and checks that no run is lost.

`compare`, its plan, its store and its record are real; the training is not. A run of some milliseconds with synthetic numbers
replaces `fit`, so that most kills hit the writing of runs. Each driver is a separate process, forked from one that has
imported everything, and SIGKILL ends it. Prints one JSON document.
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

with contextlib.suppress(ImportError):  # Keras seeds it on every backend; one import here saves one in each driver
    importlib.import_module("tensorflow")

import keras_lr as klr
from keras_lr.comparison.execution import engines
from keras_lr.comparison.measured import RunMeasurement
from keras_lr.engines.fit import TrainingRun

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
RATES = [float(rate) for rate in np.geomspace(1e-4, 1.0, 100)]
SEEDS = 10
POINTS = 500  # updates of a run
LONGEST = max(1, 1600 // KILLS)  # runs that a driver starts before its kill, at most
LATER = 0.008  # seconds from the start of a run to the kill, at most: within the run, its writing or the next run
EARLY = 0.1  # share of kills before the first run
X = np.zeros((8, 3), "float32")


def build_model():
    model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def stand_in(pipe):
    """Returns a replacement for a training run; it writes a byte into a pipe at the start of each run."""

    def execute_run(plan, key, build):
        del build
        case, seed = plan.cases[key.case], key.seed
        os.write(pipe, b".")
        time.sleep(0.003)
        chance = np.random.default_rng([seed, int(case.learning_rate * 1e9)])
        history = {name: tuple(chance.random(20).tolist()) for name in ("loss", "accuracy")}
        losses = chance.random(POINTS).tolist()
        return RunMeasurement(TrainingRun(history, "finished", None, 0.003), (case.learning_rate,) * POINTS, losses)

    return execute_run


def driver(store, record, pipe):
    """Runs the comparison in a new process, which saves the record."""
    process = os.fork()
    if process:
        return process
    try:
        engines.execute_run = stand_in(pipe)
        plan = {"learning_rates": RATES, "seeds": SEEDS, "metric": "loss", "engine": "sequential"}
        result = klr.compare(build_model, X, X[:, 0], **plan, store=store)
        result.save(record)
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        os._exit(3)


def run_and_kill(store, record, chance):
    """Starts a driver and kills it; returns whether it was alive, and how many runs it started."""
    out, pipe = os.pipe()
    process = driver(store, record, pipe)
    os.close(pipe)
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


def run_to_end(store, record):
    """Runs a driver to its end; returns how many runs it started."""
    out, pipe = os.pipe()
    _, status = os.waitpid(driver(store, record, pipe), 0)
    os.close(pipe)
    runs = len(os.read(out, 65536))
    os.close(out)
    assert status == 0, status
    return runs


def keys(store):
    with contextlib.closing(sqlite3.connect(store)) as connection:
        return collections.Counter(connection.execute("SELECT rung, case_number, seed FROM run").fetchall())


def main():
    chance, kills, starts, start = random.Random(0), 0, 0, time.perf_counter()
    expected = {(0, case, seed): 1 for case in range(len(RATES)) for seed in range(SEEDS)}
    with tempfile.TemporaryDirectory() as folder:
        store, record, plain = (pathlib.Path(folder) / name for name in ("runs.sqlite", "a.json", "b.json"))
        run_to_end(None, plain)
        while kills < KILLS:
            was_alive, runs = run_and_kill(store, record, chance)
            kills, starts = kills + was_alive, starts + runs
            if not was_alive:
                sys.exit(f"all runs finished after {kills} kills: lower LONGEST")
        before = sum(keys(store).values())
        starts += run_to_end(store, record)
        assert keys(store) == expected
        assert klr.Comparison.load(record) == klr.Comparison.load(plain)
        assert klr.Comparison.load(record).table().equals(klr.Comparison.load(plain).table())
    rows = {"kills": kills, "runs": len(expected), "stored before the last driver": before, "started": starts}
    print(json.dumps({"rows": rows, "seconds": round(time.perf_counter() - start, 1)}))


if __name__ == "__main__":
    main()
