"""Strided slices with every mask of TensorFlow 1, and indexing by `[]`."""

from __future__ import annotations

import builtins
import operator
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.dims import Dim, Shape
from graphc.ir.known import NeedsValue, known_operand
from graphc.ir.node import Node, Value
from graphc.ops import sharing
from graphc.ops.array_rules import apply, bad_value, infer_error, nones, shape_operand
from graphc.ops.convert import convert
from graphc.ops.fills import ones_like
from graphc.ops.operands import known_shape, less, need_vector, show, static_operand  # fmt: skip
from graphc.ops.record import (
    Attrs,
    InferError,
    Types,
    as_value,
    op,
    shape_error,
)  # fmt: skip
from graphc.ops.shapes import _number

__all__ = ["getitem", "strided_slice", "strided_slice_op"]


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
    at = [i for i in range(n) if ellipsis >> i & 1]
    if len(at) > 1:
        raise infer_error(
            "Multiple ellipses in slice spec not allowed", _spec_text(n, attrs, False)
        )
    news = sum(1 for i in range(n) if new >> i & 1 and i not in at)
    used = n - len(at) - news
    rows: list[tuple[str, int, int]] = []
    axis = 0
    for i in range(n):
        if i in at:
            for _ in range(max(rank - used, 0)):
                rows.append(("take", axis, -1))
                axis += 1
        elif new >> i & 1:
            rows.append(("new", -1, i))
        else:
            if axis >= rank:
                raise infer_error(
                    f"Index out of range using input dim {axis}; input has only {rank} dims",
                    _spec_text(n, attrs, False),
                )
            rows.append(("pick" if shrink >> i & 1 else "take", axis, i))
            axis += 1
    rows += [("take", a, -1) for a in range(axis, rank)]
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
            raise infer_error(f"strides[{i}] must be non-zero", _spec_text(n, attrs, False))
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
        raise infer_error(
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
        if isinstance(k, tuple):
            need_vector(k)
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
        raise bad_value(str(err.args[0])) from None


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
    return x[at] if e.kind == "pick" else tuple(x[at + i * e.step] for i in range(count))


def _spec_attrs(attrs: Any) -> dict[str, Any]:
    keep = {"begin", "end", "strides", "soft", *_MASKS}
    return {k: v for k, v in attrs.items() if k in keep}


def _strided_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    out = _spec_attrs(attrs)
    tail = list(rest)
    if rest:
        out["dynamic"] = attrs["dynamic"]
    shape_operand(x, out, tail, "shape")
    r = strided_slice_at_grad_op if "soft" in attrs else strided_slice_grad_op
    return (apply(r, [dy, *tail], out), *nones(rest))


def _strided_grad_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = known_shape(inputs, attrs, "shape")
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
    g = apply(r, [dy, *tail], out)
    return (g, *nones(rest))


def _shares(n: Node, index: int) -> bool:
    """Whether the part is the whole, or rows of the first axis that lie at aligned places."""
    given = n.inputs[0].static_shape
    begin, end, strides = _spec_operands(n.inputs, n.attrs)
    if given is None or begin is None:
        return False
    got = [e for e in entries(given, n.attrs, begin, end, strides) if e.kind != "new"]
    cut = [e for e in got if e.step != 1 or not D.same(e.size, given[e.axis])]
    if len(cut) != 1:
        return not cut
    return (
        cut[0].axis == 0 and cut[0].step == 1 and sharing.box(n, given, cut[0].first, cut[0].size)
    )


def _strided_ops(name: str, fails: bool) -> tuple[Any, Any]:
    doc = "Part of a tensor, by Python's slicing rules."
    forward = op(
        name, "StridedSlice", "view", doc=doc, args=("input",), types="fiubsc",
        infer=_strided_infer,
        element=_strided_element, numpy=_strided_numpy, dims=_strided_dims, grad=_strided_grad,
        fails=fails, facts={"shares": _shares},
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
    return apply(record, [x, *tail], attrs, name)


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
        from graphc.ops.partition import boolean_mask  # which indexes by what is here

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
            from graphc.ops.joining import stack  # whose gradient slices

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
