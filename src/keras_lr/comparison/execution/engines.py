"""Who makes the runs of a comparison: a `fit` each, or one compiled program for many of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, Protocol

import keras

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.callbacks.monitor import LearningRateMonitor
from keras_lr.comparison.execution.grouping import Group, Workshop, obstacle, own_step
from keras_lr.comparison.execution.placement import PROCESS, Nearest, There
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning import data_checks
from keras_lr.comparison.planning.plan import WHERE, Plan, PlannedCase
from keras_lr.core.errors import ArgumentError
from keras_lr.engines.fit import TrainingRun, train
from keras_lr.engines.programs.jax_process import BACKEND, MISSING, ProgramResult, available, train_members
from keras_lr.engines.workers.heartbeat import Heartbeat, HeartbeatCallback, interrupt_hangs

ENGINES = ["auto", "sequential", "population"]
NO_PROGRAM = "the runs can't share a program"
ONE_BY_ONE = "Pass engine='auto' to train such runs one after the other"
UPDATE = 0.0002  # seconds, at a guess, until it is measured
ALONE = "The runs are made one after the other, in this process: {}."
Runs = Generator[tuple[RunKey, RunMeasurement], None, None]


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

    def runs(self, keys: Sequence[RunKey]) -> Runs:
        """Makes runs and hands each over as soon as it is finished."""
        ...


class Sequential:
    """A `fit` for each run, one after the other, in this process."""

    name = "sequential"

    def __init__(
        self,
        plan: Plan,
        build: Callable[[], Any],
        reason: str,
        watch: Callable[[Callable[[Heartbeat], TrainingRun]], TrainingRun] = interrupt_hangs,
    ) -> None:
        self._plan, self._build, self.reason, self._watch = plan, build, reason, watch

    def runs(self, keys: Sequence[RunKey]) -> Runs:
        """Makes runs, each with a new model."""
        for key in keys:
            yield key, self._one(self._plan.cases[key.case], key.seed)

    def _one(self, case: PlannedCase, seed: int) -> RunMeasurement:
        def prepare(model: Any) -> None:
            optimizer = case.optimizer_for(model.optimizer)
            if optimizer is not model.optimizer:
                machinery.replace_optimizer(model, optimizer)

        monitor = LearningRateMonitor()
        arguments, stop = self._plan.fit_arguments, self._plan.prune is not None

        def make(heartbeat: Heartbeat) -> TrainingRun:
            callbacks = [_MetricCheck(self._plan), monitor, HeartbeatCallback(heartbeat)]
            return train(self._build, prepare, arguments, seed=seed, callbacks=callbacks, stop_on_divergence=stop)

        return RunMeasurement(self._watch(make), tuple(monitor.learning_rates))


class Population:
    """Runs that differ in their rates, seeds and floats of the optimizer, trained by one compiled program.

    On JAX it may train all together, from other backends in a process of its own; or it trains one after the other here.

    Args:
        plan: The plan.
        build: Makes a compiled model.
        only: Whether to raise where a JAX program can't be made, instead of making the runs one by one.
        against: Why no process with JAX can serve, or None.
    """

    def __init__(self, plan: Plan, build: Callable[[], Any], only: bool, against: str | None = None) -> None:
        self._plan, self._build, self._only, self._against = plan, build, only, against
        self._reasons: dict[str, str] = {}  # by the name of the engine that it led to

    @property
    def name(self) -> str:
        """The engine that made the runs so far; "population" where that is not known yet, or one made some of them."""
        names = list(self._reasons)
        alone = names == [Sequential.name] or not (names or _on_jax() or self._there_at_once())
        return Sequential.name if alone else "population"

    @property
    def reason(self) -> str:
        """Why the runs were made as they were."""
        return " ".join(self._reasons.values())

    def runs(self, keys: Sequence[RunKey]) -> Runs:
        """Makes runs, a group of cases with like optimizers at a time."""
        done_by = self._place()
        shop = Workshop(self._plan, self._build)
        for group in shop.groups(keys):
            done = done_by(shop, group)
            if done.members is not None:
                name = Sequential.name if isinstance(done_by, Nearest) and done_by.here else "population"
                self._reasons[name] = done.reason
                _check_metric(self._plan, done.members[0][0].run.history)
                yield from shop.measured(group, done.members)
                continue
            if self._only:
                raise ArgumentError(WHERE, f"{NO_PROGRAM}: {done.reason}", ONE_BY_ONE, engine="population")
            one_by_one = Sequential(self._plan, self._build, ALONE.format(done.reason))
            self._reasons[one_by_one.name] = one_by_one.reason
            yield from one_by_one.runs([self._plan.key(case, seed) for seed in group.seeds for case in group.cases])

    def _place(self) -> Callable[[Workshop, Group], ProgramResult]:
        if _on_jax():
            return self._done_here
        return There() if self._only else Nearest(self._against, self._there_at_once())

    def _there_at_once(self) -> bool:
        """Whether the runs are so many, at a guess, that a process with JAX is worth starting."""
        updates = self._plan.epochs * (data_checks.examples_of(self._plan.data["x"]) // (self._plan.batch_size or 32))
        runs = len(self._plan.cases) * len(self._plan.seeds)
        return self._only or (self._against is None and runs * updates * UPDATE > PROCESS)

    @staticmethod
    def _done_here(shop: Workshop, group: Group) -> ProgramResult:
        make = backends.programs(shop.traced(group), shop.train, shop.validation, shop.batch_size)
        return train_members(make, shop.members(group))


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
    against, on_jax = obstacle(plan, model), own_step(model)
    if on_jax is None and not _on_jax() and not available():
        on_jax = MISSING
    if chosen == "population":
        if against or on_jax:
            raise ArgumentError(WHERE, f"{NO_PROGRAM}: {against or on_jax}", ONE_BY_ONE, engine=chosen)
        return Population(plan, build, only=True)
    if against is None and len(plan.cases) * len(plan.seeds) == 1:
        against = "there is only one run"
    if against is None and _on_jax():
        against = on_jax
    if against is not None:
        return Sequential(plan, build, ALONE.format(against))
    return Population(plan, build, only=False, against=on_jax or _slower_on_jax(model))


def kept_as(engine: Engine) -> str:
    """Whose runs they are in a store, which has only runs with the same orders of the data: a `fit` draws its own."""
    return "population" if isinstance(engine, Population) else Sequential.name


def _on_jax() -> bool:
    return bool(keras.backend.backend() == BACKEND)


def _slower_on_jax(model: Any) -> str | None:
    """What is known to be no faster in a process with JAX, or None."""
    convolves = any("Conv" in type(layer).__name__ for layer in machinery.layers_of(model))
    return (
        "JAX is no faster at convolutions on a CPU" if convolves and backends.active().devices() == ["CPU:0"] else None
    )


class _MetricCheck(keras.callbacks.Callback):
    """Refuses, after the first epoch of a run, a metric that was not logged."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch == 0 and logs is not None:
            _check_metric(self._plan, logs)


def _check_metric(plan: Plan, logged: Iterable[str]) -> None:
    if plan.metric not in logged:
        repair = f"Pass one of {', '.join(logged)}"
        raise ArgumentError(WHERE, f"the model has no metric {plan.metric!r}", repair, metric=plan.metric)
