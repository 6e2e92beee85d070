"""What the callbacks put into an optimizer to change its schedule: the schedule itself, adopted from Keras and scaled."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, final

import keras
import numpy as np

from keras_lr import backends
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import fields
from keras_lr.schedules.base import CALL, Schedule
from keras_lr.schedules.operators.operator import Operator
from keras_lr.schedules.ops import HOST, Arithmetic


@final
@fields.schedule
class Adopted(Schedule):
    """Adopts a schedule of Keras, or of a class of your own: `Adopted(schedule)`.

    Args:
        schedule: A `keras.optimizers.schedules.LearningRateSchedule`.

    Example:
        >>> import keras
        >>> halving = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
        >>> (0.1 * Adopted(halving)).evaluate([0, 1, 2]).round(4).tolist()
        [0.1, 0.05, 0.025]
    """

    schedule: Any

    def _check_fields(self) -> None:
        if not isinstance(self.schedule, keras.optimizers.schedules.LearningRateSchedule):
            raise ArgumentError("Adopted", "schedule must be a schedule of Keras", "Pass one", schedule=self.schedule)

    def __hash__(self) -> int:
        return hash((type(self.schedule), repr(sorted(self.schedule.get_config().items(), key=str))))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Adopted) or type(self.schedule) is not type(other.schedule):
            return False
        return bool(self.schedule.get_config() == other.schedule.get_config())

    @property
    def plain(self) -> bool:
        return False

    @property
    def extent(self) -> None:
        return None

    @functools.cached_property
    def _over(self) -> Callable[[Any], Any]:
        """Computes its values at many steps in one compiled call; one step at a time, as it may not accept arrays."""
        compiled: Callable[[Any], Any] = backends.active().compiled(lambda steps: keras.ops.map(self.schedule, steps))
        return compiled

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        if xp is not HOST:
            return self.schedule(step)
        steps = np.asarray(step)
        if not steps.size:
            return np.zeros(steps.shape)
        values = keras.ops.convert_to_numpy(self._over(keras.ops.convert_to_tensor(steps.ravel(), dtype="int32")))
        return np.array([float(str(value)) for value in values.astype(np.float32)]).reshape(steps.shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the config of the schedule that it stands for."""
        return {"schedule": keras.saving.serialize_keras_object(self.schedule)}

    def __repr__(self) -> str:
        kind, keras_own = type(self.schedule).__name__, keras.optimizers.schedules
        place = "keras.optimizers.schedules." if isinstance(self.schedule, getattr(keras_own, kind, ())) else ""
        words = ", ".join(f"{name}={value!r}" for name, value in self.schedule.get_config().items() if name != "name")
        return f"Adopted({place}{kind}({words}))"


@final
@fields.schedule
class Scaled(Operator):
    """Scales a schedule within `low` and `high`; neither bound moves a rate that is beyond it already.

    lr(t) = max(s * scale, min(s, low)) for a scale of 1 or less, min(s * scale, max(s, high)) above,  s = schedule(t).

    Args:
        schedule: The schedule to scale.
        scale: The factor, 0 or more.
        low: The lowest result of scaling down. It never raises the schedule.
        high: The highest result of scaling up. It never lowers the schedule. None: no bound.

    Example:
        >>> from keras_lr import Linear
        >>> Scaled(Linear(1.0, 0.0, 4), 0.1, low=0.05).evaluate(range(5)).round(3).tolist()
        [0.1, 0.075, 0.05, 0.05, 0.0]
    """

    scale: float = fields.rate(1.0)
    low: float = fields.rate(0.0)
    high: float | None = fields.positive(None)

    def formula(self, step: Any, xp: Arithmetic) -> Any:
        rate = self.schedule.formula(step, xp)
        if self.scale <= 1.0:
            return xp.maximum(rate * self.scale, xp.minimum(rate, self.low)) if self.low else rate * self.scale
        return rate * self.scale if self.high is None else xp.minimum(rate * self.scale, xp.maximum(rate, self.high))

    def __repr__(self) -> str:
        bounds = "" if not self.low and self.high is None else f", low={self.low!r}, high={self.high!r}"
        return f"Scaled({self.schedule.code_in(CALL)}, {self.scale!r}{bounds})"
