"""How ops are written whose ``NodeDef`` is their operands and a few attributes.

Most of them run on the host. They are read back by their ``_graphc`` data, or by
`graphc.graphdef.calls` where TensorFlow wrote them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.graphdef.attributes import encode
from graphc.ir.dtypes import bool_, int32, int64, string
from graphc.ir.node import Node, Value

__all__ = ["ROWS"]

Written = tuple[list[str], dict[str, Any]]

#: Op: attributes. The source of one is an attribute of graphc (its own name where none is said),
#: ``<i`` or ``>i`` the type of an operand or an output, ``<*i`` the types of all operands from one.
_TABLE = """
complex: T=<0 Tout=>0
complex_abs: T=<0 Tout=>0
real: T=<0 Tout=>0
imag: T=<0 Tout=>0
angle: T=<0 Tout=>0
conj: T=<0
fft: Tcomplex=<0
ifft: Tcomplex=<0
setdiff1d: T=<0 out_idx=index_dtype
unravel_index: Tidx=<0
qr: T=<0 full_matrices=full
svd: T=<0 full_matrices=full compute_uv=uv
lu: T=<0 output_idx_type=index
matrix_triangular_solve: T=<0 lower adjoint
self_adjoint_eig: T=<0 compute_v=vectors
slogdet: T=<0
stateless_random_int: T=<0 Tseed=<1 dtype=>0
stateless_multinomial: T=<0 Tseed=<2 output_dtype=dtype
edit_distance: T=<1 normalize
serialize_tensor: T=<0
print: T=<0 U=<*1 message first_n summarize
string_format: T=<*0 template placeholder summarize
print_v2: output_stream end
scatter_nd_add: T=<0 Tindices=<1
scatter_nd_sub: T=<0 Tindices=<1
scatter_nd_update: T=<0 Tindices=<1
ctc_beam_search_decoder: beam_width=width top_paths=top merge_repeated=merge
sparse_reshape:
set_size: T=<1
max_pool3d_grad: T=<2 TInput=<0 ksize strides padding data_format
max_pool3d_grad_grad: T=<0 ksize strides padding data_format
max_pool_grad_grad: T=<0 ksize strides padding data_format
searchsorted: T=<0 out_type
is_variable_initialized: dtype=<0
py_func: token Tin=<*0 Tout=types
py_func_stateless: token Tin=<*0 Tout=types
"""


def _parse(text: str) -> dict[str, list[tuple[str, str]]]:
    out = {}
    for line in text.strip().splitlines():
        op, _, words = line.partition(":")
        pairs = [w.partition("=") for w in words.split()]
        out[op] = [(name, source or name) for name, _, source in pairs]
    return out


def _ref(v: Value) -> str:
    return str(v.node.name if v.index == 0 else f"{v.node.name}:{v.index}")


def _attribute(n: Node, source: str) -> Any:
    if source.startswith("<*"):
        return encode(tuple([v.dtype for v in n.inputs[int(source[2:]) :]]))
    if source.startswith("<"):
        return encode(n.inputs[int(source[1:])].dtype)
    if source.startswith(">"):
        return encode(n.outputs[int(source[1:])].dtype)
    value = n.attrs[source]
    return encode(tuple(value) if isinstance(value, list) else value)


def _row(attributes: list[tuple[str, str]]) -> Callable[[Any, Any], Written]:
    def write(e: Any, n: Any) -> Written:
        attrs = {name: _attribute(n, source) for name, source in attributes}
        return [_ref(v) for v in n.inputs], {"op": n.type, **attrs}

    return write


def _lengths(e: Any, n: Any) -> Written:
    """``RFFT`` and ``IRFFT`` have the lengths of the real side as an operand."""
    (x,), rank = n.inputs, n.attrs["n"]
    x_ref, t, kind = _ref(x), x.dtype, n.type
    given = n.attrs["lengths"]
    if given is not None:
        lengths = e.beside(n, "fft_length", np.array(given, np.int32), int32)
        x_ref = _padded(e, n, given)
    else:
        shape = e.aux(n, "Shape", "Shape", [x_ref], T=t, out_type=int32)
        begin, end, step = (e.beside(n, k, np.array([v], np.int32), int32)
                            for k, v in (("begin", -rank), ("end", 0), ("step", 1)))  # fmt: skip
        lengths = e.aux(n, "strided_slice", "StridedSlice", [shape, begin, end, step], T=int32,
                        Index=int32, begin_mask=0, end_mask=1, ellipsis_mask=0,
                        new_axis_mask=0, shrink_axis_mask=0)  # fmt: skip
        if kind.startswith("I"):  # the last axis is a half: 2 * (size - 1)
            times, less = np.ones(rank, np.int32), np.zeros(rank, np.int32)
            times[-1], less[-1] = 2, 1
            one = e.beside(n, "less", less, int32)
            two = e.beside(n, "times", times, int32)
            half = e.aux(n, "Sub", "Sub", [lengths, one], T=int32)
            whole = e.aux(n, "Mul", "Mul", [half, two], T=int32)
            zero = e.beside(n, "zero", np.zeros((), np.int32), int32)
            lengths = e.aux(n, "Maximum", "Maximum", [whole, zero], T=int32)
    return [x_ref, lengths], {"op": kind}


def _padded(e: Any, n: Any, lengths: Any) -> str:
    """The operand of a transform with zeros behind what is too short."""
    x = n.inputs[0]
    wanted = [*lengths[:-1], lengths[-1] // 2 + 1 if n.type.startswith("I") else lengths[-1]]
    known = x.static_shape
    if known is None:
        return _ref(x)
    more = np.zeros((len(known), 2), np.int32)
    for i, (have, want) in enumerate(zip(known[-len(wanted) :], wanted, strict=True)):
        if type(have) is int and have < want:
            more[len(known) - len(wanted) + i, 1] = want - have
    if not more.any():
        return _ref(x)
    paddings = e.beside(n, "paddings", more, int32)
    return str(e.aux(n, "Pad", "Pad", [_ref(x), paddings], T=x.dtype, Tpaddings=int32))


#: What is drawn → type.
_STATELESS = {"uniform": "StatelessRandomUniform", "normal": "StatelessRandomNormal",
              "truncated_normal": "StatelessTruncatedNormal"}  # fmt: skip


def _stateless(e: Any, n: Any) -> Written:
    shape, seed = n.inputs
    attrs = {"T": encode(shape.dtype), "Tseed": encode(seed.dtype),
             "dtype": encode(n.attrs["dtype"])}  # fmt: skip
    return [_ref(shape), _ref(seed)], {"op": _STATELESS[n.attrs["kind"]], **attrs}


def _sampler(e: Any, n: Any) -> Written | None:
    """The classes that a sampler draws from, with the seeds from which TensorFlow draws."""
    names = ("num_true", "num_sampled", "unique", "range_max", "seed", "seed2")
    attrs = {k: encode(n.attrs[k]) for k in names}
    if n.attrs["kind"] == "all":
        attrs.pop("range_max")
    if n.attrs["kind"] == "fixed":
        return None
    return [_ref(n.inputs[0])], {"op": n.type, **attrs}


def _ctc_loss(e: Any, n: Any) -> Written | None:
    a = n.attrs
    if a["blank"] != -1 or not a["strict"]:
        return None
    attrs = {"preprocess_collapse_repeated": a["collapse"], "ctc_merge_repeated": a["merge"],
             "ignore_longer_outputs_than_inputs": a["ignore"]}  # fmt: skip
    return [_ref(v) for v in n.inputs], {"op": n.type, **{k: encode(v) for k, v in attrs.items()}}


def _ensure_shape(e: Any, n: Any) -> Written:
    attrs = {"T": encode(n.inputs[0].dtype), "shape": encode(n.attrs["shape"], shape=True)}
    return [_ref(n.inputs[0])], {"op": n.type, **attrs}


def _count_up_to(e: Any, n: Any) -> Written:
    attrs = {"limit": encode(n.attrs["limit"]), "T": encode(n.attrs["dtype"])}
    return [n.attrs["variable"]], {"op": n.type, **attrs}


def _initialized_value(e: Any, n: Any) -> Written:
    """What the variable holds, where it holds something, else the other operand."""
    ref, initial = n.inputs
    t = ref.dtype
    there = e.aux(n, "IsVariableInitialized", "IsVariableInitialized", [_ref(ref)], dtype=t)
    held = e.aux(n, "RefSwitch", "RefSwitch", [_ref(ref), there], T=t)
    read = e.aux(n, "read", "Identity", [f"{held}:1"], T=t)
    other = e.aux(n, "Switch", "Switch", [_ref(initial), there], T=t)
    return [other, read], {"op": "Merge", "T": encode(t), "N": encode(2)}


def _scatter_nd(e: Any, n: Any) -> Written:
    """The shape is of the indices' type."""
    indices, updates = n.inputs[:2]
    t = indices.dtype
    dynamic = dict(zip(n.attrs.get("dynamic", ()), n.inputs[2:], strict=False))
    if dynamic:
        v = dynamic["shape"]
        shape = _ref(v)
        if v.dtype is not t:
            shape = e.aux(n, "Cast", "Cast", [shape], SrcT=v.dtype, DstT=t)
    else:
        shape = e.beside(n, "shape", np.array(n.attrs["shape"], t.np), t)
    attrs = {"op": "ScatterNd", "T": encode(updates.dtype), "Tindices": encode(t)}
    return [_ref(indices), _ref(updates), shape], attrs


