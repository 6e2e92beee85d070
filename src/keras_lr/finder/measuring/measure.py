"""Measuring: ramps up one ladder with a borrowed model. What they mean is decided elsewhere."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_lr.engines.borrowed.borrow import borrow
from keras_lr.engines.borrowed.line_search import search_lines
from keras_lr.engines.borrowed.ramp import RampResult, climb, restart
from keras_lr.finder.deciding.consensus import beginning
from keras_lr.finder.deciding.critical import BATCHES, CriticalRate, next_rate
from keras_lr.finder.deciding.critical import critical as critical_of
from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.sprints import Sprints, next_sprint
from keras_lr.finder.deciding.stopping import Divergence, not_finite
from keras_lr.finder.measuring import ladder
from keras_lr.finder.measuring.batches import Batches
from keras_lr.finder.measuring.prechecks import obstacle
from keras_lr.finder.measuring.unseen import unseen
from keras_lr.report.progress import progress

ONCE = "The data could not be read again for sprints: the answer is read from the ramps alone."
USUAL = 6  # sprints, that at rate 0 included


@dataclasses.dataclass(frozen=True)
class Measured:
    """What the ramps of one `find` measured.

    Attributes:
        curve: The ladder, as far as it was used, and the losses of each ramp.
        stop_reason: Why the first ramp ended.
        output_losses: For each output of a model with several the losses of each ramp.
        notes: Sentences on the data and on the ladder.
        obstacle: Why nothing was measured at all, or None.
        critical: The critical rate of the first update, where it was asked for.
        sprints: Short trainings at single rates, where they were asked for and the data can be read again.
    """

    curve: Curve
    stop_reason: str
    output_losses: dict[str, tuple[tuple[float, ...], ...]]
    notes: tuple[str, ...]
    obstacle: str | None = None
    critical: CriticalRate | None = None
    sprints: Sprints | None = None


def measure(
    model: Any,
    source: Batches,
    rates: tuple[float, ...],
    ramp: str,
    repeats: int,
    sprint_steps: int,
    seed: int,
    critical: bool,
    verbose: str | int,
) -> Measured:
    """Ramps, each from the same start in an order of its own, and sprints; the model is left as it was.

    Args:
        model: A compiled model.
        source: Its data.
        rates: The ladder. It goes on above its end where the loss has not turned there, and is lowered where every ramp
            diverged at once.
        ramp: "exponential", "linear" or "restart".
        repeats: How many ramps.
        sprint_steps: Updates of a sprint; 0: no sprints.
        seed: Of the first order; the next ramps take the next seeds.
        critical: Whether to measure the critical rate too, on batches of one more order.
        verbose: As `find` has it.
    """
    with (
        progress("Finding the learning rate", repeats * len(rates) + USUAL * sprint_steps, verbose) as bar,
        borrow(model, source.first) as stepper,
    ):
        reason = obstacle(model, source)
        if reason is not None:
            return Measured(Curve(rates, ()), "not_started", {}, _notes(source), reason)
        planned = rates
        for lowering in range(ladder.LOWERINGS + 1):
            ramps = _ramps(stepper, source, rates, ramp, repeats, seed, bar)
            at_once = _rule(rates).at_once([(one.losses, one.stop_reason) for one in ramps])
            lower = ladder.below(rates, ramp)
            if not at_once or not lower or lowering == ladder.LOWERINGS:
                break
            rates = lower + rates
        used = _used(rates, ramp, ramps)
        sprints = _sprints(stepper, source, Curve(used, _losses(ramps)), ramp, sprint_steps, seed, bar)
        edge = _critical(stepper, source, seed + repeats, ramps[0], rates) if critical else None
    found = _measured(source, planned, used, ramps)
    if sprint_steps and sprints is None and beginning(found.curve) is not None:
        found = dataclasses.replace(found, notes=(*found.notes, ONCE))
    return dataclasses.replace(found, critical=edge, sprints=sprints)


def _critical(stepper: Any, source: Batches, seed: int, ramp: RampResult, rates: tuple[float, ...]) -> CriticalRate:
    """The critical rate, looked for from where a ramp ended."""
    start = rates[min(max(len(ramp.losses), 1), len(rates)) - 1]
    chunk = source.reader(seed).take(BATCHES)
    batches = () if chunk is None else chunk.batches()
    return critical_of(search_lines(stepper, batches, lambda search, last: next_rate(search, last or start)))


def _ramps(
    stepper: Any, source: Batches, rates: tuple[float, ...], ramp: str, repeats: int, seed: int, bar: Any
) -> list[RampResult]:
    """One ramp for each repeat that the data is enough for."""
    train = restart if ramp == "restart" else climb
    more = ladder.above(rates, ramp)
    stop = _rule(rates, planned=len(rates) if more else None).first
    ramps: list[RampResult] = []
    for repeat in range(repeats):
        stepper.reset()
        made = train(stepper, source.reader(seed + repeat), rates + more, stop, bar)
        bar.reach((repeat + 1) * len(rates))
        if made.losses or not ramps:
            ramps.append(made)
    return ramps


def _sprints(stepper: Any, source: Batches, curve: Curve, ramp: str, steps: int, seed: int, bar: Any) -> Sprints | None:
    """Sprints on the batches of the first ramp, all from one start with one chance, until enough is known."""
    start = beginning(curve) if steps else None
    if start is None:
        return None
    highest = (curve.learning_rates + ladder.above(curve.learning_rates, ramp))[-1]

    apart = unseen(source, seed)

    def sprint(rate: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        stepper.reset()
        reader = source.reader(seed) if apart is None else apart.reader()
        made = climb(stepper, reader, (rate,) * steps, not_finite, bar)
        if apart is None or len(made.losses) < steps:
            return made.losses, ()
        after = stepper.updates(apart.chunk, np.zeros(len(apart.chunk)))["loss"]
        return made.losses, tuple(after.tolist())

    idle, idle_unseen = sprint(0.0)
    if len(idle) < steps:
        return None
    optimizer = stepper.model.optimizer
    name = type(getattr(optimizer, "inner_optimizer", optimizer)).__name__
    made = Sprints((), (), idle, (), idle_unseen, name)
    while (rate := next_sprint(made, start, curve.learning_rates[0], highest)) is not None:
        made = made.joined(rate, *sprint(rate))
    return made


def _losses(ramps: list[RampResult]) -> tuple[tuple[float, ...], ...]:
    return tuple(one.losses for one in ramps)


def _used(rates: tuple[float, ...], ramp: str, ramps: list[RampResult]) -> tuple[float, ...]:
    """The ladder as far as it was used, all that was planned at least."""
    reached = max(len(rates), *(len(losses) for losses in _losses(ramps)))
    return (rates + ladder.above(rates, ramp))[:reached]


def _rule(rates: tuple[float, ...], planned: int | None = None) -> Divergence:
    return Divergence(Curve(rates, ()).lead_in, planned)


def _measured(
    source: Batches, planned: tuple[float, ...], used: tuple[float, ...], ramps: list[RampResult]
) -> Measured:
    notes = list(_notes(source))
    if used[0] < planned[0]:
        notes.append(
            f"Every ramp diverged at once at min_lr, {planned[0]:.2g}: the ladder was lowered to {used[0]:.2g}."
        )
    if used[-1] > planned[-1]:
        notes.append(f"The loss had not turned at max_lr, {planned[-1]:.2g}: the ramps went on to {used[-1]:.2g}.")
    ended = [len(one.losses) for one in ramps if one.stop_reason == "data_ended"]
    if ended:
        notes.append(
            f"The data ended after {min(ended)} of {len(planned)} updates and could not be read again. "
            "Pass a function that makes it, or data that can be read from its beginning."
        )
    names = ramps[0].output_losses
    return Measured(
        curve=Curve(used, _losses(ramps)),
        stop_reason=ramps[0].stop_reason,
        output_losses={name: tuple(one.output_losses[name] for one in ramps) for name in names},
        notes=tuple(notes),
    )


def _notes(source: Batches) -> tuple[str, ...]:
    return () if source.note is None else (source.note,)
