"""Which share of the landmarks' center is the right answer: a few real tasks, each trained at a grid of rates.

    KERAS_BACKEND=tensorflow python benchmarks/calibrate_consensus.py results.json

Prints, for a constant rate and for a cosine, the mean and worst regret of `center * share` over the tasks. The regret of a
rate is (its final validation loss - the best) / (the untrained loss - the best), clipped to [0, 1].
"""

import json
import pathlib
import sys

import keras
import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

import keras_lr as klr
from keras_lr.finder.consensus import SAFETY

RATES = np.geomspace(1e-5, 3.0, 12)
SEEDS = (0, 1)
SHARES = (0.1, 0.15, 0.25, 0.35, 0.5, 0.7, 1.0)


def standardized(loader):
    x, y = loader(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return ((x - x.mean(0)) / (x.std(0) + 1e-9)).astype("float32")[order], y[order]


def mlp(inputs, hidden, outputs, activation, optimizer, loss):
    def make(rate):
        layers = [keras.layers.Dense(units, activation="relu") for units in hidden]
        model = keras.Sequential(
            [keras.layers.Input((inputs,)), *layers, keras.layers.Dense(outputs, activation=activation)]
        )
        model.compile(optimizer(rate), loss)
        return model

    return make


def cnn(rate):
    layers = [
        keras.layers.Reshape((8, 8, 1)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.BatchNormalization(),
    ]
    layers += [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.layers.Input((64,)), *layers])
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    return model


def tasks():
    optimizers = keras.optimizers
    digits, cancer, wine, diabetes = (
        standardized(f) for f in (load_digits, load_breast_cancer, load_wine, load_diabetes)
    )
    sparse, binary = "sparse_categorical_crossentropy", "binary_crossentropy"
    yield "digits mlp adam", digits, 64, 8, mlp(64, [64], 10, "softmax", optimizers.Adam, sparse)
    yield (
        "digits mlp momentum",
        digits,
        64,
        8,
        mlp(64, [64, 32], 10, "softmax", lambda r: optimizers.SGD(r, momentum=0.9), sparse),
    )
    yield "digits deep sgd", digits, 32, 6, mlp(64, [32] * 4, 10, "softmax", optimizers.SGD, sparse)
    yield "digits cnn adam", digits, 64, 6, cnn
    yield "cancer mlp adam", cancer, 32, 12, mlp(30, [64, 32], 1, "sigmoid", optimizers.Adam, binary)
    yield "wine mlp adagrad", wine, 16, 20, mlp(13, [32], 3, "softmax", optimizers.Adagrad, sparse)
    scaled = (diabetes[0], ((diabetes[1] - 150.0) / 77.0).astype("float32"))
    yield "diabetes mlp rmsprop", scaled, 32, 12, mlp(10, [32], 1, None, optimizers.RMSprop, "mse")


def final_loss(make, rate, data, batch_size, epochs, seed, falling):
    keras.utils.set_random_seed(seed)
    x, y, x_val, y_val = data
    updates = epochs * -(-len(x) // batch_size)
    model = make(klr.Cosine(float(rate), 0.0, updates) if falling else float(rate))
    model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0)
    return float(model.evaluate(x_val, y_val, verbose=0))


def measure(name, data, batch_size, epochs, make):
    cut = int(0.75 * len(data[0]))
    split = (data[0][:cut], data[1][:cut], data[0][cut:], data[1][cut:])
    row = {"task": name, "centers": [], "constant": [], "cosine": []}
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        model = make(1e-3)
        row["untrained"] = float(model.evaluate(*split[2:], verbose=0))
        found = klr.find(model, *split[:2], batch_size=batch_size, seed=10 * seed)
        row["centers"].append(None if found.landmarks is None else found.landmarks.center)
    for falling, kind in ((False, "constant"), (True, "cosine")):
        for rate in RATES:
            losses = [final_loss(make, rate, split, batch_size, epochs, seed, falling) for seed in SEEDS]
            row[kind].append(float(np.mean(np.nan_to_num(losses, nan=np.inf))))
    return row


def regret(row, kind, rate):
    losses = np.minimum(np.array(row[kind]), 10.0 * row["untrained"])
    best = losses.min()
    here = np.interp(np.log(rate), np.log(RATES), losses)
    return float(np.clip((here - best) / (row["untrained"] - best), 0.0, 1.0))


def table(rows):
    for kind in ("constant", "cosine"):
        for share in SHARES:
            regrets = [regret(row, kind, center * share) for row in rows for center in row["centers"] if center]
            print(f"{kind:9} share {share:4}  mean regret {np.mean(regrets):.3f}  worst {np.max(regrets):.3f}")
        for row in rows:
            best = RATES[int(np.argmin(row[kind]))]
            print(
                f"    {row['task']:22} best {best:.2g}, best / center",
                [round(best / c, 3) for c in row["centers"] if c],
            )
    print("in use:", SAFETY, "for a constant rate")


def main(path):
    target = pathlib.Path(path)
    rows = json.loads(target.read_text()) if target.exists() else []
    done = {row["task"] for row in rows}
    for task in tasks():
        if task[0] not in done:
            rows.append(measure(*task))
            target.write_text(json.dumps(rows))
    table(rows)


if __name__ == "__main__":
    main(sys.argv[1])
