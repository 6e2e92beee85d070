"""What `find` answers, on real data, and what it refuses."""

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.finder import FindResult
from keras_lr.finder.target import mean_share


@pytest.fixture(scope="module")
def found(digits):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy")
    return klr.find(model, *digits, batch_size=64)


def make(optimizer="adam"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.slow
def test_training_at_the_answer_is_close_to_the_best_of_a_grid(found, digits):
    x, y = digits

    def loss_at(rate):
        return (
            make(keras.optimizers.Adam(rate))
            .fit(x, y, batch_size=64, epochs=8, verbose=0, validation_split=0.2)
            .history["val_loss"][-1]
        )

    grid = [loss_at(rate) for rate in (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)]
    untrained = make().evaluate(x[-360:], y[-360:], verbose=0)[0]
    regret = (loss_at(found.learning_rate) - min(grid)) / (untrained - min(grid))
    assert regret < 0.05


def test_the_raw_loss_of_each_update_is_recorded(digits):
    """At rates too small to matter, the recorded losses are those of the batches under the first weights."""
    x, y = digits
    model = make("sgd")
    low = {"min_lr": 1e-12, "max_lr": 1e-11, "steps": 20, "sprint_steps": 4}
    found = klr.find(model, x, y, batch_size=64, **low, repeats=2, seed=7)
    loss = keras.losses.CategoricalCrossentropy()
    for ramp, seed in zip(found.losses, (7, 8), strict=True):
        rows = np.random.default_rng(seed).permutation(len(x))[: 20 * 64].reshape(20, 64)
        expected = [float(loss(y[batch], model.predict(x[batch], verbose=0))) for batch in rows]
        assert ramp == pytest.approx(expected, rel=1e-5)  # float32 sums in another order
    assert found.learning_rate is None
    assert found.stop_reason == "reached_end"


def test_the_rate_of_a_rung_is_the_rate_of_its_update():
    """With a loss that is linear in one weight, the weight, and so the next loss, moves by exactly the rate."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    model.compile("sgd", loss=lambda y_true, y_pred: keras.ops.mean(y_pred))
    x = np.ones((64, 1), "float32")
    found = klr.find(model, x, x, min_lr=0.01, max_lr=1.0, steps=20, ramp="linear", sprint_steps=0, repeats=1)
    assert -np.diff(found.losses[0]) == pytest.approx(found.learning_rates[:-1], rel=1e-5)


def test_accumulated_batches_make_one_rung(digits):
    x, y = digits
    few = {"steps": 30, "sprint_steps": 20}
    found = klr.find(make(keras.optimizers.SGD(gradient_accumulation_steps=4)), x, y, batch_size=32, **few)
    plain = klr.find(make(keras.optimizers.SGD()), x, y, batch_size=128, **few)
    assert found.sprint_curves.lengths == plain.sprint_curves.lengths
    assert found.steps == plain.steps == 600
    assert len(found.losses[0]) == 30
    # four batches of 32 in a row are not the same rows as one of 128, but the curve is the same
    assert found.learning_rate == pytest.approx(plain.learning_rate, rel=0.5)


def test_class_weight_weighs_the_loss(digits):
    x, y = digits
    kwargs = {"batch_size": 64, "steps": 20, "repeats": 1, "sprint_steps": 0, "min_lr": 1e-12, "max_lr": 1e-11}
    plain = klr.find(make(), x, y, **kwargs).losses[0]
    doubled = klr.find(make(), x, y, class_weight=dict.fromkeys(range(10), 2.0), **kwargs).losses[0]
    assert np.array(doubled) == pytest.approx(2.0 * np.array(plain), rel=1e-5)


def test_a_custom_training_step_is_used(digits):
    class Halved(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(10, activation="softmax")

        def call(self, inputs):
            return self.dense(inputs)

        def compute_loss(self, *args, **kwargs):
            return 0.5 * super().compute_loss(*args, **kwargs)

    keras.utils.set_random_seed(0)
    model = Halved()
    model.compile("adam", "categorical_crossentropy")
    found = klr.find(model, *digits, batch_size=64, sprint_steps=20)
    assert found.losses[0][0] < 2.0  # ln 10 / 2 is 1.15
    assert found.learning_rate is not None


def test_the_schedule_says_what_the_answer_is_for(digits):
    shape = (klr.Constant(1.0, "55%") >> klr.Cosine(1.0, 0.0, "40%")).warmup("5%")
    constant = klr.find(make(), *digits, batch_size=64, sprint_steps=20)
    peak = klr.find(make(), *digits, batch_size=64, sprint_steps=20, schedule=shape)
    assert peak.mean_share == pytest.approx(mean_share("find", shape))
    assert peak.sprint_curves == constant.sprint_curves
    assert peak.learning_rate == constant.by_length.rate_for(600, peak.mean_share)
    assert constant.learning_rate == constant.by_length.rate_for(600)
    assert constant.learning_rate < peak.learning_rate <= constant.by_length.learning_rate
    assert peak.schedule == repr(shape)
    assert "peak of a schedule" in peak.reason


def test_the_same_seed_gives_the_same_answer(digits):
    kwargs = {"batch_size": 64, "repeats": 2, "steps": 40, "sprint_steps": 12}
    assert klr.find(make(), *digits, **kwargs) == klr.find(make(), *digits, **kwargs)
    assert klr.find(make(), *digits, **kwargs, seed=9) != klr.find(make(), *digits, **kwargs)


@pytest.mark.once
def test_the_record_survives_a_file(found, tmp_path):
    found.save(tmp_path / "found.json")
    assert FindResult.load(tmp_path / "found.json") == found


@pytest.mark.once
def test_every_rule_answers_and_consensus_is_the_answer(found):
    assert float(found.suggest()) == found.learning_rate
    for rule in ("valley", "slide", "minimum", "steep"):
        assert 1e-7 < float(found.suggest(rule)) < 10.0
    with pytest.raises(klr.ArgumentError, match=r"suggest\(rule='best'\): rule must be one of 'consensus', 'valley'"):
        found.suggest("best")


def test_apply_sets_a_float_rate(found):
    model = make()
    assert found.apply(model) == found.learning_rate
    assert float(model.optimizer.learning_rate) == pytest.approx(found.learning_rate)
    with pytest.raises(klr.ArgumentError, match="not a single float. Compile with keras.optimizers.X"):
        found.apply(make(keras.optimizers.Adam(klr.Constant(0.1))))


@pytest.mark.once
def test_the_picture_shows_the_numbers(found, tmp_path):
    axis = found.plot(tmp_path / "found.png").axes[0]
    assert axis.get_xscale() == "log"
    assert "Learning rate" in axis.get_xlabel()
    assert (tmp_path / "found.png").stat().st_size > 10_000


def test_no_answer_says_so_where_it_is_used(digits):
    model = make()
    model.trainable = False
    model.compile("adam", "categorical_crossentropy")
    found = klr.find(model, *digits, batch_size=64, repeats=1, steps=30)
    assert found.learning_rate is None
    assert found.reason.startswith("The model has no trainable weights.")
    assert "No learning rate" in str(found)
    with pytest.raises(klr.ArgumentError, match="find gave no answer"):
        found.apply(model)
    with pytest.raises(klr.ArgumentError, match="See found.reason"):
        found.learning_rate * klr.Constant(1.0)


def broken(digits, **change):
    x, y = digits
    arguments = {"model": make(), "x": x, "y": y} | change
    return klr.find(arguments.pop("model"), arguments.pop("x"), arguments.pop("y"), **arguments)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"model": 3}, r"find\(model=3\): this is not a Keras model"),
        ({"model": keras.Sequential([keras.layers.Dense(1)])}, "the model is not compiled. Call model.compile"),
        ({"min_lr": 1.0, "max_lr": 0.1}, "min_lr must be below max_lr, 0.1"),
        ({"min_lr": 0.0}, "min_lr must be above 0"),
        ({"max_lr": float("inf")}, "max_lr must be a finite number"),
        ({"steps": 3}, "steps must be a whole number of at least 20"),
        ({"repeats": 0}, "repeats must be a whole number of at least 1"),
        ({"ramp": "zigzag"}, "ramp must be one of 'exponential', 'linear', 'restart'"),
        ({"batch_size": 5000}, "a batch is larger than the data, 1797 rows"),
        ({"x": np.zeros((0, 64)), "y": np.zeros((0, 10))}, "there is no data"),
        ({"x": None}, "there is no data"),
        ({"y": np.zeros((3, 10))}, "y must have as many rows as x, 1797"),
        ({"schedule": 0.1}, "schedule must be a schedule of keras_lr or None"),
        ({"schedule": klr.Constant(0.0)}, "the schedule has no peak above 0"),
        (
            {"sample_weight": np.ones(1797), "class_weight": {0: 1.0}},
            "class_weight and sample_weight exclude each other",
        ),
        (
            {"x": (batch for batch in [])},
            "a generator can be read only once. Pass a function that returns it, a PyDataset or a tf.data",
        ),
        ({"verbose": 7}, "verbose must be 'auto', 0 or 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_refused_before_any_training(change, text, digits):
    with pytest.raises(klr.ArgumentError, match=text):
        broken(digits, **change)


@pytest.mark.once
def test_a_nan_in_the_data_is_told_with_its_row(digits):
    x = digits[0].copy()
    x[17, 3] = np.nan
    with pytest.raises(klr.ArgumentError, match="x has a NaN or an infinity, first in row 17"):
        broken(digits, x=x)


@pytest.mark.once
def test_a_model_of_keras_2_is_refused_by_name(digits):
    old = type("Sequential", (), {"__module__": "tf_keras.src.engine.sequential"})()
    with pytest.raises(klr.ArgumentError, match=r"this is a tf_keras \(Keras 2\) model. Build it with Keras 3"):
        broken(digits, model=old)


@pytest.mark.once
@pytest.mark.parametrize("deviation", [0.043, 0.02])
def test_a_slow_start_is_waited_for(deviation):
    """With so small weights a deep network stands still for the first dozens of updates, at low rates for much longer."""
    keras.utils.set_random_seed(0)
    weights = keras.initializers.RandomNormal(stddev=deviation)
    layers = [keras.layers.Dense(32, "tanh", kernel_initializer=weights) for _ in range(3)]
    model = keras.Sequential(
        [keras.layers.Input([64]), *layers, keras.layers.Dense(10, "softmax", kernel_initializer=weights)]
    )
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy")
    chance = np.random.default_rng(0)
    y = chance.integers(0, 10, 1500)
    x = (chance.normal(size=(10, 64))[y] + 0.5 * chance.normal(size=(1500, 64))).astype("float32")
    found = klr.find(model, x, y, epochs=40, verbose=0)
    assert 0.003 < found.learning_rate < 0.3
