"""Setting learning rate in TensorFlow: pass a number to the optimizer, and change it between two trainings.

Outdated in the tutorial: `input_shape=` on a layer (Keras 3 needs an `Input`), and `optimizer.lr` (now `learning_rate`). Its
`categorical_crossentropy` needs one-hot labels, which the snippet doesn't have. This example shows three ways to set a rate;
LearningRateMonitor records the rate of every update.
"""

import keras
from tutorial_data import digits

import keras_lr as klr


def main(output="."):
    del output  # draws nothing
    keras.utils.set_random_seed(0)
    (x, y), _ = digits()

    by_name = keras.optimizers.get("sgd")  # a name stands for the default rate
    print(f"'sgd' by name: rate {float(by_name.learning_rate):g}")

    model = keras.Sequential(
        [keras.layers.Input([64]), keras.layers.Dense(32, "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.SGD(learning_rate=0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    monitor = klr.LearningRateMonitor()
    first = model.fit(x, y, epochs=2, verbose=0, callbacks=[monitor])
    rates = monitor.learning_rates

    model.optimizer.learning_rate = 0.01  # needs no compile, and keeps the weights
    second = model.fit(x, y, epochs=1, verbose=0, callbacks=[monitor])
    rates = rates + monitor.learning_rates

    history = {name: first.history[name] + second.history[name] for name in first.history}
    for rate, loss in zip(history["learning_rate"], history["loss"], strict=True):
        print(f"One epoch at rate {rate:g}: loss {loss:.3f}")
    return float(by_name.learning_rate), rates, history


if __name__ == "__main__":
    main()
