"""`find_then_fit`: finds the rate for a schedule, sets it in the compiled model, and calls `fit`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.callbacks.live_rate import is_schedule
from keras_lr.callbacks.monitor import LearningRateMonitor
from keras_lr.core.errors import ArgumentError
from keras_lr.finder.find import find_for
from keras_lr.finder.measuring.rates import rate_plan
from keras_lr.finder.result import FindResult
from keras_lr.schedules import Schedule

_WHERE = "find_then_fit"
_SHARED = ("sample_weight", "class_weight", "batch_size")  # arguments of both `find` and `fit`


@dataclasses.dataclass(frozen=True)
class FoundThenFitted:
    """The result of `find_then_fit`.

    Attributes:
        found: The `FindResult`.
        history: What `fit` returned, or None if `find` gave no answer.
        reason: The rate of the training, or why there was none.
    """

    found: FindResult
    history: Any
    reason: str


def find_then_fit(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    schedule: Schedule | None = None,
    find_arguments: Mapping[str, Any] | None = None,
    **fit: Any,
) -> FoundThenFitted:
    """Finds the rate for a schedule, sets it, and trains.

    The same as `find`, then `found.apply(model)` or a compilation with `found.learning_rate * schedule`, then `fit`. If
    `find` gives no answer, the model stays as it is.

    Args:
        model: A compiled model whose optimizer has a float rate, which the result replaces.
        x: Training data, as for `fit`.
        y: Targets, for arrays.
        schedule: A shape with peak 1, such as `keras_lr.Cosine(1.0, 0.0, "100%")`; the result is its peak. Default: a
            constant rate. Lengths with units bind to this `fit`.
        find_arguments: Other arguments of `find`, such as `{"repeats": 5}` or `{"group": "adam"}`.
        **fit: The arguments of `fit`: epochs, validation_data, callbacks... `find` uses the batch size and weights too, but
            not the part of the data that `validation_split` cuts off.

    Returns:
        A `FoundThenFitted` with `.found`, `.history` and `.reason`.

    Raises:
        ArgumentError: The optimizer has a schedule already, or an argument of `find` is invalid.

    Example:
        >>> import keras, numpy as np, keras_lr as klr
        >>> model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x = np.random.default_rng(0).normal(size=(256, 3))
        >>> done = klr.find_then_fit(model, x, x @ [1.0, -2.0, 0.5], schedule=klr.Cosine(1.0, 0.0, "100%"), epochs=90, verbose=0)
        >>> len(done.history.epoch), done.reason.startswith("Trained with")
        (90, True)
    """
    _check_rate(model, (find_arguments or {}).get("group"))
    shared = {name: fit[name] for name in _SHARED if fit.get(name) is not None}
    weight, share = shared.pop("sample_weight", None), fit.get("validation_split") or 0.0
    inputs, targets, weight = machinery.training_part(x, y, weight, share)
    arguments = {**shared, **_length(x, fit), **(find_arguments or {})}
    result = find_for(_WHERE, model, inputs, targets, sample_weight=weight, schedule=schedule, **arguments)
    if result.learning_rate is None:
        return FoundThenFitted(result, None, f"Not trained: find gave no answer. {result.reason}")
    if schedule is None:
        result.apply(model)
        rates = f"the constant rate {result.learning_rate:.2g}"
    else:
        plan = rate_plan(_WHERE, model, result.group)
        peaks = plan.rates(np.array([result.learning_rate]))[0].tolist()
        for optimizer, peak in zip(machinery.followers_of(model, plan), peaks, strict=True):
            optimizer.learning_rate = peak * schedule
        machinery.retrace(model)
        rates = f"{result.learning_rate:.2g} times {schedule!r}"
        if schedule.unbound and not any(isinstance(one, LearningRateMonitor) for one in fit.get("callbacks") or ()):
            fit = {**fit, "callbacks": [LearningRateMonitor(), *(fit.get("callbacks") or ())]}
    return FoundThenFitted(result, model.fit(x, y, **fit), f"Trained with {rates}.")


def _length(x: Any, fit: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the length of the training, as arguments of `find`; nothing if `fit` would find it out at the end of the data."""
    steps = fit.get("steps_per_epoch")
    try:
        len(x)
    except TypeError:  # a tf.data.Dataset or a DataLoader of unknown length
        if steps is None:
            return {}
    return {"epochs": max(1, fit.get("epochs", 1) - fit.get("initial_epoch", 0)), "steps_per_epoch": steps}


def _check_rate(model: Any, group: str | None) -> None:
    """Refuses an optimizer with a schedule, unless it keeps that; `find` checks everything else."""
    if not machinery.step_takes_rate(model):
        return
    for optimizer in machinery.optimizers_of(model):
        rate = machinery.rate_of(optimizer)
        if group not in (None, optimizer.name):
            continue
        if is_schedule(rate) or not hasattr(rate, "assign"):
            repair = "Compile with a float such as keras.optimizers.Adam(0.001), and pass the shape as schedule="
            raise ArgumentError(_WHERE, "the optimizer has a schedule already", repair, learning_rate=rate)
