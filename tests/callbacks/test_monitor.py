"""The rate of every update, computed without reading it, equals the rate that the optimizer used."""

import csv

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.callbacks.binding import counts_steps
from tests.schedules import catalogue

STEPS, EPOCHS = 4, 3
RATES = {
    "float": lambda: 0.1,
    "ours": lambda: klr.Cosine(0.1, 0.0, 9).warmup(2),
    "units": lambda: (klr.Constant(0.1, "40%") >> klr.Linear(0.1, 0.0, "1ep")).warmup("10%"),
    "keras": lambda: keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5),
    "keras with a condition": lambda: keras.optimizers.schedules.CosineDecay(0.1, 8, warmup_target=0.2, warmup_steps=2),
    "callable": lambda: lambda: 0.3,
}


def fit(model, line, callbacks, epochs=EPOCHS, **kwargs):
    x, y, _ = line
    return model.fit(x, y, batch_size=10, epochs=epochs, verbose=0, callbacks=callbacks, **kwargs).history


@pytest.mark.parametrize("name", RATES)
def test_computed_rates_are_those_observed(name, line):
    computed, observed = klr.LearningRateMonitor(), klr.LearningRateMonitor(observe=True)
    history = fit(line[2](RATES[name]()), line, [computed, observed])
    assert len(computed.learning_rates) == STEPS * EPOCHS
    assert computed.learning_rates == pytest.approx(observed.learning_rates, rel=1e-6)
    assert history["learning_rate"] == pytest.approx(computed.learning_rates[STEPS - 1 :: STEPS], rel=1e-6)


def test_a_float_rate_is_shown_as_it_was_written(line):
    assert fit(line[2](0.1), line, [klr.LearningRateMonitor()])["learning_rate"] == [0.1] * EPOCHS


def test_the_rate_of_an_epoch_is_not_that_of_the_next(line):
    """Keras's own plateau callback logs the rate that it has just set; the monitor the one that the epoch used."""
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=1e9)
    monitor = klr.LearningRateMonitor()
    fit(line[2](0.1), line, [monitor, plateau])
    assert monitor.learning_rates == pytest.approx([0.1] * 8 + [0.01] * 4)


def test_a_callback_that_sets_the_rate_at_the_start_of_an_epoch_is_seen(line):
    setter = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (epoch + 1))
    monitor = klr.LearningRateMonitor()
    fit(line[2](0.1), line, [monitor, setter])
    assert monitor.learning_rates == pytest.approx([0.1] * 4 + [0.05] * 4 + [0.1 / 3] * 4)


def test_csv_logger_behind_it_sees_the_rate(line, tmp_path):
    path = tmp_path / "log.csv"
    fit(line[2](klr.Linear(0.1, 0.0, "100%")), line, [klr.LearningRateMonitor(), keras.callbacks.CSVLogger(path)])
    with path.open() as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    assert rates == pytest.approx([0.1 * (1 - t / 12) for t in (3, 7, 11)])


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras refuses steps_per_execution on PyTorch")
def test_several_steps_in_one_call_are_each_counted(line):
    monitor = klr.LearningRateMonitor()
    fit(line[2](klr.Linear(0.1, 0.0, "100%"), steps_per_execution=3), line, [monitor])
    assert monitor.learning_rates == pytest.approx([0.1 * (1 - t / 12) for t in range(12)])


def test_a_second_fit_that_goes_on_keeps_the_schedule(line):
    monitor, model = klr.LearningRateMonitor(), line[2](klr.Linear(0.1, 0.0, "100%"))
    whole = klr.LearningRateMonitor()
    fit(line[2](klr.Linear(0.1, 0.0, "100%")), line, [whole])
    stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", epoch == 0))
    fit(model, line, [monitor, stop])
    assert monitor.learning_rates == whole.learning_rates[:4]
    fit(model, line, [monitor], initial_epoch=1)
    assert monitor.learning_rates == whole.learning_rates[4:]


def test_a_loaded_model_goes_on_with_its_schedule(line, tmp_path):
    model = line[2](klr.Linear(0.1, 0.0, "100%"))
    save = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    whole = klr.LearningRateMonitor()
    fit(model, line, [whole, save])
    monitor = klr.LearningRateMonitor()
    fit(keras.saving.load_model(tmp_path / "1.keras"), line, [monitor], initial_epoch=1)
    assert monitor.learning_rates == whole.learning_rates[4:]


