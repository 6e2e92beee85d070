"""Chooses the fastest way to train runs on this machine, by timing a few updates of each way."""

from __future__ import annotations

from collections.abc import Callable

from keras_lr.backends.program import Program
from keras_lr.engines.programs.population import (
    MemberRun,
    Members,
    ProgramResult,
    compile_all,
    first_state,
    train_alone,
    train_together,
)

ONE_BY_ONE = "The runs are trained by one compiled program, one after the other: {}."
SLOWER = "JAX takes {:.3g} ms an update of a run"
CONVOLUTIONS = "convolutions on a CPU are slower together"
UPDATES = 4  # updates to time, after a first one


def train_fastest(make: Callable[[bool], Program], members: Members, slowest: float | None = None) -> ProgramResult:
    """Trains members in the faster way: together, or one after the other.

    Small dense layers are much faster together; for other layers only a measurement can tell. Convolutions on a CPU are not
    measured: together they are 2 to 20 times slower, and take longest to compile.

    Args:
        make: Creates a program, for members together (True) or for one at a time (False).
        members: What to train.
        slowest: Seconds. If an update takes longer both ways, nothing is trained. None: no limit.
    """
    alone, together = make(False), make(True)
    groups = members.groups(alone.capacity())
    largest = max((group for row in groups for group in row), key=len)
    count = len(largest)
    if count == 1 or alone.slower_together():
        why = "there is one" if len(members) == 1 else "the memory has room for one" if count == 1 else CONVOLUTIONS
        return ProgramResult(train_alone(alone, members), ONE_BY_ONE.format(why))
    compile_all([alone, together], largest, complete=False)
    each, whole = seconds_per_update(alone, largest), seconds_per_update(together, largest)
    if slowest is not None and slowest < min(each, whole / count):
        return ProgramResult(None, SLOWER.format(1000 * min(each, whole / count)))
    why = f"{1000 * whole:.3g} ms an update for {count} together, {count} x {1000 * each:.3g} ms one after the other"
    if whole >= count * each:
        return ProgramResult(train_alone(alone, members), ONE_BY_ONE.format(why))
    parts = "" if count == len(members) else ", as many at a time as the memory has room for"
    reason = f"The runs are trained together by one JAX program{parts}: {why}."
    return ProgramResult(_train_groups(make, {largest.shape: together}, groups), reason)


def seconds_per_update(program: Program, members: Members) -> float:
    """Measures an update of all members, or of the first one if the program trains one at a time."""
    inputs = members.inputs(0, program.updates, None if program.together else (0, 0))
    return program.seconds(first_state(program, members), inputs, UPDATES)


def _train_groups(
    make: Callable[[bool], Program], programs: dict[tuple[int, int], Program], groups: list[list[Members]]
) -> list[list[MemberRun]]:
    """Trains groups one after the other. Groups of one shape share a program."""
    rows = []
    for row in groups:
        parts = []
        for group in row:
            if group.shape not in programs:
                programs[group.shape] = make(True)
            parts.append(train_together(programs[group.shape], group))
        rows += [[member for part in seed for member in part] for seed in zip(*parts, strict=True)]
    return rows
