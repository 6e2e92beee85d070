"""The importers: each returns another library's schedule, step by step with the same rates."""

from __future__ import annotations

from typing import Any

from keras_lr.schedules import Schedule
from keras_lr.schedules.importers import keras as keras_schedules
from keras_lr.schedules.importers.optax import PEER as OPTAX
from keras_lr.schedules.importers.timm import PEER as TIMM
from keras_lr.schedules.importers.torch import live
from keras_lr.schedules.importers.torch.chains import PEER as TORCH
from keras_lr.schedules.importers.transformers import PEER as TRANSFORMERS


def from_keras(schedule: Any, /) -> Schedule:
    """Returns a schedule of Keras as a schedule of keras-lr with the same rates.

    Keras's conventions stay: a boundary still has the old rate, and `CosineDecay` is warmup_steps + decay_steps long.

    Args:
        schedule: A schedule of `keras.optimizers.schedules`. A schedule of keras-lr is returned as it is, and a number as a
            constant rate.

    Raises:
        ArgumentError: The schedule is of another class, or Keras computes no valid rate with one of its arguments.

    Example:
        >>> import keras
        >>> from_keras(keras.optimizers.schedules.CosineDecay(0.1, 100, alpha=0.5))
        Cosine(0.1, 0.05, 100)
    """
    return keras_schedules.schedule_of(schedule)


def from_optax(schedule: str, /, **arguments: Any) -> Schedule:
    """Returns a schedule of optax as a schedule of keras-lr with the same rates.

    optax's conventions stay: a linear schedule of 0 steps stays at its start, `decay_steps` includes the warm-up, and knots
    of a one-cycle schedule that fall on the same step collapse.

    Args:
        schedule: The name of the function in optax, such as "warmup_cosine_decay_schedule". (The function returns a closure,
            whose arguments can't be read.)
        **arguments: Its arguments, by their names in optax. `join_schedules` takes schedules of keras-lr or pairs (name,
            arguments).

    Raises:
        ArgumentError: The name or an argument is unknown, or one is missing.

    Example:
        >>> from_optax("warmup_cosine_decay_schedule", init_value=0.0, peak_value=0.1, warmup_steps=2, decay_steps=6)
        Linear(0.0, 0.1, 2) >> Cosine(0.1, 0.0, 4)
    """
    return OPTAX.build(schedule, arguments)


def from_timm(scheduler: str, /, **arguments: Any) -> Schedule:
    """Returns the schedule of a timm scheduler, with the same rates where `t` counts updates.

    timm's conventions stay: without `warmup_prefix` the rate jumps at the end of the warm-up, because the schedule has run
    meanwhile, and "multistep" decays one step before its milestone.

    Args:
        scheduler: A name: "cosine", "tanh", "poly", "step", "multistep", "constant", "wsd" or "rsqrt".
        **arguments: `lr`, which is the optimizer's rate, and the arguments of the scheduler's class, counted in updates.
            Noise is not supported.

    Raises:
        ArgumentError: The name or an argument is unknown, one is missing, or the scheduler follows a metric.

    Example:
        >>> from_timm("cosine", lr=0.1, t_initial=10, warmup_t=2, warmup_prefix=True)
        Linear(0.0, 0.1, 2) >> Cosine(0.1, 0.0, 10)
    """
    return TIMM.build(scheduler, arguments)


def from_torch(scheduler: Any, /, **arguments: Any) -> Schedule:
    """Returns the schedule of a PyTorch scheduler, with the same rates where one `step()` is one update.

    PyTorch's conventions stay: `CosineAnnealingLR` rises again after `T_max`, `OneCycleLR` has its knots between updates and
    ends at `total_steps - 1`, and `LinearLR(total_iters=0)` stays at `start_factor`.

    Args:
        scheduler: The name of a class of `torch.optim.lr_scheduler`, or a scheduler, whose attributes are read without
            importing PyTorch.
        **arguments: With a name: `lr`, which is the optimizer's rate, and the arguments of the class. `SequentialLR` and
            `ChainedScheduler` take `schedulers=[(name, arguments), ...]`, or schedules. `LambdaLR` and `MultiplicativeLR`
            also take `total_steps`: the function is then called for that many steps now, and not while training.
            `OneCycleLR` and `CyclicLR` also take `value="momentum"` for the schedule of the momentum.

    Raises:
        ArgumentError: The name or an argument is unknown, one is missing, or no function of the step can do what the
            scheduler does.

    Example:
        >>> from_torch("StepLR", lr=0.1, step_size=5, gamma=0.5)
        StepDecay(0.1, 0.5, 5)
    """
    return TORCH.build(scheduler, arguments) if isinstance(scheduler, str) else live.schedule_of(scheduler, arguments)


def from_transformers(scheduler: Any, /, **arguments: Any) -> Schedule:
    """Returns the schedule that `transformers.get_scheduler` builds, with the same rates.

    The library's conventions stay: the warm-up begins at rate 0, and "cosine" rises again after `num_training_steps`.

    Args:
        scheduler: A name: "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup",
            "inverse_sqrt", "cosine_with_min_lr", "cosine_warmup_with_min_lr" or "warmup_stable_decay". Or the scheduler
            that `get_scheduler` returned.
        **arguments: `lr`, which is the optimizer's rate, and the arguments of `get_scheduler` and of the schedule itself.

    Raises:
        ArgumentError: The name or an argument is unknown, one is missing, or the scheduler follows a metric.

    Example:
        >>> from_transformers("linear", lr=0.1, num_warmup_steps=2, num_training_steps=6)
        Linear(0.0, 0.1, 2) >> Linear(0.1, 0.0, 4)
    """
    if hasattr(scheduler, "lr_lambdas"):
        return from_torch(scheduler, **arguments)
    return TRANSFORMERS.build(getattr(scheduler, "value", scheduler), arguments)
