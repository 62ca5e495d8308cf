"""Random ops: the bits of TensorFlow's generator, natively, and how runs and seeds follow on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import philox
from graphc.ops import random as R


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def ulps(a: Any, b: Any) -> float:
    return float(np.max(np.abs(a - b) / np.spacing(np.abs(b)), initial=0))


def node_of(y: Any, kind: str) -> Any:
    return next(o for o in tf.get_default_graph().get_operations() if o.type == kind)


SIZES = [0, 1, 5, 31, 33, 4097, 8195]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_numbers(n: int, dtype: str) -> None:
    """Three runs of each float op against the reference: uniform exactly, normal within 3 ulp."""
    short = R._KINDS[dtype]
    made = {
        "uniform": tf.random_uniform([n], dtype=dtype, seed=5),
        "normal": tf.random_normal([n], dtype=dtype, seed=6),
        "truncated_normal": tf.truncated_normal([n], dtype=dtype, seed=7),
    }
    with tf.Session() as sess:
        for run in range(3):
            for (name, y), seed in zip(made.items(), (5, 6, 7), strict=True):
                f = getattr(philox, f"{name}_{short}")
                want = f(philox.DEFAULT_GRAPH_SEED, seed, 256 * n * run, n)
                got = sess.run(y)
                assert got.dtype == want.dtype
                if name == "uniform" or dtype != "float64":
                    np.testing.assert_array_equal(got, want)
                else:
                    assert ulps(got, want) <= 3


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers(dtype: str) -> None:
    for lo, hi in ((0, 7), (-5, 2**31 - 1), (-(2**31), 2**31 - 1)):
        y = tf.random_uniform([3, 33], lo, hi, dtype, seed=1)
        with tf.Session() as sess:
            got = sess.run(y)
        want = philox.uniform_int(philox.DEFAULT_GRAPH_SEED, 1, 0, 99, lo, hi, dtype)
        np.testing.assert_array_equal(got.reshape(-1), want)
    y = tf.random_uniform([3], 4, 4, dtype)
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match="minval"):
        sess.run(y)


@pytest.mark.parametrize("shape", [(10, 3), (1, 2), (0, 2), (1000,), (5, 0)])
def test_shuffle(shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    y = tf.random_shuffle(tf.placeholder_with_default(x, [None] * x.ndim), seed=9)
    with tf.Session() as sess:
        for run in range(2):
            skip = run * (philox.reserved("RandomShuffle", shape[0]) if x.size else 0)
            order = philox.shuffle_permutation(philox.DEFAULT_GRAPH_SEED, 9, skip, shape[0])
            np.testing.assert_array_equal(sess.run(y), x[order])


def test_multinomial() -> None:
    logits = np.log(np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 1e-30]], np.float32))
    y = tf.multinomial(logits, 500, seed=3)
    z = tf.random.categorical(logits, 5, dtype=tf.int32)
    with tf.Session() as sess:
        got = sess.run(y)
        want = philox.multinomial(philox.DEFAULT_GRAPH_SEED, 3, 0, logits, 500)
        assert np.mean(got != want) <= 0.002, "a draw on the edge of two classes may differ"
        assert sess.run(z).dtype == np.int32


def test_sessions_and_seeds() -> None:
    tf.set_random_seed(1)
    a, b = tf.random_uniform([4]), tf.random_uniform([4])
    with tf.Session() as s, tf.Session() as t:
        first, second = s.run([a, b]), s.run([a, b])
        np.testing.assert_array_equal(t.run([a, b]), first)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, second)
    tf.reset_default_graph()
    free = tf.random_uniform([4])
    with tf.Session() as s, tf.Session() as t:
        assert not np.array_equal(s.run(free), t.run(free)), "no seed: each session draws its own"


def test_threads() -> None:
    y = tf.random_normal([70000], seed=2)
    got = []
    for n in (1, 2):
        with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=n)) as sess:
            got.append(sess.run(y))
    np.testing.assert_array_equal(*got)


def test_unknown_size_and_crop() -> None:
    x = tf.placeholder(tf.float32, [None, 5])
    y = tf.random_normal(tf.shape(x))
    assert y.shape.as_list() == [None, 5]
    crop = tf.random_crop(x, [2, 3], seed=1)
    with tf.Session() as sess:
        for n in (3, 8):
            assert sess.run(y, {x: np.zeros((n, 5))}).shape == (n, 5)
            v = np.arange(5.0 * n).reshape(n, 5)
            got = sess.run(crop, {x: v})
            i, j = divmod(int(got[0, 0]), 5)
            np.testing.assert_array_equal(got, v[i : i + 2, j : j + 3])


def test_reserved() -> None:
    y = tf.multinomial([[1.0, 2.0]] * 3, 5)
    assert R.reserved(node_of(y, "Multinomial")) == philox.reserved("Multinomial", 15, 3)
    z = tf.random_shuffle(np.zeros((6, 2)))
    assert R.reserved(node_of(z, "RandomShuffle")) == philox.reserved("RandomShuffle", 6)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="Must specify maxval"):
        tf.random_uniform([2], dtype=tf.int32)
    with pytest.raises(ValueError, match="Invalid dtype"):
        tf.random_uniform([2], dtype=tf.uint8)
    with pytest.raises(TypeError, match="allowed values"):
        tf.random_normal([2], dtype=tf.int32)
    with pytest.raises(ValueError, match="must be >= 0"):
        tf.random_normal([-2])


@pytest.mark.parametrize("kind", ["uniform", "log_uniform"])
@pytest.mark.parametrize(
    ("size", "unique", "top"),
    [(5, True, 12), (12, True, 12), (64, True, 10000), (7, False, 9), (33, True, 64), (1, True, 1),
     (300, True, 1 << 40)],
)  # fmt: skip
def test_candidates_are_those_of_the_host(kind: str, size: int, unique: bool, top: int) -> None:
    from graphc.ops import sampling

    draw = getattr(tf.nn, f"{kind}_candidate_sampler")
    true = np.array([[0], [top - 1], [top // 2]], np.int64)
    with tf.Graph().as_default(), tf.Session() as s:
        made = draw(true, 1, size, unique, top, seed=3)
        for run in range(2):
            stream = sampling.Stream((87654321, 3), 512 * size * run)
            attrs = {"num_sampled": size, "unique": unique, "kind": kind, "range_max": top}
            expected = sampling._drawn(sampling._source(attrs), stream, true, attrs)
            for got, want in zip(s.run(made), expected, strict=True):
                np.testing.assert_array_equal(got, want)


def test_candidates_that_cannot_be_drawn() -> None:
    error = tf.errors.InvalidArgumentError
    with tf.Graph().as_default(), tf.Session() as s:
        true = tf.placeholder(tf.int64, [None, None])
        few = tf.nn.uniform_candidate_sampler(true, 1, 9, True, 8)
        with pytest.raises(error, match="range is too small"):
            s.run(few, {true: [[1]]})
        some = tf.nn.log_uniform_candidate_sampler(true, 1, 3, True, 8)
        assert s.run(some[1], {true: np.zeros([0, 1])}).shape == (0, 1)
        for bad in (8, -1):
            with pytest.raises(error, match="outside"):
                s.run(some, {true: [[1], [bad]]})
        with pytest.raises(error, match="num_true columns"):
            s.run(some, {true: [[1, 2]]})
