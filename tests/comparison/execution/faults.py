"""A model whose training fails in a way that its learning rate selects. Only workers run the harmful faults."""

import os
import pathlib
import resource
import signal
import time

import keras
import numpy as np

KILLED, STOPPED, STUCK, NO_MEMORY = 0.02, 0.03, 0.04, 0.05
CALL = 3  # of the loss, counted from 0, in which the fault happens
DRIVER = os.getpid()
FOLDER = "KERAS_LR_TEST_FOLDER"
X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X.sum(axis=1)


def build_model():
    """A line, trained eagerly, so that the fault happens in an update."""
    model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
    calls, rates = [], []

    def loss(y_true, y_pred):
        if len(calls) == CALL:
            _fail(rates[0])
        calls.append(None)
        return keras.ops.mean(keras.ops.square(y_true - y_pred))

    model.compile("sgd", loss, run_eagerly=True)
    own = model.make_train_function

    def make_train_function(*arguments, **named):  # here every backend can read the rate
        rates[:] = [round(float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)), 6)]
        return own(*arguments, **named)

    model.make_train_function = make_train_function
    return model


def _fail(rate):
    if os.getpid() == DRIVER:
        return
    if rate == KILLED and _first():
        os.kill(os.getpid(), signal.SIGKILL)
    if rate == STOPPED:
        os.kill(os.getpid(), signal.SIGSTOP)
    if rate == STUCK:
        time.sleep(3600)
    if rate == NO_MEMORY:
        _fill_memory()


def _first():
    """Whether this is the first call of all processes."""
    try:
        (pathlib.Path(os.environ[FOLDER]) / "killed").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _fill_memory():
    """Allocates more memory than the limit of this process."""
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, before[1]))
    try:
        np.ones(2**30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
