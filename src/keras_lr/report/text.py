"""Format numbers and tables as plain text, for terminals, legends and pages."""

from __future__ import annotations

import math
from collections.abc import Sequence

MISSING = "-"


def rate(value: float | None) -> str:
    """Formats a learning rate with two significant digits.

    Example:
        >>> rate(0.00312), rate(3.14e-05), rate(0.1), rate(12.0), rate(None)
        ('0.0031', '3.1e-05', '0.1', '12', '-')
    """
    if value is None:
        return MISSING
    return f"{value:.2g}" if not 100 <= abs(value) < 1e6 else f"{float(f'{value:.2g}'):.0f}"


def number(value: float | None, digits: int = 4) -> str:
    """Formats a number with `digits` significant digits, and an exponent only if it is very large or small.

    Example:
        >>> number(0.123456), number(123456.0), number(2.0), number(float("inf")), number(None)
        ('0.1235', '123456', '2', 'inf', '-')
    """
    if value is None:
        return MISSING
    if not math.isfinite(value) or not 10**digits <= abs(value) < 1e9:
        return f"{value:.{digits}g}"
    return f"{value:.0f}"


def measured(value: float | None, bounds: tuple[float, float] | None = None) -> str:
    """Formats a measured number, with as many decimals as its interval justifies.

    Args:
        value: The estimate, or None.
        bounds: Its interval, which sets the precision; it is not part of the text.

    Example:
        >>> measured(0.123456, (0.1034, 0.1434)), measured(0.123456), measured(1234.5, (1000.0, 1500.0))
        ('0.123', '0.1235', '1234')
    """
    places = _places(bounds)
    if value is None or places is None:
        return number(value)
    return f"{value:.{places}f}"


def interval(bounds: tuple[float, float] | None) -> str:
    """Formats an interval, with as many decimals as its width justifies.

    Example:
        >>> interval((0.10341, 0.14339)), interval((0.00181, 0.0052)), interval(None)
        ('0.103 to 0.143', '0.0018 to 0.0052', '-')
    """
    if bounds is None:
        return MISSING
    low, high = bounds
    places = _places(bounds)
    return f"{number(low)} to {number(high)}" if places is None else f"{low:.{places}f} to {high:.{places}f}"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Formats a table with aligned columns: numbers to the right, words to the left.

    Example:
        >>> print(table(["case", "loss"], [["lr 0.1", "0.25"], ["lr 0.01", "12.5"]]))
        case     loss
        -------  ----
        lr 0.1   0.25
        lr 0.01  12.5
    """
    # DataFrame.to_string can't left-align words; to_html has neither aligned columns nor header scopes.
    body = [[cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *body, strict=True)]
    right = numeric_columns(len(header), body)
    lines = [header, ["-" * width for width in widths], *body]
    return "\n".join("  ".join(map(_justify, line, widths, right)).rstrip() for line in lines)


def cell(value: object) -> str:
    """Formats a value of a table: None is a dash, and a float has four significant digits."""
    if value is None:
        return MISSING
    return number(value) if isinstance(value, float) else str(value)


def numeric_columns(count: int, body: Sequence[Sequence[str]]) -> list[bool]:
    """Returns whether each of `count` columns holds only numbers and dashes; False in a table without rows."""
    return [bool(body) and all(_is_number(row[column]) for row in body) for column in range(count)]


def _justify(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == MISSING
    return True


def _places(bounds: tuple[float, float] | None) -> int | None:
    """Returns the decimals with which half of the interval has two digits; None without a usable interval."""
    if bounds is None or not all(math.isfinite(bound) for bound in bounds):
        return None
    half = abs(bounds[1] - bounds[0]) / 2
    if half == 0.0:
        return None
    places = 1 - math.floor(math.log10(half))
    return max(0, places) if places <= 7 else None
