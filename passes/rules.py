"""The rules of `simplify`, by topic. The pattern is the expression.

Exact rules (no licence) give the same bits for every operand; what keeps a rule from being
exact is said beside it. Integer rules hold because integers wrap.
"""

from __future__ import annotations

import numpy as np

from graphc.ir import build, dtypes
from graphc.ir.build import build as make
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops import fills, math, nn
from graphc.ops.activations import relu_grad
from graphc.ops.record import OPS, as_value
from graphc.passes import views
from graphc.passes.rewrite import (
    any_of,
    constant_wild,
    fold_constant,
    is_power_of_two,
    node,
    ops,
    rule,
    wild,
)  # fmt: skip

__all__ = ["embeds"]

x, y, z = wild("x"), wild("y"), wild("z")
p, q = wild("p", dtypes.bool_), wild("q", dtypes.bool_)
c, d = constant_wild("c"), constant_wild("d")
t = any_of("dtype")

OFF_ZERO = "NO_NAN NO_SIGNED_ZERO"


def filled(result: Value, value: float) -> Value:
    """`result`'s shape full of one number."""
    assert result.static_shape is not None
    return fills.fill_static(result.static_shape, value, result.dtype)


def embeds(a: DType, b: DType) -> bool:
    """Whether every value of `a` is a value of `b`."""
    if a is b or a.kind == "b":
        return True
    if b.kind == "f":
        if a.kind == "f":
            return (a.code, b.code) in {
                ("f16", "f32"),
                ("bf16", "f32"),
                ("f16", "f64"),
                ("bf16", "f64"),
                ("f32", "f64"),
            }
        digits = {"f16": 11, "bf16": 8, "f32": 24, "f64": 53}[b.code]
        return a.size * 8 - (a.kind == "i") <= digits
    if a.kind == "u":
        return b.kind in "iu" and b.size > a.size
    return a.kind == b.kind == "i" and b.size > a.size


def cast_twice(x: Value, inner: DType, dtype: DType) -> Value | None:
    """One cast in place of two, where the first loses nothing that the second keeps."""
    wraps = (
        x.dtype.kind in "iu"
        and inner.kind in "iu"
        and dtype.kind in "iu"
        and inner.size >= dtype.size
    )
    # integers wrap where floats stop at the ends
    stops = (
        x.dtype.kind in "iu"
        and inner.kind == "f"
        and dtype.kind in "iu"
        and not embeds(x.dtype, dtype)
    )
    if stops or not (embeds(x.dtype, inner) or wraps):
        return None
    return x if x.dtype is dtype else make(math.cast, (x,), {"dtype": dtype}).outputs[0]


def inverse(c: Value) -> Value | None:
    """1 / c, where all elements of `c` are powers of two and so are their inverses."""
    a = c.node.attrs["value"]
    if a.size > 64 or not all(is_power_of_two(float(e)) for e in a.reshape(-1)):
        return None
    r = fold_constant(lambda a: 1 / a, c)
    return r if all(is_power_of_two(float(e)) for e in r.node.attrs["value"].reshape(-1)) else None


def doubled_sigmoid(x: Value, c: Value) -> Value | None:
    """sigmoid(x c + x c) with one product: its rounding is the same, but for results so small that
    the sigmoid is 1/2.
    """
    twice = fold_constant(lambda a: a + a, c)
    return math.sigmoid(x * twice) if np.isfinite(twice.node.attrs["value"]).all() else None


def no_zero(*cs: Value) -> bool:
    """No element of constants is zero: the sign of a zero never decides then."""
    return all(bool((v.node.attrs["value"] != 0).all()) for v in cs)


