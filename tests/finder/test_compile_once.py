"""A call traces a model's training step once, and a second call on the same compiled model traces nothing."""

import gc
import pickle
import weakref

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.finder.measuring import batches

QUICK = {"batch_size": 64, "steps": 60, "repeats": 1, "min_lr": 1e-5, "sprint_steps": 12}
RAMPS = {**QUICK, "sprint_steps": 0}
traces = pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs eagerly: it traces nothing")


@keras.saving.register_keras_serializable("test_compile_once")
class Counting(keras.Sequential):
    """A model that counts how often Python runs its call: only while it is built or traced."""

    calls = 0

    def call(self, inputs, training=None, mask=None):
        Counting.calls += 1
        return super().call(inputs, training=training, mask=mask)


class OwnStep(keras.Sequential):
    """A model whose step returns more, so that its metrics take part in the updates."""

    steps = 0

    def train_step(self, *args):
        OwnStep.steps += 1
        return super().train_step(*args)


def counting(kind=Counting, *, built=True, optimizer="adam", **kwargs):
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dropout(0.3, seed=1), keras.layers.Dense(10)]
    model = kind([keras.layers.Input((64,)), *layers] if built else layers)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], **kwargs)
    return model


def calls_of(function, kind=Counting, name="calls"):
    """How many traces a call makes, and what it returns."""
    before = getattr(kind, name)
    result = function()
    return getattr(kind, name) - before, result


@traces
@pytest.mark.parametrize("built", [True, False], ids=["built", "unbuilt"])
@pytest.mark.parametrize("options", [{}, {"verify": 200}, {"critical": True}], ids=str)
def test_a_second_call_traces_nothing(built, options, some_digits):
    model = counting(built=built)
    first, found = calls_of(lambda: klr.find(model, *some_digits, **QUICK, **options))
    assert first > 0
    assert calls_of(lambda: klr.find(model, *some_digits, **QUICK, **options)) == (0, found)


@traces
@pytest.mark.parametrize(("built", "size"), [(True, 64), (False, 64), (True, 4)], ids=str)
def test_the_training_step_is_traced_once(built, size, some_digits):
    """In ramps, sprints, their holdout and the trials of `verify`; also with metrics that the step updates."""
    model, options = counting(OwnStep, built=built), {**QUICK, "batch_size": size, "verify": 200}
    first, found = calls_of(lambda: klr.find(model, *some_digits, **options), OwnStep, "steps")
    assert first == 1
    assert calls_of(lambda: klr.find(model, *some_digits, **options), OwnStep, "steps") == (0, found)


@traces
def test_a_group_has_a_program_of_its_own(some_digits):
    def two(rate):
        parts = [keras.optimizers.Adam(rate, name="one"), keras.optimizers.SGD(0.1, name="two")]
        return keras.optimizers.MultiOptimizer(lambda variable: parts["kernel" in variable.path])

    model = counting(optimizer=two(0.001))
    groups = (None, "one", "two")
    each = [calls_of(lambda group=group: klr.find(model, *some_digits, group=group, **QUICK)) for group in groups]
    assert [traces > 0 for traces, _ in each] == [True] * 3
    assert len({found.losses for _, found in each}) == 3
    for group, (_, found) in zip(groups, each, strict=True):
        assert calls_of(lambda group=group: klr.find(model, *some_digits, group=group, **QUICK)) == (0, found)
    model.optimizer.optimizers[1].learning_rate = 0.1  # other ratios are other data for the same program
    again, found = calls_of(lambda: klr.find(model, *some_digits, **QUICK))
    assert again == 0
    assert found.losses != each[0][1].losses
    assert found.losses == klr.find(counting(optimizer=two(0.1)), *some_digits, **QUICK).losses


@traces
def test_large_data_are_traced_once(some_digits, monkeypatch):
    """Their chunks bring rows of their own, more or fewer."""
    whole = klr.find(counting(OwnStep), *some_digits, **QUICK)
    monkeypatch.setattr(batches, "RESIDENT", 0)
    first, found = calls_of(lambda: klr.find(counting(OwnStep), *some_digits, **QUICK), OwnStep, "steps")
    assert first == 1
    assert found == whole


@traces
def test_a_fit_in_between_changes_nothing(some_digits):
    model = counting()
    klr.find(model, *some_digits, **QUICK)
    callback = keras.callbacks.EarlyStopping("loss", patience=0)
    model.fit(*some_digits, epochs=1, verbose=0, callbacks=[callback])
    model.stop_training = True
    assert calls_of(lambda: klr.find(model, *some_digits, **QUICK))[0] == 0


def add_a_layer(model):
    model.add(keras.layers.Rescaling(0.5))


def freeze(model):
    model.layers[0].trainable = False
    model.optimizer = keras.optimizers.SGD()  # on JAX, Keras's optimizers refuse to leave variables out


def recompile(model):
    model.compile(keras.optimizers.SGD(momentum=0.9), "mse")


def with_another_optimizer(model):
    model.optimizer = keras.optimizers.SGD()
    model.optimizer.build(model.trainable_variables)