def _sparse_order(e: Any, n: Any) -> Written:
    """``SparseReorder`` of the numbers of the rows."""
    (indices,) = n.inputs
    zero, one = (e.beside(n, k, np.array(v, np.int32), int32) for k, v in (("0", 0), ("1", 1)))
    least = e.beside(n, "least", np.ones((), np.int64), int64)
    last = e.aux(n, "Max", "Max", [_ref(indices), zero], T=int64, Tidx=int32, keep_dims=False)
    size = e.aux(n, "add", "Add", [last, least], T=int64)
    shape = e.aux(n, "Maximum", "Maximum", [size, least], T=int64)
    sizes = e.aux(n, "Shape", "Shape", [_ref(indices)], T=int64, out_type=int32)
    count = e.aux(n, "GatherV2", "GatherV2", [sizes, zero, zero], Tparams=int32, Tindices=int32,
                  Taxis=int32, batch_dims=0)  # fmt: skip
    rows = e.aux(n, "range", "Range", [zero, count, one], Tidx=int32)
    numbers = e.aux(n, "Cast", "Cast", [rows], SrcT=int32, DstT=int64)
    made = e.aux(n, "SparseReorder", "SparseReorder", [_ref(indices), numbers, shape], T=int64)
    return [f"{made}:1"], {"op": "Identity", "T": encode(int64)}


