"""Runs that raise: the comparison continues, and failed runs are distinguished from diverged ones."""

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr.comparison.case import Run
from keras_lr.comparison.views.figures import figure_of
from keras_lr.comparison.views.page import page_of
from keras_lr.core import records
from keras_lr.engines import failures
from tests.comparison.results import case, result

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X.sum(axis=1)
SHORT = {"metric": "loss", "verbose": 0}


def line():
    model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    return model


def raising(errors):
    """A factory whose n-th call raises `errors[n]`. Call 0 builds the reference model before the runs."""
    calls = []

    def build_model():
        calls.append(None)
        if len(calls) - 1 in errors:
            raise errors[len(calls) - 1]
        return line()

    return build_model


@pytest.mark.once
def test_the_other_runs_go_on():
    build = raising({2: LookupError("the column price is missing")})
    compared = klr.compare(build, X, Y, learning_rates=[0.1, 0.01], seeds=2, **SHORT)
    good, bad = compared.cases
    assert [run.outcome for run in good.runs + bad.runs] == ["finished", "finished", "failed", "finished"]
    assert bad.runs[0].score is None and bad.runs[0].history == {}
    line_of_it, _, traceback = bad.runs[0].error.partition("\n\n")
    assert line_of_it == "LookupError: the column price is missing"
    assert "in build_model" in traceback
    assert (bad.failed, bad.diverged, good.failed) == (1, 0, 0)
    assert compared.best.name == "lr 0.1"
    assert compared.warnings[0].startswith(
        "1 run failed and has no score. It is 'lr 0.01' with seed 0: LookupError: the column price is missing"
    )


def test_an_exception_in_fit_is_a_failed_run_too():
    def build_model():
        model = line()
        own = model.make_train_function

        def make_train_function(*arguments, **named):
            if float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) > 1.0:
                raise MemoryError("no room for 8 GiB")
            return own(*arguments, **named)

        model.make_train_function = make_train_function
        return model

    compared = klr.compare(build_model, X, Y, learning_rates=[2.0, 0.01], seeds=1, **SHORT)
    assert [one.runs[0].outcome for one in compared.cases] == ["failed", "finished"]
    assert compared.cases[0].runs[0].error.startswith("out of memory: MemoryError: no room for 8 GiB")


@pytest.mark.once
def test_every_case_failing_with_the_first_seed_raises_the_first_error():
    build = raising({1: LookupError("one"), 2: LookupError("two")})
    with pytest.raises(klr.UserCodeError, match="build_model raised LookupError: one") as caught:
        klr.compare(build, X, Y, learning_rates=[0.1, 0.01], seeds=3, **SHORT)
    assert repr(caught.value.__cause__) == "LookupError('one')"
    assert caught.value.__cause__.__traceback__.tb_next is not None


@pytest.mark.once
def test_an_interrupt_and_a_broken_rule_are_not_kept_as_outcomes():
    with pytest.raises(KeyboardInterrupt):
        klr.compare(raising({1: KeyboardInterrupt()}), X, Y, seeds=2, **SHORT)
    model = line()
    with pytest.raises(klr.ArgumentError, match="the same model twice"):
        klr.compare(lambda: model, X, Y, seeds=2, **SHORT)


@pytest.mark.once
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 17179869184 bytes."), True),
        (type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor"), True),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), True),
        (ValueError("shapes differ"), False),
    ],
)
def test_out_of_memory_is_recognised(error, expected):
    assert failures.summary(failures.describe(error)).startswith("out of memory: ") == expected


@pytest.mark.once
def test_memory_of_a_failed_run_is_let_go():
    class Big:
        pass

    alive = []

    def inner():
        big = Big()
        import weakref

        alive.append(weakref.ref(big))
        raise ValueError("no")

    try:
        inner()
    except ValueError as error:
        failures.release_memory(error)
        assert alive[0]() is None
        assert error.__traceback__ is not None


def with_failures(one, *indices):
    """A copy of a case in which some runs failed."""
    runs = [
        Run(run.seed, "failed", None, {}, error="ValueError: no\n\nTraceback") if index in indices else run
        for index, run in enumerate(one.runs)
    ]
    return type(one)(**{**vars(one), "runs": tuple(runs)})


@pytest.mark.once
def test_the_record_the_table_and_the_page_tell_failed_from_diverged():
    one = with_failures(case("lr 1", [None, None, None], learning_rate=1.0), 0, 1, 2)
    mixed = with_failures(case("lr 0.5", [None, None, 1.0], learning_rate=0.5), 0)
    compared = result([one, mixed, case("lr 0.1", [0.5, 0.6, 0.7], learning_rate=0.1)])
    table = compared.table().set_index("case")
    assert table.loc["lr 1", ["diverged", "failed", "verdict"]].tolist() == [0, 3, "failed"]
    assert table.loc["lr 0.5", ["diverged", "failed", "verdict"]].tolist() == [1, 1, "worse"]
    assert compared.row(mixed).texts[5:] == ["1 of 3, 1 failed", "worse"]
    labels = [points.label for points in figure_of(compared).panels[1].points if points.marker == "x"]
    assert labels == ["diverged, 1 run", "failed, 4 runs in 2 cases"]
    assert "failed, ValueError: no" in page_of(compared)
    assert figure_of(result([one])).panels[1].title == "Every run failed"


@pytest.mark.once
def test_a_record_of_an_earlier_version_is_still_read(tmp_path):
    compared = result([case("lr 0.1", [0.5, 0.6], learning_rate=0.1)])
    text = records.to_json(compared)
    older = text.replace('"error": null', '"later": null')
    assert older != text
    assert records.from_json(klr.Comparison, older) == compared
