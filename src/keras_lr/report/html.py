"""Write a self-contained HTML page from plain data: no script, no font, no link to another file.

The page has styles for dark mode and for print. Every text is escaped; only the SVG of a `Picture` is embedded unchanged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from html import escape

from keras_lr.report import text

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --rule: #d8dce0; --faint: #f4f6f8; --soft: #5b6470; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --paper: #15181c; --rule: #3a4048; --faint: #1e2227; --soft: #9aa4af; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
td.number, th.number { text-align: right; white-space: nowrap; }
figure { margin: .5rem 0; background: #ffffff; padding: .5rem; border-radius: 4px; }
figure svg { width: 100%; height: auto; display: block; }
pre { background: var(--faint); padding: .7rem .9rem; border-radius: 4px; overflow-x: auto; font-size: .85rem; line-height: 1.4; }
@media print {
  :root { --ink: #000; --paper: #fff; --rule: #bbb; --faint: #fff; --soft: #444; }
  body { margin: 0; max-width: none; font-size: 11pt; }
  figure, table, pre { break-inside: avoid; }
  h2 { break-after: avoid; }
  pre { white-space: pre-wrap; border: 1px solid var(--rule); }
}
""".strip()


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclasses.dataclass(frozen=True)
class DataTable:
    """Rows under a header. Columns of numbers are right-aligned; None is shown as a dash."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclasses.dataclass(frozen=True)
class Picture:
    """An SVG element, and its description for readers who can't see it."""

    svg: str
    description: str


@dataclasses.dataclass(frozen=True)
class Code:
    """Preformatted code."""

    text: str


Part = Paragraph | DataTable | Picture | Code


@dataclasses.dataclass(frozen=True)
class Section:
    """Parts under a heading, which may be empty."""

    heading: str
    parts: Sequence[Part]


def page(title: str, sections: Sequence[Section]) -> str:
    """Returns the HTML of a whole page.

    Args:
        title: The title, which is also the first heading.
        sections: The contents, from the top.

    Example:
        >>> "<h1>Rates &lt;1</h1>" in page("Rates <1", [Section("", [Paragraph("Nothing yet.")])])
        True
    """
    name = escape(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<main>\n<h1>{name}</h1>\n"
        f"{fragment(sections)}\n</main>\n</body>\n</html>\n"
    )


def fragment(sections: Sequence[Section]) -> str:
    """Returns the HTML of the sections alone, to embed in another page such as a notebook."""
    return "\n".join(_section(section) for section in sections)


def _section(section: Section) -> str:
    heading = f"<h2>{escape(section.heading)}</h2>\n" if section.heading else ""
    return f"<section>\n{heading}" + "\n".join(_part(part) for part in section.parts) + "\n</section>"


def _part(part: Part) -> str:
    if isinstance(part, DataTable):
        return _table(part)
    if isinstance(part, Picture):
        return f'<figure role="img" aria-label="{escape(part.description)}">\n{part.svg}\n</figure>'
    if isinstance(part, Code):
        return f"<pre><code>{escape(part.text)}</code></pre>"
    return f"<p>{escape(part.text)}</p>"


def _table(table: DataTable) -> str:
    body = [[text.cell(value) for value in row] for row in table.rows]
    numeric = text.numeric_columns(len(table.header), body)
    head = _row("th", table.header, numeric)
    rows = "\n".join(_row("td", row, numeric) for row in body)
    return f'<div class="wide"><table>\n<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'


def _row(tag: str, cells: Sequence[str], numeric: Sequence[bool]) -> str:
    scope = ' scope="col"' if tag == "th" else ""
    styles = [' class="number"' if right else "" for right in numeric]
    columns = (f"<{tag}{scope}{style}>{escape(cell)}</{tag}>" for cell, style in zip(cells, styles, strict=True))
    return f"<tr>{''.join(columns)}</tr>"
