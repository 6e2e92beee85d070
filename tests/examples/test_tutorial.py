"""Every section and exercise of the tutorial has a script that runs, and shows what it says it shows."""

import pathlib

import numpy as np
import pytest

from tests.examples.scripts import as_scripts, pictures, run

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "tutorial"
SCRIPTS = {
    "Understanding learning rate": "01_what_is_a_learning_rate",
    "Setting learning rate in TensorFlow": "02_setting_the_learning_rate",
    "Monitoring the effect of different learning rates": "03_effect_of_different_rates",
    "The same, with many rates": "03b_thirty_two_rates",
    "Step decay": "04_step_decay",
    "Time-based decay": "05_time_based_decay",
    "Cosine decay": "06_cosine_decay",
    "Custom learning rate schedule": "07_custom_schedule",
    "Using callbacks to adjust learning rate": "08_reduce_on_plateau",
    "Adaptive learning rate optimizers": "09_adaptive_optimizers",
    "Learning rate finder": "10_learning_rate_finder",
    "Real-world example: MNIST classification": "11_mnist",
    "Exercise 1": "exercise_1_schedules_compared",
    "Exercise 2": "exercise_2_cyclical_rates",
    "Exercise 3": "exercise_3_warmup_constant_cosine",
    "Exercise 4": "exercise_4_finder_on_other_data",
    "Exercise 5": "exercise_5_adaptive_optimizers",
}
FLOAT32 = 1e-6  # Keras keeps a float rate in float32


_as_a_script = as_scripts(FOLDER)


def test_each_section_and_exercise_has_its_script():
    written = {path.stem for path in FOLDER.glob("*.py")} - {"tutorial_data"}
    assert written == set(SCRIPTS.values())
    readme = (FOLDER.parent / "README.md").read_text()
    for section, name in SCRIPTS.items():
        assert f"| {section} | [{name}](tutorial/{name}.py) |" in readme


def test_01_by_hand_and_by_keras_the_weight_is_the_same(tmp_path):
    best, by_hand, by_keras = run("01_what_is_a_learning_rate", tmp_path)
    for rate, weights in by_hand.items():
        np.testing.assert_allclose(by_keras[rate], weights, rtol=1e-4, atol=1e-5)  # float32 against float64
    missed = {rate: abs(weights[-1] - best) for rate, weights in by_hand.items()}
    assert missed[0.2] < 0.01 < missed[0.9] < missed[0.01] < 1 < missed[1.1]
    assert pictures(tmp_path) == {"what_is_a_learning_rate.png"}


def test_02_each_update_uses_the_rate_that_was_set(tmp_path):
    default, rates, history = run("02_setting_the_learning_rate", tmp_path)
    assert default == pytest.approx(0.01, rel=FLOAT32)
    np.testing.assert_allclose(rates, [0.1] * 88 + [0.01] * 44, rtol=FLOAT32)
    first, second, third = history["loss"]
    assert third < second < first


@pytest.mark.slow
def test_03_small_rates_are_slow(tmp_path):
    result = run("03_effect_of_different_rates", tmp_path, seeds=2)
    loss = result.curves("loss").groupby("case")["mean"].last()
    assert loss["lr 0.0001"] > 2 * loss["lr 0.001"] > 2 * loss["lr 0.01"]
    assert result.best.learning_rate in {0.1, 0.01}
    means = {case.learning_rate: case.mean for case in result.cases}
    assert means[0.0001] > 3 * result.best.mean
    assert pictures(tmp_path) == {"learning_rate_comparison.png"}


@pytest.mark.slow
def test_03b_too_small_a_broad_floor_and_too_large(tmp_path):
    result = run("03b_thirty_two_rates", tmp_path)
    assert (len(result.cases), len(result.seeds)) == (32, 5)
    by_rate = sorted(result.cases, key=lambda case: case.learning_rate)
    assert 1e-3 < result.best.learning_rate < 0.1
    assert by_rate[0].mean > 3 * result.best.mean
    alike = {case.learning_rate for case in result.indistinguishable}
    assert alike and min(alike) > 1e-4 and max(alike) < 1.0
    assert by_rate[-1].mean is None or by_rate[-1].mean > 3 * result.best.mean
    assert pictures(tmp_path) == {"thirty_two_rates.png"}


