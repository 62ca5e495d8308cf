"""The gate: the bad-feed matrix, against what TensorFlow 1.15 was seen to do."""

from __future__ import annotations

import array
import datetime
import fractions
import mmap
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.runtime.feeds import FeedError, as_feed, check_shape, storage
from graphc.runtime.llvm.entry import OK, FeedSpec, Program

NUMBERS = [
    dtypes.float16, dtypes.float32, dtypes.float64, dtypes.int8, dtypes.int16, dtypes.int32,
    dtypes.int64, dtypes.uint8, dtypes.uint16, dtypes.uint32, dtypes.uint64,
]  # fmt: skip
SOME = [dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64, dtypes.bool_]
ids = {"ids": lambda t: getattr(t, "name", str(t))}


def feed(value: Any, dtype: DType = dtypes.float32, shape: Any = None) -> np.ndarray[Any, Any]:
    """`as_feed`, with all that is promised of its result checked."""
    a = as_feed(value, dtype, shape, "x:0")
    assert type(a) is np.ndarray
    assert a.dtype is storage(dtype)
    assert a.flags.c_contiguous
    assert a.flags.aligned
    p = Program([], [FeedSpec(storage(dtype), a.shape)])
    assert dtype.kind == "s" or p.run(a) == OK
    return a


def same(a: np.ndarray[Any, Any], b: Any) -> None:
    b = np.asarray(b)
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    assert a.tobytes() == b.tobytes()


# ----------------------------------------------------------------- accepted


@pytest.mark.parametrize("dtype", [*NUMBERS, dtypes.bool_], **ids)
def test_right_arrays_are_borrowed(dtype: DType) -> None:
    for shape in ((), (3,), (2, 3), (0, 4)):
        a = np.ones(shape, dtype.np)
        assert feed(a, dtype) is a
        a.flags.writeable = False
        assert feed(a, dtype) is a


