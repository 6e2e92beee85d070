"""The benchmark of the default call asks what a user asks, and gets an answer."""

import json
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "default_call.py"


@pytest.mark.slow
def test_the_default_call_has_an_answer():
    run = subprocess.run([sys.executable, str(SCRIPT), "128"], stdout=subprocess.PIPE, text=True, check=True)
    (row,) = json.loads(run.stdout.splitlines()[-1])["rows"]
    assert row["batch_size"] == 128
    assert row["seconds"] > 0.0
    assert row["second call"] > row["its updates"] > 0.0
    assert 1e-4 < row["answer"] < 1e-2
