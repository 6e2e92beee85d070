"""When a plateau is reached: measurements in, a decision out. Knows nothing of Keras, of rates or of files."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError

Decision = Literal["reduce", "raise"] | None
THRESHOLDS = ("absolute", "relative", "both")


@dataclasses.dataclass(frozen=True)
class Plateau:
    """The rule. `State` is what it has seen; `decide` takes both and the next measurement.

    A measurement x is better than the best b, where less is better, when

    - "absolute": x < b - min_delta
    - "relative": x < b - min_delta * |b|, which is right for negative values too
    - "both": x < b - min_delta * max(1, |b|)

    A value that is not finite is never better and never becomes the best.

    Args:
        mode: "min" or "max": whether less or more is better.
        patience: How many measurements in a row without improvement make a plateau; 0 is 1, as in Keras.
        cooldown: How many measurements after a reduction are not counted, exactly.
        min_delta: How much better counts as better.
        threshold: What `min_delta` is a part of.
        ema: Weight of what was before in an exponential average of the measurements, 0 to 1; None: none.
        window: How many measurements are averaged; None: 1.
        rises: Whether `patience` improvements in a row raise the rate.
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
        checks.one_of(where, THRESHOLDS, threshold=self.threshold)
        checks.whole(where, 0, patience=self.patience)
        checks.whole(where, 0, cooldown=self.cooldown)
        checks.at_least_zero(where, min_delta=self.min_delta)
        if self.ema is not None and not 0.0 <= checks.finite(where, ema=self.ema) < 1.0:
            raise ArgumentError(where, "ema must be 0 or more and below 1", "Pass a weight such as 0.9", ema=self.ema)
        if self.window is not None:
            checks.whole(where, window=self.window)
        if self.window is not None and self.ema is not None:
            raise ArgumentError(where, "only one of ema and window can be given", "Leave one out", window=self.window)

    def decide(self, state: State, value: float) -> Decision:
        """What a measurement leads to. The state takes it in."""
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
        parts = {"absolute": 1.0, "relative": abs(best), "both": max(1.0, abs(best))}
        margin = self.min_delta * parts[self.threshold]
        return value < best - margin if self.mode == "min" else value > best + margin

    def _smoothed(self, state: State, value: float) -> float:
        """The average that is judged; a value that is not finite is judged as it is and enters no average."""
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
class State:
    """What a rule has seen, as plain numbers."""

    best: float | None = None
    best_count: int = 0
    wait: int = 0
    streak: int = 0
    cooldown: int = 0
    average: float = 0.0
    weight: float = 0.0
    recent: list[float] = dataclasses.field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For a file."""
        return dataclasses.asdict(self)
