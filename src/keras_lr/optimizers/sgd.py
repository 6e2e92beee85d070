"""Gradient descent whose momentum may change, with a velocity that does not contain the rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import keras
from keras import ops

from keras_lr.backends import keras as machinery
from keras_lr.optimizers import changing
from keras_lr.optimizers import momentum as momenta


@final
@keras.saving.register_keras_serializable(package="keras_lr")
class SGD(keras.optimizers.Optimizer):
    """Gradient descent with a momentum that may change with the step or with the rate.

    v = m(t) * v + g;  w = w - lr(t) * v,   and with Nesterov  w = w - lr(t) * (g + m(t) * v).

    With a constant rate and momentum it is `keras.optimizers.SGD`. With a rate that changes it differs from Keras, and agrees
    with PyTorch and Optax. Keras keeps the rate inside the velocity: v = m * v - lr * g. After the rate falls to a tenth,
    the next updates there still have most of the old size; here the rate acts at once, on the whole update.

    Args:
        learning_rate: A float, or a schedule.
        momentum: A float, 0 or more and below 1; a schedule; or `Coupled(max_momentum, min_momentum)`, which follows the
            rate. 0 uses no momentum, and no memory for it. A schedule with units takes the run from a rate with units.
        nesterov: Whether to use Nesterov's form, which looks ahead.
        **kwargs: As for every Keras optimizer: `weight_decay`, `clipnorm`, `use_ema`, `gradient_accumulation_steps` ...

    Raises:
        ArgumentError: The momentum is out of range, or follows a rate whose range is unknown.

    Example:
        >>> import keras_lr as klr
        >>> rate = klr.Linear(0.04, 1.0, 30) >> klr.Linear(1.0, 0.0, 70)
        >>> momentum = klr.Linear(0.95, 0.85, 30) >> klr.Linear(0.85, 0.95, 70)
        >>> optimizer = klr.optimizers.SGD(rate, momentum=momentum, nesterov=True)

    References:
        - Smith, 2018, A disciplined approach to neural network hyper-parameters, arXiv:1803.09820
        - Goyal et al., 2017, Accurate, Large Minibatch SGD (section 3, "momentum correction"), arXiv:1706.02677
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: Any = 0.0, nesterov: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.momentum = momenta.momentum_of("SGD", momentum=momentum)
        self.nesterov = bool(nesterov)
        self.velocities: list[Any] = []
        self.momentum_rule = momenta.within(self.momentum, learning_rate)
        self._momentum_now: Any = None

    def build(self, variables: Sequence[Any]) -> None:
        """Creates a velocity for each variable, unless the momentum is 0."""
        if self.built:
            return
        super().build(variables)
        if not (isinstance(self.momentum, float) and self.momentum == 0.0):
            self.velocities = self.add_optimizer_variables(variables, "velocity")

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Makes one update, with the momentum of its step."""
        self._momentum_now = momenta.now(self.momentum_rule, self)  # once, not for each variable
        try:
            super().apply(grads, trainable_variables)
        finally:
            self._momentum_now = None

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        if not self.velocities:
            self.assign_sub(variable, ops.multiply(gradient, rate))
            return
        velocity = self.velocities[machinery.index_in(self, variable)]
        momentum = ops.cast(self._momentum_now, variable.dtype)
        self.assign(velocity, ops.add(ops.multiply(velocity, momentum), gradient))
        ahead = ops.add(ops.multiply(velocity, momentum), gradient) if self.nesterov else velocity
        self.assign_sub(variable, ops.multiply(ahead, rate))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "momentum": changing.serialized(self.momentum), "nesterov": self.nesterov}
