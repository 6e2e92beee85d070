"""Compares `compare` with a loop of `fit`, on the backend of this process: the ratio of their total times.

Both run in separate processes, in turn, and the shortest time counts. So the costs of the first training in a process, such
as Keras importing TensorFlow on every backend, are in both. The loop executes a few of its runs; the estimate for the others
is the mean of those after the first. Prints one JSON document.

python benchmarks/many_runs.py [WORK compare|loop]
"""

import json
import subprocess
import sys
import time

import keras
import numpy as np
from updates import MODELS

import keras_lr as klr

# name, model, examples, batch size, epochs, rates, seeds, runs that the loop executes
WORK = [
    ("tutorial, 32 rates x 3 seeds", "tutorial, 20-64-32-1", 1_000, 32, 10, 32, 3, 6),
    ("MNIST MLP, 16 rates", "MNIST MLP, 784-128-64-10", 60_000, 128, 3, 16, 1, 3),
    ("small CNN, 8 rates", "small CNN, 28x28", 6_000, 64, 2, 8, 1, 3),
]
TIMES = 2


def tutorial():
    sizes = [keras.layers.Dense(64, "relu"), keras.layers.Dense(32, "relu"), keras.layers.Dense(1, "sigmoid")]
    return keras.Sequential([keras.layers.Input([20]), *sizes])


def setup(place):
    """Returns the model, the data and the other arguments of a work, and its rates."""
    _, model, examples, batch, epochs, rates, *_ = WORK[place]
    make, shape, outputs = MODELS.get(model, (tutorial, (20,), 1))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(examples, *shape)).astype("float32")
    y = rng.integers(0, max(outputs, 2), examples)

    def build():
        model = make()
        loss = "binary_crossentropy" if outputs == 1 else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        return model

    arguments = {"x": x, "y": y, "validation_split": 0.2, "batch_size": batch, "epochs": epochs, "verbose": 0}
    return build, arguments, np.geomspace(1e-4, 1e-1, rates)


def time_compare(place):
    """Returns the seconds of `compare`, and its engine."""
    build, arguments, rates = setup(place)
    start = time.perf_counter()
    result = klr.compare(build, **arguments, learning_rates=list(rates), seeds=WORK[place][-2])
    whole, why = time.perf_counter() - start, result.engine_reason
    ways = {"together by": "together", "one after the other": "one by one"}
    return {"way": next(way for words, way in ways.items() if words in why), "why": why, "seconds": whole}


def time_loop(place):
    """Returns the seconds of a loop of `fit`."""
    build, arguments, rates = setup(place)
    *_, seeds, count = WORK[place]
    each = []
    for run in range(count + 1):
        start = time.perf_counter()
        keras.utils.set_random_seed(run)
        model = build()
        model.optimizer.learning_rate = rates[run * len(rates) // (count + 1)]
        model.fit(**arguments)
        each.append(time.perf_counter() - start)
    return {"seconds": each[0] + float(np.mean(each[1:])) * (len(rates) * seeds - 1)}


def in_a_process(place, way):
    command = [sys.executable, __file__, str(place), way]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def row(place):
    pairs = [(in_a_process(place, "loop"), in_a_process(place, "compare")) for _ in range(TIMES)]
    loop = min(one["seconds"] for one, _ in pairs)
    best = min((one for _, one in pairs), key=lambda one: one["seconds"])
    return {
        "work": WORK[place][0],
        "way": best["way"],
        "loop of fit, s": loop,
        "compare, s": best["seconds"],
        "ratio": loop / best["seconds"],
    }


def main(arguments):
    keras.config.disable_interactive_logging()
    if arguments:
        place, way = arguments
        document = {"loop": time_loop, "compare": time_compare}[way](int(place))
    else:
        document = {"backend": keras.backend.backend(), "rows": [row(place) for place in range(len(WORK))]}
    print(json.dumps(document))


if __name__ == "__main__":
    main(sys.argv[1:])
