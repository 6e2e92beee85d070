"""Each private name of Keras that is used has a test, so that a new Keras that moves one is noticed at once."""

import threading

import keras
import numpy as np
import pytest

from keras_lr import backends
from keras_lr.backends import keras as machinery
from keras_lr.backends.keras_rates import scale_rates


def test_the_rate_of_an_optimizer_is_swapped_without_a_new_variable(line):
    model = line[2](0.1)
    optimizer = model.optimizer
    own, variables = machinery.rate_of(optimizer), list(map(id, optimizer.variables))
    with machinery.replace_rate(model, lambda: 0.7):
        assert float(optimizer.learning_rate) == 0.7
    assert machinery.rate_of(optimizer) is own
    assert list(map(id, optimizer.variables)) == variables


def test_the_rate_is_put_back_after_an_error(line):
    model = line[2](0.1)
    own = machinery.rate_of(model.optimizer)
    with pytest.raises(KeyError), machinery.replace_rate(model, lambda: 0.7):
        raise KeyError
    assert machinery.rate_of(model.optimizer) is own


def test_the_count_is_that_of_the_steps_not_of_the_updates(line):
    x, y, make = line
    model = make()
    model.compile(keras.optimizers.SGD(gradient_accumulation_steps=2), "mse")
    model.fit(x, y, batch_size=10, verbose=0)
    assert machinery.step_count(model.optimizer) == 4
    assert machinery.micro_batches(model) == 2


def test_wrapped_and_several_optimizers_are_looked_into(line):
    model = line[2]()
    inner = keras.optimizers.Adam()
    model.compile(keras.optimizers.LossScaleOptimizer(inner), "mse")
    assert machinery.optimizers_of(model) == [inner]
    first, second = keras.optimizers.Adam(), keras.optimizers.SGD()
    model.compile(
        keras.optimizers.MultiOptimizer(lambda variable: first if "kernel" in variable.path else second), "mse"
    )
    model.optimizer.build(model.trainable_variables)
    assert machinery.optimizers_of(model) == [first, second]


def test_a_replaced_optimizer_trains_and_stays_scaled(line):
    x, y, make = line
    model = make()
    optimizer = keras.optimizers.SGD(0.25)
    machinery.replace_optimizer(model, optimizer)
    model.fit(x, y, verbose=0)
    assert model.optimizer is optimizer
    assert int(optimizer.iterations) == 2
    assert model.get_compile_config()["optimizer"]["config"]["learning_rate"] == 0.25
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), "mse")
    machinery.replace_optimizer(model, keras.optimizers.SGD())
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


def test_unbuilt_containers_are_given_back_unbuilt(line):
    x, y, make = line
    model = make(metrics=["mae"])
    containers = machinery.Containers(model)
    machinery.build(model, (x[:4], y[:4]))
    assert model._compile_metrics.built
    containers.restore()
    assert not model._compile_metrics.built
    assert not model._compile_loss.built
    assert sorted(model.fit(x, y, verbose=0).history) == ["loss", "mae"]


def test_every_global_source_of_chance_is_put_back():
    keras.utils.set_random_seed(1)

    def draw():
        python = keras.random.SeedGenerator().state
        return np.random.rand(), keras.ops.convert_to_numpy(python).tolist(), float(keras.random.uniform(()))

    with backends.random_state():
        first = draw()
    assert draw() == first


def test_the_active_backend_has_devices():
    assert backends.active().devices()[0].startswith("CPU")


def small(optimizer):
    """An optimizer built for two variables of ones, and these."""
    variables = [keras.Variable(keras.ops.ones(3), name=name) for name in ("one", "two")]
    optimizer.build(variables)
    return optimizer, variables


def test_the_count_and_the_places_of_variables_are_those_of_the_optimizer():
    optimizer, variables = small(keras.optimizers.SGD())
    assert machinery.counter_of(optimizer) is optimizer.iterations
    assert all(one is other for one, other in zip(machinery.trainable_variables_of(optimizer), variables, strict=True))
    assert [machinery.index_in(optimizer, variable) for variable in variables] == [0, 1]
    if keras.backend.backend() == "tensorflow":  # only there an update gets the framework's own variable
        assert [machinery.index_in(optimizer, variable.value) for variable in variables] == [0, 1]


def test_a_wrapper_counts_as_the_optimizer_inside():
    inner, wrapper = keras.optimizers.SGD(), keras.optimizers.SGD()
    machinery.count_as(wrapper, inner)
    inner.iterations.assign(3)
    assert machinery.step_count(wrapper) == 3
    assert len(wrapper.variables) == 2


def test_a_gradient_that_is_the_next_value_is_known():
    _, (one, two) = small(keras.optimizers.SGD())
    two.overwrite_with_gradient = True
    assert [machinery.takes_next_value(one), machinery.takes_next_value(two)] == [False, True]


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Nadam", "Muon", "Lamb"])
@pytest.mark.parametrize(("scaled", "expected"), [(False, [0.9, 0.9]), (True, [0.9, 0.95])])
def test_the_decay_of_each_variable_is_at_its_own_rate(name, scaled, expected):
    """Under a gradient of 0 only the decay moves: 0.5 * 0.2 of the weight, or half of that."""
    own = {"adam_weight_decay": 0.2} if name == "Muon" else {}
    optimizer, variables = small(getattr(keras.optimizers, name)(0.5, weight_decay=0.2, **own))
    with scale_rates(optimizer, [0, 1], [1.0, 0.5], scaled):
        optimizer.apply([keras.ops.zeros(3)] * 2, variables)
    values = [float(keras.ops.convert_to_numpy(variable)[0]) for variable in variables]
    assert values == pytest.approx(expected, abs=1e-6)
    assert float(keras.ops.convert_to_numpy(optimizer.learning_rate)) == 0.5
    assert not {"update_step", "_parallel_update_step", "_apply_weight_decay"} & set(vars(optimizer))


