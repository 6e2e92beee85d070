"""The crew of `engine="ray"`: each run is a Ray task. Ray is imported here alone, and only when it is asked for."""

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

from keras_lr.comparison.execution.transport import Parcel
from keras_lr.comparison.execution.workers import made
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning.plan import Plan
from keras_lr.engines.workers.heartbeat import Heartbeat
from keras_lr.engines.workers.local import thread_variables
from keras_lr.engines.workers.pool import LostRun

ADDRESS = "RAY_ADDRESS"
REPORT = 0.5  # seconds between the reports of a run
_OPEN: dict[str, Plan] = {}  # in a worker, the plan that it makes runs of


@dataclasses.dataclass
class _Trial:
    """A run that was given to Ray."""

    place: RunKey
    key: int


class Board:
    """Where runs report how far they are. An actor of Ray, on the driver's node."""

    def __init__(self) -> None:
        self._reports: dict[int, tuple[Any, ...]] = {}

    def put(self, key: int, *report: Any) -> None:
        """A run's signs of life and updates, its process and its node."""
        self._reports[key] = report

    def reports(self) -> dict[int, tuple[Any, ...]]:
        """The last report of every run."""
        return self._reports


class Cluster:
    """The cluster that is there, or one of this machine, which is ended with the last run.

    Args:
        sent: The plan.
        workers: How many runs at once; 1 is as many as there is room for.
        variables: The environment of a run.

    Attributes:
        description: Where the runs are made, in words.
    """

    def __init__(self, sent: Parcel, workers: int, variables: dict[str, str]) -> None:
        self._trials: dict[Any, _Trial] = {}
        self._keys = itertools.count()
        self._reports: dict[int, tuple[Any, ...]] = {}
        self._board: Any = None
        self._own, where = _connect()
        try:
            cores, nodes = int(ray.cluster_resources().get("CPU", 1)), len([n for n in ray.nodes() if n["Alive"]])
            threads = max(1, cores // workers) if workers > 1 else 1
            self._most = workers if workers > 1 else None
            resources = {"num_cpus": threads, "num_gpus": 1 if ray.cluster_resources().get("GPU") else 0}
            self._task = ray.remote(_made_there).options(
                max_retries=0, runtime_env={"env_vars": variables | thread_variables(threads)}, **resources
            )
            self._sent, self._token = ray.put(sent), uuid.uuid4().hex
            here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
            self._board = ray.remote(Board).options(num_cpus=0, scheduling_strategy=here).remote()
        except BaseException:
            self.close()
            raise
        some = "1 node" if nodes == 1 else f"{nodes} nodes"
        self.description = f"on {where} of {some} and {cores} cores, {threads} for each, as was asked for"

    def has_room(self) -> bool:
        """Whether another run may be given to Ray, which begins it where it has room."""
        return self._most is None or len(self._trials) < self._most

    def submit(self, task: RunKey) -> None:
        """Gives a run to Ray."""
        key = next(self._keys)
        self._trials[self._task.remote(self._sent, self._token, self._board, key, task)] = _Trial(task, key)

    def collect(self, timeout: float) -> list[tuple[RunKey, Any]]:
        """The runs that ended, with what was made, or `LostRun`."""
        done, _ = ray.wait(list(self._trials), num_returns=1, timeout=timeout)
        found: list[tuple[RunKey, Any]] = []
        for reference in done:
            trial = self._trials.pop(reference)
            try:
                found.append((trial.place, ray.get(reference)))
            except ray.exceptions.RayTaskError as error:
                raise (error.cause or error) from None
            except ray.exceptions.RayError as error:
                found.append((trial.place, LostRun(_short(error))))
        with contextlib.suppress(ray.exceptions.GetTimeoutError):
            self._reports = ray.get(self._board.reports.remote(), timeout=timeout)
        return found

    def progress(self, task: RunKey) -> tuple[int, int] | None:
        """The signs of life of a run and its updates; None where Ray has not begun it."""
        report = self._reports.get(self._trial(task).key)
        return None if report is None else (report[0], report[1])

    def kill(self, task: RunKey) -> None:
        """Kills the process of a run, by a task on its node: one that is stopped hears no word of Ray's."""
        process, node = self._reports[self._trial(task).key][2:]
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        ray.remote(_kill).options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote(process)

    def close(self) -> None:
        """Ends every run, and the cluster where it was started for them."""
        if self._own:
            ray.shutdown()
            return
        for reference in self._trials:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.cancel(reference, force=True)
        if self._board is not None:
            ray.kill(self._board)

    def _trial(self, task: RunKey) -> _Trial:
        return next(trial for trial in self._trials.values() if trial.place == task)


def _connect() -> tuple[bool, str]:
    """Connects to the cluster that was named, or starts one. Returns whether it was started, and what it is."""
    if ray.is_initialized():
        return False, "the Ray cluster of this process"
    term = signal.getsignal(signal.SIGTERM)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = os.environ.get(ADDRESS)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="os.fork")  # of JAX; Ray's child becomes another program at once
        ray.init(
            address or "local",
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, term)  # Ray puts its own there
    return True, f"the Ray cluster at {address}" if address else "a Ray cluster of this machine"


def _made_there(sent: Parcel, token: str, board: Any, key: int, place: RunKey) -> RunMeasurement:
    """Makes a run. Runs in a worker of Ray."""
    if token not in _OPEN:
        _OPEN.clear()
        _OPEN[token] = sent.open()
    heartbeat, over = Heartbeat(), threading.Event()
    node = ray.get_runtime_context().get_node_id()
    ray.get(board.put.remote(key, *heartbeat.progress, os.getpid(), node))  # from here on its limit counts

    def report() -> None:
        while not over.wait(REPORT):
            board.put.remote(key, *heartbeat.progress, os.getpid(), node)

    threading.Thread(target=report, daemon=True).start()
    try:
        return made(_OPEN[token], place, heartbeat)
    finally:
        over.set()


def _kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def _short(error: BaseException) -> str:
    """The kind of an error of Ray and the first line of what it says."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {said}"
