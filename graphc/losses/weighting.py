"""Weights of losses and metrics: what shapes they may have, and how they spread."""

from __future__ import annotations

from typing import Any

from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.ops import fills, math, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import made, sized
from graphc.ops.ranks import fit_rank, weights_fit
from graphc.ops.record import show_shapes

__all__ = [
    "CHECKED", "as_float", "assert_broadcastable", "broadcast_weights", "check_count", "squeezed",
    "squeezed_with_weights",
]  # fmt: skip


def _text(v: Value) -> str:
    return str(getattr(v, "shape", None) or show_shapes([v]))


#: What TF1 makes to see that weights fit, where the sizes say so;
CHECKED = tuple(
    f"assert_broadcastable/{x}"
    for x in ("weights/shape", "weights/rank", "values/shape", "values/rank", "success")
)


def check_count(weights: Value, values: Value) -> int:
    """and how many operations more where a run has to."""
    a, b = weights.static_shape, values.static_shape
    if a is None or b is None:
        return 61
    return 0 if a == () or (sized(weights) and sized(values)) else 58


def assert_broadcastable(weights: Value, values: Value) -> None:
    """Refuse weights that are no scalar and of another rank, or of a size neither 1 nor equal.

    Raises
    ------
    ValueError
        As far as the static shapes say so; sizes that are only known in a run are compared there.
    """
    a, b = weights.static_shape, values.static_shape
    if a is None or b is None or a == ():
        return
    wrong = "weights can not be broadcast to values."
    if len(a) != len(b):
        raise ValueError(
            f"{wrong} values.rank={len(b)}. weights.rank={len(a)}. "
            f"values.shape={_text(values)}. weights.shape={_text(weights)}."
        )
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        if type(x) is int and type(y) is int and x not in (1, y):
            raise ValueError(
                f"{wrong} Mismatch at dim {i}. values.shape={_text(values)}. "
                f"weights.shape={_text(weights)}."
            )


def broadcast_weights(weights: Any, values: Any) -> Value:
    """`weights` spread to the shape of `values`."""
    with current().scope(None, "broadcast_weights") as scope:
        v = convert_to_tensor(values, name="values")
        w = convert_to_tensor(weights, v.dtype.base_dtype, name="weights")
        a, b = w.static_shape, v.static_shape
        if a is not None and a == b and all(type(d) is int for d in a):
            return w
        assert_broadcastable(w, v)
        current().reserve(*CHECKED)
        made(check_count(w, v))
        if a is None or (b is None and a != ()):
            w = weights_fit(w, v)
        return math.multiply(w, fills.ones_like(v), name=scope)  # type: ignore[no-any-return]


def squeezed(labels: Any, predictions: Any, difference: int = 0) -> tuple[Value, Value]:
    """The two without a last axis of size 1 where one has an axis more than it should.

    Parameters
    ----------
    difference : int
        How many more axes the predictions have than the labels.
    """
    with current().scope(None, "remove_squeezable_dimensions"):
        p, t = convert_to_tensor(predictions), convert_to_tensor(labels)
        if p.rank is not None and t.rank is not None:
            gap = p.rank - t.rank
            if gap == difference + 1 and _one_or_unknown(p):
                p = shapes.squeeze(p, [-1])
            elif gap == difference - 1 and _one_or_unknown(t):
                t = shapes.squeeze(t, [-1])
        else:  # of the ranks as they were before
            p, t = (
                fit_rank(p, t, difference + 1) if p.rank is None or _one_or_unknown(p) else p,
                fit_rank(t, p, 1 - difference) if t.rank is None or _one_or_unknown(t) else t,
            )
        return t, p


def _one_or_unknown(v: Value) -> bool:
    s = v.static_shape
    return s is not None and len(s) > 0 and (type(s[-1]) is not int or s[-1] == 1)


def squeezed_with_weights(
    labels: Any, predictions: Any, weights: Any, difference: int = 0
) -> tuple[Value, Value, Any]:
    """`squeezed`, and the weights without (or with one more) last axis of size 1 to match."""
    p, t = convert_to_tensor(predictions), labels
    if t is not None:
        t, p = squeezed(t, p, difference)
    if weights is None:
        return t, p, None
    if isinstance(weights, float | int):
        return t, p, weights
    w = convert_to_tensor(weights)
    own, rank = w.rank, p.rank
    if own == 0:
        return t, p, w
    if own is None or rank is None:
        return t, p, fit_rank(w, p, 1, -1)
    if own - rank == 1 and _one_or_unknown(w):
        w = shapes.squeeze(w, [-1])
    elif rank - own == 1:
        w = shapes.expand_dims(w, [-1])
    return t, p, w


def as_float(x: Any) -> Value:
    """A float32 tensor."""
    return math.cast(x, dtypes.float32)  # type: ignore[no-any-return]
