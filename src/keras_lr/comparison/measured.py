"""The key of a run, its measurement, and the software that produced it."""

from __future__ import annotations

import dataclasses
import platform
import sys
from collections.abc import Sequence

import keras
import numpy as np

from keras_lr.core.version import __version__
from keras_lr.engines.fit import TrainingRun


@dataclasses.dataclass(frozen=True, order=True)
class RunKey:
    """Identifies a run of a comparison: a case, trained with a seed, in a rung.

    Attributes:
        rung: 0 for a run of all epochs; for `prune="halving"` the number of a shorter rung, from 1 for the shortest.
        case: The number of the case in the plan, from 0.
        seed: As in `compare`.
    """

    rung: int
    case: int
    seed: int


@dataclasses.dataclass(frozen=True)
class RunMeasurement:
    """A run with the rate of each update, and with their raw losses if the engine measures them."""

    run: TrainingRun
    learning_rates: Sequence[float]
    losses: Sequence[float] | None = None


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that runs depend on."""
    backend = keras.backend.backend()
    framework = getattr(sys.modules.get(backend), "__version__", "")
    return {
        "keras-lr": __version__,
        "keras": keras.__version__,
        "backend": f"{backend} {framework}".strip(),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
