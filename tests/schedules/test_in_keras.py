"""Schedules where they are used: in optimizers, in saved models, in a process that knows only `import keras_lr`."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.schedules.ops import COMPILED
from tests.schedules.catalogue import SCHEDULES

SHAPE = 0.1 * (klr.Constant(1.0, 2) >> klr.Cosine(1.0, 0.0, 5)).warmup(3)


def biases_of(model, x, *, epochs=1, callbacks=(), **kwargs):
    """What the bias of the last layer was after each call of the training function, under a gradient of 1."""
    # the loss is the mean of the outputs, so the gradient of the bias is 1 and the update is the rate
    model.compile(model.optimizer, loss=lambda y_true, y_pred: keras.ops.mean(y_pred), **kwargs)
    biases = [0.0]

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            biases.append(float(keras.ops.convert_to_numpy(self.model.layers[-1].bias)[0]))

    model.fit(x, x[:, 0], batch_size=4, epochs=epochs, verbose=0, callbacks=[*callbacks, Record()])
    return np.array(biases)


def test_the_weight_moves_by_the_promised_rate_at_every_update(line):
    x, _, make = line
    moved = -np.diff(biases_of(make(SHAPE), x))
    assert moved == pytest.approx(SHAPE.evaluate(range(10)), abs=2e-8 * 10)  # a bias of about 0.5 in float32


@pytest.mark.parametrize(
    ("schedule", "taken"),
    [
        (SHAPE, SHAPE.evaluate([3, 7, 11, 15, 19])),  # ints count batches: the rate is that of the fourth one
        (SHAPE.every(4), SHAPE.evaluate(range(5))),  # with .every they count updates
        (klr.Linear(0.1, 0.0, "100%"), 0.1 * (1 - np.array([3, 7, 11, 15, 19]) / 20)),  # units need no correction
    ],
    ids=["ints", "every", "units"],
)
@pytest.mark.filterwarnings("ignore:LearningRateMonitor")
def test_under_accumulation_each_update_has_the_promised_rate(schedule, taken, line):
    x, _, make = line
    model = make(0.1)
    model.optimizer = keras.optimizers.SGD(schedule, gradient_accumulation_steps=4)
    biases = biases_of(model, x, epochs=2, callbacks=[klr.LearningRateMonitor()])
    moved = -np.diff(biases)
    assert moved[3::4] == pytest.approx(taken, abs=2e-7)
    assert np.delete(moved, np.s_[3::4]).tolist() == [0.0] * 15


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras refuses steps_per_execution on PyTorch")
@pytest.mark.parametrize("accumulated", [None, 2])
def test_several_updates_in_one_call_have_each_its_rate(accumulated, line):
    x, _, make = line
    model = make(0.1)
    model.optimizer = keras.optimizers.SGD(SHAPE.every(accumulated or 1), gradient_accumulation_steps=accumulated)
    biases = biases_of(model, x, epochs=2, steps_per_execution=4)
    rates = np.cumsum([0.0, *SHAPE.evaluate(range(20 // (accumulated or 1)))])
    batches = np.array([0, 4, 8, 10, 14, 18, 20])
    assert -biases == pytest.approx(rates[batches // (accumulated or 1)], abs=1e-6)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="XLA is for TensorFlow and JAX")
@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_under_xla_it_is_the_value_of_the_host(schedule):
    def formula(step):
        return schedule.formula(COMPILED.integer(step), COMPILED)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        looked_up, computed = (tf.function(way, jit_compile=True, autograph=False) for way in (schedule, formula))
    else:
        import jax

        looked_up, computed = jax.jit(schedule), jax.jit(formula)
    for step in (*range(22), 2**24 - 1, 2**24 + 1, 2**31 - 1):
        tensor, host = keras.ops.convert_to_tensor(step, dtype="int32"), float(schedule.evaluate(step))
        assert float(looked_up(tensor)) == pytest.approx(host, rel=1e-6, abs=1e-7), step
        assert float(computed(tensor)) == pytest.approx(host, rel=1e-6, abs=1e-7), step


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Lion"])
def test_every_optimizer_takes_a_schedule_as_it_is(name, line):
    x, y, make = line
    model = make()
    model.compile(getattr(keras.optimizers, name)(SHAPE), "mse")
    history = model.fit(x, y, batch_size=8, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert float(model.optimizer.learning_rate) == pytest.approx(float(SHAPE.evaluate(5)), rel=1e-6)


@pytest.mark.parametrize("bound", [False, True])
def test_a_saved_model_keeps_its_schedule_and_its_count(bound, line, tmp_path):
    x, y, make = line
    schedule = klr.Cosine(0.1, 0.0, "100%").warmup(2) if bound else SHAPE
    if bound:
        schedule = klr.Cosine(0.1, 0.0, "50%").warmup("50%")
    model = make(schedule)
    model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[klr.LearningRateMonitor()])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    rate = loaded.get_compile_config()["optimizer"]["config"]["learning_rate"]
    assert keras.saving.deserialize_keras_object(rate) == (
        schedule.bind(steps_per_epoch=5, epochs=2) if bound else schedule
    )
    assert int(loaded.optimizer.iterations) == 10
    assert float(loaded.optimizer.learning_rate) == pytest.approx(float(model.optimizer.learning_rate), rel=1e-7)


def test_a_saved_model_loads_in_a_fresh_process_after_import_keras_lr(line, tmp_path):
    x, y, make = line
    model = make(SHAPE)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    code = f"import keras_lr, keras; m = keras.saving.load_model({str(tmp_path / 'model.keras')!r}); print(repr(m.optimizer.get_config()['learning_rate']['class_name']), int(m.optimizer.iterations))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["'Product'", "5"]


def test_without_a_callback_an_unbound_schedule_stops_fit_with_both_ways(line):
    x, y, make = line
    with pytest.raises(klr.ArgumentError, match=r"LearningRateMonitor.*\.bind\("):
        make(klr.Cosine(0.1, 0.0, "50%")).fit(x, y, verbose=0)


@pytest.mark.once
def test_a_numpy_number_times_a_schedule_is_a_schedule():
    assert np.float64(0.5) * klr.Constant(2.0) == 0.5 * klr.Constant(2.0)


@pytest.mark.once
def test_a_plot_is_a_picture_with_units_on_its_axes(tmp_path):
    figure = SHAPE.plot(tmp_path / "schedule.png")
    assert (tmp_path / "schedule.png").read_bytes()[:4] == b"\x89PNG"
    assert figure.axes[0].get_xlabel() == "Step (updates)"
    drawn = figure.axes[0].lines[0]
    assert drawn.get_ydata() == pytest.approx(SHAPE.evaluate(np.asarray(drawn.get_xdata(), int)))