def _sparse_fill_empty_rows(e: Any, n: Any) -> Written:
    """With the numbers of the rows as values, and behind them that of the default."""
    indices, shape = n.inputs
    zero, one = (e.beside(n, k, np.array(v, np.int32), int32) for k, v in (("0", 0), ("1", 1)))
    sizes = e.aux(n, "Shape", "Shape", [_ref(indices)], T=int64, out_type=int32)
    count = e.aux(n, "GatherV2", "GatherV2", [sizes, zero, zero], Tparams=int32, Tindices=int32,
                  Taxis=int32, batch_dims=0)  # fmt: skip
    rows = e.aux(n, "range", "Range", [zero, count, one], Tidx=int32)
    numbers = e.aux(n, "Cast", "Cast", [rows], SrcT=int32, DstT=int64)
    end = e.aux(n, "Cast", "Cast", [count], SrcT=int32, DstT=int64)
    return [_ref(indices), numbers, _ref(shape), end], {"op": n.type, "T": encode(int64)}


def _sparse_places(e: Any, n: Any) -> Written:
    """The numbers of the rows that lie in a box."""
    indices, start, size = map(_ref, n.inputs)
    end = e.aux(n, "add", "Add", [start, size], T=int64)
    low = e.aux(n, "GreaterEqual", "GreaterEqual", [indices, start], T=int64)
    high = e.aux(n, "Less", "Less", [indices, end], T=int64)
    both = e.aux(n, "LogicalAnd", "LogicalAnd", [low, high])
    axis = e.beside(n, "axis", np.ones((), np.int32), int32)
    inside = e.aux(n, "All", "All", [both, axis], Tidx=int32, keep_dims=False)
    found = e.aux(n, "Where", "Where", [inside], T=bool_)
    flat = e.beside(n, "flat", np.array([-1], np.int32), int32)
    return [found, flat], {"op": "Reshape", "T": encode(int64), "Tshape": encode(int32)}


