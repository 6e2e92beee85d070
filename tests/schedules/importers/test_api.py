"""Importers load on first use; the schedule classes that they need load with keras-lr."""

import json
import subprocess
import sys

import keras
import pytest

import keras_lr as klr
from keras_lr.schedules import CosineWave, Excerpt, UnevenRepeat

IMPORTERS = "keras_lr.schedules.importers"


def printed(code, *arguments):
    """What a fresh Python process prints."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.once
def test_importing_keras_lr_loads_no_importer():
    modules = set(printed("import sys, keras_lr; print(*sys.modules)").split())
    loaded = {name for name in modules if name.startswith(IMPORTERS)}
    assert loaded == {IMPORTERS, f"{IMPORTERS}.extra_schedules"}


@pytest.mark.once
@pytest.mark.parametrize("name", ["from_keras", "from_optax", "from_timm", "from_torch", "from_transformers"])
def test_an_importer_is_a_lazily_loaded_name(name):
    assert name in dir(klr)
    assert getattr(klr, name).__module__ == f"{IMPORTERS}.api"


@pytest.mark.once
def test_a_saved_schedule_with_the_extra_classes_loads_after_a_bare_import():
    schedule = (Excerpt(CosineWave(1.0, 0.1, 9), 5) >> UnevenRepeat(klr.Linear(1.0, 0.0, 4), 1.5, 2)) * 0.5
    saved = json.dumps(keras.saving.serialize_keras_object(schedule))
    code = """
import json, sys
import keras, keras_lr
print(repr(keras.saving.deserialize_keras_object(json.loads(sys.argv[1]))))
"""
    assert printed(code, saved).strip() == repr(schedule)
