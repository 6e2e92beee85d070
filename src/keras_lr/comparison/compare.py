"""`compare`: carries a plan out, one run after the other, and hands the record back."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from keras_lr import backends
from keras_lr.comparison.execution.engines import Engine
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
    """Trains every case with every seed and says which is best, and which can't be told from it.

    The cases are `optimizers` x `schedules` x `learning_rates`; what is not given is as `build_model` compiled it. Seeds
    are common to all cases, so that cases are compared seed by seed. A run that diverges is an outcome: it has no score.
    So is a run that fails, out of memory for instance: the others go on, and its traceback is in the record. Every global
    source of chance is left as it was found.

    Args:
        build_model: Makes a new, compiled model: its loss, its metrics and its optimizer are the template.
        x: Arrays, a PyDataset, a `tf.data.Dataset` or a DataLoader, as `fit` takes them.
        y: The targets, with arrays.
        sample_weight: Weights of the examples, with arrays.
        class_weight: Weights of the classes, a dict.
        validation_data: As `fit` takes it.
        validation_split: The share of arrays to validate on, their last part.
        learning_rates: A list of rates. With `schedules`, a rate multiplies each schedule. "auto" starts, for each
            optimizer and schedule, at five rates half a decade apart around the one that `find` gives for it, and goes on
            by two beyond an edge while the best is there, for three decades at most.
        schedules: A dict from names to schedules, Keras's or of keras-lr; lengths may have units such as "10%".
        optimizers: A list of Keras's names, or a dict from names to optimizers, which are cloned and never trained.
        seeds: How many, or a list of them. One seed sets initial weights, order and dropout.
        epochs: Epochs of every run.
        batch_size: Examples in a batch of arrays; None is Keras's 32.
        metric: What to compare by, after the last epoch, by its name in `History`.
        mode: "min", "max", or "auto": by the name, as accuracy and the like are better when larger.
        store: A file that keeps every finished run, such as "runs.sqlite". Where it exists the call goes on where it
            stopped, if all other arguments are the same; datasets are known by their type alone, not by what is in them.
        engine: "sequential" makes a `fit` for each run. "population" trains runs that differ in their rates and seeds by
            one compiled program on JAX, with the raw loss of every update; it needs arrays and a model without steps of
            its own. "auto" takes what is fastest, which may be a program that trains one run after the other in this
            process, and `engine_reason` says why. "ray" makes the runs of "sequential" on a Ray cluster: that of
            `RAY_ADDRESS`, else one of this machine alone.
        workers: In how many processes the runs are made, each by a `fit` with its share of the cores. A process that is
            killed, or stands still for `KERAS_LR_HANG_SECONDS` (600), is replaced and its run made again. With "ray",
            how many runs at once; 1 is as many as the cluster has room for.
        prune: "divergence" ends a run at the first loss that is not finite. None lets it train on to its last epoch; it is
            diverged if it isn't finite then. "halving" trains all cases for a ninth of the epochs (a third, of three
            cases or fewer), the better third and those that can't be told from the best for a third, and the better
            third of these for all epochs. Each rung starts anew and has schedules as short as itself, so that their
            lengths must be shares. Short horizons mislead: what learns fast is not what ends best, so the rate that is
            best after few epochs is mostly too small, or too large where a task overfits late. A dropped case has no
            score and is never said to be as good as the best.
        budget_seconds: How long it may take. No run starts that is expected to end later; one that has started is
            finished. Cases get their seeds in turn, and the statistics use the seeds that all of them have. With a
            `store`, a later call makes the runs that are missing.
        verbose: 0 for silence, 1 for a line a run, "auto" for a bar where stderr is a terminal.

    Returns:
        A `Comparison`, with `.best`, `.indistinguishable`, `.table()`, `.plot()`, `.report()` and `.save()`.

    Raises:
        ArgumentError: An argument breaks a rule; before anything is trained, but for the name of a metric that a
            model makes up on its own, which is known after the first epoch.
        MissingExtraError: Ray is asked for and not installed.
        StoreError: The store can't be read or written now; the runs in it are kept.
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
        there = identity_in(store)
        ready = prepare(plan, engine, workers, lambda template: starts_of(plan, template.build, there))
        with open_store(store, ready.identity) as kept:
            executor = Executor(kept, budget, verbose)
            if budget.seconds is not None:
                budget.estimate(cost_of_a_run(ready.plan, ready.template.build))
            work = _widened(ready, executor) if ready.starts else _climbed(ready, executor)
    return _summarized(ready, work, executor.runs, budget, store is not None)


@dataclasses.dataclass(frozen=True)
class _Work:
    """What was done of a plan.

    Attributes:
        tried: The numbers of the cases that it came to.
        engine: What made the runs of all epochs, or was to make them.
        rungs: The epochs of each shorter rung, and the cases in it.
        dropped: The cases that did not come to the last rung.
    """

    tried: Sequence[int]
    engine: Engine
    rungs: Sequence[tuple[int, Sequence[int]]] = ()
    dropped: Collection[int] = ()


def _climbed(ready: Preparation, executor: Executor) -> _Work:
    """All cases in the first rung, those that it keeps in the next, the last of them for all epochs."""
    every = range(len(ready.plan.cases))
    going, rungs = list(every), []
    for rung, epochs in enumerate(rungs_of(ready.plan), 1):
        plan, engine = ready.shorter(rung, epochs)
        complete = executor.execute(plan, engine, going)
        rungs.append((epochs, going))
        if not complete:
            break
        going = promote(plan, going, executor.runs)
    executor.execute(ready.plan, ready.engine, going)
    return _Work(every, ready.engine, rungs, set(every) - set(going))


def _widened(ready: Preparation, executor: Executor) -> _Work:
    """The first rates of each optimizer and schedule, and more of them while the best is at an edge."""
    ladders = Ladders(ready.plan, ready.starts)
    new = ladders.tried
    while new and executor.execute(ready.plan, ready.engine, new):
        new = ladders.widen(executor.runs)
    return _Work(ladders.tried, ready.engine)


def _summarized(
    ready: Preparation, work: _Work, found: Mapping[RunKey, RunMeasurement], budget: Budget, stored: bool
) -> Comparison:
    """The record of the cases that were come to."""
    plan = dataclasses.replace(ready.plan, cases=tuple(ready.plan.cases[case] for case in work.tried))
    places = {case: place for place, case in enumerate(work.tried)}
    own = {dataclasses.replace(key, case=places[key.case]): one for key, one in found.items()}
    cases = len(work.tried) - len(work.dropped) + sum(len(cases) for _, cases in work.rungs)
    planned_runs = cases * len(plan.seeds)
    notes = notes_of(ready.starts)
    if len(found) < planned_runs:
        first = sum(key.rung == plan.rung and key.seed == plan.seeds[0] for key in own)
        shared = first == len(work.tried) - len(work.dropped)
        notes.append(budget.told(planned_runs - len(found), planned_runs, stored, shared))
    why = work.engine.reason or ("Every run was in the store." if found else "No run was made.")
    course = Course(
        engine=(work.engine.name, why),
        seconds=budget.elapsed,
        budget_seconds=budget.seconds,
        rungs=[epochs for epochs, _ in work.rungs],
        dropped=work.dropped,
        notes=notes,
        unmade="No case was trained for all epochs." if found else budget.unmade(plan.epochs),
    )
    return summarize(plan, [ready.descriptions[case] for case in work.tried], own, course)
