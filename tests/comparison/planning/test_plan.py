"""What a comparison will do, and every reason to refuse it before anything is trained."""

import keras
import numpy as np
import pandas
import pytest

import keras_lr as klr
from keras_lr.comparison.planning.plan import cases_of, seeds_of
from keras_lr.comparison.planning.reference_model import logged_name

pytestmark = pytest.mark.once

X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
Y = X.sum(axis=1)


def build_model():
    model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def never():
    raise AssertionError("a model was built")


def refused(*message, build=never, x=X, y=Y, **arguments):
    """Asserts that compare refuses, in these words."""
    with pytest.raises(klr.ArgumentError) as caught:
        klr.compare(build, x, y, **{"metric": "loss", "verbose": 0} | arguments)
    for part in message:
        assert part in str(caught.value)
    assert str(caught.value).startswith("compare(")


def test_cases_are_the_product():
    cosine = klr.Cosine(1.0, 0.0, 8)
    cases = cases_of(["sgd", "adam"], {"cosine": cosine, "flat": klr.Constant(1.0)}, [0.1, 0.001])
    assert [case.name for case in cases] == [
        "sgd, cosine, lr 0.1",
        "sgd, cosine, lr 0.001",
        "sgd, flat, lr 0.1",
        "sgd, flat, lr 0.001",
        "adam, cosine, lr 0.1",
        "adam, cosine, lr 0.001",
        "adam, flat, lr 0.1",
        "adam, flat, lr 0.001",
    ]
    assert cases[0].rate == 0.1 * cosine
    assert type(cases[4].optimizer_for(None)).__name__.endswith("Adam")


def test_nothing_to_vary_is_one_case():
    (case,) = cases_of(None, None, None)
    assert case.name == "as compiled"
    template = object()
    assert case.optimizer_for(template) is template


def test_a_rate_that_needs_its_digits_keeps_them():
    names = [case.name for case in cases_of(None, None, [0.12345678, 0.1234567, np.float64(0.1)])]
    assert names == ["lr 0.12345678", "lr 0.1234567", "lr 0.1"]


def test_seeds():
    assert seeds_of(3) == (0, 1, 2)
    assert seeds_of([7, np.int64(5)]) == (7, 5)


@pytest.mark.parametrize(
    "arguments,words",
    [
        ({"learning_rates": []}, "compare(learning_rates=[]): it is empty."),
        ({"learning_rates": [0.1, 0.1]}, "a rate must be unique, but 0.1 occurs twice. Leave one out."),
        ({"learning_rates": [0.0]}, "compare(learning_rates=0.0): learning_rates must be above 0."),
        ({"learning_rates": [float("nan")]}, "learning_rates must be a finite number."),
        ({"learning_rates": [-1.0]}, "must be above 0."),
        (
            {"learning_rates": 0.1},
            "learning_rates must be a list of numbers. Pass a list such as [0.1, 0.01, 0.001], or 'auto' for",
        ),
        ({"schedules": {}}, "it is empty."),
        ({"schedules": [1]}, "schedules must be a dict from names to schedules."),
        ({"schedules": {"a": 0.1}}, "'a' is not the name of a schedule."),
        ({"optimizers": []}, "it is empty."),
        ({"optimizers": "adam"}, "optimizers must be a list or a dict."),
        (
            {"optimizers": ["adan"]},
            "compare(optimizers='adan'): Keras has no optimizer named 'adan'. Pass a list of names",
        ),
        ({"optimizers": ["sgd", "sgd"]}, "a name must be unique, but 'sgd' occurs twice."),
        ({"optimizers": {"mine": "adam"}}, "'mine' is not the name of an optimizer of Keras 3."),
        ({"seeds": 0}, "compare(seeds=0): seeds must be a whole number of at least 1."),
        ({"seeds": []}, "there must be at least one seed."),
        ({"seeds": [1, 1]}, "a seed must be unique, but 1 occurs twice."),
        ({"seeds": [-1]}, "a seed must be a whole number from 0 to 2**32 - 1."),
        ({"seeds": [True]}, "a seed must be a whole number"),
        ({"epochs": 0}, "compare(epochs=0): epochs must be a whole number of at least 1."),
        (
            {"metric": "val_loss"},
            "the metric 'val_loss' needs validation data. Pass validation_data or validation_split=0.2",
        ),
        ({"metric": 3}, "metric must be a name."),
        ({"mode": "best"}, "mode must be one of 'auto', 'min', 'max'."),
        ({"batch_size": 21}, "batch_size must be at most the number of training examples, 20."),
        (
            {"batch_size": 17, "validation_split": 0.2},
            "batch_size must be at most the number of training examples, 16.",
        ),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1."),
        ({"validation_split": 1.0}, "validation_split must be below 1."),
        (
            {"validation_split": 0.1, "validation_data": (X, Y)},
            "validation_data and validation_split exclude each other. Pass one of the two.",
        ),
        ({"x": None}, "compare(x=None): x is missing."),
        ({"x": X[:0], "y": Y[:0]}, "x is empty. Pass at least one example."),
        ({"x": (row for row in X)}, "it can be read only once. Pass arrays, a PyDataset or a tf.data.Dataset."),
        ({"validation_data": iter([X])}, "it can be read only once."),
        ({"x": np.where(X > 1, np.nan, X)}, "compare(x=<ndarray of shape (20, 3)>): x contains NaN."),
        ({"y": np.full(20, np.nan)}, "compare(y=<ndarray of shape (20,)>): y contains NaN."),
        ({"x": {"a": X, "b": X * np.nan}}, "x contains NaN."),
        ({"y": Y[:10]}, "x has 20 examples and y has 10. Pass the same number of both."),
        ({"build": build_model()}, "build_model must be a function."),
        ({"build": "model"}, "compare(build_model='model'): build_model must be a function."),
    ],
)
def test_refused_before_a_model_is_built(arguments, words):
    refused(words, **arguments)


