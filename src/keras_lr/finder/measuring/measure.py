"""Measures ramps and sprints with a borrowed model; `deciding` reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from keras_lr.backends.protocols import Stepper
from keras_lr.backends.rate_plan import RatePlan
from keras_lr.engines.borrowed.borrow import borrow
from keras_lr.engines.borrowed.line_search import search_lines
from keras_lr.engines.borrowed.ramp import RampResult, climb, restart
from keras_lr.finder.deciding.critical import BATCHES, CriticalRate, next_rate
from keras_lr.finder.deciding.critical import critical as critical_of
from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.ramps import sprint_start
from keras_lr.finder.deciding.sprints import SprintCurves
from keras_lr.finder.deciding.stopping import Divergence
from keras_lr.finder.measuring import ladder
from keras_lr.finder.measuring.batches import Batches
from keras_lr.finder.measuring.cost import FindCost
from keras_lr.finder.measuring.prechecks import divides_by_rate, obstacle
from keras_lr.finder.measuring.rates import meaning
from keras_lr.finder.measuring.sprint import Sprinter, SprintPlan
from keras_lr.report.progress import progress

ONCE = "The data could not be read again for sprints, so the answer comes from the ramps only."
RESTARTED = "The optimizer divides by the rate, so each rate of a ramp trained from the start."
FEW = 25  # rates of such a ramp at most, as each costs twelve updates
PLATEAU = "No sprint of the usual length lowered the loss by more than noise, so sprints of {updates} updates followed."


@dataclasses.dataclass(frozen=True)
class Effort:
    """What to measure. The attributes are arguments of `find`.

    Attributes:
        rates: The ladder of the ramps.
        ramp: "exponential", "linear" or "restart".
        repeats: Number of ramps.
        sprint_steps: Updates of a long sprint; 0: no sprints; None: as the budget allows.
        budget: Updates for ramps and sprints.
        steps: The length of the training in updates, which no sprint exceeds.
        seed: Seed of the first ramp and of the sprints.
        critical: Whether to measure the critical rate.
        verbose: Whether to show a bar.
    """

    rates: tuple[float, ...]
    ramp: str
    repeats: int
    sprint_steps: int | None
    budget: int
    steps: int
    seed: int
    critical: bool
    verbose: str | int


@dataclasses.dataclass(frozen=True)
class Measurement:
    """The curves of one `find`.

    Attributes:
        curve: The losses of each ramp, with the rungs that were used.
        stop_reason: Why the first ramp ended.
        output_losses: For a model with several outputs: for each of them the losses of each ramp.
        notes: Sentences on the data and on the ladder.
        obstacle: Why the model can't be trained, or None.
        critical: The critical rate of the first update, or None if not requested.
        sprints: The sprints; None if not requested, or if the data can be read only once.
        cost: The updates that were spent.
        meaning: Which rate the answer is, for a model with several.
    """

    curve: Curve
    stop_reason: str
    output_losses: dict[str, tuple[tuple[float, ...], ...]]
    notes: tuple[str, ...]
    obstacle: str | None = None
    critical: CriticalRate | None = None
    sprints: SprintCurves | None = None
    cost: FindCost | None = None
    meaning: str = ""


def measure(where: str, model: Any, source: Batches, plan: Callable[[Any], RatePlan], effort: Effort) -> Measurement:
    """Trains ramps, each from the same start in an order of its own, then sprints, and restores the model.

    The ladder of rates is extended if the loss has not turned at its end, and lowered if every ramp diverges at once. Each
    ramp and the critical rate take the next seed.

    `plan` returns how the rate that is tested sets those of a built model's optimizers.
    """
    bar_of_all = progress(where, effort.budget, effort.verbose, "Finding the learning rate")
    with bar_of_all as bar, borrow(model, source.first, plan) as stepper:
        reason = obstacle(model, source)
        if reason is not None:
            return Measurement(Curve(effort.rates, ()), "not_started", {}, _notes(source), reason)
        notes = _notes(source)
        if divides_by_rate(stepper, source):
            few = effort.rates[:: -(-len(effort.rates) // FEW)]
            effort = dataclasses.replace(effort, ramp="restart", rates=few)
            notes = (*notes, RESTARTED)
        rates, spent = effort.rates, 0
        for lowering in range(ladder.LOWERINGS + 1):
            ramps = _ramps(stepper, source, rates, effort, bar)
            spent += sum(one.updates for one in ramps)
            at_once = _rule(rates).at_once([(one.losses, one.stop_reason) for one in ramps])
            lower = ladder.below(rates, effort.ramp)
            if not at_once or not lower or lowering == ladder.LOWERINGS:
                break
            rates = lower + rates
        rungs = _rungs(rates, effort.ramp, ramps)
        measurement = _measurement(notes, effort.rates, rungs, ramps)
        sprinter = Sprinter(stepper, source, effort.seed, bar)
        sprints, note = _sprints(sprinter, measurement.curve, effort, spent)
        edge = _critical(stepper, source, effort.seed + effort.repeats, ramps[0], rates) if effort.critical else None
        answers = meaning(model, stepper.plan)
    notes = (*measurement.notes, note) if note else measurement.notes
    cost = FindCost(spent, sprinter.updates)
    return dataclasses.replace(measurement, critical=edge, sprints=sprints, notes=notes, cost=cost, meaning=answers)


def _critical(stepper: Stepper, source: Batches, seed: int, ramp: RampResult, rates: tuple[float, ...]) -> CriticalRate:
    """Returns the critical rate; the search starts at the last rate of a ramp."""
    start = rates[min(max(len(ramp.losses), 1), len(rates)) - 1]
    chunk = source.reader(seed).take(BATCHES)
    batches = () if chunk is None else chunk.batches()
    return critical_of(search_lines(stepper, batches, lambda search, last: next_rate(search, last or start)))


def _ramps(stepper: Stepper, source: Batches, rates: tuple[float, ...], effort: Effort, bar: Any) -> list[RampResult]:
    """Returns the ramps; fewer than `repeats` if the data ends."""
    train = restart if effort.ramp == "restart" else climb
    more = ladder.above(rates, effort.ramp)
    stop = _rule(rates, planned=len(rates) if more else None).first
    ramps: list[RampResult] = []
    for repeat in range(effort.repeats):
        stepper.reset()
        one = train(stepper, source.reader(effort.seed + repeat), rates + more, stop, bar)
        bar.reach((repeat + 1) * len(rates))
        if one.losses or not ramps:
            ramps.append(one)
    return ramps


def _sprints(sprinter: Sprinter, curve: Curve, effort: Effort, spent: int) -> tuple[SprintCurves | None, str | None]:
    """Returns the sprints, and a note on what was unusual."""
    start = sprint_start(curve) if effort.sprint_steps != 0 else None
    if start is None:
        return None, None
    plan = SprintPlan(
        start=start,
        lowest=curve.learning_rates[0],
        highest=(curve.learning_rates + ladder.above(curve.learning_rates, effort.ramp))[-1],
        budget=max(effort.budget - spent, effort.budget // 2),
        most=effort.steps,
        updates=effort.sprint_steps,
    )
    curves, longer = sprinter.patient_curves(plan)
    if curves is None:
        return None, ONCE
    return curves, PLATEAU.format(updates=curves.lengths[-1]) if longer else None


def _losses(ramps: list[RampResult]) -> tuple[tuple[float, ...], ...]:
    return tuple(one.losses for one in ramps)


def _rungs(rates: tuple[float, ...], ramp: str, ramps: list[RampResult]) -> tuple[float, ...]:
    """Returns the planned ladder, with the further rungs that a ramp reached."""
    reached = max(len(rates), *(len(losses) for losses in _losses(ramps)))
    return (rates + ladder.above(rates, ramp))[:reached]


def _rule(rates: tuple[float, ...], planned: int | None = None) -> Divergence:
    return Divergence(Curve(rates, ()).lead_in, planned)


def _measurement(
    of_data: tuple[str, ...], planned: tuple[float, ...], rungs: tuple[float, ...], ramps: list[RampResult]
) -> Measurement:
    notes = list(of_data)
    if rungs[0] < planned[0]:
        notes.append(
            f"Every ramp diverged at once at min_lr, {planned[0]:.2g}: the ladder was lowered to {rungs[0]:.2g}."
        )
    if rungs[-1] > planned[-1]:
        notes.append(f"The loss had not turned at max_lr, {planned[-1]:.2g}: the ramps continued to {rungs[-1]:.2g}.")
    lengths = [len(one.losses) for one in ramps if one.stop_reason == "data_ended"]
    if lengths:
        notes.append(
            f"The data ended after {min(lengths)} of {len(planned)} updates and could not be read again. "
            "Pass a function that returns it, or data that can be read from its beginning."
        )
    names = ramps[0].output_losses
    return Measurement(
        curve=Curve(rungs, _losses(ramps)),
        stop_reason=ramps[0].stop_reason,
        output_losses={name: tuple(one.output_losses[name] for one in ramps) for name in names},
        notes=tuple(notes),
    )


def _notes(source: Batches) -> tuple[str, ...]:
    return () if source.note is None else (source.note,)
