"""Which runs of a plan can share one compiled program, and what that program needs to know of them."""

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
    """Why the runs of a plan can't be trained by one program, or None where they can.

    Args:
        plan: The plan.
        model: A compiled model of `build_model`.
    """
    data = plan.data
    if plan.prune is None:
        return "prune=None lets a run train on that diverged"
    if not data_checks.arrays_of(data["x"]):
        return f"x is a {type(data['x']).__name__}, not arrays, which can be on the device as a whole"
    validation = data["validation_data"]
    if validation is not None and not all(
        map(data_checks.arrays_of, validation if isinstance(validation, tuple) else [0])
    ):
        return f"validation_data is a {type(validation).__name__}, not a tuple of arrays"
    own = _own(model, OWN_LOOPS)
    if own is not None:
        return own
    if model.run_eagerly or (keras.backend.backend() == "jax" and not model.jit_compile):
        return "the model was compiled with run_eagerly=True or jit_compile=False"
    if any(layer.compute_dtype == "float16" for layer in machinery.layers_of(model)):
        return "a layer computes in float16, and each run would need its own loss scale"
    for case in {id(case.optimizer): case for case in plan.cases}.values():
        optimizer = case.optimizer_for(model.optimizer)
        if not optimizers.holds_one(optimizer):
            return "the optimizer holds several optimizers, each with its rate"
        if isinstance(optimizer, PerLayer):
            return "the optimizer has a rate for each group of layers"
    return None


def own_step(model: Any) -> str | None:
    """A part of the training step that is the model's own, and so may not be traced apart from it; or None."""
    return _own(model, OWN_STEPS)


def _own(model: Any, names: Sequence[str]) -> str | None:
    for name in names:
        if getattr(type(model), name) is not getattr(keras.Model, name):
            return f"{type(model).__name__} has its own {name}"
    return None


@dataclasses.dataclass(frozen=True)
class Group:
    """Cases that differ in nothing but their rates and floats of the optimizer, with the seeds that they lack.

    Attributes:
        cases: Their numbers in the plan.
        seeds: The seeds.
        rates: The rate of each update, of shape (cases, updates).
        settings: The floats in which they differ, by name, each of shape (cases,).
    """

    cases: tuple[int, ...]
    seeds: tuple[int, ...]
    rates: np.ndarray
    settings: Mapping[str, np.ndarray]


