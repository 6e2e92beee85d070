"""Whether a run still moves: it counts its batches, and one that has stood still for too long is ended.

The limit is `KERAS_LR_HANG_SECONDS` of the environment, 600 where it isn't set, 0 for none. Before its first update a run
has three times as long, to build and compile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import keras
import numpy as np

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.engines.fit import TrainingRun

VARIABLE = "KERAS_LR_HANG_SECONDS"
LIMIT = 600.0
START = 600.0  # seconds for a process to start and to import a framework
GRACE = 3.0  # limits before the first update
ENDING = 60.0  # seconds at least for a run that was interrupted to end
TRIES = 2  # of a run that stands still
FIELDS = 4


class Pulse:
    """How far a run is, in numbers that another process can read.

    Args:
        path: A file that holds them; None for a run that is watched from its own process.

    Attributes:
        numbers: The runs begun, the signs of life, the updates made in this run, and the process.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.numbers: Any = np.zeros(FIELDS, np.int64)
        if path is not None:
            new = not pathlib.Path(path).exists()
            self.numbers = np.memmap(path, np.int64, "w+" if new else "r+", shape=(FIELDS,))

    def begin(self) -> None:
        """A run begins."""
        self.numbers[2], self.numbers[3] = 0, os.getpid()
        self.numbers[0] += 1

    def update(self) -> None:
        """An update is made."""
        self.numbers[1:3] += 1

    @property
    def begun(self) -> int:
        """How many runs were begun."""
        return int(self.numbers[0])

    @property
    def progress(self) -> tuple[int, int]:
        """The signs of life, and the updates of this run."""
        return int(self.numbers[0] + self.numbers[1]), int(self.numbers[2])


class Beat(keras.callbacks.Callback):
    """Counts the batches of a run, those of the validation too."""

    def __init__(self, pulse: Pulse) -> None:
        super().__init__()
        self._numbers = pulse.numbers
        self._before = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remembers how many updates the epochs before had."""
        del epoch, logs
        self._before = int(self._numbers[2])

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """An update is made, or several in one execution."""
        del logs
        self._numbers[1] += 1
        self._numbers[2] = self._before + batch + 1

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A batch is validated on."""
        del batch, logs
        self._numbers[1] += 1


class Patience:
    """How long a run has stood still, as seen by who looks at it now and then.

    Args:
        limit: Seconds; infinity for no limit.
    """

    def __init__(self, limit: float) -> None:
        self._limit, self._seen, self._since = limit, (-1, 0), time.monotonic()

    def left(self) -> float:
        """Seconds until it is too long, if nothing moves."""
        updates = self._seen[1]
        allowed = START if updates < 0 else self._limit * (1.0 if updates else GRACE)
        return self._since + allowed - time.monotonic()

    def look(self, progress: tuple[int, int]) -> str | None:
        """What there is to say of a run that has stood still for too long; None of any other."""
        if progress != self._seen:
            self._seen, self._since = progress, time.monotonic()
        if self.left() > 0.0 or math.isinf(self._limit):
            return None
        still = f"no progress for {time.monotonic() - self._since:.0f} s"
        return f"{still} at update {self._seen[1]}" if self._seen[1] >= 0 else f"{still} while its process started"


def hang_limit() -> float:
    """The limit in seconds, infinity for none.

    Raises:
        ArgumentError: The environment has no number there.
    """
    text = os.environ.get(VARIABLE, "") or str(LIMIT)
    try:
        seconds = float(text)
    except ValueError:
        repair = "Set such as 600, or 0 for no limit"
        raise ArgumentError("compare", "it must be a number of seconds", repair, **{VARIABLE: text}) from None
    return checks.at_least_zero("compare", **{VARIABLE: seconds}) or math.inf


def attended(make: Callable[[Pulse], TrainingRun]) -> TrainingRun:
    """Makes a run in this process, and interrupts it where it stands still and can be interrupted.

    That is where Python is at work, as in a data source that sleeps; not within a framework, and in the main thread alone. A
    run that was interrupted is tried once more.
    """
    limit, started = hang_limit(), time.perf_counter()
    for _ in range(TRIES):
        pulse = Pulse()
        pulse.begin()
        with _interrupted(pulse, limit) as said:
            try:
                run = make(pulse)
            except _StuckError as error:  # it fell between the run's own lines
                run = TrainingRun({}, "failed", None, 0.0, str(error))
        if not said or run.outcome != "failed":
            return run
    reason = f"{said[0]}, in each of {TRIES} tries"
    return dataclasses.replace(run, error=reason, exception=None, seconds=time.perf_counter() - started)


class _StuckError(Exception):
    """Raised in the middle of a run that stands still."""


@contextlib.contextmanager
def _interrupted(pulse: Pulse, limit: float) -> Iterator[list[str]]:
    """Raises within the block when the run has stood still for too long; hands over a list that then has the words."""
    said: list[str] = []
    if math.isinf(limit) or not _alarm_is_free():
        yield said
        return
    patience = Patience(limit)
    patience.look(pulse.progress)

    def look(number: int, frame: FrameType | None) -> None:
        del number, frame
        words = patience.look(pulse.progress)
        # after raising, time for the run to end: the next one must not fall into its clearing up
        signal.setitimer(signal.ITIMER_REAL, max(GRACE * limit, ENDING) if words else max(patience.left(), 0.01))
        if words:
            said.append(words)
            raise _StuckError(words)

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, patience.left())
    try:
        yield said
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _alarm_is_free() -> bool:
    """Whether this thread may set an alarm, and nobody else has."""
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGALRM) in (signal.SIG_DFL, signal.SIG_IGN)
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0.0
    )
