"""Learning rate schedules, cosine decay: the rate falls slowly at first, fast in the middle, and slowly near zero.

The tutorial's snippet is right, but its 1,000 updates are a guess. A training of 264 updates ends at 84 % of the first rate.
A training of 5,000 spends four fifths of its time at rate 0. `klr.Cosine(0.1, 0.0, "100%")` is as long as the training. This
example trains the same model with both.
"""

from pathlib import Path

import keras
from tutorial_data import digits

import keras_lr as klr

EPOCHS = 6


def main(output="."):
    (x, y), (x_test, y_test) = digits()
    schedules = {
        "CosineDecay(0.1, 1000)": keras.optimizers.schedules.CosineDecay(0.1, decay_steps=1000),
        'klr.Cosine(0.1, 0.0, "100%")': klr.Cosine(0.1, 0.0, "100%"),
    }
    rates = {}
    for name, schedule in schedules.items():
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.layers.Input([64]), keras.layers.Dense(32, "relu"), keras.layers.Dense(10, "softmax")]
        )
        model.compile(
            keras.optimizers.SGD(schedule, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        monitor = klr.LearningRateMonitor()  # records Keras's schedules too
        model.fit(x, y, epochs=EPOCHS, verbose=0, callbacks=[monitor])
        rates[name] = monitor.learning_rates
        _, accuracy = model.evaluate(x_test, y_test, verbose=0)
        print(f"{name:29}: {len(rates[name])} updates, last rate {rates[name][-1]:.2g}, test accuracy {accuracy:.3f}")

    schedule.bind(steps_per_epoch=44, epochs=EPOCHS).plot(Path(output) / "cosine_decay.png")
    return rates


if __name__ == "__main__":
    main()
