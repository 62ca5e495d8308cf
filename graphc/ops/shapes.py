"""Ops that make, move or rearrange elements: shapes, slices, joins, gathers.

Operands that TF1 takes as tensors but that are nearly always known (shape, perm, begin, axis…)
are attributes with plain integers. Where the user gives a tensor whose value is not known, the
attribute is absent, ``dynamic`` names it, and the tensor is one more input at the end:
`infer` reads both through `graphc.ir.known`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.known import LIMIT, static
from graphc.ir.node import Node, Value
from graphc.ops.convert import as_array, convert, make_constant
from graphc.ops.record import Attrs, InferError, Op, Types, as_value, ints, no_grad, op, shape_error

__all__ = [
    "broadcast_like", "broadcast_to", "diag", "diag_part", "expand_dims", "eye", "fill",
    "lin_space",
    "linspace", "matrix_diag", "matrix_diag_part", "matrix_set_diag", "matrix_transpose", "one_hot",
    "ones", "ones_like", "range", "rank", "reshape", "reshape_like", "shape", "shape_n", "size",
    "sizes", "squeeze", "sum_to_like", "transpose", "zeros", "zeros_like",
]  # fmt: skip

_INT_TYPES = "int32, int64"


# ------------------------------------------------------------------------- operands


def static_operand(x: Any, param: str, name: str | None = None) -> Any:
    """Python ints (nested tuples) out of an operand of sizes, or a tensor where they are not known.

    Raises
    ------
    TypeError
        For anything but integers.
    """
    if isinstance(x, Value):
        if x.dtype.kind not in "iu":
            raise _not_integer(param, x.dtype.name)
        return ints(x.node.attrs["value"]) if x.node.op.name == "constant" else x
    if hasattr(x, "as_list"):  # a TensorShape
        return tuple(_integer(d, x, param) for d in x.as_list())
    if isinstance(x, list | tuple):
        if _has_tensor(x):
            v = convert(x, None, name or param)
            return static_operand(v, param)
        return tuple(static_operand(e, param) for e in x)
    if isinstance(x, np.ndarray):
        if x.dtype.kind not in "iu" and x.size:
            raise _not_integer(param, as_dtype(x.dtype).name)
        return ints(x) if x.size else tuple(x.tolist())
    if isinstance(x, D.Expr):
        return x
    return _integer(x, x, param)


def _integer(e: Any, whole: Any, param: str) -> int:
    if isinstance(e, bool | np.bool_):
        raise _not_integer(param, "bool")
    if isinstance(e, float | np.floating):
        raise _not_integer(param, "float32" if isinstance(e, float) else e.dtype.name)
    if e is None and whole is None:
        raise TypeError("Expected int32, got None of type 'NoneType' instead.")
    value = getattr(e, "value", e)  # a Dimension
    try:
        return operator.index(value)
    except TypeError:
        pass
    if isinstance(e, str | bytes):
        raise _not_integer(param, "string")
    if hasattr(whole, "as_list"):
        raise ValueError(f"Cannot convert a partially known TensorShape to a Tensor: {whole}")
    raise TypeError(
        f"Failed to convert object of type {type(whole)} to Tensor. Contents: {whole!r:.80}. "
        "Consider casting elements to a supported type."
    )


def _not_integer(param: str, dtype: str) -> TypeError:
    return TypeError(
        f"Value passed to parameter '{param}' has DataType {dtype} not in list of allowed "
        f"values: {_INT_TYPES}"
    )


def _has_tensor(x: Any) -> bool:
    stack = list(x)
    while stack:
        e = stack.pop()
        if isinstance(e, Value) or type(e).__name__ in ("Variable", "IndexedSlices"):
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


def _arrays() -> Any:
    from graphc.ops import arrays

    return arrays


def _known_shape(inputs: Sequence[Value], attrs: Attrs, name: str) -> Shape | None:
    """A shape operand as a shape; fresh symbols for unknown entries, None for unknown rank."""
    k = static(inputs, attrs, name)
    if k is None:
        return None
    if not isinstance(k, tuple):
        v = inputs[-1]
        raise shape_error(f"Shape must be rank 1 but is rank {v.rank or 0}")
    for i, d in enumerate(k):
        if (type(d) is int and d < 0) or (d is not None and less(d, 0)):
            raise fail(
                f"Dimension {show(d)} must be >= 0", f"Dimension {i} must be >= 0, got {show(d)}"
            )
    return tuple(D.fresh() if d is None else d for d in k)


def vector_operand(x: Any) -> Any:
    """A shape given as one number means a shape of one size."""
    if isinstance(x, Value):
        return reshape(x, [-1]) if x.static_shape == () else x
    if isinstance(x, list | tuple | np.ndarray) or hasattr(x, "as_list"):
        return x
    return [x]


# ------------------------------------------------------------------------- same bytes, other shape


def _reshape_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    want = static(inputs, attrs, "shape")
    if want is None:
        return [(x.dtype, None)]
    if not isinstance(want, tuple):
        raise shape_error("Shape must be rank 1 but is rank 0")
    return [(x.dtype, _reshaped(x.static_shape, want))]


def _reshaped(given: Shape | None, want: Sequence[Dim | None]) -> Shape:
    planned = D.facts() is not None
    holes = [i for i, d in enumerate(want) if d is None or d == -1 or _is_minus_one(d)]
    rest: Dim = D.product(d for i, d in enumerate(want) if i not in holes and d is not None)
    for i, d in enumerate(want):
        if i not in holes and d is not None and less(d, 0):
            raise fail(
                f"Invalid value in tensor used for shape: {show(d)}",
                f"Size {i} must be non-negative, not {show(d)}",
            )
    if planned and len(holes) > 1:
        raise shape_error(f"Only one input size may be -1, not both {holes[0]} and {holes[1]}")
    out = [D.fresh() if i in holes else d for i, d in enumerate(want)]
    if given is None:
        return tuple(out)  # type: ignore[arg-type]
    total = D.product(given)
    if not holes:
        if D.same(total, rest) is False:
            raise fail(
                f"Cannot reshape a tensor with {total} elements to shape {text(want)} ({rest} "
                "elements)",
                f"Input to reshape is a tensor with {show(total)} values, but the requested "
                f"shape has {show(rest)}",
                _wanted_text(want, ()),
            )
    elif len(holes) == 1:
        zero = D.same(rest, 0)
        if zero:
            if planned:
                raise shape_error(
                    "reshape cannot infer the missing input size for an empty tensor unless all "
                    "specified input sizes are non-zero"
                )
            return tuple(out)  # type: ignore[arg-type]
        d = total // rest
        if D.same(d * rest, total) is False:
            raise fail(
                f"Dimension size must be evenly divisible by {rest} but is {total}",
                f"Input to reshape is a tensor with {show(total)} values, but the requested "
                f"shape requires a multiple of {show(rest)}",
                _wanted_text(want, holes),
            )
        out[holes[0]] = d
    return tuple(out)  # type: ignore[arg-type]


def _wanted_text(want: Sequence[Dim | None], holes: Sequence[int]) -> str:
    """What TF1 adds to messages of reshape: it sees the shape as a tensor."""
    shown = text([None if i in holes else d for i, d in enumerate(want)])
    return f", [{len(want)}] and with input tensors computed as partial shapes: input[1] = {shown}"


def _is_minus_one(d: Dim) -> bool:
    """Whether a size that was fed is -1 in this run."""
    f = D.facts()
    if f is None or type(d) is int:
        return False
    return f.value(d) < 0 and f.equal(d, -1)


def _reshape_dims(x: Any, *rest: Any, **attrs: Any) -> Any:
    want = attrs.get("shape", rest[-1] if rest else None)
    if x is None or want is None:
        return None
    if want == ():
        return x[0] if isinstance(x, tuple) and len(x) == 1 else x
    if len(want) == 1:
        return x if isinstance(x, tuple) else (x,)
    return None


reshape_op = op(
    "reshape", "Reshape", "view", doc="The same elements in another shape.",
    args=("tensor",), types="fiubsc", infer=_reshape_infer, dims=_reshape_dims,
    numpy=lambda x, *, shape: x.reshape(shape),
    grad=lambda y, dy, x, *rest, **attrs: (reshape_like(dy, x), *(None for _ in rest)),
    facts={"reshape": True},
)  # fmt: skip


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Value:
    """The elements of `tensor` in row-major order, in another shape.

    Parameters
    ----------
    tensor : tensor
    shape : sequence of int or tensor
        One size may be -1: it is what remains.

    Raises
    ------
    ValueError
        When the numbers of elements differ.
    """

    def check(attrs: dict[str, Any]) -> None:
        for d in attrs.get("shape", ()) if isinstance(attrs.get("shape"), tuple) else ():
            if type(d) is int and d < -1:
                raise ValueError(f"Invalid value in tensor used for shape: {d}")

    return make(
        reshape_op, [("tensor", tensor)], {"shape": ("shape", shape)}, name, check=check
    ).outputs[0]


reshape_op.call = reshape


def _like_shape(inputs: Sequence[Value], attrs: Attrs) -> Types:
    """The type of an op that takes the shape of its second operand."""
    return [(inputs[0].dtype, inputs[1].static_shape)]


def _whole(v: Value) -> Shape:
    if v.static_shape is None:
        raise shape_error(f"the rank of {v.name!r} is not known")
    return v.static_shape


reshape_like_op = op(
    "reshape_like", "Reshape", "view", doc="The elements of x in the shape of `like`.",
    args=("x", "like"), types="fiubsc", infer=_like_shape,
    numpy=lambda x, like: x.reshape(like.shape),
    grad=lambda y, dy, x, like: (reshape_like(dy, x), None),
    expand=lambda x, like: reshape_static(x, _whole(like)),
    facts={"shape_operands": (1,)},
)  # fmt: skip


def reshape_like(x: Value, like: Value, name: str | None = None) -> Value:
    """`x` in the shape of `like`; only its shape is used."""
    if x.static_shape is not None and x.static_shape == like.static_shape:
        return x
    if D.is_known(like.static_shape):
        return reshape_static(x, _whole(like), name)
    return build(reshape_like_op, (x, like), {}, name).outputs[0]


def reshape_static(x: Value, shape: Sequence[Dim], name: str | None = None) -> Value:
    """`reshape` to sizes that are already an attribute's (graph rewriting)."""
    return build(reshape_op, (x,), {"shape": tuple(shape)}, name).outputs[0]