def _along_last(kind: str) -> Callable[[Any, Any], Written | None]:
    """Along the last axis as it is, along another between two transposes."""

    def write(e: Any, n: Any) -> Written | None:
        (x,) = n.inputs
        t, rank = x.dtype, x.rank
        axis = n.attrs.get("axis", -1)
        if rank is None and axis != -1:
            return None
        if axis in (-1, None) or axis == rank - 1:
            return [_ref(x)], {"op": kind, "T": encode(t)}
        order = np.arange(rank, dtype=np.int32)
        order[axis], order[-1] = order[-1], order[axis]
        perm = e.beside(n, "perm", order, int32)
        turned = e.aux(n, "transpose", "Transpose", [_ref(x), perm], T=t, Tperm=int32)
        made = e.aux(n, kind, kind, [turned], T=t)
        return [made, perm], {"op": "Transpose", "T": encode(t), "Tperm": encode(int32)}

    return write


def _reduce_logsumexp(e: Any, n: Any) -> Written | None:
    """``log(sum(exp(x - m))) + m``, where m is the greatest number, or 0 where that is infinite."""
    x, t = n.inputs[0], n.inputs[0].dtype
    dynamic = dict(zip(n.attrs.get("dynamic", ()), n.inputs[1:], strict=False))
    axes, _ = e.operand(n, "axis", dynamic)
    keep = bool(n.attrs.get("keepdims", False))
    top = e.aux(n, "Max", "Max", [_ref(x), axes], T=t, Tidx=int32, keep_dims=True)
    finite = e.aux(n, "IsFinite", "IsFinite", [top], T=t)
    zeros = e.aux(n, "ZerosLike", "ZerosLike", [top], T=t)
    m = e.aux(n, "Select", "Select", [finite, top, zeros], T=t)
    shifted = e.aux(n, "Sub", "Sub", [_ref(x), m], T=t)
    exps = e.aux(n, "Exp", "Exp", [shifted], T=t)
    total = e.aux(n, "Sum", "Sum", [exps, axes], T=t, Tidx=int32, keep_dims=keep)
    logs = e.aux(n, "Log", "Log", [total], T=t)
    if not keep:
        shape = e.aux(n, "Shape", "Shape", [logs], T=t, out_type=int32)
        m = e.aux(n, "Reshape", "Reshape", [m, shape], T=t, Tshape=int32)
    return [logs, m], {"op": "Add", "T": encode(t)}


def _scatter_last(e: Any, n: Any) -> Written:
    """Each update where its index is, summed over the updates."""
    g, indices, like = n.inputs
    t = g.dtype
    shape = e.aux(n, "Shape", "Shape", [_ref(like)], T=like.dtype, out_type=int32)
    last, end, step = (e.beside(n, k, np.array([v], np.int32), int32)
                       for k, v in (("last", -1), ("end", 0), ("step", 1)))  # fmt: skip
    depth = e.aux(n, "strided_slice", "StridedSlice", [shape, last, end, step], T=int32,
                  Index=int32, begin_mask=0, end_mask=1, ellipsis_mask=0, new_axis_mask=0,
                  shrink_axis_mask=1)  # fmt: skip
    on, off = (e.beside(n, k, np.array(v), bool_) for k, v in (("on", True), ("off", False)))
    hot = e.aux(n, "one_hot", "OneHot", [_ref(indices), depth, on, off], T=bool_,
                TI=indices.dtype, axis=-1)  # fmt: skip
    behind = e.beside(n, "behind", np.array(-1, np.int32), int32)
    each = e.aux(n, "ExpandDims", "ExpandDims", [_ref(g), behind], T=t, Tdim=int32)
    zero = e.beside(n, "zero", np.zeros((), t.np), t)
    rows = e.aux(n, "SelectV2", "SelectV2", [hot, each, zero], T=t)
    axis = e.beside(n, "axis", np.array(-2, np.int32), int32)
    return [rows, axis], {"op": "Sum", "T": encode(t), "Tidx": encode(int32),
                          "keep_dims": encode(False)}  # fmt: skip


