"""Many sums in one kernel: short code, the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.llvm import walk


def test_sums_of_a_crowd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the gradient of a bias that the steps of an unrolled net share."""
    counts: list[int] = []
    counted = walk.sums_of
    monkeypatch.setattr(walk, "sums_of", lambda body: counts.append(n := counted(body)) or n)
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    count = walk.CROWD + 2
    data = [np.random.RandomState(i).randn(117, 70).astype(np.float32) for i in range(count)]
    xs = [tf.placeholder(tf.float32, [117, 70]) for _ in data]
    sums = [tf.reduce_sum(x, 0) for x in xs]
    scaled = tf.multiply(tf.add_n(sums), 0.5)
    with tf.Session() as sess:
        feed = dict(zip(xs, data, strict=True))
        together = sess.run([*sums, scaled], feed)
        alone = [sess.run(s, {x: a}) for s, x, a in zip(sums, xs, data, strict=True)]
    for got, want, a in zip(together, alone, data, strict=False):
        np.testing.assert_array_equal(got, want)
        np.testing.assert_allclose(got, a.astype(np.float64).sum(0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(together[-1], sum(alone) * 0.5, rtol=1e-5, atol=1e-5)
    assert max(counts) >= walk.CROWD  # they are one kernel
