"""The identity of a plan, in the types of JSON: a store continues only the plan that it was created for.

Two plans are the same if they have the same cases, seeds, model and data. The code of `build_model` is identified by the
model that it returns, arrays by a hash of their bytes, and a dataset by the name of its type. Names that Keras numbers,
such as "dense_3", are renumbered: they depend on what the process has built before.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_lr.comparison.planning import data_checks
from keras_lr.comparison.planning.halving import rungs_of
from keras_lr.comparison.planning.plan import WHERE, Plan
from keras_lr.comparison.planning.reference_model import Description
from keras_lr.core.errors import ArgumentError

if TYPE_CHECKING:
    from keras_lr.comparison.planning.auto_rates import RateStart

MOST_DIFFERENCES = 4  # in a sentence
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"_\d+$")


def identity_of(
    plan: Plan, descriptions: Sequence[Description], model: Any, engine: str, starts: Sequence[RateStart] = ()
) -> dict[str, Any]:
    """Returns the identity of a plan, equal for equal plans in every process.

    Args:
        plan: The plan with the metric as the user named it.
        descriptions: One for each case.
        model: A model of `build_model`.
        engine: The name for the store. On JAX all engines give the same runs; on others the orders of the data differ.
        starts: Of learning_rates="auto", the first rates; then the cases are all that may be tried.
    """
    cases = [
        {
            "name": case.name,
            "learning_rate": description.learning_rate,
            "optimizer": _renumber(description.config),
            "code": description.code,
        }
        for case, description in zip(plan.cases, descriptions, strict=True)
    ]
    settings = ("epochs", "batch_size", "metric", "mode", "prune")
    identity = {
        "cases": cases,
        "seeds": list(plan.seeds),
        **{name: getattr(plan, name) for name in settings},
        "backend": keras.backend.backend(),
        "engine": None if keras.backend.backend() == "jax" else engine,
        "model": _model(model),
        "data": {name: _data(value) for name, value in plan.data.items() if value is not None},
    }
    rungs = rungs_of(plan)
    if rungs:
        identity["rungs"] = list(rungs)
    if starts:
        identity["auto"] = [dataclasses.asdict(start) for start in starts]
    return dict(json.loads(_ADDRESS.sub("", json.dumps(identity, default=str, sort_keys=True))))


def check_identity(there: Mapping[str, Any], here: Mapping[str, Any], store: Any) -> None:
    """Refuses a store with another plan.

    Args:
        there: The identity in the store.
        here: The identity of the call.
        store: The path, for the message.

    Raises:
        ArgumentError: The plans differ.
    """
    text = difference(there, here)
    if text:
        repair = "Pass another path, or the arguments of the plan in it"
        raise ArgumentError(WHERE, f"it holds another plan: {text}", repair, store=str(store))


def difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Describes how two identities differ; "" if they are equal."""
    parts = list(_differences(there, here))
    more = len(parts) - MOST_DIFFERENCES
    return "; ".join(parts[:MOST_DIFFERENCES] + ([f"{more} more"] if more > 0 else []))


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    yield from _cases(there.get("cases", []), here.get("cases", []))
    for name in sorted((there.keys() | here.keys()) - {"cases", "model", "data"}):
        yield from _leaves(name, there.get(name), here.get(name))
    yield from _leaves("model", there.get("model"), here.get("model"))
    data_there, data_here = there.get("data", {}), here.get("data", {})
    for name in sorted(data_there.keys() | data_here.keys()):
        one, other = data_there.get(name), data_here.get(name)
        if _without_hashes(one) == _without_hashes(other) and one != other:
            yield f"{name} has other values"
        else:
            yield from _leaves(name, _without_hashes(one), _without_hashes(other))


