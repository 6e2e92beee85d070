"""Trains the pairs at a grid of rates for several lengths by `klr.compare`, to relate short trainings to long ones.

    KERAS_BACKEND=jax python benchmarks/regret/lengths.py [--minutes 8]

Stores in `.venv/regret/` keep every run, so that the command continues after a stop. It writes `lengths.json`: for each pair,
shape, length (a share of the run), rate and seed, the validation loss at the end of a training of that length. `policies.py`
tries ways of choosing a rate on these losses.
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from tasks import FIRST

import keras_lr as klr

HERE = pathlib.Path(__file__).parent
OUT = HERE / "lengths.json"
STORES = HERE.parent.parent / ".venv" / "regret"
SEEDS = [0, 1, 2]
A_DECADE = 3
PLACES = range(-6 * A_DECADE, 1 * A_DECADE + 1)  # 1e-6 to 10
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)  # lengths, as shares of the run
COSINES = (0.1, 0.2, 0.5)  # lengths of a cosine, besides the whole run
FEW_EPOCHS = 10  # in shorter runs, the lengths of constant rates don't end with an epoch


def epoch_of(task, share):
    """Returns the epoch that ends nearest to a share of the run."""
    return max(1, round(share * task.epochs))


def cosine(task, share):
    """Returns a cosine over a share of the run, then rate 0."""
    steps = task.epochs * (len(task.arrays()[0]) // task.batch_size)
    per_epoch = steps // task.epochs
    return klr.Cosine(1.0, 0.0, round(share * steps) if task.epochs < FEW_EPOCHS else epoch_of(task, share) * per_epoch)


def constant(task, share):
    """Returns the same for a constant rate."""
    return klr.Constant(1.0, cosine(task, share).length) >> klr.Constant(0.0)


def compare(task, name, schedules, epochs):
    """Compares the schedules at every rate."""
    x, y, *validation = task.arrays()
    return klr.compare(
        task.build_model,
        x,
        y,
        validation_data=tuple(validation),
        learning_rates=[10.0 ** (place / A_DECADE) for place in PLACES],
        schedules=schedules,
        seeds=SEEDS,
        epochs=epochs,
        batch_size=task.batch_size,
        store=STORES / f"lengths of {task.name}, {name}.sqlite",
        engine="population",
        verbose=0,
    )


def loss_after(run, epoch):
    """Returns the validation loss after an epoch, or None if the run diverged before."""
    losses = run.history["val_loss"]
    alive = len(losses) >= epoch and (run.diverged_at is None or run.diverged_at[0] >= epoch)
    return float(f"{losses[epoch - 1]:.6g}") if alive and math.isfinite(losses[epoch - 1]) else None


def losses_of(comparison, schedule, epoch):
    """Returns, for each rate, the losses of the seeds after an epoch."""
    return [[loss_after(run, epoch) for run in case.runs] for case in comparison.cases if case.schedule == schedule]


def untrained(task):
    """Returns the validation loss of the first weights of each seed."""
    losses = []
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        losses.append(float(f"{task.build_model().evaluate(*task.arrays()[2:], verbose=0):.6g}"))
    return losses


def measure(task):
    """Measures a pair, and returns its record."""
    few = task.epochs < FEW_EPOCHS
    cosines = {f"cosine {share}": cosine(task, share) for share in COSINES}
    constants = {f"constant {share}": constant(task, share) for share in SHARES[:-1]} if few else {}
    last = task.epochs if few else epoch_of(task, max(COSINES))
    whole = compare(
        task, "whole", {"constant": klr.Constant(1.0), "cosine": cosine(task, 1.0)} | constants, task.epochs
    )
    short = compare(task, "short", cosines, last)
    record = {"untrained": untrained(task), "constant": {}, "cosine": {"1.0": losses_of(whole, "cosine", task.epochs)}}
    for share in COSINES:
        record["cosine"][str(share)] = losses_of(short, f"cosine {share}", last if few else epoch_of(task, share))
    for share in SHARES:
        by_name = few and share < 1.0
        epoch = task.epochs if few else epoch_of(task, share)
        record["constant"][str(share)] = losses_of(whole, f"constant {share}" if by_name else "constant", epoch)
    return record


def main(minutes):
    STORES.mkdir(exist_ok=True, parents=True)
    results = json.loads(OUT.read_text()) if OUT.exists() else {}
    end = time.monotonic() + 60.0 * minutes
    pairs = FIRST
    for task in pairs:
        if task.name in results or time.monotonic() > end:
            continue
        start = time.perf_counter()
        with contextlib.redirect_stdout(None):
            results[task.name] = measure(task)
        OUT.write_text(json.dumps(results, separators=(",", ":")).replace('},"', '},\n"') + "\n")
        keras.backend.clear_session()
        print(f"{task.name}: {time.perf_counter() - start:.0f} s", flush=True)
    print(f"{len(results)} of {len(pairs)} pairs are complete")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="start no pair after that")
    main(parser.parse_args().minutes)
