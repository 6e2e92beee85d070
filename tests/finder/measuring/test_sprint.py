"""Sprints as they are trained: what they measure, what they cost, and what they do where data end or nothing moves."""

import dataclasses
import math
import types

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_lr as klr
from keras_lr.backends.rate_plan import RatePlan
from keras_lr.engines.borrowed import ramp
from keras_lr.engines.borrowed.ramp import CHUNK
from keras_lr.finder.deciding.consensus import Purpose, consensus
from keras_lr.finder.deciding.sprints import shows_progress, sprint_lengths, vertex
from keras_lr.finder.measuring.batches import batches
from keras_lr.finder.measuring.holdout import sprint_holdout
from keras_lr.finder.measuring.sprint import PATIENCE, Sprinter, SprintPlan
from keras_lr.finder.target import budget_for
from tests.finder.deciding.landscapes import Landscape

once = pytest.mark.once
ROWS = np.arange(80.0)[:, None]
BAR = types.SimpleNamespace(step=lambda: None)
PLAN = SprintPlan(start=1e-2, lowest=1e-7, highest=1e4, budget=500, most=3000)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class MadeUp:
    """A stepper whose losses are those of a landscape; nothing is learned in the first `wait` updates."""

    def __init__(self, model, landscape=None, wait=0):
        self.model, self.plan = model, RatePlan((1.0,))
        self.landscape, self.wait = dataclasses.replace(landscape or Landscape(), batches=1), wait
        self.updates_made = 0
        self.reset()

    def reset(self):
        self.rate, self.count = 0.0, 0

    def updates(self, chunk, learning_rates):
        self.updates_made += len(chunk)
        losses = []
        for rate in learning_rates:
            losses.append(self._loss())
            self.rate, self.count = float(rate), self.count + 1
        return {"loss": np.array(losses)}

    def losses(self, chunk):
        return np.full(len(chunk), self._loss())

    def _loss(self):
        (idle,) = self.landscape.idle()
        if self.count <= self.wait or self.rate == 0.0:
            return idle
        (after,) = self.landscape.losses(self.rate, (self.count,))
        return after[0] if after else math.nan


def arrays():
    return batches("find", ROWS, ROWS[:, 0], batch_size=8)


def stream():
    return batches("find", lambda: iter([(ROWS[:8], ROWS[:8])] * 5))


def sprinter_of(stepper, source):
    return Sprinter(stepper, source, 0, BAR)


LANDSCAPES = st.builds(
    Landscape,
    best=st.floats(-9.0, 5.0).map(lambda power: 10.0**power),
    slope=st.floats(-1.5, 1.0),
    edge=st.floats(-9.0, 6.0).map(lambda power: 10.0**power) | st.just(math.inf),
    depth=st.sampled_from([0.0, 1e-12, 1.0, 1e6, -1.0]),
)


@once
@settings(deadline=None, max_examples=40)
@given(
    landscape=LANDSCAPES,
    start=st.floats(-7.0, 4.0).map(lambda power: 10.0**power),
    budget=st.integers(300, 1500),
    most=st.integers(1, 20_000),
    wait=st.sampled_from([0, 30, 200, 10_000]),
    of_arrays=st.booleans(),
)
def test_sprints_keep_to_their_budget_whatever_the_losses_are(model, landscape, start, budget, most, wait, of_arrays):
    stepper = MadeUp(model, landscape, wait)
    sprinter = sprinter_of(stepper, arrays() if of_arrays else stream())
    plan = SprintPlan(start, 1e-7, 1e4, budget, most)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ramp, "QUICK", 0.0)  # else the last chunk may have up to 50 more
        curves, longer = sprinter.patient_curves(plan)
    assert sprinter.updates == stepper.updates_made
    assert sprinter.updates <= (1 + PATIENCE if longer else 1) * budget
    assert curves.lengths[-1] <= most


def best_of(curves):
    """The best rate of the longest length: that of the landscape."""
    place = len(curves.lengths) - 1
    return vertex(curves.rates(place), curves.gains(place))


@once
@pytest.mark.parametrize("source", [arrays, stream])
def test_the_budget_goes_into_long_sprints(source, model):
    sprinter = sprinter_of(MadeUp(model), source())
    curves = sprinter.curves(PLAN)
    assert 0.6 * PLAN.budget < sprinter.updates <= PLAN.budget
    assert curves.lengths == sprint_lengths(curves.lengths[-1], curves.lengths[0])
    assert best_of(curves) == pytest.approx(1e-2)


