"""Training members on JAX in a process of its own, whatever backend the user's process runs on.

What travels is plain data: the model's description, values, orders and rates. The user's code is neither pickled nor
imported there; the process is started afresh, never forked, and stays for the next call.
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
from keras_lr.engines.programs import equivalence
from keras_lr.engines.programs.calibration import way_to_train
from keras_lr.engines.programs.population import MemberRun, Members
from keras_lr.engines.workers.heartbeat import HangTimer, Heartbeat, hang_limit
from keras_lr.engines.workers.pool import POLL

BACKEND = "jax"
TRIES = 2
MISSING = "it needs a worker process with JAX: pip install 'keras-lr[jax]'"


@dataclasses.dataclass(frozen=True)
class Job:
    """Members to train, and all that a process needs to know to do it.

    Attributes:
        description: The compiled model, as `equivalence.describe` gives it.
        train: The training data, as a step gets it.
        validation: The validation data, or None.
        batch_size: Examples in a batch.
        members: The members.
        slowest: The seconds for an update from which on they are better trained elsewhere, or None.
        heartbeat: The path of the heartbeat of the worker.
        floatx: Keras's setting.
        image_data_format: Keras's setting.
    """

    description: str
    train: Any
    validation: Any
    batch_size: int
    members: Members
    slowest: float | None = None
    heartbeat: str = ""
    floatx: str = dataclasses.field(default_factory=keras.config.floatx)
    image_data_format: str = dataclasses.field(default_factory=keras.config.image_data_format)

    def batches(self) -> list[Any]:
        """The batches of the probe."""
        count = min(self.batch_size, len(keras.tree.flatten(self.train)[0]))
        return [keras.tree.map_structure(lambda array: array[:count], self.train)] * equivalence.UPDATES


@dataclasses.dataclass(frozen=True)
class ProgramResult:
    """What a worker hands back: the members, or why it could not make them.

    Attributes:
        members: For each seed its members; None where there is an obstacle.
        reason: How they were trained, or the obstacle.
    """

    members: list[list[MemberRun]] | None
    reason: str


def available() -> bool:
    """Whether a worker can be started."""
    return all(importlib.util.find_spec(name) is not None for name in (BACKEND, "loky"))


class JaxProcess:
    """A process that trains on JAX. It is started by the first call and kept for the next."""

    def __init__(self) -> None:
        self._start()

    def train(self, job: Job) -> ProgramResult:
        """Trains the members of a job. Where the process is killed, or stands still, another one tries once more."""
        limit, why = hang_limit(), ""
        for _ in range(TRIES):
            with tempfile.TemporaryDirectory(prefix="keras-lr-", ignore_cleanup_errors=True) as folder:
                path = str(pathlib.Path(folder) / "heartbeat")
                try:
                    return self._train(dataclasses.replace(job, heartbeat=path), Heartbeat(path), HangTimer(limit))
                except BrokenProcessPool:
                    why = f"the process with JAX was killed {TRIES} times, maybe for want of memory"
                except _StillError as error:
                    why = f"the process with JAX made {error}, in the last of {TRIES} tries"
            self._start()
        return ProgramResult(None, why)

    def _start(self) -> None:
        from loky import get_reusable_executor

        environment = {"KERAS_BACKEND": BACKEND, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._executor = get_reusable_executor(max_workers=1, timeout=600, env=environment)
        self._ready = self._executor.submit(warm_up)

    def _train(self, job: Job, heartbeat: Heartbeat, timer: HangTimer) -> ProgramResult:
        """Asks whether the model means the same there, and lets it be trained."""
        answer: Future[Any] = self._executor.submit(ask, job)
        own, theirs = answered(job, eager=True), self._awaited(answer, heartbeat, timer)
        for found in (theirs, own):
            if isinstance(found, str):
                return ProgramResult(None, f"the model can't be made from its description: {found}")
        if not equivalence.agree(own, theirs):
            here, after = keras.backend.backend(), f"the model's loss after {equivalence.UPDATES} updates is"
            return ProgramResult(None, f"{after} {own[1]:.7g} on {here} and {theirs[1]:.7g} on JAX")
        done: ProgramResult = self._awaited(self._executor.submit(work, job), heartbeat, timer)
        return done

    def _awaited(self, answer: Future[Any], heartbeat: Heartbeat, timer: HangTimer) -> Any:
        """What the process hands back; ends the process where it stands still."""
        while not wait([answer], POLL).done:
            still = timer.check(heartbeat.progress if heartbeat.runs else (0, -1))
            if still is not None:
                self._executor.shutdown(wait=True, kill_workers=True)
                raise _StillError(still)
        return answer.result()


class _StillError(Exception):
    """The process stood still for too long."""


def warm_up() -> str:
    """Imports what the work needs, while the user's process still prepares it; runs in the worker.

    Keras imports TensorFlow where it is installed, to ask whether something is of its types: seconds for nothing here.
    """
    for other in ("tensorflow", "torch"):
        sys.modules.setdefault(other, None)  # type: ignore[arg-type] # an import of it fails, as if it were not there
    return backends.active().__name__


def ask(job: Job) -> Any:
    """The answer to the probe of this process. Runs in the worker."""
    _as_there(job)
    return answered(job, eager=False)


def answered(job: Job, eager: bool) -> Any:
    """The losses of the probe, or in a text why there are none."""
    start = job.members.starts[0]
    try:
        return equivalence.reference_losses(job.description, start.trainable, start.non_trainable, job.batches(), eager)
    except Exception as error:  # whatever it is, the runs can be made where the model is from
        return root_cause(error)


def work(job: Job) -> ProgramResult:
    """Trains the members. Runs in the worker."""
    _as_there(job)
    model, start = equivalence.rebuild(job.description), job.members.starts[0]
    equivalence.assign_values(model, start.trainable, start.non_trainable)
    machinery.build(model, job.batches()[0], machinery.Containers(model))
    kinds = [variable.dtype for variable in model.non_trainable_variables]
    starts = tuple(
        dataclasses.replace(
            each, non_trainable=[value.astype(kind) for value, kind in zip(each.non_trainable, kinds, strict=True)]
        )
        for each in job.members.starts
    )
    plain, heartbeat = backends.programs(model, job.train, job.validation, job.batch_size), Heartbeat(job.heartbeat)
    heartbeat.start_run()

    def make(together: bool) -> Any:
        program = plain(together)
        program.on_update = heartbeat.count_update
        return program

    return train_members(make, dataclasses.replace(job.members, starts=starts), job.slowest)


def train_members(make: Callable[[bool], Any], members: Members, slowest: float | None = None) -> ProgramResult:
    """Trains members the faster way; an error, such as too little memory, is an obstacle."""
    try:
        return ProgramResult(*way_to_train(make, members, slowest))
    except Exception as error:  # whatever it is, the runs can be made one by one
        return ProgramResult(None, f"the program can't be made: {root_cause(error)}")


def _as_there(job: Job) -> None:
    """Keras's settings as they are in the user's process."""
    keras.config.set_floatx(job.floatx)
    keras.config.set_image_data_format(job.image_data_format)


def root_cause(error: BaseException) -> str:
    """The first sentence of the error that began it."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    said = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {said[0].split('. ')[0]}"
