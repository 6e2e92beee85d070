"""docs/schedules.md shows every schedule that there is."""

import importlib.util
import pathlib

import pytest

from keras_lr import schedules
from keras_lr.schedules.text import METHODS, parse

pytestmark = pytest.mark.once

DOCS = pathlib.Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def page():
    spec = importlib.util.spec_from_file_location("schedules_page", DOCS / "schedules.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def public():
    kinds = [value for value in vars(schedules).values() if isinstance(value, type)]
    return {kind.__name__ for kind in kinds if issubclass(kind, schedules.Schedule)} - {"Schedule", "Bound"}


def test_every_schedule_has_its_section_and_its_picture(page):
    assert set(page.documented()) == public()
    text = (DOCS / "schedules.md").read_text()
    for name in page.documented():
        assert f"### {name}\n" in text
        assert name in ("Function", "Adopted") or (DOCS / "images" / "schedules" / f"{name}.svg").exists()


def test_the_page_is_that_of_the_docstrings(page, tmp_path):
    text = (DOCS / "schedules.md").read_text()
    for _, entries in page.SECTIONS.values():
        for name, (code, peers) in entries.items():
            assert "\n".join(page.entry(name, code, peers, tmp_path)) in text, f"run make docs: {name} has changed"


def test_what_is_drawn_is_the_schedule_it_stands_under(page):
    for _, entries in page.SECTIONS.values():
        for name, (code, _) in entries.items():
            assert code is None or type(parse(code)).__name__ == name


def test_every_method_is_on_the_page():
    text = (DOCS / "schedules.md").read_text()
    assert [method for method in METHODS if f".{method}(" not in text] == []
