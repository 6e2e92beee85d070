"""Train a group of runs by a program: in this process, or in one with JAX if that is faster."""

from __future__ import annotations

from collections.abc import Callable

from keras_lr import backends
from keras_lr.comparison.execution.grouping import ProgramInputs, RunGroup
from keras_lr.engines.programs.equivalence import describe
from keras_lr.engines.programs.jax_process import JaxProcess, Job, ProgramResult, root_cause, train_members
from keras_lr.engines.programs.loop import Loop

PROCESS = 3.0  # seconds, roughly, to start a process with JAX and to compile for it
ProgramTrainer = Callable[[ProgramInputs, RunGroup], ProgramResult]
"""Trains a group of runs by a program. The result has the reason if there is none."""


def train_here(inputs: ProgramInputs, group: RunGroup) -> ProgramResult:
    """Trains a group by a program in this process."""
    model = inputs.model_for(group)
    make = backends.programs(model, inputs.train, inputs.validation, inputs.batch_size)
    return train_members(make, inputs.members(group))


class JaxTrainer:
    """Trains groups in a process with JAX, which starts at once, to be ready when the first group is."""

    def __init__(self) -> None:
        self._process: JaxProcess | None = None
        try:
            self._process = JaxProcess()
        except (OSError, ImportError, RuntimeError) as error:  # for instance, inter-process communication is blocked
            self._against = f"no process with JAX could be started: {type(error).__name__}: {error}"

    def __call__(self, inputs: ProgramInputs, group: RunGroup, slowest: float | None = None) -> ProgramResult:
        """Trains a group. If an update takes longer than `slowest` seconds, the process refuses the group."""
        if self._process is None:
            return ProgramResult(None, self._against)
        try:
            description = describe(inputs.model_for(group))
        except Exception as error:  # the user's own layer, loss or metric may exist only in this process
            return ProgramResult(None, f"the model can't be handed to a JAX process: {type(error).__name__}: {error}")
        members = inputs.members(group)
        job = Job(description, inputs.train, inputs.validation, inputs.batch_size, members, slowest)
        result = self._process.train(job)
        where = "" if result.members is None else " It runs in a process of its own."
        return ProgramResult(result.members, f"{result.reason}{where}")


class FastestTrainer:
    """Times a few updates of each group here, and hands the group to a process with JAX if that takes less time.

    Args:
        against: Why the runs can't use a process with JAX, or None.
        large: Whether to start the process before anything is timed.

    Attributes:
        here: Whether every group so far was trained in this process.
    """

    def __init__(self, against: str | None, large: bool) -> None:
        self._against = against
        self._jax = JaxTrainer() if large and against is None else None
        self.here = True

    def __call__(self, inputs: ProgramInputs, group: RunGroup) -> ProgramResult:
        """Trains a group."""
        loop, fault = None, ""
        members, model = inputs.members(group), inputs.model_for(group)
        try:
            make = backends.programs(model, inputs.train, inputs.validation, inputs.batch_size)
            loop = Loop(make, members, PROCESS)
        except Exception as error:  # `fit` can still train the model
            fault = f", and no program can be compiled here: {root_cause(error)}"
        some = "one short run takes" if len(members) == 1 else f"{len(members)} short runs take"
        why = self._against or f"{some} less time than starting a process with JAX"
        if self._against is None and (loop is None or loop.seconds > PROCESS):
            self._jax = self._jax or JaxTrainer()
            result = self._jax(inputs, group, None if loop is None else loop.seconds / loop.updates)
            if result.members is not None:
                self.here = False
                return result
            why = result.reason
        if loop is None:
            return ProgramResult(None, why + fault)
        try:
            return ProgramResult(*loop.train(why))
        except Exception as error:  # for instance a step without a loss, or too little memory
            return ProgramResult(None, f"{why}, and no program can be compiled here: {root_cause(error)}")
