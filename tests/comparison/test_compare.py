"""Real comparisons on a slice of the digits: the same numbers as plain `fit`, and no trace left."""

import random

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr import backends
from keras_lr.comparison.planning.plan import direction
from keras_lr.comparison.views.page import code_to_repeat


def build_model():
    layers = [keras.layers.Input([64]), keras.layers.Dropout(0.2), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    return model


def build_line():
    """A small model that trains without being compiled, which is quicker for a few updates."""
    model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    return model


X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X.sum(axis=1)


@pytest.fixture(scope="module")
def data(digits):
    x, y = digits
    return x[:120], y[:120]


@pytest.fixture(scope="module")
def rates(data):
    """Two seeds at three rates, of which one diverges, and the states of chance before and after it."""
    keras.utils.set_random_seed(11)
    states = [state_of_chance()]
    arguments = {"validation_split": 0.2, "epochs": 2, "batch_size": 32, "seeds": [3, 5], "verbose": 0}
    result = klr.compare(build_model, *data, learning_rates=[1e38, 0.5, 0.001], **arguments)
    return result, [*states, state_of_chance()]


def test_the_code_in_the_page_trains_the_best_again(rates, data):
    """Run by run on both sides: left to itself timing decides the way, and two calls agree to rounding (decision 20)."""
    arguments = {"validation_split": 0.2, "epochs": 2, "batch_size": 32, "seeds": [3, 5], "verbose": 0}
    alone = klr.compare(build_model, *data, learning_rates=[0.5], engine="sequential", **arguments)
    for result, engine in ((alone, "sequential"), (rates[0], "auto")):
        code = code_to_repeat(result, result.best).replace(
            "x, y,", f"x, y, validation_split=0.2, engine={engine!r}, verbose=0,"
        )
        names = {"build_model": build_model, "x": data[0], "y": data[1]}
        exec(code, names)
        if engine == "sequential":
            assert names["result"].best.scores == result.best.scores
        assert names["result"].best.scores == pytest.approx(result.best.scores, rel=1e-5)
    assert 0.5 < rates[0].best.p_best <= 1.0


def state_of_chance():
    legacy = np.random.get_state()
    states = random.getstate(), legacy, backends.active().random_state()
    return repr([keras.tree.map_structure(lambda part: np.asarray(part).tolist(), state) for state in states])


def test_a_history_is_that_of_plain_fit(data):
    arguments = {"validation_split": 0.2, "epochs": 2, "batch_size": 32, "seeds": [3, 5], "verbose": 0}
    case = klr.compare(build_model, *data, learning_rates=[0.5], engine="sequential", **arguments).cases[0]
    with backends.random_state():
        keras.utils.set_random_seed(5)
        model = build_model()
        model.optimizer.learning_rate = 0.5
        history = model.fit(*data, validation_split=0.2, epochs=2, batch_size=32, verbose=0).history
    own = dict(case.runs[1].history)
    assert own.pop("learning_rate") == (0.5, 0.5)
    assert own == {name: tuple(values) for name, values in history.items()}
    assert case.runs[1].score == history["val_loss"][-1]


def test_the_answer(rates):
    result = rates[0]
    assert [case.name for case in result.cases] == ["lr 1e+38", "lr 0.5", "lr 0.001"]
    best = result.best
    assert (best.name, best.learning_rate) == ("lr 0.5", 0.5)
    assert best.mean == pytest.approx(np.mean([run.score for run in best.runs]))
    assert best.optimizer["config"]["momentum"] == 0.9
    assert best.code == "import keras\n\noptimizer = keras.optimizers.SGD(learning_rate=0.5, momentum=0.9)"
    assert result.metric == "val_loss" and result.mode == "min"
    assert "'lr 0.5' has the lowest val_loss as its mean over 2 seeds" in result.reason
    assert result.warnings == ()
    assert set(result.versions) == {"keras-lr", "keras", "backend", "numpy", "python"}
    assert result.versions["backend"].startswith(keras.backend.backend())


def test_every_update_has_its_rate(rates):
    assert rates[0].cases[2].learning_rates == (0.001,) * 6  # 96 examples in batches of 32, 2 epochs


def test_a_diverged_run_is_an_outcome(rates):
    lost = rates[0].cases[0]
    assert (lost.diverged, lost.mean, lost.interval) == (2, None, None)
    assert {run.outcome for run in lost.runs} == {"diverged"}
    for run in lost.runs:  # it ends with the epoch in which it diverged
        assert len(run.history["loss"]) == run.diverged_at[0] + 1
    assert rates[0].table()["verdict"].tolist()[-1] == "diverged"


def test_chance_is_left_as_it_was(rates):
    before, after = rates[1]
    assert before == after


def test_two_calls_give_equal_records(tmp_path):
    arguments = {"learning_rates": [0.1, 1e38], "seeds": [4], "metric": "loss", "epochs": 2, "verbose": 0}
    first, second = (klr.compare(build_line, X, Y, **arguments) for _ in range(2))
    assert first == second
    assert [case.diverged for case in first.cases] == [0, 1]
    assert first.best.interval is None
    first.save(tmp_path / "a.json")
    assert klr.Comparison.load(tmp_path / "a.json") == first


@pytest.mark.once
def test_names_are_those_of_a_first_model():
    def build():
        model = build_line()
        model.compile("sgd", "mse", metrics=[keras.metrics.MeanAbsoluteError()], run_eagerly=True)
        return model

    before = build().name
    result = klr.compare(build, X, Y, learning_rates=[0.1, 0.01], seeds=1, metric="mean_absolute_error", verbose=0)
    histories = [set(case.runs[0].history) for case in result.cases]
    assert histories[0] == histories[1] == {"loss", result.metric, "learning_rate"}
    assert result.metric.startswith("mean_absolute_error")
    after = build().name
    assert int(after.rpartition("_")[2]) == int((before + "_0").split("_")[1]) + 1


@pytest.mark.once
def test_all_diverged():
    result = klr.compare(build_line, X, Y, learning_rates=[1e38], seeds=1, metric="loss", verbose=0)
    assert result.best is None
    assert result.reason == "The only run diverged: the loss was not finite. Try smaller learning rates."
    assert result.indistinguishable == ()


def test_schedules_with_units_are_bound_and_multiplied():
    result = klr.compare(
        build_line,
        X,
        Y,
        schedules={"fall": klr.Linear(1.0, 0.0, "100%")},
        learning_rates=[0.1],
        optimizers={"plain": keras.optimizers.SGD()},
        seeds=1,
        epochs=2,
        metric="loss",
        mode="max",
        verbose=0,
    )
    (case,) = result.cases
    assert case.name == "plain, fall, lr 0.1"
    assert case.learning_rates == pytest.approx((0.1, 0.075, 0.05, 0.025))
    assert case.runs[0].history["learning_rate"] == pytest.approx((0.075, 0.025))
    assert case.code.endswith("keras.optimizers.SGD(learning_rate=0.1 * Linear(1.0, 0.0, '100%'))")
    assert "from keras_lr import Linear" in case.code
    assert result.mode == "max"


@pytest.mark.once
def test_the_template_alone_and_lines(capsys):
    result = klr.compare(build_line, X, Y, seeds=[1], metric="loss", verbose=1)
    (case,) = result.cases
    assert (case.name, case.learning_rate) == ("as compiled", 0.01)
    assert result.reason.startswith("'as compiled' reaches a loss with 1 seed: ")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("[1/1] as compiled, seed 1: loss ")


@pytest.mark.once
def test_a_metric_of_a_model_s_own_is_known_after_an_epoch():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, *args):
            return super().train_step(*args)

    def build():
        model = Own()
        model.compile("sgd", "mse", run_eagerly=True)
        return model

    with pytest.raises(
        klr.ArgumentError, match=r"compare\(metric='mine'\): the model has no metric 'mine'\. Pass one of loss"
    ):
        klr.compare(build, X, Y, metric="mine", seeds=1, verbose=0)


@pytest.mark.once
def test_the_edge_of_the_grid_is_told():
    result = klr.compare(build_line, X, Y, learning_rates=[1e-4, 0.1], seeds=1, metric="loss", verbose=0)
    assert result.warnings == (
        "The best learning rate, 0.1, is the largest of those tried: the best may lie beyond. Add larger ones, such as 1.",
    )
    assert "With one seed no interval can be computed" in result.reason
    assert [case.name for case in result.indistinguishable] == ["lr 0.0001"]


def test_accuracy_is_better_when_larger(rates):
    result = rates[0]
    assert result.curves("accuracy")["case"].unique().tolist() == ["lr 0.5", "lr 0.001"]
    assert [direction(name, "auto") for name in ("val_accuracy", "val_loss", "mae", "auc", "f1_score")] == [
        "max",
        "min",
        "min",
        "max",
        "max",
    ]