with build.use(build.Rewriter()):
    # ---- identities
    rule(x * 1, x)
    rule(x / 1, x, kinds="f")
    rule(math.multiply_no_nan(x, 1.0), x, kinds="f")
    rule(x - 0, x)
    rule(x + 0, x, kinds="iu")
    rule(x + 0, x, needs="NO_SIGNED_ZERO", kinds="f")  # -0.0 + 0.0 is +0.0
    rule(x + (-0.0), x, kinds="f")
    rule(x * 0, lambda result: filled(result, 0), kinds="iu")
    rule(x * 0, lambda result: filled(result, 0), needs=OFF_ZERO, kinds="f")
    rule(x - x, lambda result: filled(result, 0), kinds="iu")
    rule(x - x, lambda result: filled(result, 0), needs="NO_NAN", kinds="f")
    rule(x / x, lambda result: filled(result, 1), needs="NO_NAN", kinds="f")
    rule(0 - x, -x, kinds="i")
    rule(0 - x, -x, needs="NO_SIGNED_ZERO", kinds="f")  # 0.0 - 0.0 is +0.0
    rule((-0.0) - x, -x, kinds="f")
    rule(ops.floordiv(x, as_value(1.0)), x, kinds="iu")
    rule(ops.truncatediv(x, as_value(1.0)), x, kinds="iu")
    rule(ops.floormod(x, as_value(1.0)), lambda result: filled(result, 0), kinds="iu")
    rule(ops.add_n(x), x)

    # ---- signs
    rule(-math.negative(x), x, kinds="fi")
    rule(x * -1, -x, kinds="fi")
    rule(x / -1, -x, kinds="f")
    rule(x + -y, x - y)
    rule(x - (-y), x + y)
    rule(-x * -y, x * y)
    rule(-x / -y, x / y, kinds="f")
    rule(-(x - y), y - x, kinds="i")
    rule(-(x - y), y - x, needs="NO_SIGNED_ZERO", kinds="f")  # x == y
    rule(-x * c, lambda x, c: x * fold_constant(np.negative, c), kinds="fi")
    rule(-(x * c), lambda x, c: x * fold_constant(np.negative, c), kinds="fi")
    rule(-x / c, lambda x, c: x / fold_constant(np.negative, c), kinds="f")
    rule(c / -x, lambda x, c: fold_constant(np.negative, c) / x, kinds="f")
    rule(-(x / c), lambda x, c: x / fold_constant(np.negative, c), kinds="f")
    rule(-(c / x), lambda x, c: fold_constant(np.negative, c) / x, kinds="f")
    rule(math.abs(-x), math.abs(x))
    rule(math.square(-x), math.square(x))
    rule(math.square(math.abs(x)), math.square(x))
    rule(math.cos(-x), math.cos(x))
    rule(math.cosh(-x), math.cosh(x))

    # ---- what is not negative (or NaN) already
    for positive in (math.exp(x), math.sigmoid(x), math.abs(x), math.square(x), nn.softplus(x)):
        rule(math.abs(positive), positive, kinds="f")
        rule(nn.relu(positive), positive, kinds="f")
    rule(math.abs(math.abs(x)), math.abs(x), kinds="i")
    rule(nn.relu(math.sqrt(x)), math.sqrt(x))
    for once in (nn.relu(x), nn.relu6(x)):
        rule(nn.relu(once), once)
    for inner in (nn.relu(x), nn.relu6(x)):
        rule(nn.relu6(inner), nn.relu6(x))
    rule(nn.relu(x), x, kinds="u")
    rule(math.sign(math.sign(x)), math.sign(x))
    whole = (math.floor(x), math.ceil(x), math.rint(x), math.round(x))
    for rounded in whole:
        for again in (math.floor, math.ceil, math.rint, math.round):
            rule(again(rounded), rounded)

    # ---- division
    rule(x / c, lambda x, c: None if (r := inverse(c)) is None else x * r, kinds="f")
    rule(1 / x, math.reciprocal(x), kinds="f")
    rule(math.reciprocal(math.sqrt(x)), math.rsqrt(x))
    rule(math.reciprocal(math.reciprocal(x)), x, needs="STABLER", kinds="f")
    rule(x * math.reciprocal(y), x / y, needs="SAME_ROUNDING", kinds="f")
    rule(x / y / z, x / (y * z), needs="REASSOC NO_NAN", kinds="f")  # y * z overflows

    # ---- powers
    rule(math.pow(x, 1.0), x)
    rule(math.pow(x, 0.0), lambda result: filled(result, 1))
    rule(math.pow(x, 2.0), x * x, kinds="iu")
    rule(math.pow(x, 2.0), x * x, needs="STABLER", kinds="f")  # rounded correctly
    rule(math.pow(x, -1.0), math.reciprocal(x), needs="STABLER", kinds="f")
    rule(math.pow(x, 3.0), x * x * x, needs="REASSOC", kinds="f")
    rule(
        math.pow(x, 0.5), math.sqrt(x), needs="STABLER NO_NAN NO_SIGNED_ZERO", kinds="f"
    )  # -inf, -0
    rule(math.pow(x, -0.5), math.rsqrt(x), needs="STABLER NO_NAN NO_SIGNED_ZERO", kinds="f")
    rule(math.square(x), x * x)
    rule(math.sqrt(x) * math.sqrt(x), x, needs="STABLER NO_NAN", kinds="f")
    rule(math.exp(math.log(x)), x, needs="STABLER NO_NAN", kinds="f")
    rule(math.exp(x) * math.exp(y), math.exp(x + y), needs="REASSOC NO_NAN", kinds="f")

    # ---- constants come together
    rule(x + c + d, lambda x, c, d: x + fold_constant(np.add, c, d), kinds="iu")
    rule(x * c * d, lambda x, c, d: x * fold_constant(np.multiply, c, d), kinds="iu")
    rule(x - c + d, lambda x, c, d: x + fold_constant(np.subtract, d, c), kinds="iu")
    rule(x + c - d, lambda x, c, d: x + fold_constant(np.subtract, c, d), kinds="iu")
    rule(x - c - d, lambda x, c, d: x - fold_constant(np.add, c, d), kinds="iu")
    rule(c - (x + d), lambda x, c, d: fold_constant(np.subtract, c, d) - x, kinds="iu")
    rule(x + c + d, lambda x, c, d: x + fold_constant(np.add, c, d), needs="REASSOC", kinds="f")
    rule(
        x * c * d,
        lambda x, c, d: x * fold_constant(np.multiply, c, d),
        needs="REASSOC NO_NAN",
        kinds="f",
    )
    rule(
        x - c + d, lambda x, c, d: x + fold_constant(np.subtract, d, c), needs="REASSOC", kinds="f"
    )
    rule(
        x + c - d, lambda x, c, d: x + fold_constant(np.subtract, c, d), needs="REASSOC", kinds="f"
    )
    rule(x - c - d, lambda x, c, d: x - fold_constant(np.add, c, d), needs="REASSOC", kinds="f")
    rule(
        x * c / d,
        lambda x, c, d: x * fold_constant(np.divide, c, d),
        needs="REASSOC NO_NAN",
        kinds="f",
    )
    rule(
        x / c / d,
        lambda x, c, d: x / fold_constant(np.multiply, c, d),
        needs="REASSOC NO_NAN",
        kinds="f",
    )
    rule(
        x / c * d,
        lambda x, c, d: x * fold_constant(np.divide, d, c),
        needs="REASSOC NO_NAN",
        kinds="f",
    )
    rule(math.sigmoid(x * c + x * c), doubled_sigmoid, kinds="f")
    rule(x * y + x * z, x * (y + z), kinds="iu")
    rule(x * y - x * z, x * (y - z), kinds="iu")
    rule(x * y + x * z, x * (y + z), needs="REASSOC NO_NAN", kinds="f")
    rule(x * y - x * z, x * (y - z), needs="REASSOC NO_NAN", kinds="f")
    rule(x + y - y, x, kinds="iu")
    rule(x - y + y, x, kinds="iu")
    rule(x + y - y, x, needs="REASSOC NO_NAN", kinds="f")
    rule(x - y + y, x, needs="REASSOC NO_NAN", kinds="f")

    # ---- least and greatest (of two zeros either may be the larger: constants only, and not 0)
    rule(math.maximum(x, -x), math.abs(x), kinds="i")
    rule(math.maximum(x, -x), math.abs(x), needs="NO_SIGNED_ZERO", kinds="f")  # of 0.0 and -0.0
    rule(math.maximum(x, x), x)
    rule(math.minimum(x, x), x)
    rule(math.maximum(x, -np.inf), x, kinds="f")
    rule(math.minimum(x, np.inf), x, kinds="f")
    for least in (math.maximum, math.minimum):
        rule(
            least(least(x, c), d),
            lambda x, c, d, f=least: f(x, fold_constant(f.numpy, c, d)) if no_zero(c, d) else None,
        )
        rule(least(least(x, y), y), least(x, y))
    rule(math.maximum(x, math.minimum(x, y)), x, kinds="iu")  # y NaN
    rule(math.minimum(x, math.maximum(x, y)), x, kinds="iu")
    for f in (nn.relu(x), nn.relu6(x)):
        rule(math.maximum(f, c), lambda x, c, result: below_zero(result, c))

    # ---- comparisons
    rule(math.equal(x, x), lambda result: filled(result, True), kinds="iub")
    rule(math.not_equal(x, x), lambda result: filled(result, False), kinds="iub")
    rule(math.not_equal(x, x), math.is_nan(x), kinds="f")
    rule(x < x, lambda result: filled(result, False))
    rule(x > x, lambda result: filled(result, False))
    rule(x <= x, lambda result: filled(result, True), kinds="iu")
    rule(x >= x, lambda result: filled(result, True), kinds="iu")
    rule(-x > -y, x < y, kinds="f")
    rule(-x < -y, x > y, kinds="f")
    rule(-x >= -y, x <= y, kinds="f")
    rule(-x <= -y, x >= y, kinds="f")
    rule(x - y < 0, x < y, kinds="f")  # a difference underflows to 0 only when it is 0
    rule(x - y > 0, x > y, kinds="f")
    rule(math.logical_not(x < y), x >= y, kinds="iu")  # NaN compares false either way
    rule(math.logical_not(x <= y), x > y, kinds="iu")
    rule(math.logical_not(x > y), x <= y, kinds="iu")
    rule(math.logical_not(x >= y), x < y, kinds="iu")
    rule(math.logical_not(math.equal(x, y)), math.not_equal(x, y))
    rule(math.logical_not(math.not_equal(x, y)), math.equal(x, y))
    rule(math.equal(p, True), p)
    rule(math.equal(p, False), math.logical_not(p))
    rule(math.not_equal(p, False), p)
    rule(math.not_equal(p, True), math.logical_not(p))

    # ---- booleans
    rule(math.logical_not(math.logical_not(p)), p)
    for both, one, stop in ((math.logical_and, True, False), (math.logical_or, False, True)):
        other = math.logical_or if both is math.logical_and else math.logical_and
        rule(both(p, one), p)
        rule(both(p, stop), lambda result, s=stop: filled(result, s))
        rule(both(p, p), p)
        rule(both(p, math.logical_not(p)), lambda result, s=stop: filled(result, s))
        rule(both(p, other(p, q)), p)
        rule(both(p, both(p, q)), both(p, q))
        rule(both(math.logical_not(p), math.logical_not(q)), math.logical_not(other(p, q)))
    rule(node("logical_xor", p, as_value(False)), p)
    rule(node("logical_xor", p, as_value(True)), math.logical_not(p))
    rule(node("logical_xor", p, p), lambda result: filled(result, False))

    # ---- bits
    rule(ops.invert(ops.invert(x)), x)
    rule(ops.bitwise_and(x, x), x)
    rule(ops.bitwise_or(x, x), x)
    rule(ops.bitwise_xor(x, x), lambda result: filled(result, 0))
    rule(ops.bitwise_and(x, as_value(0.0)), lambda result: filled(result, 0))
    rule(ops.bitwise_or(x, as_value(0.0)), x)
    rule(ops.bitwise_xor(x, as_value(0.0)), x)
    rule(ops.bitwise_and(x, as_value(-1.0)), x)
    rule(ops.bitwise_or(x, as_value(-1.0)), lambda result: filled(result, -1))
    rule(ops.bitwise_xor(x, as_value(-1.0)), ops.invert(x))
    rule(ops.left_shift(x, as_value(0.0)), x)
    rule(ops.right_shift(x, as_value(0.0)), x)

    # ---- choice
    rule(math.select(True, x, y), x)
    rule(math.select(False, x, y), y)
    rule(math.select(p, x, x), x)
    rule(math.select(math.logical_not(p), x, y), math.select(p, y, x))
    rule(math.select(p, math.select(p, x, y), z), math.select(p, x, z))
    rule(math.select(p, x, math.select(p, y, z)), math.select(p, x, z))
    rule(math.select(p, True, False), p, kinds="b")
    rule(math.select(p, False, True), math.logical_not(p), kinds="b")
    rule(
        math.select(p, 1.0, 0.0),
        lambda p, result: make(math.cast, (p,), {"dtype": result.dtype}).outputs[0],
        kinds="fiu",
    )
    rule(math.select(x < 0, 0.0, x), nn.relu(x))
    rule(math.select(y > 0, x, 0.0), relu_grad(x, y), kinds="f")
    rule(math.select(p, -x, -y), -math.select(p, x, y), kinds="fi")

    # ---- casts
    rule(ops.cast(x, dtype=t), lambda x, dtype: x if x.dtype is dtype else None)
    rule(ops.cast(ops.cast(x, dtype=any_of("inner")), dtype=t), cast_twice)
    rule(math.not_equal(ops.cast(p), 0.0), p)
    rule(math.greater(ops.cast(p), 0.0), p)
    rule(math.equal(ops.cast(p), 0.0), math.logical_not(p))
    for rounded in (ops.floor, ops.ceil, ops.rint, ops.round):
        rule(
            rounded(ops.cast(x, dtype=t)),
            lambda x, dtype: node_cast(x, dtype) if x.dtype.kind in "iub" else None,
        )


def below_zero(result: Value, c: Value) -> Value | None:
    """What is at least 0, in place of its maximum with a negative number."""
    a, b = result.node.inputs
    below = bool((c.node.attrs["value"] < 0).all())
    return (b if a is c else a) if below else None


def node_cast(x: Value, dtype: DType) -> Value:
    return make(OPS["cast"], (x,), {"dtype": dtype}).outputs[0]


views.enter()