@pytest.mark.parametrize("factor", [0.5, 0.0], ids=str)
def test_a_tensor_scales_an_update_and_0_holds_it(factor):
    optimizer, variables = small(keras.optimizers.SGD(0.5, momentum=0.5))
    changing = keras.ops.convert_to_tensor(factor, dtype="float32")
    for factors in ([1.0, 1.0], [1.0, changing]):
        before = [float(keras.ops.convert_to_numpy(variable)[0]) for variable in variables]
        with scale_rates(optimizer, [0, 1], factors, False):
            optimizer.apply([keras.ops.ones(3)] * 2, variables)
    moved = [b - float(keras.ops.convert_to_numpy(variable)[0]) for b, variable in zip(before, variables, strict=True)]
    assert moved == pytest.approx([0.75, 0.5 * 0.5 + 0.5 * factor if factor else 0.0], abs=1e-6)


def test_the_sums_of_the_losses_are_those_of_the_epoch(line):
    x, y, make = line
    model = make(1e-12)
    model.fit(x, y, batch_size=15, verbose=0)
    total, count = machinery.loss_sums(model)
    assert count == 40
    assert total / count == pytest.approx(float(model.evaluate(x, y, verbose=0)), rel=1e-5)


def test_a_training_step_is_traced_again_each_time(line):
    """JAX remembers what it traced by the function, so that each time must be a new one."""
    x, y, make = line
    model, traced = make(), []

    def rate():
        traced.append(1)
        return 0.1

    machinery.set_rate(model.optimizer, rate)
    for times in range(3):
        model.fit(x, y, batch_size=40, verbose=0)
        before = len(traced)
        machinery.retrace(model)
        model.fit(x, y, batch_size=40, verbose=0)
        assert len(traced) > before, times
    assert "train_step" not in vars(model)


def test_the_wrappers_of_an_optimizer_from_the_outside_in(line):
    model = line[2]()
    inner = keras.optimizers.SGD()
    model.compile(keras.optimizers.LossScaleOptimizer(inner), "mse")
    assert machinery.wrappers_of(model) == [model.optimizer]
    assert machinery.steps_of(model) == 0


def test_a_plain_step_is_keras_own(line):
    model = line[2]()
    assert machinery.has_plain_step(model)
    object.__setattr__(model, "train_step", lambda *batch: None)
    assert not machinery.has_plain_step(model)

    class Own(keras.Model):
        def compute_metrics(self, *args, **kwargs):
            return {}

    assert not machinery.has_plain_step(Own())


def test_compiled_metrics_are_hidden_until_restored(line):
    x, y, make = line
    model = make(metrics=["mae"])
    own, containers = model._compile_metrics, machinery.Containers(model)
    machinery.build(model, (x[:4], y[:4]), hide_metrics_of=containers)
    assert model._compile_metrics is None
    containers.restore()
    assert type(model._compile_metrics) is type(own)
    assert not model._compile_metrics.built


def test_the_mean_of_the_losses_is_not_kept_until_restored(line):
    x, y, make = line
    model = make(1e-12)
    own, containers = model._loss_tracker, machinery.Containers(model)
    machinery.build(model, (x[:4], y[:4]), hide_metrics_of=containers)
    assert [(metric.name, metric.variables) for metric in model.metrics] == [("loss", [])]
    model.metrics[0].update_state(keras.ops.convert_to_tensor(3.0), sample_weight=4)
    model.metrics[0].update_state(keras.ops.convert_to_tensor(0.1), sample_weight=2)
    assert float(model.get_metrics_result()["loss"]) == np.float32(0.1)
    model.reset_metrics()
    assert float(model.get_metrics_result()["loss"]) == 0.0
    containers.restore()
    assert model._loss_tracker is own
    model.fit(x, y, batch_size=10, verbose=0)
    assert machinery.loss_sums(model)[1] == 40


@pytest.mark.once
def test_each_thread_has_a_last_loss_of_its_own():
    last = machinery.LastLoss()
    last.update_state(keras.ops.convert_to_tensor(1.0))
    other = threading.Thread(target=lambda: last.update_state(keras.ops.convert_to_tensor(2.0)))
    other.start()
    other.join()
    assert float(last.result()) == 1.0


@pytest.mark.parametrize("own", ["train_step", "test_step"])
def test_a_step_of_its_own_keeps_its_tracker(own, line):
    model = line[2]()
    object.__setattr__(model, own, getattr(model, own))
    assert not machinery.has_plain_step(model)


def test_losses_are_taken_from_logs(line):
    model = line[2]()
    assert machinery.losses_in(model, {"mae": 1.0, "loss": 2.0}) == {"loss": 2.0}
