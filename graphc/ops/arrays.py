"""Ops that pick, join and rearrange elements: slices, concatenation, padding, gathers, segments."""

from __future__ import annotations

import builtins
import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.known import NeedsValue, known, known_operand, static
from graphc.ir.node import Value
from graphc.ops import lowering
from graphc.ops.convert import convert, make_constant
from graphc.ops.indexed import IndexedSlices
from graphc.ops.record import (
    OPS,
    Attrs,
    InferError,
    Types,
    as_value,
    ints,
    merge,
    no_grad,
    op,
    shape_error,
)  # fmt: skip
from graphc.ops.shapes import (
    _ax,
    _known_shape,
    _number,
    _sum_all,
    _whole,
    axis_of,
    expand_dims,
    fail,
    less,
    make,
    ones_like,
    reshape,
    reshape_static,
    shape,
    show,
    squeeze,
    static_operand,
    text,
    transpose,
    zeros_like,
)  # fmt: skip
from graphc.ops.shapes import range as range_
from graphc.ops.shapes import size as size_of

__all__ = [
    "boolean_mask", "concat", "dynamic_partition", "dynamic_stitch", "gather", "gather_nd",
    "getitem",
    "invert_permutation", "meshgrid", "pad", "reverse", "reverse_sequence", "roll", "scatter_nd",
    "segment_max", "segment_mean", "segment_min", "segment_prod", "segment_sum", "sequence_mask",
    "slice", "split", "stack", "strided_slice", "tile", "unique", "unique_with_counts",
    "unsorted_segment_max", "unsorted_segment_mean", "unsorted_segment_min",
    "unsorted_segment_prod",
    "unsorted_segment_sqrt_n", "unsorted_segment_sum", "unstack", "where_indices",
]  # fmt: skip


def _bad(message: str) -> Exception:
    """What the meaning of an op raises for values it cannot take."""
    return InvalidArgumentError(None, None, message)


def _error(message: str, more: str = "") -> InferError:
    """The error of a shape rule; `more` follows the list of input shapes."""
    return InferError(message, more) if more else InferError(message)


def _nones(values: Sequence[Any]) -> tuple[None, ...]:
    return (None,) * len(values)


def _op(record: Any, inputs: Sequence[Value], attrs: Any = None, name: str | None = None) -> Value:
    return build(record, inputs, attrs or {}, name).outputs[0]


def _backward(name: str, dy: Value, x: Value, rest: Sequence[Value], attrs: Any) -> Any:
    """The gradients where another record computes that of `x`."""
    return (_op(OPS[name], [dy, x, *rest], attrs), *_nones(rest))


def _shape_operand(x: Value, attrs: dict[str, Any], tail: list[Value], name: str) -> None:
    """The shape of `x` as attribute `name`, or as one more dynamic operand."""
    if D.is_known(x.static_shape):
        attrs[name] = x.static_shape
    else:
        tail.append(shape(x))
        attrs["dynamic"] = (*attrs.get("dynamic", ()), name)


# ------------------------------------------------------------------------- slice


def _slice_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    begin, want = static(inputs, attrs, "begin"), static(inputs, attrs, "size")
    n = len(begin) if isinstance(begin, tuple) else len(want) if isinstance(want, tuple) else None
    s = x.static_shape
    if s is not None and n is not None and len(s) != n:
        raise _error(f"Shape must be rank {n} but is rank {len(s)}", f", [{n}], [{n}]")
    if s is None and n is None:
        return [(x.dtype, None)]
    rank = len(s) if s is not None else n or 0
    unknown = (None,) * rank
    begin = unknown if begin is None else begin
    want = unknown if want is None else want
    given = unknown if s is None else s
    return [
        (
            x.dtype,
            tuple(_slice_dim(i, *t) for i, t in enumerate(zip(given, begin, want, strict=True))),
        )
    ]


def _slice_dim(i: int, d: Dim | None, b: Dim | None, n: Dim | None) -> Dim:
    """The size of one axis of a slice, checked as far as it is known."""
    rest = n is not None and D.same(n, -1)
    if b is not None and d is not None and (less(b, 0) or less(d, b)):
        raise shape_error(f"Expected begin[{i}] in [0, {show(d)}], but got {show(b)}")
    if rest:
        return D.fresh() if d is None or b is None else d - b
    if n is None:
        return D.fresh()
    if b is not None and d is not None and (less(n, 0) or less(d - b, n)):
        raise shape_error(f"Expected size[{i}] in [0, {show(d - b)}], but got {show(n)}")
    return n


def _slice_element(k: Any, index: Shape, x: Value, *, begin: Any, size: Any) -> Any:
    return k.read(x, tuple(i + b for i, b in zip(index, begin, strict=True)))


def _slice_numpy(x: Any, *, begin: Any, size: Any) -> Any:
    return x[
        tuple(
            builtins.slice(b, None if n == -1 else b + n) for b, n in zip(begin, size, strict=True)
        )
    ]


def _slice_dims(x: Any, *rest: Any, **attrs: Any) -> Any:
    given = dict(zip(attrs.get("dynamic", ()), rest, strict=True))
    b, n = attrs.get("begin", given.get("begin")), attrs.get("size", given.get("size"))
    if x is None or not b or not n or not all(type(e) is int for e in (b[0], n[0])):
        return None
    return x[b[0] :] if n[0] == -1 else x[b[0] : b[0] + n[0]]


def _slice_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    out: dict[str, Any] = {}
    tail: list[Value] = []
    if "begin" in attrs:
        out["begin"] = attrs["begin"]
    else:
        tail.append(rest[attrs["dynamic"].index("begin")])
        out["dynamic"] = ("begin",)
    _shape_operand(x, out, tail, "shape")
    return (_op(place_op, [dy, *tail], out), *_nones(rest))


slice_op = op(
    "slice", "Slice", "view", doc="A box of a tensor.", args=("input",), types="fiubsc",
    infer=_slice_infer,
    element=_slice_element, numpy=_slice_numpy, dims=_slice_dims,
    grad=_slice_grad,
)  # fmt: skip


def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Value:
    """The box of `input_` that begins at `begin` and has `size` elements on each axis.

    A size of -1 means all that remain.
    """
    sizes_ = {"begin": ("begin", begin), "size": ("size", size)}
    return make(slice_op, [("input", input_)], sizes_, name).outputs[0]


slice_op.call = slice


def slice_static(x: Value, begin: Sequence[Dim], size: Sequence[Dim]) -> Value:
    """`slice` with sizes that are already an attribute's (graph rewriting)."""
    if all(b == 0 for b in begin) and tuple(size) == x.static_shape:
        return x
    return _op(slice_op, (x,), {"begin": tuple(begin), "size": tuple(size)})


# -------------------- place: the gradient of slices


def _place_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    if "begin" not in attrs:
        static(inputs, attrs, "begin")
    return [(inputs[0].dtype, _known_shape(inputs, attrs, "shape"))]


def _place_element(k: Any, index: Shape, x: Value, *, begin: Any, shape: Any) -> Any:
    ok, where = None, []
    for i, b, n, d in zip(index, begin, k.shape(x), shape, strict=True):
        t = i - b
        where.append(t)
        if b == 0 and n == d:
            continue
        ok = k.both(ok, k.compare("less_equal", 0, t)) if b != 0 else ok
        ok = k.both(ok, k.compare("less", t, n))
    return k.read(x, tuple(where), ok, 0)


def _place_numpy(x: Any, *, begin: Any, shape: Any) -> Any:
    out = np.zeros(shape, x.dtype)
    out[tuple(builtins.slice(b, b + n) for b, n in zip(begin, x.shape, strict=True))] = x
    return out


def _place_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    out: dict[str, Any] = {}
    tail: list[Value] = []
    if "begin" in attrs:
        out["begin"] = attrs["begin"]
    else:
        tail.append(rest[attrs["dynamic"].index("begin")])
        out["dynamic"] = ("begin",)
    _shape_operand(x, out, tail, "size")
    return (_op(slice_op, [dy, *tail], out), *_nones(rest))


place_op = op(
    "place", "Pad", "view", doc="A box inside zeros: the gradient of slice.", args=("x",),
    types="fiubc",
    infer=_place_infer, element=_place_element, numpy=_place_numpy,
    grad=_place_grad,
)  # fmt: skip


def place_static(x: Value, begin: Sequence[Dim], shape: Sequence[Dim]) -> Value:
    """`x` at `begin` inside zeros of `shape` (graph rewriting)."""
    return _op(place_op, (x,), {"begin": tuple(begin), "shape": tuple(shape)})


# ------------------------------------------------------------------------- strided slices

_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


class Entry:
    """One axis of a strided slice: what it takes from the input and gives to the output.

    Attributes
    ----------
    kind : {"take", "pick", "new"}
    axis : int
        The input axis (none for "new").
    first : Dim or None
        Index of the first element; None where it is not known.
    step : int
    size : Dim
        Size of the output axis ("take").
    source : int
        Which entry of begin an unknown index stands in.
    """

    __slots__ = ("axis", "first", "kind", "size", "source", "step")

    def __init__(
        self,
        kind: str,
        axis: int,
        first: Dim | None = 0,
        step: int = 1,
        size: Dim = 1,
        source: int = -1,
    ) -> None:
        self.kind, self.axis, self.first, self.step = kind, axis, first, step
        self.size, self.source = size, source


def _spec_rows(rank: int, n: int, attrs: Attrs) -> list[tuple[str, int, int]]:
    """For each output or dropped axis (kind, input axis, entry); entry -1 takes all."""
    ellipsis, new, shrink = (attrs.get(m, 0) for m in _MASKS[2:])
    at = [i for i in _ax(n) if ellipsis >> i & 1]
    if len(at) > 1:
        raise _error("Multiple ellipses in slice spec not allowed", _spec_text(n, attrs, False))
    news = sum(1 for i in _ax(n) if new >> i & 1 and i not in at)
    used = n - len(at) - news
    rows: list[tuple[str, int, int]] = []
    axis = 0
    for i in _ax(n):
        if i in at:
            for _ in _ax(max(rank - used, 0)):
                rows.append(("take", axis, -1))
                axis += 1
        elif new >> i & 1:
            rows.append(("new", -1, i))
        else:
            if axis >= rank:
                raise _error(
                    f"Index out of range using input dim {axis}; input has only {rank} dims",
                    _spec_text(n, attrs, False),
                )
            rows.append(("pick" if shrink >> i & 1 else "take", axis, i))
            axis += 1
    rows += [("take", a, -1) for a in _ax(rank)[axis:]]
    return rows


def _spec_text(n: int, attrs: Attrs, whole: bool) -> str:
    """What TF1 adds to messages about a slice: the shapes and values of its size operands."""
    if D.facts() is not None or not all(k in attrs for k in ("begin", "end", "strides")):
        return ""
    names = ("begin", "end", "strides") if whole else ("strides",)
    values = ", ".join(
        f"input[{i}] = <{' '.join(str(e) for e in attrs[k])}>"
        for i, k in enumerate(("begin", "end", "strides"), 1) if k in names
    )  # fmt: skip
    return f", [{n}], [{n}], [{n}] and with computed input tensors: {values}"


def entries(given: Shape, attrs: Attrs, begin: Any, end: Any, strides: Any) -> list[Entry]:
    """What each axis of a strided slice does.

    Raises
    ------
    InferError
        For a step of 0, an index out of range, or too many entries.
    """
    n = len(strides)
    for i, s in enumerate(strides):
        if s is not None and D.same(s, 0):
            raise _error(f"strides[{i}] must be non-zero", _spec_text(n, attrs, False))
    out = []
    for kind, axis, i in _spec_rows(len(given), n, attrs):
        if kind == "new":
            out.append(Entry("new", -1))
        elif i < 0:
            out.append(Entry("take", axis, 0, 1, given[axis]))
        elif kind == "pick":
            if strides[i] is not None and less(strides[i], 1):
                raise shape_error("only stride 1 allowed on non-range indexing.")
            first = 0 if attrs.get("begin_mask", 0) >> i & 1 else begin[i]
            first = _picked(first, given[axis], axis, n, attrs)
            out.append(Entry("pick", axis, first, 1, 1, i))
        else:
            step = strides[i]
            b = None if attrs.get("begin_mask", 0) >> i & 1 else (begin[i],)
            e = None if attrs.get("end_mask", 0) >> i & 1 else (end[i],)
            if step is None:
                out.append(Entry("take", axis, None, 1, D.fresh()))
                continue
            step = _number(step)
            first, count = _bounds(given[axis], b, e, step)
            out.append(Entry("take", axis, first, step, count))
    return out


def _picked(i: Dim | None, d: Dim, axis: int, n: int, attrs: Attrs) -> Dim | None:
    """An index, counted from the front and checked."""
    if i is None:
        return None
    negative = less(i, 0)
    if negative is None:
        return None
    at = i + d if negative else i
    if less(at, 0) or less(at, d) is False:
        raise _error(
            f"slice index {show(i)} of dimension {axis} out of bounds.", _spec_text(n, attrs, True)
        )
    return at


def _bounds(d: Dim, b: Any, e: Any, step: int) -> tuple[Dim | None, Dim]:
    """The first index and the number of elements of ``begin:end:step`` on an axis of size `d`."""
    if b is None and e is None and step in (1, -1):
        return (0 if step > 0 else d - 1), d
    up = step > 0
    low: Dim = 0 if up else -1
    high: Dim = d if up else d - 1
    lo = (low if up else high) if b is None else _clamp(b[0], d, low, high)
    hi = (high if up else low) if e is None else _clamp(e[0], d, low, high)
    if lo is None or hi is None:
        return None, D.fresh()
    span = hi - lo if up else lo - hi
    some = less(0, span)
    if some is None:
        return lo, D.fresh()
    return lo, (span if abs(step) == 1 else D.ceildiv(span, abs(step))) if some else 0


