"""Several reductions of columns that are one kernel: gradients of biases of unrolled nets."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

COUNT = 5


def fetches(static: tuple[int, int] | None) -> tuple:
    xs = [tf.placeholder(tf.float32, static or [None, None]) for _ in range(COUNT)]
    total = sum((tf.reduce_sum(x, axis=0) for x in xs[1:]), tf.reduce_sum(xs[0], axis=0))
    most = [tf.reduce_max(x * x, axis=0) - tf.reduce_min(tf.exp(x), axis=0) for x in xs[:2]]
    return xs, [total, tf.tanh(total) * 2.0, *most]


def values(rows: int, columns: int) -> tuple[list, list]:
    rng = np.random.default_rng([rows, columns])
    a = rng.standard_normal((COUNT, rows, columns)).astype(np.float32)
    wide = a.astype(np.float64)
    total = wide.sum(axis=(0, 1))
    most = [(w * w).max(0) - np.exp(w).min(0) for w in wide[:2]]
    return list(a), [total, np.tanh(total) * 2, *most]


def check(got: list, want: list, place: tuple[int, int]) -> None:
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=2e-5, err_msg=str(place))


@pytest.mark.parametrize("columns", [1, 15, 16, 17, 48, 63, 64, 65, 130, 600])
def test_unknown_sizes_and_threads(columns: int) -> None:
    with tf.Graph().as_default():
        xs, ys = fetches(None)
        for rows in (1, 2, 7, 16, 33, 130):
            a, want = values(rows, columns)
            out = []
            for threads in (1, 2):
                config = tf.ConfigProto(intra_op_parallelism_threads=threads)
                with tf.Session(config=config) as sess:
                    out.append(sess.run(ys, dict(zip(xs, a, strict=True))))
            check(out[0], want, (rows, columns))
            for one, two in zip(*out, strict=True):
                assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("shape", [(128, 512), (8, 64), (20, 50), (3, 80), (40, 24)])
def test_known_sizes(shape: tuple[int, int]) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        xs, ys = fetches(shape)
        a, want = values(*shape)
        check(sess.run(ys, dict(zip(xs, a, strict=True))), want, shape)
