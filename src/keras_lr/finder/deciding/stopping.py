"""When a ramp ends: pure arithmetic on the losses so far. Imports no Keras."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence

import numpy as np

RECENT = 3  # losses whose median counts
LEAST = 8  # rungs that the noise is measured from; with three, one flat ramp in six would seem to diverge


@dataclasses.dataclass(frozen=True)
class Divergence:
    """Ends a ramp at the first loss that is not finite, or when the loss has risen far above its start.

    The loss has risen far if the median of the last three losses exceeds L0 + max(L0 - best, 6 * noise). L0 and the noise
    are the level and the scatter of the lead-in: the rungs at the low end, whose rates are too low to matter, at least
    eight. The result does not depend on the scale of the loss, nor on a constant added to it.

    Beyond the planned rungs, a ramp ends as soon as the loss has turned: the median is above the middle between L0 and the
    best, and the best is below L0 by more than 6 * noise.

    Args:
        lead_in: Rungs of the lead-in, at least 3.
        planned: Rungs after which a ramp may end because it has turned; None: never.
    """

    lead_in: int
    planned: int | None = None

    @property
    def quiet(self) -> int:
        """Rungs that the level and the noise are measured from."""
        return max(self.lead_in, LEAST)

    def first(self, losses: Sequence[float]) -> tuple[int, str] | None:
        """Returns how many of these losses to keep and why the ramp ends there, or None to continue.

        The result is the same as that of a check after each loss.
        """
        values = np.asarray(losses, np.float64)
        bad = np.flatnonzero(~np.isfinite(values))
        finite = values[: int(bad[0])] if len(bad) else values
        risings, turns = self._risings(finite)
        ends = [
            (int(rungs[0]) + 1, why) for rungs, why in ((risings, "diverged"), (turns, "reached_end")) if len(rungs)
        ]
        if len(bad):
            ends.append((len(finite) + 1, "loss_not_finite"))
        return min(ends, key=lambda end: end[0], default=None)

    def reason(self, losses: Sequence[float]) -> str | None:
        """Returns why the ramp ends after these losses, or None to continue."""
        end = self.first(losses)
        return None if end is None or end[0] < len(losses) else end[1]

    def at_once(self, ramps: Sequence[tuple[Sequence[float], str]]) -> bool:
        """Returns whether all ramps ended before they could show a descent. Each ramp is its losses and its stop reason.

        A loss that is not finite before the first update does not count, as no rate causes it.
        """
        early = [why in ("diverged", "loss_not_finite") and 1 < len(losses) < 2 * self.quiet for losses, why in ramps]
        return bool(early) and all(early)

    def _risings(self, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the rungs at which the loss has risen far, and those beyond the plan at which it has turned."""
        nowhere = np.zeros(0, int)
        if len(losses) < self.quiet + RECENT:
            return nowhere, nowhere
        lead_in = losses[: self.quiet]
        level, noise = level_and_noise(lead_in)
        noise = max(noise, level_and_noise(np.diff(lead_in))[1] / math.sqrt(2.0))
        first, second, third = losses[:-2], losses[1:-1], losses[2:]
        recent = np.maximum(np.minimum(first, second), np.minimum(np.maximum(first, second), third))  # the median
        best = np.minimum(level, np.minimum.accumulate(recent))
        rung = np.arange(RECENT - 1, len(losses))
        risings = rung[(recent > level + np.maximum(level - best, 6.0 * noise)) & (rung >= self.quiet + RECENT - 1)]
        if self.planned is None:
            return risings, nowhere
        has_turned = (recent > (level + best) / 2.0) & (level - best > 6.0 * noise)
        return risings, rung[has_turned & (rung >= self.planned - 1)]


def not_finite(losses: Sequence[float]) -> tuple[int, str] | None:
    """Ends a ramp only at the first loss that is not finite; returns the same as `Divergence.first`."""
    bad = np.flatnonzero(~np.isfinite(np.asarray(losses, np.float64)))
    return (int(bad[0]) + 1, "loss_not_finite") if len(bad) else None


def level_and_noise(lead_in: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Returns the mean of the lead-in, and its scatter as a robust standard deviation."""
    values = np.asarray(lead_in, np.float64)
    middle = statistics.median(values.tolist())  # NumPy takes five times as long for so few numbers
    return float(values.mean()), 1.4826 * statistics.median(np.abs(values - middle).tolist())
