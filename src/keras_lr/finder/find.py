"""`find`: measures curves with a borrowed model, decides on a rate, and returns a frozen result."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from typing import Any

from keras_lr.backends import keras as machinery
from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.finder.deciding.consensus import Decision, Purpose, consensus
from keras_lr.finder.measuring.batches import Batches, batches
from keras_lr.finder.measuring.cost import FindCost
from keras_lr.finder.measuring.holdout import verify_split
from keras_lr.finder.measuring.ladder import ladder
from keras_lr.finder.measuring.measure import Effort, Measurement, measure
from keras_lr.finder.measuring.prechecks import check_model
from keras_lr.finder.measuring.rates import rate_plan
from keras_lr.finder.result import FindResult
from keras_lr.finder.target import budget_for, purpose_of
from keras_lr.finder.verifying.search import BUDGETS, LEAST_BUDGET, Verification, pool
from keras_lr.finder.verifying.trainings import verify_by_training
from keras_lr.schedules import Schedule

RAMPS_ALONE = 3  # ramps without sprints


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
    epochs: int | None = None,
    steps_per_epoch: int | None = None,
    group: str | None = None,
    verify: int = 0,
    min_lr: float = 1e-7,
    max_lr: float = 10.0,
    steps: int = 100,
    repeats: int | None = None,
    ramp: str = "exponential",
    sprint_steps: int | None = None,
    seed: int = 0,
    critical: bool = False,
    verbose: str | int = "auto",
) -> FindResult:
    """Finds a learning rate by a range test and sprints, and leaves the model bit for bit as it was.

    A range test, or ramp, trains the model for `steps` updates at rates that rise from `min_lr` to `max_lr`, until it
    diverges. It shows the range of rates to look at.

    A sprint is a short training at one rate. All sprints begin at the same weights, and train on the same batches; rows that
    none of them trains on, the holdout, show how good they are. Short sprints find the region, longer ones the best rate at
    growing lengths. The answer for a training of T updates follows from these: a long training needs a lower rate.

    `find` spends at most 600 updates, or a fifth of a training of more than 3,000, but no more than 5,000. A model that
    makes no progress at first gets up to four times as many. `steps`, `repeats`, `ramp` and `sprint_steps` may raise the cost.

    At the end, and on Ctrl-C or an error, `find` restores weights, optimizer, metrics, rate and random states. A `fit`
    after it gives the same as a `fit` without it.

    Args:
        model: A compiled model. It need not be built.
        x: Arrays (or a list, tuple or dict of them), a `PyDataset`, a `tf.data.Dataset`, a PyTorch `DataLoader`, or a
            function without arguments that returns a generator of batches.
        y: Targets, for arrays.
        sample_weight: A weight per example, for arrays.
        class_weight: A weight per class index.
        batch_size: Examples per batch, for arrays. Default: 32, as in `fit`.
        validation_data: For `verify`: `(x, y)`, `(x, y, sample_weight)` or a dataset. Default: the last tenth of arrays,
            which `verify` then doesn't train on.
        schedule: A schedule of which the answer will be the peak (only its shape counts), or None for a constant rate.
        epochs: Epochs of the training that the answer is for. Default: ten, but at least 600 updates. The length of a bound `schedule` comes first.
        steps_per_epoch: Updates of an epoch. Default: those of the data; 3,000 updates in all if it has no length.
        group: For a model with several optimizers, such as `keras.optimizers.MultiOptimizer`: the name of one
            (`optimizer.name`). `find` tests its rate alone, and the others train at their own rates and schedules.
            Default: all follow at their present ratios, and the answer is the rate of the first.
        verify: Updates to spend on trials: short trainings around the rate that the sprints give, from the present state of
            the model and along the shortened schedule. The rate with the lowest validation loss corrects the answer. Pass
            twice the updates of a training; the answer is for a training of half of `verify`. 0: no trials.
        min_lr: The lowest rate. If every ramp diverges at once, `find` lowers a ladder of four decades or more by up to six.
        max_lr: The highest rate. If the loss has not turned there, `find` extends such a ladder by up to three decades. The
            result's `note` reports both.
        steps: Updates of a ramp.
        repeats: Number of ramps. Default: 1, and 3 without sprints.
        ramp: "exponential"; "linear"; or "restart": exponential, with twelve updates at each rate, always from the same
            start and on the same batches.
        sprint_steps: Updates of a long sprint. Default: as many as the cost above allows. 0: no sprints, so that the answer
            comes from the ramps only and is less certain. Data that can be read only once turn sprints off too.
        seed: Seed for the batch orders; global random state is not used.
        critical: Whether to measure the critical rate too, above which the first update raises the loss, and with it
            the shortest warm-up, `found.warmup_steps`. It costs about twenty updates and a compilation.
        verbose: 0 for silence, 1 for a progress bar, "auto" for a bar on a terminal.

    Returns:
        A `FindResult`. If the curves don't give an answer, `learning_rate` is None, and `reason` says why.

    Raises:
        ArgumentError: The model is not compiled, or an argument is invalid.

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
    return find_for("find", **locals())