def layouts(base: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """One matrix (4, 6) in every layout."""
    t = base.dtype
    wide = np.zeros((8, 13), t)
    wide[::2, 1::2] = base
    raw = np.zeros(base.nbytes + 1, np.uint8)
    odd = raw[1:].view(t).reshape(4, 6)
    odd[...] = base
    mapped = np.frombuffer(mmap.mmap(-1, base.nbytes), t).reshape(4, 6)
    mapped[...] = base
    fixed = base.copy()
    fixed.flags.writeable = False
    return {
        "fortran": np.asfortranarray(base),
        "strided": wide[::2, 1::2],
        "negative": base[::-1, ::-1].copy()[::-1, ::-1],
        "misaligned": odd,
        "mapped": mapped,
        "read-only": fixed,
        "big endian": base.astype(t.newbyteorder(">")),
        "matrix": base.view(np.matrix),
        "memoryview": memoryview(base),  # type: ignore[dict-item]
        "list": base.tolist(),
        "tuple": tuple(map(tuple, base.tolist())),  # type: ignore[dict-item]
        "rows": list(base),  # type: ignore[dict-item]
    }


@pytest.mark.parametrize("dtype", [*NUMBERS, dtypes.bool_], **ids)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_every_layout_gives_the_same_bits(dtype: DType) -> None:
    base = (np.arange(24).reshape(4, 6) % 7).astype(dtype.np)
    for name, value in layouts(base).items():
        if name == "memoryview" and dtype is dtypes.float16:
            continue
        before = np.array(value)
        same(feed(value, dtype, (None, 6)), base)
        np.testing.assert_array_equal(np.array(value), before)
        assert not name or as_feed(value, dtype, (4, 6), "x:0").shape == (4, 6)


def test_broadcast_views() -> None:
    same(feed(np.broadcast_to(np.float32(3), (2, 3))), np.full((2, 3), 3, np.float32))


@pytest.mark.parametrize("source", [*NUMBERS, dtypes.bool_], **ids)
@pytest.mark.parametrize("dtype", [*NUMBERS, dtypes.bool_], **ids)
def test_arrays_of_another_type_are_cast(source: DType, dtype: DType) -> None:
    a = np.array([[0, 1, 2], [3, 100, 1]]).astype(source.np)
    same(feed(a, dtype), a.astype(dtype.np))
    for x in a.flat:
        same(feed(x, dtype), np.asarray(x).astype(dtype.np))


def test_casts_are_silent() -> None:
    same(feed(np.array([1.5, 1e300, np.nan])), np.array([1.5, np.inf, np.nan], np.float32))
    same(feed([1.5, 1e300]), np.array([1.5, np.inf], np.float32))
    same(feed(1e300), np.array(np.inf, np.float32))
    same(feed(1.7, dtypes.int32), np.array(1, np.int32))
    same(feed([1.7, -1.7], dtypes.int32), np.array([1, -1], np.int32))
    same(feed(np.array([2**40 + 5, 1]), dtypes.int32), np.array([5, 1], np.int32))
    same(feed(np.int64(2**40 + 5), dtypes.int32), np.array(5, np.int32))
    same(feed(np.array([255, 1], np.uint8), dtypes.int8), np.array([-1, 1], np.int8))
    assert feed(np.array([np.nan, 1e30]), dtypes.int32).shape == (2,)
    same(feed([70000.0], dtypes.float16), np.array([np.inf], np.float16))
    same(feed([0, 1, 2, -1], dtypes.bool_), np.array([0, 1, 1, 1], np.bool_))
    same(feed([0.0, np.nan, 0.5], dtypes.bool_), np.array([0, 1, 1], np.bool_))


@pytest.mark.parametrize("dtype", NUMBERS, **ids)
def test_runs_that_are_bound_cast_alike(dtype: DType) -> None:
    """The second run of a session converts arrays by a quicker way: same numbers, no warning."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(dtype, [None, 2])
        y = tf.identity(x) + 0
        for source in NUMBERS:
            a = np.array([[3, 100], [7, 1]], source.np)
            if source.kind == "f":
                a[0] = [1e4, 0.5]
                a[1, 0] = np.finfo(source.np).max if source.size > dtype.size else 7.5
            elif source.size > dtype.size:
                a[1, 0] = np.iinfo(source.np).max
            for fed in (a, a, a[::-1], a.T):
                with np.errstate(all="ignore"):
                    want = fed.astype(dtype.np)
                np.testing.assert_array_equal(sess.run(y, {x: fed}), want)
        assert sess.run(y, {x: np.zeros((0, 2), np.int64)}).shape == (0, 2)
        with pytest.raises(ValueError, match="Cannot feed value of shape"):
            sess.run(y, {x: np.zeros((2, 3), np.int64)})


def test_python_values() -> None:
    same(feed(1.5), np.float32(1.5))
    same(feed(3), np.float32(3))
    same(feed(True), np.float32(1))
    same(feed(True, dtypes.bool_), np.bool_(True))
    same(feed(1, dtypes.bool_), np.bool_(True))
    same(feed(2**31), np.float32(2**31))
    same(feed(2**64), np.float32(2**64))
    same(feed(2**63, dtypes.uint64), np.uint64(2**63))
    same(feed(range(3)), np.arange(3, dtype=np.float32))
    same(feed([]), np.zeros(0, np.float32))
    same(feed([[]], dtypes.int32), np.zeros((1, 0), np.int32))
    same(feed(bytearray(b"ab"), dtypes.int32), np.array([97, 98], np.int32))
    same(feed(array.array("d", [1.5, 2])), np.array([1.5, 2], np.float32))
    same(feed([True, False], dtypes.int32), np.array([1, 0], np.int32))
    same(feed([2**63, 0], dtypes.uint64), np.array([2**63, 0], np.uint64))
    same(feed([2**70, 1]), np.array([2.0**70, 1], np.float32))
    same(feed([np.float32(1.5), 2]), np.array([1.5, 2], np.float32))
    same(feed([16777217]), np.array([16777217], np.int64).astype(np.float32))
    same(feed(fractions.Fraction(1, 4)), np.float32(0.25))
    same(
        feed(np.array([1, 2.5, True, np.float32(3)], object)), np.array([1, 2.5, 1, 3], np.float32)
    )
    same(feed(np.array([1, 2], object), dtypes.int64), np.array([1, 2], np.int64))
    same(feed([2**62 + 1, 5], dtypes.int64), np.array([2**62 + 1, 5], np.int64))


class _Arrays:
    """As a data frame or a tensor of another library."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        return np.arange(3.0)


def test_array_interfaces() -> None:
    same(feed(_Arrays()), np.arange(3, dtype=np.float32))


def test_equal_types_that_are_other_objects() -> None:
    a = np.arange(3, dtype=np.longlong)
    same(feed(a, dtypes.int64), np.arange(3, dtype=np.int64))
    b = np.zeros(3, np.dtype("f4", metadata={"a": 1}))
    same(feed(b), np.zeros(3, np.float32))


@pytest.mark.parametrize("dtype", [*SOME, dtypes.bfloat16], **ids)
def test_bools_with_other_bytes_are_true(dtype: DType) -> None:
    a = np.array([0, 1, 2, 255], np.uint8).view(np.bool_)
    want = feed(np.array([False, True, True, True]), dtype)
    same(feed(a, dtype), want)
    same(feed(a[::-1], dtype), want[::-1])
    assert a.view(np.uint8).tolist() == [0, 1, 2, 255]


@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.float32, dtypes.float64], **ids)
def test_payloads_of_nan_survive(dtype: DType) -> None:
    u = {2: np.uint16, 4: np.uint32, 8: np.uint64}[dtype.size]
    bits = np.array([0x7FC12345, 0xFFC00001, 0x7F800001], np.uint32)
    a = bits.view(np.float32) if dtype is dtypes.float32 else bits.astype(u).view(dtype.np)
    same(feed(a, dtype), a)
    same(feed(a[::-1], dtype), a[::-1])


