"""Nodes of TensorFlow's that are several here: gradients of ops, variables by handle.

A function gets the ``NodeDef``, its inputs and a name that ends in ``/``; it gives the outputs, or
an operation that has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.graphdef.attributes import decode
from graphc.graphdef.datasets import DATASETS
from graphc.graphdef.functions import FUNCTIONAL
from graphc.graphdef.hosts import HOSTS
from graphc.graphdef.queues import QUEUES
from graphc.graphdef.readers import READERS
from graphc.graphdef.tables import TABLES
from graphc.graphdef.tensors import shape_of
from graphc.ir.build import build
from graphc.ir.node import Node, Value
from graphc.ir.registry import OPS
from graphc.ops import arrays, fills, math, reduce, shapes, spaced, state
from graphc.ops.check import assert_op
from graphc.ops.convert import make_constant
from graphc.ops.norm import fused_batch_norm_op

__all__ = ["SEVERAL", "attribute"]

Made = Sequence[Value] | Node
Maker = Callable[[Any, list[Value], str], Made]


def attribute(n: Any, name: str, default: Any) -> Any:
    """An attribute of a message, or what it is where the message leaves it out."""
    return decode(n.attr[name]) if name in n.attr else default


# --------------------------------------------------------------------- gradients


def _slope(op: str, of_result: bool, gradient_first: bool) -> Maker:
    """The gradient of an elementwise op, of which TensorFlow's node gets operand or result."""

    def make(n: Any, values: list[Value], name: str) -> Made:
        dy, x = values if gradient_first else values[::-1]
        attrs = {"alpha": attribute(n, "alpha", 0.2)} if op == "leaky_relu" else {}
        grad = OPS[op].grad
        assert grad is not None
        made = grad(x, dy, None, **attrs) if of_result else grad(None, dy, x, **attrs)
        return [state.identity(made, name=name)]

    return make


def _bias_add_grad(n: Any, values: list[Value], name: str) -> Made:
    (dy,) = values
    rank = dy.rank
    if attribute(n, "data_format", "NHWC") == "NCHW":
        if rank is None:
            raise ValueError("the rank of the gradient is not known")
        axes: Any = [i for i in range(rank) if i != 1]
    elif rank is None:
        axes = spaced.range(shapes.rank(dy) - 1)
    else:
        axes = list(range(rank - 1))
    return [reduce.reduce_sum(dy, axes, name=name)]


def _batch_norm(n: Any, values: list[Value], name: str) -> Made:
    training = attribute(n, "is_training", True)
    attrs = {
        "epsilon": max(float(attribute(n, "epsilon", 1e-4)), 1.001e-5),
        "data_format": attribute(n, "data_format", "NHWC"),
        "is_training": training,
    }
    y, mean, variance = build(
        fused_batch_norm_op, values[:3] if training else values, attrs, name
    ).outputs
    # what only its gradient reads
    return [y, mean, variance, mean, variance, variance]


def _batch_norm_grad(n: Any, values: list[Value], name: str) -> Made:
    dy, x, scale, mean, variance, *_ = values
    training = attribute(n, "is_training", True)
    grad = fused_batch_norm_op.grad
    assert grad is not None
    dx, dscale, doffset, *_ = grad(
        None, (dy, None, None), x, scale, scale, *(() if training else (mean, variance)),
        epsilon=float(attribute(n, "epsilon", 1e-4)),
        data_format=attribute(n, "data_format", "NHWC"), is_training=training,
    )  # fmt: skip
    return [state.identity(dx, name=name), dscale, doffset, dscale, doffset]


def _concat_offset(n: Any, values: list[Value], name: str) -> Made:
    axis, *sizes = values
    rank = shapes.size(sizes[0])
    at = math.where(axis < 0, axis + rank, axis)
    along = math.cast(math.equal(spaced.range(rank), at), sizes[0].dtype)
    value = axis.node.attrs.get("value")
    shape = sizes[0].static_shape
    if value is not None and shape is not None and type(shape[0]) is int:
        mask = np.zeros(shape[0], np.int32)
        mask[int(value)] = 1
        along = make_constant(mask, sizes[0].dtype, "along")
    out = [fills.zeros_like(sizes[0], name=name)]
    for s in sizes[:-1]:
        out.append(out[-1] + s * along)
    return out


