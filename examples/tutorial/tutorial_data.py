"""Real data for the examples: two data sets of scikit-learn, and optionally MNIST.

Each function returns `(x, y), (x_test, y_test)` like `keras.datasets`, in float32, always with the same split. The sizes give
full batches only: the compilation for a smaller last batch would take longer than the training.
"""

import keras
from sklearn import datasets
from sklearn.model_selection import train_test_split


def digits():
    """1,797 images of 8 x 8 pixels, as rows of 64 numbers from 0 to 1; ten classes."""
    x, y = datasets.load_digits(return_X_y=True)
    return _split(x / 16.0, y, 1408, 384)


def breast_cancer():
    """569 tumours with 30 measurements each, of mean 0 and variance 1; two classes."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return _split((x - x.mean(axis=0)) / x.std(axis=0), y, 448, 96)


def mnist():
    """70,000 images of 28 x 28 pixels, as rows of 784 numbers from 0 to 1; ten classes. Keras downloads them once."""
    train, test = keras.datasets.mnist.load_data()
    return tuple((x.reshape(-1, 784).astype("float32") / 255.0, y) for x, y in (train, test))


def _split(x, y, size, test_size):
    x, x_test, y, y_test = train_test_split(
        x.astype("float32"), y, train_size=size, test_size=test_size, random_state=0, stratify=y
    )
    return (x, y), (x_test, y_test)
