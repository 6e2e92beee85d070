"""The loop over workers, with a crew that plays: who dies, who stands still, and that every run is handed over once."""

import collections
import random

import pytest

from keras_lr.engines.workers import pool
from keras_lr.engines.workers.pool import Lost, carried_out

pytestmark = pytest.mark.once
TASKS = [(case, seed) for seed in range(5) for case in range(8)]


class Playing:
    """A crew of so many seats. A run ends at its first look, dies as often as told, or stands still until it is killed."""

    def __init__(self, seats=3, deaths=None, still=None, order=None):
        self.seats, self.order = seats, order or random.Random(0)
        self.deaths, self.still = collections.Counter(deaths), collections.Counter(still)
        self.busy, self.begun, self.killed = {}, [], []

    def free(self):
        return len(self.busy) < self.seats

    def begin(self, task):
        self.begun.append(task)
        self.busy[task] = "still" if self.still[task] > 0 else "dies" if self.deaths[task] > 0 else "ends"

    def ended(self, within):
        moving = [task for task, what in self.busy.items() if what != "still"]
        done = self.order.sample(moving, min(len(moving), self.order.randint(1, 2)))
        found = []
        for task in done:
            what = self.busy.pop(task)
            self.deaths[task] -= what == "dies"
            found.append((task, Lost("SIGKILL(-9)") if what == "dies" else f"made {task}"))
        return found

    def progress(self, task):
        return 5, 4

    def end(self, task):
        self.killed.append(task)
        self.still[task] -= 1
        self.busy[task] = "dies"
        self.deaths[task] += 1


@pytest.mark.parametrize("seed", range(20))
def test_whoever_dies_every_run_is_handed_over_once(seed):
    chance = random.Random(seed)
    deaths = {task: chance.choice([0, 0, 0, 1, 2, 3]) for task in TASKS}
    play = Playing(chance.randint(1, 4), deaths, order=chance)
    found = list(carried_out(play, TASKS, 60.0))
    assert sorted(task for task, _ in found) == sorted(TASKS)
    for task, answer in found:
        if deaths[task] < pool.TRIES:
            assert answer == f"made {task}"
        else:
            assert answer == Lost("its process died in 3 of 3 tries, maybe for want of memory: SIGKILL(-9)")
    assert collections.Counter(play.begun) == {task: min(3, deaths[task] + 1) for task in TASKS}


@pytest.mark.parametrize(("times", "made"), [(1, True), (2, False), (5, False)])
def test_a_run_that_stands_still_is_killed_and_tried_once_more(times, made):
    play = Playing(still={TASKS[1]: times})
    found = dict(carried_out(play, TASKS[:6], 0.05))
    assert play.killed == [TASKS[1]] * min(times, 2)
    assert play.begun.count(TASKS[1]) == 2
    assert len(found) == 6
    said = Lost("no progress for 0 s at update 4, in each of 2 tries")
    assert found[TASKS[1]] == (f"made {TASKS[1]}" if made else said)


def test_without_a_limit_nothing_is_killed():
    play = Playing(still={TASKS[1]: 1})
    run = carried_out(play, TASKS[:2], float("inf"))
    assert next(run)[0] == TASKS[0]
    play.busy[TASKS[1]] = "ends"
    assert (next(run)[0], play.killed) == (TASKS[1], [])
