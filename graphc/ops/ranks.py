"""Ops about ranks that only a run knows: the last axis of size 1, and weights that fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir.build import build
from graphc.ir.dims import Shape
from graphc.ir.node import Value
from graphc.ops import operands, shapes
from graphc.ops.record import Attrs, InferError, Types, op

__all__ = ["fit_rank", "weights_fit"]


def _fitted(shape: Shape, rank: int, squeeze: int, expand: int | None) -> Shape:
    """`shape` without or with one more last axis of size 1, as its rank differs from `rank`.

    Raises
    ------
    InferError
        When the axis to go is of another size.
    """
    gap = len(shape) - rank
    if gap == squeeze and shape:
        if not D.same(shape[-1], 1):
            size = operands.show(shape[-1])
            raise InferError(
                f"Can not squeeze dim[{len(shape) - 1}], expected a dimension of 1, got {size}"
            )
        return shape[:-1]
    return (*shape, 1) if gap == expand and shape else shape


def _fit_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, like = inputs
    s, rank = x.static_shape, like.rank
    if s is None or rank is None:
        return [(x.dtype, None)]
    return [(x.dtype, _fitted(s, rank, **attrs))]


def _fit_numpy(x: Any, like: Any, *, squeeze: int, expand: int | None) -> Any:
    try:
        return np.reshape(x, _fitted(x.shape, like.ndim, squeeze, expand))
    except InferError as e:
        raise InvalidArgumentError(None, None, str(e)) from None


def _fit_expand(x: Value, like: Value, *, squeeze: int, expand: int | None) -> Value:
    s, rank = x.static_shape, like.rank
    assert s is not None
    assert rank is not None
    fitted = _fitted(s, rank, squeeze, expand)
    return x if fitted == s else shapes.reshape_static(x, fitted)


fit_rank_op = op(
    "fit_rank", "Squeeze", "composite", args=("x", "like"), types="fiubsc",
    doc="A tensor with or without a last axis of size 1, by the rank of another.",
    infer=_fit_infer, numpy=_fit_numpy, expand=_fit_expand, fails=True,
    grad=lambda y, dy, x, like, squeeze, expand: (shapes.reshape(dy, shapes.shape(x)), None),
)  # fmt: skip


def fit_rank(x: Value, like: Value, squeeze: int, expand: int | None = None) -> Value:
    """`x` as it is, or changed where a rank that only a run knows asks for it.

    Parameters
    ----------
    squeeze, expand : int
        How many axes more than `like` it has where the last one goes, where one is added.
    """
    attrs = {"squeeze": squeeze, "expand": expand}
    return build(fit_rank_op, (x, like), attrs).outputs[0]


def _check(weights: Shape, values: Shape) -> None:
    """Refuse weights that are no scalar and of another rank, or of a size neither 1 nor equal."""
    if weights == ():
        return
    same = len(weights) == len(values)
    if not same or not all(D.same(a, 1) or D.same(a, b) for a, b in zip(weights, values)):  # noqa: B905
        texts = ["[" + ",".join(str(operands.show(d)) for d in s) + "]" for s in (weights, values)]
        raise InferError(
            f"weights can not be broadcast to values. weights.shape={texts[0]} "
            f"values.shape={texts[1]}"
        )


def _weights_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    w, v = inputs
    a, b = w.static_shape, v.static_shape
    if D.facts() is not None and a is not None and b is not None:
        _check(a, b)
    return [w.type]


def _weights_numpy(weights: Any, values: Any) -> Any:
    try:
        _check(weights.shape, values.shape)
    except InferError as e:
        raise InvalidArgumentError(None, None, str(e)) from None
    return weights


weights_fit_op = op(
    "weights_fit", "Identity", "composite", args=("weights", "values"), types="fiu",
    doc="Weights, which must be scalar or of the rank of values, of equal sizes or 1.",
    infer=_weights_infer, numpy=_weights_numpy, expand=lambda weights, values: weights, fails=True,
    grad=lambda y, dy, weights, values: (dy, None),
)  # fmt: skip


def weights_fit(weights: Value, values: Value) -> Value:
    """`weights`, in a run that fails where they cannot be spread over `values`."""
    return build(weights_fit_op, (weights, values), {}).outputs[0]
