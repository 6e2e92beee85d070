"""The data of long trainings and of texts: the same each time, and what they say they are."""

import numpy as np
import pytest

pytestmark = pytest.mark.once


@pytest.fixture
def data(script, few_digits):
    return script("long_data")


@pytest.mark.parametrize(
    "name",
    [
        "digit_rows",
        "digit_images",
        "digit_copies",
        "crop_images",
        "crop_rows",
        "crop_copies",
        "friedman",
        "hastie",
        "windows",
    ],
)
def test_the_data_is_the_same_each_time(data, name):
    first = getattr(data, name)(96)()
    for cached in (data.mnist, data.shifted, data.crops, data.text):
        cached.cache_clear()
    for one, other in zip(first, getattr(data, name)(96)(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [len(array) for array in first] == [96, 96, 2000, 2000]


def test_columns_are_rows_of_the_turned_digit(data):
    rows, columns = data.digit_steps(5, False)()[0], data.digit_steps(5, True)()[0]
    np.testing.assert_array_equal(rows.transpose(0, 2, 1), columns)


def test_a_digit_is_shifted_by_at_most_three_pixels(data):
    image = np.zeros((1, 28, 28), "uint8")
    image[0, 14, 14] = 255
    shifted, labels = data.shift(image, np.array([7]), 200, 0)
    _, down, right = np.nonzero(shifted)
    assert len(down) == 200  # none is lost
    assert (down.min(), down.max(), right.min(), right.max()) == (5, 8, 5, 8)  # 11 to 17, halved
    assert set(labels.tolist()) == {7}
    assert shifted.max() == 0.25


def test_classes_count_from_zero(data):
    _, y, _, y_val = data.digit_rows(200, (5, 6, 7, 8, 9))()
    assert set(y.tolist()) == set(y_val.tolist()) == {0, 1, 2, 3, 4}


def test_the_target_of_a_character_is_the_next_one(data):
    x, y, x_val, _ = data.windows(64)()
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])
    assert x.shape == (64, data.WINDOW)
    assert 0 <= min(x.min(), x_val.min()) <= max(x.max(), x_val.max()) < data.CHARACTERS


def test_a_missing_file_is_an_error_with_its_path(data, monkeypatch, tmp_path):
    monkeypatch.setattr(data, "MNIST", str(tmp_path / "none.npz"))
    data.mnist.cache_clear()
    with pytest.raises(SystemExit, match=r"No digits at .*none\.npz\. Set MNIST to the path of a file"):
        data.mnist()
