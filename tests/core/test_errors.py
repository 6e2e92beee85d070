"""Errors come back from a worker process as they were raised."""

import pickle

import pytest

from keras_lr.core.errors import ArgumentError, KerasLRError, MissingExtraError, StoreError, UserCodeError

pytestmark = pytest.mark.once
ERRORS = [
    KerasLRError("a message"),
    ArgumentError("find", "steps must be at least 1", "Pass a whole number", steps=-3),
    UserCodeError("compare: build_model raised LookupError: price"),
    StoreError("compare", "the disk is full", "Free some space", store="runs.sqlite"),
    MissingExtraError("ray", "ray", "compare(engine='ray')"),
]


def classes(kind):
    return {kind}.union(*map(classes, kind.__subclasses__()))


def test_every_class_of_the_tree_is_here():
    assert {type(error) for error in ERRORS} == classes(KerasLRError)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_is_pickled(error, protocol):
    again = pickle.loads(pickle.dumps(error, protocol))
    assert (type(again), str(again), again.args, repr(again)) == (type(error), str(error), error.args, repr(error))
    assert again.__cause__ is None
