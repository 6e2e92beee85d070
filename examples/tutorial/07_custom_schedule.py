"""Learning rate schedules, custom learning rate schedule: your own function, saved and loaded with the model.

The tutorial writes a class with `__init__`, `__call__` and `get_config`. It trains, but the saved model can't be loaded,
because the class is not registered. `klr.Function` needs one line of code and the decorator that registers it. This example
trains, saves, loads, and continues at the rate where it stopped.
"""

from pathlib import Path

import keras
from tutorial_data import digits

import keras_lr as klr


@keras.saving.register_keras_serializable(package="tutorial")
def slow_and_steady(step):
    return 0.01 / (1 + 0.1 * step)


def main(output="."):
    keras.utils.set_random_seed(0)
    (x, y), _ = digits()
    model = keras.Sequential(
        [keras.layers.Input([64]), keras.layers.Dense(32, "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(klr.Function(slow_and_steady)), "sparse_categorical_crossentropy")
    before, after = klr.LearningRateMonitor(), klr.LearningRateMonitor()
    model.fit(x, y, epochs=2, verbose=0, callbacks=[before])

    path = Path(output) / "custom_schedule.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    loaded.fit(x, y, initial_epoch=2, epochs=3, verbose=0, callbacks=[after])

    print(f"Saved after update {len(before.learning_rates)}, at rate {before.learning_rates[-1]:.6f}")
    print(f"Loaded, and continued at rate {after.learning_rates[0]:.6f}")
    return before.learning_rates, after.learning_rates


if __name__ == "__main__":
    main()
