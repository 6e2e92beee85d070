"""Silences the start of a framework for the console script. Imports neither `keras_lr` nor Keras."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import logging
import os
import pathlib
import site
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any


def quiet() -> None:
    """Silences the log lines and warnings of libraries, but not those of keras-lr and of the user's code."""
    sys.meta_path.insert(0, _SilentTensorFlow())
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ.setdefault("MPLBACKEND", "Agg")
    for name in ("tensorflow", "absl", "jax", "torch", "matplotlib", "h5py"):
        logging.getLogger(name).setLevel(logging.ERROR)
    libraries = {*map(sysconfig.get_path, ("stdlib", "purelib", "platlib")), *site.getsitepackages()}
    warnings.showwarning = _show_unless_from(tuple(str(pathlib.Path(path).resolve()) for path in libraries))


def _show_unless_from(libraries: tuple[str, ...]) -> Any:
    """Returns a `warnings.showwarning` that drops the warnings of other libraries."""

    def show(message: Warning | str, category: type[Warning], filename: str, *_: Any) -> None:
        frame: Any = sys._getframe(1)
        while frame is not None and frame.f_globals.get("__name__") == "warnings":
            frame = frame.f_back
        ours = frame is not None and str(frame.f_globals.get("__name__")).startswith("keras_lr")
        if ours or not str(pathlib.Path(filename).resolve()).startswith(libraries):
            print(f"warning: {message}", file=sys.stderr)

    return show


class _SilentTensorFlow(importlib.abc.MetaPathFinder):
    """Silences the import of TensorFlow, which Keras delays until the middle of a run on other backends."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Returns TensorFlow's own spec with a silent loader."""
        del target
        spec = importlib.machinery.PathFinder.find_spec(name, path) if name == "tensorflow" else None
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = silence()(spec.loader.exec_module)  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Hides stderr, also that of C++ code. If the block raises, prints it after all."""
    sys.stderr.flush()
    try:
        screen = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        except Exception:
            sys.stderr.flush()
            os.dup2(screen, 2)
            caught.seek(0)
            sys.stderr.write(caught.read().decode(errors="replace"))
            raise
        finally:
            sys.stderr.flush()
            os.dup2(screen, 2)
            os.close(screen)
