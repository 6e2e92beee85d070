"""For which training the answer of `find` is: its length, and the shape of its schedule."""

import warnings

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.core.errors import ArgumentError
from keras_lr.finder.deciding.consensus import NOMINAL_STEPS, Purpose
from keras_lr.finder.target import LEAST_BUDGET, MOST_BUDGET, budget_for, purpose_of

once = pytest.mark.once
SHAPE = klr.Cosine(1.0, 0.0, "100%")
QUICK = {"batch_size": 8, "steps": 20, "sprint_steps": 4, "verbose": 0}


def length_of(epochs=None, steps_per_epoch=None, batches=100, schedule=None):
    return purpose_of("find", schedule, epochs, steps_per_epoch, batches).steps


@once
def test_the_length_is_epochs_times_the_updates_of_an_epoch():
    assert purpose_of("find", None, 20, None, 100) == Purpose(2000, steps_per_epoch=100)
    assert length_of(epochs=20, steps_per_epoch=7) == 140
    assert length_of(epochs=20, steps_per_epoch=7, batches=None) == 140
    assert length_of(epochs=1) == 100
    assert purpose_of("find", SHAPE, 20, None, 100).mean_share == pytest.approx(0.5, abs=1e-3)


@once
def test_without_epochs_it_is_ten_but_at_least_600_updates():
    assert purpose_of("find", None, None, None, 100) == Purpose(1000, 1.0, "about ten epochs", 100)
    assert purpose_of("find", None, None, None, 60).label == "about ten epochs"
    assert purpose_of("find", None, None, None, 59) == Purpose(600, 1.0, "a short training", 59)
    assert length_of(steps_per_epoch=200, batches=None) == 2000


@once
def test_without_any_length_it_is_a_usual_training():
    assert purpose_of("find", None, None, None, None) == Purpose(NOMINAL_STEPS, 1.0, "a training of usual length")
    assert length_of(batches=None, schedule=klr.Constant(1.0)) == NOMINAL_STEPS


@once
def test_verify_is_for_a_training_of_half_of_its_updates():
    assert purpose_of("find", None, None, None, 100, 160) == Purpose(160, steps_per_epoch=100)
    assert purpose_of("find", SHAPE, None, None, None, 160).steps == 160
    assert purpose_of("find", None, 20, None, 100, 160).steps == 2000
    assert purpose_of("find", klr.Cosine(1.0, 0.0, 5000), None, None, 100, 160).steps == 5000


@once
def test_a_bound_schedule_has_a_length_that_comes_first():
    assert length_of(schedule=klr.Cosine(1.0, 0.0, 5000)) == 5000
    assert length_of(epochs=3, schedule=klr.Cosine(1.0, 0.0, 5000), batches=None) == 5000
    assert length_of(schedule=SHAPE.bind(steps_per_epoch=30, epochs=5)) == 150
    assert length_of(epochs=3, schedule=klr.Constant(0.5)) == 300  # without an end
    assert length_of(epochs=3, schedule=SHAPE) == 300


@once
def test_a_length_that_nobody_knows_is_refused():
    rule = r"find\(epochs=3\): the data has no length. Pass steps_per_epoch, the updates of an epoch."
    with pytest.raises(ArgumentError, match=rule):
        length_of(epochs=3, batches=None)
    rule = (
        r"find\(schedule=Cosine\(1.0, 0.0, '100%'\)\): the schedule has lengths in units, and the data has none. "
        "Pass epochs and steps_per_epoch."
    )
    with pytest.raises(ArgumentError, match=rule):
        length_of(schedule=SHAPE, batches=None)
    for name, value in (("epochs", 0), ("epochs", 1.5), ("steps_per_epoch", 0)):
        with pytest.raises(
            ArgumentError, match=rf"find\({name}={value}\): {name} must be a whole number of at least 1"
        ):
            length_of(**{name: value})


@once
def test_the_budget_is_600_updates_or_a_fifth_of_a_long_training():
    assert (LEAST_BUDGET, MOST_BUDGET) == (600, 5000)
    lengths = {1: 600, 600: 600, 3000: 600, 3005: 601, 10_000: 2000, 25_000: 5000, 10**6: 5000}
    assert {steps: budget_for(Purpose(steps)) for steps in lengths} == lengths
    assert budget_for(Purpose(10_000, label="about ten epochs")) == 600  # nobody named the length


@once
def test_find_takes_the_length_of_the_data(line):
    x, y, make = line
    assert klr.find(make(), x, y, **QUICK).steps == 600
    assert klr.find(make(), x, y, **QUICK, epochs=400).steps == 2000
    assert (
        klr.find(make(), x, y, **{**QUICK, "batch_size": 16}, epochs=400).steps == 1200
    )  # as fit: the last is smaller
    assert klr.find(make(), x, y, **QUICK, steps_per_epoch=90).steps == 900
    assert klr.find(make(), x, y, **QUICK, schedule=klr.Cosine(0.1, 0.0, 5000)).steps == 5000


