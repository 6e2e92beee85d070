"""The plateau in `fit`: the rate that each update used, beside every kind of rate, saved and resumed at any point."""

import functools
import json
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.backends import keras as machinery

BACKEND = keras.backend.backend()
STEPS = 4  # in an epoch: 40 examples in batches of 10
COSINE = klr.Cosine(0.1, 0.02, 20)
KERAS_COSINE = keras.optimizers.schedules.CosineDecay(0.1, 20, alpha=0.2)


class Logged(keras.callbacks.Callback):
    """Puts a list of values into the logs of the epochs, to be monitored."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["logged"] = self.values[epoch]


class Biases(keras.callbacks.Callback):
    """The bias after each update. Where the gradient is 1 it falls by the rate."""

    def __init__(self):
        super().__init__()
        self.values = [0.0]

    def on_train_batch_end(self, batch, logs=None):
        self.values.append(float(keras.ops.convert_to_numpy(self.model.layers[-1].bias)[0]))


def mean_of_outputs(y_true, y_pred):
    return keras.ops.mean(y_pred)


def fit(model, line, callbacks, epochs=5, x=None, **kwargs):
    x = line[0] if x is None else x
    return model.fit(x, x[:, 0], batch_size=10, epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks, **kwargs)


def plateau_at_once(**words):
    """Reduces at the end of each epoch from the second on."""
    return klr.ReduceLROnPlateau("logged", patience=1, **{"factor": 0.5, **words})


RATES = {
    "float": (lambda: 0.1, lambda t: 0.1),
    "ours": (lambda: COSINE, lambda t: float(COSINE.evaluate(t))),
    "keras": (lambda: KERAS_COSINE, lambda t: float(COSINE.evaluate(t))),
    "units": (lambda: klr.Linear(0.1, 0.0, "100%"), lambda t: 0.1 * (1 - t / 20)),
}


@pytest.mark.parametrize("name", RATES)
def test_each_update_has_the_promised_rate(name, line):
    make, base = RATES[name]
    model = line[2](make())
    model.compile(model.optimizer, loss=mean_of_outputs)
    biases, monitor = Biases(), klr.LearningRateMonitor()
    history = fit(model, line, [Logged([1.0] * 5), monitor, plateau_at_once(min_lr=0.02), biases]).history
    # the first measurement is the best; the ends of epochs 1, 2, 3 reduce
    scales = np.repeat([1.0, 1.0, 0.5, 0.25, 0.125], STEPS)
    expected = [max(base(t) * scale, min(base(t), 0.02)) for t, scale in enumerate(scales)]
    assert -np.diff(biases.values) == pytest.approx(expected, abs=4e-7)
    assert monitor.learning_rates == pytest.approx(expected, rel=1e-5)
    assert history["learning_rate"] == pytest.approx(expected[STEPS - 1 :: STEPS], rel=1e-5)


def test_it_needs_no_monitor_for_the_history(line):
    history = fit(line[2](COSINE), line, [Logged([1.0] * 5), plateau_at_once()]).history
    expected = [
        scale * float(COSINE.evaluate(t)) for t, scale in zip((3, 7, 11, 15, 19), (1, 1, 0.5, 0.25, 0.125), strict=True)
    ]
    assert history["learning_rate"] == pytest.approx(expected)


def test_up_as_well_as_down(line):
    monitor = klr.LearningRateMonitor()
    plateau = klr.ReduceLROnPlateau("logged", 0.5, patience=2, up_factor=3.0, max_lr=0.2)
    fit(line[2](0.1), line, [Logged([5.0, 4.0, 4.0, 4.0, 3.0]), monitor, plateau])
    assert monitor.learning_rates[::STEPS] == pytest.approx([0.1, 0.1, 0.2, 0.2, 0.1])


@pytest.mark.parametrize(("after", "reductions"), [(None, 4), ("warmup", 2), (8, 2), ("40%", 2), ("2ep", 2)])
def test_measurements_count_from_where_it_is_told(after, reductions, line):
    model = line[2](klr.Constant(0.1).warmup(9))
    plateau = klr.ReduceLROnPlateau("logged", 0.5, patience=1, after=after, min_delta=1e9)
    fit(model, line, [Logged([5.0, 4.0, 3.0, 2.0, 1.0]), plateau])
    # the warm-up of 9 steps and the 8 steps of the others are over in the third epoch, whose measurement is the first best
    assert machinery.rate_of(model.optimizer).scale == 0.5**reductions


def test_restore_best_brings_the_weights_back(line):
    model, kept = line[2](0.1), {}

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept[epoch] = self.model.get_weights()

        def on_epoch_begin(self, epoch, logs=None):
            kept[f"begin {epoch}"] = self.model.get_weights()

    fit(
        model,
        line,
        [Logged([5.0, 1.0, 4.0, 4.0, 4.0]), Keep(), klr.ReduceLROnPlateau("logged", patience=2, restore_best=True)],
    )
    for best, begun in zip(kept[1], kept["begin 4"], strict=True):
        assert best.tolist() == begun.tolist()
    assert kept[3][0].tolist() != kept[1][0].tolist()


def test_several_optimizers_are_reduced_together(line):
    layers = [keras.layers.Input((3,)), keras.layers.Dense(2, name="body"), keras.layers.Dense(1, name="head")]
    model = keras.Sequential(layers)
    parts = keras.optimizers.OptimizerMap(keras.optimizers.SGD(COSINE, name="rest"))
    parts[".*head.*"] = keras.optimizers.SGD(0.05, name="top")
    model.compile(keras.optimizers.MultiOptimizer(parts), "mse")
    monitor = klr.LearningRateMonitor()
    fit(model, line, [Logged([1.0] * 5), monitor, plateau_at_once()])
    scales = np.repeat([1.0, 1.0, 0.5, 0.25, 0.125], STEPS)
    assert monitor.groups["rest"] == pytest.approx(COSINE.evaluate(range(20)) * scales)
    assert monitor.groups["top"] == pytest.approx(0.05 * scales)


def test_under_loss_scaling(line):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = line[2](COSINE)
        model.compile(keras.optimizers.SGD(COSINE), "mse", auto_scale_loss=True)
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        monitor = klr.LearningRateMonitor()
        fit(model, line, [Logged([1.0] * 5), monitor, plateau_at_once()])
    finally:
        keras.config.set_dtype_policy("float32")
    scale = machinery.rate_of(machinery.optimizers_of(model)[0]).scale
    assert scale == 0.5**4
    assert monitor.learning_rates[-1] == pytest.approx(0.125 * float(COSINE.evaluate(monitor.steps[-1])), rel=1e-5)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras refuses steps_per_execution on PyTorch")
def test_several_updates_in_one_call(line):
    model, monitor = line[2](COSINE, steps_per_execution=4), klr.LearningRateMonitor()
    fit(model, line, [Logged([1.0] * 5), monitor, plateau_at_once()])
    scales = np.repeat([1.0, 1.0, 0.5, 0.25, 0.125], STEPS)
    assert monitor.learning_rates == pytest.approx(COSINE.evaluate(range(20)) * scales)


def test_nothing_is_left_on_the_optimizer(line):
    model = line[2](COSINE)
    names = [variable.path for variable in model.optimizer.variables]
    fit(model, line, [Logged([1.0] * 5), plateau_at_once()])
    assert [variable.path for variable in model.optimizer.variables] == names
    assert machinery.rate_of(model.optimizer) == klr.Scaled(COSINE, 0.5**4)


@pytest.mark.once
def test_a_missing_name_is_told_with_those_there_are(line):
    with pytest.warns(UserWarning, match=r"there is no 'val_loss' in the logs, which have loss"):
        fit(line[2](0.1), line, [klr.ReduceLROnPlateau()], epochs=1)


def test_a_rate_without_a_handle_is_refused(line):
    with pytest.raises(klr.ArgumentError, match="the rate is a function, which can't be changed"):
        fit(line[2](lambda: 0.1), line, [klr.ReduceLROnPlateau("loss")], epochs=1)


def test_after_in_epochs_needs_the_number_of_steps(line):
    batches = ((line[0][:10], line[0][:10, 0]) for _ in range(STEPS))
    plateau = klr.ReduceLROnPlateau("loss", after="1ep")
    rule = "the number of steps is unknown, so after needs updates. Pass steps_per_epoch to fit"
    with pytest.raises(klr.ArgumentError, match=rf"^ReduceLROnPlateau\(after='1ep'\): {rule}"):
        line[2](0.1).fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[plateau])


def test_after_in_examples_is_refused():
    rule = "after can't be in examples. Pass updates, or a length such as '2ep' or '10%'"
    with pytest.raises(klr.ArgumentError, match=rf"^ReduceLROnPlateau\(after='50ex'\): {rule}"):
        klr.ReduceLROnPlateau("loss", after="50ex")


class Reads(keras.callbacks.Callback):
    """Counts the values that a callback reads from the device at each begin and end of an epoch."""

    def __init__(self, watched, monkeypatch):
        super().__init__()
        self.begins, self.ends, self._reads = [], [], 0
        read = keras.ops.convert_to_numpy
        monkeypatch.setattr(keras.ops, "convert_to_numpy", lambda value: (self._count(), read(value))[1])
        for name, counts in (("on_epoch_begin", self.begins), ("on_epoch_end", self.ends)):
            monkeypatch.setattr(watched, name, self._counted(getattr(watched, name), counts))

    def _count(self):
        self._reads += 1

    def _counted(self, method, counts):
        def call(epoch, logs=None):
            before = self._reads
            method(epoch, logs)
            counts.append(self._reads - before)

        return call


def test_an_epoch_begins_without_a_read(line, monkeypatch):
    plateau = klr.ReduceLROnPlateau("loss", every_steps=3)
    reads = Reads(plateau, monkeypatch)
    fit(line[2](0.1), line, [plateau, reads], epochs=3)
    assert reads.begins[1:] == [0, 0]


@pytest.mark.parametrize(("before", "count"), [((), 2), ((klr.LearningRateMonitor,), 0)], ids=["alone", "monitored"])
def test_a_rate_that_is_in_the_logs_is_not_read_again(before, count, line, monkeypatch):
    plateau = klr.ReduceLROnPlateau("loss")
    reads = Reads(plateau, monkeypatch)
    fit(line[2](0.1), line, [*(make() for make in before), plateau], epochs=3)
    assert reads.ends == [count] * 3


# Resuming


def adam(rate):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(rate), "mse")
    return model


NOISY = [5.0, 4.0, 4.5, 4.5, 3.0, 3.5, 3.5, 3.5]


@pytest.fixture(scope="module")
def whole_run(line, tmp_path_factory):
    """Makes the run that is not cut, once for each rate: its weights at the end, and its rates."""

    @functools.cache
    def run(rate):
        monitor, model = klr.LearningRateMonitor(), adam(rate)
        path = tmp_path_factory.mktemp("whole") / "whole.json"
        plateau = klr.ReduceLROnPlateau("logged", 0.5, patience=2, cooldown=1, state_path=path)
        fit(model, line, [Logged(NOISY), monitor, plateau], epochs=8)
        return model.get_weights(), monitor.learning_rates

    return run


@pytest.mark.parametrize("rate", [0.01, COSINE], ids=["float", "schedule"])
@pytest.mark.parametrize("cut", [1, 3, 4, 5, 7])
def test_a_run_that_was_cut_after_any_epoch_goes_on_exactly(cut, rate, line, whole_run, tmp_path):
    weights, rates = whole_run(rate)
    words = {"factor": 0.5, "patience": 2, "cooldown": 1, "state_path": tmp_path / "state.json"}
    first = adam(rate)
    fit(first, line, [Logged(NOISY), klr.ReduceLROnPlateau("logged", **words)], epochs=cut)
    first.save(tmp_path / "cut.keras")
    loaded, monitor = keras.saving.load_model(tmp_path / "cut.keras"), klr.LearningRateMonitor()
    fit(loaded, line, [Logged(NOISY), monitor, klr.ReduceLROnPlateau("logged", **words)], epochs=8, initial_epoch=cut)
    assert monitor.learning_rates == rates[cut * STEPS :]
    assert int(loaded.optimizer.iterations) == 8 * STEPS
    for ours, theirs in zip(loaded.get_weights(), weights, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("first", ["backup", "plateau"])
def test_backup_and_restore_in_either_order(first, line, whole_run, tmp_path):
    weights, rates = whole_run(COSINE)

    class Crash(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 5:
                raise KeyboardInterrupt

    def callbacks(*more):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        plateau = klr.ReduceLROnPlateau("logged", 0.5, patience=2, cooldown=1, state_path=tmp_path / "state.json")
        pair = [backup, plateau] if first == "backup" else [plateau, backup]
        return [Logged(NOISY), *pair, *more]

    with pytest.raises(KeyboardInterrupt):
        fit(adam(COSINE), line, callbacks(Crash()), epochs=8)
    again, monitor = adam(COSINE), klr.LearningRateMonitor()
    fit(again, line, callbacks(monitor), epochs=8)
    assert monitor.learning_rates == rates[5 * STEPS :]
    assert int(again.optimizer.iterations) == 8 * STEPS
    for ours, theirs in zip(again.get_weights(), weights, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-7)


def test_a_checkpoint_of_the_middle_loads_in_a_fresh_process(line, tmp_path):
    model = adam(COSINE)
    save = keras.callbacks.ModelCheckpoint(tmp_path / "epoch_{epoch}.keras")
    moments = {}

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            variables = self.model.optimizer.variables
            moments[epoch + 1] = [np.array(keras.ops.convert_to_numpy(each)) for each in variables]

    fit(model, line, [Logged([1.0] * 5), plateau_at_once(), save, Keep()])
    code = (
        "import json, keras_lr, keras, numpy as np\n"
        f"model = keras.saving.load_model({str(tmp_path / 'epoch_3.keras')!r})\n"
        "variables = [np.asarray(keras.ops.convert_to_numpy(each)).tolist() for each in model.optimizer.variables]\n"
        "print(json.dumps([repr(model.optimizer._learning_rate), variables]))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rate, variables = json.loads(run.stdout.splitlines()[-1])
    assert rate == repr(klr.Scaled(COSINE, 0.25))
    assert len(variables) == len(moments[3])
    for loaded, there in zip(variables, moments[3], strict=True):
        assert np.asarray(loaded) == pytest.approx(there, rel=1e-6)


STEPWISE = {"monitor": "loss", "factor": 0.5, "patience": 1, "every_steps": 3, "min_delta": 0.02}


def stepwise_run(line, cuts, tmp_path):
    """Forty updates in as many fits as there are parts between the cuts, each of a model that was loaded."""
    x = np.concatenate([line[0]] * 10)
    rates, path = [], tmp_path / "model.keras"
    ends = [*cuts, 40]
    for begin, end in zip([0, *cuts], ends, strict=True):
        model = adam(klr.Linear(0.1, 0.0, 40)) if begin == 0 else keras.saving.load_model(path)
        monitor = klr.LearningRateMonitor()
        plateau = klr.ReduceLROnPlateau(**STEPWISE, state_path=tmp_path / f"{len(cuts)}.json")
        fit(model, line, [monitor, plateau], epochs=1, x=x[10 * begin : 10 * end])
        model.save(path)
        rates += monitor.learning_rates
    return rates


# At every 13th step each of the three places within a measurement is cut at.
@pytest.mark.parametrize("stride", [13, pytest.param(1, marks=pytest.mark.slow)], ids=["every thirteenth", "every"])
def test_a_run_that_was_cut_at_any_step_goes_on_exactly(stride, line, tmp_path):
    expected = stepwise_run(line, [], tmp_path)
    base = klr.Linear(0.1, 0.0, 40).evaluate(range(40))
    scales = np.array(expected) / base
    assert len(set(scales.round(9))) > 2  # it was reduced more than once
    for cut in range(1, 40, stride):
        (tmp_path / "1.json").unlink(missing_ok=True)
        assert stepwise_run(line, [cut], tmp_path) == pytest.approx(expected, rel=1e-6), cut


def test_every_steps_measures_the_raw_mean_loss(line):
    """Against the loss of each batch, without an update in between."""
    measured = []
    model = line[2](1e-12)
    plateau = klr.ReduceLROnPlateau("loss", every_steps=3)
    plateau._measure = measured.append
    fit(model, line, [plateau], epochs=2)
    x = line[0]
    losses = [float(model.evaluate(x[i : i + 10], x[i : i + 10, 0], verbose=0)) for i in range(0, 40, 10)] * 2
    assert measured == pytest.approx([np.mean(losses[0:3]), np.mean(losses[3:6])], rel=1e-5)


@pytest.mark.once
@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 1, "monitor": "acc"}', '{"version": 9}'])
def test_a_state_file_of_something_else_is_told(content, line, tmp_path):
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(klr.ArgumentError, match=r"can't be read as the state of this callback.*Delete the file"):
        fit(line[2](0.1), line, [klr.ReduceLROnPlateau("loss", state_path=tmp_path / "state.json")], epochs=1)


@pytest.mark.once
def test_a_state_of_another_epoch_is_told(line, tmp_path):
    words = {"monitor": "loss", "state_path": tmp_path / "state.json"}
    fit(line[2](0.1), line, [klr.ReduceLROnPlateau(**words)], epochs=2)
    with pytest.warns(UserWarning, match="the state is of the end of epoch 1, and this fit begins with epoch 0"):
        fit(line[2](0.1), line, [klr.ReduceLROnPlateau(**words)], epochs=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.json"]
