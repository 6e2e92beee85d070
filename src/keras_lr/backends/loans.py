"""What a loan of a model leaves for the next one: its programs, and its loss and metrics as the first batch built them.

Both contain as constants what the model was when they were made. They are used again while all of this is the same:

- the compilation: `compile` drops them, as it drops the compiled steps of `fit`;
- the layers, the optimizers and all their variables, with the order of these (a flag `trainable` changes it);
- numbers, texts and functions in attributes of layers and optimizers, such as `rate` of a dropout or `beta_1`;
- Keras's settings that a layer or a loss reads when it is called, and the distribution.

Anything else needs a `compile`, as in `fit`: weights of losses, the settings of a loss, variables that the model doesn't track.
They stay with the compilation, so they go when the model goes. Nothing of them is saved.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import Batch, layout

_PLACE = "_keras_lr_loan"
_OF_FIT = {"train_function", "test_function", "predict_function", "stop_training", "_initial_epoch"}  # `fit` sets them
_PLAIN = (bool, int, float, str, np.generic)


@dataclasses.dataclass
class Loan:
    """What one loan leaves for the next.

    Attributes:
        programs: Compiled functions of the model, by names that the steppers give them.
        containers: By the layout of a batch, the `copies` of `Containers` that such a batch built.
        constants: What the model was when the loan ended.
    """

    programs: dict[Any, Any] = dataclasses.field(default_factory=dict)
    containers: dict[str, dict[str, tuple[Any, Any]]] = dataclasses.field(default_factory=dict)
    constants: list[Any] = dataclasses.field(default_factory=list)

    def borrow_containers(self, model: Any, batch: Batch) -> machinery.Containers:
        """Replaces the unbuilt loss and metrics of a model by copies; by built ones, if there are."""
        containers = machinery.Containers(model, self.containers.get(layout(batch)))
        self.containers[layout(batch)] = containers.copies
        return containers


def begin(model: Any) -> Loan:
    """Returns the model's last loan, or a new one if there was none or the model has changed."""
    last = getattr(machinery.compilation_of(model), _PLACE, None)
    return last if last is not None and _same(last.constants, list(_constants(model))) else Loan()


def end(model: Any, loan: Loan) -> None:
    """Leaves a loan for the next one. Call it when the model is again as it was."""
    compilation = machinery.compilation_of(model)
    if compilation is not None:
        loan.constants = list(_constants(model))
        setattr(compilation, _PLACE, loan)


def _constants(model: Any) -> Iterator[Any]:
    """Yields what a program of the model contains as constants."""
    settings = keras.config
    yield from (settings.floatx(), settings.epsilon(), settings.image_data_format())
    yield settings.is_flash_attention_enabled()
    yield from (keras.distribution.distribution(), getattr(model, "distribute_strategy", None))
    optimizers = [*machinery.wrappers_of(model), *machinery.optimizers_of(model)]
    for owner in (model.optimizer, *optimizers):
        yield from (owner, *owner.variables, "")
    yield from (*model.trainable_variables, "", *model.non_trainable_variables, "")
    for owner in (*optimizers, *machinery.layers_of(model)):
        yield owner
        for name, value in vars(owner).items():
            if name not in _OF_FIT and (_is_plain(value) or callable(value) or name == "_dtype_policy"):
                yield from (name, value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, _PLAIN) or (isinstance(value, tuple) and all(isinstance(one, _PLAIN) for one in value))


def _same(before: list[Any], now: list[Any]) -> bool:
    """Compares plain values by value, and everything else by identity."""
    if len(before) != len(now):
        return False
    pairs = zip(before, now, strict=True)
    return all(one is other or (_is_plain(one) and _is_plain(other) and one == other) for one, other in pairs)
