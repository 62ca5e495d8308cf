"""Variables and large results begin with a line of the cache, and live as long as their views."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import graphc as tf
from graphc.runtime import aligned


@pytest.mark.parametrize("shape", [(), (0,), (3,), (5, 7), (1 << 20,)])
@pytest.mark.parametrize("dtype", ["float32", "bool", "complex128", "O"])
def test_arrays(shape: tuple[int, ...], dtype: str) -> None:
    for make in (aligned.empty, aligned.zeros):
        a = make(shape, np.dtype(dtype))
        assert a.shape == shape
        assert a.dtype == dtype
        assert a.flags.writeable
        if dtype != "O":
            assert a.ctypes.data % aligned.LINE == 0
    assert not aligned.zeros(shape, np.dtype(dtype)).any()


def test_a_view_keeps_the_bytes() -> None:
    view = aligned.zeros((1000,), np.dtype("f4"))[10:20]
    gc.collect()
    aligned.empty((1000,), np.dtype("f4")).fill(1)
    np.testing.assert_array_equal(view, np.zeros(10))


def test_a_result_that_is_still_looked_at_is_not_written_again() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [1 << 16])
        y = x + 1.0
        call = sess.make_callable(y, [x])
        kept = []
        for i in range(6):
            value = call(np.full(1 << 16, i, np.float32))
            assert value.ctypes.data % aligned.LINE == 0
            kept.append(value[5:10] if i % 2 else value.reshape(256, 256).T)
            del value
        for i, v in enumerate(kept):
            np.testing.assert_array_equal(v, np.full_like(v, i + 1))


def test_a_result_that_was_let_go_of_is_written_again() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [1 << 16])
        call = sess.make_callable(x + 1.0, [x])
        given = np.zeros(1 << 16, np.float32)
        at = {call(given).ctypes.data for _ in range(8)}
        assert len(at) <= 2
