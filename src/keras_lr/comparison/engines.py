"""Who makes the runs of a comparison: a `fit` each, or one compiled program for many of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import keras

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.callbacks.monitor import LearningRateMonitor
from keras_lr.comparison import inputs
from keras_lr.comparison.plan import WHERE, Place, Plan, PlannedCase
from keras_lr.comparison.summary import Measured
from keras_lr.comparison.together import Group, Workshop, obstacle
from keras_lr.core.errors import ArgumentError
from keras_lr.engines.probe import description
from keras_lr.engines.training import train
from keras_lr.engines.worker import BACKEND, MISSING, Done, Job, Worker, available, trained

ENGINES = ["auto", "sequential", "population"]
NO_PROGRAM = "the runs can't share a program"
ONE_BY_ONE = "Pass engine='auto' to train such runs one after the other"
RUN, UPDATE, PROCESS = (
    0.5,
    0.001,
    6.0,
)  # seconds, roughly: to trace a run, for an update, to start a process and compile
ALONE = "The runs are made one after the other, in this process: {}."
Runs = Iterator[tuple[Place, Measured]]


class Engine(Protocol):
    """What makes runs. Its name and its reason are complete once the last run is there."""

    @property
    def name(self) -> str:
        """Which engine it is."""
        ...

    @property
    def reason(self) -> str:
        """Why it was chosen."""
        ...

    def runs(self, places: Sequence[Place]) -> Runs:
        """Makes runs and hands each over as soon as it is finished."""
        ...


class Sequential:
    """A `fit` for each run, one after the other, in this process."""

    name = "sequential"

    def __init__(self, plan: Plan, build: Callable[[], Any], reason: str) -> None:
        self._plan, self._build, self.reason = plan, build, reason

    def runs(self, places: Sequence[Place]) -> Runs:
        """Makes runs, each with a new model."""
        for case, seed in places:
            yield (case, seed), self._one(self._plan.cases[case], seed)

    def _one(self, case: PlannedCase, seed: int) -> Measured:
        def prepare(model: Any) -> None:
            optimizer = case.optimizer_for(model.optimizer)
            if optimizer is not model.optimizer:
                machinery.replace_optimizer(model, optimizer)

        monitor = LearningRateMonitor()
        callbacks = [_MetricCheck(self._plan), monitor]
        run = train(self._build, prepare, self._plan.fit_arguments, seed=seed, callbacks=callbacks)
        return Measured(run, tuple(monitor.learning_rates))


class Population:
    """Runs that differ in their rates and seeds, trained by one compiled JAX program.

    Args:
        plan: The plan.
        build: Makes a compiled model.
        only: Whether to raise where a program can't be made, instead of making the runs one by one.
    """

    def __init__(self, plan: Plan, build: Callable[[], Any], only: bool) -> None:
        self._plan, self._build, self._only = plan, build, only
        self._reasons: dict[str, str] = {}  # by the name of the engine that it led to

    @property
    def name(self) -> str:
        """The engine that made most of the runs so far."""
        return Sequential.name if list(self._reasons) == [Sequential.name] else "population"

    @property
    def reason(self) -> str:
        """Why the runs were made as they were."""
        return " ".join(self._reasons.values())

    def runs(self, places: Sequence[Place]) -> Runs:
        """Makes runs, a group of cases with like optimizers at a time."""
        done_by = self._done_here if keras.backend.backend() == BACKEND else _There()
        shop = Workshop(self._plan, self._build)
        for group in shop.groups(places):
            done = done_by(shop, group)
            if done.members is not None:
                self._reasons["population"] = done.reason
                yield from shop.measured(group, done.members)
                continue
            if self._only:
                raise ArgumentError(WHERE, f"{NO_PROGRAM}: {done.reason}", ONE_BY_ONE, engine="population")
            one_by_one = Sequential(self._plan, self._build, ALONE.format(done.reason))
            self._reasons[one_by_one.name] = one_by_one.reason
            yield from one_by_one.runs([(case, seed) for seed in group.seeds for case in group.cases])

    @staticmethod
    def _done_here(shop: Workshop, group: Group) -> Done:
        make = backends.programs(shop.traced(group), shop.train, shop.validation, shop.batch_size)
        return trained(make, shop.members(group))


class _There:
    """Groups trained in a process of its own, which is started at once and is ready when the first group is."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        try:
            self._worker = Worker()
        except (OSError, ImportError, RuntimeError) as error:  # a machine that lets no process talk to another
            self._against = f"no process with JAX could be started: {type(error).__name__}: {error}"

    def __call__(self, shop: Workshop, group: Group) -> Done:
        if self._worker is None:
            return Done(None, self._against)
        try:
            described = description(shop.traced(group))
        except Exception as error:  # a layer, a loss or a metric of the user's own, which can be made here alone
            return Done(None, f"the model can't be handed to a JAX process: {type(error).__name__}: {error}")
        done = self._worker.train(Job(described, shop.train, shop.validation, shop.batch_size, shop.members(group)))
        return done if done.members is None else Done(done.members, f"{done.reason} It runs in a process of its own.")


def engine_for(plan: Plan, build: Callable[[], Any], model: Any, chosen: str) -> Engine:
    """The engine for a plan.

    Args:
        plan: The plan.
        build: Makes a compiled model.
        model: One that it made.
        chosen: "auto", "sequential" or "population".

    Raises:
        ArgumentError: The engine that was asked for can't make these runs.
    """
    if chosen == "sequential":
        return Sequential(plan, build, "The runs are made one after the other, in this process, as was asked for.")
    against = obstacle(plan, model)
    if against is None and keras.backend.backend() != BACKEND and not available():
        against = MISSING
    if chosen == "population":
        if against is not None:
            raise ArgumentError(WHERE, f"{NO_PROGRAM}: {against}", ONE_BY_ONE, engine=chosen)
        return Population(plan, build, only=True)
    if against is None:
        against = _too_little(plan, model)
    return Population(plan, build, only=False) if against is None else Sequential(plan, build, ALONE.format(against))


def _too_little(plan: Plan, model: Any) -> str | None:
    """Why a program is not worth its making, or None where it is."""
    runs = len(plan.cases) * len(plan.seeds)
    if runs == 1:
        return "there is only one run"
    if keras.backend.backend() == BACKEND:
        return None
    if _convolves(model) and keras.backend.backend() == "tensorflow" and backends.active().devices() == ["CPU:0"]:
        return "TensorFlow is faster than JAX at convolutions on a CPU"
    updates = plan.epochs * (inputs.examples_of(plan.data["x"]) // (plan.batch_size or 32))
    if runs * (RUN + UPDATE * updates) > PROCESS:
        return None
    return f"{runs} short runs take less time than starting a process with JAX"


def _convolves(model: Any) -> bool:
    return any("Conv" in type(layer).__name__ for layer in machinery.layers_of(model))


class _MetricCheck(keras.callbacks.Callback):
    """Refuses, after the first epoch of a run, a metric that was not logged."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch == 0 and logs is not None and self._plan.metric not in logs:
            rule = f"the model has no metric {self._plan.metric!r}"
            raise ArgumentError(WHERE, rule, f"Pass one of {', '.join(logs)}", metric=self._plan.metric)
