"""A rate for each layer: wraps any Keras optimizer, and multiplies its rate by a factor for each variable."""

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
_MAX_PATHS = 5  # in an error


@final
@keras.saving.register_keras_serializable(package="keras_lr")
class PerLayer(keras.optimizers.Optimizer):
    """Wraps an optimizer; the rate of each variable is the optimizer's rate times the factor of its group.

    lr(variable, t) = lr(t) * factor(t),  with the factor of the first pattern that matches, and 1 if none does.

    A pattern matches whole names between slashes anywhere in a path: `"dense"` matches `dense/kernel` and
    `encoder/dense/bias`, but not `dense_1/kernel`. Other patterns: `"encoder/layer_[0-3]"`, `"bias"`, `".*norm.*"`.

    The number 0 freezes a variable: it gets no update, no decay and no moments, and its gradient enters no norm. A schedule
    that is 0 for a while, for example `Constant(0.0, 100) >> Constant(1.0)`, thaws the variable later (gradual unfreezing);
    meanwhile its moments are updated, and its gradient enters `global_clipnorm`.

    Weight decay stays at the optimizer's rate (`weight_decay * lr` in Keras), because a layer that learns slowly should not
    also decay less. With `scale_weight_decay=True` it is scaled as in PyTorch's parameter groups, each of which has a rate.

    Args:
        inner_optimizer: Any Keras optimizer except a wrapper. For loss scaling wrap this one,
            `LossScaleOptimizer(PerLayer(...))`; under mixed precision `compile` does so.
        factors: A dict. Keys: a regular expression, or a function that returns whether a variable matches (see
            `variable.path`, `variable.shape`). Values: a number of 0 or more, or a schedule; both multiply the rate. A
            schedule with units (`"3ep"`) takes the run from a rate with units.
        scale_weight_decay: Whether the factors scale weight decay too.
        name: As for every Keras optimizer.

    Raises:
        ArgumentError: An argument is invalid; or, when the optimizer is built, a pattern matches no variable.

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
        super().__init__(learning_rate=0.0, name=name)  # unused: the inner optimizer has the rate
        _check_inner(inner_optimizer)
        self.factors = _pairs(factors)
        self.scale_weight_decay = bool(scale_weight_decay)
        self.inner_optimizer = inner_optimizer
        machinery.count_as(self, inner_optimizer)

    def build(self, variables: Sequence[Any]) -> None:
        """Assigns each variable to its group, and builds the inner optimizer for those that are not frozen."""
        if self.built:
            return
        variables = list(variables)
        groups = _groups(self.factors, variables)
        frozen = [
            self.factor_values[group] == 0.0 and not machinery.takes_next_value(variable)
            for group, variable in zip(groups, variables, strict=True)
        ]
        if all(frozen):
            rule, repair = "the factor of every variable is 0", "Leave one above 0"
            raise ArgumentError("PerLayer", rule, repair, factors=dict(self.factors))
        super().build(variables)
        self.groups, self.frozen = tuple(groups), tuple(frozen)
        self.inner_optimizer.build([variable for variable, skip in zip(variables, frozen, strict=True) if not skip])

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Updates the variables that are not frozen, each at its own rate."""
        if not self.built:
            if trainable_variables is None:
                rule, repair = "the optimizer is not built", "Pass the variables, or call build(variables) first"
                raise ArgumentError("PerLayer.apply", rule, repair, trainable_variables=None)
            self.build(trainable_variables)
        inner = self.inner_optimizer
        variables = machinery.trainable_variables_of(self) if trainable_variables is None else list(trainable_variables)
        pairs = [
            pair for pair in zip(grads, variables, strict=True) if not self.frozen[machinery.index_in(self, pair[1])]
        ]
        groups = [
            self.groups[machinery.index_in(self, variable)] for variable in machinery.trainable_variables_of(inner)
        ]
        factors = [changing.now(factor, inner) for factor in self.factor_values]
        with scale_rates(inner, groups, factors, self.scale_weight_decay):
            inner.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])

    @property
    def factor_values(self) -> list[Any]:
        """The factor of each group, in the order of `factors`, and 1 for variables that no pattern matches."""
        return [factor for _, factor in self.factors] + [1.0]

    @property
    def variables(self) -> list[Any]:
        """The state of the inner optimizer; the wrapper has none."""
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
        """The number of updates so far."""
        return self.inner_optimizer.iterations

    @property
    def loss_scale_factor(self) -> float | None:
        """The fixed scale of the loss, by which the inner optimizer divides the gradients."""
        return self.inner_optimizer.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, factor: float | None) -> None:
        if "inner_optimizer" in vars(self):  # Keras sets it once before there is one
            self.inner_optimizer.loss_scale_factor = factor

    def scale_loss(self, loss: Any) -> Any:
        """Returns the loss times the fixed scale."""
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """Replaces the weights by their averages, if the inner optimizer has averages."""
        thawed = [variable for variable in var_list if not self.frozen[machinery.index_in(self, variable)]]
        self.inner_optimizer.finalize_variable_values(thawed)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets the state of the inner optimizer."""
        self.inner_optimizer.set_weights(weights)

    def save_own_variables(self, store: Any) -> None:
        """Writes nothing: Keras saves the inner optimizer beside the wrapper."""

    def load_own_variables(self, store: Any) -> None:
        """Reads nothing: Keras loads the inner optimizer beside the wrapper."""

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as Keras saves them; `factors` as pairs, to keep their order."""
        return {
            "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            "factors": [[changing.serialized(key), changing.serialized(factor)] for key, factor in self.factors],
            "scale_weight_decay": self.scale_weight_decay,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> PerLayer:
        """Returns the optimizer of a config."""
        with keras.saving.custom_object_scope(custom_objects or {}):
            inner = changing.deserialized(copy.deepcopy(config["inner_optimizer"]))  # Keras writes into what it reads
            return cls(**{**config, "inner_optimizer": inner})


def _check_inner(optimizer: Any) -> None:
    """Checks that an optimizer has one rate itself."""
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        rule, repair = "it must wrap a Keras optimizer", "Pass one such as keras.optimizers.Adam(0.001)"
        raise ArgumentError("PerLayer", rule, repair, inner_optimizer=optimizer)
    if hasattr(optimizer, "inner_optimizer") or hasattr(optimizer, "optimizers"):
        rule, repair = "it must wrap an optimizer that isn't a wrapper itself", "Put PerLayer inside the other wrapper"
        raise ArgumentError("PerLayer", rule, repair, inner_optimizer=type(optimizer).__name__)


def _pairs(factors: Any) -> tuple[tuple[Key, Any], ...]:
    """Checks the pairs of pattern and factor of a dict or a config."""
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
        rule, repair = f"a key is not a valid regular expression ({error})", "Escape literal text: re.escape(path)"
        raise ArgumentError("PerLayer", rule, repair, factors=key) from error
    return key


def _factor(value: Any) -> Any:
    return value if changing.is_schedule(value) else checks.at_least_zero("PerLayer", factor=value)


def _groups(factors: Sequence[tuple[Key, Any]], variables: Sequence[Any]) -> list[int]:
    """The index of the first pattern that matches each variable; one past the last if none does."""
    matches = [[_matches(key, variable) for variable in variables] for key, _ in factors]
    for (key, _), row in zip(factors, matches, strict=True):
        if not any(row):
            paths = [_path(variable) for variable in variables]
            more = f" and {len(paths) - _MAX_PATHS} more" if len(paths) > _MAX_PATHS else ""
            rule = f"no trainable variable matches this key. Their paths are {', '.join(paths[:_MAX_PATHS])}{more}"
            repair = "A pattern matches whole names between slashes; '.*' stands for any part of one"
            raise ArgumentError("PerLayer", rule, repair, factors=key)
    return [next((i for i, row in enumerate(matches) if row[column]), len(factors)) for column in range(len(variables))]


def _matches(key: Key, variable: Any) -> bool:
    if isinstance(key, str):
        return re.search(f"(?:^|/)(?:{key})(?:/|$)", _path(variable)) is not None
    return bool(key(variable))


def _path(variable: Any) -> str:
    return getattr(variable, "path", None) or variable.name
