"""PyTorch's schedulers of schedulers, `SequentialLR` and `ChainedScheduler`, and the table of all its schedulers."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Constant, Schedule
from keras_lr.schedules.importers.extra_schedules import CosineWave, chain, cut, steps_of
from keras_lr.schedules.importers.registry import Peer, Rate
from keras_lr.schedules.importers.torch.by_name import PEER as SINGLE
from keras_lr.schedules.importers.torch.by_name import WHERE

PEER = Peer(WHERE, SINGLE.refused, SINGLE.builders)

OVERWRITING = ("LambdaLR", "CyclicLR", "OneCycleLR", "CosineAnnealingWarmRestarts")
"""They compute the rate anew at each step; the others multiply the rate that the optimizer has."""

SEVERAL = ("SequentialLR", "ChainedScheduler")

Part = tuple[str, dict[str, Any]]


@PEER.entry("SequentialLR")
def _sequential(lr: Rate, schedulers: Any, milestones: Any) -> Schedule:
    ends = [steps_of(WHERE, milestones=milestone) for milestone in milestones]
    if len(schedulers) != len(ends) + 1 or any(late <= early for early, late in itertools.pairwise(ends)):
        rule = f"{len(schedulers)} schedulers need {max(0, len(schedulers) - 1)} milestones that rise"
        raise ArgumentError(WHERE, rule, "Pass one scheduler more than milestones", milestones=list(milestones))
    first = sum(end == 0 for end in ends)
    parts = _with_rates(lr, schedulers, first)
    _check_one_cycles(parts, ends, first)
    begins = [0, *ends]
    pieces = [_piece(part, later=begin > 0) for part, begin in zip(parts, begins, strict=True)]
    lengths = [end - begin for begin, end in itertools.pairwise(begins)]
    cuts = [cut(piece, length) for piece, length in zip(pieces, lengths, strict=False) if length]
    return chain(*cuts, pieces[-1])


@PEER.entry("ChainedScheduler")
def _chained(lr: Rate, schedulers: Any) -> Schedule:
    if not schedulers:
        raise ArgumentError(WHERE, "there must be a scheduler", "Pass one or more", schedulers=schedulers)
    parts = _with_rates(lr, schedulers)
    if len(parts) == 1:
        return _piece(parts[0])
    names = [part[0] for part in parts if not isinstance(part, Schedule)]
    if names and names[-1] in OVERWRITING and not set(names[:-1]) & set(OVERWRITING):
        last = _piece(parts[-1])  # it overwrites the rates of the others; CyclicLR only from step 1 on
        return Constant(lr, 1) >> last.skip(1) if names[-1] == "CyclicLR" else last
    overwriting = next((name for name in names if name in OVERWRITING), None)
    if overwriting is not None:
        rule = f"{overwriting} overwrites the rate of those before it at each step"
        raise ArgumentError(WHERE, rule, "Multiply schedules with * instead", schedulers=schedulers)
    factors = [part if isinstance(part, Schedule) else SINGLE.build(part[0], {**part[1], "lr": 1.0}) for part in parts]
    for place, factor in enumerate(factors):
        if isinstance(factor, CosineWave):
            _check_wave(factor, factors[:place] + factors[place + 1 :], schedulers)
    scale = [] if lr == 1.0 else [Constant(lr)]
    return functools.reduce(lambda left, right: left * right, [*scale, *factors])


def _check_wave(wave: CosineWave, others: list[Schedule], schedulers: Any) -> None:
    """A chain with a cosine is a product only if the cosine ends at 0 and the others have ended at 1 by then."""
    over = all(other.length is not None and other.length <= wave.steps for other in others)
    if others and (
        wave.end > 0.0 or not over or any(float(other.evaluate(int(wave.steps))) != 1.0 for other in others)
    ):
        rule = (
            "PyTorch's CosineAnnealingLR multiplies the others only if eta_min is 0 and they have ended at 1 by T_max"
        )
        raise ArgumentError(WHERE, rule, "Multiply schedules with * instead", schedulers=schedulers)


def _check_one_cycles(parts: list[Part | Schedule], ends: list[int], begins: int) -> None:
    """`OneCycleLR` writes its rates into the optimizer; a second one, and a cosine that rises again, start from these."""
    cycles = sum(isinstance(part, tuple) and part[0] == "OneCycleLR" for part in parts)
    first, length = parts[begins], ends[begins] if begins < len(ends) else None
    cosine = isinstance(first, tuple) and first[0] == "CosineAnnealingLR"
    rises = cosine and (length is None or length > first[1]["T_max"])  # type: ignore[index]
    if cycles > 1 or (cycles and rises):
        rule = "OneCycleLR changes the rates that another scheduler in the list starts from"
        raise ArgumentError(WHERE, rule, "Join schedules with >> instead", schedulers=parts)


def _piece(part: Part | Schedule, later: bool = False) -> Schedule:
    """The schedule of one part. `later`: it follows another part, and PyTorch uses its closed form once."""
    if isinstance(part, Schedule):
        return part
    name, arguments = part
    if later and name == "MultiplicativeLR":
        rule = "MultiplicativeLR continues from the last rate of the scheduler before it"
        raise ArgumentError(WHERE, rule, "Put it first", schedulers=name)
    if later and not arguments.get("total_iters", 1):
        if name == "ConstantLR":
            return Constant(arguments["lr"])
        raise ArgumentError(WHERE, f"PyTorch divides by zero in {name}", "Pass total_iters above 0", total_iters=0)
    return SINGLE.build(name, arguments)


def _with_rates(lr: float, schedulers: Any, begins: int = 0) -> list[Part | Schedule]:
    """The schedulers with the rate that each starts from; two of them change the rate of those constructed later."""
    parts: list[Part | Schedule] = []
    for place, scheduler in enumerate(schedulers):
        if isinstance(scheduler, Schedule):
            parts.append(scheduler)
            continue
        name, arguments = _pair(scheduler)
        if SINGLE.accepts(name, "lr"):
            arguments.setdefault("lr", lr)
        elif name == "OneCycleLR":
            lr = arguments["max_lr"] / arguments.get("div_factor", 25.0)
        elif place == 0:
            lr = arguments.get("base_lr", lr)
        parts.append((name, arguments))
    first = parts[begins]
    if isinstance(first, tuple) and SINGLE.accepts(first[0], "lr") and first[0] not in OVERWRITING:
        first[1]["lr"] = lr  # it multiplies the rate that the optimizer has after the last one is constructed
    return parts


def _pair(scheduler: Any) -> Part:
    if not isinstance(scheduler, (tuple, list)) or len(scheduler) != 2 or not isinstance(scheduler[1], Mapping):
        rule = "schedulers must be pairs (name, arguments), or schedules"
        raise ArgumentError(WHERE, rule, 'Pass pairs such as ("StepLR", {"step_size": 30})', schedulers=scheduler)
    if scheduler[0] in SEVERAL:
        rule = f"{scheduler[0]} can't be nested"
        raise ArgumentError(WHERE, rule, "Join schedules with >> and *", schedulers=scheduler)
    return scheduler[0], dict(scheduler[1])
