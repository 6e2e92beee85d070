"""Runs made by several workers at once: one that dies or stands still is replaced, and its run is made again."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from keras_lr.engines.workers import heartbeat
from keras_lr.engines.workers.heartbeat import Patience

TRIES = 3  # of a run whose process dies
LOOK = 0.5  # seconds between looks at runs that stand still
Task = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Lost:
    """A run without an answer, and why it has none."""

    reason: str


class Crew(Protocol):
    """Workers, on this machine or on several."""

    def free(self) -> bool:
        """Whether one of them has nothing to do."""
        ...

    def begin(self, task: Task) -> None:
        """Gives one of them a run to make."""
        ...

    def ended(self, within: float) -> list[tuple[Task, Any]]:
        """The runs that ended, with what was made, or `Lost`; waits for the first of them, but not for longer than said."""
        ...

    def progress(self, task: Task) -> tuple[int, int] | None:
        """The signs of life of a run and its updates, -1 of them while its process starts. None where it waits its turn."""
        ...

    def end(self, task: Task) -> None:
        """Kills the process of a run, which is then `Lost`."""
        ...

    def close(self) -> None:
        """Ends all of them, whatever they do."""
        ...


def carried_out(crew: Crew, tasks: Sequence[Task], limit: float) -> Iterator[tuple[Task, Any]]:
    """Has runs made, and hands each over as soon as it ends.

    Args:
        crew: Who makes them.
        tasks: The runs, in the order in which they are begun.
        limit: How many seconds a run may stand still.

    Yields:
        A run and what was made of it. It is `Lost` where its process died in each of three tries, or stood still in two.
    """
    waiting, under_way = collections.deque(tasks), dict[Task, Patience]()
    still, died = collections.defaultdict[Task, list[str]](list), collections.defaultdict[Task, list[str]](list)
    ended_for: dict[Task, str] = {}
    while waiting or under_way:
        while waiting and crew.free():
            task = waiting.popleft()
            under_way[task] = Patience(limit)
            crew.begin(task)
        for task, answer in crew.ended(LOOK):
            del under_way[task]
            words = ended_for.pop(task, None)
            if not isinstance(answer, Lost):
                yield task, answer
                continue
            (died if words is None else still)[task].append(words or answer.reason)
            given_up = _given_up(still[task], died[task])
            if given_up is None:
                waiting.appendleft(task)
            else:
                yield task, given_up
        for task, patience in under_way.items():
            progress = None if task in ended_for else crew.progress(task)
            stuck = None if progress is None else patience.look(progress)
            if stuck is not None:
                ended_for[task] = stuck
                crew.end(task)


def _given_up(still: Sequence[str], died: Sequence[str]) -> Lost | None:
    """The reason to try a run no more, or None."""
    if len(still) == heartbeat.TRIES:
        return Lost(f"{still[0]}, in each of {heartbeat.TRIES} tries")
    if len(still) + len(died) < TRIES:
        return None
    return Lost(f"its process died in {len(died)} of {TRIES} tries, maybe for want of memory: {died[-1]}")
