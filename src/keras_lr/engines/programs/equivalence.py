"""Checks that a model means the same on two backends: a few updates from equal weights on an equal batch, without dropout."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_lr.backends.arrays import Batch

TOLERANCE = 1e-5
UPDATES = 3
LEARNING_RATE = 0.01
ALMOST_ZERO = 1e-30  # at 0 a layer would have no seed
RATES = ("dropout", "recurrent_dropout", "stddev")


def describe(model: Any) -> str:
    """Serializes a compiled model to a text, for another process on any backend.

    Raises:
        Exception: A part of it can't be serialized.
    """
    config = _map_dicts(_portable, keras.saving.serialize_keras_object(model))
    config["compile_config"]["jit_compile"] = True
    return json.dumps(config)


def rebuild(description: str) -> Any:
    """Returns the model of a description, without running any code in it.

    Raises:
        Exception: It needs a class or a function that is neither Keras's nor keras-lr's.
    """
    return keras.saving.deserialize_keras_object(json.loads(description), safe_mode=True)


def assign_values(model: Any, trainable: Sequence[np.ndarray], non_trainable: Sequence[np.ndarray]) -> None:
    """Gives a built model the values of an equal model. Seeds get the type that this backend has for them.

    Raises:
        ValueError: The values don't fit.
    """
    for variables, values in ((model.trainable_variables, trainable), (model.non_trainable_variables, non_trainable)):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(np.asarray(value).astype(variable.dtype))


def reference_losses(
    description: str, trainable: Any, non_trainable: Any, batch: Batch, eager: bool
) -> tuple[float, float]:
    """Returns the loss of a batch before and after updates of plain SGD on it without randomness, on this backend.

    `eager` leaves the updates uncompiled, which is faster if compiling is slow.
    """
    config = _map_dicts(_without_randomness, json.loads(description))
    optimizer = keras.optimizers.serialize(keras.optimizers.SGD(LEARNING_RATE))
    plain = {"optimizer": optimizer, "metrics": None, "weighted_metrics": None, "run_eagerly": eager}
    config["compile_config"] |= plain | {"jit_compile": not eager}
    model = rebuild(json.dumps(config))
    assign_values(model, trainable, non_trainable)
    losses = []
    for _ in range(UPDATES + 1):
        model.reset_metrics()
        losses.append(float(np.ravel(model.train_on_batch(*keras.utils.unpack_x_y_sample_weight(batch)))[0]))
    return losses[0], losses[-1]


def agree(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Returns whether two results of `reference_losses` are those of one model."""
    return bool(np.allclose(one, other, rtol=TOLERANCE, atol=0.0))


def _map_dicts(fn: Callable[[dict[str, Any]], dict[str, Any]], config: Any) -> Any:
    """Applies a function to each dict of a nest, from the inside out."""
    if isinstance(config, (list, tuple)):
        return [_map_dicts(fn, item) for item in config]
    if not isinstance(config, dict):
        return config
    return fn({key: _map_dicts(fn, value) for key, value in config.items()})


def _portable(config: dict[str, Any]) -> dict[str, Any]:
    """Replaces an optimizer class that Keras has for PyTorch alone."""
    if not str(config.get("module", "")).startswith("keras.src.backend."):
        return config
    return config | {"module": "keras.optimizers", "registered_name": None}


def _without_randomness(config: dict[str, Any]) -> dict[str, Any]:
    """Sets the rates of a dropout or noise layer to almost 0."""
    own = config.get("config")
    if isinstance(own, dict):
        names = (*RATES, "rate") if "Dropout" in str(config.get("class_name")) else RATES
        own |= {name: ALMOST_ZERO for name in names if isinstance(own.get(name), float) and own[name] > 0.0}
    return config
