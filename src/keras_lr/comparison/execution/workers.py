"""Execute runs in other processes: several on this machine, or those of a Ray cluster.

A worker trains each run as the sequential engine does: by `fit`, with a new model, on the user's backend. The driver gets each
run as it ends, and only the driver writes the store.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_lr.comparison.execution import engines, transport
from keras_lr.comparison.execution.engines import ALONE, SEQUENTIAL, Engine, Runs, SequentialEngine, local_engine
from keras_lr.comparison.execution.one_run import execute_in_worker
from keras_lr.comparison.execution.transport import PackedPlan, PackError
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning.plan import WHERE, Plan
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError, MissingExtraError
from keras_lr.engines.fit import TrainingRun
from keras_lr.engines.workers.heartbeat import Heartbeat, hang_limit
from keras_lr.engines.workers.local import LocalPool, thread_variables
from keras_lr.engines.workers.pool import LostRun, Pool, execute

RAY = "ray"
ENGINES = [*engines.ENGINES, RAY]
VARIABLES = {  # and their defaults: several processes share a GPU
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}


def check_workers(engine: Any, workers: Any) -> int:
    """Checks the engine and the number of workers, before anything is built; returns the number.

    Raises:
        ArgumentError: One of them is invalid, or they exclude each other.
        MissingExtraError: The engine is Ray, which is not installed.
    """
    count = checks.whole(WHERE, workers=workers)
    checks.one_of(WHERE, ENGINES, engine=engine)
    hang_limit()
    if count > 1 and engine == engines.POPULATION:
        rule = "engine='population' is one program, which uses every core by itself"
        raise ArgumentError(WHERE, rule, "Pass workers=1, or engine='sequential'", workers=workers)
    if engine == RAY and importlib.util.find_spec(RAY) is None:
        raise MissingExtraError(RAY, RAY, "compare(engine='ray')")
    return count


def engine_for(plan: Plan, build: Callable[[], Any], model: Any, chosen: str, workers: int) -> Engine:
    """Returns the engine for a plan, in this process or in `workers` others.

    `build` returns a compiled model, or raises if it is not new; `model` is one that it returned; `chosen` is one of `ENGINES`.

    Raises:
        ArgumentError: The chosen engine can't execute these runs.
    """
    if workers == 1 and chosen != RAY:
        return local_engine(plan, build, model, chosen)
    build()
    try:
        packed_plan = transport.pack(plan)
    except PackError as error:
        if chosen == "auto":
            return SequentialEngine(plan, build, ALONE.format(f": other processes can't train them, as {error}"))
        repair = "Pass workers=1 and engine='auto', or objects that can be pickled"
        argument = {"engine": chosen} if chosen == RAY else {"workers": workers}
        raise ArgumentError(WHERE, f"other processes can't train the runs: {error}", repair, **argument) from error
    return RemoteEngine(packed_plan, RAY if chosen == RAY else SEQUENTIAL, workers)


class RemoteEngine:
    """Executes runs on a pool of local processes or of Ray's workers.

    Args:
        plan: What the workers unpack.
        name: "sequential" or "ray".
        workers: The number of simultaneous runs. With Ray, 1 means as many as the cluster has room for.
    """

    separable = False

    def __init__(self, plan: PackedPlan, name: str, workers: int) -> None:
        self._plan, self.name, self._workers = plan, name, workers
        self._threads = max(1, available_cores() // workers)
        threads = "1 thread" if self._threads == 1 else f"{self._threads} threads"
        where = "on a Ray cluster" if name == RAY else f"in {workers} processes of {threads} each"
        self.reason = f"The runs are trained one by one, {where}, as requested."

    def runs(self, keys: Sequence[RunKey]) -> Runs:
        """Executes runs, and yields each as soon as it ends."""
        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(contextlib.closing(self._pool(stack, len(keys))))
            for key, result in execute(pool, keys, hang_limit()):
                lost = isinstance(result, LostRun)
                yield key, RunMeasurement(TrainingRun({}, "failed", None, 0.0, result.reason), ()) if lost else result

    def _pool(self, stack: contextlib.ExitStack, runs: int) -> Pool[RunKey]:
        if self.name == RAY:
            from keras_lr.comparison.execution.ray_cluster import RayPool

            cluster = RayPool(self._plan, self._workers, environment(None))
            self.reason = f"The runs are trained one by one, {cluster.description}, as requested."
            return cluster
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        self._plan.save(folder)
        work = functools.partial(execute_locally, str(folder))
        return LocalPool(min(self._workers, runs), work, folder, environment(self._threads))


def available_cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment(threads: int | None) -> dict[str, str]:
    """Returns the environment variables of a worker. Without `threads`, Ray sets their number."""
    variables = {"KERAS_BACKEND": keras.backend.backend()}
    variables |= {name: os.environ.get(name, default) for name, default in VARIABLES.items()}
    return variables | (thread_variables(threads) if threads else {})


def execute_locally(folder: str, heartbeat: str, key: RunKey) -> RunMeasurement:
    """Executes a run of the plan in a folder, in a worker on this machine; counts it in the heartbeat of that path."""
    return execute_in_worker(_plan_in(folder), key, Heartbeat(heartbeat))


@functools.lru_cache(maxsize=1)
def _plan_in(folder: str) -> Plan:
    return transport.load(pathlib.Path(folder)).unpack()