def _clamp(v: Dim | None, d: Dim, low: Dim, high: Dim) -> Dim | None:
    """An end of a range as Python clamps it; None where it is not known."""
    if v is None:
        return None
    negative = less(v, 0)
    if negative is None:
        return None
    if negative:
        v = v + d
        below = less(v, low)
        return None if below is None else low if below else v
    above = less(high, v)
    if above is None:
        return low if v == 0 and low == 0 else None
    return high if above else v


def _spec_operands(inputs: Sequence[Value], attrs: Attrs) -> tuple[Any, Any, Any]:
    """Begin, end and strides as tuples of one length with None where not known; or Nones."""
    got = [known_operand(inputs, attrs, k) for k in ("begin", "end", "strides")]
    n = next((len(k) for k in got if isinstance(k, tuple)), None)
    if n is None:
        return None, None, None
    for k in got:
        if isinstance(k, tuple) and len(k) != n:
            raise shape_error("Expected begin, end, and strides to be 1D equal size tensors")
    return tuple((None,) * n if k is None else k for k in got)  # type: ignore[return-value]


def _needs(inputs: Sequence[Value], attrs: Attrs, name: str) -> None:
    """While a plan is made, ask for the value of the operand `name`."""
    if D.facts() is None:
        return
    dynamic = attrs.get("dynamic", ())
    for key in (name, *dynamic):
        if key in dynamic:
            raise NeedsValue(inputs[len(inputs) - len(dynamic) + dynamic.index(key)])


def _strided_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    begin, end, strides = _spec_operands(inputs, attrs)
    if begin is None:
        _needs(inputs, attrs, "begin")
    if x.static_shape is None or begin is None:
        return [(x.dtype, None)]
    got = entries(x.static_shape, attrs, begin, end, strides)
    if any(e.kind == "take" and e.first is None for e in got):
        _needs(inputs, attrs, "begin")
    out = [1 if e.kind == "new" else e.size for e in got if e.kind != "pick"]
    return [(x.dtype, tuple(out))]


def _strided_numpy_key(s: Any, attrs: Any) -> tuple[Any, ...]:
    begin, end, strides = attrs["begin"], attrs["end"], attrs["strides"]
    key: list[Any] = []
    for e in entries(s, attrs, begin, end, strides):
        if e.kind == "new":
            key.append(None)
        elif e.kind == "pick":
            key.append(e.first)
        else:
            first: Any = e.first
            stop: Any = first + e.size * e.step
            key.append(builtins.slice(first, None if stop < 0 else stop, e.step))
    return tuple(key)


def _strided_numpy(x: Any, **attrs: Any) -> Any:
    try:
        return x[_strided_numpy_key(x.shape, attrs)]
    except InferError as err:
        raise _bad(str(err.args[0])) from None


def _strided_where(k: Any, given: Shape, rest: Sequence[Value], attrs: Any) -> list[Entry]:
    """The axes of a strided slice in a kernel: an unknown index is read and checked there."""
    got = entries(given, attrs, attrs["begin"], attrs["end"], attrs["strides"])
    dynamic = attrs.get("dynamic", ())
    for e in got:
        if e.kind == "pick" and e.first is None:
            v = rest[len(rest) - len(dynamic) + dynamic.index("begin")]
            i = k.cast(k.read(v, (e.source,)), dtypes.int64)
            d = given[e.axis]
            negative = k.let("less", i, k.const(0, dtypes.int64), dtype=dtypes.bool_)
            i = k.select(negative, k.let("add", i, k.index(d), dtype=dtypes.int64), i)
            at = k.as_index(i)
            ok = k.both(k.compare("less_equal", 0, at), k.compare("less", at, d))
            k.check(ok, f"slice index of dimension {e.axis} out of bounds.", e.source)
            # a failed check reads element 0 (there is one, or nothing is read at all)
            e.first = k.as_index(k.select(ok, i, k.const(0, dtypes.int64)))
    return got


def _strided_element(k: Any, index: Shape, x: Value, *rest: Value, **attrs: Any) -> Any:
    where: list[Dim] = []
    j = 0
    for e in _strided_where(k, k.shape(x), rest, attrs):
        if e.kind == "pick":
            assert e.first is not None
            where.append(e.first)
            continue
        if e.kind == "take":
            assert e.first is not None
            where.append(e.first + index[j] * e.step)
        j += 1
    return k.read(x, tuple(where))


def _strided_dims(x: Any, *rest: Any, **attrs: Any) -> Any:
    given = dict(zip(attrs.get("dynamic", ()), rest, strict=True))
    begin, end, strides = (attrs.get(k, given.get(k)) for k in ("begin", "end", "strides"))
    if not isinstance(x, tuple) or begin is None or strides is None:
        return None
    if None in begin or None in strides:
        return None
    try:
        if end is None or None in end:
            end = tuple(0 for _ in begin)
            if not attrs.get("shrink_axis_mask", 0):
                return None
        got = entries((len(x),), attrs, begin, end, strides)
    except InferError:
        return None
    if len(got) != 1 or type(got[0].first) is not int or type(got[0].size) is not int:
        return None
    e = got[0]
    at: Any = e.first
    count: Any = e.size
    return x[at] if e.kind == "pick" else tuple(x[at + i * e.step] for i in _ax(count))


def _spec_attrs(attrs: Any) -> dict[str, Any]:
    keep = {"begin", "end", "strides", "soft", *_MASKS}
    return {k: v for k, v in attrs.items() if k in keep}


def _strided_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    out = _spec_attrs(attrs)
    tail = list(rest)
    if rest:
        out["dynamic"] = attrs["dynamic"]
    _shape_operand(x, out, tail, "shape")
    r = strided_slice_at_grad_op if "soft" in attrs else strided_slice_grad_op
    return (_op(r, [dy, *tail], out), *_nones(rest))


def _strided_grad_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = _known_shape(inputs, attrs, "shape")
    if D.facts() is not None and s is not None:
        begin, end, strides = _spec_operands(inputs, attrs)
        if begin is None:
            _needs(inputs, attrs, "begin")
        elif any(
            e.kind == "take" and e.first is None for e in entries(s, attrs, begin, end, strides)
        ):
            _needs(inputs, attrs, "begin")
    return [(inputs[0].dtype, s)]


def _strided_grad_numpy(dy: Any, *, shape: Any, **attrs: Any) -> Any:
    out = np.zeros(shape, dy.dtype)
    key = _strided_numpy_key(tuple(shape), attrs)
    out[key] = dy
    return out


def _strided_grad_element(k: Any, index: Shape, dy: Value, *rest: Value, **attrs: Any) -> Any:
    where: list[Dim] = []
    ok = None
    for e in _strided_where(k, attrs["shape"], rest, attrs):
        if e.kind == "new":
            where.append(0)
            continue
        assert e.first is not None
        i = index[e.axis]
        if e.kind == "pick":
            ok = k.both(ok, k.compare("equal", i, e.first))
            continue
        if e.first == 0 and e.step == 1 and e.size == attrs["shape"][e.axis]:
            where.append(i)
            continue
        t = i - e.first if e.step > 0 else e.first - i
        step = abs(e.step)
        ok = k.both(ok, k.compare("less_equal", 0, t))
        if step > 1:
            ok = k.both(ok, k.compare("equal", t % step, 0))
            t = t // step
        ok = k.both(ok, k.compare("less", t, e.size))
        where.append(t)
    return k.read(dy, tuple(where), ok, 0)


def _strided_grad_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    out = _spec_attrs(attrs)
    dynamic = [n for n in attrs.get("dynamic", ()) if n != "shape"]
    if dynamic:
        out["dynamic"] = tuple(dynamic)
    tail = [v for n, v in zip(attrs.get("dynamic", ()), rest, strict=True) if n != "shape"]
    r = strided_slice_at_op if "soft" in attrs else strided_slice_op
    g = _op(r, [dy, *tail], out)
    return (g, *_nones(rest))


def _strided_ops(name: str, fails: bool) -> tuple[Any, Any]:
    doc = "Part of a tensor, by Python's slicing rules."
    forward = op(
        name, "StridedSlice", "view", doc=doc, args=("input",), types="fiubsc",
        infer=_strided_infer,
        element=_strided_element, numpy=_strided_numpy, dims=_strided_dims, grad=_strided_grad,
        fails=fails,
    )  # fmt: skip
    backward = op(
        name + "_grad", "StridedSliceGrad", "view", doc="The gradient of a strided slice.",
        args=("dy",),
        types="fiubc", infer=_strided_grad_infer, element=_strided_grad_element,
        numpy=_strided_grad_numpy, grad=_strided_grad_grad, fails=fails,
    )  # fmt: skip
    return forward, backward


#: The second pair reads an index that only the data knows, and fails where it is out of range.
strided_slice_op, strided_slice_grad_op = _strided_ops("strided_slice", False)
strided_slice_at_op, strided_slice_at_grad_op = _strided_ops("strided_slice_at", True)


