"""`find_then_fit`: a rate is found for the schedule, put into the compiled model, and `fit` is called with the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_lr.backends import keras as machinery
from keras_lr.callbacks.live_rate import is_schedule
from keras_lr.callbacks.monitor import LearningRateMonitor
from keras_lr.core.errors import ArgumentError
from keras_lr.finder.find import find
from keras_lr.finder.result import FindResult
from keras_lr.schedules import Schedule

_BOTH = ("sample_weight", "class_weight", "batch_size")


@dataclasses.dataclass(frozen=True)
class FoundThenFitted:
    """What `find_then_fit` did.

    Attributes:
        found: The `FindResult`.
        history: What `fit` returned, or None where there was no answer and nothing was trained.
        reason: What was done, or why nothing was.
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

    The same as `find`, then `found.apply(model)` or a compilation with `found.learning_rate * schedule`, then `fit`. Where
    the range test gives no answer, the model is not trained and stays as it is.

    Args:
        model: A compiled model. Its optimizer was made with a float rate, which is replaced.
        x: Training data, as for `fit`.
        y: Targets, for arrays.
        schedule: A shape with peak 1, such as `keras_lr.Cosine(1.0, 0.0, "100%")`, that the rate found multiplies. Default:
            a constant rate. Lengths with units are bound to this `fit`.
        find_arguments: Other arguments of `find`, such as `{"repeats": 5}`.
        **fit: The arguments of `fit`: epochs, validation_data, callbacks... Batch size and weights are `find`'s too; what
            `validation_split` holds out is not used to find.

    Returns:
        A `FoundThenFitted` with `.found`, `.history` and `.reason`.

    Raises:
        ArgumentError: The optimizer has a schedule already, or an argument breaks a rule of `find`.

    Example:
        >>> import keras, numpy as np, keras_lr as klr
        >>> model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x = np.random.default_rng(0).normal(size=(256, 3))
        >>> done = klr.find_then_fit(model, x, x @ [1.0, -2.0, 0.5], schedule=klr.Cosine(1.0, 0.0, "100%"), epochs=3, verbose=0)
        >>> len(done.history.epoch), done.reason.startswith("Trained with")
        (3, True)
    """
    _check_rate(model)
    shared = {name: fit[name] for name in _BOTH if fit.get(name) is not None}
    weight, share = shared.pop("sample_weight", None), fit.get("validation_split") or 0.0
    trained, targets, weight = machinery.training_part(x, y, weight, share)
    arguments = {**shared, **(find_arguments or {})}
    found = find(model, trained, targets, sample_weight=weight, schedule=schedule, **arguments)
    if found.learning_rate is None:
        return FoundThenFitted(found, None, f"Not trained: find gave no answer. {found.reason}")
    if schedule is None:
        found.apply(model)
        said = f"the constant rate {found.learning_rate:.2g}"
    else:
        for optimizer in machinery.optimizers_of(model):
            optimizer.learning_rate = found.learning_rate * schedule
        machinery.retrace(model)
        said = f"{found.learning_rate:.2g} times {schedule!r}"
        if schedule.unbound and not any(isinstance(one, LearningRateMonitor) for one in fit.get("callbacks") or ()):
            fit = {**fit, "callbacks": [LearningRateMonitor(), *(fit.get("callbacks") or ())]}
    return FoundThenFitted(found, model.fit(x, y, **fit), f"Trained with {said}.")


def _check_rate(model: Any) -> None:
    """The optimizer's rate can be replaced; what else is wrong with a model, `find` says."""
    if not machinery.step_takes_rate(model):
        return
    for optimizer in machinery.optimizers_of(model):
        rate = machinery.rate_of(optimizer)
        if is_schedule(rate) or not hasattr(rate, "assign"):
            repair = "Compile with a float such as keras.optimizers.Adam(0.001), and pass the shape as schedule="
            raise ArgumentError("find_then_fit", "the optimizer has a schedule already", repair, learning_rate=rate)