CHANGES = {
    "compile": recompile,
    "trainable": freeze,
    "optimizer": with_another_optimizer,
    "optimizer's number": lambda model: setattr(model.optimizer, "beta_1", 0.5),
    "clipping": lambda model: setattr(model.optimizer, "clipnorm", 0.1),
    "decay": lambda model: setattr(model.optimizer, "weight_decay", 0.5),
    "layer's number": lambda model: setattr(model.layers[1], "rate", 0.9),
    "layer's function": lambda model: setattr(model.layers[0], "activation", keras.activations.tanh),
    "layer": add_a_layer,
    "step": lambda model: object.__setattr__(model, "train_step", lambda *args: type(model).train_step(model, *args)),
    "eager": lambda model: setattr(model, "run_eagerly", True),
}
if keras.backend.backend() == "jax":
    CHANGES["eager"] = lambda model: model.compile("adam", model.loss, run_eagerly=True)


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_model_is_traced_again(change, some_digits):
    results = []
    for earlier in (False, True):
        model = counting(optimizer=keras.optimizers.AdamW(weight_decay=0.1))
        model.optimizer.build(model.trainable_variables)
        if earlier:
            before = klr.find(model, *some_digits, **RAMPS)
        CHANGES[change](model)
        results.append(klr.find(model, *some_digits, **RAMPS))
    assert results[0] == results[1]
    if change not in ("eager", "step"):
        assert results[1].losses != before.losses


@traces
def test_other_shapes_are_traced_and_the_first_are_not_forgotten(some_digits):
    x, y = some_digits
    model = counting()
    found = klr.find(model, x, y, **QUICK)
    other = {**QUICK, "batch_size": 32}
    assert klr.find(model, x, y, **other) == klr.find(counting(), x, y, **other)
    assert calls_of(lambda: klr.find(model, x, y, **QUICK)) == (0, found)
    assert calls_of(lambda: klr.find(model, x, y, **other))[0] == 0


def test_a_model_is_collected_after_a_call(some_digits):
    model = counting()
    klr.find(model, *some_digits, **QUICK, verify=200, critical=True)
    references = [weakref.ref(one) for one in (model, model.optimizer, *model.layers)]
    del model
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX alone lists its arrays")
def test_no_array_stays(some_digits):
    import jax

    model = counting()
    klr.find(model, *some_digits, **QUICK)  # a trained model has an optimizer with variables
    gc.collect()
    before = sorted((array.shape, str(array.dtype)) for array in jax.live_arrays())
    klr.find(model, *some_digits, **QUICK)
    gc.collect()
    assert sorted((array.shape, str(array.dtype)) for array in jax.live_arrays()) == before
    state = [*model.variables, *model.optimizer.variables]
    assert sum(array.size for array in jax.live_arrays() if array.shape == (64, 16)) == sum(
        64 * 16 for variable in state if tuple(variable.shape) == (64, 16)
    )


def test_a_cleared_session_is_no_end(some_digits):
    model = counting()
    found = klr.find(model, *some_digits, **QUICK)
    keras.backend.clear_session()
    assert klr.find(model, *some_digits, **QUICK) == found


def test_a_model_is_saved_cloned_and_pickled_as_before(some_digits, tmp_path):
    model = counting()
    names, config = set(vars(model)), model.get_compile_config()
    found = klr.find(model, *some_digits, **QUICK)
    assert set(vars(model)) == names
    assert model.get_compile_config() == config
    model.save(tmp_path / "model.keras")
    copies = [keras.saving.load_model(tmp_path / "model.keras"), pickle.loads(pickle.dumps(model))]
    for copy in copies:
        assert klr.find(copy, *some_digits, **QUICK) == found
    clone = keras.models.clone_model(model)
    assert len(clone.layers) == len(model.layers)


def test_a_failure_leaves_a_model_that_is_found_for(some_digits):
    x, y = some_digits
    model = counting()
    found = klr.find(model, x, y, **QUICK)
    with pytest.raises(Exception, match="incompatible|shape"):
        klr.find(model, x[:, :10], y, **QUICK)
    assert klr.find(model, x, y, **QUICK) == found


def test_new_weights_are_the_start_of_a_second_call(some_digits):
    results = []
    for earlier in (False, True):
        model = counting()
        if earlier:
            klr.find(model, *some_digits, **QUICK)
        model.set_weights([np.full_like(weight, 0.05) for weight in model.get_weights()])
        results.append(klr.find(model, *some_digits, **QUICK))
    assert results[0] == results[1]


@traces
def test_critical_and_smaller_data_share_the_program(some_digits):
    x, y = some_digits
    model, options = counting(OwnStep), {**QUICK, "batch_size": 4}
    assert calls_of(lambda: klr.find(model, x, y, **options), OwnStep, "steps")[0] == 1
    assert calls_of(lambda: klr.find(model, x[:500], y[:500], **options), OwnStep, "steps")[0] == 0
    own = counting(optimizer="sgd")
    klr.find(own, x, y, **options, critical=True)
    found = klr.find(own, x, y, **options, critical=True)
    assert klr.find(counting(optimizer="sgd"), x, y, **options, critical=True) == found


def test_each_group_of_rates_has_its_program(some_digits):
    """The optimizers that keep their rates keep them in the program."""

    def model_of():
        body, head = keras.optimizers.Adam(0.01, name="body"), keras.optimizers.SGD(0.1, name="head")
        rates = keras.optimizers.OptimizerMap(head, {".*body.*": body})
        keras.utils.set_random_seed(3)
        layers = [keras.layers.Dense(16, "relu", name="body"), keras.layers.Dense(10, "softmax", name="head")]
        model = keras.Sequential([keras.layers.Input((64,)), *layers])
        model.compile(keras.optimizers.MultiOptimizer(rates), "categorical_crossentropy")
        return model

    model = model_of()
    for group in (None, "body", "head", None):
        found = klr.find(model, *some_digits, **QUICK, group=group)
        assert found == klr.find(model_of(), *some_digits, **QUICK, group=group)