def strided_slice(
    input_: Any, begin: Any, end: Any, strides: Any = None, begin_mask: int = 0, end_mask: int = 0,
    ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0, var: Any = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """``input_[begin:end:strides]``; bits of the masks change the meaning of single entries."""
    if strides is None:
        if isinstance(begin, Value):
            strides = ones_like(begin)
        else:
            with current().scope(None, "ones_like"):
                current().reserve("tensor", "Shape", "Const", "Fill")
            strides = _OnesVector([1] * len(begin))
    given = {"begin": begin, "end": end, "strides": strides}
    masks = dict(
        zip(
            _MASKS,
            (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask),
            strict=True,
        )
    )
    return _strided(input_, given, {k: m for k, m in masks.items() if m}, name)


class _OnesVector(list[int]):
    """Default strides: TF1 makes no constant for them inside the scope of the slice."""


def _strided(x: Any, given: dict[str, Any], masks: dict[str, int], name: str | None) -> Value:
    builder = current()
    with builder.scope(name, "StridedSlice") as scope:
        v = as_value(x, None, "input")
        attrs: dict[str, Any] = dict(masks)
        tail: list[Value] = []
        dynamic: list[str] = []
        for key, g in given.items():
            s = static_operand(g, key)
            if isinstance(s, Value):
                tail.append(s)
                dynamic.append(key)
            else:
                attrs[key] = s
                if not isinstance(g, Value | _OnesVector):
                    builder.reserve(key)
        return _build_strided(v, tail, dynamic, attrs, scope or name)


def _build_strided(
    x: Value, tail: list[Value], dynamic: list[str], attrs: dict[str, Any], name: str | None
) -> Value:
    record = strided_slice_op
    if dynamic:
        attrs["dynamic"] = tuple(dynamic)
        if "begin" in dynamic and attrs.get("shrink_axis_mask"):
            mask = attrs["shrink_axis_mask"]
            attrs["soft"] = (("begin", mask, True), ("end", mask, False))
            record = strided_slice_at_op
    return _op(record, [x, *tail], attrs, name)


strided_slice_op.call = strided_slice
strided_slice_at_op.call = strided_slice

_WRONG_INDEX = (
    "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar "
    "tf.int32/tf.int64 tensors are valid indices, got {!r}"
)


def _check_index(i: Any) -> Any:
    if isinstance(i, Value):
        if i.dtype.name not in (
            "int16",
            "int32",
            "int64",
            "uint8",
            "int8",
            "uint16",
            "uint32",
            "uint64",
        ) or (i.static_shape not in ((), None)):
            raise TypeError(_WRONG_INDEX.format(i))
        return i
    value = getattr(i, "value", i) if type(i).__name__ == "Dimension" else i
    if isinstance(value, bool | np.bool_ | float | str):
        raise TypeError(_WRONG_INDEX.format(i))
    if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "iu":
        return int(value)
    try:
        return operator.index(value)
    except TypeError:
        if hasattr(i, "dtype") and not isinstance(i, np.ndarray):
            return _check_index(convert(i))
        raise TypeError(_WRONG_INDEX.format(i)) from None


def _is_mask(key: Any) -> bool:
    return isinstance(key, bool) or (
        isinstance(key, Value | np.ndarray) and key.dtype == dtypes.bool_
    )


def getitem(x: Value, key: Any) -> Value:
    """``x[key]`` with integers, slices, ``...``, None and scalar integer tensors; or a bool mask.

    Raises
    ------
    TypeError
        For any other index.
    ValueError
        When an index is out of range, or a step is 0.
    """
    if _is_mask(key):
        return boolean_mask(x, key)
    if not isinstance(key, list | tuple):
        key = (key,)
    begin: list[Any] = []
    end: list[Any] = []
    strides: list[Any] = []
    masks = dict.fromkeys(_MASKS, 0)
    for bit, s in enumerate(key):
        if isinstance(s, builtins.slice):
            for part, into, mask in ((s.start, begin, "begin_mask"), (s.stop, end, "end_mask")):
                if part is None or (not isinstance(part, Value) and part is sys.maxsize):
                    into.append(0)
                    masks[mask] |= 1 << bit
                else:
                    into.append(_check_index(part))
            strides.append(1 if s.step is None else _check_index(s.step))
            continue
        strides.append(1)
        if s is Ellipsis or s is None:
            begin.append(0)
            end.append(0)
            masks["ellipsis_mask" if s is Ellipsis else "new_axis_mask"] |= 1 << bit
        else:
            s = _check_index(s)
            begin.append(s)
            end.append(s + 1)
            masks["shrink_axis_mask"] |= 1 << bit
    return _getitem(
        x, {"begin": begin, "end": end, "strides": strides}, {k: m for k, m in masks.items() if m}
    )


def _getitem(x: Value, given: dict[str, list[Any]], masks: dict[str, int]) -> Value:
    builder = current()
    with builder.scope(None, "strided_slice") as scope:
        attrs: dict[str, Any] = dict(masks)
        tail: list[Value] = []
        dynamic: list[str] = []
        wide = any(
            isinstance(v, Value) and v.dtype is dtypes.int64 for g in given.values() for v in g
        )
        for key, g in given.items():
            if not any(isinstance(v, Value) for v in g):
                attrs[key] = tuple(g)
                builder.reserve("stack")
                continue
            v = stack(_one_type(g), name="stack")
            if wide and v.dtype is not dtypes.int64:
                from graphc.ops import math

                v = math.cast(v, dtypes.int64)
            tail.append(v)
            dynamic.append(key)
        return _build_strided(x, tail, dynamic, attrs, scope or None)


def _one_type(items: list[Any]) -> list[Any]:
    """Indices of one type; int32 for the numbers unless a tensor says otherwise."""
    found = {v.dtype for v in items if isinstance(v, Value)}
    if len(found) > 1:
        from graphc.ops import math

        return [math.cast(v, dtypes.int64) if isinstance(v, Value) else v for v in items]
    return items


# ------------------------------------------------------------------------- joining


def _values(record: Any, values: Sequence[Any]) -> list[Value]:
    """A list operand: tensors of one type, numbers take it."""
    least = 2 if record.name == "concat" else 1
    if len(values) < least:
        raise ValueError(
            f"List argument 'values' to '{record.tf}' Op with length {len(values)} shorter than "
            f"minimum length {least}."
        )
    dtype = next((v.dtype for v in values if isinstance(v, Value)), None)
    out = [
        as_value(v, None if isinstance(v, Value) else dtype, f"values_{i}")
        for i, v in enumerate(values)
    ]
    types = [v.dtype for v in out]
    if any(t is not types[0] for t in types):
        raise TypeError(
            f"Tensors in list passed to 'values' of '{record.tf}' Op have types "
            f"[{', '.join(t.name for t in types)}] that don't all match."
        )
    return out


def _list_inputs(inputs: Sequence[Value], attrs: Attrs) -> Sequence[Value]:
    n = len(attrs.get("dynamic", ()))
    return inputs[: len(inputs) - n]


def _concat_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    xs = _list_inputs(inputs, attrs)
    axis = static(inputs, attrs, "axis")
    dtype = xs[0].dtype
    shapes = [x.static_shape for x in xs if x.static_shape is not None]
    if not shapes:
        return [(dtype, None)]
    rank = len(shapes[0])
    for s in shapes:
        if len(s) == 0:
            raise _error("Can't concatenate scalars (use tf.stack instead)", _axis_text(None))
        if len(s) != rank:
            raise _error(f"Shape must be rank {rank} but is rank {len(s)}", _axis_text(None))
    if axis is None:
        return [(dtype, tuple(D.fresh() for _ in shapes[0]))]
    axis = _number(axis)
    at = axis_of(axis, rank)
    if at is None:
        raise fail(
            f"Shape must be at least rank {axis + 1 if axis >= 0 else -axis} but is rank {rank}",
            f"ConcatOp : Expected concatenating dimensions in the range [{-rank}, {rank}), but "
            f"got {axis}",
            _axis_text(axis, len(xs)),
        )
    return [(dtype, _joined(shapes, at, axis, len(shapes) == len(xs), len(xs)))]


def _axis_text(axis: int | None, n: int = 0) -> str:
    if D.facts() is not None:
        return ""
    return ", []" + (
        "" if axis is None else f" and with computed input tensors: input[{n}] = <{axis}>"
    )


def _joined(shapes: Sequence[Shape], at: int, axis: int, all_known: bool, n: int) -> Shape:
    out = list(shapes[0])
    for j, s in enumerate(shapes[1:], 1):
        for i, d in enumerate(s):
            if i == at:
                continue
            if D.same(out[i], d) is False:
                lo, hi = (0, at) if i < at else (at + 1, len(s))
                a, b = shapes[0][lo:hi], s[lo:hi]
                raise fail(
                    f"Dimension {i - lo} in both shapes must be equal, but are {show(out[i])} "
                    f"and {show(d)}. Shapes are {text(a)} and {text(b)}.",
                    f"ConcatOp : Dimensions of inputs should match: shape[0] = {text(shapes[0])} "
                    f"vs. shape[{j}] = {text(s)}",
                    _axis_text(axis, n),
                )
            if type(out[i]) is not int:
                out[i] = d
    total: Dim = 0
    for s in shapes:
        total = total + s[at]
    out[at] = total if all_known else D.fresh()
    return tuple(out)


def _concat_element(k: Any, index: Shape, *xs: Value, axis: int) -> Any:
    at = axis % len(index)
    starts: list[Dim] = []
    offset: Dim = 0
    for x in xs:
        starts.append(offset)
        offset = offset + k.shape(x)[at]
    out = None
    for x, start in zip(reversed(xs), reversed(starts), strict=True):
        i = index[at] - start
        ok = k.both(k.compare("less_equal", 0, i), k.compare("less", i, k.shape(x)[at]))
        v = k.read(x, (*index[:at], i, *index[at + 1 :]), ok, 0)
        out = v if out is None else k.select(ok, v, out)
    return out


def _concat_dims(*xs: Any, **attrs: Any) -> Any:
    if "axis" not in attrs:
        xs = xs[:-1]
    if any(not isinstance(x, tuple) for x in xs):
        return None
    return tuple(e for x in xs for e in x)


def _concat_grad(y: Value, dy: Value, *inputs: Value, **attrs: Any) -> Any:
    xs = _list_inputs(inputs, attrs)
    rest = inputs[len(xs) :]
    axis = attrs.get("axis")
    shapes = [x.static_shape for x in xs]
    if axis is not None and all(D.is_known(s) for s in shapes):
        return (*_cut(dy, shapes, axis), *_nones(rest))  # type: ignore[arg-type]
    parts = [_op(concat_part_op, [dy, *xs, *rest], {**attrs, "index": i}) for i in _ax(len(xs))]
    return (*parts, *_nones(rest))


def _cut(dy: Value, shapes: Sequence[Shape], axis: int) -> list[Value]:
    """The pieces of `dy` that a concatenation put together."""
    out = []
    start: Dim = 0
    for s in shapes:
        begin: list[Dim] = [0] * len(s)
        begin[axis % len(s)] = start
        out.append(slice_static(dy, begin, s))
        start = start + s[axis % len(s)]
    return out


concat_op = op(
    "concat", "ConcatV2", "view", doc="Tensors joined along an axis.", args=("*values",),
    types="fiubsc",
    infer=_concat_infer, element=_concat_element, dims=_concat_dims,
    grad=_concat_grad,
    numpy=lambda *xs, axis: np.concatenate(xs, axis),
)  # fmt: skip


def _concat_part_grad(y: Value, dy: Value, g: Value, *inputs: Value, **attrs: Any) -> Any:
    xs = _list_inputs(inputs, attrs)
    parts = [dy if i == attrs["index"] else zeros_like(x) for i, x in enumerate(xs)]
    rest = list(inputs[len(xs) :])
    out = {k: v for k, v in attrs.items() if k != "index"}
    joined = parts[0] if len(parts) == 1 else _op(concat_op, parts + rest, out)
    return (joined, *_nones(inputs))


def _concat_part_numpy(dy: Any, *xs: Any, axis: int, index: int) -> Any:
    at = axis % dy.ndim
    start = sum(x.shape[at] for x in xs[:index])
    return dy.take(np.arange(start, start + xs[index].shape[at]), at)


concat_part_op = op(
    "concat_part", "Slice", "view", doc="The part of a concatenation that came from one operand.",
    args=("dy", "*values"), types="fiubc",
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[1 + attrs["index"]].static_shape)],
    numpy=_concat_part_numpy, grad=_concat_part_grad,
    expand=lambda dy, *xs, axis, index: _cut(dy, [_whole(x) for x in xs], axis)[index],
    facts={"shape_operands": "rest"},
)  # fmt: skip


def concat(values: Any, axis: Any, name: str = "concat") -> Value:
    """Tensors joined along `axis`.

    Raises
    ------
    ValueError
        When sizes other than that of `axis` differ.
    """
    if not isinstance(values, list | tuple):
        values = [values]
    if len(values) == 1:
        with current().scope(name, "concat"):
            v = as_value(axis, None if _tensor_inside(axis) else dtypes.int32, "concat_dim")
            if v.static_shape not in ((), None):
                shown = str(tuple(show(d) for d in v.static_shape or ())).replace("'?'", "?")
                raise ValueError(f"Shape {shown} must have rank 0")
            from graphc.ops import state

            return state.identity(values[0], name=name)
    builder = current()
    with builder.scope(name, "concat") as scope:
        xs = _values(concat_op, values)
        a = static_operand(axis, "axis")
        if isinstance(a, Value):
            return _op(concat_op, [*xs, a], {"dynamic": ("axis",)}, scope or name)
        if not isinstance(axis, Value):
            builder.reserve("axis")
        return _op(concat_op, xs, {"axis": a[0] if isinstance(a, tuple) else a}, scope or name)


concat_op.call = concat


def _stack_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    shape_ = inputs[0].static_shape
    for v in inputs[1:]:
        try:
            shape_ = merge(shape_, v.static_shape)
        except InferError as e:
            a, b = inputs[0].static_shape or (), v.static_shape or ()
            i = next(j for j, w in enumerate(inputs) if w is v)
            more = (
                f". Shapes are {text(a)} and {text(b)}."
                if str(e.args[0]).startswith("Dimension")
                else ""
            )
            raise fail(
                f"{e.args[0]}{more}\n\tFrom merging shape {i - 1} with other shapes.",
                f"Shapes of all inputs must match: values[0].shape = {text(a)} != "
                f"values[{i}].shape = {text(b)}",
            ) from None
    if shape_ is None:
        return [(inputs[0].dtype, None)]
    axis = attrs["axis"]
    at = axis_of(axis, len(shape_) + 1)
    if at is None:
        raise shape_error(f"axis = {axis} not in [{-len(shape_) - 1}, {len(shape_) + 1})")
    return [(inputs[0].dtype, (*shape_[:at], len(inputs), *shape_[at:]))]


def _stack_element(k: Any, index: Shape, *xs: Value, axis: int) -> Any:
    at = axis % len(index)
    inner = index[:at] + index[at + 1 :]
    j: Any = index[at]
    if type(j) is int:
        return k.read(xs[j], inner)
    if len(xs) == 1:
        return k.read(xs[0], inner)
    out = None
    for j in reversed(_ax(len(xs))):
        ok = k.compare("equal", index[at], j)
        v = k.read(xs[j], inner, ok, 0)
        out = v if out is None else k.select(ok, v, out)
    return out


def _stack_grad(y: Value, dy: Value, *xs: Value, axis: int) -> Any:
    return tuple(unstack(dy, len(xs), axis))


stack_op = op(
    "stack", "Pack", "view", doc="Tensors stacked along a new axis.", args=("*values",),
    types="fiubsc",
    infer=_stack_infer, element=_stack_element,
    grad=_stack_grad,
    numpy=lambda *xs, axis: np.stack(xs, axis),
    dims=lambda *xs, axis: None if any(isinstance(x, tuple) for x in xs) else tuple(xs),
)  # fmt: skip


