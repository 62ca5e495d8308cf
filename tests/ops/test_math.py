"""Elementwise ops: TensorFlow 1.15's values, names, conversions and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracle_face as oracle
import pytest

from graphc.errors import InvalidArgumentError
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import convert, math, operators, state
from graphc.ops.record import InferError
from graphc.runtime.reference import evaluate

#: Where graphc differs from TensorFlow on purpose: output -> elements in flat order.
DIFFERS: dict[str, dict[str, Any]] = {
    "unary_sign": {"0": [17]},  # NaN stays NaN
    "unary_rsqrt": {"0": [7]},  # 1/sqrt(-0.0) is -inf, as IEEE and as TF's scalar loop
    "maximum_nan": {"0": [1], "1": [1]},  # NaN wins from either side
}
SECTIONS = ("unary_", "gradient_", "binary_", "compare_", "integer_", "float_", "pow", "select")
NAMES = """div_no_nan unsigned_wrap int_wrap int_abs_min atan2 maximum_nan add_n logical bitwise
bitwise_shift operators_mixed broadcast_ranks round_half cast_float_int cast_int cast_bool
cast_precision saturate_cast clip_by_value gradient_second_order gradient_third_order
gradient_shared gradient_broadcast gradient_not_differentiable gradient_stopped""".split()
LATER = list(oracle.PROGRAMS).index("norms")
PROGRAMS = [
    n for i, n in enumerate(oracle.PROGRAMS)
    if n in NAMES or (i < LATER and n.startswith(SECTIONS) and "norm" not in n and "_nn_" not in n)
]  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_agrees_with_tensorflow(name: str) -> None:
    oracle.agree(name, skip=DIFFERS.get(name))


def value(x: Any, feed: Any = None) -> np.ndarray[Any, Any]:
    return evaluate([x], feed)[0]


# ------------------------------------------------------------------------- operators


@pytest.mark.parametrize(
    ("f", "names"),
    [
        (lambda x: x + 1, ["add/y", "add"]),
        (lambda x: 1 + x, ["add/x", "add"]),
        (lambda x: x - x, ["sub"]),
        (lambda x: 2 * x, ["mul/x", "mul"]),
        (lambda x: x / 2, ["truediv/y", "truediv"]),
        (lambda x: x // 2, ["floordiv/y", "floordiv"]),
        (lambda x: x % 2, ["mod/y", "mod"]),
        (lambda x: x**2, ["pow/y", "pow"]),
        (lambda x: -x, ["Neg"]),
        (lambda x: abs(x), ["Abs"]),
        (lambda x: x < 1, ["Less/y", "Less"]),
        (lambda x: 1 < x, ["Greater/y", "Greater"]),
        (lambda x: math.add(x, 1), ["Add/y", "Add"]),
        (lambda x: math.truediv(math.to_int32(x), 2), ["ToInt32", "truediv/y", "truediv/Cast",
                                                       "truediv/Cast_1", "truediv"]),
        (lambda x: math.where(x > 0, x, x), ["Greater/y", "Greater", "Select"]),
        (lambda x: math.clip_by_value(x, 0, 1), ["clip_by_value/Minimum/y", "clip_by_value/Minimum",
                                                 "clip_by_value/y", "clip_by_value"]),
        (lambda x: math.logical_xor(x > 0, x > 0), ["Greater/y", "Greater", "Greater_1/y",
                                                    "Greater_1", "LogicalXor"]),
    ],
)  # fmt: skip
def test_names(f: Any, names: list[str]) -> None:
    with oracle.recording() as graph:
        x = state.placeholder(dtypes.float32, [2, 3], name="x")
        f(x)
        assert [op.name for op in graph.get_operations()][1:] == names


def test_operands_take_the_type_of_the_tensor() -> None:
    x, i = convert.constant([1.0, 2.0]), convert.constant([3, 4])
    for y in (x + 1, 1 - x, x * np.float64(2), np.float64(2) * x, np.ones(2) * x, x + np.ones(2)):
        assert isinstance(y, Value)
        assert y.dtype is dtypes.float32
    assert (i + np.ones(2)).dtype is dtypes.int32
    assert (i / 2).dtype is dtypes.float64
    assert (math.cast(i, dtypes.int8) / 2).dtype is dtypes.float32
    np.testing.assert_array_equal(value(np.array([1.0, 2.0]) - x), [0, 0])


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x, i: x + i, "Input 'y' of 'AddV2' Op has type int32 that does not match type "
                             "float32 of argument 'x'."),
        (lambda x, i: i + 1.5, "Input 'y' of 'AddV2' Op has type float32 that does not match "),
        (lambda x, i: 1.5 + i, "Expected int32, got 1.5 of type 'float' instead."),
        (lambda x, i: math.add(1, 2.5), "Expected int32 passed to parameter 'y' of op 'Add'"),
        (lambda x, i: math.maximum(1, x), "Input 'y' of 'Maximum' Op has type float32"),
        (lambda x, i: math.exp(i), "Value passed to parameter 'x' has DataType int32 not in list"),
        (lambda x, i: (x < 1) + (x < 1), "Value passed to parameter 'x' has DataType bool"),
        (lambda x, i: math.truediv(x < 1, x < 1), "Invalid dtype tf.bool in __truediv__."),
        (lambda x, i: math.truediv(x, i), "x and y must have the same dtype"),
        (lambda x, i: bool(x), "a `tf.Tensor` as a Python `bool` is not allowed"),
        (lambda x, i: iter(x), "is not allowed"),
        (lambda x, i: len(x), "len is not well defined for symbolic Tensors"),
        (lambda x, i: math.add_n([x, i]), "same dtype"),
    ],
)  # fmt: skip
def test_type_errors(f: Any, message: str) -> None:
    with oracle.recording():
        x, i = convert.constant([1.0, 2.0]), convert.constant([3, 4])
        with pytest.raises(TypeError) as e:
            f(x, i)
        assert message in str(e.value)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x + np.ones(3),
        lambda x: math.add_n([x, convert.constant([1.0])]),
        lambda x: math.add_n([]),
        lambda x: math.where(x > 0, x),
        lambda x: math.where([True, False, True], x, x),
        lambda x: math.clip_by_value(x, np.zeros((3, 2)), 1.0),
        lambda x: math.bitcast(x[:1], dtypes.int64),
        lambda x: math.scalar_mul(x, x),
    ],
)
def test_value_errors(f: Any) -> None:
    x = convert.constant([1.0, 2.0])
    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        f(x)


def test_equality_is_identity() -> None:
    x, y = convert.constant(1.0), convert.constant(1.0)
    assert x == x
    assert x != y
    assert len({x, y, x}) == 2


def test_variables_get_the_same_operators() -> None:
    assert {"__add__", "__radd__", "__getitem__", "__matmul__"} <= set(operators.OPERATORS)


# ------------------------------------------------------------------------- meaning at the edges


@pytest.mark.parametrize("f", [math.floordiv, math.floormod, math.truncatediv, math.truncatemod])
def test_integer_division_by_zero(f: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="Integer division by zero"):
        value(f([1, 2], [1, 0]))
    assert value(f(np.zeros(0, np.int32), np.zeros(0, np.int32))).shape == (0,)
    assert not np.isfinite(value(f([1.0], [0.0])))


def test_integer_corners() -> None:
    low = np.int32(-(2**31))
    assert value(math.floordiv(low, np.int32(-1))) == low
    assert value(math.floormod(low, np.int32(-1))) == 0
    assert value(math.truncatediv(low, np.int32(-1))) == low
    assert value(math.abs(low)) == low
    np.testing.assert_array_equal(value(math.truncatediv([-7, 7, -7], [2, -2, -2])), [-3, -3, 3])
    with pytest.raises(InvalidArgumentError, match="negative integer powers"):
        value(math.pow([2], [-1]))


def test_shifts_outside_the_width() -> None:
    """Defined, where C leaves it open (rule C2)."""
    x, by = np.int32([1, 1, -8, -8]), np.int32([32, -1, 40, -1])
    np.testing.assert_array_equal(value(math.left_shift(x, by)), [0, 0, 0, 0])
    np.testing.assert_array_equal(value(math.right_shift(x, by)), [0, 0, -1, -1])


@pytest.mark.parametrize("name", ["uint8", "int8", "int32", "int64", "uint64"])
def test_casts_saturate(name: str) -> None:
    """NaN gives 0 and what is out of range the nearest end (rule C3)."""
    t = dtypes.as_dtype(name)
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, -1.9, 1.9])
    low = int(t.min)
    want = [0, int(t.max), low, int(t.max), low, max(low, -1), 1]
    assert value(math.cast(x, t)).tolist() == want


def test_cast_to_bfloat16_rounds_to_even() -> None:
    x = np.float32([1.0, 1.00390625, 1.01171875, np.nan, 3.4e38])
    got = value(math.cast(x, dtypes.bfloat16))
    np.testing.assert_array_equal(got, np.float32([1.0, 1.0, 1.015625, np.nan, np.inf]))


def test_cast_to_its_own_type_is_the_tensor() -> None:
    x = convert.constant([1.0])
    assert math.cast(x, "float32") is x
    assert math.to_float(x) is x
    assert math.round(convert.constant([1])).node.op.name == "constant"


def test_select_chooses_rows_by_a_vector() -> None:
    x, y = np.ones((2, 3)), np.zeros((2, 3))
    with oracle.recording():
        c = state.placeholder(dtypes.bool_)
        got = math.where(c, x, y)
        for given, want in ((True, x), ([True, False], [[1] * 3, [0] * 3]), (x > 0, x)):
            np.testing.assert_array_equal(value(got, {c: given}), want)


def test_select_takes_no_part_of_the_other_side() -> None:
    """Where is a choice, never arithmetic: NaN and infinity on the other side do not leak."""
    with oracle.recording():
        x = convert.constant([0.0, 1.0])
        seed = convert.constant([np.inf, 1.0])
        (g,) = oracle.gradients(math.where(x > 0, x, x * 2.0), x, seed)
        np.testing.assert_array_equal(value(g), [np.inf, 1])


def test_maximum_gives_ties_to_the_first() -> None:
    with oracle.recording():
        x, y = convert.constant([1.0, 2.0]), convert.constant([1.0, 1.0])
        gx, gy = oracle.gradients(math.maximum(x, y), [x, y])
        np.testing.assert_array_equal(value(gx), [1, 1])
        np.testing.assert_array_equal(value(gy), [0, 0])


def test_gradient_of_an_op_without_one() -> None:
    with oracle.recording():
        x = convert.constant([5.0])
        with pytest.raises(LookupError, match="TruncateMod"):
            oracle.gradients(math.truncatemod(x, x), x)


def test_broadcast_gradients_are_summed() -> None:
    with oracle.recording():
        x, y = convert.constant(np.ones((2, 3))), convert.constant(np.ones((3,)))
        gx, gy = oracle.gradients(x * y, [x, y])
        assert gx.static_shape == (2, 3)
        np.testing.assert_array_equal(value(gy), [2, 2, 2])


def test_digamma_and_trigamma() -> None:
    x = np.array([0.5, 1.0, 3.25, 100.0, -0.5, -2.5])
    assert abs(value(math.digamma(np.ones(1)))[0] + 0.5772156649015329) < 1e-14  # Euler's constant
    h = 1e-6
    slope = (value(math.digamma(x + h)) - value(math.digamma(x - h))) / (2 * h)
    np.testing.assert_allclose(value(math.trigamma(x)), slope, 1e-7)
    slope = (value(math.lgamma(x + h)) - value(math.lgamma(x - h))) / (2 * h)
    np.testing.assert_allclose(value(math.digamma(x)), slope, 1e-6)


def test_shape_errors_name_the_sizes() -> None:
    with pytest.raises(InferError, match="Dimensions must be equal, but are 2 and 3"):
        math.add.infer([convert.constant([1.0, 2.0]), convert.constant([1.0] * 3)], {})
