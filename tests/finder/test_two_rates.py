"""Models with several learning rates: `find` keeps their ratios, or tests the rate of one optimizer alone."""

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.backends import keras as machinery

SHORT = {"repeats": 1, "steps": 60, "min_lr": 1e-5, "sprint_steps": 12, "batch_size": 64, "verbose": 0}
adam, sgd, muon = keras.optimizers.Adam, keras.optimizers.SGD, keras.optimizers.Muon


def several(body=0.001, head=0.1, **kwargs):
    """Adam for the hidden layer, SGD for the rest; the second has a hundred times the rate of the first."""
    parts = {".*hidden.*": adam(body, name="body")}
    rest = sgd(head, momentum=0.9, name="head")
    return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(rest, parts), **kwargs)


def chosen_by_function():
    """Keras learns of the optimizers when it builds."""
    parts = adam(0.001, name="body"), sgd(0.1, name="head")
    return keras.optimizers.MultiOptimizer(lambda variable: parts["hidden" not in variable.path])


def network(optimizer, built=True):
    keras.utils.set_random_seed(3)
    layers = [
        keras.layers.Dense(32, activation="relu", name="hidden"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(10, activation="softmax", name="out"),
    ]
    model = keras.Sequential([keras.layers.Input((64,)), *layers] if built else layers)
    model.compile(optimizer, "categorical_crossentropy")
    return model


def rates_of(model):
    return [float(keras.ops.convert_to_numpy(each.learning_rate)) for each in machinery.optimizers_of(model)]


def history_of(model, x, y):
    return model.fit(x, y, batch_size=64, epochs=2, verbose=0).history


OPTIMIZERS = {
    "muon": lambda: muon(0.01, adam_lr_ratio=0.1, exclude_layers=["out"]),
    "several": several,
    "chosen by a function": chosen_by_function,
    "with a schedule": lambda: several(klr.Cosine(0.01, 0.0, 100), klr.Cosine(0.1, 0.0, 100)),
    "scaled loss": lambda: keras.optimizers.LossScaleOptimizer(several()),
}


@pytest.mark.parametrize("built", [True, False], ids=["built", "unbuilt"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fit_after_find_is_fit_without_it(name, built, some_digits):
    alone = history_of(network(OPTIMIZERS[name](), built), *some_digits)
    model = network(OPTIMIZERS[name](), built)
    assert klr.find(model, *some_digits, **SHORT).learning_rate is not None
    assert history_of(model, *some_digits) == alone


def test_fit_after_find_for_a_group_is_fit_without_it(some_digits):
    def make():
        return network(several(klr.Cosine(0.01, 0.0, 100)))

    alone, model = history_of(make(), *some_digits), make()
    assert klr.find(model, *some_digits, group="head", **SHORT).learning_rate is not None
    assert history_of(model, *some_digits) == alone


def test_the_answer_is_the_rate_of_the_first_and_the_others_keep_their_ratios(some_digits):
    model = network(several())
    found = klr.find(model, *some_digits, **SHORT)
    assert found.group is None
    assert found.reason.endswith("The answer is the rate of 'body': 'head' has 100 times that rate.")
    assert found.apply(model) == found.learning_rate
    assert rates_of(model) == pytest.approx([found.learning_rate, 100.0 * found.learning_rate], rel=1e-6)
    found.apply(model)
    assert rates_of(model) == pytest.approx([found.learning_rate, 100.0 * found.learning_rate], rel=1e-6)
    one_rate = klr.find(network(several(0.001, 0.001)), *some_digits, **SHORT)
    assert one_rate.losses != found.losses


def test_the_ratio_of_two_schedules_is_that_of_their_peaks(some_digits):
    constant = klr.find(network(several()), *some_digits, **SHORT)
    warm = klr.Cosine(1.0, 0.0, "90%").warmup("10%")
    found = klr.find(network(several(0.001 * warm, 0.1 * warm)), *some_digits, **SHORT)
    same = pytest.approx(np.array(constant.losses), rel=1e-5)  # the ratios are 100 and 100.00000000000001
    assert np.array(found.losses) == same
    model = network(several(keras.optimizers.schedules.ExponentialDecay(0.001, 10, 0.5)))
    assert klr.find(model, *some_digits, **SHORT).reason.endswith("'head' has 100 times that rate.")


def test_a_group_is_tested_alone(some_digits):
    x, y = some_digits
    model = network(several())
    found = klr.find(model, x, y, group="head", **SHORT)
    assert found.group == "head"
    assert found.reason.endswith("The answer is the rate of 'head': 'body' keeps its own.")
    assert found.apply(model) == found.learning_rate
    assert rates_of(model) == pytest.approx([0.001, found.learning_rate], rel=1e-6)
    body = klr.find(model, x, y, group="body", **SHORT)
    assert body.reason.endswith("The answer is the rate of 'body': 'head' keeps its own.")
    assert body.losses != found.losses
    body.apply(model)
    assert rates_of(model) == pytest.approx([body.learning_rate, found.learning_rate], rel=1e-6)


def test_the_other_optimizers_train_at_their_own_rates(some_digits):
    """A held rate of 0 leaves the hidden layer as it is; the usual one trains it, whatever the rate that is tested."""
    still = klr.find(network(several(1e-30)), *some_digits, group="head", **SHORT)
    moving = klr.find(network(several(0.01)), *some_digits, group="head", **SHORT)
    start, end = (np.mean(found.losses[0][15:25]) for found in (still, moving))  # the rate of the head is below 1e-2
    assert end < 0.8 * start


def test_verify_and_the_critical_rate_are_those_of_the_group(some_digits):
    found = klr.find(network(several()), *some_digits, group="head", verify=300, critical=True, **SHORT)
    assert found.verified is not None
    assert found.critical.learning_rate > 0.0
    assert found.reason.endswith("'body' keeps its own.")


def test_the_variables_of_muon_keep_their_ratio(some_digits):
    model = network(muon(0.01, adam_lr_ratio=0.1))
    found = klr.find(model, *some_digits, **SHORT)
    assert found.reason.endswith("The variables that Muon trains by AdamW have 0.1 times the rate.")
    assert found.apply(model) == found.learning_rate
    assert model.optimizer.adam_lr_ratio == 0.1


def test_saved_with_its_group(some_digits, tmp_path):
    found = klr.find(network(several()), *some_digits, group="head", **SHORT)
    found.save(tmp_path / "found.json")
    assert klr.FindResult.load(tmp_path / "found.json") == found


@pytest.mark.filterwarnings("ignore:find_then_fit. the training has")  # an epoch of ten updates, fewer than find spends
def test_find_then_fit_keeps_ratios_along_a_schedule(some_digits):
    shape = klr.Cosine(1.0, 0.0, "100%")
    arguments = {"repeats": 1, "steps": 60, "min_lr": 1e-5}
    model = network(several())
    monitor = klr.LearningRateMonitor()
    fit = {"schedule": shape, "epochs": 1, "batch_size": 64, "verbose": 0, "callbacks": [monitor]}
    done = klr.find_then_fit(model, *some_digits, find_arguments=arguments, **fit)
    peak = done.found.learning_rate
    assert peak is not None, done.reason
    assert monitor.groups["body"][0] == pytest.approx(peak, rel=1e-6)
    assert monitor.groups["head"][0] == pytest.approx(100.0 * peak, rel=1e-6)
    model = network(several(klr.Constant(0.002)))
    monitor.groups.clear()
    done = klr.find_then_fit(model, *some_digits, find_arguments={**arguments, "group": "head"}, **fit)
    assert done.found.learning_rate is not None, done.reason
    assert monitor.groups["head"][0] == pytest.approx(done.found.learning_rate, rel=1e-6)
    assert set(monitor.groups["body"]) == {0.002}


def test_a_group_that_names_nobody_is_refused(some_digits):
    known = r"find\(group='embedding'\): no optimizer of the model has this name. Pass one of 'body', 'head'."
    for make in (several, chosen_by_function):
        with pytest.raises(klr.ArgumentError, match=known):
            klr.find(network(make()), *some_digits, group="embedding")
    with pytest.raises(
        klr.ArgumentError, match=r"find\(group='adam'\): the model has one learning rate. Leave group out."
    ):
        klr.find(network(adam(name="adam")), *some_digits, group="adam")
    shared = (
        r"find\(group='hidden'\): the groups of PerLayer share one learning rate, which their factors multiply. "
        "Leave group out: the answer is the rate of a factor of 1, and the factors stay."
    )
    with pytest.raises(klr.ArgumentError, match=shared):
        klr.find(network(klr.PerLayer(adam(), {"hidden": 0.1})), *some_digits, group="hidden")


def test_rates_without_a_ratio_are_refused(some_digits):
    rule = (
        "the rate of 'body' is 0, so that the others have no ratio to it. Compile with rates above 0, or pass group=."
    )
    with pytest.raises(klr.ArgumentError, match=rule):
        klr.find(network(several(0.0)), *some_digits)


def test_apply_refuses_what_it_can_not_set(some_digits):
    found = klr.find(network(several()), *some_digits, group="head", **SHORT)
    with pytest.raises(
        klr.ArgumentError, match=r"apply\(group='head'\): the model has one learning rate. Leave group out."
    ):
        found.apply(network(adam()))
    with pytest.raises(klr.ArgumentError, match="the optimizer's rate is not a single float"):
        found.apply(network(several(0.001, klr.Constant(0.1))))
    held = network(several(klr.Constant(0.1)))
    assert found.apply(held) == found.learning_rate
    with pytest.raises(
        klr.ArgumentError, match="the model's optimizers are unknown before it is built. Build it first"
    ):
        found.apply(network(chosen_by_function(), built=False))
