"""A page is one file, and a user's text never becomes a tag."""

import re
from html.parser import HTMLParser

import pytest

from keras_lr.report import html

pytestmark = pytest.mark.once

BAD = '<script>alert("1")</script> & $5$'


class Balanced(HTMLParser):
    """Fails on a closing tag that doesn't close the last open one."""

    def __init__(self):
        super().__init__()
        self.open, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def whole_page():
    parts = [
        html.Paragraph(BAD),
        html.DataTable([BAD, "n"], [[BAD, 1.5], [None, 2]]),
        html.Code(BAD),
        html.Picture("<svg></svg>", BAD),
    ]
    return html.page(BAD, [html.Section(BAD, parts), html.Section("", [])])


def test_every_text_is_escaped():
    text = whole_page()
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 8


def test_tags_are_balanced():
    parser = Balanced()
    parser.feed(whole_page())
    assert parser.open == []
    assert {"table", "figure", "pre", "h1", "h2"} <= set(parser.tags)


def test_nothing_is_loaded_from_elsewhere():
    text = whole_page()
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?://", text)
    assert "@media print" in text
    assert "prefers-color-scheme: dark" in text


def test_numbers_stand_to_the_right():
    cells = html.fragment([html.Section("", [html.DataTable(["name", "n"], [["a", 1.23456789], ["b", None]])])])
    assert '<td class="number">1.235</td>' in cells
    assert '<td class="number">-</td>' in cells
    assert "<td>a</td>" in cells
