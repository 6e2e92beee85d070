"""`find` on two devices measures what it measures on one, and leaves no trace there."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest

SCRIPT = pathlib.Path(__file__).with_name("distributed.py")


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras distributes nothing on PyTorch by itself")
def test_two_devices_measure_what_one_does():
    """`tf.distribute.MirroredStrategy` on TensorFlow, `keras.distribution.DataParallel` on JAX."""
    command = [sys.executable, str(SCRIPT), keras.backend.backend()]
    run = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=True)
    measured = json.loads(run.stdout.splitlines()[-1])
    assert len(measured["one"]) == 20
    assert measured["both"] == pytest.approx(measured["one"], rel=1e-5)  # sums in another order, over twenty updates
    assert measured["same"]
