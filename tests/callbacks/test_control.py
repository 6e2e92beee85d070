"""Changing the rate of a running `fit` from outside; and warnings of what Keras ignores."""

import json
import threading

import keras
import numpy as np
import pytest

import keras_lr as klr

STEPS = 4
COSINE = klr.Cosine(0.1, 0.02, 20)


class At(keras.callbacks.Callback):
    """Does something when an update of a number is about to be made."""

    def __init__(self, what):
        super().__init__()
        self.what, self.step = what, 0

    def on_train_batch_begin(self, batch, logs=None):
        if self.step in self.what:
            self.what[self.step]()
        self.step += 1


class Biases(keras.callbacks.Callback):
    """The bias after each update. Where the gradient is 1 it falls by the rate."""

    def __init__(self):
        super().__init__()
        self.values = [0.0]

    def on_train_batch_end(self, batch, logs=None):
        self.values.append(float(keras.ops.convert_to_numpy(self.model.layers[-1].bias)[0]))


def fit(model, line, callbacks, epochs=5, **kwargs):
    x = line[0]
    return model.fit(x, x[:, 0], batch_size=10, epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks, **kwargs)


def controlled(line, rate, what, **words):
    """Trains with things done at some steps; the rates by the weight, by the monitor and by the replay."""
    model = line[2](rate)
    model.compile(model.optimizer, loss=lambda y_true, y_pred: keras.ops.mean(y_pred))
    control, monitor, biases = klr.LearningRateControl(**words), klr.LearningRateMonitor(), Biases()
    done = At({step: (lambda each=each: each(control)) for step, each in what.items()})
    fit(model, line, [done, control, monitor, biases])
    return control, monitor, -np.diff(biases.values)


@pytest.mark.parametrize("rate", [0.1, COSINE, klr.Linear(0.1, 0.05, "100%")], ids=["float", "ours", "units"])
def test_a_change_holds_from_the_next_update_on(rate, line):
    what = {
        3: lambda control: control.scale(0.5),
        9: lambda control: control.set(0.04),
        14: lambda control: control.scale(3.0),
    }
    control, monitor, moved = controlled(line, rate, what)
    base = np.full(20, 0.1) if isinstance(rate, float) else rate.bind(steps_per_epoch=4, epochs=5).evaluate(range(20))
    set_to = 0.04 / base[9]
    scales = np.select([np.arange(20) < n for n in (3, 9, 14)], [1.0, 0.5, set_to], 3.0 * set_to)
    assert moved == pytest.approx(base * scales, abs=5e-7)
    assert monitor.learning_rates == pytest.approx(base * scales, rel=1e-5)
    assert [change.step for change in control.changes] == [3, 9, 14]
    assert control.changes[1].learning_rate == pytest.approx(0.04)
    assert control.schedule.evaluate(range(20)) == pytest.approx(base * scales, rel=1e-6)


def test_the_replay_trains_the_same(line):
    what = {3: lambda control: control.scale(0.5), 9: lambda control: control.set(0.04)}
    control, monitor, _ = controlled(line, COSINE, what)
    again = klr.LearningRateMonitor()
    fit(line[2](control.schedule), line, [again])
    assert again.learning_rates == pytest.approx(monitor.learning_rates, rel=1e-6)
    assert eval(repr(control.schedule), vars(klr)) == control.schedule


def test_changes_are_clamped(line):
    what = {
        2: lambda control: control.set(9.0),
        5: lambda control: control.set(1e-9),
        8: lambda control: control.scale(1e9),
    }
    control, monitor, _ = controlled(line, 0.1, what, min_lr=0.01, max_lr=0.5)
    assert [change.learning_rate for change in control.changes] == pytest.approx([0.5, 0.01, 0.5])
    assert monitor.learning_rates == pytest.approx([0.1] * 2 + [0.5] * 3 + [0.01] * 3 + [0.5] * 12)


def test_from_another_thread(line):
    control, monitor, requested = klr.LearningRateControl(), klr.LearningRateMonitor(), threading.Event()

    def outside():
        control.scale(0.5)
        control.scale(0.5)
        requested.set()

    thread = threading.Thread(target=outside)
    fit(line[2](COSINE), line, [At({6: lambda: (thread.start(), requested.wait())}), control, monitor])
    thread.join()
    assert monitor.learning_rates == pytest.approx(COSINE.evaluate(range(20)) * np.repeat([1.0, 0.25], [6, 14]))
    assert [change.step for change in control.changes] == [6, 6]
    assert control.schedule.evaluate(range(20)) == pytest.approx(monitor.learning_rates)


