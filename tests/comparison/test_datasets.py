"""Every run reads again a source that makes its own batches."""

import keras

import keras_lr as klr
from tests.comparison.test_compare import X, Y, build_line


class Batches(keras.utils.PyDataset):
    """Four batches of ten, which records the batches read."""

    def __init__(self):
        super().__init__(workers=1)
        self.read = []

    def __len__(self):
        return 4

    def __getitem__(self, index):
        self.read.append(index)
        part = slice(10 * index, 10 * index + 10)
        return X[part], Y[part]


def test_a_pydataset_trains_every_run():
    batches = Batches()
    result = klr.compare(build_line, batches, validation_data=(X, Y), learning_rates=[0.1, 0.01], seeds=1, verbose=0)
    assert result.best.name == "lr 0.1"
    assert [case.learning_rates for case in result.cases] == [(0.1,) * 4, (0.01,) * 4]
    assert sum(batches.read.count(index) for index in range(4)) >= 2 * 4
    again = klr.compare(build_line, Batches(), validation_data=(X, Y), learning_rates=[0.1, 0.01], seeds=1, verbose=0)
    assert again == result


def test_batches_with_nan_diverge():
    class Broken(Batches):
        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            return (x * float("nan"), y) if index == 2 else (x, y)

    result = klr.compare(build_line, Broken(), metric="loss", seeds=1, verbose=0)
    assert result.best is None
    epoch, update = result.cases[0].runs[0].diverged_at
    assert epoch == 0
    assert update in range(4)  # the position of the batch in this seed's order
