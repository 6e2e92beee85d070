"""`keras-lr batch-size` on a user's own file."""

from __future__ import annotations

import json

import pytest

from keras_lr.core import records
from keras_lr.finder import BatchSize

OWN = ("batch-size", "train.py:build_model", "--data", "train.py:load_data")


def test_for_people(quick):
    ran = quick(*OWN, "--largest", "128")
    assert ran.code == 0, ran.err
    for word in ("batch size", "noise scale", "All sizes up to 128 fit; largest is 128."):
        assert word in ran.out


@pytest.mark.once
def test_as_json_and_as_a_file(quick, here):
    ran = quick(*OWN, "--smallest", "256", "--save", "size.json", "--json")
    assert ran.code == 0, ran.err
    assert (ran.document["batch_size"], ran.document["tried"]) == (1024, [256, 512, 1024])
    assert ran.document["noise_scale"] > 0.0
    record = records.load(BatchSize, here / "size.json")
    assert record.noise_scale == ran.document["noise_scale"]


@pytest.mark.once
def test_nothing_fits(quick, monkeypatch):
    import keras_lr as klr

    refused = BatchSize(None, None, "The smallest batch ran out of memory: MemoryError.")
    monkeypatch.setattr(klr, "find_batch_size", lambda *_, **__: refused)
    ran = quick(*OWN, "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["batch_size"] is None
    assert ran.err.splitlines()[-1] == "no answer: The smallest batch ran out of memory: MemoryError."


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*OWN, "--smallest", "5000"), "smallest is more than the 1024 examples"),
        (
            (OWN[0], "train.py:nosuch", *OWN[2:]),
            "error: batch-size(model='train.py:nosuch'): train.py has no 'nosuch'.",
        ),
    ],
)
def test_bad_arguments_are_2(quick, words, message):
    ran = quick(*words)
    assert ran.code == 2, ran.err
    assert message in ran.err
