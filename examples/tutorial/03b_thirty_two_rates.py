"""The same with 32 rates and 5 seeds: the range of good rates, and the rates at which training fails.

Four rates a decade apart only show the best of four. 160 runs show the whole curve: rates that are too small on the left, a
broad floor of indistinguishable rates, and a steep rise on the right. With JAX installed, one compiled program trains all
runs, on any backend. It takes about as long as a few runs by `fit`.
"""

from pathlib import Path

import keras
import numpy as np
from tutorial_data import digits

import keras_lr as klr

RATES = np.geomspace(1e-5, 1.0, 32).round(7).tolist()


def build_model():
    model = keras.Sequential(
        [
            keras.layers.Input([64]),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(32, "relu"),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(output=".", seeds=5):
    (x, y), validation = digits()
    result = klr.compare(
        build_model, x, y, validation_data=validation, learning_rates=RATES, seeds=seeds, epochs=6, batch_size=64
    )
    result.plot(Path(output) / "thirty_two_rates.png")
    good = sorted(case.learning_rate for case in (result.best, *result.indistinguishable))
    print(result.reason)
    print(f"The best rate and those indistinguishable from it: {len(good)} rates from {good[0]:.2g} to {good[-1]:.2g}.")
    print(result.engine_reason)
    return result


if __name__ == "__main__":
    main()
