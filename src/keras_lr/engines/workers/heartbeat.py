"""Count the batches of a run, and detect runs that hang.

The environment variable `KERAS_LR_HANG_SECONDS` sets the limit: 600 by default, 0 for none. Before its first update a run
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
STARTUP = 600.0  # seconds for a process to start and to import a framework
GRACE = 3.0  # limits before the first update
CLEANUP = 60.0  # seconds at least for an interrupted run to end
TRIES = 2  # of a run that hangs
FIELDS = 4


class Heartbeat:
    """Progress counters of a run, which another process can read.

    Args:
        path: The file of the counters. None keeps them in this process.

    Attributes:
        numbers: The runs started, the batches of all of them, the updates of the current one, and the process id.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.numbers: Any = np.zeros(FIELDS, np.int64)
        if path is not None:
            new = not pathlib.Path(path).exists()
            self.numbers = np.memmap(path, np.int64, "w+" if new else "r+", shape=(FIELDS,))

    def start_run(self) -> None:
        """Counts a run and resets its updates."""
        self.numbers[2], self.numbers[3] = 0, os.getpid()
        self.numbers[0] += 1

    def count_update(self) -> None:
        """Counts an update."""
        self.numbers[1:3] += 1

    @property
    def runs(self) -> int:
        """The number of runs started."""
        return int(self.numbers[0])

    @property
    def progress(self) -> tuple[int, int]:
        """A number that grows with every sign of life, and the updates of the current run."""
        return int(self.numbers[0] + self.numbers[1]), int(self.numbers[2])


class HeartbeatCallback(keras.callbacks.Callback):
    """Counts the batches of a run, including those of the validation."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        super().__init__()
        self._numbers = heartbeat.numbers
        self._earlier = 0  # updates of the epochs before

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remembers the updates of the earlier epochs."""
        del epoch, logs
        self._earlier = int(self._numbers[2])

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts one execution, which may be several updates."""
        del logs
        self._numbers[1] += 1
        self._numbers[2] = self._earlier + batch + 1

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts a validation batch."""
        del batch, logs
        self._numbers[1] += 1


class HangTimer:
    """Measures how long a run has made no progress.

    Args:
        limit: Seconds; infinity for no limit.
    """

    def __init__(self, limit: float) -> None:
        self._limit, self._last, self._since = limit, (-1, 0), time.monotonic()

    def remaining(self) -> float:
        """Returns the seconds until the limit, without further progress."""
        updates = self._last[1]
        limit = STARTUP if updates < 0 else self._limit * (1.0 if updates else GRACE)
        return self._since + limit - time.monotonic()

    def check(self, progress: tuple[int, int]) -> str | None:
        """Returns a message if the run has made no progress for too long, else None."""
        if progress != self._last:
            self._last, self._since = progress, time.monotonic()
        if self.remaining() > 0.0 or math.isinf(self._limit):
            return None
        message = f"no progress for {time.monotonic() - self._since:.0f} s"
        return f"{message} at update {self._last[1]}" if self._last[1] >= 0 else f"{message} while its process started"


def hang_limit() -> float:
    """Returns the limit in seconds, infinity for none.

    Raises:
        ArgumentError: The environment variable is not a number.
    """
    text = os.environ.get(VARIABLE, "") or str(LIMIT)
    try:
        seconds = float(text)
    except ValueError:
        repair = "Set seconds, for instance 600, or 0 for no limit"
        raise ArgumentError("compare", "it must be a number of seconds", repair, **{VARIABLE: text}) from None
    return checks.at_least_zero("compare", **{VARIABLE: seconds}) or math.inf


def interrupt_hangs(train: Callable[[Heartbeat], TrainingRun]) -> TrainingRun:
    """Executes a run in this process, interrupts it if it hangs, and tries it once more.

    Only Python code in the main thread can be interrupted, such as a data source that sleeps; a call into a framework
    cannot.
    """
    limit, start = hang_limit(), time.perf_counter()
    for _ in range(TRIES):
        heartbeat = Heartbeat()
        heartbeat.start_run()
        with _alarm(heartbeat, limit) as messages:
            try:
                run = train(heartbeat)
            except _HangInterrupt as error:  # raised outside the part of `train` that records failures
                run = TrainingRun({}, "failed", None, 0.0, str(error))
        if not messages or run.outcome != "failed":
            return run
    reason = f"{messages[0]}, in each of {TRIES} tries"
    return dataclasses.replace(run, error=reason, exception=None, seconds=time.perf_counter() - start)


class _HangInterrupt(Exception):
    """Raised in the middle of a run that hangs."""


@contextlib.contextmanager
def _alarm(heartbeat: Heartbeat, limit: float) -> Iterator[list[str]]:
    """Raises `_HangInterrupt` within the block if the run hangs, and appends the message to the list that it yields."""
    messages: list[str] = []
    if math.isinf(limit) or not _alarm_is_free():
        yield messages
        return
    timer = HangTimer(limit)
    timer.check(heartbeat.progress)

    def check(number: int, frame: FrameType | None) -> None:
        del number, frame
        message = timer.check(heartbeat.progress)
        # The cleanup of an interrupted run needs time before the next interrupt.
        signal.setitimer(signal.ITIMER_REAL, max(GRACE * limit, CLEANUP) if message else max(timer.remaining(), 0.01))
        if message:
            messages.append(message)
            raise _HangInterrupt(message)

    before = signal.signal(signal.SIGALRM, check)
    signal.setitimer(signal.ITIMER_REAL, timer.remaining())
    try:
        yield messages
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _alarm_is_free() -> bool:
    """Returns whether this thread may set an alarm, and none is set."""
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGALRM) in (signal.SIG_DFL, signal.SIG_IGN)
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0.0
    )
