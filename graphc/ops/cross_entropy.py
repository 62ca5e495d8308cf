"""Softmax, and the losses of logits: cross entropies, Poisson."""

from __future__ import annotations

import math as _math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import ops
from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim
from graphc.ir.node import Value
from graphc.ops import math
from graphc.ops.activations import (
    relu,
)
from graphc.ops.counting import made, sized
from graphc.ops.lookup import take_last
from graphc.ops.operands import text
from graphc.ops.record import (
    Attrs,
    Op,
    Types,
    as_value,
    broadcast,
    check_kind,
    merge,
    op,
    quiet,
    shape_error,
    static_ints,
)  # fmt: skip
from graphc.ops.reduce import chosen, reduce_max, reduce_sum

__all__ = [
    "log_poisson_loss", "log_softmax", "shown", "sigmoid_cross_entropy_with_logits", "softmax",
    "softmax_cross_entropy_with_logits", "softmax_cross_entropy_with_logits_v2",
    "sparse_softmax_cross_entropy_with_logits", "weighted_cross_entropy_with_logits",
]  # fmt: skip


def _class_axis(axis: Any, x: Value) -> int:
    """The axis of the classes: normalised where the rank is known.

    Raises
    ------
    InvalidArgumentError
        When there is no such axis.
    """
    axis = static_ints(axis)
    axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    rank = x.rank
    if rank is None:
        return int(axis)
    if not -rank <= axis < rank:
        raise InvalidArgumentError(
            None, None,
            f"Dimension ({axis}) must be in the range [{-rank}, {rank}) where {rank} is the "
            "number of dimensions in the input.",
        )  # fmt: skip
    return int(axis) % rank


def _softmax_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    if x.rank == 0:
        raise shape_error("Shape must be at least rank 1 but is rank 0")
    return [(x.dtype, x.static_shape)]


#: The nodes of TF1's two swaps of axes, but the last transpose.
_ORDER = (
    "Sub/y", "Sub", "range/start", "range/limit", "range/delta", "range", "range/start",
    "range/delta", "range", "concat/values_1", "concat/values_3", "concat/axis", "concat",
)  # fmt: skip
_SWAPS = ("Rank", "Rank", *_ORDER, "transpose")


def _softmax_call(record: Op) -> Callable[..., Value]:
    def call(logits: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Value:
        axis = chosen("axis", axis, "dim", dim)
        x = as_value(logits)
        check_kind(record, "logits", x.dtype, record.types)
        if x.rank == 0:
            raise shape_error("Shape must be at least rank 1 but is rank 0")
        at = _class_axis(-1 if axis is None else axis, x)
        if at != -1 and x.rank is not None and at != x.rank - 1:
            # TF1 swaps the axis to the end and back
            current().reserve(*_SWAPS, record.tf, *_ORDER)
            name = name or "transpose"
        return build(record, (x,), {"axis": at}, name).outputs[0]

    call.__name__ = call.__qualname__ = record.name
    call.__doc__ = record.doc
    return call


def _shifted(x: Any, axis: int) -> Any:
    return x - np.max(x, axis=axis, keepdims=True, initial=x.dtype.type(-np.inf))


def _softmax(x: Any, *, axis: int) -> Any:
    e = np.exp(_shifted(x, axis))
    return e / np.sum(e, axis=axis, keepdims=True)


def _softmax_expand(x: Value, axis: int) -> Value:
    e = math.exp(x - reduce_max(x, axis, True))
    return e / reduce_sum(e, axis, True)  # type: ignore[no-any-return]


def _log_softmax(x: Any, *, axis: int) -> Any:
    z = _shifted(x, axis)
    return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))


def _log_softmax_expand(x: Value, axis: int) -> Value:
    z = x - reduce_max(x, axis, True)
    y: Value = z - math.log(reduce_sum(math.exp(z), axis, True))
    return y