def test_bfloat16_rounds_to_nearest_even() -> None:
    f = np.array([1, 1.00390625, 1.01171875, 3.4e38, np.inf, -0.0, 1e-40], np.float32)
    got = feed(f, dtypes.bfloat16)
    assert got.tolist() == [0x3F80, 0x3F80, 0x3F82, 0x7F80, 0x7F80, 0x8000, 0x0001]
    nan = feed(np.array([0x7F800001, 0xFFC00000], np.uint32).view(np.float32), dtypes.bfloat16)
    assert (nan.astype(np.uint32) << 16).view(np.float32).tolist() != [1, 1]
    assert np.isnan((nan.astype(np.uint32) << np.uint32(16)).view(np.float32)).all()
    same(feed(300, dtypes.bfloat16), np.uint16(0x4396))
    same(feed([[1.0]], dtypes.bfloat16, (1, None)), np.array([[0x3F80]], np.uint16))


def test_strings() -> None:
    def strings(value: Any, shape: Any = None) -> Any:
        return feed(value, dtypes.string, shape).tolist()

    assert strings("abc") == b"abc"
    assert strings(b"a\0") == b"a\0"
    assert strings(["a", b"b", "ä"], (None,)) == [b"a", b"b", "ä".encode()]
    assert strings(np.array([["a", "b"]])) == [[b"a", b"b"]]
    assert strings(np.array([b"a", b"b"])) == [b"a", b"b"]
    assert strings([]) == []
    for bad in (1.5, None, [1], ["a", 1], [["a"], ["b", "c"]], np.arange(2), np.ma.array(["a"])):
        with pytest.raises(TypeError, match="'x:0'"):
            strings(bad)
    with pytest.raises(TypeError, match="Type of feed value 3 with type <class 'int'>"):
        strings(3)
    with pytest.raises(ValueError, match="Cannot feed value of shape"):
        strings(["a"], ())


# ----------------------------------------------------------------- refused

