"""Measures the milliseconds per update of a range test on the backend of this process: a bare loop of the backend, and `find`.

On TensorFlow it also measures the tutorial's own finder loop; on PyTorch, in a separate environment, torch-lr-finder on equal
models. All of them take turns, and the fastest run of each counts. Prints one JSON document; compare only the ratios.
"""

import contextlib
import importlib.util
import itertools
import json
import os
import pathlib
import sys
import time

import numpy as np

UPDATES, BATCH, EXAMPLES = 100, 64, 3200
TURNS = 15
LOANS = contextlib.ExitStack()  # borrowed models, restored at the end
LOW, HIGH = 1e-9, 1e-8  # no run diverges, so each one has the same number of updates
SHAPES = {
    "tutorial, 20-64-1": ((20,), 1),
    "MNIST MLP, 784-128-64-10": ((784,), 10),
    "small CNN, 28x28": ((28, 28, 1), 10),
}


def data(name):
    order, (shape, outputs) = np.random.default_rng(0), SHAPES[name]
    x = order.normal(size=(EXAMPLES, *shape)).astype("float32")
    y = order.integers(0, 2, (EXAMPLES, 1)) if outputs == 1 else order.integers(0, outputs, EXAMPLES)
    return x, y.astype("float32" if outputs == 1 else "int64")


def keras_model(name):
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    shape, outputs = SHAPES[name]
    if len(shape) == 3:
        body = [layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(), layers.Conv2D(32, 3, activation="relu")]
        body += [layers.MaxPooling2D(), layers.Flatten()]
    else:
        body = [layers.Dense(units, activation="relu") for units in ([64] if outputs == 1 else [128, 64])]
    last = layers.Dense(outputs, activation="sigmoid" if outputs == 1 else None)
    model = keras.Sequential([layers.Input(shape), *body, last])
    binary = keras.losses.BinaryCrossentropy()
    loss = binary if outputs == 1 else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-3) if outputs == 1 else keras.optimizers.Adam(1e-3), loss)
    return model


def find_ways(name):
    """The ramps of `find`, one by one, on one borrowed model with one compiled program.

    The stopping rule runs, but its result is ignored: noise sometimes looks like divergence.
    """
    from keras_lr.engines.borrowed.borrow import borrow
    from keras_lr.engines.borrowed.ramp import climb
    from keras_lr.finder.deciding.curve import Curve
    from keras_lr.finder.deciding.stopping import Divergence
    from keras_lr.finder.measuring.batches import batches
    from keras_lr.finder.measuring.ladder import ladder
    from keras_lr.report.progress import progress

    model, (x, y) = keras_model(name), data(name)
    source, rates = batches("find", x, y, batch_size=BATCH), ladder("find", LOW, HIGH, UPDATES, "exponential")
    stepper = LOANS.enter_context(borrow(model, source.first))
    bar = LOANS.enter_context(progress("", UPDATES, 0))
    rule, seeds = Divergence(Curve(rates, ()).lead_in), itertools.count()

    def seconds():
        start = time.perf_counter()
        stepper.reset()
        ramp = climb(stepper, source.reader(next(seeds)), rates, lambda losses: rule.first(losses) and None, bar)
        duration = time.perf_counter() - start
        assert len(ramp.losses) == UPDATES
        return duration

    seconds()
    return seconds


