"""Learning rate finder: a rate read from the loss while the rate rises.

The tutorial's finder has three faults. It fails at its first step, as `backend.set_value` can't set a variable of Keras 3.
Its labels are noise, so no rate is good. And it leaves a model that the last rates have ruined. `klr.find` restores
the model bit for bit, and returns a rate with an interval and a reason.
"""

from pathlib import Path

import keras
import numpy as np
from tutorial_data import digits

import keras_lr as klr


def main(output="."):
    keras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits()
    model = keras.Sequential(
        [keras.layers.Input([64]), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.SGD(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = model.get_weights()

    found = klr.find(model, x, y)
    found.plot(Path(output) / "lr_finder.png")
    unchanged = all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))
    print(found)
    print(f"The model is unchanged: {unchanged}")

    accuracies = {}
    for rate in (1e-5, found.learning_rate):
        model.set_weights(before)
        model.optimizer.learning_rate = rate
        model.fit(x, y, epochs=5, verbose=0)
        _, accuracies[rate] = model.evaluate(x_test, y_test, verbose=0)
        print(f"5 epochs at rate {rate:.2g}: test accuracy {accuracies[rate]:.3f}")
    return found, unchanged, accuracies


if __name__ == "__main__":
    main()
