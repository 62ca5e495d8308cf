"""Assertions: checked in the kernels of a run where they are numeric, and early where known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Node, Value
from graphc.ops import math, reduce, sharing, state
from graphc.ops.printing import summarized
from graphc.ops.record import (
    Attrs,
    Types,
    apply,
    as_value,
    elementwise,
    merge,
    no_grad,
    op,
    show_shapes,
)

__all__ = ["Assert", "assert_op", "check_numerics", "ensure_shape", "is_true"]

# ------------------------------------------------------------------------- Assert


def _fails(condition: Any, *data: Any, summarize: int) -> tuple[()]:
    if condition.ndim:
        shape = ",".join(map(str, condition.shape))
        raise InvalidArgumentError(None, None, f"In[0] should be a scalar: [{shape}]")
    if not condition:
        shown = " ".join(f"[{summarized(a, summarize)}]" for a in data)
        raise InvalidArgumentError(None, None, f"assertion failed: {shown}")
    return ()


def _true(condition: Any) -> Any:
    if not np.all(condition):
        raise InvalidArgumentError(None, None, "assertion failed")
    return condition


#: What a run computes for an assertion.
is_true = elementwise(
    "is_true", "Assert", "Its operand, which must be True.", numpy=_true, types="b",
    scalar=lambda k, x: x, fails=True, grad=no_grad,
    facts={"check": {
        "operand": 0, "must": "nonzero", "types": "b", "message": "assertion failed",
    }},
)  # fmt: skip


def _asserted(condition: Value, *data: Value, **attrs: Any) -> Value:
    if condition.rank:
        f = D.facts()
        sizes = [d if f is None else f.value(d) for d in condition.static_shape or ()]
        text = ",".join(map(str, sizes))
        raise InvalidArgumentError(None, None, f"In[0] should be a scalar: [{text}]")
    return is_true(condition)  # type: ignore[no-any-return]


#: Only the condition is computed, until it is False.
assert_op = op(
    "assert", "Assert", "state", args=("condition", "*data"), types="fiubs", numpy=_fails,
    doc="A run in which the condition is False fails.", infer=lambda inputs, attrs: [],
    stateful=True, fails=True, facts={"assertion": _asserted, "lazy": 1},
)  # fmt: skip


def Assert(
    condition: Any, data: Sequence[Any], summarize: int | None = None, name: str | None = None
) -> Node:
    """An operation that fails when `condition` is False: have others depend on it.

    Parameters
    ----------
    condition : scalar bool tensor
    data : list of tensors
        What the message shows.
    summarize : int, optional
        How many elements of each: 3 by default, all if negative.

    Raises
    ------
    graphc.errors.InvalidArgumentError
        In a run.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     x = tf.placeholder(tf.float32, [None])
    ...     with tf.control_dependencies([tf.Assert(tf.reduce_all(x > 0.0), ["x", x])]):
    ...         y = tf.log(x)
    ...     print(sess.run(y, {x: [1.0]}))
    [0.]
    """
    with current().scope(name, "Assert"):
        flag = as_value(condition, dtypes.bool_, "condition")
        if flag.dtype is not dtypes.bool_:
            raise TypeError(f"condition must be bool, not {flag.dtype.name}")
        attrs = {"summarize": 3 if summarize is None else summarize}
        with current().counts_as(_count(data)):
            values = [as_value(d, None, f"data_{i}") for i, d in enumerate(data)]
            guarded = _guarded([v.dtype for v in values])
            where = "AssertGuard/Assert" if guarded else "Assert"
            return build(assert_op, [flag, *values], attrs, where)


def _guarded(types: Sequence[Any]) -> bool:
    """Whether TF1 puts it into a cond: texts and int32 numbers it has no need to."""
    return any(t not in (dtypes.string, dtypes.int32) for t in types)


def _count(data: Sequence[Any]) -> int | None:
    """Operations of TF1: what is no tensor becomes one twice."""
    tensors = [
        d for d in data if hasattr(d, "dtype") and not isinstance(d, np.ndarray | np.generic)
    ]
    others = len(data) - len(tensors)
    floats = any(isinstance(d, float) for d in data)
    if floats or _guarded([d.dtype.base_dtype for d in tensors]):
        return 10 + len(tensors) + 2 * others
    return 1 + 2 * others


# ------------------------------------------------------------------------- numbers


def _finite(x: Any, *, message: str = "") -> Any:
    nan, inf = bool(np.isnan(x).any()), bool(np.isinf(x).any())
    if nan or inf:
        which = " and ".join(w for w, found in (("Inf", inf), ("NaN", nan)) if found)
        raise InvalidArgumentError(None, None, f"{message} : Tensor had {which} values")
    return x


def _finite_grad(y: Value, dy: Value, x: Value, *, message: str = "") -> Value:
    text = "Not a number (NaN) or infinity (Inf) values detected in gradient."
    return check_numerics(dy, f"{text} {message}")


check_numerics_op = elementwise(
    "check_numerics", "CheckNumerics", "Its operand, which must be finite everywhere.",
    numpy=_finite, types="f", args=("tensor",), scalar=lambda k, x, message="": x, fails=True,
    grad=_finite_grad, call=lambda *a, **k: check_numerics(*a, **k),
    facts={
        "check": {
            "operand": 0, "must": "finite", "types": "f", "message": "Tensor had NaN or Inf values",
        },
        "assertion": lambda y: reduce.reduce_all(math.equal(y, y)),
        "shares": sharing.itself,
    },
)  # fmt: skip


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Value:
    """`tensor`; a run in which it is not finite everywhere fails.

    Raises
    ------
    graphc.errors.InvalidArgumentError
        In a run, with `message`.
    """
    return apply(check_numerics_op, (tensor,), {"message": message}, name).outputs[0]


# ------------------------------------------------------------------------- shapes


def _ensured(inputs: Sequence[Value], attrs: Attrs) -> Types:
    want, x = attrs["shape"], inputs[0]
    if D.facts() is None:
        try:
            return [(x.dtype, merge(x.static_shape, want))]
        except ValueError as e:
            shown = ",".join(str(d) if type(d) is int else "?" for d in want)
            text = f"{e}. Shapes are {show_shapes([x])} and [{shown}]."
            raise ValueError(text) from None
    s = x.static_shape
    if want is not None and s is not None:
        fits = len(s) == len(want) and not any(
            type(w) is int and D.same(d, w) is False for d, w in zip(s, want, strict=True)
        )
        if not fits:
            f = D.facts()
            found = [d if f is None else f.value(d) for d in s]
            raise _incompatible(x.node.name, found, want)
    return [(x.dtype, s)]


def _incompatible(name: str, found: Sequence[Any], want: Sequence[Any]) -> Exception:
    shown = ",".join(str(d) if type(d) is int else "?" for d in want)
    return InvalidArgumentError(
        None, None,
        f"Shape of tensor {name} [{','.join(map(str, found))}] is not compatible with "
        f"expected shape [{shown}].",
    )  # fmt: skip


def _ensured_numpy(x: Any, *, shape: Any) -> Any:
    """Where the host computes it: strings and complex numbers."""
    if shape is not None and (
        x.ndim != len(shape)
        or any(type(w) is int and w != d for w, d in zip(shape, x.shape, strict=True))
    ):
        raise _incompatible("input", x.shape, shape)
    return x


def _ensured_expand(x: Value, *, shape: Any) -> Value:
    return x


ensure_shape_op = op(
    "ensure_shape", "EnsureShape", "composite", args=("input",), types="fiubcs", infer=_ensured,
    doc="Its operand, which must have a shape.", numpy=_ensured_numpy,
    expand=_ensured_expand, grad=lambda y, dy, x, shape: dy, facts={"shares": sharing.itself},
)  # fmt: skip


def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Value:
    """`x` with the static shape `shape`, which each run checks.

    Raises
    ------
    ValueError
        When it cannot have that shape.
    """
    value = as_value(x)
    return apply(ensure_shape_op, (value,), {"shape": state._sizes(shape)}, name).outputs[0]
