"""Each update of each group is the one that an independent float64 calculation makes with that group's rate."""

import re

import keras
import numpy as np
import pytest

import keras_lr as klr
from tests.optimizers import twins

RATE, DECAY, UPDATES = 0.05, 0.1, 12
RISING = klr.Linear(0.0, 2.0, 8)
FACTORS = {"bottom": 0.1, "middle": RISING}
FLOAT32 = 2e-6  # weights of about 1 after twelve updates in float32: a few times 12 * 2**-24

# Keras computes 1 - beta_2**t in float32, with an error of 3e-5 of it for 0.999 at t = 1; these are exact in float32.
BETAS = {"beta_1": 0.875, "beta_2": 0.9375}
RULES = {
    "sgd": (lambda **k: keras.optimizers.SGD(RATE, momentum=0.9, **k), twins.KerasSGD),
    "adam": (lambda **k: keras.optimizers.Adam(RATE, **BETAS, **k), lambda *a: twins.Adam(*a, **BETAS)),
    "adamw": (lambda **k: keras.optimizers.AdamW(RATE, **BETAS, **k), lambda *a: twins.Adam(*a, **BETAS)),
    "rmsprop": (lambda **k: keras.optimizers.RMSprop(RATE, **k), twins.RMSprop),
    "nadam": (lambda **k: keras.optimizers.Nadam(RATE, **BETAS, **k), lambda *a: twins.Nadam(*a, **BETAS)),
}


def factor(path, step):
    """What FACTORS says of a variable at a step."""
    return 0.1 if "bottom" in path else min(step / 8, 1.0) * 2.0 if "middle" in path else 1.0


