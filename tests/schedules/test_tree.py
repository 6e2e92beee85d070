"""What a schedule says of the schedules and the lengths inside it."""

import dataclasses

import pytest

import keras_lr as klr
from keras_lr.schedules import Excerpt
from tests.schedules.catalogue import SCHEDULES, WITH_UNITS

pytestmark = pytest.mark.once

RAMP = klr.Cosine(1.0, 0.0, "90%")


@pytest.mark.parametrize(
    ("schedule", "children", "lengths"),
    [
        (klr.Constant(0.1), (), ()),
        (klr.Constant(0.1, 0), (), (0,)),
        (RAMP.warmup("10%"), (RAMP,), ("90%", "10%")),
        (klr.Constant(1.0, 5) >> RAMP, (klr.Constant(1.0, 5), RAMP), (5, "90%")),
        (RAMP * klr.Exponential(1.0, 0.5, 2.5), (RAMP, klr.Exponential(1.0, 0.5, 2.5)), ("90%", 2.5)),
        (klr.Piecewise([3, "2ep"], [1, 2, 3]), (), (3, "2ep")),
        (klr.Interpolate([0, 2.5, "9%"], [1, 2, 3]), (), (0, 2.5, "9%")),
        (klr.InverseSqrt(1.0, "10%").cooldown("10%", at=900), (klr.InverseSqrt(1.0, "10%"),), ("10%", "10%", 900)),
        (klr.Linear(1.0, 0.0, 9).retime(2, 9, 7), (klr.Linear(1.0, 0.0, 9),), (9, 2, 9, 7)),
        (Excerpt(klr.Linear(1.0, 0.0, 9), 4), (klr.Linear(1.0, 0.0, 9),), (9, 4)),
        (klr.Noam(64, 4), (), (4,)),
        (klr.Infinite(1.0, 0.5, 0.1, 1, "2%", 3, "4ep"), (), (1, "2%", 3, "4ep")),
        (klr.Triangular(0.0, 1.0, "5%", gamma=0.9), (), ("5%", 1)),
        (RAMP.bind(steps_per_epoch=3, epochs=2), (RAMP,), ("90%",)),
    ],
    ids=repr,
)
def test_children_and_lengths(schedule, children, lengths):
    assert schedule.children() == children
    assert schedule.lengths() == lengths


@pytest.mark.parametrize("schedule", [*SCHEDULES, *WITH_UNITS], ids=repr)
def test_every_schedule_inside_is_a_child(schedule):
    values = [getattr(schedule, field.name) for field in dataclasses.fields(schedule)]
    assert schedule.children() == tuple(value for value in values if isinstance(value, klr.Schedule))


@pytest.mark.parametrize("schedule", WITH_UNITS, ids=repr)
def test_every_length_with_a_unit_is_among_the_lengths(schedule):
    assert schedule.unbound
    assert any(isinstance(length, str) for length in schedule.lengths())
    bound = schedule.bind(steps_per_epoch=7, epochs=3)
    assert not bound.expression.unbound
    assert not (0.5 * bound).unbound


@pytest.mark.parametrize(
    ("schedule", "rise"),
    [
        (klr.Constant(1.0), 0),
        (klr.Noam(64, 4), 0),
        (klr.WarmupStableDecay(1.0, 20, 5, 3), 5),
        (klr.Constant(1.0, 30).warmup(3).warmup(7, "overlap") >> klr.Constant(0.5).warmup(4), 7),
        (0.1 * RAMP.warmup("10%").bind(steps_per_epoch=10, epochs=3), 3),
    ],
    ids=repr,
)
def test_the_longest_rise(schedule, rise):
    assert schedule.longest_rise() == rise
