"""keras-lr finds, schedules, watches and compares learning rates for Keras 3 models.

Schedules and callbacks are there at once, so that a saved model loads after nothing but `import keras_lr`; the finder
and the comparison, which need more libraries, load when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from keras_lr import optimizers as optimizers
from keras_lr.callbacks.control import LearningRateControl as LearningRateControl
from keras_lr.callbacks.monitor import LearningRateMonitor as LearningRateMonitor
from keras_lr.callbacks.plateau import ReduceLROnPlateau as ReduceLROnPlateau
from keras_lr.core.errors import ArgumentError as ArgumentError
from keras_lr.core.errors import KerasLRError as KerasLRError
from keras_lr.core.errors import MissingExtraError as MissingExtraError
from keras_lr.core.errors import StoreError as StoreError
from keras_lr.core.errors import UserCodeError as UserCodeError
from keras_lr.optimizers import PerLayer as PerLayer
from keras_lr.optimizers import layerwise_decay as layerwise_decay
from keras_lr.schedules import Adopted as Adopted
from keras_lr.schedules import Bound as Bound
from keras_lr.schedules import Budgeted as Budgeted
from keras_lr.schedules import Constant as Constant
from keras_lr.schedules import Cosine as Cosine
from keras_lr.schedules import CosineRestarts as CosineRestarts
from keras_lr.schedules import Exponential as Exponential
from keras_lr.schedules import Function as Function
from keras_lr.schedules import Infinite as Infinite
from keras_lr.schedules import Interpolate as Interpolate
from keras_lr.schedules import InverseSqrt as InverseSqrt
from keras_lr.schedules import InverseTime as InverseTime
from keras_lr.schedules import KDecay as KDecay
from keras_lr.schedules import Linear as Linear
from keras_lr.schedules import MultiStepDecay as MultiStepDecay
from keras_lr.schedules import Noam as Noam
from keras_lr.schedules import OneCycle as OneCycle
from keras_lr.schedules import Piecewise as Piecewise
from keras_lr.schedules import Polynomial as Polynomial
from keras_lr.schedules import PowerLaw as PowerLaw
from keras_lr.schedules import Ramp as Ramp
from keras_lr.schedules import Rex as Rex
from keras_lr.schedules import Scaled as Scaled
from keras_lr.schedules import Schedule as Schedule
from keras_lr.schedules import SlantedTriangular as SlantedTriangular
from keras_lr.schedules import StepDecay as StepDecay
from keras_lr.schedules import Tanh as Tanh
from keras_lr.schedules import TimeDecay as TimeDecay
from keras_lr.schedules import Triangular as Triangular
from keras_lr.schedules import WarmupStableDecay as WarmupStableDecay
from keras_lr.schedules.compare import compare_schedules as compare_schedules

if TYPE_CHECKING:
    from keras_lr.comparison.case import Case as Case
    from keras_lr.comparison.compare import compare as compare
    from keras_lr.comparison.record import Comparison as Comparison
    from keras_lr.finder.deciding.critical import CriticalRate as CriticalRate
    from keras_lr.finder.find import find as find
    from keras_lr.finder.find_batch_size import BatchSize as BatchSize
    from keras_lr.finder.find_batch_size import find_batch_size as find_batch_size
    from keras_lr.finder.find_then_fit import FoundThenFitted as FoundThenFitted
    from keras_lr.finder.find_then_fit import find_then_fit as find_then_fit
    from keras_lr.finder.result import FindResult as FindResult
    from keras_lr.schedules.importers.api import from_keras as from_keras
    from keras_lr.schedules.importers.api import from_optax as from_optax
    from keras_lr.schedules.importers.api import from_timm as from_timm
    from keras_lr.schedules.importers.api import from_torch as from_torch
    from keras_lr.schedules.importers.api import from_transformers as from_transformers

__version__ = "0.1.0"

_ON_USE = {
    "Case": "keras_lr.comparison",
    "Comparison": "keras_lr.comparison",
    "compare": "keras_lr.comparison",
    "BatchSize": "keras_lr.finder",
    "CriticalRate": "keras_lr.finder",
    "FindResult": "keras_lr.finder",
    "FoundThenFitted": "keras_lr.finder",
    "find": "keras_lr.finder",
    "find_batch_size": "keras_lr.finder",
    "find_then_fit": "keras_lr.finder",
    "from_keras": "keras_lr.schedules.importers.api",
    "from_optax": "keras_lr.schedules.importers.api",
    "from_timm": "keras_lr.schedules.importers.api",
    "from_torch": "keras_lr.schedules.importers.api",
    "from_transformers": "keras_lr.schedules.importers.api",
}


def __getattr__(name: str) -> Any:
    if name not in _ON_USE:
        raise AttributeError(f"module 'keras_lr' has no attribute {name!r}")
    value = getattr(importlib.import_module(_ON_USE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_ON_USE])
