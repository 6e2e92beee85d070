"""The rules, on curves whose answers are known. No Keras model is trained here."""

import math

import numpy as np
import pytest

from keras_lr.finder.deciding.consensus import consensus, share_of_center
from keras_lr.finder.deciding.curve import Curve, zero_phase
from keras_lr.finder.deciding.other_finders import RULES, as_fastai, as_lightning, suggest
from keras_lr.finder.deciding.stopping import Divergence
from keras_lr.finder.measuring.ladder import ladder
from keras_lr.finder.target import mean_share
from keras_lr.schedules import Constant, Cosine, Linear

pytestmark = pytest.mark.once

RATES = ladder("find", 1e-7, 10.0, 100, "exponential")


def descent(rate, start=2.3, low=0.5, middle=1e-3, edge=0.3):
    """A loss that falls around `middle` and blows up past `edge`."""
    fall = 1.0 / (1.0 + (middle / rate) ** 1.5)
    return start - (start - low) * fall + (rate / edge) ** 2


def ramps(noise=0.02, count=3, **kwargs):
    order = np.random.default_rng(0)
    clean = np.array([descent(rate, **kwargs) for rate in RATES])
    reached = int(np.argmax(clean > 5.0)) or len(RATES)
    return Curve(
        RATES, tuple(tuple((clean + noise * order.normal(size=len(clean)))[:reached].tolist()) for _ in range(count))
    )


def test_the_ladder_is_exact_at_both_ends():
    assert (RATES[0], RATES[-1], len(RATES)) == (1e-7, 10.0, 100)
    assert np.diff(np.log(RATES)) == pytest.approx(math.log(1e8) / 99, rel=1e-9)
    assert ladder("find", 0.1, 0.3, 21, "linear")[10] == pytest.approx(0.2)


def test_zero_phase_smoothing_does_not_move_a_line_or_a_minimum():
    rates = np.array(RATES)
    assert zero_phase(rates, np.log10(rates)) == pytest.approx(np.log10(rates))
    bowl = (np.log10(rates) + 3.0) ** 2
    assert rates[np.argmin(zero_phase(rates, bowl))] == pytest.approx(1e-3, rel=0.1)


def test_the_averages_of_a_constant():
    """That of fastai is the constant; that of Lightning begins at half of it."""
    curve = Curve(RATES, (tuple([1.7] * 100),))
    assert as_fastai(curve)[1] == pytest.approx(np.full(85, 1.7), rel=1e-5)  # float32
    rates, losses = as_lightning(curve)
    assert (rates[0], len(rates)) == (RATES[10], 89)
    assert losses[0] == pytest.approx(1.7 * (1 - 0.98**11) / (1 - 0.98**12), rel=1e-6)


def test_the_rules_of_fastai_by_hand():
    rates = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
    losses = np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.5, 2.0, 9.0])
    # the longest falling subsequence ends at index 5 and has 6 points: from -1, a third is 2, half of it 1
    assert RULES["valley"].decide(rates, losses) == 4.0
    assert RULES["minimum"].decide(rates, losses) == 3.2
    assert RULES["steep"].decide(rates, np.array([5.0, 4.0, 2.0, 1.0, 0.5, 0.4, 2.0, 9.0])) == 2.0
    assert RULES["slide"].least == 16  # two points fifteen rungs apart


def test_slide_stops_where_the_slopes_are_alike():
    rates = np.arange(1.0, 41.0)
    losses = np.concatenate([np.zeros(30), np.arange(10.0)])
    # slopes: 0 up to index 29, 0.5 at 30, 1 after; from the right, l is 15 left of r; alike once r reaches 29
    assert RULES["slide"].decide(rates, losses) == rates[30 - 15]