def _expand_dims_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    s = x.static_shape
    axis = static(inputs, attrs, "axis")
    if isinstance(axis, tuple):
        axis = axis[0] if len(axis) == 1 else None
    if s is None:
        return [(x.dtype, None)]
    if axis is None:
        return [(x.dtype, tuple(D.fresh() for _ in (*s, 1)))]
    axis = _number(axis)
    if not -len(s) - 1 <= axis <= len(s):
        raise fail(
            f"dim {axis} not in the interval [{-len(s) - 1}, {len(s)}].",
            f"Tried to expand dim index {axis} for tensor with {len(s)} dimensions.",
            f", [] and with computed input tensors: input[1] = <{axis}>",
        )
    at = axis % (len(s) + 1)
    return [(x.dtype, (*s[:at], 1, *s[at:]))]


def _number(d: Dim) -> int:
    """An axis as a number: where it was fed, the plan is made for this very value."""
    if type(d) is int:
        return d
    f = D.facts()
    assert f is not None
    n = f.value(d)
    f.equal(d, n)
    return n


#: The same for passes.
axis_number = _number


def _expand_dims_dims(x: Any, *rest: Any, **attrs: Any) -> Any:
    axis = attrs.get("axis", rest[-1] if rest else None)
    return None if x is None or isinstance(x, tuple) or axis is None else (x,)


expand_dims_op = op(
    "expand_dims", "ExpandDims", "view", doc="One more axis, of size 1.", args=("input",),
    types="fiubsc", infer=_expand_dims_infer, dims=_expand_dims_dims,
    numpy=lambda x, *, axis: np.expand_dims(x, axis if isinstance(axis, int) else axis[0]),
    grad=lambda y, dy, x, *rest, **attrs: (reshape_like(dy, x), *(None for _ in rest)),
    facts={"reshape": True},
)  # fmt: skip


def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Value:
    """`input` with one more axis of size 1 at `axis` (negative: counted from the end).

    Raises
    ------
    ValueError
        When `axis` is outside [-rank - 1, rank], or neither `axis` nor `dim` is given.
    """
    if axis is None:
        axis = dim
    elif dim is not None:
        raise ValueError("Cannot specify both 'axis' and 'dim'")
    if axis is None:
        raise ValueError("Must specify an axis argument to tf.expand_dims()")
    return make(expand_dims_op, [("input", input)], {"axis": ("dim", axis)}, name).outputs[0]


expand_dims_op.call = expand_dims


def _squeeze_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    s = x.static_shape
    axes = attrs.get("axis") or ()
    if s is None:
        return [(x.dtype, None)]
    if not axes:
        one = [D.same(d, 1) for d in s]
        if None in one:
            return [(x.dtype, None)]
        return [(x.dtype, tuple(d for d, o in zip(s, one, strict=True) if not o))]
    drop = set()
    for i, a in enumerate(axes):
        at = axis_of(a, len(s))
        if at is None:
            raise shape_error(f"squeeze_dims[{i}] not in [{-len(s)},{len(s)}).")
        if D.same(s[at], 1) is False:
            raise shape_error(
                f"Can not squeeze dim[{at}], expected a dimension of 1, got {show(s[at])}"
            )
        drop.add(at)
    return [(x.dtype, tuple(d for i, d in enumerate(s) if i not in drop))]


squeeze_op = op(
    "squeeze", "Squeeze", "view", doc="Axes of size 1 removed.", args=("input",), types="fiubsc",
    infer=_squeeze_infer,
    dims=lambda x, axis=(): x[0] if isinstance(x, tuple) and len(x) == 1 else x,
    numpy=lambda x, *, axis=(): np.squeeze(x, tuple(axis) if axis else None),
    grad=lambda y, dy, x, axis=(): (reshape_like(dy, x),),
    facts={"reshape": True},
)  # fmt: skip


