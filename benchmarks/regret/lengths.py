"""What short trainings tell of long ones: the pairs trained at a grid of rates for several lengths, by `klr.compare`.

    KERAS_BACKEND=jax python benchmarks/regret/lengths.py [--minutes 8]

Every run goes into a store in `.venv/regret/`, so that the command goes on where it stopped. What it found is written into
`lengths.json`: for each pair, shape, length (a share of the run), rate and seed the validation loss at the end of a training
of that length. `policies.py` tries ways of choosing a rate on it.
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
FOUND = HERE / "lengths.json"
STORES = HERE.parent.parent / ".venv" / "regret"
SEEDS = [0, 1, 2]
A_DECADE = 3
PLACES = range(-6 * A_DECADE, 1 * A_DECADE + 1)  # 1e-6 to 10
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)  # lengths looked at
COSINES = (0.1, 0.2, 0.5)  # lengths that a cosine is trained for, besides the whole run
FEW_EPOCHS = 10  # in runs of fewer the lengths of constant rates don't end with an epoch


def epoch_of(task, share):
    """The epoch that ends nearest to a share of the run."""
    return max(1, round(share * task.epochs))


def cosine(task, share):
    """A cosine over a share of the run; what comes after it is trained at rate 0."""
    steps = task.epochs * (len(task.arrays()[0]) // task.batch_size)
    per_epoch = steps // task.epochs
    return klr.Cosine(1.0, 0.0, round(share * steps) if task.epochs < FEW_EPOCHS else epoch_of(task, share) * per_epoch)


def constant(task, share):
    """The same for a constant rate."""
    return klr.Constant(1.0, cosine(task, share).length) >> klr.Constant(0.0)


def trained(task, name, schedules, epochs):
    """The comparison of the schedules at every rate."""
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
    """The validation loss after an epoch, None where the run diverged before."""
    losses = run.history["val_loss"]
    alive = len(losses) >= epoch and (run.diverged_at is None or run.diverged_at[0] >= epoch)
    return float(f"{losses[epoch - 1]:.6g}") if alive and math.isfinite(losses[epoch - 1]) else None


def losses_of(found, schedule, epoch):
    """For each place the losses of the seeds after an epoch."""
    return [[loss_after(run, epoch) for run in case.runs] for case in found.cases if case.schedule == schedule]


def untrained(task):
    """The validation loss of the first weights of each seed."""
    losses = []
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        losses.append(float(f"{task.build_model().evaluate(*task.arrays()[2:], verbose=0):.6g}"))
    return losses


def measured(task):
    """The record of a pair."""
    few = task.epochs < FEW_EPOCHS
    cosines = {f"cosine {share}": cosine(task, share) for share in COSINES}
    constants = {f"constant {share}": constant(task, share) for share in SHARES[:-1]} if few else {}
    last = task.epochs if few else epoch_of(task, max(COSINES))
    whole = trained(
        task, "whole", {"constant": klr.Constant(1.0), "cosine": cosine(task, 1.0)} | constants, task.epochs
    )
    short = trained(task, "short", cosines, last)
    record = {"untrained": untrained(task), "constant": {}, "cosine": {"1.0": losses_of(whole, "cosine", task.epochs)}}
    for share in COSINES:
        record["cosine"][str(share)] = losses_of(short, f"cosine {share}", last if few else epoch_of(task, share))
    for share in SHARES:
        named = few and share < 1.0
        epoch = task.epochs if few else epoch_of(task, share)
        record["constant"][str(share)] = losses_of(whole, f"constant {share}" if named else "constant", epoch)
    return record


def main(minutes):
    STORES.mkdir(exist_ok=True, parents=True)
    found = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    end = time.monotonic() + 60.0 * minutes
    pairs = FIRST
    for task in pairs:
        if task.name in found or time.monotonic() > end:
            continue
        started = time.perf_counter()
        with contextlib.redirect_stdout(None):
            found[task.name] = measured(task)
        FOUND.write_text(json.dumps(found, separators=(",", ":")).replace('},"', '},\n"') + "\n")
        keras.backend.clear_session()
        print(f"{task.name}: {time.perf_counter() - started:.0f} s", flush=True)
    print(f"{len(found)} of {len(pairs)} pairs are done")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="begin no pair after that")
    main(parser.parse_args().minutes)
