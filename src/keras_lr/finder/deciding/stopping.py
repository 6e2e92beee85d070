"""When a ramp has gone far enough: pure arithmetic on the losses so far. Imports no Keras."""

from __future__ import annotations

import dataclasses
import math
import statistics
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

    A ramp that goes on beyond the rungs that were planned stops as soon as the loss has turned: when the median is above
    the middle between L0 and the best, and the best is below L0 by more than the noise.

    Args:
        lead_in: Rungs of the lead-in, at least 3.
        planned: Rungs after which a ramp may end because it has turned; None: it never ends so.
    """

    lead_in: int
    planned: int | None = None

    @property
    def quiet(self) -> int:
        """Rungs from which the level and the noise are known."""
        return max(self.lead_in, LEAST)

    def first(self, losses: Sequence[float]) -> tuple[int, str] | None:
        """How many of these losses to keep and why to stop there, or None to go on.

        It is what asking after each loss would have said.
        """
        values = np.asarray(losses, np.float64)
        bad = np.flatnonzero(~np.isfinite(values))
        finite = values[: int(bad[0])] if len(bad) else values
        risen, turned = self._risen(finite)
        ends = [
            (int(places[0]) + 1, why) for places, why in ((risen, "diverged"), (turned, "reached_end")) if len(places)
        ]
        if len(bad):
            ends.append((len(finite) + 1, "loss_not_finite"))
        return min(ends, key=lambda end: end[0], default=None)

    def reason(self, losses: Sequence[float]) -> str | None:
        """Why to stop after these losses, or None to go on."""
        found = self.first(losses)
        return None if found is None or found[0] < len(losses) else found[1]

    def at_once(self, ramps: Sequence[tuple[Sequence[float], str]]) -> bool:
        """Whether all ramps, each its losses and why it stopped, broke off before a descent could be seen.

        A loss that is not finite before the first update has nothing to do with a rate.
        """
        early = [
            reason in ("diverged", "loss_not_finite") and 1 < len(losses) < 2 * self.quiet for losses, reason in ramps
        ]
        return bool(early) and all(early)

    def _risen(self, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The places at which the loss has risen far, and those beyond the plan at which it has turned."""
        nowhere = np.zeros(0, int)
        if len(losses) < self.quiet + RECENT:
            return nowhere, nowhere
        lead_in = losses[: self.quiet]
        level, noise = level_and_noise(lead_in)
        noise = max(noise, level_and_noise(np.diff(lead_in))[1] / math.sqrt(2.0))
        first, second, third = losses[:-2], losses[1:-1], losses[2:]
        recent = np.maximum(np.minimum(first, second), np.minimum(np.maximum(first, second), third))  # the median
        best = np.minimum(level, np.minimum.accumulate(recent))
        place = np.arange(RECENT - 1, len(losses))
        risen = place[(recent > level + np.maximum(level - best, 6.0 * noise)) & (place >= self.quiet + RECENT - 1)]
        if self.planned is None:
            return risen, nowhere
        has_turned = (recent > (level + best) / 2.0) & (level - best > 6.0 * noise)
        return risen, place[has_turned & (place >= self.planned - 1)]


def not_finite(losses: Sequence[float]) -> tuple[int, str] | None:
    """Stops at the first loss that isn't finite alone; as `Divergence.first` has it."""
    bad = np.flatnonzero(~np.isfinite(np.asarray(losses, np.float64)))
    return (int(bad[0]) + 1, "loss_not_finite") if len(bad) else None


def level_and_noise(lead_in: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The mean of the lead-in, and its scatter as a robust standard deviation."""
    values = np.asarray(lead_in, np.float64)
    middle = statistics.median(values.tolist())  # of so few numbers NumPy's takes five times as long
    return float(values.mean()), 1.4826 * statistics.median(np.abs(values - middle).tolist())