def squeeze(
    input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None
) -> Value:
    """`input` without its axes of size 1, or without those in `axis`.

    Raises
    ------
    ValueError
        When one of `axis` is not of size 1.
    """
    if axis is None:
        axis = squeeze_dims
    elif squeeze_dims is not None:
        raise ValueError("Cannot specify both 'axis' and 'squeeze_dims'")
    if axis is None:
        axis = ()
    elif not isinstance(axis, list | tuple | np.ndarray):
        axis = (axis,)
    return make(squeeze_op, [("input", input)], None, name, {"axis": ints(axis)}).outputs[0]


squeeze_op.call = squeeze


# ------------------------------------------------------------------------- transpose


def _perm_of(inputs: Sequence[Value], attrs: Attrs) -> tuple[int, ...] | None:
    """The permutation, or None where it is not known."""
    s = inputs[0].static_shape
    if "perm" in attrs and attrs["perm"] is None:
        return None if s is None else tuple(reversed(_ax(len(s))))
    k = static(inputs, attrs, "perm")
    if k is None or (isinstance(k, tuple) and None in k):
        return None if not isinstance(k, tuple) else tuple([-1] * len(k))
    return tuple(_number(a) for a in k)


def _ax(n: int) -> tuple[int, ...]:
    return tuple(i for i, _ in enumerate((0,) * n))


def _transpose_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    s = x.static_shape
    perm = _perm_of(inputs, attrs)
    if perm is None:
        return [(x.dtype, None if s is None else tuple(D.fresh() for _ in s))]
    if s is None:
        return [(x.dtype, tuple(D.fresh() for _ in perm))]
    if len(perm) != len(s):
        raise fail(
            f"Dimension must be {len(s)} but is {len(perm)}",
            f"transpose expects a vector of size {len(s)}. But input(1) is a vector of size "
            f"{len(perm)}",
            f", [{len(perm)}]",
        )
    if perm and all(p == -1 for p in perm) and "perm" not in attrs and D.facts() is None:
        return [(x.dtype, tuple(D.fresh() for _ in perm))]
    seen = set()
    for p in perm:
        if not -len(s) <= p < len(s):
            raise fail(
                f"perm dim {p} is out of range of input rank {len(s)}",
                f"{p} is out of range [0 .. {len(s)})",
                f", [{len(perm)}] and with computed input tensors: input[1] = "
                f"<{' '.join(map(str, perm))}>",
            )
        seen.add(p % len(s))
    if len(seen) != len(s):
        missing = next(i for i in _ax(len(s)) if i not in seen)
        raise shape_error(f"{missing} is missing from {{{','.join(map(str, perm))}}}.")
    return [(x.dtype, tuple(s[p] for p in perm))]


def _transpose_element(k: Any, index: Shape, x: Value, *, perm: Any) -> Any:
    where: list[Dim] = [0] * len(index)
    rank = len(index)
    for i, p in enumerate(tuple(reversed(_ax(rank))) if perm is None else perm):
        where[p % rank] = index[i]
    return k.read(x, tuple(where))


def _transpose_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    if rest:
        return transpose(dy, _arrays().invert_permutation(rest[-1])), None
    perm = attrs["perm"]
    if perm is None:
        return (build(transpose_op, (dy,), {"perm": None}).outputs[0],)
    n = len(perm)
    return (transpose(dy, [int(i) for i in np.argsort([p % n for p in perm])]),)


transpose_op = op(
    "transpose", "Transpose", "view", doc="Axes in another order.", args=("a",), types="fiubsc",
    infer=_transpose_infer, element=_transpose_element, grad=_transpose_grad,
    numpy=lambda x, *, perm: np.transpose(x, perm),
    dims=lambda x, *rest, **attrs: x,
)  # fmt: skip


def transpose(a: Any, perm: Any = None, name: str | None = None, conjugate: bool = False) -> Value:
    """`a` with axis ``i`` of the result being axis ``perm[i]``; by default all reversed."""
    if perm is None:
        a = as_value(a, None, "a") if not isinstance(a, Value) else a
        if a.static_shape is None:
            return make(transpose_op, [("a", a)], None, name, {"perm": None}, "transpose").outputs[
                0
            ]
        perm = list(reversed(_ax(len(a.static_shape))))
    return make(
        transpose_op, [("x", a)], {"perm": ("perm", perm)}, name, None, "transpose"
    ).outputs[0]


transpose_op.call = transpose


def matrix_transpose(
    a: Any, name: str | None = "matrix_transpose", conjugate: bool = False
) -> Value:
    """`a` with its last two axes exchanged."""
    with current().scope(name, "matrix_transpose"):
        a = as_value(a, None, "a")
        if a.static_shape is None:
            n = rank(a)
            perm = _arrays().concat([range(n - 2), [n - 1], [n - 2]], 0)
            return transpose(a, perm)
        r = len(a.static_shape)
        if r < 2:
            raise ValueError(
                f"Argument 'a' should be a (batch) matrix, with rank >= 2.  Found: {a.static_shape}"
            )
        return transpose(a, [*_ax(r - 2), r - 1, r - 2])


# ------------------------------------------------------------------------- sizes as tensors


def _sizes_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    v = attrs["value"]
    return [(attrs["dtype"], (len(v),) if isinstance(v, tuple) else ())]


def _sizes_element(k: Any, index: Shape, *, value: Any, dtype: DType) -> Any:
    if not isinstance(value, tuple):
        return k.cast(k.index(value), dtype)
    return k.cast(choose(k, index[0], value), dtype)


def choose(k: Any, at: Dim, values: Sequence[Dim]) -> Any:
    """``values[at]`` as an i64 value, for an index expression `at`."""
    if type(at) is int:
        return k.index(values[at])
    x = k.index(values[-1]) if values else k.index(0)
    for i in reversed(_ax(len(values) - 1)):
        x = k.select(k.compare("equal", at, i), k.index(values[i]), x)
    return x


sizes_op = op(
    "sizes", "Const", "view", doc="A tensor of sizes that are known when the plan is made.",
    infer=_sizes_infer, types="iu", element=_sizes_element,
    dims=lambda *, value, dtype: value,
    numpy=lambda *, value, dtype: np.array(value, dtype.np),
    facts={"shape_only": True},
)  # fmt: skip


def sizes(value: Any, dtype: Any = None, name: str | None = None) -> Value:
    """Sizes (a `Dim` or a tuple of them) as a tensor of int32 or int64."""
    value = tuple(value) if isinstance(value, list | tuple) else value
    return build(
        sizes_op, (), {"value": value, "dtype": as_dtype(dtype or dtypes.int32)}, name
    ).outputs[0]


def _out_type(inputs: Sequence[Value], attrs: Attrs) -> Types:
    dtype = attrs.get("out_type", dtypes.int32)
    return [(dtype, ())]


def _shape_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    return [(attrs["out_type"], (D.fresh() if s is None else len(s),))]


