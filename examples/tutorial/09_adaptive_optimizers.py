"""Adaptive learning rate optimizers: Adam, RMSprop and Adagrad, with the tutorial's arguments.

These optimizers adapt the step of each weight. The features of the breast cancer data, unscaled, differ by a factor of
100,000, and so do the gradients of their 30 weights. Plain SGD moves each weight by rate * gradient, so its steps differ as
much. Adam's first step is the rate itself for every weight. RMSprop's is rate / sqrt(1 - rho), 3.2 times the rate. Adagrad's
is at most the rate and shrinks with every update, because it adds up all gradients.
"""

import keras
import numpy as np
from sklearn.datasets import load_breast_cancer

UPDATES = 10


def main(output="."):
    del output  # draws nothing
    x, y = load_breast_cancer(return_X_y=True)
    optimizers = {
        "SGD": keras.optimizers.SGD(learning_rate=0.01),
        "Adam": keras.optimizers.Adam(learning_rate=0.001),
        "RMSprop": keras.optimizers.RMSprop(learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-07),
        "Adagrad": keras.optimizers.Adagrad(learning_rate=0.01, initial_accumulator_value=0.1, epsilon=1e-07),
    }
    steps = {name: sizes_of_steps(optimizer, x, y) for name, optimizer in optimizers.items()}
    print("Size of the first step of 30 weights, in units of the rate:")
    for name, optimizer in optimizers.items():
        first = steps[name][0] / float(optimizer.learning_rate)
        print(f"  {name:8} smallest {first.min():.2g}, median {np.median(first):.2g}, largest {first.max():.2g}")
    largest = steps["Adagrad"][0].argmax()
    first, last = steps["Adagrad"][[0, -1], largest]
    print(f"Adagrad's largest step: {first:.4f} in the first update, {last:.4f} in update {UPDATES}")
    return {name: sizes / float(optimizers[name].learning_rate) for name, sizes in steps.items()}


def sizes_of_steps(optimizer, x, y):
    """Returns the size of the step of each weight of a logistic regression, for each of the first updates."""
    layer = keras.layers.Dense(1, "sigmoid", kernel_initializer="zeros")
    model = keras.Sequential([keras.layers.Input([30]), layer])
    model.compile(optimizer, "binary_crossentropy")
    weights = [layer.get_weights()[0][:, 0]]
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: weights.append(layer.get_weights()[0][:, 0]))
    model.fit(x, y[:, None], batch_size=len(x), epochs=UPDATES, verbose=0, callbacks=[record])
    return np.abs(np.diff(weights, axis=0))


if __name__ == "__main__":
    main()
