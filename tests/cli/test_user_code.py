"""The user's own functions: how they load, and the errors if they do not."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import keras_lr as klr
from keras_lr_cli import user_code

NAMES = ("x", "y", "batch_size")


pytestmark = [pytest.mark.once, pytest.mark.usefixtures("here")]


def ignore(note):
    del note


def test_a_function_of_a_file():
    build = user_code.factory("find", model="train.py:build_model")
    assert build().compiled


def test_a_path_in_another_folder_imports_its_neighbours(folder, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert user_code.factory("find", model=f"{folder}/train.py:build_model")().compiled


def test_a_file_is_run_once_under_its_own_name():
    user_code.factory("find", model="train.py:build_model")
    user_code.factory("find", data="./train.py:load_data")
    assert sys.modules["parts"].RUNS == ["train"]


def test_a_file_named_as_a_loaded_module_does_not_replace_it(folder):
    (folder / "json.py").write_text("def build():\n    return 1\n")
    before = sys.modules["json"]
    assert user_code.factory("find", model="json.py:build")() == 1
    assert sys.modules["json"] is before


def test_a_function_of_a_module(folder):
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "models.py").write_text("def build():\n    return 7\n")
    assert user_code.factory("find", model="package.models:build")() == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "nosuch.py:build",
            "find(model='nosuch.py:build'): the file nosuch.py does not exist. Check the path; it is looked up from",
        ),
        (".py:build", "the file .py does not exist"),
        ("./:build", "the file ./ is a folder"),
        (
            "train.py:nosuch",
            "find(model='train.py:nosuch'): train.py has no 'nosuch'. Its functions are build_model, fails, leaves, load_array",
        ),
        ("train.py:THREE", "THREE is not a function but of type int. Its functions are build_model"),
        (
            "train.py",
            "find(model='train.py'): it names no function. Write path/train.py:build_model or package.module:build_model.",
        ),
        ("train.py:", "it names no function"),
        (":build", "it names no function"),
        ("", "it names no function"),
        ("no_such_module:build", "the module 'no_such_module' does not exist. Install it"),
        ("numpy.nosuch:build", "the module 'numpy.nosuch' does not exist"),
        ("train.py:load_with_size", "load_with_size(size) needs arguments, and gets none. Give them defaults."),
    ],
)
def test_a_wrong_name_is_an_argument_error(text, message):
    with pytest.raises(klr.ArgumentError) as caught:
        user_code.factory("find", model=text)
    assert message in str(caught.value)
    assert "_hidden" not in str(caught.value)


def test_a_file_without_functions_says_so(folder):
    (folder / "helper.py").write_text("A = 1\n")
    with pytest.raises(klr.ArgumentError, match="It has no functions of its own: write one"):
        user_code.factory("find", model="helper.py:build")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("1 / 0\n", ZeroDivisionError),
        ("def f(:\n", SyntaxError),
        ("import nosuchpackage\n", ModuleNotFoundError),
        ("raise SystemExit(1)\n", SystemExit),
    ],
)
def test_a_file_that_raises_is_a_user_code_error(folder, content, kind):
    (folder / "helper.py").write_text(content)
    for text in ("helper.py:build", "helper:build"):
        with pytest.raises(klr.UserCodeError, match=f"helper(.py)? raised {kind.__name__}") as caught:
            user_code.factory("find", model=text)
        assert isinstance(caught.value.__cause__, kind)
        assert "helper" not in sys.modules


@pytest.mark.parametrize(("name", "kind"), [("fails", LookupError), ("leaves", SystemExit)])
def test_a_function_that_raises_is_a_user_code_error(name, kind):
    function = user_code.factory("find", model=f"train.py:{name}")
    with pytest.raises(klr.UserCodeError, match=f"{name} raised {kind.__name__}") as caught:
        user_code.call("find", function, model=f"train.py:{name}")
    assert isinstance(caught.value.__cause__, kind)


def test_ctrl_c_in_the_users_function_stays_ctrl_c():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        user_code.call("find", interrupted, model="train.py:f")


def test_two_arrays():
    data = user_code.data("find", "train.py:load_data", NAMES, ignore)
    assert [data[name].shape for name in ("x", "y")] == [(1024, 4), (1024,)]


def test_the_form_of_keras_datasets():
    notes = []
    data = user_code.data("compare", "train.py:load_split", (*NAMES, "validation_data"), notes.append)
    assert data["x"].shape == (800, 4)
    assert [part.shape for part in data["validation_data"]] == [(224, 4), (224,)]
    assert notes == []


def test_validation_data_without_a_use_is_told():
    notes = []
    data = user_code.data("find", "train.py:load_split", NAMES, notes.append)
    assert set(data) == {"x", "y"}
    assert notes == ["find has no use for the validation data"]


def test_a_dict_of_fits_arguments():
    notes = []
    data = user_code.data("find", "train.py:load_dict", NAMES, notes.append)
    assert set(data) == {"x", "y", "batch_size"}
    assert np.shape(data["x"]) == (1024, 4)
    assert notes == ["find has no use for epochs, callbacks, validation_split in the data's dict"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("load_misspelt", "its dict has labels, which fit does not take. Use x, y, batch_size"),
        (
            "load_array",
            "find(data='train.py:load_array'): it returned a ndarray. Return (x, y), ((x, y), (x_val, y_val)) or a dict of fit's arguments.",
        ),
        ("load_nothing", "it returned a NoneType. Return (x, y)"),
    ],
)
def test_other_data_is_an_argument_error(name, message):
    with pytest.raises(klr.ArgumentError) as caught:
        user_code.data("find", f"train.py:{name}", NAMES, ignore)
    assert message in str(caught.value)