def test_a_monitor_never_changes_a_rate_or_a_loss(line):
    alone = fit(line[2](klr.Linear(0.1, 0.0, 12)), line, [])
    watched = fit(line[2](klr.Linear(0.1, 0.0, 12)), line, [klr.LearningRateMonitor()])
    assert watched["loss"] == alone["loss"]


def refused(line, model, message, epochs=EPOCHS, **kwargs):
    with pytest.raises(klr.ArgumentError, match=message):
        fit(model, line, [klr.LearningRateMonitor()], epochs=epochs, **kwargs)


def test_another_run_length_is_refused(line):
    model = line[2](klr.Linear(0.1, 0.0, "100%"))
    fit(model, line, [klr.LearningRateMonitor()])
    refused(line, model, "bound to 12 steps by an earlier fit, and this one has 20. Compile again", epochs=5)


def test_a_second_run_without_initial_epoch_is_refused(line):
    model = line[2](klr.Linear(0.1, 0.0, "100%"))
    fit(model, line, [klr.LearningRateMonitor()])
    refused(line, model, "bound to 12 steps by an earlier fit, and the optimizer has made 12 updates")


def test_an_unknown_number_of_steps_is_refused(line):
    x, y, make = line

    def endless():
        while True:
            yield x[:10], y[:10]

    dataset = endless()
    with pytest.raises(klr.ArgumentError, match="the number of steps is unknown. Pass steps_per_epoch to fit"):
        make(klr.Linear(0.1, 0.0, "100%")).fit(
            dataset, epochs=1, verbose=0, shuffle=False, callbacks=[klr.LearningRateMonitor()]
        )


def test_a_lost_optimizer_state_is_told(line):
    model = line[2](klr.Linear(0.1, 0.0, "100%"))
    with pytest.warns(UserWarning, match="its state was lost"):
        fit(model, line, [klr.LearningRateMonitor()], epochs=3, initial_epoch=2)


def test_accumulation_meets_plain_steps_with_a_warning(line):
    model = line[2]()
    model.compile(keras.optimizers.SGD(klr.Linear(0.1, 0.0, 12), gradient_accumulation_steps=2), "mse")
    with pytest.warns(UserWarning, match=r"Use .every\(2\) to count updates"):
        fit(model, line, [klr.LearningRateMonitor()])


@pytest.mark.parametrize(
    "schedule",
    [
        klr.Noam(64, 4),
        klr.Infinite(0.1, 0.05, 0.01, 1, 2, 3, "50%"),
        klr.InverseSqrt(0.1, "10%").cooldown("10%", at=9),
        klr.Interpolate([0, 6, "100%"], [0.0, 0.1, 0.0]),
        klr.Linear(0.1, 0.0, "100%").every(2).skip(1),
        (klr.Constant(0.1, 5) >> klr.Linear(0.1, 0.0, "50%")).bind(steps_per_epoch=STEPS, epochs=EPOCHS),
    ],
    ids=repr,
)
def test_any_length_in_steps_is_warned_of(schedule, line):
    model = line[2]()
    model.compile(keras.optimizers.SGD(schedule, gradient_accumulation_steps=2), "mse")
    with pytest.warns(UserWarning, match=r"Use .every\(2\) to count updates"):
        fit(model, line, [klr.LearningRateMonitor()])


WITHOUT_STEPS = {"Constant(0.1)", "Linear(0.1, 0.7, 0)", "Function(halving)", "Linear(1.0, 0.0, 4).every(3)"}
STEPS_AND_UNITS = "WarmupStableDecay(0.1, '100%', 3, '1ep', 0.0, 'cosine')"


@pytest.mark.once
@pytest.mark.parametrize("schedule", [*catalogue.SCHEDULES, *catalogue.WITH_UNITS], ids=repr)
def test_which_schedules_count_steps(schedule):
    units = schedule in catalogue.WITH_UNITS and repr(schedule) != STEPS_AND_UNITS
    assert counts_steps(schedule) == (not units and repr(schedule) not in WITHOUT_STEPS)


def test_with_units_accumulation_needs_nothing(line, recwarn):
    model = line[2]()
    model.compile(keras.optimizers.SGD(klr.Linear(0.1, 0.0, "100%"), gradient_accumulation_steps=2), "mse")
    monitor = klr.LearningRateMonitor()
    fit(model, line, [monitor])
    assert not [warning for warning in recwarn if "accumul" in str(warning.message) or ".every" in str(warning.message)]
    assert monitor.learning_rates == pytest.approx([0.1 * (1 - t / 12) for t in range(12)])
    assert np.isfinite(monitor.learning_rates).all()


