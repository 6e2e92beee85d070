"""Schedules from text: every schedule's repr is read back, and nothing else is."""

from __future__ import annotations

import keras
import pytest

import keras_lr as klr
from keras_lr import schedules
from keras_lr.schedules.text import METHODS, names, parse

pytestmark = pytest.mark.once

EACH = [
    klr.Constant(0.1),
    klr.Constant(-0.1),
    klr.Constant(0.1, "3ep"),
    klr.Linear(0.0, 1.0, 10),
    klr.Cosine(1.0, 0.0, "100%"),
    klr.Polynomial(1.0, 0.0, 10, power=2.0),
    klr.Exponential(1.0, 0.5, per=1000),
    klr.InverseTime(1.0, 0.5, per="1ep"),
    klr.InverseSqrt(1.0, 100),
    klr.Piecewise([10, 20], [0.1, 0.01, 0.001]),
    klr.Piecewise(["1ep", "3ep"], [0.1, 0.01, 0.001]),
    klr.StepDecay(0.1, 0.5, per="10ep"),
    klr.TimeDecay(0.1, decay=0.01),
    klr.Triangular(0.001, 0.1, up=100, down=50, gain=0.5, gamma=0.999),
    klr.Constant(1.0, 5) >> klr.Cosine(1.0, 0.0, 5),
    klr.Constant(1.0, 5) >> (klr.Constant(0.5, 5) >> klr.Cosine(0.5, 0.0, 5)),
    0.1 * klr.Cosine(1.0, 0.0, 5),
    klr.Cosine(1.0, 0.0, 5) + 0.5,
    -0.5 + klr.Cosine(1.0, 0.0, 5),
    2 * (klr.Cosine(1.0, 0.0, 5) + klr.Constant(1.0)),
    klr.Constant(2.0) * klr.Constant(3.0),
    klr.Exponential(1.0, 0.5).clip(low=0.1),
    klr.Exponential(1.0, 0.5).clip(0.1, 0.7),
    klr.Linear(1.0, 0.0, 5).repeat(),
    klr.Linear(1.0, 0.0, 5).repeat(3, gain=0.5),
    klr.Exponential(1.0, 0.5).every(4),
    klr.Linear(1.0, 0.0, 5).repeat(3, gain=0.5, stretch=2.0),
    klr.Linear(1.0, 0.0, 5).delay(3).skip(2),
    klr.Linear(1.0, 0.0, 5).retime(2, 5, 9),
    klr.Constant(1.0, 9).cooldown(3, end=0.1, shape="1-sqrt", freeze=False),
    klr.InverseSqrt(1.0, 9).cooldown("10%", at="50%"),
    klr.Cosine(1.0, 0.0, 9, power=2.0).warmup(2, "overlap"),
    klr.Ramp(1.0, 0.1, 9, "geometric"),
    klr.Tanh(1.0, 0.1, 9),
    klr.PowerLaw(1.0, 9, 1.5),
    klr.Interpolate([0, 2.5, 6], [0.0, 1.0, 0.0], "cosine"),
    klr.MultiStepDecay(0.1, 0.5, [10, 20]),
    klr.Budgeted(0.1),
    klr.Rex(0.1, steps=9),
    klr.KDecay(0.1, k=3.0),
    klr.CosineRestarts(0.1, 9, stretch=2.0),
    klr.OneCycle(0.1, back=0.6),
    klr.SlantedTriangular(0.1),
    klr.WarmupStableDecay(0.1, 20, 3, 4),
    klr.Infinite(0.1, 0.05, 0.01, 1, 2, 3, 4),
    klr.Noam(64, 100),
    klr.Scaled(klr.Noam(64, 100), 0.5, low=0.001),
    klr.from_torch("CosineAnnealingLR", lr=0.1, T_max=9),
    klr.from_transformers("cosine_with_restarts", lr=0.1, num_warmup_steps=2, num_training_steps=12, num_cycles=3),
    klr.from_keras(keras.optimizers.schedules.CosineDecayRestarts(1.0, 4, t_mul=1.5)),
    (klr.Constant(1.0, "55%") >> klr.Cosine(1.0, 0.0, "40%")).warmup("5%"),
    (klr.Constant(1.0, "55%") >> klr.Cosine(1.0, 0.0, "40%")).warmup("5%").bind(steps_per_epoch=10, epochs=3),
    klr.Cosine(1.0, 0.0, "5000ex").bind(steps_per_epoch=10, epochs=30, batch_size=32),
]


@pytest.mark.parametrize("schedule", EACH, ids=repr)
def test_the_repr_of_a_schedule_is_read_back(schedule):
    assert parse(repr(schedule)) == schedule


def test_every_schedule_class_is_read_back_above():
    kinds, pending = set(), list(EACH)
    while pending:
        schedule = pending.pop()
        kinds.add(type(schedule).__name__)
        pending += [value for value in vars(schedule).values() if isinstance(value, schedules.Schedule)]
    assert kinds - {"Bound"} == set(names())


def test_names_are_the_public_schedules_without_those_that_hold_code_or_a_run():
    assert {"Cosine", "Triangular", "Warmup"} < set(names())
    assert not {"Function", "Bound", "Schedule"} & set(names())


