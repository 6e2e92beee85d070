"""Every imported schedule against the rates that the other library itself gave: `vectors/make.py` ran it step by step."""

import json
import math
import pathlib

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr import schedules
from keras_lr.schedules.importers import keras as keras_schedules
from keras_lr.schedules.importers import optax, timm, transformers
from keras_lr.schedules.importers.torch import chains as torch
from tests.schedules.importers.vectors import functions

HERE = pathlib.Path(__file__).parent / "vectors"
PEERS = ("torch", "transformers", "timm", "optax", "keras")
FILES = {peer: json.loads((HERE / f"{peer}.json").read_text(encoding="utf-8")) for peer in PEERS}
VECTORS = {key: (peer, vector) for peer in PEERS for key, vector in FILES[peer]["vectors"].items()}
NAMES = {**vars(klr), **vars(schedules), **vars(functions)}


def imported(key):
    """The schedule of a vector's name and arguments."""
    peer, vector = VECTORS[key]
    arguments = {**functions.resolved(vector["arguments"]), **vector["ours"]}
    if arguments.get("boundaries_and_scales"):
        scales = arguments["boundaries_and_scales"].items()
        arguments["boundaries_and_scales"] = {int(step): scale for step, scale in scales}
    if peer == "keras":
        return klr.from_keras(getattr(keras.optimizers.schedules, vector["name"])(**arguments))
    return getattr(klr, f"from_{peer}")(vector["name"], **arguments)


@pytest.mark.parametrize("key", VECTORS)
def test_the_rates_are_those_of_the_peer(key):
    vector = VECTORS[key][1]
    schedule, steps = imported(key), range(len(vector["values"]))
    host = schedule.evaluate(steps)
    # 1e-15 of the largest rate: where a rate is 0 in one of two roundings
    largest = max(map(abs, vector["values"]))
    assert host == pytest.approx(vector["values"], rel=1e-12, abs=1e-15 * largest)
    compiled = keras.ops.convert_to_numpy(schedule(np.arange(len(host))))
    assert compiled == pytest.approx(host, rel=0, abs=1e-6 * largest)


@pytest.mark.once
@pytest.mark.parametrize("key", [key for key, (_, vector) in VECTORS.items() if "float32" in vector])
def test_the_rates_are_those_that_the_peer_trains_with(key):
    _, vector = VECTORS[key]
    expected = np.array(vector["float32"])
    # a few roundings of 2 ** -24, relative to the largest rate: a difference of cosines keeps its absolute error
    allowed = np.full(len(expected), 2e-7)
    if vector["name"] == "CosineDecayRestarts":
        # Keras takes the whole cycles from t / T0, which is then off by t / T0 * 2 ** -24; the steepest cosine is pi / 2
        allowed += np.arange(len(expected)) / vector["arguments"]["first_decay_steps"] * math.pi / 2 * 2**-24
    assert (np.abs(imported(key).evaluate(range(len(expected))) - expected) <= allowed * expected.max()).all()


@pytest.mark.once
def test_every_schedule_of_the_peers_is_there():
    by_peer = {peer: {vector["name"] for other, vector in VECTORS.values() if other == peer} for peer in PEERS}
    assert {peer: len(names) for peer, names in by_peer.items()} == {
        "torch": 14,
        "transformers": 10,
        "timm": 8,
        "optax": 14,
        "keras": 6,
    }
    assert by_peer["torch"] == set(torch.PEER.builders)
    assert by_peer["transformers"] == set(transformers.PEER.builders)
    assert by_peer["timm"] == set(timm.PEER.builders)
    assert by_peer["optax"] == set(optax.PEER.builders)
    assert by_peer["keras"] == set(keras_schedules.PEER.builders)


@pytest.mark.once
def test_a_vector_is_as_long_as_the_peer_goes():
    short = {key for key, (_, vector) in VECTORS.items() if len(vector["values"]) < 73}
    for key in short:  # PyTorch raises after total_steps, transformers divides by zero where the run is its warm-up
        assert "OneCycleLR" in key or key.startswith(
            "transformers.polynomial(lr=0.3,num_warmup_steps=10,num_training_steps=10"
        )
    assert len(short) == 12


@pytest.mark.once
def test_the_vectors_are_of_the_pinned_versions():
    pins = dict(line.split("==") for line in (HERE / "requirements.txt").read_text().splitlines() if "==" in line)
    for peer in PEERS:
        for package, version in FILES[peer]["made_with"].items():
            assert version.split("+")[0] == pins[package]


@pytest.mark.once
@pytest.mark.parametrize("key", VECTORS)
def test_an_imported_schedule_is_made_by_its_repr_and_by_its_config(key):
    schedule = imported(key)
    assert eval(repr(schedule), NAMES) == schedule
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(schedule)))
    again = keras.saving.deserialize_keras_object(config)
    assert again == schedule
    assert hash(again) == hash(schedule)
