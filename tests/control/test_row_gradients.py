"""Gradients of rows that loops gather: rows of all iterations, else sums in place."""

import numpy as np
import pytest

import graphc as tf

IDS = np.array([[0, 3, 3], [6, 2, 0], [1, 3, 5], [2, 2, 2]], np.int32)
TABLE = np.sin(np.arange(21.0)).reshape(7, 3).astype(np.float32)


def unrolled(table, ids, body):
    h = tf.zeros([4, 3])
    for i in range(3):
        h = body(h, tf.gather(table, ids[:, i]), i)
    return h


def looped(table, ids, body, depth=1):
    def step(i, h):
        return i + 1, body(h, tf.gather(table, ids[:, i]), i)

    def around(k, h):
        return k + 1, tf.while_loop(lambda i, h: i < 3, step, [0, h])[1]

    first = tf.zeros([4, 3])
    if depth == 1:
        return tf.while_loop(lambda i, h: i < 3, step, [0, first])[1]
    return tf.while_loop(lambda k, h: k < 1, around, [0, first])[1]


def mixed(h, x, i):
    return tf.tanh(h * 0.5 + x) * x


@pytest.mark.parametrize("size", [4, None])
@pytest.mark.parametrize("depth", [1, 2])
def test_rows_of_an_invariant(size, depth):
    ids, table = tf.placeholder(tf.int32, [size, 3]), tf.placeholder(tf.float32, [7, 3])
    a = unrolled(table, ids, mixed)
    b = looped(table, ids, mixed, depth)
    grads = [tf.gradients(tf.reduce_sum(y * y), table)[0] for y in (a, b)]
    assert isinstance(grads[1], tf.IndexedSlices) == (depth == 1)
    seconds = [
        tf.gradients(tf.reduce_sum(tf.square(tf.convert_to_tensor(g))), table)[0] for g in grads
    ]
    with tf.Session() as sess:
        found = [tf.convert_to_tensor(g) for g in (*grads, *seconds)]
        got = sess.run(found, {ids: IDS, table: TABLE})
    np.testing.assert_allclose(got[1], got[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got[3], got[2], rtol=1e-5, atol=1e-5)


def test_no_iteration():
    ids, n = tf.constant(IDS), tf.placeholder(tf.int32, [])
    table = tf.placeholder(tf.float32, [7, 3])
    body = lambda i, h: (i + 1, h + tf.gather(table, ids[:, i]))  # noqa: E731
    y = tf.while_loop(lambda i, h: i < n, body, [0, tf.zeros([4, 3])])[1]
    (g,) = tf.gradients(y, table)
    with tf.Session() as sess:
        rows = sess.run([g.values, g.indices, tf.convert_to_tensor(g)], {n: 0, table: TABLE})
        assert [r.shape for r in rows] == [(0, 3), (0,), (7, 3)]
        assert sess.run(tf.convert_to_tensor(g), {n: 2, table: TABLE})[:, 0].tolist() == [
            1, 1, 3, 2, 0, 0, 1
        ]  # fmt: skip


@pytest.mark.parametrize("kind", ["other use", "branch", "indices of no shape"])
def test_whole_gradients(kind):
    """Where the body does more with the table than gather from it."""
    ids, table = tf.placeholder(tf.int32, [4, 3]), tf.placeholder(tf.float32, [7, 3])
    flag = tf.placeholder(tf.bool, [])

    def body(h, x, i):
        if kind == "other use":
            return tf.tanh(h + x) + table[0]
        if kind == "branch":
            return h + tf.cond(flag, lambda: tf.gather(table, ids[:, 0]) * h, lambda: x)
        some = tf.placeholder_with_default(ids[:, 1], None)
        return h * 0.5 + tf.reshape(tf.gather(table, some), [4, 3]) * x

    a, b = unrolled(table, ids, body), looped(table, ids, body)
    grads = [tf.convert_to_tensor(tf.gradients(tf.reduce_sum(y * y), table)[0]) for y in (a, b)]
    with tf.Session() as sess:
        got = sess.run(grads, {ids: IDS, table: TABLE, flag: True})
    np.testing.assert_allclose(got[1], got[0], rtol=1e-5, atol=1e-6)


def test_momentum_changes_the_rows_that_were_read():
    """As in TensorFlow: what other rows remember does not fade, and they do not move."""
    ids = tf.placeholder(tf.int32, [None, 3])
    table = tf.Variable(TABLE)
    y = looped(table, ids, lambda h, x, i: h + x)
    step = tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(y * y))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step, {ids: IDS})
        before = sess.run(table)
        sess.run(step, {ids: np.ones_like(IDS)})
        after = sess.run(table)
    assert (before != after).any(axis=1).tolist() == [False, True] + [False] * 5


@pytest.mark.parametrize("limits", ["one", "two", "smaller"])
def test_rows_are_as_many_as_iterations(limits):
    """Where a loop ends before the last iteration that there is room for."""
    table, n, most = (
        tf.placeholder(tf.float32, [5, 3]),
        *(tf.placeholder(tf.int32, []) for _ in "nm"),
    )
    test = {
        "one": lambda i, a: i < n,
        "two": lambda i, a: tf.logical_and(i < most, i < n),
        "smaller": lambda i, a: i < tf.minimum(most, n),
    }[limits]  # fmt: skip
    step = lambda i, a: (i + 1, a + 2.0 * tf.gather(table, i))  # noqa: E731
    (g,) = tf.gradients(tf.while_loop(test, step, [1, tf.zeros([3])])[1], table)
    with tf.Session() as sess:
        rows = sess.run(g, {table: np.ones((5, 3)), n: 4, most: 9})
    assert rows.indices.tolist() == [3, 2, 1]
    assert rows.values.tolist() == [[2.0] * 3] * 3
