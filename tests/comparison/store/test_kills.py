"""Drivers that are really killed, at random moments: no run is lost, none is there twice. The full form is `make soak`."""

import itertools
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

from keras_lr.comparison.measured import RunKey
from tests.comparison.store.driver import MANY, build_slowly
from tests.comparison.stored import compare, stored
from tests.processes import hearing_interrupts

pytestmark = pytest.mark.once

ROOT = pathlib.Path(__file__).parents[3]
SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGKILL)


def lines(process):
    """The lines that tell of runs; those of the frameworks are left out."""
    return (line for line in process.stderr if line.startswith("["))


def ended(store, sent, count, wait):
    """Starts a driver, and ends it after so many runs and seconds; returns how many runs it told of."""
    command = [sys.executable, "-m", "tests.comparison.store.driver", str(store)]
    with hearing_interrupts():
        driver = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    with driver as process:
        told = len(list(itertools.islice(lines(process), count)))
        time.sleep(wait)
        process.send_signal(sent)
        told += len(list(lines(process)))
    assert process.returncode == -sent
    return told


@pytest.mark.slow
def test_after_kills_every_run_is_there_once_and_the_record_is_that_of_an_undisturbed_run(tmp_path):
    chance, told, store = random.Random(7), 0, tmp_path / "runs.sqlite"
    for sent in SIGNALS:
        told += ended(store, sent, chance.randint(1, 3), chance.uniform(0.0, 0.1))
        kept = [key for key, _ in stored(store)]
        assert len(set(kept)) == len(kept)
        assert told <= len(kept) <= told + len(SIGNALS)  # a run may be kept and not yet told of
    assert compare(store, build_slowly, **MANY) == compare(None, build_slowly, **MANY)
    keys = sorted(key for key, _ in stored(store))
    assert keys == [RunKey(0, case, seed) for case in range(4) for seed in range(3)]
