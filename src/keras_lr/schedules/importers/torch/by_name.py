"""The learning rate schedulers of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules.atoms.constants import Constant, Function, Piecewise
from keras_lr.schedules.atoms.decays import Exponential
from keras_lr.schedules.atoms.ramps import Cosine, Linear
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.importers.extra_schedules import CosineWave, falling, steps_of
from keras_lr.schedules.importers.registry import Peer, reacts
from keras_lr.schedules.named.falling import StepDecay

WHERE = "from_torch"
PEER = Peer(WHERE, {"ReduceLROnPlateau": reacts("ReduceLROnPlateau")})


def from_torch(scheduler: Any, /, **arguments: Any) -> Schedule:
    """The schedule of a scheduler of PyTorch, step by step with the same rates, where one `step()` is one update.

    The library's surprises are kept: `CosineAnnealingLR` rises again after `T_max`, `OneCycleLR` has its knots between
    updates and ends at `total_steps - 1`, and `LinearLR(total_iters=0)` stays at `start_factor`.

    Args:
        scheduler: The name of a class of `torch.optim.lr_scheduler`, or a scheduler (PyTorch is not imported for it).
        **arguments: With a name: `lr`, which is the optimizer's rate, and the arguments of the class. `SequentialLR` and
            `ChainedScheduler` take `schedulers=[(name, arguments), ...]`, or schedules. `LambdaLR` and `MultiplicativeLR`
            also take `total_steps`: the function is then called for that many steps, now, and not while training.
            `OneCycleLR` and `CyclicLR` also take `value="momentum"` for the schedule of the momentum.

    Returns:
        A schedule.

    Raises:
        ArgumentError: The name or an argument is unknown, one is missing, the scheduler follows a metric, or it does what no
            schedule can do.

    Example:
        >>> from_torch("StepLR", lr=0.1, step_size=5, gamma=0.5)
        StepDecay(0.1, 0.5, 5)
    """
    if isinstance(scheduler, str):
        return PEER.make(scheduler, arguments)
    from keras_lr.schedules.importers.torch.live import schedule_of

    return schedule_of(scheduler, arguments)


@PEER.knows("StepLR")
def _step(lr: float, step_size: int, gamma: float = 0.1) -> Schedule:
    return StepDecay(base(lr), gamma, steps_of(WHERE, 1, step_size=step_size))


@PEER.knows("MultiStepLR")
def _multi_step(lr: float, milestones: Any, gamma: float = 0.1) -> Schedule:
    ends = sorted(int(milestone) for milestone in milestones if milestone >= 0)
    steps = sorted({end for end in ends if end > 0})
    rates = [base(lr) * gamma ** sum(end <= step for end in ends) for step in (0, *steps)]
    return Piecewise(tuple(steps), tuple(rates)) if steps else Constant(rates[0])


@PEER.knows("ConstantLR")
def _constant(lr: float, factor: float = 1.0 / 3, total_iters: int = 5) -> Schedule:
    steps = steps_of(WHERE, total_iters=total_iters)
    if not 0.0 < checks.finite(WHERE, factor=factor) <= 1.0:
        rule = "factor must be above 0 and at most 1: PyTorch divides by it"
        raise ArgumentError(WHERE, rule, "Pass such as 0.5", factor=factor)
    low = Constant(base(lr) * factor, steps or None)  # PyTorch never leaves it where total_iters is 0
    return low >> Constant(lr) if steps else low


@PEER.knows("LinearLR")
def _linear(lr: float, start_factor: float = 1.0 / 3, end_factor: float = 1.0, total_iters: int = 5) -> Schedule:
    steps = steps_of(WHERE, total_iters=total_iters)
    start, end = checks.above_zero(WHERE, start_factor=start_factor), checks.at_least_zero(WHERE, end_factor=end_factor)
    return Linear(base(lr) * start, lr * end, steps) if steps else Constant(base(lr) * start)


@PEER.knows("ExponentialLR")
def _exponential(lr: float, gamma: float) -> Schedule:
    return Exponential(base(lr), gamma)


@PEER.knows("PolynomialLR")
def _polynomial(lr: float, total_iters: int = 5, power: float = 1.0) -> Schedule:
    steps = steps_of(WHERE, total_iters=total_iters)
    return falling(base(lr), 0.0, steps, power) if steps else Constant(base(lr))


@PEER.knows("CosineAnnealingLR")
def _cosine(lr: float, T_max: int, eta_min: float = 0.0) -> Schedule:
    return CosineWave(base(lr), eta_min, steps_of(WHERE, 1, T_max=T_max))


@PEER.knows("CosineAnnealingWarmRestarts")
def _warm_restarts(lr: float, T_0: int, T_mult: int = 1, eta_min: float = 0.0) -> Schedule:
    one = Cosine(base(lr), eta_min, steps_of(WHERE, 1, T_0=T_0))
    return one.repeat(stretch=steps_of(WHERE, 1, T_mult=T_mult))


@PEER.knows("LambdaLR")
def _lambda(lr: float, lr_lambda: Callable[[Any], Any], total_steps: int | None = None) -> Schedule:
    if total_steps is None:
        whole = Function(_callable(lr_lambda))
        return whole if base(lr) == 1.0 else Constant(lr) * whole
    total = steps_of(WHERE, 1, total_steps=total_steps)
    return _table([base(lr) * float(_callable(lr_lambda)(step)) for step in range(total)])


@PEER.knows("MultiplicativeLR")
def _multiplicative(lr: float, lr_lambda: Callable[[Any], Any], total_steps: int | None = None) -> Schedule:
    if total_steps is None:
        rule = "the product of a function's values so far is no function of the step"
        raise ArgumentError(WHERE, rule, "Say for how many steps to compute it: total_steps=1000", total_steps=None)
    rates = [base(lr)]
    for step in range(1, steps_of(WHERE, 1, total_steps=total_steps)):
        rates.append(rates[-1] * float(_callable(lr_lambda)(step)))
    return _table(rates)


def base(lr: Any) -> float:
    """The optimizer's rate, checked."""
    return checks.at_least_zero(WHERE, lr=lr)


def _callable(lr_lambda: Any) -> Callable[[Any], Any]:
    if not callable(lr_lambda):
        raise ArgumentError(WHERE, "lr_lambda must be a function of the step", "Pass one function", lr_lambda=lr_lambda)
    return lr_lambda  # type: ignore[no-any-return]


def _table(rates: list[float]) -> Schedule:
    """The given rates one after another, the last one for ever."""
    steps = [step for step in range(1, len(rates)) if rates[step] != rates[step - 1]]
    return Piecewise(tuple(steps), tuple(rates[step] for step in (0, *steps))) if steps else Constant(rates[0])
