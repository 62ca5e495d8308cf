"""Ops that TensorFlow makes of several, or has under several types: how they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.graphdef import queues
from graphc.graphdef.attributes import encode
from graphc.graphdef.forms import form_of
from graphc.graphdef.host_rows import ROWS
from graphc.graphdef.hosts import HOST_EXPORTS
from graphc.ir.dtypes import DType, int32, int64
from graphc.ir.node import Node, Value

__all__ = ["EXPANSIONS", "Unfit", "reference"]

Written = tuple[list[str], dict[str, Any]]


class Unfit(Exception):
    """A node that TensorFlow has no type for, as it is."""


def reference(v: Value) -> str:
    """How an input names a value."""
    return str(v.node.name if v.index == 0 else f"{v.node.name}:{v.index}")


# --------------------------------------------------------------------- made of several


def _shape_operand(e: Any, n: Node, like: Value, name: str = "Shape") -> str:
    made: str = e.aux(n, name, "Shape", [reference(like)], T=like.dtype, out_type=int32)
    return made


def _reshape_like(e: Any, n: Node) -> Written:
    x, like = n.inputs
    attrs = {"op": "Reshape", "T": encode(x.dtype), "Tshape": encode(int32)}
    return [reference(x), _shape_operand(e, n, like)], attrs


def _broadcast_like(e: Any, n: Node) -> Written:
    x, like = n.inputs
    attrs = {"op": "BroadcastTo", "T": encode(x.dtype), "Tidx": encode(int32)}
    return [reference(x), _shape_operand(e, n, like)], attrs


def _sum_to_like(e: Any, n: Node) -> Written:
    x, like = n.inputs
    to = _shape_operand(e, n, like)
    given = _shape_operand(e, n, x, "Shape_1")
    axes = e.aux(n, "BroadcastGradientArgs", "BroadcastGradientArgs", [to, given], T=int32)
    total = e.aux(n, "Sum", "Sum", [reference(x), axes], T=x.dtype, Tidx=int32, keep_dims=False)
    attrs = {"op": "Reshape", "T": encode(x.dtype), "Tshape": encode(int32)}
    return [total, to], attrs


def _count(e: Any, n: Node) -> Written:
    (x,), out = n.inputs, n.outputs[0].dtype
    axis = n.attrs.get("axis")
    if out not in (int32, int64):
        raise Unfit
    if axis is None:
        return [reference(x)], {"op": "Size", "T": encode(x.dtype), "out_type": encode(out)}
    axes = e.beside(n, "axis", np.ravel(axis).astype(np.int32), int32)
    zero = e.beside(n, "zero", np.zeros((), np.int32), int32)
    shape = e.aux(n, "Shape", "Shape", [reference(x)], T=x.dtype, out_type=out)
    sizes = e.aux(n, "GatherV2", "GatherV2", [shape, axes, zero], Tparams=out, Tindices=int32,
                  Taxis=int32, batch_dims=0)  # fmt: skip
    attrs = {"op": "Prod", "T": encode(out), "Tidx": encode(int32), "keep_dims": encode(False)}
    return [sizes, zero], attrs


def _log_sigmoid(e: Any, n: Node) -> Written:
    t = n.inputs[0].dtype
    minus = e.aux(n, "Neg", "Neg", [reference(n.inputs[0])], T=t)
    return [e.aux(n, "Softplus", "Softplus", [minus], T=t)], {"op": "Neg", "T": encode(t)}


def _select(e: Any, n: Node) -> Written:
    """TensorFlow has one for operands of one shape, and one that broadcasts."""
    equal = len({v.static_shape for v in n.inputs}) == 1 and n.inputs[0].static_shape is not None
    attrs = {"op": "Select" if equal else "SelectV2", "T": encode(n.inputs[1].dtype)}
    return [reference(v) for v in n.inputs], attrs


def _select_rows(e: Any, n: Node) -> Written:
    """``tf.where`` of sizes that only a run knows."""
    return [reference(v) for v in n.inputs], {"op": "Select", "T": encode(n.inputs[1].dtype)}


def _sorted_ids(e: Any, n: Node) -> Written:
    """TensorFlow's segment ops look themselves; what is exported of ours does not need it."""
    return [reference(n.inputs[0])], {"op": "Identity", "T": encode(n.inputs[0].dtype)}


