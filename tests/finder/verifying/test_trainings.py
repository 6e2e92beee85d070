"""`find(verify=N)`: short real trainings with the user's own model, which is left as it was."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.core.errors import ArgumentError
from keras_lr.engines.borrowed import ramp
from keras_lr.finder.measuring import measure
from keras_lr.finder.verifying.search import pool

QUICK = {"batch_size": 64, "steps": 60, "repeats": 1, "min_lr": 1e-5, "sprint_steps": 0}


def values_of(model):
    return [np.array(keras.ops.convert_to_numpy(variable)).tolist() for variable in machinery.variables_of(model)]


def in_order(x, y, batch_size, updates, seed):
    """The examples that a trial of so many updates is made on, one after the other."""
    order, rows, full = np.random.default_rng(seed), [], len(x) // batch_size * batch_size
    while sum(map(len, rows)) < updates * batch_size:
        rows.append(order.permutation(len(x))[:full])
    taken = np.concatenate(rows)[: updates * batch_size]
    return x[taken], y[taken]


def network(optimizer):
    """Batch normalization, and dropout where `fit` and a trial can draw the same: PyTorch draws it from its global seed."""
    keras.utils.set_random_seed(3)
    share = 0.0 if keras.backend.backend() == "torch" else 0.3
    layers = [keras.layers.BatchNormalization(), keras.layers.Dropout(share), keras.layers.Dense(10)]
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(32, activation="relu"), *layers])
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))
    return model


@pytest.fixture
def steppers(monkeypatch):
    """The updates and the looks at validation data of every stepper."""
    counts = {"updates": 0, "looks": 0}
    kind = backends.active().Stepper

    class Counting(kind):
        def updates(self, chunk, learning_rates):
            counts["updates"] += len(chunk)
            return super().updates(chunk, learning_rates)

        def evaluate(self, batches):
            counts["looks"] += 1
            if counts["looks"] == counts.get("raise_at"):
                raise KeyboardInterrupt
            return super().evaluate(batches)

    monkeypatch.setattr(backends.active(), "Stepper", Counting)
    monkeypatch.setattr(measure, "divides_by_rate", lambda *_: False)  # which makes a few updates of its own
    monkeypatch.setattr(ramp, "QUICK", 0.0)  # a ramp then makes 25 updates at a time, however quick they are
    return counts


@pytest.mark.parametrize("built", [True, False], ids=["built", "unbuilt"])
def test_fit_after_it_is_fit_without_it(built, some_digits, make_mlp):
    x, y = some_digits
    histories = []
    for search in (False, True):
        model = make_mlp(built=built)
        if search:
            found = klr.find(model, x, y, **QUICK, verify=200)
            assert found.verified.learning_rate == found.learning_rate
        histories.append(model.fit(x, y, epochs=2, batch_size=64, validation_split=0.1, verbose=0).history)
    assert histories[0] == histories[1]


def test_ctrl_c_leaves_the_model_as_it_was(some_digits, make_mlp, steppers):
    model = make_mlp()
    model.fit(*some_digits, batch_size=64, verbose=0)
    before = values_of(model)
    steppers["raise_at"] = 4
    with pytest.raises(KeyboardInterrupt):
        klr.find(model, *some_digits, **QUICK, verify=200)
    assert steppers["looks"] == 4
    assert values_of(model) == before


def test_the_budget_is_kept_exactly(some_digits, make_mlp, steppers):
    found = klr.find(make_mlp(), *some_digits, **QUICK, verify=230)
    trained = steppers["updates"] - sum(-(-len(losses) // 25) * 25 for losses in found.losses)
    assert trained == found.verified.updates <= 230


@pytest.mark.parametrize("shape", [None, klr.Cosine(1.0, 0.0, "100%"), klr.Cosine(0.5, 0.0, 700).warmup(70)], ids=str)
def test_a_trial_is_a_fit_with_that_schedule_and_order(shape, some_digits):
    """To the rounding of another program: 1e-5 of the loss."""
    (x, y), (x_val, y_val) = (part[:512] for part in some_digits), (part[512:] for part in some_digits)
    weights = np.linspace(0.0, 2.0, len(x_val), dtype="float32")
    found = klr.find(
        network("sgd"), x, y, **QUICK, schedule=shape, verify=200, seed=5, validation_data=(x_val, y_val, weights)
    )
    for trial in (found.verified.trials[1], found.verified.trials[-1]):
        updates, rate = trial.updates, trial.learning_rate
        if isinstance(shape, klr.Cosine):
            rate = rate * klr.Cosine(1.0, 0.0, updates)
        elif shape is not None:
            short = shape.retime(0, shape.length, updates)
            rate = rate / float(short.evaluate(np.arange(updates)).max()) * short
        model = network(keras.optimizers.SGD(rate))
        model.fit(*in_order(x, y, 64, updates, seed=5), batch_size=64, shuffle=False, verbose=0)
        expected = model.evaluate(x_val, y_val, sample_weight=weights, verbose=0)
        assert trial.validation_loss == pytest.approx(expected, rel=1e-5)


def test_the_last_tenth_is_held_out(some_digits, make_mlp):
    x, y = some_digits
    model = make_mlp()
    found = klr.find(model, x, y, **QUICK, verify=200)
    expected = model.evaluate(x[576:], y[576:], verbose=0, return_dict=True)["loss"]
    assert found.verified.untrained_loss == pytest.approx(expected, rel=1e-5)
    other = klr.find(model, x[:576], y[:576], **QUICK, verify=200, validation_data=(x[576:], y[576:]))
    assert other.verified.untrained_loss == found.verified.untrained_loss


def test_a_dataset_and_class_weights(some_digits, make_mlp):
    class Batched(keras.utils.PyDataset):
        def __init__(self, x, y):
            super().__init__()
            self.x, self.y = x, y

        def __len__(self):
            return len(self.x) // 64

        def __getitem__(self, index):
            return self.x[index * 64 : index * 64 + 64], self.y[index * 64 : index * 64 + 64]

    x, y = some_digits
    model = make_mlp()
    options = {name: value for name, value in QUICK.items() if name != "batch_size"}
    found = klr.find(model, Batched(x, y), **options, verify=200, class_weight={0: 3.0}, validation_data=Batched(x, y))
    expected = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    assert found.verified.untrained_loss == pytest.approx(expected, rel=1e-5)
    assert found.verified.updates <= 200


def test_gradient_accumulation_counts_updates(some_digits, make_mlp, steppers):
    model = make_mlp(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    found = klr.find(model, *some_digits, **QUICK, verify=200)
    ramps = sum(-(-len(losses) // 25) * 25 for losses in found.losses)
    assert steppers["updates"] - 2 * ramps == 2 * found.verified.updates <= 400


@pytest.mark.slow
def test_not_to_train_wins_where_the_labels_are_noise(digits, make_mlp):
    """A model that has learned the digits, and labels drawn by chance: whatever the seed, `find` gives no rate."""
    x, y = digits
    for seed in range(4):
        model = make_mlp(seed=seed)
        model.fit(x[:800], y[:800], epochs=4, batch_size=64, verbose=0)
        noise = keras.utils.to_categorical(np.random.default_rng(seed).integers(0, 10, 512), 10)
        found = klr.find(model, x[800:1312], noise, **QUICK, verify=200, validation_data=(x[1312:], y[1312:]))
        assert found.learning_rate is None
        assert found.reason.startswith("No rate improves the validation loss.")
        assert str(found).startswith("No learning rate. No rate improves")


def test_a_refusal_of_the_range_test_is_answered(some_digits, make_mlp):
    """With a ladder far below any use the loss doesn't move; short trainings begin with a wide grid then."""
    model = make_mlp()
    low = {"batch_size": 64, "steps": 30, "repeats": 1, "min_lr": 1e-9, "max_lr": 1e-8}
    plain = klr.find(model, *some_digits, **low, sprint_steps=0)
    assert plain.learning_rate is None
    found = klr.find(model, *some_digits, **low, sprint_steps=0, verify=400)
    assert 1e-4 < found.learning_rate < 1.0
    assert found.learning_rate == found.verified.learning_rate
    assert f"Ramps and sprints gave no answer: {plain.reason}" in found.reason


