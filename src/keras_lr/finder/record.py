"""The result of `find` as plain data: numbers and texts, without Keras and without drawing."""

from __future__ import annotations

import dataclasses
import os
from typing import Self

from keras_lr.core import records
from keras_lr.finder.deciding.critical import CriticalRate, warmup_steps
from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.lengths import RateByLength
from keras_lr.finder.deciding.ramps import Landmarks
from keras_lr.finder.deciding.sprints import SprintCurves
from keras_lr.finder.measuring.cost import FindCost
from keras_lr.finder.verifying.search import Verification


@dataclasses.dataclass(frozen=True)
class FindRecord:
    """A learning rate with its interval and reason, and the measurement behind it.

    Attributes:
        learning_rate: The answer, or None; then `reason` says why.
        interval: A 90 % interval of the answer, or None.
        reason: What the measurement showed, in a sentence or two.
        stop_reason: Why the first ramp ended: "diverged", "loss_not_finite", "reached_end" or "data_ended"; "not_started"
            if nothing could be measured.
        learning_rates: The ladder of rates.
        losses: For each ramp the raw loss of every update: of its batch, before the update at that rate.
        smoothed: The mean of the ramps, smooth; the landmarks are read from it.
        landmarks: Where the descent is half and nine tenths complete, lowest, and back at its start; or None.
        mean_share: Mean of the schedule over its peak; 1 for a constant rate.
        schedule: The code of the schedule that the answer is for, or None for a constant rate.
        note: Limits of the data, and changes of the ladder; or None.
        output_losses: For a model with several outputs: the raw losses of each, as in `losses`, by the name that Keras logs.
        critical: The critical rate of the first update, or None if it was not measured.
        verified: The short trainings that chose the answer, or None without `verify`.
        sprint_curves: The losses of the sprints, or None without sprints.
        by_length: The best rate of each length that the sprints read, and the rule for longer trainings; or None.
        steps: The length of the training in updates that the answer is for; None if the file is older than that.
        cost: The updates that `find` spent.
        group: The name of the optimizers whose rate was tested, or None for all.
    """

    learning_rate: float | None
    interval: tuple[float, float] | None
    reason: str
    stop_reason: str
    learning_rates: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]
    smoothed: tuple[float, ...]
    landmarks: Landmarks | None = None
    mean_share: float = 1.0
    schedule: str | None = None
    note: str | None = None
    output_losses: dict[str, tuple[tuple[float, ...], ...]] = dataclasses.field(default_factory=dict)
    critical: CriticalRate | None = None
    verified: Verification | None = None
    sprint_curves: SprintCurves | None = dataclasses.field(default=None, metadata=records.LATER)
    by_length: RateByLength | None = dataclasses.field(default=None, metadata=records.LATER)
    steps: int | None = dataclasses.field(default=None, metadata=records.LATER)
    cost: FindCost | None = dataclasses.field(default=None, metadata=records.LATER)
    group: str | None = dataclasses.field(default=None, metadata=records.LATER)

    @property
    def warmup_steps(self) -> int | None:
        """The shortest warm-up whose first update stays below the critical rate; None if that was not measured.

        ceil(answer / critical) - 1 updates keep the first update stable; a longer warm-up may train better.
        """
        return warmup_steps(self.learning_rate, self.critical)

    @property
    def curve(self) -> Curve:
        """The raw losses against the rates."""
        return Curve(self.learning_rates, self.losses)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the record to `path` as JSON."""
        records.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Reads a record that `save` wrote."""
        return records.load(cls, path)
