"""Regularizers: functions of weights that give a loss."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any

from graphc.face.current import add_to_collection, get_collection, name_scope
from graphc.face.graph_keys import GraphKeys
from graphc.ir.node import Value
from graphc.ops import math, nn, reduce
from graphc.ops.convert import constant, convert_to_tensor

__all__ = [
    "apply_regularization", "l1_l2_regularizer", "l1_regularizer", "l2_regularizer",
    "sum_regularizer",
]  # fmt: skip

Regularizer = Callable[[Any], Any]


def _checked(scale: Any, name: str) -> None:
    """Refuse whole numbers and negative ones.

    Raises
    ------
    ValueError
    """
    if isinstance(scale, numbers.Integral):
        raise ValueError(f"{name} cannot be an integer: {scale}")
    if isinstance(scale, numbers.Real) and scale < 0.0:
        raise ValueError(f"Setting a scale less than 0 on a regularizer: {float(scale):g}.")


def _scaled(
    scale: Any, scope: str | None, default: str, f: Callable[[Value], Value]
) -> Regularizer:
    _checked(scale, "scale")
    if isinstance(scale, numbers.Real) and scale == 0.0:
        return lambda _: None

    def regularizer(weights: Any, name: str | None = None) -> Value:
        with name_scope(scope, default, [weights]) as inner:
            w = convert_to_tensor(weights)
            factor = convert_to_tensor(scale, w.dtype.base_dtype, name="scale")
            return math.multiply(factor, f(w), name=inner)  # type: ignore[no-any-return]

    return regularizer


def l1_regularizer(scale: float, scope: str | None = None) -> Regularizer:
    """``scale * sum(|w|)``."""
    return _scaled(scale, scope, "l1_regularizer", lambda w: reduce.reduce_sum(math.abs(w)))


def l2_regularizer(scale: float, scope: str | None = None) -> Regularizer:
    """``scale * sum(w ** 2) / 2``.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     print(sess.run(tf.contrib.layers.l2_regularizer(0.5)(tf.constant([3.0, 4.0]))))
    6.25
    """
    return _scaled(scale, scope, "l2_regularizer", nn.l2_loss)


def l1_l2_regularizer(
    scale_l1: float = 1.0, scale_l2: float = 1.0, scope: str | None = None
) -> Regularizer:
    """`l1_regularizer` and `l2_regularizer` together."""
    _checked(scale_l1, "scale_l1")
    _checked(scale_l2, "scale_l2")
    scope = scope or "l1_l2_regularizer"
    if scale_l1 == 0.0:
        return l2_regularizer(scale_l2, scope)
    if scale_l2 == 0.0:
        return l1_regularizer(scale_l1, scope)
    return sum_regularizer([l1_regularizer(scale_l1), l2_regularizer(scale_l2)], scope=scope)  # type: ignore[return-value]


def sum_regularizer(
    regularizer_list: Sequence[Regularizer | None], scope: str | None = None
) -> Regularizer | None:
    """The sum of several regularizers; None for none."""
    given = [r for r in regularizer_list if r is not None]
    if not given:
        return None

    def regularizer(weights: Any) -> Any:
        with name_scope(scope, "sum_regularizer", [weights]) as inner:
            losses = [v for v in [r(weights) for r in given] if v is not None]
            return math.add_n(losses, name=inner) if losses else None

    return regularizer


def apply_regularization(regularizer: Regularizer, weights_list: Any = None) -> Value:
    """The sum of a regularizer's losses, added to ``GraphKeys.REGULARIZATION_LOSSES``.

    Parameters
    ----------
    weights_list : list, optional
        The collection ``GraphKeys.WEIGHTS`` by default.

    Raises
    ------
    ValueError
        Without weights, or for a loss that is no scalar.
    """
    weights = weights_list or get_collection(GraphKeys.WEIGHTS)
    if not weights:
        raise ValueError("No weights to regularize.")
    with name_scope("get_regularization_penalty", values=weights) as scope:
        losses = [regularizer(w) for w in weights]
        losses = [constant(0.0) if v is None else v for v in losses]
        for v in losses:
            if v.shape.ndims != 0:
                raise ValueError(
                    f"regularizer must return a scalar Tensor instead of a Tensor with rank "
                    f"{v.shape.ndims}."
                )
        total = math.add_n(losses, name=scope)
        add_to_collection(GraphKeys.REGULARIZATION_LOSSES, total)
        return total
