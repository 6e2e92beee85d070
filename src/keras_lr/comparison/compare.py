"""`compare`: prepare a plan, execute its runs, and summarize them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from keras_lr import backends
from keras_lr.comparison.execution.executor import Executor
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning.auto_rates import Ladders, notes_of, starts_of
from keras_lr.comparison.planning.budget import Budget
from keras_lr.comparison.planning.cost import cost_of_a_run
from keras_lr.comparison.planning.halving import promote, rungs_of
from keras_lr.comparison.planning.plan import build_plan
from keras_lr.comparison.prepared import Preparation, prepare
from keras_lr.comparison.result import Comparison
from keras_lr.comparison.store.store import identity_in, open_store
from keras_lr.comparison.summarize import Course, summarize


def compare(
    build_model: Callable[[], Any],
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    validation_data: Any = None,
    validation_split: float = 0.0,
    learning_rates: Any = None,
    schedules: dict[str, Any] | None = None,
    optimizers: Any = None,
    seeds: Any = 3,
    epochs: int = 1,
    batch_size: int | None = None,
    metric: str = "val_loss",
    mode: str = "auto",
    store: str | os.PathLike[str] | None = None,
    engine: str = "auto",
    workers: int = 1,
    prune: str | None = "divergence",
    budget_seconds: float | None = None,
    verbose: str | int = "auto",
) -> Comparison:
    """Trains every case with every seed; reports the best case and the cases that are indistinguishable from it.

    The cases are `optimizers` x `schedules` x `learning_rates`; what you leave out stays as `build_model` compiled it. All
    cases share the seeds, so they are compared seed by seed. A run that diverges or fails (out of memory, for example) has
    no score, and the other runs continue; the record has the traceback. Global random states are left unchanged.

    Args:
        build_model: Returns a new, compiled model; its loss, metrics and optimizer are the template of every case.
        x: Arrays, a PyDataset, a `tf.data.Dataset` or a DataLoader, as for `fit`.
        y: The targets, with arrays.
        sample_weight: Weights of the examples, with arrays.
        class_weight: Weights of the classes, a dict.
        validation_data: As for `fit`.
        validation_split: The share of arrays to validate on, their last part.
        learning_rates: A list of rates; with `schedules`, a rate multiplies each schedule. "auto" runs `find` for each
            optimizer and schedule and starts at five rates, half a decade apart, around its answer. While the best rate
            is the smallest or the largest, it adds two more beyond, for up to three decades.
        schedules: A dict from names to schedules of Keras or keras-lr; lengths may have units such as "10%".
        optimizers: A list of Keras's names, or a dict from names to optimizers, which are cloned and never trained.
        seeds: A count, or a list of seeds. A seed sets initial weights, order of the data and dropout.
        epochs: Epochs of every run.
        batch_size: Examples in a batch of arrays; None is Keras's 32.
        metric: The metric to compare after the last epoch, by its name in `History`.
        mode: "min", "max", or "auto", which decides by the name: larger is better for accuracy and the like.
        store: A file for the runs, such as "runs.sqlite". If it exists, the call continues where it stopped; all other
            arguments must be the same. A dataset is identified by its type only, not by its contents.
        engine: "sequential" calls `fit` for each run. "population" trains runs that differ in rates and seeds by one
            compiled program on JAX and records the raw loss of every update; it needs arrays and a model without its own
            training step. "auto" selects the fastest, and `engine_reason` says why. "ray" executes the runs on a Ray
            cluster, that of `RAY_ADDRESS` or else a local one, each as "sequential" does.
        workers: The number of processes. Each calls `fit` with its share of the cores. A process that dies, or makes no
            progress for `KERAS_LR_HANG_SECONDS` (600), is replaced and its run starts again. With "ray", the number of
            concurrent runs; 1 is as many as fit the cluster.
        prune: "divergence" ends a run at its first loss that is not finite. None trains on to the last epoch; a run is
            diverged if its loss is not finite then. "halving" compares all cases over a ninth of the epochs (with three
            cases or fewer, over a third). The better third continues over a third of the epochs, and the better third of
            these over all. Indistinguishable cases stay. Each rung starts from scratch and its schedules shrink with it, so their
            lengths must be shares. Beware of short horizons: the best rate over few epochs is usually too small, or too
            large if the task overfits later. A dropped case has no score and never counts as indistinguishable.
        budget_seconds: The time limit. No run starts that is expected to end later; a run that has started is finished.
            Cases get their seeds in turn, and the statistics use the seeds that all of them have. With a `store`, a
            later call executes the missing runs.
        verbose: 0 for silence, 1 for a line a run, "auto" for a bar if stderr is a terminal.

    Returns:
        A `Comparison`, with `.best`, `.indistinguishable`, `.table()`, `.plot()`, `.report()` and `.save()`.

    Raises:
        ArgumentError: An argument is invalid. It is raised before any training, unless a model logs its metrics under
            names of its own: then a wrong `metric` shows after the first epoch.
        MissingExtraError: `engine="ray"`, and Ray is not installed.
        StoreError: The store can't be read or written; the runs in it are intact.
        UserCodeError: `build_model` raised before the first run, or every case failed with the first seed.

    Example:
        >>> import keras, numpy as np, keras_lr as klr
        >>> x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
        >>> def build_model():
        ...     model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
        ...     model.compile("sgd", "mse")
        ...     return model
        >>> result = klr.compare(build_model, x, x.sum(axis=1), learning_rates=[0.1, 0.001], epochs=5, metric="loss")
        >>> result.best.name, len(result.cases), len(result.best.runs)
        ('lr 0.1', 2, 3)
    """
    data = {"x": x, "y": y, "sample_weight": sample_weight, "class_weight": class_weight}
    data |= {"validation_data": validation_data, "validation_split": validation_split}
    budget = Budget(budget_seconds)
    with backends.random_state():
        plan = build_plan(
            build_model,
            data,
            learning_rates=learning_rates,
            schedules=schedules,
            optimizers=optimizers,
            seeds=seeds,
            epochs=epochs,
            batch_size=batch_size,
            metric=metric,
            mode=mode,
            prune=prune,
        )
        identity = identity_in(store)
        ready = prepare(plan, engine, workers, lambda template: starts_of(plan, template.build, identity))
        with open_store(store, ready.identity) as writable:
            executor = Executor(writable, budget, verbose)
            if budget.seconds is not None:
                budget.estimate(cost_of_a_run(ready.plan, ready.template.build))
            extent = _widen(ready, executor) if ready.starts else _halve(ready, executor)
    return _summarize(ready, extent, executor.runs, budget, store is not None)


@dataclasses.dataclass(frozen=True)
class _Extent:
    """How far a plan was executed.

    Attributes:
        cases: The numbers of the cases that were tried.
        rungs: For each shorter rung its epochs and the number of its cases.
        dropped: The cases that did not reach the last rung.
    """

    cases: Sequence[int]
    rungs: Sequence[tuple[int, int]] = ()
    dropped: Collection[int] = ()


def _halve(ready: Preparation, executor: Executor) -> _Extent:
    """Executes the shorter rungs, if there are any, and the remaining cases for all epochs."""
    every = range(len(ready.plan.cases))
    cases, rungs = list(every), []
    for rung, epochs in enumerate(rungs_of(ready.plan), 1):
        plan, engine = ready.shorter(rung, epochs)
        rungs.append((epochs, len(cases)))
        if not executor.execute(plan, engine, cases):
            break
        cases = promote(plan, cases, executor.runs)
    executor.execute(ready.plan, ready.engine, cases)
    return _Extent(every, rungs, set(every) - set(cases))


def _widen(ready: Preparation, executor: Executor) -> _Extent:
    """Executes the first rates of each optimizer and schedule, and further ones while the best is at an edge."""
    ladders = Ladders(ready.plan, ready.starts)
    new = ladders.tried
    while new and executor.execute(ready.plan, ready.engine, new):
        new = ladders.widen(executor.runs)
    return _Extent(ladders.tried)


def _summarize(
    ready: Preparation, extent: _Extent, runs: Mapping[RunKey, RunMeasurement], budget: Budget, stored: bool
) -> Comparison:
    """Builds the result from the cases that were tried."""
    plan = dataclasses.replace(ready.plan, cases=tuple(ready.plan.cases[case] for case in extent.cases))
    numbers = {case: number for number, case in enumerate(extent.cases)}
    measured = {dataclasses.replace(key, case=numbers[key.case]): run for key, run in runs.items()}
    last = len(extent.cases) - len(extent.dropped)
    total = (last + sum(count for _, count in extent.rungs)) * len(plan.seeds)
    notes = notes_of(ready.starts)
    if len(runs) < total:
        shared = last == sum(key.rung == plan.rung and key.seed == plan.seeds[0] for key in measured)
        notes.append(budget.shortfall(total - len(runs), total, stored, shared))
    course = Course(
        engine=ready.engine.name,
        engine_reason=ready.engine.reason or ("Every run was in the store." if runs else "No run was executed."),
        seconds=budget.elapsed,
        budget_seconds=budget.seconds,
        rungs=[epochs for epochs, _ in extent.rungs],
        dropped=extent.dropped,
        notes=notes,
        no_result="No case was trained for all epochs." if runs else budget.refusal(plan.epochs),
    )
    return summarize(plan, [ready.descriptions[case] for case in extent.cases], measured, course)
