"""Engines that train the runs of a comparison in this process: by `fit`, or by one compiled program for many runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

import keras

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.comparison.execution.grouping import ProgramInputs, obstacle, own_step
from keras_lr.comparison.execution.one_run import check_metric, execute_run
from keras_lr.comparison.execution.placement import PROCESS, FastestTrainer, JaxTrainer, ProgramTrainer, train_here
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning import data_checks
from keras_lr.comparison.planning.plan import WHERE, Plan
from keras_lr.core.errors import ArgumentError
from keras_lr.engines.programs.jax_process import BACKEND, MISSING, available

SEQUENTIAL, POPULATION = "sequential", "population"
ENGINES = ["auto", SEQUENTIAL, POPULATION]
NO_PROGRAM = "the runs can't share a program"
SEPARATE = "Pass engine='auto' to train such runs one after the other"
UPDATE = 0.0002  # seconds, a guess until updates are timed
ALONE = "The runs are trained one after the other in this process{}."
Runs = Generator[tuple[RunKey, RunMeasurement], None, None]


class Engine(Protocol):
    """Executes runs. Its name and reason are final after the last run."""

    @property
    def name(self) -> str:
        """The engine's name in the record."""

    @property
    def reason(self) -> str:
        """A sentence on why it was chosen."""

    @property
    def separable(self) -> bool:
        """Whether asking for one run at a time costs no more than asking for several."""

    def runs(self, keys: Sequence[RunKey]) -> Runs:
        """Executes runs, and yields each as soon as it ends."""


class SequentialEngine:
    """Trains one run after the other by `fit`, in this process; `reason` says why this engine was chosen."""

    name, separable = SEQUENTIAL, True

    def __init__(self, plan: Plan, build: Callable[[], Any], reason: str) -> None:
        self._plan, self._build, self.reason = plan, build, reason

    def runs(self, keys: Sequence[RunKey]) -> Runs:
        """Executes runs, each with a new model."""
        for key in keys:
            yield key, execute_run(self._plan, key, self._build)


class PopulationEngine:
    """Trains runs that differ only in their rates, their seeds and floats of the optimizer, by one compiled program.

    A JAX program may train all runs together; on other backends it runs in a process of its own. The alternative is a
    program that trains one run after the other in this process.

    Args:
        plan: Defines the runs.
        build: Returns a new, compiled model.
        required: Whether to raise if the runs can't share a JAX program, instead of training them one by one.
        against: Why the runs can't use a process with JAX, or None.
    """

    def __init__(self, plan: Plan, build: Callable[[], Any], required: bool, against: str | None = None) -> None:
        self._plan, self._build, self._required, self._against = plan, build, required, against
        self._reasons: dict[str, str] = {}  # by the name of the engine that they led to

    @property
    def name(self) -> str:
        """The engine that trained the runs so far; "population" if that is unknown, or if it trained some of them."""
        names = list(self._reasons)
        alone = names == [SEQUENTIAL] or not (names or _on_jax() or self._is_large())
        return SEQUENTIAL if alone else POPULATION

    @property
    def reason(self) -> str:
        """Why the runs were trained as they were."""
        return " ".join(self._reasons.values())

    @property
    def separable(self) -> bool:
        """Whether the runs are trained one by one."""
        return self.name == SEQUENTIAL

    def runs(self, keys: Sequence[RunKey]) -> Runs:
        """Executes runs, one group of similar cases at a time."""
        train, inputs = self._trainer(), ProgramInputs(self._plan, self._build)
        for group in inputs.groups(keys):
            result = train(inputs, group)
            if result.members is not None:
                name = SEQUENTIAL if isinstance(train, FastestTrainer) and train.here else POPULATION
                self._reasons[name] = result.reason
                check_metric(self._plan, result.members[0][0].run.history)
                yield from inputs.measurements(group, result.members)
                continue
            if self._required:
                raise ArgumentError(WHERE, f"{NO_PROGRAM}: {result.reason}", SEPARATE, engine=POPULATION)
            alone = SequentialEngine(self._plan, self._build, ALONE.format(f": {result.reason}"))
            self._reasons[SEQUENTIAL] = alone.reason
            yield from alone.runs([self._plan.key(case, seed) for seed in group.seeds for case in group.cases])

    def _trainer(self) -> ProgramTrainer:
        if _on_jax():
            return train_here
        return JaxTrainer() if self._required else FastestTrainer(self._against, self._is_large())

    def _is_large(self) -> bool:
        """Returns whether there are probably enough updates to start a process with JAX at once."""
        updates = self._plan.epochs * (data_checks.examples_of(self._plan.data["x"]) // (self._plan.batch_size or 32))
        runs = len(self._plan.cases) * len(self._plan.seeds)
        return self._required or (self._against is None and runs * updates * UPDATE > PROCESS)


def local_engine(plan: Plan, build: Callable[[], Any], model: Any, chosen: str) -> Engine:
    """Returns the engine for a plan in this process; `chosen` is one of `ENGINES`, `model` a model that `build` returned.

    Raises:
        ArgumentError: The chosen engine can't execute these runs.
    """
    if chosen == SEQUENTIAL:
        return SequentialEngine(plan, build, ALONE.format(", as requested"))
    against, on_jax = obstacle(plan, model), own_step(model)
    if on_jax is None and not _on_jax() and not available():
        on_jax = MISSING
    if chosen == POPULATION:
        if against or on_jax:
            raise ArgumentError(WHERE, f"{NO_PROGRAM}: {against or on_jax}", SEPARATE, engine=chosen)
        return PopulationEngine(plan, build, required=True)
    if against is None and len(plan.cases) * len(plan.seeds) == 1:
        against = "there is only one run"
    if against is None and _on_jax():
        against = on_jax
    if against is not None:
        return SequentialEngine(plan, build, ALONE.format(f": {against}"))
    return PopulationEngine(plan, build, required=False, against=on_jax or _slower_on_jax(model))


def stored_name(engine: Engine) -> str:
    """Returns the engine that a store is tied to: `fit` draws other orders of the data than a program."""
    return POPULATION if isinstance(engine, PopulationEngine) else SEQUENTIAL


def _on_jax() -> bool:
    return bool(keras.backend.backend() == BACKEND)


def _slower_on_jax(model: Any) -> str | None:
    """Returns why a process with JAX can't be faster, or None."""
    convolves = any("Conv" in type(layer).__name__ for layer in machinery.layers_of(model))
    on_cpu = convolves and backends.active().devices() == ["CPU:0"]
    return "JAX is not faster at convolutions on a CPU" if on_cpu else None