def stack(values: Any, axis: int = 0, name: str | None = "stack") -> Value:
    """Tensors of one shape stacked along a new axis.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    builder = current()
    if isinstance(values, Value):
        values = unstack(values)
    if not any(isinstance(v, Value) for v in values):
        if axis == 0 and not any(_tensor_inside(v) for v in values):
            return convert(values, None, name)
        if not any(_tensor_inside(v) for v in values):
            return make_constant(
                np.stack([np.asarray(convert(v).node.attrs["value"]) for v in values], axis),
                None,
                name,
            )
    if not values:
        return convert(values, None, name)
    with builder.scope(name, "stack") as scope:
        dtype = next((v.dtype for v in values if isinstance(v, Value)), None)
        label = "{}" if axis == 0 else "values_{}"
        xs = [
            as_value(v, None if isinstance(v, Value) else dtype, label.format(i))
            for i, v in enumerate(values)
        ]
        _values(stack_op, xs)
        s = xs[0].static_shape
        if s is not None and axis_of(axis, len(s) + 1) is None:
            raise ValueError(f"axis = {axis} not in [{-len(s) - 1}, {len(s) + 1})")
        return _op(stack_op, xs, {"axis": int(axis)}, scope or name)


def _tensor_inside(v: Any) -> bool:
    from graphc.ops.shapes import _has_tensor

    return _has_tensor([v])


stack_op.call = stack


def _unstack_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    n, axis = attrs["num"], attrs["axis"]
    s = x.static_shape
    if s is None:
        return [(x.dtype, None)] * n
    at = axis_of(axis, len(s))
    if at is None:
        raise shape_error(f"axis = {axis} not in [{-len(s)}, {len(s)})")
    if D.same(s[at], n) is False:
        raise fail(
            f"Dimension must be {n} but is {show(s[at])}",
            f"Input shape axis {at} must equal {n}, got shape {text(s)}",
        )
    return [(x.dtype, s[:at] + s[at + 1 :])] * n


def _unstack_expand(x: Value, *, num: int, axis: int) -> tuple[Value, ...]:
    s = _whole(x)
    at = axis % len(s)
    out = []
    for i in _ax(num):
        spec = {
            "begin": (*(0,) * at, i), "end": (*(0,) * at, i + 1), "strides": (1,) * (at + 1),
            "begin_mask": (1 << at) - 1, "end_mask": (1 << at) - 1, "shrink_axis_mask": 1 << at,
        }  # fmt: skip
        out.append(_op(strided_slice_op, (x,), spec))
    return tuple(out)


def _filled_in(dys: Sequence[Value | None], ys: Sequence[Value]) -> list[Value]:
    return [zeros_like(y) if dy is None else dy for y, dy in zip(ys, dys, strict=True)]


unstack_op = op(
    "unstack", "Unpack", "view", doc="The slices along an axis.", args=("value",), types="fiubsc",
    infer=_unstack_infer, expand=_unstack_expand,
    numpy=lambda x, *, num, axis: tuple(np.array(p, order="C") for p in np.moveaxis(x, axis, 0)),
    dims=lambda x, *, num, axis: x,
    grad=lambda ys, dys, x, *, num, axis: (stack(_filled_in(dys, ys), axis),),
)  # fmt: skip


def unstack(
    value: Any, num: int | None = None, axis: int = 0, name: str | None = "unstack"
) -> list[Value]:
    """The slices of `value` along `axis`, without that axis.

    Raises
    ------
    ValueError
        When their number is neither given nor known.
    """
    with current().scope(name, "unstack") as scope:
        x = as_value(value, None, "value")
        if num is None:
            s = x.static_shape
            if s is not None:
                at = axis_of(axis, len(s))
                if at is None:
                    raise ValueError(f"axis = {axis} not in [{-len(s)}, {len(s)})")
                n: Any = s[at]
                num = n if type(n) is int else None
            if num is None:
                raise ValueError(f"Cannot infer num from shape {_shown(s)}")
        return list(
            build(unstack_op, (x,), {"num": int(num), "axis": int(axis)}, scope or name).outputs
        )


def _shown(s: Shape | None) -> str:
    if s is None:
        return "<unknown>"
    parts = ", ".join(str(d) if type(d) is int else "?" for d in s)
    return f"({parts},)" if len(s) == 1 else f"({parts})"


unstack_op.call = unstack


# ------------------------------------------------------------------------- split


def _split_axis(inputs: Sequence[Value], attrs: Attrs, s: Shape, what: str) -> int | None:
    axis = static(inputs, attrs, "axis")
    if axis is None:
        return None
    axis = _number(axis)
    at = axis_of(axis, len(s))
    if at is None:
        raise _error(
            f"Dimension size, given by scalar input {axis} must be in range [{-len(s)}, {len(s)})",
            what,
        )
    return at


def _split_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, n = inputs[0], attrs["num"]
    s = x.static_shape
    if s is None:
        return [(x.dtype, None)] * n
    at = _split_axis(inputs, attrs, s, "")
    if at is None:
        return [(x.dtype, tuple(D.fresh() for _ in s))] * n
    if D.same(s[at] % n, 0) is False:
        raise fail(
            f"Dimension size must be evenly divisible by {n} but is {show(s[at])}\n\t"
            "Number of ways to split should evenly divide the split dimension",
            "Number of ways to split should evenly divide the split dimension, but got "
            f"split_dim {at} (size = {show(s[at])}) and num_split {n}",
        )
    return [(x.dtype, (*s[:at], s[at] // n, *s[at + 1 :]))] * n


def _pieces(x: Value, at: int, parts: Sequence[Dim]) -> tuple[Value, ...]:
    s = _whole(x)
    out = []
    start: Dim = 0
    for p in parts:
        begin: list[Dim] = [0] * len(s)
        begin[at] = start
        out.append(slice_static(x, begin, (*s[:at], p, *s[at + 1 :])))
        start = start + p
    return tuple(out)


def _split_expand(x: Value, *, num: int, axis: int) -> tuple[Value, ...]:
    at = axis % len(_whole(x))
    return _pieces(x, at, [_whole(x)[at] // num] * num)


def _split_grad(ys: Any, dys: Any, x: Value, *rest: Value, **attrs: Any) -> Any:
    parts = _filled_in(dys, ys)
    axis = attrs["axis"] if "axis" in attrs else rest[attrs["dynamic"].index("axis")]
    joined = parts[0] if len(parts) == 1 else concat(parts, axis)
    return (joined, *_nones(rest))


split_op = op(
    "split", "Split", "view", doc="Equal parts along an axis.", args=("value",), types="fiubsc",
    infer=_split_infer, expand=_split_expand, grad=_split_grad,
    numpy=lambda x, *, num, axis: tuple(np.ascontiguousarray(p) for p in np.split(x, num, axis)),
    dims=lambda x, *rest, num, **a: None if not isinstance(x, tuple) or len(x) % num else tuple(
        x[i * (len(x) // num) : (i + 1) * (len(x) // num)] for i in _ax(num)
    ),
)  # fmt: skip


def _split_v_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, n = inputs[0], attrs["num"]
    s = x.static_shape
    want = static(inputs, attrs, "sizes")
    if s is None:
        return [(x.dtype, None)] * n
    at = _split_axis(inputs, attrs, s, "")
    if at is None:
        return [(x.dtype, tuple(D.fresh() for _ in s))] * n
    parts = _split_sizes(s[at], (None,) * n if want is None else want, attrs, len(s), at)
    return [(x.dtype, (*s[:at], p, *s[at + 1 :])) for p in parts]


def _split_sizes(d: Dim, want: Sequence[Dim | None], attrs: Attrs, rank: int, at: int) -> list[Dim]:
    """The sizes of the parts; one may be -1."""
    hole = [i for i, p in enumerate(want) if p is not None and D.same(p, -1)]
    if len(hole) > 1:
        raise shape_error("There can only be one -1 in the input.")
    if any(p is None for p in want):
        return [D.fresh() if p is None or i in hole else p for i, p in enumerate(want)]
    rest: Dim = 0
    for i, p in enumerate(want):
        if i not in hole:
            assert p is not None
            rest = rest + p
    if hole:
        if less(d - rest, 0):
            raise shape_error(
                f"can't split axis of size {show(d)} into pieces of size {text(want)}"
            )
        return [d - rest if i in hole else p for i, p in enumerate(want)]  # type: ignore[misc]
    if D.same(rest, d) is False:
        shown = " ".join(str(show(p)) for p in want if p is not None)
        raise fail(
            f"can't split axis of size {show(d)} into pieces of size {text(want)}",
            "Determined shape must either match input shape along split_dim exactly if fully "
            "specified, or be less than the size of the input along split_dim if not fully "
            f"specified.  Got: {show(rest)}",
            f", [{len(want)}], [] and with computed input tensors: input[1] = <{shown}>, "
            f"input[2] = <{attrs.get('axis', at)}>",
        )
    return list(want)  # type: ignore[arg-type]


def _split_v_expand(x: Value, *, sizes: Any, axis: int, num: int) -> tuple[Value, ...]:
    s = _whole(x)
    at = axis % len(s)
    return _pieces(x, at, _split_sizes(s[at], sizes, {}, len(s), at))


def _split_v_numpy(x: Any, *, sizes: Any, axis: int, num: int) -> tuple[Any, ...]:
    parts = list(sizes)
    if -1 in parts:
        parts[parts.index(-1)] = x.shape[axis] - sum(p for p in parts if p != -1)
    if sum(parts) != x.shape[axis]:
        raise _bad(f"can't split axis of size {x.shape[axis]} into pieces of size {text(parts)}")
    return tuple(np.ascontiguousarray(p) for p in np.split(x, np.cumsum(parts)[:-1], axis))


split_v_op = op(
    "split_v", "SplitV", "view", doc="Parts of given sizes along an axis.", args=("value",),
    types="fiubsc",
    infer=_split_v_infer, expand=_split_v_expand, grad=_split_grad,
    numpy=_split_v_numpy,
)  # fmt: skip


def split(
    value: Any,
    num_or_size_splits: Any,
    axis: Any = 0,
    num: int | None = None,
    name: str | None = "split",
) -> list[Value]:
    """`value` in that many equal parts, or in parts of those sizes, along `axis`.

    Raises
    ------
    ValueError
        When the sizes do not add up.
    """
    builder = current()
    n = static_operand(num_or_size_splits, "num_or_size_splits", "Const")
    if not isinstance(num_or_size_splits, Value) and not isinstance(n, Value):
        builder.reserve("Const")
    if not isinstance(n, tuple | Value) and not isinstance(num_or_size_splits, Value):
        if n < 1:
            raise ValueError(f"Attr 'num_split' of 'Split' Op passed {n} less than minimum 1.")
        sizes_ = {"axis": ("split_dim", axis)}
        return list(make(split_op, [("value", value)], sizes_, name, {"num": n}, "split").outputs)
    if not isinstance(n, tuple | Value) or (isinstance(n, Value) and n.static_shape == ()):
        raise ValueError(
            "Rank-0 tensors are not supported as the num_or_size_splits argument to split. "
            f"Argument provided: {num_or_size_splits}"
        )
    if num is None:
        s = n.static_shape if isinstance(n, Value) else (len(n),)
        num = s[0] if s and type(s[0]) is int else None
        if num is None:
            raise ValueError(f"Cannot infer num from shape {num_or_size_splits}")
    sizes_ = {"sizes": ("", num_or_size_splits), "axis": ("split_dim", axis)}
    with builder.scope(name, "split") as scope:
        x = as_value(value, None, "value")
        attrs: dict[str, Any] = {"num": num}
        tail: list[Value] = []
        dynamic: list[str] = []
        a = static_operand(axis, "split_dim")
        for key, v in (("sizes", n), ("axis", a)):
            if isinstance(v, Value):
                tail.append(v)
                dynamic.append(key)
            else:
                attrs[key] = v
        if not isinstance(axis, Value):
            builder.reserve("split_dim")
        if dynamic:
            attrs["dynamic"] = tuple(dynamic)
        return list(build(split_v_op, [x, *tail], attrs, scope or name).outputs)


split_op.call = split_v_op.call = split


# ------------------------------------------------------------------------- padding


def _pairs(p: Any) -> list[tuple[Any, Any]]:
    """Paddings as (before, after) pairs, from pairs or from a flat vector."""
    if p and not isinstance(p[0], tuple):
        return list(zip(p[::2], p[1::2], strict=True))
    return list(p)


def _pad_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    p = static(inputs, attrs, "paddings")
    s = x.static_shape
    if p is None:
        return [(x.dtype, None if s is None else tuple(D.fresh() for _ in s))]
    pairs = _pairs(p)
    if s is None:
        return [(x.dtype, tuple(D.fresh() for _ in pairs))]
    if len(s) != len(pairs):
        raise _error(f"Shape must be rank {len(pairs)} but is rank {len(s)}", f", [{len(pairs)},2]")
    out: list[Dim] = []
    for d, (a, b) in zip(s, pairs, strict=True):
        if a is None or b is None:
            out.append(D.fresh())
            continue
        if less(a, 0) or less(b, 0):
            raise fail(
                "Paddings must be non-negative",
                f"Paddings must be non-negative: {show(a)} {show(b)}",
            )
        if "mode" in attrs:
            _check_mirror(d, a, b, attrs["mode"])
        out.append(d + a + b)
    return [(x.dtype, tuple(out))]


def _check_mirror(d: Dim, a: Dim, b: Dim, mode: str) -> None:
    if D.facts() is None:
        return
    if mode == "REFLECT":
        if less(a, d) is False or less(b, d) is False:
            raise shape_error(
                f"paddings must be less than the dimension size: {show(a)}, {show(b)} not less "
                f"than {show(d)}"
            )
    elif less(d, a) or less(d, b):
        raise shape_error(
            f"paddings must be no greater than the dimension size: {show(a)}, {show(b)} greater "
            f"than {show(d)}"
        )


def _pad_read(k: Any, index: Shape, x: Value, paddings: Any, other: Any) -> Any:
    ok, where = None, []
    for i, d, (a, b) in zip(index, k.shape(x), _pairs(paddings), strict=True):
        t = i - a
        where.append(t)
        if a != 0:
            ok = k.both(ok, k.compare("less_equal", 0, t))
        if b != 0:
            ok = k.both(ok, k.compare("less", t, d))
    v = k.read(x, tuple(where), ok, 0)
    return v if ok is None or other is None else k.select(ok, v, k.read(other, ()))


def _pad_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    return (_unpad(dy, x, rest, attrs), *_nones(rest))


def _unpad(dy: Value, x: Value, rest: Sequence[Value], attrs: Any) -> Value:
    pairs = _pairs(attrs.get("paddings", ()))
    if "paddings" in attrs and D.is_known(x.static_shape):
        return slice_static(dy, [a for a, _ in pairs], x.static_shape or ())
    return _op(unpad_op, [dy, x, *rest], attrs)


pad_op = op(
    "pad", "Pad", "view", doc="Zeros around a tensor.", args=("tensor",), types="fiubc",
    infer=_pad_infer,
    element=lambda k, index, x, *, paddings: _pad_read(k, index, x, paddings,
    None),
    numpy=lambda x, *, paddings: np.pad(x, _pairs(paddings)) if x.ndim else x, grad=_pad_grad,
)  # fmt: skip

pad_v2_op = op(
    "pad_v2", "PadV2", "view", doc="One value around a tensor.", args=("tensor", "constant_values"),
    types="fiubc", infer=_pad_infer,
    element=lambda k, index, x, v, *, paddings: _pad_read(k, index, x, paddings, v),
    numpy=lambda x, v, *, paddings: np.pad(x, _pairs(paddings), constant_values=v) if x.ndim else x,
    grad=lambda y, dy, x, v, *rest, **attrs: _pad_v2_grad(dy, x, rest, attrs),
)  # fmt: skip


def _pad_v2_grad(dy: Value, x: Value, rest: Sequence[Value], attrs: Any) -> Any:
    inner = _unpad(dy, x, rest, attrs)
    return (inner, _sum_all(dy) - _sum_all(inner), *_nones(rest))


def _unpad_numpy(dy: Any, like: Any, *, paddings: Any) -> Any:
    return dy[
        tuple(
            builtins.slice(a, a + n) for n, (a, _) in zip(like.shape, _pairs(paddings), strict=True)
        )
    ]


unpad_op = op(
    "unpad", "Slice", "view", doc="What a padding surrounds: its gradient.", args=("dy", "like"),
    types="fiubc", numpy=_unpad_numpy,
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[1].static_shape)],
    expand=lambda dy, like, *, paddings: slice_static(dy, [a for a, _ in _pairs(paddings)],
    _whole(like)),
    grad=lambda y, dy, g, like, *rest, **attrs: (_op(pad_op, [dy, *rest], attrs), None,
    *_nones(rest)),
    facts={"shape_operands": (1,)},
)  # fmt: skip


def _mirror_element(k: Any, index: Shape, x: Value, *, paddings: Any, mode: str) -> Any:
    where: list[Dim] = []
    edge = 0 if mode == "REFLECT" else 1
    for i, d, (a, b) in zip(index, k.shape(x), _pairs(paddings), strict=True):
        t = i - a
        if a != 0:
            t = D.maximum(t, t * -1 - edge)
        if b != 0:
            t = D.minimum(t, 2 * d - 2 + edge - t)
        where.append(t)
    return k.read(x, tuple(where))


def _mirror_numpy(x: Any, *, paddings: Any, mode: str) -> Any:
    if not x.ndim:
        return x
    return np.pad(x, _pairs(paddings), mode="reflect" if mode == "REFLECT" else "symmetric")


mirror_pad_op = op(
    "mirror_pad", "MirrorPad", "view", doc="A tensor mirrored at its borders.", args=("input",),
    types="fiubc",
    infer=_pad_infer, element=_mirror_element,
    numpy=_mirror_numpy,
    grad=lambda y, dy, x, *rest, **attrs: _backward("mirror_pad_grad", dy, x, rest, attrs),
)  # fmt: skip


def _mirror_grad_expand(dy: Value, like: Value, *, paddings: Any, mode: str) -> Value:
    s = _whole(like)
    edge = 1 if mode == "REFLECT" else 0
    g = dy
    for axis, (a, b) in enumerate(_pairs(paddings)):
        if a == 0 and b == 0:
            continue
        now = list(_whole(g))
        n = s[axis]
        target = (*now[:axis], n, *now[axis + 1 :])
        begin: list[Dim] = [0] * len(now)

        def at(start: Dim, axis: int = axis, begin: list[Dim] = begin) -> list[Dim]:
            return [*begin[:axis], start, *begin[axis + 1 :]]

        total = slice_static(g, at(a), target)
        for start, count, to in ((0, a, edge), (a + n, b, n - b - edge)):
            part = slice_static(g, at(start), (*now[:axis], count, *now[axis + 1 :]))
            total = total + place_static(
                _op(reverse_op, (part,), {"axis": (axis,)}), at(to), target
            )
        g = total
    return g


def _mirror_grad_numpy(dy: Any, like: Any, *, paddings: Any, mode: str) -> Any:
    out = np.array(dy)
    for axis, (a, b) in enumerate(_pairs(paddings)):
        n = like.shape[axis]
        rows = np.moveaxis(out, axis, 0)
        source = np.pad(np.arange(n), (a, b), mode="reflect" if mode == "REFLECT" else "symmetric")
        total = np.zeros((n, *rows.shape[1:]), dy.dtype)
        np.add.at(total, source, rows)
        out = np.moveaxis(total, 0, axis)
    return np.ascontiguousarray(out)


mirror_pad_grad_op = op(
    "mirror_pad_grad", "MirrorPadGrad", "composite", doc="The gradient of mirror_pad.", args=("dy",
    "like"),
    types="fiu", infer=lambda inputs, attrs: [(inputs[0].dtype,
    inputs[1].static_shape)],
    expand=_mirror_grad_expand, numpy=_mirror_grad_numpy,
    grad=lambda y, dy, g, like, *rest, **attrs: (_op(mirror_pad_op, [dy, *rest], attrs), None,
    *_nones(rest)),
    facts={"shape_operands": (1,)},
)  # fmt: skip


def pad(
    tensor: Any,
    paddings: Any,
    mode: str = "CONSTANT",
    name: str | None = None,
    constant_values: Any = 0,
) -> Value:
    """`tensor` with ``paddings[i]`` (before, after) elements added on axis ``i``.

    Parameters
    ----------
    mode : {"CONSTANT", "REFLECT", "SYMMETRIC"}
    constant_values : scalar
        What is added when the mode is CONSTANT.

    Raises
    ------
    ValueError
        For an unknown mode or paddings that do not fit.
    """
    mode = mode.upper()
    values = [("tensor", tensor)]
    record, attrs = pad_op, None
    if mode == "CONSTANT":
        if isinstance(constant_values, Value) or constant_values != 0:
            record = pad_v2_op
    elif mode in ("REFLECT", "SYMMETRIC"):
        record, attrs = mirror_pad_op, {"mode": mode}
    else:
        raise ValueError(f"Unknown padding mode: {mode}")
    with current().scope(name, record.tf) as scope:
        x = as_value(tensor, None, "tensor")
        values = [("tensor", x)]
        p = _flat_paddings(paddings)
        if record is pad_v2_op:
            values.append(
                ("constant_values", as_value(constant_values, x.dtype, "constant_values"))
            )
        return make(record, values, {"paddings": ("paddings", p)}, scope or name, attrs).outputs[0]


def _flat_paddings(p: Any) -> Any:
    """Paddings as numbers, or as a flat vector (it can be known) where tensors are among them."""
    s = p
    if isinstance(p, Value):
        s = static_operand(p, "paddings")
        return reshape(s, [-1], name="paddings") if isinstance(s, Value) else p
    if _tensor_inside(p):
        flat = [e for row in p for e in (unstack(row) if isinstance(row, Value) else row)]
        return stack(flat, name="paddings")
    return p


pad_op.call = pad_v2_op.call = mirror_pad_op.call = pad


# ------------------------------------------------------------------------- tile, reverse, roll


def _tile_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    m = static(inputs, attrs, "multiples")
    s = x.static_shape
    if m is None:
        return [(x.dtype, None if s is None else tuple(D.fresh() for _ in s))]
    if s is None:
        return [(x.dtype, tuple(D.fresh() for _ in m))]
    if len(s) != len(m):
        raise _error(f"Shape must be rank {len(s)} but is rank {len(m)}", f", [{len(m)}]")
    out: list[Dim] = []
    for i, (d, n) in enumerate(zip(s, m, strict=True)):
        if n is None:
            out.append(D.fresh())
            continue
        if less(n, 0):
            if n == -1 and D.facts() is None:  # TF1 takes -1 for unknown, and refuses it in the run
                out.append(D.fresh())
                continue
            raise fail(
                f"Dimension {show(d * n)} must be >= 0",
                f"Expected multiples[{i}] >= 0, but got {show(n)}",
            )
        out.append(d * n)
    return [(x.dtype, tuple(out))]


def _tile_element(k: Any, index: Shape, x: Value, *, multiples: Any) -> Any:
    where = [
        0 if d in (0, 1) else i if n == 1 else i % d
        for i, d, n in zip(index, k.shape(x), multiples, strict=True)
    ]
    return k.read(x, tuple(where))


def _untile_expand(dy: Value, like: Value, *, multiples: Any) -> Value:
    from graphc.ops import reduce

    s = _whole(like)
    if all(m == 1 for m in multiples):
        return dy
    split_: list[Dim] = []
    for m, d in zip(multiples, s, strict=True):
        split_ += [m, d]
    y = reshape_static(dy, split_)
    return reduce.reduce_sum(y, [2 * i for i in _ax(len(s))])  # type: ignore[no-any-return]


def _untile_numpy(dy: Any, like: Any, *, multiples: Any) -> Any:
    split_ = [e for m, d in zip(multiples, like.shape, strict=True) for e in (m, d)]
    return np.sum(dy.reshape(split_), tuple(_ax(2 * like.ndim)[::2]), dtype=dy.dtype).reshape(
        like.shape
    )


tile_op = op(
    "tile", "Tile", "view", doc="A tensor repeated along its axes.", args=("input",),
    types="fiubsc",
    infer=_tile_infer, element=_tile_element,
    numpy=lambda x, *, multiples: np.tile(x, multiples) if x.ndim else x,
    dims=lambda x, *rest, **a: x * a["multiples"][0]
    if isinstance(x, tuple) and type(a.get("multiples", (None,))[0]) is int else None,
    grad=lambda y, dy, x, *rest, **attrs: _backward("tile_grad", dy, x, rest, attrs),
)  # fmt: skip

tile_grad_op = op(
    "tile_grad", "Sum", "composite", doc="The gradient of tile.", args=("dy", "like"), types="fiu",
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[1].static_shape)],
    expand=_untile_expand, numpy=_untile_numpy,
    grad=lambda y, dy, g, like, *rest, **attrs: (_op(tile_op, [dy, *rest], attrs), None,
    *_nones(rest)),
    facts={"shape_operands": (1,)},
)  # fmt: skip


def tile(input: Any, multiples: Any, name: str | None = None) -> Value:
    """`input` repeated ``multiples[i]`` times along axis ``i``."""
    return make(tile_op, [("input", input)], {"multiples": ("multiples", multiples)}, name).outputs[
        0
    ]


tile_op.call = tile


def _reverse_axes(axes: Any, rank: int) -> list[int]:
    out = []
    for i, a in enumerate(axes):
        a = _number(a)
        at = axis_of(a, rank)
        if at is None:
            shown = " ".join(str(show(e)) for e in axes)
            raise fail(
                f"'axis'[{i}] = {a} is out of valid range [0, {rank - 1}",
                f"'axis'[{i}] = {a} is out of valid range [0, {rank - 1}",
                f", [{len(axes)}] and with computed input tensors: input[1] = <{shown}>",
            )
        if at in out:
            raise shape_error(f"axis {at} specified more than once.")
        out.append(at)
    return out


def _reverse_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    axes = static(inputs, attrs, "axis")
    if axes is not None and None not in axes and x.static_shape is not None:
        _reverse_axes(axes, len(x.static_shape))
    return [(x.dtype, x.static_shape)]


def _reverse_element(k: Any, index: Shape, x: Value, *, axis: Any) -> Any:
    axes = _reverse_axes(axis, len(index))
    return k.read(x, tuple(k.shape(x)[i] - 1 - e if i in axes else e for i, e in enumerate(index)))


def _reverse_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    return (_op(reverse_op, [dy, *rest], attrs), *_nones(rest))


reverse_op = op(
    "reverse", "ReverseV2", "view", doc="Axes in reverse order of their elements.", args=("tensor",
    ),
    types="fiubsc", infer=_reverse_infer, element=_reverse_element,
    grad=_reverse_grad,
    numpy=lambda x, *, axis: np.array(np.flip(x, tuple(axis)), order="C"),
    dims=lambda x, *rest, **a: x[::-1] if isinstance(x, tuple) and a.get("axis") else None,
)  # fmt: skip


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Value:
    """`tensor` with its elements in reverse order along each of `axis`."""
    return make(reverse_op, [("tensor", tensor)], {"axis": ("axis", axis)}, name).outputs[0]


reverse_op.call = reverse


def _reverse_sequence_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, n = inputs
    s, t = x.static_shape, n.static_shape
    if t is not None and len(t) != 1:
        raise shape_error(f"Shape must be rank 1 but is rank {len(t)}")
    if s is not None:
        for key in ("seq_axis", "batch_axis"):
            if not 0 <= attrs[key] < len(s):
                raise shape_error(f"{key} must be < input rank: {attrs[key]} vs. {len(s)}")
        if t is not None and D.same(s[attrs["batch_axis"]], t[0]) is False:
            a, b = show(s[attrs["batch_axis"]]), show(t[0])
            raise shape_error(f"Dimensions must be equal, but are {a} and {b}")
    return [(x.dtype, s)]


def _reverse_sequence_element(
    k: Any, index: Shape, x: Value, n: Value, *, seq_axis: int, batch_axis: int
) -> Any:
    b = index[batch_axis]
    count = k.cast(k.read(n, (b,)), dtypes.int64)
    c = k.as_index(count)
    d = k.shape(x)[seq_axis]
    ok = k.both(k.compare("less_equal", 0, c), k.compare("less_equal", c, d))
    k.check(ok, "seq_lens out of range", b)
    i = index[seq_axis]
    inside = k.both(ok, k.compare("less", i, c))
    at = k.as_index(k.select(inside, k.index(c - 1 - i), k.index(i)))
    return k.read(x, (*index[:seq_axis], at, *index[seq_axis + 1 :]))


def _reverse_sequence_numpy(x: Any, n: Any, *, seq_axis: int, batch_axis: int) -> Any:
    d = x.shape[seq_axis]
    for i, c in enumerate(n.tolist()):
        if not 0 <= c <= d:
            raise _bad(f"seq_lens({i}) {'< 0' if c < 0 else f'> input.dims({seq_axis})'}")
    places = np.arange(d)
    at = np.where(places < n[:, None], n[:, None] - 1 - places, places)
    at = at if batch_axis < seq_axis else at.T
    full = np.expand_dims(at, tuple(a for a in _ax(x.ndim) if a not in (seq_axis, batch_axis)))
    return np.take_along_axis(x, np.broadcast_to(full, x.shape), seq_axis)


def _reverse_sequence_grad(y: Value, dy: Value, x: Value, n: Value, **attrs: Any) -> Any:
    return _op(reverse_sequence_op, (dy, n), attrs), None


reverse_sequence_op = op(
    "reverse_sequence", "ReverseSequence", "view", doc="The first elements of each row reversed.",
    args=("input", "seq_lengths"), types="fiubc", infer=_reverse_sequence_infer, fails=True,
    element=_reverse_sequence_element, numpy=_reverse_sequence_numpy, grad=_reverse_sequence_grad,
)  # fmt: skip


def reverse_sequence(
    input: Any, seq_lengths: Any, seq_axis: int | None = None, batch_axis: int | None = None,
    name: str | None = None, seq_dim: int | None = None, batch_dim: int | None = None,
) -> Value:  # fmt: skip
    """Reverse the first ``seq_lengths[b]`` elements along `seq_axis` of each batch element b."""
    s = seq_dim if seq_axis is None else seq_axis
    b = batch_dim if batch_axis is None else batch_axis
    values = [("input", input), ("seq_lengths", seq_lengths)]
    attrs = {"seq_axis": int(s or 0), "batch_axis": int(b or 0)}
    return make(reverse_sequence_op, values, None, name, attrs).outputs[0]


reverse_sequence_op.call = reverse_sequence


def _roll_axes(shift: Any, axis: Any, rank: int) -> list[Dim]:
    out: list[Dim] = [0] * rank
    pairs = zip(_vec(shift), _vec(axis), strict=True)
    for n, a in pairs:
        at = axis_of(_number(a), rank)
        if at is None:
            raise shape_error(f"axis {a} is out of range")
        out[at] = out[at] + n
    return out


def _vec(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def _roll_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    a, b = static(inputs, attrs, "shift"), static(inputs, attrs, "axis")
    s = inputs[0].static_shape
    if s == ():
        raise shape_error("Shape must be at least rank 1 but is rank 0")
    if a is not None and b is not None and len(_vec(a)) != len(_vec(b)):
        raise shape_error("both shift and axis should have same size")
    return [(inputs[0].dtype, s)]


roll_op = op(
    "roll", "Roll", "view", doc="Elements shifted around along axes.", args=("input",),
    types="fiubc",
    infer=_roll_infer,
    element=lambda k, index, x, *, shift, axis: k.read(x, tuple(
        i if n == 0 or d == 0 else (i - n) % d
        for i, n, d in zip(index, _roll_axes(shift, axis, len(index)), k.shape(x), strict=True)
    )),
    numpy=lambda x, *, shift, axis: np.roll(x, shift, axis),
    grad=lambda y, dy, x, *rest, **attrs: _roll_grad(dy, x, rest, attrs),
)  # fmt: skip


def _roll_grad(dy: Value, x: Value, rest: Sequence[Value], attrs: Any) -> Any:
    got = {**attrs, **dict(zip(attrs.get("dynamic", ()), rest, strict=True))}
    n = got["shift"]
    back = -n if isinstance(n, Value) else tuple(-e for e in n) if isinstance(n, tuple) else -n
    return (roll(dy, back, got["axis"]), *_nones(rest))


def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Value:
    """`input` shifted by `shift` along `axis`; what leaves at one end enters at the other."""
    sizes_ = {"shift": ("shift", shift), "axis": ("axis", axis)}
    return make(roll_op, [("input", input)], sizes_, name).outputs[0]


roll_op.call = roll


# ------------------------------------------------------------------------- gather


def _check_indices(i: Value, param: str = "indices") -> None:
    if i.dtype.kind not in "iu":
        raise TypeError(
            f"Value passed to parameter '{param}' has DataType {i.dtype.name} not in list of "
            "allowed values: int32, int64"
        )


def _gather_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, i = inputs[:2]
    _check_indices(i)
    axis = static(inputs, attrs, "axis")
    s, t = x.static_shape, i.static_shape
    if s is not None and len(s) == 0:
        raise _error("Shape must be at least rank 1 but is rank 0", ", []")
    if s is None or t is None:
        return [(x.dtype, None)]
    if axis is None:
        n = len(s) + len(t) - 1 - attrs.get("batch_dims", 0)
        return [(x.dtype, tuple(D.fresh() for _ in _ax(n)))]
    axis = _number(axis)
    at = axis_of(axis, len(s))
    if at is None:
        raise _error(
            f"Shape must be at least rank {axis + 1 if axis >= 0 else -axis} but is rank {len(s)}",
            f", [] and with computed input tensors: input[2] = <{axis}>",
        )
    b = attrs.get("batch_dims", 0)
    if b and (b > len(t) or b > at):
        raise _error(f"batch_dims ({b}) must be less than or equal to axis ({at})")
    for d, e in zip(s[:b], t[:b], strict=True):
        if D.same(d, e) is False:
            raise _error(f"Dimensions must be equal, but are {show(d)} and {show(e)}")
    return [(x.dtype, (*s[:at], *t[b:], *s[at + 1 :]))]


def _flat_index(index: Shape, s: Shape) -> Dim:
    out: Dim = 0
    for i, d in zip(index, s, strict=True):
        out = out * d + i
    return out


def _checked(k: Any, i: Any, n: Dim, message: str, position: Dim) -> tuple[Dim, Any]:
    """An index read from data as an index expression, and whether it lies in [0, n)."""
    at = k.as_index(k.cast(i, dtypes.int64))
    ok = k.both(k.compare("less_equal", 0, at), k.compare("less", at, n))
    k.check(ok, message, position)
    return at, ok


def _gather_element(
    k: Any, index: Shape, x: Value, i: Value, *, axis: int, batch_dims: int = 0
) -> Any:
    s, t = k.shape(x), k.shape(i)
    at = axis % len(s)
    n = len(t) - batch_dims
    inner = (*index[:batch_dims], *index[at : at + n])
    where, ok = _checked(
        k,
        k.read(i, inner),
        s[at],
        f"an index is not in [0, {s[at]})",
        _flat_index(inner, t),
    )
    return k.read(x, (*index[:at], where, *index[at + n :]), ok, 0)


def _gather_numpy(x: Any, i: Any, *, axis: int, batch_dims: int = 0) -> Any:
    n = x.shape[axis]
    wrong = (i < 0) | (i >= n)
    if wrong.any():
        at = tuple(np.argwhere(wrong)[0].tolist())
        label = "indices" + (f"[{','.join(map(str, at))}]" if at else "")
        raise _bad(f"{label} = {int(i[at])} is not in [0, {n})")
    if not batch_dims:
        return np.take(x, i.astype(np.int64), axis)
    axis = axis % x.ndim - batch_dims
    outer = i.shape[:batch_dims]
    rows = x.reshape(-1, *x.shape[batch_dims:])
    ids = i.reshape(len(rows), *i.shape[batch_dims:]).astype(np.int64)
    made = [np.take(r, j, axis) for r, j in zip(rows, ids, strict=True)]
    inner = (*x.shape[batch_dims:][:axis], *ids.shape[1:], *x.shape[batch_dims:][axis + 1 :])
    return np.array(made, x.dtype).reshape(*outer, *inner)


def _gather_dims(x: Any, i: Any, *rest: Any, **attrs: Any) -> Any:
    if not isinstance(x, tuple) or i is None:
        return None
    if isinstance(i, tuple):
        return tuple(x[e] if type(e) is int and 0 <= e < len(x) else None for e in i)
    return x[i] if type(i) is int and 0 <= i < len(x) else None


def _batched_gather_grad(dy: Value, x: Value, i: Value, axis: int, batch: int) -> Any:
    """Rows of all batches are summed at once: batch `b` owns the segments from ``b * n`` on."""
    s, t = x.static_shape, i.static_shape
    if s is None or t is None:
        raise LookupError("the gradient of gather with batch_dims needs known ranks")
    at, n = axis % len(s), len(t)
    k = n - batch
    inner = [*_ax(batch), *_ax(at + k)[at:], *_ax(at)[batch:], *_ax(len(s) + k - 1)[at + k :]]
    rows = transpose(dy, inner)
    sized = getitem(shape(x, out_type=i.dtype), at)
    ids = i
    step = sized
    for b in reversed(_ax(batch)):
        count = getitem(shape(x, out_type=i.dtype), b)
        place = reshape(range_(count), [*(1,) * b, -1, *(1,) * (n - b - 1)])
        ids = ids + place * step
        step = step * count
    summed = unsorted_segment_sum(rows, ids, step)
    order = [*_ax(batch), at, *_ax(at)[batch:], *_ax(len(s))[at + 1 :]]
    full = gather(shape(x), order)
    back = [order.index(a) for a in _ax(len(s))]
    return transpose(reshape(summed, full), back), None


def _gather_grad(y: Value, dy: Value, x: Value, i: Value, *rest: Value, **attrs: Any) -> Any:
    axis = attrs.get("axis")
    if axis is None:
        raise LookupError("the gradient of gather needs an axis that is known when it is built")
    s, t = x.static_shape, i.static_shape
    if attrs.get("batch_dims"):
        return _batched_gather_grad(dy, x, i, axis, attrs["batch_dims"])
    flat = reshape(i, [-1])
    at = axis if s is None else axis % len(s)
    if at == 0:
        if s is not None and D.is_known(s[1:]):
            values = reshape(dy, [-1, *s[1:]])
        else:
            values = reshape(
                dy,
                concat([reshape(size_of(i), [1]), getitem(shape(x), builtins.slice(1, None))], 0),
            )
        return (IndexedSlices(values, flat, shape(x)), None)
    if s is None or t is None:
        raise LookupError("the gradient of gather along an inner axis needs known ranks")
    k = len(t)
    n = len(s) - 1 + k
    middle = _ax(n)[at : at + k]
    others = [a for a in _ax(n) if a not in middle]
    rows = transpose(dy, [*middle, *others])
    sized = getitem(shape(x), at)
    if k != 1:
        outer = getitem(shape(rows), builtins.slice(k, None))
        rows = reshape(rows, concat([[-1], outer], 0))
    summed = unsorted_segment_sum(rows, flat, sized)
    # axis 0 of the sum is the gathered axis: back to its place
    return transpose(summed, [*_ax(at + 1)[1:], 0, *_ax(len(s))[at + 1 :]]), None


gather_op = op(
    "gather", "GatherV2", "view", doc="Slices of an axis, by index.", args=("params", "indices"),
    types="fiubsc", infer=_gather_infer, element=_gather_element, numpy=_gather_numpy,
    dims=_gather_dims,
    grad=lambda y, dy, x, i, *rest, **a: (*_gather_grad(y, dy, x, i, *rest, **a), *_nones(rest)),
    fails=True,
)  # fmt: skip


def gather(
    params: Any, indices: Any, validate_indices: Any = None, name: str | None = None,
    axis: Any = None,
    batch_dims: int = 0,
) -> Value:  # fmt: skip
    """The slices of `params` along `axis` that `indices` names.

    Raises
    ------
    InvalidArgumentError
        At run time, for an index outside [0, size).
    """
    if hasattr(params, "sparse_read") and not batch_dims and axis is None:
        return params.sparse_read(indices, name=name)  # type: ignore[no-any-return]
    values = [("params", params), ("indices", indices)]
    at = batch_dims if axis is None else axis
    attrs = {"batch_dims": operator.index(batch_dims)} if batch_dims else None
    return make(gather_op, values, {"axis": ("axis", at)}, name, attrs).outputs[0]


gather_op.call = gather


def _gather_nd_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, i = inputs
    _check_indices(i)
    s, t = x.static_shape, i.static_shape
    if t == ():
        raise shape_error("Shape must be at least rank 1 but is rank 0")
    if s is None or t is None or type(t[-1]) is not int:
        return [(x.dtype, None)]
    if t[-1] > len(s):
        raise shape_error(
            f"indices.shape[-1] must be <= params.rank, but saw indices shape: {text(t)} and "
            f"params shape: {text(s)}"
        )
    return [(x.dtype, (*t[:-1], *s[t[-1] :]))]


def _gather_nd_element(k: Any, index: Shape, x: Value, i: Value) -> Any:
    s, t = k.shape(x), k.shape(i)
    outer = index[: len(t) - 1]
    m = int(t[-1])
    where: list[Dim] = []
    ok = None
    for j in _ax(m):
        at, good = _checked(
            k,
            k.read(i, (*outer, j)),
            s[j],
            "an index does not index into params",
            _flat_index(outer, t[:-1]),
        )
        where.append(at)
        ok = k.both(ok, good)
    return k.read(x, (*where, *index[len(t) - 1 :]), ok, 0)


def _check_nd(i: Any, s: Sequence[int], what: str) -> None:
    m = i.shape[-1]
    wrong = ((i < 0) | (i >= np.array(s[:m], np.int64))).any(-1)
    if wrong.any():
        at = tuple(np.argwhere(wrong)[0].tolist())
        flat = int(np.ravel_multi_index(at, wrong.shape)) if at else 0
        label = f"indices[{flat if what == 'shape' else ','.join(map(str, at))}]"
        values = ", ".join(map(str, i[at].tolist()))
        sized = ",".join(map(str, s))
        where = "shape" if what == "shape" else "param shape"
        raise _bad(f"{label} = [{values}] does not index into {where} [{sized}]")


def _gather_nd_numpy(x: Any, i: Any) -> Any:
    _check_nd(i, x.shape, "params")
    return x[tuple(np.moveaxis(i.astype(np.int64), -1, 0))]


gather_nd_op = op(
    "gather_nd", "GatherNd", "view", doc="Slices of the leading axes, by index vector.",
    args=("params", "indices"), types="fiubsc", infer=_gather_nd_infer, element=_gather_nd_element,
    numpy=_gather_nd_numpy, fails=True,
    grad=lambda y, dy, x, i: (scatter_nd(i, dy, _shape_like(x, i)), None),
)  # fmt: skip


def _shape_like(x: Value, i: Value) -> Any:
    return x.static_shape if D.is_known(x.static_shape) else shape(x, out_type=i.dtype)


def gather_nd(params: Any, indices: Any, name: str | None = None, batch_dims: int = 0) -> Value:
    """The slices of `params` that the last axis of `indices` names.

    Raises
    ------
    InvalidArgumentError
        At run time, for an index outside `params`.
    """
    if batch_dims:
        return _batched_gather_nd(as_value(params), as_value(indices), batch_dims, name)
    return make(gather_nd_op, [("params", params), ("indices", indices)], None, name).outputs[0]


def _batched_gather_nd(x: Value, i: Value, batch: int, name: str | None) -> Value:
    """The batch's own indices put before those of each index vector."""
    if i.rank is None or x.rank is None or not 0 < batch < i.rank or batch >= x.rank:
        raise ValueError(
            f"batch_dims = {batch} must be less than the ranks of params ({x.rank}) and indices "
            f"({i.rank})"
        )
    one = getitem(i, (..., builtins.slice(0, 1)))
    sizes = shape(i, out_type=i.dtype)
    columns = []
    for axis in _ax(batch):
        form = [1] * i.rank
        form[axis] = -1
        row = range_(getitem(sizes, axis), dtype=i.dtype)
        columns.append(reshape(row, form) + zeros_like(one))
    return gather_nd(x, concat([*columns, i], -1), name)


