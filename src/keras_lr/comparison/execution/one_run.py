"""Execute one run of a plan by `fit`. This process, the worker processes and Ray all call the same function."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any

import keras

from keras_lr.backends import keras as machinery
from keras_lr.callbacks.monitor import LearningRateMonitor
from keras_lr.comparison.measured import RunKey, RunMeasurement
from keras_lr.comparison.planning.plan import WHERE, Plan, call_build_model
from keras_lr.core.errors import ArgumentError
from keras_lr.engines.fit import TrainingRun, train
from keras_lr.engines.workers.heartbeat import Heartbeat, HeartbeatCallback, interrupt_hangs

Watch = Callable[[Callable[[Heartbeat], TrainingRun]], TrainingRun]
"""Executes a training, which counts its batches in a heartbeat."""


def execute_run(plan: Plan, key: RunKey, build: Callable[[], Any], watch: Watch = interrupt_hangs) -> RunMeasurement:
    """Trains one case with one seed.

    `watch` decides about a run that hangs: by default, it is interrupted and tried once more.
    """
    case, monitor = plan.cases[key.case], LearningRateMonitor()

    def prepare(model: Any) -> None:
        optimizer = case.optimizer_for(model.optimizer)
        if optimizer is not model.optimizer:
            machinery.replace_optimizer(model, optimizer)

    def fit(heartbeat: Heartbeat) -> TrainingRun:
        callbacks = [_MetricCheck(plan), monitor, HeartbeatCallback(heartbeat)]
        stop = plan.prune is not None
        return train(build, prepare, plan.fit_arguments, seed=key.seed, callbacks=callbacks, stop_on_divergence=stop)

    return RunMeasurement(watch(fit), tuple(monitor.learning_rates))


def execute_in_worker(plan: Plan, key: RunKey, heartbeat: Heartbeat) -> RunMeasurement:
    """Trains one case with one seed in a worker. The driver detects hangs, by the heartbeat."""
    heartbeat.start_run()
    build = functools.partial(call_build_model, plan.build_model)
    measurement = execute_run(plan, key, build, lambda fit: fit(heartbeat))
    return dataclasses.replace(measurement, run=dataclasses.replace(measurement.run, exception=None))


def check_metric(plan: Plan, logs: Iterable[str]) -> None:
    """Refuses a metric that the model did not log."""
    if plan.metric not in logs:
        repair = f"Pass one of {', '.join(logs)}"
        raise ArgumentError(WHERE, f"the model has no metric {plan.metric!r}", repair, metric=plan.metric)


class _MetricCheck(keras.callbacks.Callback):
    """Checks the metric after the first epoch of a run."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch == 0 and logs is not None:
            check_metric(self._plan, logs)
