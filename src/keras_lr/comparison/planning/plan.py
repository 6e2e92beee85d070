"""The plan of a comparison: cases x seeds, checked before the first run."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

from keras_lr.callbacks.live_rate import is_schedule
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning import data_checks, optimizers
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError, UserCodeError
from keras_lr.engines.fit import TrainingRun

WHERE = "compare"
AS_COMPILED = "as compiled"
LARGEST_SEED = 2**32 - 1  # the largest that NumPy accepts
PRUNES = ("divergence", "halving")
AUTO = "auto"
LARGER_IS_BETTER = ("acc", "auc", "precision", "recall", "f1", "iou", "dice", "r2", "similarity")


@dataclasses.dataclass(frozen=True)
class PlannedCase:
    """One way to train: what replaces the optimizer and the rate of the template. None keeps the template's."""

    name: str
    optimizer_name: str | None = None
    optimizer: Any = None
    schedule_name: str | None = None
    schedule: Any = None
    learning_rate: float | None = None

    @property
    def rate(self) -> Any:
        """The rate or schedule for the optimizer, or None for its own."""
        return optimizers.times(self.learning_rate, self.schedule)

    def optimizer_for(self, template: Any) -> Any:
        """Returns a new optimizer for a model with the optimizer `template`; the template itself if nothing replaces it."""
        if self.optimizer is None and self.rate is None:
            return template
        if self.optimizer is None:
            return optimizers.with_rate(template, self.rate)
        return optimizers.rewrap(template, optimizers.with_rate(self.optimizer, self.rate))


@dataclasses.dataclass(frozen=True)
class Plan:
    """A checked comparison, or one of its rungs.

    Attributes:
        data: Arguments of `fit`.
        auto: Whether the cases have no rates yet: `find` selects them.
        rung: 0 for the runs of all epochs, or the number of a shorter rung.
    """

    build_model: Callable[[], Any]
    cases: tuple[PlannedCase, ...]
    seeds: tuple[int, ...]
    epochs: int
    batch_size: int | None
    metric: str
    mode: str
    data: Mapping[str, Any]
    prune: str | None = "divergence"
    auto: bool = False
    rung: int = 0

    def key(self, case: int, seed: int) -> RunKey:
        """Returns the key of a run of this plan."""
        return RunKey(self.rung, case, seed)

    def score(self, run: TrainingRun) -> float | None:
        """Returns the metric after the last epoch; None if the run didn't finish or the metric isn't finite."""
        last = run.history.get(self.metric, (math.nan,))[-1:] or (math.nan,)
        return last[0] if run.outcome == "finished" and math.isfinite(last[0]) else None

    def scores(self, case: int, measurements: Mapping[RunKey, RunMeasurement]) -> dict[int, float]:
        """Returns the scores of a case whose runs have all ended, by seed."""
        scores = {seed: self.score(measurements[self.key(case, seed)].run) for seed in self.seeds}
        return {seed: score for seed, score in scores.items() if score is not None}

    @property
    def fit_arguments(self) -> dict[str, Any]:
        """The arguments of `fit` in every run."""
        return {**self.data, "epochs": self.epochs, "batch_size": self.batch_size}

    @property
    def has_validation(self) -> bool:
        """Whether `fit` gets validation data."""
        return self.data["validation_data"] is not None or self.data["validation_split"] > 0.0


