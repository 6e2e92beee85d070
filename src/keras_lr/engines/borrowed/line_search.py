"""Losses along the update that the optimizer would make: forward passes of one batch, in training mode.

The update of a batch per unit of rate, `d`, is read off the variables after two tiny updates, so that it is the
optimizer's own, whatever it is. Then the loss of the same batch, with the same dropout, is measured at `w + rate * d`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.backends.arrays import Chunk
from keras_lr.engines.borrowed.ramp import Stepper

TRIAL = 1e-3  # rate of the first update, which tells how long an update is
SHARE = 1e-3  # how long the updates that are subtracted are, as a share of the weights


@dataclasses.dataclass(frozen=True)
class LineSearch:
    """The losses of one batch along its update.

    Attributes:
        loss: Before the update.
        points: Each rate with the loss at w + rate * d.
    """

    loss: float
    points: tuple[tuple[float, float], ...] = ()


def search_lines(
    stepper: Stepper, batches: Iterable[tuple[Any, ...]], choose: Callable[[LineSearch, float | None], float | None]
) -> list[LineSearch] | None:
    """Searches along the update of each batch, every time from the stepper's start.

    Args:
        stepper: The model's updates.
        batches: The batches.
        choose: Tells from a search so far, and the last rate of the search before, which rate to try next, or None.

    Returns:
        A search for each batch; none where the update doesn't move the weights. None where the model has a training step
        of its own, whose loss isn't known.
    """
    if getattr(type(stepper.model), "train_step", None) is not keras.Model.train_step:
        return None
    loss_at, rate, last, searches = _loss_at(stepper.model), None, None, []
    for batch in batches:
        rate = _tiny_rate(stepper, batch) if rate is None else rate
        if rate is None:
            return []
        direction = _direction(stepper, batch, rate)
        stepper.reset()
        search = LineSearch(loss_at(direction, 0.0, batch))
        while (wanted := choose(search, last)) is not None:
            points = (*search.points, (wanted, loss_at(direction, wanted, batch)))
            search = dataclasses.replace(search, points=points)
        last = search.points[-1][0] if search.points else last
        searches.append(search)
    return searches


def _tiny_rate(stepper: Stepper, batch: tuple[Any, ...]) -> float | None:
    """A rate at which an update is far shorter than the weights and far longer than their rounding; None without one."""
    before = _updated(stepper, batch, 0)
    moved = _length(_minus(_updated(stepper, batch, TRIAL), before))
    weights = max(_length(before), 1e-3 * np.sqrt(sum(int(np.prod(value.shape)) for value in before)))
    return TRIAL * SHARE * weights / moved if np.isfinite(moved) and moved > 0.0 else None


def _direction(stepper: Stepper, batch: tuple[Any, ...], rate: float) -> list[Any]:
    """What the rate scales in the update of this batch: what momentum brings along cancels."""
    short, long = _updated(stepper, batch, rate), _updated(stepper, batch, 2.0 * rate)
    return [value / rate for value in _minus(long, short)]


def _updated(stepper: Stepper, batch: tuple[Any, ...], rate: float) -> list[Any]:
    """The trainable values after one update from the start; at a rate of 0 those of the start."""
    stepper.reset()
    if rate:
        chunk = Chunk.repeated(batch, machinery.micro_batches(stepper.model))
        stepper.updates(chunk, np.full(len(chunk), rate))
    return [keras.ops.copy(value) for value in stepper.trainable()]


def _loss_at(model: Any) -> Callable[[list[Any], float, tuple[Any, ...]], float]:
    """The loss of a batch at the model's weights plus a rate times a direction, as a forward pass. No variable changes."""
    trainable, rest = model.trainable_variables, model.non_trainable_variables

    def forward(weights: list[Any], others: list[Any], direction: list[Any], rate: Any, batch: Any) -> Any:
        moved = [weight + keras.ops.cast(rate, weight.dtype) * d for weight, d in zip(weights, direction, strict=True)]
        mapping = [*zip(trainable, moved, strict=True), *zip(rest, others, strict=True)]
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        with keras.StatelessScope(mapping, collect_losses=True):
            y_pred = model(x, training=True)
            return model.compute_loss(x, y, y_pred, sample_weight, training=True)

    compiled: Callable[..., Any] = forward if model.run_eagerly else backends.active().compiled(forward)

    def loss_at(direction: list[Any], rate: float, batch: tuple[Any, ...]) -> float:
        values = [[keras.ops.convert_to_tensor(variable) for variable in several] for several in (trainable, rest)]
        tensors = keras.tree.map_structure(
            lambda part: None if part is None else keras.ops.convert_to_tensor(part), batch
        )
        made = compiled(*values, direction, keras.ops.convert_to_tensor(rate, keras.config.floatx()), tensors)
        return float(keras.ops.convert_to_numpy(made))

    return loss_at


def _minus(left: list[Any], right: list[Any]) -> list[Any]:
    return [one - other for one, other in zip(left, right, strict=True)]


def _length(values: list[Any]) -> float:
    """The Euclidean length of all values together."""
    squares: Iterator[float] = (
        float(keras.ops.convert_to_numpy(keras.ops.sum(keras.ops.square(keras.ops.cast(value, "float32")))))
        for value in values
    )
    return float(np.sqrt(sum(squares)))
