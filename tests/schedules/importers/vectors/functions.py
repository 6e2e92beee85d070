"""Functions of the step that schedulers of other libraries are given as arguments, by name, so that JSON can hold them."""

import keras


@keras.saving.register_keras_serializable(package="tests.vectors")
def inverse(t):
    return 1.0 / (1.0 + 0.1 * t)


@keras.saving.register_keras_serializable(package="tests.vectors")
def twentieth(t):
    return 0.95 ** (t // 2)


@keras.saving.register_keras_serializable(package="tests.vectors")
def nearly_one(t):
    return 1.0 - 0.5 / (t + 1.0)


@keras.saving.register_keras_serializable(package="tests.vectors")
def third(x):
    return 1.0 / (3.0 ** (x - 1.0))


def resolved(value):
    """An argument as JSON holds it, with the functions that its names stand for."""
    if isinstance(value, dict) and set(value) == {"function"}:
        return globals()[value["function"]]
    if isinstance(value, dict):
        return {name: resolved(item) for name, item in value.items()}
    return [resolved(item) for item in value] if isinstance(value, list) else value
