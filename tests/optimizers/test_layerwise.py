"""Layer-wise decay gives each layer the factor of its depth, and PerLayer takes it as it is."""

import re

import keras
import numpy as np
import pytest

import keras_lr as klr


def nested():
    """Two embeddings, a nested model with a normalization that is trained, a layer without weights, a head."""
    keras.utils.set_random_seed(0)
    words, places = keras.layers.Input((4,), name="words"), keras.layers.Input((4,), name="places")
    body = keras.Sequential(
        [
            keras.layers.Input((4, 8)),
            keras.layers.Dense(8, name="dense"),
            keras.layers.LayerNormalization(name="norm"),
            keras.layers.Dropout(0.1),
        ],
        name="body",
    )
    embedded = keras.layers.Add()(
        [keras.layers.Embedding(9, 8, name="word")(words), keras.layers.Embedding(4, 8, name="place")(places)]
    )
    pooled = keras.layers.GlobalAveragePooling1D()(body(embedded))
    return keras.Model([words, places], keras.layers.Dense(1, name="dense")(pooled), name="outer")


def test_depth_counts_from_the_top_through_nested_models_with_embeddings_lowest():
    assert klr.layerwise_decay(nested(), 0.5) == {
        "^word": 0.125,
        "^place": 0.125,
        "^body/dense": 0.5**2,
        "^body/norm": 0.5,
        "^dense": 1.0,
    }


def test_every_weight_moves_by_the_factor_of_its_layer(feed):
    model = nested()
    variables = model.trainable_variables
    start = [np.array(keras.ops.convert_to_numpy(v)) for v in variables]
    optimizer = klr.PerLayer(keras.optimizers.SGD(1.0), klr.layerwise_decay(model, 0.5))
    made = feed(optimizer, variables, [[np.ones(v.shape, "f") for v in variables]])[0]
    moved = {v.path: float((a - b).mean()) for v, a, b in zip(variables, start, made, strict=True)}
    expected = {"word/embeddings": 0.125, "place/embeddings": 0.125, "body/dense/kernel": 0.25, "body/dense/bias": 0.25}
    expected |= {"body/norm/gamma": 0.5, "body/norm/beta": 0.5, "dense/kernel": 1.0, "dense/bias": 1.0}
    assert moved == pytest.approx(expected, abs=1e-6)


def test_frozen_layers_are_left_out():
    model = nested()
    model.get_layer("body").trainable = False
    assert klr.layerwise_decay(model, 0.5) == {"^word": 0.5, "^place": 0.5, "^dense": 1.0}


def test_a_layer_made_of_layers_is_one():
    i = keras.layers.Input((4, 8))
    attended = keras.layers.MultiHeadAttention(2, 4, name="attend")(i, i)
    model = keras.Model(i, keras.layers.Dense(1, name="head-1")(attended), name="one")
    assert klr.layerwise_decay(model, 0.9) == {"^attend": 0.9, "^head\\-1": 1.0}


def test_a_number_of_layers_takes_their_names_from_a_pattern():
    factors = klr.layerwise_decay(2, 0.5)
    assert factors == {"transformer_layer_0": 0.25, "transformer_layer_1": 0.5, ".*embedding.*": 0.125}
    assert klr.layerwise_decay(2, 0.5, pattern="b{}", embeddings=None) == {"b0": 0.25, "b1": 0.5}


def unbuilt():
    return keras.Sequential([keras.layers.Dense(1)])


def twins():
    """Two nested models whose layers have one path."""
    parts = [
        keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(2, name="same")], name="part") for _ in "ab"
    ]
    parts[1].name = "other"
    i = keras.layers.Input((2,))
    return keras.Model(i, parts[1](parts[0](i)))


WRONG = [
    (lambda: klr.layerwise_decay(nested(), 0.0), "layerwise_decay(factor=0.0): factor must be above 0"),
    (lambda: klr.layerwise_decay(nested(), 1.5), "layerwise_decay(factor=1.5): factor must be at most 1"),
    (lambda: klr.layerwise_decay("bert"), "layerwise_decay(model='bert'): model must be a whole number of at least 1"),
    (lambda: klr.layerwise_decay(3, pattern="block"), "layerwise_decay(pattern='block'): pattern must have {} in it"),
    (
        lambda: klr.layerwise_decay(unbuilt()),
        "the model has no trainable weights yet. Build it first: give it an Input",
    ),
    (
        lambda: klr.layerwise_decay(twins()),
        "two variables have the path 'part/same/kernel'. Give the layers different names",
    ),
]


@pytest.mark.once
@pytest.mark.parametrize(("make", "message"), WRONG)
def test_wrong_arguments_are_told(make, message):
    with pytest.raises(klr.ArgumentError, match=re.escape(message)):
        make()
