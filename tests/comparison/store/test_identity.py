"""A plan's identity: equal for the same call, whatever was built before; different where a run would be."""

import json

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison.planning.plan import build_plan
from keras_lr.comparison.planning.reference_model import Template
from keras_lr.comparison.store.identity import _differences, difference, identity_of

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
NONE = {"learning_rates": None, "schedules": None, "optimizers": None}
REST = {"seeds": 2, "epochs": 1, "batch_size": None, "metric": "loss", "mode": "auto"}


def identity(build_model, x=X, y=X[:, 0], **changed):
    data = {
        "x": x,
        "y": y,
        "sample_weight": None,
        "class_weight": None,
        "validation_data": None,
        "validation_split": 0.0,
    }
    data |= {name: changed.pop(name) for name in list(changed) if name in data}
    plan = build_plan(build_model, data, **{**NONE, **REST, **changed})
    probe = Template(plan)
    return identity_of(plan, probe.descriptions, probe.model, "sequential")


def sequential(units=4, loss="mse", **compiled):
    def build():
        layers = [keras.layers.Dense(units, activation="relu"), keras.layers.BatchNormalization()]
        model = keras.Sequential([keras.layers.Input([3]), *layers, keras.layers.Dropout(0.1), keras.layers.Dense(1)])
        model.compile("adam", loss, **compiled)
        return model

    return build


def functional():
    inputs = keras.layers.Input([3])
    left, right = keras.layers.Dense(2)(inputs), keras.layers.Dense(2)(inputs)
    shifted = keras.layers.Lambda(lambda value: value + 1.0, output_shape=(2,))(left)
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Add()([shifted, right])))
    model.compile(keras.optimizers.SGD(klr.Cosine(0.1, 0.0, 100)), keras.losses.Huber(), metrics=[keras.metrics.AUC()])
    return model


class Own(keras.Model):
    def __init__(self, units=2):
        super().__init__()
        self.dense = keras.layers.Dense(units)
        self.out = keras.layers.Dense(1)

    def call(self, x):
        return self.out(self.dense(x))


lambda_warned = pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`:UserWarning")


def subclassed(units=2):
    def build():
        model = Own(units)
        model.compile(keras.optimizers.SGD(0.1), lambda y, p: keras.ops.mean(keras.ops.square(y - p)))
        return model

    return build


@lambda_warned
@pytest.mark.parametrize(
    "build", [sequential(), functional, subclassed()], ids=["sequential", "functional", "subclassed"]
)
def test_the_same_call_has_one_identity(build):
    first = identity(build)
    for _ in range(3):
        build()
    again = identity(build)
    assert difference(first, again) == ""
    assert again == first == json.loads(json.dumps(first))
    assert " at 0x" not in json.dumps(first)


@lambda_warned
@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (sequential(4), sequential(5), ".units is 4 there and 5 here"),
        (sequential(), sequential(steps_per_execution=2), "model.compiled.steps_per_execution is 1 there and 2 here"),
        (sequential(), sequential(loss="mae"), "model.compiled.loss is 'mse' there and 'mae' here"),
        (sequential(), functional, "model.class is 'Sequential' there and 'Functional' here"),
        (subclassed(2), subclassed(3), "model.weights is "),
    ],
)
def test_another_model_is_another_plan(one, other, said):
    assert said in "; ".join(_differences(identity(one), identity(other)))


def test_data_are_known_by_their_values():
    build, y = sequential(), X[:, 0]
    own = identity(build)
    assert identity(build, X.copy()) == own
    assert difference(own, identity(build, X + 1e-6)) == "x has other values"
    assert "x.array is 'float32 (40, 3)' there and 'float64 (40, 3)' here" in difference(
        own, identity(build, X.astype("float64"))
    )
    assert "validation_data is None there" in difference(own, identity(build, validation_data=(X, y)))
    changed = identity(build, validation_data=(X, y)), identity(build, validation_data=(X, y + 1.0))
    assert difference(*changed) == "validation_data has other values"
    weights = identity(build, class_weight={0: 1.0}), identity(build, class_weight={0: 2.0})
    assert difference(*weights) == "class_weight has other values"


def test_a_dataset_is_known_by_its_type():
    class Rows(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return X[:8], X[:8, 0]

    found = identity(sequential(), Rows(), None)["data"]["x"]
    assert list(found) == ["type"]
    assert found["type"].endswith("Rows")