def bare_tensorflow(name):
    """A `tf.function` with a while loop over a GradientTape step; the data are on the device."""
    import tensorflow as tf

    model, (x, y) = keras_model(name), data(name)
    optimizer, loss_of = model.optimizer, model.loss
    optimizer.build(model.trainable_variables)
    x, y = tf.constant(x), tf.constant(y)

    def body(update, losses, rows, rates):
        optimizer.learning_rate.assign(rates[update])
        with tf.GradientTape() as tape:
            loss = loss_of(tf.gather(y, rows[update]), model(tf.gather(x, rows[update]), training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return update + 1, losses.write(update, loss)

    @tf.function(autograph=False)
    def loop(rows, rates):
        losses = tf.TensorArray(tf.float32, size=UPDATES)
        return tf.while_loop(
            lambda update, _: update < UPDATES, lambda update, losses: body(update, losses, rows, rates), (0, losses)
        )[1].stack()

    return timer(lambda rows, rates: loop(tf.constant(rows, tf.int32), tf.constant(rates, tf.float32)).numpy())


def tutorial_loop(name):
    """The tutorial's finder with a working `set_value`: random rows, `train_on_batch`, one rate after the other."""
    model, (x, y) = keras_model(name), data(name)

    def run(rows, rates):
        losses = []
        for rate in rates:
            model.optimizer.learning_rate = rate
            indices = np.random.randint(0, len(x), BATCH)  # noqa: NPY002 - as the tutorial does
            losses.append(model.train_on_batch(x[indices], y[indices]))

    return timer(run)


def bare_jax(name):
    """A jitted step of Keras's stateless functions: scanned, or with convolutions, called without waiting."""
    import jax
    import jax.numpy as jnp

    model, (x, y) = keras_model(name), data(name)
    model.optimizer.build(model.trainable_variables)
    x, y = jnp.asarray(x), jnp.asarray(y)
    several = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
    index_of_rate = [variable.path for variable in model.optimizer.variables].index(model.optimizer.learning_rate.path)

    def step(state, inputs):
        trainable, rest, optimizer = state
        rows, rate = inputs

        def loss_at(trainable):
            predicted, after = model.stateless_call(trainable, rest, x[rows], training=True)
            return model.loss(y[rows], predicted), after

        (loss, rest), gradients = jax.value_and_grad(loss_at, has_aux=True)(trainable)
        optimizer = [rate if index == index_of_rate else value for index, value in enumerate(optimizer)]
        trainable, optimizer = model.optimizer.stateless_apply(optimizer, gradients, trainable)
        return (trainable, rest, optimizer), loss

    one, scan = jax.jit(step), jax.jit(lambda state, inputs: jax.lax.scan(step, state, inputs))

    def run(rows, rates):
        state = tuple([jnp.copy(variable.value) for variable in variables] for variables in several)
        rows, rates = jnp.asarray(rows, "int32"), jnp.asarray(rates, "float32")
        if len(SHAPES[name][0]) < 3:
            return np.asarray(scan(state, (rows, rates))[1])
        losses = []
        for update in range(UPDATES):
            state, loss = one(state, (rows[update], rates[update]))
            losses.append(loss)
        return np.asarray(jnp.stack(losses))

    return timer(run)


def bare_torch(name):
    """Forward, backward and the optimizer of Keras, called by hand; losses are read only at the end."""
    import keras
    import torch

    model, (x, y) = keras_model(name), data(name)
    model.optimizer.build(model.trainable_variables)
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def run(rows, rates):
        losses = []
        for own, rate in zip(torch.from_numpy(rows), rates.tolist(), strict=True):
            model.optimizer.learning_rate.assign(rate)
            model.zero_grad()
            loss = model.loss(y[own], model(x[own], training=True))
            loss.backward()
            with torch.no_grad():
                variables = model.trainable_variables
                model.optimizer.apply([variable.value.grad for variable in variables], variables)
            losses.append(loss.detach())
        return keras.ops.convert_to_numpy(torch.stack(losses))

    return timer(run)


def torch_lr_finder(name):
    """The package torch-lr-finder on a PyTorch model with the same layers, loss and optimizer."""
    import torch
    from torch import nn
    from torch_lr_finder import LRFinder

    (shape, outputs), (x, y) = SHAPES[name], data(name)
    if len(shape) == 3:
        layers = [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Flatten(), nn.Linear(800, 10)]
        x = x.transpose(0, 3, 1, 2).copy()
    else:
        sizes = [20, 64, 1] if outputs == 1 else [784, 128, 64, 10]
        layers = [part for a, b in itertools.pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())][:-1]
        layers += [nn.Sigmoid()] if outputs == 1 else []
    model = nn.Sequential(*layers)
    optimizer = (torch.optim.SGD if outputs == 1 else torch.optim.Adam)(model.parameters(), lr=LOW)
    examples = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    loader = torch.utils.data.DataLoader(examples, batch_size=BATCH, shuffle=True)

    def run(rows, rates):
        finder = LRFinder(model, optimizer, nn.BCELoss() if outputs == 1 else nn.CrossEntropyLoss())
        finder.range_test(loader, end_lr=HIGH, num_iter=UPDATES, diverge_th=1e9)
        finder.reset()

    return timer(run)


def timer(run):
    """Returns a function that measures the seconds of 100 updates, after a first call that compiles."""
    order = np.random.default_rng(0)
    rates = np.geomspace(LOW, HIGH, UPDATES)

    def seconds():
        rows = np.concatenate([order.permutation(EXAMPLES).reshape(-1, BATCH) for _ in range(2)])
        start = time.perf_counter()
        run(rows, rates)
        return time.perf_counter() - start

    seconds()
    return seconds


def ways():
    if "--peer" in sys.argv:
        return {"torch-lr-finder": torch_lr_finder}
    import keras

    backend = keras.backend.backend()
    bare = {"tensorflow": bare_tensorflow, "jax": bare_jax, "torch": bare_torch}[backend]
    own = {"bare loop": bare, "find": find_ways}
    return own | ({"tutorial's loop": tutorial_loop} if backend == "tensorflow" else {})


def main():
    if importlib.util.find_spec("torch") and ("--peer" in sys.argv or os.environ.get("KERAS_BACKEND") == "torch"):
        import torch

        torch.set_num_threads(min(2, os.cpu_count()))
    rows = []
    with LOANS:
        for name in SHAPES:
            timers = {way: prepare(name) for way, prepare in ways().items()}
            times = {way: [] for way in timers}
            for _ in range(TURNS):
                for way, seconds in timers.items():
                    times[way].append(seconds())
            rows.append({"model": name, **{way: 1000.0 * min(several) / UPDATES for way, several in times.items()}})
    print(json.dumps({"backend": os.environ.get("KERAS_BACKEND", pathlib.Path(sys.executable).name), "rows": rows}))


if __name__ == "__main__":
    main()
