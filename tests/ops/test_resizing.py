"""Pictures in other sizes: beside formulas in numpy, and the same where sizes are known or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

METHODS = ["bilinear", "nearest_neighbor", "bicubic", "area"]
PICTURES = [(2, 7, 9, 3), (1, 16, 12, 1), (2, 6, 5, 20)]
SIZES = [(4, 5), (14, 18), (1, 1)]


def matrix(method: str, old: int, new: int, align: bool) -> Any:
    """Weights of old lines (columns) for new ones (rows)."""
    scale = (old - 1) / (new - 1) if align and new > 1 else old / new
    out = np.zeros((new, old))
    for i in range(new):
        place = i * scale
        if method == "bilinear":
            low = int(place)
            out[i, low] += 1 - (place - low)
            out[i, min(low + 1, old - 1)] += place - low
        else:
            for j in range(old):
                end = np.inf if j == old - 1 else j + 1
                out[i, j] = max(min(end, place + scale) - max(j, place), 0) / scale
    return out


@pytest.mark.parametrize("method", ["bilinear", "area"])
@pytest.mark.parametrize("align", [False, True])
def test_formulas(method: str, align: bool) -> None:
    rng = np.random.default_rng(1)
    for shape in PICTURES:
        x = rng.random(shape).astype(np.float32)
        for size in SIZES:
            with tf.Graph().as_default(), tf.Session() as sess:
                p = tf.placeholder(tf.float32, shape)
                y = getattr(tf.image, f"resize_{method}")(p, size, align)
                got, slope = sess.run([y, tf.gradients(y, p)[0]], {p: x})
            rows, columns = (matrix(method, shape[i + 1], size[i], align) for i in range(2))
            want = np.einsum("ph,qw,nhwc->npqc", rows, columns, x)
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
            share = np.outer(rows.sum(0), columns.sum(0))[None, :, :, None]
            np.testing.assert_allclose(slope, np.broadcast_to(share, shape), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("align", [False, True])
def test_sizes_that_are_not_known_change_nothing(method: str, align: bool) -> None:
    rng = np.random.default_rng(2)
    with tf.Graph().as_default(), tf.Session() as sess:
        for shape in PICTURES[::2]:
            x = rng.random(shape).astype(np.float32)
            known = [tf.placeholder(tf.float32, s) for s in (shape, [None, *shape[1:]])]
            p = tf.placeholder(tf.float32, [None, None, None, shape[3]])
            new = tf.placeholder(tf.int32, [2])
            f = getattr(tf.image, f"resize_{method}")
            for size in SIZES[:2]:
                fetches = [f(q, size, align) for q in (*known, p)] + [f(p, new, align)]
                assert fetches[0].shape.as_list() == [shape[0], *size, shape[3]]
                assert fetches[1].shape.as_list() == [None, *size, shape[3]]
                feeds = dict.fromkeys([*known, p], x) | {new: size}
                made = sess.run(fetches, feeds)
                for other in made[1:]:
                    if method == "area":  # a sum of few, or a product of matrices
                        np.testing.assert_allclose(made[0], other, rtol=1e-6, atol=1e-6)
                    else:
                        np.testing.assert_array_equal(made[0], other)
