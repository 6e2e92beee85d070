"""The losses of `find` are those of single training steps at the same rates, whatever the model is."""

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.backends import keras as machinery

BACKEND = keras.backend.backend()
STEPS, BATCH, SEED = 20, 16, 5
RATES = np.geomspace(1e-3, 1e-1, STEPS)
COMPILED = {"jit_compile": BACKEND == "jax"}  # on TensorFlow XLA would round otherwise, on PyTorch compile for minutes
X = np.random.default_rng(0).normal(size=(100, 6)).astype("float32")
Y = np.tanh(X @ np.random.default_rng(1).normal(size=(6, 3))).astype("float32")


def network(optimizer=None, *, loss="mse", metric="mae", **layer):
    inputs = keras.layers.Input((6,))
    hidden = keras.layers.Dense(8, activation="tanh", name="hidden", **layer)(inputs)
    hidden = keras.layers.Dropout(0.2)(keras.layers.BatchNormalization()(hidden))
    model = keras.Model(inputs, keras.layers.Dense(3, dtype="float32", name="out")(hidden))
    model.compile(optimizer or keras.optimizers.Adam(), loss, metrics=[metric], **COMPILED)
    return model


def multi_output(optimizer=None):
    left, right = keras.layers.Input((6,), name="left"), keras.layers.Input((6,), name="right")
    hidden = keras.layers.Dense(8, activation="tanh")(keras.layers.Add()([left, right]))
    outputs = {name: keras.layers.Dense(size, name=name)(hidden) for name, size in (("one", 3), ("two", 1))}
    model = keras.Model({"left": left, "right": right}, outputs)
    losses = {"one": "mse", "two": keras.losses.Huber()}
    model.compile(optimizer or keras.optimizers.SGD(), losses, loss_weights={"one": 1.0, "two": 3.0}, **COMPILED)
    return model


def masked():
    model = keras.Sequential(
        [
            keras.layers.Input((5,), dtype="int32"),
            keras.layers.Embedding(9, 4, mask_zero=True),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(3),
        ]
    )
    model.compile("sgd", "mse", **COMPILED)
    return model


class OwnStep(keras.Model):
    """Half the loss of Keras plus a penalty, in a training step of its own with a metric of its own."""

    def __init__(self):
        inputs = keras.layers.Input((6,))
        hidden = keras.layers.Dropout(0.2)(keras.layers.Dense(8, activation="tanh")(inputs))
        super().__init__(inputs, keras.layers.Dense(3)(hidden))
        self.mean = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.mean]

    def loss_of(self, y, predicted):
        return 0.5 * keras.ops.mean((keras.ops.convert_to_tensor(y) - predicted) ** 2) + 0.01 * keras.ops.mean(
            predicted**2
        )

    def train_step(self, *arguments):
        return getattr(self, f"_{BACKEND}_step")(*arguments)

    def _tensorflow_step(self, data):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = self.loss_of(data[1], self(data[0], training=True))
        self.applied(tape.gradient(loss, self.trainable_variables))
        self.mean.update_state(loss)
        return {"loss": self.mean.result()}

    def _torch_step(self, data):
        import torch

        self.zero_grad()
        loss = self.loss_of(data[1], self(data[0], training=True))
        loss.backward()
        with torch.no_grad():
            self.applied([variable.value.grad for variable in self.trainable_variables])
        self.mean.update_state(loss)
        return {"loss": self.mean.result()}

    def _jax_step(self, state, data):
        import jax

        trainable, rest, optimizer, metrics = state

        def loss_at(trainable):
            predicted, after = self.stateless_call(trainable, rest, data[0], training=True)
            return self.loss_of(data[1], predicted), after

        (loss, rest), gradients = jax.value_and_grad(loss_at, has_aux=True)(trainable)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        metrics = self.mean.stateless_update_state(metrics, loss)
        return {"loss": self.mean.stateless_result(metrics)}, (trainable, rest, optimizer, metrics)

    def applied(self, gradients):
        self.optimizer.apply(gradients, self.trainable_variables)


class TwoOptimizers(OwnStep):
    """One optimizer for each layer. On JAX the state that a training step gets holds one optimizer alone."""

    def __init__(self):
        super().__init__()
        self.second = keras.optimizers.SGD(momentum=0.9)

    def applied(self, gradients):
        self.optimizer.apply(gradients[:2], self.trainable_variables[:2])
        self.second.apply(gradients[2:], self.trainable_variables[2:])


def own_step(kind):
    def make():
        model = kind()
        model.compile("sgd", **COMPILED)
        if kind is TwoOptimizers:
            model.optimizer.build(model.trainable_variables[:2])
            model.second.build(model.trainable_variables[2:])
        return model

    return make


