"""What short trainings are trained on and validated on."""

from __future__ import annotations

import math
from typing import Any

from keras_lr.core.errors import ArgumentError
from keras_lr.finder.measuring.batches import Arrays, Batches, batches

SHARE = 0.1  # of arrays, from their end, where there is no validation data
BATCHES = 10  # of validation arrays at least, so that the scatter between them is known


def trained_and_validated(source: Batches, arrays: dict[str, Any], validation_data: Any) -> tuple[Batches, Batches]:
    """The batches to train on, and those to validate on.

    Args:
        source: What the range test is made on.
        arrays: The arguments `x, y, sample_weight, batch_size` of `find`.
        validation_data: As `find` takes it.

    Raises:
        ArgumentError: There is nothing to validate on.
    """
    if validation_data is not None:
        return source, _smaller(_validation(validation_data, arrays["batch_size"]))
    if not isinstance(source, Arrays):
        repair = "Pass validation_data=(x, y) or a dataset"
        raise ArgumentError("find", "verify needs validation data where x is not arrays", repair, validation_data=None)
    kept = math.floor(source.count * (1.0 - SHARE))
    if kept < source.size or kept == source.count:
        rule = f"without the last tenth of {source.count} rows to validate on there is no batch of {source.size}"
        raise ArgumentError("find", rule, "Pass validation_data=(x, y)", validation_data=None)
    plain = batches(**arrays)  # class weights are for training
    assert isinstance(plain, Arrays)
    return source.cut(0, kept), _smaller(plain.cut(kept, plain.count))


def _validation(data: Any, batch_size: int | None) -> Batches:
    if not isinstance(data, (tuple, list)):
        return batches(data)
    if len(data) not in (2, 3):
        repair = "Pass (x, y), (x, y, sample_weight) or a dataset"
        raise ArgumentError("find", "validation_data must have two or three parts", repair, validation_data=data)
    x, y, sample_weight = (*data, None)[:3]
    return batches(x, y, sample_weight=sample_weight, batch_size=batch_size and min(batch_size, len(x)))


def _smaller(source: Batches) -> Batches:
    """The same in batches that are small enough for several."""
    if not isinstance(source, Arrays):
        return source
    return Arrays(source.parts, max(1, min(source.size, source.count // BATCHES)))
