"""Saves frozen dataclasses as JSON and loads them: the records between measuring, deciding and drawing.

The file is strict JSON, which has no NaN or infinities: they are stored as the strings "NaN", "Infinity" and
"-Infinity". The file also has the name of the record and a format number, so that newer versions can read it.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pathlib
import types
import typing
from typing import Any, TypeVar

import numpy as np

from keras_lr.core.errors import KerasLRError

FORMAT = 1
LATER = {"later": True}  # of a field that 0.1.0 did not have: a file has it only if it isn't its default
Record = TypeVar("Record")


def save(record: Any, path: str | os.PathLike[str]) -> None:
    """Writes a record to `path` as JSON, completely or not at all."""
    target = pathlib.Path(path)
    partial = target.with_name(target.name + ".partial")
    partial.write_text(to_json(record), encoding="utf-8")
    partial.replace(target)


def load(kind: type[Record], path: str | os.PathLike[str]) -> Record:
    """Reads a record of the given kind from `path`."""
    return from_json(kind, pathlib.Path(path).read_text(encoding="utf-8"), source=str(path))


def to_json(record: Any) -> str:
    """Returns a record as a JSON text."""
    return json.dumps({"record": type(record).__name__, "format": FORMAT, **_plain(record)}, allow_nan=False, indent=1)


def from_json(kind: type[Record], text: str, source: str = "the text") -> Record:
    """Reads a record of `kind` from a text of `to_json`. Ignores unknown fields; `source` names the text in an error."""
    try:
        fields = json.loads(text)
        name, number = fields.pop("record"), fields.pop("format")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise KerasLRError(f"{kind.__name__}.load: {source} is not a saved {kind.__name__}.") from error
    if name != kind.__name__:
        raise KerasLRError(f"{kind.__name__}.load: {source} holds a {name}. Use {name}.load.")
    if number > FORMAT:
        raise KerasLRError(f"{kind.__name__}.load: {source} was written by a newer keras-lr. Update keras-lr.")
    return typing.cast(Record, _typed(kind, fields))


def as_record(kind: type[Record], fields: dict[str, Any]) -> Record:
    """Returns a record of `kind` from its fields as JSON has them."""
    return typing.cast(Record, _typed(kind, fields))


def _plain(value: Any) -> Any:
    """Turns dataclasses, arrays and numbers into the types of JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [(field, getattr(value, field.name)) for field in dataclasses.fields(value)]
        return {
            field.name: _plain(own) for field, own in fields if not (field.metadata == LATER and own == field.default)
        }
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _typed(hint: Any, value: Any) -> Any:
    """Turns a value of `_plain` into the type of the record's annotation."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        return _typed(next(argument for argument in arguments if argument is not type(None)), value)
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        names = {field.name for field in dataclasses.fields(hint)}
        return hint(**{name: _typed(hints[name], item) for name, item in value.items() if name in names})  # type: ignore[operator]
    if origin is tuple and arguments[-1] is Ellipsis:
        return tuple(_typed(arguments[0], item) for item in value)
    if origin is tuple:
        return tuple(_typed(argument, item) for argument, item in zip(arguments, value, strict=True))
    if origin is dict:
        return {key: _typed(arguments[1], item) for key, item in value.items()}
    return float(value) if hint is float else value
