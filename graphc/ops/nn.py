"""Neural-network ops: the names of `tf.nn`, with norms, bias and dropout.

What TensorFlow computes in one kernel is a record here: elementwise ones like `relu`, and
composite ones (`softmax`, cross entropy, `bias_add`) whose `expand` says the same in simpler
ops, for the compiler to fuse. All else is a function that builds nodes, as in TensorFlow.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import ops
from graphc.ir import dims as D
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops import math
from graphc.ops.activations import (
    crelu,
    elu,
    leaky_relu,
    relu,
    relu6,
    selu,
    softplus,
    softsign,
    swish,
)
from graphc.ops.cross_entropy import (
    log_poisson_loss,
    log_softmax,
    shown,
    sigmoid_cross_entropy_with_logits,
    softmax,
    softmax_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits_v2,
    sparse_softmax_cross_entropy_with_logits,
    weighted_cross_entropy_with_logits,
)
from graphc.ops.lookup import TopKV2, embedding_lookup, in_top_k, top_k
from graphc.ops.math import sigmoid, tanh
from graphc.ops.norm import (
    batch_norm_with_global_normalization,
    batch_normalization,
    fused_batch_norm,
    moments,
    normalize_moments,
    sufficient_statistics,
    weighted_moments,
    zero_fraction,
)
from graphc.ops.record import (
    Attrs,
    Types,
    apply,
    as_value,
    check_kind,
    op,
    quiet,
    shape_error,
)  # fmt: skip
from graphc.ops.reduce import chosen, reduce_sum

__all__ = [
    "TopKV2", "batch_norm_with_global_normalization", "batch_normalization", "bias_add", "crelu",
    "dropout", "elu", "embedding_lookup", "fused_batch_norm", "in_top_k", "l2_loss", "l2_normalize",
    "leaky_relu", "log_poisson_loss", "log_softmax", "moments", "normalize_moments", "relu",
    "relu6", "relu_layer", "selu", "sigmoid", "sigmoid_cross_entropy_with_logits", "softmax",
    "softmax_cross_entropy_with_logits", "softmax_cross_entropy_with_logits_v2", "softplus",
    "softsign", "sparse_softmax_cross_entropy_with_logits", "sufficient_statistics", "swish",
    "tanh", "top_k", "weighted_cross_entropy_with_logits", "weighted_moments", "xw_plus_b",
    "zero_fraction",
]  # fmt: skip


# ------------------------------------------------------------------------- norms and bias


def _l2_loss_call(t: Any, name: str | None = None) -> Value:
    return apply(l2_loss, (t,), None, name).outputs[0]


l2_loss = op(
    "l2_loss", "L2Loss", "composite", doc="sum(x * x) / 2.", args=("t",), types="f",
    numpy=quiet(lambda x: np.sum(np.square(x), dtype=x.dtype) / x.dtype.type(2)),
    infer=lambda inputs, attrs: [(inputs[0].dtype, ())],
    expand=lambda x: reduce_sum(x * x) * 0.5,
    grad=lambda y, dy, x: x * dy, call=_l2_loss_call,
)  # fmt: skip


def l2_normalize(
    x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None
) -> Value:
    """x / sqrt(max(sum(x * x), epsilon)) along axes."""
    axis = chosen("axis", axis, "dim", dim)
    with current().scope(name, "l2_normalize") as scope:
        v = as_value(x, name="x")
        total = reduce_sum(math.square(v), axis, keepdims=True)
        inverse = math.rsqrt(math.maximum(total, epsilon))
        return math.multiply(v, inverse, name=scope or name)  # type: ignore[no-any-return]


def _channel(value: Value, attrs: Attrs) -> int | None:
    """The axis of the channels; None while the rank is not known."""
    return None if value.rank is None else 1 if attrs["data_format"] == "NCHW" else value.rank - 1


def _bias_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    value, bias = inputs
    if value.rank is not None and value.rank < 2:
        raise shape_error(f"Shape must be at least rank 2 but is rank {value.rank}")
    if bias.rank not in (1, None):
        raise shape_error(f"Shape must be rank 1 but is rank {bias.rank}")
    at = _channel(value, attrs)
    if at is not None and bias.static_shape is not None:
        n, m = value.static_shape[at], bias.static_shape[0]  # type: ignore[index]
        if D.same(n, m) is False:
            f = D.facts()
            show = (lambda d: d) if f is None else f.value
            raise shape_error(f"Dimensions must be equal, but are {show(n)} and {show(m)}")
    return [(value.dtype, value.static_shape)]


def _bias_add(value: Any, bias: Any, *, data_format: str) -> Any:
    if data_format == "NCHW":
        bias = bias.reshape(-1, *([1] * (value.ndim - 2)))
    return value + bias


def _bias_expand(value: Value, bias: Value, data_format: str) -> Value:
    if data_format == "NCHW" and value.rank is not None:
        for _ in range(value.rank - 2):
            bias = ops.shapes.expand_dims(bias, -1)
    return value + bias


def _bias_grad(y: Value, dy: Value, value: Value, bias: Value, data_format: str) -> Any:
    at = _channel(value, {"data_format": data_format})
    if at is None:
        at = 1 if data_format == "NCHW" else None
    if at is None or value.rank is None:
        return dy, ops.broadcasting.sum_to_like(dy, bias)
    return dy, reduce_sum(dy, [a for a in range(value.rank) if a != at])


def _bias_call(value: Any, bias: Any, data_format: Any = None, name: str | None = None) -> Value:
    layout = "NHWC"
    if data_format is not None:
        if data_format.startswith("NC"):
            layout = "NCHW"
        elif not (data_format.startswith("N") and data_format.endswith("C")):
            raise ValueError("data_format must be of the form `N...C` or `NC...`")
    with current().scope(name, "BiasAdd") as scope:
        v = as_value(value, name="input")
        b = as_value(bias, v.dtype, "bias")
        check_kind(bias_add, "value", v.dtype, bias_add.types)
        return build(bias_add, (v, b), {"data_format": layout}, scope or name).outputs[0]


bias_add = op(
    "bias_add", "BiasAdd", "composite", doc="Adds a vector to the channels of `value`.",
    args=("value", "bias"), types="fiu", numpy=quiet(_bias_add), infer=_bias_infer,
    expand=_bias_expand, grad=_bias_grad, call=_bias_call,
)  # fmt: skip


def xw_plus_b(x: Any, weights: Any, biases: Any, name: str | None = None) -> Value:
    """matmul(x, weights) + biases."""
    with current().scope(name, "xw_plus_b") as scope:
        a = as_value(x, name="x")
        w = as_value(weights, name="weights")
        b = as_value(biases, name="biases")
        return bias_add(ops.linalg.matmul(a, w), b, name=scope or name)  # type: ignore[no-any-return]


def relu_layer(x: Any, weights: Any, biases: Any, name: str | None = None) -> Value:
    """relu(matmul(x, weights) + biases)."""
    with current().scope(name, "relu_layer") as scope:
        a = as_value(x, name="x")
        w = as_value(weights, name="weights")
        b = as_value(biases, name="biases")
        return relu(bias_add(ops.linalg.matmul(a, w), b), name=scope or name)  # type: ignore[no-any-return]


# ------------------------------------------------------------------------- dropout


def _noise_shape(x: Value, noise_shape: Any) -> Any:
    if noise_shape is None:
        own = x.static_shape
        if own is None or any(type(d) is not int for d in own):
            return ops.shapes.shape(x)
        current().reserve("Shape")  # a constant that nothing would read: the sizes are attributes
        return ops.random.Sizes(own)
    known = getattr(noise_shape, "as_list", None)
    if known is not None:
        noise_shape = known()
    if isinstance(noise_shape, (list, tuple)) and None in noise_shape:
        own = x.static_shape
        if own is not None and len(own) == len(noise_shape):
            sizes = ops.shapes.shape(x)
            pairs = enumerate(zip(noise_shape, own, strict=True))
            return [
                n if n is not None else d if type(d) is int else sizes[i] for i, (n, d) in pairs
            ]
    return noise_shape


def dropout(
    x: Any,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: int | None = None,
    name: str | None = None,
    rate: Any = None,
) -> Value:
    """Zeroes elements with probability `rate` and scales the rest by 1 / (1 - rate).

    Raises
    ------
    ValueError
        Without a rate, for one outside [0, 1), or for integers.
    """
    try:
        drop = None if keep_prob is None else 1.0 - keep_prob
    except TypeError:
        raise ValueError(
            f"keep_prob must be a floating point number or Tensor (got {keep_prob!r})"
        ) from None
    rate = chosen("rate", rate, "keep_prob", drop)
    if rate is None:
        raise ValueError("You must provide a rate to dropout.")
    with current().scope(name, "dropout"):
        v = as_value(x, name="x")
        if not v.dtype.is_floating:
            raise ValueError(
                "x has to be a floating point tensor since it's going to be scaled. "
                f"Got a {v.dtype} tensor instead."
            )
        if isinstance(rate, numbers.Real):
            if not 0 <= float(rate) < 1:
                raise ValueError(
                    "rate must be a scalar tensor or a float in the range [0, 1), "
                    f"got {float(rate):g}"
                )
            if rate == 0:
                return v
        r = as_value(rate, v.dtype, "rate")
        if r.rank not in (0, None):
            raise ValueError(f"Shape {shown(r)} must have rank 0")
        noise = ops.random.random_uniform(_noise_shape(v, noise_shape), dtype=v.dtype, seed=seed)
        scale = 1 / (1 - r)
        keep = noise >= r
        y: Value = v * scale * math.cast(keep, v.dtype)
        if y.static_shape is None:  # the rate's rank is not known
            y.static_shape = v.static_shape
        return y
