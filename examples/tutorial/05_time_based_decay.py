"""Learning rate schedules, time-based decay: rate(t) = start / (1 + decay * t).

The tutorial's snippet under this name is exponential decay, `ExponentialDecay(staircase=False)`: its step decay without the
steps. Time-based decay is another curve. It falls as fast at first, but slows down. Below, both start at 0.1 and meet again
at update 100.
"""

from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from tutorial_data import digits

import keras_lr as klr

DECAY = (1 / 0.96 - 1) / 100  # 0.1 becomes 0.096 after 100 updates, as in the tutorial's snippet


def main(output="."):
    keras.utils.set_random_seed(0)
    time_based = klr.TimeDecay(0.1, decay=DECAY)
    exponential = klr.Exponential(0.1, 0.96, per=100)  # the tutorial's snippet
    steps = [0, 100, 1_000, 10_000, 100_000]
    rates = time_based.evaluate(steps), exponential.evaluate(steps)
    for step, slow, fast in zip(steps, *rates, strict=True):
        print(f"update {step:7,}: time-based {slow:.6f}, exponential {fast:.6f}")

    (x, y), _ = digits()
    model = keras.Sequential(
        [keras.layers.Input([64]), keras.layers.Dense(32, "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.SGD(klr.TimeDecay(0.1, decay=0.01)), "sparse_categorical_crossentropy")
    monitor = klr.LearningRateMonitor()
    model.fit(x, y, epochs=3, verbose=0, callbacks=[monitor])
    print(
        f"In training with decay 0.01: {monitor.learning_rates[0]:g} at the start, {monitor.learning_rates[-1]:.4f} at the end"
    )

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    updates = np.unique(np.geomspace(1, 100_000, 200).astype(int))
    axes.loglog(updates, time_based.evaluate(updates), label="time-based: 0.1 / (1 + decay * t)")
    axes.loglog(updates, exponential.evaluate(updates), label="exponential: 0.1 * 0.96 ** (t / 100)")
    axes.set(title="Two decays that meet at update 100", xlabel="Update", ylabel="Learning rate", ylim=(1e-5, 0.2))
    axes.legend()
    figure.savefig(Path(output) / "time_based_decay.png", dpi=150)
    return rates, monitor.learning_rates


if __name__ == "__main__":
    main()