def test_the_curve_is_prepared_as_fastai_does():
    curve = Curve(RATES, (tuple([1.0] * 60 + [float("nan")] * 40),))
    rates, losses = as_fastai(curve)
    assert (rates[0], len(rates)) == (np.float32(RATES[10]), 50)
    assert losses == pytest.approx(np.ones(50), rel=1e-5)  # float32


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_on_several_ramps_is_their_mean_in_log_rate(rule):
    curve = ramps()
    single = [float(suggest(curve.ramp(i), rule)) for i in range(3)]
    assert float(suggest(curve, rule)) == pytest.approx(math.exp(np.mean(np.log(single))))


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e-4, 0.0), (1e5, 0.0), (1.0, -100.0)])
def test_the_answer_is_the_same_for_a_loss_on_another_scale(scale, shift):
    curve = ramps()
    other = Curve(RATES, tuple(tuple(scale * loss + shift for loss in ramp) for ramp in curve.losses))
    assert consensus(other).learning_rate == pytest.approx(consensus(curve).learning_rate, rel=1e-6)


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_the_answer_moves_with_the_curve(factor):
    moved = consensus(ramps(middle=1e-3 * factor, edge=0.3 * factor)).learning_rate
    assert moved == pytest.approx(factor * consensus(ramps()).learning_rate, rel=0.15)


def test_the_answer_lies_within_the_descent_and_in_its_interval():
    answer = consensus(ramps())
    assert answer.landmarks.half < answer.landmarks.nine_tenths < answer.landmarks.lowest < answer.landmarks.edge
    assert answer.landmarks.half == pytest.approx(1e-3, rel=0.25)
    assert 0.5 * answer.landmarks.half < answer.learning_rate < answer.landmarks.lowest
    assert answer.interval[0] < answer.learning_rate < answer.interval[1]


def test_the_peak_of_a_falling_schedule_may_be_higher():
    assert mean_share("find", None) == 1.0
    assert mean_share("find", Cosine(0.3, 0.0, "100%")) == pytest.approx(0.5, abs=1e-3)
    assert mean_share("find", Linear(0.0, 2.0, 10)) == pytest.approx(0.5, abs=0.01)
    assert mean_share("find", Constant(1.0)) == 1.0
    assert consensus(ramps(), 0.5).learning_rate == pytest.approx(2.0**0.6 * consensus(ramps()).learning_rate)
    assert share_of_center(0.01) == 0.5


@pytest.mark.parametrize(
    ("losses", "text"),
    [
        ([[2.3] * 100], "Flat: the loss never fell"),
        ([(2.3 + 0.1 * np.random.default_rng(1).normal(size=100)).tolist()], "Flat: the loss never fell"),
        ([np.linspace(2.0, 3.0, 100).tolist()], "Flat: the loss never fell"),
        ([np.linspace(3.0, 2.0, 100).tolist()], "The loss was still falling at the highest rate, 10"),
        ([[float("nan")]], "The loss is not finite before the first update"),
        ([[2.3, 2.2, float("inf")]], "Too few points"),
    ],
)
def test_a_curve_without_an_answer_is_refused_with_a_reason(losses, text):
    answer = consensus(Curve(RATES, tuple(map(tuple, losses))))
    assert answer.learning_rate is None
    assert answer.reason.startswith(text)


def test_ramps_that_disagree_are_refused():
    far = [ramps(middle=m, edge=300 * m, count=1).losses[0] for m in (1e-6, 1e-4, 1e-2)]
    answer = consensus(Curve(RATES, tuple(far)))
    assert answer.learning_rate is None
    assert answer.reason.startswith("The ramps disagree")


def test_the_stop_is_blind_to_scale_and_shift():
    rule = Divergence(lead_in=10)
    losses = [descent(rate) for rate in RATES]
    stops = []
    for scale, shift in [(1.0, 0.0), (1e-5, 0.0), (1.0, -50.0)]:
        seen = [scale * loss + shift for loss in losses]
        stops.append(next(n for n in range(1, 101) if rule.reason(seen[:n]) is not None))
    assert len(set(stops)) == 1
    assert losses[stops[0] - 1] > 2.3


@pytest.mark.parametrize("lead_in", [3, 8, 12])
def test_noise_alone_does_not_stop_a_ramp(lead_in):
    """Every sixth flat ramp was stopped when the noise was known from three losses."""
    rng, rule = np.random.default_rng(0), Divergence(lead_in=lead_in)
    ramps = rng.normal(2.3, 0.05, size=(300, 30))
    stopped = sum(any(rule.reason(ramp[:n]) for n in range(1, 31)) for ramp in ramps)
    assert stopped <= 3


def test_the_stop_sees_what_is_not_finite_at_once():
    assert Divergence(10).reason([2.0, float("nan")]) == "loss_not_finite"
    assert Divergence(10).reason([2.0, float("inf")]) == "loss_not_finite"
    assert Divergence(10).reason([2.0] * 99) is None
