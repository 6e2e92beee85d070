"""Why a range test can't work, known before its first update: nothing to train, or labels that no output stands for."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_lr.finder.measuring.batches import Arrays, Batches


def obstacle(model: Any, source: Batches) -> str | None:
    """A sentence on what stands in the way, with a repair, or None.

    Args:
        model: A built, compiled model.
        source: Its data. Of arrays all labels are looked at, else those of one batch.
    """
    if not model.trainable_weights:
        return "The model has no trainable weights. Set trainable = True on a layer and compile again."
    batch = source.parts if isinstance(source, Arrays) else source.first()
    labels = batch[1] if len(batch) > 1 else None
    if labels is None or keras.tree.is_nested(labels) or keras.tree.is_nested(model.loss) or not np.size(labels):
        return None
    return _outside(model, np.asarray(labels))


def _outside(model: Any, labels: np.ndarray) -> str | None:
    """What is wrong with the range of the labels of a loss that takes only some."""
    name = (
        model.loss if isinstance(model.loss, str) else getattr(model.loss, "name", getattr(model.loss, "__name__", ""))
    )
    if name == "binary_crossentropy":
        low, high, repair = 0, 1, "Make them 0 and 1, or take another loss."
    elif name == "sparse_categorical_crossentropy" and (outputs := _outputs(model)) is not None:
        low, high = 0, outputs - 1
        repair = (
            f"Count the classes from 0, or give the last layer as many outputs as there are classes, not {outputs}."
        )
        labels = labels[labels != getattr(model.loss, "ignore_class", None)]
    else:
        return None
    if not labels.size or (labels.min() >= low and labels.max() <= high):
        return None
    return f"The labels go from {labels.min():g} to {labels.max():g}, and {name} takes {low} to {high} here. {repair}"


def _outputs(model: Any) -> int | None:
    """The length of the last axis of the output, where the model knows it."""
    try:
        shape = model.output_shape
    except (AttributeError, ValueError):
        return None
    last = shape[-1] if isinstance(shape, tuple) and shape else None
    return last if isinstance(last, int) else None
