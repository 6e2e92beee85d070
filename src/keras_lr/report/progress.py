"""A progress bar on a terminal, and silence elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from keras_lr.core.errors import ArgumentError


class Bar:
    """Counts what is done; draws it where there is something to draw on."""

    def __init__(self, drawn: Any = None, task: Any = None) -> None:
        self._drawn, self._task = drawn, task

    def step(self) -> None:
        """One more is done."""
        if self._drawn is not None:
            self._drawn.advance(self._task)

    def reach(self, done: int) -> None:
        """So many are done, some of them left out."""
        if self._drawn is not None:
            self._drawn.update(self._task, completed=done)


@contextlib.contextmanager
def progress(label: str, total: int, verbose: str | int) -> Iterator[Bar]:
    """A bar of `total` steps on stderr, gone at its end.

    Args:
        label: What is going on.
        total: How many steps it has.
        verbose: 0 for silence, 1 for a bar, "auto" for a bar where stderr is a terminal.
    """
    if verbose not in ("auto", 0, 1):
        raise ArgumentError(label, "verbose must be 'auto', 0 or 1", "Pass one of these", verbose=verbose)
    if verbose == 0 or (verbose == "auto" and not sys.stderr.isatty()):
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as drawn:
        yield Bar(drawn, drawn.add_task(label, total=total))
