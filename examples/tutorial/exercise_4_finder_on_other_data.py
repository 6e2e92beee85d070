"""Exercise 4: the learning rate finder on a different data set, with its picture.

Thirty measurements of 569 tumours, one of two diagnoses. The rate that was right for the digits is not right here, nor is
one optimizer's rate right for another: the finder is asked once for SGD and once for Adam, and each answer is trained with.
"""

from pathlib import Path

import keras
from tutorial_data import breast_cancer

import keras_lr as klr


def main(output="."):
    (x, y), (x_test, y_test) = breast_cancer()
    found, losses = {}, {}
    for name in ("sgd", "adam"):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.layers.Input([30]), keras.layers.Dense(16, "relu"), keras.layers.Dense(1, "sigmoid")]
        )
        model.compile(name, "binary_crossentropy", metrics=["accuracy"])
        found[name] = klr.find(model, x, y[:, None], batch_size=32)
        found[name].plot(Path(output) / f"lr_finder_breast_cancer_{name}.png")
        print(f"{name}: {found[name]}")

        start = model.get_weights()
        for what, rate in (("default", float(model.optimizer.learning_rate)), ("found", found[name].learning_rate)):
            model.set_weights(start)
            model.optimizer.learning_rate = rate
            model.fit(x, y[:, None], batch_size=32, epochs=3, verbose=0)
            losses[name, what], accuracy = model.evaluate(x_test, y_test[:, None], verbose=0)
            print(f"  3 epochs at the {what} rate {rate:.2g}: loss {losses[name, what]:.3f}, accuracy {accuracy:.3f}")
    return found, losses


if __name__ == "__main__":
    main()