softmax = op(
    "softmax", "Softmax", "composite",
    doc="exp(x) / sum(exp(x)) along an axis, the last by default.",
    args=("logits",), types="f", numpy=quiet(_softmax), infer=_softmax_infer,
    expand=_softmax_expand,
    grad=lambda y, dy, x, axis: (dy - reduce_sum(dy * y, axis, True)) * y,
)  # fmt: skip
softmax.call = _softmax_call(softmax)

log_softmax = op(
    "log_softmax", "LogSoftmax", "composite", doc="log(softmax(x)), without overflow.",
    args=("logits",), types="f", numpy=quiet(_log_softmax), infer=_softmax_infer,
    expand=_log_softmax_expand,
    grad=lambda y, dy, x, axis: dy - reduce_sum(dy, axis, True) * math.exp(y),
)  # fmt: skip
log_softmax.call = _softmax_call(log_softmax)


def _without(shape: tuple[Dim, ...], axis: int) -> tuple[Dim, ...]:
    at = axis % len(shape)
    return shape[:at] + shape[at + 1 :]


def _xent_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    logits, labels = inputs
    if logits.dtype is not labels.dtype:
        raise shape_error(f"logits are {logits.dtype.name} but labels {labels.dtype.name}")
    shape = broadcast(logits.static_shape, labels.static_shape)
    if shape == ():
        raise shape_error("Shape must be at least rank 1 but is rank 0")
    s, axis = logits.static_shape, attrs["axis"]
    if s is None or shape is None:
        return [(logits.dtype, None if s is None else _without(s, axis)), (logits.dtype, shape)]
    loss, want = _without(shape, axis % len(s) - len(s)), _without(s, axis)
    if len(loss) != len(want) or any(
        D.same(a, b) is False for a, b in zip(loss, want, strict=True)
    ):
        raise shape_error(
            f"logits of shape {text(s)} have no loss for each row of labels of shape "
            f"{text(labels.static_shape or ())}"
        )
    return [(logits.dtype, want), (logits.dtype, shape)]


def _of_all_classes(logits: Value, labels: Value, axis: int) -> Value:
    """Logits of one class stand for as many as there are labels."""
    s, t = logits.static_shape, labels.static_shape
    if s is None or t is None or s[axis] != 1:
        return logits
    at = axis % len(s)
    behind = len(s) - at
    classes = t[-behind] if len(t) >= behind else 1
    if classes == 1:
        return logits
    shape = (*s[:at], classes, *s[at + 1 :])
    return build(ops.broadcasting.broadcast_to_op, (logits,), {"shape": shape}).outputs[0]


def _xent(logits: Any, labels: Any, *, axis: int) -> Any:
    logits = np.broadcast_to(logits, np.broadcast_shapes(logits.shape, labels.shape))
    z = _shifted(logits, axis)
    e = np.exp(z)
    s = np.sum(e, axis=axis, keepdims=True)
    return np.sum(labels * (np.log(s) - z), axis=axis), e / s - labels


def _xent_expand(logits: Value, labels: Value, axis: int) -> Any:
    logits = _of_all_classes(logits, labels, axis)
    z = logits - reduce_max(logits, axis, True)
    e = math.exp(z)
    s = reduce_sum(e, axis, True)
    return reduce_sum(labels * (math.log(s) - z), axis), e / s - labels


def _through_softmax(g: Value, x: Value, axis: int) -> Value:
    """The gradient for `x` of softmax(x), which gets `g`."""
    p = softmax(x, axis)
    return (g - reduce_sum(g * p, axis, True)) * p  # type: ignore[no-any-return]