def find_for(
    where: str,
    model: Any,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    batch_size: int | None = None,
    validation_data: Any = None,
    schedule: Schedule | None = None,
    epochs: int | None = None,
    steps_per_epoch: int | None = None,
    group: str | None = None,
    verify: int = 0,
    min_lr: float = 1e-7,
    max_lr: float = 10.0,
    steps: int = 100,
    repeats: int | None = None,
    ramp: str = "exponential",
    sprint_steps: int | None = None,
    seed: int = 0,
    critical: bool = False,
    verbose: str | int = "auto",
) -> FindResult:
    """Does the work of `find`; errors name the call `where`."""
    check_model(where, model)
    plan = functools.partial(rate_plan, where, group=group)
    if machinery.optimizers_of(model):  # else the first batch creates them
        plan(model)
    rates = ladder(where, min_lr, max_lr, steps, ramp)
    seed, verify = checks.whole(where, 0, seed=seed), checks.whole(where, 0, verify=verify)
    arrays = {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size}
    source = batches(where, **arrays, class_weight=class_weight)
    per_epoch = source.per_epoch and max(1, source.per_epoch // machinery.micro_batches(model))
    verified = round(verify / BUDGETS) if verify else None
    purpose = purpose_of(where, schedule, epochs, steps_per_epoch, per_epoch, verified)
    split = _split_for_trials(where, source, arrays, validation_data, verify)
    long = None if sprint_steps is None else checks.whole(where, 0, sprint_steps=sprint_steps)
    repeats = (RAMPS_ALONE if long == 0 else 1) if repeats is None else checks.whole(where, repeats=repeats)
    budget = budget_for(purpose)
    effort = Effort(rates, ramp, repeats, long, budget, purpose.steps, seed, critical, verbose)
    measurement = measure(where, model, source, plan, effort)
    if measurement.obstacle is not None:
        return _result(measurement, Decision(None, None, measurement.obstacle), purpose, schedule, group)
    decision = consensus(measurement.curve, purpose, measurement.sprints)
    if split is None:
        _warn_of_cost(where, purpose, measurement.cost)
        return _result(measurement, decision, purpose, schedule, group)
    start = decision.learning_rate
    verification = verify_by_training(where, model, *split, plan, schedule, start, verify, seed, verbose)
    return _result(measurement, _verified(decision, verification), purpose, schedule, group, verification)


def _verified(decision: Decision, trials: Verification) -> Decision:
    """Returns the decision with the rate that the trials choose, pooled with that of the sprints."""
    before = decision.learning_rate
    rate, interval = pool(trials, before if decision.by_length is not None else None)
    earlier = "Ramps and sprints gave no answer" if before is None else f"Ramps and sprints gave {before:.2g}"
    reason = f"{trials.reason} {earlier}: {decision.reason}"
    return dataclasses.replace(decision, learning_rate=rate, interval=interval, reason=reason)


def _warn_of_cost(where: str, purpose: Purpose, cost: FindCost | None) -> None:
    """Warns if the training is shorter than the search for its rate."""
    updates = 0 if cost is None else cost.updates
    if not purpose.label and purpose.steps < updates:
        warnings.warn(
            f"{where}: the training has {purpose.steps:,} updates, fewer than the {updates:,} that {where} spent. "
            "The answer is for its length all the same.",
            stacklevel=4,
        )


def _split_for_trials(
    where: str, source: Batches, arrays: dict[str, Any], validation_data: Any, verify: int
) -> tuple[Batches, Batches] | None:
    """Returns the data to train and to validate on, or None without `verify`."""
    repair = "Pass verify=N, twice the updates of a training, or leave it out"
    if verify == 0 and validation_data is not None:
        raise ArgumentError(where, "only verify uses validation_data", repair, validation_data=validation_data)
    if 0 < verify < LEAST_BUDGET:
        raise ArgumentError(where, f"verify must be 0, or {LEAST_BUDGET} updates or more", repair, verify=verify)
    return verify_split(where, source, arrays, validation_data) if verify else None


def _cost(measurement: Measurement, trials: Verification | None) -> FindCost:
    cost = measurement.cost or FindCost()
    return cost if trials is None else dataclasses.replace(cost, trials=trials.updates)


def _result(
    measurement: Measurement,
    decision: Decision,
    purpose: Purpose,
    schedule: Schedule | None,
    group: str | None,
    trials: Verification | None = None,
) -> FindResult:
    if decision.learning_rate is not None and measurement.meaning:
        decision = dataclasses.replace(decision, reason=f"{decision.reason} {measurement.meaning}")
    return FindResult(
        **vars(decision),  # learning_rate, interval, reason, smoothed, landmarks, by_length
        **vars(measurement.curve),  # learning_rates, losses
        stop_reason=measurement.stop_reason,
        mean_share=purpose.mean_share,
        steps=purpose.steps,
        cost=_cost(measurement, trials),
        schedule=None if schedule is None else repr(schedule),
        note=" ".join(measurement.notes) or None,
        output_losses=measurement.output_losses,
        critical=measurement.critical,
        sprint_curves=measurement.sprints,
        verified=trials,
        group=group,
    )
