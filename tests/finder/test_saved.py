"""Files that `FindResult.save` wrote with keras-lr 0.1.0, before the record got a file of its own, still load."""

import dataclasses
import json
import pathlib

import pytest

import keras_lr as klr
from keras_lr.core import records

pytestmark = pytest.mark.once
SAVED = sorted((pathlib.Path(__file__).parent / "saved").glob("*.json"))


def as_json(value):
    """A field as the file has it."""
    if dataclasses.is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [as_json(item) for item in value]
    return {"inf": "Infinity", "nan": "NaN"}.get(str(value), value)


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_every_field_is_read(path):
    fields = json.loads(path.read_text())
    assert (fields.pop("record"), fields.pop("format")) == ("FindResult", 1)
    found = klr.FindResult.load(path)
    assert type(found) is klr.FindResult
    fields.pop("sprints")  # of rules that are gone
    later = {field.name: field.default for field in dataclasses.fields(found) if field.metadata == records.LATER}
    assert as_json(found) == fields | later


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_it_is_written_as_it_was_read(path, tmp_path):
    klr.FindResult.load(path).save(tmp_path / "again.json")
    fields = json.loads(path.read_text())
    del fields["sprints"]
    assert (tmp_path / "again.json").read_text() == json.dumps(fields, indent=1)


def test_each_kind_has_what_it_is_for():
    found = {path.stem: klr.FindResult.load(path) for path in SAVED}
    assert set(found) == {"critical", "found", "outputs", "refused", "schedule", "verify"}
    assert found["refused"].learning_rate is None
    assert found["found"].interval[0] < found["found"].learning_rate < found["found"].interval[1]
    assert found["found"].sprint_curves is found["found"].by_length is found["found"].steps is None
    assert found["critical"].critical.learning_rate > found["critical"].learning_rate
    assert found["critical"].warmup_steps == 0
    assert found["verify"].verified.trials[0].learning_rate == 0.0
    assert found["schedule"].schedule == "Cosine(1.0, 0.0, '90%').warmup('10%')"
    assert found["outputs"].output_losses.keys() == {"a_loss", "b_loss"}
    for one in found.values():
        assert one.suggest().learning_rate == pytest.approx(one.learning_rate) or one.verified is not None
