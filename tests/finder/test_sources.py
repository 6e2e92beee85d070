"""Every kind of data gives the batches that `fit` would get from it."""

import keras
import numpy as np
import pytest

import keras_lr as klr

STEPS = 20
X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
RAMP = {"steps": STEPS, "min_lr": 1e-3, "max_lr": 1e-1, "repeats": 1, "sprint_steps": 4}


def batches(sizes=(8, 8, 8, 8, 8)):
    ends = np.cumsum(sizes)
    return [(X[end - size : end], Y[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def expected(line, sizes=(8, 8, 8, 8, 8)):
    """The losses when the batches are taken in their order, again and again."""
    model, losses = line[2](jit_compile=False), []
    for update, rate in enumerate(np.geomspace(1e-3, 1e-1, STEPS)):
        model.optimizer.learning_rate = rate
        x, y = batches(sizes)[update % len(sizes)]
        losses.append(float(model.train_on_batch(x, y)))
        model.reset_metrics()
    return np.array(losses)


def tf_data(sizes=(8,)):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(sizes[0])


def loader(sizes=(8,)):
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(data, batch_size=sizes[0])


def generator(sizes=(8, 8, 8, 8, 8)):
    return lambda: iter(batches(sizes))


SOURCES = {"tf.data": tf_data, "DataLoader": loader, "function": generator}


@pytest.mark.parametrize("name", SOURCES)
def test_batches_come_in_the_order_of_the_data(name, line):
    found = klr.find(line[2](), SOURCES[name](), **RAMP)
    assert np.array(found.losses[0]) == pytest.approx(expected(line), rel=1e-5)
    assert found.note.startswith("The data keeps its own order")


@pytest.mark.parametrize("name", ["tf.data", "DataLoader"])
def test_a_last_batch_may_be_smaller(name, line):
    found = klr.find(line[2](), SOURCES[name]((16,)), **RAMP)
    assert np.array(found.losses[0]) == pytest.approx(expected(line, (16, 16, 8)), rel=1e-5)


def test_batches_of_any_sizes(line):
    sizes = (4, 8, 8, 4, 16)
    found = klr.find(line[2](), generator(sizes), **RAMP)
    assert np.array(found.losses[0]) == pytest.approx(expected(line, sizes), rel=1e-5)


def test_large_arrays_are_read_row_by_row(line, monkeypatch):
    """Arrays too large to be handed over whole give the same batches."""
    whole = klr.find(line[2](), X, Y, batch_size=8, **RAMP)
    monkeypatch.setattr("keras_lr.finder.measuring.batches.RESIDENT", 0)
    assert klr.find(line[2](), X, Y, batch_size=8, **RAMP).losses == whole.losses


class Once:
    """Gives its batches to the first reader alone."""

    def __init__(self, count):
        self.left = [batches()[index % 5] for index in range(count)]

    def __call__(self):
        while self.left:
            yield self.left.pop(0)


def test_data_that_ends_early_is_told(line):
    found = klr.find(line[2](), Once(14), **(RAMP | {"repeats": 3}))
    assert found.stop_reason == "data_ended"
    assert [len(ramp) for ramp in found.losses] == [13]  # one batch went into building the model
    assert "The data ended after 13 of 20 updates and could not be read again. Pass a function" in found.note


@pytest.mark.once
def test_data_without_a_batch_is_refused(line):
    with pytest.raises(klr.ArgumentError, match="the data has no batch"):
        klr.find(line[2](), lambda: iter(()), **RAMP)


@pytest.mark.parametrize("kind", ["tf.data", "function"])
def test_a_source_that_raises_in_the_middle_leaves_no_trace(kind, line):
    def broken():
        yield from batches()[:3]
        raise OSError("the disk is gone")

    source, error = broken, OSError
    if kind == "tf.data":
        tf = pytest.importorskip("tensorflow")
        kinds = tuple(tf.TensorSpec([8, size], "float32") for size in (3, 1))
        source, error = tf.data.Dataset.from_generator(broken, output_signature=kinds), Exception
    alone = line[2]().fit(X, Y, epochs=2, verbose=0).history
    model = line[2]()
    with pytest.raises(error, match="the disk is gone"):
        klr.find(model, source, **RAMP)
    assert model.fit(X, Y, epochs=2, verbose=0).history == alone


def test_a_loader_that_shuffles_draws_nothing_from_pytorch(line):
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    model, before = line[2](), torch.get_rng_state()
    klr.find(model, torch.utils.data.DataLoader(data, batch_size=8, shuffle=True), **RAMP)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_of_a_dataset_and_of_classes(line):
    weights = np.linspace(0.5, 1.5, 40).astype("float32")
    triples = [(x, y, weights[8 * index : 8 * index + 8]) for index, (x, y) in enumerate(batches())]
    model = line[2]()
    found = klr.find(model, lambda: iter(triples), **(RAMP | {"min_lr": 1e-12, "max_lr": 1e-11}))
    errors = [np.mean(w * (y - keras.ops.convert_to_numpy(model(x)))[:, 0] ** 2) for x, y, w in triples]
    assert found.losses[0][:5] == pytest.approx(errors, rel=1e-5)
