"""The data of long trainings and of texts: each example is seen once, so that training does not overfit.

The digits are Keras's own MNIST file, or a part of it with the same keys. Its path is the environment variable MNIST; the default
is where `keras.datasets.mnist` keeps it. The texts are the sources of `scipy.stats`. Imports only NumPy, SciPy and scikit-learn.
"""

from __future__ import annotations

import functools
import os
import pathlib
from collections.abc import Callable

import numpy as np
import scipy.stats
from data import Arrays, standard
from sklearn import datasets

MNIST = os.environ.get("MNIST", "~/.keras/datasets/mnist.npz")
SHIFT = 3  # pixels to each side
VALIDATION = 2000  # examples
CHARACTERS = 97  # the printable ones of ASCII, the end of a line, and all others as one
WINDOW = 24  # characters of an example


@functools.cache
def mnist() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Digits of 28 x 28 pixels with their classes, for training and for validation."""
    path = pathlib.Path(MNIST).expanduser()
    if not path.exists():
        raise SystemExit(f"No digits at {path}. Set MNIST to the path of a file like that of keras.datasets.mnist.")
    with np.load(path) as file:
        return file["x_train"], file["y_train"], file["x_test"], file["y_test"]


def shift(x: np.ndarray, y: np.ndarray, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws digits, shifts each by up to three pixels, and halves them to 14 x 14 pixels in [0, 1]."""
    chance = np.random.default_rng(seed)
    chosen = chance.integers(0, len(x), rows)
    wide = np.pad(x, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    down, right = chance.integers(0, 2 * SHIFT + 1, (2, rows))
    pixels = np.arange(28)
    out = np.empty((rows, 14, 14), "float32")
    for start in range(0, rows, 10_000):
        part = slice(start, start + 10_000)
        images = wide[
            chosen[part, None, None], down[part, None, None] + pixels[:, None], right[part, None, None] + pixels
        ]
        out[part] = images.reshape(-1, 14, 2, 14, 2).mean((2, 4)) / 255.0
    return out, y[chosen].astype("int64")


@functools.lru_cache(maxsize=2)
def shifted(rows: int, classes: tuple[int, ...] = tuple(range(10))) -> Arrays:
    """Shifted digits of some classes, which count from 0."""
    x, y, x_val, y_val = mnist()
    names = np.zeros(10, "int64")
    names[list(classes)] = np.arange(len(classes))
    train, later = np.isin(y, classes), np.isin(y_val, classes)
    images, labels = shift(x[train], names[y[train]], rows, 0)
    return images, labels, *shift(x_val[later], names[y_val[later]], VALIDATION, 1)


def digit_rows(rows: int, classes: tuple[int, ...] = tuple(range(10))) -> Callable[[], Arrays]:
    """Shifted digits as rows of 196 pixels."""

    def arrays() -> Arrays:
        x, y, x_val, y_val = shifted(rows, classes)
        return x.reshape(len(x), -1), y, x_val.reshape(len(x_val), -1), y_val

    return arrays


def digit_images(rows: int) -> Callable[[], Arrays]:
    """Shifted digits as images."""

    def arrays() -> Arrays:
        x, y, x_val, y_val = shifted(rows)
        return x[..., None], y, x_val[..., None], y_val

    return arrays


def digit_steps(rows: int, across: bool) -> Callable[[], Arrays]:
    """Shifted digits as sequences of their 14 rows, or of their columns."""

    def arrays() -> Arrays:
        x, y, x_val, y_val = shifted(rows)
        return (x.swapaxes(1, 2), y, x_val.swapaxes(1, 2), y_val) if across else (x, y, x_val, y_val)

    return arrays


def digit_copies(rows: int) -> Callable[[], Arrays]:
    """Shifted digits as their own targets."""

    def arrays() -> Arrays:
        x, _, x_val, _ = digit_rows(rows)()
        return x, x, x_val, x_val

    return arrays


def unshifted(classes: tuple[int, ...]) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """Digits of some classes as they are, in 14 x 14 pixels, to train a network before."""

    def arrays() -> tuple[np.ndarray, np.ndarray]:
        x, y, _, _ = mnist()
        there = np.isin(y, classes)
        return x[there].reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196) / 255.0, y[there]

    return arrays


@functools.lru_cache(maxsize=1)
def crops(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Squares of 8 x 8 pixels from anywhere in two photos, grey, minus their mean, and the number of the photo."""
    photos = datasets.load_sample_images().images
    grey = np.stack([photo.mean(axis=2) for photo in photos]).astype("float32") / 255.0
    chance = np.random.default_rng(0)
    photo = chance.integers(0, 2, rows)
    top, left = chance.integers(0, grey.shape[1] - 8, rows), chance.integers(0, grey.shape[2] - 8, rows)
    pixels = np.arange(8)
    x = grey[photo[:, None, None], top[:, None, None] + pixels[:, None], left[:, None, None] + pixels]
    return x, photo


def split(x: np.ndarray, y: np.ndarray) -> Arrays:
    """Keeps the last examples for validation."""
    return x[:-VALIDATION], y[:-VALIDATION], x[-VALIDATION:], y[-VALIDATION:]


def crop_images(rows: int) -> Callable[[], Arrays]:
    """Crops as images, and the number of the photo as a column."""

    def arrays() -> Arrays:
        x, photo = crops(rows + VALIDATION)
        return split(x[..., None], photo[:, None].astype("float32"))

    return arrays


def crop_rows(rows: int) -> Callable[[], Arrays]:
    """The same as rows of 64 pixels."""

    def arrays() -> Arrays:
        x, photo = crops(rows + VALIDATION)
        return split(x.reshape(-1, 64), photo[:, None].astype("float32"))

    return arrays


def crop_copies(rows: int) -> Callable[[], Arrays]:
    """Crops as their own targets."""

    def arrays() -> Arrays:
        x, _ = crops(rows + VALIDATION)
        x = x.reshape(-1, 64)
        return split(x, x)

    return arrays


def friedman(rows: int) -> Callable[[], Arrays]:
    """Friedman's first function of five of ten columns, with noise; mean 0 and standard deviation 1."""

    def arrays() -> Arrays:
        x, y = datasets.make_friedman1(rows + VALIDATION, noise=1.0, random_state=0)
        return split(x.astype("float32"), standard(y)[:, None].astype("float32"))

    return arrays


def hastie(rows: int) -> Callable[[], Arrays]:
    """Ten normal columns; the class is whether their length is above its median."""

    def arrays() -> Arrays:
        x, y = datasets.make_hastie_10_2(rows + VALIDATION, random_state=0)
        return split(x.astype("float32"), (y[:, None] > 0).astype("float32"))

    return arrays


@functools.cache
def text() -> np.ndarray:
    """The sources of scipy.stats as numbers of characters."""
    folder = pathlib.Path(scipy.stats.__file__).parent
    codes = np.frombuffer(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py"))), np.uint8).astype("int32")
    return np.where(codes == 10, 95, np.where((codes >= 32) & (codes < 127), codes - 32, 96)).astype("int32")


def windows(rows: int) -> Callable[[], Arrays]:
    """Windows of the first nine tenths of the text, or of the last for validation; the target is the next character."""

    def arrays() -> Arrays:
        codes, chance = text(), np.random.default_rng(0)
        end = len(codes) * 9 // 10
        starts = chance.integers(0, end - WINDOW - 1, rows), chance.integers(end, len(codes) - WINDOW - 1, VALIDATION)
        train, later = (codes[first[:, None] + np.arange(WINDOW + 1)] for first in starts)
        return train[:, :-1], train[:, 1:], later[:, :-1], later[:, 1:]

    return arrays
