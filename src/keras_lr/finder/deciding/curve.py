"""The raw losses against the rates, and their smoothing. Imports no Keras."""

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
        losses: For each ramp the raw loss of every rung that it reached. It is the loss of the batch before its update, so
            rung i shows the effect of the updates at rungs 0 to i - 1.
    """

    learning_rates: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]

    @property
    def lead_in(self) -> int:
        """Rungs at the low end whose loss counts as the start: a tenth, at least three."""
        return max(3, len(self.learning_rates) // 10)

    def ramp(self, index: int) -> Curve:
        """Returns a single ramp."""
        return Curve(self.learning_rates, (self.losses[index],))

    def pooled(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the rates and the mean loss over ramps, up to the rung that half of the ramps reach.

        Losses that are not finite are left out; a shorter ramp continues with its last finite loss.
        """
        finite = [[loss for loss in ramp if math.isfinite(loss)] for ramp in self.losses]
        lengths = sorted((len(ramp) for ramp in finite), reverse=True)
        reached = lengths[(len(lengths) - 1) // 2] if lengths else 0
        ramps = [(ramp + [ramp[-1]] * reached)[:reached] for ramp in finite if ramp]
        mean = np.mean(np.asarray(ramps, np.float64).reshape(len(ramps), reached), axis=0) if ramps else np.zeros(0)
        return np.asarray(self.learning_rates[: len(mean)], np.float64), mean


def zero_phase(learning_rates: np.ndarray, losses: np.ndarray, bandwidth: float = BANDWIDTH) -> np.ndarray:
    """Smooths by a local straight line in log rate with Gaussian weights, which moves the curve to neither side.

    Args:
        learning_rates: Rising, above 0.
        losses: One for each rate.
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
