"""`keras-lr doctor`: what is installed, what is missing, and whether a backend works."""

from __future__ import annotations

import importlib.metadata
import os
import platform

import keras_lr
from keras_lr import backends
from keras_lr_cli import options, tables
from keras_lr_cli.outcome import Answer, ExitCode

_NEEDED = ("keras", "numpy", "pandas", "scipy", "matplotlib")
_EXTRAS = {**{name.value: name.value for name in options.Backend}, "scikit-learn": "demo"}


def run(*, problem: str | None) -> Answer:
    """Lists the versions of the installed packages and the devices of the backend.

    Args:
        problem: What kept the framework from starting, or None.

    Returns:
        The versions; the exit code is that of a failure unless the backend works.
    """
    backend = None
    devices: list[str] = []
    if problem is None:
        backend = os.environ["KERAS_BACKEND"]
        try:
            devices = [str(device) for device in backends.active().devices()]
        except Exception as error:
            problem = f"the backend {backend} has no devices: {type(error).__name__}: {error}"
    versions: dict[str, str | None] = {"python": platform.python_version(), "keras-lr": keras_lr.__version__}
    versions |= {name: version(name) for name in (*_NEEDED, *_EXTRAS)}
    missing = {name: options.INSTALL.format(extra) for name, extra in _EXTRAS.items() if versions[name] is None}
    shown = {name: version or f"not installed ({missing[name]})" for name, version in versions.items()}
    backend_rows = {"backend": backend or "none", "devices": ", ".join(devices) or "none", "problem": problem}
    return Answer(
        {"versions": versions, "backend": backend, "devices": devices, "missing": missing, "problem": problem},
        [tables.pairs("Versions", shown), tables.pairs("Backend", backend_rows)],
        code=ExitCode.SUCCESS if problem is None else ExitCode.FAILURE,
    )


def version(name: str) -> str | None:
    """Returns the version of a distribution, or of its CPU build."""
    for distribution in (name, f"{name}-cpu"):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None
