"""`compare` against a loop of `fit`, on the backend of this process: the ratio of the two, everything included.

The loop is timed for a few of its runs and multiplied. `compare` starts whatever it needs inside the timed call. Prints one
JSON document.
"""

import json
import time

import keras
import numpy as np
from updates import MODELS

import keras_lr as klr

# name, model, examples, batch size, epochs, rates, seeds, runs of the loop that are timed
WORK = [
    ("tutorial, 32 rates x 3 seeds", "tutorial, 20-64-32-1", 1_000, 32, 10, 32, 3, 6),
    ("MNIST MLP, 16 rates", "MNIST MLP, 784-128-64-10", 60_000, 128, 3, 16, 1, 3),
    ("small CNN, 8 rates", "small CNN, 28x28", 6_000, 64, 2, 8, 1, 3),
]


def tutorial():
    sizes = [keras.layers.Dense(64, "relu"), keras.layers.Dense(32, "relu"), keras.layers.Dense(1, "sigmoid")]
    return keras.Sequential([keras.layers.Input([20]), *sizes])


def measured(name, make, shape, outputs, examples, batch, epochs, rates, seeds, timed):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(examples, *shape)).astype("float32")
    y = rng.integers(0, max(outputs, 2), examples)

    def build():
        model = make()
        loss = "binary_crossentropy" if outputs == 1 else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        return model

    rates = np.geomspace(1e-4, 1e-1, rates)
    started = time.perf_counter()
    arguments = {"validation_split": 0.2, "batch_size": batch, "epochs": epochs, "verbose": 0}
    found = klr.compare(build, x, y, learning_rates=list(rates), seeds=seeds, **arguments)
    whole = time.perf_counter() - started
    each = []
    for run in range(timed + 1):
        started = time.perf_counter()
        keras.utils.set_random_seed(run)
        model = build()
        model.optimizer.learning_rate = rates[run * len(rates) // (timed + 1)]
        model.fit(x, y, **arguments)
        each.append(time.perf_counter() - started)
    loop = float(np.mean(each[1:])) * len(rates) * seeds  # the first one warms up
    way = (
        "sequential"
        if found.engine == "sequential"
        else "together"
        if "together by" in found.engine_reason
        else "one by one"
    )
    return {"work": name, "way": way, "loop of fit, s": loop, "compare, s": whole, "ratio": loop / whole}


def main():
    keras.config.disable_interactive_logging()
    rows = []
    for name, model, *numbers in WORK:
        make, shape, outputs = MODELS.get(model, (tutorial, (20,), 1))
        rows.append(measured(name, make, shape, outputs, *numbers))
    print(json.dumps({"backend": keras.backend.backend(), "rows": rows}))


if __name__ == "__main__":
    main()