BAD: dict[str, Any] = {
    "None": None,
    "complex": 1 + 2j,
    "text": "abc",
    "text of a number": "1.5",
    "bytes": b"1",
    "object": object(),
    "dict": {"a": 1},
    "set": {1, 2},
    "date": datetime.date(2020, 1, 1),
    "type": float,
    "list with None": [None, 1],
    "list of text": ["1", "2"],
    "mixed list": [1, "2"],
    "list of complex": [1j, 2],
    "list of dates": [datetime.date(2020, 1, 1)],
    "complex array": np.array([1 + 2j, 2]),
    "object array": np.array([1, None], object),
    "array of text": np.array(["1", "2"]),
    "array of bytes": np.array([b"1", b"2"]),
    "datetime array": np.array(["2020-01-01"], "M8[D]"),
    "timedelta array": np.array([1, 2], "m8[s]"),
    "structured array": np.zeros(2, [("a", "f4")]),
    "void": np.zeros(2, "V4"),
    "masked": np.ma.masked_array([1.0, 2.0], [0, 1]),
    "masked, nothing hidden": np.ma.masked_array([1.0, 2.0]),
    "the masked constant": np.ma.masked,
    "ragged": [[1, 2], [3]],
    "ragged, mixed": [[1, 2], 3],
    "ragged arrays": [np.zeros(2), np.zeros(3)],
    "not finite": [[1], [[2]]],
}


@pytest.mark.parametrize("dtype", [*SOME, dtypes.float16, dtypes.uint8, dtypes.bfloat16], **ids)
@pytest.mark.parametrize("name", BAD)
def test_refused(name: str, dtype: DType) -> None:
    for shape in (None, (None,), (2,)):
        with pytest.raises(TypeError, match="'x:0'") as e:
            as_feed(BAD[name], dtype, shape, "x:0")
        assert isinstance(e.value, FeedError)
        assert "\n" not in str(e.value)


def test_generators_are_refused() -> None:
    with pytest.raises(TypeError, match="generator"):
        feed(i for i in range(3))


def test_what_tf1_called_value_error_is_one_too() -> None:
    for value in ([[1, 2], [3]], [[1, 2], 3]):
        with pytest.raises(ValueError, match=r"^setting an array element with a sequence\."):
            feed(value)
    with pytest.raises(ValueError, match="str"):
        feed("abc")


@pytest.mark.parametrize(
    ("value", "dtype", "type_name"),
    [
        (2**31, dtypes.int32, "numpy.int32"),
        (-(2**31) - 1, dtypes.int32, "numpy.int32"),
        (2**63, dtypes.int64, "numpy.int64"),
        (2**64, dtypes.uint64, "numpy.uint64"),
        (300, dtypes.int8, "numpy.int8"),
        (300, dtypes.uint8, "numpy.uint8"),
        (-1, dtypes.uint8, "numpy.uint8"),
        (2**53 + 1, dtypes.float64, "numpy.float64"),
        (2**24 + 1, dtypes.float32, "numpy.float32"),
        (70000, dtypes.float16, "numpy.float16"),
        (3, dtypes.bool_, "bool"),
        (-1, dtypes.bool_, "bool"),
        (10**400, dtypes.float64, "numpy.float64"),
    ],
)
def test_ints_that_do_not_fit(value: int, dtype: DType, type_name: str) -> None:
    with pytest.raises(TypeError) as e:
        feed(value, dtype)
    assert str(e.value) == (
        f"Type of feed value {value} with type <class 'int'> is not compatible with Tensor type "
        f"<class '{type_name}'>. Try explicitly setting the type of the feed tensor to a larger "
        "type (e.g. int64)."
    )


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([2**31, 1], dtypes.int32),
        ([2**63, 1], dtypes.int64),
        ([2**63, -1], dtypes.int64),
        ([2**64, 1], dtypes.int64),
        ([2**64, 1], dtypes.uint64),
        ([300, 1], dtypes.int8),
        ([-1, 1], dtypes.uint8),
        ([1e10], dtypes.int32),
        ([float("nan")], dtypes.int32),
        ([float(2**63)], dtypes.int64),
        (1e30, dtypes.int64),
        (float("inf"), dtypes.int32),
    ],
)
def test_lists_with_numbers_that_do_not_fit(value: Any, dtype: DType) -> None:
    with pytest.raises(TypeError, match="'x:0' does not fit its type"):
        feed(value, dtype)


