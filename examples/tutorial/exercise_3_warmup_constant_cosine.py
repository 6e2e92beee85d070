"""Exercise 3: a schedule with warm-up, constant rate and cosine decay, at the rate that `find` gives for it.

The shape has peak 1 and a relative length: 5 % warm-up, 55 % constant, 40 % cosine. `find` gets the shape, because a falling
schedule allows a higher peak than a constant rate. The learning rate is the answer times the shape. For comparison the
example trains the same model at the same rate without the shape, and at Adam's default rate.
"""

from pathlib import Path

import keras
from tutorial_data import digits

import keras_lr as klr

EPOCHS = 8
SHAPE = (klr.Constant(1.0, "55%") >> klr.Cosine(1.0, 0.0, "40%")).warmup("5%")


def build_model(rate=0.001):
    model = keras.Sequential(
        [keras.layers.Input([64]), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(output="."):
    keras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits()
    model = build_model()
    constant = klr.find(model, x, y, batch_size=64)
    found = klr.find(model, x, y, batch_size=64, schedule=SHAPE)
    print(
        f"Answers: {constant.learning_rate:.2g} for a constant rate, {found.learning_rate:.2g} as the peak of the shape"
    )

    losses, monitor = {}, klr.LearningRateMonitor()
    cases = {"shape": found.learning_rate * SHAPE, "constant": found.learning_rate, "Adam's default": 0.001}
    for name, rate in cases.items():
        keras.utils.set_random_seed(0)
        model = build_model(rate)
        callbacks = [monitor] if name == "shape" else []
        history = model.fit(x, y, batch_size=64, epochs=EPOCHS, verbose=0, callbacks=callbacks).history
        losses[name] = history["loss"]
        _, accuracy = model.evaluate(x_test, y_test, verbose=0)
        print(f"{name:14}: last loss {losses[name][-1]:.4f}, test accuracy {accuracy:.3f}")

    rates = monitor.learning_rates
    print(
        f"Rates: {rates[0]:.2g} at update 0, {max(rates):.2g} at the peak, {rates[-1]:.2g} at update {len(rates) - 1}"
    )
    (found.learning_rate * SHAPE).bind(steps_per_epoch=len(rates) // EPOCHS, epochs=EPOCHS).plot(
        Path(output) / "warmup_constant_cosine.png"
    )
    return constant, found, rates, losses


if __name__ == "__main__":
    main()
