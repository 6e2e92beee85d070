"""The measured curve, raw, and how it is smoothed. Imports no Keras."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

BANDWIDTH = 0.15  # decades: the standard deviation of the kernel


@dataclasses.dataclass(frozen=True)
class Curve:
    """Losses of several ramps up one ladder of rates.

    Args:
        learning_rates: The ladder, rising.
        losses: For each ramp the raw loss of every rung that it reached: the loss of the batch before its update, so
            that rung i shows what the updates at rungs 0 to i - 1 have done.
    """

    learning_rates: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]

    @property
    def lead_in(self) -> int:
        """Rungs at the low end that count as not yet moved: a tenth, at least three."""
        return max(3, len(self.learning_rates) // 10)

    def ramp(self, index: int) -> Curve:
        """One ramp alone."""
        return Curve(self.learning_rates, (self.losses[index],))

    def pooled(self) -> tuple[np.ndarray, np.ndarray]:
        """The rates and the mean loss over ramps, up to where half of the ramps have stopped.

        A ramp that stopped early is held at its last finite loss, and a loss that isn't finite at the highest before it.
        """
        finite = [[loss for loss in ramp if math.isfinite(loss)] for ramp in self.losses]
        lengths = sorted((len(ramp) for ramp in finite), reverse=True)
        reached = lengths[(len(lengths) - 1) // 2] if lengths else 0
        held = [(ramp + [ramp[-1]] * reached)[:reached] for ramp in finite if ramp]
        mean = np.mean(np.asarray(held, np.float64).reshape(len(held), reached), axis=0) if held else np.zeros(0)
        return np.asarray(self.learning_rates[: len(mean)], np.float64), mean


def zero_phase(learning_rates: np.ndarray, losses: np.ndarray, bandwidth: float = BANDWIDTH) -> np.ndarray:
    """A local straight line in log rate, weighted by a Gaussian: smooth without moving the curve to either side.

    Args:
        learning_rates: Rising, above 0.
        losses: As many.
        bandwidth: Standard deviation of the weights, in decades.
    """
    where = np.log10(learning_rates)
    distance = where[None, :] - where[:, None]
    weight = np.exp(-0.5 * (distance / bandwidth) ** 2)
    s0, s1, s2 = weight.sum(1), (weight * distance).sum(1), (weight * distance**2).sum(1)
    t0, t1 = weight @ losses, (weight * distance) @ losses
    determinant = s0 * s2 - s1**2
    line = np.where(determinant > 1e-12, (s2 * t0 - s1 * t1) / np.where(determinant > 1e-12, determinant, 1.0), t0 / s0)
    return np.asarray(line)
