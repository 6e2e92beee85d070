"""The same with 32 rates and 5 seeds: where the good rates begin, where they end, and where training breaks.

Four rates a decade apart show which is best of four. 160 runs show the shape: too small on the left, a broad floor on which
no rate can be told from the best, and a steep end on the right. With JAX installed they are trained by one compiled program,
whatever backend the script runs on, which takes about as long as a few runs by `fit`.
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
    print(f"The best and those that can't be told from it: {len(good)} rates from {good[0]:.2g} to {good[-1]:.2g}.")
    print(result.engine_reason)
    return result


if __name__ == "__main__":
    main()