shape_op = op(
    "shape", "Shape", "view", doc="The sizes of a tensor, as a vector.", args=("input",),
    types="fiubsc",
    infer=_shape_infer, grad=no_grad,
    dims=lambda x, **a: None if x.static_shape is None else tuple(x.static_shape),
    numpy=lambda x, *, out_type: np.array(x.shape, out_type.np),
    expand=lambda x, out_type: sizes(_whole(x), out_type),
    facts={"shape_only": True, "shape_operands": (0,)},
)  # fmt: skip

size_op = op(
    "size", "Size", "view", doc="The number of elements.", args=("input",), types="fiubsc",
    infer=_out_type, grad=no_grad,
    dims=lambda x, **a: None if x.static_shape is None else D.product(x.static_shape),
    numpy=lambda x, *, out_type: np.array(x.size, out_type.np),
    expand=lambda x, out_type: sizes(D.product(_whole(x)), out_type),
    facts={"shape_only": True, "shape_operands": (0,)},
)  # fmt: skip

rank_op = op(
    "rank", "Rank", "view", doc="The number of axes, int32.", args=("input",), types="fiubsc",
    infer=_out_type, grad=no_grad,
    dims=lambda x, **a: None if x.static_shape is None else len(x.static_shape),
    numpy=lambda x: np.array(np.ndim(x), np.int32),
    expand=lambda x: sizes(len(_whole(x))),
    facts={"shape_only": True, "shape_operands": (0,)},
)  # fmt: skip

shape_n_op = op(
    "shape_n", "ShapeN", "view", doc="The shapes of several tensors.", args=("*input",),
    types="fiubsc",
    infer=lambda inputs, attrs: [t for v in inputs for t in _shape_infer([v],
    attrs)],
    grad=lambda y, dy, *inputs, **attrs: (None,) * len(inputs),
    dims=lambda *xs,
    **a: tuple(None if x.static_shape is None else tuple(x.static_shape) for x in xs),
    numpy=lambda *xs, out_type: tuple(np.array(x.shape, out_type.np) for x in xs),
    expand=lambda *xs, out_type: tuple(sizes(_whole(x), out_type) for x in xs),
    facts={"shape_only": True, "shapes": True},
)  # fmt: skip


def shape(
    input: Any, name: str | None = None, out_type: Any = dtypes.int32, optimize: bool = True
) -> Value:
    """The shape of `input` as a vector of `out_type`; a constant where it is known."""
    out_type = as_dtype(out_type)
    with current().scope(name, "Shape") as scope:
        if _is_sparse(input):
            return _sparse_shape(input, out_type)
        x = as_value(input, None, "input")
        if D.is_known(x.static_shape) and D.facts() is None:
            return make_constant(
                np.array(x.static_shape, out_type.np), None, scope or name or "Shape"
            )
        return build(shape_op, (x,), {"out_type": out_type}, scope or name).outputs[0]


def _is_sparse(x: Any) -> bool:
    """Whether `x` is a sparse tensor, or the value of one."""
    return not isinstance(x, Value) and hasattr(x, "dense_shape") and hasattr(x, "indices")


def _sparse_shape(x: Any, out_type: DType) -> Value:
    from graphc.ops.math import cast

    return cast(x.dense_shape, out_type)  # type: ignore[no-any-return]


def size(input: Any, name: str | None = None, out_type: Any = dtypes.int32) -> Value:
    """The number of elements of `input`; a constant where it is known."""
    out_type = as_dtype(out_type)
    with current().scope(name, "Size") as scope:
        if _is_sparse(input):
            from graphc.ops.reduce import reduce_prod

            return reduce_prod(_sparse_shape(input, out_type), 0, name=scope)  # type: ignore[no-any-return]
        x = as_value(input, None, "input")
        if D.is_known(x.static_shape) and D.facts() is None:
            n = D.product(x.static_shape or ())
            return make_constant(np.array(n, out_type.np), None, scope or name or "Size")
        return build(size_op, (x,), {"out_type": out_type}, scope or name).outputs[0]


def rank(input: Any, name: str | None = None) -> Value:
    """The number of axes of `input`; a constant where it is known."""
    with current().scope(name, "Rank") as scope:
        if _is_sparse(input):
            return size(input.dense_shape, name=scope)
        x = as_value(input, None, "input")
        if x.static_shape is not None and D.facts() is None:
            return make_constant(
                np.array(len(x.static_shape), np.int32), None, scope or name or "Rank"
            )
        return build(rank_op, (x,), {}, scope or name).outputs[0]


def shape_n(
    input: Sequence[Any], out_type: Any = dtypes.int32, name: str | None = None
) -> list[Value]:
    """The shapes of several tensors."""
    with current().scope(name, "ShapeN") as scope:
        xs = [as_value(v, None, f"input_{i}") for i, v in enumerate(input)]
        return list(build(shape_n_op, xs, {"out_type": as_dtype(out_type)}, scope or name).outputs)


shape_op.call, size_op.call, rank_op.call, shape_n_op.call = shape, size, rank, shape_n


# ------------------------------------------------------------------------- broadcast and its sum


def _check_broadcast(given: Shape | None, want: Shape | None) -> None:
    if given is None or want is None:
        return
    if len(given) > len(want):
        raise shape_error(f"Incompatible shapes: {text(given)} vs. {text(want)}")
    for a, b in zip(given, want[len(want) - len(given) :], strict=True):
        if D.same(a, b) is False and D.same(a, 1) is False:
            raise fail(
                f"Dimensions must be equal, but are {show(a)} and {show(b)}",
                f"Incompatible shapes: {text(given)} vs. {text(want)}",
            )


def _broadcast_to_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    want = _known_shape(inputs, attrs, "shape")
    _check_broadcast(inputs[0].static_shape, want)
    return [(inputs[0].dtype, want)]


def spread(k: Any, index: Shape, x: Value) -> tuple[Dim, ...]:
    """Where an element of a broadcast result comes from in `x`."""
    s = k.shape(x)
    pad = len(index) - len(s)
    return tuple(
        0 if d == 1 or D.repeats(d, k.out_shape[pad + i]) else index[pad + i]
        for i, d in enumerate(s)
    )


broadcast_to_op = op(
    "broadcast_to", "BroadcastTo", "view", doc="Repeated along new and size-1 axes.",
    args=("input",),
    types="fiubc", infer=_broadcast_to_infer,
    element=lambda k, index, x, **a: k.read(x, spread(k, index, x)),
    numpy=lambda x, *, shape: np.broadcast_to(x, shape),
    grad=lambda y, dy, x, *rest, **a: (sum_to_like(dy, x), *(None for _ in rest)),
)  # fmt: skip


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Value:
    """`input` broadcast to `shape`, as numpy."""
    return make(broadcast_to_op, [("input", input)], {"shape": ("shape", shape)}, name).outputs[0]


broadcast_to_op.call = broadcast_to


def _broadcast_like_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    _check_broadcast(inputs[0].static_shape, inputs[1].static_shape)
    return [(inputs[0].dtype, inputs[1].static_shape)]


broadcast_like_op = op(
    "broadcast_like", "BroadcastTo", "view", doc="x broadcast to the shape of `like`.", args=("x",
    "like"),
    types="fiubc", infer=_broadcast_like_infer,
    numpy=lambda x, like: np.broadcast_to(x, like.shape),
    grad=lambda y, dy, x, like: (sum_to_like(dy, x), None),
    expand=lambda x, like: _broadcast_static(x, _whole(like)),
    facts={"shape_operands": (1,)},
)  # fmt: skip


