"""Rows that partitions and stitches copy in native code are those that numpy copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import partition, row_copies


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8", "bool"])
@pytest.mark.parametrize("inner", [(), (1,), (3, 7), (40,)])
def test_rows_come_back(
    dtype: str, inner: tuple[int, ...], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[int] = []
    placed = row_copies.placed_rows
    monkeypatch.setattr(row_copies, "MANY", 100)
    monkeypatch.setattr(partition, "placed_rows", lambda *a: copied.append(1) or placed(*a))
    rng = np.random.default_rng(3)
    x = rng.integers(0, 200, (211, *inner)).astype(dtype)
    which = rng.integers(0, 3, 211).astype(np.int32)
    which[which == 1] = 2  # a part without rows
    order = rng.permutation(211).astype(np.int32)
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    with tf.Graph().as_default(), tf.Session(config=config) as s:
        v, p, ids = (tf.placeholder(a.dtype, [None, *a.shape[1:]]) for a in (x, which, order))
        parts = tf.dynamic_partition(v, p, 3)
        back = tf.dynamic_stitch(tf.dynamic_partition(ids, p, 3), parts)
        *got, whole = s.run([*parts, back], {v: x, p: which, ids: order})
    for i, part in enumerate(got):
        assert part.dtype == x.dtype
        np.testing.assert_array_equal(part, x[which == i])
    want = np.empty_like(x)
    want[order] = x
    np.testing.assert_array_equal(whole, want)
    assert copied


def test_a_place_that_is_named_twice_has_the_last_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_copies, "MANY", 0)
    x = np.arange(200.0, dtype=np.float32).reshape(100, 2)
    ids: Any = np.arange(100, dtype=np.int32)
    ids[50:] = ids[:50]
    a, i = tf.placeholder(tf.float32, [100, 2]), tf.placeholder(tf.int32, [100])
    with tf.Session() as s:
        got = s.run(tf.dynamic_stitch([i], [a]), {a: x, i: ids})
        np.testing.assert_array_equal(got, x[50:])
        twice = s.run(tf.dynamic_stitch([i, i], [a, -a]), {a: x, i: np.arange(100)})
        np.testing.assert_array_equal(twice, -x)
        with pytest.raises(tf.errors.InvalidArgumentError, match="out of range"):
            s.run(tf.dynamic_stitch([i], [a]), {a: x, i: np.arange(100) - 1})
