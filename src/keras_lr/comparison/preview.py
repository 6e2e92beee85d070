"""What a comparison would do, how long it would take and what of it is done: nothing is compared, and no file is written."""

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
from keras_lr.comparison.store.identity import difference
from keras_lr.comparison.store.salvage import contents_of
from keras_lr.comparison.store.store import identity_in
from keras_lr.core.errors import ArgumentError
from keras_lr.report import text

TOGETHER = "The runs differ in their rates and seeds, so that one compiled program can train them."
DATA = ("sample_weight", "class_weight", "validation_data", "validation_split")
PLANNED = ("learning_rates", "schedules", "optimizers", "seeds", "epochs", "batch_size", "metric", "mode", "prune")


@dataclasses.dataclass(frozen=True)
class Preview:
    """What a comparison would do.

    Attributes:
        cases: The names of the cases.
        seeds: The seeds.
        epochs: Epochs of each run.
        rungs: The epochs of each shorter rung, and how many cases are in it at least.
        runs: How many runs there are; with "auto" or "halving" at least.
        updates: Updates of a run, or None where a dataset doesn't say how many batches it has.
        engine: What would make the runs.
        engine_reason: Why.
        update_seconds: An update of `fit`, as it was timed; or None.
        seconds: All runs that are missing, made by `fit` one after the other; or None where it isn't known.
        store: The path of the store, or None.
        stored: How many of the runs are in it.
        notes: What else is to be known.
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
        """What it says, by name."""
        rungs = [f"{count} cases x {epochs} epochs" for epochs, count in self.rungs]
        each = "" if self.updates is None else f", {self.updates} updates each"
        update = (
            ""
            if self.update_seconds is None
            else f" ({text.number(1000 * self.update_seconds, 2)} ms an update of fit)"
        )
        return {
            "cases": f"{len(self.cases)}: {', '.join(self.cases)}",
            "seeds": f"{len(self.seeds)}: {', '.join(map(str, self.seeds))}",
            "epochs": "; then ".join([*rungs, f"{self.epochs}"]),
            "runs": f"{self.runs}{each}",
            "engine": f"{self.engine}. {self.engine_reason}",
            "store": "none" if self.store is None else f"{self.store}: {self.stored} of {self.runs} runs are there",
            "time": "not known" if self.seconds is None else f"about {duration(self.seconds)} by fit{update}",
        }

    def __str__(self) -> str:
        rows = [f"{name:8}{said}" for name, said in self.rows.items()]
        return "\n".join([*rows, *self.notes])


def preview(build_model: Any, x: Any, y: Any = None, **arguments: Any) -> Preview:
    """Says what `compare` would do with the same arguments. A few updates are timed, on a model that is thrown away.

    Args:
        build_model: As in `compare`.
        x: As in `compare`.
        y: As in `compare`.
        **arguments: Those of `compare`.

    Returns:
        A `Preview`; print it.

    Raises:
        ArgumentError: Where `compare` would, a store with another plan included.

    Example:
        >>> import keras, numpy as np
        >>> def build_model():
        ...     model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
        ...     model.compile("sgd", "mse")
        ...     return model
        >>> told = preview(build_model, np.ones([64, 3]), np.ones(64), learning_rates=[0.1, 0.01], metric="loss", epochs=5)
        >>> told.cases, told.runs, told.updates
        (('lr 0.1', 'lr 0.01'), 6, 10)
    """
    defaults: Mapping[str, Any] = compare.__kwdefaults__ or {}
    unknown = next((name for name in arguments if name not in defaults), None)
    if unknown is not None:
        raise TypeError(f"preview() got an unexpected keyword argument {unknown!r}")
    taken = {**defaults, **arguments}
    data = {"x": x, "y": y} | {name: taken[name] for name in DATA}
    budget = Budget(taken["budget_seconds"])
    with backends.random_state():
        plan = build_plan(build_model, data, **{name: taken[name] for name in PLANNED})
        there = identity_in(taken["store"])
        ready = prepare(plan, taken["engine"], taken["workers"], lambda _: starts_in(plan, there))
        stored = _stored(ready, taken["store"], there)
        cost = cost_of_a_run(plan, ready.template.build)
    return _told(ready, plan, cost, budget, taken["store"], stored)


def _stored(ready: Preparation, store: Any, there: Mapping[str, Any] | None) -> int:
    """How many of the runs are in the store."""
    if there is None or store is None:
        return 0
    told_apart = difference(there, ready.identity()) if ready.starts or not ready.plan.auto else ""
    if told_apart:
        repair = "Pass another path, or the arguments of the plan in it"
        raise ArgumentError(WHERE, f"it holds another plan: {told_apart}", repair, store=str(store))
    runs = contents_of(store, WHERE).runs
    return sum(one.measured.run.outcome != "failed" for one in runs)


def _told(ready: Preparation, plan: Plan, cost: Cost | None, budget: Budget, store: Any, stored: int) -> Preview:
    cases, notes = _cases(ready, plan)
    rungs = _rungs(ready.plan, len(cases))
    last = max(1, -(-rungs[-1][1] // FACTOR)) if rungs else len(cases)
    seeds, runs = len(plan.seeds), 0
    seconds = None if cost is None else 0.0
    for epochs, count in (*rungs, (plan.epochs, last)):
        runs += count * seeds
        seconds = None if cost is None or seconds is None else seconds + count * seeds * cost.seconds(epochs)
    if rungs:
        notes.append("Cases that can't be told from the best of a rung go on too, so that there may be more runs.")
    if seconds is not None:
        seconds *= max(0, runs - stored) / runs
        if budget.seconds is not None and seconds > budget.seconds:
            notes.append(f"The budget is {duration(budget.seconds)}: not all runs may be made.")
    if ready.engine.name == "population":
        notes.append("One program for many runs mostly takes less time than fit; it is timed when it is made.")
    if isinstance(ready.engine, RemoteEngine):
        notes.append("The time is that of one process.")
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
    """The names of the cases that are tried first, and what is to be said of them."""
    if not plan.auto:
        return [case.name for case in plan.cases], []
    wider = f"The rates go on by {BEYOND} beyond an edge while the best is there, so that there may be more runs."
    if ready.starts:
        tried = Ladders(ready.plan, ready.starts).tried
        return [ready.plan.cases[case].name for case in tried], ["The first rates are those in the store.", wider]
    first = 2 * AROUND + 1
    names = [f"{case.name}, rate {place} of {first}" for case in plan.cases for place in range(1, first + 1)]
    return names, [f"find will give the {first} rates that it starts at.", wider]


def _rungs(plan: Plan, cases: int) -> list[tuple[int, int]]:
    """The epochs of each shorter rung, and how many cases it has at least."""
    found = []
    for epochs in rungs_of(plan):
        found.append((epochs, cases))
        cases = max(1, -(-cases // FACTOR))
    return found
