"""Runs what `find` has to beat on every pair, for the same number of updates, and writes the answers to `baselines.json`.

    MNIST=mnist.npz KERAS_BACKEND=jax python benchmarks/regret/baselines.py [--group long] [--half tune] [--minutes 8]

Each pair has the initial weights and seeds of answers.py. A grid of short trainings and successive halving compare their rates on the
holdout of `find`. The rules of other finders decide on ramps with their own range and stop: on one ramp, and the median of as many
as the updates buy. The command continues after a stop.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
import searches
from long_tasks import GROUPS
from scores import middle
from tasks import halves

from keras_lr.backends.arrays import Chunk
from keras_lr.engines.borrowed.borrow import borrow
from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.other_finders import suggest
from keras_lr.finder.measuring.batches import batches
from keras_lr.finder.measuring.holdout import sprint_holdout

OUT = pathlib.Path(__file__).parent / "baselines.json"
SEEDS = (100, 101, 102)  # as in answers.py
RUNGS = np.arange(searches.RAMP + 1) / searches.RAMP
WIDE, LOWER = 1e-7 * 1e8**RUNGS, 1e-8 * 1e8**RUNGS


@dataclasses.dataclass(frozen=True)
class Peer:
    """Another finder: its rule, its ramp, and its stop.

    Attributes:
        rule: A key of `keras_lr.finder.deciding.other_finders.RULES`.
        rates: All rates of its ramp.
        rungs: Which of them it uses.
        weight: The share of a new loss in its moving average.
        rise: It stops where the average exceeds the lowest one by this factor.
        correction: The average starts at 0, and is corrected for as many losses more than it has; None if it starts at the first.
    """

    rule: str
    rates: np.ndarray
    rungs: np.ndarray
    weight: float
    rise: float
    correction: int | None


ALL_BUT_LAST, ALL_BUT_FIRST = RUNGS < 1.0, RUNGS > 0.0
PEERS = {
    f"fastai {rule}": Peer(rule, WIDE, ALL_BUT_LAST, 0.02, 4.0, 0) for rule in ("valley", "slide", "minimum", "steep")
}
PEERS |= {
    "Lightning": Peer("lightning", LOWER, np.arange(len(RUNGS)) != 1, 0.02, 4.0, 1),
    "torch-lr-finder": Peer("torch_lr_finder", WIDE, ALL_BUT_FIRST, 0.05, 5.0, None),
    "ignite": Peer("ignite", WIDE, ALL_BUT_FIRST, 0.05, 5.0, None),
}


def updates_of(task):
    """Returns the updates of a training."""
    return task.epochs * (len(task.arrays()[0]) // task.batch_size)


def shares_of(shape, length):
    """Returns the share of the rate at each update."""
    return np.ones(length) if shape == "constant" else 0.5 * (1.0 + np.cos(np.pi * np.arange(length) / length))


def join(first, second):
    """Returns two chunks with the same data."""
    if first.data is second.data:
        return first, second
    data = keras.tree.map_structure(lambda one, other: np.concatenate([one, other]), first.data, second.data)
    return Chunk(data, first.rows), Chunk(data, second.rows + len(keras.tree.flatten(first.data)[0]))


class Trainings:
    """Short trainings of one pair, always from the same start on the same batches; the holdout is that of `find`.

    Args:
        stepper: Lends the model.
        seed: Seed for the holdout and the orders.
        longest: Updates of the longest training.
    """

    def __init__(self, stepper, source, seed, longest):
        self.stepper, self.source, self.seed = stepper, source, seed
        holdout = sprint_holdout(source, seed)
        self.chunk, self.holdout = join(holdout.reader().take(longest), holdout.chunk)

    def loss(self, shape, rate, length):
        """Returns the holdout's loss after a training; infinite if it diverged."""
        rows = np.concatenate([self.chunk.rows[:length], self.holdout.rows])
        rates = np.concatenate([rate * shares_of(shape, length), np.zeros(len(self.holdout))])
        self.stepper.reset()
        loss = self.stepper.updates(Chunk(self.chunk.data, rows), rates)["loss"][length:].mean()
        return float(loss) if np.isfinite(loss) else np.inf

    def ramp(self, rates, number):
        """Returns the losses of a range test."""
        self.stepper.reset()
        return self.stepper.updates(self.source.reader(self.seed + number).take(len(rates)), rates)["loss"]


