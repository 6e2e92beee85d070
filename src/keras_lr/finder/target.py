"""Schedules with peak 1 for an answer to be the peak of."""

from __future__ import annotations

from keras_lr.schedules import Cosine, OneCycle, Schedule, WarmupStableDecay

KINDS = ("one_cycle", "cosine", "wsd")
WARMUP, DECAY = 0.05, 0.2  # shares of the run
LONGEST_WARMUP = 0.5


def shape_of(kind: str, steps: int, warmup_steps: int | None) -> Schedule:
    """The shape of a run.

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
    falling = Cosine(1.0, 0.0, steps - rise)
    return falling.warmup(rise) if rise else falling
