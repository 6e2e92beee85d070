"""Many runs of one model by a program: all together, or one after the other. Imports no framework.

A member is a run: a case (its rates) with a seed (its first weights and its orders of the data). Members share the data and
the model.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from keras_lr.backends.program import EpochInputs, Logs, Program, State
from keras_lr.engines.fit import TrainingRun

THREADS = 2  # programs compiled at a time


@dataclasses.dataclass(frozen=True)
class SeedStart:
    """What a seed decides.

    Attributes:
        trainable: The weights that a run starts with.
        non_trainable: The other values that it starts with, such as the seeds of dropout.
        orders: The order of the rows in each epoch, of shape (epochs, examples).
        seed: Seeds the global random state, for models that draw from it.
    """

    trainable: Sequence[np.ndarray]
    non_trainable: Sequence[np.ndarray]
    orders: np.ndarray
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Members:
    """The runs to train: every seed with every case.

    Attributes:
        starts: One for each seed.
        rates: The rate of each update, of shape (cases, updates), in the precision of the optimizer.
        epochs: Epochs of each run.
        settings: Floats of the optimizer that differ between cases, by name, each of shape (cases,).
    """

    starts: tuple[SeedStart, ...]
    rates: np.ndarray
    epochs: int
    settings: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.starts) * len(self.rates)

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of seeds and of cases."""
        return len(self.starts), len(self.rates)

    def groups(self, most: int) -> list[list[Members]]:
        """Splits the members into as few groups as possible, of nearly equal sizes.

        Args:
            most: The largest number of members in a group, at least 1.

        Returns:
            Rows of groups. The groups of a row have the same seeds and, together, all cases.
        """
        seeds = len(self.starts) if most >= len(self.starts) else max(1, most)
        cases = np.array_split(np.arange(len(self.rates)), -(-len(self.rates) // max(1, most // seeds)))
        rows = [self.starts[first : first + seeds] for first in range(0, len(self.starts), seeds)]
        return [[Members(row, self.rates[own], self.epochs, self.settings_of(own)) for own in cases] for row in rows]

    def settings_of(self, cases: Any) -> dict[str, Any]:
        """Returns the settings of one case or of several."""
        return {name: values[cases] for name, values in self.settings.items()}

    def inputs(self, epoch: int, updates: int, member: tuple[int, int] | None = None) -> EpochInputs:
        """Returns the inputs of an epoch. `member` has the numbers of a seed and a case; None: all members."""
        rates = self.rates[:, epoch * updates : (epoch + 1) * updates]
        if member is None:
            return EpochInputs(np.stack([start.orders[epoch] for start in self.starts]), rates, self.settings)
        seed, case = member
        return EpochInputs(self.starts[seed].orders[epoch], rates[case], self.settings_of(case))


@dataclasses.dataclass(frozen=True)
class MemberRun:
    """One run: the record that `fit` would return, and the raw loss of each update."""

    run: TrainingRun
    losses: tuple[float, ...]


class ProgramResult(NamedTuple):
    """The members of a program, or why there is none.

    Attributes:
        members: For each seed its members in the order of the cases; None if no program trained them.
        reason: How they were trained, or the obstacle.
    """

    members: list[list[MemberRun]] | None
    reason: str


def compile_all(programs: Sequence[Program], members: Members, complete: bool) -> None:
    """Traces programs one after the other, and compiles them in parallel; see `Program.trace`."""
    traces = [fn for program in programs for fn in program.trace(*members.shape, complete, members.settings)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda compile_trace: compile_trace(), traces))


def first_state(program: Program, members: Members, seed: int = 0) -> State:
    """Returns the first state of the members, or of one with this seed if the program trains one at a time."""
    starts = members.starts if program.together else members.starts[seed : seed + 1]
    return program.begin([(start.trainable, start.non_trainable) for start in starts], len(members.rates))


def train_together(program: Program, members: Members) -> list[list[MemberRun]]:
    """Trains all members at once.

    Returns:
        For each seed its members in the order of the cases.
    """
    start = time.perf_counter()
    compile_all([program], members, complete=True)
    state = first_state(program, members)
    losses, logs = [], []
    for epoch in range(members.epochs):
        state, epoch_losses, epoch_logs = _epoch(program, state, members.inputs(epoch, program.updates))
        losses.append(epoch_losses)
        logs.append(epoch_logs)
        if not np.isfinite(epoch_losses[..., -1]).any():
            break
    finite = program.finite(state)
    seconds = (time.perf_counter() - start) / len(members)

    def member(*index: int) -> MemberRun:
        own = [{name: float(values[index]) for name, values in epoch_logs.items()} for epoch_logs in logs]
        return _member([epoch_losses[index] for epoch_losses in losses], own, bool(finite[index]), seconds)

    seeds, cases = members.shape
    return [[member(seed, case) for case in range(cases)] for seed in range(seeds)]


def train_alone(
    program: Program, members: Members, begin: Callable[[int], object] = lambda seed: None
) -> list[list[MemberRun]]:
    """Trains the members one after the other, each until it ends or diverges.

    The program trains one member at a time. `begin` is called with its seed before each run.

    Returns:
        For each seed its members in the order of the cases.
    """
    compile_all([program], members, complete=True)

    def member(seed: int, case: int) -> MemberRun:
        begin(members.starts[seed].seed)
        start = time.perf_counter()
        state = first_state(program, members, seed)
        losses, logs = [], []
        for epoch in range(members.epochs):
            inputs = members.inputs(epoch, program.updates, (seed, case))
            state, epoch_losses, epoch_logs = _epoch(program, state, inputs)
            losses.append(epoch_losses)
            logs.append({name: float(value) for name, value in epoch_logs.items()})
            if _divergence(losses, logs, True) is not None:
                break
        return _member(losses, logs, bool(program.finite(state)), time.perf_counter() - start)

    seeds, cases = members.shape
    return [[member(seed, case) for case in range(cases)] for seed in range(seeds)]


def _epoch(program: Program, state: State, inputs: EpochInputs) -> tuple[State, np.ndarray, Logs]:
    """Trains an epoch and validates. The logs have the names of `History`."""
    state, losses, logs = program.epoch(state, inputs)
    if program.validates:
        state, metrics = program.validate(state)
        logs |= {f"val_{name}": value for name, value in metrics.items()}
    return state, losses, logs


def _member(losses: list[np.ndarray], logs: list[dict[str, float]], finite: bool, seconds: float) -> MemberRun:
    """Returns the record of a member. It ends with the epoch in which the member diverged, as `fit` would stop there."""
    diverged_at = _divergence(losses, logs, finite)
    epochs = len(logs) if diverged_at is None else diverged_at[0] + 1
    history = {name: tuple(epoch_logs[name] for epoch_logs in logs[:epochs]) for name in logs[0]}
    run = TrainingRun(history, "finished" if diverged_at is None else "diverged", diverged_at, seconds)
    return MemberRun(run, tuple(float(loss) for loss in np.concatenate(losses[:epochs])))


def _divergence(losses: list[np.ndarray], logs: list[dict[str, float]], finite: bool) -> tuple[int, int | None] | None:
    """Returns the first epoch, and the update in it, with a loss that is not finite; the weights count at the end."""
    for epoch, (epoch_losses, epoch_logs) in enumerate(zip(losses, logs, strict=True)):
        if not np.isfinite(epoch_losses).all():
            return epoch, int(np.argmin(np.isfinite(epoch_losses)))
        if not all(math.isfinite(epoch_logs.get(name, 0.0)) for name in ("loss", "val_loss")):
            return epoch, None
    return None if finite else (len(losses) - 1, None)
