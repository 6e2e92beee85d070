"""The scripts of examples/find run, and show what they say they show."""

import importlib
import pathlib
import sys

import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "find"


@pytest.fixture(autouse=True)
def _as_a_script(monkeypatch, tmp_path):
    """As `python FOLDER/script.py`: its folder is on the path, and the working directory is somewhere else."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.chdir(tmp_path)


def run(name, output, **arguments):
    sys.modules.pop(name, None)
    return importlib.import_module(name).main(output, **arguments)


def pictures(output):
    return {path.name for path in output.glob("*.png") if path.stat().st_size > 10_000}


def test_the_readme_names_each_script():
    readme = (FOLDER.parent / "README.md").read_text()
    for name in {path.stem for path in FOLDER.glob("*.py")} - {"text_data"}:
        assert f"[{name}](find/{name}.py)" in readme


def test_the_whole_model_gets_a_smaller_rate_than_the_head_and_a_lower_loss(tmp_path):
    head, whole, frozen_loss, loss = run("fine_tuning", tmp_path)
    assert whole.learning_rate < head.learning_rate
    assert loss < 0.7 * frozen_loss < 0.7
    assert pictures(tmp_path) == {"head.png", "whole_model.png"}


def test_the_recipe_of_the_page_is_the_script():
    page = (FOLDER.parents[1] / "docs" / "find.md").read_text()
    code = (FOLDER / "fine_tuning.py").read_text()
    lines = code[code.index("# the recipe\n") : code.index("    # end of the recipe")].splitlines()[1:]
    assert "\n".join(line.removeprefix("    ") for line in lines).strip() in page


@pytest.mark.slow
def test_transformers_with_and_without_a_warm_up_learn_more_than_the_frequencies_of_letters(tmp_path):
    results = run("transformers", tmp_path)
    assert set(results) == {(norm, name) for norm in ("pre-norm", "post-norm") for name in ("constant", "warm-up")}
    for norm in ("pre-norm", "post-norm"):
        constant, warm = results[norm, "constant"][0], results[norm, "warm-up"][0]
        assert 5e-4 < constant.learning_rate <= warm.learning_rate < 0.05  # the peak of a rise is as high or higher
        assert constant.steps == warm.steps == 800
    assert max(loss for _, loss in results.values()) < 2.6
    assert len(pictures(tmp_path)) == 4
