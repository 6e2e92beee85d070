"""`compare` against a loop of `fit`, on the backend of this process: the ratio of the two, everything included.

Each way is timed in processes of its own, in turn, and the least counts: what the first training of a process pays for, such as
Keras importing TensorFlow on every backend, is in both. The loop is timed for a few of its runs; the others are taken to be as
long as those after the first. Prints one JSON document.

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

# name, model, examples, batch size, epochs, rates, seeds, runs of the loop that are timed
WORK = [
    ("tutorial, 32 rates x 3 seeds", "tutorial, 20-64-32-1", 1_000, 32, 10, 32, 3, 6),
    ("MNIST MLP, 16 rates", "MNIST MLP, 784-128-64-10", 60_000, 128, 3, 16, 1, 3),
    ("small CNN, 8 rates", "small CNN, 28x28", 6_000, 64, 2, 8, 1, 3),
]
TIMES = 2


def tutorial():
    sizes = [keras.layers.Dense(64, "relu"), keras.layers.Dense(32, "relu"), keras.layers.Dense(1, "sigmoid")]
    return keras.Sequential([keras.layers.Input([20]), *sizes])


def of_work(place):
    """The model, the data and the other arguments of a work, and its rates."""
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


def compared(place):
    """Seconds of `compare`, and how it made the runs."""
    build, arguments, rates = of_work(place)
    started = time.perf_counter()
    found = klr.compare(build, **arguments, learning_rates=list(rates), seeds=WORK[place][-2])
    whole, why = time.perf_counter() - started, found.engine_reason
    ways = {"together by": "together", "one after the other": "one by one"}
    return {"way": next(way for words, way in ways.items() if words in why), "why": why, "seconds": whole}


def looped(place):
    """Seconds of a loop of `fit`."""
    build, arguments, rates = of_work(place)
    *_, seeds, timed = WORK[place]
    each = []
    for run in range(timed + 1):
        started = time.perf_counter()
        keras.utils.set_random_seed(run)
        model = build()
        model.optimizer.learning_rate = rates[run * len(rates) // (timed + 1)]
        model.fit(**arguments)
        each.append(time.perf_counter() - started)
    return {"seconds": each[0] + float(np.mean(each[1:])) * (len(rates) * seeds - 1)}


def in_a_process(place, way):
    command = [sys.executable, __file__, str(place), way]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def row(place):
    found = [(in_a_process(place, "loop"), in_a_process(place, "compare")) for _ in range(TIMES)]
    loop = min(one["seconds"] for one, _ in found)
    best = min((one for _, one in found), key=lambda one: one["seconds"])
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
        found = {"loop": looped, "compare": compared}[way](int(place))
    else:
        found = {"backend": keras.backend.backend(), "rows": [row(place) for place in range(len(WORK))]}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
