"""A progress bar, shown only on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from keras_lr.core.errors import ArgumentError


class Bar:
    """A counter of steps, drawn by a bar of `rich` or not at all."""

    def __init__(self, display: Any = None, task: Any = None) -> None:
        self._display, self._task = display, task

    def step(self) -> None:
        """Counts one step."""
        if self._display is not None:
            self._display.advance(self._task)

    def reach(self, count: int) -> None:
        """Sets the count, as some steps were skipped."""
        if self._display is not None:
            self._display.update(self._task, completed=count)


@contextlib.contextmanager
def progress(where: str, total: int, verbose: str | int, label: str | None = None) -> Iterator[Bar]:
    """Shows a bar on stderr, and removes it at the end.

    Args:
        where: The call that errors name.
        total: The number of steps.
        verbose: 0 for no bar, 1 for a bar, "auto" for a bar if stderr is a terminal.
        label: The text beside the bar. Default: `where`.
    """
    if verbose not in ("auto", 0, 1):
        raise ArgumentError(where, "verbose must be 'auto', 0 or 1", "Pass one of these", verbose=verbose)
    if verbose == 0 or (verbose == "auto" and not sys.stderr.isatty()):
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as display:
        yield Bar(display, display.add_task(label or where, total=total))
