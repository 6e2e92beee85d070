"""Send a plan to other processes: the user's function and the cases as one pickle, large arrays beside it.

Code from the user's scripts and files is sent by value: other processes need not import it, and the script does not run
again. Code from an installed package is sent by name, an optimizer as its config. Keras's settings are sent too.
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

LARGE = 2**16  # bytes from which an array is stored beside the pickle
_PICKLE = "plan.pickle"


class PackError(Exception):
    """A part of a plan can't be pickled. The message names the part and the reason."""


@dataclasses.dataclass(frozen=True)
class PackedPlan:
    """A plan that other processes can unpack.

    Attributes:
        data: The pickle of everything but the large arrays.
        arrays: The large arrays, to which the pickle refers by number.
    """

    data: bytes
    arrays: Sequence[np.ndarray]

    def save(self, folder: pathlib.Path) -> None:
        """Writes it into a folder, for processes on this machine."""
        (folder / _PICKLE).write_bytes(self.data)
        for number, array in enumerate(self.arrays):
            np.save(folder / f"{number}.npy", array)

    def unpack(self) -> Plan:
        """Returns the plan, and applies the settings that Keras had where it was packed."""
        outer = _PlanUnpickler(io.BytesIO(self.data), self.arrays).load()
        sys.path += [path for path in outer["path"] if path not in sys.path]
        contents = _PlanUnpickler(io.BytesIO(outer["plan"]), self.arrays).load()
        _apply(contents["settings"])
        plan: Plan = contents["plan"]
        return plan


def load(folder: pathlib.Path) -> PackedPlan:
    """Reads what `save` wrote. The arrays are memory-mapped: processes share them until one of them writes."""
    count = len(list(folder.glob("*.npy")))
    arrays = [np.asarray(np.load(folder / f"{number}.npy", mmap_mode="c")) for number in range(count)]
    return PackedPlan((folder / _PICKLE).read_bytes(), arrays)


def pack(plan: Plan) -> PackedPlan:
    """Packs a plan.

    Raises:
        PackError: A part of it can't be pickled.
    """
    arrays: list[np.ndarray] = []
    with _by_value(plan.build_model):
        _check_parts(plan)
        contents = _dump({"plan": plan, "settings": _settings()}, arrays)
    return PackedPlan(_dump({"path": sys.path, "plan": contents}, []), arrays)


def _check_parts(plan: Plan) -> None:
    """Packs the parts one by one, so that the message can name the faulty one."""
    cases = [(case.optimizer, case.schedule) for case in plan.cases]
    for name, part in {"build_model": plan.build_model, **plan.data, "a case": cases}.items():
        try:
            arrays: list[np.ndarray] = []
            _PlanUnpickler(io.BytesIO(_dump(part, arrays)), arrays).load()
        except Exception as error:  # a user's object may raise anything
            message = next(iter(str(error).splitlines()), "")
            kind = "" if name == "a case" else f" ({type(part).__name__})"
            raise PackError(f"{name}{kind} can't be copied: {type(error).__name__}: {message}") from error


def _dump(value: Any, arrays: list[np.ndarray]) -> bytes:
    """Pickles a value, and appends its large arrays to the list."""
    import cloudpickle

    numbers: dict[int, int] = {}

    class PlanPickler(cloudpickle.Pickler):  # type: ignore[misc] # it has no types
        def persistent_id(self, item: Any) -> int | None:
            """Stores each large array once, beside the pickle."""
            if type(item) is not np.ndarray or item.nbytes < LARGE or item.dtype.kind not in "biufc":
                return None
            if id(item) not in numbers:
                numbers[id(item)] = len(arrays)
                arrays.append(item)
            return numbers[id(item)]

        def reducer_override(self, item: Any) -> Any:
            """Pickles optimizers by config; Keras's own pickling would evaluate a schedule with relative lengths."""
            if isinstance(item, keras.optimizers.Optimizer):
                return _from_config, (type(item), item.get_config())
            return super().reducer_override(item)

    file = io.BytesIO()
    PlanPickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


class _PlanUnpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, arrays: Sequence[np.ndarray]) -> None:
        super().__init__(file)
        self._arrays = arrays

    def persistent_load(self, number: int) -> Any:
        return self._arrays[number]


def _from_config(kind: Any, config: dict[str, Any]) -> Any:
    return kind.from_config(config)


def _settings() -> dict[str, Any]:
    """Returns Keras's settings, the counters of its names, and what the user registered."""
    return {
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "image_data_format": keras.config.image_data_format(),
        "policy": keras.config.dtype_policy().name,
        "names": machinery.GlobalState().names,
        "registered": _custom_objects(),
    }


def _custom_objects() -> dict[str, bytes]:
    """Pickles the classes and functions that the user registered by value; skips those that can't be pickled."""
    pickles = {}
    for name, item in keras.saving.get_custom_objects().items():
        if _is_users(_module_of(item)):
            with _by_value(item), contextlib.suppress(Exception):
                pickles[name] = _dump(item, [])
    return pickles


def _apply(settings: Mapping[str, Any]) -> None:
    keras.config.set_floatx(settings["floatx"])
    keras.config.set_epsilon(settings["epsilon"])
    keras.config.set_image_data_format(settings["image_data_format"])
    keras.config.set_dtype_policy(settings["policy"])
    state = machinery.GlobalState()
    state.names = settings["names"]
    state.restore()
    for full_name, data in settings["registered"].items():
        package, _, name = full_name.rpartition(">")
        with contextlib.suppress(Exception):
            keras.saving.register_keras_serializable(package or "Custom", name)(pickle.loads(data))


@contextlib.contextmanager
def _by_value(function: Any) -> Iterator[None]:
    """Pickles the contents of the user's own module by value within the block."""
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
    """Returns whether a module is the user's own file: not part of Python, of an installed package or of keras-lr."""
    if module is None or module.__name__ == "__main__":
        return True
    file = getattr(module, "__file__", None)
    if file is None or module.__name__.partition(".")[0] in ("keras_lr", "keras"):
        return False
    installed = {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    installed |= {*site.getsitepackages(), site.getusersitepackages()}
    return not any(pathlib.Path(file).resolve().is_relative_to(pathlib.Path(path).resolve()) for path in installed)
