"""PyTorch's schedulers that set the rate alone, and the table of all but those of several schedulers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from keras_lr.core import checks
from keras_lr.core.errors import ArgumentError
from keras_lr.schedules import Constant, Cosine, Exponential, Function, Linear, Piecewise, Schedule, StepDecay
from keras_lr.schedules.importers.extra_schedules import CosineWave, falling
from keras_lr.schedules.importers.registry import Natural, Peer, Positive, Rate, Whole, follows_metric
from keras_lr.schedules.importers.torch.cycles import WHERE, cyclic, one_cycle

PEER = Peer(WHERE, {"ReduceLROnPlateau": follows_metric("ReduceLROnPlateau")})
PEER.entry("CyclicLR")(cyclic)
PEER.entry("OneCycleLR")(one_cycle)


def _step_function(where: str, **argument: Any) -> Callable[[Any], Any]:
    (function,) = argument.values()
    if not callable(function):
        raise ArgumentError(where, "lr_lambda must be a function of the step", "Pass one function", **argument)
    return function  # type: ignore[no-any-return]


StepFunction = Annotated[Callable[[Any], Any], _step_function]


@PEER.entry("StepLR")
def _step(lr: Rate, step_size: Natural, gamma: float = 0.1) -> Schedule:
    return StepDecay(lr, gamma, step_size)


@PEER.entry("MultiStepLR")
def _multi_step(lr: Rate, milestones: Any, gamma: float = 0.1) -> Schedule:
    ends = sorted(int(milestone) for milestone in milestones if milestone >= 0)
    steps = sorted({end for end in ends if end > 0})
    rates = [lr * gamma ** sum(end <= step for end in ends) for step in (0, *steps)]
    return Piecewise(tuple(steps), tuple(rates)) if steps else Constant(rates[0])


@PEER.entry("ConstantLR")
def _constant(lr: Rate, factor: float = 1.0 / 3, total_iters: Whole = 5) -> Schedule:
    if not 0.0 < checks.finite(WHERE, factor=factor) <= 1.0:
        rule = "factor must be above 0 and at most 1: PyTorch divides by it"
        raise ArgumentError(WHERE, rule, "Pass a number such as 0.5", factor=factor)
    low = Constant(lr * factor, total_iters or None)  # with total_iters=0 PyTorch never leaves it
    return low >> Constant(lr) if total_iters else low


@PEER.entry("LinearLR")
def _linear(lr: Rate, start_factor: Positive = 1.0 / 3, end_factor: Rate = 1.0, total_iters: Whole = 5) -> Schedule:
    return Linear(lr * start_factor, lr * end_factor, total_iters) if total_iters else Constant(lr * start_factor)


@PEER.entry("ExponentialLR")
def _exponential(lr: Rate, gamma: float) -> Schedule:
    return Exponential(lr, gamma)


@PEER.entry("PolynomialLR")
def _polynomial(lr: Rate, total_iters: Whole = 5, power: float = 1.0) -> Schedule:
    return falling(lr, 0.0, total_iters, power) if total_iters else Constant(lr)


@PEER.entry("CosineAnnealingLR")
def _cosine(lr: Rate, T_max: Natural, eta_min: float = 0.0) -> Schedule:
    return CosineWave(lr, eta_min, T_max)


@PEER.entry("CosineAnnealingWarmRestarts")
def _warm_restarts(lr: Rate, T_0: Natural, T_mult: Natural = 1, eta_min: float = 0.0) -> Schedule:
    return Cosine(lr, eta_min, T_0).repeat(stretch=T_mult)


@PEER.entry("LambdaLR")
def _lambda(lr: Rate, lr_lambda: StepFunction, total_steps: Natural | None = None) -> Schedule:
    if total_steps is None:
        factor = Function(lr_lambda)
        return factor if lr == 1.0 else Constant(lr) * factor
    return _table([lr * float(lr_lambda(step)) for step in range(total_steps)])


@PEER.entry("MultiplicativeLR")
def _multiplicative(lr: Rate, lr_lambda: StepFunction, total_steps: Natural | None = None) -> Schedule:
    if total_steps is None:
        rule = "the product of a function's values so far isn't a function of the step"
        raise ArgumentError(WHERE, rule, "Pass the number of steps to compute: total_steps=1000", total_steps=None)
    rates = [lr]
    for step in range(1, total_steps):
        rates.append(rates[-1] * float(lr_lambda(step)))
    return _table(rates)


def _table(rates: list[float]) -> Schedule:
    """The rates one after another; the last one stays."""
    steps = [step for step in range(1, len(rates)) if rates[step] != rates[step - 1]]
    return Piecewise(tuple(steps), tuple(rates[step] for step in (0, *steps))) if steps else Constant(rates[0])
