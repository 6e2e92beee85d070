"""The rules, on curves whose answers are known. No Keras model is trained here."""

import dataclasses
import math

import numpy as np
import pytest

from keras_lr.finder.deciding.consensus import LONGER, NOMINAL_STEPS, RAMP_ERROR, Purpose, consensus
from keras_lr.finder.deciding.curve import Curve, zero_phase
from keras_lr.finder.deciding.lengths import rate_by_length
from keras_lr.finder.deciding.other_finders import RULES, as_fastai, as_lightning, suggest
from keras_lr.finder.deciding.ramps import center_spread, share_of_center
from keras_lr.finder.deciding.sprints import SprintCurves
from keras_lr.finder.deciding.stopping import Divergence
from keras_lr.finder.measuring.ladder import ladder
from keras_lr.finder.target import mean_share
from keras_lr.schedules import Constant, Cosine, Linear
from tests.finder.deciding.landscapes import RATES, Landscape, all_sprints, descent, ramps

pytestmark = pytest.mark.once

PURPOSE = Purpose(1000)


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


SHIFTS = pytest.mark.parametrize(("scale", "shift"), [(1e-4, 0.0), (1e5, 0.0), (1.0, -100.0)])


def changed(losses, scale, shift):
    """The same nest of losses on another scale."""
    if isinstance(losses, tuple):
        return tuple(changed(each, scale, shift) for each in losses)
    return scale * losses + shift


@SHIFTS
def test_the_answer_is_the_same_for_a_loss_on_another_scale(scale, shift):
    curve, sprints = ramps(), all_sprints(Landscape(slope=-0.2, noise=0.05))[0]
    other = Curve(RATES, changed(curve.losses, scale, shift))
    assert consensus(other).learning_rate == pytest.approx(consensus(curve).learning_rate, rel=1e-6)
    moved = dataclasses.replace(
        sprints,
        losses=changed(sprints.losses, scale, shift),
        idle_losses=changed(sprints.idle_losses, scale, shift),
    )
    answers = [consensus(curve, PURPOSE, each).learning_rate for each in (sprints, moved)]
    assert answers[1] == pytest.approx(answers[0], rel=1e-6)


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_the_answer_moves_with_the_curve(factor):
    moved = consensus(ramps(middle=1e-3 * factor, edge=0.3 * factor)).learning_rate
    assert moved == pytest.approx(factor * consensus(ramps()).learning_rate, rel=0.15)
    answers = []
    for each in (1.0, factor):
        sprints = all_sprints(Landscape(best=1e-2 * each))[0]
        answers.append(consensus(ramps(middle=1e-3 * each, edge=0.3 * each, noise=0.0), PURPOSE, sprints).learning_rate)
    assert answers[1] == pytest.approx(factor * answers[0], rel=0.02)  # the rungs of a ramp do not move


def test_without_sprints_the_answer_is_a_share_of_the_center_of_the_landmarks():
    answer = consensus(ramps())
    assert answer.learning_rate == pytest.approx(share_of_center(1.0) * answer.landmarks.center)
    half_width = 10.0 ** (1.64 * math.hypot(center_spread(ramps()), RAMP_ERROR))
    assert answer.interval == pytest.approx((answer.learning_rate / half_width, answer.learning_rate * half_width))
    assert answer.by_length is None
    assert answer.reason.startswith("3 ramps fell from 2.3 to 0.5")
    assert answer.reason.endswith("The answer is for a constant rate.")


def test_the_answer_of_sprints_is_that_of_their_best_rates_for_the_length_and_the_shape():
    sprints = all_sprints(Landscape(slope=-0.2))[0]
    purpose = Purpose(5000, 0.7, steps_per_epoch=100)
    answer = consensus(ramps(), purpose, sprints)
    assert answer.by_length == rate_by_length(sprints, 100, answer.landmarks.center)
    assert answer.learning_rate == answer.by_length.rate_for(5000, 0.7)
    assert answer.interval == answer.by_length.interval_for(5000, 0.7)
    assert answer.landmarks == consensus(ramps()).landmarks
    assert answer.smoothed == consensus(ramps()).smoothed


def test_without_a_purpose_the_answer_is_for_a_constant_rate_and_3000_updates():
    sprints = all_sprints(Landscape())[0]
    answer = consensus(ramps(), None, sprints)
    assert NOMINAL_STEPS == 3000
    assert answer == consensus(ramps(), Purpose(3000), sprints)


