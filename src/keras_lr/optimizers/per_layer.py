"""A rate of its own for each layer: any Keras optimizer, with a factor on its rate for each variable."""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import keras

from keras_lr.backends import keras as machinery
from keras_lr.backends.keras_rates import scale_rates
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.optimizers import changing

Key = str | Callable[[Any], bool]
SHOWN = 5  # paths in an error


@final
@keras.saving.register_keras_serializable(package="keras_lr")
class PerLayer(keras.optimizers.Optimizer):
    """Wraps an optimizer; the rate of each variable is the optimizer's rate times the factor of its group.

    lr(variable, t) = lr(t) * factor(t),  with the factor of the first pattern that matches, and 1 where none does.

    A pattern matches whole names between slashes anywhere in a path: `"dense"` matches `dense/kernel` and
    `encoder/dense/bias`, but not `dense_1/kernel`; `"encoder/layer_[0-3]"`, `"bias"` and `".*norm.*"` do what they say.

    The number 0 freezes: such a variable gets no update, no decay and no moments, and its gradient counts in no norm. A
    schedule that is 0 for a while, such as `Constant(0.0, 100) >> Constant(1.0)`, holds the variable still and thaws
    it later (gradual unfreezing); its moments are kept up meanwhile, and its gradient counts in `global_clipnorm`.

    Weight decay stays at the optimizer's rate (`weight_decay * lr` in Keras), unless `scale_weight_decay=True`: a
    factor says how fast a layer learns, and a layer that learns slowly should not also be decayed less. With True it is
    that of PyTorch's parameter groups, where each group has a whole rate of its own.

    Args:
        inner_optimizer: Any Keras optimizer but a wrapper; for loss scaling wrap this one:
            `LossScaleOptimizer(PerLayer(...))`, which `compile` does by itself under mixed precision.
        factors: A dict. Keys: a regular expression, or a function of the variable (see `variable.path`,
            `variable.shape`) that says whether it is meant. Values: a number of 0 or more, or a schedule; both multiply
            the rate. A schedule with units (`"3ep"`) takes the run from a rate with units.
        scale_weight_decay: Whether weight decay is scaled as the rate is.
        name: The name of the wrapper.

    Raises:
        ArgumentError: An argument is wrong; or, when the optimizer is built, a pattern matches no variable.

    Example:
        >>> import keras, keras_lr as klr
        >>> model = keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(3, name="body"),
        ...                           keras.layers.Dense(1, name="head")])
        >>> slow_body = klr.PerLayer(keras.optimizers.AdamW(0.001), {"body": 0.1})
        >>> model.compile(slow_body, "mse")
        >>> float(slow_body.learning_rate) == float(slow_body.inner_optimizer.learning_rate)
        True

    References:
        - Howard, Ruder, 2018, Universal Language Model Fine-tuning for Text Classification, arXiv:1801.06146
    """

    def __init__(
        self,
        inner_optimizer: Any,
        factors: Mapping[Key, Any] | Sequence[tuple[Key, Any]],
        scale_weight_decay: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(learning_rate=0.0, name=name)  # not used: the rate is that of the optimizer inside
        _check_inner(inner_optimizer)
        self.factors = _checked(factors)
        self.scale_weight_decay = bool(scale_weight_decay)
        self.inner_optimizer = inner_optimizer
        machinery.count_as(self, inner_optimizer)

    def build(self, variables: Sequence[Any]) -> None:
        """Puts each variable into its group, and builds the optimizer inside for those that are not frozen."""
        if self.built:
            return
        variables = list(variables)
        groups = _groups(self.factors, variables)
        frozen = [
            _is_zero(self.factor_values[group]) and not machinery.takes_next_value(variable)
            for group, variable in zip(groups, variables, strict=True)
        ]
        if all(frozen):
            raise ArgumentError(
                "PerLayer", "the factor of every variable is 0", "Leave one above 0", factors=dict(self.factors)
            )
        super().build(variables)
        self.groups, self.frozen = tuple(groups), tuple(frozen)
        self.inner_optimizer.build([variable for variable, held in zip(variables, frozen, strict=True) if not held])

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """One update of the variables that are not frozen, each at its own rate."""
        if not self.built:
            self.build(_given(trainable_variables))
        inner = self.inner_optimizer
        taken = machinery.trainable_variables_of(self) if trainable_variables is None else list(trainable_variables)
        pairs = [pair for pair in zip(grads, taken, strict=True) if not self.frozen[machinery.index_in(self, pair[1])]]
        groups = [
            self.groups[machinery.index_in(self, variable)] for variable in machinery.trainable_variables_of(inner)
        ]
        factors = [changing.now(f, inner) if changing.is_schedule(f) else f for f in self.factor_values]
        with scale_rates(inner, groups, factors, self.scale_weight_decay):
            inner.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])

    @property
    def factor_values(self) -> list[Any]:
        """The factor of each group: those given, in their order, and 1 for what no pattern matches."""
        return [factor for _, factor in self.factors] + [1.0]

    @property
    def variables(self) -> list[Any]:
        """The state of the optimizer inside; the wrapper has none."""
        return self.inner_optimizer.variables

    @property
    def learning_rate(self) -> Any:
        """The rate of a factor of 1."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> Any:
        """The updates made."""
        return self.inner_optimizer.iterations

    @property
    def loss_scale_factor(self) -> float | None:
        """The fixed scale of the loss, which the optimizer inside takes out of the gradients."""
        return self.inner_optimizer.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, factor: float | None) -> None:
        if "inner_optimizer" in vars(self):  # Keras sets it once before there is one
            self.inner_optimizer.loss_scale_factor = factor

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the fixed scale."""
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """Puts the averages of the weights in their place, where the optimizer inside keeps such."""
        held = [variable for variable in var_list if not self.frozen[machinery.index_in(self, variable)]]
        self.inner_optimizer.finalize_variable_values(held)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets the state of the optimizer inside."""
        self.inner_optimizer.set_weights(weights)

    def save_own_variables(self, store: Any) -> None:
        """Writes nothing: the optimizer inside is saved beside the wrapper."""

    def load_own_variables(self, store: Any) -> None:
        """Reads nothing: the optimizer inside is loaded beside the wrapper."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as Keras saves them; `factors` as pairs, to keep their order."""
        return {
            "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            "factors": [[changing.serialized(key), changing.serialized(factor)] for key, factor in self.factors],
            "scale_weight_decay": self.scale_weight_decay,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> PerLayer:
        """The optimizer that `get_config` described."""
        with keras.saving.custom_object_scope(custom_objects or {}):
            inner = changing.deserialized(copy.deepcopy(config["inner_optimizer"]))  # Keras writes into what it reads
            return cls(**{**config, "inner_optimizer": inner})


def _check_inner(optimizer: Any) -> None:
    """The optimizer inside must hold one rate itself."""
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        rule, repair = "it must wrap a Keras optimizer", "Pass one such as keras.optimizers.Adam(0.001)"
        raise ArgumentError("PerLayer", rule, repair, inner_optimizer=optimizer)
    if hasattr(optimizer, "inner_optimizer") or hasattr(optimizer, "optimizers"):
        rule, repair = "it must wrap an optimizer that is no wrapper itself", "Put PerLayer inside the other wrapper"
        raise ArgumentError("PerLayer", rule, repair, inner_optimizer=type(optimizer).__name__)


def _checked(factors: Any) -> tuple[tuple[Key, Any], ...]:
    """The pairs of pattern and factor, from a dict or from a config."""
    pairs = list(factors.items()) if isinstance(factors, Mapping) else [tuple(pair) for pair in factors]
    if not pairs:
        repair = "Pass a dict such as {'embedding': 0.1}"
        raise ArgumentError("PerLayer", "there must be at least one pattern", repair, factors=factors)
    return tuple((_key(changing.deserialized(key)), _factor(changing.deserialized(value))) for key, value in pairs)


def _key(key: Any) -> Key:
    if callable(key):
        if getattr(key, "__name__", "") == "<lambda>":
            warnings.warn(
                "PerLayer(factors={<lambda>: ...}): a model saved with a lambda can't be loaded in safe mode. Use a named, "
                "registered function, or a pattern.",
                stacklevel=5,
            )
        return key
    if not isinstance(key, str):
        rule, repair = "a key must be a pattern or a function of the variable", "Pass a string such as 'dense'"
        raise ArgumentError("PerLayer", rule, repair, factors=key)
    try:
        re.compile(key)
    except re.error as error:
        repair = "Escape what is meant as it stands: re.escape(path)"
        raise ArgumentError("PerLayer", f"a key is no regular expression ({error})", repair, factors=key) from error
    return key


def _factor(value: Any) -> Any:
    return value if changing.is_schedule(value) else checks.at_least_zero("PerLayer", factor=value)


def _is_zero(factor: Any) -> bool:
    return isinstance(factor, float) and factor == 0.0


def _given(variables: Sequence[Any] | None) -> Sequence[Any]:
    if variables is None:
        rule, repair = "the optimizer is not built", "Pass the variables, or call build(variables) first"
        raise ArgumentError("PerLayer.apply", rule, repair, trainable_variables=None)
    return variables


def _groups(factors: Sequence[tuple[Key, Any]], variables: Sequence[Any]) -> list[int]:
    """The place of the first pattern that matches each variable; one past the last where none does."""
    matches = [[_matches(key, variable) for variable in variables] for key, _ in factors]
    for (key, _), found in zip(factors, matches, strict=True):
        if not any(found):
            raise _nothing_matched(key, variables)
    return [
        next((i for i, found in enumerate(matches) if found[place]), len(factors)) for place in range(len(variables))
    ]


def _matches(key: Key, variable: Any) -> bool:
    if isinstance(key, str):
        return re.search(f"(?:^|/)(?:{key})(?:/|$)", _path(variable)) is not None
    return bool(key(variable))


def _path(variable: Any) -> str:
    return getattr(variable, "path", None) or variable.name


def _nothing_matched(key: Key, variables: Sequence[Any]) -> ArgumentError:
    paths = [_path(variable) for variable in variables]
    shown = ", ".join(paths[:SHOWN]) + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")
    return ArgumentError(
        "PerLayer",
        f"no trainable variable matches this key. Their paths are {shown}",
        "A pattern matches whole names between slashes; '.*' stands for any part of one",
        factors=key,
    )
