"""Records survive JSON to the last bit, and a wrong file is an error."""

import dataclasses
import json

import pytest

from keras_lr.core import records
from keras_lr.core.errors import KerasLRError

pytestmark = pytest.mark.once


@dataclasses.dataclass(frozen=True)
class Inner:
    name: str
    values: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Outer:
    inner: Inner | None
    pair: tuple[float, float]
    rows: tuple[Inner, ...]
    words: dict[str, float]
    count: int = 0


OUTER = Outer(Inner("a", (0.1, 1e-300)), (1 / 3, float("inf")), (Inner("b", ()),), {"x": 2.0}, 3)


def test_a_record_survives_a_file(tmp_path):
    records.save(OUTER, tmp_path / "record.json")
    assert records.load(Outer, tmp_path / "record.json") == OUTER
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_what_is_not_finite_is_strict_json():
    text = records.to_json(Inner("n", (float("nan"), float("inf"), -float("inf"))))
    assert json.loads(text, parse_constant=lambda name: pytest.fail(name))["values"] == ["NaN", "Infinity", "-Infinity"]
    assert str(records.from_json(Inner, text).values) == "(nan, inf, -inf)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "is not a saved Outer"),
        ("{", "is not a saved Outer"),
        ('{"record": "Inner", "format": 1}', "holds a Inner. Use Inner.load"),
        ('{"record": "Outer", "format": 99}', "written by a newer keras-lr"),
    ],
)
def test_a_wrong_file_is_told(text, message):
    with pytest.raises(KerasLRError, match=message):
        records.from_json(Outer, text)


def test_a_field_of_a_newer_version_is_passed_over():
    text = json.dumps({"record": "Inner", "format": 1, "name": "a", "values": [1], "later": True})
    assert records.from_json(Inner, text) == Inner("a", (1.0,))
