"""Sprints: their rates, and the reading of their losses. Most tests train no model."""

import dataclasses
import math

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.finder.deciding.consensus import consensus, sprint_start
from keras_lr.finder.deciding.curve import Curve
from keras_lr.finder.deciding.sprints import MOST, STEP, Sprints, next_sprint, read
from keras_lr.finder.measuring.batches import batches
from keras_lr.finder.measuring.holdout import sprint_holdout
from tests.finder.deciding.test_consensus import RATES, ramps

STEPS = 50


def losses_at(rate, best=1e-2, edge=1e-1, noise=0.0, seed=0):
    """Losses of 50 updates that fall the faster the higher the rate, until it diverges at `edge`."""
    order = np.random.default_rng(seed)
    if rate >= edge:
        return (2.0, 2.5, math.inf)
    depth = 1.0 - math.exp(-rate / best)
    updates = np.arange(STEPS) / STEPS
    return tuple((2.0 - depth * np.minimum(2.0 * updates, 1.0) + noise * order.normal(size=STEPS)).tolist())


def sprints_at(rates, **kwargs):
    return Sprints(tuple(rates), tuple(losses_at(rate, **kwargs) for rate in rates), losses_at(0.0, **kwargs))


def with_holdout(sprints, gains, noise=0.0):
    """Adds a holdout of ten batches whose losses fall from 2 by these gains, with the same noise in each sprint."""
    idle = 2.0 + noise * np.random.default_rng(1).normal(size=10)
    scatter = noise * np.random.default_rng(2).normal(size=10)
    unseen = tuple(tuple((idle - gain + (scatter if gain else 0.0)).tolist()) for gain in gains)
    return dataclasses.replace(sprints, unseen_losses=unseen, idle_unseen_losses=tuple(idle.tolist()))


def all_of(start, lowest=1e-7, highest=1e4, **kwargs):
    """All sprints that `next_sprint` asks for, and their order."""
    sprints, order = sprints_at(()), []
    while (rate := next_sprint(sprints, start, lowest, highest)) is not None:
        sprints = sprints.with_sprint(rate, losses_at(rate, **kwargs))
        order.append(rate)
    return sprints, order