def test_the_reason_says_what_the_sprints_showed_and_the_rate_of_a_longer_training():
    sprints = all_sprints(Landscape())[0]
    answer = consensus(ramps(), Purpose(3000, 0.5), sprints)
    assert LONGER == 10
    longer = answer.by_length.rate_for(30_000, 0.5)
    assert answer.reason == (
        "The answer is for a training of 3,000 updates, the peak of a schedule whose mean is 0.5 of its peak; "
        f"{longer:.2g} for 30,000. {len(sprints.learning_rates)} sprints (short trainings at one rate): after 100 updates "
        "0.01 is best on the holdout and lowers the loss from 4 to 3."
    )
    stream = dataclasses.replace(sprints, on_holdout=False)
    reason = consensus(ramps(), Purpose(3000, label="about ten epochs"), stream).reason
    assert "0.01 is best in training and" in reason
    assert reason.startswith("The answer is for about ten epochs, 3,000 updates, a constant rate; ")


def test_the_peak_of_a_falling_schedule_may_be_higher():
    assert mean_share("find", None) == 1.0
    assert mean_share("find", Cosine(0.3, 0.0, "100%")) == pytest.approx(0.5, abs=1e-3)
    assert mean_share("find", Linear(0.0, 2.0, 10)) == pytest.approx(0.5, abs=0.01)
    assert mean_share("find", Constant(1.0)) == 1.0
    half = consensus(ramps(), Purpose(mean_share=0.5)).learning_rate
    assert half / consensus(ramps()).learning_rate == pytest.approx(share_of_center(0.5) / share_of_center(1.0))


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


def test_ramps_that_are_too_short_are_refused_whatever_the_sprints_show():
    answer = consensus(Curve(RATES, ((2.3, 2.2),)), PURPOSE, all_sprints(Landscape())[0])
    assert answer.learning_rate is None
    assert answer.reason.startswith("Too few points")


def test_a_flat_ramp_is_no_refusal_where_sprints_gain():
    """Small batches: the noise of a ramp hides a descent that sprints on the same batches show."""
    flat = Curve(RATES, (tuple((2.3 + np.random.default_rng(0).normal(size=100)).tolist()),))
    sprints = all_sprints(Landscape())[0]
    assert consensus(flat).learning_rate is None
    answer = consensus(flat, PURPOSE, sprints)
    assert answer.landmarks is None
    assert answer.learning_rate == rate_by_length(sprints).rate_for(1000)


@pytest.mark.parametrize(
    ("landscape", "text"),
    [
        (Landscape(edge=0.0), "Every sprint diverged, even at 1e-07. Lower min_lr, or check the data and the loss."),
        (Landscape(depth=0.0), "Flat: no rate lowered the loss by more than its own noise (0 against 0)."),
        (Landscape(depth=0.1, noise=100.0), "Flat: no rate lowered the loss by more than its own noise"),
    ],
)
def test_sprints_without_an_answer_are_refused_with_a_reason(landscape, text):
    answer = consensus(ramps(), PURPOSE, all_sprints(landscape, start=1e-6)[0])
    assert (answer.learning_rate, answer.interval) == (None, None)
    assert answer.reason.startswith(text)


def test_sprints_that_gain_most_at_the_end_of_the_ladder_are_refused_unless_the_ramps_turned():
    sprints = all_sprints(Landscape(best=1e6), start=1.0, highest=10.0)[0]
    falling = Curve(RATES, (tuple(np.linspace(3.0, 2.0, 100).tolist()),))
    answer = consensus(falling, PURPOSE, sprints)
    assert answer.learning_rate is None
    assert answer.reason == "The loss was still falling at the highest rate, 10. Raise max_lr."
    assert consensus(ramps(), PURPOSE, sprints).learning_rate is not None


def test_a_holdout_whose_loss_is_not_finite_is_refused():
    idle = (2.0, math.nan)
    sprints = SprintCurves((1e-3, 1e-2), (10,), (((1.0, math.nan),),) * 2, (idle,), (5.0, 5.0))
    answer = consensus(ramps(), PURPOSE, sprints)
    assert answer.learning_rate is None
    assert answer.reason == "The loss is not finite before the first update. Check the data, the labels and the loss."


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
