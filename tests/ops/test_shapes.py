"""Shapes, slices, joins, gathers: natively against numpy, derivatives, names and errors of TF1."""

from __future__ import annotations

import importlib.util
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ir import build, dtypes
from graphc.ir import dims as D
from graphc.ir.known import NeedsValue, known, resolve
from graphc.ops import arrays, shapes
from graphc.ops.record import OPS
from graphc.runtime.reference import evaluate

ORACLE = pathlib.Path(__file__).resolve().parent.parent / "oracle"
X = np.arange(24.0).reshape(2, 3, 4)


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def both(y: Any, feed: Any = None) -> Any:
    """The value by the reference, after the native one was found equal."""
    want = evaluate([y], feed)[0]
    with tf.Session() as sess:
        got = sess.run(y, feed)
    np.testing.assert_allclose(got, want, 1e-12)
    assert np.shape(got) == np.shape(want)
    return got


# ------------------------------------------------------------------------- slices

KEYS: dict[str, Any] = {
    "index": np.s_[1],
    "negative": np.s_[-1],
    "slices": np.s_[:, 1:3, ::2],
    "backwards": np.s_[::-1, :0:-1, 3:0:-2],
    "ellipsis": np.s_[..., 2],
    "middle": np.s_[0, ..., 1:],
    "newaxis": np.s_[None, :, None, 1, ..., None],
    "beyond": np.s_[-9:9, 5:, -3:],
    "empty": np.s_[1:1],
    "reversed_empty": np.s_[:, 2:0],
    "whole": np.s_[:],
}


@pytest.mark.parametrize("key", list(KEYS))
@pytest.mark.parametrize("known_size", [True, False], ids=["known", "unknown"])
def test_getitem(key: str, known_size: bool) -> None:
    x = tf.placeholder(tf.float64, X.shape if known_size else [None, None, None])
    feed = {x: X}
    y = x[KEYS[key]]
    np.testing.assert_array_equal(both(y, feed), X[KEYS[key]])
    (g,) = tf.gradients(tf.reduce_sum(y * y), x)
    want = np.zeros_like(X)
    want[KEYS[key]] = 2 * X[KEYS[key]]
    np.testing.assert_array_equal(both(g, feed), want)


@pytest.mark.parametrize("i", [0, 2, -1])
def test_tensor_index(i: int) -> None:
    x = tf.placeholder(tf.float64, [None, 3, None])
    n = tf.placeholder(tf.int32, [])
    feed = {x: X, n: i}
    np.testing.assert_array_equal(both(x[:, n, 1:], feed), X[:, i, 1:])
    (g,) = tf.gradients(x[:, n] * 3.0, x)
    want = np.zeros_like(X)
    want[:, i] = 3
    np.testing.assert_array_equal(both(g, feed), want)
    np.testing.assert_array_equal(both(x[0, : n + 1], feed), X[0, : i + 1])


def test_index_from_data() -> None:
    x = tf.placeholder(tf.float64, [None])
    y = x[tf.argmax(x, 0)]
    v = np.array([1.0, 7.0, 3.0])
    assert both(y, {x: v}) == 7
    i = tf.cast(x[0], tf.int32)
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError):
        sess.run(x[i], {x: [5.0, 1.0]})


def test_bool_index() -> None:
    x = tf.placeholder(tf.float64, [None, 3, 4])
    feed = {x: X}
    np.testing.assert_array_equal(both(x[x > 7], feed), X[X > 7])
    mask = np.array([[True, False, True], [False, False, True]])
    np.testing.assert_array_equal(both(tf.boolean_mask(x, mask), feed), X[mask])
    np.testing.assert_array_equal(both(tf.boolean_mask(x, mask[0], axis=1), feed), X[:, mask[0]])


# ------------------------------------------------------------------------- functions against numpy

FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "reshape": (lambda x: tf.reshape(x, [4, -1]), lambda x: x.reshape(4, -1)),
    "reshape_shape": (
        lambda x: tf.reshape(x, [tf.shape(x)[0], tf.shape(x)[1] * 4]),
        lambda x: x.reshape(2, 12),
    ),
    "expand_dims": (lambda x: tf.expand_dims(x, -2), lambda x: x[:, :, None]),
    "squeeze": (lambda x: tf.squeeze(x[:1, :, :1]), lambda x: x[0, :, 0]),
    "transpose": (tf.transpose, lambda x: x.T),
    "transpose_perm": (lambda x: tf.transpose(x, [1, 2, 0]), lambda x: x.transpose(1, 2, 0)),
    "broadcast_to": (
        lambda x: tf.broadcast_to(x[:, :1], [5, 2, 3, 4]),
        lambda x: np.broadcast_to(x[:, :1], (5, 2, 3, 4)),
    ),
    "slice": (lambda x: tf.slice(x, [0, 1, 0], [2, -1, 2]), lambda x: x[:, 1:, :2]),
    "slice_shape": (
        lambda x: tf.slice(x, tf.shape(x) - 1, [1, 1, 1]),
        lambda x: x[-1:, -1:, -1:],
    ),
    "concat": (
        lambda x: tf.concat([x, x[:, :1], 2 * x], 1),
        lambda x: np.concatenate([x, x[:, :1], 2 * x], 1),
    ),
    "stack": (
        lambda x: tf.stack([x[0], x[1], x[0]], -1),
        lambda x: np.stack([x[0], x[1], x[0]], -1),
    ),
    "unstack": (
        lambda x: tf.add_n([(i + 1.0) * v for i, v in enumerate(tf.unstack(x, 3, 1))]),
        lambda x: x[:, 0] + 2 * x[:, 1] + 3 * x[:, 2],
    ),
    "split": (lambda x: tf.split(x, 2, 2)[1], lambda x: x[:, :, 2:]),
    "split_sizes": (lambda x: tf.split(x, [1, -1, 2], 2)[1], lambda x: x[:, :, 1:2]),
    "pad": (
        lambda x: tf.pad(x, [[1, 0], [0, 2], [1, 1]]),
        lambda x: np.pad(x, [[1, 0], [0, 2], [1, 1]]),
    ),
    "pad_value": (
        lambda x: tf.pad(x, [[1, 0], [0, 2], [1, 1]], constant_values=7.0),
        lambda x: np.pad(x, [[1, 0], [0, 2], [1, 1]], constant_values=7),
    ),
    "pad_reflect": (
        lambda x: tf.pad(x, [[1, 1], [2, 1], [0, 3]], "REFLECT"),
        lambda x: np.pad(x, [[1, 1], [2, 1], [0, 3]], "reflect"),
    ),
    "pad_symmetric": (
        lambda x: tf.pad(x, [[2, 1], [3, 1], [0, 4]], "SYMMETRIC"),
        lambda x: np.pad(x, [[2, 1], [3, 1], [0, 4]], "symmetric"),
    ),
    "pad_tensor": (
        lambda x: tf.pad(x, [[tf.shape(x)[0], 0], [0, 0], [0, 1]]),
        lambda x: np.pad(x, [[2, 0], [0, 0], [0, 1]]),
    ),
    "tile": (lambda x: tf.tile(x, [2, 1, 3]), lambda x: np.tile(x, [2, 1, 3])),
    "tile_shape": (lambda x: tf.tile(x, tf.shape(x)), lambda x: np.tile(x, x.shape)),
    "reverse": (lambda x: tf.reverse(x, [0, -1]), lambda x: x[::-1, :, ::-1]),
    "roll": (lambda x: tf.roll(x, [1, -2], [0, 2]), lambda x: np.roll(x, [1, -2], [0, 2])),
    "reverse_sequence": (
        lambda x: tf.reverse_sequence(x, [3, 1], 1, 0),
        lambda x: np.stack([x[0, ::-1], x[1]]),
    ),
    "gather": (lambda x: tf.gather(x, [[1, 0], [1, 1]]), lambda x: x[[[1, 0], [1, 1]]]),
    "gather_axis": (lambda x: tf.gather(x, [2, 0, 2], axis=1), lambda x: x[:, [2, 0, 2]]),
    "gather_batch": (
        lambda x: tf.gather(x, [[2, 0], [1, 1]], batch_dims=1),
        lambda x: np.stack([x[0][[2, 0]], x[1][[1, 1]]]),
    ),
    "gather_nd": (
        lambda x: tf.gather_nd(x, [[0, 2], [1, 0], [0, 2]]),
        lambda x: x[[0, 1, 0], [2, 0, 2]],
    ),
    "scatter_nd": (
        lambda x: tf.scatter_nd([[3], [1]], x, [5, 3, 4]),
        lambda x: np.concatenate([0 * x[:1], x[1:], 0 * x[:1], x[:1], 0 * x[:1]]),
    ),
    "segment_sum": (
        lambda x: tf.unsorted_segment_sum(x, [[0, 1, 0], [2, -1, 0]], 3),
        lambda x: np.stack([x[0, 0] + x[0, 2] + x[1, 2], x[0, 1], x[1, 0]]),
    ),
    "segment_mean": (lambda x: tf.segment_mean(x, [0, 0]), lambda x: x.mean(0, keepdims=True)),
    "segment_max": (
        lambda x: tf.unsorted_segment_max(x, [0, 0], 1),
        lambda x: x.max(0, keepdims=True),
    ),
    "segment_prod": (
        lambda x: tf.unsorted_segment_prod(x + 1, [1, 1], 2),
        lambda x: np.stack([np.ones_like(x[0]), (x + 1).prod(0)]),
    ),
    "matrix_diag": (lambda x: tf.matrix_diag(x), lambda x: x[..., None] * np.eye(4)),
    "diag_part": (lambda x: tf.matrix_diag_part(x), lambda x: np.diagonal(x, axis1=1, axis2=2)),
    "set_diag": (
        lambda x: tf.matrix_set_diag(x, x[:, :, 0] * 2),
        lambda x: np.where(np.eye(3, 4, dtype=bool), 2 * x[:, :, :1], x),
    ),
    "diag": (lambda x: tf.diag(x[0]), lambda x: np.diag(x[0].reshape(-1)).reshape(3, 4, 3, 4)),
    "stitch": (
        lambda x: tf.dynamic_stitch([[1], [0]], tf.dynamic_partition(x, [0, 1], 2)),
        lambda x: x[::-1],
    ),
}


