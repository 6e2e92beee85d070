"""Fine-tuning: a rate for the new head above a frozen base, then a smaller rate for the whole model.

The base comes from a network that tells the digits 0 to 4 apart. The new task is to tell 5 to 9 apart.
"""

from pathlib import Path

import keras
from sklearn.datasets import load_digits

import keras_lr as klr

LOSS = "sparse_categorical_crossentropy"


def main(output="."):
    keras.utils.set_random_seed(0)
    base = pretrained(*digits(range(5)))
    x, y = digits(range(5, 10))
    (x, y), (x_test, y_test) = (x[:700], y[:700]), (x[700:], y[700:])
    # the recipe
    model = keras.Sequential([keras.layers.Input([64]), base, keras.layers.Dense(5, "softmax", name="head")])

    base.trainable = False  # first the head alone
    model.compile("adam", LOSS)
    head = klr.find(model, x, y, batch_size=16, epochs=20)
    head.apply(model)
    model.fit(x, y, batch_size=16, epochs=20, verbose=0)
    frozen_loss = model.evaluate(x_test, y_test, verbose=0)

    base.trainable = True  # then all layers: each one has half of the rate of the layer above it
    model.compile(klr.PerLayer(keras.optimizers.Adam(), klr.layerwise_decay(model, 0.5)), LOSS)
    whole = klr.find(model, x, y, batch_size=16, epochs=20)
    whole.apply(model)
    model.fit(x, y, batch_size=16, epochs=20, verbose=0)
    # end of the recipe
    loss = model.evaluate(x_test, y_test, verbose=0)
    head.plot(Path(output) / "head.png")
    whole.plot(Path(output) / "whole_model.png")
    print(f"The head alone: test loss {frozen_loss:.3f} at {head}")
    print(f"The whole model: test loss {loss:.3f} at {whole}")
    return head, whole, frozen_loss, loss


def digits(classes):
    """Returns the images of some digits, and their classes, which count from 0."""
    x, y = load_digits(return_X_y=True)
    chosen = (y >= classes[0]) & (y <= classes[-1])
    return (x[chosen] / 16.0).astype("float32"), y[chosen] - classes[0]


def pretrained(x, y):
    """Returns the layers below the head of a network that has learned a task."""
    layers = [keras.layers.Dense(64, "relu", name="first"), keras.layers.Dense(32, "relu", name="second")]
    base = keras.Sequential([keras.layers.Input([64]), *layers], name="base")
    model = keras.Sequential([base, keras.layers.Dense(5, "softmax")])
    model.compile("adam", LOSS)
    model.fit(x, y, epochs=20, verbose=0)
    return base


if __name__ == "__main__":
    main()
