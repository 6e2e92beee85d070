"""Files that an earlier version saved load now, and mean the same."""

import json
import pathlib
import shutil

import keras
import numpy as np
import pytest

import keras_lr as klr

FOLDERS = sorted(pathlib.Path(__file__).parent.glob("saved_by_*"))
ROUNDING = 1e-6  # float32: the model was trained on JAX, and goes on training on the backend of this process
x = np.random.default_rng(0).normal(size=[32, 2]).astype("float32")
y = x.sum(axis=1)


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request):
    return request.param


def test_there_is_something_to_load():
    assert [folder.name for folder in FOLDERS] == ["saved_by_0_1_0"]


@pytest.mark.once
def test_every_schedule_loads_with_its_rates_and_its_code(folder):
    document = json.loads((folder / "schedules.json").read_text())
    assert len(document["schedules"]) >= 38
    for saved in document["schedules"]:
        schedule = keras.saving.deserialize_keras_object(saved["config"])
        assert isinstance(schedule, klr.Schedule)
        assert schedule.evaluate(document["steps"]).tolist() == saved["rates"], saved["repr"]
        assert repr(schedule) == saved["repr"]


@pytest.mark.parametrize("name", ["schedule", "per_layer", "coupled"])
def test_a_model_loads_with_its_optimizer_and_trains_on(folder, name):
    saved = json.loads((folder / f"{name}.json").read_text())
    model = keras.models.load_model(folder / f"{name}.keras")
    assert int(model.optimizer.iterations) == saved["iterations"]
    for weight, before in zip(model.get_weights(), saved["weights"], strict=True):
        np.testing.assert_array_equal(weight, np.float32(before))
    model.fit(x, y, batch_size=8, verbose=0, shuffle=False)
    for weight, after in zip(model.get_weights(), saved["weights_after_another_epoch"], strict=True):
        np.testing.assert_allclose(weight, np.float32(after), rtol=ROUNDING, atol=ROUNDING)


def test_a_plateau_resumes_from_its_file(folder, tmp_path):
    """Patience 1 and a min_delta that no loss reaches: the rate halves after every epoch but the first."""
    state = pathlib.Path(shutil.copy(folder / "plateau.json", tmp_path))
    before = json.loads((folder / "plateau_rates.json").read_text())
    assert before == pytest.approx([0.097, 0.093, 0.0445, 0.02125], rel=ROUNDING)
    model = keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(klr.Linear(0.1, 0.0, 100)), "mse")
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(16)  # as a checkpoint of the end of epoch 3 has it
    plateau = klr.ReduceLROnPlateau("loss", patience=1, min_delta=1e9, factor=0.5, state_path=state)
    history = model.fit(x, y, batch_size=8, initial_epoch=4, epochs=6, verbose=0, callbacks=[plateau])
    assert history.history["learning_rate"] == pytest.approx([0.081 / 8, 0.077 / 16], rel=ROUNDING)
