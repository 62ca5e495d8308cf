"""`tf.bitcast` to types of other sizes: numpy's views say what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

TYPES = ["uint8", "int8", "uint16", "int16", "float16", "int32", "uint32", "float32", "int64",
         "uint64", "float64"]  # fmt: skip

PAIRS = [(a, b) for a in TYPES for b in TYPES if np.dtype(a).itemsize != np.dtype(b).itemsize]


def _bits(dtype: str, shape: tuple[int, ...]) -> Any:
    n = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.random.RandomState(1).bytes(n), shape


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_as_numpys_views(a: str, b: str) -> None:
    k = np.dtype(b).itemsize // np.dtype(a).itemsize
    shape = (2, 3, k) if k else (2, 3)
    raw, _ = _bits(a, shape)
    x = np.frombuffer(raw, a).reshape(shape)
    want = x.view(b)[..., 0] if k else x.view(b).reshape(*shape, -1)
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder(a, [None, 3, k] if k else [None, 3])
        y = tf.bitcast(p, b)
        assert y.shape.as_list() == [None, *want.shape[1:]]
        got = s.run(y, {p: x})
    assert got.dtype == b
    assert got.tobytes() == want.tobytes()


def test_shapes_and_names() -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        tf.set_random_seed(5)
        x = tf.constant([[1, -2, 300]], tf.int64)
        y = tf.bitcast(x, tf.uint8, name="bytes")
        assert (y.name, y.shape.as_list()) == ("bytes:0", [1, 3, 8])
        p = tf.placeholder(tf.uint8)
        z = tf.bitcast(p, tf.int32)
        assert s.run(z, {p: np.arange(4, dtype=np.uint8)}) == 50462976
        with pytest.raises(tf.errors.InvalidArgumentError):
            s.run(z, {p: np.zeros((2, 3), np.uint8)})
        np.testing.assert_allclose(s.run(tf.random_uniform([])), DRAWN, rtol=1e-6)


#: What TensorFlow draws: a bitcast is one operation.
DRAWN = 0.44746375


def test_refusals() -> None:
    x = tf.zeros([2, 8], tf.uint8)
    with pytest.raises(ValueError, match="8 does not match 4"):
        tf.bitcast(x, tf.int32)
    with pytest.raises(ValueError, match="Cannot bitcast"):
        tf.bitcast(tf.zeros([]), tf.float64)
