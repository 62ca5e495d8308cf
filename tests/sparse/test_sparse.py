"""Sparse tensors: values, names and errors recorded from TF 1.15; gradients by differences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def sess() -> Iterator[Any]:
    tf.reset_default_graph()
    with tf.Session() as s:
        yield s
    tf.reset_default_graph()


def S(values: Any = (1.0, 2.0, 3.0)) -> Any:
    return tf.SparseTensor([[0, 1], [1, 2], [2, 0]], values, [3, 4])


def one() -> Any:
    return tf.SparseTensor([[0, 1]], [5.0], [3, 4])


def holes() -> Any:
    return tf.SparseTensor([[0, 1], [2, 0]], [1.0, 3.0], [4, 2])


D = [[0, 1, 0, 0], [0, 0, 2, 0], [3, 0, 0, 0]]

# name → (function, dense value, or (indices, values, dense_shape))
VALUES: dict[str, tuple[Callable[[], Any], Any]] = {
    "itself": (S, ([[0, 1], [1, 2], [2, 0]], [1, 2, 3], [3, 4])),
    "to_dense": (lambda: tf.sparse_tensor_to_dense(S()), D),
    "to_dense default": (
        lambda: tf.sparse_tensor_to_dense(S(), default_value=-1.0),
        [[-1, 1, -1, -1], [-1, -1, 2, -1], [3, -1, -1, -1]],
    ),
    "sparse_to_dense": (
        lambda: tf.sparse_to_dense([[0, 1], [1, 2]], [2, 4], [5, 6]), [[0, 5, 0, 0], [0, 0, 6, 0]],
    ),
    "sparse_to_dense vector": (lambda: tf.sparse_to_dense([1, 3], [5], 1, 0), [0, 1, 0, 1, 0]),
    "matmul": (
        lambda: tf.sparse_tensor_dense_matmul(S(), np.ones((4, 2), np.float32)),
        [[1, 1], [2, 2], [3, 3]],
    ),
    "matmul adjoint": (
        lambda: tf.sparse_tensor_dense_matmul(S(), np.ones((3, 2), np.float32), adjoint_a=True),
        [[3, 3], [1, 1], [2, 2], [0, 0]],
    ),
    "reorder": (
        lambda: tf.sparse_reorder(tf.SparseTensor([[1, 0], [0, 0]], [1.0, 2.0], [2, 2])),
        ([[0, 0], [1, 0]], [2, 1], [2, 2]),
    ),
    "reshape": (
        lambda: tf.sparse_reshape(S(), [4, -1]), ([[0, 1], [2, 0], [2, 2]], [1, 2, 3], [4, 3]),
    ),
    "concat": (
        lambda: tf.sparse_concat(1, [S(), S()]),
        ([[0, 1], [0, 5], [1, 2], [1, 6], [2, 0], [2, 4]], [1, 1, 2, 2, 3, 3], [3, 8]),
    ),
    "slice": (lambda: tf.sparse_slice(S(), [0, 1], [2, 2]), ([[0, 0], [1, 1]], [1, 2], [2, 2])),
    "retain": (
        lambda: tf.sparse_retain(S(), [True, False, True]), ([[0, 1], [2, 0]], [1, 3], [3, 4]),
    ),
    "add": (
        lambda: tf.sparse_add(S(), S()), ([[0, 1], [1, 2], [2, 0]], [2, 4, 6], [3, 4]),
    ),
    "add threshold": (
        lambda: tf.sparse_add(S(), S((-1.0, 2.0, 3.0)), threshold=0.5),
        ([[1, 2], [2, 0]], [4, 6], [3, 4]),
    ),
    "add dense": (
        lambda: tf.sparse_add(S(), np.ones((3, 4), np.float32)), np.array(D) + 1,
    ),
    "reduce_sum": (lambda: tf.sparse_reduce_sum(S()), 6),
    "reduce_sum axis": (lambda: tf.sparse_reduce_sum(S(), 1), [1, 2, 3]),
    "reduce_sum keepdims": (
        lambda: tf.sparse_reduce_sum(S(), 1, keepdims=True), [[1], [2], [3]],
    ),
    "reduce_max": (lambda: tf.sparse_reduce_max(S(), 0), [3, 1, 2, 0]),
    "reduce_sum_sparse": (
        lambda: tf.sparse_reduce_sum_sparse(S(), 1), ([[0], [1], [2]], [1, 2, 3], [3]),
    ),
    "softmax": (
        lambda: tf.sparse_softmax(
            tf.SparseTensor([[0, 0], [0, 1], [1, 0]], [1.0, 2.0, 3.0], [2, 2])
        ),
        ([[0, 0], [0, 1], [1, 0]], [0.26894143, 0.7310586, 1], [2, 2]),
    ),
    "split": (
        lambda: tf.sparse_split(sp_input=S(), num_split=2, axis=1)[0],
        ([[0, 1], [2, 0]], [1, 3], [3, 2]),
    ),
    "split second": (
        lambda: tf.sparse_split(sp_input=S(), num_split=2, axis=1)[1], ([[1, 0]], [2], [3, 2]),
    ),
    "transpose": (
        lambda: tf.sparse_transpose(S()), ([[0, 2], [1, 0], [2, 1]], [3, 1, 2], [4, 3]),
    ),
    "fill_empty_rows": (
        lambda: tf.sparse_fill_empty_rows(holes(), 9.0)[0],
        ([[0, 1], [1, 0], [2, 0], [3, 0]], [1, 9, 3, 9], [4, 2]),
    ),
    "empty rows": (
        lambda: tf.sparse_fill_empty_rows(holes(), 9.0)[1], [False, True, False, True],
    ),
    "reset_shape": (
        lambda: tf.sparse_reset_shape(holes()), ([[0, 1], [2, 0]], [1, 3], [3, 2]),
    ),
    "reset_shape new": (
        lambda: tf.sparse_reset_shape(holes(), [5, 5]), ([[0, 1], [2, 0]], [1, 3], [5, 5]),
    ),
    "to_indicator": (
        lambda: tf.sparse_to_indicator(tf.SparseTensor([[0, 0], [1, 0]], [1, 3], [2, 1]), 5),
        [[False, True, False, False, False], [False, False, False, True, False]],
    ),
    "merge": (
        lambda: tf.sparse_merge(
            tf.SparseTensor([[0, 0], [1, 0], [1, 1]], [3, 1, 0], [2, 2]),
            tf.SparseTensor([[0, 0], [1, 0], [1, 1]], [-3.0, 1.0, 4.0], [2, 2]), vocab_size=6,
        ),
        ([[0, 3], [1, 0], [1, 1]], [-3, 4, 1], [2, 6]),
    ),
    "maximum": (
        lambda: tf.sparse_maximum(S(), one()), ([[0, 1], [1, 2], [2, 0]], [5, 2, 3], [3, 4]),
    ),
    "minimum": (
        lambda: tf.sparse_minimum(S(), one()), ([[0, 1], [1, 2], [2, 0]], [1, 0, 0], [3, 4]),
    ),
    "from_dense": (
        lambda: tf.sparse.from_dense([[0.0, 1.0], [2.0, 0.0]]),
        ([[0, 1], [1, 0]], [1, 2], [2, 2]),
    ),
    "eye": (lambda: tf.sparse.eye(2, 3), ([[0, 0], [1, 1]], [1, 1], [2, 3])),
    "expand_dims": (
        lambda: tf.sparse.expand_dims(S(), 0),
        ([[0, 0, 1], [0, 1, 2], [0, 2, 0]], [1, 2, 3], [1, 3, 4]),
    ),
    "times": (lambda: S() * 2.0, ([[0, 1], [1, 2], [2, 0]], [2, 4, 6], [3, 4])),
    "times dense": (
        lambda: S() * np.arange(12.0).reshape(3, 4).astype(np.float32),
        ([[0, 1], [1, 2], [2, 0]], [1, 12, 24], [3, 4]),
    ),
    "over dense": (
        lambda: S() / tf.constant([[1.0, 2.0, 4.0, 8.0]]),
        ([[0, 1], [1, 2], [2, 0]], [0.5, 0.5, 3], [3, 4]),
    ),
    "lookup mean": (
        lambda: tf.nn.embedding_lookup_sparse(
            np.arange(8, dtype=np.float32).reshape(4, 2),
            tf.SparseTensor([[0, 0], [0, 1], [1, 0]], tf.constant([1, 3, 0], tf.int64), [2, 2]),
            None, combiner="mean",
        ),
        [[4, 5], [0, 1]],
    ),
    "lookup sqrtn": (
        lambda: tf.nn.embedding_lookup_sparse(
            np.arange(8, dtype=np.float32).reshape(4, 2),
            tf.SparseTensor([[0, 0], [0, 1], [1, 0]], tf.constant([1, 3, 0], tf.int64), [2, 2]),
            tf.SparseTensor([[0, 0], [0, 1], [1, 0]], [1.0, 2.0, 0.5], [2, 2]), combiner="sqrtn",
        ),
        [[6.26099, 7.602631], [0, 1]],
    ),
    "safe lookup": (
        lambda: tf.nn.safe_embedding_lookup_sparse(
            np.arange(8, dtype=np.float32).reshape(4, 2),
            tf.SparseTensor([[0, 0], [0, 1], [2, 0]], tf.constant([1, 3, -1], tf.int64), [3, 2]),
        ),
        [[4, 5], [0, 0], [0, 0]],
    ),
    "edit_distance": (
        lambda: tf.edit_distance(
            tf.SparseTensor([[0, 0, 0], [1, 0, 0]], ["a", "b"], (2, 1, 1)),
            tf.SparseTensor(
                [[0, 1, 0], [1, 0, 0], [1, 0, 1], [1, 1, 0]], ["a", "b", "c", "a"], (2, 2, 2)
            ),
        ),
        [[np.inf, 1], [0.5, 1]],
    ),
    "edit_distance count": (
        lambda: tf.edit_distance(
            tf.SparseTensor([[0, 0], [0, 1], [0, 2]], [1, 2, 3], (1, 3)),
            tf.SparseTensor([[0, 0], [0, 1]], [1, 3], (1, 2)), normalize=False,
        ),
        [1],
    ),
    "intersection": (
        lambda: tf.sets.intersection([[1, 2, 2]], [[2, 3, 2]]), ([[0, 0]], [2], [1, 1]),
    ),
    "difference": (
        lambda: tf.sets.difference([[1, 2, 2]], [[2, 3, 2]]), ([[0, 0]], [1], [1, 1]),
    ),
    "union": (
        lambda: tf.sets.union([[1, 2, 2]], [[2, 3, 2]]),
        ([[0, 0], [0, 1], [0, 2]], [1, 2, 3], [1, 3]),
    ),
    "size": (lambda: tf.sets.size(tf.sets.union([[1, 2, 2]], [[2, 3, 2]])), [3]),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_values(sess: Any, name: str) -> None:
    make, want = VALUES[name]
    got = sess.run(make())
    if not isinstance(want, tuple):
        np.testing.assert_allclose(got, want, rtol=1e-6)
        return
    assert isinstance(got, tf.SparseTensorValue)
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-6)
    assert got.indices.dtype == got.dense_shape.dtype == np.int64


def test_static_shapes(sess: Any) -> None:
    s = S()
    assert s.shape.as_list() == [3, 4]
    assert (s.dtype, s.op.name, s.graph) == (
        tf.float32, "SparseTensor/values", tf.get_default_graph(),
    )  # fmt: skip
    assert tf.sparse_tensor_to_dense(s).shape.as_list() == [3, 4]
    assert tf.sparse_tensor_to_dense(s).name == "SparseToDense_1:0"
    assert tf.sparse_tensor_dense_matmul(s, np.ones((4, 2), np.float32)).shape.as_list() == [3, 2]
    p = tf.sparse_placeholder(tf.float32, [None, 3])
    assert p.shape.as_list() == [None, None]
    assert tf.sparse_placeholder(tf.float32).shape.ndims is None


def test_feeding_and_fetching(sess: Any) -> None:
    p = tf.sparse_placeholder(tf.float32, name="sp")
    assert [t.name for t in (p.indices, p.values, p.dense_shape)] == [
        "sp/indices:0", "sp/values:0", "sp/shape:0",
    ]  # fmt: skip
    dense = tf.sparse_tensor_to_dense(p)
    for n in (1, 2, 3):
        at = [[i, 0] for i in range(n)]
        value = tf.SparseTensorValue(at, np.arange(1.0, n + 1), [n, 2])
        got = sess.run(dense, {p: value})
        np.testing.assert_array_equal(got, np.stack([np.arange(1.0, n + 1), np.zeros(n)], 1))
        same = sess.run({"x": p}, {p: (at, np.ones(n), [n, 2])})["x"]
        assert same.dense_shape.tolist() == [n, 2]
        again = sess.run(dense, {p: same})
        assert again.shape == (n, 2)
    fixed = tf.sparse_placeholder(tf.float32, [2, 3])
    got = sess.run(tf.sparse_tensor_to_dense(fixed), {fixed: ([[1, 2]], [7.0], [2, 3])})
    assert got.tolist() == [[0, 0, 0], [0, 0, 7]]
    assert S().eval(session=sess).values.tolist() == [1, 2, 3]


def test_no_elements(sess: Any) -> None:
    p = tf.sparse_placeholder(tf.float32, [None, 3])
    empty = (np.zeros((0, 2), np.int64), np.zeros(0), [2, 3])
    q = tf.sparse_placeholder(tf.float32, [2, 3])
    made = [
        tf.sparse_tensor_to_dense(p), tf.sparse_add(p, p), tf.sparse_reorder(p),
        tf.sparse_fill_empty_rows(p, 1.0)[0], tf.sparse_reduce_sum(q, 1),
        tf.sparse_tensor_dense_matmul(q, np.ones((3, 1), np.float32)),
    ]  # fmt: skip
    got = sess.run(made, {p: empty, q: empty})
    assert got[0].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert got[1].values.size == got[2].values.size == 0
    assert got[3].indices.tolist() == [[0, 0], [1, 0]]
    assert got[4].tolist() == [0, 0]
    assert got[5].tolist() == [[0], [0]]


GRADIENTS: dict[str, Callable[[Any], Any]] = {
    "to_dense": lambda s: tf.sparse_tensor_to_dense(s) ** 2,
    "matmul": lambda s: tf.sparse_tensor_dense_matmul(s, np.arange(8.0).reshape(4, 2)) ** 2,
    "add": lambda s: tf.sparse_add(s, tf.SparseTensor([[0, 1]], tf.constant([5.0], tf.float64),
                                                      [3, 4])).values ** 2,
    "add dense": lambda s: tf.sparse_add(s, np.ones((3, 4))) ** 2,
    "reduce_sum": lambda s: tf.sparse_reduce_sum(s, 0) ** 2,
    "softmax": lambda s: tf.sparse_softmax(s).values * [1.0, 2.0, 3.0],
    "concat": lambda s: tf.sparse_concat(0, [s, s]).values ** 2,
    "slice": lambda s: tf.sparse_slice(s, [0, 1], [2, 2]).values ** 2,
    "fill": lambda s: tf.sparse_fill_empty_rows(s, np.float64(2.0))[0].values ** 2,
    "times": lambda s: (s * np.arange(12.0).reshape(3, 4)).values ** 2,
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(sess: Any, name: str) -> None:
    at = np.array([1.0, 2.0, 3.0])
    v = tf.placeholder(tf.float64, [3])
    y = tf.reduce_sum(GRADIENTS[name](S(v)))
    got = sess.run(tf.convert_to_tensor(tf.gradients(y, v)[0]), {v: at})
    h = 1e-6
    want = [(sess.run(y, {v: at + d}) - sess.run(y, {v: at - d})) / (2 * h) for d in h * np.eye(3)]
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_embeddings_learn_by_rows(sess: Any) -> None:
    table = tf.Variable(np.ones((4, 2), np.float32))
    ids = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], tf.constant([1, 3, 1], tf.int64), [2, 2])
    loss = tf.reduce_sum(tf.nn.embedding_lookup_sparse(table, ids, None, combiner="sum"))
    g = tf.gradients(loss, table)[0]
    assert isinstance(g, tf.IndexedSlices)
    step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    sess.run(tf.global_variables_initializer())
    sess.run(step)
    assert sess.run(table).tolist() == [[1, 1], [0, 0], [1, 1], [0.5, 0.5]]


ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "order": (
        lambda: tf.sparse_tensor_to_dense(tf.SparseTensor([[1, 0], [0, 0]], [1.0, 2.0], [2, 2])),
        tf.errors.InvalidArgumentError,
        "indices[1] = [0,0] is out of order. Many sparse ops require sorted indices.",
    ),
    "repeated": (
        lambda: tf.sparse_tensor_to_dense(tf.SparseTensor([[0, 0], [0, 0]], [1.0, 2.0], [2, 2])),
        tf.errors.InvalidArgumentError, "indices[1] = [0,0] is repeated",
    ),
    "outside": (
        lambda: tf.sparse_tensor_to_dense(tf.SparseTensor([[0, 5]], [1.0], [2, 2])),
        tf.errors.InvalidArgumentError,
        "indices[0] = [0,5] is out of bounds: need 0 <= index < [2,2]",
    ),
    "shapes": (
        lambda: tf.SparseTensor([[0, 1], [1, 2], [2, 0]], [1.0, 2.0], [3, 4]), ValueError,
        "Dimensions 3 and 2 are not compatible",
    ),
    "tensor": (lambda: tf.sparse_reorder(tf.constant(1.0)), TypeError, "must be a SparseTensor"),
    "dense": (lambda: tf.constant(1.0) + S(), TypeError, "Failed to convert object of type"),
    "reshape": (
        lambda: tf.sparse_reshape(S(), [5, 2]), tf.errors.InvalidArgumentError,
        "Input to reshape is a tensor with 12 dense values, but the requested shape has 10",
    ),
    "combiner": (
        lambda: tf.nn.embedding_lookup_sparse(np.ones((2, 2)), S(), None, combiner="max"),
        ValueError, "combiner must be one of",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(sess: Any, name: str) -> None:
    make, error, words = ERRORS[name]
    with pytest.raises(error, match=re.escape(words)):
        sess.run(make())


def test_conversions() -> None:
    value = tf.SparseTensorValue([[0, 1]], [1.0], [2, 2])
    made = tf.convert_to_tensor_or_sparse_tensor(value)
    assert isinstance(made, tf.SparseTensor)
    assert tf.SparseTensor.from_value(made) is made
    with pytest.raises(RuntimeError, match="Sparse dtype"):
        tf.convert_to_tensor_or_sparse_tensor(made, tf.int32)
    with pytest.raises(TypeError, match="Neither a SparseTensor nor"):
        tf.SparseTensor.from_value(3)
    assert tf.convert_to_tensor_or_sparse_tensor([1.0]).shape.as_list() == [1]


def test_the_gradient_of_a_dense_factor_is_a_whole_tensor(sess: Any) -> None:
    """As in TensorFlow: a Momentum optimizer moves rows that have no gradient any more, too."""
    w = tf.Variable(np.arange(8.0, dtype="f").reshape(4, 2))
    a = tf.SparseTensor([[0, 1], [2, 0], [2, 3]], [1.0, 2.0, 3.0], [3, 4])
    loss = tf.reduce_sum(tf.sparse_tensor_dense_matmul(a, w) ** 2)
    (g,) = tf.gradients(loss, w)
    assert isinstance(g, tf.Tensor)
    sess.run(tf.global_variables_initializer())
    assert sess.run(g).tolist() == [[72, 92], [4, 6], [0, 0], [108, 138]]


def test_a_sum_of_all_elements_needs_no_rank(sess: Any) -> None:
    x = tf.sparse_placeholder(tf.float32)
    total = tf.sparse_reduce_sum(x)
    assert sess.run(total, {x: tf.SparseTensorValue([[0, 0], [1, 1]], [1.0, 2.0], [2, 2])}) == 3.0


def test_products_and_rows_need_no_rank(sess: Any) -> None:
    x, y = tf.sparse_placeholder(tf.float32), tf.sparse_placeholder(tf.float32)
    down = tf.constant([[1.0], [2.0], [3.0]])
    flat = tf.SparseTensorValue([[0, 0], [0, 2], [1, 1], [2, 2]], np.float32([1, 2, 3, 4]), [3, 3])
    deep = tf.SparseTensorValue(
        [[0, 0, 0], [0, 1, 2], [1, 1, 1], [1, 1, 2]], np.float32([1, 2, 3, 4]), [2, 2, 3]
    )
    both = tf.sparse_add(x * down, x * tf.constant([[1.0, 2.0, 4.0]]))
    soft = tf.sparse_softmax(both)
    gradient = tf.gradients(tf.reduce_sum(soft.values * [1.0, 2.0, 3.0, 4.0]), down)[0]
    assert sess.run(both, {x: flat}).values.tolist() == [2, 10, 12, 28]
    np.testing.assert_allclose(
        sess.run(soft, {x: flat}).values, [3.3535014e-04, 9.9966466e-01, 1, 1], rtol=1e-6
    )
    np.testing.assert_allclose(
        sess.run(gradient, {x: flat}), [[3.3520e-4], [0], [0]], rtol=1e-3, atol=1e-9
    )
    np.testing.assert_allclose(
        sess.run(tf.sparse_softmax(y), {y: deep}).values, [1, 1, 0.26894143, 0.7310586], rtol=1e-6
    )
    got = sess.run(y * tf.constant([[1.0, 2.0, 3.0]]), {y: deep})
    assert got.values.tolist() == [1, 6, 6, 12]
