"""Axes whose size is 1 in a run only by arithmetic, or because it is fed, are broadcast too."""

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize("columns", [2, 4])
def test_computed_sizes(columns):
    x = tf.placeholder(tf.float32, [None, None])
    z = tf.placeholder(tf.float32, [None, None])
    w = tf.placeholder(tf.float32, [None, None])
    part = x[:, 1:]
    y = tf.tanh(part) + tf.matmul(z, w) * part
    grads = tf.gradients(tf.reduce_sum(y * y), [x, z])
    a = np.random.default_rng(0).standard_normal((5, columns), "f")
    b = np.random.default_rng(1).standard_normal((5, 3), "f")
    p = a[:, 1:]
    with tf.Session() as sess:
        got, gx, gz = sess.run([y, *grads], {x: a, z: b, w: np.eye(3)})
    expected = np.tanh(p) + b * p
    assert np.allclose(got, expected, atol=1e-6)
    slope = 2 * expected * (1 - np.tanh(p) ** 2 + b)
    assert np.allclose(gx[:, 1:], slope.sum(1, keepdims=True) if columns == 2 else slope, atol=1e-5)
    assert np.allclose(gz, 2 * expected * p, atol=1e-5)


def test_fed_sizes():
    x = tf.placeholder(tf.float32, [None])
    z = tf.placeholder(tf.float32, [None, None])
    shape = tf.placeholder(tf.int32, [2])
    y = tf.reshape(x, shape) + z
    best = tf.equal(tf.reshape(tf.reduce_max(z, 1), shape), z)
    a = np.arange(6, dtype="f").reshape(2, 3)
    with tf.Session() as sess:
        for fed, given in (([6, 1], np.ones((6, 4))), ([2, 3], a), ([1, 6], np.ones((2, 6)))):
            got = sess.run(y, {x: a.ravel(), shape: fed, z: given})
            assert np.array_equal(got, a.reshape(fed) + given)
        with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
            sess.run(y, {x: a.ravel(), shape: [3, 2], z: a})
        assert sess.run(best, {shape: [2, 1], z: a}).tolist() == [[False, False, True]] * 2


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_a_fed_axis(axis):
    x = tf.placeholder(tf.float32, [None, 3])
    at = tf.placeholder(tf.int32, [])
    a = np.arange(12, dtype="f").reshape(4, 3)
    with tf.Session() as sess:
        assert np.array_equal(sess.run(tf.reduce_sum(x, at), {x: a, at: axis}), a.sum(axis))
        order = tf.placeholder(tf.int32, [2])
        turned = tf.transpose(x, order)
        assert np.array_equal(sess.run(turned, {x: a, order: [1, 0]}), a.T)
        assert np.array_equal(sess.run(turned, {x: a, order: [0, 1]}), a)


@pytest.mark.parametrize("shape", [(3,), (3, 2)])
@pytest.mark.parametrize(
    ("parts", "want"),
    [
        (lambda sizes: tf.split(sizes, 1), lambda shape: [list(shape)]),
        (lambda sizes: tf.split(sizes, sizes.shape[0].value), lambda shape: [[d] for d in shape]),
        (tf.unstack, list),
        (lambda sizes: tf.unstack(sizes[:1]), lambda shape: [shape[0]]),
    ],
    ids=["whole", "split", "unstack", "unstack_one"],
)
def test_parts_of_sizes(shape, parts, want):
    """A single part is a tensor like any other: of the rank that it has."""
    x = tf.placeholder(tf.float32, [None] * len(shape))
    made = parts(tf.shape(x))
    used = tf.reshape(x, tf.concat([tf.reshape(p, [-1]) for p in made] + [[-1]], 0))
    with tf.Session() as sess:
        got, values = sess.run([made, used], {x: np.ones(shape)})
    assert [g.tolist() for g in got] == want(shape)
    assert values.shape[: np.size(want(shape))] == tuple(np.ravel(want(shape)))
