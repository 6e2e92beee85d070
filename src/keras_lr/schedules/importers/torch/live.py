"""Reads the arguments of a live scheduler of PyTorch from its attributes. PyTorch is not imported."""

from __future__ import annotations

from typing import Any

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.importers.torch.by_name import PEER, WHERE
from keras_lr.schedules.importers.transformers import PEER as TRANSFORMERS
from keras_lr.schedules.importers.transformers import arguments_of

_ATTRIBUTES = {
    "StepLR": ("step_size", "gamma"),
    "ConstantLR": ("factor", "total_iters"),
    "LinearLR": ("start_factor", "end_factor", "total_iters"),
    "ExponentialLR": ("gamma",),
    "PolynomialLR": ("total_iters", "power"),
    "CosineAnnealingLR": ("T_max", "eta_min"),
    "CosineAnnealingWarmRestarts": ("T_0", "T_mult", "eta_min"),
}


def schedule_of(scheduler: Any, more: dict[str, Any]) -> Schedule:
    """The schedule of a scheduler from its first step on, with more arguments than it knows itself."""
    known = _of_transformers(scheduler)
    if known is not None:
        return TRANSFORMERS.make(known[0], {**known[1], **more})
    name, found = read(scheduler)
    return PEER.make(name, {**found, **more})


def read(scheduler: Any) -> tuple[str, dict[str, Any]]:
    """The name and the arguments that make a scheduler as it was at its first step.

    Raises:
        ArgumentError: It is no scheduler of PyTorch, or its parameter groups have different rates.
    """
    kind = type(scheduler)
    name = kind.__name__
    if kind.__module__ != "torch.optim.lr_scheduler":
        rule = "this is neither a name nor a scheduler of torch.optim.lr_scheduler"
        raise ArgumentError(WHERE, rule, f"Use one of {', '.join(sorted(PEER.makers))}", scheduler=scheduler)
    if name in _ATTRIBUTES:
        return name, {"lr": _rate(scheduler), **{field: getattr(scheduler, field) for field in _ATTRIBUTES[name]}}
    special = _SPECIAL.get(name)
    return special(scheduler) if special is not None else (name, {})


def _rate(scheduler: Any) -> float:
    """The rate that all parameter groups start from."""
    return _one(scheduler, "base_lrs")


def _one(scheduler: Any, attribute: str) -> Any:
    """What a list with one entry for each parameter group holds, where they are equal."""
    values = list(getattr(scheduler, attribute))
    if any(value != values[0] for value in values):
        rule = f"its parameter groups have different {attribute}"
        raise ArgumentError(WHERE, rule, "Import one scheduler for each of them, by name", **{attribute: values})
    return values[0]


def _multi_step(scheduler: Any) -> tuple[str, dict[str, Any]]:
    milestones = sorted(scheduler.milestones.elements())
    return "MultiStepLR", {"lr": _rate(scheduler), "milestones": milestones, "gamma": scheduler.gamma}


def _function(scheduler: Any) -> tuple[str, dict[str, Any]]:
    return type(scheduler).__name__, {"lr": _rate(scheduler), "lr_lambda": _one(scheduler, "lr_lambdas")}


def _of_transformers(scheduler: Any) -> tuple[str, dict[str, Any]] | None:
    """The name and the arguments of what transformers made, which is a `LambdaLR`; None for anything else."""
    if type(scheduler).__name__ != "LambdaLR":
        return None
    known = arguments_of(scheduler.lr_lambdas[0])
    return known if known is None else (known[0], {"lr": _rate(scheduler), **known[1]})


def _cyclic(scheduler: Any) -> tuple[str, dict[str, Any]]:
    up = round(scheduler.total_size * scheduler.step_ratio)
    found = {
        "base_lr": _rate(scheduler),
        "max_lr": _one(scheduler, "max_lrs"),
        "step_size_up": up,
        "step_size_down": round(scheduler.total_size) - up,
        "mode": scheduler.mode,
        "gamma": scheduler.gamma,
        "scale_fn": getattr(scheduler, "_scale_fn_custom", None),
        "scale_mode": scheduler.scale_mode,
    }
    if scheduler.cycle_momentum:
        found["base_momentum"] = _one(scheduler, "base_momentums")
        found["max_momentum"] = _one(scheduler, "max_momentums")
    return "CyclicLR", found


def _one_cycle(scheduler: Any) -> tuple[str, dict[str, Any]]:
    phases, group = scheduler._schedule_phases, scheduler.optimizer.param_groups[0]
    first = _rate(scheduler)
    found = {
        "max_lr": group["max_lr"],
        "total_steps": scheduler.total_steps,
        "pct_start": (phases[0]["end_step"] + 1) / scheduler.total_steps,
        "anneal_strategy": scheduler._anneal_func_type,
        "div_factor": group["max_lr"] / first,
        "final_div_factor": first / group["min_lr"],
        "three_phase": len(phases) == 3,
    }
    if scheduler.cycle_momentum:
        found |= {name: group[name] for name in ("base_momentum", "max_momentum")}
    return "OneCycleLR", found


def _several(scheduler: Any) -> tuple[str, dict[str, Any]]:
    parts = [read(part) if _of_transformers(part) is None else schedule_of(part, {}) for part in scheduler._schedulers]
    first = scheduler.optimizer.param_groups[0]["initial_lr"]
    found: dict[str, Any] = {"lr": first, "schedulers": parts}
    if type(scheduler).__name__ == "SequentialLR":
        found["milestones"] = list(scheduler._milestones)
    return type(scheduler).__name__, found


_SPECIAL = {
    "MultiStepLR": _multi_step,
    "LambdaLR": _function,
    "MultiplicativeLR": _function,
    "CyclicLR": _cyclic,
    "OneCycleLR": _one_cycle,
    "SequentialLR": _several,
    "ChainedScheduler": _several,
}
