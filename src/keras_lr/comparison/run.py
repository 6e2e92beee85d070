"""`compare`: carries a plan out, one run after the other, and hands the record back."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.comparison import inputs, optimizers
from keras_lr.comparison.engines import ENGINES, Engine, engine_for, kept_as
from keras_lr.comparison.identity import identity_of
from keras_lr.comparison.plan import WHERE, Place, Plan, PlannedCase, planned
from keras_lr.comparison.record import Comparison
from keras_lr.comparison.store import Store, opened
from keras_lr.comparison.summary import Description, Measured, describe, summarized
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError, UserCodeError
from keras_lr.engines import failures
from keras_lr.engines.training import TrainingRun
from keras_lr.report.progress import progress


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
        learning_rates: A list of rates. With `schedules`, a rate multiplies each schedule.
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
            process, and `engine_reason` says why.
        verbose: 0 for silence, 1 for a line a run, "auto" for a bar where stderr is a terminal.

    Returns:
        A `Comparison`, with `.best`, `.indistinguishable`, `.table()`, `.plot()`, `.report()` and `.save()`.

    Raises:
        ArgumentError: An argument breaks a rule; before anything is trained, but for the name of a metric that a
            model makes up on its own, which is known after the first epoch.
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
    with backends.random_state():
        plan = planned(
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
        )
        checks.one_of(WHERE, ENGINES, engine=engine)
        started = time.perf_counter()
        probe = _Probe(plan)
        asked, plan = plan, dataclasses.replace(plan, metric=probe.metric)
        maker = engine_for(plan, probe.build, probe.model, engine)
        with opened(store, lambda: identity_of(asked, probe.descriptions, probe.model, kept_as(maker))) as kept:
            measured = _measured(plan, maker, verbose, kept)
    made_by = (maker.name, maker.reason or "Every run was in the store.")
    return summarized(plan, probe.descriptions, measured, made_by, time.perf_counter() - started)


class _Probe:
    """A first model, which is looked at and not trained: it tells what the template is before any run.

    Attributes:
        model: The model.
        descriptions: What each case's optimizer will be.
        metric: The name under which the metric will be logged.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        with backends.random_state():
            keras.utils.set_random_seed(plan.seeds[0])
            self.model = self._call()
            self._check_model()
            self.descriptions: list[Description] = [self._described(case) for case in plan.cases]
            self.metric = self._checked_metric()

    def build(self) -> Any:
        """Another model, which must be a new one."""
        model, function = self._call(), self._plan.build_model
        if model is self.model:
            repair = "Make and compile the model within it"
            raise ArgumentError(WHERE, "build_model returned the same model twice", repair, build_model=function)
        if model.optimizer is self.model.optimizer:
            repair = "Make the optimizer within it"
            raise ArgumentError(WHERE, "build_model gave two models the same optimizer", repair, build_model=function)
        return model

    def _call(self) -> Any:
        try:
            return self._plan.build_model()
        except Exception as error:
            raise UserCodeError(f"compare: build_model raised {type(error).__name__}: {error}") from error

    def _check_model(self) -> None:
        model, function = self.model, self._plan.build_model
        if any(kind.__module__.split(".")[0] == "tf_keras" for kind in type(model).__mro__):
            repair = "Build it with `import keras`, which is Keras 3"
            raise ArgumentError(
                WHERE, "build_model returned a model of tf_keras, which is Keras 2", repair, build_model=function
            )
        if not isinstance(model, keras.Model):
            rule = f"build_model must return a keras.Model, and returned {_kind(model)}"
            raise ArgumentError(WHERE, rule, "End it with `return model`", build_model=function)
        if not machinery.step_takes_rate(model):
            rule = "build_model returned a model that is not compiled"
            raise ArgumentError(WHERE, rule, "Call model.compile(optimizer, loss) in it", build_model=function)

    def _described(self, case: PlannedCase) -> Description:
        template = self.model.optimizer if case.optimizer is None else case.optimizer
        if case.rate is not None and not optimizers.holds_one(template):
            rule = "the optimizer holds several optimizers, so there is no one rate to set"
            raise ArgumentError(WHERE, rule, "Leave out learning_rates and schedules", optimizer=template)
        return describe(case, self.model.optimizer)

    def _checked_metric(self) -> str:
        """Looks for the metric among those of the compiled model, built by a batch of the arrays."""
        plan, data = self._plan, self._plan.data
        if not inputs.arrays_of(data["x"]) or type(self.model).train_step is not keras.Model.train_step:
            return plan.metric
        batch = inputs.first_batch(data["x"], data["y"], data["sample_weight"], plan.batch_size)
        machinery.build(self.model, batch, machinery.Containers(self.model))
        known = list(self.model.get_metrics_result())
        return logged_name(plan.metric, [*known, *([f"val_{name}" for name in known] if plan.has_validation else [])])