@pytest.mark.parametrize("content", ["0.025", '{"learning_rate": 0.025}', '{"scale": 0.25}'])
def test_through_a_file(content, line, tmp_path):
    path = tmp_path / "rate"
    control, monitor = klr.LearningRateControl(path, every_seconds=0), klr.LearningRateMonitor()
    fit(line[2](0.1), line, [At({6: lambda: path.write_text(content)}), control, monitor])
    assert monitor.learning_rates == pytest.approx([0.1] * 6 + [0.025] * 14)


def test_a_file_that_was_there_before_is_no_wish(line, tmp_path):
    (tmp_path / "rate").write_text("0.5")
    control = klr.LearningRateControl(tmp_path / "rate", every_seconds=0)
    fit(line[2](0.1), line, [control], epochs=1)
    assert control.changes == []


@pytest.mark.once
@pytest.mark.parametrize("content", ["", "fast", "-1", "0", "NaN", "[0.1]", '{"rate": 0.1}', '{"scale": "half"}'])
def test_a_file_that_makes_no_sense_is_told_once(content, line, tmp_path):
    path = tmp_path / "rate"
    control = klr.LearningRateControl(path, every_seconds=0)
    with pytest.warns(UserWarning, match="is ignored") as warned:
        fit(line[2](0.1), line, [At({2: lambda: path.write_text(content)}), control])
    assert len([each for each in warned if "is ignored" in str(each.message)]) == 1
    assert control.changes == []


def test_beside_a_plateau_both_count(line):
    control, monitor = klr.LearningRateControl(), klr.LearningRateMonitor()
    plateau = klr.ReduceLROnPlateau("loss", 0.5, patience=2, min_delta=1e9)
    fit(line[2](COSINE), line, [At({2: lambda: control.scale(0.1)}), monitor, control, plateau])
    scales = np.repeat([1.0, 0.1, 0.05], [2, 10, 8])
    assert monitor.learning_rates == pytest.approx(COSINE.evaluate(range(20)) * scales)


@pytest.mark.once
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: klr.LearningRateControl(min_lr=0.2, max_lr=0.1), "max_lr must not be below min_lr"),
        (
            lambda: klr.LearningRateControl().set(0.0),
            r"LearningRateControl.set\(learning_rate=0.0\): learning_rate must be above 0",
        ),
        (lambda: klr.LearningRateControl().scale(-1.0), "factor must be above 0"),
        (lambda: klr.LearningRateControl().schedule, "there is nothing to replay. Call fit with it first"),
    ],
)
def test_bad_arguments_say_what_to_do(make, message):
    with pytest.raises(klr.ArgumentError, match=message):
        make()


# What Keras ignores

CALLBACKS = {
    "monitor": lambda: klr.LearningRateMonitor(),
    "plateau": lambda: klr.ReduceLROnPlateau("loss", patience=99),
    "control": lambda: klr.LearningRateControl(),
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_schedule_that_was_swapped_after_compilation_is_told(name, line):
    model = line[2](COSINE)
    callback = CALLBACKS[name]()
    fit(model, line, [callback], epochs=1)
    model.optimizer.learning_rate = klr.Constant(0.5)
    if keras.backend.backend() == "torch":  # it is honoured there
        fit(model, line, [callback], epochs=1)
        return
    with pytest.warns(
        UserWarning, match=r"another schedule after the training step had been compiled.*Call model.compile"
    ):
        fit(model, line, [callback], epochs=1)


@pytest.mark.parametrize("name", CALLBACKS)
def test_optimizer_lr_is_told(name, line):
    model = line[2](0.1)
    model.optimizer.lr = 0.5
    with pytest.warns(UserWarning, match=r"optimizer.lr is an attribute that Keras does not read"):
        fit(model, line, [CALLBACKS[name]()], epochs=1)


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("name", CALLBACKS)
def test_what_works_is_not_told(name, line):
    model = line[2](0.1)
    fit(model, line, [CALLBACKS[name](), At({5: lambda: setattr(model.optimizer, "learning_rate", 0.2)})], epochs=2)
    model.compile(keras.optimizers.SGD(COSINE), "mse")
    fit(model, line, [CALLBACKS[name]()], epochs=2)
    model.compile(keras.optimizers.SGD(klr.Constant(0.1)), "mse")
    fit(model, line, [CALLBACKS[name](), klr.ReduceLROnPlateau("loss", patience=1, min_delta=1e9)], epochs=3)
    assert json.dumps(model.optimizer.get_config()["learning_rate"]["class_name"]) == '"Scaled"'


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_warning_about_the_schedule_names_the_callback_that_gives_it(name, line):
    model, callback = line[2](), CALLBACKS[name]()
    model.compile(keras.optimizers.SGD(klr.Linear(0.1, 0.0, 20), gradient_accumulation_steps=2), "mse")
    with pytest.warns(UserWarning, match=rf"^{type(callback).__name__}: Linear\(0.1, 0.0, 20\) counts batches"):
        fit(model, line, [callback])