def _broadcast_static(x: Value, shape: Shape) -> Value:
    if x.static_shape == shape:
        return x
    return build(broadcast_to_op, (x,), {"shape": shape}).outputs[0]


def broadcast_like(x: Value, like: Value, name: str | None = None) -> Value:
    """`x` broadcast to the shape of `like`; only its shape is used."""
    if D.is_known(like.static_shape):
        if x.static_shape == like.static_shape:
            return x
        return build(broadcast_to_op, (x,), {"shape": like.static_shape}, name).outputs[0]
    return build(broadcast_like_op, (x, like), {}, name).outputs[0]


broadcast_like_op.call = broadcast_like


def _sum_like(x: Value, like: Value) -> Value:
    from graphc.ops import reduce

    s, t = _whole(x), _whole(like)
    pad = len(s) - len(t)
    axes = [i for i in _ax(len(s)) if i < pad or (D.same(t[i - pad], 1) and not D.same(s[i], 1))]
    y = reduce.reduce_sum(x, axes, keepdims=pad == 0) if axes else x
    return y if y.static_shape == t else reshape_static(y, t)


def _sum_to_numpy(x: np.ndarray[Any, Any], like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    pad = x.ndim - like.ndim
    axes = tuple(i for i in _ax(x.ndim) if i < pad or like.shape[i - pad] == 1 != x.shape[i])
    out: np.ndarray[Any, Any] = np.sum(x, axis=axes, dtype=x.dtype)
    return np.reshape(out, like.shape)


sum_to_like_op = op(
    "sum_to_like", "Sum", "composite",
    doc="Summed over the axes along which `like` would be broadcast.",
    args=("x", "like"), types="fiuc", infer=_like_shape, numpy=_sum_to_numpy, expand=_sum_like,
    grad=lambda y, dy, x, like: (broadcast_like(dy, x), None),
    facts={"shape_operands": (1,)},
)  # fmt: skip


def sum_to_like(x: Value, like: Value, name: str | None = None) -> Value:
    """The gradient of broadcasting: `x` summed to the shape of `like` (only that is used)."""
    if x.static_shape is not None and x.static_shape == like.static_shape:
        return x
    if D.is_known(x.static_shape) and D.is_known(like.static_shape):
        return _sum_like(x, like)
    return build(sum_to_like_op, (x, like), {}, name).outputs[0]


sum_to_like_op.call = sum_to_like


# ------------------------------------------------------------------------- fill, zeros, ones


def _fill_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    if inputs[0].static_shape not in ((), None):
        raise shape_error(f"Shape must be rank 0 but is rank {inputs[0].rank}")
    return [(inputs[0].dtype, _known_shape(inputs, attrs, "dims"))]


def _fill_dims(value: Any, *rest: Any, **attrs: Any) -> Any:
    n = attrs.get("dims", rest[-1] if rest else None)
    if n == ():
        return value
    return (value,) * n[0] if n and type(n[0]) is int and 0 <= n[0] <= LIMIT else None


fill_op = op(
    "fill", "Fill", "view", doc="A tensor of one value.", args=("value",), types="fiubsc",
    infer=_fill_infer,
    element=lambda k, index, value, *dims, **a: k.read(value, ()),
    dims=_fill_dims,
    numpy=lambda value, *, dims: np.full(dims, value, value.dtype),
    grad=lambda y, dy, value, *rest, **a: (_sum_all(dy), *(None for _ in rest)),
)  # fmt: skip


def _sum_all(x: Value) -> Value:
    from graphc.ops import reduce

    return reduce.reduce_sum(x)  # type: ignore[no-any-return]


def fill(dims: Any, value: Any, name: str | None = None) -> Value:
    """A tensor of shape `dims`, every element `value`."""
    return make(fill_op, [("value", value)], {"dims": ("dims", dims)}, name).outputs[0]


fill_op.call = fill


def _filled(value: int, shape: Any, dtype: Any, name: str | None, default: str) -> Value:
    dtype = as_dtype(dtype).base_dtype
    if dtype.kind == "s" and value:
        raise TypeError("ones of strings")
    element: Any = b"" if dtype.kind == "s" else np.array(value, dtype.np)
    builder = current()
    with builder.scope(name, default) as scope:
        if not isinstance(shape, Value):
            s = static_operand(vector_operand(shape), "shape", "packed")
            if not isinstance(s, Value):
                for d in s:
                    if type(d) is int and d < 0:
                        raise ValueError(
                            f"Error converting shape to a TensorShape: Dimension {d} must be >= 0."
                        )
                n = D.product(s)
                listed = isinstance(shape, list | tuple | np.ndarray) or hasattr(shape, "as_list")
                if type(n) is int and n < 1000 and listed:
                    a = np.full(s, element, dtype.np)
                    return make_constant(a, dtype, scope or name or default)
                builder.reserve("shape_as_tensor")
            shape = s
        else:
            shape = vector_operand(shape)
            s = static_operand(shape, "dims")
        v = make_constant(np.array(element, dtype.np), dtype, "Const")
        if isinstance(s, Value):
            return build(fill_op, (v, s), {"dynamic": ("dims",)}, scope or name).outputs[0]
        return build(fill_op, (v,), {"dims": s}, scope or name).outputs[0]


def zeros(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Value:
    """A tensor of zeros (False, empty strings)."""
    return _filled(0, shape, dtype, name, "zeros")


def ones(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Value:
    """A tensor of ones (True)."""
    return _filled(1, shape, dtype, name, "ones")


zeros_like_op = op(
    "zeros_like", "ZerosLike", "view", doc="Zeros in the shape and type of x.", args=("x",),
    types="fiubsc",
    infer=lambda inputs, attrs: [(inputs[0].dtype,
    inputs[0].static_shape)],
    numpy=np.zeros_like,
    expand=lambda x: fill_static(_whole(x), 0, x.dtype),
    grad=no_grad,
    dims=lambda x: (0,) * x.static_shape[0] if x.static_shape else 0,
    facts={"shape_operands": (0,), "shape_only": True},
)  # fmt: skip


def fill_static(shape: Shape, value: Any, dtype: DType) -> Value:
    """`fill` with sizes that are already an attribute's (graph rewriting)."""
    v = make_constant(np.array(value, dtype.np), dtype, None)
    return v if shape == () else build(fill_op, (v,), {"dims": tuple(shape)}).outputs[0]


def zeros_like(
    tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True
) -> Value:
    """Zeros in the shape of `tensor`, of its type or of `dtype`."""
    with current().scope(name, "zeros_like") as scope:
        x = as_value(tensor, None, "tensor")
        want = x.dtype if dtype is None else as_dtype(dtype).base_dtype
        if D.is_known(x.static_shape):
            return zeros(x.static_shape, want, scope or name)
        if want is not x.dtype:
            return zeros(shape(x), want, scope or name)
        return build(zeros_like_op, (x,), {}, scope or name).outputs[0]


def ones_like(
    tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True
) -> Value:
    """Ones in the shape of `tensor`, of its type or of `dtype`."""
    with current().scope(name, "ones_like") as scope:
        x = as_value(tensor, None, "tensor")
        want = x.dtype if dtype is None else as_dtype(dtype).base_dtype
        y = ones(shape(x), want, scope or name)
        if D.facts() is None and x.static_shape is not None:
            y.static_shape = x.static_shape
        return y


# ------------------------------------------------------------------------- range and linspace


def _length(start: Any, limit: Any, delta: Any) -> Dim:
    """The number of elements of an integer range."""
    if D.same(delta, 0):
        raise fail("Requires delta != 0", "Requires delta != 0", _range_text(start, limit, delta))
    up = less(0, delta)
    if up is None:
        return D.fresh()
    a, b, step = (start, limit, delta) if up else (limit, start, -delta)
    if less(b, a):
        raise _backwards(start, limit, delta, up)
    return (b - a) if step == 1 else D.ceildiv(b - a, step)


def _backwards(start: Any, limit: Any, delta: Any, up: bool) -> Exception:
    message = (
        f"Requires start {'<=' if up else '>='} limit when delta {'>' if up else '<'} 0: "
        f"{show(start)}/{show(limit)}"
    )
    return fail(message, message, _range_text(start, limit, delta))


def _range_text(start: Any, limit: Any, delta: Any) -> str:
    """What TF1 adds to messages of range, whose operands it sees as tensors."""
    shown = ", ".join(f"input[{i}] = <{show(v)}>" for i, v in enumerate((start, limit, delta)))
    return f" with input shapes: [], [], [] and with computed input tensors: {shown}"


def _range_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    ks = [static(inputs, attrs, n) for n in ("start", "limit", "delta")]
    dtype: DType = attrs["dtype"]
    for k in ks:
        if isinstance(k, tuple):
            raise shape_error("Shape must be rank 0 but is rank 1")
    if any(k is None for k in ks):
        return [(dtype, (D.fresh(),))]
    if dtype.kind == "f":
        a, b, c = ks
        if c == 0:
            raise fail("Requires delta != 0", "Requires delta != 0", _range_text(a, b, c))
        if (b - a) * c < 0:
            raise _backwards(a, b, c, c > 0)
        n = int(np.ceil(abs((b - a) / c)))
        return [(dtype, (n,))]
    return [(dtype, (_length(*ks),))]


def _range_element(
    k: Any, index: Shape, *, start: Any, limit: Any, delta: Any, dtype: DType
) -> Any:
    if dtype.kind != "f":
        return k.cast(k.index(index[0] * delta + start), dtype)
    i = k.cast(k.index(index[0]), dtype)
    step = k.let("multiply", i, k.const(delta, dtype), dtype=dtype)
    return k.let("add", k.const(start, dtype), step, dtype=dtype)


def _range_numpy(*, start: Any, limit: Any, delta: Any, dtype: DType) -> np.ndarray[Any, Any]:
    if dtype.kind != "f":
        return np.arange(start, limit, delta).astype(dtype.np)
    n = int(np.ceil(abs((limit - start) / delta)))
    t = dtype.np.type
    return np.asarray(t(start) + np.arange(n).astype(dtype.np) * t(delta), dtype.np)


def _range_dims(
    *args: Any,
    start: Any = None,
    limit: Any = None,
    delta: Any = None,
    dtype: Any = None,
    dynamic: Any = (),
) -> Any:
    got = {"start": start, "limit": limit, "delta": delta}
    got.update(zip(dynamic, args, strict=True))
    a, b, c = got["start"], got["limit"], got["delta"]
    if dtype.kind == "f" or any(x is None for x in (a, b, c)):
        return None
    n = _length(a, b, c)
    return tuple(a + i * c for i in _ax(n)) if type(n) is int and n <= LIMIT else None


range_op = op(
    "range", "Range", "view", doc="Evenly spaced numbers, without the end.", types="fiu",
    infer=_range_infer, element=_range_element, numpy=_range_numpy, dims=_range_dims, grad=no_grad,
)  # fmt: skip


def _range_operand(x: Any, want: DType | None, key: str) -> tuple[Any, DType]:
    """An operand of range as a number where it is known, and its element type."""
    if isinstance(x, D.Expr):
        return x, dtypes.int32
    if isinstance(x, Value):
        if x.node.op.name == "constant" and x.static_shape == ():
            return x.node.attrs["value"].item(), x.dtype
        return (x if want is None or x.dtype is want else as_value(x, want, key)), x.dtype
    if isinstance(x, np.ndarray | np.generic | float | int):
        a, t = as_array(x, want)
        return a.item(), t
    return _range_operand(as_value(x, want, key), want, key)


_ORDER = (dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64)


def range(
    start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str | None = "range"
) -> Value:
    """Numbers from `start` up to, not including, `limit` in steps of `delta`.

    Raises
    ------
    ValueError
        When `delta` is 0 or leads away from `limit`.
    """
    if limit is None:
        start, limit = 0, start
    want = None if dtype is None else as_dtype(dtype)
    builder = current()
    with builder.scope(name, "Range") as scope:
        types: list[DType] = []
        parts: dict[str, Any] = {}
        for key, x in {"start": start, "limit": limit, "delta": delta}.items():
            parts[key], t = _range_operand(x, want, key)
            types.append(t)
            if not isinstance(x, Value):
                builder.reserve(key)
        if want is None:
            for t in types:
                if t not in _ORDER:
                    raise ValueError(f"range does not take {t.name}")
            want = max(types, key=_ORDER.index)
        attrs: dict[str, Any] = {"dtype": want}
        dynamic = tuple(k for k, v in parts.items() if isinstance(v, Value))
        if dynamic and want.kind == "f":
            return _float_range(parts, want, scope or name)
        tail = [_cast(parts[k], want) for k in dynamic]
        kind = float if want.kind == "f" else int
        attrs.update(
            {
                k: v if isinstance(v, D.Expr) else kind(v)
                for k, v in parts.items()
                if k not in dynamic
            }
        )
        if dynamic:
            attrs["dynamic"] = dynamic
        return build(range_op, tail, attrs, scope or name).outputs[0]


def _cast(x: Value, dtype: DType) -> Value:
    from graphc.ops import math

    return x if x.dtype is dtype else math.cast(x, dtype)


def _float_range(parts: Mapping[str, Any], dtype: DType, name: str | None) -> Value:
    """A range of floats given as tensors: its length is an integer tensor of its own."""
    from graphc.ops import math

    start, limit, delta = (
        _cast(v, dtype) if isinstance(v, Value) else convert(v, dtype, k) for k, v in parts.items()
    )
    n = _cast(math.ceil(math.abs((limit - start) / delta)), dtypes.int32)
    steps = _cast(range(n), dtype) * delta
    return math.add(start, steps, name=name)  # type: ignore[no-any-return]


range_op.call = range


def _linspace_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    for v in inputs[:2]:
        if v.static_shape not in ((), None):
            raise shape_error(f"Shape must be rank 0 but is rank {v.rank}")
    n = static(inputs, attrs, "num")
    if n is None:
        return [(inputs[0].dtype, (D.fresh(),))]
    if less(n, 1):
        raise fail(f"Requires num > 0: {show(n)}", f"Requires num > 0: {show(n)}")
    return [(inputs[0].dtype, (n,))]


def _linspace_element(k: Any, index: Shape, start: Value, stop: Value, *, num: Dim) -> Any:
    a, b = k.read(start, ()), k.read(stop, ())
    if num == 1:
        return a
    t = start.dtype
    last = k.cast(k.index(D.maximum(num - 1, 1)), t)
    step = k.let("realdiv", k.let("subtract", b, a, dtype=t), last, dtype=t)
    i = k.cast(k.index(index[0]), t)
    return k.let("add", a, k.let("multiply", step, i, dtype=t), dtype=t)


def _linspace_numpy(start: Any, stop: Any, *, num: int) -> np.ndarray[Any, Any]:
    t = start.dtype.type
    step = t((stop - start) / t(max(num - 1, 1)))
    return np.asarray(start + step * np.arange(num).astype(start.dtype), start.dtype)


linspace_op = op(
    "linspace", "LinSpace", "view", doc="Evenly spaced floats, both ends included.",
    args=("start", "stop"), types="f", infer=_linspace_infer, element=_linspace_element,
    numpy=_linspace_numpy, grad=no_grad,
)  # fmt: skip


def linspace(start: Any, stop: Any, num: Any, name: str | None = None) -> Value:
    """`num` floats from `start` to `stop`.

    Raises
    ------
    ValueError
        When `num` is not positive.
    """
    values = [("start", start), ("stop", stop)]
    return make(linspace_op, values, {"num": ("num", num)}, name).outputs[0]


lin_space = linspace
linspace_op.call = linspace


# ------------------------------------------------------------------------- diagonals


def _matrix_diag_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s == ():
        raise shape_error("Shape must be at least rank 1 but is rank 0")
    return [(inputs[0].dtype, None if s is None else (*s, s[-1]))]


def _matrix_diag_numpy(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    n = x.shape[-1]
    out = np.zeros((*x.shape, n), x.dtype)
    i = np.arange(n)
    out[..., i, i] = x
    return out


matrix_diag_op = op(
    "matrix_diag", "MatrixDiag", "view", doc="Matrices with x on their diagonal.",
    args=("diagonal",),
    types="fiubc", infer=_matrix_diag_infer,
    numpy=_matrix_diag_numpy,
    element=lambda k, index, x: k.read(x, index[:-1], k.compare("equal", index[-1], index[-2]), 0),
    grad=lambda y, dy, x: (matrix_diag_part(dy),),
)  # fmt: skip


def matrix_diag(
    diagonal: Any,
    name: str | None = "diag",
    k: Any = 0,
    num_rows: int = -1,
    num_cols: int = -1,
    padding_value: Any = 0,
) -> Value:
    """Square matrices with `diagonal` on their diagonal and zeros elsewhere.

    TF 1.15 takes `k`, `num_rows`, `num_cols` and `padding_value` and does nothing with them.
    """
    return make(matrix_diag_op, [("diagonal", diagonal)], None, name, None, "diag").outputs[0]


def _small(a: Dim, b: Dim) -> Dim:
    """The smaller size; while recording an unknown one stays unknown."""
    lt = less(a, b)
    if lt is None:
        return a if a == b else D.fresh()
    return a if lt else b


def _matrix_diag_part_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s is not None and len(s) < 2:
        raise shape_error(f"Shape must be at least rank 2 but is rank {len(s)}")
    return [(inputs[0].dtype, None if s is None else (*s[:-2], _small(s[-2], s[-1])))]


matrix_diag_part_op = op(
    "matrix_diag_part", "MatrixDiagPart", "view", doc="The diagonals of matrices.", args=("input",),
    types="fiubc", infer=_matrix_diag_part_infer,
    numpy=lambda x: np.ascontiguousarray(np.diagonal(x, axis1=-2, axis2=-1)),
    element=lambda k, index, x: k.read(x, (*index, index[-1])),
    grad=lambda y, dy, x: (matrix_set_diag(zeros_like(x), dy),),
)  # fmt: skip


def matrix_diag_part(
    input: Any, name: str | None = "diag_part", k: Any = 0, padding_value: Any = 0
) -> Value:
    """The diagonals of the last two axes; TF 1.15 takes `k` and does nothing with it."""
    return make(matrix_diag_part_op, [("input", input)], None, name, None, "diag_part").outputs[0]


def _set_diag_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s, d = (v.static_shape for v in inputs)
    if s is not None and len(s) < 2:
        raise shape_error(f"Shape must be at least rank 2 but is rank {len(s)}")
    if s is not None and d is not None:
        if len(d) != len(s) - 1:
            raise shape_error(f"Shape must be rank {len(s) - 1} but is rank {len(d)}")
        for a, b in zip((*s[:-2], _small(s[-2], s[-1])), d, strict=True):
            if D.same(a, b) is False:
                raise shape_error(f"Dimensions must be equal, but are {show(a)} and {show(b)}")
    return [(inputs[0].dtype, s)]


def _set_diag_numpy(x: np.ndarray[Any, Any], d: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    out = np.array(x)
    i = np.arange(d.shape[-1])
    out[..., i, i] = d
    return out


def _set_diag_element(k: Any, index: Shape, x: Value, d: Value) -> Any:
    on = k.compare("equal", index[-1], index[-2])
    # outside the diagonal nothing of `d` is read
    return k.select(on, k.read(d, index[:-1], on, 0), k.read(x, index))


matrix_set_diag_op = op(
    "matrix_set_diag", "MatrixSetDiag", "view", doc="Matrices with another diagonal.",
    args=("input", "diagonal"), types="fiubc", infer=_set_diag_infer, numpy=_set_diag_numpy,
    element=_set_diag_element,
    grad=lambda y, dy, x, d: (matrix_set_diag(dy, zeros_like(d)), matrix_diag_part(dy)),
)  # fmt: skip


def matrix_set_diag(input: Any, diagonal: Any, name: str | None = "set_diag", k: Any = 0) -> Value:
    """`input` with the diagonals of its last two axes replaced; `k` has no effect in TF 1.15."""
    values = [("input", input), ("diagonal", diagonal)]
    return make(matrix_set_diag_op, values, None, name, None, "set_diag").outputs[0]


def _diag_numpy(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.reshape(np.diag(x.reshape(-1)), x.shape + x.shape)


def _diag_element(k: Any, index: Shape, x: Value) -> Any:
    n = len(index) // 2
    on = None
    for a, b in zip(index[:n], index[n:], strict=True):
        on = k.both(on, k.compare("equal", a, b))
    return k.read(x, index[:n], on, 0)


diag_op = op(
    "diag", "Diag", "view", doc="A tensor of twice the rank with x on its diagonal.",
    args=("diagonal",),
    types="fic", numpy=_diag_numpy,
    element=_diag_element,
    infer=lambda inputs, attrs: [
        (inputs[0].dtype, None if inputs[0].static_shape is None else inputs[0].static_shape * 2)
    ],
    grad=lambda y, dy, x: (diag_part(dy),),
)  # fmt: skip


def diag(diagonal: Any, name: str | None = None) -> Value:
    """A tensor of twice the rank with `diagonal` on its diagonal."""
    return make(diag_op, [("diagonal", diagonal)], None, name).outputs[0]


def _diag_part_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s is None:
        return [(inputs[0].dtype, None)]
    if len(s) % 2 or not s:
        raise shape_error(f"Input must have even and non-zero rank, input rank is {len(s)}")
    n = len(s) // 2
    for a, b in zip(s[:n], s[n:], strict=True):
        if D.same(a, b) is False:
            raise shape_error(f"Dimensions must be equal, but are {show(a)} and {show(b)}")
    return [(inputs[0].dtype, s[:n])]


def _diag_part_numpy(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    s = x.shape[: x.ndim // 2]
    n = int(np.prod(s))
    return np.reshape(np.diagonal(x.reshape(n, n)), s)


diag_part_op = op(
    "diag_part", "DiagPart", "view", doc="The diagonal of a tensor of even rank.", args=("input",),
    types="fic", infer=_diag_part_infer, numpy=_diag_part_numpy,
    element=lambda k, index, x: k.read(x, (*index, *index)), grad=lambda y, dy, x: (diag(dy),),
)  # fmt: skip


def diag_part(input: Any, name: str | None = None) -> Value:
    """The diagonal of a tensor whose two halves of axes have equal sizes."""
    return make(diag_part_op, [("input", input)], None, name).outputs[0]


matrix_diag_op.call, matrix_diag_part_op.call = matrix_diag, matrix_diag_part
matrix_set_diag_op.call, diag_op.call, diag_part_op.call = matrix_set_diag, diag, diag_part


def eye(
    num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Value:  # fmt: skip
    """Identity matrices."""
    from graphc.ops import math

    with current().scope(name, "eye"):
        square = num_columns is None
        batch = [] if batch_shape is None else batch_shape
        columns = num_rows if num_columns is None else num_columns
        n: Any
        if isinstance(num_rows, Value) or isinstance(columns, Value):
            n = math.minimum(num_rows, columns)
        else:
            num_rows, columns = operator.index(num_rows), operator.index(columns)
            square = num_rows == columns
            n = min(num_rows, columns)
        if isinstance(batch, Value) or isinstance(n, Value):
            b = convert(
                np.array(batch, np.int32) if not isinstance(batch, Value) else batch, None, "shape"
            )
            ones_shape: Any = _arrays().concat([b, [n]], 0)
            whole: Any = None if square else _arrays().concat([b, [num_rows, columns]], 0)
        else:
            outer = batch.as_list() if hasattr(batch, "as_list") else list(batch)
            ones_shape, whole = [*outer, n], [*outer, num_rows, columns]
        diagonal = ones(ones_shape, dtype)
        if square:
            return matrix_diag(diagonal)
        return matrix_set_diag(zeros(whole, dtype), diagonal)


# ------------------------------------------------------------------------- one hot


def _one_hot_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    depth = static(inputs, attrs, "depth")
    if depth is not None and less(depth, 0):
        raise fail(
            f"Dimension size, given by scalar input 1, must be non-negative but is {show(depth)}",
            f"depth must be non-negative, got: {show(depth)}",
            f", [] and with computed input tensors: input[1] = <{show(depth)}>",
        )
    if s is None:
        return [(inputs[1].dtype, None)]
    axis = attrs.get("axis", -1)
    if not -1 <= axis <= len(s):
        raise shape_error(
            f"Expected axis to be -1 or between [0, {len(s) + 1}). But received: {axis}"
        )
    at = len(s) if axis == -1 else axis
    return [(inputs[1].dtype, (*s[:at], D.fresh() if depth is None else depth, *s[at:]))]


def _one_hot_element(
    k: Any, index: Shape, x: Value, on: Value, off: Value, *, depth: Dim, axis: int
) -> Any:
    at = len(index) - 1 if axis == -1 else axis
    i = k.cast(k.read(x, index[:at] + index[at + 1 :]), dtypes.int64)
    hit = k.let("equal", i, k.index(index[at]), dtype=dtypes.bool_)
    return k.select(hit, k.read(on, ()), k.read(off, ()))


def _one_hot_numpy(x: Any, on: Any, off: Any, *, depth: int, axis: int) -> np.ndarray[Any, Any]:
    hit = np.expand_dims(x, axis).astype(np.int64) == np.arange(depth).reshape(
        (-1, *(1,) * (0 if axis == -1 else x.ndim - axis))
    )
    return np.asarray(np.where(hit, on, off), on.dtype)


def _one_hot_grad(
    y: Value, dy: Value, x: Value, on: Value, off: Value, *rest: Value, **a: Any
) -> Any:
    return (None, None, None, *(None for _ in rest))


one_hot_op = op(
    "one_hot", "OneHot", "view", doc="One value at the index, another elsewhere.",
    args=("indices", "on_value", "off_value"), types="iu", infer=_one_hot_infer,
    element=_one_hot_element, numpy=_one_hot_numpy, grad=_one_hot_grad,
)  # fmt: skip


def one_hot(
    indices: Any, depth: Any, on_value: Any = None, off_value: Any = None, axis: int | None = None,
    dtype: Any = None, name: str | None = None,
) -> Value:  # fmt: skip
    """A new axis of `depth` elements, `on_value` at the index and `off_value` elsewhere.

    An index outside [0, depth) gives `off_value` everywhere.
    """
    with current().scope(name, "one_hot") as scope:
        want = None if dtype is None else as_dtype(dtype).base_dtype
        found = []
        for label, v in (("on_value", on_value), ("off_value", off_value)):
            if v is None:
                continue
            t = as_value(v).dtype
            if want is not None and t is not want:
                raise TypeError(f"dtype {t} of {label} does not match dtype parameter {want}")
            found.append(t)
        if len(found) == 2 and found[0] is not found[1]:
            raise TypeError(
                f"dtype {found[0]} of on_value does not match dtype {found[1]} of off_value"
            )
        want = want or (found[0] if found else dtypes.float32)
        x = as_value(indices, None, "indices")
        if x.dtype not in (dtypes.uint8, dtypes.int32, dtypes.int64):
            raise TypeError(
                f"Value passed to parameter 'indices' has DataType {x.dtype.name} not in list of "
                "allowed values: uint8, int32, int64"
            )
        on = as_value(1 if on_value is None else on_value, want, "on_value")
        off = as_value(0 if off_value is None else off_value, want, "off_value")
        values = [("indices", x), ("on_value", on), ("off_value", off)]
        attrs = {"axis": -1 if axis is None else int(axis)}
        return make(one_hot_op, values, {"depth": ("depth", depth)}, scope or name, attrs).outputs[
            0
        ]


one_hot_op.call = one_hot


def __getattr__(name: str) -> Any:
    """Slices, joins and gathers live in `graphc.ops.arrays`, which builds on this module."""
    if name.startswith("__"):
        raise AttributeError(name)
    from graphc.ops import arrays

    return getattr(arrays, name)
