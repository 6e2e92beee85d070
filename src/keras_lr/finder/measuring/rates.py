"""Which rates of a model `find` tests: those of all its optimizers at their ratios, or those of one group."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.backends.rate_plan import RatePlan
from keras_lr.callbacks.live_rate import as_ours, is_schedule, number
from keras_lr.core.errors import ArgumentError
from keras_lr.finder.target import NOMINAL


def rate_plan(where: str, model: Any, group: str | None = None) -> RatePlan:
    """Returns how the rate that is tested sets the rates of a model's optimizers.

    Args:
        where: The call, for errors.
        model: A compiled model.
        group: The name of the optimizers that follow the rate; the others keep theirs. None: all follow. The first that
            follows has the rate itself, and the others keep their present ratios to it: between schedules, that of the peaks.

    Raises:
        ArgumentError: No optimizer or the only one has the name of the group, or the rates have no ratio.
    """
    optimizers = machinery.optimizers_of(model)
    if not optimizers:
        rule, repair = (
            "the model's optimizers are unknown before it is built",
            "Build it first: give it an Input, and call ",
        )
        raise ArgumentError(where, rule, f"{repair}model.optimizer.build(model.trainable_variables)", model=model)
    if group is not None:
        _check_group(where, model, [optimizer.name for optimizer in optimizers], group)
    members = [optimizer for optimizer in optimizers if group in (None, optimizer.name)]
    if len(members) == 1:
        return RatePlan(tuple(1.0 if optimizer is members[0] else None for optimizer in optimizers))
    first = _peak(members[0])
    if not first > 0.0 or not all(map(math.isfinite, map(_peak, members))):
        rule = f"the rate of {members[0].name!r} is {first:.3g}, so that the others have no ratio to it"
        raise ArgumentError(where, rule, "Compile with rates above 0, or pass group=", model=model)
    return RatePlan(tuple(_peak(own) / first if group in (None, own.name) else None for own in optimizers))


def meaning(model: Any, plan: RatePlan) -> str:
    """Returns a sentence on which rate the answer is, for a model that has several; else nothing."""
    first, sentences = machinery.followers_of(model, plan)[0], []
    if len(plan.factors) > 1:
        pairs = zip(machinery.optimizers_of(model), plan.factors, strict=True)
        others = [
            f"{own.name!r} keeps its own" if factor is None else f"{own.name!r} has {factor:.3g} times that rate"
            for own, factor in pairs
            if own is not first
        ]
        sentences.append(f"The answer is the rate of {first.name!r}: {', '.join(others)}.")
    if (ratio := getattr(first, "adam_lr_ratio", 1)) != 1:
        sentences.append(f"The variables that {type(first).__name__} trains by AdamW have {ratio:g} times the rate.")
    return " ".join(sentences)


def _check_group(where: str, model: Any, names: list[str], group: str) -> None:
    """Refuses a group that is no optimizer of several."""
    if len(names) > 1 and group not in names:
        known = ", ".join(map(repr, dict.fromkeys(names)))
        raise ArgumentError(where, "no optimizer of the model has this name", f"Pass one of {known}", group=group)
    if len(names) > 1:
        return
    rule, repair = "the model has one learning rate", "Leave group out"
    if any(hasattr(wrapper, "factors") for wrapper in machinery.wrappers_of(model)):
        rule = "the groups of PerLayer share one learning rate, which their factors multiply"
        repair += ": the answer is the rate of a factor of 1, and the factors stay"
    raise ArgumentError(where, rule, repair, group=group)


def _peak(optimizer: Any) -> float:
    """Returns the rate of an optimizer; of a schedule its highest rate, up to its end or in a usual run."""
    rate = machinery.rate_of(optimizer)
    if not is_schedule(rate):
        return number(rate)
    per_epoch, epochs = NOMINAL
    schedule = as_ours(rate).bind(steps_per_epoch=per_epoch, epochs=epochs)
    return float(schedule.evaluate(np.arange(schedule.length or per_epoch * epochs)).max())
