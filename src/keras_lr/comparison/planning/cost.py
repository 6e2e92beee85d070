"""Estimate the time of a run from a few updates of a throwaway model."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.comparison.planning import data_checks, optimizers
from keras_lr.comparison.planning.plan import Plan

UPDATES = 20  # to time, after a first one
USUAL_BATCH = 32  # Keras's
TINY = 1e-6  # the rate for them, at which no loss blows up


@dataclasses.dataclass(frozen=True)
class Cost:
    """The seconds of a run by `fit`: `fixed + epochs * epoch`.

    Attributes:
        fixed: To build, trace and compile the model.
        epoch: For the updates of an epoch and its validation.
        update: For one update.
    """

    fixed: float
    epoch: float
    update: float

    def seconds(self, epochs: int) -> float:
        """Returns the seconds of a run."""
        return self.fixed + epochs * self.epoch


def updates_per_epoch(plan: Plan) -> int | None:
    """Returns the updates of an epoch; None if a dataset has no length."""
    x = plan.data["x"]
    if data_checks.arrays_of(x):
        examples = round(data_checks.examples_of(x) * (1.0 - plan.data["validation_split"]))
        return -(-examples // (plan.batch_size or USUAL_BATCH))
    try:
        return len(x)
    except TypeError:
        return None


def cost_of_a_run(plan: Plan, build: Callable[[], Any]) -> Cost | None:
    """Times a few updates of the first case on a throwaway model.

    Args:
        plan: Its first case is timed.
        build: Returns a new, compiled model.

    Returns:
        The cost. None if x is a dataset, which timing would advance, or if the model can't be trained; the first run
        then fails with the reason.
    """
    updates = updates_per_epoch(plan)
    if updates is None or not data_checks.arrays_of(plan.data["x"]):
        return None
    try:
        with backends.random_state():
            keras.utils.set_random_seed(plan.seeds[0])
            return _time_updates(plan, build, updates)
    except Exception:  # the user's code may raise anything
        return None


def _time_updates(plan: Plan, build: Callable[[], Any], updates: int) -> Cost:
    data, size = plan.data, plan.batch_size or USUAL_BATCH
    _warm_up()
    start = time.perf_counter()
    model = build()
    case = dataclasses.replace(plan.cases[0], schedule=None, learning_rate=TINY)
    if optimizers.has_one_rate(case.optimizer or model.optimizer):
        machinery.replace_optimizer(model, case.optimizer_for(model.optimizer))
    building = time.perf_counter() - start

    def seconds(work: Callable[..., Any], batches: int, **more: Any) -> float:
        x, y, weights = data_checks.first_batch(data["x"], data["y"], data["sample_weight"], batches * size)
        start = time.perf_counter()
        work(x, y, batch_size=size, sample_weight=weights, verbose=0, **more)
        return time.perf_counter() - start

    weighted = {"class_weight": data["class_weight"]}
    tracing, count = seconds(model.fit, 1, **weighted), min(UPDATES, updates)
    update = seconds(model.fit, count, **weighted) / count
    batches = -(-_validation_examples(plan) // size)
    if not batches:
        return Cost(building + tracing, updates * update, update)
    tracing, count = tracing + seconds(model.evaluate, 1), min(UPDATES, batches, updates)
    batch = seconds(model.evaluate, count) / count
    return Cost(building + tracing, updates * update + batches * batch, update)


def _warm_up() -> None:
    """Trains a tiny model: the first `fit` of a process is slow for any model."""
    model = keras.Sequential([keras.layers.Input([1]), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.zeros([1, 1]), np.zeros([1, 1]), verbose=0)


def _validation_examples(plan: Plan) -> int:
    """Returns the number of examples to validate on."""
    validation = plan.data["validation_data"]
    if validation is None:
        return round(data_checks.examples_of(plan.data["x"]) * float(plan.data["validation_split"]))
    return data_checks.examples_of(validation[0] if isinstance(validation, tuple) else validation)
