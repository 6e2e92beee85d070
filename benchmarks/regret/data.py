"""The data sets of the benchmark, all from scikit-learn. Imports only scikit-learn and NumPy."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from sklearn import datasets

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def shuffle(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shuffles the rows, always in the same order."""
    order = np.random.default_rng(0).permutation(len(x))
    return x[order].astype("float32"), y[order]


def standard(x: np.ndarray) -> np.ndarray:
    """Scales columns to mean 0 and standard deviation 1."""
    return (x - x.mean(0)) / (x.std(0) + 1e-9)


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """1,797 images of 8 x 8 as rows in [0, 1], and ten classes."""
    x, y = datasets.load_digits(return_X_y=True)
    return shuffle(x / 16.0, y)


@functools.cache
def cancer() -> tuple[np.ndarray, np.ndarray]:
    """569 examples of 30 columns, two classes."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return shuffle(standard(x), y)


def cut(x: np.ndarray, y: np.ndarray, rows: int, most: int = 500) -> Arrays:
    """Returns the first rows for training, and the next ones, at most `most`, for validation."""
    return x[:rows], y[:rows], x[rows : rows + most], y[rows : rows + most]


def digit_rows() -> Arrays:
    """The digits as rows."""
    return cut(*digits(), 1024)


def digit_images() -> Arrays:
    """Digits as images."""
    x, y = digits()
    return cut(x.reshape(-1, 8, 8, 1), y, 1024)


def digit_steps(steps: int) -> Callable[[], Arrays]:
    """Digits as sequences of `steps` groups of pixels."""
    return lambda: cut(digits()[0].reshape(-1, steps, 64 // steps), digits()[1], 1024)


def digit_tokens(across: bool) -> Callable[[], Arrays]:
    """Digits as eight tokens, their rows or their columns, each with its position."""

    def arrays() -> Arrays:
        x, y = digits()
        tokens = x.reshape(-1, 8, 8)
        tokens = tokens.transpose(0, 2, 1) if across else tokens
        positions = np.broadcast_to(np.eye(8, dtype="float32"), tokens.shape)
        return cut(np.concatenate([tokens, positions], axis=2), y, 1024)

    return arrays


def digit_copies() -> Arrays:
    """Digits as their own targets."""
    x, _ = digits()
    return cut(x, x, 1024)


def noisy(data: Callable[[], tuple[np.ndarray, np.ndarray]], share: float, rows: int) -> Callable[[], Arrays]:
    """Replaces a share of all labels by random ones, in the validation data too."""

    def arrays() -> Arrays:
        x, y = data()
        chance = np.random.default_rng(1)
        wrong = chance.random(len(y)) < share
        return cut(x, np.where(wrong, chance.integers(0, y.max() + 1, len(y)), y), rows)

    return arrays


def later_digits() -> Arrays:
    """Only the digits 5 to 9, as five classes."""
    x, y = digits()
    return cut(x[y >= 5], y[y >= 5] - 5, 512)


def earlier_digits() -> tuple[np.ndarray, np.ndarray]:
    """Only the digits 0 to 4."""
    x, y = digits()
    return x[y < 5], y[y < 5]


def first_digits() -> tuple[np.ndarray, np.ndarray]:
    """The first 300 digits."""
    x, y = digits()
    return x[:300], y[:300]


def other_digits() -> Arrays:
    """All digits but the first 300."""
    x, y = digits()
    return cut(x[300:], y[300:], 1024)


def cancer_rows() -> Arrays:
    """The cancer data, the labels as a column."""
    x, y = cancer()
    return cut(x, y[:, None].astype("float32"), 384)


def cancer_copies() -> Arrays:
    """The cancer data as their own targets."""
    x, _ = cancer()
    return cut(x, x, 384)


def noisy_cancer(share: float) -> Callable[[], Arrays]:
    """The cancer data with a share of random labels."""

    def arrays() -> Arrays:
        x, y, x_val, y_val = noisy(cancer, share, 384)()
        return x, y[:, None].astype("float32"), x_val, y_val[:, None].astype("float32")

    return arrays


def cancer_area() -> Arrays:
    """The worst area of a cell, from hundreds to thousands, and the ten mean columns to predict it from."""
    x, _ = datasets.load_breast_cancer(return_X_y=True)
    return cut(*shuffle(standard(x[:, :10]), x[:, [23]].astype("float32")), 384)


def diabetes(raw: bool) -> Callable[[], Arrays]:
    """442 patients with ten columns; the progression raw, 25 to 346, or with mean 0 and standard deviation 1."""

    def arrays() -> Arrays:
        x, y = datasets.load_diabetes(return_X_y=True)
        y = (y if raw else standard(y))[:, None].astype("float32")
        return cut(*shuffle(standard(x), y), 320)

    return arrays


def wine() -> Arrays:
    """178 wines of 13 columns, three classes."""
    x, y = datasets.load_wine(return_X_y=True)
    return cut(*shuffle(standard(x), y), 128)


def proline() -> Arrays:
    """The proline in a wine, 278 to 1,680, and the other twelve columns to predict it from."""
    x, _ = datasets.load_wine(return_X_y=True)
    return cut(*shuffle(standard(x[:, :12]), x[:, 12:].astype("float32")), 128)


def squares(photo: int) -> np.ndarray:
    """The 4,240 squares of 8 x 8 pixels of a photo, a temple or a flower, grey, as rows in [0, 1]."""
    grey = datasets.load_sample_images().images[photo].mean(axis=2) / 255.0
    high, wide = grey.shape[0] // 8, grey.shape[1] // 8
    return grey[: 8 * high, : 8 * wide].reshape(high, 8, wide, 8).swapaxes(1, 2).reshape(-1, 64)


@functools.cache
def photos() -> tuple[np.ndarray, np.ndarray]:
    """Squares of both photos, and the number of the photo."""
    temple, flower = squares(0), squares(1)
    return shuffle(np.concatenate([temple, flower]), np.repeat([0, 1], [len(temple), len(flower)]))


def photo_images() -> Arrays:
    """Squares of photos as images, and the number of the photo as a column."""
    x, y = photos()
    return cut(x.reshape(-1, 8, 8, 1), y[:, None].astype("float32"), 1024)


def photo_steps() -> Arrays:
    """Squares of photos as sequences of rows, and the number of the photo."""
    x, y = photos()
    return cut(x.reshape(-1, 8, 8), y[:, None].astype("float32"), 1024)


def photo_copies() -> Arrays:
    """Squares of photos as their own targets."""
    x, _ = photos()
    return cut(x, x, 1024)


def earlier_digits_only() -> Arrays:
    """The digits 0 to 4, as five classes."""
    x, y = digits()
    return cut(x[y < 5], y[y < 5], 512)


def later_digits_before() -> tuple[np.ndarray, np.ndarray]:
    """Only the digits 5 to 9."""
    x, y = digits()
    return x[y >= 5], y[y >= 5]


def first_cancers() -> tuple[np.ndarray, np.ndarray]:
    """The first 120 examples of the cancer data."""
    x, y = cancer()
    return x[:120], y[:120]


def other_cancers() -> Arrays:
    """All examples of the cancer data but the first 120, the labels as a column."""
    x, y = cancer()
    return cut(x[120:], y[120:, None].astype("float32"), 320)
