"""The loop over workers, with a scripted pool: workers die and hang, and every run is yielded once."""

import collections
import random

import pytest

from keras_lr.engines.workers import pool
from keras_lr.engines.workers.pool import LostRun, execute

pytestmark = pytest.mark.once
TASKS = [(case, seed) for seed in range(5) for case in range(8)]


class ScriptedPool:
    """A pool of `size` workers. A run ends at the next `collect`, dies as often as `deaths` has it, or hangs until killed."""

    def __init__(self, size=3, deaths=None, hangs=None, order=None):
        self.size, self.order = size, order or random.Random(0)
        self.deaths, self.hangs = collections.Counter(deaths), collections.Counter(hangs)
        self.busy, self.starts, self.kills = {}, [], []

    def has_room(self):
        return len(self.busy) < self.size

    def submit(self, task):
        self.starts.append(task)
        self.busy[task] = "hangs" if self.hangs[task] > 0 else "dies" if self.deaths[task] > 0 else "ends"

    def collect(self, timeout):
        moving = [task for task, fate in self.busy.items() if fate != "hangs"]
        results = []
        for task in self.order.sample(moving, min(len(moving), self.order.randint(1, 2))):
            fate = self.busy.pop(task)
            self.deaths[task] -= fate == "dies"
            results.append((task, LostRun("SIGKILL(-9)") if fate == "dies" else f"result of {task}"))
        return results

    def progress(self, task):
        return 5, 4

    def kill(self, task):
        self.kills.append(task)
        self.hangs[task] -= 1
        self.busy[task] = "dies"
        self.deaths[task] += 1


@pytest.mark.parametrize("seed", range(20))
def test_whoever_dies_every_run_is_handed_over_once(seed):
    chance = random.Random(seed)
    deaths = {task: chance.choice([0, 0, 0, 1, 2, 3]) for task in TASKS}
    workers = ScriptedPool(chance.randint(1, 4), deaths, order=chance)
    results = list(execute(workers, TASKS, 60.0))
    assert sorted(task for task, _ in results) == sorted(TASKS)
    for task, result in results:
        if deaths[task] < pool.TRIES:
            assert result == f"result of {task}"
        else:
            assert result == LostRun("its process died in 3 of 3 tries, possibly out of memory: SIGKILL(-9)")
    assert collections.Counter(workers.starts) == {task: min(3, deaths[task] + 1) for task in TASKS}


@pytest.mark.parametrize(("times", "succeeds"), [(1, True), (2, False), (5, False)])
def test_a_run_that_stands_still_is_killed_and_tried_once_more(times, succeeds):
    workers = ScriptedPool(hangs={TASKS[1]: times})
    results = dict(execute(workers, TASKS[:6], 0.05))
    assert workers.kills == [TASKS[1]] * min(times, 2)
    assert workers.starts.count(TASKS[1]) == 2
    assert len(results) == 6
    lost = LostRun("no progress for 0 s at update 4, in each of 2 tries")
    assert results[TASKS[1]] == (f"result of {TASKS[1]}" if succeeds else lost)


def test_without_a_limit_nothing_is_killed():
    workers = ScriptedPool(hangs={TASKS[1]: 1})
    results = execute(workers, TASKS[:2], float("inf"))
    assert next(results)[0] == TASKS[0]
    workers.busy[TASKS[1]] = "ends"
    assert (next(results)[0], workers.kills) == (TASKS[1], [])