def _xent_grad(y: Any, dy: Any, logits: Value, labels: Value, axis: int) -> Any:
    """As TF 1.15: the loss passes the op's second output on, which itself has a gradient.

    So the first derivative takes the labels to sum to 1, and their gradient through the
    second output is left out.
    """
    dloss, dback = dy
    dlogits = dlabels = None
    if dloss is not None:
        row = ops.shapes.expand_dims(dloss, axis)
        dlogits = row * y[1]
        dlabels = row * -log_softmax(_of_all_classes(logits, labels, axis), axis)
    if dback is not None:
        more = _through_softmax(dback, logits, axis)
        dlogits = more if dlogits is None else dlogits + more
    return _unspread(dlogits, logits), _unspread(dlabels, labels)


def _unspread(g: Value | None, x: Value) -> Value | None:
    """A gradient summed to the shape of its operand, where that was broadcast."""
    return None if g is None else ops.broadcasting.sum_to_like(g, x)


softmax_xent = op(
    "softmax_cross_entropy", "SoftmaxCrossEntropyWithLogits", "composite",
    doc="Cross entropy of softmax(logits) with labels, and its derivative by the logits.",
    args=("logits", "labels"), types="f", numpy=quiet(_xent), infer=_xent_infer,
    expand=_xent_expand, grad=_xent_grad, facts={"partial_gradients": True},
)  # fmt: skip


def _named_only(function: str, sentinel: Any, labels: Any, logits: Any) -> None:
    if sentinel is not None:
        raise ValueError(
            f"Only call `{function}` with named arguments (labels=..., logits=..., ...)"
        )
    if labels is None or logits is None:
        raise ValueError("Both labels and logits must be provided.")


#: What TF1 makes to bring logits and labels to two axes, and the loss back.
_FLATTENED = (
    "Rank", "Shape", "Rank_1", "Shape_1", "Sub/y", "Sub", "Slice/begin", "Slice/size", "Slice",
    "concat/values_0", "concat/axis", "concat", "Reshape", "Rank_2", "Shape_2", "Sub_1/y", "Sub_1",
    "Slice_1/begin", "Slice_1/size", "Slice_1", "concat_1/values_0", "concat_1/axis", "concat_1",
    "Reshape_1", "SoftmaxCrossEntropyWithLogits", "Sub_2/y", "Sub_2", "Slice_2/begin",
    "Slice_2/size", "Slice_2",
)  # fmt: skip


def softmax_cross_entropy_with_logits_v2(
    labels: Any, logits: Any, axis: Any = None, name: str | None = None, dim: Any = None
) -> Value:
    """Cross entropy of softmax(logits) with label distributions, along an axis.

    Gradients flow into `labels`, too.
    """
    axis = chosen("axis", axis, "dim", dim)
    with current().scope(name, "softmax_cross_entropy_with_logits"):
        x = as_value(logits, name="logits")
        z = as_value(labels, name="labels")
        half = x.dtype in (dtypes.float16, dtypes.bfloat16)
        precise = math.cast(x, dtypes.float32) if half else x
        check_kind(softmax_xent, "features", precise.dtype, "f")
        z = math.cast(z, precise.dtype)
        attrs = {"axis": _class_axis(-1 if axis is None else axis, precise)}
        # TF1 flattens to two axes: what it returns is the last of three reshapes
        current().reserve(*_FLATTENED)
        loss = build(softmax_xent, (precise, z), attrs, "Reshape_2").outputs[0]
        return math.cast(loss, x.dtype)  # type: ignore[no-any-return]


