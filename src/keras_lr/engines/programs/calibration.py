"""Which way of training is fastest for these runs on this machine: a few timed updates of each decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_lr.engines.programs.population import (
    MemberRun,
    Members,
    compile_all,
    first_state,
    train_alone,
    train_together,
)

ONE_BY_ONE = "The runs are trained by one compiled program, one after the other: {}."
SLOWER = "JAX takes {:.3g} ms an update of a run"
CONVOLUTIONS = "convolutions on a CPU are slower together"
COPIES = 4  # of a member's state: before and after an update, gradients, and what lies between the layers
UPDATES = 4  # timed after a first one


def way_to_train(
    make: Callable[[bool], Any], members: Members, slowest: float | None = None
) -> tuple[list[list[MemberRun]] | None, str]:
    """Trains members the faster way.

    Small dense layers are much faster together; what else is, only a measurement tells. Convolutions on a CPU are not
    measured: together they are 2 to 20 times slower, and take longest to compile.

    Args:
        make: Makes a program, for members together (True) or each alone (False).
        members: The members.
        slowest: The seconds for an update from which on they are not to be trained here; None: train them.

    Returns:
        For each seed its members in the order of the cases, or None where both ways are too slow; and the reason in a
        sentence.
    """
    alone, together = make(False), make(True)
    groups = members.groups(alone.room() // (COPIES * alone.bytes_of()))
    largest = max((group for row in groups for group in row), key=len)
    count = len(largest)
    if count == 1 or alone.slower_together():
        why = "there is one" if len(members) == 1 else "the memory has room for one" if count == 1 else CONVOLUTIONS
        return train_alone(alone, members), ONE_BY_ONE.format(why)
    compile_all([alone, together], largest, complete=False)
    each, whole = seconds_per_update(alone, largest), seconds_per_update(together, largest)
    if slowest is not None and slowest < min(each, whole / count):
        return None, SLOWER.format(1000 * min(each, whole / count))
    why = f"{1000 * whole:.3g} ms an update for {count} together, {count} x {1000 * each:.3g} ms one after the other"
    if whole >= count * each:
        return train_alone(alone, members), ONE_BY_ONE.format(why)
    found = in_groups(make, {largest.shape: together}, groups)
    parts = "" if count == len(members) else ", as many at a time as the memory has room for"
    return found, f"The runs are trained together by one JAX program{parts}: {why}."


def in_groups(
    make: Callable[[bool], Any], programs: dict[tuple[int, int], Any], groups: list[list[Members]]
) -> list[list[MemberRun]]:
    """Trains groups one after the other; a program serves the groups of its size."""
    found = []
    for row in groups:
        parts = []
        for group in row:
            if group.shape not in programs:
                programs[group.shape] = make(True)
            parts.append(train_together(programs[group.shape], group))
        found += [[member for own in several for member in own] for several in zip(*parts, strict=True)]
    return found


def seconds_per_update(program: Any, members: Members) -> float:
    """The time of an update, of all members or of the first one alone."""
    orders: Any = [start.orders[0] for start in members.starts]
    rates, settings = members.rates[:, : program.updates], members.settings
    if not program.together:
        orders, rates, settings = orders[0], rates[0], members.settings_of(0)
    seconds: float = program.seconds(first_state(program, members), orders, rates, settings, UPDATES)
    return seconds
