"""Formulas that lose digits or overflow become the ops that do not.

Every rule needs the licence STABLER: its right side is nearer to the exact result, and where
the left side overflows to infinity or NaN it gives the number. The pass runs while softmax and
its kin are still whole. Gradients were recorded beside their functions, so the forms in which
the gradients of these formulas come are rules of their own.

``1 - sigmoid(x)`` by itself stays: it is half of sigmoid's own gradient, where a second
exponential would cost more than it gains. The hyperbolic tangent of a gelu and of its gradient is
a sigmoid, which keeps the digits of ``1 + tanh(x)`` and takes half the time; its slope keeps those
where x is negative, and errs by an ulp of 1 elsewhere, as ``1 - tanh(x)**2`` does everywhere.
"""

from __future__ import annotations

from typing import Any

from graphc.ir import build
from graphc.ir.graph import Graph
from graphc.ir.node import Value
from graphc.ops import math, nn
from graphc.ops.record import OPS
from graphc.passes.rewrite import Rule, any_of, apply_rules, licensed, ops, rule, wild

__all__ = ["STABLE", "stabilize"]

#: The rules of this pass.
STABLE: list[Rule] = []

x, y, g = wild("x"), wild("y"), wild("g")
a, b, k = any_of("a"), any_of("b"), any_of("k")


def stable(left: Value, right: Any, once: str = "") -> None:
    rule(left, right, "STABLER", "f", STABLE, once)


def one_axis(axis: Any, x: Value) -> int | None:
    """The only axis of a reduction; None where there are several."""
    n = x.rank or 0
    axes = tuple(range(n)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return axes[0] % n if len(axes) == 1 and n else None


def along(op_name: str, x: Value, a: Any) -> Value | None:
    axis = one_axis(a, x)
    return None if axis is None else build.build(OPS[op_name], (x,), {"axis": axis}).outputs[0]


#: Ops that only repeat or rename the elements of their first operand.
_SPREAD = frozenset("expand_dims reshape reshape_like squeeze broadcast_like broadcast_to".split())


def unspread(v: Value) -> tuple[Value, list[Value]]:
    """What a chain of reshapes and broadcasts starts from, and the chain, last first."""
    chain = []
    while v.node.op.name in _SPREAD:
        chain.append(v)
        v = v.node.inputs[0]
    return v, chain


def spread_again(v: Value, chain: list[Value]) -> Value:
    for link in reversed(chain):
        n = link.node
        v = build.build(n.op, (v, *n.inputs[1:]), n.attrs).outputs[0]
    return v


def sum_of_exp_gradient(g: Value, x: Value, result: Value) -> Value | None:
    """``(w / sum(exp(x))) * exp(x)``: the exponentials overflow, their quotient does not."""
    quotient, chain = unspread(g)
    n = quotient.node
    if n.op.name != "realdiv" or n.inputs[1].node.op.name != "reduce_sum":
        return None
    total = n.inputs[1].node
    e = total.inputs[0].node
    if (
        e.op.name != "exp"
        or e.inputs[0] is not x
        or n.inputs[0].static_shape != n.inputs[1].static_shape
    ):
        return None
    if len(total.inputs) > 1:
        return None
    whole = build.build(OPS["reduce_logsumexp"], (x,), total.attrs).outputs[0]
    e = math.exp(x - spread_again(whole, chain))
    return spread_again(n.inputs[0], chain) * e  # type: ignore[no-any-return]


def softmax_log_gradient(g: Value, x: Value, a: Any, b: Any) -> Value | None:
    """The gradient of log(softmax(x)), which gets `g`: without dividing by small probabilities."""
    n = x.rank or 0
    if one_axis(b, x) != a % n or g.static_shape != x.static_shape:
        return None
    p = nn.softmax(x, a)
    return g - OPS["reduce_sum"](g, a, True) * p  # type: ignore[no-any-return]


def minus_sigmoid_squared(g: Value, x: Value) -> Value:
    s = math.sigmoid(x)
    return g * (s * math.sigmoid(-x))  # type: ignore[no-any-return]


with build.use(build.Rewriter()):
    e, s, p = math.exp(x), math.sigmoid(x), ops.softmax(x, axis=a)

    # ---- softmax and its logarithm
    stable(math.log(p), ops.log_softmax(x, axis=a))
    stable(math.exp(ops.log_softmax(x, axis=a)), ops.softmax(x, axis=a))
    stable(e / ops.reduce_sum(e, axis=a, keepdims=True), lambda x, a: along("softmax", x, a))
    stable(
        x - ops.reduce_logsumexp(x, axis=a, keepdims=True), lambda x, a: along("log_softmax", x, a)
    )
    stable(
        math.log(ops.reduce_sum(e, axis=a, keepdims=k)), ops.reduce_logsumexp(x, axis=a, keepdims=k)
    )
    stable((g / p - ops.reduce_sum(g / p * p, axis=b, keepdims=True)) * p, softmax_log_gradient)
    stable(g * e, sum_of_exp_gradient)

    # ---- logarithms of what is near 1
    stable(math.log(1 + e), nn.softplus(x))
    stable(math.log1p(e), nn.softplus(x))
    stable(math.log(s), ops.log_sigmoid(x))
    stable(math.log(1 - s), -nn.softplus(x))
    stable(math.log(1 + x), math.log1p(x))
    stable(math.log(1 - x), math.log1p(-x))
    stable(nn.softplus(x) - x, nn.softplus(-x))
    stable(math.log(e), x)

    # ---- differences of what is near 1
    stable(e - 1, math.expm1(x))
    stable(e + -1, math.expm1(x))
    stable(1 - e, -math.expm1(x))

    # ---- sigmoid and tanh written out
    behind = math.exp(-x) + 1
    stable(1 / behind, s)
    stable(math.reciprocal(behind), s)
    stable(y / behind, y * s)
    stable(e / (1 + e), s)
    stable((e - math.exp(-x)) / (e + math.exp(-x)), math.tanh(x))
    t, twice = math.tanh(x), math.sigmoid(x + x)
    stable(1 + t, 2 * twice, once="tanh")
    stable(1 - t * t, (4 * twice) * (1 - twice), once="tanh")
    stable(0.5 * (2 * s), s)
    stable((0.5 * y) * (2 * s), y * s)
    stable((g * (2 * s)) * 0.5, g * s)

    # ---- gradients of the above as tf.gradients writes them
    stable(g / s * (s * (1 - s)), g * math.sigmoid(-x))
    stable(-(g / (1 - s)) * (s * (1 - s)), -(g * s))
    stable(g / (1 + e) * e, g * s)
    stable(g * (-1 * s * s) * math.exp(-x), lambda g, x: -minus_sigmoid_squared(g, x))

    # ---- roots of squares
    stable(math.sqrt(math.square(x)), math.abs(x))
    stable(math.sqrt(x * x), math.abs(x))


def stabilize(graph: Graph, options: str = "", notes: dict[str, int] | None = None) -> Graph:
    """Unstable formulas become stable ops; without the licence STABLER nothing happens."""
    return apply_rules(graph, STABLE, licensed(options), notes)
