"""Learning rate schedules, step decay: the rate falls in steps.

The tutorial writes "at specific epochs", but its snippet counts updates: 100 of them are two epochs of this data, and a
quarter of an epoch of MNIST. `klr.StepDecay(0.1, 0.96, per=100)` equals that snippet, number for number. `per="2ep"` counts
epochs, whatever the size of the data and the batch.
"""

from pathlib import Path

import keras
import numpy as np
from tutorial_data import digits

import keras_lr as klr

EPOCHS = 6


def main(output="."):
    keras.utils.set_random_seed(0)
    ours = klr.StepDecay(0.1, 0.96, per=100)
    snippet = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=100, decay_rate=0.96, staircase=True)
    steps = [0, 99, 100, 200, 1000]
    same = np.array([float(snippet(step)) for step in steps]), ours.evaluate(steps)
    for step, keras_rate, rate in zip(steps, *same, strict=True):
        print(f"update {step:4}: Keras {keras_rate:.6f}, StepDecay {rate:.6f}")

    (x, y), _ = digits()
    schedule = klr.StepDecay(0.1, 0.5, per="2ep")
    model = keras.Sequential(
        [keras.layers.Input([64]), keras.layers.Dense(32, "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.SGD(schedule, momentum=0.9), "sparse_categorical_crossentropy")
    monitor = klr.LearningRateMonitor()
    history = model.fit(x, y, epochs=EPOCHS, verbose=0, callbacks=[monitor]).history
    for epoch, (rate, loss) in enumerate(zip(history["learning_rate"], history["loss"], strict=True)):
        print(f"epoch {epoch + 1}: rate {rate:g}, loss {loss:.4f}")

    schedule.bind(steps_per_epoch=44, epochs=EPOCHS).plot(Path(output) / "step_decay.png", steps=44 * EPOCHS - 1)
    return same, monitor.learning_rates, history["loss"]


if __name__ == "__main__":
    main()
