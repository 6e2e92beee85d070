"""Many runs of one architecture, trained as one program or one after the other in it. Knows no framework.

A member is a run: a case (its rates) with a seed (its first weights and its orders of the data). All members share the data,
the model and the settings of the optimizer.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from keras_lr.engines.fit import TrainingRun

THREADS = 2  # compile at a time


@dataclasses.dataclass(frozen=True)
class SeedStart:
    """What a seed decides: the first weights, and the rows of each epoch in their order.

    Attributes:
        trainable: The trainable values.
        non_trainable: The other values of the model, the seeds of its dropout included.
        orders: Of shape (epochs, examples).
        seed: The seed itself, for what draws from the global sources of chance.
    """

    trainable: Sequence[np.ndarray]
    non_trainable: Sequence[np.ndarray]
    orders: np.ndarray
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Members:
    """The runs to make: every seed with every case.

    Attributes:
        starts: One for each seed.
        rates: The rate of each update, of shape (cases, updates), in the precision that the optimizer has.
        epochs: Epochs of each run.
        settings: Floats of the optimizer in which cases differ, by name, each of shape (cases,).
    """

    starts: tuple[SeedStart, ...]
    rates: np.ndarray
    epochs: int
    settings: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.starts) * len(self.rates)

    @property
    def shape(self) -> tuple[int, int]:
        """Seeds and cases."""
        return len(self.starts), len(self.rates)

    def groups(self, most: int) -> list[list[Members]]:
        """The members in groups of at most `most` (or one), as few as there can be, of nearly equal sizes.

        Returns:
            For some of the seeds at a time, the groups that have all their cases.
        """
        seeds = len(self.starts) if most >= len(self.starts) else max(1, most)
        several = range(0, len(self.starts), seeds)
        cases = np.array_split(np.arange(len(self.rates)), -(-len(self.rates) // max(1, most // seeds)))
        return [[self.part(self.starts[first : first + seeds], own) for own in cases] for first in several]

    def part(self, starts: Sequence[SeedStart], cases: np.ndarray) -> Members:
        """Some of the members."""
        return Members(tuple(starts), self.rates[cases], self.epochs, self.settings_of(cases))

    def settings_of(self, cases: Any) -> dict[str, Any]:
        """The settings of one or of several cases."""
        return {name: values[cases] for name, values in self.settings.items()}


@dataclasses.dataclass(frozen=True)
class MemberRun:
    """One run: what `fit` would have told, and the raw loss of each of its updates."""

    run: TrainingRun
    losses: tuple[float, ...]


def compile_all(programs: Sequence[Any], members: Members, complete: bool) -> None:
    """Traces programs, one after the other, and compiles what was traced side by side."""
    makings = []
    for program in programs:
        makings += program.makings(len(members.starts), len(members.rates), complete, members.settings)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda making: making(), makings))


def first_state(program: Any, members: Members) -> Any:
    """The first state of the members, or of the first one where each is trained alone."""
    starts = members.starts if program.together else members.starts[:1]
    return program.begin([(start.trainable, start.non_trainable) for start in starts], len(members.rates))


def train_together(program: Any, members: Members) -> list[list[MemberRun]]:
    """Trains all members at once.

    Args:
        program: A compiled program for members together.
        members: The members.

    Returns:
        For each seed, the members in the order of the cases.
    """
    started = time.perf_counter()
    compile_all([program], members, complete=True)
    state = first_state(program, members)
    losses, logs = [], []
    for epoch in range(members.epochs):
        orders = np.stack([start.orders[epoch] for start in members.starts])
        state, lost, logged = _epoch(program, state, orders, members.rates, members.settings, epoch)
        losses.append(lost)
        logs.append(logged)
        if not np.isfinite(lost[..., -1]).any():
            break
    finite = program.finite(state)
    seconds = (time.perf_counter() - started) / len(members)
    found = []
    for seed in range(len(members.starts)):
        row = []
        for case in range(len(members.rates)):
            own = [{name: float(values[seed, case]) for name, values in logged.items()} for logged in logs]
            row.append(_member([lost[seed, case] for lost in losses], own, bool(finite[seed, case]), seconds))
        found.append(row)
    return found


def train_alone(
    program: Any, members: Members, begin: Callable[[int], object] = lambda seed: None
) -> list[list[MemberRun]]:
    """Trains the members one after the other, all by the same compiled program, each as far as it does not diverge.

    Args:
        program: A program for members alone.
        members: The members.
        begin: Called with its seed before each member is trained.
    """
    compile_all([program], members, complete=True)
    cases = [(rates, members.settings_of(case)) for case, rates in enumerate(members.rates)]
    found = []
    for start in members.starts:
        row = []
        for case in cases:
            begin(start.seed)
            row.append(_alone(program, start, *case, members.epochs))
        found.append(row)
    return found


def _alone(program: Any, start: SeedStart, rates: np.ndarray, settings: dict[str, Any], epochs: int) -> MemberRun:
    started = time.perf_counter()
    state = program.begin([(start.trainable, start.non_trainable)], 1)
    losses, logs = [], []
    for epoch in range(epochs):
        state, lost, logged = _epoch(program, state, start.orders[epoch], rates, settings, epoch)
        losses.append(lost)
        logs.append({name: float(value) for name, value in logged.items()})
        if _diverged_at(losses, logs, True) is not None:
            break
    return _member(losses, logs, bool(program.finite(state)), time.perf_counter() - started)


def _epoch(
    program: Any, state: Any, orders: Any, rates: np.ndarray, settings: Mapping[str, Any], epoch: int
) -> tuple[Any, Any, dict[str, Any]]:
    """One epoch with its validation, the logs named as in `History`."""
    own = rates[..., epoch * program.updates : (epoch + 1) * program.updates]
    state, lost, logged = program.epoch(state, orders, own, settings)
    if program.validates:
        state, validated = program.validate(state)
        logged |= {f"val_{name}": value for name, value in validated.items()}
    return state, lost, logged


def _member(losses: list[np.ndarray], logs: list[dict[str, float]], finite: bool, seconds: float) -> MemberRun:
    """The record of a member, which ends with the epoch in which it diverged, as a `fit` that is stopped there."""
    at = _diverged_at(losses, logs, finite)
    kept = len(logs) if at is None else at[0] + 1
    history = {name: tuple(logged[name] for logged in logs[:kept]) for name in logs[0]}
    run = TrainingRun(history, "finished" if at is None else "diverged", at, seconds)
    return MemberRun(run, tuple(float(loss) for loss in np.concatenate(losses[:kept])))


def _diverged_at(losses: list[np.ndarray], logs: list[dict[str, float]], finite: bool) -> tuple[int, int | None] | None:
    """The first epoch, and the update in it, that showed a loss or a weight that is not finite."""
    for epoch, (lost, logged) in enumerate(zip(losses, logs, strict=True)):
        if not np.isfinite(lost).all():
            return epoch, int(np.argmin(np.isfinite(lost)))
        if not all(math.isfinite(logged.get(name, 0.0)) for name in ("loss", "val_loss")):
            return epoch, None
    return None if finite else (len(losses) - 1, None)
