"""Nodes of TensorFlow's that are a call of a public function here.

A row gets the public module, the inputs, and ``a(name, default)`` for attributes; it gives what the
function gives.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from graphc.graphdef.nodes import attribute
from graphc.graphdef.texts import TEXTS
from graphc.ir import dtypes
from graphc.ir.node import Node, Value
from graphc.ops import state

__all__ = ["CALLS", "call"]

Row = Callable[[Any, list[Value], Callable[[str, Any], Any]], Any]


def _resized(function: str) -> Row:
    return lambda tf, x, a: getattr(tf.image, function)(
        *x, align_corners=a("align_corners", False),
        half_pixel_centers=a("half_pixel_centers", False),
    )  # fmt: skip


def _resized_back(function: str) -> Row:
    """The gradient of a resize, which is linear: the gradient at any picture."""

    def row(tf: Any, x: list[Value], a: Any) -> Any:
        dy, like = x
        if like.dtype.kind == "i":  # the sizes alone
            shape = tf.concat([tf.shape(dy)[:1], like, tf.shape(dy)[3:]], 0)
            like = tf.zeros(shape, dy.dtype)
        size = tf.shape(dy)[1:3]
        y = _resized(function)(tf, [like, size], a)
        return tf.gradients([y], [like], [dy])[0]

    return row


def _stitch(tf: Any, x: list[Value], a: Any) -> Any:
    half = len(x) // 2
    return tf.dynamic_stitch(x[:half], x[half:])


def _lrn_grad(tf: Any, x: list[Value], a: Any) -> Any:
    dy, given, _ = x
    y = tf.nn.lrn(
        given, a("depth_radius", 5), a("bias", 1.0), a("alpha", 1.0), a("beta", 0.5)
    )  # fmt: skip
    return tf.gradients([y], [given], [dy])[0]


def _padded_back(tf: Any, x: list[Value], a: Any) -> Any:
    dy, paddings = x
    given = tf.zeros(tf.shape(dy) - tf.reduce_sum(paddings, 1), dy.dtype)
    return tf.gradients([tf.pad(given, paddings, a("mode", ""))], [given], [dy])[0]


def _dense(tf: Any, x: list[Value], a: Any) -> Any:
    sparse = tf.SparseTensor(*x[:3])
    return tf.sparse.matmul(
        sparse, x[3], adjoint_a=a("adjoint_a", False), adjoint_b=a("adjoint_b", False)
    )  # fmt: skip


def _plain(path: str) -> Row:
    """A function of the inputs alone."""

    def row(tf: Any, x: list[Value], a: Any) -> Any:
        return functools.reduce(getattr, path.split("."), tf)(*x)

    return row


#: Type = function of the inputs alone.
_PLAIN = """
OnesLike=ones_like Gather=gather Mod=truncatemod Cross=cross Igamma=igamma Igammac=igammac
Zeta=zeta Polygamma=polygamma Betainc=betainc UnravelIndex=unravel_index
SegmentSum=segment_sum SegmentMean=segment_mean SegmentMax=segment_max SegmentMin=segment_min
SegmentProd=segment_prod SparseSegmentSum=sparse_segment_sum SparseSegmentMean=sparse_segment_mean
SparseSegmentSqrtN=sparse_segment_sqrt_n TensorScatterAdd=tensor_scatter_add
TensorScatterSub=tensor_scatter_sub TensorScatterUpdate=tensor_scatter_update
SpaceToBatchND=space_to_batch_nd BatchToSpaceND=batch_to_space_nd MatrixDiagV2=matrix_diag
LogMatrixDeterminant=linalg.slogdet GatherTree=contrib.seq2seq.gather_tree
SelfAdjointEigV2=self_adjoint_eig HSVToRGB=image.hsv_to_rgb RGBToHSV=image.rgb_to_hsv
"""

CALLS: dict[str, Row] = {
    **{k: _plain(v) for k, _, v in (w.partition("=") for w in _PLAIN.split())},
    **TEXTS,
    "IdentityN": lambda tf, x, a: tf.identity_n(x),
    "AccumulateNV2": lambda tf, x, a: tf.add_n(x),
    "ListDiff": lambda tf, x, a: tf.setdiff1d(*x, index_dtype=a("out_idx", dtypes.int32)),
    "DynamicStitch": _stitch,
    "ParallelDynamicStitch": _stitch,
    "Qr": lambda tf, x, a: tf.qr(*x, full_matrices=a("full_matrices", False)),
    "Svd": lambda tf, x, a: tf.svd(
        *x, full_matrices=a("full_matrices", False), compute_uv=a("compute_uv", True)
    ),
    "MatrixTriangularSolve": lambda tf, x, a: tf.matrix_triangular_solve(
        *x, lower=a("lower", True), adjoint=a("adjoint", False)
    ),
    "SparseToDense": lambda tf, x, a: tf.sparse_to_dense(
        *x, validate_indices=a("validate_indices", True)
    ),
    "SparseTensorDenseMatMul": _dense,
    "InTopK": lambda tf, x, a: tf.nn.in_top_k(*x, a("k", 1)),
    "TopK": lambda tf, x, a: tf.nn.top_k(*x, k=a("k", 1), sorted=a("sorted", True)),
    "EnsureShape": lambda tf, x, a: tf.ensure_shape(*x, a("shape", None)),
    "HistogramFixedWidth": lambda tf, x, a: tf.histogram_fixed_width(
        *x, dtype=a("dtype", dtypes.int32)
    ),
    "DecodeCSV": lambda tf, x, a: tf.decode_csv(
        x[0],
        x[1:],
        field_delim=a("field_delim", ","),
        na_value=a("na_value", ""),
        use_quote_delim=a("use_quote_delim", True),
        select_cols=list(a("select_cols", ())) or None,
    ),
    "ResizeBilinear": _resized("resize_bilinear"),
    "ResizeNearestNeighbor": _resized("resize_nearest_neighbor"),
    "ResizeBicubic": _resized("resize_bicubic"),
    "ResizeBilinearGrad": _resized_back("resize_bilinear"),
    "ResizeNearestNeighborGrad": _resized_back("resize_nearest_neighbor"),
    "LRNGrad": _lrn_grad,
    "MirrorPadGrad": _padded_back,
    "ScatterNdUpdate": lambda tf, x, a: tf.scatter_nd_update(*x),
    "ScatterNdAdd": lambda tf, x, a: tf.scatter_nd_add(*x),
    "ScatterNdSub": lambda tf, x, a: tf.scatter_nd_sub(*x),
}


def call(n: Any, values: list[Value], name: str) -> Sequence[Value] | Node:
    """The outputs of a node; the first has its name."""
    import graphc

    made = CALLS[n.op](graphc, values, functools.partial(attribute, n))
    out = _flat(made)
    if "update" in out[0].node.op.facts:
        return out
    return [state.identity(out[0], name=name), *out[1:]]


def _flat(made: Any) -> list[Value]:
    if isinstance(made, Value):
        return [made]
    if hasattr(made, "dense_shape"):
        return [made.indices, made.values, made.dense_shape]
    return [v for part in made for v in _flat(part)]
