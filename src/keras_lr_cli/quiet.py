"""Starts a framework for the console script without a word of it on the screen. Imports neither `keras_lr` nor Keras."""

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
from collections.abc import Callable, Iterator
from typing import Any


def quiet() -> None:
    """Silences the log lines and the warnings of libraries; those of keras-lr and of the user's own code stay."""
    sys.meta_path.insert(0, _SilentTensorFlow())
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ.setdefault("MPLBACKEND", "Agg")
    for name in ("tensorflow", "absl", "jax", "torch", "matplotlib", "h5py"):
        logging.getLogger(name).setLevel(logging.ERROR)
    libraries = {
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        *site.getsitepackages(),
    }
    warnings.showwarning = _shown_unless_from(tuple(str(pathlib.Path(path).resolve()) for path in libraries))


def _shown_unless_from(libraries: tuple[str, ...]) -> Any:
    """A `warnings.showwarning` that drops the warnings raised by library code, unless it is ours."""

    def show(message: Warning | str, category: type[Warning], filename: str, *_: Any) -> None:
        frame: Any = sys._getframe(1)
        while frame is not None and frame.f_globals.get("__name__") == "warnings":
            frame = frame.f_back
        ours = frame is not None and str(frame.f_globals.get("__name__")).startswith("keras_lr")
        if ours or not str(pathlib.Path(filename).resolve()).startswith(libraries):
            print(f"warning: {message}", file=sys.stderr)

    return show


class _SilentTensorFlow(importlib.abc.MetaPathFinder):
    """Imports TensorFlow in silence whenever that happens: Keras does so on other backends too, in the middle of a run."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """TensorFlow's own spec, with a hushed loader."""
        del target
        spec = importlib.machinery.PathFinder.find_spec(name, path) if name == "tensorflow" else None
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = _in_silence(spec.loader.exec_module)  # type: ignore[method-assign]
        return spec


def _in_silence(run: Callable[..., None]) -> Callable[..., None]:
    def silent(module: Any) -> None:
        with hushed():
            run(module)

    return silent


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keeps what is written to stderr, by C++ too, off the screen; shows it after all where the block fails."""
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