def test_a_model_that_is_none():
    refused("build_model must return a keras.Model, and returned None. End it with `return model`.", build=lambda: None)


def test_a_model_that_is_not_compiled():
    refused(
        "build_model returned a model that is not compiled. Call model.compile(optimizer, loss) in it.",
        build=lambda: keras.Sequential([keras.layers.Dense(1)]),
    )


def test_a_model_of_keras_2():
    kind = type("Sequential", (), {"__module__": "tf_keras.src.engine.sequential"})
    refused("build_model returned a model of tf_keras, which is Keras 2.", build=kind)


def test_a_metric_that_the_model_lacks():
    refused(
        "compare(metric='val_accuracy'): the model has no metric 'val_accuracy'. Pass one of loss, mae, val_loss, val_mae.",
        build=build_model,
        metric="val_accuracy",
        validation_split=0.2,
    )


def test_one_rate_for_several_optimizers():
    def build():
        parts = [keras.optimizers.SGD(), keras.optimizers.Adam()]
        model = build_model()
        model.compile(keras.optimizers.MultiOptimizer(lambda variable: parts["kernel" in variable.path]), "mse")
        return model

    refused("the optimizer holds several optimizers", build=build, learning_rates=[0.1])


def test_the_same_model_again():
    model = build_model()
    refused("build_model returned the same model twice. Build and compile the model inside it.", build=lambda: model)


def test_the_same_optimizer_again():
    shared = keras.optimizers.SGD()

    def build():
        model = build_model()
        model.compile(shared, "mse")
        return model

    refused("build_model gave two models the same optimizer. Build the optimizer inside it.", build=build)


def test_a_metric_that_keras_numbers_is_found():
    assert logged_name("val_auc", ["loss", "auc_3", "val_loss", "val_auc_3"]) == "val_auc_3"
    assert logged_name("auc", ["auc", "auc_1"]) == "auc"
    with pytest.raises(klr.ArgumentError, match=r"the model has no metric 'auc'\. Pass one of auc_1, auc_2\."):
        logged_name("auc", ["auc_1", "auc_2"])


def test_what_build_model_raises_is_kept():
    def broken():
        return 1 // 0

    with pytest.raises(klr.UserCodeError, match="compare: build_model raised ZeroDivisionError") as caught:
        klr.compare(broken, X, Y, metric="loss", verbose=0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.__cause__.__traceback__.tb_next.tb_frame.f_code.co_name == "broken"


def test_a_dataset_has_its_own_labels_and_batches():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return X[index * 10 : index * 10 + 10], Y[index * 10 : index * 10 + 10]

    refused("y must be None if x has the labels.", x=Batches(workers=1))
    refused("batch_size must be None if x has its own batches.", x=Batches(workers=1), y=None, batch_size=4)
    refused("only arrays can be split.", x=Batches(workers=1), y=None, validation_split=0.2)


def test_pandas_is_counted_and_looked_into():
    refused("x contains NaN.", x=pandas.DataFrame(X * np.nan))
    refused("x has 20 examples and y has 19.", x=pandas.DataFrame(X), y=pandas.Series(Y[:19]))
