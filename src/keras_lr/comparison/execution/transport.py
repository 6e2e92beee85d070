"""A plan as it travels to other processes: the user's function and the cases in one pickle, arrays beside it.

A function of a script or of a file travels by its code, so that it need not be importable there and the script is not run
again; one of an installed package travels by its name. Optimizers travel as their configs, Keras's settings with them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import io
import pathlib
import pickle
import site
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_lr.backends import keras as machinery
from keras_lr.comparison.planning.plan import Plan

LARGE = 2**16  # bytes from which an array is kept beside the pickle
_PROGRAM = "program"


class CannotTravelError(Exception):
    """A part of a plan can't be pickled; the text says which and why."""


@dataclasses.dataclass(frozen=True)
class Parcel:
    """A plan that can be sent.

    Attributes:
        program: The pickle.
        arrays: What it refers to, in order.
    """

    program: bytes
    arrays: Sequence[np.ndarray]

    def save(self, folder: pathlib.Path) -> None:
        """Writes it into a folder, for processes on this machine."""
        (folder / _PROGRAM).write_bytes(self.program)
        for number, array in enumerate(self.arrays):
            np.save(folder / f"{number}.npy", array)

    def open(self) -> Plan:
        """The plan, with Keras set as it was where it was packed."""
        read = _Reader(io.BytesIO(self.program), self.arrays).load()
        sys.path += [path for path in read["path"] if path not in sys.path]
        contents = _Reader(io.BytesIO(read["plan"]), self.arrays).load()
        _set(contents["settings"])
        plan: Plan = contents["plan"]
        return plan


def saved(folder: pathlib.Path) -> Parcel:
    """What `Parcel.save` wrote; the arrays are mapped into memory, which processes share until one of them writes."""
    count = len(list(folder.glob("*.npy")))
    arrays = [np.asarray(np.load(folder / f"{number}.npy", mmap_mode="c")) for number in range(count)]
    return Parcel((folder / _PROGRAM).read_bytes(), arrays)


def packed(plan: Plan) -> Parcel:
    """Packs a plan.

    Raises:
        CannotTravelError: A part of it can't be pickled.
    """
    arrays: list[np.ndarray] = []
    with _by_value(plan.build_model):
        _check_parts(plan)
        contents = _pickled({"plan": plan, "settings": _settings()}, arrays)
    return Parcel(_pickled({"path": sys.path, "plan": contents}, []), arrays)


def _check_parts(plan: Plan) -> None:
    """Tries the parts one by one, so that the one at fault can be named."""
    cases = [(case.optimizer, case.schedule) for case in plan.cases]
    for name, part in {"build_model": plan.build_model, **plan.data, "a case": cases}.items():
        try:
            kept: list[np.ndarray] = []
            _Reader(io.BytesIO(_pickled(part, kept)), kept).load()
        except Exception as error:  # a user's object may fail in any way
            said = next(iter(str(error).splitlines()), "")
            kind = "" if name == "a case" else f" ({type(part).__name__})"
            raise CannotTravelError(f"{name}{kind} can't be copied: {type(error).__name__}: {said}") from error


def _pickled(value: Any, arrays: list[np.ndarray]) -> bytes:
    import cloudpickle

    known: dict[int, int] = {}

    class Writer(cloudpickle.Pickler):  # type: ignore[misc] # it has no types
        def persistent_id(self, item: Any) -> int | None:
            """Keeps large arrays beside the pickle, each once."""
            if type(item) is not np.ndarray or item.nbytes < LARGE or item.dtype.kind not in "biufc":
                return None
            if id(item) not in known:
                known[id(item)] = len(arrays)
                arrays.append(item)
            return known[id(item)]

        def reducer_override(self, item: Any) -> Any:
            """Optimizers by their configs: pickled by Keras, one with a schedule in percent would ask it for a rate."""
            if isinstance(item, keras.optimizers.Optimizer):
                return _again, (type(item), item.get_config())
            return super().reducer_override(item)

    file = io.BytesIO()
    Writer(file, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, arrays: Sequence[np.ndarray]) -> None:
        super().__init__(file)
        self._arrays = arrays

    def persistent_load(self, number: int) -> Any:
        return self._arrays[number]


def _again(kind: Any, config: dict[str, Any]) -> Any:
    return kind.from_config(config)


def _settings() -> dict[str, Any]:
    """Keras's settings, the counters of its names, and the classes that the user registered."""
    return {
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "image_data_format": keras.config.image_data_format(),
        "policy": keras.config.dtype_policy().name,
        "names": machinery.GlobalState().names,
        "registered": _registered(),
    }


def _registered() -> dict[str, bytes]:
    """The classes and functions that the user registered, each by its code; one that can't travel may not be needed."""
    found = {}
    for name, kind in keras.saving.get_custom_objects().items():
        if _is_users(_module_of(kind)):
            with _by_value(kind), contextlib.suppress(Exception):
                found[name] = _pickled(kind, [])
    return found


def _set(settings: Mapping[str, Any]) -> None:
    keras.config.set_floatx(settings["floatx"])
    keras.config.set_epsilon(settings["epsilon"])
    keras.config.set_image_data_format(settings["image_data_format"])
    keras.config.set_dtype_policy(settings["policy"])
    state = machinery.GlobalState()
    state.names = settings["names"]
    state.restore()
    for name, pickled in settings["registered"].items():
        package, _, own = name.rpartition(">")
        with contextlib.suppress(Exception):
            keras.saving.register_keras_serializable(package or "Custom", own)(pickle.loads(pickled))


@contextlib.contextmanager
def _by_value(function: Any) -> Iterator[None]:
    """Within the block, what is in the user's own file is pickled by its code."""
    import cloudpickle

    module = _module_of(inspect.unwrap(getattr(function, "func", function)))
    if not _is_users(module) or module is None or module.__name__ in cloudpickle.list_registry_pickle_by_value():
        yield
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _module_of(value: Any) -> types.ModuleType | None:
    return sys.modules.get(getattr(value, "__module__", None) or type(value).__module__)


def _is_users(module: types.ModuleType | None) -> bool:
    """Whether it is a file of the user's own, not part of Python, of an installed package or of keras-lr."""
    if module is None or module.__name__ == "__main__":
        return True
    file = getattr(module, "__file__", None)
    if file is None or module.__name__.partition(".")[0] in ("keras_lr", "keras"):
        return False
    installed = {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    installed |= {*site.getsitepackages(), site.getusersitepackages()}
    return not any(pathlib.Path(file).resolve().is_relative_to(pathlib.Path(path).resolve()) for path in installed)
