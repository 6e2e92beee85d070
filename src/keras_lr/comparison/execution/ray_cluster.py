"""The pool of `engine="ray"`: each run is a Ray task. Only this file imports Ray, and only that engine imports this file."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import os
import signal
import threading
import uuid
import warnings
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from keras_lr.comparison.execution.one_run import execute_in_worker
from keras_lr.comparison.execution.transport import PackedPlan
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning.plan import Plan
from keras_lr.engines.workers.heartbeat import Heartbeat
from keras_lr.engines.workers.local import thread_variables
from keras_lr.engines.workers.pool import LostRun

ADDRESS = "RAY_ADDRESS"
REPORT = 0.5  # seconds between the reports of a run
_PLANS: dict[str, Plan] = {}  # in a worker: its current plan, by token


@dataclasses.dataclass
class _RayTask:
    """A run that was submitted to Ray, and its number on the board."""

    key: RunKey
    number: int


class ProgressBoard:
    """Collects the progress reports of runs. It is a Ray actor on the driver's node."""

    def __init__(self) -> None:
        self._reports: dict[int, tuple[Any, ...]] = {}

    def report(self, number: int, *progress: Any) -> None:
        """Stores the `Heartbeat.progress` of a run, its process and its node."""
        self._reports[number] = progress

    def reports(self) -> dict[int, tuple[Any, ...]]:
        """Returns the last report of every run."""
        return self._reports


class RayPool:
    """The workers of a Ray cluster: of the one that runs, or of one on this machine that ends with the last run.

    Args:
        plan: What the workers unpack.
        workers: The number of simultaneous runs; 1 means as many as the cluster has room for.
        variables: The environment of a run.

    Attributes:
        description: The cluster in words, to follow "trained".
    """

    def __init__(self, plan: PackedPlan, workers: int, variables: dict[str, str]) -> None:
        self._tasks: dict[Any, _RayTask] = {}
        self._numbers = itertools.count()
        self._reports: dict[int, tuple[Any, ...]] = {}
        self._board: Any = None
        self._own, name = _connect()
        try:
            cores, nodes = int(ray.cluster_resources().get("CPU", 1)), len([n for n in ray.nodes() if n["Alive"]])
            threads = max(1, cores // workers) if workers > 1 else 1
            self._most = workers if workers > 1 else None
            resources = {"num_cpus": threads, "num_gpus": 1 if ray.cluster_resources().get("GPU") else 0}
            self._remote = ray.remote(_execute_on_ray).options(
                max_retries=0, runtime_env={"env_vars": variables | thread_variables(threads)}, **resources
            )
            self._plan, self._token = ray.put(plan), uuid.uuid4().hex
            here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
            self._board = ray.remote(ProgressBoard).options(num_cpus=0, scheduling_strategy=here).remote()
        except BaseException:
            self.close()
            raise
        some = "1 node" if nodes == 1 else f"{nodes} nodes"
        self.description = f"on {name} of {some} and {cores} cores, {threads} for each run"

    def has_room(self) -> bool:
        """Returns whether another run may be submitted; Ray starts it when the cluster has room."""
        return self._most is None or len(self._tasks) < self._most

    def submit(self, task: RunKey) -> None:
        """Submits a run to Ray."""
        number = next(self._numbers)
        reference = self._remote.remote(self._plan, self._token, self._board, number, task)
        self._tasks[reference] = _RayTask(task, number)

    def collect(self, timeout: float) -> list[tuple[RunKey, Any]]:
        """Returns the runs that ended, each with its measurement or a `LostRun`."""
        references, _ = ray.wait(list(self._tasks), num_returns=1, timeout=timeout)
        results: list[tuple[RunKey, Any]] = []
        for reference in references:
            key = self._tasks.pop(reference).key
            try:
                results.append((key, ray.get(reference)))
            except ray.exceptions.RayTaskError as error:
                raise (error.cause or error) from None
            except ray.exceptions.RayError as error:
                results.append((key, LostRun(_summary(error))))
        with contextlib.suppress(ray.exceptions.GetTimeoutError):
            self._reports = ray.get(self._board.reports.remote(), timeout=timeout)
        return results

    def progress(self, task: RunKey) -> tuple[int, int] | None:
        """Returns the progress of a run; None if Ray has not started it."""
        report = self._reports.get(self._number(task))
        return None if report is None else (report[0], report[1])

    def kill(self, task: RunKey) -> None:
        """Kills the process of a run by a task on its node, as a stopped process does not respond to Ray."""
        process, node = self._reports[self._number(task)][2:]
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        ray.remote(_kill).options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote(process)

    def close(self) -> None:
        """Ends every run, and the cluster if it was started for them."""
        if self._own:
            ray.shutdown()
            return
        for reference in self._tasks:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.cancel(reference, force=True)
        if self._board is not None:
            ray.kill(self._board)

    def _number(self, key: RunKey) -> int:
        return next(task.number for task in self._tasks.values() if task.key == key)


def _connect() -> tuple[bool, str]:
    """Connects to the cluster of `RAY_ADDRESS`, or starts one. Returns whether to shut it down, and its name."""
    if ray.is_initialized():
        return False, "the Ray cluster of this process"
    handler = signal.getsignal(signal.SIGTERM)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = os.environ.get(ADDRESS)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="os.fork")  # JAX warns; Ray's child executes another program at once
        ray.init(
            address or "local",
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray replaces it
    return True, f"the Ray cluster at {address}" if address else "a Ray cluster of this machine"


def _execute_on_ray(plan: PackedPlan, token: str, board: Any, number: int, key: RunKey) -> RunMeasurement:
    """Executes a run, and reports its progress to the board. Runs in a worker of Ray."""
    if token not in _PLANS:
        _PLANS.clear()
        _PLANS[token] = plan.unpack()
    heartbeat, over = Heartbeat(), threading.Event()
    node = ray.get_runtime_context().get_node_id()
    ray.get(board.report.remote(number, *heartbeat.progress, os.getpid(), node))  # the hang limit counts from here

    def report() -> None:
        while not over.wait(REPORT):
            board.report.remote(number, *heartbeat.progress, os.getpid(), node)

    threading.Thread(target=report, daemon=True).start()
    try:
        return execute_in_worker(_PLANS[token], key, heartbeat)
    finally:
        over.set()


def _kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def _summary(error: BaseException) -> str:
    """Returns the type of an error and the first line of its message."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {line}"