def _take_last(e: Any, n: Any) -> Written | None:
    x, at = n.inputs
    if x.rank is None:
        return None
    axis = e.beside(n, "axis", np.array(x.rank - 1, np.int32), int32)
    attrs = {"Tparams": x.dtype, "Tindices": at.dtype, "Taxis": int32, "batch_dims": x.rank - 1}
    return [_ref(x), _ref(at), axis], {"op": "GatherV2",
                                       **{k: encode(v) for k, v in attrs.items()}}  # fmt: skip


def _vocabulary_lookup(e: Any, n: Any) -> Written | None:
    """The place of each value in a list, by comparing it with all of them.

    TensorFlow makes a table, which another operation fills; here the list is in the graph.
    """
    (x,), words = n.inputs, n.attrs["vocabulary"]
    t, default = x.dtype, n.attrs["default"]
    if not words or (n.attrs["more"] and t.kind != "s"):
        return None
    axis = e.beside(n, "axis", np.array(-1, np.int32), int32)
    keys = e.beside(n, "keys", np.array(words, object if t.kind == "s" else t.np), t)
    each = e.aux(n, "ExpandDims", "ExpandDims", [_ref(x), axis], T=t, Tdim=int32)
    equal = e.aux(n, "Equal", "Equal", [each, keys], T=t)
    ones = e.aux(n, "Cast", "Cast", [equal], SrcT=bool_, DstT=int32)
    place = e.aux(n, "ArgMax", "ArgMax", [ones, axis], T=int32, Tidx=int32, output_type=int64)
    found = e.aux(n, "Any", "Any", [equal, axis], Tidx=int32, keep_dims=False)
    if n.attrs["more"]:
        bucket = e.aux(n, "hash", "StringToHashBucketFast", [_ref(x)], num_buckets=n.attrs["more"])
        count = e.beside(n, "count", np.array(len(words), np.int64), int64)
        other = e.aux(n, "add", "Add", [bucket, count], T=int64)
    else:
        other = e.beside(n, "default", np.array(default, np.int64), int64)
    return [found, place, other], {"op": "SelectV2", "T": encode(int64)}


def _report_uninitialized(e: Any, n: Any) -> Written | None:
    """The names of the variables that hold nothing."""
    if not n.inputs:
        return None
    held = [
        e.aux(n, "IsVariableInitialized", "IsVariableInitialized", [_ref(v)], dtype=v.dtype)
        for v in n.inputs
    ]
    known = e.aux(n, "stack", "Pack", held, T=bool_, N=len(held), axis=0)
    missing = e.aux(n, "LogicalNot", "LogicalNot", [known])
    found = e.aux(n, "Where", "Where", [missing], T=bool_)
    flat = e.beside(n, "flat", np.array([-1], np.int32), int32)
    at = e.aux(n, "Reshape", "Reshape", [found, flat], T=int64, Tshape=int32)
    names = e.beside(n, "names", np.array([k.encode() for k in n.attrs["names"]], object), string)
    axis = e.beside(n, "axis", np.zeros((), np.int32), int32)
    attrs = {"Tparams": string, "Tindices": int64, "Taxis": int32, "batch_dims": 0}
    return [names, at, axis], {"op": "GatherV2", **{k: encode(v) for k, v in attrs.items()}}


def _non_max_suppression(e: Any, n: Any) -> Written | None:
    """The version that has all outputs, and how quickly scores fall as an operand."""
    if n.attrs["matrix"]:
        return None
    t = n.inputs[0].dtype
    sigma = e.beside(n, "soft_nms_sigma", np.array(n.attrs["sigma"], t.np), t)
    attrs = {"T": encode(t), "pad_to_max_output_size": encode(bool(n.attrs["pad"]))}
    return [*map(_ref, n.inputs), sigma], {"op": "NonMaxSuppressionV5", **attrs}