def build_plan(
    build_model: Any,
    data: Mapping[str, Any],
    *,
    learning_rates: Any,
    schedules: Any,
    optimizers: Any,
    seeds: Any,
    epochs: Any,
    batch_size: Any,
    metric: Any,
    mode: str,
    prune: Any = "divergence",
) -> Plan:
    """Builds the plan; checks every argument that can be checked without a model.

    Raises:
        ArgumentError: An argument is invalid.
    """
    if not callable(build_model) or isinstance(build_model, keras.Model):
        repair = "Pass a function without arguments that builds and compiles a new model"
        raise ArgumentError(WHERE, "build_model must be a function", repair, build_model=build_model)
    parts = ("x", "y", "sample_weight", "validation_data", "validation_split")
    data_checks.check_data(*(data[name] for name in parts))
    data_checks.check_batch_size(data["x"], data["validation_split"], batch_size)
    plan = Plan(
        build_model=build_model,
        cases=cases_of(optimizers, schedules, None if _is_auto(learning_rates) else learning_rates),
        seeds=seeds_of(seeds),
        epochs=checks.whole(WHERE, epochs=epochs),
        batch_size=batch_size,
        metric=_check_metric(metric),
        mode=direction(metric, checks.one_of(WHERE, ["auto", "min", "max"], mode=mode)),
        data=data,
        prune=_check_prune(prune),
        auto=_is_auto(learning_rates),
    )
    if plan.metric.startswith("val_") and not plan.has_validation:
        rule = f"the metric {plan.metric!r} needs validation data"
        repair = "Pass validation_data or validation_split=0.2, or compare by metric='loss'"
        raise ArgumentError(WHERE, rule, repair, metric=metric)
    return plan


def call_build_model(build_model: Callable[[], Any]) -> Any:
    """Calls the user's function.

    Raises:
        UserCodeError: The function raised; its exception is the cause.
    """
    try:
        return build_model()
    except Exception as error:
        raise UserCodeError(f"{WHERE}: build_model raised {type(error).__name__}: {error}") from error


def cases_of(optimizers: Any, schedules: Any, learning_rates: Any) -> tuple[PlannedCase, ...]:
    """Returns every optimizer with every schedule at every rate; without any of the three, the template alone."""
    product = itertools.product(_optimizers(optimizers), _schedules(schedules), _rates(learning_rates))
    return tuple(_case(*chosen) for chosen in product)


def seeds_of(seeds: Any) -> tuple[int, ...]:
    """Converts a count to 0, 1, 2...; returns a list as a tuple."""
    if not isinstance(seeds, Iterable) or isinstance(seeds, str):
        return tuple(range(checks.whole(WHERE, seeds=seeds)))
    listed = list(seeds)
    if not listed:
        rule, repair = "there must be at least one seed", "Pass a count, for example 3, or a list"
        raise ArgumentError(WHERE, rule, repair, seeds=seeds)
    if any(
        isinstance(seed, bool) or not hasattr(seed, "__index__") or not 0 <= seed <= LARGEST_SEED for seed in listed
    ):
        rule, repair = "a seed must be a whole number from 0 to 2**32 - 1", "Pass seeds such as [0, 1, 2]"
        raise ArgumentError(WHERE, rule, repair, seeds=seeds)
    _check_unique("a seed", listed, seeds=seeds)
    return tuple(int(seed) for seed in listed)


def at_rate(case: PlannedCase, rate: float) -> PlannedCase:
    """Returns the case with a rate; it has none yet."""
    optimizer = None if case.optimizer_name is None else (case.optimizer_name, case.optimizer)
    schedule = None if case.schedule_name is None else (case.schedule_name, case.schedule)
    return _case(optimizer, schedule, rate)


def _case(optimizer: tuple[str, Any] | None, schedule: tuple[str, Any] | None, rate: float | None) -> PlannedCase:
    parts = [named[0] for named in (optimizer, schedule) if named is not None]
    if rate is not None:
        parts.append(f"lr {rate:g}" if float(f"{rate:g}") == rate else f"lr {rate!r}")
    optimizer_name, instance = optimizer or (None, None)
    schedule_name, shape = schedule or (None, None)
    return PlannedCase(", ".join(parts) or AS_COMPILED, optimizer_name, instance, schedule_name, shape, rate)


