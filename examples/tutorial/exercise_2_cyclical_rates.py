"""Exercise 2: cyclical learning rates, and their effect on training.

Smith's three policies are one class: triangular, triangular2 (each cycle half as high, `gain=0.5`) and exp_range (each
update a little lower, `gamma`). A cycle has four epochs here. At its peak the rate is too high to train at. With triangular
each peak raises the loss again; with the other two the peaks get lower, and the loss settles.
"""

from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from tutorial_data import digits

import keras_lr as klr

LOW, HIGH, EPOCHS = 0.01, 0.8, 12
POLICIES = {
    "triangular": klr.Triangular(LOW, HIGH, up="2ep"),
    "triangular2": klr.Triangular(LOW, HIGH, up="2ep", gain=0.5),
    "exp_range": klr.Triangular(LOW, HIGH, up="2ep", gamma=0.99),
}


def main(output="."):
    (x, y), _ = digits()
    rates, losses = {}, {}
    for name, schedule in POLICIES.items():
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.layers.Input([64]), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
        )
        model.compile(keras.optimizers.SGD(schedule, momentum=0.9), "sparse_categorical_crossentropy")
        monitor = klr.LearningRateMonitor()
        history = model.fit(x, y, batch_size=64, epochs=EPOCHS, verbose=0, callbacks=[monitor]).history
        rates[name], losses[name] = np.array(monitor.learning_rates), np.array(history["loss"])
        peaks, means = rates[name].reshape(3, -1).max(axis=1), losses[name].reshape(3, -1).mean(axis=1)
        print(f"{name:11}: peaks of the three cycles {peaks.round(3)}, mean loss in them {means.round(3)}")

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in POLICIES:
        left.plot(np.arange(len(rates[name])) / len(rates[name]) * EPOCHS, rates[name], label=name)
        right.semilogy(np.arange(1, EPOCHS + 1), losses[name], marker="o", label=name)
    left.set(title="Learning rate of every update", xlabel="Epoch")
    right.set(title="Training loss", xlabel="Epoch")
    left.legend()
    right.legend()
    figure.savefig(Path(output) / "cyclical_rates.png", dpi=150)
    return rates, losses


if __name__ == "__main__":
    main()
