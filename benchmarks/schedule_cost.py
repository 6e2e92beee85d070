"""Measures the cost in `fit` of a schedule of ten parts against a float rate, on the backend of this process.

The two models take turns, an epoch each, so that other load on the machine affects both; the ratio of the fastest epochs
counts. Prints one JSON document. Thread counts are those of the framework.
"""

import gc
import json
import time

import keras
import numpy as np
from updates import BATCH, MODELS

import keras_lr as klr

UPDATES = 400  # per epoch
TURNS = 25
PARTS = [
    klr.Constant(1e-3, 100),
    klr.Cosine(1e-3, 5e-4, 300),
    klr.Linear(5e-4, 1e-3, 200),
    klr.Polynomial(1e-3, 2e-4, 500),
]
PARTS += [klr.Ramp(2e-4, 8e-4, 200, "1-sqrt"), klr.Rex(8e-4, 4e-4, 400), klr.Constant(4e-4, 1000)]
PARTS += [klr.Tanh(4e-4, 1e-4, 1000), klr.OneCycle(1e-3, 2000), klr.Exponential(1e-4, 0.5, per=10_000)]


def ten_parts():
    whole = PARTS[0]
    for part in PARTS[1:]:
        whole = whole >> part
    return whole


def seconds_of_fit(model, data):
    start = time.perf_counter()
    model.fit(*data, batch_size=BATCH, epochs=1, verbose=0, shuffle=False)
    return time.perf_counter() - start


def ratio(name, optimizer):
    make, shape, outputs = MODELS[name]
    rng = np.random.default_rng(0)
    count = UPDATES * BATCH
    data = rng.normal(size=(count, *shape)).astype("float32"), rng.normal(size=(count, outputs)).astype("float32")
    models = []
    for rate in (1e-3, ten_parts()):
        keras.utils.set_random_seed(0)
        model = make()
        model.compile(optimizer(rate), "mse")
        seconds_of_fit(model, data)  # traces, and warms up
        models.append(model)
    gc.collect()
    times = np.array(
        [
            [seconds_of_fit(model, data) for model in (models if turn % 2 else models[::-1])][:: 1 if turn % 2 else -1]
            for turn in range(TURNS)
        ]
    )
    quick = times.min(axis=0) / UPDATES
    return {
        "model": name,
        "optimizer": optimizer.__name__,
        "float": 1000 * quick[0],
        "ten parts": 1000 * quick[1],
        "ratio": quick[1] / quick[0],
        "median ratio": float(np.median(times[:, 1] / times[:, 0])),
    }


def main():
    tutorial, mlp = list(MODELS)[:2]
    adam, adamw = keras.optimizers.Adam, keras.optimizers.AdamW
    rows = [ratio(mlp, adam), ratio(mlp, adamw), ratio(tutorial, adam)]
    print(json.dumps({"backend": keras.backend.backend(), "rows": rows}))


if __name__ == "__main__":
    main()