@pytest.mark.parametrize("name", list(FUNCTIONS))
@pytest.mark.parametrize("known_size", [True, False], ids=["known", "unknown"])
def test_function(name: str, known_size: bool) -> None:
    f, want = FUNCTIONS[name]
    x = tf.placeholder(tf.float64, X.shape if known_size else [None, 3, None])
    y = f(x)
    np.testing.assert_allclose(both(y, {x: X}), want(X), 1e-12)


@pytest.mark.parametrize("name", list(FUNCTIONS))
@pytest.mark.parametrize("known_size", [True, False], ids=["known", "unknown"])
def test_derivatives(name: str, known_size: bool) -> None:
    """First and second derivative of a sum of cubes, by finite differences."""
    f, want = FUNCTIONS[name]
    x = tf.placeholder(tf.float64, X.shape if known_size else [None, 3, None])
    rng = np.random.default_rng(len(name))
    at, along = rng.normal(size=X.shape), rng.normal(size=X.shape)
    (g,) = tf.gradients(tf.reduce_sum(f(x) ** 3), x)
    g = tf.convert_to_tensor(g)
    (h,) = tf.gradients(tf.reduce_sum(g * along), x)
    h = tf.convert_to_tensor(h)
    s = 1e-5

    def cubes(v: Any) -> float:
        return float((want(v) ** 3).sum())

    slope = (cubes(at + s * along) - cubes(at - s * along)) / (2 * s)
    got, second = both(g, {x: at}), both(h, {x: at})
    np.testing.assert_allclose((got * along).sum(), slope, 1e-6, 1e-6)
    ahead, behind = (evaluate([g], {x: at + d * along})[0] for d in (s, -s))
    np.testing.assert_allclose(second, (ahead - behind) / (2 * s), 1e-6, 1e-6)


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4), (1, 3, 1)])
def test_empty_and_one(shape: tuple[int, ...]) -> None:
    v = np.ones(shape)
    x = tf.placeholder(tf.float64, [None, None, None])
    for y, want in [
        (tf.concat([x, x], 0), np.concatenate([v, v])),
        (tf.pad(x, [[1, 1]] * 3), np.pad(v, 1)),
        (tf.tile(x, [2, 2, 2]), np.tile(v, [2, 2, 2])),
        (tf.transpose(x), v.T),
        (x[:, ::-1, 1:], v[:, ::-1, 1:]),
        (tf.stack([x, x]), np.stack([v, v])),
    ]:
        np.testing.assert_array_equal(both(y, {x: v}), want)