def _fractional_pool(e: Any, n: Any) -> Written:
    seed, seed2 = n.attrs["seeds"]
    attrs = {"pooling_ratio": tuple(n.attrs["ratio"]), "seed": seed, "seed2": seed2,
             "T": n.inputs[0].dtype}  # fmt: skip
    attrs |= {k: n.attrs[k] for k in ("pseudo_random", "overlapping", "deterministic")}
    return [_ref(n.inputs[0])], {"op": n.type, **{k: encode(v) for k, v in attrs.items()}}


def _pools_back(e: Any, n: Any) -> Written:
    shape = n.attrs.get("orig_input_shape")
    grad = n.inputs[0]
    first = (
        _ref(n.inputs[-1]) if shape is None
        else e.beside(n, "orig_input_shape", np.array(shape, np.int32), int32)
    )  # fmt: skip
    names = ("ksize", "strides", "padding", "data_format")
    attrs = {k: encode(n.attrs[k]) for k in names}
    return [first, _ref(grad)], {"op": n.type, "T": encode(grad.dtype), **attrs}


def _conv_back(sizes: str) -> Callable[[Any, Any], Written]:
    """Gradients of a convolution of volumes; the sizes of what they are of are an operand."""

    def write(e: Any, n: Any) -> Written:
        a, b = n.inputs[:2]
        dynamic = dict(zip(n.attrs.get("dynamic", ()), n.inputs[2:], strict=False))
        shape, t = e.operand(n, sizes, dynamic)
        names = ("strides", "padding", "data_format", "dilations")
        attrs = {k: encode(n.attrs[k]) for k in names}
        if n.op.name == "conv3d_backprop_input":
            return [shape, _ref(a), _ref(b)], {"op": n.type, "T": encode(a.dtype),
                                               "Tshape": encode(t), **attrs}  # fmt: skip
        return [_ref(a), shape, _ref(b)], {"op": n.type, "T": encode(a.dtype), **attrs}

    return write


def _transpose(e: Any, n: Any) -> Written:
    """All axes turned round, of however many there are."""
    x = n.inputs[0]
    t = x.dtype
    dynamic = dict(zip(n.attrs.get("dynamic", ()), n.inputs[1:], strict=False))
    if n.attrs.get("perm") is None and not dynamic and x.rank is None:
        zero, one = (e.beside(n, k, np.array(v, np.int32), int32) for k, v in (("0", 0), ("1", 1)))
        rank = e.aux(n, "Rank", "Rank", [_ref(x)], T=t)
        numbers = e.aux(n, "Range", "Range", [zero, rank, one], Tidx=int32)
        last = e.aux(n, "sub", "Sub", [rank, one], T=int32)
        perm = e.aux(n, "sub", "Sub", [last, numbers], T=int32)
        p = int32
    else:
        perm, p = e.operand(n, "perm", dynamic)
    return [_ref(x), perm], {"op": "Transpose", "T": encode(t), "Tperm": encode(p)}


#: Op → how it is written; None where it is as graphc's own.
ROWS: dict[str, Callable[[Any, Any], Written | None]] = {
    **{op: _row(attributes) for op, attributes in _parse(_TABLE).items()},
    "rfft": _lengths, "irfft": _lengths, "stateless_random": _stateless,
    "candidate_sampler": _sampler, "draw_candidates": _sampler, "ctc_loss": _ctc_loss,
    "ensure_shape": _ensure_shape,
    "count_up_to": _count_up_to, "scatter_nd": _scatter_nd, "sparse_order": _sparse_order,
    "initialized_value": _initialized_value, "sparse_places": _sparse_places,
    "sparse_fill_empty_rows": _sparse_fill_empty_rows, "softmax": _along_last("Softmax"),
    "log_softmax": _along_last("LogSoftmax"), "reduce_logsumexp": _reduce_logsumexp,
    "avg_pool3d_grad": _pools_back, "scatter_last": _scatter_last, "take_last": _take_last,
    "vocabulary_lookup": _vocabulary_lookup, "report_uninitialized": _report_uninitialized,
    "fractional_pool": _fractional_pool, "non_max_suppression": _non_max_suppression,
    "conv3d_backprop_input": _conv_back("input_sizes"),
    "conv3d_backprop_filter": _conv_back("filter_sizes"), "transpose": _transpose,
}  # fmt: skip
