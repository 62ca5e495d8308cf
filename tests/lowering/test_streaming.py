"""Results so large that they are stored past the cache: same bits, at every size and threads."""

from __future__ import annotations

import numpy as np
import pytest
from test_reductions import run

import graphc as tf
from graphc.passes import lower_values


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("n", [1, 15, 16, 63, 64, 65, 4095, 4096, 4097, 12300])
def test_pointwise(n, static, threads, monkeypatch):
    monkeypatch.setattr(lower_values, "STREAM_BYTES", 0)
    for dtype in (np.float32, np.float64):
        x = np.random.default_rng(1).standard_normal(n).astype(dtype)
        got = run(lambda a: [a * a, a > 0, a + 1.0], x, threads=threads, static=static)
        assert np.array_equal(got[0], x * x)
        assert np.array_equal(got[1], x > 0)
        assert np.array_equal(got[2], x + 1)


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (5, 16), (7, 33), (64, 64), (33, 1000), (3, 5, 70)])
def test_rows(shape, static, monkeypatch):
    monkeypatch.setattr(lower_values, "STREAM_BYTES", 0)
    x = np.random.default_rng(2).integers(-8, 8, shape).astype(np.float32)
    v = np.arange(shape[-1], dtype=np.float32)

    def build(a, b):
        return [a * b, (a - tf.reduce_sum(a, -1, keepdims=True)) * b, tf.nn.softmax(a)]

    got = run(build, x, v, static=static)
    assert np.array_equal(got[0], x * v)
    assert np.array_equal(got[1], (x - x.sum(-1, keepdims=True)) * v)
    e = np.exp(x.astype(np.float64) - x.max(-1, keepdims=True))
    np.testing.assert_allclose(got[2], e / e.sum(-1, keepdims=True), rtol=4e-6)
