"""Checks before the first update: the model is compiled and has weights to train, and the labels fit the loss."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import Chunk
from keras_lr.backends.protocols import Stepper
from keras_lr.core.errors import ArgumentError
from keras_lr.finder.measuring.batches import Arrays, Batches

SMALL = 1e-3  # a rate at which an update of finite gradients is finite


def check_model(where: str, model: Any) -> None:
    """Refuses anything but a compiled Keras 3 model."""
    if any(kind.__module__.split(".")[0] == "tf_keras" for kind in type(model).__mro__):
        rule, repair = "this is a tf_keras (Keras 2) model", "Build it with Keras 3: import keras"
    elif not hasattr(model, "train_step") or not hasattr(model, "compile"):
        rule, repair = "this is not a Keras model", "Pass a compiled keras.Model"
    elif not machinery.step_takes_rate(model):
        rule, repair = "the model is not compiled", "Call model.compile(optimizer=..., loss=...) first"
    else:
        return
    raise ArgumentError(where, rule, repair, model=model)


def obstacle(model: Any, source: Batches) -> str | None:
    """Returns why training a built model can't work, with a repair, or None.

    Checks all labels of arrays, and those of the first batch of a stream.
    """
    if not model.trainable_weights:
        return "The model has no trainable weights. Set trainable = True on a layer and compile again."
    batch = source.parts if isinstance(source, Arrays) else source.first()
    labels = batch[1] if len(batch) > 1 else None
    if labels is None or keras.tree.is_nested(labels) or keras.tree.is_nested(model.loss) or not np.size(labels):
        return None
    return _bad_labels(model, np.asarray(labels))


def divides_by_rate(stepper: Stepper, source: Batches) -> bool:
    """Returns whether the update rule divides by the rate, as that of Ftrl does: an update at a rate of 0 gives NaN.

    A rising rate then scales the weights themselves, whatever the gradients are, so that a ramp shows nothing.
    """
    batches = machinery.micro_batches(stepper.model)
    chunk = source.reader(0).take(1) if isinstance(source, Arrays) else Chunk.repeated(source.first(), 1)
    assert chunk is not None  # arrays have a first batch
    chunk = dataclasses.replace(chunk, rows=np.repeat(chunk.rows[:1], batches + 1, axis=0))

    def finite_after(rate: float) -> bool:
        """Returns whether the loss is finite after one update from the start, or was not even before."""
        stepper.reset()
        losses = np.isfinite(stepper.updates(chunk, np.full(len(chunk), rate))["loss"])
        return bool(losses[-1] or not losses[0])

    return not finite_after(0.0) and finite_after(SMALL)


def _bad_labels(model: Any, labels: np.ndarray) -> str | None:
    """Returns what is wrong with the range of the labels, for a loss that takes only some."""
    loss = model.loss
    name = loss if isinstance(loss, str) else getattr(loss, "name", getattr(loss, "__name__", ""))
    if name == "binary_crossentropy":
        low, high, repair = 0, 1, "Make them 0 and 1, or use another loss."
    elif name == "sparse_categorical_crossentropy" and (outputs := _outputs(model)) is not None:
        low, high = 0, outputs - 1
        repair = f"Count the classes from 0, or give the last layer one output per class, not {outputs}."
        labels = labels[labels != getattr(loss, "ignore_class", None)]
    else:
        return None
    if not labels.size or (labels.min() >= low and labels.max() <= high):
        return None
    return f"The labels go from {labels.min():g} to {labels.max():g}, and {name} takes {low} to {high} here. {repair}"


def _outputs(model: Any) -> int | None:
    """Returns the length of the last axis of the output, if the model knows it."""
    try:
        shape = model.output_shape
    except (AttributeError, ValueError):
        return None
    last = shape[-1] if isinstance(shape, tuple) and shape else None
    return last if isinstance(last, int) else None
