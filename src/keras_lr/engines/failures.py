"""Describe the exception that ended a run, and release the memory that it holds."""

from __future__ import annotations

import gc
import traceback

from keras_lr.core.errors import UserCodeError

OUT_OF_MEMORY = "out of memory"
_LONGEST = 200  # characters of the summary line
_SIGNS = ("memoryerror", "resourceexhausted", "resource_exhausted", "out of memory", "allocate memory")


class RemoteTraceback(Exception):
    """The traceback of an exception in another process, as text."""


def describe(error: BaseException) -> str:
    """Returns the exception as one line, a blank line and its traceback.

    The line starts with "out of memory: " for the memory errors of Python and of the frameworks.

    Args:
        error: For a `UserCodeError`, its cause is described.
    """
    if isinstance(error, UserCodeError) and error.__cause__ is not None:
        error = error.__cause__
    text = "".join(traceback.format_exception_only(error)).strip()
    line = next(iter(text.splitlines()), type(error).__name__)
    line = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
    prefix = f"{OUT_OF_MEMORY}: " if any(sign in text.lower() for sign in _SIGNS) else ""
    return f"{prefix}{line}\n\n{''.join(traceback.format_exception(error))}"


def summary(description: str) -> str:
    """Returns the first line of what `describe` returned."""
    return description.partition("\n")[0]


def release_memory(error: BaseException) -> None:
    """Clears the frames of the traceback, which may hold a model, so that the next run has their memory."""
    pending: list[BaseException | None] = [error]
    visited: set[int] = set()
    while pending:
        link = pending.pop()
        if link is not None and id(link) not in visited:
            visited.add(id(link))
            traceback.clear_frames(link.__traceback__)
            pending += [link.__cause__, link.__context__]
    gc.collect()
