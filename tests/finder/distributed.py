"""Run in a process of its own with two virtual devices: prints the losses of `find` on one device and on both."""

import json
import os
import sys

KIND = sys.argv[1]
os.environ["KERAS_BACKEND"] = KIND
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import contextlib  # noqa: E402

import keras  # noqa: E402
import numpy as np  # noqa: E402

import keras_lr as klr  # noqa: E402

X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
Y = np.tanh(X[:, :2])


def network(scope):
    keras.utils.set_random_seed(0)
    with scope():
        model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(8, activation="tanh")])
        model.add(keras.layers.Dense(2))
        model.compile(keras.optimizers.Adam(), "mse", metrics=["mae"])
    return model


def both():
    """What makes the context in which a model for two devices is made."""
    if KIND == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope
    import jax

    assert len(jax.devices()) == 2
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    return contextlib.nullcontext


def main():
    ramp = {"batch_size": 16, "steps": 20, "min_lr": 1e-3, "max_lr": 1e-1, "repeats": 1, "sprint_steps": 8}
    one = None
    if KIND == "jax":  # the devices of TensorFlow must be set before the first use
        one = klr.find(network(contextlib.nullcontext), X, Y, **ramp).losses[0]
    scope = both()
    losses = klr.find(network(scope), X, Y, **ramp).losses[0]
    if one is None:
        one = klr.find(network(contextlib.nullcontext), X, Y, **ramp).losses[0]
    histories = []
    for search in (False, True):
        model = network(scope)
        if search:
            klr.find(model, X, Y, **ramp)
        histories.append(model.fit(X, Y, batch_size=16, epochs=2, verbose=0).history)
    print(json.dumps({"one": one, "both": losses, "same": histories[0] == histories[1], "histories": histories}))


if __name__ == "__main__":
    main()
