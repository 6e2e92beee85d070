"""`preview`: what a comparison would do, how long it would take, and what a store already has of it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_lr import backends
from keras_lr.comparison.compare import compare
from keras_lr.comparison.execution.workers import RemoteEngine
from keras_lr.comparison.planning.auto_rates import AROUND, BEYOND, Ladders, starts_in
from keras_lr.comparison.planning.budget import Budget, duration
from keras_lr.comparison.planning.cost import Cost, cost_of_a_run, updates_per_epoch
from keras_lr.comparison.planning.halving import FACTOR, rungs_of
from keras_lr.comparison.planning.plan import WHERE, Plan, build_plan
from keras_lr.comparison.prepared import Preparation, prepare
from keras_lr.comparison.store.identity import check_identity
from keras_lr.comparison.store.salvage import contents_of
from keras_lr.comparison.store.store import identity_in
from keras_lr.report import text

TOGETHER = "The runs differ in their rates and seeds, so that one compiled program can train them."
DATA = ("sample_weight", "class_weight", "validation_data", "validation_split")
PLANNED = ("learning_rates", "schedules", "optimizers", "seeds", "epochs", "batch_size", "metric", "mode", "prune")


@dataclasses.dataclass(frozen=True)
class Preview:
    """What a comparison would do.

    Attributes:
        cases: Their names.
        seeds: As in `compare`, as a list.
        epochs: Epochs of each run.
        rungs: For each shorter rung its epochs and its least number of cases.
        runs: The number of runs; with "auto" or "halving" the least number.
        updates: Updates of a run, or None if a dataset has no length.
        engine: The engine that would execute the runs.
        engine_reason: Why this engine.
        update_seconds: The measured time of an update by `fit`, or None.
        seconds: The expected time of all missing runs, by `fit` one after the other; None if unknown.
        store: The path of the store, or None.
        stored: How many of the runs the store has.
        notes: Limits of these numbers.
    """

    cases: tuple[str, ...]
    seeds: tuple[int, ...]
    epochs: int
    rungs: tuple[tuple[int, int], ...]
    runs: int
    updates: int | None
    engine: str
    engine_reason: str
    update_seconds: float | None
    seconds: float | None
    store: str | None
    stored: int
    notes: tuple[str, ...]

    @property
    def rows(self) -> dict[str, str]:
        """The preview as texts, by name."""
        rungs = [f"{count} cases x {epochs} epochs" for epochs, count in self.rungs]
        each = "" if self.updates is None else f", {self.updates} updates each"
        milliseconds = None if self.update_seconds is None else text.number(1000 * self.update_seconds, 2)
        update = "" if milliseconds is None else f" ({milliseconds} ms an update of fit)"
        return {
            "cases": f"{len(self.cases)}: {', '.join(self.cases)}",
            "seeds": f"{len(self.seeds)}: {', '.join(map(str, self.seeds))}",
            "epochs": "; then ".join([*rungs, f"{self.epochs}"]),
            "runs": f"{self.runs}{each}",
            "engine": f"{self.engine}. {self.engine_reason}",
            "store": "none" if self.store is None else f"{self.store}: has {self.stored} of {self.runs} runs",
            "time": "unknown" if self.seconds is None else f"about {duration(self.seconds)} by fit{update}",
        }

    def __str__(self) -> str:
        rows = [f"{name:8}{value}" for name, value in self.rows.items()]
        return "\n".join([*rows, *self.notes])


def preview(build_model: Any, x: Any, y: Any = None, **arguments: Any) -> Preview:
    """Returns a `Preview`, to print: what `compare` would do with the same arguments. Times a few updates and writes no file.

    Raises:
        ArgumentError: `compare` would raise it, for a store with another plan too.

    Example:
        >>> import keras, numpy as np
        >>> def build_model():
        ...     model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
        ...     model.compile("sgd", "mse")
        ...     return model
        >>> plan = preview(build_model, np.ones([64, 3]), np.ones(64), learning_rates=[0.1, 0.01], metric="loss", epochs=5)
        >>> plan.cases, plan.runs, plan.updates
        (('lr 0.1', 'lr 0.01'), 6, 10)
    """
    defaults: Mapping[str, Any] = compare.__kwdefaults__ or {}
    unknown = next((name for name in arguments if name not in defaults), None)
    if unknown is not None:
        raise TypeError(f"preview() got an unexpected keyword argument {unknown!r}")
    arguments = {**defaults, **arguments}
    data = {"x": x, "y": y} | {name: arguments[name] for name in DATA}
    budget = Budget(arguments["budget_seconds"])
    with backends.random_state():
        plan = build_plan(build_model, data, **{name: arguments[name] for name in PLANNED})
        identity = identity_in(arguments["store"])
        ready = prepare(plan, arguments["engine"], arguments["workers"], lambda _: starts_in(plan, identity))
        stored = _stored(ready, arguments["store"], identity)
        cost = cost_of_a_run(plan, ready.template.build)
    return _preview(ready, plan, cost, budget, arguments["store"], stored)


def _stored(ready: Preparation, store: Any, identity: Mapping[str, Any] | None) -> int:
    """Counts the runs in the store."""
    if identity is None or store is None:
        return 0
    if ready.starts or not ready.plan.auto:
        check_identity(identity, ready.identity(), store)
    return sum(one.measured.run.outcome != "failed" for one in contents_of(store, WHERE).runs)


def _preview(ready: Preparation, plan: Plan, cost: Cost | None, budget: Budget, store: Any, stored: int) -> Preview:
    cases, notes = _cases(ready, plan)
    rungs = _rungs(ready.plan, len(cases))
    last = max(1, -(-rungs[-1][1] // FACTOR)) if rungs else len(cases)
    seeds, runs = len(plan.seeds), 0
    seconds = None if cost is None else 0.0
    for epochs, count in (*rungs, (plan.epochs, last)):
        runs += count * seeds
        seconds = None if cost is None or seconds is None else seconds + count * seeds * cost.seconds(epochs)
    if rungs:
        notes.append("Cases that are indistinguishable from the best of a rung stay too, so there may be more runs.")
    if seconds is not None:
        seconds *= max(0, runs - stored) / runs
        if budget.seconds is not None and seconds > budget.seconds:
            notes.append(f"The budget is {duration(budget.seconds)}: it may not be enough for all runs.")
    if ready.engine.name == "population":
        notes.append("One program for many runs usually takes less time than fit; it is timed when it is compiled.")
    if isinstance(ready.engine, RemoteEngine):
        notes.append("The time is for one process.")
    updates = updates_per_epoch(plan)
    return Preview(
        cases=tuple(cases),
        seeds=plan.seeds,
        epochs=plan.epochs,
        rungs=tuple(rungs),
        runs=runs,
        updates=None if updates is None else updates * plan.epochs,
        engine=ready.engine.name,
        engine_reason=ready.engine.reason or TOGETHER,
        update_seconds=None if cost is None else cost.update,
        seconds=seconds,
        store=None if store is None else str(pathlib.Path(store)),
        stored=stored,
        notes=tuple(notes),
    )


def _cases(ready: Preparation, plan: Plan) -> tuple[list[str], list[str]]:
    """Returns the names of the first cases, and notes on them."""
    if not plan.auto:
        return [case.name for case in plan.cases], []
    wider = f"While the best rate is the smallest or the largest, {BEYOND} more are added, so there may be more runs."
    if ready.starts:
        first = Ladders(ready.plan, ready.starts).tried
        return [ready.plan.cases[case].name for case in first], ["The store has the first rates.", wider]
    count = 2 * AROUND + 1
    names = [f"{case.name}, rate {number} of {count}" for case in plan.cases for number in range(1, count + 1)]
    return names, [f"find will select the first {count} rates.", wider]


def _rungs(plan: Plan, cases: int) -> list[tuple[int, int]]:
    """Returns the epochs of each shorter rung, and its least number of cases."""
    rungs = []
    for epochs in rungs_of(plan):
        rungs.append((epochs, cases))
        cases = max(1, -(-cases // FACTOR))
    return rungs