def _add_rows(e: Any, n: Node) -> Written:
    total, indices, values = n.inputs
    to = e.beside(n, "shape", np.array([-1, 1], np.int32), int32)
    at = e.aux(n, "Reshape", "Reshape", [reference(indices), to], T=indices.dtype, Tshape=int32)
    shape = _shape_operand(e, n, total)
    first = e.beside(n, "first", np.array([1], np.int32), int32)
    end = e.beside(n, "end", np.array([0], np.int32), int32)
    row = e.aux(n, "strided_slice", "StridedSlice", [shape, first, end, first], T=int32,
                Index=int32, begin_mask=0, end_mask=1, ellipsis_mask=0, new_axis_mask=0,
                shrink_axis_mask=0)  # fmt: skip
    rows = e.beside(n, "rows", np.array([-1], np.int32), int32)
    axis = e.beside(n, "concat/axis", np.zeros((), np.int32), int32)
    flat = e.aux(n, "concat", "ConcatV2", [rows, row, axis], T=int32, N=2, Tidx=int32)
    new = e.aux(n, "Reshape", "Reshape", [reference(values), flat], T=values.dtype, Tshape=int32)
    attrs = {"op": "TensorScatterAdd", "T": encode(total.dtype), "Tindices": encode(indices.dtype)}
    return [reference(total), at, new], attrs


def _dynamic(n: Node) -> dict[str, Value]:
    """Operands that are inputs because they are not known, by name."""
    names = n.attrs.get("dynamic", ())
    return dict(zip(names, n.inputs[len(n.inputs) - len(names) :], strict=True))


def _place(e: Any, n: Node) -> Written:
    """A box inside zeros: ``Pad`` by what is before and behind it."""
    x = n.inputs[0]
    (begin, t), (whole, u) = (e.operand(n, k, _dynamic(n)) for k in ("begin", "shape"))
    if u is not t:
        whole = e.aux(n, "Cast", "Cast", [whole], SrcT=u, DstT=t)
    own = e.aux(n, "Shape", "Shape", [reference(x)], T=x.dtype, out_type=t)
    end = e.aux(n, "add", "Add", [begin, own], T=t)
    behind = e.aux(n, "sub", "Sub", [whole, end], T=t)
    pairs = e.aux(n, "paddings", "Pack", [begin, behind], T=t, N=2, axis=1)
    return [reference(x), pairs], {"op": "Pad", "T": encode(x.dtype), "Tpaddings": encode(t)}


def _concat_part(e: Any, n: Node) -> Written:
    """The part of one operand: by ``ConcatOffset`` of the shapes of all."""
    given = _dynamic(n)
    dy, *xs = n.inputs[: len(n.inputs) - len(given)]
    axis, t = e.operand(n, "axis", given)
    if t is not int32:
        axis = e.aux(n, "Cast", "Cast", [axis], SrcT=t, DstT=int32)
    sizes = [e.aux(n, "Shape", "Shape", [reference(x)], T=x.dtype, out_type=int32) for x in xs]
    own = sizes[n.attrs["index"]]
    if len(xs) == 1:
        begin = e.aux(n, "ZerosLike", "ZerosLike", [own], T=int32)
    else:
        offsets = e.aux(n, "ConcatOffset", "ConcatOffset", [axis, *sizes], N=len(xs))
        begin = f"{offsets}:{n.attrs['index']}" if n.attrs["index"] else offsets
    return [reference(dy), begin, own], {"op": "Slice", "T": encode(dy.dtype),
                                         "Index": encode(int32)}  # fmt: skip


def _like(other: str, kind: str) -> Callable[[Any, Node], Written]:
    """Written by the row of another op."""

    def write(e: Any, n: Node) -> Written:
        made: Written = e.as_form(n, form_of(other, kind))
        return made

    return write


def _assert(e: Any, n: Node) -> Written:
    condition, *data = n.inputs
    if not data:
        raise Unfit
    attrs = {"op": "Assert", "T": encode(tuple([v.dtype for v in data])),
             "summarize": encode(n.attrs.get("summarize", 3))}  # fmt: skip
    return [reference(v) for v in (condition, *data)], attrs


def _unpad(e: Any, n: Node) -> Written:
    """What a padding surrounds."""
    dy, like = n.inputs[:2]
    paddings, t = e.operand(n, "paddings", _dynamic(n))
    ends = [e.beside(n, k, np.array(v, np.int32), int32)
            for k, v in (("begin", [0, 0]), ("end", [0, 1]), ("strides", [1, 1]))]  # fmt: skip
    begin = e.aux(n, "strided_slice", "StridedSlice", [paddings, *ends], T=t, Index=int32,
                  begin_mask=1, end_mask=1, ellipsis_mask=0, new_axis_mask=0,
                  shrink_axis_mask=2)  # fmt: skip
    size = e.aux(n, "Shape", "Shape", [reference(like)], T=like.dtype, out_type=t)
    return [reference(dy), begin, size], {"op": "Slice", "T": encode(dy.dtype),
                                          "Index": encode(t)}  # fmt: skip


