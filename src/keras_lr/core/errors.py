"""The errors of keras-lr.

    KerasLRError
    ├── ArgumentError (ValueError)      an argument is invalid; the text names the call, the rule and the repair
    ├── UserCodeError (RuntimeError)    the user's own function raised; that exception is the cause
    ├── StoreError (OSError)            a store can't be read or written: disk full, no permission, another driver
    └── MissingExtraError (ImportError) an optional package is not installed; the text has the pip line

A run that diverged or a curve without an answer is a result with a reason, not an error.
"""

from __future__ import annotations

from typing import Any


class KerasLRError(Exception):
    """The base class of all errors of keras-lr."""

    def __reduce__(self) -> Any:
        """Pickles an error by its text: the arguments of its class are gone by then."""
        return _from_text, (type(self), str(self))


class ArgumentError(KerasLRError, ValueError):
    """An argument is invalid. The text always has the form `Where(argument=value): the rule. The repair.`.

    Args:
        where: The function or class that was called, such as `find` or `Cosine`.
        rule: What the argument violates, one clause without a full stop.
        repair: What to do instead, one sentence without a full stop.
        **argument: The invalid argument under its name.

    Example:
        >>> raise ArgumentError("Cosine", "steps must be at least 1", "Pass a whole number", steps=-3)
        Traceback (most recent call last):
        ...
        keras_lr.core.errors.ArgumentError: Cosine(steps=-3): steps must be at least 1. Pass a whole number.
    """

    def __init__(self, where: str, rule: str, repair: str, /, **argument: Any) -> None:
        shown = ", ".join(f"{name}={_short(value)}" for name, value in argument.items())
        super().__init__(f"{where}({shown}): {rule}. {repair}.")


class UserCodeError(KerasLRError, RuntimeError):
    """The user's own function raised. The original exception is `__cause__`."""


class StoreError(KerasLRError, OSError):
    """A store can't be read or written. Its earlier contents are unchanged.

    Args:
        where: The function that was called.
        fault: What prevents access, one clause without a full stop.
        repair: What to do about it, one sentence without a full stop.
        store: The path, for the text.

    Example:
        >>> raise StoreError("compare", "it can't be written: the disk is full", "Free some space", store="runs.sqlite")
        Traceback (most recent call last):
        ...
        keras_lr.core.errors.StoreError: compare(store='runs.sqlite'): it can't be written: the disk is full. Free some space.
    """

    def __init__(self, where: str, fault: str, repair: str, /, store: Any) -> None:
        super().__init__(f"{where}(store={str(store)!r}): {fault}. {repair}.")


class MissingExtraError(KerasLRError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f'{purpose} needs {package}, which is not installed. Run: pip install "keras-lr[{extra}]"')


def _from_text(kind: type[KerasLRError], text: str) -> KerasLRError:
    error = kind.__new__(kind)
    error.args = (text,)
    return error


def _short(value: Any, limit: int = 120) -> str:
    """Returns the repr of a value, or only its type if the repr is long."""
    shape = getattr(value, "shape", None)
    if shape is not None and not isinstance(value, (int, float)) and shape != ():
        return f"<{type(value).__name__} of shape {tuple(shape)}>"
    text = repr(value)
    return text if len(text) <= limit and "\n" not in text else f"<{type(value).__name__}>"
