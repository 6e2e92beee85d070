"""Exercise 1: compare different learning rate schedules on the same data.

Six schedules have the same highest rate, a high one. With a constant rate the weights jump around the minimum; with a falling
rate they settle, as the training loss shows. The shape of the fall matters less. On 384 images and with three seeds, the four
falling schedules are almost indistinguishable, and the comparison reports this instead of a chance winner.
"""

from pathlib import Path

import keras
from tutorial_data import digits

import keras_lr as klr

RATE = 0.6
SCHEDULES = {
    "constant": klr.Constant(RATE),
    "step": klr.StepDecay(RATE, 0.3, per="2ep"),
    "exponential": klr.Exponential(RATE, 0.6, per="1ep"),
    "cosine": klr.Cosine(RATE, 0.0, "100%"),
    "time-based": klr.TimeDecay(RATE, decay=1.0, per="1ep"),
    "triangular": klr.Triangular(RATE / 30, RATE, up="2ep"),
}


def build_model():
    model = keras.Sequential(
        [keras.layers.Input([64]), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.SGD(momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(output=".", seeds=3):
    (x, y), validation = digits()
    result = klr.compare(
        build_model, x, y, validation_data=validation, schedules=SCHEDULES, seeds=seeds, epochs=8, batch_size=64
    )
    result.plot(Path(output) / "schedules_compared.png")
    print(result)
    last = result.curves("loss").groupby("case")["mean"].last()
    print("\nTraining loss of the last epoch:", ", ".join(f"{name} {loss:.3f}" for name, loss in last.items()))
    return result, last


if __name__ == "__main__":
    main()
