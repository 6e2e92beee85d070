"""What the tests of the store share: a plan whose runs are quick, and runs made by hand."""

import contextlib
import sqlite3

import keras
import numpy as np

import keras_lr as klr
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.store import schema
from keras_lr.comparison.store.store import Store
from keras_lr.engines.fit import TrainingRun

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X.sum(axis=1)
SHORT = {"learning_rates": [0.1, 0.01, 1e38], "seeds": 2, "epochs": 2, "metric": "loss", "verbose": 0}
PLAN = {
    "cases": [
        {"name": f"lr {rate}", "learning_rate": rate, "optimizer": {"class_name": "SGD"}, "code": ""}
        for rate in (0.1, 0.01, 10.0)
    ],
    "seeds": [0, 1, 2, 3],
    "metric": "loss",
    "mode": "min",
    "epochs": 3,
}
KEYS = [RunKey(0, case, seed) for seed in PLAN["seeds"] for case in range(len(PLAN["cases"]))]


class Stop(BaseException):
    """Ends a comparison as a kill would, but for the process."""


def build_line():
    model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    return model


def compare(store=None, build_model=build_line, **changed):
    return klr.compare(build_model, X, Y, **{**SHORT, "store": store, **changed})


def measured(case, seed, points=5):
    """A run with numbers that tell its case and seed."""
    rng = np.random.default_rng([case, seed])
    history = {name: tuple(rng.normal(size=3).tolist()) for name in ("loss", "val_loss")}
    if case == 2:
        run = TrainingRun({"loss": (float("nan"),)}, "diverged", (0, None if seed else 2), 0.5)
    elif (case, seed) == (1, 3):
        run = TrainingRun({}, "failed", None, 0.5, "ValueError: no\n\nTraceback: here")
    else:
        run = TrainingRun(history, "finished", None, 0.25)
    return RunMeasurement(run, (0.1,) * points, tuple(rng.normal(size=points).tolist()) if seed else None)


RUNS = {key: measured(key.case, key.seed) for key in KEYS}


def made(path, keys=KEYS, plan=PLAN):
    """A store with these runs, closed."""
    with contextlib.closing(Store(path, plan)) as store:
        for key in keys:
            store.write(key, RUNS[key])
    return path


def stored(path):
    """Every run of a store with its key, as a list: to see that it is there once."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [(one.key, one.measured) for one in schema.read_runs(connection)]


def same(one, other):
    """Whether two runs are equal, NaN and all."""
    return repr(one) == repr(other)