def test_the_limits_themselves_fit() -> None:
    for dtype in NUMBERS:
        if dtype.is_integer:
            low, high = dtype.limits
            same(feed([low, high], dtype), np.array([low, high], dtype.np))
            same(feed(int(low), dtype), dtype.np.type(low))
            same(feed(int(high), dtype), dtype.np.type(high))
    same(feed([127.9, -128.9], dtypes.int8), np.array([127, -128], np.int8))
    same(feed([-float(2**63)], dtypes.int64), np.array([-(2**63)], np.int64))


# ----------------------------------------------------------------- shapes

OFFERS: list[tuple[Any, Any, str]] = [
    ((None, 3), np.zeros((2, 4)), "(2, 4) for Tensor 'x:0', which has shape '(?, 3)'"),
    ((None, 3), [1, 2], "(2,) for Tensor 'x:0', which has shape '(?, 3)'"),
    ((), [1], "(1,) for Tensor 'x:0', which has shape '()'"),
    ((2,), 3.0, "() for Tensor 'x:0', which has shape '(2,)'"),
    ((None,), 3.0, "() for Tensor 'x:0', which has shape '(?,)'"),
    ((None, 3), np.zeros((2, 3, 1)), "(2, 3, 1) for Tensor 'x:0', which has shape '(?, 3)'"),
    ((0,), [1.0], "(1,) for Tensor 'x:0', which has shape '(0,)'"),
    ((2, None, 0), [], "(0,) for Tensor 'x:0', which has shape '(2, ?, 0)'"),
]


@pytest.mark.parametrize("dtype", SOME, **ids)
@pytest.mark.parametrize(("shape", "value", "text"), OFFERS)
def test_shapes_that_do_not_match(shape: Any, value: Any, text: str, dtype: DType) -> None:
    with pytest.raises(ValueError, match="shape") as e:
        feed(value, dtype, shape)
    assert type(e.value) is ValueError
    assert str(e.value) == f"Cannot feed value of shape {text}"
    with pytest.raises(ValueError, match="shape"):
        feed(np.asarray(value, dtype.np), dtype, shape)


def test_shapes_that_match() -> None:
    check_shape((2, 3), None, "x:0")
    check_shape((2, 3), [None, 3], "x:0")
    check_shape((), (), "x:0")
    check_shape((0, 3), iter((None, 3)), "x:0")


def test_arrays_of_objects_fed_as_strings() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.string, [None])
        text = np.array(["a", b"b", "é"], object)
        assert sess.run(tf.identity(x), {x: text}).tolist() == [b"a", b"b", "é".encode()]
        assert sess.run(tf.equal(x, "a"), {x: text}).tolist() == [True, False, False]
        assert text.tolist() == ["a", b"b", "é"]
        for wrong in (1.5, 1, None):
            with pytest.raises((TypeError, ValueError)):
                sess.run(tf.identity(x), {x: np.array(["a", wrong], object)})


def test_complex_results_are_no_views_of_feeds() -> None:
    """Complex numbers pass by native code; what was fetched changed with the fed array."""
    x = tf.placeholder(tf.complex64, [2, 3])
    fed = np.arange(6).reshape(2, 3).astype(np.complex64)
    results = [x, tf.identity(x), tf.reshape(x, [-1]), x[:1], tf.split(x, 2)[1], x + 0]
    with tf.Session() as sess:
        found = sess.run(results, {x: fed})
        alone = [sess.run(y, {x: fed}) for y in results]
    for i, y in enumerate(found + alone):
        assert not np.shares_memory(y, fed)
        assert not any(np.shares_memory(y, z) for z in found[:i])


@pytest.mark.parametrize("dtype", [tf.complex64, tf.string])
def test_ensured_shapes_of_values_on_the_host(dtype: Any) -> None:
    x = tf.placeholder(dtype)
    y = tf.ensure_shape(x, [2, None])
    assert y.shape.as_list() == [2, None]
    with tf.Session() as sess:
        fed = np.array([["a"], ["b"]]) if dtype is tf.string else np.array([[1j], [2]])
        assert sess.run(y, {x: fed}).shape == (2, 1)
        with pytest.raises(tf.errors.InvalidArgumentError, match="shape"):
            sess.run(y, {x: fed[0]})
