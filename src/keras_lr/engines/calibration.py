"""Which way of training is fastest for these runs on this machine: a few timed updates of each decide."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from keras_lr.engines.population import Member, Members, begun, compile_all, train_alone, train_together

ONE_BY_ONE = "The runs are trained by one compiled program, {}: {}."
ORDER = "one after the other"
SLOWER = "JAX takes {:.3g} ms an update of a run"
COPIES = 4  # of a member's state: before and after an update, gradients, and what lies between the layers
UPDATES, IN_LANES = 4, 12  # timed after a first one; more in threads, whose start is timed with them
TIMES, ENOUGH = 3, 0.3  # a way is timed so often, or for so many seconds: the least counts


def way_to_train(
    make: Callable[[bool], Any], members: Members, slowest: float | None = None
) -> tuple[list[list[Member]] | None, str]:
    """Trains members the fastest way: all together, each alone, or some at a time in threads.

    Small dense layers are much faster together; what else is, only a measurement tells. Convolutions on a CPU are not
    measured together: so they are 2 to 20 times slower, and take longest to compile.

    Args:
        make: Makes a program, for members together (True) or each alone (False).
        members: The members.
        slowest: The seconds for an update from which on they are not to be trained here; None: train them.

    Returns:
        For each seed its members in the order of the cases, or None where all ways are too slow; and the reason in a
        sentence.
    """
    alone, together = make(False), make(True)
    room = alone.room() // (COPIES * alone.bytes_of())
    groups = members.groups(room)
    largest = max((group for row in groups for group in row), key=len)
    count, lanes = len(largest), max(1, min(alone.lanes(), len(members), room))
    if len(members) == 1:
        return train_alone(alone, members), ONE_BY_ONE.format(ORDER, "there is one")
    measures_together = count > 1 and not alone.slower_together()
    compile_all([alone, together] if measures_together else [alone], largest, complete=False)
    ways = {ORDER: _least(lambda: seconds_per_update(alone, largest))}
    if lanes > 1:
        ways[f"{lanes} at a time"] = _least(lambda: seconds_in_lanes(alone, largest, lanes))
    told = [f"{1000 * seconds:.3g} ms an update of a run {way}" for way, seconds in ways.items()]
    if measures_together:
        whole = _least(lambda: seconds_per_update(together, largest))
        told.insert(0, f"{1000 * whole:.3g} ms an update for {count} together")
        ways["together"] = whole / count
    else:
        told.append("the memory has room for one" if count == 1 else "convolutions on a CPU are slower together")
    way = min(ways, key=ways.__getitem__)
    if slowest is not None and slowest < ways[way]:
        return None, SLOWER.format(1000 * ways[way])
    if way != "together":
        found = train_alone(alone, members, lanes=1 if way == ORDER else lanes)
        return found, ONE_BY_ONE.format(way, ", ".join(told))
    parts = "" if count == len(members) else ", as many at a time as the memory has room for"
    found = in_groups(make, {largest.shape: together}, groups)
    return found, f"The runs are trained together by one JAX program{parts}: {', '.join(told)}."


def in_groups(
    make: Callable[[bool], Any], programs: dict[tuple[int, int], Any], groups: list[list[Members]]
) -> list[list[Member]]:
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
    seconds: float = program.seconds(begun(program, members), orders, rates, settings, UPDATES)
    return seconds


def seconds_in_lanes(program: Any, members: Members, lanes: int) -> float:
    """The time of an update of a run where several runs are trained side by side, the start of their threads included."""
    orders, rates = members.starts[0].orders[0], members.rates[0, : program.updates]
    states = [begun(program, members) for _ in range(lanes)]
    with ThreadPoolExecutor(lanes) as pool:
        started = time.perf_counter()
        list(pool.map(lambda state: program.seconds(state, orders, rates, members.settings_of(0), IN_LANES), states))
        return (time.perf_counter() - started) / (IN_LANES + 1) / lanes


def _least(measure: Callable[[], float]) -> float:
    """The least of a few measurements, of one where it takes long: other programs on the machine only add to it."""
    found: list[float] = []
    started = time.perf_counter()
    while not found or (len(found) < TIMES and time.perf_counter() - started < ENOUGH):
        found.append(measure())
    return min(found)