def softmax_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    dim: Any = -1,
    name: str | None = None,
    axis: Any = None,
) -> Value:
    """Cross entropy of softmax(logits) with label distributions; none flows into `labels`.

    Raises
    ------
    ValueError
        When called with positional arguments, or one of the two is missing.
    """
    _named_only("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    with current().scope(name, "softmax_cross_entropy_with_logits_sg") as scope:
        labels = ops.state.stop_gradient(as_value(labels), name="labels_stop_gradient")
        return softmax_cross_entropy_with_logits_v2(
            labels, logits, dim if axis is None else axis, scope or name
        )


def _sparse_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    logits, labels = inputs
    shape = logits.static_shape
    if shape == ():
        raise shape_error("Logits cannot be scalars")
    loss = merge(labels.static_shape, None if shape is None else shape[:-1])
    return [(logits.dtype, loss), (logits.dtype, shape)]


def _sparse_xent(logits: Any, labels: Any) -> Any:
    n = logits.shape[-1]
    bad = (labels < 0) | (labels >= n)
    if np.any(bad):
        raise InvalidArgumentError(
            None, None,
            f"Received a label value of {labels[bad].reshape(-1)[0]} which is outside the valid "
            f"range of [0, {n}).  Label values: {' '.join(map(str, labels.reshape(-1)[:100]))}",
        )  # fmt: skip
    at = labels[..., None].astype(np.int64)
    z = _shifted(logits, -1)
    e = np.exp(z)
    s = np.sum(e, axis=-1, keepdims=True)
    back = e / s
    loss = np.log(s) - (np.take_along_axis(z, at, -1) if n else np.zeros_like(s))
    if n:
        hit = np.take_along_axis(back, at, -1)
        np.put_along_axis(back, at, hit - logits.dtype.type(1), -1)
    return loss[..., 0], back


def _sparse_expand(logits: Value, labels: Value) -> Any:
    shape = logits.static_shape
    if shape is None:
        raise shape_error("the rank of the logits is not known")
    at = ops.shapes.expand_dims(labels, -1)
    top = reduce_max(logits, -1, True)
    e = math.exp(logits - top)
    s = reduce_sum(e, -1, True)
    own = build(take_last, (logits, at), {"what": "label"}).outputs[0]  # checks the labels
    hot = ops.fills.one_hot(labels, shape[-1], True, False, dtype=dtypes.bool_)
    p = e / s
    return ops.shapes.squeeze(math.log(s) - (own - top), -1), math.select(hot, p - 1.0, p)


def _sparse_grad(y: Any, dy: Any, logits: Value, labels: Value) -> Any:
    dloss, dback = dy
    dlogits = None if dloss is None else ops.shapes.expand_dims(dloss, -1) * y[1]
    if dback is not None:  # TF 1.15 refuses here
        more = _through_softmax(dback, logits, -1)
        dlogits = more if dlogits is None else dlogits + more
    return dlogits, None


sparse_softmax_xent = op(
    "sparse_softmax_cross_entropy", "SparseSoftmaxCrossEntropyWithLogits", "composite",
    doc="Cross entropy of softmax(logits) with class numbers, and its derivative by the logits.",
    args=("logits", "labels"), types="f", numpy=quiet(_sparse_xent), infer=_sparse_infer,
    expand=_sparse_expand, grad=_sparse_grad, fails=True, facts={"partial_gradients": True},
)  # fmt: skip


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Value:
    """Cross entropy of softmax(logits) with class numbers, along the last axis.

    Raises
    ------
    ValueError
        When called with positional arguments, or the shapes do not fit.
    InvalidArgumentError
        In a run, for a label outside [0, number of classes).
    """
    function = "sparse_softmax_cross_entropy_with_logits"
    _named_only(function, _sentinel, labels, logits)
    with current().scope(name, "SparseSoftmaxCrossEntropyWithLogits"):
        z = as_value(labels)
        x = as_value(logits)
        if z.dtype not in (dtypes.int32, dtypes.int64):
            raise TypeError(
                f"Value passed to parameter 'labels' has DataType {z.dtype.name} not in list of "
                "allowed values: int32, int64"
            )
        half = x.dtype is dtypes.float16
        precise = math.cast(x, dtypes.float32) if half else x
        check_kind(sparse_softmax_xent, "features", precise.dtype, "f")
        _check_sparse(z, x)
        current().reserve("Shape")
        if x.rank != 2:  # TF1 makes rows of it, and compares sizes in a run where it must
            made(16 if sized(x) and sized(z) else 32)
        name = name or "SparseSoftmaxCrossEntropyWithLogits"
        loss = build(sparse_softmax_xent, (precise, z), None, name).outputs[0]
        return math.cast(loss, x.dtype)  # type: ignore[no-any-return]


def _check_sparse(labels: Value, logits: Value) -> None:
    if logits.rank == 0:
        raise ValueError(f"Logits cannot be scalars - received shape {shown(logits)}.")
    if logits.rank is None or labels.rank is None:
        return
    if labels.rank != logits.rank - 1:
        raise ValueError(
            f"Rank mismatch: Rank of labels (received {labels.rank}) should equal rank of logits "
            f"minus 1 (received {logits.rank})."
        )
    a, b = labels.static_shape, logits.static_shape[:-1]  # type: ignore[index]
    if D.is_known(a) and D.is_known(b) and a != b:
        raise ValueError(
            f"Shape mismatch: The shape of labels (received {shown(labels)}) should equal the "
            f"shape of logits except for the last dimension (received {shown(logits)})."
        )


def shown(x: Value) -> str:
    """A shape as TensorFlow prints it, ``(2, ?)``."""
    if x.static_shape is None:
        return "<unknown>"
    text = ", ".join(str(d) if type(d) is int else "?" for d in x.static_shape)
    return f"({text},)" if len(x.static_shape) == 1 else f"({text})"


def _same_shape(labels: Value, logits: Value, names: str = "logits and labels") -> None:
    try:
        merge(labels.static_shape, logits.static_shape)
    except ValueError:
        raise ValueError(
            f"{names} must have the same shape ({shown(logits)} vs {shown(labels)})"
        ) from None


def sigmoid_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Value:
    """Cross entropy of sigmoid(logits) with labels: max(x, 0) - x * z + log(1 + exp(-|x|)).

    Raises
    ------
    ValueError
        When called with positional arguments, or the shapes differ.
    """
    _named_only("sigmoid_cross_entropy_with_logits", _sentinel, labels, logits)
    with current().scope(name, "logistic_loss") as scope:
        x = as_value(logits, name="logits")
        z = as_value(labels, name="labels")
        _same_shape(z, x)
        # selects in place of max and abs: the derivative at 0 is right, too
        zero = ops.fills.zeros_like(x)
        positive = x >= zero
        top = math.select(positive, x, zero)
        minus = math.select(positive, -x, x)
        return math.add(top - x * z, math.log1p(math.exp(minus)), name=scope or name)  # type: ignore[no-any-return]


def weighted_cross_entropy_with_logits(
    labels: Any = None,
    logits: Any = None,
    pos_weight: Any = None,
    name: str | None = None,
    targets: Any = None,
) -> Value:
    """`sigmoid_cross_entropy_with_logits` with the positive term times `pos_weight`.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    labels = chosen("labels", labels, "targets", targets)
    with current().scope(name, "logistic_loss") as scope:
        x = as_value(logits, name="logits")
        z = as_value(labels, name="labels")
        _same_shape(z, x)
        weight = (pos_weight - 1) * z + 1
        tail = math.log1p(math.exp(-math.abs(x))) + relu(-x)
        return math.add((1 - z) * x, weight * tail, name=scope or name)  # type: ignore[no-any-return]


def log_poisson_loss(
    targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None
) -> Value:
    """Poisson loss exp(c) - z * c of log rates `c`; the full one adds Stirling's log(z!).

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    with current().scope(name, "log_poisson_loss"):
        c = as_value(log_input, name="log_input")
        z = as_value(targets, name="targets")
        _same_shape(z, c, "log_input and targets")
        loss = math.exp(c) - c * z
        if compute_full_loss:
            made(1)
            stirling = z * math.log(z) - z + 0.5 * math.log((2 * _math.pi) * z)
            loss += math.select(math.logical_and(z >= 0.0, z <= 1.0), 0.0, stirling)
        return loss  # type: ignore[no-any-return]
