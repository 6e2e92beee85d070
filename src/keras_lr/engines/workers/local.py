"""Workers on this machine: processes that are started afresh, never forked, and stay until the last run.

Each is an executor of its own, so that one that dies takes no run of another with it.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from keras_lr.engines.workers.heartbeat import Pulse
from keras_lr.engines.workers.pool import Lost, Task

PARENT = 1.0  # seconds between looks whether the driver still lives


@dataclasses.dataclass
class _Seat:
    """A worker, the file of its pulse, and what it does now."""

    executor: Any = None
    pulse: Pulse | None = None
    path: str = ""
    given: int = 0
    task: Task | None = None
    future: Future[Any] | None = None


class Processes:
    """A crew of processes on this machine.

    Args:
        count: How many.
        work: A function of a module, or a partial of one. Gets the path of a pulse and a run, in a worker.
        folder: Where the pulses are.
        environment: Variables of the processes, set before they import anything.
    """

    def __init__(
        self, count: int, work: Callable[[str, Task], Any], folder: pathlib.Path, environment: dict[str, str]
    ) -> None:
        self._work, self._folder, self._environment = work, folder, environment
        self._seats = [_Seat() for _ in range(count)]
        self._started = 0

    def free(self) -> bool:
        """Whether one of them has nothing to do."""
        return any(seat.task is None for seat in self._seats)

    def begin(self, task: Task) -> None:
        """Gives one of them a run to make; starts it where it isn't there."""
        seat = next(seat for seat in self._seats if seat.task is None)
        if seat.executor is None:
            self._start(seat)
        seat.task, seat.given = task, seat.given + 1
        seat.future = seat.executor.submit(self._work, seat.path, task)

    def ended(self, within: float) -> list[tuple[Task, Any]]:
        """The runs that ended."""
        from loky.process_executor import BrokenProcessPool, ShutdownExecutorError

        busy = {seat.future: seat for seat in self._seats if seat.future is not None}
        done, _ = concurrent.futures.wait(busy, within, concurrent.futures.FIRST_COMPLETED)
        found: list[tuple[Task, Any]] = []
        for seat in [seat for future, seat in busy.items() if future in done]:
            task, future, seat.task, seat.future = seat.task, seat.future, None, None
            if task is None or future is None:
                continue
            try:
                found.append((task, future.result()))
            except (BrokenProcessPool, ShutdownExecutorError) as error:
                seat.executor.shutdown(wait=True, kill_workers=True)
                seat.executor = None
                found.append((task, Lost(_exit_of(error))))
        return found

    def progress(self, task: Task) -> tuple[int, int] | None:
        """The signs of life of a run and its updates."""
        seat = self._seat(task)
        if seat.pulse is None or seat.pulse.begun < seat.given:
            return 0, -1
        return seat.pulse.progress

    def end(self, task: Task) -> None:
        """Kills the process of a run."""
        self._seat(task).executor.shutdown(wait=True, kill_workers=True)

    def close(self) -> None:
        """Ends all of them."""
        executors = [seat.executor for seat in self._seats if seat.executor is not None]
        for executor in executors:
            executor.shutdown(wait=True, kill_workers=True)
        for seat in self._seats:
            seat.executor = seat.task = seat.future = seat.pulse = None

    def _seat(self, task: Task) -> _Seat:
        return next(seat for seat in self._seats if seat.task == task)

    def _start(self, seat: _Seat) -> None:
        from loky import ProcessPoolExecutor

        self._started += 1
        seat.path, seat.given = str(self._folder / f"pulse-{self._started}"), 0
        seat.pulse = Pulse(seat.path)
        seat.executor = ProcessPoolExecutor(
            max_workers=1, initializer=settled, initargs=(os.getpid(),), env=self._environment
        )


def settled(driver: int) -> None:
    """Prepares a worker: Ctrl-C is the driver's affair, and the worker ends when the driver does. Runs in the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(driver,), daemon=True).start()


def thread_variables(threads: int) -> dict[str, str]:
    """The variables that tell every framework how many threads to start."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC")  # NPROC is XLA's
    return {name: str(threads) for name in (*names, "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")}


def _end_with(driver: int) -> None:
    while os.getppid() == driver:
        time.sleep(PARENT)
    os._exit(1)


def _exit_of(error: BaseException) -> str:
    """How the process ended, out of what loky says."""
    codes = re.search(r"\{(\S+)\}", str(error))
    return codes[1] if codes else next(iter(str(error).splitlines()), type(error).__name__)
