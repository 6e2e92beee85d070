"""`keras-lr demo`: its data, its errors, and the whole of it on the digits."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest

import keras_lr as klr
from keras_lr_cli.commands.demo import data, run
from keras_lr_cli.commands.demo.figure import training_figure

FILES = ["learning_rate_comparison.png", "lr_finder.png", "report.html", "result.json", "training.png"]


@pytest.mark.slow
def test_digits_end_to_end(keras_lr, folder):
    before = sorted(path.name for path in folder.iterdir())
    ran = keras_lr("demo", "--output", "out/of/demo")
    assert ran.code == 0, ran.err
    output = folder / "out" / "of" / "demo"
    assert sorted(path.name for path in output.iterdir()) == FILES
    assert sorted(path.name for path in folder.iterdir()) == sorted([*before, "out"])
    result = json.loads((output / "result.json").read_text())
    low, high = result["finder"]["interval"]
    assert 1e-4 < low < result["finder"]["learning_rate"] < high < 0.1
    assert result["finder"]["reason"]
    assert sorted(row["learning_rate"] for row in result["comparison"]["table"]) == sorted(run.RATES)
    assert result["comparison"]["best"]["learning_rate"] in (0.01, 0.001)
    assert result["test_accuracy"] > 0.95
    assert {"python", "backend", "keras", "keras-lr"} < set(result["versions"])
    html = (output / "report.html").read_text()
    assert "<svg" in html
    assert "<script src" not in html
    for word in ("learning rate", "interval", "reason", "lr 0.01", "test accuracy", "held-out images"):
        assert word in ran.out
    steps = [line for line in ran.err.splitlines() if line]
    assert [line[:3] for line in steps] == ["1/4", "2/4", "3/4", "4/4"]


@pytest.mark.once
def test_no_answer_is_1_with_the_reason(quick, here, monkeypatch):
    result = klr.FindResult(
        None, None, "The loss never fell.", "reached_end", (0.1, 0.2, 0.3), ((2.0, 2.0, 2.0),), (2.0, 2.0, 2.0)
    )
    monkeypatch.setattr(klr, "find", lambda *_, **__: result)
    monkeypatch.setattr(klr.FindResult, "plot", lambda *_: None)
    ran = quick("demo", "--json")
    assert ran.code == 1
    assert ran.document["finder"]["learning_rate"] is None
    assert ran.err.splitlines()[-1] == "no answer: The loss never fell."
    assert (here / "demo" / "result.json").is_file()


@pytest.mark.once
def test_the_digits_are_dealt_by_the_seed():
    one, same, other = data.load("digits", 0), data.load("digits", 0), data.load("digits", 1)
    assert (len(one.x_train), len(one.x_test), one.classes) == (1438, 359, 10)
    assert one.x_train.shape[1:] == (8, 8)
    assert (one.x_train.min(), one.x_train.max()) == (0.0, 1.0)
    np.testing.assert_array_equal(one.x_train, same.x_train)
    assert not np.array_equal(one.y_train, other.y_train)


@pytest.mark.once
def test_without_scikit_learn_the_error_has_the_pip_line(quick, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    ran = quick("demo")
    assert ran.code == 3
    assert 'The demo on digits needs scikit-learn, which is not installed. Run: pip install "keras-lr[demo]"' in ran.err


@pytest.mark.once
def test_mnist_without_cache_and_network(quick, here, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(here / "empty"))
    monkeypatch.setattr("keras.datasets.mnist.load_data", unreachable)
    ran = quick("demo", "--data", "mnist", "--json")
    assert ran.code == 3
    assert "Traceback" not in ran.err
    for word in ("KERAS_HOME", str(here / "empty" / "datasets" / "mnist.npz"), "--data path.npz", "URL fetch failure"):
        assert word in ran.document["error"]
    assert not (here / "demo").exists()


def unreachable():
    raise Exception("URL fetch failure on https://storage.googleapis.com/mnist.npz: None -- no network\n")


@pytest.mark.once
@pytest.mark.slow
def test_mnist_without_cache_and_network_for_real(keras_lr, folder):
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    ran = keras_lr("demo", "--data", "mnist", KERAS_HOME=str(folder / "empty"), **proxy, no_proxy="", NO_PROXY="")
    assert ran.code == 3
    assert "Traceback" not in ran.err
    for word in ("KERAS_HOME", str(folder / "empty" / "datasets" / "mnist.npz"), "--data path.npz"):
        assert word in ran.err


def arrays(train=40, test=12, shape=(6, 6), classes=3):
    random = np.random.default_rng(0)
    return {
        "x_train": random.integers(0, 256, (train, *shape)).astype("uint8"),
        "y_train": np.arange(train) % classes,
        "x_test": random.integers(0, 256, (test, *shape)).astype("uint8"),
        "y_test": np.arange(test) % classes,
    }


@pytest.mark.once
def test_a_local_file(tmp_path):
    np.savez(tmp_path / "own.npz", **arrays())
    images = data.load(str(tmp_path / "own.npz"))
    assert (images.name, images.classes, images.x_train.shape) == ("own.npz", 3, (40, 6, 6))
    assert images.x_train.max() == 1.0
    assert sorted(images.y_train) == sorted(np.arange(40) % 3)


@pytest.mark.once
def test_at_most_10000_training_images_are_used_and_that_is_said(tmp_path):
    np.savez(tmp_path / "own.npz", **arrays(train=12_000, shape=(2, 2)))
    images = data.load(str(tmp_path / "own.npz"))
    assert len(images.x_train) == 10_000
    assert images.name == "own.npz, 10,000 of 12,000 training images"


BAD = {
    "the file has no y_test": {"y_test": None},
    "the file has no x_train, x_test": {"x_train": None, "x_test": None},
    "y_train must hold a class number from 0 for each of 40 images; it is int64 of shape (39,)": {
        "y_train": np.arange(39)
    },
    "y_train must hold a class number from 0 for each of 40 images; it is float64": {"y_train": np.ones(40)},
    "y_test must hold a class number from 0 for each of 12 images; it is int64 of shape (12,)": {
        "y_test": -np.arange(12)
    },
    "x_train must hold numbers, 10 images or more": {"x_train": np.ones(40)},
    "an image of x_train and of x_test differ in shape: (6, 6) and (5, 6)": {"x_test": np.ones((12, 5, 6))},
    "x_train holds NaN or infinite numbers": {"x_train": np.full((40, 6, 6), math.nan)},
}


@pytest.mark.once
@pytest.mark.parametrize("message", BAD)
def test_a_wrong_local_file_is_an_argument_error(tmp_path, message):
    stored = {name: value for name, value in {**arrays(), **BAD[message]}.items() if value is not None}
    np.savez(tmp_path / "own.npz", **stored)
    with pytest.raises(klr.ArgumentError) as caught:
        data.load(str(tmp_path / "own.npz"))
    assert message in str(caught.value)


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.npz", None, "the file does not exist. Check the path"),
        ("own.npz", b"not a zip", "the file can't be read as .npz"),
        ("own.npz", b"", "the file can't be read as .npz"),
        ("cifar", None, "demo(data='cifar'): data is not known. Pass digits, mnist or a file path.npz."),
    ],
)
def test_no_file_is_an_argument_error(quick, here, name, content, message):
    if content is not None:
        (here / name).write_bytes(content)
    ran = quick("demo", "--data", name)
    assert ran.code == 2
    assert message in ran.err
    assert not (here / "demo").exists()


@pytest.mark.once
def test_objects_in_a_file_are_not_loaded(tmp_path):
    np.savez(tmp_path / "own.npz", **{**arrays(), "x_test": np.array([{}] * 12, dtype=object)})
    with pytest.raises(klr.ArgumentError, match="can't be read"):
        data.load(str(tmp_path / "own.npz"))


@pytest.mark.once
def test_a_file_in_place_of_the_folder_is_2(quick, here):
    (here / "demo").write_text("mine")
    ran = quick("demo")
    assert ran.code == 2
    assert "demo(output='demo'): there is a file of this name. Pass a folder." in ran.err
    assert (here / "demo").read_text() == "mine"


@pytest.mark.once
def test_the_picture_of_a_training():
    history = {"loss": [2.0, 1.0], "val_loss": [2.5, 1.5], "accuracy": [0.5, 0.75], "val_accuracy": [0.4, 0.6]}
    loss, accuracy, rates = training_figure(history, [0.1, 0.2, 0.1]).panels
    assert [line.y for line in loss.lines] == [[2.0, 1.0], [2.5, 1.5]]
    assert [line.x for line in accuracy.lines] == [[1, 2], [1, 2]]
    assert (rates.lines[0].x, rates.lines[0].y) == ([0, 1, 2], [0.1, 0.2, 0.1])
    assert loss.title == "Loss, validation 1.5 at the end"
    assert accuracy.title == "Accuracy, validation 60.0% at the end"
