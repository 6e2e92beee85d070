"""The data of `keras-lr demo`: scikit-learn's digits, MNIST through Keras, or a local `.npz` file, checked."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from keras_lr.core.errors import ArgumentError, KerasLRError, MissingExtraError

MOST_TRAINING_IMAGES = 10_000
_KEYS = ("x_train", "y_train", "x_test", "y_test")
_SAVE = "Save it with np.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)"
_HELD_OUT = 0.2


@dataclasses.dataclass(frozen=True)
class DemoData:
    """Images in [0, 1] and the number of their class, for training and, held out, for the test."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(max(self.y_train.max(), self.y_test.max())) + 1


def load(source: str, seed: int = 0) -> DemoData:
    """The data that `--data` names.

    Args:
        source: "digits", "mnist", or the path of a file `.npz`.
        seed: How the digits are dealt into training and test, and which images are left out where there are too many.

    Returns:
        At most 10,000 training images, in an order set by `seed`.

    Raises:
        ArgumentError: The file is not what it should be, or the name is unknown.
        MissingExtraError: scikit-learn, which has the digits, is not installed.
        KerasLRError: MNIST is neither in Keras's cache nor can it be downloaded.
    """
    if source == "digits":
        return _digits(seed)
    if source == "mnist":
        return _prepared("MNIST", _mnist(), seed)
    if source.endswith(".npz"):
        return _prepared(pathlib.Path(source).name, _file(source), seed)
    raise ArgumentError("demo", "data is not known", "Pass digits, mnist or a file path.npz", data=source)


def _digits(seed: int) -> DemoData:
    """The 1,797 images of 8 x 8 pixels that scikit-learn ships, a fifth of them held out."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "demo", "The demo on digits") from error
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    test, train = np.split(order, [round(len(x) * _HELD_OUT)])
    images = x.reshape(-1, 8, 8).astype("float32") / 16.0
    labels = y.astype("int32")
    return DemoData("scikit-learn's digits", images[train], labels[train], images[test], labels[test])


def _mnist() -> dict[str, np.ndarray]:
    """MNIST from Keras's cache, else downloaded there by Keras."""
    import keras

    try:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:
        home = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras")
        raise KerasLRError(
            f"demo(data='mnist'): MNIST is not at {home / 'datasets' / 'mnist.npz'} (KERAS_HOME sets the folder), and its "
            f"download failed: {_first_line(error)}. Put the file there, connect to the network, or pass --data path.npz."
        ) from error
    return dict(zip(_KEYS, (x_train, y_train, x_test, y_test), strict=True))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _file(source: str) -> dict[str, np.ndarray]:
    """The four arrays of a local file."""
    path = pathlib.Path(source).expanduser()
    if not path.is_file():
        raise ArgumentError(
            "demo", "the file does not exist", f"Check the path; it is looked up from {pathlib.Path.cwd()}", data=source
        )
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in _KEYS if name in stored}
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise ArgumentError(
            "demo", f"the file can't be read as .npz ({_first_line(error)})", _SAVE, data=source
        ) from error
    missing = [name for name in _KEYS if name not in arrays]
    if missing:
        raise ArgumentError("demo", f"the file has no {', '.join(missing)}", _SAVE, data=source)
    for part in ("train", "test"):
        _check(source, part, arrays[f"x_{part}"], arrays[f"y_{part}"])
    if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
        shapes = f"{arrays['x_train'].shape[1:]} and {arrays['x_test'].shape[1:]}"
        raise ArgumentError(
            "demo", f"an image of x_train and of x_test differ in shape: {shapes}", "Make them equal", data=source
        )
    return arrays


def _check(source: str, part: str, x: np.ndarray, y: np.ndarray) -> None:
    """Numbers without NaN, one whole class number for each image."""
    if x.ndim < 2 or len(x) < 10 or x.dtype.kind not in "fiu":
        rule = f"x_{part} must hold numbers, 10 images or more in its first axis; it is {x.dtype} of shape {x.shape}"
        raise ArgumentError("demo", rule, "Stack the images: shape (images, height, width)", data=source)
    if y.shape not in ((len(x),), (len(x), 1)) or y.dtype.kind not in "iu" or y.min() < 0:
        rule = (
            f"y_{part} must hold a class number from 0 for each of {len(x)} images; it is {y.dtype} of shape {y.shape}"
        )
        raise ArgumentError("demo", rule, "Store whole numbers, not one-hot rows", data=source)
    if not np.isfinite(x).all():
        raise ArgumentError("demo", f"x_{part} holds NaN or infinite numbers", "Remove or fill them", data=source)


def _prepared(name: str, arrays: dict[str, Any], seed: int) -> DemoData:
    """The arrays scaled by the largest number of the training images, shuffled, and not too many."""
    images = arrays["x_train"]
    scale = float(np.abs(images).max()) or 1.0
    kept = np.random.default_rng(seed).permutation(len(images))[:MOST_TRAINING_IMAGES]
    note = f", {len(kept):,} of {len(images):,} training images" if len(kept) < len(images) else ""
    return DemoData(
        name + note,
        images[kept].astype("float32") / scale,
        arrays["y_train"].reshape(-1)[kept].astype("int32"),
        arrays["x_test"].astype("float32") / scale,
        arrays["y_test"].reshape(-1).astype("int32"),
    )
