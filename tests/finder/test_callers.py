"""Errors name the call that the user wrote, not the one that happens to share its checks."""

import inspect

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.finder.find import find_for

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X.sum(axis=1)
CALLERS = {
    "find": klr.find,
    "find_batch_size": klr.find_batch_size,
    "find_then_fit": klr.find_then_fit,
}


@pytest.fixture
def error_of(line):
    """Returns the text of the error that a call raises."""

    def call(caller, x=X, y=Y, model=None, **arguments):
        with pytest.raises(klr.ArgumentError) as error:
            CALLERS[caller](line[2]() if model is None else model, x, y, **arguments)
        return str(error.value)

    return call


def of_find(caller, **arguments):
    """Arguments of `find`, as the caller takes them."""
    return {"find_arguments": arguments} if caller == "find_then_fit" else arguments


every = pytest.mark.parametrize("caller", CALLERS)
those_that_find = pytest.mark.parametrize("caller", ["find", "find_then_fit"])


@pytest.mark.once
def test_what_the_callers_share_takes_the_arguments_of_find():
    where, *arguments = inspect.signature(find_for).parameters.values()
    assert where.name == "where"
    assert arguments == list(inspect.signature(klr.find).parameters.values())


@every
def test_the_check_of_the_model(caller, error_of):
    assert error_of(caller, model=3).startswith(f"{caller}(model=3): this is not a Keras model.")


@every
def test_the_checks_of_arrays(caller, error_of):
    assert error_of(caller, x=iter([])).startswith(f"{caller}(x=<list_iterator")
    assert error_of(caller, x=None, y=None).startswith(f"{caller}(x=None): there is no data.")
    assert error_of(caller, y=Y[:3]).startswith(
        f"{caller}(y=<ndarray of shape (3,)>): y must have as many rows as x, 40."
    )
    assert error_of(caller, x=np.where(X > 0, X, np.nan)).startswith(
        f"{caller}(x=<ndarray of shape (40, 3)>): x has a NaN"
    )
    assert error_of(caller, x=np.full((40, 3), None)).startswith(
        f"{caller}(x=<ndarray of shape (40, 3)>): the data holds"
    )
    both = {"sample_weight": np.ones(40), "class_weight": {0: 1.0}}
    assert error_of(caller, **both).startswith(f"{caller}(class_weight={{0: 1.0}}): class_weight and sample_weight")
    assert error_of(caller, x=lambda: iter([])).startswith(f"{caller}(y=")


@those_that_find
def test_the_checks_of_a_batch_size(caller, error_of):
    assert error_of(caller, batch_size=50).startswith(f"{caller}(batch_size=50): a batch is larger than the data")


@those_that_find
def test_the_checks_of_streams(caller, error_of):
    class Endless(keras.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return X[:8], Y[:8]

    def empty():
        return iter([])

    assert error_of(caller, x=empty, y=None).startswith(f"{caller}(x=<function")
    assert error_of(caller, x=Endless(), y=None).startswith(f"{caller}(x=<")
    weights = {"class_weight": {0: 1.0}}
    batch = error_of(caller, x=lambda: iter([(X,)]), y=None, **weights)
    assert batch.startswith(f"{caller}(class_weight={{0: 1.0}}): class_weight needs one array of labels.")


@those_that_find
def test_the_checks_of_the_ladder(caller, error_of):
    text = error_of(caller, **of_find(caller, min_lr=1.0, max_lr=0.1))
    assert text.startswith(f"{caller}(min_lr=1.0): min_lr must be below max_lr, 0.1.")
    for name, value in (("steps", 3), ("repeats", 0), ("seed", -1), ("ramp", "zigzag"), ("sprint_steps", -1)):
        assert error_of(caller, **of_find(caller, **{name: value})).startswith(
            f"{caller}({name}={value!r}): {name} must be"
        )


@those_that_find
def test_the_check_of_the_schedule(caller, error_of):
    assert error_of(caller, schedule=klr.Constant(0.0)).startswith(
        f"{caller}(schedule=Constant(0.0)): the schedule has no"
    )
    assert error_of(caller, schedule=0.1).startswith(f"{caller}(schedule=0.1): schedule must be")


@those_that_find
def test_the_checks_of_the_holdout(caller, error_of):
    def text(**arguments):
        return error_of(caller, **of_find(caller, **arguments))

    assert text(verify=3).startswith(f"{caller}(verify=3): verify must be 0, or 200 updates or more.")
    assert text(validation_data=(X, Y)).startswith(f"{caller}(validation_data=<tuple>): only verify")
    assert text(verify=200, validation_data=(3,)).startswith(
        f"{caller}(validation_data=(3,)): validation_data must have"
    )
    assert text(verify=200, validation_data=(X, Y[:3])).startswith(f"{caller}(y=<ndarray of shape (3,)>): y must have")
    assert text(verify=200, batch_size=39).startswith(f"{caller}(validation_data=None): without the last tenth")


@those_that_find
def test_the_check_that_data_can_be_read_again(caller, error_of):
    batches = [(X[:8], Y[:8])] * 12
    read = iter(batches)
    arguments = of_find(caller, verify=200, steps=20, repeats=1, validation_data=(X, Y))
    text = error_of(caller, x=lambda: read, y=None, **arguments)
    assert text.startswith(f"{caller}(verify=200): verify reads the data again and again.")


@every
def test_the_check_of_verbose(caller, error_of):
    arguments = {"verbose": 7} if caller != "find_then_fit" else of_find(caller, verbose=7)
    assert error_of(caller, **arguments).startswith(f"{caller}(verbose=7): verbose must be 'auto', 0 or 1.")


@every
def test_a_step_without_a_loss_names_the_model(caller, error_of):
    class Silent(keras.Sequential):
        def train_step(self, *arguments):
            logs = super().train_step(*arguments)
            return ({"d_loss": logs[0]["loss"]}, logs[1]) if isinstance(logs, tuple) else {"d_loss": logs["loss"]}

    model = Silent([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert error_of(caller, model=model).startswith("Silent.train_step(model=<Silent")


def test_a_comparison_that_finds_its_rates(line):
    """`find` gives no rate for a schedule without a peak, and the comparison says why."""
    arguments = {"learning_rates": "auto", "seeds": 1, "epochs": 1, "metric": "loss", "verbose": 0}
    result = klr.compare(line[2], X, Y, schedules={"flat": klr.Constant(0.0)}, **arguments)
    assert "ArgumentError: compare(schedule=Constant(0.0)): the schedule has no peak above 0." in result.warnings[0]
