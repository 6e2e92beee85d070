"""Momentum that changes: a schedule of the step, or a function of the rate."""

from __future__ import annotations

import dataclasses
from typing import Any, final

import keras
import numpy as np

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError, KerasLRError
from keras_lr.optimizers import changing
from keras_lr.schedules import Schedule

_SAMPLES = 1_000_000  # the steps of a schedule that are evaluated for its range
_NOMINAL_RUN = {"steps_per_epoch": 1000, "epochs": 10, "batch_size": 32}  # the range of rates hardly depends on the run


@final
@keras.saving.register_keras_serializable(package="keras_lr")
@dataclasses.dataclass(frozen=True)
class Coupled:
    """Momentum that falls while the rate rises, and rises while it falls.

    momentum(lr) = max_momentum - (max_momentum - min_momentum) * (lr - low) / (high - low),  with lr clipped to [low, high].

    It follows the optimizer's present rate: of a schedule, after a callback reduced it, or after you set it.

    Args:
        max_momentum: The momentum at the lowest rate, 0 or more and below 1.
        min_momentum: The momentum at the highest rate, at most `max_momentum`.
        learning_rates: The lowest and the highest rate, `(low, high)`. Default: those of the optimizer's schedule, which
            must then be a schedule of keras-lr with an end.

    Example:
        >>> import keras_lr as klr
        >>> one_cycle = klr.Linear(0.004, 0.1, 30) >> klr.Linear(0.1, 0.0, 70)
        >>> optimizer = klr.optimizers.SGD(one_cycle, momentum=klr.optimizers.Coupled(0.95, 0.85))

    References:
        - Smith, 2018, A disciplined approach to neural network hyper-parameters, arXiv:1803.09820
    """

    max_momentum: float = 0.95
    min_momentum: float = 0.85
    learning_rates: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        below_one("Coupled", max_momentum=self.max_momentum)
        checks.at_least_zero("Coupled", min_momentum=self.min_momentum)
        if self.min_momentum > self.max_momentum:
            rule, repair = "min_momentum must be at most max_momentum", "Swap them"
            raise ArgumentError("Coupled", rule, repair, min_momentum=self.min_momentum)
        if self.learning_rates is not None:
            low, high = (checks.at_least_zero("Coupled", learning_rates=rate) for rate in self.learning_rates)
            if low >= high:
                rule, repair = "the first rate must be below the second", "Pass (lowest, highest)"
                raise ArgumentError("Coupled", rule, repair, learning_rates=self.learning_rates)
            object.__setattr__(self, "learning_rates", (low, high))

    def within(self, learning_rate: Any) -> Coupled:
        """Returns the coupling with the range of a schedule's rates, unless it has a range."""
        return self if self.learning_rates else dataclasses.replace(self, learning_rates=_range(learning_rate))

    def __call__(self, learning_rate: Any) -> Any:
        """Returns the momentum at a rate: a float, an array or a tensor."""
        assert self.learning_rates is not None
        low, high = self.learning_rates
        clip = keras.ops.clip if keras.ops.is_tensor(learning_rate) else np.clip
        share = clip((learning_rate - low) / (high - low), 0.0, 1.0)
        return self.max_momentum - (self.max_momentum - self.min_momentum) * share

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Coupled:
        """Returns the coupling of a config."""
        rates = config["learning_rates"]
        return cls(**{**config, "learning_rates": None if rates is None else tuple(rates)})


def momentum_of(where: str, **argument: Any) -> Any:
    """Checks a momentum: a number of 0 or more and below 1, a schedule, a `Coupled`, or one of these as Keras saves it."""
    ((name, value),) = argument.items()
    value = changing.deserialized(value)
    return value if changing.is_schedule(value) or isinstance(value, Coupled) else below_one(where, **{name: value})


def within(value: Any, learning_rate: Any) -> Any:
    """Returns the momentum; a `Coupled` with the range of the optimizer's rates."""
    return value.within(learning_rate) if isinstance(value, Coupled) else value


def now(value: Any, optimizer: Any) -> Any:
    """Returns the momentum of the optimizer's next update: a float, or a tensor if it changes."""
    if isinstance(value, Coupled):
        return value(keras.ops.convert_to_tensor(optimizer.learning_rate))
    return changing.now(value, optimizer)


def below_one(where: str, **argument: Any) -> float:
    """Checks a number of 0 or more and below 1."""
    value = checks.at_least_zero(where, **argument)
    if value >= 1.0:
        (name,) = argument
        raise ArgumentError(where, f"{name} must be below 1", "Pass a float such as 0.9, or a schedule", **argument)
    return value


def _range(learning_rate: Any) -> tuple[float, float]:
    """The lowest and the highest rate of a schedule."""
    repair = "Pass Coupled(..., learning_rates=(lowest, highest))"
    try:
        schedule = learning_rate.bind(**_NOMINAL_RUN) if isinstance(learning_rate, Schedule) else None
        length = None if schedule is None else schedule.length
    except KerasLRError:
        schedule = length = None
    if schedule is None or length is None:
        rule = "the range of rates is known only for a schedule of keras-lr with an end"
        raise ArgumentError("Coupled", rule, repair, learning_rate=learning_rate)
    steps = np.unique(np.linspace(0, length, min(length + 1, _SAMPLES)).astype(np.int64))
    rates = schedule.evaluate(steps)
    low, high = float(rates.min()), float(rates.max())
    if not 0.0 <= low < high:
        raise ArgumentError("Coupled", "the rate must change, and be 0 or more", repair, learning_rate=learning_rate)
    return low, high
