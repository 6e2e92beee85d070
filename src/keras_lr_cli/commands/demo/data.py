"""The data of `keras-lr demo`: scikit-learn's digits, MNIST through Keras, or a local `.npz` file, checked."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import zipfile

import keras
import numpy as np

from keras_lr.core.errors import ArgumentError, KerasLRError, MissingExtraError

MOST_TRAINING_IMAGES = 10_000
_KEYS = ("x_train", "y_train", "x_test", "y_test")
_SAVE = "Save it with np.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)"
_TEST_SHARE = 0.2


@dataclasses.dataclass(frozen=True)
class DemoData:
    """Images in [0, 1] and their class numbers, for training and for the test."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(max(self.y_train.max(), self.y_test.max())) + 1


def load(source: str, seed: int = 0) -> DemoData:
    """Loads the data that `--data` names.

    Args:
        source: "digits", "mnist", or the path of a `.npz` file.
        seed: Splits the digits into training and test, and picks the training images if there are too many.

    Returns:
        At most 10,000 training images, in an order set by `seed`.

    Raises:
        ArgumentError: The file is invalid, or the name is unknown.
        MissingExtraError: scikit-learn, which ships the digits, is not installed.
        KerasLRError: MNIST is not in Keras's cache, and its download failed.
    """
    if source == "digits":
        return _digits(seed)
    if source == "mnist":
        return _prepare("MNIST", _mnist(), seed)
    if source.endswith(".npz"):
        return _prepare(pathlib.Path(source).name, _file(source), seed)
    raise _error(source, "data is not known", "Pass digits, mnist or a file path.npz")


def _error(source: str, rule: str, repair: str) -> ArgumentError:
    return ArgumentError("demo", rule, repair, data=source)


def _digits(seed: int) -> DemoData:
    """Loads the 1,797 images of 8 x 8 pixels that scikit-learn ships; a fifth of them are for the test."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "demo", "The demo on digits") from error
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    test, train = np.split(order, [round(len(x) * _TEST_SHARE)])
    images = x.reshape(-1, 8, 8).astype("float32") / 16.0
    labels = y.astype("int32")
    return DemoData("scikit-learn's digits", images[train], labels[train], images[test], labels[test])


def _mnist() -> dict[str, np.ndarray]:
    """Loads MNIST from Keras's cache; Keras downloads it into the cache if need be."""
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
    """Reads the four arrays of a local file."""
    path = pathlib.Path(source).expanduser()
    if not path.is_file():
        repair = f"Check the path; it is looked up from {pathlib.Path.cwd()}"
        raise _error(source, "the file does not exist", repair)
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in _KEYS if name in stored}
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise _error(source, f"the file can't be read as .npz ({_first_line(error)})", _SAVE) from error
    missing = [name for name in _KEYS if name not in arrays]
    if missing:
        raise _error(source, f"the file has no {', '.join(missing)}", _SAVE)
    for part in ("train", "test"):
        _check(source, part, arrays[f"x_{part}"], arrays[f"y_{part}"])
    train, test = arrays["x_train"].shape[1:], arrays["x_test"].shape[1:]
    if train != test:
        rule = f"an image of x_train and of x_test differ in shape: {train} and {test}"
        raise _error(source, rule, "Make them equal")
    return arrays


def _check(source: str, part: str, x: np.ndarray, y: np.ndarray) -> None:
    """Checks for numbers without NaN, and for one whole class number per image."""
    if x.ndim < 2 or len(x) < 10 or x.dtype.kind not in "fiu":
        rule = f"x_{part} must hold numbers, 10 images or more in its first axis; it is {x.dtype} of shape {x.shape}"
        raise _error(source, rule, "Stack the images: shape (images, height, width)")
    if y.shape not in ((len(x),), (len(x), 1)) or y.dtype.kind not in "iu" or y.min() < 0:
        rule = f"y_{part} must hold a class number from 0 for each of {len(x)} images"
        raise _error(source, f"{rule}; it is {y.dtype} of shape {y.shape}", "Store whole numbers, not one-hot rows")
    if not np.isfinite(x).all():
        raise _error(source, f"x_{part} holds NaN or infinite numbers", "Remove or fill them")


def _prepare(name: str, arrays: dict[str, np.ndarray], seed: int) -> DemoData:
    """Divides the images by the largest number of the training images, and picks training images in random order."""
    images = arrays["x_train"]
    scale = float(np.abs(images).max()) or 1.0
    picks = np.random.default_rng(seed).permutation(len(images))[:MOST_TRAINING_IMAGES]
    note = f", {len(picks):,} of {len(images):,} training images" if len(picks) < len(images) else ""
    return DemoData(
        name + note,
        images[picks].astype("float32") / scale,
        arrays["y_train"].reshape(-1)[picks].astype("int32"),
        arrays["x_test"].astype("float32") / scale,
        arrays["y_test"].reshape(-1).astype("int32"),
    )
