"""Rows of variables and tensors changed by index; sorting, searching and counting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf

START = np.arange(1.0, 13.0).reshape(4, 3)


@pytest.fixture(autouse=True)
def sess() -> Iterator[Any]:
    tf.reset_default_graph()
    with tf.Session() as s:
        yield s
    tf.reset_default_graph()


STEPS: dict[str, Callable[[Any, Any], Any]] = {
    "update": lambda old, new: new, "add": np.add, "sub": np.subtract, "mul": np.multiply,
    "div": np.divide, "min": np.minimum, "max": np.maximum,
}  # fmt: skip


def one_by_one(kind: str, start: Any, indices: Any, updates: Any) -> Any:
    out = start.copy()
    for i in np.ndindex(indices.shape):
        out[indices[i]] = STEPS[kind](out[indices[i]], updates[i])
    return out


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_rows_of_variables(sess: Any, kind: str, dtype: str) -> None:
    if (kind, dtype) == ("div", "int64"):
        pytest.skip("covered by floats")
    rng = np.random.default_rng(1)
    start = START.astype(dtype)
    v = tf.Variable(start)
    f = getattr(tf, f"scatter_{kind}")
    i = tf.placeholder(tf.int32, [None])
    u = tf.placeholder(dtype, [None, 3])
    up = f(v, i, u)
    assert up.op.name == f"Scatter{kind.capitalize()}"
    for ids in ([1], [2, 0, 2], [], [3, 3, 3, 1]):
        sess.run(v.initializer)
        new = rng.integers(1, 9, (len(ids), 3)).astype(dtype)
        want = one_by_one(kind, start, np.array(ids, int), new)
        got = sess.run(up, {i: ids, u: new})
        np.testing.assert_allclose(got, want, rtol=1e-6)
        np.testing.assert_allclose(sess.run(v), want, rtol=1e-6)
    before = sess.run(v)
    for bad in (4, -1):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"is not in \[0, 4\)"):
            sess.run(up, {i: [0, bad], u: np.ones((2, 3), dtype)})
    np.testing.assert_array_equal(sess.run(v), before)


def test_scalar_updates_scalar_indices_and_methods(sess: Any) -> None:
    v = tf.Variable([1.0, 2.0, 3.0])
    sess.run(v.initializer)
    assert sess.run(tf.scatter_add(v, [0, 0], 1.0)).tolist() == [3.0, 2.0, 3.0]
    assert sess.run(tf.scatter_update(v, 1, 5.0)).tolist() == [3.0, 5.0, 3.0]
    delta = tf.IndexedSlices(tf.constant([1.0]), tf.constant([2]))
    assert sess.run(v.scatter_sub(delta)).tolist() == [3.0, 5.0, 2.0]
    assert sess.run(v.scatter_nd_add([[0], [0]], [1.0, 1.0])).tolist() == [5.0, 5.0, 2.0]
    with tf.control_dependencies([tf.scatter_mul(v, [0], [2.0])]):
        after = v.read_value()
    assert sess.run(after).tolist() == [10.0, 5.0, 2.0]


ND: list[tuple[tuple[int, ...], Any]] = [
    ((4, 3), [[1], [3], [1]]), ((4, 3), [[1, 2], [0, 0]]), ((2, 2, 2), [[[0, 1]], [[1, 1]]]),
    ((3,), [[2]]),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(ND)))
@pytest.mark.parametrize("kind", ["update", "add", "sub"])
def test_index_vectors(sess: Any, case: int, kind: str) -> None:
    shape, at = ND[case]
    ids = np.array(at)
    start = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    depth = ids.shape[-1]
    new = np.random.default_rng(2).normal(size=(*ids.shape[:-1], *shape[depth:])).astype(np.float32)
    want = start.copy()
    for i in np.ndindex(ids.shape[:-1]):
        k = tuple(ids[i])
        want[k] = STEPS[kind](want[k], new[i])
    v = tf.Variable(start)
    sess.run(v.initializer)
    tensor = getattr(tf, f"tensor_scatter_{kind}")(start, ids, new)
    got = sess.run([tensor, getattr(tf, f"scatter_nd_{kind}")(v, ids, new)])
    np.testing.assert_allclose(got[0], want)
    np.testing.assert_allclose(got[1], want)
    assert tensor.shape.as_list() == list(shape)


def test_gradients_of_tensor_updates(sess: Any) -> None:
    x, u = tf.constant(START), tf.constant([[10.0] * 3, [20.0] * 3], tf.float64)
    y = tf.tensor_scatter_update(x, [[1], [2]], u)
    w = tf.constant(np.arange(12.0).reshape(4, 3))
    gx, gu = sess.run(tf.gradients(y * w, [x, u]))
    want = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(gu, want[1:3])
    want[1:3] = 0
    np.testing.assert_array_equal(gx, want)


def test_refusals() -> None:
    v = tf.Variable(START)
    with pytest.raises(TypeError, match="does not match type float64"):
        tf.scatter_add(v, [0], tf.constant([[1, 2, 3]]))
    with pytest.raises(ValueError, match=r"updates.shape = indices.shape"):
        tf.scatter_add(v, [0, 1], np.ones((1, 3)))
    with pytest.raises(TypeError, match="l-value"):
        tf.scatter_add(tf.constant(START), [0], np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"updates.shape = indices.shape"):
        tf.scatter_nd_update(v, [[0]], np.ones((1, 2)))


def test_batches(sess: Any) -> None:
    x = np.arange(12).reshape(2, 2, 3)
    i = np.array([[[2, 0], [1, 1]], [[0, 0], [2, 2]]])
    got = sess.run(tf.batch_gather(x, i))
    np.testing.assert_array_equal(got, np.take_along_axis(x, i, -1))
    v = tf.Variable(np.zeros((2, 3)))
    sess.run(v.initializer)
    got = sess.run(tf.batch_scatter_update(v, [[0, 2], [1, 1]], [[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(got, [[1, 0, 2], [0, 4, 0]])


# ------------------------------------------------------------------------- order


@pytest.mark.parametrize("direction", ["ASCENDING", "DESCENDING"])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_sort(sess: Any, direction: str, dtype: str, axis: int) -> None:
    x = np.random.default_rng(4).integers(-5, 5, (4, 6, 3)).astype(dtype)
    got, at = sess.run([tf.sort(x, axis, direction), tf.argsort(x, axis, direction)])
    want = np.sort(x, axis)
    np.testing.assert_array_equal(got, want if direction[0] == "A" else np.flip(want, axis))
    np.testing.assert_array_equal(np.take_along_axis(x, at, axis), got)
    key = x if direction[0] == "A" else -x
    np.testing.assert_array_equal(at, np.argsort(key, axis, kind="stable"))
    assert at.dtype == np.int32


def test_sort_of_extreme_integers_and_gradient(sess: Any) -> None:
    low = np.iinfo(np.int32).min
    assert sess.run(tf.sort([3, low, 7])).tolist() == [low, 3, 7]
    x = tf.constant([3.0, 1.0, 2.0])
    g = tf.gradients(tf.sort(x) * [1.0, 10.0, 100.0], x)[0]
    assert sess.run(g).tolist() == [100.0, 1.0, 10.0]
    with pytest.raises(ValueError, match="Direction should be one of"):
        tf.sort(x, direction="UP")


# function → what TF 1.15 gives
VALUES: dict[str, tuple[Callable[[], Any], Any]] = {
    "setdiff1d": (lambda: tf.setdiff1d([1, 2, 3, 4, 5, 6], [1, 3, 5]), [[2, 4, 6], [1, 3, 5]]),
    "bincount": (lambda: tf.bincount([1, 1, 3]), [0, 2, 0, 1]),
    "bincount weights": (
        lambda: tf.bincount([1, 1, 3], weights=[0.5, 1.0, 2.0], minlength=6),
        [0, 1.5, 0, 2, 0, 0],
    ),
    "bincount maxlength": (lambda: tf.bincount([1, 1, 3], maxlength=2), [0, 2]),
    "histogram": (
        lambda: tf.histogram_fixed_width([-1.0, 0.0, 1.5, 2.0, 5.0, 15.0], [0.0, 5.0], nbins=5),
        [2, 1, 1, 0, 2],
    ),
    "histogram bins": (
        lambda: tf.histogram_fixed_width_bins([-1.0, 0.0, 1.5, 2.0, 5.0, 15.0], [0.0, 5.0], 5),
        [0, 0, 1, 2, 4, 4],
    ),
    "searchsorted": (
        lambda: tf.searchsorted([[1, 3, 5], [2, 4, 6]], [[3, 6], [1, 4]]), [[1, 3], [0, 1]],
    ),
    "searchsorted right": (lambda: tf.searchsorted([1, 3, 3, 5], [3], side="right"), [3]),
    "unravel_index": (lambda: tf.unravel_index([2, 5], [3, 3]), [[0, 1], [2, 2]]),
    "sparse_segment_sum": (
        lambda: tf.sparse_segment_sum([[1, 2], [3, 4], [5, 6]], [0, 2, 1], [0, 0, 1]),
        [[6, 8], [3, 4]],
    ),
    "sparse_segment_mean": (
        lambda: tf.sparse_segment_mean([[1.0, 2.0], [3.0, 4.0]], [0, 1], [0, 0], num_segments=2),
        [[2, 3], [0, 0]],
    ),
    "broadcast_dynamic_shape": (
        lambda: tf.broadcast_dynamic_shape([2, 1, 3], [5, 1]), [2, 5, 3],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_values(sess: Any, name: str) -> None:
    make, want = VALUES[name]
    got = sess.run(make())
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w)


def test_counting_errors(sess: Any) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be non-negative"):
        sess.run(tf.bincount(tf.placeholder_with_default([-1], [None])))
    with pytest.raises(ValueError, match="side must be either 'right' or 'left'"):
        tf.searchsorted([1], [1], side="up")


@pytest.mark.parametrize("kind", ["sum", "mean", "sqrt_n"])
def test_sparse_segments_ascend(kind: str) -> None:
    """What TF 1.15 says of ids that do not, and of those that no segment has."""
    f = getattr(tf, f"sparse_segment_{kind}")
    x = np.arange(12.0, dtype=np.float32).reshape(6, 2)
    at, ids = (tf.placeholder(tf.int32, [None]) for _ in range(2))
    with tf.Session() as s:

        def run(given: list[int], n: int | None = None) -> Any:
            more = {} if n is None else {"num_segments": n}
            feed = {at: np.arange(len(given)), ids: np.array(given, np.int32)}
            return s.run(f(x, at, ids, **more), feed)

        for wrong, n in (([0, 1, 0], None), ([-1, 0, 1], None), ([0, 1, 5], 3), ([1, 1], 0)):
            with pytest.raises(tf.errors.InvalidArgumentError):
                run(wrong, n)
        assert run([]).shape == (0, 2)
        np.testing.assert_array_equal(run([], 3), np.zeros([3, 2]))
        by = {"sum": 1.0, "mean": 2.0, "sqrt_n": np.sqrt(np.float32(2.0))}[kind]
        want = np.array([[0, 0], [2 / by, 4 / by], [0, 0], [4, 5], [0, 0]], np.float32)
        np.testing.assert_allclose(run([1, 1, 3]), want[:4], rtol=1e-6)
        np.testing.assert_allclose(run([1, 1, 3], 5), want, rtol=1e-6)


def test_segments_count_as_many_operations_as_tensorflow() -> None:
    def counts(f: Any) -> list[int]:
        found = []
        with tf.Graph().as_default() as g:
            ids, n = tf.placeholder(tf.int32, [6]), tf.placeholder(tf.int32, [])
            for shape in ([6, 3], [6]):
                for many in (3, n):
                    x = tf.placeholder(tf.float32, shape)
                    before = g._last_id
                    f(x, ids, many)
                    found.append(g._last_id - before)
        return found

    assert counts(tf.math.unsorted_segment_mean) == [12, 11, 12, 10]
    assert counts(tf.math.unsorted_segment_sqrt_n) == [13, 12, 13, 11]
    assert counts(lambda x, i, n: tf.sparse_segment_mean(x, i, i, num_segments=n)) == [2, 1, 2, 1]
    assert counts(lambda x, i, n: tf.sparse_segment_sum(x, i, i)) == [1, 1, 1, 1]
