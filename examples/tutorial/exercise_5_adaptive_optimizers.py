"""Exercise 5: Adam, RMSprop and Adagrad at the same learning rate.

"The same rate" is not the same thing for each of them. At 0.001, a good rate for Adam and RMSprop, Adagrad has hardly begun
after the same epochs, because its steps shrink from the first on. It isn't the worse optimizer: it wants a higher rate, and
the second comparison gives it one.
"""

from pathlib import Path

import keras
from tutorial_data import digits

import keras_lr as klr


def build_model():
    model = keras.Sequential(
        [keras.layers.Input([64]), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(output=".", seeds=3):
    (x, y), validation = digits()
    result = klr.compare(
        build_model,
        x,
        y,
        validation_data=validation,
        optimizers=["adam", "rmsprop", "adagrad"],
        learning_rates=[0.001, 0.1],
        seeds=seeds,
        epochs=6,
        batch_size=64,
        metric="val_accuracy",
    )
    result.plot(Path(output) / "adaptive_optimizers.png")
    print(result)
    return result


if __name__ == "__main__":
    main()
