"""Prints what a command returns or raises, and picks the exit code. Imports `keras_lr` only while a command runs.

With `--json`, stdout holds one document and nothing else, even if the user's code or a library prints.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import math
import os
import pathlib
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType

_PIPE_WIDTH = 100


class ExitCode(enum.IntEnum):
    """The exit codes of `keras-lr`."""

    SUCCESS = 0
    NO_ANSWER = 1
    BAD_USAGE = 2
    FAILURE = 3
    INTERRUPT = 130


@dataclasses.dataclass(frozen=True)
class Answer:
    """The result of a command.

    Args:
        document: The JSON document, of plain values, arrays and paths.
        display: The same for people: sentences and tables, in order.
        no_answer: Why the answer is missing, or None.
        saved: The files to list after `display`.
        code: The exit code if there is an answer.
    """

    document: Mapping[str, Any]
    display: Sequence[RenderableType]
    no_answer: str | None = None
    saved: Sequence[pathlib.Path] = ()
    code: ExitCode = ExitCode.SUCCESS


def run(command: Callable[..., Answer], arguments: Mapping[str, Any], as_json: bool) -> ExitCode:
    """Runs a function of `keras_lr_cli.commands`, prints its answer or its error, and returns the exit code."""
    from keras_lr.core.errors import ArgumentError, KerasLRError, UserCodeError

    try:
        with _stdout_to_stderr() if as_json else contextlib.nullcontext():
            answer = command(**arguments)
    except KerasLRError as error:
        if isinstance(error, UserCodeError):
            _print_cause(error)
        code = ExitCode.BAD_USAGE if isinstance(error, ArgumentError) else ExitCode.FAILURE
        return fail(str(error), code, as_json)
    except Exception as error:
        traceback.print_exception(error)
        return fail(f"{type(error).__name__}: {error}", ExitCode.FAILURE, as_json)
    return _print(answer, as_json)


def fail(text: str, code: ExitCode, as_json: bool) -> ExitCode:
    """Prints an error on stderr, and as a JSON document on stdout if `as_json`. Returns `code`."""
    print(text if code is ExitCode.INTERRUPT else f"error: {text}", file=sys.stderr)
    if as_json:
        print(to_json({"error": text, "exit_code": code}))
    return code


def screen() -> Console:
    """Returns a console on stderr for progress, because stdout is for the answer."""
    return _console(sys.stderr)


def note(text: str) -> None:
    """Prints a note for the user on stderr."""
    screen().print(f"note: {text}")


def save(*writers: tuple[Callable[[pathlib.Path], Any], pathlib.Path | None]) -> list[pathlib.Path]:
    """Calls each writer that has a path. Returns the paths."""
    for write, path in writers:
        if path is not None:
            write(path)
    return [path for _, path in writers if path is not None]


def fields(record: Any, *names: str) -> dict[str, Any]:
    """Returns some attributes of a record as a dict."""
    return {name: getattr(record, name) for name in names}


def to_json(document: Mapping[str, Any]) -> str:
    """Writes a document as strict JSON: NaN and the infinities become null."""
    return json.dumps(_plain(document), indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _print(answer: Answer, as_json: bool) -> ExitCode:
    if as_json:
        print(to_json(answer.document))
    else:
        console = _console(sys.stdout)
        for item in answer.display:
            console.print(item, markup=False, soft_wrap=isinstance(item, str) and not console.is_terminal)
        for path in answer.saved:
            console.print(f"Saved {path}", soft_wrap=True, markup=False)
    if answer.no_answer is None:
        return answer.code
    print(f"no answer: {answer.no_answer}", file=sys.stderr)
    return ExitCode.NO_ANSWER


def _console(stream: Any) -> Console:
    """Returns a console as wide as the terminal; in a pipe, wide enough for a table."""
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False)


def _print_cause(error: Exception) -> None:
    """Prints the traceback of the user's own exception, from the user's first line on."""
    cause = error.__cause__
    if cause is None:
        return
    start = cause.__traceback__
    while start is not None and _is_machinery(start):
        start = start.tb_next
    traceback.print_exception(type(cause), cause, start or cause.__traceback__)


def _is_machinery(step: types.TracebackType) -> bool:
    name = str(step.tb_frame.f_globals.get("__name__"))
    ours = name.startswith(("keras_lr.", "keras_lr_cli.", "importlib."))
    return ours or step.tb_frame.f_code.co_filename.startswith("<frozen ")


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Sends stdout to stderr within the block, also that of C++ code and child processes."""
    sys.stdout.flush()
    with contextlib.redirect_stdout(sys.stderr):
        try:
            own = os.dup(1)
        except OSError:  # stdout is closed
            yield
            return
        try:
            os.dup2(2, 1)
            yield
        finally:
            os.dup2(own, 1)
            os.close(own)