@once
def test_find_takes_the_length_of_streams(line):
    x, y, make = line
    batches = [(x[start : start + 8], y[start : start + 8]) for start in range(0, 40, 8)]

    class Indexed(keras.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return batches[index]

    quick = {name: value for name, value in QUICK.items() if name != "batch_size"}
    assert klr.find(make(), Indexed(), **quick, epochs=200).steps == 1000
    stream = klr.find(make(), lambda: iter(batches), **quick)
    assert stream.steps == 3000
    assert stream.reason.startswith("The answer is for a training of usual length, 3,000 updates, a constant rate;")
    assert klr.find(make(), lambda: iter(batches), **quick, epochs=100, steps_per_epoch=9).steps == 900
    with pytest.raises(ArgumentError, match=r"find\(epochs=100\): the data has no length"):
        klr.find(make(), lambda: iter(batches), **quick, epochs=100)
    with pytest.raises(ArgumentError, match="the schedule has lengths in units"):
        klr.find(make(), lambda: iter(batches), **quick, schedule=SHAPE)


@once
def test_find_takes_the_length_of_a_tf_data_dataset(line):
    tf = pytest.importorskip("tensorflow")
    x, y, make = line
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    quick = {name: value for name, value in QUICK.items() if name != "batch_size"}
    assert klr.find(make(), dataset, **quick, epochs=200).steps == 1000
    assert klr.find(make(), dataset.filter(lambda *_: True), **quick).steps == 3000
    assert klr.find(make(), dataset.repeat(), **quick).steps == 3000


@once
def test_under_gradient_accumulation_an_update_takes_several_batches(line):
    x, y, _ = line
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(gradient_accumulation_steps=2), "mse")
    found = klr.find(model, x, y, **QUICK, epochs=300)
    assert found.steps == 600
    assert found.by_length.steps_per_epoch == 2


@once
def test_the_answer_is_for_that_length(line):
    x, y, make = line
    found = klr.find(make(), x, y, **QUICK, epochs=400)
    assert found.learning_rate == found.by_length.rate_for(2000) == found.rate_for(2000)
    assert found.interval == found.by_length.interval_for(2000)
    assert found.by_length.steps_per_epoch == 5
    longer = f"{found.rate_for(20_000):.2g} for 20,000."
    assert found.reason.startswith(f"The answer is for a training of 2,000 updates, a constant rate; {longer}")
    assert found.rate_for(20_000) < found.learning_rate
    short = klr.find(make(), x, y, **QUICK)
    assert "for a short training, 600 updates, a constant rate;" in short.reason
    assert short.rate_for(2000) == found.learning_rate


@once
def test_without_sprints_there_is_no_rate_for_another_length(line):
    x, y, make = line
    found = klr.find(make(), x, y, **{**QUICK, "steps": 60}, epochs=400)
    with pytest.raises(ArgumentError, match=r"rate_for\(steps=0\): steps must be a whole number of at least 1"):
        found.rate_for(0)
    ramps = klr.find(make(), x, y, **{**QUICK, "sprint_steps": 0, "steps": 60})
    assert ramps.learning_rate is not None
    rule = (
        r"rate_for\(steps=100\): without sprints the length of a training does not count. "
        "Call find without sprint_steps=0."
    )
    with pytest.raises(ArgumentError, match=rule):
        ramps.rate_for(100)
    refused = klr.FindResult(None, None, "Flat.", "diverged", (), (), ())
    with pytest.raises(ArgumentError, match=r"rate_for\(steps=100\): find gave no answer: Flat. See found.reason."):
        refused.rate_for(100)


@once
def test_a_training_shorter_than_the_search_for_its_rate_gets_a_warning_with_the_figure(line):
    x, y, make = line
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = klr.find(make(), x, y, **QUICK, epochs=2)
    (warning,) = caught
    assert str(warning.message) == (
        f"find: the training has 10 updates, fewer than the {found.cost.updates} that find spent. "
        "The answer is for its length all the same."
    )
    assert warning.filename == __file__
    assert found.steps == 10
    assert found.learning_rate == found.rate_for(10)
    assert found.sprint_curves.lengths[-1] <= 10


@once
def test_find_then_fit_finds_for_its_own_training(line):
    x, y, make = line
    arguments = {name: value for name, value in QUICK.items() if name in ("steps", "sprint_steps")}
    fit = {"batch_size": 8, "verbose": 0, "find_arguments": arguments}
    with pytest.warns(
        UserWarning, match=r"find_then_fit: the training has 15 updates, fewer than the \d+ that"
    ) as caught:
        done = klr.find_then_fit(make(), x, y, epochs=5, initial_epoch=2, **fit)
    assert caught[0].filename == __file__
    assert done.found.steps == 15


@once
@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras says so where an epoch of unknown length ends
def test_find_then_fit_on_data_of_unknown_length_finds_for_a_usual_training(line):
    tf = pytest.importorskip("tensorflow")
    x, y, make = line
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(8).filter(lambda *_: True)
    arguments = {name: value for name, value in QUICK.items() if name in ("steps", "sprint_steps")}
    fit = {"verbose": 0, "shuffle": False, "find_arguments": arguments}
    done = klr.find_then_fit(make(), dataset, epochs=2, **fit)
    assert done.found.steps == 3000
    assert np.isfinite(done.history.history["loss"]).all()
    done = klr.find_then_fit(make(), dataset.repeat(), epochs=100, steps_per_epoch=3, **fit)
    assert done.found.steps == 300