gather_nd_op.call = gather_nd


# ------------------------------------------------------------------------- scatter and segments


def _scatter_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    i, u = inputs[:2]
    _check_indices(i)
    s = _known_shape(inputs, attrs, "shape")
    t, v = i.static_shape, u.static_shape
    if s is not None and t is not None and v is not None and t and type(t[-1]) is int:
        want = (*t[:-1], *s[t[-1] :])
        if len(want) != len(v) or any(D.same(a, b) is False for a, b in zip(want, v, strict=True)):
            raise shape_error(
                f"Must have updates.shape = indices.shape[:-1] + shape[{t[-1]}:], got "
                f"updates.shape: {text(v)}, indices.shape: {text(t)}, shape: {text(s)}"
            )
    return [(u.dtype, s)]


def _scatter_numpy(i: Any, u: Any, *, shape: Any) -> Any:
    _check_nd(i, shape, "shape")
    out = np.zeros(shape, u.dtype)
    np.add.at(out, tuple(np.moveaxis(i.astype(np.int64), -1, 0)), u)
    return out


scatter_nd_op = op(
    "scatter_nd", "ScatterNd", "structured",
    doc="Updates added up at index vectors, zeros elsewhere.",
    args=("indices", "updates"), types="iu", infer=_scatter_infer, numpy=_scatter_numpy, fails=True,
    grad=lambda y, dy, i, u, *rest, **a: (None, gather_nd(dy, i), *_nones(rest)),
)  # fmt: skip