def _mirror_pad_grad(e: Any, n: Node) -> Written:
    paddings, t = e.operand(n, "paddings", _dynamic(n))
    attrs = {"op": "MirrorPadGrad", "T": encode(n.inputs[0].dtype), "Tpaddings": encode(t),
             "mode": encode(n.attrs["mode"])}  # fmt: skip
    return [reference(n.inputs[0]), paddings], attrs


def _tile_grad(e: Any, n: Node) -> Written:
    """Sums over the copies: of each size the copies and what was copied are two axes."""
    dy, like = n.inputs[:2]
    multiples, t = e.operand(n, "multiples", _dynamic(n))
    shape = e.aux(n, "Shape", "Shape", [reference(like)], T=like.dtype, out_type=t)
    pairs = e.aux(n, "stack", "Pack", [multiples, shape], T=t, N=2, axis=1)
    flat = e.beside(n, "flat", np.array([-1], np.int32), int32)
    split = e.aux(n, "Reshape", "Reshape", [pairs, flat], T=t, Tshape=int32)
    apart = e.aux(n, "Reshape", "Reshape", [reference(dy), split], T=dy.dtype, Tshape=t)
    rank = e.aux(n, "Size", "Size", [split], T=t, out_type=int32)
    start, step = (e.beside(n, k, np.array(v, np.int32), int32)
                   for k, v in (("range/start", 0), ("range/delta", 2)))  # fmt: skip
    axes = e.aux(n, "range", "Range", [start, rank, step], Tidx=int32)
    return [apart, axes], {"op": "Sum", "T": encode(dy.dtype), "Tidx": encode(int32),
                           "keep_dims": encode(False)}  # fmt: skip


def _lrn_grad(e: Any, n: Node) -> Written:
    """TensorFlow's takes what `LRN` has made, too."""
    dy, x = map(reference, n.inputs)
    t = n.inputs[1].dtype
    y = e.aux(n, "LRN", "LRN", [x], T=t, **n.attrs)
    return [dy, x, y], {"op": "LRNGrad", "T": encode(t),
                        **{k: encode(v) for k, v in n.attrs.items()}}  # fmt: skip


def _sum_equal_rows(e: Any, n: Node) -> Written:
    """Sums over equal indices, each as often as its index."""
    values, ids = n.inputs[:2]
    found = e.aux(n, "Unique", "Unique", [reference(ids)], T=ids.dtype, out_idx=int32)
    count = e.aux(n, "Size", "Size", [found], T=ids.dtype, out_type=int32)
    total = e.aux(
        n, "UnsortedSegmentSum", "UnsortedSegmentSum", [reference(values), f"{found}:1", count],
        T=values.dtype, Tindices=int32, Tnumsegments=int32,
    )  # fmt: skip
    axis = e.beside(n, "axis", np.zeros((), np.int32), int32)
    return [total, f"{found}:1", axis], _gathers(values.dtype, int32)


def _gathers(values: DType, indices: DType) -> dict[str, Any]:
    return {"op": "GatherV2", "Tparams": encode(values), "Tindices": encode(indices),
            "Taxis": encode(int32), "batch_dims": encode(0)}  # fmt: skip


def _spread_rows(e: Any, n: Node) -> Written:
    """Rows by number, of a tensor with a row of zeros behind it for those that have none."""
    values, at = n.inputs
    if values.rank is None:
        raise Unfit
    one = np.zeros((values.rank, 2), np.int32)
    one[0, 1] = 1
    padding = e.beside(n, "paddings", one, int32)
    longer = e.aux(n, "Pad", "Pad", [reference(values), padding], T=values.dtype, Tpaddings=int32)
    t = at.dtype
    shape = e.aux(n, "Shape", "Shape", [reference(values)], T=values.dtype, out_type=t)
    axis = e.beside(n, "axis", np.zeros((), np.int32), int32)
    first = e.beside(n, "first", np.zeros((), np.int32), int32)
    count = e.aux(n, "count", "GatherV2", [shape, first, axis], Tparams=t, Tindices=int32,
                  Taxis=int32, batch_dims=0)  # fmt: skip
    zero = e.beside(n, "zero", np.zeros((), t.np), t)
    none = e.aux(n, "Less", "Less", [reference(at), zero], T=t)
    end = e.aux(n, "Minimum", "Minimum", [reference(at), count], T=t)
    rows = e.aux(n, "SelectV2", "SelectV2", [none, count, end], T=t)
    return [longer, rows, axis], _gathers(values.dtype, t)


