"""Find the runs of a plan that can share one compiled program, and prepare the program's inputs."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.callbacks.binding import FitSpan, bound_for
from keras_lr.callbacks.live_rate import as_ours, is_schedule, number
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning import data_checks, optimizers
from keras_lr.comparison.planning.plan import Plan, PlannedCase
from keras_lr.core.errors import ArgumentError
from keras_lr.engines.programs.population import MemberRun, Members, SeedStart
from keras_lr.optimizers import PerLayer
from keras_lr.schedules import Bound

OWN_LOOPS = ("fit", "evaluate", "make_train_function", "make_test_function")
OWN_STEPS = ("train_step", "test_step", "compute_loss", "compute_metrics")


def obstacle(plan: Plan, model: Any) -> str | None:
    """Returns why one program can't train the runs of a plan, whose `build_model` returned this model, or None."""
    data = plan.data
    if plan.prune is None:
        return "prune=None keeps training runs that diverged"
    if not data_checks.arrays_of(data["x"]):
        return f"x is a {type(data['x']).__name__}, not arrays, which can be on the device as a whole"
    validation = data["validation_data"]
    arrays = validation if isinstance(validation, tuple) else [0]
    if validation is not None and not all(map(data_checks.arrays_of, arrays)):
        return f"validation_data is a {type(validation).__name__}, not a tuple of arrays"
    own = _override(model, OWN_LOOPS)
    if own is not None:
        return own
    if model.run_eagerly or (keras.backend.backend() == "jax" and not model.jit_compile):
        return "the model was compiled with run_eagerly=True or jit_compile=False"
    if any(layer.compute_dtype == "float16" for layer in machinery.layers_of(model)):
        return "a layer computes in float16, and each run would need its own loss scale"
    for case in {id(case.optimizer): case for case in plan.cases}.values():
        optimizer = case.optimizer_for(model.optimizer)
        if not optimizers.has_one_rate(optimizer):
            return "the optimizer holds several optimizers, each with its rate"
        if isinstance(optimizer, PerLayer):
            return "the optimizer has a rate for each group of layers"
    return None


def own_step(model: Any) -> str | None:
    """Returns a sentence on a part of the training step that the model overrides, which can't be traced alone; or None."""
    return _override(model, OWN_STEPS)


def _override(model: Any, names: Sequence[str]) -> str | None:
    for name in names:
        if getattr(type(model), name) is not getattr(keras.Model, name):
            return f"{type(model).__name__} has its own {name}"
    return None


@dataclasses.dataclass(frozen=True)
class RunGroup:
    """Runs that can share a program: cases that differ only in their rates and floats of the optimizer, with some seeds.

    Attributes:
        cases: The numbers of the cases in the plan.
        seeds: Those that every case of the group needs.
        rates: The rate of each update, of shape (cases, updates).
        settings: The floats that differ between the cases, by name, each of shape (cases,).
    """

    cases: tuple[int, ...]
    seeds: tuple[int, ...]
    rates: np.ndarray
    settings: Mapping[str, np.ndarray]


