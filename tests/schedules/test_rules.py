"""The rules that every schedule keeps: its formula, one value however it is asked, and its own repr and config."""

import json

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr import backends
from keras_lr.schedules.ops import COMPILED
from tests.schedules.catalogue import FORMULAS, SCHEDULES, WITH_UNITS

STEPS = np.arange(30)


@pytest.mark.once
@pytest.mark.parametrize(
    ("schedule", "formula"), FORMULAS, ids=lambda value: repr(value) if isinstance(value, klr.Schedule) else ""
)
def test_the_host_value_is_the_formula(schedule, formula):
    assert schedule.evaluate(STEPS) == pytest.approx([formula(int(t)) for t in STEPS], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_scalar_vector_and_compiled_values_agree_with_the_host(schedule):
    host = schedule.evaluate(STEPS)
    # float32 has 24 bits: 6e-8 a rounding, a few of them in a formula
    for way in (schedule, lambda step: schedule.formula(COMPILED.integer(step), COMPILED)):
        assert keras.ops.convert_to_numpy(way(STEPS)) == pytest.approx(host, rel=1e-6, abs=1e-7)
        compiled = backends.active().compiled(way)
        scalar = [float(compiled(keras.ops.convert_to_tensor(int(t), dtype="int32"))) for t in STEPS[:9]]
        assert scalar == pytest.approx(host[:9], rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("schedule", [*SCHEDULES, *WITH_UNITS], ids=repr)
def test_the_config_makes_an_equal_schedule(schedule):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(schedule)))
    again = keras.saving.deserialize_keras_object(config)
    assert again == schedule
    assert hash(again) == hash(schedule)


@pytest.mark.once
@pytest.mark.parametrize("schedule", [*SCHEDULES, *WITH_UNITS], ids=repr)
def test_the_repr_is_the_code_that_makes_it(schedule):
    names = {**vars(klr), "halving": getattr(getattr(schedule, "first", schedule), "fn", None)}
    assert eval(repr(schedule), names) == schedule


@pytest.mark.parametrize("schedule", WITH_UNITS, ids=repr)
def test_a_bound_schedule_is_made_by_its_repr_and_config_too(schedule):
    bound = schedule.bind(steps_per_epoch=7, epochs=3)
    names = {**vars(klr), "halving": getattr(getattr(schedule, "first", schedule), "fn", None)}
    assert eval(repr(bound), names) == bound
    assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(bound)) == bound
    assert np.isfinite(bound.evaluate(range(25))).all()


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("step", [0, 1, 2**24 - 1, 2**24 + 1, 2**31 - 1])
def test_large_steps_agree_on_host_and_backend(schedule, step):
    tensor, host = keras.ops.convert_to_tensor(step, dtype="int32"), float(schedule.evaluate(step))
    assert float(schedule(tensor)) == pytest.approx(host, rel=1e-6, abs=1e-7)
    assert float(schedule.formula(COMPILED.integer(tensor), COMPILED)) == pytest.approx(host, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_step_below_zero_is_step_zero_or_finite(schedule):
    assert np.isfinite(schedule.evaluate([-3, -1])).all()


ENDLESS = klr.Linear(1.0, 0.5, 10) * klr.Exponential(1.0, 0.9)  # has a length, and changes after it


@pytest.mark.parametrize(
    "schedule",
    [
        ENDLESS,
        0.1 * ENDLESS,
        ENDLESS.warmup(2),
        ENDLESS.clip(0.01),
        ENDLESS.delay(1),
        ENDLESS.skip(1),
        ENDLESS.every(2),
        ENDLESS.retime(2, 10, 12),
        klr.Scaled(ENDLESS, 0.5),
        klr.Constant(1.0, 2) >> ENDLESS,
        ENDLESS >> klr.Constant(0.1),
        ENDLESS.cooldown(3),
        (klr.Linear(1.0, 0.5, "50%") * klr.Exponential(1.0, 0.9)).bind(steps_per_epoch=10, epochs=2),
    ],
    ids=repr,
)
def test_what_changes_after_its_length_changes_on_the_backend_too(schedule):
    rates = keras.ops.convert_to_numpy(schedule(STEPS))
    assert rates == pytest.approx(schedule.evaluate(STEPS), rel=1e-6, abs=1e-7)


def test_boundaries_are_exact_past_what_float32_can_count():
    late = klr.Constant(1.0, 2**24) >> klr.Piecewise([1], [0.5, 0.25])
    steps = keras.ops.convert_to_tensor([2**24 - 1, 2**24, 2**24 + 1], dtype="int32")
    assert keras.ops.convert_to_numpy(late(steps)).tolist() == [1.0, 0.5, 0.25]


def test_a_frozen_schedule_does_not_change():
    with pytest.raises(AttributeError):
        klr.Constant(0.1).value = 0.2


def test_a_million_steps_are_looked_at_without_a_backend():
    schedule = (klr.Constant(1.0, 400_000) >> klr.Cosine(1.0, 0.0, 500_000)).warmup(100_000)
    rates = schedule.evaluate(range(1_000_000))
    assert rates[100_000:500_000].tolist() == [1.0] * 400_000
    assert rates[-1] == pytest.approx(0.0, abs=1e-10)