def _spread(n: Any, values: list[Value], name: str) -> Made:
    s0, s1 = values
    return arrays.broadcast_gradient_args(s0, s1, name)


# --------------------------------------------------------------------- the rest


def _assert(n: Any, values: list[Value], name: str) -> Made:
    return build(assert_op, values, {}, name)


def _select(n: Any, values: list[Value], name: str) -> Made:
    condition, x, y = values
    return [math.where(condition, x, y, name=name)]  # a vector of conditions chooses rows


def _ctc_loss(n: Any, values: list[Value], name: str) -> Made:
    attrs = {
        "blank": -1, "strict": True, "merge": attribute(n, "ctc_merge_repeated", True),
        "collapse": attribute(n, "preprocess_collapse_repeated", False),
        "ignore": attribute(n, "ignore_longer_outputs_than_inputs", False),
    }  # fmt: skip
    return build(OPS["ctc_loss"], values, attrs, name).outputs


def _nothing(n: Any, values: list[Value], name: str) -> Made:
    return state.no_op(name)


def _initialized(n: Any, values: list[Value], name: str) -> Made:
    return [state.is_variable_initialized(values[0], name=name)]


def _handle(n: Any, values: list[Value], name: str) -> Made:
    attrs = {"var": name[:-1], "dtype": decode(n.attr["dtype"]),
             "shape": shape_of(n.attr["shape"].shape)}  # fmt: skip
    return build(OPS["variable"], (), attrs, name).outputs


def _read(n: Any, values: list[Value], name: str) -> Made:
    return [state.identity(values[0], name=name)]


def _gather(n: Any, values: list[Value], name: str) -> Made:
    return [arrays.gather(values[0], values[1], axis=0, name=name)]


def _changed(op: str) -> Maker:
    """An operation that changes a variable; TensorFlow's has no output."""

    def make(n: Any, values: list[Value], name: str) -> Made:
        target = state.reference(values[0], n.op)
        attrs: dict[str, Any] = {}
        if op == "assign":
            attrs["validate_shape"] = False
        return build(OPS[op], [target, *values[1:]], attrs, name)

    return make


#: Type → what makes its outputs.
SEVERAL: dict[str, Maker] = {
    "TanhGrad": _slope("tanh", True, False),
    "SigmoidGrad": _slope("sigmoid", True, False),
    "SqrtGrad": _slope("sqrt", True, False),
    "RsqrtGrad": _slope("rsqrt", True, False),
    "InvGrad": _slope("reciprocal", True, False),
    "ReciprocalGrad": _slope("reciprocal", True, False),
    "EluGrad": _slope("elu", True, True),
    "SeluGrad": _slope("selu", True, True),
    "SoftplusGrad": _slope("softplus", False, True),
    "SoftsignGrad": _slope("softsign", False, True),
    "LeakyReluGrad": _slope("leaky_relu", False, True),
    "BiasAddGrad": _bias_add_grad,
    "FusedBatchNorm": _batch_norm, "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm, "FusedBatchNormGrad": _batch_norm_grad,
    "FusedBatchNormGradV2": _batch_norm_grad, "FusedBatchNormGradV3": _batch_norm_grad,
    "ConcatOffset": _concat_offset, "BroadcastGradientArgs": _spread,
    "Assert": _assert, "Select": _select, "ControlTrigger": _nothing,
    "CTCLoss": _ctc_loss,
    "IsVariableInitialized": _initialized, "VarIsInitializedOp": _initialized,
    "VarHandleOp": _handle, "ReadVariableOp": _read, "ResourceGather": _gather,
    "AssignVariableOp": _changed("assign"), "AssignAddVariableOp": _changed("assign_add"),
    "AssignSubVariableOp": _changed("assign_sub"),
    **{f"ResourceScatter{k.capitalize()}": _changed(f"scatter_{k}")
       for k in ("update", "add", "sub", "mul", "div", "min", "max")},
    **TABLES, **QUEUES, **READERS, **DATASETS, **FUNCTIONAL, **HOSTS,
}  # fmt: skip