def _cross_entropy(kind: str, types: Callable[[Node], dict[str, Any]]) -> Any:
    """A loss of rows; TensorFlow has it for matrices alone."""

    def write(e: Any, n: Node) -> Written:
        logits, labels = n.inputs[:2]
        rank = logits.rank
        if rank is None or n.attrs.get("axis", -1) not in (-1, rank - 1):
            raise Unfit
        attrs = {k: encode(v) for k, v in types(n).items()}
        if rank == 2:
            return [reference(logits), reference(labels)], {"op": kind, **attrs}
        t = logits.dtype
        shape = e.aux(n, "Shape", "Shape", [reference(logits)], T=t, out_type=int32)
        zero, last, one, flat = (e.beside(n, k, np.array(v, np.int32), int32)
                                 for k, v in (("zero", [0]), ("last", [-1]), ("one", [1]),
                                              ("flat", [-1])))  # fmt: skip
        masks = {"begin_mask": 0, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0,
                 "shrink_axis_mask": 0}  # fmt: skip
        head = e.aux(n, "strided_slice", "StridedSlice", [shape, zero, last, one], T=int32,
                     Index=int32, **masks)  # fmt: skip
        tail = e.aux(n, "strided_slice", "StridedSlice", [shape, last, zero, one], T=int32,
                     Index=int32, **{**masks, "end_mask": 1})  # fmt: skip
        axis = e.beside(n, "axis", np.zeros((), np.int32), int32)
        matrix = e.aux(n, "concat", "ConcatV2", [flat, tail, axis], T=int32, N=2, Tidx=int32)
        x = e.aux(n, "Reshape", "Reshape", [reference(logits), matrix], T=t, Tshape=int32)
        to = matrix if labels.rank == rank else flat
        y = e.aux(n, "Reshape", "Reshape", [reference(labels), to], T=labels.dtype, Tshape=int32)
        loss = e.aux(n, kind, kind, [x, y], **types(n))
        outs = [e.aux(n, "Reshape", "Reshape", [made, to], T=t, Tshape=int32)
                for made, to in ((loss, head), (f"{loss}:1", shape))]  # fmt: skip
        return outs, {"op": "IdentityN", "T": encode((t, t))}

    return write


def _logical_xor(e: Any, n: Node) -> Written:
    x, y = map(reference, n.inputs)
    either = e.aux(n, "LogicalOr", "LogicalOr", [x, y])
    both = e.aux(n, "LogicalAnd", "LogicalAnd", [x, y])
    return [either, e.aux(n, "LogicalNot", "LogicalNot", [both])], {"op": "LogicalAnd"}


def _trigamma(e: Any, n: Node) -> Written:
    (x,) = n.inputs
    one = e.beside(n, "a", np.ones((), x.dtype.np), x.dtype)
    return [one, reference(x)], {"op": "Polygamma", "T": encode(x.dtype)}


#: Ops that TensorFlow makes of several, or has under several types.
EXPANSIONS: dict[str, Callable[[Any, Any], Written | None]] = {
    "reshape_like": _reshape_like, "broadcast_like": _broadcast_like, "place": _place,
    "sum_to_like": _sum_to_like, "count": _count, "log_sigmoid": _log_sigmoid,
    "concat_part": _concat_part, "assert": _assert, "unpad": _unpad, "add_rows": _add_rows,
    "strided_slice_at": _like("strided_slice", "StridedSlice"),
    "strided_slice_at_grad": _like("strided_slice_grad", "StridedSliceGrad"),
    "lrn_grad": _lrn_grad,
    "mirror_pad_grad": _mirror_pad_grad, "tile_grad": _tile_grad, "logical_xor": _logical_xor,
    "softmax_cross_entropy": _cross_entropy(
        "SoftmaxCrossEntropyWithLogits", lambda n: {"T": n.inputs[0].dtype}
    ),
    "sparse_softmax_cross_entropy": _cross_entropy(
        "SparseSoftmaxCrossEntropyWithLogits",
        lambda n: {"T": n.inputs[0].dtype, "Tlabels": n.inputs[1].dtype},
    ),
    "sum_equal_rows": _sum_equal_rows, "spread_rows": _spread_rows,
    "trigamma": _trigamma, "select": _select, "select_rows": _select_rows,
    "sorted_ids": _sorted_ids, **queues.EXPORTS, **HOST_EXPORTS, **ROWS,
}  # fmt: skip
