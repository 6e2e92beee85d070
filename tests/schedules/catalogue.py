"""One of each schedule, for the rules that all of them keep."""

import math

import keras

from keras_lr import (
    Budgeted,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    Function,
    Infinite,
    Interpolate,
    InverseSqrt,
    InverseTime,
    KDecay,
    Linear,
    MultiStepDecay,
    Noam,
    OneCycle,
    Piecewise,
    Polynomial,
    PowerLaw,
    Ramp,
    Rex,
    Scaled,
    SlantedTriangular,
    StepDecay,
    Tanh,
    TimeDecay,
    Triangular,
    WarmupStableDecay,
)
from keras_lr.schedules.atoms.shapes import LEFT


@keras.saving.register_keras_serializable(package="tests")
def halving(t):
    return 0.1 / (1.0 + t)


T = 12


def falling(shape, p):
    """How much is left of a ramp, in plain Python."""
    return {
        "linear": 1 - p,
        "cosine": (1 + math.cos(math.pi * p)) / 2,
        "1-sqrt": 1 - math.sqrt(p),
        "1-square": 1 - p**2,
        "exponential": 2 * 0.5**p - 1,
        "rex": (1 - p) / (1 - p / 2),
    }[shape]


def restarts(t, first, stretch):
    """Which cycle a step is in, and the share of it that is over."""
    cycle, begin, length = 0, 0, first
    while t >= round(begin + length):
        cycle, begin, length = cycle + 1, begin + length, length * stretch
    return cycle, (t - round(begin)) / (round(begin + length) - round(begin))


