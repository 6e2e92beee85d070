"""Loads what the user names: `path/train.py:build_model` or `package.module:name`, and the data that `--data` returns.

A file is executed once, under its own name and not as `__main__`, with its folder on `sys.path`. A wrong name is an
`ArgumentError`. An exception of the user's code is a `UserCodeError` whose cause is that exception.
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
_modules: dict[pathlib.Path, types.ModuleType] = {}


def factory(where: str, **argument: str) -> Callable[[], Any]:
    """Finds the function that the user names.

    Args:
        where: The command, for the error.
        **argument: The text under the name of its argument: `model="train.py:build_model"`.

    Returns:
        The function, which can be called without arguments.

    Raises:
        ArgumentError: The file, module or function does not exist, or the function needs arguments.
        UserCodeError: The file or module raised.
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
    function = getattr(module, name)
    if not callable(function):
        rule = f"{name} is not a function but of type {type(function).__name__}"
        raise ArgumentError(where, rule, _choices(module), **argument)
    _check_no_arguments(where, name, function, argument)
    return function


def call(where: str, function: Callable[[], Any], **argument: str) -> Any:
    """Calls the user's function. An exception in it becomes the cause of a `UserCodeError`."""
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise _user_error(where, getattr(function, "__name__", "it"), error, argument) from error


def data(where: str, text: str, names: Sequence[str], note: Callable[[str], None]) -> dict[str, Any]:
    """Calls the user's data function and sorts what it returns into arguments of `fit`.

    Args:
        where: The command, for the error.
        text: The function, as in `factory`.
        names: The arguments that this command uses.
        note: Receives a sentence about arguments of `fit` that this command ignores.

    Returns:
        A dict with `x` and others of `names`.

    Raises:
        ArgumentError: As `factory`, or the data has none of the three forms.
        UserCodeError: The function raised.
    """
    value = call(where, factory(where, data=text), data=text)
    if isinstance(value, Mapping):
        return _from_dict(where, text, value, names, note)
    if not isinstance(value, tuple) or len(value) != 2:
        size = f" of {len(value)}" if isinstance(value, tuple) else ""
        raise ArgumentError(where, f"it returned a {type(value).__name__}{size}", _DATA, data=text)
    if not all(isinstance(part, tuple) and len(part) == 2 for part in value):
        return {"x": value[0], "y": value[1]}
    (x, y), validation = value
    if "validation_data" not in names:
        note(f"{where} has no use for the validation data")
        return {"x": x, "y": y}
    return {"x": x, "y": y, "validation_data": validation}


def _from_dict(
    where: str, text: str, value: Mapping[Any, Any], names: Sequence[str], note: Callable[[str], None]
) -> dict[str, Any]:
    unknown = [str(name) for name in value if name not in FIT_ARGUMENTS]
    if unknown:
        rule = f"its dict has {', '.join(unknown)}, which fit does not take"
        raise ArgumentError(where, rule, f"Use {', '.join(FIT_ARGUMENTS)}", data=text)
    if value.get("x") is None:
        raise ArgumentError(where, "its dict has no x", _DATA, data=text)
    present = {name: item for name, item in value.items() if item is not None}
    unused = [name for name in present if name not in (*names, "verbose", "shuffle")]
    if unused:
        note(f"{where} has no use for {', '.join(unused)} in the data's dict")
    return {name: item for name, item in present.items() if name in names}


def _file(where: str, source: str, argument: Mapping[str, str]) -> types.ModuleType:
    """Executes a file, once, as a module of its own name."""
    path = pathlib.Path(source).expanduser().resolve()
    if not path.is_file():
        rule = f"the file {source} {'is a folder' if path.is_dir() else 'does not exist'}"
        raise ArgumentError(where, rule, f"Check the path; it is looked up from {pathlib.Path.cwd()}", **argument)
    if path in _modules:
        return _modules[path]
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    name = path.stem if path.stem not in sys.modules else f"keras_lr_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ArgumentError(where, f"{source} is not a Python file", _FORM.format("build_model"), **argument)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise _user_error(where, source, error, argument) from error
    _modules[path] = module
    return module


def _module(where: str, source: str, argument: Mapping[str, str]) -> types.ModuleType:
    """Imports a module by its name, from the working directory too."""
    here = str(pathlib.Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(source)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is None or not f"{source}.".startswith(f"{missing}."):
            raise _user_error(where, source, error, argument) from error
    repair = "Install it, or start where it can be imported, or write path/train.py:build_model"
    raise ArgumentError(where, f"the module {missing!r} does not exist", repair, **argument)


def _check_no_arguments(where: str, name: str, function: Callable[..., Any], argument: Mapping[str, str]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions of C have no signature
        return
    try:
        signature.bind()
    except TypeError:
        rule = f"{name}{signature} needs arguments, and gets none"
        raise ArgumentError(where, rule, "Give them defaults", **argument) from None


def _choices(module: types.ModuleType) -> str:
    """Lists the module's own public functions, as the repair of an error."""
    functions = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    own = [name for name in functions if getattr(vars(module)[name], "__module__", None) == module.__name__]
    return f"Its functions are {', '.join(sorted(own))}" if own else "It has no functions of its own: write one"


def _user_error(where: str, source: str, error: BaseException, argument: Mapping[str, str]) -> UserCodeError:
    """Names the call and the user's exception in one sentence."""
    ((name, text),) = argument.items()
    message = " ".join(str(error).split())
    shown = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return UserCodeError(f"{where}({name}={text!r}): {source} raised {shown.rstrip('.')}. Its traceback says where.")
