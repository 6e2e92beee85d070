"""Trains sprints with a borrowed model and reads their losses; `deciding` chooses their rates and reads the curves."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from keras_lr.backends.arrays import Chunk
from keras_lr.backends.keras import followers_of
from keras_lr.backends.protocols import Stepper
from keras_lr.engines.borrowed.ramp import Source, climb
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
class Plan:
    """Where and how long to train.

    Args:
        start: The rate of the first sprint.
        lowest: The lowest rate.
        highest: The highest rate.
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

    def curves(self, plan: Plan) -> SprintCurves | None:
        """Returns the losses of short sprints, and of long ones around the best; None if the data ends too early."""
        long = plan.updates or min(plan.most, max(LEAST, round(plan.budget / (LONG + SHORTS * SHORT))))
        short = max(1, math.ceil(SHORT * long))
        first = self.updates
        curves = self._idle(short)
        if curves is None:
            return None
        while (rate := next_short(curves, plan.start, plan.lowest, plan.highest)) is not None:
            curves = curves.with_sprint(rate, *self._train(rate, curves.lengths))
        left = plan.budget - (self.updates - first)
        if plan.updates is None:
            long = min(plan.most, max(short, left // LONG))
        curves = self._longer(curves, sprint_lengths(long, short))
        if curves is None:
            return None
        while (rate := next_long(curves, plan.lowest, plan.highest)) is not None:
            if plan.updates is None and self.updates - first + long > plan.budget:
                break
            curves = curves.with_sprint(rate, *self._train(rate, curves.lengths))
        return curves

    def patient_curves(self, plan: Plan) -> tuple[SprintCurves | None, bool]:
        """Returns the curves, and whether nothing progressed so that sprints got longer than planned."""
        curves = self.curves(plan)
        if curves is None or shows_progress(curves):
            return curves, False
        updates = min(plan.most, PATIENCE * curves.lengths[-1])
        if updates <= curves.lengths[-1]:
            return curves, False
        longer = self.curves(dataclasses.replace(plan, budget=PATIENCE * plan.budget, updates=updates))
        return (curves, False) if longer is None else (longer, True)

    def _reader(self) -> Source:
        return self._source.reader(self._seed) if self._holdout is None else self._holdout.reader()

    def _idle(self, short: int) -> SprintCurves | None:
        """Returns the curves without a sprint, or None if the data ends too early."""
        name = type(followers_of(self._stepper.model, self._stepper.plan)[0]).__name__
        curves = SprintCurves(
            (),
            (),
            (),
            (),
            on_holdout=self._holdout is not None,
            optimizer=name,
            normalized=_normalizes(self._stepper.model),
        )
        return self._longer(curves, (short,))

    def _longer(self, curves: SprintCurves, lengths: tuple[int, ...]) -> SprintCurves | None:
        """Returns the curves with the losses at rate 0 for more lengths."""
        idle, _ = self._train(0.0, lengths)
        if not idle or not all(map(len, idle)):
            return None
        return dataclasses.replace(curves, lengths=lengths, idle_losses=idle)

    def _train(self, rate: float, lengths: tuple[int, ...]) -> tuple[Losses, float]:
        """Returns the losses of a sprint at each length, and the fall in training; at rate 0 a holdout needs no training."""
        self._stepper.reset()
        if rate == 0.0 and self._holdout is not None:
            return (self._holdout_losses(self._holdout.chunk),) * len(lengths), 0.0
        reader = self._reader()
        updates: list[float] = []
        losses: list[tuple[float, ...]] = []
        for length in lengths:
            rates = (rate,) * (length - len(updates))
            ramp = climb(self._stepper, reader, rates, not_finite, self._bar)
            self.updates += len(ramp.losses)
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
