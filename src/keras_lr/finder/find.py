"""`find`: measures a curve with a borrowed model, lets the rule decide, and gives back a frozen record."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_lr.backends import keras as machinery
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.finder.deciding.consensus import Answer, consensus
from keras_lr.finder.measuring.batches import Batches, batches
from keras_lr.finder.measuring.holdout import trained_and_validated
from keras_lr.finder.measuring.ladder import ladder, mean_share
from keras_lr.finder.measuring.measure import measure
from keras_lr.finder.result import FindResult
from keras_lr.finder.verifying.search import LEAST_BUDGET, Verification
from keras_lr.finder.verifying.trainings import verified
from keras_lr.schedules import Schedule


def find(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    batch_size: int | None = None,
    validation_data: Any = None,
    schedule: Schedule | None = None,
    verify: int = 0,
    min_lr: float = 1e-7,
    max_lr: float = 10.0,
    steps: int = 100,
    repeats: int = 3,
    ramp: str = "exponential",
    sprint_steps: int = 50,
    seed: int = 0,
    critical: bool = False,
    verbose: str | int = "auto",
) -> FindResult:
    """Finds a learning rate by range tests and sprints, and leaves the model bit for bit as it was.

    The model is trained for `steps` updates at rates that rise from `min_lr` to `max_lr`, until it diverges; `repeats`
    times from the same start in different batch orders. That shows where rates begin and cease to work. Then it is trained
    for `sprint_steps` updates at single rates, half a decade apart and always from the same start on the same batches,
    usually at four or five of them, and looked at by the loss of rows that no sprint trains on. The answer is 2.5 times the
    lowest rate that gains seven tenths of what the best does, but no more than the best. Whatever happens, Ctrl-C
    included, weights, optimizer, metrics, rate and random states are put back, so that `fit` afterwards is the same as
    `fit` without it.

    Args:
        model: A compiled model. It need not be built.
        x: Arrays (or a list, tuple or dict of them), a `PyDataset`, a `tf.data.Dataset`, a PyTorch `DataLoader`, or a
            function without arguments that makes a generator of batches.
        y: Targets, for arrays.
        sample_weight: A weight per example, for arrays.
        class_weight: A weight per class index.
        batch_size: Examples per batch, for arrays. Default: 32, as in `fit`.
        validation_data: For `verify`: `(x, y)`, `(x, y, sample_weight)` or a dataset. Default: the last tenth of arrays,
            which `verify` then doesn't train on.
        schedule: What the answer is for: None for a constant rate, or a schedule of which it will be the peak (only its
            shape counts).
        verify: Updates to spend on short real trainings around the rate that was read from the curve, from the model's
            present state and along the schedule, shortened; the rate with the lowest validation loss is the answer. Twice
            the updates of a training are enough, and the answer is for a training of half of them. 0: none.
        min_lr: The lowest rate. A ladder of four decades or more is lowered by up to six where every ramp diverges at once.
        max_lr: The highest rate. Such a ladder goes on by up to three decades where the loss has not turned at its end.
            The result's `note` says so.
        steps: Updates of a ramp.
        repeats: How many ramps.
        ramp: "exponential"; "linear"; or "restart", exponential too, but with twelve updates at each rate, always from the
            same start and on the same batches.
        sprint_steps: Updates of a sprint. 0: no sprints, the answer is read from the ramps alone, and less sure. There are
            none either where `verify` trains for longer, or where the data can be read only once.
        seed: Of the batch orders. No global source of chance is drawn from.
        critical: Whether to measure the critical rate too, above which the first update raises the loss, and with it
            the shortest warm-up, `found.warmup_steps`. It costs as much as some twenty updates and a compilation.
        verbose: 0 for silence, 1 for a progress bar, "auto" for a bar on a terminal.

    Returns:
        A `FindResult`. `learning_rate` is None, with a `reason`, where the curve doesn't give an answer.

    Raises:
        ArgumentError: The model is not compiled, or an argument breaks a rule.

    Example:
        >>> import keras, numpy as np, keras_lr as klr
        >>> model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x = np.random.default_rng(0).normal(size=(256, 3))
        >>> found = klr.find(model, x, x @ [1.0, -2.0, 0.5])
        >>> bool(found.interval[0] < found.learning_rate < found.interval[1])
        True

    References:
        Smith 2017, section 3.3. https://arxiv.org/abs/1506.01186
    """
    check_model("find", model)
    rates = ladder(min_lr, max_lr, steps, ramp)
    share = mean_share(schedule)
    repeats, seed = checks.whole("find", repeats=repeats), checks.whole("find", 0, seed=seed)
    source = batches(x, y, sample_weight=sample_weight, class_weight=class_weight, batch_size=batch_size)
    verify = checks.whole("find", 0, verify=verify)
    parts = {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size}
    checked = _parts_to_verify(source, parts, validation_data, verify)
    sprint_steps = checks.whole("find", 0, sprint_steps=sprint_steps) if verify == 0 else 0
    measured = measure(model, source, rates, ramp, repeats, sprint_steps, seed, critical, verbose)
    if measured.obstacle is not None:
        answer = Answer(None, None, measured.obstacle, ())
    else:
        answer = consensus(measured.curve, share, measured.sprints)
    proved = None
    if checked is not None and measured.obstacle is None:
        proved = verified(model, *checked, schedule, answer.learning_rate, verify, seed, verbose)
        answer = _together(answer, proved)
    return FindResult(
        learning_rate=answer.learning_rate,
        interval=answer.interval,
        reason=answer.reason,
        stop_reason=measured.stop_reason,
        learning_rates=measured.curve.learning_rates,
        losses=measured.curve.losses,
        smoothed=answer.smoothed,
        landmarks=answer.landmarks,
        mean_share=share,
        schedule=None if schedule is None else repr(schedule),
        note=" ".join(measured.notes) or None,
        output_losses=measured.output_losses,
        critical=measured.critical,
        sprints=measured.sprints,
        verified=proved,
    )


def _parts_to_verify(
    source: Batches, parts: dict[str, Any], validation_data: Any, verify: int
) -> tuple[Batches, Batches] | None:
    """What to train and to validate on, or None where nothing is verified."""
    if verify == 0:
        if validation_data is not None:
            repair = "Pass verify=N, twice the updates of a training, or leave it out"
            raise ArgumentError("find", "only verify looks at validation_data", repair, validation_data=validation_data)
        return None
    if verify < LEAST_BUDGET:
        repair = "Pass twice the updates of a training"
        raise ArgumentError("find", f"verify must be 0, or {LEAST_BUDGET} updates or more", repair, verify=verify)
    return trained_and_validated(source, parts, validation_data)


def _together(answer: Answer, proved: Verification) -> Answer:
    """The answer of the short trainings, with what the range test had said."""
    if answer.learning_rate is None:
        before = f"The range test gave no answer: {answer.reason}"
    else:
        before = f"The range test had {answer.learning_rate:.2g}: {answer.reason}"
    return dataclasses.replace(
        answer, learning_rate=proved.learning_rate, interval=proved.interval, reason=f"{proved.reason} {before}"
    )


def check_model(where: str, model: Any) -> None:
    """A compiled Keras 3 model."""
    if any(kind.__module__.split(".")[0] == "tf_keras" for kind in type(model).__mro__):
        raise ArgumentError(
            where, "this is a tf_keras (Keras 2) model", "Build it with Keras 3: import keras", model=model
        )
    if not hasattr(model, "train_step") or not hasattr(model, "compile"):
        raise ArgumentError(where, "this is no Keras model", "Pass a compiled keras.Model", model=model)
    if not machinery.step_takes_rate(model):
        repair = "Call model.compile(optimizer=..., loss=...) first"
        raise ArgumentError(where, "the model is not compiled", repair, model=model)
