"""Looks at a schedule before it is used: what is unusual in it, a description, and the area under it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError

if TYPE_CHECKING:
    from keras_lr.schedules.base import Schedule

JUMP = 0.5
"""A change from one update to the next by more than this share of the peak is reported as a jump."""
_CHUNK = 1_000_000


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is unusual about a schedule: its kind, its step, and a sentence."""

    kind: str
    step: int | None
    text: str

    def __str__(self) -> str:
        return self.text


def total_of(where: str, schedule: Schedule, steps: int | None) -> int:
    """Returns how many updates to look at: `steps`, else the run that the schedule is bound to, else its length."""
    if steps is not None:
        return checks.whole(where, steps=steps)
    if not schedule.total_steps:
        repair = f"Say how many updates: {where}(steps=1000)"
        raise ArgumentError(where, "the schedule has no end", repair, steps=steps)
    return schedule.total_steps


def area(schedule: Schedule, steps: int | None = None) -> float:
    """Returns the sum of the rates of the first `steps` updates."""
    total = total_of("area", schedule, steps)
    return float(sum(np.sum(schedule.evaluate(np.arange(a, min(a + _CHUNK, total)))) for a in range(0, total, _CHUNK)))


def check(schedule: Schedule, steps: int | None = None) -> tuple[Finding, ...]:
    """Finds what is unusual about a schedule in a run of `steps` updates.

    Args:
        schedule: A schedule, bound if its lengths have units.
        steps: Updates in the run. Default: the run that it is bound to, else its length.

    Returns:
        The findings, of the kinds "not finite", "negative", "zero start", "jump", "peak not reached", "warm-up too long",
        "unused tail" and "unused run"; empty if nothing is unusual.
    """
    total = total_of("check", schedule, steps)
    rates = schedule.evaluate(np.arange(min(total, 10 * _CHUNK)))
    return tuple([*_values(rates), *_lengths(schedule, total, rates)])


def _values(rates: np.ndarray) -> Iterator[Finding]:
    """Finds what the rates alone show."""
    odd = np.flatnonzero(~np.isfinite(rates))
    if odd.size:
        yield Finding("not finite", int(odd[0]), f"The rate of update {odd[0]} is {rates[odd[0]]}.")
        return
    below = np.flatnonzero(rates < 0)
    if below.size:
        yield Finding("negative", int(below[0]), f"The rate of update {below[0]} is negative: {rates[below[0]]:.3g}.")
    if rates[0] == 0:
        yield Finding("zero start", 0, "Update 0 has the rate 0 and changes nothing.")
    peak = np.abs(rates).max()
    jumps = np.flatnonzero(np.abs(np.diff(rates)) > JUMP * peak) + 1
    for step in jumps[:3]:
        text = f"The rate jumps from {rates[step - 1]:.3g} to {rates[step]:.3g} at update {step}."
        yield Finding("jump", int(step), text)


def _lengths(schedule: Schedule, total: int, rates: np.ndarray) -> Iterator[Finding]:
    """Finds parts that the run does not reach, and updates that no part covers."""
    rise = schedule.longest_rise()
    if rise >= total:
        yield Finding("warm-up too long", total, f"The warm-up takes {rise} updates, and the run has {total}.")
    own = schedule.length
    if own is not None and own > total:
        planned = schedule.evaluate(np.unique(np.linspace(total, own, 1000).astype(np.int64)))
        if planned.max() > rates.max() * (1 + 1e-9):
            text = f"The run's {total} updates end before the peak of {planned.max():.3g}; its highest rate is {rates.max():.3g}."
            yield Finding("peak not reached", total, text)
        text = f"The schedule has {own} updates, and the run ends after {total}: the last {own - total} are not used."
        yield Finding("unused tail", total, text)
    if own is not None and own < total and total - own > 0.01 * total:
        last = float(schedule.evaluate(own))
        text = f"The schedule ends at update {own}; the last {total - own} of {total} have the rate {last:.3g}."
        yield Finding("unused run", own, text)


def describe(schedule: Schedule, steps: int | None = None) -> str:
    """Describes a schedule, with a line for each fact.

    Example:
        >>> from keras_lr import Constant, Linear
        >>> print((Constant(0.1, 2) >> Linear(0.1, 0.0, 8)).warmup(4).describe())
        (Constant(0.1, 2) >> Linear(0.1, 0.0, 8)).warmup(4)
        14 updates, then held at 0
        first 0.02, highest 0.1 (updates 4 to 6), last 0.0125
        rises in updates 0 to 4, holds in 4 to 6, falls in 6 to 13
        area 0.85, mean 0.0607
    """
    total = total_of("describe", schedule, steps)
    rates = schedule.evaluate(np.arange(min(total, 10 * _CHUNK)))
    ends = schedule.length is not None and schedule.length <= total
    top = np.flatnonzero(rates >= rates.max() * (1 - 1e-12))
    where = f"update {top[0]}" if top[0] == top[-1] else f"updates {top[0]} to {top[-1]}"
    lines = [
        repr(schedule),
        f"{total} updates" + (f", then held at {schedule.evaluate(total):.3g}" if ends else ""),
        f"first {rates[0]:.3g}, highest {rates.max():.3g} ({where}), last {rates[-1]:.3g}",
        _phases(rates),
        f"area {rates.sum():.3g}, mean {rates.mean():.3g}",
        *(str(finding) for finding in check(schedule, total)),
    ]
    return "\n".join(line for line in lines if line)


def _phases(rates: np.ndarray, most: int = 6) -> str:
    """Describes when the rate rises, holds and falls."""
    change = np.diff(rates)
    kinds = np.where(np.abs(change) <= 1e-12 * np.abs(rates).max(), 0, np.sign(change)).astype(int)
    if not kinds.size:
        return ""
    cuts = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
    words = {1: "rises", 0: "holds", -1: "falls"}
    parts = [f"{words[kinds[a]]} in {a} to {b}" for a, b in itertools.pairwise(cuts)]
    parts[0] = parts[0].replace(" in ", " in updates ")
    return ", ".join(parts[:most]) + (f", and so on ({len(parts)} phases)" if len(parts) > most else "")