def logged_name(metric: str, names: Sequence[str]) -> str:
    """The name under which a metric is logged: Keras numbers the metrics that it names itself, as in "auc_1".

    Raises:
        ArgumentError: No name, or more than one, fits.
    """
    numbered = [name for name in names if re.fullmatch(rf"{re.escape(metric)}_\d+", name)]
    if metric not in names and len(numbered) != 1:
        rule = f"the model has no metric {metric!r}"
        raise ArgumentError(WHERE, rule, f"Pass one of {', '.join(names)}", metric=metric)
    return metric if metric in names else numbered[0]


def _measured(plan: Plan, engine: Engine, verbose: str | int, kept: Store | None) -> dict[Place, Measured]:
    """Every run, by its place: seed by seed, so that each case has a run early. Those that are kept are not made again."""
    places = [(case, seed) for seed in plan.seeds for case in range(len(plan.cases))]
    found = {} if kept is None else {place: _as_logged(plan, measured) for place, measured in kept.runs.items()}
    missing = [place for place in places if place not in found]
    with _told(len(places), len(found), verbose) as tell:
        for place, measured in engine.runs(missing) if missing else ():
            found[place] = measured
            if kept is not None:
                kept.put(place, measured)
            tell(plan, plan.cases[place[0]], place[1], measured.run)
            _check_some_work(plan, found)
    return found


def _as_logged(plan: Plan, measured: Measured) -> Measured:
    """A kept run with the metric under the name that it has in this process: Keras numbers it by what was made before."""
    history = measured.run.history
    if plan.metric in history or not history:
        return measured
    name = next((name for name in history if _stem(name) == _stem(plan.metric)), plan.metric)
    renamed = {plan.metric if key == name else key: values for key, values in history.items()}
    return dataclasses.replace(measured, run=dataclasses.replace(measured.run, history=renamed))


def _stem(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _check_some_work(plan: Plan, found: Mapping[Place, Measured]) -> None:
    """Raises the first error where every case failed with the first seed: then the fault is in no one case."""
    first = [found.get((case, plan.seeds[0])) for case in range(len(plan.cases))]
    errors = [one.run.exception for one in first if one is not None and one.run.outcome == "failed"]
    if len(errors) == len(first):
        error = errors[0]
        if isinstance(error, UserCodeError):
            raise error
        raise UserCodeError(f"{WHERE}: every case raised, the first {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _told(total: int, done: int, verbose: str | int) -> Iterator[Callable[[Plan, PlannedCase, int, TrainingRun], None]]:
    """Tells of every run: in a bar, in lines, or not at all."""
    lines = verbose == 1 and not isinstance(verbose, str)
    with progress(WHERE, total, 0 if lines else verbose) as bar:
        bar.reach(done)

        def tell(plan: Plan, case: PlannedCase, seed: int, run: TrainingRun) -> None:
            nonlocal done
            done += 1
            bar.step()
            if lines:
                sys.stderr.write(
                    f"[{done}/{total}] {case.name}, seed {seed}: {_said(plan, run)} ({run.seconds:.1f} s)\n"
                )

        yield tell


def _said(plan: Plan, run: TrainingRun) -> str:
    if run.outcome == "finished":
        return f"{plan.metric} {run.history[plan.metric][-1]:.4g}"
    return run.outcome if run.error is None else f"{run.outcome}, {failures.summary(run.error)}"


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
