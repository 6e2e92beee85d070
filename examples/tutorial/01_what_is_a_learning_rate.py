"""Understanding learning rate: w_new = w_old - learning_rate * gradient.

The model has one weight and one feature: the body mass index of 442 diabetes patients, which predicts the progression of
the disease. Both have mean 0 and variance 1, so the loss is a parabola whose minimum is their correlation. Each update runs
twice, by hand and by Keras's SGD, with the same result. The picture shows the four effects of a rate.
"""

from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes

UPDATES = 12
RATES = {0.01: "too small", 0.2: "good", 0.9: "oscillates", 1.1: "diverges"}


def main(output="."):
    x, y = load_diabetes(return_X_y=True)
    bmi = x[:, 2] / x[:, 2].std()
    progression = (y - y.mean()) / y.std()
    best = float(np.mean(bmi * progression))

    by_hand = {rate: descend(bmi, progression, rate) for rate in RATES}
    by_keras = {rate: descend_with_keras(bmi, progression, rate) for rate in RATES}
    print(f"The loss is lowest at w = {best:.4f}. After {UPDATES} updates from w = 0:")
    for rate, what in RATES.items():
        print(f"  rate {rate:<5} w by hand {by_hand[rate][-1]:8.4f}, by Keras {by_keras[rate][-1]:8.4f}: {what}")

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for rate, what in RATES.items():
        axes.plot(by_hand[rate], marker=".", label=f"{rate}: {what}")
    axes.axhline(best, color="0.6", linestyle="--", label="lowest loss")
    axes.set(title="One weight, four learning rates", xlabel="Update", ylabel="w", ylim=(-3 * best, 5 * best))
    figure.legend(title="Learning rate", loc="outside right upper")
    figure.savefig(Path(output) / "what_is_a_learning_rate.png", dpi=150)
    return best, by_hand, by_keras


def descend(x, y, learning_rate):
    w, weights = 0.0, [0.0]
    for _ in range(UPDATES):
        gradient = np.mean(2 * x * (w * x - y))  # of the loss, mean((w * x - y) ** 2)
        w = w - learning_rate * gradient
        weights.append(float(w))
    return weights


def descend_with_keras(x, y, learning_rate):
    weight = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.layers.Input([1]), weight])
    model.compile(keras.optimizers.SGD(learning_rate), "mse")
    weights = [0.0]
    record = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: weights.append(float(weight.get_weights()[0][0, 0]))
    )
    model.fit(x[:, None], y[:, None], batch_size=len(x), epochs=UPDATES, verbose=0, callbacks=[record])
    return weights


if __name__ == "__main__":
    main()
