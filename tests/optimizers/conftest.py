"""Three layers with names, and optimizers fed with gradients that nobody computed."""

import contextlib

import keras
import numpy as np
import pytest


@pytest.fixture
def three_layers():
    """Makes a model of three layers, always with the same weights."""

    def make():
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dense(2, name=name) for name in ("bottom", "middle", "top")]
        return keras.Sequential([keras.layers.Input((3,)), *layers], name="model")

    return make


@pytest.fixture
def gradients():
    """Makes the same gradients for the variables of a model, for many updates, away from 0."""

    def make(variables, updates=12, scale=1.0):
        draw = np.random.default_rng(1)
        signs = [[draw.choice([-1.0, 1.0], v.shape) for v in variables] for _ in range(updates)]
        return [
            [(sign * draw.uniform(0.3, 1.0, sign.shape) * scale).astype("float32") for sign in row] for row in signs
        ]

    return make


@pytest.fixture
def feed():
    """Applies gradients, and gives the values of the variables after each update."""

    def run(optimizer, variables, gradients):
        values = []
        with _without_gradients():
            for row in gradients:
                _apply(optimizer, variables, [keras.ops.convert_to_tensor(gradient) for gradient in row])
                values.append([np.array(keras.ops.convert_to_numpy(variable)) for variable in variables])
        return values

    return run


def _apply(optimizer, variables, gradients):
    """One update, in the way in which `fit` makes it on this backend."""
    if keras.backend.backend() != "jax":
        optimizer.apply(gradients, variables)
        return
    if not optimizer.built:
        optimizer.build(variables)
    state = [variable.value for variable in optimizer.variables]
    values, state = optimizer.stateless_apply(state, gradients, [variable.value for variable in variables])
    for variable, value in zip([*variables, *optimizer.variables], [*values, *state], strict=True):
        variable.assign(value)


def _without_gradients():
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()
