"""The scripts of examples/find run, and show what they say they show."""

import pathlib

import pytest

from tests.examples.scripts import as_scripts, pictures, run

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "find"


_as_a_script = as_scripts(FOLDER)


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
