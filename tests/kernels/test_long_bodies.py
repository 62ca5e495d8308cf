"""Loops with long bodies: modulo schedules, and results that do not depend on a vector's place."""

import itertools

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.llvm.modulo import Work, least_interval, longest_chain, schedule


def _random_works(rng, n):
    kinds = [Work(4, multiply=1), Work(3, add=1), Work(4, permute=1), Work(10, multiply=2),
             Work(5, add=2), Work(0), Work(1)]  # fmt: skip
    works = [kinds[k] for k in rng.integers(len(kinds), size=n)]
    before = {
        v: sorted({int(p) for p in rng.integers(v, size=min(v, int(rng.integers(3))))})
        for v in range(n)
    }
    return works, before


@pytest.mark.parametrize("seed", range(30))
def test_nothing_begins_before_what_it_uses(seed):
    rng = np.random.default_rng(seed)
    works, before = _random_works(rng, int(rng.integers(2, 90)))
    least = least_interval(works)
    for interval in range(least, least + 8):
        at = schedule(works, before, interval)
        assert at is not None
        assert min(at) == 0
        for v, used in before.items():
            assert all(at[v] >= at[p] for p in used)


def test_a_chain_waits_for_each_result_and_takes_the_units_in_turn():
    works = [Work(4, multiply=1)] * 8
    chain = {v: [v - 1] for v in range(1, 8)}
    assert longest_chain(works, chain) == 32
    assert least_interval(works) == 4
    assert schedule(works, chain, 4) is not None
    at = schedule(works, chain, 5)
    assert [b - a for a, b in itertools.pairwise(at)] == [4, 4, 4, 4, 4, 4, 4]
    apart = schedule(works, {}, 4)  # two units: no cycle has three of them
    assert np.bincount(np.array(apart) % 4).max() == 2


def _gelu(x):
    return x * 0.5 * (1.0 + tf.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


LONG = {
    "gelu": _gelu,
    "mish": lambda x: x * tf.tanh(tf.nn.softplus(x)),
    "pow": lambda x: tf.pow(x * x + 0.1, 1.7),
    "logit": lambda x: tf.log(x * x + 0.1) / (1.0 + tf.exp(-x)),
    "sincos": lambda x: tf.sin(x) * tf.cos(2.0 * x),
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_a_vector_gives_the_same_bits_wherever_it_is(name, dtype):
    x = tf.placeholder(dtype, [None])
    y = LONG[name](x)
    rng = np.random.default_rng(5)
    values = rng.normal(scale=2, size=2600).astype(dtype.as_numpy_dtype)
    values[[3, 40, 777]] = np.nan, np.inf, -np.inf
    with tf.Session() as sess:
        whole = sess.run(y, {x: values})
        for n in (1, 2, 15, 16, 17, 31, 33, 64, 65, 127, 128, 255, 257, 640, 1023, 1500, 2599):
            got = sess.run(y, {x: values[-n:]})
            assert got.tobytes() == whole[-n:].tobytes(), n


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("columns", [16, 48, 64, 272, 1024, 1040, 1088])
def test_rows_of_vectors_give_the_same_bits_as_one_row(name, columns):
    x = tf.placeholder(tf.float32, [None, columns])
    scale = tf.placeholder(tf.float32, [1, columns])
    shift = tf.placeholder(tf.float32, [None, 1])
    y = LONG[name](x * scale + shift)
    total = tf.reduce_sum(y)
    rng = np.random.default_rng(7)
    values = rng.normal(size=(19, columns)).astype("f")
    s = rng.uniform(0.5, 1.5, size=(1, columns)).astype("f")
    t = rng.normal(size=(19, 1)).astype("f")
    sums = []
    for threads in (1, 2):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Session(config=config) as sess:
            whole = sess.run(y, {x: values, scale: s, shift: t})
            for r in (0, 7, 18):
                row = slice(r, r + 1)
                one = sess.run(y, {x: values[row], scale: s, shift: t[row]})
                assert one.tobytes() == whole[row].tobytes()
            sums.append(sess.run(total, {x: values, scale: s, shift: t}))
    assert sums[0] == sums[1]
    exact = whole.astype("f8")
    bound = (4 + 2 * np.log2(exact.size)) * 2.0**-24 * np.abs(exact).sum()
    assert abs(sums[0] - exact.sum()) <= bound


def test_a_cdf_by_tanh_of_a_multiple_is_within_the_error_of_rounding_the_multiple():
    # 0.5*(1 + tanh(c x)) is the sigmoid of 2 c x, whose factor is rounded with log2(e)
    x = tf.placeholder(tf.float32, [None])
    y = 0.5 * (1.0 + tf.tanh(0.7978845608 * x))
    values = np.concatenate([np.linspace(-50, 60, 300_001), [np.inf, -np.inf, np.nan, 0.0]])
    values = values.astype("f")
    with tf.Session() as sess:
        got = sess.run(y, {x: values})
    z = 2.0 * float(np.float32(0.7978845608)) * values.astype("f8")
    with np.errstate(over="ignore"):
        exact = 1.0 / (1.0 + np.exp(-z))
    finite = np.isfinite(z)
    ulp = np.maximum(exact[finite] * 2.0**-23, 2.0**-149)
    error = np.abs(got[finite] - exact[finite]) / ulp
    assert (error <= 3.0 + 1.5 * np.abs(z[finite])).all()
    np.testing.assert_array_equal(got[-4:], np.array([1.0, 0.0, np.nan, 0.5], "f"))
