"""Reductions and scans: TensorFlow 1.15's values, names, axes and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracle_face as oracle
import pytest

import graphc as tf
from graphc.errors import InvalidArgumentError
from graphc.ir import dims, dtypes
from graphc.ir.known import known
from graphc.ops import convert, cumulative, math, reduce, shapes, state
from graphc.ops.record import InferError
from graphc.runtime.reference import evaluate

#: NaN wins in graphc's max, min, argmax and argmin; TensorFlow 1.15 loses it.
DIFFERS: dict[str, dict[str, Any]] = {
    "reduce_max": {"8": [0]}, "reduce_min": {"8": [0]}, "argmax": {"5": [0], "6": [0]},
    "argmin": {"3": [0]},
}  # fmt: skip
FIRST, LAST = [list(oracle.PROGRAMS).index(n) for n in ("reduce_sum", "matmul")]
PROGRAMS = list(oracle.PROGRAMS)[FIRST:LAST]

SUMS = ["reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod", "reduce_logsumexp"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_agrees_with_tensorflow(name: str) -> None:
    oracle.agree(name, skip=DIFFERS.get(name))


def value(x: Any, feed: Any = None) -> np.ndarray[Any, Any]:
    return evaluate([x], feed)[0]


@pytest.mark.parametrize("name", SUMS)
def test_nan_wins(name: str) -> None:
    x = convert.constant([1.0, np.nan, np.inf])
    assert np.isnan(value(getattr(reduce, name)(x)))


def test_names_of_axes() -> None:
    with oracle.recording() as graph:
        x = state.placeholder(dtypes.float32, [2, 3], name="x")
        unknown = state.placeholder(dtypes.float32, name="u")
        for f in (lambda: reduce.reduce_sum(x), lambda: reduce.reduce_sum(x, 1),
                  lambda: reduce.reduce_mean(unknown), lambda: reduce.argmax(x)):  # fmt: skip
            f()
        convert.constant(1.0)
        convert.constant(1.0, name="range")
        names = [op.name for op in graph.get_operations()][2:]
    # Sum took 'Const' for all axes, Mean of unknown rank 'Rank' and 'range'
    assert names == ["Sum", "Sum_1", "Mean", "ArgMax", "Const_1", "range_1"]


@pytest.mark.parametrize(
    ("f", "kind", "message"),
    [
        (lambda x: reduce.reduce_sum(x, 5), ValueError,
         "Invalid reduction dimension 5 for input with 2 dimensions."),
        (lambda x: reduce.reduce_sum(x, 1.0), TypeError,
         "parameter 'reduction_indices' has DataType float32 not in list of allowed"),
        (lambda x: reduce.reduce_sum(x, 1, keepdims=True, keep_dims=True), ValueError,
         "Cannot specify both 'keep_dims' and 'keepdims'"),
        (lambda x: reduce.reduce_sum(x, 1, reduction_indices=1), ValueError,
         "Cannot specify both 'reduction_indices' and 'axis'"),
        (lambda x: reduce.argmax(x, 5), ValueError,
         "Dimension (5) must be in the range [-2, 2), where 2 is the number of dimensions"),
        (lambda x: cumulative.cumsum(x, -3), ValueError, "(-3) must be in the range [-2, 2)"),
        (lambda x: reduce.reduce_sum(x > 0), TypeError, "parameter 'input' has DataType bool"),
        (lambda x: reduce.reduce_any(x), TypeError, "parameter 'input' has DataType float32"),
    ],
)  # fmt: skip
def test_errors(f: Any, kind: type[Exception], message: str) -> None:
    x = convert.constant([[1.0, 2.0]])
    with pytest.raises(kind) as e:
        f(x)
    assert message in str(e.value)


def test_argmax_of_nothing() -> None:
    x = convert.constant(np.zeros((0, 3), np.float32))
    with pytest.raises(InvalidArgumentError, match=r"Reduction axis 0 is empty in shape \[0,3\]"):
        value(reduce.argmax(x))
    assert value(reduce.argmax(x, 1)).shape == (0,)


# ------------------------------------------------------------------------- axes and ranks


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, [0, 2], [], [-1, 0]])
def test_unknown_rank(name: str, axis: Any, keepdims: bool) -> None:
    """Values and gradients are those of a known rank."""
    f = getattr(reduce, name)
    a = np.random.default_rng(1).uniform(0.5, 1.5, (2, 3, 2))
    with oracle.recording():
        answers = []
        for shape in ((2, 3, 2), [None, 3, None], None):
            x = state.placeholder(dtypes.float64, shape)
            y = f(x, axis, keepdims)
            (g,) = oracle.gradients(y, x)
            answers.append(evaluate([y, g], {x: a}))
        for y, g in answers[1:]:
            np.testing.assert_array_equal(y, answers[0][0])
            np.testing.assert_allclose(g, answers[0][1], 1e-14)


@pytest.mark.parametrize("name", [*SUMS, "cumsum", "cumprod"])
def test_axis_may_be_a_tensor(name: str) -> None:
    """Such an axis is a trailing operand, with no gradient of its own."""
    f = getattr(cumulative if name.startswith("cum") else reduce, name)
    a = np.arange(1.0, 7.0).reshape(2, 3)
    with oracle.recording():
        axis = state.placeholder(dtypes.int32, [])
        x = state.placeholder(dtypes.float64, [2, 3])
        y = f(x, axis)
        assert y.node.attrs["dynamic"] == ("axis",)
        (g,) = oracle.gradients(y, x)
        for k in (0, 1, -1):
            (want,) = oracle.gradients(f(x, k), x)
            got = evaluate([y, g], {x: a, axis: k})
            expected = evaluate([f(x, k), want], {x: a})
            for one, other in zip(got, expected, strict=True):
                np.testing.assert_allclose(one, other, 1e-14)


def test_a_constant_axis_is_an_attribute() -> None:
    x = convert.constant(np.ones((2, 3, 4)))
    for axis in (convert.constant([0, 2]), np.array([0, -1]), (0, 2), [np.int64(2), 0]):
        assert reduce.reduce_sum(x, axis).node.attrs["axis"] == (0, 2)


def test_unknown_sizes_keep_their_symbols() -> None:
    with oracle.recording():
        x = state.placeholder(dtypes.float32, [None, 3])
        b = x.static_shape[0]  # type: ignore[index]
        assert reduce.reduce_sum(x, 1).static_shape == (b,)
        assert reduce.reduce_sum(x, 0, True).static_shape == (1, 3)
        assert reduce.argmax(x, 1).static_shape == (b,)
        assert cumulative.cumsum(x).static_shape == (b, 3)


def test_sizes_go_through() -> None:
    """Sums and products of sizes are sizes: shapes computed from them stay known."""
    with oracle.recording():
        x = state.placeholder(dtypes.float32, [None, 3])
        b = x.static_shape[0]  # type: ignore[index]
        assert known(reduce.reduce_prod(shapes.shape(x))) == b * 3
        assert known(reduce.reduce_sum(shapes.shape(x), keepdims=True)) == (b + 3,)
        assert isinstance(b, dims.Expr)


def test_mean_counts_what_it_reduces() -> None:
    with oracle.recording():
        x = state.placeholder(dtypes.float64, [None, None])
        y = reduce.reduce_mean(x, 1)
        (g,) = oracle.gradients(y, x)
        np.testing.assert_array_equal(value(g, {x: np.ones((2, 4))}), np.full((2, 4), 0.25))
        assert value(reduce.reduce_mean(x), {x: np.ones((0, 4))}) != 0  # NaN


def test_integer_mean_truncates() -> None:
    for xs, want in (([-3, -4], -3), ([3, 4], 3), ([], 0)):
        assert value(reduce.reduce_mean(np.array(xs, np.int32))) == want


def test_count_nonzero() -> None:
    x = convert.constant([[0.0, 1.0], [2.0, np.nan]])
    assert value(reduce.count_nonzero(x)) == 3
    assert value(reduce.count_nonzero(x, 0, dtype=dtypes.int32)).dtype == np.int32
    assert value(reduce.count_nonzero(np.array(["a", ""]))) == 1


def test_spread() -> None:
    x = np.random.default_rng(0).normal(size=(4, 5))
    np.testing.assert_allclose(value(reduce.reduce_variance(x, 0)), x.var(0), 1e-12)
    np.testing.assert_allclose(value(reduce.reduce_std(x)), x.std(), 1e-12)
    norm = value(reduce.reduce_euclidean_norm(x))
    np.testing.assert_allclose(norm, np.linalg.norm(x), 1e-12)


def test_gradient_of_max_with_nan_is_nan() -> None:
    with oracle.recording():
        x = convert.constant([1.0, np.nan])
        (g,) = oracle.gradients(reduce.reduce_max(x), x)
        assert np.isnan(value(g)).all()


def test_logsumexp_does_not_overflow() -> None:
    x = np.array([[1000.0, 1000.0], [-1000.0, -1000.0], [-np.inf, -np.inf]])
    want = [1000 + np.log(2), -1000 + np.log(2), -np.inf]
    np.testing.assert_allclose(value(reduce.reduce_logsumexp(x, 1)), want)


def test_infer_refuses_an_axis_when_the_rank_becomes_known() -> None:
    record = reduce.reduce_sum
    with pytest.raises(InferError, match="Invalid reduction dimension 3"):
        record.infer([convert.constant([1.0])], {"axis": (3,), "keepdims": False})


def test_float16_is_added_up_in_float32() -> None:
    x = math.cast(np.full(4096, 1.0), dtypes.float16)
    assert value(reduce.reduce_sum(x)) == 4096
    assert value(cumulative.cumsum(x))[-1] == 4096


@pytest.mark.parametrize("axis", [[0, 0], [0, -3], [1, 0, 1], [2, -1]])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_an_axis_given_twice_counts_once(axis: list[int], known: bool) -> None:
    x = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    over = tuple({a % 3 for a in axis})
    p = tf.placeholder(tf.float32, x.shape if known else None)
    at = tf.placeholder(tf.int32, [None])
    with tf.Session() as s:
        for keep in (False, True):
            sums = [tf.reduce_sum(p, axis, keep), tf.reduce_sum(p, at, keep)]
            for got in s.run(sums, {p: x, at: axis}):
                np.testing.assert_array_equal(got, x.sum(over, keepdims=keep))
        (constant,) = s.run([tf.reduce_max(x, axis)])
        np.testing.assert_array_equal(constant, x.max(over))
