"""Whether a model means the same on two backends: a few updates from equal weights on equal batches, without chance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

TOLERANCE = 1e-5
UPDATES = 3
LEARNING_RATE = 0.01
NEVER = 1e-30  # not 0, with which a layer would lack its seed
CHANCES = ("dropout", "recurrent_dropout", "stddev")


def describe(model: Any) -> str:
    """A compiled model as a text that another process can make it from.

    Raises:
        Exception: Something in it can't be serialized.
    """
    config = _portable(keras.saving.serialize_keras_object(model))
    config["compile_config"]["jit_compile"] = True
    return json.dumps(config)


def rebuild(text: str) -> Any:
    """The model of a description, made without running any code that travels with it.

    Raises:
        Exception: It needs a class or a function that is not Keras's or keras-lr's.
    """
    return keras.saving.deserialize_keras_object(json.loads(text), safe_mode=True)


def assign_values(model: Any, trainable: Sequence[np.ndarray], non_trainable: Sequence[np.ndarray]) -> None:
    """Gives a built model the values of another of its kind, seeds in the type that this backend has for them.

    Raises:
        ValueError: They don't fit.
    """
    for variables, values in ((model.trainable_variables, trainable), (model.non_trainable_variables, non_trainable)):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(np.asarray(value).astype(variable.dtype))


def reference_losses(
    text: str, trainable: Any, non_trainable: Any, batches: Sequence[Any], eager: bool
) -> tuple[float, float]:
    """The loss of the first batch before and after updates of plain SGD with all chance turned off, on this backend.

    Args:
        text: The description of the model.
        trainable: Its trainable values.
        non_trainable: Its other values.
        batches: One for each update, as a step gets them.
        eager: Whether not to compile the updates, which is quicker where compiling is slow.
    """
    config = _still(json.loads(text))
    optimizer = keras.optimizers.serialize(keras.optimizers.SGD(LEARNING_RATE))
    plain = {"optimizer": optimizer, "metrics": None, "weighted_metrics": None, "run_eagerly": eager}
    config["compile_config"] |= plain | {"jit_compile": not eager}
    model = rebuild(json.dumps(config))
    assign_values(model, trainable, non_trainable)
    found = []
    for batch in [*batches, batches[0]]:
        model.reset_metrics()
        found.append(float(np.ravel(model.train_on_batch(*keras.utils.unpack_x_y_sample_weight(batch)))[0]))
    return found[0], found[-1]


def agree(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two answers are those of one model."""
    return bool(np.allclose(one, other, rtol=TOLERANCE, atol=0.0))


def _portable(config: Any) -> Any:
    """A config without the optimizer classes that Keras has for PyTorch alone."""
    if isinstance(config, (list, tuple)):
        return [_portable(item) for item in config]
    if not isinstance(config, dict):
        return config
    plain = {key: _portable(value) for key, value in config.items()}
    if str(plain.get("module", "")).startswith("keras.src.backend."):
        plain |= {"module": "keras.optimizers", "registered_name": None}
    return plain


def _still(config: Any) -> Any:
    """A config with every source of chance turned off."""
    if isinstance(config, list):
        return [_still(item) for item in config]
    if not isinstance(config, dict):
        return config
    quiet = {key: _still(value) for key, value in config.items()}
    names = [*CHANCES, *(["rate"] if "Dropout" in str(config.get("class_name")) else [])]
    own: Any = quiet.get("config")
    for name in names if isinstance(own, dict) else []:
        if isinstance(own.get(name), float) and own[name] > 0.0:
            own[name] = NEVER
    return quiet
