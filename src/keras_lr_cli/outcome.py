"""From a command's answer, or its error, to what is printed and to the exit code.

0 done, 1 ran but has no answer (with the reason), 2 bad usage, 3 failed, 130 interrupted. With `--json` stdout holds one
document and nothing else, whatever the user's code and the libraries print.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from rich.console import Console

from keras_lr.core.errors import ArgumentError, KerasLRError, UserCodeError

DONE, NO_ANSWER, BAD_USAGE, FAILED, INTERRUPTED = 0, 1, 2, 3, 130
_WIDTH_OF_A_PIPE = 100


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command found out.

    Args:
        document: The JSON document, of plain values, arrays and paths.
        show: Prints the same for people.
        no_answer: Why there is no answer, or None where there is one.
        code: The exit code.
    """

    document: Mapping[str, Any]
    show: Callable[[Console], None]
    no_answer: str | None = None
    code: int = DONE


def run(command: Callable[..., Answer], arguments: Mapping[str, Any], as_json: bool) -> int:
    """Runs a command and prints its answer.

    Args:
        command: A `run` function of this package.
        arguments: Its keyword arguments.
        as_json: Whether stdout is to hold one JSON document.

    Returns:
        The exit code.
    """
    try:
        with _stdout_to_stderr() if as_json else contextlib.nullcontext():
            answer = command(**arguments)
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED, as_json, prefix="")
    except ArgumentError as error:
        return _failed(str(error), BAD_USAGE, as_json)
    except UserCodeError as error:
        _print_cause(error)
        return _failed(str(error), FAILED, as_json)
    except KerasLRError as error:
        return _failed(str(error), FAILED, as_json)
    except Exception as error:
        traceback.print_exception(error)
        return _failed(f"{type(error).__name__}: {error}", FAILED, as_json)
    return _printed(answer, as_json)


def screen() -> Console:
    """Where the progress of a run is shown: stderr, so that stdout stays for the answer."""
    return _console(sys.stderr)


def plain(value: Any) -> Any:
    """Anything that a document holds as what strict JSON knows: NaN and the infinities become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def as_json_text(document: Mapping[str, Any]) -> str:
    """A document as JSON text."""
    return json.dumps(plain(document), indent=1, allow_nan=False)


def _printed(answer: Answer, as_json: bool) -> int:
    if as_json:
        print(as_json_text(answer.document))
    else:
        answer.show(_console(sys.stdout))
    if answer.no_answer is None:
        return answer.code
    print(f"no answer: {answer.no_answer}", file=sys.stderr)
    return NO_ANSWER


def _failed(text: str, code: int, as_json: bool, prefix: str = "error: ") -> int:
    print(f"{prefix}{text}", file=sys.stderr)
    if as_json:
        print(as_json_text({"error": text, "exit_code": code}))
    return code


def _console(stream: Any) -> Console:
    """A console as wide as the terminal; in a pipe wide enough for a table."""
    return Console(
        file=stream, width=None if stream.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_A_PIPE, highlight=False
    )


def _print_cause(error: UserCodeError) -> None:
    """The traceback of the user's own exception, from the user's first line on."""
    cause = error.__cause__
    if cause is None:
        return
    start = cause.__traceback__
    while start is not None and _is_machinery(start):
        start = start.tb_next
    traceback.print_exception(type(cause), cause, start or cause.__traceback__)


def _is_machinery(step: types.TracebackType) -> bool:
    name = str(step.tb_frame.f_globals.get("__name__"))
    return name.startswith(("keras_lr.", "keras_lr_cli.", "importlib.")) or step.tb_frame.f_code.co_filename.startswith(
        "<frozen "
    )


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Sends what is written to stdout within the block to stderr, by C++ and child processes too."""
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
