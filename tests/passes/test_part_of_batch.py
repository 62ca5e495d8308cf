"""Operands behind a matrix product that are broadcast over some of its batch axes only.

An attention's mask is one: ``[b, 1, n, n]`` for all heads of the scores ``[b, h, n, n]``.
"""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.passes.epilogue import batch_of

#: Shapes of the product, and of what is added to it.
CASES = [
    ((2, 5, 4, 7), (2, 1, 4, 7)),
    ((2, 5, 4, 7), (2, 1, 1, 7)),
    ((2, 5, 4, 7), (5, 4, 7)),
    ((2, 5, 4, 7), (5, 1, 1)),
    ((2, 5, 4, 7), (1, 5, 1, 1)),
    ((2, 5, 4, 7), (2, 5, 1, 7)),
    ((2, 5, 4, 7), (4, 7)),
    ((2, 5, 3, 4, 1), (2, 1, 3, 4, 1)),
    ((2, 5, 3, 4, 2), (5, 3, 4, 2)),
    ((2, 5, 3, 4, 2), (2, 5, 1, 1, 2)),
]


@pytest.mark.parametrize(("shape", "other"), CASES)
@pytest.mark.parametrize("known", [True, False])
def test_values_and_gradients(shape: tuple[int, ...], other: tuple[int, ...], known: bool) -> None:
    r = np.random.RandomState(len(shape) + sum(other))
    a, b, c = r.randn(*shape[:-1], 6), r.randn(*shape[:-2], 6, shape[-1]), r.randn(*other)
    x, y, z = (tf.placeholder(tf.float64, v.shape if known else [None] * v.ndim) for v in (a, b, c))
    out = tf.tanh(tf.matmul(x, y) * 0.3 + z) * z
    slopes = tf.gradients(out, [x, z])
    inner = np.tanh(a @ b * 0.3 + c)
    back = (1 - inner**2) * c
    full = inner + back
    axes = (
        tuple(range(full.ndim - c.ndim)),
        tuple(i for i, n in enumerate(other) if n == 1 and shape[len(shape) - len(other) + i] != 1),
    )
    want = full.sum(axes[0]).sum(axes[1], keepdims=True)
    with tf.Session() as s:
        got, dx, dz = s.run([out, *slopes], {x: a, y: b, z: c})
    np.testing.assert_allclose(got, inner * c, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dx, 0.3 * back @ np.swapaxes(b, -1, -2), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(dz, want, rtol=1e-9, atol=1e-11)


def test_masked_attention() -> None:
    """Scores, a mask for all heads, and the softmax, in float32."""
    r = np.random.RandomState(0)
    q, k = r.randn(3, 2, 5, 4).astype("f"), r.randn(3, 2, 5, 4).astype("f")
    mask = (r.rand(3, 1, 1, 5) < 0.3).astype("f") * -1e9
    x, y = (tf.placeholder(tf.float32, [None, 2, None, 4]) for _ in range(2))
    m = tf.placeholder(tf.float32, [None, 1, 1, None])
    out = tf.nn.softmax(tf.matmul(x, y, transpose_b=True) / 2.0 + m)
    scores = q @ np.swapaxes(k, -1, -2) / 2 + mask
    e = np.exp(scores - scores.max(-1, keepdims=True))
    with tf.Session() as s:
        got = s.run(out, {x: q, y: k, m: mask})
    np.testing.assert_allclose(got, e / e.sum(-1, keepdims=True), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "along"),
    [((4, 7), False), ((1, 1, 4, 7), False), ((2, 5, 1, 1), True), ((2, 1, 4, 7), None),
     ((5, 4, 7), None), ((), False)],
)  # fmt: skip
def test_which_part(shape: tuple[int, ...], along: bool | None) -> None:
    assert batch_of(shape, (2, 5, 4, 7)) is along
