"""Reads the arguments of a live scheduler of PyTorch from its attributes, without importing PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Schedule
from keras_lr.schedules.importers.registry import Peer
from keras_lr.schedules.importers.torch.chains import PEER, WHERE
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


def schedule_of(scheduler: Any, more: Mapping[str, Any]) -> Schedule:
    """Returns the schedule of a live scheduler from its first step on.

    Args:
        scheduler: A scheduler of PyTorch, or of transformers, which builds a `LambdaLR`.
        more: Arguments that the scheduler doesn't hold, such as `total_steps`.

    Raises:
        ArgumentError: It isn't a scheduler of PyTorch, or its parameter groups have different rates.
    """
    peer, name, arguments = _read(scheduler)
    return peer.build(name, {**arguments, **more})


def _read(scheduler: Any) -> tuple[Peer, str, dict[str, Any]]:
    """The table, the name and the arguments that build a scheduler as it was at its first step."""
    kind = type(scheduler)
    name = kind.__name__
    of_transformers = arguments_of(scheduler.lr_lambdas[0]) if name == "LambdaLR" else None
    if of_transformers is not None:
        return TRANSFORMERS, of_transformers[0], {"lr": _rate(scheduler), **of_transformers[1]}
    if kind.__module__ != "torch.optim.lr_scheduler":
        rule = "this is neither a name nor a scheduler of torch.optim.lr_scheduler"
        raise ArgumentError(WHERE, rule, f"Use one of {', '.join(sorted(PEER.builders))}", scheduler=scheduler)
    if name in _ATTRIBUTES:
        attributes = {attribute: getattr(scheduler, attribute) for attribute in _ATTRIBUTES[name]}
        return PEER, name, {"lr": _rate(scheduler), **attributes}
    return PEER, name, _READERS[name](scheduler) if name in _READERS else {}


def _rate(scheduler: Any) -> float:
    """The rate that all parameter groups start from."""
    return _common(scheduler, "base_lrs")


def _common(scheduler: Any, attribute: str) -> Any:
    """The value that a list with one entry for each parameter group repeats."""
    values = list(getattr(scheduler, attribute))
    if any(value != values[0] for value in values):
        rule = f"its parameter groups have different {attribute}"
        raise ArgumentError(WHERE, rule, "Import one scheduler for each of them, by name", **{attribute: values})
    return values[0]


def _multi_step(scheduler: Any) -> dict[str, Any]:
    milestones = sorted(scheduler.milestones.elements())
    return {"lr": _rate(scheduler), "milestones": milestones, "gamma": scheduler.gamma}


def _function(scheduler: Any) -> dict[str, Any]:
    return {"lr": _rate(scheduler), "lr_lambda": _common(scheduler, "lr_lambdas")}


def _cyclic(scheduler: Any) -> dict[str, Any]:
    up = round(scheduler.total_size * scheduler.step_ratio)
    arguments = {
        "base_lr": _rate(scheduler),
        "max_lr": _common(scheduler, "max_lrs"),
        "step_size_up": up,
        "step_size_down": round(scheduler.total_size) - up,
        "mode": scheduler.mode,
        "gamma": scheduler.gamma,
        "scale_fn": getattr(scheduler, "_scale_fn_custom", None),
        "scale_mode": scheduler.scale_mode,
    }
    if scheduler.cycle_momentum:
        arguments["base_momentum"] = _common(scheduler, "base_momentums")
        arguments["max_momentum"] = _common(scheduler, "max_momentums")
    return arguments


def _one_cycle(scheduler: Any) -> dict[str, Any]:
    phases, group = scheduler._schedule_phases, scheduler.optimizer.param_groups[0]
    first = _rate(scheduler)
    arguments = {
        "max_lr": group["max_lr"],
        "total_steps": scheduler.total_steps,
        "pct_start": (phases[0]["end_step"] + 1) / scheduler.total_steps,
        "anneal_strategy": scheduler._anneal_func_type,
        "div_factor": group["max_lr"] / first,
        "final_div_factor": first / group["min_lr"],
        "three_phase": len(phases) == 3,
    }
    if scheduler.cycle_momentum:
        arguments |= {name: group[name] for name in ("base_momentum", "max_momentum")}
    return arguments


def _chained(scheduler: Any) -> dict[str, Any]:
    parts = [_read(part) for part in scheduler._schedulers]
    schedulers = [(name, own) if peer is PEER else peer.build(name, own) for peer, name, own in parts]
    return {"lr": scheduler.optimizer.param_groups[0]["initial_lr"], "schedulers": schedulers}


def _sequential(scheduler: Any) -> dict[str, Any]:
    return {**_chained(scheduler), "milestones": list(scheduler._milestones)}


_READERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "MultiStepLR": _multi_step,
    "LambdaLR": _function,
    "MultiplicativeLR": _function,
    "CyclicLR": _cyclic,
    "OneCycleLR": _one_cycle,
    "SequentialLR": _sequential,
    "ChainedScheduler": _chained,
}
