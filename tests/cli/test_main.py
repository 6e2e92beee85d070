"""Which framework a command runs on, and what `doctor` says of it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import warnings

import keras
import pytest

from keras_lr_cli import main, quiet

BACKEND = keras.backend.backend()
INSTALLED = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Makes it look as if only the given frameworks were installed, with an empty Keras home and no variable."""

    def only(*names: str):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in names else None)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.setenv("KERAS_BACKEND", "")

    return only


def chosen(option=None):
    assert main._choose(option) is None
    return os.environ["KERAS_BACKEND"]


@pytest.mark.once
def test_the_option_goes_before_the_variable(installed, monkeypatch):
    installed("tensorflow", "jax", "torch")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert chosen(main.options.Backend.torch) == "torch"


@pytest.mark.once
def test_the_variable_goes_before_the_file(installed, monkeypatch, tmp_path):
    installed("tensorflow", "jax", "torch")
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert chosen() == "torch"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert chosen() == "jax"


@pytest.mark.once
@pytest.mark.parametrize("content", [None, "", "{}", "[]", '"x"'])
def test_without_either_it_is_tensorflow(installed, tmp_path, content):
    installed("tensorflow", "jax")
    if content is not None:
        (tmp_path / "keras.json").write_text(content)
    assert chosen() == "tensorflow"


@pytest.mark.once
@pytest.mark.parametrize(("there", "choice"), [(("torch", "jax"), "jax"), (("torch",), "torch")])
def test_where_it_is_not_installed_another_is_taken(installed, there, choice):
    installed(*there)
    assert chosen() == choice


@pytest.mark.once
def test_without_a_framework_the_error_has_the_pip_line(installed):
    installed()
    assert main._choose(None) == 'no framework is installed. Run: pip install "keras-lr[tensorflow]"'


@pytest.mark.once
def test_a_backend_that_was_asked_for_is_not_replaced(installed):
    installed("jax")
    problem = main._choose(main.options.Backend.torch)
    assert problem == '--backend torch: torch is not installed. Run: pip install "keras-lr[torch]"'


@pytest.mark.once
def test_another_backend_of_keras_is_refused(installed, monkeypatch):
    installed("jax")
    monkeypatch.setenv("KERAS_BACKEND", "openvino")
    assert "keras-lr works on tensorflow, jax and torch" in main._choose(None)


def test_doctor(quick, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)
    ran = quick("doctor")
    assert (ran.code, ran.err) == (0, "")
    for word in ("python", "keras-lr", "numpy", BACKEND, "devices", "CPU:0"):
        assert word in ran.out


def test_doctor_as_json(keras_lr):
    ran = keras_lr("doctor", "--json", KERAS_BACKEND=BACKEND)
    assert (ran.code, ran.err) == (0, "")
    document = ran.document
    assert document["backend"] == BACKEND
    assert document["devices"]
    assert document["problem"] is None
    assert document["versions"]["keras"] == keras.__version__
    assert {name for name in ("tensorflow", "jax", "torch") if name in document["missing"]} == {
        name for name in ("tensorflow", "jax", "torch") if name not in INSTALLED
    }


@pytest.mark.once
@pytest.mark.parametrize("backend", INSTALLED)
def test_a_framework_starts_without_a_word(keras_lr, backend):
    ran = keras_lr("schedule", "Cosine(1.0, 0.0, 10)", "--backend", backend)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Cosine(1.0, 0.0, 10)\n")


def without_frameworks(*words: str) -> subprocess.CompletedProcess:
    code = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "missing = ('tensorflow', 'jax', 'torch')\n"
        "importlib.util.find_spec = lambda name, *rest: None if name in missing else find(name, *rest)\n"
        "import keras_lr_cli.main\n"
        f"sys.argv = ['keras-lr', *{words!r}]\n"
        "keras_lr_cli.main.main()\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.once
def test_without_a_framework_a_command_is_3():
    process = without_frameworks("schedule", "Constant(0.1)", "--json")
    assert process.returncode == 3
    assert process.stderr == 'error: no framework is installed. Run: pip install "keras-lr[tensorflow]"\n'
    assert json.loads(process.stdout)["exit_code"] == 3


@pytest.mark.once
def test_without_a_framework_doctor_still_looks_and_is_3():
    process = without_frameworks("doctor", "--json")
    assert process.returncode == 3, process.stderr
    document = json.loads(process.stdout)
    assert document["backend"] is None
    assert document["problem"] == 'no framework is installed. Run: pip install "keras-lr[tensorflow]"'
    assert document["versions"]["keras"] == keras.__version__


@pytest.fixture
def broken(tmp_path):
    """A TensorFlow whose import writes to stderr and fails."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "tensorflow.py").write_text(
        "import os\nos.write(2, b'loading libtensorflow\\n')\nraise ImportError('libtensorflow.so is damaged')\n"
    )
    return os.pathsep.join([str(tmp_path / "broken"), os.environ.get("PYTHONPATH", "")])


@pytest.mark.once
def test_a_broken_framework_is_3_with_what_it_wrote(keras_lr, broken):
    ran = keras_lr("schedule", "Constant(0.1)", "--backend", "tensorflow", PYTHONPATH=broken)
    assert ran.code == 3
    assert "loading libtensorflow" in ran.err
    assert "Traceback" in ran.err
    assert "error: the backend tensorflow does not start: ImportError: libtensorflow.so is damaged" in ran.err


@pytest.mark.once
def test_doctor_of_a_broken_framework_is_3(keras_lr, broken):
    ran = keras_lr("doctor", "--json", "--backend", "tensorflow", PYTHONPATH=broken)
    assert ran.code == 3, ran.err
    assert "libtensorflow.so is damaged" in ran.document["problem"]


@pytest.mark.once
def test_warnings_of_libraries_are_dropped_ours_and_the_users_stay(monkeypatch, capsys):
    show = quiet._show_unless_from(("/libraries",))
    monkeypatch.setattr(warnings, "showwarning", show)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        warnings.warn_explicit("of a library", UserWarning, "/libraries/numpy/core.py", 1)
        warnings.warn_explicit("of the user", UserWarning, "/home/user/train.py", 1)
        ours = {"__name__": "keras_lr.schedules.atoms.ramps", "warnings": warnings}
        exec("warnings.warn_explicit('of ours', UserWarning, '/libraries/keras/fit.py', 1)", ours)
    assert capsys.readouterr().err == "warning: of the user\nwarning: of ours\n"


@pytest.mark.once
def test_what_libraries_write_is_kept_off_the_screen(capfd):
    with quiet.silence():
        os.write(2, b"I0000 start-up\n")
    assert capfd.readouterr().err == ""


@pytest.mark.once
def test_it_is_shown_where_the_import_fails(capfd):
    with pytest.raises(ImportError), quiet.silence():
        os.write(2, b"I0000 start-up\n")
        raise ImportError
    assert capfd.readouterr().err == "I0000 start-up\n"
