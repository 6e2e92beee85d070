"""Runs the scripts of a folder of examples as a user would."""

import importlib
import sys

import pytest


def as_scripts(folder):
    """Returns a fixture that runs as `python FOLDER/script.py` does: from another working directory, FOLDER on the path."""

    @pytest.fixture(autouse=True)
    def as_a_script(monkeypatch, tmp_path):
        monkeypatch.syspath_prepend(folder)
        monkeypatch.chdir(tmp_path)

    return as_a_script


def run(name, output, **arguments):
    """Returns what the `main` of a script returns; it writes its pictures to `output`."""
    sys.modules.pop(name, None)
    return importlib.import_module(name).main(output / "", **arguments)


def pictures(output):
    """Returns the names of the pictures that are more than an empty frame."""
    return {path.name for path in output.glob("*.png") if path.stat().st_size > 10_000}