# Each schedule beside its formula, written again in plain Python for one step.
FORMULAS = [
    (Constant(0.1), lambda t: 0.1),
    (Linear(0.1, 0.7, T), lambda t: 0.1 + 0.6 * min(t, T) / T),
    (Linear(0.1, 0.7, 0), lambda t: 0.7),
    (Cosine(1.0, 0.2, T), lambda t: 0.2 + 0.8 * (1 + math.cos(math.pi * min(t, T) / T)) / 2),
    (Polynomial(1.0, 0.1, T, 0.5), lambda t: 0.1 + 0.9 * (1 - min(t, T) / T) ** 0.5),
    (Ramp(1.0, 0.0, 11, "rex", 0.5), lambda t: falling("rex", min(t, 11) / 11) ** 0.5),
    (Polynomial(1.0, 0.1, T, 2.5), lambda t: 0.1 + 0.9 * (1 - min(t, T) / T) ** 2.5),
    (Exponential(0.5, 0.9, 3), lambda t: 0.5 * 0.9 ** (t / 3)),
    (InverseTime(0.5, 0.3, 2), lambda t: 0.5 / (1 + 0.3 * t / 2)),
    (InverseSqrt(0.5, 7), lambda t: 0.5 / math.sqrt(1 + t / 7)),
    (Piecewise([3, 8], [0.3, 0.2, 0.1]), lambda t: 0.3 if t < 3 else 0.2 if t < 8 else 0.1),
    (Function(halving), lambda t: 0.1 / (1 + t)),
    (StepDecay(0.4, 0.5, 5), lambda t: 0.4 * 0.5 ** (t // 5)),
    (TimeDecay(0.1, 0.05), lambda t: 0.1 / (1 + 0.05 * t)),
    (Triangular(0.1, 1.0, 4), lambda t: 0.1 + 0.9 * (1 - abs((t % 8) / 4 - 1))),
    (Triangular(0.1, 1.0, 4, gain=0.5), lambda t: 0.1 + 0.9 * 0.5 ** (t // 8) * (1 - abs((t % 8) / 4 - 1))),
    (Triangular(0.1, 1.0, 4, gamma=0.9), lambda t: 0.1 + 0.9 * 0.9**t * (1 - abs((t % 8) / 4 - 1))),
    (Triangular(0.0, 1.0, 3, 1), lambda t: (t % 4) / 3 if t % 4 <= 3 else 0.0),
    (
        Constant(0.3, 4) >> Linear(0.3, 0.1, 4) >> Constant(0.05),
        lambda t: 0.3 if t < 4 else 0.3 - 0.05 * (t - 4) if t < 8 else 0.05,
    ),
    (0.1 * Cosine(1.0, 0.0, T), lambda t: 0.1 * (1 + math.cos(math.pi * min(t, T) / T)) / 2),
    (Linear(0.0, 1.0, T) * Exponential(1.0, 0.8), lambda t: min(t, T) / T * 0.8**t),
    (Linear(0.0, 1.0, T) + 0.5, lambda t: min(t, T) / T + 0.5),
    (Constant(0.8).warmup(3), lambda t: 0.8 * (t + 1) / 4 if t < 3 else 0.8),
    (Linear(0.8, 0.0, 8).warmup(4), lambda t: 0.8 * (t + 1) / 5 if t < 4 else 0.8 - 0.1 * min(t - 4, 8)),
    (Exponential(1.0, 0.5).clip(0.1, 0.6), lambda t: min(max(0.5**t, 0.1), 0.6)),
    (Linear(1.0, 0.0, 4).repeat(2, gain=0.5), lambda t: (1 - (t % 4) / 4) * 0.5 ** (t // 4) if t < 8 else 0.0),
    (Linear(1.0, 0.0, 4).every(3), lambda t: 1 - min(t // 3, 4) / 4),
    *((Ramp(0.8, 0.2, T, shape), lambda t, s=shape: 0.2 + 0.6 * falling(s, min(t, T) / T)) for shape in LEFT),
    (Ramp(0.1, 0.9, 7, "1-sqrt"), lambda t: 0.1 + 0.8 * math.sqrt(min(t, 7) / 7)),
    (Ramp(0.8, 0.1, T, "geometric"), lambda t: 0.8 * (1 / 8) ** (min(t, T) / T)),
    (Ramp(0.8, 0.0, T, "linear", 2.0, 3.0), lambda t: 0.8 * (1 - (min(t, T) / T) ** 3) ** 2),
    (Cosine(1.0, 0.2, T, 3.0), lambda t: 0.2 + 0.8 * falling("cosine", min(t, T) / T) ** 3),
    (Tanh(1.0, 0.1, T), lambda t: 0.1 + 0.45 * (1 - math.tanh(-7 + 10 * min(t, T) / T))),
    (PowerLaw(0.5, 7, 1.5), lambda t: 0.5 * (1 + t / 7) ** -1.5),
    (Interpolate([2, 6.5, 11], [0.1, 1.0, 0.0]), lambda t: knots(t, "linear")),
    (Interpolate([2, 6.5, 11], [0.1, 1.0, 0.0], "cosine"), lambda t: knots(t, "cosine")),
    (MultiStepDecay(0.4, 0.5, [5, 9]), lambda t: 0.4 * 0.5 ** ((t >= 5) + (t >= 9))),
    (Budgeted(0.4, T), lambda t: 0.4 * (1 - min(t, T) / T)),
    (Rex(0.4, 0.1, T), lambda t: 0.1 + 0.3 * falling("rex", min(t, T) / T)),
    (KDecay(0.4, 0.1, T, 3.0), lambda t: 0.1 + 0.3 * falling("cosine", (min(t, T) / T) ** 3)),
    (CosineRestarts(1.0, 5, 0.1), lambda t: 0.1 + 0.9 * falling("cosine", t % 5 / 5)),
    (
        CosineRestarts(1.0, 3, 0.1, stretch=1.5, gain=0.5),
        lambda t: 0.1 + 0.9 * 0.5 ** restarts(t, 3, 1.5)[0] * falling("cosine", restarts(t, 3, 1.5)[1]),
    ),
    (
        CosineRestarts(1.0, 4, stretch=2.0, times=2),
        lambda t: falling("cosine", restarts(t, 4, 2.0)[1]) if t < 12 else 0.0,
    ),
    (OneCycle(1.0, 20), lambda t: one_cycle(t, [0, 6, 20], [1 / 25, 1, 1 / 25e4], "cosine")),
    (
        OneCycle(1.0, 20, shape="linear", back=0.85),
        lambda t: one_cycle(t, [0, 6, 17, 20], [1 / 25, 1, 1 / 25, 1 / 25e4], "linear"),
    ),
    (SlantedTriangular(1.0, 20), lambda t: (1 + 31 * (t / 2 if t < 2 else 1 - min(t - 2, 18) / 18)) / 32),
    (
        WarmupStableDecay(0.5, 20, 4, 6, 0.1, "1-sqrt"),
        lambda t: 0.5 * min((t + 1) / 5, 1) if t < 14 else 0.1 + 0.4 * falling("1-sqrt", min(t - 14, 6) / 6),
    ),
    (
        Infinite(1.0, 0.4, 0.1, 3, 5, 4, 6),
        lambda t: (
            min((t + 1) / 4, 1)
            if t < 3
            else 0.4 + 0.6 * falling("cosine", min(t - 3, 5) / 5)
            if t < 12
            else 0.4 * 0.25 ** (min(t - 12, 6) / 6)
        ),
    ),
    (Noam(64, 5, 2.0), lambda t: 2 / 8 * min((t + 1) ** -0.5, (t + 1) * 5**-1.5)),
    (
        Scaled(Linear(1.0, 0.0, 10), 0.1, 0.05),
        lambda t: max(0.1 * (1 - min(t, 10) / 10), min(1 - min(t, 10) / 10, 0.05)),
    ),
    (Scaled(Linear(0.0, 1.0, 10), 3.0, high=0.6), lambda t: min(0.3 * min(t, 10), max(min(t, 10) / 10, 0.6))),
    (Linear(1.0, 0.0, 8).delay(3), lambda t: 1 - min(max(t - 3, 0), 8) / 8),
    (Linear(1.0, 0.0, 8).skip(3), lambda t: 1 - min(t + 3, 8) / 8),
    (
        Linear(1.0, 0.0, 4).repeat(gain=0.5, stretch=2.0),
        lambda t: (1 - restarts(t, 4, 2.0)[1]) * 0.5 ** restarts(t, 4, 2.0)[0],
    ),
    (Linear(1.0, 0.0, 16).repeat(stretch=0.5), lambda t: 1 - shorter(t)),
    (
        Cosine(1.0, 0.0, T).warmup(4, "overlap"),
        lambda t: falling("cosine", 4 / T) * (t + 1) / 5 if t < 4 else falling("cosine", min(t, T) / T),
    ),
    (Cosine(1.0, 0.0, T).warmup(4, "scale"), lambda t: falling("cosine", min(t, T) / T) * min((t + 1) / 5, 1)),
    (Constant(0.5, T).cooldown(5, end=0.1), lambda t: 0.5 - 0.4 * min(max(t - 7, 0), 5) / 5),
    (
        InverseSqrt(0.5, 3).cooldown(5, at=8, shape="1-sqrt"),
        lambda t: (
            0.5 / math.sqrt(1 + t / 3) if t < 8 else 0.5 / math.sqrt(1 + 8 / 3) * falling("1-sqrt", min(t - 8, 5) / 5)
        ),
    ),
    (
        InverseSqrt(0.5, 3).cooldown(5, at=8, freeze=False),
        lambda t: 0.5 / math.sqrt(1 + t / 3) * (1 - min(max(t - 8, 0), 5) / 5),
    ),
    (
        Cosine(1.0, 0.0, 20).retime(8, 20, 14),
        lambda t: falling("cosine", (t if t < 8 else min(8 + (t - 8) * 2, 20)) / 20),
    ),
]


def shorter(t):
    """The share of a cycle of 16, 8, 4, 2, 1 and at last 0.5 (rounded to none) updates; then all of it."""
    for begin, length in ((0, 16), (16, 8), (24, 4), (28, 2), (30, 1)):
        if t < begin + length:
            return (t - begin) / length
    return 1.0


def knots(t, shape):
    return one_cycle(t, [2, 6.5, 11], [0.1, 1.0, 0.0], shape)


def one_cycle(t, steps, rates, shape):
    """Between knots, along a shape."""
    if t <= steps[0]:
        return rates[0]
    for i, j, a, b in zip(steps, steps[1:], rates, rates[1:], strict=False):
        if t <= j:
            return b + (a - b) * falling(shape, (t - i) / (j - i))
    return rates[-1]


SCHEDULES = [schedule for schedule, _ in FORMULAS]

WITH_UNITS = [
    (Constant(1.0, "55%") >> Cosine(1.0, 0.0, "40%")).warmup("5%"),
    Cosine(0.1, 0.0, "3ep") >> Constant(0.01),
    0.003 * (Linear(0.0, 1.0, "10%") >> Cosine(1.0, 0.0, "90%")),
    Piecewise(["1ep", "2.5ep"], [0.1, 0.01, 0.001]),
    StepDecay(0.1, 0.5, "2ep"),
    TimeDecay(0.1, 1.0, "1ep"),
    Triangular(0.1, 1.0, "1ep"),
    Exponential(0.1, 0.5, "2ep"),
    InverseSqrt(0.1, "10%"),
    Function(halving, "50%") >> Constant(0.1),
    Cosine(1.0, 0.0, "25%").repeat(4, gain=0.5).clip(low=0.01),
    Ramp(1.0, 0.1, "50%", "1-sqrt"),
    Tanh(1.0, 0.1, "50%"),
    PowerLaw(0.1, "1ep", 1.5),
    Interpolate(["10%", "1ep", "90%"], [0.1, 1.0, 0.0]),
    MultiStepDecay(0.1, 0.5, ["1ep", "2ep"]),
    Budgeted(0.1),
    Rex(0.1),
    KDecay(0.1),
    CosineRestarts(0.1, "10%", stretch=2.0, times=3),
    OneCycle(0.1),
    SlantedTriangular(0.1),
    WarmupStableDecay(0.1),
    WarmupStableDecay(0.1, "100%", 3, "1ep", shape="cosine"),
    Infinite(0.1, 0.05, 0.01, "10%", "30%", "40%", "20%"),
    Linear(0.1, 0.0, "50%").delay("10%"),
    Constant(0.1, "100%").cooldown("20%"),
    InverseSqrt(0.1, "10%").cooldown("1ep", at="50%", freeze=False),
    Cosine(0.1, 0.0, "100%").warmup("10%", "overlap"),
]
