"""What a result says as a line and as HTML."""

import dataclasses

import pytest

import keras_lr as klr
from keras_lr.finder.deciding.critical import CriticalRate
from tests.finder.deciding.test_consensus import RATES, ramps

pytestmark = pytest.mark.once
FOUND = klr.FindResult(
    0.00424, (0.0011, 0.016), "The answer is for <3 updates.", "diverged", RATES, ramps().losses, (2.3,) * 100
)


def test_a_line_begins_with_the_answer_its_interval_and_what_it_is_for():
    assert str(FOUND) == "0.0042 (0.0011 to 0.016). The answer is for <3 updates."


def test_html_shows_the_answer_in_bold_then_the_reason_then_the_picture():
    page = FOUND._repr_html_()
    assert page.startswith("<p><b>0.0042</b> (0.0011 to 0.016)</p><p>The answer is for &lt;3 updates.</p><svg ")
    assert page.endswith("</svg>")


def test_html_has_the_cross_check_with_the_critical_rate():
    found = dataclasses.replace(FOUND, critical=CriticalRate(0.1, (0.1, 0.1), ""))
    assert "0.042 times the critical rate of the first update" in found._repr_html_()


def test_a_refusal_gives_its_reason():
    refused = dataclasses.replace(FOUND, learning_rate=None, interval=None, reason="Flat: no rate helps.")
    assert str(refused) == "No learning rate. Flat: no rate helps."
    assert refused._repr_html_().startswith("<p>No learning rate. Flat: no rate helps.</p><svg ")
