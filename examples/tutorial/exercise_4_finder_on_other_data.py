"""Exercise 4: the learning rate finder on a different data set, with its picture.

The data are thirty features of 569 tumours with one of two diagnoses. A good rate for the digits is not good here, and a good
rate for one optimizer is not good for another. So `find` runs once for SGD and once for Adam, each time for the peak of a
cosine, and both models train along that cosine.
"""

from pathlib import Path

import keras
from tutorial_data import breast_cancer

import keras_lr as klr

EPOCHS = 3
SHAPE = klr.Cosine(1.0, 0.0, "100%")


def build_model(optimizer):
    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.layers.Input([30]), *layers])
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    return model


def main(output="."):
    (x, y), (x_test, y_test) = breast_cancer()
    shape = SHAPE.bind(steps_per_epoch=-(-len(x) // 32), epochs=EPOCHS)
    found, losses = {}, {}
    for name in ("sgd", "adam"):
        keras.utils.set_random_seed(0)
        model = build_model(name)
        found[name] = klr.find(model, x, y[:, None], batch_size=32, schedule=SHAPE)
        found[name].plot(Path(output) / f"lr_finder_breast_cancer_{name}.png")
        print(f"{name}: {found[name]}")

        start, default = model.get_weights(), float(model.optimizer.learning_rate)
        for what, peak in (("default", default), ("found", found[name].learning_rate)):
            model = build_model(type(model.optimizer)(peak * shape))
            model.set_weights(start)
            model.fit(x, y[:, None], batch_size=32, epochs=EPOCHS, verbose=0)
            losses[name, what], accuracy = model.evaluate(x_test, y_test[:, None], verbose=0)
            print(
                f"  {EPOCHS} epochs from the {what} rate {peak:.2g}: loss {losses[name, what]:.3f}, accuracy {accuracy:.3f}"
            )
    return found, losses


if __name__ == "__main__":
    main()
