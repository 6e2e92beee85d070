"""A rate for each variable of one optimizer, by wrapping Keras's update rules while they are applied.

Only this file and `keras.py` use Keras's private names, and each name has a test.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import keras

from keras_lr.backends.keras import index_in, rate_of, set_rate


@contextlib.contextmanager
def scale_rates(optimizer: Any, groups: list[int], factors: list[Any], scale_weight_decay: bool) -> Iterator[None]:
    """Scales the rate of each variable by the factor of its group. Call `apply` within the block.

    It wraps the methods that get rates from Keras, and unwraps them at the end.

    Args:
        optimizer: A built optimizer that holds its rate itself.
        groups: The index of the group of each variable that it was built for.
        factors: The factor of each group: a float, or a tensor if it changes with the step.
        scale_weight_decay: Whether to scale the rate in the weight decay too. A factor of 0 always turns the decay off.
    """
    decays = factors if scale_weight_decay else [_zero_or_one(factor) for factor in factors]
    parallel = hasattr(optimizer, "_parallel_update_step")  # PyTorch updates many variables in one call
    update, scaled = ("_parallel_update_step", _scaled_updates) if parallel else ("update_step", _scaled_update)
    wrappers = {update: (scaled, factors), "_apply_weight_decay": (_scaled_decay, decays)}
    for name, (wrapper, scales) in wrappers.items():
        own = functools.partial(getattr(type(optimizer), name), optimizer)
        object.__setattr__(optimizer, name, functools.partial(wrapper, optimizer, own, groups, scales))
    try:
        yield
    finally:
        for name in wrappers:
            vars(optimizer).pop(name, None)


def _scaled_update(optimizer: Any, own: Any, groups: Any, factors: Any, *step: Any) -> None:
    """Updates one variable at its own rate."""
    gradient, variable, learning_rate = step
    factor = factors[groups[index_in(optimizer, variable)]]
    with _freeze_at_zero(optimizer, factor, [variable]):
        own(gradient, variable, _times(learning_rate, factor))


def _scaled_updates(optimizer: Any, own: Any, groups: Any, factors: Any, *step: Any) -> None:
    """Updates many variables, in one call for each group."""
    gradients, variables, learning_rate = step
    shared = getattr(optimizer, "_u_product", None)  # of Nadam: each call changes it, but all groups share it
    before = None if shared is None else keras.ops.copy(shared.value)
    for group, indices in _by_group(optimizer, groups, variables):
        if shared is not None:
            shared.assign(before)
        members = [variables[index] for index in indices]
        with _freeze_at_zero(optimizer, factors[group], members):
            own([gradients[index] for index in indices], members, _times(learning_rate, factors[group]))


def _scaled_decay(optimizer: Any, own: Any, groups: Any, factors: Any, variables: Any) -> None:
    """Decays all variables, each at its own rate."""
    if optimizer.weight_decay is None and not hasattr(optimizer, "adam_weight_decay"):  # Muon has two
        return
    decayed = [variable for variable in variables if optimizer._use_weight_decay(variable)]
    rate = rate_of(optimizer)
    try:
        for group, indices in _by_group(optimizer, groups, decayed):
            set_rate(optimizer, rate)
            scaled = _times(optimizer.learning_rate, factors[group])
            set_rate(optimizer, lambda value=scaled: value)
            own([decayed[index] for index in indices])
    finally:
        set_rate(optimizer, rate)


@contextlib.contextmanager
def _freeze_at_zero(optimizer: Any, factor: Any, variables: Any) -> Iterator[None]:
    """Keeps the values of variables while a changing factor is 0, even if the optimizer has velocity."""
    changing = not isinstance(factor, float)
    before = [keras.ops.copy(keras.ops.convert_to_tensor(variable)) for variable in variables if changing]
    yield
    for variable, value in zip(variables, before, strict=False):
        optimizer.assign(variable, keras.ops.where(factor == 0.0, value, keras.ops.convert_to_tensor(variable)))


def _times(learning_rate: Any, factor: Any) -> Any:
    return learning_rate if isinstance(factor, float) and factor == 1.0 else learning_rate * factor


def _zero_or_one(factor: Any) -> Any:
    return float(factor != 0.0) if isinstance(factor, float) else keras.ops.cast(factor != 0.0, factor.dtype)


def _by_group(optimizer: Any, groups: list[int], variables: Any) -> list[tuple[int, list[int]]]:
    """Returns each group with the indices of its variables."""
    indices: dict[int, list[int]] = {}
    for index, variable in enumerate(variables):
        indices.setdefault(groups[index_in(optimizer, variable)], []).append(index)
    return list(indices.items())
