"""Monitoring the effect of different learning rates: 0.1, 0.01, 0.001 and 0.0001 with Adam.

The tutorial's loop runs, but its labels are noise. No rate can learn them, and the curves only show which rate overfits
first. It also trains each rate once, so it can't separate an effect from chance. Here the data are real, and `klr.compare`
trains each rate from the same weights with the same batches. The table shows which differences exceed chance.
"""

from pathlib import Path

import keras
from tutorial_data import digits

import keras_lr as klr

RATES = [0.1, 0.01, 0.001, 0.0001]


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


def main(output=".", seeds=3):
    (x, y), validation = digits()
    result = klr.compare(
        build_model, x, y, validation_data=validation, learning_rates=RATES, seeds=seeds, epochs=6, batch_size=64
    )
    result.plot(Path(output) / "learning_rate_comparison.png")
    print(result)
    return result


if __name__ == "__main__":
    main()
