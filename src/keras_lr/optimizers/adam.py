"""Adam whose first momentum may change, with a bias correction that stays correct."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import keras
from keras import ops

from keras_lr.backends import keras as machinery
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.optimizers import changing
from keras_lr.optimizers import momentum as momenta


@final
@keras.saving.register_keras_serializable(package="keras_lr")
class Adam(keras.optimizers.Optimizer):
    """Adam with a `beta_1` that may change with the step or with the rate.

    m = b(t) * m + (1 - b(t)) * g;  v = beta_2 * v + (1 - beta_2) * g**2;

    w = w - lr(t) * m / c(t) * sqrt(1 - beta_2**(t + 1)) / (sqrt(v) + epsilon),  c(t) = 1 - b(0) * b(1) * ... * b(t).

    With a constant `beta_1` it is `keras.optimizers.Adam`, because c(t) is then 1 - beta_1**(t + 1). In general c is the
    weight of the gradients in m, so that m / c is their mean. PyTorch divides by 1 - b(t)**(t + 1), which is that weight only
    for a constant: in a one-cycle of 24 updates some of its updates are 29 % too small.

    Args:
        learning_rate: A float, or a schedule.
        beta_1: A float, 0 or more and below 1; a schedule; or `Coupled(max_momentum, min_momentum)`, which follows the
            rate. A schedule with units takes the run from a rate with units.
        beta_2: A float above 0 and below 1.
        epsilon: A small number, added where Keras adds it.
        amsgrad: Whether to divide by the largest v so far.
        **kwargs: As for every Keras optimizer: `weight_decay` (decoupled, as in AdamW), `clipnorm`, `use_ema` ...

    Raises:
        ArgumentError: An argument is out of range, or follows a rate whose range is unknown.

    Example:
        >>> import keras_lr as klr
        >>> rate = klr.Linear(0.0004, 0.01, 30) >> klr.Linear(0.01, 0.0, 70)
        >>> optimizer = klr.optimizers.Adam(rate, beta_1=klr.optimizers.Coupled(0.95, 0.85), weight_decay=0.01)

    References:
        - Kingma, Ba, 2014, Adam: A Method for Stochastic Optimization, arXiv:1412.6980
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: Any = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = momenta.momentum_of("Adam", beta_1=beta_1)
        self.beta_2 = momenta.below_one("Adam", beta_2=beta_2)
        if self.beta_2 == 0.0:
            raise ArgumentError("Adam", "beta_2 must be above 0", "Pass a float such as 0.999", beta_2=beta_2)
        self.epsilon = checks.at_least_zero("Adam", epsilon=epsilon)
        self.amsgrad = bool(amsgrad)
        # c: the moment of a gradient of 1, in the same arithmetic as the other moments, so that it is exact for them
        self.gradient_weight = self.add_variable((), name="gradient_weight", aggregation="only_first_replica")
        self.momentum_rule = momenta.within(self.beta_1, learning_rate)
        self._beta_1_now: Any = None

    def build(self, variables: Sequence[Any]) -> None:
        """Creates the two moments of each variable."""
        if self.built:
            return
        super().build(variables)
        self.momentums, self.velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        self.highest = self.add_optimizer_variables(variables, "velocity_hat") if self.amsgrad else []

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Makes one update, with the momentum of its step."""
        if len(grads) == 0:
            return
        self._beta_1_now = ops.cast(momenta.now(self.momentum_rule, self), self.gradient_weight.dtype)
        try:
            self._update_gradient_weight()
            super().apply(grads, trainable_variables)
        finally:
            self._beta_1_now = None

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(_dense(gradient, variable), variable.dtype)
        index = machinery.index_in(self, variable)
        m, v = self.momentums[index], self.velocities[index]
        rest = ops.cast(1.0 - self._beta_1_now, variable.dtype)
        self.assign_add(m, ops.multiply(ops.subtract(gradient, m), rest))
        self.assign_add(v, ops.multiply(ops.subtract(ops.square(gradient), v), 1.0 - self.beta_2))
        if self.amsgrad:
            self.assign(self.highest[index], ops.maximum(self.highest[index], v))
            v = self.highest[index]
        updates = ops.cast(self.iterations + 1, self.gradient_weight.dtype)
        second = -ops.expm1(updates * math.log(self.beta_2))  # 1 - beta_2**n, without the rounding of beta_2 in float32
        scale = rate * ops.cast(ops.sqrt(second) / self.gradient_weight, variable.dtype)
        self.assign_sub(variable, ops.divide(ops.multiply(m, scale), ops.add(ops.sqrt(v), self.epsilon)))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"beta_2": self.beta_2, "epsilon": self.epsilon, "amsgrad": self.amsgrad}
        return {**super().get_config(), "beta_1": changing.serialized(self.beta_1), **own}

    def _update_gradient_weight(self) -> None:
        """Updates c, in batches that end in an update."""
        weight = self.gradient_weight + (1.0 - self._beta_1_now) * (1.0 - self.gradient_weight)
        batches = self.gradient_accumulation_steps
        if batches:
            ends = (machinery.counter_of(self) + 1) % batches == 0
            weight = ops.where(ends, weight, ops.convert_to_tensor(self.gradient_weight))
        self.gradient_weight.assign(weight)


def _dense(gradient: Any, variable: Any) -> Any:
    """Converts TensorFlow's sparse gradient of an embedding, and adds up the parts of a word that occurs twice in the batch.

    Adam needs the square of the sum of these parts; operations on sparse gradients would add up their squares.
    """
    return ops.add(ops.zeros_like(variable), gradient) if hasattr(gradient, "dense_shape") else gradient