@pytest.mark.once
def test_gains_are_measured_batch_by_batch_against_no_training():
    """The noise of the batches is the same at every rate, so that nothing of it is left."""
    gains = sprints_at([1e-3, 1e-2, 1.0], noise=5.0).gains
    assert gains.shape == (3, STEPS // 2)
    assert gains[0] == pytest.approx(1.0 - math.exp(-0.1), rel=1e-9)
    assert gains[1] == pytest.approx(1.0 - math.exp(-1.0), rel=1e-9)
    assert (gains[2] == -np.inf).all()


@pytest.mark.once
@pytest.mark.parametrize("start", [1e-6, 1e-3, 1e-2, 1.0, 100.0])
def test_sprints_go_on_until_the_best_has_a_worse_one_above_and_less_than_seven_tenths_below(start):
    sprints, order = all_of(start)
    assert order[:3] == pytest.approx([start, start / STEP, start * STEP])
    means = sprints.gains.mean(1)
    best = int(np.argmax(means))
    assert best < len(means) - 1
    assert means[0] < 0.7 * means[best]
    assert np.diff(np.log10(sprints.learning_rates)) == pytest.approx(0.5)


@pytest.mark.once
def test_no_sprint_is_outside_of_the_ladder_and_their_number_has_a_limit():
    sprints, _ = all_of(1e-4, lowest=1e-4, highest=1e-3)
    assert sprints.learning_rates == pytest.approx([1e-4, 1e-4 * STEP, 1e-3])
    assert len(all_of(1e-12, lowest=1e-14)[1]) == MOST


@pytest.mark.once
def test_where_no_rate_changes_anything_three_sprints_are_enough():
    assert len(all_of(1e-3, best=1e30)[1]) == 3


@pytest.mark.once
def test_the_reading_is_the_lowest_rate_that_gains_seven_tenths_of_the_best():
    sprints, _ = all_of(1e-2)
    reading = read(sprints)
    means = sprints.gains.mean(1)
    assert reading.best == sprints.learning_rates[int(np.argmax(means))]
    assert reading.gain == pytest.approx(means.max())
    assert reading.noise == pytest.approx(0.0, abs=1e-9)
    assert reading.spread == pytest.approx(0.0, abs=1e-9)
    at = np.interp(math.log(reading.enough), np.log(sprints.learning_rates[: len(means) - 1]), means[:-1])
    assert at == pytest.approx(0.7 * means.max(), rel=1e-6)


@pytest.mark.once
def test_the_spread_is_that_of_readings_without_a_fifth_of_the_batches():
    """By hand: five counted batches, two rates, gains of the lower one 0, 0, 1, 1, 1 and of the upper one 1."""
    idle = (1.0,) * 10
    low = (1.0,) * 5 + (1.0, 1.0, 0.0, 0.0, 0.0)
    reading = read(Sprints((0.1, 1.0), (low, (1.0,) * 5 + (0.0,) * 5), idle))
    without = [max(0.7 - mean, 0.0) / (1.0 - mean) - 1.0 for mean in (0.75, 0.75, 0.5, 0.5, 0.5)]  # log10 of the rate
    expected = math.sqrt(4.0 / 5.0 * sum((one - np.mean(without)) ** 2 for one in without))
    assert math.log10(reading.enough) == pytest.approx((0.7 - 0.6) / 0.4 - 1.0)
    assert reading.spread == pytest.approx(expected)


@pytest.mark.once
@pytest.mark.parametrize(("scale", "shift"), [(1e-4, 0.0), (1e5, 0.0), (1.0, -100.0)])
def test_the_answer_is_the_same_for_a_loss_on_another_scale(scale, shift):
    def changed(losses):
        return tuple(scale * loss + shift for loss in losses)

    sprints = all_of(1e-2)[0]
    other = Sprints(sprints.learning_rates, tuple(map(changed, sprints.losses)), changed(sprints.idle_losses))
    curve = ramps()
    moved = Curve(RATES, tuple(map(changed, curve.losses)))
    assert consensus(moved, 1.0, other).learning_rate == pytest.approx(consensus(curve, 1.0, sprints).learning_rate)


@pytest.mark.once
def test_the_peak_is_so_much_higher_that_the_mean_is_the_rate_but_not_above_the_best_sprint():
    sprints = all_of(1e-2)[0]
    reading = read(sprints)
    answers = {share: consensus(ramps(), share, sprints).learning_rate for share in (1.0, 0.5, 0.01)}
    assert answers[1.0] == pytest.approx(min(1.6 * reading.enough, reading.best))
    assert answers[0.5] == pytest.approx(min(3.2 * reading.enough, reading.best))
    assert answers[0.01] == pytest.approx(reading.best)


@pytest.mark.once
def test_lion_gets_a_quarter():
    sprints = all_of(1e-2)[0]
    lion = consensus(ramps(), 1.0, dataclasses.replace(sprints, optimizer="Lion"))
    assert lion.learning_rate == pytest.approx(0.25 * consensus(ramps(), 1.0, sprints).learning_rate)
    assert "In a long training Lion needs 0.25 of the rate that is best in a short one." in lion.reason


@pytest.mark.once
def test_rows_kept_apart_decide_where_they_show_a_gain():
    """In training the highest rate gains most, on the holdout the lowest one: the model overfits."""
    sprints = sprints_at([1e-3, 1e-2, 5e-2, 1.0])
    holdout = with_holdout(sprints, [1.0, 0.5, 0.2, 0.1])
    assert read(holdout).best == 1e-3
    assert consensus(ramps(), 1.0, holdout).learning_rate == pytest.approx(1e-3)
    assert "gained most on the holdout, from 2 to 1" in consensus(ramps(), 1.0, holdout).reason
    assert read(holdout.of_training()) == read(sprints)


@pytest.mark.once
def test_too_few_rows_kept_apart_leave_it_to_the_training():
    sprints = all_of(1e-2)[0]
    noisy = with_holdout(sprints, [0.1] * len(sprints.learning_rates), noise=1.0)
    assert read(noisy).gain < 4.0 * read(noisy).noise
    assert consensus(ramps(), 1.0, noisy) == consensus(ramps(), 1.0, sprints)
    assert "gained most in training" in consensus(ramps(), 1.0, noisy).reason


@pytest.mark.once
def test_a_fifth_of_the_rows_is_kept_apart_and_25_batches_at_most():
    source = batches("find", np.arange(100.0)[:, None], np.arange(100.0), batch_size=8)
    holdout = sprint_holdout(source, 3)
    rows = {int(row) for row in holdout.chunk.rows.ravel()}
    assert len(rows) == 20
    assert holdout.chunk.rows.shape == (5, 8)
    others = {int(row) for row in holdout.reader().take(10).rows.ravel()}
    assert others == set(range(100)) - rows
    assert (holdout.reader().take(5).rows == holdout.reader().take(5).rows).all()
    assert sprint_holdout(source, 4).chunk.rows.tolist() != holdout.chunk.rows.tolist()
    many = sprint_holdout(batches("find", np.zeros((10_000, 1)), np.zeros(10_000), batch_size=16), 0)
    assert many.chunk.rows.shape == (25, 16)
    assert len({int(row) for row in many.chunk.rows.ravel()}) == 400


@pytest.mark.once
def test_nothing_is_kept_apart_of_few_rows_or_of_a_stream():
    assert sprint_holdout(batches("find", np.zeros((20, 1)), np.zeros(20), batch_size=4), 0) is None
    assert sprint_holdout(batches("find", np.zeros((100, 1)), np.zeros(100), batch_size=90), 0) is None
    assert sprint_holdout(batches("find", lambda: iter([(np.zeros((4, 1)), np.zeros(4))])), 0) is None


@pytest.mark.once
@pytest.mark.parametrize(
    ("sprints", "text"),
    [
        (
            sprints_at([1.0, 3.0, 10.0]),
            "Every sprint diverged, even at 1. Lower min_lr, or check the data and the loss.",
        ),
        (
            sprints_at([1e-3, 1e-2], best=1e30),
            "Flat: no rate lowered the loss by more than its own noise (0 against 0).",
        ),
    ],
)
def test_sprints_without_an_answer_are_refused_with_a_reason(sprints, text):
    answer = consensus(ramps(), 1.0, sprints)
    assert (answer.learning_rate, answer.interval) == (None, None)
    assert answer.reason.startswith(text)


@pytest.mark.once
def test_sprints_that_gain_less_than_their_noise_are_refused():
    chance = np.random.default_rng(0)
    idle = tuple((2.0 + chance.normal(size=STEPS)).tolist())
    trained = tuple((1.7 + chance.normal(size=STEPS)).tolist())  # other batches, as it were
    answer = consensus(ramps(), 1.0, Sprints((1e-3, 1e-2), (idle, trained), idle))
    assert answer.learning_rate is None
    assert answer.reason.startswith("Flat: no rate lowered the loss by more than its own noise")


@pytest.mark.once
def test_batches_that_disagree_are_refused_with_the_interval():
    """Each fifth of the counted batches speaks for another rate."""
    rates = tuple(10.0**power for power in range(-6, 0))
    idle = np.full(STEPS, 2.0)
    losses = np.full((6, STEPS), 2.0)
    for index in range(5):
        block = slice(25 + 5 * index, 30 + 5 * index)
        losses[index + 1 :, block] = 1.0
    losses[0, 25:30] = 0.0
    losses[0, 30:] = 1.8
    answer = consensus(ramps(), 1.0, Sprints(rates, tuple(map(tuple, losses.tolist())), tuple(idle.tolist())))
    assert answer.learning_rate is None
    assert answer.interval[1] / answer.interval[0] > 10.0
    assert answer.reason.startswith("The batches disagree: the answer may lie anywhere from")


@pytest.mark.once
def test_sprints_begin_where_half_of_the_descent_is_done_or_in_the_middle_of_a_flat_ladder():
    assert sprint_start(ramps()) == consensus(ramps()).landmarks.half
    flat = Curve(RATES, ((2.3,) * 100,))
    assert sprint_start(flat) == pytest.approx(1e-3)
    assert sprint_start(Curve(RATES, ((math.nan,),))) is None


@pytest.mark.once
def test_a_flat_ramp_is_no_refusal_where_sprints_gain():
    """Small batches: the noise of a ramp hides a descent that sprints on the same batches show."""
    noisy = (2.3 + np.random.default_rng(0).normal(size=100)).tolist()
    flat = Curve(RATES, (tuple(noisy),))
    assert consensus(flat).learning_rate is None
    assert consensus(flat, 1.0, all_of(1e-3)[0]).learning_rate == pytest.approx(1.6 * read(all_of(1e-3)[0]).enough)


def make(optimizer="adam"):
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dropout(0.5), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.layers.Input([64]), *layers])
    model.compile(optimizer, "categorical_crossentropy")
    return model


