"""Using callbacks to adjust learning rate: ReduceLROnPlateau, on a float rate and beside a cosine schedule.

Keras's own callback needs a float rate. With a schedule it fails at the first reduction, perhaps hours into a run. The
callback of keras-lr has the same arguments and defaults, and scales the schedule. It reduces the rate at the end of an epoch,
so the first update of the next epoch is the first with the new rate. The example prints these updates.
"""

from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from tutorial_data import digits

import keras_lr as klr

EPOCHS = 30
RATES = {"a float": 0.1, "a cosine": klr.Cosine(0.1, 0.01, "100%")}


def train(rate):
    """Trains with the callback; returns the rate of every update and the history."""
    keras.utils.set_random_seed(0)
    (x, y), validation = digits()
    model = keras.Sequential(
        [keras.layers.Input([64]), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    reduce = klr.ReduceLROnPlateau("val_loss", factor=0.2, patience=3, min_lr=0.0001)
    monitor = klr.LearningRateMonitor()
    fit = {"batch_size": 64, "epochs": EPOCHS, "validation_data": validation, "verbose": 0}
    history = model.fit(x, y, callbacks=[monitor, reduce], **fit).history
    return np.array(monitor.learning_rates), history


def main(output="."):
    results = {name: train(rate) for name, rate in RATES.items()}
    steps_per_epoch = len(results["a float"][0]) // EPOCHS
    bases = {
        "a float": np.full(EPOCHS * steps_per_epoch, RATES["a float"]),
        "a cosine": RATES["a cosine"]
        .bind(steps_per_epoch=steps_per_epoch, epochs=EPOCHS)
        .evaluate(range(EPOCHS * steps_per_epoch)),
    }
    changes = {}
    for name, (rates, history) in results.items():
        scales = rates / bases[name]
        changes[name] = np.flatnonzero(scales[1:] < 0.9 * scales[:-1]) + 1  # the first update after each reduction
        for update in changes[name]:
            epoch = update // steps_per_epoch
            print(
                f"{name}: val_loss did not improve up to epoch {epoch}: update {update} is the first at {rates[update]:.3g} "
                f"(History still shows {history['learning_rate'][epoch - 1]:.3g} for epoch {epoch})"
            )

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for color, (name, (rates, history)) in enumerate(results.items()):
        left.semilogy(np.arange(1, EPOCHS + 1), history["val_loss"], f"C{color}", label=f"{name}, validation")
        right.semilogy(np.arange(len(rates)) / steps_per_epoch, rates, f"C{color}", label=f"{name}, reduced")
        right.semilogy(
            np.arange(len(rates)) / steps_per_epoch, bases[name], f"C{color}:", label=f"{name}, without reductions"
        )
    left.set(title="Loss", xlabel="Epoch")
    left.legend()
    right.set(title="Learning rate of every update", xlabel="Epoch")
    right.legend()
    figure.savefig(Path(output) / "reduce_on_plateau.png", dpi=150)
    return results, changes, bases, steps_per_epoch


if __name__ == "__main__":
    main()
