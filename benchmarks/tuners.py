"""Runs the same grid of rates with `compare`, with KerasTuner and with Optuna and Keras, on the backend of this process.

The grid has twelve rates with two seeds each, on the digits of scikit-learn. Each tool picks a rate. The benchmark then
trains these rates with five other seeds and reports the mean of their validation losses. Prints one JSON document.
"""

import json
import tempfile
import time

import keras
import keras_tuner
import numpy as np
import optuna
from sklearn.datasets import load_digits

import keras_lr as klr

RATES = [float(rate) for rate in np.geomspace(1e-4, 1.0, 12)]
SEEDS = 2
OTHER_SEEDS = [100, 101, 102, 103, 104]
FIT = {"epochs": 8, "batch_size": 32, "validation_split": 0.25}


def digits():
    x, y = load_digits(return_X_y=True)
    return (x / 16.0).astype("float32"), y


def build(learning_rate=1e-3):
    hidden = [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(32, activation="relu")]
    model = keras.Sequential([keras.layers.Input([64]), *hidden, keras.layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy")
    return model


def with_compare(x, y):
    result = klr.compare(build, x, y, learning_rates=RATES, seeds=SEEDS, verbose=0, **FIT)
    return result.best.learning_rate, sum(len(case.runs) for case in result.cases)


def with_keras_tuner(x, y):
    def from_choice(choice):
        return build(choice.Choice("learning_rate", RATES))

    with tempfile.TemporaryDirectory() as folder:
        settings = {"objective": "val_loss", "executions_per_trial": SEEDS, "directory": folder}
        tuner = keras_tuner.GridSearch(from_choice, **settings)
        tuner.search(x, y, verbose=0, **FIT)
        runs = SEEDS * len(tuner.oracle.trials)
        return tuner.get_best_hyperparameters()[0].get("learning_rate"), runs


def with_optuna(x, y):
    def objective(trial):
        rate, losses = trial.suggest_categorical("learning_rate", RATES), []
        for seed in range(SEEDS):
            keras.utils.set_random_seed(seed)
            losses.append(build(rate).fit(x, y, verbose=0, **FIT).history["val_loss"][-1])
        return float(np.mean(losses))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.GridSampler({"learning_rate": RATES}, seed=0))
    study.optimize(objective)
    return study.best_params["learning_rate"], SEEDS * len(study.trials)


TOOLS = {"compare": with_compare, "KerasTuner": with_keras_tuner, "Optuna + Keras": with_optuna}


def main():
    keras.config.disable_interactive_logging()
    (x, y), rows = digits(), []
    build().fit(x, y, verbose=0, **FIT)  # pays the costs of a first `fit`
    for name, search in TOOLS.items():
        start = time.perf_counter()
        rate, runs = search(x, y)
        rows.append({"tool": name, "runs": runs, "seconds": time.perf_counter() - start, "best rate": f"{rate:.2g}"})
        rows[-1]["rate"] = rate
    rates = sorted({row["rate"] for row in rows})
    truth = klr.compare(build, x, y, learning_rates=rates, seeds=OTHER_SEEDS, verbose=0, **FIT)
    means = {case.learning_rate: case.mean for case in truth.cases}
    for row in rows:
        row["its val_loss, other seeds"] = means[row.pop("rate")]
        row["time ratio to compare"] = row["seconds"] / rows[0]["seconds"]
    print(json.dumps({"backend": keras.backend.backend(), "rows": rows}))


if __name__ == "__main__":
    main()
