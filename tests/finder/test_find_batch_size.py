"""The largest batch that fits, and the noise scale against its definition."""

import keras
import numpy as np
import pytest

import keras_lr as klr
from keras_lr import backends
from keras_lr.finder.find_batch_size import noise_scale


def plane(rows=2048, noise=2.0):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 4)).astype("float32")
    y = (x @ [1.0, -2.0, 0.5, 1.0] + noise * rng.normal(size=rows)).astype("float32")[:, None]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1, use_bias=False)])
    model.compile("adam", "mse")
    return model, x, y


@pytest.mark.once
def test_the_noise_scale_by_hand():
    """|G|^2 = 1 and S = 20: 1 + 20 / 10 = 3 and 1 + 20 / 100 = 1.2."""
    assert noise_scale([(10, 3.0, 100, 1.2)]) == pytest.approx(20.0)
    assert noise_scale([(10, 1.0, 100, 0.1)]) is None
    assert noise_scale([(10, float("nan"), 100, 0.1)]) is None
    assert noise_scale([]) is None


def squared_lengths(x, y, weights, draws, seed=0):
    """Of the gradients of batches of 128 and of the 16 examples that each begins with, in float64."""
    order, single = np.random.default_rng(seed), 2.0 * x * (x @ weights - y)
    for _ in range(draws):
        gradients = single[order.permutation(len(x))[:128]]
        yield 16, (gradients[:16].mean(axis=0) ** 2).sum(), 128, (gradients.mean(axis=0) ** 2).sum()


def test_the_lengths_are_those_of_the_gradients():
    model, x, y = plane()
    weights = np.array(keras.ops.convert_to_numpy(model.trainable_variables[0]), np.float64)
    found = klr.find_batch_size(model, x, y, largest=32)
    assert found.noise_scale == pytest.approx(
        noise_scale(list(squared_lengths(x, y, weights, 32))), rel=1e-3
    )  # float32


@pytest.mark.once
def test_the_noise_scale_is_the_variance_over_the_square_of_the_mean():
    _, x, y = plane()
    weights = np.full((4, 1), 0.3)
    single = 2.0 * x * (x @ weights - y)
    expected = single.var(axis=0, ddof=1).sum() / (single.mean(axis=0) ** 2).sum()
    # 20,000 draws, each of which scatters by about its size; drawn from 2,048 rows without putting them back: 128 / 2,048
    found = noise_scale(list(squared_lengths(x, y, weights, 20_000)))
    assert found == pytest.approx(expected, rel=0.07)


def test_it_doubles_to_the_end_of_the_data_and_leaves_nothing(some_digits, make_mlp):
    x, y = some_digits
    alone = make_mlp().fit(x, y, epochs=2, verbose=0).history
    model = make_mlp()
    optimizer = model.optimizer
    found = klr.find_batch_size(model, x, y)
    assert (found.batch_size, found.tried) == (512, (32, 64, 128, 256, 512))
    assert found.reason.startswith(
        "All sizes up to 512 fit; the data has 640 examples. The noise scale of the gradient is"
    )
    assert model.optimizer is optimizer
    assert model.fit(x, y, epochs=2, verbose=0).history == alone


class Scarce:
    """Memory for so many examples."""

    def __init__(self, monkeypatch, most, error):
        stepper = backends.active().Stepper
        updates = stepper.updates

        def limited(this, chunk, learning_rates):
            if chunk.rows.shape[1] > most:
                raise error
            return updates(this, chunk, learning_rates)

        monkeypatch.setattr(stepper, "updates", limited)


@pytest.mark.parametrize(
    "error", [MemoryError("none left"), RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes")], ids=repr
)
def test_out_of_memory_is_an_answer(error, some_digits, make_mlp, monkeypatch):
    x, y = some_digits
    alone = make_mlp().fit(x, y, epochs=2, verbose=0).history
    model = make_mlp()
    with monkeypatch.context() as patch:
        Scarce(patch, 200, error)
        found = klr.find_batch_size(model, x, y, smallest=64)
    assert (found.batch_size, found.tried) == (128, (64, 128))
    assert found.reason.startswith("An update on 256 examples ran out of memory: ")
    assert model.fit(x, y, epochs=2, verbose=0).history == alone


def test_another_error_is_raised_and_the_model_is_as_it_was(some_digits, make_mlp, monkeypatch):
    model = make_mlp()
    optimizer = model.optimizer
    Scarce(monkeypatch, 64, RuntimeError("the shapes differ"))
    with pytest.raises(RuntimeError, match="the shapes differ"):
        klr.find_batch_size(model, *some_digits)
    assert model.optimizer is optimizer


@pytest.mark.once
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"smallest": 0}, r"find_batch_size\(smallest=0\): smallest must be a whole number of at least 1"),
        ({"smallest": 5000}, "smallest is more than the 640 examples. Pass a smaller one."),
        ({"largest": 8}, "largest must be a whole number of at least 32"),
        ({"model": 3}, r"find_batch_size\(model=3\): this is not a Keras model"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(change, text, some_digits, make_mlp):
    arguments = {"model": make_mlp(), "x": some_digits[0], "y": some_digits[1], **change}
    with pytest.raises(klr.ArgumentError, match=text):
        klr.find_batch_size(**arguments)


@pytest.mark.once
def test_a_dataset_has_batches_of_its_own(make_mlp):
    class Data(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return np.zeros((4, 64)), np.zeros((4, 10))

    with pytest.raises(
        klr.ArgumentError, match="x is a dataset, which brings its own batches. Pass the data as arrays, which give"
    ):
        klr.find_batch_size(make_mlp(), Data())