def until_stop(losses, peer):
    """Returns the losses up to the one at which another finder stops."""
    average, best = losses[0] if peer.correction is None else 0.0, np.inf
    for count, loss in enumerate(losses, start=1):
        average += peer.weight * (loss - average)
        weights = 1.0 if peer.correction is None else 1.0 - (1.0 - peer.weight) ** (count + peer.correction)
        best = min(best, average / weights)
        if average / weights > peer.rise * best:
            return losses[:count]
    return losses


def answer_of(peer, losses):
    """Returns the rate of another finder for the losses of a whole ramp, or None if it refuses."""
    losses = until_stop(losses[peer.rungs], peer)
    try:
        return suggest(Curve(tuple(peer.rates[peer.rungs]), (tuple(losses),)), peer.rule).learning_rate
    except (IndexError, ValueError):  # as the library raises
        return None


def answers_of_peers(trainings, budget):
    """Returns each finder's answer for the first ramp, and the median for as many as the budget buys."""
    numbers = range(budget // searches.RAMP)
    wide, lower = ([trainings.ramp(rates, number) for number in numbers] for rates in (WIDE, LOWER))
    answers = {}
    for name, peer in PEERS.items():
        rates = [answer_of(peer, losses) for losses in (wide if peer.rates is WIDE else lower)]
        answers[name] = {"single": rates[0], "same updates": middle(rates)}
    return answers


def answers_of_searches(trainings, group, budget):
    """Returns the answers of the grid and of halving, for both shapes."""
    answers = {}
    for shape in ("constant", "cosine"):

        def loss(rate, length, shape=shape):
            return trainings.loss(shape, rate, length)

        answers[shape] = {
            "grid": searches.search_grid(loss, searches.GRID[group], budget),
            "halving": searches.search_by_halving(loss, searches.HALVING[group], budget, resumes=shape == "constant"),
        }
    return answers


def set_start(model, other):
    """Gives a model the first weights of another one."""
    for kind in ("trainable_variables", "non_trainable_variables"):
        for own, new in zip(getattr(model, kind), getattr(other, kind), strict=True):
            own.assign(new)


def record_of(task, group):
    """Returns the answers for a pair, in the order of the seeds."""
    x, y, *_ = task.arrays()
    budget = searches.budget_of(updates_of(task))
    source, model = batches("baselines", x, y, batch_size=task.batch_size), task.build_model()
    record = {"task": task.name, "updates": budget, "seeds": SEEDS, "constant": [], "cosine": [], "peers": []}
    with borrow(model, source.first) as stepper:  # one for all seeds, so that it compiles once
        for seed in SEEDS:
            keras.utils.set_random_seed(seed)
            set_start(model, task.build_model())
            trainings = Trainings(stepper, source, 10 * seed, searches.longest(group, budget))
            for shape, answers in answers_of_searches(trainings, group, budget).items():
                record[shape].append(answers)
            record["peers"].append(answers_of_peers(trainings, budget))
    return record


def rounded(value):
    """Rounds the numbers of a record to five digits."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, (list, tuple)) else value


def read():
    """Returns the records on file, by the name of their pair."""
    return {record["task"]: record for record in json.loads(OUT.read_text())} if OUT.exists() else {}


def main(minutes, tasks):
    end = time.monotonic() + 60.0 * minutes
    for group, task in tasks:
        if task.name in read() or time.monotonic() > end:
            continue
        start = time.perf_counter()
        record = rounded(record_of(task, group))
        records = read() | {task.name: record}  # another process may have added some
        OUT.write_text("[\n" + ",\n".join(map(json.dumps, records.values())) + "\n]\n")
        keras.backend.clear_session()
        print(f"{task.name}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    groups = {"short": halves(), **GROUPS}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="start no pair after that")
    parser.add_argument("--group", choices=groups, help="default: all")
    parser.add_argument("--half", choices=("tune", "held out"), help="default: both")
    arguments = parser.parse_args()
    main(
        arguments.minutes,
        [
            (group, task)
            for group, halves_of_it in groups.items()
            for half, tasks in halves_of_it.items()
            for task in tasks
            if arguments.group in (None, group) and arguments.half in (None, half)
        ],
    )