def _rates(learning_rates: Any) -> list[float | None]:
    if learning_rates is None:
        return [None]
    if not isinstance(learning_rates, Iterable) or isinstance(learning_rates, (str, Mapping)):
        repair = "Pass a list such as [0.1, 0.01, 0.001], or 'auto' for rates around the answer of find"
        raise ArgumentError(WHERE, "learning_rates must be a list of numbers", repair, learning_rates=learning_rates)
    rates: list[float | None] = [checks.above_zero(WHERE, learning_rates=rate) for rate in learning_rates]
    _check_not_empty(rates, learning_rates=learning_rates)
    _check_unique("a rate", rates, learning_rates=learning_rates)
    return rates


def _schedules(schedules: Any) -> list[tuple[str, Any] | None]:
    if schedules is None:
        return [None]
    repair = "Pass a dict such as {'cosine': keras_lr.Cosine(1.0, 0.0, '100%')}"
    if not isinstance(schedules, Mapping):
        raise ArgumentError(WHERE, "schedules must be a dict from names to schedules", repair, schedules=schedules)
    _check_not_empty(schedules, schedules=schedules)
    for name, schedule in schedules.items():
        if not isinstance(name, str) or not is_schedule(schedule):
            raise ArgumentError(WHERE, f"{name!r} is not the name of a schedule", repair, schedules=schedule)
    return list(schedules.items())


def _optimizers(chosen: Any) -> list[tuple[str, Any] | None]:
    if chosen is None:
        return [None]
    repair = "Pass a list of names such as ['sgd', 'adam'], or a dict from names to optimizers of Keras 3"
    if isinstance(chosen, str) or not isinstance(chosen, Iterable):
        raise ArgumentError(WHERE, "optimizers must be a list or a dict", repair, optimizers=chosen)
    if not isinstance(chosen, Mapping):
        chosen = list(chosen)
        _check_unique("a name", chosen, optimizers=chosen)
        chosen = {name: _by_name(name, repair) for name in chosen}
    _check_not_empty(chosen, optimizers=chosen)
    for name, optimizer in chosen.items():
        if not isinstance(name, str) or not isinstance(optimizer, keras.optimizers.Optimizer):
            rule = f"{name!r} is not the name of an optimizer of Keras 3"
            raise ArgumentError(WHERE, rule, repair, optimizers=optimizer)
    return list(chosen.items())


def _by_name(name: Any, repair: str) -> Any:
    if not isinstance(name, str):
        raise ArgumentError(WHERE, "a list of optimizers must have names", repair, optimizers=name)
    try:
        return keras.optimizers.get(name)
    except Exception as error:
        raise ArgumentError(WHERE, f"Keras has no optimizer named {name!r}", repair, optimizers=name) from error


def _check_not_empty(values: Any, **argument: Any) -> None:
    if not values:
        raise ArgumentError(WHERE, "it is empty", "Pass at least one, or leave it out", **argument)


def _check_unique(what: str, values: list[Any], **argument: Any) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            rule, repair = f"{what} must be unique, but {value!r} occurs twice", "Leave one out"
            raise ArgumentError(WHERE, rule, repair, **argument)


def _is_auto(learning_rates: Any) -> bool:
    return isinstance(learning_rates, str) and learning_rates == AUTO


def _check_prune(prune: Any) -> str | None:
    if prune is not None and (not isinstance(prune, str) or prune not in PRUNES):
        repair = "Pass one of these, or None to train every run to its end"
        raise ArgumentError(WHERE, "prune must be 'divergence', 'halving' or None", repair, prune=prune)
    return prune


def _check_metric(metric: Any) -> str:
    if not isinstance(metric, str) or not metric.removeprefix("val_"):
        rule, repair = "metric must be a name", "Pass a name such as 'val_loss' or 'val_accuracy'"
        raise ArgumentError(WHERE, rule, repair, metric=metric)
    return metric


def direction(metric: str, mode: str) -> str:
    """Returns "min" or "max"; for "auto" by the metric's name."""
    if mode != "auto":
        return mode
    return "max" if any(word in metric.lower() for word in LARGER_IS_BETTER) and not metric.endswith("loss") else "min"
