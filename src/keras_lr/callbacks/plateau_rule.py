"""Decides when a plateau is reached: measurements in, a decision out. Uses no Keras, no rates and no files."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError

Decision = Literal["reduce", "raise"] | None


@dataclasses.dataclass(frozen=True)
class PlateauRule:
    """The rule of `ReduceLROnPlateau`: `decide` takes a state and the next measurement.

    If less is better, a measurement x is better than the best b when

    - "absolute": x < b - min_delta
    - "relative": x < b - min_delta * |b|, which is right for negative values too
    - "both": x < b - min_delta * max(1, |b|)

    A value that is not finite is never better and never becomes the best.

    Args:
        mode: "min" if less is better, "max" if more is better.
        patience: The number of consecutive measurements without improvement that make a plateau; 0 is 1, as in Keras.
        cooldown: The exact number of measurements after a reduction that are not counted.
        min_delta: The smallest improvement; see `threshold`.
        threshold: "absolute", "relative" or "both", as above.
        ema: The weight of the past in an exponential average of the measurements, 0 to 1. None: no average.
        window: The number of measurements to average. None: 1.
        rises: Whether `patience` consecutive improvements raise the rate.
    """

    mode: str = "min"
    patience: int = 10
    cooldown: int = 0
    min_delta: float = 1e-4
    threshold: str = "absolute"
    ema: float | None = None
    window: int | None = None
    rises: bool = False

    def __post_init__(self) -> None:
        where = "ReduceLROnPlateau"
        checks.one_of(where, ("min", "max"), mode=self.mode)
        checks.one_of(where, ("absolute", "relative", "both"), threshold=self.threshold)
        checks.whole(where, 0, patience=self.patience)
        checks.whole(where, 0, cooldown=self.cooldown)
        checks.at_least_zero(where, min_delta=self.min_delta)
        if self.ema is not None and not 0.0 <= checks.finite(where, ema=self.ema) < 1.0:
            raise ArgumentError(where, "ema must be 0 or more and below 1", "Pass a weight such as 0.9", ema=self.ema)
        if self.window is not None:
            checks.whole(where, window=self.window)
        if self.window is not None and self.ema is not None:
            raise ArgumentError(where, "only one of ema and window can be given", "Leave one out", window=self.window)

    def decide(self, state: PlateauState, value: float) -> Decision:
        """Takes a measurement into the state, and returns the decision."""
        value = self._smoothed(state, float(value))
        better = self._better(value, state.best)
        if better:
            state.best, state.best_count = value, state.best_count + 1
        if state.cooldown > 0:
            state.cooldown -= 1
            state.wait = state.streak = 0
            return None
        state.wait, state.streak = (0, state.streak + 1) if better else (state.wait + 1, 0)
        if not better and state.wait >= self.patience:
            state.wait, state.cooldown = 0, self.cooldown
            return "reduce"
        if self.rises and better and state.streak >= max(1, self.patience):
            state.streak = 0
            return "raise"
        return None

    def _better(self, value: float, best: float | None) -> bool:
        if not math.isfinite(value):
            return False
        if best is None:
            return True
        units = {"absolute": 1.0, "relative": abs(best), "both": max(1.0, abs(best))}
        margin = self.min_delta * units[self.threshold]
        return value < best - margin if self.mode == "min" else value > best + margin

    def _smoothed(self, state: PlateauState, value: float) -> float:
        """The average to judge; a value that is not finite is judged itself and enters no average."""
        if not math.isfinite(value):
            return value
        if self.ema is not None:
            # Adam's correction: the average of the measurements so far, not one that begins at 0
            state.average = self.ema * state.average + (1.0 - self.ema) * value
            state.weight = self.ema * state.weight + (1.0 - self.ema)
            return state.average / state.weight
        if self.window is not None:
            state.recent = [*state.recent, value][-self.window :]
            return math.fsum(state.recent) / len(state.recent)
        return value


@dataclasses.dataclass
class PlateauState:
    """What the rule remembers of the measurements, as plain numbers for a file."""

    best: float | None = None
    best_count: int = 0
    wait: int = 0
    streak: int = 0
    cooldown: int = 0
    average: float = 0.0
    weight: float = 0.0
    recent: list[float] = dataclasses.field(default_factory=list)
