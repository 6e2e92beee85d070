"""Execute runs on several workers at once: a worker that dies or hangs is replaced, and its run is tried again."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from keras_lr.engines.workers import heartbeat
from keras_lr.engines.workers.heartbeat import HangTimer

TRIES = 3  # of a run whose process dies
POLL = 0.5  # seconds between checks for runs that hang
Task = TypeVar("Task", bound=Hashable)


@dataclasses.dataclass(frozen=True)
class LostRun:
    """A run without a result, and the reason."""

    reason: str


class Pool(Protocol[Task]):
    """Workers, on this machine or on several. A task names one run."""

    def has_room(self) -> bool:
        """Returns whether another task may be submitted."""

    def submit(self, task: Task) -> None:
        """Starts a run on an idle worker."""

    def collect(self, timeout: float) -> list[tuple[Task, Any]]:
        """Waits for the first run that ends; returns the runs that ended, each with its result or a `LostRun`.

        Args:
            timeout: Seconds to wait at most.
        """

    def progress(self, task: Task) -> tuple[int, int] | None:
        """Returns the `Heartbeat.progress` of a run, with -1 updates while its process starts; None if it is queued."""

    def kill(self, task: Task) -> None:
        """Kills the process of a run, which `collect` then returns as a `LostRun`."""

    def close(self) -> None:
        """Ends all workers at once."""


def execute(pool: Pool[Task], tasks: Sequence[Task], limit: float) -> Iterator[tuple[Task, Any]]:
    """Executes runs on a pool, and yields each as soon as it ends.

    Args:
        pool: Its workers execute the runs.
        tasks: The runs, in the order in which they start.
        limit: Seconds that a run may make no progress.

    Yields:
        A task and its result. The result is a `LostRun` if the process died in each of three tries, or hung in two.
    """
    queue, timers = collections.deque(tasks), dict[Task, HangTimer]()
    hangs, deaths = collections.defaultdict[Task, list[str]](list), collections.defaultdict[Task, list[str]](list)
    kills: dict[Task, str] = {}
    while queue or timers:
        while queue and pool.has_room():
            task = queue.popleft()
            timers[task] = HangTimer(limit)
            pool.submit(task)
        for task, result in pool.collect(POLL):
            del timers[task]
            message = kills.pop(task, None)
            if not isinstance(result, LostRun):
                yield task, result
                continue
            (deaths if message is None else hangs)[task].append(message or result.reason)
            verdict = _give_up(hangs[task], deaths[task])
            if verdict is None:
                queue.appendleft(task)
            else:
                yield task, verdict
        for task, timer in timers.items():
            progress = None if task in kills else pool.progress(task)
            hang = None if progress is None else timer.check(progress)
            if hang is not None:
                kills[task] = hang
                pool.kill(task)


def _give_up(hangs: Sequence[str], deaths: Sequence[str]) -> LostRun | None:
    """Returns the reason to stop trying a run, or None."""
    if len(hangs) == heartbeat.TRIES:
        return LostRun(f"{hangs[0]}, in each of {heartbeat.TRIES} tries")
    if len(hangs) + len(deaths) < TRIES:
        return None
    return LostRun(f"its process died in {len(deaths)} of {TRIES} tries, possibly out of memory: {deaths[-1]}")
