"""The critical rate against its formula, where there is one, and what becomes of it."""

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.engines.borrowed.line_search import LineSearch
from keras_lr.finder.deciding.critical import CriticalRate, critical, cross_check, next_rate, warmup_steps

once = pytest.mark.once
WITHIN = 0.05  # a search ends between two rates 1.1 apart at most, and answers with their geometric mean


def plane(optimizer, rows=64):
    """Full-batch regression with one layer, whose loss is a parabola along every line."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(rows, 4)) * [1.0, 2.0, 0.5, 3.0]).astype("float32")
    y = (x @ np.array([1.0, -2.0, 0.5, 1.0]) + 0.1 * rng.normal(size=rows)).astype("float32")[:, None]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer, "mse")
    return model, x, y


def edge_of(model, x, y, direction):
    """Twice the slope over the curvature, in float64."""
    weights = np.array(keras.ops.convert_to_numpy(model.trainable_variables[0]), np.float64)
    gradient = 2.0 / len(x) * x.T.astype(np.float64) @ (x @ weights - y)
    hessian = 2.0 / len(x) * x.T.astype(np.float64) @ x
    d = direction(gradient)
    return (-2.0 * (gradient.T @ d) / (d.T @ hessian @ d)).item()


def gradient_descent(gradient):
    return -gradient


def first_of_adam(gradient):
    """m / sqrt(v), corrected for the start: the sign, but for epsilon."""
    return -gradient / (np.abs(gradient) + 1e-7)


@pytest.mark.parametrize(
    ("optimizer", "direction"),
    [
        (lambda: keras.optimizers.SGD(0.123), gradient_descent),
        (lambda: keras.optimizers.SGD(0.1, momentum=0.9), gradient_descent),
        (lambda: keras.optimizers.SGD(0.1, gradient_accumulation_steps=3), gradient_descent),
        (lambda: keras.optimizers.Adam(0.1), first_of_adam),
        (lambda: keras.optimizers.SGD(klr.Cosine(0.1, 0.0, 10)), gradient_descent),
    ],
    ids=["sgd", "momentum", "accumulation", "adam", "schedule"],
)
def test_it_is_the_edge_of_a_parabola(optimizer, direction):
    model, x, y = plane(optimizer())
    expected = edge_of(model, x, y, direction)
    found = klr.find(model, x, y, batch_size=64, repeats=1, steps=40, sprint_steps=0, critical=True)
    assert len(found.critical.learning_rates) == 5
    assert found.critical.learning_rate == pytest.approx(expected, rel=WITHIN)
    assert found.critical.interval == pytest.approx((expected, expected), rel=WITHIN)


def test_what_momentum_brings_along_from_earlier_updates_does_not_count():
    model, x, y = plane(keras.optimizers.SGD(0.01, momentum=0.9))
    model.fit(x, y, batch_size=64, epochs=3, verbose=0)
    expected = edge_of(model, x, y, gradient_descent)
    found = klr.find(model, x, y, batch_size=64, repeats=1, steps=40, sprint_steps=0, critical=True)
    assert found.critical.learning_rate == pytest.approx(expected, rel=WITHIN)


def test_nothing_is_left_behind(some_digits, make_mlp):
    x, y = some_digits
    alone = make_mlp().fit(x, y, epochs=2, verbose=0).history
    model = make_mlp()
    found = klr.find(model, x, y, batch_size=64, repeats=1, sprint_steps=8, critical=True)
    assert found.critical.learning_rate > 0.0
    assert model.fit(x, y, epochs=2, verbose=0).history == alone


def test_dropout_is_the_same_at_every_rate(some_digits):
    """With other units dropped at each rate the loss would rise and fall by chance."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((64,)), keras.layers.Dropout(0.5), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
    found = klr.find(model, *some_digits, batch_size=640, repeats=1, steps=40, sprint_steps=0, critical=True)
    low, high = found.critical.interval
    assert high / low < 1.5


def test_a_model_that_does_not_move_has_none(some_digits):
    frozen = keras.Sequential(
        [keras.layers.Input((64,)), keras.layers.Dense(10, "softmax", kernel_initializer="zeros")]
    )
    frozen.compile("sgd", loss=lambda y_true, y_pred: keras.ops.mean(0.0 * y_pred))
    found = klr.find(frozen, *some_digits, batch_size=64, repeats=1, steps=20, sprint_steps=8, critical=True)
    assert found.critical == CriticalRate(None, None, "The update of the optimizer doesn't move the weights.")
    assert found.warmup_steps is None


def test_a_training_step_of_its_own_is_not_guessed_at(some_digits):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(10, activation="softmax")

        def call(self, inputs):
            return self.dense(inputs)

        def train_step(self, *arguments):
            return super().train_step(*arguments)

    model = Own()
    model.compile("sgd", "categorical_crossentropy")
    found = klr.find(model, *some_digits, batch_size=64, repeats=1, sprint_steps=8, critical=True)
    assert found.learning_rate is not None
    assert found.critical.reason == "The model has its own train_step, so a forward pass does not give its loss."


def search(edge, first):
    found = LineSearch(1.0)
    while (rate := next_rate(found, first)) is not None:
        found = LineSearch(1.0, (*found.points, (rate, 0.5 if rate < edge else 2.0)))
    return found


@once
@pytest.mark.parametrize("first", [1e-9, 1e-3, 0.02, 1.0, 1e5])
def test_doubling_and_halving_find_the_edge_from_anywhere(first):
    found = critical([search(0.02, first)] * 3)
    assert found.learning_rate == pytest.approx(0.02, rel=WITHIN)
    assert len(search(0.02, 0.02).points) <= 6


@once
def test_a_loss_that_is_not_finite_has_risen():
    found = LineSearch(1.0, ((0.1, 0.9), (0.2, float("nan"))))
    assert next_rate(found, 0.1) == pytest.approx(np.sqrt(0.02))


@once
def test_without_an_edge_there_is_a_reason():
    assert critical([search(np.inf, 1.0)]).reason == "The loss has no edge along the update: no rate raised it."
    assert critical([search(0.0, 1.0)]).reason.endswith("it rose at every rate, or is not finite.")
    assert critical([LineSearch(float("nan"))]).learning_rate is None
    assert critical([search(0.1, 1.0), search(np.inf, 1.0)]).learning_rate is None
    assert critical([search(0.1, 1.0), search(0.4, 1.0), search(0.2, 1.0)]).learning_rate == pytest.approx(
        0.2, rel=0.05
    )


@once
@pytest.mark.parametrize(
    ("rate", "edge", "steps"), [(0.01, 0.02, 0), (0.01, 0.01, 0), (0.01, 0.0099, 1), (0.01, 0.003, 3), (1.0, 0.01, 99)]
)
def test_the_first_update_of_the_warm_up_is_not_above_the_critical_rate(rate, edge, steps):
    critical_rate = CriticalRate(edge, (edge, edge), "")
    assert warmup_steps(rate, critical_rate) == steps
    assert float((rate * klr.Constant(1.0).warmup(steps)).evaluate(0)) <= edge * (1 + 1e-9)
    text = "needs no warm-up for stability" if steps == 0 else f"begin with a warm-up of {steps} updates or more"
    assert text in cross_check(rate, critical_rate)


@once
def test_nothing_is_said_of_what_was_not_measured():
    assert cross_check(0.1, None) is None
    assert warmup_steps(0.1, None) is None
    assert warmup_steps(None, CriticalRate(0.1, (0.1, 0.1), "")) is None
    assert cross_check(None, CriticalRate(0.1, (0.1, 0.1), "It is measured.")) == "It is measured."