class BatchLogs(keras.callbacks.Callback):
    """What whoever writes the logs of batches, as TensorBoard does, would write."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(logs["learning_rate"])


def test_each_batch_has_its_rate_in_the_logs(line):
    seen, monitor = BatchLogs(), klr.LearningRateMonitor(batch_logs=True)
    plateau = klr.ReduceLROnPlateau("loss", patience=1, every_steps=3, min_delta=1e9)
    fit(line[2](klr.Linear(0.1, 0.0, 20)), line, [plateau, monitor, seen])
    assert seen.rates == pytest.approx(monitor.learning_rates, rel=1e-6)
    assert len({round(rate / (0.1 * (1 - t / 20)), 6) for t, rate in enumerate(seen.rates)}) == 3


def test_each_group_has_its_rate(line):
    x, _, _ = line
    model = keras.Sequential(
        [keras.layers.Input((3,)), keras.layers.Dense(2, name="body"), keras.layers.Dense(1, name="head")]
    )
    thaw = klr.Constant(0.0, 4) >> klr.Constant(1.0)
    model.compile(klr.PerLayer(keras.optimizers.SGD(klr.Linear(0.1, 0.0, 20)), {"head": 0.5, "body": thaw}), "mse")
    monitor = klr.LearningRateMonitor()
    history = fit(model, (x, x[:, 0], None), [monitor])
    base = 0.1 * (1 - np.arange(12) / 20)
    assert monitor.learning_rates == pytest.approx(base)
    assert monitor.groups["head"] == pytest.approx(0.5 * base)
    assert monitor.groups["body"] == pytest.approx(base * (np.arange(12) >= 4))
    assert history["learning_rate/head"] == pytest.approx(0.5 * base[3::4])


def test_momentum_decay_and_scale_on_request(line):
    rate = klr.Linear(0.1, 0.0, 20)
    momentum = klr.optimizers.Coupled(0.95, 0.85)
    model = line[2](0.1)
    model.compile(klr.optimizers.SGD(rate, momentum=momentum, weight_decay=0.004), "mse")
    plateau = klr.ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=1e9)
    monitor = klr.LearningRateMonitor(also=["momentum", "weight_decay", "scale"])
    history = fit(model, line, [monitor, plateau])
    rates = np.array(monitor.learning_rates)[3::4]
    assert history["scale"] == [1.0, 1.0, 0.5]
    assert history["weight_decay"] == [0.004] * 3
    assert history["momentum"] == pytest.approx(0.95 - 0.1 * rates / 0.1, rel=1e-6)
    adam = line[2](0.1)
    adam.compile(keras.optimizers.Adam(0.1, beta_1=0.8), "mse")
    assert fit(adam, line, [klr.LearningRateMonitor(also=["momentum"])])["momentum"] == [0.8] * 3


def test_the_axes_of_updates_and_of_epochs(line):
    monitor = klr.LearningRateMonitor()
    fit(line[2](0.1), line, [monitor], initial_epoch=1)
    assert monitor.steps == list(range(8))
    assert monitor.epochs == [1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75]


@pytest.mark.once
def test_other_words_are_refused():
    with pytest.raises(klr.ArgumentError, match="also must be one of 'momentum', 'weight_decay', 'scale'"):
        klr.LearningRateMonitor(also=["speed"])
    with pytest.raises(klr.ArgumentError, match=r"also must be a list. Pass \['scale'\]"):
        klr.LearningRateMonitor(also="scale")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="reads TensorFlow's event files")
def test_tensorboard_gets_the_rate_of_every_batch(line, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator
    from tensorboard.util import tensor_util

    monitor = klr.LearningRateMonitor(batch_logs=True)
    board = keras.callbacks.TensorBoard(tmp_path, update_freq="batch")
    fit(line[2](klr.Linear(0.1, 0.0, 20)), line, [monitor, board])
    events = EventAccumulator(str(tmp_path / "train"), size_guidance={TENSORS: 0}).Reload()
    written = [float(tensor_util.make_ndarray(event.tensor_proto)) for event in events.Tensors("batch_learning_rate")]
    assert written == pytest.approx(monitor.learning_rates)
