"""Trains members on JAX in a separate process; the user's process may run on any backend.

Only plain data is sent: the description of the model, values, orders and rates. The user's code is neither pickled nor
imported there. The process is spawned, never forked, and stays for the next call.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import pathlib
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import keras

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import Batch, map_arrays
from keras_lr.backends.program import Program
from keras_lr.engines.programs import equivalence
from keras_lr.engines.programs.calibration import train_fastest
from keras_lr.engines.programs.population import Members, ProgramResult
from keras_lr.engines.workers.heartbeat import HangTimer, Heartbeat, hang_limit
from keras_lr.engines.workers.pool import POLL

BACKEND = "jax"
TRIES = 2
MISSING = "it needs a worker process with JAX: pip install 'keras-lr[jax]'"


@dataclasses.dataclass(frozen=True)
class Job:
    """All that a process needs to train members.

    Attributes:
        description: The compiled model, from `equivalence.describe`.
        train: The training data as a step gets it.
        validation: The validation data, or None.
        batch_size: Examples in a batch.
        members: What to train.
        slowest: See `train_fastest`.
        heartbeat: The path of the file in which the process counts its updates.
        floatx: Keras's setting in the user's process.
        image_data_format: Keras's setting in the user's process.
    """

    description: str
    train: Batch
    validation: Batch | None
    batch_size: int
    members: Members
    slowest: float | None = None
    heartbeat: str = ""
    floatx: str = dataclasses.field(default_factory=keras.config.floatx)
    image_data_format: str = dataclasses.field(default_factory=keras.config.image_data_format)

    def losses(self, eager: bool) -> tuple[float, float] | str:
        """Returns the reference losses of the model on this backend, or the error that prevents them."""
        start = self.members.starts[0]
        try:
            values = start.trainable, start.non_trainable
            return equivalence.reference_losses(self.description, *values, self.batch(), eager)
        except Exception as error:  # the runs can still be trained in the user's process
            return root_cause(error)

    def batch(self) -> Batch:
        """Returns the first batch."""
        return map_arrays(lambda array: array[: self.batch_size], self.train)

    def apply_settings(self) -> None:
        """Gives Keras the settings of the user's process."""
        keras.config.set_floatx(self.floatx)
        keras.config.set_image_data_format(self.image_data_format)


def available() -> bool:
    """Returns whether JAX and loky are installed."""
    return all(importlib.util.find_spec(name) is not None for name in (BACKEND, "loky"))


class JaxProcess:
    """A process that trains on JAX. The first call starts it, and later calls use it again."""

    def __init__(self) -> None:
        self._start()

    def train(self, job: Job) -> ProgramResult:
        """Trains the members of a job. If the process is killed or hangs, another one tries once more."""
        limit, why = hang_limit(), ""
        for _ in range(TRIES):
            with tempfile.TemporaryDirectory(prefix="keras-lr-", ignore_cleanup_errors=True) as folder:
                path = str(pathlib.Path(folder) / "heartbeat")
                try:
                    return self._train(dataclasses.replace(job, heartbeat=path), Heartbeat(path), HangTimer(limit))
                except BrokenProcessPool:
                    why = f"the process with JAX was killed {TRIES} times, possibly out of memory"
                except _HangError as error:
                    why = f"the process with JAX made {error}, in the last of {TRIES} tries"
            self._start()
        return ProgramResult(None, why)

    def _start(self) -> None:
        from loky import get_reusable_executor

        environment = {"KERAS_BACKEND": BACKEND, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._executor = get_reusable_executor(max_workers=1, timeout=600, env=environment)
        self._executor.submit(import_framework)

    def _train(self, job: Job, heartbeat: Heartbeat, timer: HangTimer) -> ProgramResult:
        """Trains the members there, if the model means the same there and here."""
        future = self._executor.submit(losses_on_jax, job)
        here = job.losses(eager=True)
        there: tuple[float, float] | str = self._wait(future, heartbeat, timer)
        if isinstance(there, str) or isinstance(here, str):
            error = there if isinstance(there, str) else here
            return ProgramResult(None, f"the model can't be rebuilt from its description: {error}")
        if not equivalence.agree(here, there):
            backend, after = keras.backend.backend(), f"the model's loss after {equivalence.UPDATES} updates is"
            return ProgramResult(None, f"{after} {here[1]:.7g} on {backend} and {there[1]:.7g} on JAX")
        result: ProgramResult = self._wait(self._executor.submit(train_on_jax, job), heartbeat, timer)
        return result

    def _wait(self, future: Future[Any], heartbeat: Heartbeat, timer: HangTimer) -> Any:
        """Returns the result of the process, or ends the process if it hangs."""
        while not wait([future], POLL).done:
            hang = timer.check(heartbeat.progress if heartbeat.runs else (0, -1))
            if hang is not None:
                self._executor.shutdown(wait=True, kill_workers=True)
                raise _HangError(hang)
        return future.result()


class _HangError(Exception):
    """The process made no progress for too long."""


def import_framework() -> None:
    """Imports what the next calls need, while the user's process prepares them. Runs in the process with JAX.

    If TensorFlow is installed, Keras imports it for type checks. That takes seconds and has no use here.
    """
    for other in ("tensorflow", "torch"):
        sys.modules.setdefault(other, None)  # type: ignore[arg-type] # imports of it fail, as if it were not installed
    backends.active()


def losses_on_jax(job: Job) -> tuple[float, float] | str:
    """Returns the reference losses. Runs in the process with JAX."""
    job.apply_settings()
    return job.losses(eager=False)


def train_on_jax(job: Job) -> ProgramResult:
    """Trains the members. Runs in the process with JAX."""
    job.apply_settings()
    model, start = equivalence.rebuild(job.description), job.members.starts[0]
    equivalence.assign_values(model, start.trainable, start.non_trainable)
    machinery.build(model, job.batch())
    types = [variable.dtype for variable in model.non_trainable_variables]
    starts = tuple(
        dataclasses.replace(
            one, non_trainable=[value.astype(kind) for value, kind in zip(one.non_trainable, types, strict=True)]
        )
        for one in job.members.starts
    )
    create, heartbeat = backends.programs(model, job.train, job.validation, job.batch_size), Heartbeat(job.heartbeat)
    heartbeat.start_run()

    def make(together: bool) -> Program:
        program = create(together)
        program.on_update = heartbeat.count_update
        return program

    return train_members(make, dataclasses.replace(job.members, starts=starts), job.slowest)


def train_members(make: Callable[[bool], Program], members: Members, slowest: float | None = None) -> ProgramResult:
    """Calls `train_fastest`. An error, such as too little memory, becomes the reason of the result."""
    try:
        return train_fastest(make, members, slowest)
    except Exception as error:  # the runs can still be trained one by one
        return ProgramResult(None, f"the program can't be compiled: {root_cause(error)}")


def root_cause(error: BaseException) -> str:
    """Returns the first sentence of the error that caused this one."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0].split('. ')[0]}"
