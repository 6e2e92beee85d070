"""The rates of a ramp, exact at both ends, and the rungs that may extend them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError

RAMPS = ("exponential", "linear", "restart")
BEYOND = 3  # decades by which a ladder may be extended at its end, or lowered at a time
LOWERINGS = 2
WIDE = 4  # decades: a narrower ladder stays as the user set it


def ladder(where: str, min_lr: float, max_lr: float, steps: int, ramp: str) -> tuple[float, ...]:
    """Returns `steps` rates from `min_lr` to `max_lr`, both included: at equal steps for "linear", else at equal ratios."""
    low, high = checks.above_zero(where, min_lr=min_lr), checks.above_zero(where, max_lr=max_lr)
    if low >= high:
        rule, repair = f"min_lr must be below max_lr, {high!r}", "Swap them, or leave both out"
        raise ArgumentError(where, rule, repair, min_lr=min_lr)
    checks.whole(where, 20, steps=steps)
    checks.one_of(where, RAMPS, ramp=ramp)
    rungs = np.linspace(low, high, steps) if ramp == "linear" else np.geomspace(low, high, steps)
    return (low, *rungs[1:-1].tolist(), high)


def above(rates: Sequence[float], ramp: str) -> tuple[float, ...]:
    """Returns three decades of further rungs, for a ladder at whose end the loss has not turned.

    A linear ladder, or one of less than four decades, has none: it stays as the user set it.
    """
    return tuple(rates[-1] * _ratio(rates) ** rung for rung in range(1, _more(rates, ramp) + 1))


def below(rates: Sequence[float], ramp: str) -> tuple[float, ...]:
    """Returns three decades of lower rungs, for a ladder on which every ramp diverged at once; none if `above` has none."""
    return tuple(rates[0] * _ratio(rates) ** -rung for rung in range(_more(rates, ramp), 0, -1))


def _ratio(rates: Sequence[float]) -> float:
    return float((rates[-1] / rates[0]) ** (1.0 / (len(rates) - 1)))


def _more(rates: Sequence[float], ramp: str) -> int:
    """Returns the number of rungs in `BEYOND` decades."""
    wide = ramp != "linear" and rates[-1] / rates[0] >= 0.999 * 10.0**WIDE
    return round(BEYOND / np.log10(_ratio(rates))) if wide else 0