@once
def test_the_length_of_a_long_sprint_may_be_given(model):
    sprinter = sprinter_of(MadeUp(model), arrays())
    curves = sprinter.curves(SprintPlan(1e-2, 1e-7, 1e4, budget=10, most=3000, updates=40))
    assert curves.lengths == sprint_lengths(40, 10)
    assert best_of(curves) == pytest.approx(1e-2)


@once
@pytest.mark.parametrize("most", [1, 3, 20])
def test_no_sprint_is_longer_than_the_training(most, model):
    curves = sprinter_of(MadeUp(model), arrays()).curves(SprintPlan(1e-2, 1e-7, 1e4, budget=500, most=most))
    assert curves.lengths[-1] == most


@once
@pytest.mark.parametrize("source", [arrays, stream])
def test_after_a_slow_start_sprints_get_longer_once(source, model):
    sprinter = sprinter_of(MadeUp(model, wait=130), source())
    plain = sprinter_of(MadeUp(model, wait=130), source()).curves(PLAN)
    assert not shows_progress(plain)
    curves, longer = sprinter.patient_curves(PLAN)
    assert longer
    assert shows_progress(curves)
    assert curves.lengths[-1] == pytest.approx(PATIENCE * plain.lengths[-1], rel=0.1)
    assert best_of(curves) == pytest.approx(1e-2)


@once
def test_a_short_training_has_no_longer_sprints(model):
    curves, longer = sprinter_of(MadeUp(model, wait=130), arrays()).patient_curves(
        SprintPlan(1e-2, 1e-7, 1e4, budget=500, most=50)
    )
    assert not longer
    assert curves.lengths[-1] == 50


@once
@pytest.mark.parametrize("count", [0, 10, 60, 110, 200])
def test_data_that_end_give_no_curves(count, model):
    """However many batches there are: too few for the losses without training, or for one of the sprints."""
    left = iter([(ROWS[:8], ROWS[:8])] * count)
    sprinter = sprinter_of(MadeUp(model), batches("find", lambda: left))
    assert sprinter.patient_curves(PLAN) == (None, False)
    assert sprinter.updates <= count


@once
def test_losses_that_are_not_finite_without_training_end_the_sprints(model):
    stepper = MadeUp(model)
    stepper.losses = lambda chunk: np.resize([1.0, math.nan], len(chunk))
    sprinter = sprinter_of(stepper, arrays())
    curves, longer = sprinter.patient_curves(PLAN)
    assert (curves.learning_rates, longer, sprinter.updates) == ((), False, 0)


def make(optimizer="adam", normalization=False):
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dropout(0.5), keras.layers.Dense(10, "softmax")]
    layers[1:1] = [keras.layers.BatchNormalization()] if normalization else []
    model = keras.Sequential([keras.layers.Input([64]), *layers])
    model.compile(optimizer, "categorical_crossentropy")
    return model


def linear(optimizer="sgd"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input([64]), keras.layers.Dense(10, use_bias=False)])
    model.compile(optimizer, "mse")
    return model, model.get_weights()[0].astype(np.float64)


def by_hand(weights, rate, x, y, lengths, after):
    """Plain SGD updates in NumPy: the losses before each, and those of other batches after so many."""
    weights, before, read = weights.copy(), [], []
    for update in range(lengths[-1]):
        error = x[update] @ weights - y[update]
        before.append(float((error**2).mean()))
        weights -= rate * 2.0 * x[update].T @ error / error.size
        if update + 1 in lengths:
            read.append([float(((one @ weights - labels) ** 2).mean()) for one, labels in zip(*after, strict=True)])
    return before, read


