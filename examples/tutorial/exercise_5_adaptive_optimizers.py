"""Exercise 5: Adam, RMSprop and Adagrad at the same learning rate, and each at its best.

"The same rate" is not the same thing for each of them. At 0.001, a good rate for Adam and RMSprop, Adagrad has hardly begun
after the same epochs, because its steps shrink from the first on. It isn't the worse optimizer: it wants a higher rate. The
second comparison gives each its own: five rates around the one that `find` gives for it, and more while the best is at an
edge. There the three can hardly be told apart.
"""

from pathlib import Path

import keras
from tutorial_data import digits

import keras_lr as klr

OPTIMIZERS = ["adam", "rmsprop", "adagrad"]


def build_model():
    model = keras.Sequential(
        [keras.layers.Input([64]), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(output=".", seeds=3):
    (x, y), validation = digits()
    arguments = {"validation_data": validation, "optimizers": OPTIMIZERS, "seeds": seeds, "epochs": 6, "batch_size": 64}
    same = klr.compare(build_model, x, y, learning_rates=[0.001], metric="val_accuracy", **arguments)
    own = klr.compare(build_model, x, y, learning_rates="auto", **arguments)
    own.plot(Path(output) / "adaptive_optimizers.png")
    print(same)
    print(own)
    best = {name: next(case for case in own.ranked if case.optimizer_name == name) for name in OPTIMIZERS}
    for name, case in best.items():
        print(f"{name:8} is best at {case.learning_rate:g}: val_loss {case.mean:.3f}")
    return same, best


if __name__ == "__main__":
    main()