def test_a_sprint_is_training_at_its_rate_from_the_start(some_digits):
    """The losses of plain SGD updates of a linear model outside the holdout, in NumPy, at every rate."""
    x, y = (part.astype("float32") for part in some_digits)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input([64]), keras.layers.Dense(10, use_bias=False)])
    model.compile("sgd", "mse")
    start = model.get_weights()[0].astype(np.float64)
    found = klr.find(model, x, y, batch_size=512, repeats=1, steps=20, sprint_steps=12, seed=5)
    holdout = sprint_holdout(batches("find", x, y, batch_size=512), 5)
    rows, holdout_rows = holdout.reader().take(12).rows, holdout.chunk.rows
    every = [(0.0, found.sprints.idle_losses, found.sprints.idle_unseen_losses)]
    every += zip(found.sprints.learning_rates, found.sprints.losses, found.sprints.unseen_losses, strict=True)
    assert len(every) >= 4
    for rate, losses, after in every:
        weights, expected = start.copy(), []
        for batch in rows:
            error = x[batch] @ weights - y[batch]
            expected.append(float((error**2).mean()))
            weights -= rate * 2.0 * x[batch].T @ error / error.size
        unseen_losses = [float(((x[batch] @ weights - y[batch]) ** 2).mean()) for batch in holdout_rows]
        if max(expected) < 1e6:
            assert losses == pytest.approx(expected, rel=1e-4)
            assert after == pytest.approx(unseen_losses, rel=1e-4)