class ProgramInputs:
    """The groups of a plan, and the arrays and models that a program needs.

    Attributes:
        train: The training data, as a step gets it.
        validation: The validation data, or None.
        batch_size: Examples in a batch.
    """

    def __init__(self, plan: Plan, build: Callable[[], Any]) -> None:
        self._plan, self._build = plan, build
        self.train, self.validation = machinery.arrays_of_fit(dict(plan.data))
        self.batch_size = plan.batch_size or 32
        self._examples = len(keras.tree.flatten(self.train)[0])
        self._starts: dict[int, SeedStart] = {}
        self._floats: dict[int, tuple[str, dict[str, float]]] = {}  # by optimizer: its other settings, and its floats

    def groups(self, keys: Sequence[RunKey]) -> Iterator[RunGroup]:
        """Divides runs into groups that can share a program."""
        with backends.random_state():
            keras.utils.set_random_seed(self._plan.seeds[0])
            model = self._build()
        by_settings: dict[str, list[int]] = {}
        for case, planned_case in enumerate(self._plan.cases):
            by_settings.setdefault(self._settings(planned_case, model), []).append(case)
        missing = set(keys)
        for similar in by_settings.values():
            by_cases: dict[tuple[int, ...], list[int]] = {}
            for seed in self._plan.seeds:
                cases = tuple(case for case in similar if self._plan.key(case, seed) in missing)
                by_cases.setdefault(cases, []).append(seed)
            for cases, seeds in by_cases.items():
                if cases:
                    yield RunGroup(cases, tuple(seeds), self._rates(model, cases), self._differences(cases))

    def members(self, group: RunGroup) -> Members:
        """Returns the first weights, the orders of the data and the rates of a group's runs."""
        rates = group.rates.astype(keras.config.floatx())
        return Members(tuple(self._start(seed) for seed in group.seeds), rates, self._plan.epochs, group.settings)

    def model_for(self, group: RunGroup) -> Any:
        """Returns a built model with the optimizer of a group, from which a program is compiled."""
        with backends.random_state():
            keras.utils.set_random_seed(group.seeds[0])
            model = self._build()
            own = self._plan.cases[group.cases[0]].optimizer_for(model.optimizer)
            machinery.replace_optimizer(model, _without_rate(own)[0])
            self._complete(model)
            return model

    def measurements(self, group: RunGroup, members: list[list[MemberRun]]) -> Iterator[tuple[RunKey, RunMeasurement]]:
        """Yields the runs of a group, with the rates in their histories."""
        updates = group.rates.shape[1] // self._plan.epochs
        for (row, seed), (column, case) in itertools.product(enumerate(group.seeds), enumerate(group.cases)):
            member = members[row][column]
            rates = tuple(float(rate) for rate in group.rates[column, : len(member.losses)])
            history = {**member.run.history, "learning_rate": rates[updates - 1 :: updates]}
            run = dataclasses.replace(member.run, history=history)
            yield self._plan.key(case, seed), RunMeasurement(run, rates, member.losses)

    def _settings(self, case: PlannedCase, model: Any) -> str:
        """Describes the case's optimizer without its rate and other floats; equal texts can share a program."""
        if id(case.optimizer) in self._floats:
            return self._floats[id(case.optimizer)][0]
        plain, free = _without_rate(case.optimizer_for(model.optimizer))
        config, floats = optimizers.config_of(plain), optimizers.floats_of(plain) if free else {}
        config["config"] |= dict.fromkeys(floats, "an input") | {"name": None}  # Keras numbers the names
        settings = json.dumps(config, sort_keys=True)
        if free:
            self._floats[id(case.optimizer)] = settings, floats
        return settings

    def _differences(self, cases: Sequence[int]) -> dict[str, np.ndarray]:
        """Returns the floats of the optimizer that differ between cases."""
        floats = [self._floats.get(id(self._plan.cases[case].optimizer), ("", {}))[1] for case in cases]
        columns = {name: np.array([own[name] for own in floats]) for name in floats[0]}
        return {name: values for name, values in columns.items() if len(set(values)) > 1}

    def _start(self, seed: int) -> SeedStart:
        """Returns the weights and orders that a seed determines, drawn in the same order as `fit` draws them."""
        if seed not in self._starts:
            with backends.random_state():
                keras.utils.set_random_seed(seed)
                model = self._build()
                more = machinery.draws_before_training(model)
                orders = [np.random.permutation(self._examples) for _ in range(self._plan.epochs + more)]  # noqa: NPY002
                self._complete(model)
                self._starts[seed] = SeedStart(*machinery.values_of(model), np.asarray(orders[more:], np.int32), seed)
        return self._starts[seed]

    def _rates(self, model: Any, cases: Sequence[int]) -> np.ndarray:
        """Returns the rate of every update of every case."""
        steps_per_epoch = -(-self._examples // self.batch_size)
        span = FitSpan(steps_per_epoch, self._plan.epochs, 0, 0)
        steps = np.arange(steps_per_epoch * self._plan.epochs)
        rows = []
        for case in cases:
            rate = self._plan.cases[case].rate
            if rate is None:
                rate = machinery.rate_of(optimizers.parts_of(self._plan.cases[case].optimizer_for(model.optimizer))[0])
            if not is_schedule(rate):
                rows.append(np.full(len(steps), number(rate)))
                continue
            schedule = as_ours(rate)
            bound = bound_for(schedule, span) if schedule.unbound or isinstance(schedule, Bound) else schedule
            rows.append(np.asarray(bound.evaluate(steps), np.float64))
        return np.stack(rows)

    def _complete(self, model: Any) -> None:
        """Builds what the first batch of `fit` would build."""
        first = keras.tree.map_structure(lambda array: array[: self.batch_size], self.train)
        machinery.build(model, first)


def _without_rate(optimizer: Any) -> tuple[Any, bool]:
    """Returns a copy of the optimizer at rate 1, and True; itself, and False, if its settings depend on its rate."""
    try:
        return optimizers.with_rate(optimizer, 1.0), True
    except ArgumentError:
        return optimizer, False
