"""What holds for any schedule that the algebra can make, tried on generated ones."""

import json

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import keras_lr as klr
from keras_lr.schedules.atoms.shapes import SHAPES

pytestmark = pytest.mark.once

rates = st.floats(1e-6, 10.0)
steps = st.integers(1, 40)
settings.register_profile("fixed", deadline=None, derandomize=True, max_examples=150)
settings.load_profile("fixed")

ramps = st.one_of(
    st.builds(klr.Constant, rates, steps),
    st.builds(klr.Linear, rates, rates, steps),
    st.builds(klr.Cosine, rates, rates, steps, st.floats(0.5, 3.0)),
    st.builds(klr.Polynomial, rates, rates, steps, st.floats(0.5, 3.0)),
    st.builds(klr.Ramp, rates, rates, steps, st.sampled_from(SHAPES), warp=st.floats(0.5, 3.0)),
    st.builds(klr.OneCycle, rates, steps),
    st.builds(klr.WarmupStableDecay, rates, st.integers(20, 40), st.integers(0, 10), st.integers(0, 10)),
)
endless = st.one_of(
    st.builds(klr.Exponential, rates, st.floats(0.5, 1.0), steps),
    st.builds(klr.InverseTime, rates, st.floats(0.0, 2.0), steps),
    st.builds(klr.InverseSqrt, rates, steps),
    st.builds(klr.PowerLaw, rates, steps, st.floats(0.1, 2.0)),
    st.builds(klr.StepDecay, rates, st.floats(0.1, 1.0), steps),
    st.builds(klr.CosineRestarts, rates, steps, stretch=st.sampled_from([1.0, 1.5, 2.0])),
)


def operated(inner):
    """Schedules with an end, made of schedules with an end."""
    return st.one_of(
        st.builds(lambda a, b: a >> b, inner, inner),
        st.builds(lambda a, n, mode: a.warmup(n, mode), inner, steps, st.sampled_from(["prefix", "overlap", "scale"])),
        st.builds(lambda a, n: a.delay(n), inner, steps),
        st.builds(lambda a, n: a.every(n), inner, st.integers(1, 4)),
        st.builds(
            lambda a, n, s: a.repeat(n, gain=0.9, stretch=s), inner, st.integers(1, 3), st.sampled_from([1.0, 2.0])
        ),
        st.builds(lambda a, b: a * b, inner, st.floats(0.1, 1.0)),
        st.builds(lambda a, n: a.cooldown(min(n, a.length)), inner, steps),
    )


with_end = st.recursive(ramps, operated, max_leaves=5)
schedules = st.one_of(with_end, endless, st.builds(lambda a, b: a >> b, with_end, endless))
STEPS = np.arange(400)


@given(schedules)
def test_rates_are_finite_and_not_negative(schedule):
    values = schedule.evaluate(STEPS)
    assert np.isfinite(values).all()
    assert (values >= -1e-15).all()


@given(schedules, st.floats(0.0, 0.5), st.floats(0.5, 1.0))
def test_a_clipped_schedule_is_within_its_bounds(schedule, low, high):
    values = schedule.clip(low, high).evaluate(STEPS)
    assert (values >= low).all()
    assert (values <= high).all()


@given(schedules)
def test_the_config_and_the_repr_make_an_equal_schedule(schedule):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(schedule)))
    assert keras.saving.deserialize_keras_object(config) == schedule
    assert eval(repr(schedule), vars(klr)) == schedule
    assert hash(eval(repr(schedule), vars(klr))) == hash(schedule)


@given(with_end, schedules)
def test_then_shifts_time_exactly(first, second):
    n = first.length
    joined = first >> second
    assert joined.evaluate(STEPS)[:n].tolist() == first.evaluate(STEPS)[:n].tolist()
    assert joined.evaluate(STEPS + n).tolist() == second.evaluate(STEPS).tolist()


@given(with_end)
def test_the_end_is_held(schedule):
    n = schedule.length
    values = schedule.evaluate([n, n + 1, n + 1000, 2**31 - 1])
    assert (values == values[0]).all()


@given(with_end, steps, st.integers(1, 50), st.integers(1, 50))
def test_a_new_plan_goes_on_without_a_jump(schedule, at, old, new):
    changed = schedule.retime(at, at + old, at + new)
    assert changed.evaluate(STEPS)[: at + 1].tolist() == schedule.evaluate(STEPS)[: at + 1].tolist()
    assert np.isclose(changed.evaluate(at + new), schedule.evaluate(at + old), rtol=1e-9, atol=1e-15)


@given(
    st.one_of(rates.map(lambda rate: klr.Cosine(rate, 0.0, 200)), rates.map(lambda rate: klr.InverseSqrt(rate, 50))),
    steps,
)
def test_warm_ups_and_cooldowns_are_continuous(schedule, n):
    for mode in ("prefix", "overlap", "scale"):
        values = schedule.warmup(n, mode).cooldown(n, at=150).evaluate(STEPS)
        slope = np.abs(np.diff(schedule.evaluate(STEPS))).max()
        assert np.abs(np.diff(values)).max() <= values.max() / n + slope + 1e-12


@given(schedules, st.integers(1, 60))
def test_a_longer_middle_moves_what_comes_after(schedule, n):
    assume("Constant" not in repr(schedule) and "Stable" not in repr(schedule))  # those could be the last constant part
    plan = klr.Constant(0.5, 10) >> schedule
    assert plan.extend(n).evaluate(STEPS + n)[10:].tolist() == plan.evaluate(STEPS)[10:].tolist()
