"""What ops ask of their operands: sizes and axes as integers, broadcast shapes, refusals."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import as_dtype
from graphc.ir.known import static
from graphc.ir.node import Node, Value
from graphc.ops.convert import convert, packs
from graphc.ops.record import Attrs, InferError, Op, as_value, ints, shape_error

INT_TYPES = "int32, int64"


def static_operand(x: Any, param: str, name: str | None = None) -> Any:
    """Python ints (nested tuples) out of an operand of sizes, or a tensor where they are not known.

    Raises
    ------
    TypeError
        For anything but integers.
    """
    if isinstance(x, Value):
        if x.dtype.kind not in "iu":
            raise not_integer(param, x.dtype.name)
        return ints(x.node.attrs["value"]) if x.node.op.name == "constant" else x
    if hasattr(x, "as_list"):  # a TensorShape
        return tuple(integer(d, x, param) for d in x.as_list())
    if isinstance(x, list | tuple):
        if has_tensor(x):
            v = convert(x, None, name or param)
            return static_operand(v, param)
        return tuple(static_operand(e, param) for e in x)
    if isinstance(x, np.ndarray):
        if x.dtype.kind not in "iu" and x.size:
            raise not_integer(param, as_dtype(x.dtype).name)
        return ints(x) if x.size else tuple(x.tolist())
    if isinstance(x, D.Expr):
        return x
    return integer(x, x, param)


def integer(e: Any, whole: Any, param: str) -> int:
    if isinstance(e, bool | np.bool_):
        raise not_integer(param, "bool")
    if isinstance(e, float | np.floating):
        raise not_integer(param, "float32" if isinstance(e, float) else e.dtype.name)
    if e is None and whole is None:
        raise TypeError("Expected int32, got None of type 'NoneType' instead.")
    value = getattr(e, "value", e)  # a Dimension
    try:
        return operator.index(value)
    except TypeError:
        pass
    if isinstance(e, str | bytes):
        raise not_integer(param, "string")
    if hasattr(whole, "as_list"):
        raise ValueError(f"Cannot convert a partially known TensorShape to a Tensor: {whole}")
    raise TypeError(
        f"Failed to convert object of type {type(whole)} to Tensor. Contents: {whole!r:.80}. "
        "Consider casting elements to a supported type."
    )


def not_integer(param: str, dtype: str) -> TypeError:
    return TypeError(
        f"Value passed to parameter '{param}' has DataType {dtype} not in list of allowed "
        f"values: {INT_TYPES}"
    )


def has_tensor(x: Any) -> bool:
    stack = list(x)
    while stack:
        e = stack.pop()
        if packs(e):
            return True
        if isinstance(e, list | tuple):
            stack.extend(e)
    return False


def make(
    r: Op,
    values: Sequence[tuple[str, Any]],
    sizes: Mapping[str, tuple[str, Any]] | None = None,
    name: str | None = None,
    attrs: Mapping[str, Any] | None = None,
    default: str | None = None,
    check: Callable[[dict[str, Any]], None] | None = None,
) -> Node:
    """Apply `r` to tensors `values` and size operands `sizes` (attr -> TF1's name, given)."""
    builder = current()
    with builder.scope(name, default or r.tf) as scope:
        inputs = [as_value(v, None, param) for param, v in values]
        out = dict(attrs or {})
        tail: list[Value] = []
        dynamic: list[str] = []
        constants: list[str] = []
        for attr, (param, given) in (sizes or {}).items():
            s = static_operand(given, param)
            if isinstance(s, Value):
                tail.append(s)
                dynamic.append(attr)
            else:
                out[attr] = s
                if not isinstance(given, Value):
                    constants.append(param)
        if constants:
            builder.reserve(*constants)
        if dynamic:
            out["dynamic"] = tuple(dynamic)
        if check is not None:
            check(out)
        return build(r, inputs + tail, out, scope or name)


def fail(recorded: str, run: str, more: str = "") -> Exception:
    """The error of a shape rule: TF1's words differ between recording and running."""
    if D.facts() is None:
        return InferError(recorded, more) if more else InferError(recorded)
    return InferError(run)


def show(d: Dim) -> Any:
    """A size for a message: a number where there is one."""
    if type(d) is int:
        return d
    f = D.facts()
    return "?" if f is None else f.value(d)


def text(shape: Sequence[Dim | None]) -> str:
    return "[" + ",".join("?" if d is None else str(show(d)) for d in shape) + "]"


def less(a: Dim, b: Dim) -> bool | None:
    """Whether a < b; None when that is not known yet (recording)."""
    if type(a) is int and type(b) is int:
        return a < b
    f = D.facts()
    return None if f is None else f.less(a, b)


def axis_of(axis: int, rank: int) -> int | None:
    """The axis counted from the front, or None when there is no such axis."""
    return axis % rank if -rank <= axis < rank else None


def need_vector(sizes: Any) -> None:
    """Refuse one number, or nested ones, where a vector of sizes is due."""
    rank, k = 0, sizes
    while isinstance(k, tuple) and k:
        rank, k = rank + 1, k[0]
    if rank != 1 and sizes != ():
        raise shape_error(f"Shape must be rank 1 but is rank {rank}")


def need_scalar(x: Any) -> None:
    """Refuse a vector where one number is due."""
    rank = np.ndim(x) if isinstance(x, tuple | np.ndarray) else 0
    if rank:
        raise shape_error(f"Shape must be rank 0 but is rank {rank}")


def known_shape(inputs: Sequence[Value], attrs: Attrs, name: str) -> Shape | None:
    """A shape operand as a shape; fresh symbols for unknown entries, None for unknown rank."""
    k = static(inputs, attrs, name)
    if k is None:
        return None
    need_vector(k)
    for i, d in enumerate(k):
        if (type(d) is int and d < 0) or (d is not None and less(d, 0)):
            raise fail(
                f"Dimension {show(d)} must be >= 0", f"Dimension {i} must be >= 0, got {show(d)}"
            )
    return tuple(D.fresh() if d is None else d for d in k)
