"""The rates of a ramp, exact at both ends, and what a schedule asks of the answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Schedule

RAMPS = ("exponential", "linear", "restart")
BEYOND = 3  # decades that a ladder may go on above its end, or be lowered by
LOWERINGS = 2
WIDE = 4  # decades: a narrower ladder was meant as it is
NOMINAL = (100, 10)  # updates per epoch and epochs of a run of no particular length


def ladder(min_lr: float, max_lr: float, steps: int, ramp: str) -> tuple[float, ...]:
    """`steps` rates from `min_lr` to `max_lr`, both included.

    Args:
        min_lr: The lowest rate, above 0.
        max_lr: The highest rate, above `min_lr`.
        steps: How many rates, at least 20.
        ramp: "exponential" or "restart" (equal ratios) or "linear" (equal steps).
    """
    low, high = checks.above_zero("find", min_lr=min_lr), checks.above_zero("find", max_lr=max_lr)
    if low >= high:
        raise ArgumentError(
            "find", f"min_lr must be below max_lr, {high!r}", "Swap them, or leave both out", min_lr=min_lr
        )
    checks.whole("find", 20, steps=steps)
    checks.one_of("find", RAMPS, ramp=ramp)
    rungs = np.linspace(low, high, steps) if ramp == "linear" else np.geomspace(low, high, steps)
    return (low, *rungs[1:-1].tolist(), high)


def above(rates: Sequence[float], ramp: str) -> tuple[float, ...]:
    """The rungs that a ladder may go on with where the loss has not turned at its end: three decades, equally spaced.

    A linear or a narrow ladder, of less than four decades, has none: it was meant as it is.
    """
    return tuple(rates[-1] * _ratio(rates) ** rung for rung in range(1, _more(rates, ramp) + 1))


def below(rates: Sequence[float], ramp: str) -> tuple[float, ...]:
    """The rungs to put below a ladder on which every ramp diverged at once; none where `above` gives none."""
    return tuple(rates[0] * _ratio(rates) ** -rung for rung in range(_more(rates, ramp), 0, -1))


def _ratio(rates: Sequence[float]) -> float:
    return float((rates[-1] / rates[0]) ** (1.0 / (len(rates) - 1)))


def _more(rates: Sequence[float], ramp: str) -> int:
    """How many rungs make the decades beyond."""
    wide = ramp != "linear" and rates[-1] / rates[0] >= 0.999 * 10.0**WIDE
    return round(BEYOND / np.log10(_ratio(rates))) if wide else 0


def mean_share(schedule: Schedule | None) -> float:
    """The mean of a schedule over its peak, in (0, 1]; 1 for a constant rate.

    Only the shape counts. A schedule with units is looked at in a run of no particular length, one without an end over
    such a run.
    """
    if schedule is None:
        return 1.0
    if not isinstance(schedule, Schedule):
        repair = "Pass a schedule of keras_lr, such as keras_lr.Cosine(1.0, 0.0, '100%')"
        raise ArgumentError("find", "schedule must be a schedule of keras_lr or None", repair, schedule=schedule)
    per_epoch, epochs = NOMINAL
    bound = schedule.bind(steps_per_epoch=per_epoch, epochs=epochs)
    rates = bound.evaluate(np.arange(bound.length or per_epoch * epochs))
    peak = float(rates.max()) if len(rates) else 0.0
    if not np.isfinite(peak) or peak <= 0.0:
        raise ArgumentError(
            "find",
            "the schedule has no peak above 0",
            "Pass a shape such as keras_lr.Cosine(1.0, 0.0, '100%')",
            schedule=schedule,
        )
    return float(rates.mean()) / peak


def shortened(schedule: Schedule | None, updates: int) -> np.ndarray:
    """The rates of a training of `updates` updates along the shape of a schedule, with peak 1.

    A length with a unit binds to the short run, whose epochs are those of a run of no particular length; a schedule of a
    known length is compressed.

    Args:
        schedule: A schedule that `mean_share` takes, or None for a constant rate.
        updates: A multiple of ten.
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