def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Value:
    """A tensor of `shape`: the sum of `updates` at the places `indices` names, else zeros."""
    values = [("indices", indices), ("updates", updates)]
    return make(scatter_nd_op, values, {"shape": ("shape", shape)}, name).outputs[0]


scatter_nd_op.call = scatter_nd


def _segment_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, i = inputs[:2]
    _check_indices(i, "segment_ids")
    n = static(inputs, attrs, "num_segments")
    s, t = x.static_shape, i.static_shape
    if n is not None and less(n, 0):
        raise shape_error(f"num_segments must be non-negative, got {show(n)}")
    if s is None or t is None:
        return [(x.dtype, None)]
    if len(t) > len(s) or any(D.same(a, b) is False for a, b in zip(s, t, strict=False)):
        raise shape_error(
            f"data.shape = {text(s)} does not start with segment_ids.shape = {text(t)}"
        )
    return [(x.dtype, (D.fresh() if n is None else n, *s[len(t) :]))]


def _segment_numpy(combine: Any, start: Callable[[Any], Any]) -> Callable[..., Any]:
    def meaning(x: Any, i: Any, *, num_segments: int) -> Any:
        ids = i.reshape(-1).astype(np.int64)
        wrong = np.nonzero(ids >= num_segments)[0]
        if wrong.size:
            at = np.unravel_index(wrong[0], i.shape)
            label = ",".join(map(str, at))
            raise _bad(
                f"segment_ids[{label}] = {ids[wrong[0]]} is out of range [0, {num_segments})"
            )
        rows = x.reshape(ids.size, *x.shape[i.ndim :])
        out = np.full((num_segments, *rows.shape[1:]), start(x.dtype), x.dtype)
        keep = ids >= 0
        with np.errstate(all="ignore"):
            combine.at(out, ids[keep], rows[keep])
        return out

    return meaning


