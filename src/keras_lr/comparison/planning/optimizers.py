"""A case's optimizer: cloned through its config with another rate, and the code that makes it.

What a user passes is a template: it is read, never trained. Wrappers for loss scaling are kept.
"""

from __future__ import annotations

import inspect
import json
import re
import types
from typing import Any

import keras
import numpy as np

from keras_lr import schedules
from keras_lr.backends import keras as machinery
from keras_lr.callbacks.live_rate import as_ours, is_schedule
from keras_lr.schedules import Schedule

_OF_ADAM = ("beta_1", "beta_2", "epsilon")
FLOATS = {
    "SGD": ("momentum",),
    "RMSprop": ("rho", "momentum", "epsilon"),
    "Adagrad": ("epsilon",),
    "Adadelta": ("rho", "epsilon"),
    "Lion": ("beta_1", "beta_2"),
    **dict.fromkeys(("Adam", "AdamW", "Adamax", "Nadam", "Lamb"), _OF_ADAM),
}
"""By class, what Keras's update rule does nothing but arithmetic with; the decay of weights comes to each."""


def times(learning_rate: float | None, schedule: Any) -> Any:
    """The rate of a case: a number, a schedule, their product, or None where neither is given."""
    if learning_rate is None or schedule is None:
        return schedule if learning_rate is None else learning_rate
    return learning_rate * as_ours(schedule)


def with_rate(optimizer: Any, rate: Any) -> Any:
    """A new optimizer from the config of another one, at another rate; at its own where `rate` is None."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return rewrap(optimizer, with_rate(inner, rate))
    config = optimizer.get_config()
    if rate is None and has_one_rate(optimizer):
        own = machinery.rate_of(optimizer)
        rate = None if isinstance(own, keras.Variable) else own
    if rate is not None:
        config["learning_rate"] = rate
    return type(optimizer).from_config(config)


def rewrap(wrapper: Any, inner: Any) -> Any:
    """Another optimizer in a new wrapper of the same settings; as it is where there is no wrapper."""
    if getattr(wrapper, "inner_optimizer", None) is None or hasattr(inner, "inner_optimizer"):
        return inner
    config = wrapper.get_config()
    del config["inner_optimizer"]
    return type(wrapper)(inner, **config)


def config_of(optimizer: Any) -> dict[str, Any]:
    """The optimizer as `keras.optimizers.deserialize` takes it, in JSON's types.

    A name that Keras made up has no number: it would tell how many were made before in this process.
    """
    plain = json.loads(json.dumps(keras.optimizers.serialize(optimizer), default=str))
    unnumbered: dict[str, Any] = _unnumbered(_shortened(plain))
    return unnumbered


def _unnumbered(config: Any) -> Any:
    if isinstance(config, list):
        return [_unnumbered(item) for item in config]
    if not isinstance(config, dict):
        return config
    plain = {key: _unnumbered(value) for key, value in config.items()}
    own = plain.get("config")
    if isinstance(own, dict) and isinstance(own.get("name"), str):
        stem = re.sub(r"_\d+$", "", own["name"])
        made_up = stem.replace("_", "") == str(plain.get("class_name")).lower()
        plain["config"] = own | {"name": stem if made_up else own["name"]}
    return plain


def has_one_rate(optimizer: Any) -> bool:
    """Whether there is one rate in it, not several as in an optimizer of optimizers."""
    return len(parts_of(optimizer)) == 1


def rate_in(optimizer: Any) -> float | None:
    """The rate of an optimizer as a number, or None where it is a schedule or there are several."""
    rate = machinery.rate_of(parts_of(optimizer)[0]) if has_one_rate(optimizer) else None
    return shortest(keras.ops.convert_to_numpy(rate)) if isinstance(rate, keras.Variable) else None


def floats_of(optimizer: Any) -> dict[str, float]:
    """The floats of one of Keras's own optimizers which its update only calculates with, and so may be handed in as data.

    A momentum of 0 is none: the update has no part for it. Whatever else a class decides by is none either.
    """
    kind = type(optimizer)
    if kind.__name__ not in FLOATS or not kind.__module__.startswith("keras."):
        return {}
    values = {name: getattr(optimizer, name) for name in (*FLOATS[kind.__name__], "weight_decay")}
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and (name != "momentum" or value > 0)
    }


def parts_of(optimizer: Any) -> list[Any]:
    """The optimizers that hold rates, within wrappers."""
    return machinery.optimizers_of(types.SimpleNamespace(optimizer=optimizer))


def shortest(value: Any) -> float:
    """A float32 as the shortest decimal that means it: 0.001, not 0.0010000000474974513."""
    return float(str(np.float32(value)))


def code_of(optimizer: Any, rate: Any = None) -> str:
    """The code that makes an optimizer: its class and the arguments that are not at their defaults.

    Args:
        optimizer: An optimizer, or a wrapper with one inside.
        rate: The code of its rate, where that is known better than the optimizer does.
    """
    inner = getattr(optimizer, "inner_optimizer", None)
    kind = _public(optimizer, keras.optimizers, "keras.optimizers.")
    if inner is not None:
        return f"{kind}({code_of(inner, rate)})"
    config = optimizer.get_config()
    if "learning_rate" in config and has_one_rate(optimizer):
        own = machinery.rate_of(optimizer)
        rate = rate or (schedule_code(own) if is_schedule(own) else repr(shortest(config["learning_rate"])))
    return f"{kind}({_arguments(type(optimizer), config, rate)})"


def schedule_code(schedule: Any) -> str:
    """The code that makes a schedule, Keras's or ours."""
    if isinstance(schedule, Schedule):
        return repr(schedule)
    kind = _public(schedule, keras.optimizers.schedules, "keras.optimizers.schedules.")
    return f"{kind}({_arguments(type(schedule), schedule.get_config(), None)})"


def product_code(learning_rate: float | None, schedule: Any) -> str:
    """The code that makes the rate of a case."""
    if learning_rate is None or schedule is None:
        return repr(learning_rate) if schedule is None else schedule_code(schedule)
    return repr(learning_rate * as_ours(schedule))


def imports_for(code: str) -> str:
    """The import lines that a piece of code needs."""
    names = sorted({name for name in re.findall(r"(?<![\w.])([A-Z]\w*)\(", code) if hasattr(schedules, name)})
    ours = [f"from keras_lr import {', '.join(names)}"] if names else []
    return "\n".join(["import keras", *ours])


def _arguments(kind: type, config: dict[str, Any], rate: str | None) -> str:
    defaults = {name: one.default for name, one in inspect.signature(kind).parameters.items()}
    shown = [f"learning_rate={rate}"] if rate is not None else []
    for name, value in config.items():
        fixed = name == "name" or (rate is not None and name == "learning_rate")
        if not fixed and value != defaults.get(name) and not (value is None and name not in defaults):
            shown.append(f"{name}={value!r}")
    return ", ".join(shown)


def _public(value: Any, namespace: Any, place: str) -> str:
    """The name of a class as users write it; on PyTorch Keras makes optimizers of a class of its own."""
    name = type(value).__name__
    return f"{place}{name}" if isinstance(value, getattr(namespace, name, ())) else name


def _shortened(config: Any) -> Any:
    """The rates in a config as people write them."""
    if isinstance(config, dict):
        rate = config.get("learning_rate")
        short = {"learning_rate": shortest(rate)} if isinstance(rate, float) else {}
        return {name: _shortened(value) for name, value in config.items()} | short
    return [_shortened(item) for item in config] if isinstance(config, list) else config