def test_a_sprint_is_training_at_its_rate_from_the_start(some_digits):
    """A linear model outside the holdout, in NumPy, at every rate: the losses of the holdout on the way."""
    x, y = some_digits
    model, start = linear()
    found = klr.find(model, x, y, batch_size=256, steps=20, sprint_steps=12, seed=5)
    holdout = sprint_holdout(batches("find", x, y, batch_size=256), 5)
    rows, unseen = holdout.reader().take(12).rows, holdout.chunk.rows
    curves = found.sprint_curves
    assert curves.on_holdout
    assert len(curves.reached(len(curves.lengths) - 1)) >= 3
    idle = by_hand(start, 0.0, x[rows], y[rows], curves.lengths, (x[unseen], y[unseen]))[1]
    assert np.array(curves.idle_losses) == pytest.approx(np.array(idle), rel=1e-4)
    for rate, losses in zip(curves.learning_rates, curves.losses, strict=True):
        before, after = by_hand(start, rate, x[rows], y[rows], curves.lengths, (x[unseen], y[unseen]))
        if max(before) < 1e6:
            assert np.array(losses) == pytest.approx(np.array(after[: len(losses)]), rel=1e-4)


def test_without_a_holdout_the_losses_are_those_of_the_last_updates(some_digits):
    x, y = (part[:512].reshape(2, 256, -1) for part in some_digits)
    model, start = linear()
    found = klr.find(model, lambda: iter(zip(x, y, strict=True)), steps=20, sprint_steps=12)
    curves, rows = found.sprint_curves, np.arange(12) % 2
    assert not curves.on_holdout
    ends = (0, *curves.lengths)
    still = np.split(by_hand(start, 0.0, x[rows], y[rows], curves.lengths, ((), ()))[0], ends[1:-1])
    for idle, expected in zip(curves.idle_losses, still, strict=True):
        assert idle == pytest.approx(expected, rel=1e-4)
    for rate, losses in zip(curves.learning_rates, curves.losses, strict=True):
        before = by_hand(start, rate, x[rows], y[rows], curves.lengths, ((), ()))[0]
        for place, values in enumerate(losses):
            if max(before) < 1e6:
                assert values == pytest.approx(before[ends[place] : ends[place + 1]], rel=1e-4)


def test_sprints_of_a_stream_measure_no_training_without_an_update(some_digits):
    """Momentum would move the weights at a rate of 0 too, and Ftrl divides by the rate."""
    x, y = (part[:512].reshape(2, 256, -1) for part in some_digits)
    for optimizer in (keras.optimizers.SGD(0.01, momentum=0.9), keras.optimizers.Ftrl(0.01)):
        model, _ = linear(optimizer)
        model.fit(*some_digits, verbose=0)
        found = klr.find(model, lambda: iter(zip(x, y, strict=True)), steps=20, sprint_steps=8, min_lr=1e-4)
        expected = [model.evaluate(*batch, batch_size=256, verbose=0) for batch in zip(x, y, strict=True)]
        idle = np.concatenate(found.sprint_curves.idle_losses)
        assert idle == pytest.approx(np.resize(expected, len(idle)), rel=1e-4)


@pytest.mark.parametrize("several", [1, 3])
def test_a_stream_under_gradient_accumulation(several, some_digits):
    """The loss of an update is the mean over its batches, without training too."""
    x, y = (part[:600].reshape(6, 100, -1) for part in some_digits)
    model, _ = linear(keras.optimizers.SGD(0.01, gradient_accumulation_steps=several if several > 1 else None))
    found = klr.find(model, lambda: iter(zip(x, y, strict=True)), steps=20, sprint_steps=8)
    single = [model.evaluate(*batch, batch_size=100, verbose=0) for batch in zip(x, y, strict=True)]
    expected = np.reshape(single, (-1, several)).mean(axis=1)
    idle = np.concatenate(found.sprint_curves.idle_losses)
    assert idle == pytest.approx(np.resize(expected, len(idle)), rel=1e-5)
    assert len(found.sprint_curves.losses[0][0]) == found.sprint_curves.lengths[0]


def test_the_record_names_what_matters_to_a_long_training(some_digits):
    found = klr.find(make(), *some_digits, batch_size=32, steps=30, sprint_steps=8)
    curves = found.sprint_curves
    assert (curves.optimizer, curves.normalized, curves.lengths) == ("Adam", False, sprint_lengths(8, 2))
    assert found.by_length.lengths == curves.lengths
    found = klr.find(make("lion", normalization=True), *some_digits, batch_size=32, steps=30, sprint_steps=8)
    assert (found.sprint_curves.optimizer, found.sprint_curves.normalized) == ("Lion", True)