def test_04_step_decay_is_the_snippet_and_counts_epochs(tmp_path):
    (snippet, ours), rates, losses = run("04_step_decay", tmp_path)
    np.testing.assert_allclose(ours, snippet, rtol=FLOAT32)
    np.testing.assert_allclose(rates, [0.1 * 0.5 ** (update // 88) for update in range(264)], rtol=1e-12)
    assert losses[-1] < 0.5 * losses[1]
    assert pictures(tmp_path) == {"step_decay.png"}


def test_05_time_based_decay_is_no_exponential(tmp_path):
    (time_based, exponential), rates = run("05_time_based_decay", tmp_path)
    np.testing.assert_allclose(time_based[:2], exponential[:2], rtol=1e-12)
    assert time_based[3] > 10 * exponential[3]
    np.testing.assert_allclose(rates, [0.1 / (1 + 0.01 * update) for update in range(132)], rtol=1e-12)
    assert pictures(tmp_path) == {"time_based_decay.png"}


def test_06_a_cosine_in_percent_ends_with_the_training(tmp_path):
    keras_rates, our_rates = run("06_cosine_decay", tmp_path).values()
    updates = np.arange(264)
    np.testing.assert_allclose(keras_rates, 0.05 * (1 + np.cos(np.pi * updates / 1000)), rtol=FLOAT32)
    np.testing.assert_allclose(our_rates, 0.05 * (1 + np.cos(np.pi * updates / 264)), rtol=1e-12)
    assert keras_rates[-1] > 0.08
    assert our_rates[-1] < 1e-5
    assert pictures(tmp_path) == {"cosine_decay.png"}


def test_07_a_loaded_model_goes_on_where_it_stopped(tmp_path):
    before, after = run("07_custom_schedule", tmp_path)
    np.testing.assert_allclose(before + after, [0.01 / (1 + 0.1 * update) for update in range(132)], rtol=1e-12)


def test_08_each_reduction_begins_with_an_epoch(tmp_path):
    results, changes, bases, steps_per_epoch = run("08_reduce_on_plateau", tmp_path)
    for name, (rates, history) in results.items():
        assert len(changes[name]) >= 1
        assert (changes[name] % steps_per_epoch == 0).all()
        scales = np.ones(len(rates))
        for update in changes[name]:
            scales[update:] *= 0.2
            epoch = update // steps_per_epoch - 1
            assert history["learning_rate"][epoch] == pytest.approx(rates[update - 1], rel=FLOAT32)
        # the schedule goes on underneath, and the bound of 0.0001 holds
        np.testing.assert_allclose(rates, np.maximum(bases[name] * scales, 0.0001), rtol=FLOAT32)
        assert history["loss"][-1] < history["loss"][changes[name][0] // steps_per_epoch - 1]
    assert pictures(tmp_path) == {"reduce_on_plateau.png"}


def test_09_adaptive_steps_are_alike_for_all_weights(tmp_path):
    steps = run("09_adaptive_optimizers", tmp_path)
    first = {name: sizes[0] for name, sizes in steps.items()}
    assert first["SGD"].max() > 1e5 * first["SGD"].min()
    np.testing.assert_allclose(first["Adam"], 1.0, rtol=0.02)
    assert np.median(first["RMSprop"]) == pytest.approx(0.1**-0.5, rel=0.01)
    assert first["Adagrad"].max() <= 1.0001
    largest = first["Adagrad"].argmax()
    assert steps["Adagrad"][-1, largest] < 0.7 * first["Adagrad"][largest]


def test_10_the_found_rate_trains(tmp_path):
    found, untouched, accuracies = run("10_learning_rate_finder", tmp_path)
    assert untouched
    assert 0.02 < found.learning_rate < 1.0
    assert accuracies[found.learning_rate] > 0.8 > 0.3 > accuracies[1e-5]
    assert pictures(tmp_path) == {"lr_finder.png"}


def test_11_warm_up_then_piecewise_constant(tmp_path):
    rates, history, accuracy = run("11_mnist", tmp_path)
    updates = np.arange(120)
    formula = 0.005 * np.select([updates < 12, updates < 60, updates < 90], [(updates + 1) / 13, 1, 0.5], 0.1)
    np.testing.assert_allclose(rates, formula, rtol=1e-12)
    assert history["learning_rate"] == rates[9::10]
    assert accuracy > 0.9
    assert pictures(tmp_path) == {"digits_training.png"}


@pytest.mark.slow
def test_exercise_1_a_falling_rate_settles(tmp_path):
    result, loss = run("exercise_1_schedules_compared", tmp_path, seeds=1)
    assert len(result.cases) == 6
    assert loss[["step", "exponential", "cosine", "time-based"]].mean() < 0.75 * loss["constant"]
    assert pictures(tmp_path) == {"schedules_compared.png"}


def test_exercise_2_lower_tops_let_the_model_settle(tmp_path):
    rates, losses = run("exercise_2_cyclical_rates", tmp_path)
    updates = np.arange(264)
    triangle = 1 - np.abs(updates % 88 - 44) / 44
    for name, scale in (("triangular", 1.0), ("triangular2", 0.5 ** (updates // 88)), ("exp_range", 0.99**updates)):
        np.testing.assert_allclose(rates[name], 0.01 + 0.79 * scale * triangle, rtol=1e-9)
    last_cycle = {name: loss[-4:].mean() for name, loss in losses.items()}
    assert max(last_cycle["triangular2"], last_cycle["exp_range"]) < 0.8 * last_cycle["triangular"]
    assert pictures(tmp_path) == {"cyclical_rates.png"}


def test_exercise_3_warm_up_constant_cosine(tmp_path):
    constant, found, rates, losses = run("exercise_3_warmup_constant_cosine", tmp_path)
    assert 0.001 < constant.learning_rate < found.learning_rate < 0.1
    updates = np.arange(176)  # 5 % are 9, and 60 % are 106, of 176
    fall = (1 + np.cos(np.pi * (updates - 106) / 70)) / 2
    shape = np.select([updates < 9, updates < 106], [(updates + 1) / 10, 1], fall)
    np.testing.assert_allclose(rates, found.learning_rate * shape, rtol=1e-9)
    assert losses["shape"][-1] < 0.5 * losses["Adam's default"][-1]
    assert losses["shape"][-1] < 1.25 * losses["constant"][-1]
    assert pictures(tmp_path) == {"warmup_constant_cosine.png"}


def test_exercise_4_the_finder_beats_the_defaults(tmp_path):
    found, losses = run("exercise_4_finder_on_other_data", tmp_path)
    assert 0.03 < found["sgd"].learning_rate < 2.0
    assert 0.003 < found["adam"].learning_rate < 0.1
    for name in ("sgd", "adam"):
        assert losses[name, "found"] < 0.6 * losses[name, "default"]
    assert pictures(tmp_path) == {"lr_finder_breast_cancer_sgd.png", "lr_finder_breast_cancer_adam.png"}


@pytest.mark.slow
def test_exercise_5_the_same_rate_is_not_the_same_thing(tmp_path):
    same, best = run("exercise_5_adaptive_optimizers", tmp_path, seeds=2)
    accuracy = {case.optimizer_name: case.mean for case in same.cases}
    assert min(accuracy["adam"], accuracy["rmsprop"]) > 0.75 > 0.5 > accuracy["adagrad"]
    rates = {name: case.learning_rate for name, case in best.items()}
    assert rates["adagrad"] > max(rates["adam"], rates["rmsprop"])
    losses = [case.mean for case in best.values()]
    assert max(losses) < 0.5  # chance is 2.3; at the same rate Adagrad is above 1.5
    assert pictures(tmp_path) == {"adaptive_optimizers.png"}
