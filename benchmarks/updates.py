"""Measures the milliseconds per update on the backend of this process: `fit`, and `fit` with a monitor.

Prints one JSON document. Thread counts are those of the framework; compare ratios within one run only.
"""

import json
import time

import keras
import numpy as np

import keras_lr as klr

UPDATES = 100
RUNS = 3  # of each variant; the fastest counts
BATCH = 64


def dense(inputs, hidden, outputs):
    def make():
        layers = [keras.layers.Dense(units, activation="relu") for units in hidden]
        return keras.Sequential([keras.layers.Input((inputs,)), *layers, keras.layers.Dense(outputs)])

    return make, (inputs,), outputs


def cnn():
    layers = [
        keras.layers.Input((28, 28, 1)),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
    ]
    layers += [keras.layers.Conv2D(32, 3, activation="relu"), keras.layers.MaxPooling2D(), keras.layers.Flatten()]
    return keras.Sequential([*layers, keras.layers.Dense(10)])


MODELS = {
    "tutorial, 20-64-1": dense(20, [64], 1),
    "MNIST MLP, 784-128-64-10": dense(784, [128, 64], 10),
    "small CNN, 28x28": (cnn, (28, 28, 1), 10),
}


def compiled_model(make):
    keras.utils.set_random_seed(0)
    model = make()
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    return model


def seconds_of_fit(model, x, y, callbacks):
    model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=callbacks)
    epochs = UPDATES * BATCH // len(x)
    start = time.perf_counter()
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=callbacks)
    return time.perf_counter() - start


def main():
    order, rows = np.random.default_rng(0), []
    for name, (make, shape, outputs) in MODELS.items():
        x, y = order.normal(size=(3200, *shape)).astype("float32"), order.normal(size=(3200, outputs)).astype("float32")
        ways = {
            "fit": lambda model, x, y: seconds_of_fit(model, x, y, []),
            "fit with monitor": lambda model, x, y: seconds_of_fit(model, x, y, [klr.LearningRateMonitor()]),
            "fit with observing monitor": lambda model, x, y: seconds_of_fit(
                model, x, y, [klr.LearningRateMonitor(observe=True)]
            ),
        }
        times = {way: min(measure(compiled_model(make), x, y) for _ in range(RUNS)) for way, measure in ways.items()}
        rows.append({"model": name, **{way: 1000.0 * seconds / UPDATES for way, seconds in times.items()}})
    print(json.dumps({"backend": keras.backend.backend(), "rows": rows}))


if __name__ == "__main__":
    main()
