"""The rows that no sprint trains on."""

import numpy as np
import pytest

from keras_lr.finder.measuring.batches import batches
from keras_lr.finder.measuring.holdout import FEWEST, MOST, SPRINT_SHARE, sprint_holdout

pytestmark = pytest.mark.once


def source(rows, size):
    return batches("find", np.arange(float(rows))[:, None], np.arange(float(rows)), batch_size=size)


def rows_of(chunk):
    return {int(row) for row in chunk.rows.ravel()}


def test_a_fifth_of_the_rows_is_held_out_in_five_batches_or_more():
    assert (SPRINT_SHARE, FEWEST) == (0.2, 5)
    holdout = sprint_holdout(source(100, 8), 3)
    rows = rows_of(holdout.chunk)
    assert len(rows) == 20
    assert holdout.chunk.rows.shape == (5, 8)  # rows repeat
    assert rows_of(holdout.reader().take(10)) == set(range(100)) - rows
    assert sprint_holdout(source(200, 8), 3).chunk.rows.shape == (5, 8)
    assert sprint_holdout(source(240, 8), 3).chunk.rows.shape == (6, 8)


def test_a_large_data_set_has_a_few_batches_held_out():
    many = sprint_holdout(source(10_000, 16), 0)
    assert many.chunk.rows.shape == (MOST, 16)
    assert len(rows_of(many.chunk)) == 16 * MOST


def test_every_reader_has_the_same_batches_and_the_seed_chooses_the_rows():
    first, other = (sprint_holdout(source(100, 8), seed) for seed in (3, 4))
    assert (first.reader().take(5).rows == first.reader().take(5).rows).all()
    assert other.chunk.rows.tolist() != first.chunk.rows.tolist()


def test_nothing_is_held_out_of_few_rows_or_of_a_stream():
    assert sprint_holdout(source(20, 4), 0) is None
    assert sprint_holdout(source(100, 90), 0) is None
    assert sprint_holdout(batches("find", lambda: iter([(np.zeros((4, 1)), np.zeros(4))])), 0) is None
