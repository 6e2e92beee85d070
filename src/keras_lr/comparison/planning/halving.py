"""Successive halving: all cases for a share of the epochs, the better ones for more, the best for all.

Every rung is a complete comparison, trained from scratch, and its schedules shrink with it: a run under a falling rate says
little about its end halfway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from keras_lr.backends import keras as machinery
from keras_lr.callbacks.live_rate import as_ours, is_schedule
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning import optimizers
from keras_lr.comparison.planning.plan import WHERE, Plan
from keras_lr.comparison.statistics import verdict
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Adopted, Bound, Function, Schedule
from keras_lr.schedules import length as lengths
from keras_lr.schedules.length import Length

HALVING = "halving"
FACTOR = 3  # a rung has a third of the epochs of the next one, which gets a third of its cases
MOST = 2  # shorter rungs: one with less than a ninth of the epochs says little
SHARES = "Give lengths in shares of the run, such as '10%', or leave prune out"


def rungs_of(plan: Plan) -> tuple[int, ...]:
    """Returns the epochs of the shorter rungs, in ascending order; none without halving.

    Example:
        >>> plan = Plan(dict, (None,) * 9, (0, 1), 10, None, "loss", "min", {}, prune="halving")
        >>> rungs_of(plan)
        (2, 4)
    """
    if plan.prune != HALVING:
        return ()
    count = MOST if len(plan.cases) > FACTOR else 1
    epochs = {math.ceil(plan.epochs / FACTOR**place) for place in range(1, count + 1)}
    return tuple(sorted(epochs - {plan.epochs}))


def check(plan: Plan) -> None:
    """Refuses a plan that can't be halved.

    Raises:
        ArgumentError: There are too few cases, seeds or epochs, `find` selects the rates, or a schedule has a fixed length.
    """
    if plan.prune != HALVING:
        return
    if plan.auto:
        rule = "prune='halving' needs the rates in advance"
        raise ArgumentError(WHERE, rule, "Pass a list of rates, or leave prune out", learning_rates="auto")
    if len(plan.cases) < 2:
        rule = "there is one case, so none can be dropped"
        raise ArgumentError(WHERE, rule, "Pass several rates, or leave prune out", prune=HALVING)
    if len(plan.seeds) < 2:
        rule = "with one seed all cases are indistinguishable, so none can be dropped"
        raise ArgumentError(WHERE, rule, "Pass seeds=3, or leave prune out", prune=HALVING)
    if plan.epochs < FACTOR:
        rule = f"prune='halving' needs {FACTOR} epochs or more, for a first rung of a third of them"
        raise ArgumentError(WHERE, rule, "Pass more, or leave prune out", epochs=plan.epochs)
    for case in plan.cases:
        check_shortens(case.rate if is_schedule(case.rate) else None)
        if case.rate is None and case.optimizer is not None:
            check_rates(case.optimizer)


def check_rates(optimizer: Any) -> None:
    """Refuses an optimizer whose schedule can't be shortened."""
    for part in optimizers.parts_of(optimizer):
        rate = machinery.rate_of(part)
        check_shortens(rate if is_schedule(rate) else None)


def check_shortens(schedule: Any) -> None:
    """Refuses a schedule with a length that does not shrink with the run."""
    if schedule is None:
        return
    fixed = fixed_length(as_ours(schedule))
    if fixed is not None:
        shown = optimizers.schedule_code(schedule)
        rule = f"prune='halving' can't shorten {shown}, as {fixed} is not a share of the run"
        raise ArgumentError(WHERE, rule, SHARES, prune=HALVING)


def fixed_length(schedule: Schedule) -> str | None:
    """Returns a length that does not shrink with the run, as text; None if all lengths are shares.

    Example:
        >>> from keras_lr import Cosine, Constant
        >>> fixed_length((Constant(1.0, "55%") >> Cosine(1.0, 0.0, "40%")).warmup("5%")), fixed_length(Cosine(1.0, 0.0, "3ep"))
        (None, "'3ep'")
    """
    if isinstance(schedule, Adopted):
        return "the length of a schedule of Keras"
    if isinstance(schedule, (Bound, Function)):
        return f"that of {type(schedule).__name__}"
    inner = (fixed_length(child) for child in schedule.children())
    own = (repr(length) for length in schedule.own_lengths() if not _is_share(length))
    return next((fixed for fixed in (*inner, *own) if fixed is not None), None)


def promote(plan: Plan, cases: Sequence[int], measurements: Mapping[RunKey, RunMeasurement]) -> list[int]:
    """Returns the cases for the next rung: the better third, and all that are indistinguishable from the best.

    `plan` is that of this rung, `cases` are the numbers of its cases, and `measurements` has all runs so far.
    """
    decision = verdict.decide([plan.scores(case, measurements) for case in cases], plan.mode)
    if decision.best is None:
        return list(cases)
    better = {decision.best, *decision.indistinguishable, *decision.order[: math.ceil(len(cases) / FACTOR)]}
    return [cases[index] for index in sorted(better)]


def _is_share(length: Any) -> bool:
    """Returns whether a length is a share of the run, or none at all."""
    if isinstance(length, (str, Length)):
        sizes = lengths.of(length)
        return not (sizes.steps or sizes.epochs or sizes.examples)
    return length == 0
