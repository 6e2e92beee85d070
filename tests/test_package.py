"""The package as a whole: its surface, what importing it costs, and the README's own lines."""

import ast
import importlib.metadata
import inspect
import json
import pathlib
import re
import subprocess
import sys

import keras
import pytest

import keras_lr as klr
from keras_lr.comparison import summarize
from keras_lr_cli import main
from keras_lr_cli.commands import doctor

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="session")
def fresh():
    """What a new process sees: the modules that Keras loads, those that keras-lr loads, and two lazy names at the end."""
    code = """
import json, sys, keras
before = list(sys.modules)
import keras_lr as klr
after = list(sys.modules)
import keras_lr.comparison.statistics.verdict, keras_lr.finder.deciding.other_finders
print(json.dumps({"keras": before, "keras_lr": after, "functions": [callable(klr.compare), callable(klr.find)]}))
"""
    return json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.once
def test_the_surface_is_exactly_what_all_lists():
    assert {name for name in dir(klr) if not name.startswith("__")} == set(klr.__all__)
    accidental = set(vars(klr)) - set(klr.__all__) - {"_LAZY"}
    for name in accidental:
        assert name.startswith("__") or f"keras_lr.{name}" in sys.modules, name


@pytest.mark.once
def test_type_checkers_see_the_lazy_names():
    (block,) = [node for node in ast.parse(inspect.getsource(klr)).body if isinstance(node, ast.If)]
    declared = [alias.name for node in block.body for alias in node.names]
    assert sorted(declared) == sorted(name for names in klr._LAZY.values() for name in names)


@pytest.fixture
def not_installed(monkeypatch):
    """Hides the metadata of an installation, as when the source tree is on PYTHONPATH."""
    distribution = importlib.metadata.distribution

    def of_others(name):
        if name == "keras-lr":
            raise importlib.metadata.PackageNotFoundError(name)
        return distribution(name)

    monkeypatch.setattr(importlib.metadata, "distribution", of_others)
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("keras-lr")


@pytest.mark.once
def test_the_version_needs_no_installation(not_installed, capsys, monkeypatch):
    assert summarize.versions()["keras-lr"] == klr.__version__
    assert doctor.run(problem=None).document["versions"]["keras-lr"] == klr.__version__
    monkeypatch.setattr(sys, "argv", ["keras-lr", "--version"])
    with pytest.raises(SystemExit, match="0"):
        main.main()
    assert capsys.readouterr().out == f"keras-lr {klr.__version__}\n"


@pytest.mark.once
def test_every_public_name_is_there_and_says_what_it_is():
    names = [name for name in dir(klr) if not name.startswith("_") and callable(getattr(klr, name))]
    assert {"find", "compare", "FindResult", "Comparison", "Case", "LearningRateMonitor", "Schedule"} <= set(names)
    for name in names:
        assert (getattr(klr, name).__doc__ or "").strip(), name


def test_importing_it_loads_no_library_that_only_some_need(fresh):
    own = set(fresh["keras_lr"]) - set(fresh["keras"])
    assert "keras_lr" in own
    lazy = {"keras_lr.callbacks", "keras_lr.finder", "keras_lr.comparison", "keras_lr.schedules.importers.api"}
    assert not {"scipy.stats", "pandas", "matplotlib", "typer", "sklearn", *lazy} & own
    assert not ({"tensorflow", "torch"} - {keras.backend.backend()}) & set(fresh["keras_lr"])


@pytest.mark.once
def test_a_function_is_a_function_even_after_its_floor_was_imported(fresh):
    assert fresh["functions"] == [True, True]


@pytest.mark.once
def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fnid'"):
        _ = klr.fnid


def test_the_ten_lines_of_the_readme_run(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = re.search(r"## Ten lines\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    assert len([row for row in code.splitlines() if row.strip()]) == 10

    def build_model():
        layers = [
            keras.layers.Input((64,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
        model = keras.Sequential(layers)
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        return model

    keras.utils.set_random_seed(0)
    names = {"model": build_model(), "build_model": build_model, "x": digits[0][:640], "y": digits[1][:640]}
    with pytest.warns(
        UserWarning, match="find: the training has 20 updates, fewer than the"
    ):  # two epochs here, for ten
        exec(code.replace("epochs=10", "epochs=2, verbose=0").replace("seeds=5", "seeds=2"), names)
    assert names["found"].interval[0] < names["found"].learning_rate < names["found"].interval[1]
    assert names["result"].best.learning_rate in (0.1, 0.01, 0.001)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["comparison.html", "comparison.png", "lr_finder.png"]