def values_of(variables):
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assert_same(made, expected, tolerance=FLOAT32):
    for one, other in zip(made, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("scaled", [False, True], ids=["decay as it is", "decay scaled"])
@pytest.mark.parametrize("rule", RULES)
def test_every_update_is_that_of_the_groups_rate(rule, scaled, three_layers, gradients, feed):
    make, twin = RULES[rule]
    variables = three_layers().trainable_variables
    several = [twin(value, DECAY) for value in values_of(variables)]
    rows = gradients(variables)
    made = feed(klr.PerLayer(make(weight_decay=DECAY), FACTORS, scale_weight_decay=scaled), variables, rows)
    for step, row in enumerate(rows):
        expected = []
        for variable, one, gradient in zip(variables, several, row, strict=True):
            own = factor(variable.path, step)
            before = one.value
            after = one.update(gradient, RATE * own, RATE * (own if scaled else float(own > 0)))
            if own == 0:
                one.value = after = before
            expected.append(after)
        assert_same(made[step], expected)


@pytest.mark.parametrize("rule", RULES)
def test_factors_of_1_change_no_bit(rule, three_layers, gradients, feed):
    made = []
    for wrap in (lambda optimizer: optimizer, lambda optimizer: klr.PerLayer(optimizer, {"bottom": 1, "kernel": 1.0})):
        variables = three_layers().trainable_variables
        made.append(feed(wrap(RULES[rule][0](weight_decay=DECAY)), variables, gradients(variables)))
    for one, other in zip(*made, strict=True):
        for a, b in zip(one, other, strict=True):
            assert a.tolist() == b.tolist()


def test_0_freezes_without_decay_memory_or_a_share_in_the_norm(three_layers, gradients, feed):
    variables = three_layers().trainable_variables
    start, rows = values_of(variables), gradients(variables)
    optimizer = klr.PerLayer(
        keras.optimizers.AdamW(RATE, **BETAS, weight_decay=DECAY, global_clipnorm=0.5), {"bottom": 0}
    )
    made = feed(optimizer, variables, rows)
    several = [twins.Adam(value, DECAY, **BETAS) for value in start[2:]]
    for step, row in enumerate(rows):
        norm = np.sqrt(sum((gradient.astype("float64") ** 2).sum() for gradient in row[2:]))
        clipped = [gradient * min(1.0, 0.5 / norm) for gradient in row[2:]]
        expected = [one.update(gradient, RATE) for one, gradient in zip(several, clipped, strict=True)]
        assert [value.tolist() for value in made[step][:2]] == [value.tolist() for value in start[:2]]
        assert_same(made[step][2:], expected)
    assert len(optimizer.variables) == 2 + 2 * 4  # the count, the rate, two moments of four variables


@pytest.mark.parametrize(("scaled", "kept"), [(False, 1 - RATE * DECAY), (True, 1 - RATE * 0.1 * DECAY)])
def test_decay_is_at_the_optimizers_rate_unless_asked(scaled, kept, three_layers, feed):
    variables = three_layers().trainable_variables
    for variable in variables:
        variable.assign(keras.ops.ones(variable.shape))
    zeros = [[np.zeros(variable.shape, "float32") for variable in variables]] * 3
    optimizer = klr.PerLayer(
        keras.optimizers.AdamW(RATE, weight_decay=DECAY), {"bottom": 0.1}, scale_weight_decay=scaled
    )
    made = feed(optimizer, variables, zeros)
    assert made[-1][0] == pytest.approx(kept**3, abs=2e-7)
    assert made[-1][2] == pytest.approx((1 - RATE * DECAY) ** 3, abs=2e-7)


def test_what_is_excluded_from_decay_stays_so(three_layers, feed):
    variables = three_layers().trainable_variables
    for variable in variables:
        variable.assign(keras.ops.ones(variable.shape))
    inner = keras.optimizers.AdamW(RATE, weight_decay=DECAY)
    inner.exclude_from_weight_decay(var_names=["bias"])
    made = feed(klr.PerLayer(inner, {"bottom": 0.5}), variables, [[np.zeros(v.shape, "float32") for v in variables]])
    assert [float(value.mean()) for value in made[0]] == pytest.approx([1 - RATE * DECAY, 1.0] * 3, abs=2e-7)


def test_the_norm_of_each_gradient_is_clipped_before_its_factor(three_layers, gradients, feed):
    variables = three_layers().trainable_variables
    start, rows = values_of(variables), gradients(variables, 1)
    made = feed(klr.PerLayer(keras.optimizers.SGD(RATE, clipnorm=0.1), {"bottom": 0.5}), variables, rows)
    for variable, before, after, gradient in zip(variables, start, made[0], rows[0], strict=True):
        clipped = gradient * 0.1 / np.linalg.norm(gradient)
        own = 0.5 if "bottom" in variable.path else 1.0
        np.testing.assert_allclose(before - after, RATE * own * clipped, rtol=0, atol=2e-7)


def test_gradients_are_accumulated_and_a_schedule_counts_batches(three_layers, gradients, feed):
    variables = three_layers().trainable_variables
    several = [twins.Adam(value, DECAY, **BETAS) for value in values_of(variables)]
    rows = gradients(variables)
    inner = keras.optimizers.Adam(RATE, **BETAS, weight_decay=DECAY, gradient_accumulation_steps=2)
    optimizer = klr.PerLayer(inner, {**FACTORS, "middle": klr.Linear(0.5, 2.0, 8)})
    made = feed(optimizer, variables, rows)
    for update in range(UPDATES // 2):
        batch = 2 * update + 1
        expected = []
        for place, (variable, one) in enumerate(zip(variables, several, strict=True)):
            own = 0.5 + 1.5 * min(batch / 8, 1.0) if "middle" in variable.path else factor(variable.path, batch)
            mean = (rows[batch - 1][place].astype("float64") + rows[batch][place]) / 2
            expected.append(one.update(mean, RATE * own, RATE))
        assert_same(made[batch], expected)
    assert int(optimizer.iterations) == UPDATES // 2


def test_averages_of_the_weights_are_kept(three_layers, gradients, feed):
    variables = three_layers().trainable_variables
    rows = gradients(variables, 4)
    inner = keras.optimizers.SGD(RATE, use_ema=True, ema_momentum=0.5)
    optimizer = klr.PerLayer(inner, {"bottom": 0, "middle": 0.1})
    start = values_of(variables)
    made = feed(optimizer, variables, rows)
    optimizer.finalize_variable_values(variables)
    for place, variable in enumerate(variables):
        average = made[0][place].astype("float64")
        for row in made[1:]:
            average = 0.5 * average + 0.5 * row[place]
        np.testing.assert_allclose(values_of([variable])[0], average, rtol=0, atol=FLOAT32)
    assert values_of(variables)[0].tolist() == start[0].tolist()


def test_a_scaled_loss_is_unscaled_once(three_layers, gradients, feed):
    variables = three_layers().trainable_variables
    start, rows = values_of(variables), gradients(variables, 3, scale=2.0**15)
    inner = keras.optimizers.SGD(RATE)
    made = feed(keras.optimizers.LossScaleOptimizer(klr.PerLayer(inner, {"bottom": 0.5})), variables, rows)
    total = [sum(row[place].astype("float64") for row in rows) / 2.0**15 for place in range(len(variables))]
    for variable, before, after, gradient in zip(variables, start, made[-1], total, strict=True):
        own = 0.5 if "bottom" in variable.path else 1.0
        np.testing.assert_allclose(after, before - RATE * own * gradient, rtol=0, atol=FLOAT32)
    fixed = keras.optimizers.SGD(RATE, loss_scale_factor=8.0)
    assert float(klr.PerLayer(fixed, {"bottom": 0.5}).scale_loss(2.0)) == 16.0
    assert fixed.loss_scale_factor == 8.0


@pytest.mark.parametrize("rule", RULES)
def test_a_layer_holds_still_to_the_bit_while_its_schedule_is_0_and_then_thaws(rule, three_layers, gradients, feed):
    """Also after a velocity has built up: Keras keeps the rate in it, so that it alone would go on."""
    variables = three_layers().trainable_variables
    thaw = klr.Constant(1.0, 3) >> klr.Constant(0.0, 4) >> klr.Constant(1.0)
    optimizer = klr.PerLayer(RULES[rule][0](weight_decay=DECAY), {"middle": thaw})
    made = feed(optimizer, variables, gradients(variables))
    moved = [made[t][2].tolist() != made[t - 1][2].tolist() for t in range(1, UPDATES)]
    assert moved == [True] * 2 + [False] * 4 + [True] * 5
    assert all(made[t][4].tolist() != made[t - 1][4].tolist() for t in range(1, UPDATES))


def moved_by(factors, model, feed):
    """By what part of the rate each variable moves under a gradient of 1."""
    variables = model.trainable_variables
    start = values_of(variables)
    made = feed(
        klr.PerLayer(keras.optimizers.SGD(1.0), factors), variables, [[np.ones(v.shape, "f") for v in variables]]
    )
    return {
        v.path: round(float((before - after).mean()), 5)
        for v, before, after in zip(variables, start, made[0], strict=True)
    }


PATTERNS = [
    ({"bottom": 0.5}, {"bottom": 0.5}),
    ({"bottom/kernel": 0.5, "bottom": 0.25}, {"bottom/kernel": 0.5, "bottom/bias": 0.25}),
    ({"bottom": 0.25, "bottom/kernel": 0.5}, {"bottom": 0.25}),
    ({"bias": 2}, {"bias": 2.0}),
    ({"bottom|top": 0.5, ".*": 0.25}, {"bottom": 0.5, "top": 0.5, "middle": 0.25}),
    ({"^model/middle": 0.5}, {"middle": 0.5}),
    ({"model/(?!top).*": 0.5}, {"bottom": 0.5, "middle": 0.5}),
    ({"m.*/bias$": 0.5}, {"bias": 0.5}),
    ({lambda variable: len(variable.shape) == 2: 0.5}, {"kernel": 0.5}),
]


@pytest.mark.filterwarnings("ignore:PerLayer")
@pytest.mark.parametrize(("factors", "expected"), PATTERNS)
def test_the_first_pattern_that_matches_whole_names_decides(factors, expected, three_layers, feed):
    for path, moved in moved_by(factors, three_layers(), feed).items():
        wanted = next((value for part, value in expected.items() if f"/{part}" in path), 1.0)
        assert moved == wanted, path


def test_a_part_of_a_name_is_no_match(three_layers, feed):
    message = (
        r"PerLayer(factors='bott'): no trainable variable matches this key. Their paths are model/bottom/kernel, "
        "model/bottom/bias, model/middle/kernel, model/middle/bias, model/top/kernel and 1 more. A pattern matches whole names"
    )
    with pytest.raises(klr.ArgumentError, match=re.escape(message)):
        moved_by({"bott": 0.5}, three_layers(), feed)


WRONG = [
    ({"factors": {}}, "PerLayer(factors={}): there must be at least one pattern. Pass a dict"),
    ({"factors": {"a": -1}}, "PerLayer(factor=-1): factor must be 0 or more"),
    ({"factors": {"a": "slow"}}, "PerLayer(factor='slow'): factor must be a finite number"),
    (
        {"factors": {"a(": 1}},
        "PerLayer(factors='a('): a key is not a valid regular expression (missing ), unterminated",
    ),
    ({"factors": {3: 1}}, "PerLayer(factors=3): a key must be a pattern or a function of the variable"),
    ({"inner_optimizer": "adam"}, "PerLayer(inner_optimizer='adam'): it must wrap a Keras optimizer"),
    (
        {"inner_optimizer": keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())},
        "PerLayer(inner_optimizer='LossScaleOptimizer'): it must wrap an optimizer that isn't a wrapper itself",
    ),
]


@pytest.mark.once
@pytest.mark.parametrize(("argument", "message"), WRONG)
def test_wrong_arguments_are_told(argument, message):
    with pytest.raises(klr.ArgumentError, match=re.escape(message)):
        klr.PerLayer(**{"inner_optimizer": keras.optimizers.SGD(), "factors": {"a": 1}, **argument})


def test_a_model_that_is_all_frozen_is_told(three_layers):
    with pytest.raises(klr.ArgumentError, match="the factor of every variable is 0. Leave one above 0"):
        klr.PerLayer(keras.optimizers.SGD(), {".*": 0}).build(three_layers().trainable_variables)


def test_a_schedule_with_units_needs_a_rate_with_units(three_layers, gradients, feed):
    variables = three_layers().trainable_variables
    thaw = klr.Constant(0.0, "1ep") >> klr.Constant(1.0)
    with pytest.raises(klr.ArgumentError, match="the optimizer's rate has no run to take them from"):
        feed(klr.PerLayer(keras.optimizers.SGD(), {"middle": thaw}), variables, gradients(variables, 1))
    bound = klr.Linear(1.0, 1.0, "100%").bind(steps_per_epoch=3, epochs=2)
    made = feed(klr.PerLayer(keras.optimizers.SGD(0.5 * bound), {"middle": thaw}), variables, gradients(variables, 5))
    assert [made[t][2].tolist() != made[t - 1][2].tolist() for t in range(1, 5)] == [False, False, True, True]


def test_nothing_is_left_on_the_optimizer_inside_even_after_an_error(three_layers, gradients, feed):
    variables = three_layers().trainable_variables
    inner = keras.optimizers.Adam(RATE, weight_decay=DECAY)
    optimizer = klr.PerLayer(inner, {"middle": 0.5})
    feed(optimizer, variables, gradients(variables, 1))
    assert not {"update_step", "_parallel_update_step", "_apply_weight_decay"} & set(vars(inner))
    before = set(vars(inner))
    with pytest.raises(Exception, match=".+"):  # each backend words it in its own way
        feed(optimizer, variables, [[np.ones((7, 7), "f") for _ in variables]])
    assert set(vars(inner)) == before


@keras.saving.register_keras_serializable(package="tests")
def is_matrix(variable):
    return len(variable.shape) == 2


def test_the_config_makes_the_same_optimizer(three_layers, gradients, feed):
    factors = {is_matrix: 0.5, "bottom": 0.1, "middle": RISING}
    own = klr.PerLayer(keras.optimizers.Adam(klr.Cosine(0.1, 0.0, 9)), factors, scale_weight_decay=True)
    config = keras.saving.serialize_keras_object(own)
    again = keras.saving.deserialize_keras_object(config)
    assert again.factors == own.factors == ((is_matrix, 0.5), ("bottom", 0.1), ("middle", RISING))
    assert keras.saving.serialize_keras_object(again) == config
    made = []
    for optimizer in (own, again, keras.optimizers.get(config)):
        variables = three_layers().trainable_variables
        made.append([value.tolist() for value in feed(optimizer, variables, gradients(variables))[-1]])
    assert made[0] == made[1] == made[2]


def test_a_lambda_is_warned_of():
    with pytest.warns(
        UserWarning, match="can't be loaded in safe mode. Use a named, registered function, or a pattern."
    ):
        klr.PerLayer(keras.optimizers.SGD(), {lambda variable: True: 0.5})
