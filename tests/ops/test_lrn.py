"""Response normalisation: windows around blocks of channels, and two derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from thinned import thinned

import graphc as tf

CASES = [
    (7, 2, 0.75), (16, 5, 0.5), (17, 1, 0.75), (3, 5, 1.0), (33, 0, 0.5), (8, 40, 0.3),
    (1, 3, 0.75),
]  # fmt: skip
BIAS, ALPHA = 1.5, 0.3


def norm(x: Any, radius: int) -> Any:
    wide = np.pad(x * x, [(0, 0)] * 3 + [(radius, radius)])
    return BIAS + ALPHA * sum(wide[..., i : i + x.shape[-1]] for i in range(2 * radius + 1))


def slope(f: Any, x: Any, down: Any, h: float) -> Any:
    out = np.zeros_like(x)
    for c in range(x.shape[-1]):
        d = np.zeros_like(x)
        d[..., c] = h
        out[..., c] = ((f(x + d) - f(x - d)) / (2 * h) * down).sum(-1)
    return out


@pytest.mark.parametrize(
    ("channels", "radius", "beta", "pixels"),
    thinned(
        [(*c, pixels) for c in CASES for pixels in (1, 17)],
        lambda channels, radius, beta, pixels: (channels > 8) == (pixels > 1),
    ),
)
def test_values_and_derivatives(channels: int, radius: int, beta: float, pixels: int) -> None:
    rng = np.random.default_rng(channels)
    x, w, v = rng.normal(size=(3, 1, 1, pixels, channels))
    with tf.Graph().as_default() as graph, tf.Session() as sess:
        p = tf.placeholder(tf.float32, [None, 1, None, channels])
        y = tf.nn.lrn(p, radius, BIAS, ALPHA, beta)
        (once,) = tf.gradients(y, p, tf.constant(w, tf.float32))
        (twice,) = tf.gradients(once, p, tf.constant(v, tf.float32))
        got = sess.run([y, once, twice], {p: x})
        written = graph.as_graph_def()

    def f(x: Any) -> Any:
        return x * norm(x, radius) ** -beta

    def g(x: Any) -> Any:
        return slope(f, x, w, 1e-6)

    np.testing.assert_allclose(got[0], f(x), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got[1], g(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(got[2], slope(g, x, v, 1e-4), rtol=1e-3, atol=1e-3)
    assert "LRNGrad" in {n.op for n in written.node}
    with tf.Graph().as_default(), tf.Session() as sess:
        a, b = tf.import_graph_def(written, return_elements=[p.name, once.name])
        np.testing.assert_allclose(sess.run(b, {a: x}), got[1], rtol=1e-5, atol=1e-5)
