"""Trains every pair for a short while at a dense grid of rates, and keeps the losses on the way, to try rules without training.

    MNIST=mnist.npz KERAS_BACKEND=jax python benchmarks/regret/curves.py --group long --half tune

Writes `.venv/regret/curves/NAME.npz` for each pair: `rates`, `lengths`; for each seed, rate and length the mean loss of the holdout's
batches, `holdout`; for each update its loss, `train`; the same holdout loss after a whole cosine of a length, `cosine`; and
`ramps`, the losses of range tests from 1e-7 to 10.
"""

import argparse
import functools
import os
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from long_tasks import GROUPS
from tasks import halves
from truth import STORES

from keras_lr.engines.borrowed.borrow import borrow
from keras_lr.finder.measuring.batches import batches
from keras_lr.finder.measuring.holdout import sprint_holdout
from keras_lr.finder.measuring.rates import rate_plan

SEEDS = (100, 101)
RATES = 10.0 ** (np.arange(-24, 5) / 4)  # 1e-6 to 10
LENGTHS = np.array([6, 12, 18, 25, 35, 50, 70, 100, 140, 200, 280, 400, 560, 800, 1120, 1600, 2240])
TEXT = (12, 25, 50, 100, 150)  # lengths for texts
COSINES = (25, 50, 100, 200, 400)
RAMPS, RAMP = 6, np.geomspace(1e-7, 10.0, 100)


def updates_of(task):
    return task.epochs * (len(task.arrays()[0]) // task.batch_size)


class Trainings:
    """Short trainings of one pair from one seed, always from the same start on the same batches."""

    def __init__(self, stepper, source, seed):
        self.stepper, self.source, self.seed = stepper, source, seed
        self.holdout = sprint_holdout(source, seed)

    def peek(self):
        """Returns the mean loss of the holdout."""
        return float(self.stepper.losses(self.holdout.chunk).mean())

    def constant(self, rate, lengths):
        """Returns the holdout's loss after each length, and the loss of each update."""
        self.stepper.reset()
        reader, losses, held, count = self.holdout.reader(), [], [], 0
        for length in lengths:
            while count < length:
                chunk = reader.take(min(96, length - count))
                losses += self.stepper.updates(chunk, np.full(len(chunk), rate))["loss"].tolist()
                count += len(chunk)
            held.append(self.peek() if np.isfinite(losses[-1]) else np.nan)
            if not np.isfinite(held[-1]):
                break
        return np.resize([*held, *[np.nan] * (len(lengths) - len(held))], len(lengths)), losses

    def along(self, rates):
        """Returns the holdout's loss after updates at these rates."""
        self.stepper.reset()
        reader, count = self.holdout.reader(), 0
        while count < len(rates):
            chunk = reader.take(min(96, len(rates) - count))
            self.stepper.updates(chunk, rates[count : count + len(chunk)])
            count += len(chunk)
        return self.peek()

    def ramp(self, number):
        """Returns the losses of a range test."""
        self.stepper.reset()
        reader = self.source.reader(10 * self.seed + number)
        chunks = [reader.take(50), reader.take(50)]
        return np.concatenate(
            [self.stepper.updates(chunk, RAMP[50 * i : 50 * i + 50])["loss"] for i, chunk in enumerate(chunks)]
        )


def record_of(task, seed, lengths, cosines):
    arrays = task.arrays()
    keras.utils.set_random_seed(seed)
    model = task.build_model()
    source = batches("curves", *arrays[:2], batch_size=task.batch_size)
    with borrow(model, source.first, functools.partial(rate_plan, "curves")) as stepper:
        trainings = Trainings(stepper, source, 10 * seed)
        ramps = [trainings.ramp(number) for number in range(RAMPS)]
        idle, _ = trainings.constant(0.0, lengths[:1])
        holdout = np.full((len(RATES), len(lengths)), np.nan)
        train = np.full((len(RATES), lengths[-1]), np.nan)
        along = np.full((len(RATES), len(cosines)), np.nan)
        for place, rate in enumerate(RATES):
            holdout[place], losses = trainings.constant(rate, lengths)
            train[place, : len(losses)] = losses
            for number, length in enumerate(cosines):
                shape = 0.5 * (1.0 + np.cos(np.pi * np.arange(length) / length))
                along[place, number] = trainings.along(rate * shape)
    return {"ramps": np.array(ramps), "idle": idle[0], "holdout": holdout, "train": train, "cosine": along}


def main(group, half, minutes):
    folder = STORES / "curves"
    folder.mkdir(parents=True, exist_ok=True)
    tasks = (halves() if group == "short" else GROUPS[group])[half]
    end = time.monotonic() + 60.0 * minutes
    for task in tasks:
        path = folder / f"{task.name}.npz"
        if path.exists() or time.monotonic() > end:
            continue
        start, updates = time.perf_counter(), updates_of(task)
        longest = updates // 2 if updates <= 900 else max(150, updates // 8)
        text = group == "text"
        lengths = np.array(TEXT) if text else LENGTHS[longest >= LENGTHS]
        cosines = [length for length in (COSINES[1:3] if text else COSINES) if length <= longest]
        records = [record_of(task, seed, lengths, cosines) for seed in SEEDS]
        arrays = {name: np.array([record[name] for record in records]) for name in records[0]}
        np.savez_compressed(path, rates=RATES, lengths=lengths, cosines=cosines, updates=updates, **arrays)
        keras.backend.clear_session()
        print(f"{task.name}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--group", choices=("short", *GROUPS), required=True)
    parser.add_argument("--half", choices=("tune", "held out"), required=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    arguments = parser.parse_args()
    main(arguments.group, arguments.half, arguments.minutes)
