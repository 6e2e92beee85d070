"""Trains sprints with a borrowed model and reads their losses; `deciding` chooses their rates and reads the curves."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from keras_lr.backends.arrays import Chunk
from keras_lr.backends.keras import followers_of, micro_batches
from keras_lr.backends.protocols import Stepper
from keras_lr.engines.borrowed.ramp import CHUNK, Source, climb
from keras_lr.finder.deciding.sprints import (
    SHORT,
    Losses,
    SprintCurves,
    fall_in_errors,
    next_long,
    next_short,
    shows_progress,
    sprint_lengths,
)
from keras_lr.finder.deciding.stopping import not_finite
from keras_lr.finder.measuring.batches import Batches
from keras_lr.finder.measuring.holdout import sprint_holdout

LONG = 4  # long sprints that the budget must suffice for
SHORTS = 4  # the same for short ones
PATIENCE = 3  # without progress, sprints get this many times as long, once
LEAST = 4  # updates of a long sprint
NORMALIZING = {f"{kind}Normalization" for kind in ("Batch", "Layer", "Group", "RMS", "Unit")}


@dataclasses.dataclass(frozen=True)
class SprintPlan:
    """Where and how long to train.

    Args:
        start: The rate of the first sprint.
        lowest: No sprint has a lower rate.
        highest: Nor a higher one.
        budget: Updates for all sprints.
        most: Updates of a sprint at most: the length of the training.
        updates: Updates of a long sprint; None: as the budget allows.
    """

    start: float
    lowest: float
    highest: float
    budget: int
    most: int
    updates: int | None = None


class Sprinter:
    """Trains sprints, all from one start on the same batches, and counts their updates."""

    def __init__(self, stepper: Stepper, source: Batches, seed: int, bar: Any) -> None:
        self._stepper, self._source, self._seed, self._bar = stepper, source, seed, bar
        self._holdout = sprint_holdout(source, seed)
        self.updates = 0

    def curves(self, plan: SprintPlan) -> SprintCurves | None:
        """Returns the losses of short sprints, and of long ones around the best; None if the data ends too early.

        There are none if a loss is not finite without training.
        """
        long = plan.updates or min(plan.most, max(LEAST, round(plan.budget / (LONG + SHORTS * SHORT))))
        short = max(1, math.ceil(SHORT * long))
        first = self.updates
        curves = self._longer(self._nothing(), (short,))
        if curves is None or not np.isfinite(curves.idle_losses).all():
            return curves
        while (rate := next_short(curves, plan.start, plan.lowest, plan.highest)) is not None:
            curves = self._with_sprint(curves, rate)
            if curves is None:
                return None
        left = plan.budget - (self.updates - first)
        if plan.updates is None:
            long = min(plan.most, max(short, left // LONG))
        curves = self._longer(curves, sprint_lengths(long, short))
        while curves is not None and (rate := next_long(curves, plan.lowest, plan.highest)) is not None:
            if plan.updates is None and self.updates - first + long > plan.budget:
                break
            curves = self._with_sprint(curves, rate)
        return curves

    def patient_curves(self, plan: SprintPlan) -> tuple[SprintCurves | None, bool]:
        """Returns the curves, and whether nothing progressed so that sprints got longer than planned."""
        curves = self.curves(plan)
        if curves is None or not curves.learning_rates or shows_progress(curves) or curves.lengths[-1] >= plan.most:
            return curves, False
        updates = None if plan.updates is None else min(plan.most, PATIENCE * plan.updates)
        longer = self.curves(dataclasses.replace(plan, budget=PATIENCE * plan.budget, updates=updates))
        return (curves, False) if longer is None else (dataclasses.replace(longer, late=True), True)

    def _reader(self) -> Source:
        return self._source.reader(self._seed) if self._holdout is None else self._holdout.reader()

    def _nothing(self) -> SprintCurves:
        """Returns the curves of no sprint."""
        optimizer = type(followers_of(self._stepper.model, self._stepper.plan)[0]).__name__
        on_holdout, normalized = self._holdout is not None, _normalizes(self._stepper.model)
        return SprintCurves((), (), (), (), (), on_holdout, optimizer, normalized)

    def _longer(self, curves: SprintCurves, lengths: tuple[int, ...]) -> SprintCurves | None:
        """Returns the curves with these lengths and the losses without training there; None if the data ends too early."""
        idle = self._idle(lengths)
        return dataclasses.replace(curves, lengths=lengths, idle_losses=idle) if idle else None

    def _with_sprint(self, curves: SprintCurves, rate: float) -> SprintCurves | None:
        """Returns the curves with one more sprint; None if the data ends too early."""
        losses, fall = self._train(rate, curves.lengths)
        return curves.with_sprint(rate, losses, fall) if losses else None

    def _idle(self, lengths: tuple[int, ...]) -> Losses:
        """Returns the losses that `_train` would return if no update changed anything."""
        self._stepper.reset()
        if self._holdout is not None:
            return (self._holdout_losses(self._holdout.chunk),) * len(lengths)
        reader, several = self._reader(), micro_batches(self._stepper.model)
        losses: list[float] = []
        while (missing := lengths[-1] * several - len(losses)) > 0:
            chunk = reader.take(min(missing, CHUNK))
            if chunk is None:
                return ()
            losses += self._stepper.losses(chunk).tolist()
        parts = np.split(np.reshape(losses, (-1, several)).mean(axis=1), lengths[:-1])
        return tuple(tuple(part.tolist()) for part in parts)

    def _train(self, rate: float, lengths: tuple[int, ...]) -> tuple[Losses, float]:
        """Returns the losses of a sprint at each length, none if the data ends too early, and the fall in training."""
        self._stepper.reset()
        reader = self._reader()
        updates: list[float] = []
        losses: list[tuple[float, ...]] = []
        for length in lengths:
            rates = (rate,) * (length - len(updates))
            ramp = climb(self._stepper, reader, rates, not_finite, self._bar)
            self.updates += ramp.updates
            updates += ramp.losses
            if len(updates) < length or not all(map(math.isfinite, ramp.losses)):
                return () if ramp.stop_reason == "data_ended" else (*losses, *((),) * (len(lengths) - len(losses))), 0.0
            losses.append(ramp.losses if self._holdout is None else self._holdout_losses(self._holdout.chunk))
        return tuple(losses), fall_in_errors(updates)

    def _holdout_losses(self, chunk: Chunk) -> tuple[float, ...]:
        return tuple(np.asarray(self._stepper.losses(chunk), np.float64).tolist())


def _normalizes(model: Any) -> bool:
    """Returns whether a layer of the model normalizes what it gets, which makes the scale of the weights before it irrelevant."""
    return any(type(layer).__name__ in NORMALIZING for layer in model._flatten_layers(include_self=False))
