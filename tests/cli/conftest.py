"""Runs the console script in a folder of its own: in a new process as people do, or in this one."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import pytest

from keras_lr_cli import main, user_code

TRAIN = """
import keras
import numpy as np
import parts

print("the user's own print")
parts.RUNS.append(__name__)


def build_model():
    model = keras.Sequential([keras.layers.Input([4]), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def load_data():
    x = np.random.default_rng(0).normal(size=(1024, 4)).astype("float32")
    return x, x @ np.array([1.0, -2.0, 0.5, 0.0], "float32")


def load_flat():
    x, _ = load_data()
    return x, np.zeros(len(x), "float32")


def load_split():
    x, y = load_data()
    return (x[:800], y[:800]), (x[800:], y[800:])


def load_dict():
    x, y = load_data()
    return {"x": x, "y": y, "epochs": 2, "callbacks": [], "validation_split": 0.25, "batch_size": 16}


def load_misspelt():
    return {"x": [1], "labels": [2]}


def load_array():
    return load_data()[0]


def load_nothing():
    return None


def load_with_size(size):
    return size


def not_compiled():
    return keras.Sequential([keras.layers.Input([4]), keras.layers.Dense(1)])


def fails():
    return parts.deeper()


def leaves():
    raise SystemExit(4)


THREE = 3
_hidden = build_model
"""
PARTS = """
RUNS = []


def deeper():
    raise LookupError("the column price is missing")
"""


@dataclasses.dataclass
class Ran:
    """The outcome of one start of the console script."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@pytest.fixture(scope="session")
def script():
    return pathlib.Path(sys.executable).with_name("keras-lr")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "parts.py").write_text(PARTS)
    return tmp_path


@pytest.fixture
def keras_lr(script, folder):
    """Runs `keras-lr` with the given words in a process of its own, in `folder`: for what only a process shows."""

    def run(*words: str, **variables: str) -> Ran:
        environment = {**os.environ, **variables}
        command = [str(script), *words]
        process = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
        )
        return Ran(process.returncode, process.stdout, process.stderr)

    return run


@pytest.fixture
def here(folder, monkeypatch):
    """Works in `folder`, and forgets the user's modules afterwards."""
    monkeypatch.chdir(folder)
    modules, path = set(sys.modules), list(sys.path)
    yield folder
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)):
            del sys.modules[name]
    sys.path[:] = path
    user_code._modules.clear()


@pytest.fixture
def quick(here, monkeypatch, capsys):
    """Runs `keras-lr` in this process, on the framework that already runs: faster than `keras_lr`."""
    monkeypatch.setattr(main, "_start", lambda *_: None)

    def run(*words: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["keras-lr", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main.main()
        return Ran(exit_.value.code or 0, *capsys.readouterr())

    return run
