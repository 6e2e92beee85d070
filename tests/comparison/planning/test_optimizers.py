"""A case's optimizer is made from a template's config, and the code shown makes the same one."""

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison.planning import optimizers
from keras_lr.comparison.planning.plan import cases_of


def rate(optimizer):
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def test_a_clone_has_the_template_s_settings_and_the_case_s_rate():
    mine = keras.optimizers.SGD(0.5, momentum=0.9, nesterov=True)
    (case,) = cases_of({"mine": mine}, None, [0.25])
    clone = case.optimizer_for(keras.optimizers.Adam())
    assert clone is not mine
    assert (rate(clone), clone.momentum, clone.nesterov) == (0.25, 0.9, True)
    assert rate(mine) == 0.5


def test_a_clone_without_a_rate_keeps_its_own_schedule():
    schedule = klr.Cosine(0.1, 0.0, "50%")
    (case,) = cases_of({"mine": keras.optimizers.SGD(schedule)}, None, None)
    clone = case.optimizer_for(None)
    assert optimizers.code_of(clone) == "keras.optimizers.SGD(learning_rate=Cosine(0.1, 0.0, '50%'))"


def test_loss_scaling_is_kept_with_its_settings():
    template = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(), initial_scale=64.0, dynamic_growth_steps=5)
    for chosen, inner in ((None, "Adam"), (["sgd"], "SGD")):
        (case,) = cases_of(chosen, None, [0.5])
        wrapped = case.optimizer_for(template)
        assert isinstance(wrapped, keras.optimizers.LossScaleOptimizer)
        assert (wrapped.initial_scale, wrapped.dynamic_growth_steps) == (64.0, 5)
        assert isinstance(wrapped.inner_optimizer, getattr(keras.optimizers, inner))
        assert rate(wrapped.inner_optimizer) == 0.5


def test_a_rate_multiplies_a_schedule_of_keras():
    decay = keras.optimizers.schedules.PiecewiseConstantDecay([2], [1.0, 0.5])
    (case,) = cases_of(None, {"steps": decay}, [0.1])
    assert [float(case.rate(step)) for step in (0, 3)] == pytest.approx([0.1, 0.05])
    assert case.rate == 0.1 * klr.Adopted(decay)
    code = "0.1 * Adopted(keras.optimizers.schedules.PiecewiseConstantDecay(boundaries=[2], values=[1.0, 0.5]))"
    assert optimizers.schedule_code(case.rate) == code
    assert eval(code, {"keras": keras, "Adopted": klr.Adopted}) == case.rate


@pytest.mark.parametrize(
    "make,code",
    [
        (keras.optimizers.Adam, "keras.optimizers.Adam(learning_rate=0.001)"),
        (lambda: keras.optimizers.SGD(0.1, momentum=0.9), "keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)"),
        (
            lambda: keras.optimizers.AdamW(1e-4, clipnorm=1.0),
            "keras.optimizers.AdamW(learning_rate=0.0001, clipnorm=1.0)",
        ),
        (
            lambda: keras.optimizers.SGD(0.1 * klr.Linear(1.0, 0.0, 10).warmup(2)),
            "keras.optimizers.SGD(learning_rate=0.1 * Linear(1.0, 0.0, 10).warmup(2))",
        ),
    ],
)
def test_the_code_makes_the_same_optimizer(make, code):
    optimizer = make()
    assert optimizers.code_of(optimizer) == code
    names = {}
    exec(optimizers.imports_for(code) + f"\nmade = {code}", names)
    own, again = optimizer.get_config(), names["made"].get_config()
    assert {**own, "name": ""} == {**again, "name": ""}


def test_the_config_makes_the_same_optimizer():
    made = keras.optimizers.deserialize(optimizers.config_of(keras.optimizers.SGD(0.1, momentum=0.9)))
    assert rate(made) == np.float32(0.1)
    assert made.momentum == 0.9


def test_the_record_of_an_optimizer_does_not_tell_how_many_were_made_before():
    made = [optimizers.config_of(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5))) for _ in range(3)]
    assert made[0] == made[1] == made[2]
    assert made[0]["config"]["inner_optimizer"]["config"]["name"].lower() == "sgd"
    assert optimizers.config_of(keras.optimizers.SGD(0.5, name="mine_2"))["config"]["name"] == "mine_2"
