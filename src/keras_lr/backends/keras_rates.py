"""A rate for each variable of one optimizer: what Keras's update rules are stood in for while they are applied.

Beside `keras.py` the only file that uses a Keras name with a leading underscore. Each has a test.
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
    """Within the block, around `apply`, the rate of each variable is the optimizer's times the factor of its group.

    Nothing is left behind: the methods that Keras hands rates to are stood in for while the block lasts.

    Args:
        optimizer: A built optimizer that holds its rate itself.
        groups: The group of each variable that it was built for.
        factors: The factor of each group: a float, or a tensor where it changes with the step.
        scale_weight_decay: Whether the decay takes the scaled rate too. There is none where a factor is 0.
    """
    decays = factors if scale_weight_decay else [_zero_or_one(factor) for factor in factors]
    parallel = hasattr(optimizer, "_parallel_update_step")  # PyTorch updates many variables in one call
    update, scaled = ("_parallel_update_step", _scaled_updates) if parallel else ("update_step", _scaled_update)
    stand_ins = {update: (scaled, factors), "_apply_weight_decay": (_scaled_decay, decays)}
    for name, (stand_in, taken) in stand_ins.items():
        own = functools.partial(getattr(type(optimizer), name), optimizer)
        object.__setattr__(optimizer, name, functools.partial(stand_in, optimizer, own, groups, taken))
    try:
        yield
    finally:
        for name in stand_ins:
            vars(optimizer).pop(name, None)


def _scaled_update(optimizer: Any, own: Any, groups: Any, factors: Any, *step: Any) -> None:
    """The update of one variable, at its own rate."""
    gradient, variable, learning_rate = step
    factor = factors[groups[index_in(optimizer, variable)]]
    with _still_at_zero(optimizer, factor, [variable]):
        own(gradient, variable, _times(learning_rate, factor))


def _scaled_updates(optimizer: Any, own: Any, groups: Any, factors: Any, *step: Any) -> None:
    """The updates of many variables, in one call for each group."""
    gradients, variables, learning_rate = step
    shared = getattr(optimizer, "_u_product", None)  # Nadam's, which moves on in each call but is one for all groups
    before = None if shared is None else keras.ops.copy(shared.value)
    for group, places in _by_group(optimizer, groups, variables):
        if shared is not None:
            shared.assign(before)
        together = [variables[place] for place in places]
        with _still_at_zero(optimizer, factors[group], together):
            own([gradients[place] for place in places], together, _times(learning_rate, factors[group]))


def _scaled_decay(optimizer: Any, own: Any, groups: Any, factors: Any, variables: Any) -> None:
    """The weight decay of all variables, each at its own rate."""
    if optimizer.weight_decay is None and not hasattr(optimizer, "adam_weight_decay"):  # Muon has two
        return
    decayed = [variable for variable in variables if optimizer._use_weight_decay(variable)]
    rate = rate_of(optimizer)
    try:
        for group, places in _by_group(optimizer, groups, decayed):
            set_rate(optimizer, rate)
            scaled = _times(optimizer.learning_rate, factors[group])
            set_rate(optimizer, lambda value=scaled: value)
            own([decayed[place] for place in places])
    finally:
        set_rate(optimizer, rate)


@contextlib.contextmanager
def _still_at_zero(optimizer: Any, factor: Any, variables: Any) -> Iterator[None]:
    """Variables stay as they are while a changing factor is 0, whatever velocity the optimizer has."""
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
    """The places of the variables, group by group."""
    places: dict[int, list[int]] = {}
    for place, variable in enumerate(variables):
        places.setdefault(groups[index_in(optimizer, variable)], []).append(place)
    return list(places.items())
