"""Products with long epilogues: right at every edge of a block, and their sums in registers."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.llvm.cpu import host


def gelu(x: Any, tanh: Any) -> Any:
    return 0.5 * x * (1.0 + tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def layer(a: tf.Tensor, b: tf.Tensor, bias: tf.Tensor, ta: bool, tb: bool) -> tf.Tensor:
    return gelu(tf.matmul(a, b, transpose_a=ta, transpose_b=tb) + bias, tf.tanh)


def check(run: Any, m: int, n: int, k: int, ta: bool, tb: bool) -> None:
    rng = np.random.default_rng([m, n, k])
    a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n)) / np.sqrt(k)
    bias = rng.standard_normal(n).astype(np.float32)
    a, b = a.astype(np.float32), b.astype(np.float32)
    got = run(a.T if ta else a, b.T if tb else b, bias)
    want = gelu(a.astype(np.float64) @ b + bias, np.tanh)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=3e-6, err_msg=f"{m} {n} {k}")


@pytest.mark.parametrize(("ta", "tb"), list(product([False, True], repeat=2)))
@pytest.mark.parametrize("threads", [1, 2])
def test_unknown_sizes(ta: bool, tb: bool, threads: int) -> None:
    with tf.Graph().as_default():
        a, b = (tf.placeholder(tf.float32, [None, None]) for _ in range(2))
        bias = tf.placeholder(tf.float32, [None])
        y = layer(a, b, bias, ta, tb)
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Session(config=config) as sess:
            for m, n in product((2, 4, 5, 8, 9, 13, 40), (2, 15, 16, 17, 47, 48, 49, 100)):
                for k in (2, 30):
                    check(lambda *v: sess.run(y, dict(zip((a, b, bias), v, strict=True))),
                          m, n, k, ta, tb)  # fmt: skip
            for m, n, k in ((9, 49, 256), (21, 50, 257), (200, 130, 600)):
                check(lambda *v: sess.run(y, dict(zip((a, b, bias), v, strict=True))),
                      m, n, k, ta, tb)  # fmt: skip


@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize("known", list(product([False, True], repeat=3)))
def test_batches_of_known_and_unknown_sizes(known: tuple[bool, ...], tb: bool) -> None:
    rng = np.random.default_rng(0)
    sizes = (8, 50, 4)
    m, n, k = (d if is_known else None for d, is_known in zip(sizes, known, strict=True))
    x, y, bias = (rng.standard_normal(s) for s in ((2, 3, 8, 4), (2, 3, 4, 50), (50,)))
    with tf.Graph().as_default(), tf.Session() as sess:
        a = tf.placeholder(tf.float32, [2, 3, m, k])
        b = tf.placeholder(tf.float32, [2, 3, n, k] if tb else [2, 3, k, n])
        c = tf.placeholder(tf.float32, [n])
        feed = {a: x, b: y.swapaxes(-1, -2) if tb else y, c: bias}
        got = sess.run(layer(a, b, c, False, tb), feed)
    np.testing.assert_allclose(got, gelu(x @ y + bias, np.tanh), rtol=1e-4, atol=3e-6)


@pytest.mark.parametrize(
    ("m", "n", "k", "ta", "tb"),
    [(12, 48, 20, False, False), (4, 97, 20, False, False), (3, 64, 300, False, False),
     (20, 17, 20, False, True), (260, 49, 70, True, False), (33, 16, 257, True, True)],
)  # fmt: skip
def test_known_sizes(m: int, n: int, k: int, ta: bool, tb: bool) -> None:
    with tf.Graph().as_default():
        a = tf.placeholder(tf.float32, [k, m] if ta else [m, k])
        b = tf.placeholder(tf.float32, [n, k] if tb else [k, n])
        bias = tf.placeholder(tf.float32, [n])
        y = layer(a, b, bias, ta, tb)
        with tf.Session() as sess:
            check(lambda *v: sess.run(y, dict(zip((a, b, bias), v, strict=True))), m, n, k, ta, tb)


@pytest.mark.skipif(host().vector_bytes < 64, reason="the block of sums of AVX-512")
@pytest.mark.parametrize("gradient", [False, True])
def test_constants_of_an_epilogue_take_no_register_from_the_sums(gradient: bool) -> None:
    """The loop over k has multiply-adds and loads of operands, and no other moves."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [64, 256])
        w = tf.placeholder(tf.float32, [256, 1024])
        y = layer(x, w, tf.zeros([1024]), False, False)
        v = tf.placeholder(tf.float32, [1024, 256])
        fetch: Any = tf.gradients(tf.reduce_sum(tf.square(tf.matmul(y, v))), [x]) if gradient else y
        feed = {
            p: np.ones(p.shape.as_list(), np.float32) for p in ((x, w, v) if gradient else (x, w))
        }
        text = str(tf.dump(fetch, feed, sess, stage="asm"))
    found = 0
    for block in re.split(r"\n(?=\.L\w+:)", text):
        words = [line.split()[0] for line in block.splitlines() if line.startswith("\t")]
        sums = sum("fmadd" in s for s in words)
        if sums >= 24 and words[-1].startswith("j"):
            found += 1
            moves = [s for s in words if s.startswith(("vmovap", "vmovup", "vmovdq"))]
            assert len(moves) <= 3, block
            assert not re.search(r"zmm\d+, .*\(%rsp\)", block), block
    assert found
