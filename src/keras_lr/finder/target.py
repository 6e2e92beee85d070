"""What an answer is for: a constant rate, or the peak of a schedule, of which only the shape counts."""

from __future__ import annotations

import numpy as np

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.finder.deciding.consensus import Purpose
from keras_lr.schedules import Cosine, OneCycle, Schedule, WarmupStableDecay

KINDS = ("one_cycle", "cosine", "wsd")
WARMUP, DECAY = 0.05, 0.2  # shares of the run
LONGEST_WARMUP = 0.5
NOMINAL = (100, 10)  # updates per epoch and epochs of a run without a given length
LEAST_BUDGET, MOST_BUDGET, BUDGET_PART = 600, 5000, 5  # updates; and the part of a long training
USUAL_EPOCHS = 10  # of a training whose length nobody names


def purpose_of(
    where: str,
    schedule: Schedule | None,
    epochs: int | None,
    steps_per_epoch: int | None,
    batches: int | None,
    verified: int | None = None,
) -> Purpose:
    """Returns what an answer is for: the length of the training and the shape of its schedule.

    The length is that of a bound schedule with an end, else `epochs` times the updates of an epoch. Without `epochs` it is
    that of `verify`; else ten epochs, but at least 600 updates; and 3,000 if the length of an epoch is unknown too.

    Args:
        where: The call that errors name.
        schedule: The schedule, or None for a constant rate.
        epochs: Epochs of the training, or None.
        steps_per_epoch: Updates of an epoch, or None for those of the data.
        batches: Updates of an epoch as the data has them, or None if it has no length.
        verified: Updates of the training that `verify` is for, or None without it.
    """
    epochs = None if epochs is None else checks.whole(where, epochs=epochs)
    per_epoch = batches if steps_per_epoch is None else checks.whole(where, steps_per_epoch=steps_per_epoch)
    share = mean_share(where, schedule)
    if schedule is not None and not schedule.unbound and schedule.length:
        return Purpose(int(schedule.length), share, steps_per_epoch=batches)
    if epochs is None and verified is not None:
        return Purpose(verified, share, steps_per_epoch=batches)
    if per_epoch is None and epochs is not None:
        rule, repair = "the data has no length", "Pass steps_per_epoch, the updates of an epoch"
        raise ArgumentError(where, rule, repair, epochs=epochs)
    if per_epoch is None and schedule is not None and schedule.unbound:
        rule, repair = "the schedule has lengths in units, and the data has none", "Pass epochs and steps_per_epoch"
        raise ArgumentError(where, rule, repair, schedule=schedule)
    if per_epoch is None:
        return Purpose(mean_share=share, label="a training of usual length")
    if epochs is not None:
        return Purpose(epochs * per_epoch, share, steps_per_epoch=batches)
    ten = USUAL_EPOCHS * per_epoch
    label = "about ten epochs" if ten >= LEAST_BUDGET else "a short training"
    return Purpose(max(ten, LEAST_BUDGET), share, label, batches)


def budget_for(purpose: Purpose) -> int:
    """Returns the updates that `find` may spend.

    600; a fifth of a training of more than 3,000 updates whose length is named, but at most 5,000.
    """
    if purpose.label:
        return LEAST_BUDGET
    return min(max(LEAST_BUDGET, purpose.steps // BUDGET_PART), MOST_BUDGET)


def shape_of(kind: str, steps: int, warmup_steps: int | None) -> Schedule:
    """Builds a schedule with peak 1.

    Args:
        kind: One of `KINDS`.
        steps: Its length in updates, warm-up included.
        warmup_steps: Updates of the warm-up; None: 5 % of the run.

    Example:
        >>> shape_of("wsd", 100, None)
        WarmupStableDecay(1.0, 100, 5, 20)
    """
    if kind == "one_cycle":
        return OneCycle(1.0, steps, div=max(25.0, 1.0 + (warmup_steps or 0)))
    rise = min(round(WARMUP * steps) if warmup_steps is None else warmup_steps, int(LONGEST_WARMUP * steps))
    if kind == "wsd":
        return WarmupStableDecay(1.0, steps, warmup_steps=rise, decay_steps=round(DECAY * steps))
    decay = Cosine(1.0, 0.0, steps - rise)
    return decay.warmup(rise) if rise else decay


def mean_share(where: str, schedule: Schedule | None) -> float:
    """Returns the mean of a schedule over its peak, in (0, 1]; 1 for a constant rate.

    Lengths with units bind to a nominal run; a schedule without an end is averaged over such a run.
    """
    if schedule is None:
        return 1.0
    shape = "keras_lr.Cosine(1.0, 0.0, '100%')"
    if not isinstance(schedule, Schedule):
        rule, repair = "schedule must be a schedule of keras_lr or None", f"Pass a schedule such as {shape}"
        raise ArgumentError(where, rule, repair, schedule=schedule)
    per_epoch, epochs = NOMINAL
    bound = schedule.bind(steps_per_epoch=per_epoch, epochs=epochs)
    rates = bound.evaluate(np.arange(bound.length or per_epoch * epochs))
    peak = float(rates.max()) if len(rates) else 0.0
    if not np.isfinite(peak) or peak <= 0.0:
        rule, repair = "the schedule has no peak above 0", f"Pass a shape such as {shape}"
        raise ArgumentError(where, rule, repair, schedule=schedule)
    return float(rates.mean()) / peak


def relative_rates(schedule: Schedule | None, updates: int) -> np.ndarray:
    """Returns the rates of a short training along the shape of a schedule, with peak 1.

    Lengths with units bind to the short training; a schedule of fixed length is compressed.

    Args:
        schedule: A schedule that `mean_share` accepts, or None for a constant rate.
        updates: The length of the training, a multiple of ten.
    """
    if schedule is None:
        return np.ones(updates)
    per_epoch, epochs = NOMINAL
    if schedule.unbound:
        bound = schedule.bind(steps_per_epoch=updates // epochs, epochs=epochs)
    else:
        length = schedule.length or per_epoch * epochs
        bound = schedule if length == updates else schedule.retime(0, length, updates)
    rates = bound.evaluate(np.arange(updates))
    return rates / float(rates.max())
