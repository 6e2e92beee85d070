"""Writes files as the version of keras-lr that is installed saves them: models, schedules, the state of a plateau.

Run it once with each release, into a new folder, before the next version changes anything:

    KERAS_BACKEND=jax python tests/compatibility/make.py tests/compatibility/saved_by_0_1_0
"""

import json
import pathlib
import sys

import keras
import numpy as np

import keras_lr as klr
from keras_lr.schedules import __dict__ as names

STEPS = [0, 1, 2, 3, 5, 8, 13, 21, 34]
SCHEDULES = [
    klr.Constant(0.1, 3) >> klr.Linear(0.1, 0.0, 8),
    klr.Cosine(1.0, 0.0, 20).warmup(4).clip(low=0.05),
    klr.Cosine(1.0, 0.1, 20).warmup(4, "overlap") * 0.5 + 0.01,
    klr.Polynomial(1.0, 0.0, 12, power=2.0).cooldown(4, at=6, shape="1-sqrt", freeze=False),
    klr.Ramp(1.0, 0.01, 12, "geometric").delay(3).every(2),
    klr.Tanh(0.1, 0.0, 12).skip(2),
    klr.Exponential(0.1, 0.5, per=4),
    klr.InverseTime(0.1, 0.5, per=2),
    klr.InverseSqrt(0.1, 10),
    klr.PowerLaw(0.1, 10, power=1.5),
    klr.Piecewise([2, 6], [0.1, 0.05, 0.01]),
    klr.Interpolate([0, 2.5, 9], [0.0, 1.0, 0.0], "cosine"),
    klr.Scaled(klr.Linear(1.0, 0.0, 8), 0.1, low=0.05),
    klr.Adopted(keras.optimizers.schedules.ExponentialDecay(1.0, 4, 0.5)),
    klr.StepDecay(0.1, 0.5, per=3),
    klr.MultiStepDecay(0.4, 0.5, [2, 8]),
    klr.TimeDecay(0.1, decay=1.0),
    klr.Budgeted(1.0, 16),
    klr.Rex(1.0, 0.0, 16),
    klr.KDecay(1.0, 0.0, 16, k=3.0),
    klr.CosineRestarts(1.0, 5),
    klr.Triangular(0.01, 0.1, 4),
    klr.OneCycle(1.0, 20),
    klr.SlantedTriangular(1.0, 20),
    klr.WarmupStableDecay(1.0, 20, warmup_steps=3, decay_steps=5),
    klr.Infinite(1.0, 0.5, 0.1, 3, 5, 8, 4),
    klr.Noam(64, 10),
    klr.Linear(1.0, 0.0, 6).repeat(2, gain=0.5, stretch=1.5),
    klr.Cosine(1.0, 0.0, 20).retime(5, 20, 30),
    (klr.Constant(1.0, "50%") >> klr.Linear(1.0, 0.0, "2ep")).warmup("10%").bind(steps_per_epoch=5, epochs=4),
    klr.WarmupStableDecay(1.0).bind(steps_per_epoch=5, epochs=4, batch_size=32),
    klr.from_torch("CyclicLR", base_lr=0.1, max_lr=1.0, step_size_up=5, step_size_down=3),
    klr.from_torch("CosineAnnealingWarmRestarts", lr=0.1, T_0=5, T_mult=2),
    klr.from_torch("OneCycleLR", max_lr=0.1, total_steps=20),
    klr.from_torch("CosineAnnealingLR", lr=0.1, T_max=9),
    klr.from_transformers("cosine_with_restarts", lr=0.1, num_warmup_steps=3, num_training_steps=20, num_cycles=2),
    klr.from_optax("warmup_cosine_decay_schedule", init_value=0.0, peak_value=0.1, warmup_steps=3, decay_steps=20),
    klr.from_keras(keras.optimizers.schedules.CosineDecayRestarts(0.1, 5)),
]


def model_with(optimizer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.layers.Input([2]), keras.layers.Dense(3, name="a"), keras.layers.Dense(1, name="b")]
    )
    model.compile(optimizer, "mse")
    return model


def main(folder):
    assert names["Schedule"] is klr.Schedule
    folder.mkdir(parents=True, exist_ok=True)
    saved = [
        {
            "repr": repr(schedule),
            "config": keras.saving.serialize_keras_object(schedule),
            "rates": schedule.evaluate(STEPS).tolist(),
        }
        for schedule in SCHEDULES
    ]
    (folder / "schedules.json").write_text(json.dumps({"steps": STEPS, "schedules": saved}, indent=1) + "\n")
    x = np.random.default_rng(0).normal(size=[32, 2]).astype("float32")
    optimizers = {
        "schedule": keras.optimizers.Adam(SCHEDULES[1]),
        "per_layer": klr.PerLayer(keras.optimizers.Adam(klr.Linear(0.1, 0.0, 20)), {"a": 0.1}),
        "coupled": klr.optimizers.SGD(klr.Linear(0.1, 0.01, 20), momentum=klr.optimizers.Coupled(0.95, 0.85)),
    }
    for name, optimizer in optimizers.items():
        model = model_with(optimizer)
        model.fit(x, x.sum(axis=1), batch_size=8, epochs=2, verbose=0, shuffle=False)
        model.save(folder / f"{name}.keras")
        weights = [np.asarray(weight, np.float64).tolist() for weight in model.get_weights()]
        model.fit(x, x.sum(axis=1), batch_size=8, epochs=1, verbose=0, shuffle=False)
        after = [np.asarray(weight, np.float64).tolist() for weight in model.get_weights()]
        record = {"iterations": 8, "weights": weights, "weights_after_another_epoch": after}
        (folder / f"{name}.json").write_text(json.dumps(record) + "\n")
    plateau = klr.ReduceLROnPlateau("loss", patience=1, min_delta=1e9, factor=0.5, state_path=folder / "plateau.json")
    model = model_with(keras.optimizers.SGD(klr.Linear(0.1, 0.0, 100)))
    history = model.fit(x, x.sum(axis=1), batch_size=8, epochs=4, verbose=0, shuffle=False, callbacks=[plateau])
    (folder / "plateau_rates.json").write_text(json.dumps(history.history["learning_rate"]) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