# ------------------------------------------------------------------------- makers


def test_makers() -> None:
    n = tf.placeholder(tf.int32, [])
    feed = {n: 4}
    for y, want in [
        (tf.range(n), np.arange(4)),
        (tf.range(1, n * 3, 2), np.arange(1, 12, 2)),
        (tf.range(n, 0, -1), np.arange(4, 0, -1)),
        (tf.range(0.0, tf.cast(n, tf.float32), 0.5), np.arange(0, 4, 0.5, np.float32)),
        (tf.linspace(0.0, 1.0, n), np.linspace(0, 1, 4, dtype=np.float32)),
        (tf.fill([n, 2], 3.0), np.full((4, 2), 3.0)),
        (tf.zeros([n, 2]), np.zeros((4, 2))),
        (tf.eye(n, 5), np.eye(4, 5)),
        (tf.one_hot([1, 3, 9, -1], n), np.eye(4)[[1, 3, 0, 0]] * [[1], [1], [0], [0]]),
        (tf.one_hot([[1], [0]], 2, 5, 7, axis=0), [[[7], [5]], [[5], [7]]]),
        (tf.ones_like(tf.zeros([n])), np.ones(4)),
        (tf.sequence_mask([1, 3], n), [[1, 0, 0, 0], [1, 1, 1, 0]]),
        (tf.meshgrid(tf.range(n), [1, 2])[1], np.meshgrid(np.arange(4), [1, 2])[1]),
    ]:
        np.testing.assert_allclose(both(y, feed), want, 1e-6)


# ------------------------------------------------------------------------- sizes


def test_static_shapes_follow_sizes() -> None:
    x = tf.placeholder(tf.float32, [None, 10])
    b = tf.shape(x)[0]
    assert tf.reshape(x, [b, 2, 5]).shape.as_list() == [None, 2, 5]
    assert tf.zeros(tf.stack([b, 7])).shape.as_list() == [None, 7]
    assert tf.reshape(x, tf.concat([tf.shape(x)[1:], [-1]], 0)).shape.as_list() == [10, None]
    assert tf.range(tf.size(x[0])).shape.as_list() == [10]
    y = tf.reshape(x, [b, 2, 5])
    assert y.static_shape[0] == x.static_shape[0], "the same unknown size"


def test_resolve() -> None:
    x = tf.placeholder(tf.float32, [None, 6])
    n = tf.placeholder(tf.int32, [])
    y = tf.reshape(x, [tf.shape(x)[0] * 2, 3])
    b = x.static_shape[0]
    inputs, attrs = resolve(y.node.inputs, y.node.attrs)
    assert inputs == (x,)
    assert attrs == {"shape": (b * 2, 3)}
    assert known(tf.stack([n, 4])) == (None, 4)
    z = tf.reshape(x, [n, 3])
    with D.assuming(D.Facts()), pytest.raises(NeedsValue) as e:
        resolve(z.node.inputs, z.node.attrs)
    assert e.value.value is z.node.inputs[-1]


def test_sizes_op() -> None:
    with build.use(build.Rewriter()):
        v = shapes.sizes((3, 4), dtypes.int64)
    assert v.static_shape == (2,)
    assert known(v) == (3, 4)


def test_every_view_names_its_gradient() -> None:
    for r in OPS.values():
        if r.family == "view" and "f" in r.types:
            assert r.grad is not None, r.name


# ------------------------------------------------------------------------- TF1's names and errors