def test_all_sprints_see_the_same_batches_and_the_same_dropout(some_digits):
    found = klr.find(make(), *some_digits, batch_size=32, repeats=1, steps=30, sprint_steps=20)
    first = {losses[0] for losses in found.sprints.losses}
    assert first == {found.sprints.idle_losses[0]}
    assert found.sprints.optimizer == "Adam"
    assert found.sprints.steps == 20


def test_without_sprints_the_ramps_are_read_alone(some_digits):
    kwargs = {"batch_size": 32, "repeats": 2, "steps": 40}
    plain = klr.find(make(), *some_digits, **kwargs, sprint_steps=0)
    assert plain.sprints is None
    answer = consensus(plain.curve)
    assert (plain.learning_rate, plain.interval) == (answer.learning_rate, answer.interval)
    assert klr.find(make(), *some_digits, **kwargs, verify=200).sprints is None


def test_data_that_can_be_read_once_has_no_sprints(some_digits):
    x, y = some_digits
    once = ((x[i : i + 16], y[i : i + 16]) for i in range(0, 640, 16))
    found = klr.find(make(), lambda: once, repeats=2, steps=30)
    assert found.sprints is None
    assert "could not be read again for sprints, so the answer comes from the ramps only." in found.note


@pytest.mark.once
def test_the_number_of_updates_is_checked():
    with pytest.raises(
        klr.ArgumentError, match=r"find\(sprint_steps=-1\): sprint_steps must be a whole number of at least 0"
    ):
        klr.find(make(), np.zeros((64, 64)), np.zeros((64, 10)), sprint_steps=-1)


@pytest.mark.once
@pytest.mark.parametrize(("errors", "where"), [(2.9, "in training"), (3.1, "on the holdout"), (4.1, "on the holdout")])
def test_a_gain_on_rows_kept_apart_counts_from_three_standard_errors_on(errors, where):
    """Ten batches gain 1 +- d, so that the mean is 3 / d standard errors."""
    sprints = all_of(1e-2)[0]
    swing = 3.0 / errors * np.resize([1.0, -1.0], 10)
    means = sprints.gains.mean(axis=1)
    gained = [np.full(10, -1.0) if mean < 0.0 else (1.0 + swing) * mean / means.max() for mean in means]
    unseen_losses = tuple(tuple((9.0 - gain).tolist()) for gain in gained)
    holdout = dataclasses.replace(sprints, unseen_losses=unseen_losses, idle_unseen_losses=(9.0,) * 10)
    assert read(holdout).gain / read(holdout).noise == pytest.approx(errors)
    answer = consensus(ramps(), 1.0, holdout)
    assert answer.learning_rate is not None
    assert f"gained most {where}" in answer.reason
