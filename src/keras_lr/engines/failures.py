"""What an exception says that ended a run: a line and a traceback. The memory that it holds is given back."""

from __future__ import annotations

import gc
import traceback

from keras_lr.core.errors import UserCodeError

OUT_OF_MEMORY = "out of memory"
_LONGEST = 200  # characters of the line
_SIGNS = ("memoryerror", "resourceexhausted", "resource_exhausted", "out of memory", "allocate memory")


class Told(Exception):
    """What was raised in another process: its traceback, as a text."""


def described(error: BaseException) -> str:
    """The exception in one line, and below it its traceback.

    Args:
        error: What was raised. Of a `UserCodeError` the user's own exception counts.

    Returns:
        The line starts with "out of memory: " where that is what it was, in the words of Python or of a framework.
    """
    own = _own(error)
    shown = "".join(traceback.format_exception_only(own)).strip()
    line = next(iter(shown.splitlines()), type(own).__name__)
    line = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
    kind = f"{OUT_OF_MEMORY}: " if any(sign in shown.lower() for sign in _SIGNS) else ""
    return f"{kind}{line}\n\n{''.join(traceback.format_exception(own))}"


def summary(error: str) -> str:
    """The line of what `described` returned."""
    return error.partition("\n")[0]


def release(error: BaseException) -> None:
    """Lets go of what the frames of the traceback hold, such as the model, so that the next run has its memory."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            pending += [one.__cause__, one.__context__]
    gc.collect()


def _own(error: BaseException) -> BaseException:
    return error.__cause__ if isinstance(error, UserCodeError) and error.__cause__ is not None else error