def test_without_sprints_the_ramps_are_read_alone(some_digits):
    kwargs = {"batch_size": 32, "repeats": 2, "steps": 50}
    plain = klr.find(make(), *some_digits, **kwargs, sprint_steps=0)
    assert (plain.sprint_curves, plain.by_length, plain.cost.sprints) == (None, None, 0)
    answer = consensus(plain.curve)
    assert (plain.learning_rate, plain.interval) == (answer.learning_rate, answer.interval)
    assert plain.cost.updates == plain.cost.ramps
    assert 0 <= plain.cost.ramps - sum(map(len, plain.losses)) < 2 * CHUNK  # the rest of the chunk where a ramp ended
    assert len(klr.find(make(), *some_digits, batch_size=32, steps=20, sprint_steps=0).losses) == 3


def test_data_that_can_be_read_once_has_no_sprints(some_digits):
    x, y = some_digits
    rows = np.arange(16 * 60).reshape(60, 16) % 640
    left = ((x[batch], y[batch]) for batch in rows)
    found = klr.find(make(), lambda: left, steps=30, sprint_steps=20)
    assert found.sprint_curves is None
    assert found.cost.sprints <= 30
    assert "could not be read again for sprints, so the answer comes from the ramps only." in found.note


@once
def test_a_slow_start_is_reported():
    """A loss that is flat until a counter of its own has seen 60 updates, as a recurrent network may stand still."""
    x = np.random.default_rng(0).normal(size=(640, 4)).astype("float32")

    class Late(keras.layers.Layer):
        def build(self, shape):
            self.weight = self.add_weight(shape=(shape[-1], 1), initializer="zeros")
            self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, inputs, training=False):
            if training:
                self.seen.assign_add(1.0)
            awake = keras.ops.cast(self.seen > 60.0, "float32")
            return inputs @ (awake * self.weight)

    model = keras.Sequential([keras.layers.Input((4,)), Late()])
    model.compile("sgd", "mse")
    found = klr.find(model, x, x.sum(axis=1, keepdims=True), verbose=0, steps=40, sprint_steps=30)
    longer = found.sprint_curves.lengths[-1]
    assert longer == 30 * PATIENCE
    assert found.learning_rate is not None
    assert (
        f"No sprint of the usual length lowered the loss by more than noise, so sprints of {longer} updates followed."
        in found.note
    )


@once
def test_the_number_of_updates_is_checked():
    with pytest.raises(
        klr.ArgumentError, match=r"find\(sprint_steps=-1\): sprint_steps must be a whole number of at least 0"
    ):
        klr.find(make(), np.zeros((64, 64)), np.zeros((64, 10)), sprint_steps=-1)


def named(x):
    return {"left": x[:, :32], "right": x[:, 32:]}


def two_inputs():
    keras.utils.set_random_seed(0)
    inputs = {name: keras.layers.Input((32,), name=name) for name in ("left", "right")}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(joined))
    model.compile("adam", "categorical_crossentropy")
    return model


CALLS = {
    "arrays": (make, lambda x, y: (x, y), {"batch_size": 32}),
    "a long training": (make, lambda x, y: (x, y), {"batch_size": 32, "epochs": 200}),
    "class weights": (make, lambda x, y: (x, y), {"batch_size": 32, "class_weight": {0: 5.0}}),
    "named inputs": (two_inputs, lambda x, y: (named(x), y), {"batch_size": 64}),
    "a stream": (
        make,
        lambda x, y: (lambda: iter(zip(x.reshape(10, 64, 64), y.reshape(10, 64, 10), strict=True)),),
        {},
    ),
    "a high ladder": (lambda: make(keras.optimizers.SGD()), lambda x, y: (1e-4 * x, y), {"batch_size": 64}),
    "a rule that divides by the rate": (lambda: make("ftrl"), lambda x, y: (x, y), {"batch_size": 64}),
    "a low ladder": (lambda: linear()[0], lambda x, y: (1e5 * x, y), {"batch_size": 64}),
}


@once
@pytest.mark.parametrize("name", CALLS)
def test_a_call_keeps_to_its_budget(name, some_digits):
    build, data, arguments = CALLS[name]
    found = klr.find(build(), *data(*some_digits), **arguments, verbose=0)
    assert found.sprint_curves is not None
    patient = "No sprint of the usual length" in (found.note or "")
    assert found.cost.updates <= budget_for(Purpose(found.steps)) * (1 + PATIENCE if patient else 1)
