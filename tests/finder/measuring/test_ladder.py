"""Ladders, how they change where they don't fit, and when a ramp ends."""

import re

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.engines.borrowed import ramp as engine
from keras_lr.finder import FindResult
from keras_lr.finder.deciding.stopping import Divergence
from keras_lr.finder.measuring import ladder


def linear(scale=1.0, shift=0.0):
    """A model whose loss is scale * (w - 1)^2 + shift on ones, from w = 0: updates diverge above the rate 1 / scale."""
    model = keras.Sequential(
        [keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    model.compile("sgd", lambda y, predicted: scale * keras.ops.mean((y - predicted) ** 2) + shift)
    return model, np.ones((64, 1), "float32"), np.ones((64, 1), "float32")


@pytest.mark.once
def test_a_ladder_goes_on_by_three_decades_in_equal_ratios():
    rates = ladder.ladder("find", 1e-7, 10.0, 100, "exponential")
    for more, end in ((ladder.above(rates, "exponential"), 1e4), (ladder.below(rates, "restart"), 1e-10)):
        whole = (*rates, *more) if end > 1 else (*more, *rates)
        assert np.diff(np.log(whole)) == pytest.approx(np.log(10.0) * 8 / 99, rel=1e-9)
        assert (whole[-1] if end > 1 else whole[0]) == pytest.approx(end, rel=0.1)  # a whole number of rungs
    assert ladder.above(ladder.ladder("find", 1e-3, 1.0, 50, "exponential"), "exponential") == ()
    assert ladder.above(ladder.ladder("find", 1e-7, 1.0, 50, "linear"), "linear") == ()


@pytest.mark.once
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("planned", [None, 40])
def test_the_curve_is_cut_where_the_rule_would_have_stopped_it(seed, planned):
    order = np.random.default_rng(seed)
    losses = np.cumsum(order.normal(size=80)) * (order.random() < 0.5) + order.normal(size=80)
    losses[order.integers(80)] = order.choice([np.nan, np.inf, 3.0])
    rule = Divergence(10, planned)
    asked = (rule.reason(losses[:count]) for count in range(1, 81))
    single = next(((count, reason) for count, reason in enumerate(asked, start=1) if reason), None)
    assert rule.first(losses) == single
    shifted = np.where(np.isfinite(losses), 1000.0 * losses - 7.0, losses)
    assert rule.first(shifted) == single  # whatever the scale, and with negative losses


def test_nothing_diverged_and_the_ladder_goes_on():
    model, x, y = linear(scale=1e-3)
    found = klr.find(model, x, y, repeats=2, sprint_steps=20)
    assert found.learning_rates[-1] > 300.0
    assert "The loss had not turned at max_lr, 10: the ramps continued to" in found.note
    assert found.learning_rate is not None
    assert max(map(len, found.losses)) == len(found.learning_rates)


def test_everything_diverged_at_once_and_the_ladder_is_lowered():
    model, x, y = linear(scale=1e8)
    found = klr.find(model, x, y, repeats=2, sprint_steps=20)
    assert found.learning_rates[0] == pytest.approx(1e-10, rel=0.1)
    assert "Every ramp diverged at once at min_lr, 1e-07: the ladder was lowered to" in found.note
    assert found.learning_rate == pytest.approx(1e-9, rel=10.0)


def test_a_narrow_ladder_is_taken_as_it_is():
    model, x, y = linear(scale=1e-3)
    found = klr.find(model, x, y, min_lr=1e-2, max_lr=1.0, sprint_steps=20)
    assert found.learning_rates[-1] == 1.0
    assert found.stop_reason == "reached_end"
    assert found.note is None


def test_negative_losses_end_at_the_same_rung():
    plain, shifted = (klr.find(*linear(shift=shift), sprint_steps=0) for shift in (0.0, -100.0))
    assert len(plain.losses[0]) == len(shifted.losses[0])
    assert plain.stop_reason == shifted.stop_reason == "diverged"


def test_a_restart_ramp_trains_each_rate_from_the_same_start():
    """After k updates at the rate r the loss is (1 - 2r)^2k; the mean over k = 8 to 11 is recorded."""
    found = klr.find(*linear(), ramp="restart", min_lr=1e-3, max_lr=0.4, steps=20, repeats=2, sprint_steps=0)
    rates = np.geomspace(1e-3, 0.4, 20)
    assert engine.WARMUP == 8
    assert engine.MEASURED == 4
    exact = np.mean([(1.0 - 2.0 * rates) ** (2 * k) for k in range(8, 12)], axis=0)
    for ramp in found.losses:
        assert np.array(ramp) == pytest.approx(exact, rel=1e-4, abs=1e-7)  # differences of float32 near 1


def test_a_restart_ramp_leaves_no_trace(some_digits, make_mlp):
    alone = make_mlp().fit(*some_digits, epochs=1, verbose=0).history
    model = make_mlp()
    found = klr.find(model, *some_digits, batch_size=64, ramp="restart", steps=20, sprint_steps=8)
    assert len(found.losses[0]) > 10
    assert model.fit(*some_digits, epochs=1, verbose=0).history == alone


OBSTACLES = {
    "labels": (
        "sparse_categorical_crossentropy",
        np.arange(64) % 4,
        r"The labels go from 0 to 3, .* takes 0 to 2 here",
    ),
    "signs": ("binary_crossentropy", np.ones((64, 3)) - 2.0, r"from -1 to -1, and binary_crossentropy takes 0 to 1"),
}


@pytest.mark.once
@pytest.mark.parametrize("name", OBSTACLES)
def test_labels_of_the_wrong_range_are_told(name, tmp_path):
    loss, labels, text = OBSTACLES[name]
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(3, activation="sigmoid")])
    model.compile("sgd", loss)
    found = klr.find(model, np.ones((64, 2), "float32"), labels)
    assert found.learning_rate is None
    assert found.stop_reason == "not_started"
    assert found.losses == ()
    assert re.search(text, found.reason)
    found.plot(tmp_path / "nothing.png")
    found.save(tmp_path / "found.json")
    assert FindResult.load(tmp_path / "found.json") == found


def test_flat_ramps_say_so(digits):
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.SGD(), lambda y, predicted: 0.0 * keras.ops.mean(predicted) + 1.0)
    found = klr.find(model, *digits, batch_size=64, sprint_steps=20)
    assert found.learning_rate is None
    assert found.reason.startswith("Flat")