def _segment_grad(y: Value, dy: Value, x: Value, i: Value, *rest: Value, **a: Any) -> Any:
    return (_gather_kept(dy, i), None, *_nones(rest))


def _rows_like(mask: Value, like: Value) -> Value:
    """A mask over the leading axes, spread over the trailing axes of `like`."""
    from graphc.ops import math

    if mask.static_shape is None or like.static_shape is None:
        raise LookupError("the gradient of a segment op needs known ranks")
    for _ in _ax(len(like.static_shape) - len(mask.static_shape)):
        mask = expand_dims(mask, -1)
    return math.logical_and(mask, ones_like(like, dtype=dtypes.bool_))  # type: ignore[no-any-return]


def _gather_kept(dy: Value, i: Value) -> Value:
    """Rows of `dy`; zeros where the segment id is negative (such rows were dropped)."""
    from graphc.ops import math

    rows = gather(dy, math.maximum(i, zeros_like(i)))
    return math.where(
        _rows_like(math.greater_equal(i, zeros_like(i)), rows), rows, zeros_like(rows)
    )


def _extreme_grad(y: Value, dy: Value, x: Value, i: Value, *rest: Value, **a: Any) -> Any:
    """The gradient goes to the extreme elements of each segment, in equal shares."""
    from graphc.ops import math

    hit = math.equal(x, _gather_kept(y, i))
    hit = math.logical_and(hit, _rows_like(math.greater_equal(i, zeros_like(i)), x))
    many = _op(unsorted_segment_sum_op, [math.cast(hit, x.dtype), i, *rest], a)
    share = _gather_kept(dy / many, i)
    return (math.where(hit, share, zeros_like(share)), None, *_nones(rest))


def _prod_grad(y: Value, dy: Value, x: Value, i: Value, *rest: Value, **a: Any) -> Any:
    """The product of the other rows of the segment, right where one row is zero."""
    from graphc.ops import math

    def total(record: Any, v: Value) -> Value:
        return _op(record, [v, i, *rest], a)

    zero = math.equal(x, zeros_like(x))
    other = math.where(zero, ones_like(x), x)
    zeros = total(unsorted_segment_sum_op, math.cast(zero, x.dtype))
    product = total(unsorted_segment_prod_op, other)
    none = zeros_like(product)
    # with no zero every row has the rest of the product; with one, only that row has it
    full = math.where(math.equal(zeros, none), product, none)
    single = math.where(math.equal(zeros, ones_like(zeros)), product, none)
    rows = math.where(zero, _gather_kept(single * dy, i), _gather_kept(full * dy, i) / other)
    return (rows, None, *_nones(rest))


def _lowest(t: Any) -> Any:
    return np.finfo(t).min if t.kind == "f" else np.iinfo(t).min


def _highest(t: Any) -> Any:
    return np.finfo(t).max if t.kind == "f" else np.iinfo(t).max


def _segment_op(kind: str, combine: Any, start: Callable[[Any], Any], grad: Any) -> Any:
    return op(
        f"unsorted_segment_{kind}", f"UnsortedSegment{kind.capitalize()}", "structured",
        doc=f"The {kind} of the rows of each segment; rows of negative segments are left out.",
        args=("data", "segment_ids"), types="fiu", infer=_segment_infer, grad=grad,
        numpy=_segment_numpy(combine, start), fails=True, facts={"combine": kind},
        lower=lowering.segment,
    )  # fmt: skip


unsorted_segment_sum_op = _segment_op("sum", np.add, lambda t: 0, _segment_grad)
unsorted_segment_max_op = _segment_op("max", np.maximum, _lowest, _extreme_grad)
unsorted_segment_min_op = _segment_op("min", np.minimum, _highest, _extreme_grad)
unsorted_segment_prod_op = _segment_op("prod", np.multiply, lambda t: 1, _prod_grad)


