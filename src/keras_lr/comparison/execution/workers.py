"""Runs made outside of this process: by several processes of this machine, or by a Ray cluster.

Each run is what the sequential engine makes: a `fit` with a new model, on the user's own backend. One function makes it
wherever it is called. The driver gets each run as it ends, and alone writes the store.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.util
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_lr.comparison.execution import engines, transport
from keras_lr.comparison.execution.engines import ALONE, Engine, Runs, Sequential
from keras_lr.comparison.execution.transport import CannotTravelError, Parcel
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning.plan import WHERE, Plan, called
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.engines.fit import TrainingRun
from keras_lr.engines.workers.heartbeat import Heartbeat, hang_limit
from keras_lr.engines.workers.local import LocalPool, thread_variables
from keras_lr.engines.workers.pool import LostRun, Pool, execute

RAY = "ray"
ENGINES = [*engines.ENGINES, RAY]


def check(engine: Any, workers: Any) -> int:
    """Refuses engines and numbers of workers that don't fit each other; before anything is built.

    Returns:
        The number of workers.

    Raises:
        ArgumentError: They don't.
        MissingExtraError: Ray is asked for and not installed.
    """
    count = checks.whole(WHERE, workers=workers)
    checks.one_of(WHERE, ENGINES, engine=engine)
    hang_limit()
    if count > 1 and engine == "population":
        rule = "engine='population' is one program, which uses every core by itself"
        raise ArgumentError(WHERE, rule, "Pass workers=1, or engine='sequential'", workers=workers)
    if engine == RAY and importlib.util.find_spec(RAY) is None:
        from keras_lr.core.errors import MissingExtraError

        raise MissingExtraError(RAY, RAY, "compare(engine='ray')")
    return count


def engine_for(plan: Plan, build: Callable[[], Any], model: Any, chosen: str, workers: int) -> Engine:
    """The engine for a plan, in this process or elsewhere.

    Args:
        plan: The plan.
        build: Makes a compiled model, and refuses one that is not new.
        model: One that it made.
        chosen: The engine that was asked for.
        workers: How many processes were asked for.

    Raises:
        ArgumentError: The engine that was asked for can't make these runs.
    """
    if workers == 1 and chosen != RAY:
        return engines.engine_for(plan, build, model, chosen)
    build()
    try:
        sent = transport.packed(plan)
    except CannotTravelError as error:
        if chosen == "auto":
            return Sequential(plan, build, ALONE.format(f"in several they can't be, as {error}"))
        repair = "Pass workers=1 and engine='auto' for runs in this process, or what can be pickled"
        argument = {"engine": chosen} if chosen == RAY else {"workers": workers}
        raise ArgumentError(WHERE, f"the runs can't be made in other processes: {error}", repair, **argument) from error
    return Elsewhere(sent, RAY if chosen == RAY else "sequential", workers)


class Elsewhere:
    """Runs made by a crew of processes or of Ray's workers.

    Args:
        sent: The plan.
        name: "sequential" or "ray".
        workers: How many runs at once; on Ray, 1 is as many as the cluster has room for.
    """

    def __init__(self, sent: Parcel, name: str, workers: int) -> None:
        self._sent, self.name, self._workers = sent, name, workers
        self._threads = max(1, cores_of_this_process() // workers)
        one = "1 thread" if self._threads == 1 else f"{self._threads} threads"
        where = "on a Ray cluster" if name == RAY else f"in {workers} processes of {one} each"
        self.reason = f"The runs are made one by one, {where}, as was asked for."

    def runs(self, keys: Sequence[RunKey]) -> Runs:
        """Makes runs, and hands each over as soon as it ends."""
        with contextlib.ExitStack() as stack:
            crew = stack.enter_context(contextlib.closing(self._crew(stack, len(keys))))
            for key, answer in execute(crew, keys, hang_limit()):
                yield key, _failed(answer) if isinstance(answer, LostRun) else answer

    def _crew(self, stack: contextlib.ExitStack, runs: int) -> Pool[RunKey]:
        if self.name == RAY:
            from keras_lr.comparison.execution.ray_cluster import Cluster

            cluster = Cluster(self._sent, self._workers, environment(None))
            self.reason = f"The runs are made one by one, {cluster.description}."
            return cluster
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        self._sent.save(folder)
        work = functools.partial(made_here, str(folder))
        return LocalPool(min(self._workers, runs), work, folder, environment(self._threads))


def cores_of_this_process() -> int:
    """How many cores it may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment(threads: int | None) -> dict[str, str]:
    """The variables of a worker; without `threads` it is Ray that says how many."""
    variables = {"KERAS_BACKEND": keras.backend.backend()}
    for name in ("TF_CPP_MIN_LOG_LEVEL", "TF_FORCE_GPU_ALLOW_GROWTH", "XLA_PYTHON_CLIENT_PREALLOCATE"):
        chosen = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}.get(name, "false")
        variables[name] = os.environ.get(name, chosen)  # several processes share a GPU
    return variables | (thread_variables(threads) if threads else {})


def made_here(folder: str, heartbeat: str, key: RunKey) -> RunMeasurement:
    """Makes a run of a plan that was saved in a folder. Runs in a worker on this machine."""
    return made(_opened(folder), key, Heartbeat(heartbeat))


def made(plan: Plan, key: RunKey, heartbeat: Heartbeat) -> RunMeasurement:
    """Makes a run, as the sequential engine makes it. Runs in a worker, wherever that is."""
    heartbeat.start_run()
    engine = Sequential(plan, functools.partial(called, plan.build_model), "", lambda make: make(heartbeat))
    ((_, measured),) = engine.runs([key])
    return dataclasses.replace(measured, run=dataclasses.replace(measured.run, exception=None))


@functools.lru_cache(maxsize=1)
def _opened(folder: str) -> Plan:
    return transport.saved(pathlib.Path(folder)).open()


def _failed(lost: LostRun) -> RunMeasurement:
    return RunMeasurement(TrainingRun({}, "failed", None, 0.0, lost.reason), ())
