"""PyTorch's schedulers that set the rate and the momentum together: `CyclicLR` and `OneCycleLR`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Constant, Exponential, Function, Interpolate, Linear, Schedule, Triangular
from keras_lr.schedules.importers.extra_schedules import CosineWave, chain, cut, steps_of
from keras_lr.schedules.importers.registry import Natural, Positive, Rate, Whole

WHERE = "from_torch"
VALUES = ("lr", "momentum")


def cyclic(
    base_lr: Rate,
    max_lr: Rate,
    step_size_up: Natural = 2000,
    step_size_down: Whole | None = None,
    mode: str = "triangular",
    gamma: float = 1.0,
    scale_fn: Callable[[Any], Any] | None = None,
    scale_mode: str = "cycle",
    cycle_momentum: bool = True,
    base_momentum: float = 0.8,
    max_momentum: float = 0.9,
    value: str = "lr",
) -> Schedule:
    """`CyclicLR`: a triangle again and again."""
    up, down = step_size_up, step_size_up if step_size_down is None else step_size_down
    start, top = base_lr, max_lr
    if checks.one_of(WHERE, VALUES, value=value) == "momentum":
        start, top = max_momentum, base_momentum
    if scale_fn is not None:
        checks.one_of(WHERE, ("cycle", "iterations"), scale_mode=scale_mode)
        height: Schedule = Function(scale_fn)
        return _triangle(start, top, up, down, height.skip(1).every(up + down) if scale_mode == "cycle" else height)
    checks.one_of(WHERE, ("triangular", "triangular2", "exp_range"), mode=mode)
    gain = 0.5 if mode == "triangular2" else 1.0
    fade = gamma if mode == "exp_range" else 1.0
    if top >= start:
        return Triangular(start, top, up, down, gain, fade)
    shrinking = Exponential(1.0, gain).every(up + down) if gain != 1.0 else Exponential(1.0, fade)
    return _triangle(start, top, up, down, None if gain == fade == 1.0 else shrinking)


def _triangle(start: float, top: float, up: int, down: int, height: Schedule | None) -> Schedule:
    """Start + (top - start) * triangle * height, with a triangle from 0 to 1 and back."""
    triangle = (Linear(0.0, 1.0, up) >> Linear(1.0, 0.0, down)).repeat()
    return (triangle if height is None else triangle * height) * (top - start) + start


def one_cycle(
    max_lr: Rate,
    total_steps: Natural | None = None,
    epochs: int | None = None,
    steps_per_epoch: int | None = None,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    cycle_momentum: bool = True,
    base_momentum: float = 0.85,
    max_momentum: float = 0.95,
    div_factor: Positive = 25.0,
    final_div_factor: Positive = 1e4,
    three_phase: bool = False,
    value: str = "lr",
) -> Schedule:
    """`OneCycleLR`: one rise and one or two falls."""
    total = _product(epochs, steps_per_epoch) if total_steps is None else total_steps
    first, top, last = max_lr / div_factor, max_lr, max_lr / div_factor / final_div_factor
    if checks.one_of(WHERE, VALUES, value=value) == "momentum":
        first, top, last = max_momentum, base_momentum, max_momentum
    share = checks.finite(WHERE, pct_start=pct_start)
    if not 0.0 <= share <= 1.0:
        raise ArgumentError(
            WHERE, "pct_start must be between 0 and 1", "Pass a number such as 0.3", pct_start=pct_start
        )
    shape = "cosine" if checks.one_of(WHERE, ("cos", "linear"), anneal_strategy=anneal_strategy) == "cos" else "linear"
    if three_phase:
        knots, rates = [0.0, share * total - 1, 2 * share * total - 2, total - 1], [first, top, first, last]
    else:
        knots, rates = [0.0, share * total - 1, total - 1], [first, top, last]
    return _phases(knots, rates, shape, total)


def _product(epochs: int | None, steps_per_epoch: int | None) -> int:
    if epochs is None or steps_per_epoch is None:
        rule = "total_steps, or epochs and steps_per_epoch, must be given"
        raise ArgumentError(WHERE, rule, "Pass total_steps=1000", total_steps=None)
    return steps_of(WHERE, 1, epochs=epochs) * steps_of(WHERE, 1, steps_per_epoch=steps_per_epoch)


def _phases(knots: list[float], rates: list[float], shape: str, total: int) -> Schedule:
    """The phases as PyTorch computes them up to step `total`, at which it raises; from then on the rate of total - 1.

    A phase that ends before step 0 is skipped; the one after it then starts before step 0.
    """
    while len(knots) > 2 and knots[1] < 0:
        knots, rates = knots[1:], rates[1:]
    after = _rate_at(total, knots, rates, shape)
    while knots[-2] > total - 1:  # the run ends before the last phase
        knots, rates = knots[:-1], rates[:-1]
    if after is None and len(knots) > 2 and knots[-2] == knots[-1]:  # PyTorch raises after the last update
        return Interpolate(tuple(knots[:-1]), tuple(rates[:-1]), shape)
    if any(late <= early for early, late in itertools.pairwise(knots)):
        rule = "PyTorch divides by zero here: a phase has no length"
        raise ArgumentError(WHERE, rule, "Pass another pct_start or total_steps", total_steps=total)
    if knots[-1] >= total:
        return Interpolate(tuple(knots), tuple(rates), shape)
    reached = _reached(knots, rates, shape, total)
    last = float(reached.evaluate(total - 1))
    beyond = [] if after is None else [Constant(after, 1)]
    return chain(cut(reached, total - 1), Constant(last, 1), *beyond, Constant(last))


def _reached(knots: list[float], rates: list[float], shape: str, total: int) -> Schedule:
    """The phases up to step total - 1."""
    if knots[0] == 0.0:
        return Interpolate(tuple(knots), tuple(rates), shape)
    span = knots[1] - knots[0]
    if shape == "cosine":
        return CosineWave(rates[0], rates[1], span, offset=-knots[0])
    return Linear(rates[1] + (rates[0] - rates[1]) * knots[1] / span, rates[1], total - 1)


def _rate_at(step: int, knots: list[float], rates: list[float], shape: str) -> float | None:
    """The rate of a step; past the end, where PyTorch continues the last phase, too. None if PyTorch divides by 0."""
    phase = next((i for i, end in enumerate(knots[1:]) if step <= end), len(knots) - 2)
    if knots[phase] == knots[phase + 1]:
        return None
    way = (step - knots[phase]) / (knots[phase + 1] - knots[phase])
    left = 1.0 - way if shape == "linear" else (1.0 + math.cos(math.pi * way)) / 2.0
    return rates[phase + 1] + (rates[phase] - rates[phase + 1]) * left
