"""Losses along the update of the optimizer: forward passes of one batch, in training mode.

Two tiny updates give `d`, the update of a batch per unit of rate. It is read off the variables, so it holds for any optimizer.
Then the loss of the same batch, with the same dropout, is measured at `w + rate * d`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import Batch, Chunk, map_arrays
from keras_lr.backends.protocols import Stepper
from keras_lr.engines.borrowed.gradients import sum_of_squares

FIRST_RATE = 1e-3  # of the update that measures the length of updates
PROGRAM = "loss along a line"
SHARE = 1e-3  # length of the tiny updates, as a share of the length of the weights


@dataclasses.dataclass(frozen=True)
class LineSearch:
    """The losses of one batch along its update.

    Attributes:
        loss: At rate 0.
        points: Each rate with the loss at w + rate * d.
    """

    loss: float
    points: tuple[tuple[float, float], ...] = ()


def search_lines(
    stepper: Stepper, batches: Iterable[Batch], choose: Callable[[LineSearch, float | None], float | None]
) -> list[LineSearch] | None:
    """Searches along the update of each batch, always from the stepper's start.

    Args:
        stepper: The model's updates.
        batches: Each has a search of its own.
        choose: Returns the next rate, or None to end the search. It gets the search so far and the last rate of the
            search before.

    Returns:
        A search for each batch; an empty list if the updates don't move the weights. None if the model has its own
        `train_step`, whose loss is unknown.
    """
    if getattr(type(stepper.model), "train_step", None) is not keras.Model.train_step:
        return None
    loss_at, tiny, last, searches = _loss_at(stepper), None, None, []
    for batch in batches:
        tiny = _tiny_rate(stepper, batch) if tiny is None else tiny
        if tiny is None:
            return []
        direction = _direction(stepper, batch, tiny)
        stepper.reset()
        search = LineSearch(loss_at(direction, 0.0, batch))
        while (rate := choose(search, last)) is not None:
            search = LineSearch(search.loss, (*search.points, (rate, loss_at(direction, rate, batch))))
        last = search.points[-1][0] if search.points else last
        searches.append(search)
    return searches


def _tiny_rate(stepper: Stepper, batch: Batch) -> float | None:
    """Returns a rate whose update is far shorter than the weights and far longer than their rounding error, or None."""
    before = _weights_after(stepper, batch, 0)
    length = _norm(_minus(_weights_after(stepper, batch, FIRST_RATE), before))
    weights = max(_norm(before), 1e-3 * np.sqrt(sum(int(np.prod(value.shape)) for value in before)))
    return FIRST_RATE * SHARE * weights / length if np.isfinite(length) and length > 0.0 else None


def _direction(stepper: Stepper, batch: Batch, rate: float) -> list[Any]:
    """Returns the update of this batch per unit of rate. The part that momentum adds cancels."""
    short, long = _weights_after(stepper, batch, rate), _weights_after(stepper, batch, 2.0 * rate)
    return [value / rate for value in _minus(long, short)]


def _weights_after(stepper: Stepper, batch: Batch, rate: float) -> list[Any]:
    """Returns the trainable values after one update from the start; at a rate of 0, the start itself."""
    stepper.reset()
    if rate:
        chunk = Chunk.repeated(batch, machinery.micro_batches(stepper.model))
        stepper.updates(chunk, np.full(len(chunk), rate))
    return [keras.ops.copy(value) for value in stepper.trainable()]


def _loss_at(stepper: Stepper) -> Callable[[list[Any], float, Batch], float]:
    """Returns a function that gives the loss of a batch at w + rate * direction. It changes no variable."""
    model = stepper.model
    trainable, rest = model.trainable_variables, model.non_trainable_variables

    def forward(weights: list[Any], others: list[Any], direction: list[Any], rate: Any, batch: Any) -> Any:
        point = [weight + keras.ops.cast(rate, weight.dtype) * d for weight, d in zip(weights, direction, strict=True)]
        mapping = [*zip(trainable, point, strict=True), *zip(rest, others, strict=True)]
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        with keras.StatelessScope(mapping, collect_losses=True):
            y_pred = model(x, training=True)
            return model.compute_loss(x, y, y_pred, sample_weight, training=True)

    if PROGRAM not in stepper.programs:
        stepper.programs[PROGRAM] = forward if model.run_eagerly else backends.active().compiled(forward)
    program = stepper.programs[PROGRAM]

    def loss_at(direction: list[Any], rate: float, batch: Batch) -> float:
        tensor = keras.ops.convert_to_tensor
        values = [[tensor(variable) for variable in variables] for variables in (trainable, rest)]
        loss = program(*values, direction, tensor(rate, keras.config.floatx()), map_arrays(tensor, batch))
        return float(keras.ops.convert_to_numpy(loss))

    return loss_at


def _minus(left: list[Any], right: list[Any]) -> list[Any]:
    return [one - other for one, other in zip(left, right, strict=True)]


def _norm(values: list[Any]) -> float:
    return float(np.sqrt(sum(map(sum_of_squares, values))))
