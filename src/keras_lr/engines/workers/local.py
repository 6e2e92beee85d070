"""Worker processes on this machine. They are spawned, never forked, and live until the last run.

Each worker has an executor of its own, so that a worker that dies does not end the runs of the others.
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
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any

from keras_lr.engines.workers.heartbeat import Heartbeat
from keras_lr.engines.workers.pool import LostRun

PARENT_POLL = 1.0  # seconds between checks that the driver lives


@dataclasses.dataclass
class _Slot:
    """A worker process, its heartbeat, and the run that it executes."""

    executor: Any = None
    heartbeat: Heartbeat | None = None
    path: str = ""
    submissions: int = 0
    task: Any = None
    future: Future[Any] | None = None


class LocalPool:
    """A pool of processes on this machine.

    Args:
        count: The number of processes.
        work: A function of a module, or a partial of one. Executes a run in a worker, from the path of a heartbeat and a
            task.
        folder: Where the heartbeat files are written.
        environment: Variables of the processes, set before they import anything.
    """

    def __init__(
        self, count: int, work: Callable[[str, Any], Any], folder: pathlib.Path, environment: dict[str, str]
    ) -> None:
        self._work, self._folder, self._environment = work, folder, environment
        self._slots = [_Slot() for _ in range(count)]
        self._starts = 0

    def has_room(self) -> bool:
        """Returns whether a worker is idle."""
        return any(slot.task is None for slot in self._slots)

    def submit(self, task: Hashable) -> None:
        """Starts a run on an idle worker; starts the worker if necessary."""
        slot = next(slot for slot in self._slots if slot.task is None)
        if slot.executor is None:
            self._start(slot)
        slot.task, slot.submissions = task, slot.submissions + 1
        slot.future = slot.executor.submit(self._work, slot.path, task)

    def collect(self, timeout: float) -> list[tuple[Any, Any]]:
        """Returns the runs that ended."""
        from loky.process_executor import BrokenProcessPool, ShutdownExecutorError

        slots = {slot.future: slot for slot in self._slots if slot.future is not None}
        futures = concurrent.futures.wait(slots, timeout, concurrent.futures.FIRST_COMPLETED).done
        results: list[tuple[Any, Any]] = []
        for future in [future for future in slots if future in futures]:
            slot = slots[future]
            task, slot.task, slot.future = slot.task, None, None
            try:
                results.append((task, future.result()))
            except (BrokenProcessPool, ShutdownExecutorError) as error:
                slot.executor.shutdown(wait=True, kill_workers=True)
                slot.executor = None
                results.append((task, LostRun(_exit_code(error))))
        return results

    def progress(self, task: Hashable) -> tuple[int, int]:
        """Returns the progress of a run; (0, -1) while its process starts."""
        slot = self._slot(task)
        if slot.heartbeat is None or slot.heartbeat.runs < slot.submissions:
            return 0, -1
        return slot.heartbeat.progress

    def kill(self, task: Hashable) -> None:
        """Kills the process of a run."""
        self._slot(task).executor.shutdown(wait=True, kill_workers=True)

    def close(self) -> None:
        """Ends all processes."""
        for slot in self._slots:
            if slot.executor is not None:
                slot.executor.shutdown(wait=True, kill_workers=True)
        self._slots = [_Slot() for _ in self._slots]

    def _slot(self, task: Hashable) -> _Slot:
        return next(slot for slot in self._slots if slot.task == task)

    def _start(self, slot: _Slot) -> None:
        from loky import ProcessPoolExecutor

        self._starts += 1
        slot.path, slot.submissions = str(self._folder / f"heartbeat-{self._starts}"), 0
        slot.heartbeat = Heartbeat(slot.path)
        slot.executor = ProcessPoolExecutor(
            max_workers=1, initializer=prepare_worker, initargs=(os.getpid(),), env=self._environment
        )


def prepare_worker(driver: int) -> None:
    """Ignores Ctrl-C, which the driver handles, and ends this process when the driver ends. Runs in the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with, args=(driver,), daemon=True).start()


def thread_variables(threads: int) -> dict[str, str]:
    """Returns the environment variables that limit the threads of every framework."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC")  # NPROC is XLA's
    return {name: str(threads) for name in (*names, "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")}


def _exit_with(driver: int) -> None:
    while os.getppid() == driver:
        time.sleep(PARENT_POLL)
    os._exit(1)


def _exit_code(error: BaseException) -> str:
    """Extracts from loky's message how the process ended."""
    codes = re.search(r"\{(\S+)\}", str(error))
    return codes[1] if codes else next(iter(str(error).splitlines()), type(error).__name__)
