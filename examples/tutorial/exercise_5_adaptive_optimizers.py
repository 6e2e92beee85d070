"""Exercise 5: Adam, RMSprop and Adagrad at the same learning rate, and each at its best.

One rate has different effects on different optimizers. 0.001 is a good rate for Adam and RMSprop, but Adagrad makes little
progress with it in the same epochs, as its steps shrink from the start. It is not a worse optimizer; it needs a higher rate.
The second comparison gives each optimizer its own rates: five around the answer of `find`, and more while the best is at an
edge. There the three are almost indistinguishable.
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
