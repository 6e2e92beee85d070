"""Real-world example, MNIST classification: piecewise constant rate with warm-up, monitor, and a picture of the training.

    python 11_mnist.py                # 1,797 digits of 8 x 8 pixels, a few seconds
    python 11_mnist.py --data mnist   # MNIST, which Keras downloads once

Outdated in the tutorial: its monitor reads `optimizer.lr`, which no longer exists, and only once per epoch, so it misses
changes. Its boundaries at updates 1000, 2000 and 3000 fit only one batch size. Here they are shares of the training, the
warm-up rises instead of staying at 30 %, and the third panel shows the rate of every update.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
import tutorial_data
from matplotlib.figure import Figure

import keras_lr as klr


def main(output=".", data="digits", epochs=12):
    keras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = getattr(tutorial_data, data)()
    rate = 0.005 if data == "digits" else 0.001
    schedule = klr.Piecewise(["40%", "65%"], [rate, 0.5 * rate, 0.1 * rate]).warmup("10%")
    model = keras.Sequential(
        [
            keras.layers.Input(x.shape[1:]),
            keras.layers.Dense(128, "relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"])
    monitor = klr.LearningRateMonitor()
    history = model.fit(
        x, y, epochs=epochs, batch_size=128, validation_split=0.1, verbose=0, callbacks=[monitor]
    ).history
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    for epoch, value in enumerate(history["learning_rate"]):
        print(f"epoch {epoch + 1:2}: rate {value:.5f}, validation accuracy {history['val_accuracy'][epoch]:.3f}")
    print(f"Test accuracy: {accuracy:.4f}")

    figure = Figure(figsize=(13, 4), layout="constrained")
    loss, accuracies, rates = figure.subplots(1, 3)
    for axes, name in ((loss, "loss"), (accuracies, "accuracy")):
        axes.plot(np.arange(1, epochs + 1), history[name], label="training")
        axes.plot(np.arange(1, epochs + 1), history[f"val_{name}"], label="validation")
        axes.set(title=name.capitalize(), xlabel="Epoch")
        axes.legend()
    rates.plot(monitor.learning_rates, color="C2")
    rates.set(title="Learning rate of every update", xlabel="Update", ylim=(0, None))
    figure.savefig(Path(output) / f"{data}_training.png", dpi=150)
    return monitor.learning_rates, history, accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", choices=["digits", "mnist"], default="digits")
    main(data=parser.parse_args().data)
