"""Loads what the user names: `path/train.py:build_model` or `package.module:name`, and the data that `--data` returns.

A file is run once, under its own name and not as `__main__`, with its folder on `sys.path`. What goes wrong is told apart:
a wrong name is an `ArgumentError`, an exception of the user's code a `UserCodeError` with that exception as its cause.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pathlib
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_lr.core.errors import ArgumentError, UserCodeError

FIT_ARGUMENTS = (
    "x", "y", "batch_size", "epochs", "verbose", "callbacks", "validation_split", "validation_data", "shuffle",
    "class_weight", "sample_weight", "initial_epoch", "steps_per_epoch", "validation_steps", "validation_batch_size",
    "validation_freq",
)  # fmt: skip
_FORM = "Write path/train.py:{0} or package.module:{0}"
_DATA = "Return (x, y), ((x, y), (x_val, y_val)) or a dict of fit's arguments"
_RUN: dict[pathlib.Path, types.ModuleType] = {}


def factory(where: str, **argument: str) -> Callable[[], Any]:
    """The function that the user names.

    Args:
        where: The command, for the error.
        **argument: The text, by the name of its argument: `model="train.py:build_model"`.

    Returns:
        The function, which can be called without arguments.

    Raises:
        ArgumentError: There is no such file, module or function, or it needs arguments.
        UserCodeError: The file or module raised while it was run.
    """
    ((argument_name, text),) = argument.items()
    source, _, name = text.rpartition(":")
    if not source or not name:
        example = "load_data" if argument_name == "data" else "build_model"
        raise ArgumentError(where, "it names no function", _FORM.format(example), **argument)
    is_file = source.endswith(".py") or os.sep in source or pathlib.Path(source).is_file()
    module = _file(where, source, argument) if is_file else _module(where, source, argument)
    if not hasattr(module, name):
        raise ArgumentError(where, f"{source} has no {name!r}", _choices(module), **argument)
    found = getattr(module, name)
    if not callable(found):
        kind = type(found).__name__
        raise ArgumentError(where, f"{name} is not a function but of type {kind}", _choices(module), **argument)
    _check_no_arguments(where, name, found, argument)
    return found


def call(where: str, made: Callable[[], Any], **argument: str) -> Any:
    """What the user's function returns; an exception in it becomes a `UserCodeError` with that one as its cause."""
    try:
        return made()
    except (Exception, SystemExit) as error:
        raise _raised(where, getattr(made, "__name__", "it"), error, argument) from error


def data(where: str, text: str, taken: Sequence[str], note: Callable[[str], None]) -> dict[str, Any]:
    """The arguments of `fit` that the user's data function gives.

    Args:
        where: The command, for the error.
        text: The function, as in `factory`.
        taken: The arguments that this command has a use for.
        note: Told about arguments of `fit` that it has none for.

    Returns:
        A dict with `x` and some others of `taken`.

    Raises:
        ArgumentError: As `factory`, or what it returns is none of the three forms.
        UserCodeError: The function raised.
    """
    returned = call(where, factory(where, data=text), data=text)
    if isinstance(returned, Mapping):
        return _from_dict(where, text, returned, taken, note)
    if not isinstance(returned, tuple) or len(returned) != 2:
        size = f" of {len(returned)}" if isinstance(returned, tuple) else ""
        raise ArgumentError(where, f"it returned a {type(returned).__name__}{size}", _DATA, data=text)
    if not all(isinstance(part, tuple) and len(part) == 2 for part in returned):
        return {"x": returned[0], "y": returned[1]}
    (x, y), validation = returned
    if "validation_data" not in taken:
        note(f"{where} has no use for the validation data")
        return {"x": x, "y": y}
    return {"x": x, "y": y, "validation_data": validation}


def _from_dict(
    where: str, text: str, returned: Mapping[Any, Any], taken: Sequence[str], note: Callable[[str], None]
) -> dict[str, Any]:
    unknown = [str(name) for name in returned if name not in FIT_ARGUMENTS]
    if unknown:
        raise ArgumentError(
            where,
            f"its dict has {', '.join(unknown)}, which fit does not take",
            f"Use {', '.join(FIT_ARGUMENTS)}",
            data=text,
        )
    if returned.get("x") is None:
        raise ArgumentError(where, "its dict has no x", _DATA, data=text)
    unused = [
        name
        for name in returned
        if name not in taken and name not in ("verbose", "shuffle") and returned[name] is not None
    ]
    if unused:
        note(f"{where} has no use for {', '.join(unused)} in the data's dict")
    return {name: value for name, value in returned.items() if name in taken and value is not None}


def _file(where: str, source: str, argument: Mapping[str, str]) -> types.ModuleType:
    """Runs a file, once, as a module of its own name."""
    path = pathlib.Path(source).expanduser().resolve()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ArgumentError(
            where, f"the file {source} {what}", f"Check the path; it is looked up from {pathlib.Path.cwd()}", **argument
        )
    if path in _RUN:
        return _RUN[path]
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    name = path.stem if path.stem not in sys.modules else f"keras_lr_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ArgumentError(where, f"{source} is no Python file", _FORM.format("build_model"), **argument)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise _raised(where, source, error, argument) from error
    _RUN[path] = module
    return module


def _module(where: str, source: str, argument: Mapping[str, str]) -> types.ModuleType:
    """Imports a module by its name, from the working directory too."""
    here = str(pathlib.Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(source)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{source}.".startswith(f"{error.name}."):
            raise _raised(where, source, error, argument) from error
        repair = "Install it, or start where it can be imported, or write path/train.py:build_model"
        raise ArgumentError(where, f"there is no module {error.name!r}", repair, **argument) from None
    except (Exception, SystemExit) as error:
        raise _raised(where, source, error, argument) from error


def _check_no_arguments(where: str, name: str, found: Callable[..., Any], argument: Mapping[str, str]) -> None:
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # a function that does not tell
        return
    try:
        signature.bind()
    except TypeError:
        raise ArgumentError(
            where, f"{name}{signature} needs arguments, and gets none", "Give them defaults", **argument
        ) from None


def _choices(module: types.ModuleType) -> str:
    """The functions that could have been meant: the module's own, public ones."""
    own = [name for name, value in vars(module).items() if _is_public_function(module, name, value)]
    return f"Its functions are {', '.join(sorted(own))}" if own else "It has no functions of its own: write one"


def _is_public_function(module: types.ModuleType, name: str, value: Any) -> bool:
    return callable(value) and not name.startswith("_") and getattr(value, "__module__", None) == module.__name__


def _raised(where: str, what: str, error: BaseException, argument: Mapping[str, str]) -> UserCodeError:
    """The user's exception, in the words of our errors."""
    ((name, text),) = argument.items()
    said = " ".join(str(error).split())
    shown = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return UserCodeError(f"{where}({name}={text!r}): {what} raised {shown.rstrip('.')}. Its traceback says where.")
