"""The assert family: decided when the graph is built where values are known, else in runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.face.control import group, with_dependencies
from graphc.face.current import name_scope
from graphc.face.elements import Operation, Tensor
from graphc.face.graph import get_default_graph
from graphc.face.shape import TensorShape
from graphc.ir import dtypes
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import check, math, reduce, state
from graphc.ops import shapes as shape_ops
from graphc.ops.check import Assert
from graphc.ops.convert import constant_op, convert_to_tensor
from graphc.ops.counting import made

__all__ = [
    "add_check_numerics_ops", "assert_all_finite", "assert_equal", "assert_greater",
    "assert_greater_equal", "assert_integer", "assert_less", "assert_less_equal", "assert_near",
    "assert_negative", "assert_non_negative", "assert_non_positive", "assert_none_equal",
    "assert_positive", "assert_proper_iterable", "assert_rank", "assert_rank_at_least",
    "assert_rank_in", "assert_same_float_dtype", "assert_scalar", "assert_shapes", "assert_type",
    "is_non_decreasing", "is_numeric_tensor", "is_strictly_increasing", "verify_tensor_all_finite",
]  # fmt: skip


def _known(x: Value) -> np.ndarray[Any, Any] | None:
    """The value of a constant."""
    return x.node.attrs["value"] if x.node.op is constant_op else None


def _all(x: Value) -> Value:
    return reduce.reduce_all(x)  # type: ignore[no-any-return]


def _shape(x: Value) -> TensorShape:
    return TensorShape([d if type(d) is int else None for d in x.static_shape or ()])


# ------------------------------------------------------------------------- comparisons


def _compare(
    what: str, sign: str, test: Callable[[Any, Any], Any]
) -> Callable[..., Operation]:  # fmt: skip
    """``tf.assert_<what>``."""

    def function(
        x: Any, y: Any, data: Any = None, summarize: int | None = None,
        message: str | None = None, name: str | None = None,
    ) -> Operation:  # fmt: skip
        with name_scope(name, f"assert_{what}", [x, y, data]):
            a = convert_to_tensor(x, name="x")
            b = convert_to_tensor(y, a.dtype if not isinstance(y, Value) else None, name="y")
            told = message or ""
            if test is math.equal and x is y and isinstance(x, Value):
                return state.no_op("NoOp")  # type: ignore[return-value]
            condition = test(a, b)
            given = data is not None
            if not given:
                data = [
                    told, f"Condition x {sign} y did not hold element-wise:",
                    f"x ({a.name}) = ", a, f"y ({b.name}) = ", b,
                ]  # fmt: skip
                if not told:
                    data = data[1:]
            return _assert(condition, test, (a, b), data, summarize, [told] if given else [])

    function.__name__ = function.__qualname__ = f"assert_{what}"
    function.__doc__ = f"""An operation that fails unless ``x {sign} y`` holds for all elements.

    Parameters
    ----------
    x, y : tensors
        Broadcast against each other.
    data : list of tensors, optional
        What the message shows instead of the operands.
    summarize : int, optional
        How many elements of each.
    message : str, optional
        Begins the message.

    Raises
    ------
    graphc.errors.InvalidArgumentError
        At once where both are constants; else in a run.
    """
    return function


def _assert(
    condition: Value, test: Callable[..., Any], operands: Sequence[Value], data: Sequence[Any],
    summarize: int | None, told: Sequence[str] = (),
) -> Operation:  # fmt: skip
    """The assertion; where the operands are constants it is decided here."""
    values = [_known(v) for v in operands]
    if all(v is not None for v in values) and not np.all(_static(test, values)):
        shown = [str(_known(d) if isinstance(d, Value) and _known(d) is not None else d)
                 for d in (*told, *data)]  # fmt: skip
        raise InvalidArgumentError(None, None, "\n".join(shown))
    return Assert(_all(condition), data, summarize=summarize)  # type: ignore[return-value]


def _static(test: Callable[..., Any], values: Sequence[Any]) -> Any:
    record = _MEANINGS[test]
    return record(*values)


_MEANINGS: dict[Any, Callable[..., Any]] = {
    math.equal: np.equal, math.not_equal: np.not_equal, math.less: np.less,
    math.less_equal: np.less_equal, math.greater: np.greater, math.greater_equal: np.greater_equal,
}  # fmt: skip

assert_equal = _compare("equal", "==", math.equal)
assert_none_equal = _compare("none_equal", "!=", math.not_equal)
assert_less = _compare("less", "<", math.less)
assert_less_equal = _compare("less_equal", "<=", math.less_equal)
assert_greater = _compare("greater", ">", math.greater)
assert_greater_equal = _compare("greater_equal", ">=", math.greater_equal)


def assert_near(
    x: Any, y: Any, rtol: Any = None, atol: Any = None, data: Any = None,
    summarize: int | None = None, message: str | None = None, name: str | None = None,
) -> Operation:  # fmt: skip
    """An operation that fails unless ``|x - y| <= atol + rtol * |y|`` for all elements.

    Parameters
    ----------
    rtol, atol : tensor, optional
        Ten times the spacing of the element type's numbers at 1 by default.
    """
    with name_scope(name, "assert_near", [x, y, rtol, atol, data]):
        a = convert_to_tensor(x, name="x")
        b = convert_to_tensor(y, a.dtype if not isinstance(y, Value) else None, name="y")
        eps = 10 * np.finfo(a.dtype.np).eps
        r = convert_to_tensor(eps if rtol is None else rtol, a.dtype, name="rtol")
        t = convert_to_tensor(eps if atol is None else atol, a.dtype, name="atol")
        if data is None:
            data = [
                message or "",
                f"x and y not equal to tolerance rtol = {r}, atol = {t}",
                f"x ({a.name}) = ", a, f"y ({b.name}) = ", b,
            ]  # fmt: skip
        near = math.less(abs(a - b), t + r * abs(b))
        return Assert(_all(near), data, summarize=summarize)  # type: ignore[return-value]


def _sign(what: str, sign: str, compare: Callable[..., Operation], left: bool) -> Any:
    """``tf.assert_<what>``: a comparison with zero."""

    def function(
        x: Any, data: Any = None, summarize: int | None = None, message: str | None = None,
        name: str | None = None,
    ) -> Operation:  # fmt: skip
        with name_scope(name, f"assert_{what}", [x, data]):
            a = convert_to_tensor(x, name="x")
            if data is None:
                data = [
                    message or "", f"Condition x {sign} 0 did not hold element-wise:",
                    f"x ({a.name}) = ", a,
                ]  # fmt: skip
            zero = convert_to_tensor(0, dtype=a.dtype)
            return compare(*((zero, a) if left else (a, zero)), data=data, summarize=summarize)

    function.__name__ = function.__qualname__ = f"assert_{what}"
    function.__doc__ = f"""An operation that fails unless ``x {sign} 0`` holds for all elements."""
    return function


assert_positive = _sign("positive", ">", assert_less, True)
assert_negative = _sign("negative", "<", assert_less, False)
assert_non_negative = _sign("non_negative", ">=", assert_less_equal, True)
assert_non_positive = _sign("non_positive", "<=", assert_less_equal, False)


# ------------------------------------------------------------------------- ranks and shapes


def _rank_of(rank: Any) -> tuple[Value, int | None]:
    value = convert_to_tensor(rank, name="rank")
    known = _known(value)
    if value.dtype not in (dtypes.int32, dtypes.int64):
        raise TypeError(f"{value.name} must be of type {dtypes.int32!r}")
    if known is not None and known.ndim:
        raise ValueError("Rank must be a scalar.")
    return value, None if known is None else int(known)


def _ok(scope_op: str = "static_checks_determined_all_ok") -> Operation:
    return state.no_op(scope_op)  # type: ignore[return-value]


def _rank_check(
    x: Any, ranks: Sequence[Any], words: str, holds: Callable[[Any, Sequence[Any]], Any],
    data: Any, summarize: int | None, message: str | None, single: bool,
) -> Operation:  # fmt: skip
    a = convert_to_tensor(x, name="x")
    wanted = [_rank_of(r) for r in ranks]
    numbers = [n for _, n in wanted]
    told = message or ""
    made(len(ranks))  # that they are integers
    if a.rank is not None and all(n is not None for n in numbers):
        if holds(a.rank, numbers):
            made(1)
            return _ok()
        shown = numbers[0] if single else tuple(numbers)
        raise ValueError(
            f"{told}.  Tensor {a.name} must have {words} {shown}.  Received rank {a.rank}, "
            f"shape {_shape(a)}"
        )
    if data is None:
        data = [
            told, f"Tensor {a.name} must have {words}", *[v for v, _ in wanted],
            "Received shape: ", shape_ops.shape(a),
        ]  # fmt: skip
    condition = holds(shape_ops.rank(a), [v for v, _ in wanted])
    return Assert(condition, data, summarize=summarize)  # type: ignore[return-value]


def _is_one_of(rank: Any, wanted: Sequence[Any]) -> Any:
    if not isinstance(rank, Value):
        return rank in wanted
    out = math.equal(rank, wanted[0])
    for w in wanted[1:]:
        out = math.logical_or(out, math.equal(rank, w))
    return out


def assert_rank(
    x: Any, rank: Any, data: Any = None, summarize: int | None = None,
    message: str | None = None, name: str | None = None,
) -> Operation:  # fmt: skip
    """An operation that fails unless `x` has the rank `rank`.

    Raises
    ------
    ValueError
        At once where the rank of `x` is known and is another.
    """
    with name_scope(name, "assert_rank", [x, rank]):
        return _rank_check(x, [rank], "rank", _is_one_of, data, summarize, message, True)


def assert_rank_at_least(
    x: Any, rank: Any, data: Any = None, summarize: int | None = None,
    message: str | None = None, name: str | None = None,
) -> Operation:  # fmt: skip
    """An operation that fails unless `x` has the rank `rank` or more."""

    def holds(r: Any, wanted: Sequence[Any]) -> Any:
        return math.greater_equal(r, wanted[0]) if isinstance(r, Value) else r >= wanted[0]

    with name_scope(name, "assert_rank_at_least", [x, rank]):
        return _rank_check(x, [rank], "rank at least", holds, data, summarize, message, True)


def assert_rank_in(
    x: Any, ranks: Iterable[Any], data: Any = None, summarize: int | None = None,
    message: str | None = None, name: str | None = None,
) -> Operation:  # fmt: skip
    """An operation that fails unless the rank of `x` is one of `ranks`."""
    with name_scope(name, "assert_rank_in", [x]):
        return _rank_check(x, list(ranks), "rank in", _is_one_of, data, summarize, message, False)


def assert_scalar(tensor: Any, name: str | None = None, message: str | None = None) -> Tensor:
    """`tensor`, which must have rank 0 as far as is known.

    Raises
    ------
    ValueError
        When it has another.
    """
    with name_scope(name, "assert_scalar", [tensor]):
        t = convert_to_tensor(tensor)
        if t.rank not in (0, None):
            raise ValueError(
                f"{message or ''}Expected scalar shape for {t.name}, saw shape: {_shape(t)}."
            )
        return t  # type: ignore[return-value]


def _symbol(size: Any) -> Any:
    return size if size is None or isinstance(size, str) else int(size)


def assert_shapes(
    shapes: Any, data: Any = None, summarize: int | None = None, message: str | None = None,
    name: str | None = None,
) -> Operation:  # fmt: skip
    """An operation that fails unless tensors have given shapes.

    Parameters
    ----------
    shapes : dict or list of pairs
        From tensor to its sizes: numbers, None or ``"."`` for any, or names; sizes of one name
        must be equal.

    Raises
    ------
    ValueError
        At once for what is known not to hold.
    """
    pairs = list(shapes.items() if isinstance(shapes, Mapping) else shapes)
    if not pairs:
        return state.no_op()  # type: ignore[return-value]
    told = message or ""
    with name_scope(name, "assert_shapes", [s for s, _ in pairs]):
        made: list[Operation] = []
        seen: dict[Any, tuple[Value, int]] = {}
        for x, sizes in pairs:
            v = convert_to_tensor(x)
            wanted = tuple(sizes) if isinstance(sizes, list | tuple) else (sizes,)
            alone = not isinstance(sizes, list | tuple) or len(wanted) == 1
            check_rank = (0, 1) if alone else (len(wanted),)
            made.append(assert_rank_in(v, check_rank, data, summarize, message) if alone
                        else assert_rank(v, len(wanted), data, summarize, message))  # fmt: skip
            for i, size in enumerate(map(_symbol, wanted)):
                if size is None or size == "." or v.rank == 0:
                    continue
                made += _size_check(v, i, size, seen, told, data, summarize)
        return group(*made)


def _size_check(
    v: Value, i: int, size: Any, seen: dict[Any, tuple[Value, int]], told: str, data: Any,
    summarize: int | None,
) -> list[Operation]:  # fmt: skip
    if isinstance(size, str) and size not in seen:
        seen[size] = v, i
        return []
    known = None if v.static_shape is None else v.static_shape[i]
    if isinstance(size, str):
        w, j = seen[size]
        other: Any = None if w.static_shape is None else w.static_shape[j]
        where = f"Specified by tensor {w.name} dimension {j}"
    else:
        w, j, other = v, i, size
        where = "Specified explicitly"
    if type(known) is int and type(other) is int:
        if known == other:
            return []
        raise ValueError(
            f"{told}.  {where}.  Tensor {v.name} dimension {i} must have size {other}.  "
            f"Received size {known}, shape {_shape(v)}"
        )
    want = shape_ops.shape(w)[j] if isinstance(size, str) else other
    shown = data or [
        told, where, f"Tensor {v.name} dimension", i, "must have size", want,
        "Received shape: ", shape_ops.shape(v),
    ]  # fmt: skip
    return [Assert(math.equal(shape_ops.shape(v)[i], want), shown, summarize=summarize)]  # type: ignore[list-item]


# ------------------------------------------------------------------------- types


def assert_type(
    tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None
) -> Operation:
    """An operation that does nothing; raises TypeError at once for another element type."""
    with name_scope(name, "assert_type", [tensor]):
        t = convert_to_tensor(tensor, name="tensor")
        want = as_dtype(tf_type)
        if t.dtype is not want.base_dtype:
            said = f"{message}  " if message else ""
            raise TypeError(f"{said}{t.name} must be of type {want!r}")
        return _ok("statically_determined_correct_type")


def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> Operation:
    """An operation that does nothing; raises TypeError at once unless `x` has an integer type."""
    with name_scope(name, "assert_integer", [x]):
        t = convert_to_tensor(x, name="x")
        if not t.dtype.is_integer:
            raise TypeError(
                f'{message or ""}  Expected "x" to be integer type.  Found: {t.name} of dtype '
                f"{t.dtype!r}"
            )
        return _ok("statically_determined_was_integer")


def assert_same_float_dtype(tensors: Any = None, dtype: Any = None) -> Any:
    """The one float type of `tensors`, which must be `dtype` where it is given.

    Raises
    ------
    ValueError
        When they differ or are not floats.
    """
    want = None if dtype is None else as_dtype(dtype).base_dtype
    first = ""
    for t in [convert_to_tensor(t) for t in tensors or () if t is not None]:
        if want is None:
            want, first = t.dtype, t.name
        elif t.dtype is not want:
            with_whom = f" as {first}" if first else ""
            raise ValueError(
                f"{t.name}, type={t.dtype!r}, must be of the same type ({want!r}){with_whom}."
            )
    if want is None:
        return dtypes.float32
    if not want.is_floating:
        raise ValueError(f"Expected floating point type, got {want!r}.")
    return want


def assert_proper_iterable(values: Any) -> None:
    """Raise TypeError unless `values` is iterable and no tensor, array or string."""
    refused = (Value, np.ndarray, bytes, str)
    if isinstance(values, refused) or not hasattr(values, "__iter__"):
        raise TypeError(
            f'Expected argument "values" to be a "proper" iterable.  Found: {type(values)}'
        )


def is_numeric_tensor(tensor: Any) -> bool:
    """Whether `tensor` is a tensor of numbers."""
    return isinstance(tensor, Value) and tensor.dtype.kind in "fiu"


# ------------------------------------------------------------------------- order


def _increasing(name: str, test: Callable[..., Any]) -> Callable[..., Any]:
    def function(x: Any, name: str | None = None) -> Value:
        with name_scope(name, f"is_{what}", [x]):
            flat = shape_ops.reshape(convert_to_tensor(x, name="x"), [-1])
            return _all(test(flat[:-1], flat[1:]))

    what = name
    function.__name__ = function.__qualname__ = f"is_{name}"
    function.__doc__ = f"Whether the elements of `x`, row by row, are {name.replace('_', '-')}."
    return function


is_non_decreasing = _increasing("non_decreasing", math.less_equal)
is_strictly_increasing = _increasing("strictly_increasing", math.less)


# ------------------------------------------------------------------------- finite numbers


def verify_tensor_all_finite(
    t: Any = None, msg: str | None = None, name: str | None = None, x: Any = None,
    message: str | None = None,
) -> Tensor:  # fmt: skip
    """`t`, once a run has checked that it is finite everywhere."""
    tensor = t if x is None else x
    text = msg if message is None else message
    with name_scope(name, "VerifyFinite", [tensor]):
        value = convert_to_tensor(tensor, name="t")
        checked = check.check_numerics(value, text or "")
        return with_dependencies([checked], value)  # type: ignore[return-value]


assert_all_finite = verify_tensor_all_finite


def add_check_numerics_ops() -> Operation:
    """An operation that checks that every float tensor of the graph made so far is finite."""
    made: list[Any] = []
    for node in get_default_graph().get_operations():
        for v in node.outputs:
            if v.dtype in (dtypes.float16, dtypes.float32, dtypes.float64):
                with get_default_graph().control_dependencies(made[-1:]):
                    made.append(check.check_numerics(v, message=f"{node.name}:{v.index}"))
    return group(*made)
