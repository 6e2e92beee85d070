"""The scripts of the benchmark of find, importable by their names, and digits in a file like that of MNIST."""

import importlib
import pathlib
import sys

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parent.parent.parent / "benchmarks" / "regret"


@pytest.fixture
def script(monkeypatch):
    """Returns a function that imports a script of the benchmark."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if (FOLDER / f"{name}.py").exists():
            del sys.modules[name]


@pytest.fixture
def few_digits(monkeypatch, tmp_path):
    """Points the long tasks at random digits of 28 x 28 pixels."""
    chance, arrays = np.random.default_rng(0), {}
    for part, count in (("train", 60), ("test", 30)):
        arrays[f"x_{part}"] = chance.integers(0, 256, (count, 28, 28), "uint8")
        arrays[f"y_{part}"] = np.arange(count, dtype="uint8") % 10
    path = tmp_path / "digits.npz"
    np.savez(path, **arrays)
    monkeypatch.setenv("MNIST", str(path))
    return arrays