class Workshop:
    """A plan and the arrays that its runs train on.

    Args:
        plan: The plan.
        build: Makes a compiled model.

    Attributes:
        train: The training data, as a step gets it.
        validation: The validation data, or None.
        batch_size: Examples in a batch.
    """

    def __init__(self, plan: Plan, build: Callable[[], Any]) -> None:
        self.plan, self._build = plan, build
        self.train, self.validation = machinery.arrays_of_fit(dict(plan.data))
        self.batch_size = plan.batch_size or 32
        self._examples = len(keras.tree.flatten(self.train)[0])
        self._starts: dict[int, SeedStart] = {}
        self._known: dict[int, tuple[str, dict[str, float]]] = {}

    def groups(self, keys: Sequence[RunKey]) -> Iterator[Group]:
        """The runs to make, in groups that can share a program."""
        with backends.random_state():
            keras.utils.set_random_seed(self.plan.seeds[0])
            model = self._build()
        alike: dict[str, list[int]] = {}
        for index, case in enumerate(self.plan.cases):
            alike.setdefault(self._settings(case, model), []).append(index)
        wanted = set(keys)
        for numbers in alike.values():
            missing: dict[tuple[int, ...], list[int]] = {}
            for seed in self.plan.seeds:
                missing.setdefault(tuple(one for one in numbers if self.plan.key(one, seed) in wanted), []).append(seed)
            for cases, seeds in missing.items():
                if cases:
                    yield Group(cases, tuple(seeds), self._rates(model, cases), self._differing(cases))

    def members(self, group: Group) -> Members:
        """The runs of a group: their first weights, orders and rates."""
        rates = group.rates.astype(keras.config.floatx())
        return Members(tuple(self._start(seed) for seed in group.seeds), rates, self.plan.epochs, group.settings)

    def traced(self, group: Group) -> Any:
        """A built model with the optimizer of a group, for a program to be made of."""
        with backends.random_state():
            keras.utils.set_random_seed(group.seeds[0])
            model = self._build()
            own = self.plan.cases[group.cases[0]].optimizer_for(model.optimizer)
            machinery.replace_optimizer(model, _without_rate(own)[0])
            self._complete(model)
            return model

    def measured(self, group: Group, found: list[list[MemberRun]]) -> Iterator[tuple[RunKey, RunMeasurement]]:
        """The runs of a group by their keys, with the rates in their histories."""
        updates = group.rates.shape[1] // self.plan.epochs
        for (row, seed), (column, case) in itertools.product(enumerate(group.seeds), enumerate(group.cases)):
            member = found[row][column]
            rates = tuple(float(rate) for rate in group.rates[column, : len(member.losses)])
            history = {**member.run.history, "learning_rate": rates[updates - 1 :: updates]}
            run = dataclasses.replace(member.run, history=history)
            yield self.plan.key(case, seed), RunMeasurement(run, rates, member.losses)

    def _settings(self, case: PlannedCase, model: Any) -> str:
        """The case's optimizer but for its rate and other floats, as a text: equal where a program can be shared."""
        known = self._known.get(id(case.optimizer))
        if known is not None:
            return known[0]
        plain, free = _without_rate(case.optimizer_for(model.optimizer))
        described, floats = optimizers.config_of(plain), optimizers.floats_of(plain) if free else {}
        described["config"] |= dict.fromkeys(floats, "handed in") | {"name": None}  # Keras numbers the names
        settings = json.dumps(described, sort_keys=True)
        if free:
            self._known[id(case.optimizer)] = settings, floats
        return settings

    def _differing(self, cases: Sequence[int]) -> dict[str, np.ndarray]:
        """The floats of the optimizer in which cases differ."""
        floats = [self._known.get(id(self.plan.cases[case].optimizer), ("", {}))[1] for case in cases]
        together = {name: np.array([own[name] for own in floats]) for name in floats[0]}
        return {name: values for name, values in together.items() if len(set(values)) > 1}

    def _start(self, seed: int) -> SeedStart:
        """What a seed decides, drawn in the order in which `fit` would draw it."""
        if seed not in self._starts:
            with backends.random_state():
                keras.utils.set_random_seed(seed)
                model = self._build()
                more = machinery.draws_before_training(model)
                drawn = [np.random.permutation(self._examples) for _ in range(self.plan.epochs + more)]  # noqa: NPY002
                self._complete(model)
                orders = np.asarray(drawn[more:], np.int32)
                self._starts[seed] = SeedStart(*machinery.values_of(model), orders, seed)
        return self._starts[seed]

    def _rates(self, model: Any, cases: Sequence[int]) -> np.ndarray:
        """The rate of every update of every case."""
        steps_per_epoch = -(-self._examples // self.batch_size)
        span = FitSpan(steps_per_epoch, self.plan.epochs, 0, 0)
        steps = np.arange(steps_per_epoch * self.plan.epochs)
        rows = []
        for case in cases:
            rate = self.plan.cases[case].rate
            if rate is None:
                rate = machinery.rate_of(optimizers.inside(self.plan.cases[case].optimizer_for(model.optimizer))[0])
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
        machinery.build(model, first, machinery.Containers(model))


def _without_rate(optimizer: Any) -> tuple[Any, bool]:
    """An optimizer like it at rate 1, and True; itself, and False, where its settings follow from its rate."""
    try:
        return optimizers.with_rate(optimizer, 1.0), True
    except ArgumentError:
        return optimizer, False