@pytest.mark.parametrize("method", METHODS)
def test_methods_exist(method):
    assert callable(getattr(klr.Schedule, method))


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("0.1", klr.Constant(0.1)),
        ("  Constant(value=0.1, steps=5)\n", klr.Constant(0.1, 5)),
        ("Linear(start=0, end=1, steps='10%')", klr.Linear(0.0, 1.0, "10%")),
        ("Piecewise((1, 2), (0.1, 0.2, 0.3))", klr.Piecewise([1, 2], [0.1, 0.2, 0.3])),
        ("Warmup(Constant(1.0), 5)", klr.Constant(1.0).warmup(5)),
        ("Product(0.5, Cosine(1.0, 0.0, 4))", 0.5 * klr.Cosine(1.0, 0.0, 4)),
        ("Exponential(1.0, 0.5).clip(high=None, low=0.1)", klr.Exponential(1.0, 0.5).clip(low=0.1)),
    ],
)
def test_other_ways_to_write_it(text, schedule):
    assert parse(text) == schedule


HOSTILE = {
    "__import__('os')": "__import__ is not allowed",
    "__import__('os').system('true')": ".system is not allowed",
    "Constant(0.1).__class__": "Constant(0.1).__class__ is not allowed",
    "Constant(0.1).evaluate(1)": "Constant(0.1).evaluate is not allowed",
    "Constant(0.1).plot('x.png')": "plot is not allowed",
    "Constant.from_config({})": "Constant.from_config is not allowed",
    "(lambda: 1)()": "lambda: 1 is not allowed",
    "lambda t: t": "lambda t: t is not allowed",
    "Function(lambda t: t)": "Function is not allowed",
    "Bound(Constant(1.0, '5%'), 1, 1)": "Bound is not allowed",
    "Schedule()": "Schedule is not allowed",
    "[Constant(x) for x in (1, 2)]": "is not allowed",
    "10 ** 10 ** 10": "10 ** 10 ** 10 is not allowed",
    "Constant(10 ** 10 ** 10)": "10 ** 10 ** 10 is not allowed",
    "Constant(1.0) if 1 else 2": "is not allowed",
    "(x := Constant(1.0))": "is not allowed",
    "f'{1}'": "is not allowed",
    "Constant(True)": "value must be a finite number",
    "Constant(1j)": "1j is not allowed",
    "Constant(b'1')": "is not allowed",
    "Constant(...)": "... is not allowed",
    "Constant({'a': 1})": "is not allowed",
    "Constant(*[0.1])": "* and ** are not allowed",
    "Constant(**{'value': 0.1})": "* and ** are not allowed",
    "Constant(0.1) - 1": "Constant(0.1) - 1 is not allowed",
    "-Constant(0.1)": "a minus may stand only before a number, not before Constant(0.1)",
    "Constant(0.1) and Constant(0.2)": "is not allowed",
    "import os": "this is not a Python expression",
    "Constant(0.1": "this is not a Python expression",
    "Constant(0.1); Constant(0.2)": "this is not a Python expression",
    "": "this is not a Python expression",
    "'0.1'": "is not a schedule",
    "None": "is not a schedule",
    "[Constant(0.1)]": "is not a schedule",
    "Constant(0.1) >> 'x'": "'x' in Constant(0.1) >> 'x' is not a schedule",
    "Cosine": "Cosine needs its arguments. Write Cosine(start, end, steps, power=1.0)",
    "Cosine(1.0)": "missing a required argument: 'end'. Write Cosine(start, end, steps, power=1.0)",
    "Linear(1.0, 0.0, 4, 5)": "too many positional arguments",
    "Cosine(1.0, 0.0, length=4)": "Write Cosine(start, end, steps, power=1.0)",
    "Piecewise(5, 3)": "Piecewise(5, 3) does not work",
    "Constant(0.1).warmup()": "missing a required argument: 'steps'",
    "Warmup(None, 5)": "None",
    "Product('a', 2)": "'a'",
    "Cosine(1.0, 0.0, -3)": "steps must be",
    "Cosine(1.0, 0.0, '5 parsecs')": "steps is not a valid length",
    "Constant(0.1) >> Cosine(1.0, 0.0, 4)": "the left side has no end",
    "Constant(1e999)": "value must be a finite number",
    "Constant(Cosine(1.0, 0.0, 4))": "value must be a finite number",
    "(" * 150 + "1" + ")" * 150 + "+" * 3: "this is not a Python expression",
    "(" * 3000 + "1" + ")" * 3000: "this is not a Python expression",
    "1" * 5000: "not a Python expression",
    "Constant(" + "9" * 400 + ")": "",
    "+".join(["1"] * 4000): "nested too deeply",
    "0.1 * " * 20_000 + "1": "at most 10000 characters",
    "Constant(0.1)\0": "this is not a Python expression",
}


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:40])
def test_anything_else_is_an_error_that_names_the_piece(text):
    with pytest.raises(klr.ArgumentError) as caught:
        parse(text)
    assert HOSTILE[text] in str(caught.value)


def test_the_error_says_what_is_allowed():
    with pytest.raises(
        klr.ArgumentError, match=r"Use Budgeted, Clip, Constant, .*, the operators >> \* \+, the methods \.warmup"
    ):
        parse("open('x')")