def _programs(kind: str) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location(kind, ORACLE / f"{kind}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PROGRAMS  # type: ignore[no-any-return]


NAMING = json.loads((ORACLE / "naming.json").read_text())


@pytest.mark.parametrize(
    "name",
    ["conversions", "zeros_ones_fill", "ranges", "shapes", "reshaping", "joining", "matmuls"],
)
def test_names(name: str) -> None:
    """Names, types and their number (it decides seeds) are those of TensorFlow."""
    said = _programs("naming_programs")[name](tf, np)
    want = NAMING[name]
    assert list(said) == want["said"]
    graph = tf.get_default_graph()
    got = [[o.name, o.type] for o in graph.get_operations()]
    assert [o for o in got if o not in want["ops"]] == []
    assert [o for o in want["ops"] if o[1] != "Const" and o not in got] == []
    assert graph._last_id == len(want["ops"])


ERRORS = json.loads((ORACLE / "errors.json").read_text())
OURS = (
    "matmul tensordot einsum reshape_ transpose expand_dims squeeze concat stack split unstack "
    "slice_ index_out index_too index_f index_s index_z index_two pad_ tile_ reverse_ "
    "gather_nd_depth gather_scalar gather_axis boolean_mask range_ one_hot "
    "shape_of"
).split()
#: Where TensorFlow's list of input shapes, or the name after a failed attempt, is another.
SHORT = {"split_uneven", "split_axis_range", "stack_shapes"}


@pytest.mark.parametrize(
    "name",
    [
        k
        for k, v in ERRORS.items()
        if v.get("stage") == "build" and any(k.startswith(w) for w in OURS)
    ],
)
def test_errors(name: str) -> None:
    want = ERRORS[name]
    kind = {"ValueError": ValueError, "TypeError": TypeError, "IndexError": IndexError}[
        want["type"]
    ]
    with pytest.raises(kind) as e:
        _programs("error_programs")[name](tf, np)
    said = str(e.value)
    message = want["message"]
    assert said.startswith(message.partition(" for '")[0] if name in SHORT else message)


@pytest.mark.parametrize("bad", [[[1, 1], [-1, 1]], [[-1, 0], [0, 0]]])
def test_negative_paddings(bad: Any) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        tf.pad(tf.zeros([2, 2]), bad)


@pytest.mark.parametrize("axis", [1, 2, -1, -2])
@pytest.mark.parametrize("at", [1, [0, 1, 0], [[1, 0], [1, 1]], np.zeros([0], np.int32)])
def test_gradient_of_gather_without_known_ranks(axis: int, at: Any) -> None:
    a = np.random.default_rng(0).standard_normal((2, 3, 4))
    weights = np.random.default_rng(1).standard_normal(np.take(a, at, axis).shape)
    x, i = tf.placeholder(tf.float64), tf.placeholder(tf.int32)
    (g,) = tf.gradients(tf.reduce_sum(tf.gather(x, i, axis=axis) * weights), x)
    want = np.zeros_like(a)
    places = np.moveaxis(want, axis, 0)
    moved = np.moveaxis(weights, range(axis % 3, axis % 3 + np.ndim(at)), range(np.ndim(at)))
    np.add.at(places, np.array(at), moved)
    with tf.Session() as s:
        np.testing.assert_allclose(s.run(g, {x: a, i: at}), want, rtol=1e-12)


def test_gather_out_of_range_native_and_reference() -> None:
    x, i = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.int64, [None])
    for wrong in (-1, 3, 2**31, 2**62):
        feed = {x: np.zeros(3), i: [0, wrong]}
        with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError):
            sess.run(tf.gather(x, i), feed)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[1\] = "):
            arrays.gather_op.numpy(np.zeros(3), np.array([0, wrong]), axis=0)


def test_a_single_index_out_of_range() -> None:
    """TensorFlow 1.15 says ``indices = 7``, without a place."""
    i = tf.placeholder(tf.int32, [])
    with (
        tf.Session() as sess,
        pytest.raises(tf.errors.InvalidArgumentError, match=r"^indices = 7 is not in \[0, 3\)"),
    ):
        sess.run(tf.gather(tf.constant([1.0, 2.0, 3.0]), i), {i: 7})


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [([3, 4 / 2], [3, 2]), ([3, 2.5], [3, 2]), (np.array([3.0, 2.5]), [3, 2]), (2.0, [2]),
     ([1000, 2.0], [1000, 2]), ([True, 2], [1, 2]), ([tf.Dimension(3), 2.0], [3, 2])],
)  # fmt: skip
def test_sizes_of_zeros_and_ones_may_be_floats(sizes: Any, shape: list[int]) -> None:
    assert tf.zeros(sizes).shape.as_list() == tf.ones(sizes).shape.as_list() == shape


@pytest.mark.parametrize("sizes", [[1000, 2.5], 2.5, [-1.0, 2], [float("nan"), 2]])
def test_sizes_that_are_no_numbers_of_elements(sizes: Any) -> None:
    with pytest.raises(TypeError, match=r"Expected int32, got \S+ of type 'float' instead"):
        tf.zeros(sizes)