ARRAYS = {"x": X, "y": Y}
NAMED = {"x": {"left": X, "right": X[::-1]}, "y": {"one": Y, "two": Y[:, :1]}}
TOKENS = {"x": np.random.default_rng(2).integers(0, 9, size=(100, 5)), "y": Y}
WEIGHTS = np.random.default_rng(3).uniform(0.1, 2.0, 100).astype("float32")
LABELS = {"x": X, "y": np.arange(100) % 3}
SCALED = keras.optimizers.LossScaleOptimizer
CASES = {
    "plain": (network, ARRAYS, {}),
    "custom training step": (own_step(OwnStep), ARRAYS, {}),
    "sample weights": (network, ARRAYS | {"sample_weight": WEIGHTS}, {}),
    "class weights": (
        lambda: network(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metric="accuracy"),
        LABELS,
        {"class_weight": {0: 1.0, 1: 0.2, 2: 4.0}},
    ),
    "several inputs and outputs": (multi_output, NAMED, {}),
    "masks": (masked, TOKENS, {}),
    "regularization": (lambda: network(kernel_regularizer="l2", activity_regularizer="l1"), ARRAYS, {}),
    "accumulation": (lambda: network(keras.optimizers.Adam(gradient_accumulation_steps=3)), ARRAYS, {}),
    "float16": (
        lambda: network(SCALED(keras.optimizers.SGD(), initial_scale=2.0**13), dtype="mixed_float16"),
        ARRAYS,
        {},
    ),
    "float16 that overflows": (
        lambda: network(SCALED(keras.optimizers.SGD(), initial_scale=2.0**30), dtype="mixed_float16"),
        ARRAYS,
        {},
    ),
    "bfloat16": (lambda: network(keras.optimizers.SGD(), dtype="mixed_bfloat16"), ARRAYS, {}),
    "clipping": (lambda: network(keras.optimizers.Adam(global_clipnorm=0.1)), ARRAYS, {}),
    "average": (
        lambda: network(keras.optimizers.AdamW(use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3)),
        ARRAYS,
        {},
    ),
    "a rate for each layer": (
        lambda: network(klr.PerLayer(keras.optimizers.Adam(), {"out": 0.25, "hidden": 2.0})),
        ARRAYS,
        {},
    ),
}
if BACKEND != "jax":
    CASES["several optimizers"] = (own_step(TwoOptimizers), ARRAYS, {})


def build_same(make):
    keras.utils.set_random_seed(0)
    return make()


def find_on(model, data, **kwargs):
    return klr.find(
        model,
        **data,
        batch_size=BATCH,
        steps=STEPS,
        min_lr=RATES[0],
        max_lr=RATES[-1],
        repeats=1,
        seed=SEED,
        sprint_steps=0,
        **kwargs,
    )


def by_hand(model, data, several=1, **kwargs):
    """Single training steps, each at its rate on the batch that `find` takes then, and what each logged."""
    order, rows = np.random.default_rng(SEED), np.zeros((0, BATCH), int)
    while len(rows) < STEPS * several:
        rows = np.concatenate([rows, order.permutation(100)[: 100 // BATCH * BATCH].reshape(-1, BATCH)])
    logs = []
    for update, own in enumerate(rows[: STEPS * several]):
        for optimizer in machinery.optimizers_of(model):
            optimizer.learning_rate = RATES[update // several]
        model.reset_metrics()
        batch = {name: keras.tree.map_structure(lambda array, own=own: array[own], part) for name, part in data.items()}
        logs.append(model.train_on_batch(**batch, **kwargs, return_dict=True))
    names = [name for name in logs[0] if name.endswith("loss")]
    return {name: np.reshape([float(log[name]) for log in logs], (STEPS, several)).mean(axis=1) for name in names}


@pytest.mark.parametrize("name", CASES)
def test_losses_are_those_of_single_training_steps(name):
    make, data, kwargs = CASES[name]
    found = find_on(build_same(make), data, **kwargs)
    expected = by_hand(build_same(make), data, machinery.micro_batches(build_same(make)), **kwargs)
    assert found.stop_reason == "reached_end"
    # twenty updates with sums in another order; half the digits of a number of 16 bits are rounding
    close = {"float16": 1e-3, "float16 that overflows": 1e-3, "bfloat16": 1e-2}.get(name, 1e-6)
    assert np.array(found.losses[0]) == pytest.approx(expected.pop("loss"), rel=close)
    assert set(found.output_losses) == set(expected)
    for output, losses in expected.items():
        assert np.array(found.output_losses[output][0]) == pytest.approx(losses, rel=close)


def test_each_output_has_its_losses():
    found = find_on(build_same(multi_output), NAMED)
    one, two = (np.array(found.output_losses[name][0]) for name in ("one_loss", "two_loss"))
    assert np.array(found.losses[0]) == pytest.approx(one + 3.0 * two, rel=1e-6)


def test_a_schedule_gives_way_to_the_ladder():
    plain = find_on(build_same(network), ARRAYS)
    scheduled = find_on(build_same(lambda: network(keras.optimizers.Adam(klr.Cosine(0.5, 0.0, 100)))), ARRAYS)
    assert scheduled.losses == plain.losses


def test_metrics_are_not_computed_where_training_is_keras_own():
    counted = []

    class Counting(keras.metrics.Mean):
        def update_state(self, *args, **kwargs):
            counted.append(args)

    model = build_same(network)
    model.compile("sgd", "mse", metrics=[Counting()])
    find_on(model, ARRAYS)
    assert counted == []
    model.evaluate(X, Y, verbose=0)
    assert counted


def test_a_step_without_a_loss_is_refused():
    class Silent(OwnStep):
        def train_step(self, *arguments):
            logs = super().train_step(*arguments)
            return ({"d_loss": logs[0]["loss"]}, logs[1]) if BACKEND == "jax" else {"d_loss": logs["loss"]}

    with pytest.raises(klr.ArgumentError, match="train_step returns 'd_loss', but no 'loss'. Return it too"):
        find_on(build_same(own_step(Silent)), ARRAYS)


def test_eager_models_are_trained_eagerly():
    eager = build_same(network)
    eager.compile("adam", "mse", run_eagerly=True)
    lazy = build_same(network)
    lazy.compile("adam", "mse")
    losses = [np.array(find_on(model, ARRAYS).losses) for model in (eager, lazy)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
