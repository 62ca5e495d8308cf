"""Rows scattered in blocks of columns: the same sums for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf


@pytest.mark.parametrize("width", [0, 1, 3, 63, 64, 65, 128, 200])
@pytest.mark.parametrize("known", [True, False])
def test_wide_rows(width: int, known: bool) -> None:
    rng = np.random.default_rng(width)
    ids = rng.integers(0, 4, (50, 2)).astype(np.int32)
    rows = rng.normal(size=(50, width)).astype(np.float32)
    rows[7] = np.nan if width == 65 else rows[7]
    want = np.zeros((4, 5, width), np.float32)
    for i, row in zip(ids, rows, strict=True):  # in the order of the updates, in float32
        want[tuple(i)] += row
    for threads in (1, 2):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Graph().as_default(), tf.Session(config=config) as sess:
            at = tf.placeholder(tf.int32, [None, 2])
            x = tf.placeholder(tf.float32, [None, width if known else None])
            y = tf.scatter_nd(at, x, [4, 5, width])
            np.testing.assert_array_equal(sess.run(y, {at: ids, x: rows}), want)
            ids[3, 1] = 5
            with pytest.raises(tf.errors.InvalidArgumentError, match="does not index"):
                sess.run(y, {at: ids, x: rows})
            ids[3, 1] = 0 if threads == 2 else 1
        if threads == 1:
            want[:] = 0
            for i, row in zip(ids, rows, strict=True):
                want[tuple(i)] += row