def test_trials_correct_the_answer_of_the_sprints_for_half_of_their_updates(some_digits, make_mlp):
    sprints = {**QUICK, "sprint_steps": 12}
    with pytest.warns(UserWarning, match="the training has 100 updates, fewer than the"):
        plain = klr.find(make_mlp(), *some_digits, **sprints, schedule=klr.Constant(1.0, 100))
    found = klr.find(make_mlp(), *some_digits, **sprints, verify=200)
    assert found.steps == plain.steps == 100
    assert found.sprint_curves == plain.sprint_curves
    assert (found.learning_rate, found.interval) == pool(found.verified, plain.learning_rate)
    assert found.learning_rate != found.verified.learning_rate
    assert f"Ramps and sprints gave {plain.learning_rate:.2g}: {plain.reason}" in found.reason
    assert found.cost == dataclasses.replace(plain.cost, trials=found.verified.updates)


@pytest.mark.once
def test_the_record_is_kept(some_digits, make_mlp, tmp_path):
    found = klr.find(make_mlp(), *some_digits, **QUICK, verify=200)
    found.save(tmp_path / "found.json")
    assert klr.FindResult.load(tmp_path / "found.json") == found
    assert klr.find(make_mlp(), *some_digits, **QUICK).verified is None


ERRORS = {
    "verify must be 0, or 200 updates or more. Pass verify=N, twice the updates of a training, or leave it out.": {
        "verify": 100
    },
    "verify must be a whole number of at least 0. Pass 0 or more.": {"verify": -1},
    "only verify uses validation_data. Pass verify=N, twice the updates of a training, or leave it out.": {
        "validation_data": (np.zeros((2, 64)), np.zeros((2, 10)))
    },
    "validation_data must have two or three parts. Pass (x, y), (x, y, sample_weight) or a dataset.": {
        "verify": 200,
        "validation_data": (np.zeros((2, 64)),),
    },
    "without the last tenth of 640 rows, the holdout, no batch of 600 is left. Pass validation_data=(x, y).": {
        "verify": 200,
        "batch_size": 600,
    },
}


@pytest.mark.once
@pytest.mark.parametrize("text", ERRORS)
def test_errors_say_the_rule_and_the_repair(text, some_digits, make_mlp):
    with pytest.raises(ArgumentError) as error:
        klr.find(make_mlp(), *some_digits, **ERRORS[text])
    assert str(error.value).endswith(text)


@pytest.mark.once
def test_a_dataset_needs_validation_data(some_digits, make_mlp):
    def batches():
        yield some_digits[0][:64], some_digits[1][:64]

    with pytest.raises(ArgumentError, match=r"if x is not arrays\. Pass validation_data=\(x, y\) or a dataset\.$"):
        klr.find(make_mlp(), batches, verify=200)
