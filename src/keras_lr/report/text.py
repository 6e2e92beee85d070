"""Numbers and tables as plain text, for terminals, legends and pages."""

from __future__ import annotations

import math
from collections.abc import Sequence

MISSING = "-"


def rate(value: float | None) -> str:
    """A learning rate in two significant digits.

    Example:
        >>> rate(0.00312), rate(3.14e-05), rate(0.1), rate(12.0), rate(None)
        ('0.0031', '3.1e-05', '0.1', '12', '-')
    """
    if value is None:
        return MISSING
    return f"{value:.2g}" if not 100 <= abs(value) < 1e6 else f"{float(f'{value:.2g}'):.0f}"


def number(value: float | None, digits: int = 4) -> str:
    """A number in so many significant digits, without an exponent where it is readable without.

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
    """A measured number: with an interval, in as many decimals as the interval makes certain.

    Args:
        value: The number.
        bounds: Its interval; it sets the precision and is not written.

    Example:
        >>> measured(0.123456, (0.1034, 0.1434)), measured(0.123456), measured(1234.5, (1000.0, 1500.0))
        ('0.123', '0.1235', '1234')
    """
    places = _places(bounds)
    if value is None or places is None:
        return number(value)
    return f"{value:.{places}f}"


def interval(bounds: tuple[float, float] | None) -> str:
    """Two bounds, in the decimals that their distance makes certain.

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
    """A table with aligned columns: numbers to the right, words to the left.

    Example:
        >>> print(table(["case", "loss"], [["lr 0.1", "0.25"], ["lr 0.01", "12.5"]]))
        case     loss
        -------  ----
        lr 0.1   0.25
        lr 0.01  12.5
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(header)]
    right = [bool(cells) and all(_is_number(row[i]) for row in cells) for i in range(len(header))]
    lines = [list(header), ["-" * width for width in widths], *cells]
    return "\n".join(_aligned(line, widths, right) for line in lines)


def _aligned(line: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    placed = [
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(line, widths, right, strict=True)
    ]
    return "  ".join(placed).rstrip()


def _places(bounds: tuple[float, float] | None) -> int | None:
    """Decimals in which half of the interval has two digits, or None where that is no help."""
    if bounds is None or not all(math.isfinite(bound) for bound in bounds):
        return None
    half = abs(bounds[1] - bounds[0]) / 2
    if half == 0.0:
        return None
    places = 1 - math.floor(math.log10(half))
    return max(0, places) if places <= 7 else None


def _cell(value: object) -> str:
    if value is None:
        return MISSING
    return number(value) if isinstance(value, float) else str(value)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == MISSING
    return True