def _unsorted(record: Any) -> Callable[..., Value]:
    def call(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Value:
        values = [("data", data), ("segment_ids", segment_ids)]
        return make(record, values, {"num_segments": ("num_segments", num_segments)}, name).outputs[
            0
        ]

    call.__name__ = call.__qualname__ = record.name
    call.__doc__ = record.doc
    record.call = call
    return call


unsorted_segment_sum = _unsorted(unsorted_segment_sum_op)
unsorted_segment_max = _unsorted(unsorted_segment_max_op)
unsorted_segment_min = _unsorted(unsorted_segment_min_op)
unsorted_segment_prod = _unsorted(unsorted_segment_prod_op)


def _segment_count(data: Value, ids: Value, n: Any) -> Value:
    """How many rows each segment has, at least 1, in the shape of the result."""
    from graphc.ops import math

    ones_ = ones_like(data)
    total = unsorted_segment_sum(ones_, ids, n)
    return math.maximum(total, ones_like(total))  # type: ignore[no-any-return]


def unsorted_segment_mean(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Value:
    """The mean of the rows of each segment; 0 for an empty one."""
    with current().scope(name, "UnsortedSegmentMean"):
        x, i = as_value(data, None, "data"), as_value(segment_ids, None, "segment_ids")
        return unsorted_segment_sum(x, i, num_segments) / _segment_count(x, i, num_segments)


def unsorted_segment_sqrt_n(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Value:
    """The sum of the rows of each segment divided by the square root of their number."""
    from graphc.ops import math

    with current().scope(name, "UnsortedSegmentSqrtN"):
        x, i = as_value(data, None, "data"), as_value(segment_ids, None, "segment_ids")
        count = math.sqrt(_segment_count(x, i, num_segments))
        total: Value = unsorted_segment_sum(x, i, num_segments) / count
        return total


def _sorted(kind: str) -> Callable[..., Value]:
    def call(data: Any, segment_ids: Any, name: str | None = None) -> Value:
        from graphc.ops import math, reduce

        with current().scope(name, f"Segment{kind.capitalize()}"):
            x, i = as_value(data, None, "data"), as_value(segment_ids, None, "segment_ids")
            n = reduce.reduce_max(i) + 1
            if kind in ("sum", "mean"):
                f = unsorted_segment_sum if kind == "sum" else unsorted_segment_mean
                return f(x, i, n)
            f = {
                "max": unsorted_segment_max,
                "min": unsorted_segment_min,
                "prod": unsorted_segment_prod,
            }[kind]
            y = f(x, i, n)
            if kind == "prod":
                return y
            many = unsorted_segment_sum(ones_like(x), i, n)
            return math.where(math.greater(many, zeros_like(many)), y, zeros_like(y))

    call.__name__ = call.__qualname__ = f"segment_{kind}"
    call.__doc__ = (
        f"The {kind} of the rows of each segment; ids are sorted, and an empty segment gives 0."
    )
    return call


segment_sum, segment_mean, segment_max = _sorted("sum"), _sorted("mean"), _sorted("max")
segment_min, segment_prod = _sorted("min"), _sorted("prod")


# -------------------- sizes that depend on data


def _where_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    return [(dtypes.int64, (D.fresh(), D.fresh() if s is None else len(s)))]


def _where_numpy(x: Any) -> Any:
    if not x.ndim:
        raise _bad("WhereOp : Unhandled input dimensions: 0")
    return np.argwhere(x).astype(np.int64).reshape(-1, x.ndim)


where_op = op(
    "where_indices", "Where", "structured", doc="The indices of the elements that are true.",
    args=("condition",), types="fiubc", infer=_where_infer, grad=no_grad,
    numpy=_where_numpy, facts={"data_shape": True},
)  # fmt: skip


def where_indices(condition: Any, name: str | None = None) -> Value:
    """The indices of the true elements of `condition`, one row each, in row-major order."""
    return make(where_op, [("condition", condition)], None, name).outputs[0]


where_op.call = where_indices


def boolean_mask(
    tensor: Any, mask: Any, name: str | None = "boolean_mask", axis: Any = None
) -> Value:
    """The slices of `tensor` for which `mask` is true, along the axes of `mask`.

    Raises
    ------
    ValueError
        When `mask` is a scalar, has an unknown rank, or does not fit `tensor`.
    """
    from graphc.ops import reduce

    with current().scope(name, "boolean_mask"):
        x = as_value(tensor, None, "tensor")
        m = as_value(mask, None, "mask")
        t = m.static_shape
        if t is None:
            raise ValueError(
                "Number of mask dimensions must be specified, even if some dimensions are None. "
                " E.g. shape=[None] is ok, but shape=None is not."
            )
        if not t:
            raise ValueError("mask cannot be scalar.")
        at = (
            0
            if axis is None
            else operator.index(ints(axis.node.attrs["value"]) if isinstance(axis, Value) else axis)
        )
        n = len(t)
        s = x.static_shape
        if s is not None:
            part = s[at : at + n]
            if len(part) != n or any(D.same(a, b) is False for a, b in zip(part, t, strict=True)):
                raise ValueError(f"Shapes {_shown(part)} and {_shown(t)} are incompatible")
        leading = reduce.reduce_prod(getitem(shape(x), builtins.slice(at, at + n)), [0])
        sized = concat(
            [
                getitem(shape(x), builtins.slice(None, at)),
                [leading],
                getitem(shape(x), builtins.slice(at + n, None)),
            ],
            0,
        )
        rows = reshape(x, sized)
        if s is not None and D.facts() is None:
            first = D.product(s[at : at + n])
            rows.static_shape = (
                *s[:at],
                first if D.is_known(s[at : at + n]) else D.fresh(),
                *s[at + n :],
            )
        flat = reshape(m, [-1])
        return gather(rows, squeeze(where_indices(flat), axis=[1]), axis=at)


def _unique_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    if x.static_shape is not None and len(x.static_shape) != 1:
        raise shape_error(f"Shape must be rank 1 but is rank {len(x.static_shape)}")
    n = D.fresh()
    out: list[Any] = [(x.dtype, (n,)), (attrs["out_idx"], x.static_shape or (D.fresh(),))]
    return [*out, (attrs["out_idx"], (n,))] if attrs.get("counts") else out


def _unique_numpy(x: Any, *, out_idx: Any, counts: bool = False) -> Any:
    _, first, inverse, many = np.unique(
        x, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first, kind="stable")  # in order of first appearance
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    out = (x[first[order]], place[inverse].reshape(x.shape).astype(out_idx.np))
    return (*out, many[order].astype(out_idx.np)) if counts else out


unique_op = op(
    "unique", "Unique", "structured", doc="The different elements, in order of appearance.",
    args=("x",),
    types="fiubsc", infer=_unique_infer, numpy=_unique_numpy,
    facts={"data_shape": True, "host": True, "no_gradient_error": True},
)  # fmt: skip

unique_counts_op = op(
    "unique_with_counts", "UniqueWithCounts", "structured",
    doc="The different elements and their counts.",
    args=("x",), types="fiubsc", infer=_unique_infer, numpy=_unique_numpy,
    facts={"data_shape": True, "host": True, "no_gradient_error": True},
)  # fmt: skip


def _tuple_type(name: str, fields: str) -> Any:
    from collections import namedtuple

    return namedtuple(name, fields)


_Unique = _tuple_type("Unique", "y idx")
_UniqueWithCounts = _tuple_type("UniqueWithCounts", "y idx count")


def unique(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> Any:
    """The different elements of a vector as they appear, and where each element is among them."""
    return _Unique(*make(unique_op, [("x", x)], None, name, {"out_idx": as_dtype(out_idx)}).outputs)


def unique_with_counts(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> Any:
    """As `unique`, and how often each element occurs."""
    attrs = {"out_idx": as_dtype(out_idx), "counts": True}
    return _UniqueWithCounts(*make(unique_counts_op, [("x", x)], None, name, attrs).outputs)


unique_op.call, unique_counts_op.call = unique, unique_with_counts


# ------------------------------------------------------------------------- partition and stitch


def _partition_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, p = inputs
    s, t = x.static_shape, p.static_shape
    if s is None or t is None:
        return [(x.dtype, None)] * attrs["num_partitions"]
    if len(t) > len(s) or any(D.same(a, b) is False for a, b in zip(s, t, strict=False)):
        raise shape_error(
            f"data.shape = {text(s)} does not start with partitions.shape = {text(t)}"
        )
    return [(x.dtype, (D.fresh(), *s[len(t) :])) for _ in _ax(attrs["num_partitions"])]


def _partition_numpy(x: Any, p: Any, *, num_partitions: int) -> Any:
    ids = p.reshape(-1)
    wrong = np.nonzero((ids < 0) | (ids >= num_partitions))[0]
    if wrong.size:
        raise _bad(f"partitions[{wrong[0]}] = {ids[wrong[0]]} is not in [0, {num_partitions})")
    rows = x.reshape(ids.size, *x.shape[p.ndim :])
    return tuple(rows[ids == i] for i in _ax(num_partitions))


def _partition_grad(ys: Any, dys: Any, x: Value, p: Value, *, num_partitions: int) -> Any:
    places = reshape(range_(size_of(p)), shape(p))
    parts = dynamic_partition(places, p, num_partitions)
    return reshape(dynamic_stitch(parts, _filled_in(dys, ys)), shape(x)), None


dynamic_partition_op = op(
    "dynamic_partition", "DynamicPartition", "structured", doc="Rows sorted into parts by number.",
    args=("data", "partitions"), types="fiubsc", infer=_partition_infer, numpy=_partition_numpy,
    grad=_partition_grad, fails=True, facts={"data_shape": True},
)  # fmt: skip


def dynamic_partition(
    data: Any, partitions: Any, num_partitions: int, name: str | None = None
) -> list[Value]:
    """The rows of `data` in `num_partitions` tensors, as `partitions` says."""
    values = [("data", data), ("partitions", partitions)]
    return list(
        make(
            dynamic_partition_op, values, None, name, {"num_partitions": int(num_partitions)}
        ).outputs
    )


dynamic_partition_op.call = dynamic_partition


def _stitch_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    n = len(inputs) // 2
    tail: Shape | None = None
    for i, x in zip(inputs[:n], inputs[n:], strict=True):
        s, t = x.static_shape, i.static_shape
        if s is None or t is None:
            continue
        if len(t) > len(s):
            raise shape_error(
                f"data.shape = {text(s)} does not start with indices.shape = {text(t)}"
            )
        tail = merge(tail, s[len(t) :])
    places = _stitch_places([known(v) for v in inputs[:n]])
    rows = D.fresh() if places is None else max(places, default=-1) + 1
    return [(inputs[n].dtype, None if tail is None else (rows, *tail))]


def _stitch_places(indices: Sequence[Any]) -> list[int] | None:
    """All indices in order, where they are known numbers."""
    out: list[int] = []
    for k in indices:
        for i in k if isinstance(k, tuple) else (k,):
            if type(i) is not int or i < 0:
                return None
            out.append(i)
    return out


def _stitch_dims(*given: Any) -> Any:
    n = len(given) // 2
    places = _stitch_places(given[:n])
    if places is None or None in given[n:]:
        return None
    items = [x for k in given[n:] for x in (k if isinstance(k, tuple) else (k,))]
    if len(items) != len(places):
        return None
    out: list[Any] = [0] * (max(places, default=-1) + 1)
    for i, x in zip(places, items, strict=True):
        out[i] = x
    return tuple(out)


def _stitch_numpy(*inputs: Any) -> Any:
    n = len(inputs) // 2
    size = max((int(i.max()) + 1 for i in inputs[:n] if i.size), default=0)
    tail = inputs[n].shape[inputs[0].ndim :]
    out = np.zeros((size, *tail), inputs[n].dtype)
    for i, x in zip(inputs[:n], inputs[n:], strict=True):
        if i.size and i.min() < 0:
            raise _bad(f"indices[0] = {i.min()} is out of range")
        out[i.reshape(-1)] = x.reshape(i.size, *tail)
    return out


def _stitch_grad(y: Value, dy: Value, *inputs: Value) -> Any:
    n = len(inputs) // 2
    return (*_nones(inputs[:n]), *(gather(dy, i) for i in inputs[:n]))


dynamic_stitch_op = op(
    "dynamic_stitch", "DynamicStitch", "structured",
    doc="Rows of several tensors put at given places.",
    args=("*indices",), types="iu", infer=_stitch_infer, numpy=_stitch_numpy, grad=_stitch_grad,
    fails=True, facts={"data_shape": True}, dims=_stitch_dims,
)  # fmt: skip


def dynamic_stitch(indices: Sequence[Any], data: Sequence[Any], name: str | None = None) -> Value:
    """One tensor whose row ``indices[i][j]`` is ``data[i][j]``; later ones win."""
    if len(indices) != len(data):
        raise ValueError(
            f"List argument 'data' to 'DynamicStitch' Op with length {len(data)} must match "
            f"length {len(indices)} of argument 'indices'."
        )
    with current().scope(name, "DynamicStitch") as scope:
        ids = [as_value(v, dtypes.int32, f"indices_{i}") for i, v in enumerate(indices)]
        dtype = next((v.dtype for v in data if isinstance(v, Value)), None)
        xs = [
            as_value(v, None if isinstance(v, Value) else dtype, f"data_{i}")
            for i, v in enumerate(data)
        ]
        return _op(dynamic_stitch_op, [*ids, *xs], None, scope or name)


dynamic_stitch_op.call = dynamic_stitch


def _invert_numpy(x: Any) -> Any:
    out = np.full_like(x, -1)
    for i, e in enumerate(x.tolist()):
        if not 0 <= e < x.size:
            raise _bad(f"{e} is not between 0 and {x.size}")
        if out[e] != -1:
            raise _bad(f"{e} is duplicated in the input.")
        out[e] = i
    return out


def _invert_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s is not None and len(s) != 1:
        raise shape_error(f"Shape must be rank 1 but is rank {len(s)}")
    return [(inputs[0].dtype, s or (D.fresh(),))]


invert_permutation_op = op(
    "invert_permutation", "InvertPermutation", "structured", doc="The inverse of a permutation.",
    args=("x",), types="iu", infer=_invert_infer, numpy=_invert_numpy, grad=no_grad, fails=True,
    dims=lambda x: None if not isinstance(x, tuple) or not all(type(e) is int for e in x)
    else tuple(x.index(i) if i in x else None for i in _ax(len(x))),
)  # fmt: skip


def invert_permutation(x: Any, name: str | None = None) -> Value:
    """The permutation that undoes `x`."""
    return make(invert_permutation_op, [("x", x)], None, name).outputs[0]


invert_permutation_op.call = invert_permutation


def _spread(s0: Any, s1: Any) -> Any:
    """For both shapes the axes along which they are spread; None where that is not known."""
    if not isinstance(s0, tuple) or not isinstance(s1, tuple) or None in (*s0, *s1):
        return None
    rank = max(len(s0), len(s1))
    a, b = ((1,) * (rank - len(s)) + s for s in (s0, s1))
    apart = [i for i in _ax(rank) if not D.same(a[i], b[i])]
    return tuple(i for i in apart if D.same(a[i], 1)), tuple(i for i in apart if D.same(b[i], 1))


def _spread_dims(*shapes: Any, dtype: DType, **attrs: Any) -> Any:
    return _spread(*shapes) if attrs.get("dynamic") else _spread(**attrs)


def _spread_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    t = attrs["dtype"]
    axes = _spread(*[known_operand(inputs, attrs, name) for name in ("s0", "s1")])
    if axes is None or D.facts() is None:
        return [(t, (D.fresh(),)), (t, (D.fresh(),))]
    return [(t, (len(a),)) for a in axes]


def _spread_expand(*, s0: Any, s1: Any, dtype: DType) -> tuple[Value, ...]:
    made = [np.array(axes, dtype.np) for axes in _spread(s0, s1)]
    return tuple(make_constant(a, dtype, None) for a in made)


broadcast_gradient_args_op = op(
    "broadcast_gradient_args", "BroadcastGradientArgs", "composite", types="i",
    doc="Axes to sum over for the gradients of two tensors that were broadcast.",
    infer=_spread_infer, dims=_spread_dims, expand=_spread_expand, grad=no_grad,
    numpy=lambda *, s0, s1, dtype: tuple(np.array(a, dtype.np) for a in _spread(s0, s1)),
)  # fmt: skip


def broadcast_gradient_args(s0: Value, s1: Value, name: str | None = None) -> tuple[Value, ...]:
    """For two shapes the axes along which each is spread to the other."""
    attrs = {"dynamic": ("s0", "s1"), "dtype": s0.dtype}
    return build(broadcast_gradient_args_op, (s0, s1), attrs, name).outputs


# ------------------------------------------------------------------------- made of the ops above


def sequence_mask(
    lengths: Any, maxlen: Any = None, dtype: Any = dtypes.bool_, name: str | None = None
) -> Value:
    """True for the first ``lengths[i]`` elements of row ``i`` of `maxlen`."""
    from graphc.ops import math, reduce

    with current().scope(name, "SequenceMask"):
        n = as_value(lengths, None)
        if maxlen is None:
            most = reduce.reduce_max(n)
            most = math.maximum(convert(0, most.dtype), most)
            row = range_(convert(0, most.dtype), most, convert(1, most.dtype))
        else:
            m = as_value(maxlen, None)
            if m.static_shape not in ((), None):
                raise ValueError("maxlen must be scalar for sequence_mask")
            row = range_(convert(0, m.dtype), m, convert(1, m.dtype))
        column = math.cast(expand_dims(n, -1), row.dtype)
        out: Value = math.less(row, column)
        want = as_dtype(dtype)
        return out if want is dtypes.bool_ else math.cast(out, want)


def meshgrid(*args: Any, **kwargs: Any) -> list[Value]:
    """Coordinate tensors of a grid.

    Parameters
    ----------
    indexing : {"xy", "ij"}
    """
    indexing = kwargs.pop("indexing", "xy")
    name = kwargs.pop("name", "meshgrid")
    if kwargs:
        raise TypeError(f"'{next(iter(kwargs))}' is an invalid keyword argument for this function")
    if indexing not in ("xy", "ij"):
        raise ValueError("indexing parameter must be either 'xy' or 'ij'")
    with current().scope(name, "meshgrid"):
        n = len(args)
        s0 = (1,) * n
        out = [reshape(as_value(x), (*s0[:i], -1, *s0[i + 1 :])) for i, x in enumerate(args)]
        counts = [size_of(as_value(x)) for x in args]
        dtype = as_value(args[0]).dtype if args else dtypes.float32
        if indexing == "xy" and n > 1:
            out[0] = reshape(out[0], (1, -1, *(1,) * (n - 2)))
            out[1] = reshape(out[1], (-1, 1, *(1,) * (n - 2)))
            counts[0], counts[1] = counts[1], counts[0]
        from graphc.ops import shapes

        ones_ = shapes.fill(counts, convert(1, dtype))
        return [x * ones_ for x in out]
