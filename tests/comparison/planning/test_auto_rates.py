"""Rates that start around what `find` gives, and go on beyond an edge while the best is there."""

import itertools
import types

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison.planning import auto_rates
from keras_lr.comparison.planning.auto_rates import RateStart, ladder
from keras_lr.comparison.views.page import page_of
from tests.comparison.store.test_store import after
from tests.comparison.stored import Stop, X, Y, build_line, compare

AUTO = {"learning_rates": "auto", "seeds": 1, "epochs": 1}


@pytest.fixture
def found(monkeypatch):
    """`find` as the test has it; returns what it was asked."""
    asked = []

    def gives(rate, reason="as the test has it"):
        def find(where, model, **arguments):
            asked.append((model, arguments))
            return types.SimpleNamespace(learning_rate=rate, reason=reason)

        monkeypatch.setattr(auto_rates, "find_for", find)
        return asked

    return gives


def rates(result):
    return [case.learning_rate for case in result.cases]


@pytest.mark.once
def test_five_rates_around_the_one_that_was_found(found):
    asked = found(0.1)
    result = compare(**AUTO)
    assert set(rates(result)) >= {0.01, 0.032, 0.1, 0.32, 1.0}
    assert len(asked) == 1
    assert asked[0][1]["schedule"] is None and asked[0][1]["x"] is X
    assert result.warnings == () or "edge" not in " ".join(result.warnings)


@pytest.mark.once
def test_it_goes_on_beyond_the_edge_until_the_best_is_inside(found):
    """Plain SGD on a plane: the best rate is far above 1e-4, and every rate above 1 diverges or is worse."""
    found(0.0001)
    result = compare(**AUTO)
    tried = rates(result)
    assert tried[:5] == [1e-05, 3.2e-05, 0.0001, 0.00032, 0.001]
    assert tried == [*tried[:5], 0.0032, 0.01, 0.032, 0.1, 0.32, 1.0][: len(tried)]
    assert tried[0] < result.best.learning_rate
    assert len(tried) in (9, 11)
    if len(tried) < 11:
        assert result.best.learning_rate < tried[-1]
        assert not any("the best may lie beyond" in warning for warning in result.warnings)


@pytest.mark.once
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")  # rates above the largest float32
def test_rates_that_diverge_are_worse_so_it_goes_down(found):
    found(1e37)
    result = compare(**AUTO)
    assert rates(result)[0] < 1e36
    assert len(rates(result)) == 5 + 2 * auto_rates.TIMES
    assert result.best is None
    assert "Try smaller learning rates." in result.reason


@pytest.mark.once
def test_the_end_of_the_ladder_is_told_as_an_edge(found):
    found(1e-9)
    result = compare(**AUTO)
    assert len(rates(result)) == 5 + 2 * auto_rates.TIMES
    assert "the best may lie beyond" in result.warnings[-1]


@pytest.mark.once
def test_where_find_gives_none_it_starts_wide_and_says_why(found):
    found(None, "Flat: the loss never fell.")
    result = compare(**AUTO)
    assert rates(result)[-9:] == [0.0001, 0.00032, 0.001, 0.0032, 0.01, 0.032, 0.1, 0.32, 1.0]
    said = "find gave no rate for 'as compiled', so it started at 9 rates from 0.0001 to 1. Flat: the loss never fell."
    assert result.warnings[0] == said
    assert "so it started at 9 rates" in page_of(result)


@pytest.mark.once
def test_what_find_raises_is_a_reason_too(monkeypatch):
    def find(where, model, **arguments):
        raise klr.ArgumentError("find", "a rule", "A repair", x=1)

    monkeypatch.setattr(auto_rates, "find_for", find)
    assert "ArgumentError: find(x=1): a rule. A repair." in compare(**AUTO).warnings[0]


@pytest.mark.once
def test_each_optimizer_and_schedule_has_its_own_rates(found):
    """A rate multiplies its schedule, so that the peak that was found is divided by the schedule's own."""
    asked = found(0.1)
    half = klr.Linear(0.5, 0.0, "100%")
    result = compare(**AUTO, optimizers=["sgd", "adam"], schedules={"half": half, "flat": klr.Constant(1.0)})
    assert len(asked) == 4
    assert [arguments["schedule"] for _, arguments in asked] == [half, klr.Constant(1.0)] * 2
    assert [type(model.optimizer).__name__ for model, _ in asked] == ["SGD", "SGD", "Adam", "Adam"]
    names = {case.name for case in result.cases}
    assert {"sgd, half, lr 0.2", "sgd, flat, lr 0.1", "adam, half, lr 0.2", "adam, flat, lr 0.1"} <= names


@pytest.mark.once
def test_find_does_not_see_what_is_held_out(found):
    asked = found(0.1)
    compare(**AUTO, validation_split=0.25, batch_size=10)
    arguments = asked[0][1]
    assert np.array_equal(arguments["x"], X[:30]) and np.array_equal(arguments["y"], Y[:30])
    assert arguments["batch_size"] == 10


@pytest.mark.once
def test_in_a_store_the_same_choices_are_made_again(found, tmp_path, monkeypatch):
    asked = found(0.0001)
    whole = compare(**AUTO)
    path = tmp_path / "runs.sqlite"
    with monkeypatch.context() as patch, pytest.raises(Stop):
        after(6, Stop(), patch)  # the first five rates, and one more
        compare(path, **AUTO)
    found(0.07)  # find would answer another rate now
    trained = after(-1, None, monkeypatch)
    assert compare(path, **AUTO) == whole
    assert len(trained) == len(whole.cases) - 6
    assert len(asked) == 2
    with pytest.raises(klr.ArgumentError, match="it holds another plan"):
        compare(path, **{**AUTO, "learning_rates": [0.1]})


@pytest.mark.once
def test_the_ladder_is_in_half_decades():
    rungs = ladder(RateStart("a", (0.00031, 0.00098, 0.0031, 0.0098, 0.031)))
    assert len(rungs) == 5 + 4 * auto_rates.TIMES
    assert all(2.9 < high / low < 3.5 for low, high in itertools.pairwise(rungs))
    assert rungs[6:11] == (0.00031, 0.00098, 0.0031, 0.0098, 0.031)


@pytest.mark.once
def test_rates_for_several_optimizers_in_one_are_refused():
    def build():
        parts = [keras.optimizers.SGD(), keras.optimizers.Adam()]
        model = build_line()
        model.compile(keras.optimizers.MultiOptimizer(lambda variable: parts["kernel" in variable.path]), "mse")
        return model

    with pytest.raises(klr.ArgumentError, match="the optimizer holds several optimizers"):
        compare(**AUTO, build_model=build)
    with pytest.raises(klr.ArgumentError, match="the metric 'val_loss' needs validation data"):
        compare(**{**AUTO, "metric": "val_loss"})
    with pytest.raises(klr.ArgumentError, match="learning_rates must be a list of numbers"):
        compare(learning_rates="best")


def test_the_real_find_starts_where_it_trains():
    x = np.random.default_rng(0).normal(size=(400, 3)).astype("float32")

    def build():
        model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    arguments = {"seeds": 2, "epochs": 2, "metric": "loss", "verbose": 0}
    result = klr.compare(build, x, x.sum(axis=1), learning_rates="auto", **arguments)
    model = build()
    with_rates = [case.learning_rate for case in result.cases]
    assert 5 <= len(with_rates) <= 11 and with_rates == sorted(with_rates)
    assert 0.01 < result.best.learning_rate < 1.0  # by the curvature, 1 / (1 + noise), a rate above 1 diverges
    assert model.built
