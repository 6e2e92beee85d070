"""`keras-lr doctor`: what is installed, what is missing, and whether a backend works."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

from rich.console import Console

import keras_lr
from keras_lr_cli import tables
from keras_lr_cli.outcome import DONE, FAILED, Answer

_FRAMEWORKS = ("tensorflow", "jax", "torch")
_NEEDED = ("keras", "numpy", "pandas", "scipy", "matplotlib")
_OPTIONAL = {"scikit-learn": "demo"}


def run(*, trouble: str | None) -> Answer:
    """Looks at versions through the installed packages' metadata, and at the devices of the backend.

    Args:
        trouble: What kept the framework from starting, or None.

    Returns:
        The versions; exit code 0 when a backend works, 3 else.
    """
    versions: dict[str, Any] = {"python": platform.python_version(), "keras-lr": keras_lr.__version__}
    versions |= {name: version(name) for name in (*_NEEDED, *_FRAMEWORKS, *_OPTIONAL)}
    backend = None
    devices: list[str] = []
    if trouble is None:
        backend = os.environ["KERAS_BACKEND"]
        try:
            devices = _devices()
        except Exception as error:
            trouble = f"the backend {backend} has no devices: {type(error).__name__}: {error}"
    extras = {name: name for name in _FRAMEWORKS} | _OPTIONAL
    missing = {name: f'pip install "keras-lr[{extra}]"' for name, extra in extras.items() if versions[name] is None}
    document = {"versions": versions, "backend": backend, "devices": devices, "missing": missing, "problem": trouble}
    return Answer(document, lambda console: _show(console, document), code=DONE if trouble is None else FAILED)


def _devices() -> list[str]:
    from keras_lr import backends

    return [str(device) for device in backends.active().devices()]


def version(name: str) -> str | None:
    """The version of a distribution, or of its CPU build."""
    for distribution in (name, f"{name}-cpu"):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _show(console: Console, document: dict[str, Any]) -> None:
    missing = document["missing"]
    versions = {name: version or f"not installed ({missing[name]})" for name, version in document["versions"].items()}
    console.print(tables.pairs("Versions", versions))
    backend = {"backend": document["backend"] or "none", "devices": ", ".join(document["devices"]) or "none"}
    console.print(tables.pairs("Backend", backend | {"problem": document["problem"]}))
