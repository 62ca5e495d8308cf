"""Arrays whose elements differ in shape: TensorFlow 1.15's values and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.hostloop import HostDriven


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def array(size: Any = 2, **options: Any) -> Any:
    return tf.TensorArray(tf.float32, size, infer_shape=False, **options)


def written() -> Any:
    return array().write(0, [1.0, 2.0]).write(1, [3.0])


def looped(size: int = 3, **options: Any) -> Any:
    """An element of ones that is longer by one in each iteration."""
    body = lambda i, a: (i + 1, a.write(i, tf.ones([i + 1])))  # noqa: E731
    return tf.while_loop(lambda i, a: i < 3, body, [0, array(size, **options)])[1]


def looped_numbers() -> Any:
    number = tf.placeholder_with_default(1.0, None)
    return tf.while_loop(
        lambda i, a: i < 2, lambda i, a: (i + 1, a.write(i, number)), [0, array()]
    )[1]


def unknown(value: Any) -> Any:
    return tf.placeholder_with_default(value, [None])


VALUES = {
    "read": (lambda: [written().read(0), written().read(1)], [[1, 2], [3]]),
    "ranks": (lambda: [array().write(1, 3.0).write(0, [[1.0]]).read(i) for i in (0, 1)],
              [[[1]], 3]),
    "concat": (lambda: [written().concat()], [[1, 2, 3]]),
    "equal": (lambda: [array().write(0, [1.0]).write(1, [2.0]).stack()], [[[1], [2]]]),
    "rows of a matrix": (
        lambda: [array().write(0, [[1.0], [2.0]]).write(1, [[3.0]]).concat()], [[[1], [2], [3]]],
    ),
    "nothing of one": (lambda: [array().write(0, tf.zeros([0])).write(1, [3.0]).concat()], [[3]]),
    "gather": (lambda: [array(3).scatter([0, 2], [[1.0], [2.0]]).write(1, 5.0).gather([2, 0])],
               [[[2], [1]]]),
    "unstack": (lambda: [array().unstack([[1.0], [2.0]]).read(1)], [[2]]),
    "unstack behind a write": (
        lambda: [array(3).write(2, [7.0, 8.0]).unstack([[1.0], [2.0]]).concat()], [[1, 2, 7, 8]],
    ),
    "size": (lambda: [written().size()], [2]),
    "split": (lambda: [array().split([1.0, 2.0, 3.0], [1, 2]).read(i) for i in (0, 1)],
              [[1], [2, 3]]),
    "split of rows": (lambda: [array(3).split([[1.0, 2.0], [3.0, 4.0]], [0, 1, 1]).concat()],
                      [[[1, 2], [3, 4]]]),
    "split, longer": (
        lambda: [array(0, dynamic_size=True).split([1.0, 2.0, 3.0], [1, 2]).concat()], [[1, 2, 3]],
    ),
    "split, lengths fed": (
        lambda: [array().split(unknown([1.0, 2.0, 3.0]), unknown(np.int64([1, 2]))).read(1)],
        [[2, 3]],
    ),
    "loop": (lambda: [looped().concat()], [[1] * 6]),
    "loop, read": (lambda: [looped().read(1)], [[1, 1]]),
    "loop, longer": (lambda: [looped(0, dynamic_size=True).concat()], [[1] * 6]),
    "in a branch": (
        lambda: [tf.cond(unknown([1.0])[0] > 0, lambda: written().concat(), lambda: tf.zeros([1]))],
        [[1, 2, 3]],
    ),
    "taken up again": (
        lambda: [tf.TensorArray(tf.float32, handle=(a := written()).handle, flow=a.flow).concat()],
        [[1, 2, 3]],
    ),
    "one shape said": (lambda: [array(element_shape=[2]).write(0, [1.0, 2.0]).stack()],
                       [[[1, 2], [0, 0]]]),
    "integers": (
        lambda: [tf.TensorArray(tf.int64, 2, infer_shape=False).write(0, np.int64([2**60, 1]))
                 .write(1, np.int64([5])).concat()], [[2**60, 1, 5]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_values(name: str) -> None:
    make, expected = VALUES[name]
    fetches = make()
    with tf.Session() as sess:
        assert [v.tolist() for v in sess.run(fetches)] == expected


REFUSED = {
    "stack": (lambda: written().stack(), "inconsistent shapes"),
    "nothing written": (lambda: looped(4).read(3), "Could not read from"),
    "one not written": (lambda: looped(4).concat(), "Could not read from"),
    "numbers and others": (lambda: array().write(0, 1.0).write(1, [2.0]).concat(),
                           "Concat saw a scalar shape at index 0"),
    "numbers of unknown rank": (
        lambda: looped_numbers().concat(), "Concat saw a scalar shape",
    ),
    "numbers of an even array": (
        lambda: tf.TensorArray(tf.float32, 2).write(0, 1.0).write(1, 2.0).concat(),
        "Concat saw a scalar shape",
    ),
    "other ends": (lambda: array().write(0, [[1.0]]).write(1, [[1.0, 2.0]]).concat(),
                   "inconsistent shapes"),
    "too little": (lambda: array().split([1.0, 2.0, 3.0], [1, 1]).concat(),
                   "Expected sum of lengths to be equal to values.shape"),
    "too few": (lambda: array(3).split([1.0, 2.0, 3.0], [1, 2]).concat(),
                "size is not equal to the size of lengths"),
    "pieces of an even array": (
        lambda: tf.TensorArray(tf.float32, 2).split([1.0, 2.0, 3.0], [1, 2]).read(0),
        "requires a multiple of 2",
    ),
    "written twice": (lambda: tf.TensorArray(tf.float32, 2).write(0, 1.0).write(0, 2.0).stack(),
                      "index 0 because it has already been written to"),
    "too far": (lambda: tf.TensorArray(tf.float32, 1).unstack([1.0, 2.0]).stack(),
                r"Max scatter index must be < array size \(1 vs. 1\)"),
    "below": (lambda: array(2, dynamic_size=True).write(unknown([-1])[0], 1.0).size(),
              "Tried to write to index -1 but array is not resizeable and size is: 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    make, words = REFUSED[name]
    fetch = make()
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match=words):
        sess.run(fetch)


def test_static_shapes() -> None:
    ends = array(element_shape=[None, 2]).write(0, [[1.0, 2.0]])
    shapes = [t.shape.as_list() for t in (ends.read(0), ends.concat(), ends.stack())]
    assert shapes == [[None, 2], [None, 2], [None, None, 2]]
    assert written().read(0).shape.ndims is None


def through(x: Any) -> Any:
    a = tf.TensorArray(tf.float64, 4, infer_shape=False, clear_after_read=False)
    body = lambda i, a: (i + 1, a.write(i, tf.sin(x[: i + 1]) * x[i]))  # noqa: E731
    a = tf.while_loop(lambda i, a: i < 4, body, [0, a])[1]
    add = lambda i, t: (i + 1, t + tf.reduce_sum(a.read(i) ** 2) * tf.cast(i, x.dtype))  # noqa: E731
    total = tf.while_loop(lambda i, t: i < 4, add, [0, tf.zeros([], tf.float64)])[1]
    pieces = tf.TensorArray(tf.float64, 3, infer_shape=False).split(x * x, [2, 0, 2])
    return total + tf.reduce_sum(a.concat() ** 3) + tf.reduce_sum(pieces.read(2) * pieces.read(0))


def through_numpy(x: Any) -> Any:
    a = [np.sin(x[: i + 1]) * x[i] for i in range(4)]
    squares = sum((e**2).sum() * i for i, e in enumerate(a))
    return squares + sum((e**3).sum() for e in a) + (x[:2] ** 2 * x[2:] ** 2).sum()


@pytest.mark.slow
def test_gradients_of_both_orders() -> None:
    x = tf.placeholder(tf.float64, [None])
    weights = np.array([1.0, 2.0, -1.0, 0.5])
    y = through(x)
    (g,) = tf.gradients(y, x)
    (h,) = tf.gradients(tf.reduce_sum(g * weights), x)
    at = np.array([0.3, 0.5, -0.2, 0.7])
    with tf.Session() as sess:
        differences = lambda f: [  # noqa: E731
            (f(at + e) - f(at - e)) / 2e-6 for e in np.eye(4) * 1e-6
        ]
        np.testing.assert_allclose(sess.run(y, {x: at}), through_numpy(at), rtol=1e-12)
        np.testing.assert_allclose(sess.run(g, {x: at}), differences(through_numpy), rtol=1e-6)
        directed = differences(lambda v: sess.run(g, {x: v}) @ weights)
        np.testing.assert_allclose(sess.run(h, {x: at}), directed, rtol=1e-6)


def test_arrays_of_gradients() -> None:
    a = written()
    g = a.grad("g").write(0, [1.0, 1.0]).write(1, [5.0]).write(0, [0.5, 2.0])
    more = a.grad("other").split([1.0, 2.0, 3.0], [2, 1])
    with tf.Session() as sess:
        made = sess.run([g.read(0), g.read(1), more.concat()])
    assert [v.tolist() for v in made] == [[1.5, 3], [5], [1, 2, 3]]


def test_elements_of_one_shape_are_written_natively(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second turn has the same sizes, so the loop needs no turns driven from Python."""
    monkeypatch.delattr(HostDriven, "__call__")
    n, x = tf.placeholder(tf.int32, []), tf.placeholder(tf.float32, [None, 2])
    body = lambda i, x, a: (i + 1, x * 0.5, a.write(i, x))  # noqa: E731
    a = tf.while_loop(lambda i, *_: i < n, body, [0, x, array(n)])[2]
    with tf.Session() as sess:
        made = sess.run(a.concat(), {n: 3, x: [[4.0, 8.0]]})
    assert made.tolist() == [[4, 8], [2, 4], [1, 2]]


def test_rows_before_others_have_no_part_in_their_gradient() -> None:
    x, rows = tf.constant([7.0, 8.0]), tf.constant([[1.0, 2.0], [3.0, 4.0]])
    a = tf.TensorArray(tf.float32, 3).write(2, x).unstack(rows).stack()
    found = tf.gradients(a * a, [x, rows])
    with tf.Session() as sess:
        assert [v.tolist() for v in sess.run(found)] == [[14, 16], [[2, 4], [6, 8]]]
