"""keras-lr finds, schedules, watches and compares learning rates for Keras 3 models.

`import keras_lr` loads the schedules and the optimizers, so that Keras can load a saved model that has them. Everything
else loads on first use.
"""

from typing import TYPE_CHECKING

from keras_lr import optimizers, schedules
from keras_lr.core.errors import ArgumentError, KerasLRError, MissingExtraError, StoreError, UserCodeError
from keras_lr.core.version import __version__ as __version__
from keras_lr.optimizers import PerLayer, layerwise_decay
from keras_lr.schedules import (
    Adopted, Bound, Budgeted, Constant, Cosine, CosineRestarts, Exponential, Function, Infinite, Interpolate,
    InverseSqrt, InverseTime, KDecay, Linear, MultiStepDecay, Noam, OneCycle, Piecewise, Polynomial, PowerLaw, Ramp,
    Rex, Scaled, Schedule, SlantedTriangular, StepDecay, Tanh, TimeDecay, Triangular, WarmupStableDecay,
)  # fmt: skip

__all__ = [
    "Adopted", "ArgumentError", "BatchSize", "Bound", "Budgeted", "Case", "Comparison", "Constant", "Cosine",
    "CosineRestarts", "CriticalRate", "Exponential", "FindResult", "FoundThenFitted", "Function", "Infinite",
    "Interpolate", "InverseSqrt", "InverseTime", "KDecay", "KerasLRError", "LearningRateControl", "LearningRateMonitor",
    "Linear", "MissingExtraError", "MultiStepDecay", "Noam", "OneCycle", "PerLayer", "Piecewise", "Polynomial",
    "PowerLaw", "Ramp", "ReduceLROnPlateau", "Rex", "Scaled", "Schedule", "SlantedTriangular", "StepDecay",
    "StoreError", "Tanh", "TimeDecay", "Triangular", "UserCodeError", "WarmupStableDecay", "compare",
    "compare_schedules", "find", "find_batch_size", "find_then_fit", "from_keras", "from_optax", "from_timm",
    "from_torch", "from_transformers", "layerwise_decay", "optimizers", "schedules",
]  # fmt: skip

_LAZY = {
    "keras_lr.callbacks.control": ("LearningRateControl",),
    "keras_lr.callbacks.monitor": ("LearningRateMonitor",),
    "keras_lr.callbacks.plateau": ("ReduceLROnPlateau",),
    "keras_lr.comparison": ("Case", "Comparison", "compare"),
    "keras_lr.finder": (
        "BatchSize", "CriticalRate", "FindResult", "FoundThenFitted", "find", "find_batch_size", "find_then_fit",
    ),
    "keras_lr.schedules.compare": ("compare_schedules",),
    "keras_lr.schedules.importers.api": (
        "from_keras", "from_optax", "from_timm", "from_torch", "from_transformers",
    ),
}  # fmt: skip

if TYPE_CHECKING:
    from keras_lr.callbacks.control import LearningRateControl
    from keras_lr.callbacks.monitor import LearningRateMonitor
    from keras_lr.callbacks.plateau import ReduceLROnPlateau
    from keras_lr.comparison.case import Case
    from keras_lr.comparison.compare import compare
    from keras_lr.comparison.result import Comparison
    from keras_lr.finder.deciding.critical import CriticalRate
    from keras_lr.finder.find import find
    from keras_lr.finder.find_batch_size import BatchSize, find_batch_size
    from keras_lr.finder.find_then_fit import FoundThenFitted, find_then_fit
    from keras_lr.finder.result import FindResult
    from keras_lr.schedules.compare import compare_schedules
    from keras_lr.schedules.importers.api import from_keras, from_optax, from_timm, from_torch, from_transformers
else:
    del TYPE_CHECKING

    def __getattr__(name: str) -> object:
        """Loads a name of `_LAZY` on first use."""
        from importlib import import_module

        for module, names in _LAZY.items():
            if name in names:
                globals()[name] = getattr(import_module(module), name)
                return globals()[name]
        raise AttributeError(f"module 'keras_lr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
