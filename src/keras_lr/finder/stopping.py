"""When a ramp has gone far enough: pure arithmetic on the losses so far. Imports no Keras."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

RECENT = 3
LEAST = 8  # rungs to know the noise from: of three alike by chance, every sixth flat ramp would seem to diverge


@dataclasses.dataclass(frozen=True)
class Divergence:
    """Stops a ramp at the first loss that isn't finite, or when the loss has risen far above where it began.

    Risen far: the median of the last three losses is above L0 + max(L0 - best, 6 * noise), where L0 and the noise are
    the level and the scatter of the lead-in, the rungs at the low end where the rate is too small to matter, or of the
    first eight rungs where it is shorter. Adding a constant to the loss, or scaling it, changes nothing.

    Args:
        lead_in: Rungs of the lead-in, at least 3.
    """

    lead_in: int

    def reason(self, losses: Sequence[float]) -> str | None:
        """Why to stop after these losses, or None to go on."""
        if not np.isfinite(losses[-1]):
            return "loss_not_finite"
        quiet = max(self.lead_in, LEAST)
        if len(losses) < quiet + RECENT:
            return None
        level, noise = level_and_noise(losses[:quiet])
        noise = max(noise, level_and_noise(np.diff(losses[:quiet]))[1] / math.sqrt(2.0))
        medians = np.median(np.lib.stride_tricks.sliding_window_view(np.asarray(losses), RECENT), axis=1)
        best = min(level, float(medians.min()))
        return "diverged" if medians[-1] > level + max(level - best, 6.0 * noise) else None


def level_and_noise(lead_in: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The mean of the lead-in, and its scatter as a robust standard deviation."""
    values = np.asarray(lead_in, np.float64)
    return float(values.mean()), float(1.4826 * np.median(np.abs(values - np.median(values))))