def _cases(there: Sequence[Mapping[str, Any]], here: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    one, other = ({case["name"]: case for case in cases} for cases in (there, here))
    for names, word in (([n for n in one if n not in other], "there"), ([n for n in other if n not in one], "here")):
        if names:
            yield f"{'the case' if len(names) == 1 else 'the cases'} {', '.join(map(repr, names))} only {word}"
    for name in [name for name in one if name in other]:
        yield from _leaves(f"case {name!r}", one[name], other[name])
    if one.keys() == other.keys() and list(one) != list(other):
        yield "the cases are in another order"


def _leaves(name: str, there: Any, here: Any) -> Iterator[str]:
    """Yields the leaves that differ, each with its path; lists of different lengths are one leaf."""
    if there == here:
        return
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted(there.keys() | here.keys()):
            yield from _leaves(f"{name}.{key}", there.get(key), here.get(key))
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here) and _nested(there):
        for place, pair in enumerate(zip(there, here, strict=True)):
            yield from _leaves(f"{name}[{place}]", *pair)
    else:
        yield f"{name} is {_short(there)} there and {_short(here)} here"


def _nested(values: Sequence[Any]) -> bool:
    return any(isinstance(value, (dict, list)) for value in values)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _model(model: Any) -> dict[str, Any]:
    """Returns the architecture, the compile arguments and the shapes of the weights."""
    parts: dict[str, Callable[[], Any]] = {
        "config": model.get_config,
        "compiled": model.get_compile_config,
        "weights": lambda: [f"{weight.dtype} {tuple(weight.shape)}" for weight in model.weights],
    }
    identity: dict[str, Any] = {"class": type(model).__name__}
    for name, read in parts.items():
        try:
            identity[name] = json.loads(json.dumps(read(), default=_plain))
        except Exception as error:  # a user's own model may have no config, and raise anything
            identity[name] = f"not known: {type(error).__name__}"
    return _renumber(identity)


def _plain(value: Any) -> Any:
    """Converts what JSON can't: objects of Keras to their config, others to their text."""
    try:
        return keras.saving.serialize_keras_object(value)
    except Exception:  # any object may be in a user's config
        return str(value)


def _renumber(config: Any) -> Any:
    """Renumbers the names that end in a number, from 0 for each stem."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}

    def look(value: Any) -> None:
        if isinstance(value, dict):
            name = value.get("name")
            if isinstance(name, str) and name not in names:
                stem = _NUMBER.sub("", name)
                counts[stem] = counts.get(stem, -1) + 1
                names[name] = f"{stem}#{counts[stem]}"
            for item in value.values():
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)

    def replace(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replace(item) for key, item in value.items()}
        if isinstance(value, list):
            return [replace(item) for item in value]
        return names.get(value, value) if isinstance(value, str) else value

    look(config)
    return replace(config)


def _data(value: Any) -> Any:
    """Describes arrays by shape, type and hash, in their structure; anything else by its type or its text."""
    if data_checks.arrays_of(value):
        return keras.tree.map_structure(_array, _lists(value))
    if isinstance(value, (tuple, list)) and any(data_checks.arrays_of(part) for part in value):
        return [_data(part) for part in value]
    if isinstance(value, (int, float, str)) or value is None:
        return value
    if isinstance(value, (dict, list, tuple)):
        return {"type": type(value).__name__, "sha256": hashlib.sha256(repr(value).encode()).hexdigest()}
    return {"type": f"{type(value).__module__}.{type(value).__qualname__}"}


def _lists(value: Any) -> Any:
    """Converts tuples to lists, as JSON does."""
    if isinstance(value, (tuple, list)):
        return [_lists(part) for part in value]
    return {str(key): _lists(part) for key, part in value.items()} if isinstance(value, dict) else value


def _array(value: Any) -> dict[str, str]:
    on_host = isinstance(value, np.ndarray) or hasattr(value, "dtypes")
    array = np.asarray(value if on_host else keras.ops.convert_to_numpy(value))
    data = repr(array.tolist()).encode() if array.dtype == object else np.ascontiguousarray(array).tobytes()
    return {"array": f"{array.dtype} {array.shape}", "sha256": hashlib.sha256(data).hexdigest()}


def _without_hashes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_hashes(item) for key, item in value.items() if key != "sha256"}
    return [_without_hashes(item) for item in value] if isinstance(value, list) else value
