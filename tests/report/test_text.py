"""Formats of numbers and tables."""

import pytest

from keras_lr.report import text

pytestmark = pytest.mark.once


def test_rates_have_two_digits():
    written = [text.rate(value) for value in (0.00312, 3.14e-5, 0.1, 1.0, 10.0, 123.0, 0.0)]
    assert written == ["0.0031", "3.1e-05", "0.1", "1", "10", "120", "0"]


def test_an_interval_is_written_as_precisely_as_it_is_narrow():
    assert text.interval((0.98421, 0.98439)) == "0.984210 to 0.984390"
    assert text.interval((0.2, 0.9)) == "0.20 to 0.90"
    assert text.interval((800.0, 1300.0)) == "800 to 1300"
    assert text.interval((0.5, 0.5)) == "0.5 to 0.5"
    assert text.measured(0.123456, (0.1, 0.15)) == "0.123"


def test_a_table_is_aligned():
    rows = [["a", 1.5, None], ["longer", 12.25, "x"]]
    assert text.table(["name", "value", "note"], rows).split("\n") == [
        "name    value  note",
        "------  -----  ----",
        "a         1.5  -",
        "longer  12.25  x",
    ]


def test_a_table_without_rows_is_its_header():
    assert text.table(["a", "bc"], []) == "a  bc\n-  --"
