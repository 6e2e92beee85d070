"""The optimizer of a case: a clone at another rate, and the code that builds it.

The user's optimizer is a template, which is cloned and never trained. Clones keep wrappers for loss scaling.
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
"""By class, the floats that only enter the arithmetic of Keras's update; weight decay is added to each."""


def times(learning_rate: float | None, schedule: Any) -> Any:
    """Returns the rate of a case: a number, a schedule, their product, or None without both."""
    if learning_rate is None or schedule is None:
        return schedule if learning_rate is None else learning_rate
    return learning_rate * as_ours(schedule)


def with_rate(optimizer: Any, rate: Any) -> Any:
    """Clones an optimizer at another rate; at its own if `rate` is None."""
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
    """Puts another optimizer into a wrapper with the same settings; returns it unchanged without a wrapper."""
    if getattr(wrapper, "inner_optimizer", None) is None or hasattr(inner, "inner_optimizer"):
        return inner
    config = wrapper.get_config()
    del config["inner_optimizer"]
    return type(wrapper)(inner, **config)


def config_of(optimizer: Any) -> dict[str, Any]:
    """Returns the config for `keras.optimizers.deserialize`, in the types of JSON.

    Names that Keras generated lose their number, which depends on the history of the process.
    """
    plain = json.loads(json.dumps(keras.optimizers.serialize(optimizer), default=str))
    config: dict[str, Any] = _remove_numbers(_shorten_rates(plain))
    return config


def _remove_numbers(config: Any) -> Any:
    if isinstance(config, list):
        return [_remove_numbers(item) for item in config]
    if not isinstance(config, dict):
        return config
    plain = {key: _remove_numbers(value) for key, value in config.items()}
    own = plain.get("config")
    if isinstance(own, dict) and isinstance(own.get("name"), str):
        stem = re.sub(r"_\d+$", "", own["name"])
        generated = stem.replace("_", "") == str(plain.get("class_name")).lower()
        plain["config"] = own | {"name": stem if generated else own["name"]}
    return plain


def has_one_rate(optimizer: Any) -> bool:
    """Returns whether an optimizer has a single rate; a wrapper of several optimizers has not."""
    return len(parts_of(optimizer)) == 1


def rate_in(optimizer: Any) -> float | None:
    """Returns the rate of an optimizer as a number; None for a schedule or for several rates."""
    rate = machinery.rate_of(parts_of(optimizer)[0]) if has_one_rate(optimizer) else None
    return shortest(keras.ops.convert_to_numpy(rate)) if isinstance(rate, keras.Variable) else None


def floats_of(optimizer: Any) -> dict[str, float]:
    """Returns the floats of a Keras optimizer that only enter its arithmetic: they can be inputs of a program.

    A momentum of 0 is left out: the update has no term for it.
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
    """Returns the optimizers with rates, inside wrappers."""
    return machinery.optimizers_of(types.SimpleNamespace(optimizer=optimizer))


def shortest(value: Any) -> float:
    """Returns the shortest decimal with the same float32: 0.001, not 0.0010000000474974513."""
    return float(str(np.float32(value)))


def code_of(optimizer: Any, rate: Any = None) -> str:
    """Returns the code that builds an optimizer: its class and the arguments that differ from their defaults.

    Args:
        optimizer: An optimizer, or a wrapper around one.
        rate: The code of its rate; default: read from the optimizer.
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
    """Returns the code that builds a schedule of Keras or keras-lr."""
    if isinstance(schedule, Schedule):
        return repr(schedule)
    kind = _public(schedule, keras.optimizers.schedules, "keras.optimizers.schedules.")
    return f"{kind}({_arguments(type(schedule), schedule.get_config(), None)})"


def product_code(learning_rate: float | None, schedule: Any) -> str:
    """Returns the code of the rate of a case."""
    if learning_rate is None or schedule is None:
        return repr(learning_rate) if schedule is None else schedule_code(schedule)
    return repr(learning_rate * as_ours(schedule))


def imports_for(code: str) -> str:
    """Returns the import lines for a piece of code."""
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


def _public(value: Any, namespace: Any, prefix: str) -> str:
    """Returns the public name of a class; on PyTorch, Keras replaces its optimizers by private classes."""
    name = type(value).__name__
    return f"{prefix}{name}" if isinstance(value, getattr(namespace, name, ())) else name


def _shorten_rates(config: Any) -> Any:
    """Shortens the rates in a config to decimals."""
    if isinstance(config, dict):
        rate = config.get("learning_rate")
        short = {"learning_rate": shortest(rate)} if isinstance(rate, float) else {}
        return {name: _shorten_rates(value) for name, value in config.items()} | short
    return [_shorten_rates(item) for item in config] if isinstance(config, list) else config
