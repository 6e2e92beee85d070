"""The rate of each group of variables, and the other numbers of an optimizer, as `LearningRateMonitor` logs them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.callbacks import live_rate
from keras_lr.optimizers import Coupled, PerLayer
from keras_lr.optimizers.changing import for_run, is_schedule
from keras_lr.schedules import Scaled


@dataclasses.dataclass(frozen=True)
class LoggedRate:
    """The rate `rate * factor` of a group of variables. The name is None for the first optimizer, without a factor."""

    name: str | None
    rate: Any  # a schedule, or a number
    factor: Any = 1.0  # a schedule, or a number

    def rates(self, steps: np.ndarray) -> list[float]:
        """The rates of the given steps."""
        values = np.asarray(_at(self.rate, steps))
        if not (isinstance(self.factor, float) and self.factor == 1.0):
            values = values * _at(for_run(self.factor, self.rate), steps)
        return [float(value) for value in values]


def logged_rates_of(model: Any) -> list[LoggedRate]:
    """Returns the rates of a model's optimizers and groups, the one without a name first."""
    optimizers = machinery.optimizers_of(model)
    rates = [_rate(optimizer) for optimizer in optimizers]
    logged = [LoggedRate(None, rates[0])]
    if len(optimizers) > 1:
        logged += [LoggedRate(optimizer.name, rate) for optimizer, rate in zip(optimizers, rates, strict=True)]
    for wrapper in machinery.wrappers_of(model):
        if isinstance(wrapper, PerLayer):
            rate = _rate(wrapper.inner_optimizer)
            logged += [LoggedRate(_label(key), rate, factor) for key, factor in wrapper.factors]
    return logged


def hyperparameter(name: str, optimizer: Any, step: int) -> float:
    """Returns the momentum (or beta_1), the weight decay or the scale at a step; 0, 0 and 1 if the optimizer has none."""
    rate = machinery.rate_of(optimizer)
    if name == "scale":
        return rate.scale if isinstance(rate, Scaled) else 1.0
    if name == "weight_decay":
        return float(getattr(optimizer, "weight_decay", None) or 0.0)
    value = getattr(optimizer, "momentum_rule", getattr(optimizer, "momentum", getattr(optimizer, "beta_1", 0.0)))
    if isinstance(value, Coupled):
        return float(value(live_rate.rate_at(optimizer, step)))
    if is_schedule(value):
        return float(live_rate.as_ours(for_run(value, rate)).evaluate(step))
    return float(value)


def _rate(optimizer: Any) -> Any:
    rate = machinery.rate_of(optimizer)
    return rate if is_schedule(rate) else live_rate.number(rate)


def _at(value: Any, steps: np.ndarray) -> Any:
    return live_rate.as_ours(value).evaluate(steps) if is_schedule(value) else [value] * len(steps)


def _label(key: Any) -> str:
    return key if isinstance(key, str) else getattr(key, "__name__", "function")
