"""Special functions of statistics: on the host, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops import arrays, fills, math, reduce, shapes
from graphc.ops.record import Attrs, Op, Types, as_value, broadcast, op, operands

__all__ = [
    "betainc", "igamma", "igammac", "lbeta", "polygamma", "reciprocal_no_nan", "zeta",
]  # fmt: skip

Array = np.ndarray[Any, Any]

# ------------------------------------------------------------------------- in float64

#: Lanczos's coefficients for g = 7.
_LANCZOS = (
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
    -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
    1.5056327351493116e-7,
)  # fmt: skip


def _lgamma(x: Array) -> Array:
    """The logarithm of the gamma function for positive x."""
    small = x < 0.5
    z = np.where(small, 1.0 - x, x) - 1.0
    total = np.full_like(z, _LANCZOS[0])
    for i, c in enumerate(_LANCZOS[1:], 1):
        total += c / (z + i)
    t = z + 7.5
    out = 0.5 * np.log(2 * np.pi) + (z + 0.5) * np.log(t) - t + np.log(total)
    made: Array = np.where(small, np.log(np.pi / np.abs(np.sin(np.pi * x))) - out, out)
    return made


#: Steps after which elements that have converged are left out.
_TURN = 8

State = list[Array]


def _converged(
    step: Callable[[int, State], tuple[State, Array]], state: State, limit: int
) -> Array:
    """The first number of a state for each element, after as many steps as that one needs.

    `step` makes of its number and a state the next one, and how far from converged it is: a number
    that is 0 or less where nothing changes any more.
    """
    out = np.empty(state[0].size)
    at = np.arange(state[0].size)
    for i in range(1, limit):
        state, rest = step(i, state)
        if i % _TURN == 0:
            done = ~(rest > 0)  # nor does NaN change
            out[at[done]] = state[0][done]
            at, state = at[~done], [v[~done] for v in state]
        if not at.size:
            break
    out[at] = state[0]
    return out


def _igammac_tail(a: Array, x: Array) -> Array:
    """The upper function by its continued fraction (Lentz), for x above a + 1."""
    tiny = 1e-300
    b = x + 1.0 - a
    d = 1.0 / np.where(b == 0, tiny, b)

    def step(i: int, state: State) -> tuple[State, Array]:
        h, a, b, c, d = state
        an = -i * (i - a)
        b = b + 2.0
        d = 1.0 / _away(an * d + b)
        c = _away(b + an / c)
        change = c * d
        return [h * change, a, b, c, d], np.abs(change - 1.0) - 1e-15

    h = _converged(step, [d, a, b, np.full_like(x, 1.0 / tiny), d], 500)
    made: Array = h * _factor(a, x)
    return made


def _away(x: Any) -> Any:
    return np.where(np.abs(x) < 1e-300, 1e-300, x)


def _igamma_series(a: Array, x: Array) -> Array:
    def step(i: int, state: State) -> tuple[State, Array]:
        total, term, n, x = state
        n = n + 1.0
        term = term * x / n
        total = total + term
        return [total, term, n, x], np.abs(term) - np.abs(total) * 1e-16

    total = _converged(step, [1.0 / a, 1.0 / a, a, x], 2001)
    made: Array = total * _factor(a, x)
    return made


def _igamma(a: Array, x: Array, upper: bool) -> Array:
    a, x = np.broadcast_arrays(a, x)
    ok = (a > 0) & (x >= 0)
    sa, sx = np.where(ok, a, 1.0), np.where(ok & (x > 0) & (x < np.inf), x, 1.0)
    far = np.asarray(sx > sa + 1.0)
    p, q = np.empty(sa.shape), np.empty(sa.shape)
    q[far] = _igammac_tail(sa[far], sx[far])
    p[far] = 1.0 - q[far]
    p[~far] = _igamma_series(sa[~far], sx[~far])
    q[~far] = 1.0 - p[~far]
    p, q = np.where(x == 0, 0.0, p), np.where(x == 0, 1.0, q)
    p, q = np.where(np.isposinf(x), 1.0, p), np.where(np.isposinf(x), 0.0, q)
    made: Array = np.where(ok, q if upper else p, np.nan)
    return made


def _series_slope(a: Array, x: Array) -> Array:
    """The derivative of the lower function by a, by that of its series, over `_factor`."""

    def step(i: int, state: State) -> tuple[State, Array]:
        total, term, slope, n, x, w = state
        n = n + 1.0
        slope = (slope - term / n) * x / n
        term = term * x / n
        total = total + term * w + slope
        rest = np.abs(term * w) + np.abs(slope) - np.abs(total) * 1e-16
        return [total, term, slope, n, x, w], rest

    w = np.log(x) - _digamma(a)
    term = 1.0 / a
    return _converged(step, [term * w - term * term, term, -term * term, a, x, w], 20001)


def _tail_slope(a: Array, x: Array) -> Array:
    """The derivative of the upper function by a, by that of its fraction, over `_factor`.

    What is said of `h`, `c` and `d` of Lentz's method is said of their derivatives in `dh`, ...
    """
    tiny = 1e-300
    b = x + 1.0 - a
    d = 1.0 / np.where(b == 0, tiny, b)
    w = np.log(x) - _digamma(a)

    def step(i: int, state: State) -> tuple[State, Array]:
        _, h, dh, a, b, c, dc, d, dd, w = state
        an = -i * (i - a)
        b = b + 2.0
        new = 1.0 / _away(an * d + b)
        dd = -new * new * (i * d + an * dd - 1.0)
        dc = -1.0 + i / c - an * (dc / c) / c
        c = _away(b + an / c)
        d = new
        change, dchange = c * d, dc * d + c * dd
        h, dh = h * change, dh * change + h * dchange
        rest = np.abs(change - 1.0) + np.abs(dchange) - 1e-15
        return [h * w + dh, h, dh, a, b, c, dc, d, dd, w], rest

    start = [
        d * w + d * d,
        d,
        d * d,
        a,
        b,
        np.full_like(x, 1.0 / tiny),
        np.zeros_like(x),
        d,
        d * d,
        w,
    ]
    return _converged(step, start, 2001)


def _factor(a: Array, x: Array) -> Array:
    made: Array = np.exp(a * np.log(x) - x - _lgamma(a))
    return made


def _gamma_slope(a: Array, x: Array, place: bool) -> Array:
    """The derivative of the lower function by a; or of x by a, with the function's value held."""
    a, x = np.broadcast_arrays(a, x)
    ok = (a > 0) & (x >= 0) & (a < np.inf)
    inside = ok & (x > 0) & (x < np.inf)
    sa, sx = np.where(inside, a, 1.0), np.where(inside, x, 1.0)
    far = np.asarray(sx > sa + 1.0)
    slope = np.empty(sa.shape)
    slope[far] = -_tail_slope(sa[far], sx[far])
    slope[~far] = _series_slope(sa[~far], sx[~far])
    slope = slope * (-sx if place else _factor(sa, sx))
    made: Array = np.where(ok, np.where(inside, slope, 0.0), np.nan)
    return made


def _beta_fraction(a: Array, b: Array, x: Array) -> Array:
    d = 1.0 / _away(1.0 - (a + b) * x / (a + 1.0))

    def step(m: int, state: State) -> tuple[State, Array]:
        h, c, d, a, b, x = state
        m2 = 2 * m
        aa = m * (b - m) * x / ((a - 1.0 + m2) * (a + m2))
        d, c = 1.0 / _away(1.0 + aa * d), _away(1.0 + aa / c)
        h = h * d * c
        aa = -(a + m) * (a + b + m) * x / ((a + m2) * (a + 1.0 + m2))
        d, c = 1.0 / _away(1.0 + aa * d), _away(1.0 + aa / c)
        return [h * d * c, c, d, a, b, x], np.abs(d * c - 1.0) - 1e-15

    start = [np.asarray(v) for v in (d, np.ones_like(x), d, a, b, x)]
    return _converged(step, [v.reshape(-1) for v in start], 500).reshape(np.shape(x))


def _betainc(a: Array, b: Array, x: Array) -> Array:
    a, b, x = np.broadcast_arrays(a, b, x)
    ok = (a > 0) & (b > 0) & (x >= 0) & (x <= 1)
    inner = ok & (x > 0) & (x < 1)
    sa, sb, sx = (np.where(inner, v, 0.5) for v in (a, b, x))
    front = np.exp(
        _lgamma(sa + sb) - _lgamma(sa) - _lgamma(sb) + sa * np.log(sx) + sb * np.log1p(-sx)
    )
    turn = sx >= (sa + 1.0) / (sa + sb + 2.0)
    p, q, z = np.where(turn, sb, sa), np.where(turn, sa, sb), np.where(turn, 1.0 - sx, sx)
    part = front * _beta_fraction(p, q, z) / p
    made: Array = np.where(inner, np.where(turn, 1.0 - part, part), np.where(x >= 1, 1.0, 0.0))
    out: Array = np.where(ok, made, np.nan)
    return out


#: Bernoulli's numbers B2, B4, … divided by (2k)!.
_BERNOULLI = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
    1 / 74724249600,
)  # fmt: skip


def _zeta(s: Array, q: Array) -> Array:
    """Hurwitz's zeta by the sum of Euler and Maclaurin."""
    s, q = np.broadcast_arrays(s, q)
    ok = (s > 1) & (q > 0)
    x, y = np.where(ok, s, 2.0), np.where(ok, q, 1.0)
    n = 12
    total = sum(((y + k) ** -x for k in range(n)), np.zeros_like(x))
    w = y + n
    total = total + w ** (1.0 - x) / (x - 1.0) + 0.5 * w**-x
    factor, power = x, w ** (-x - 1.0)
    for k, b in enumerate(_BERNOULLI):
        total = total + b * factor * power
        factor = factor * (x + 2 * k + 1) * (x + 2 * k + 2)
        power = power / (w * w)
    pole = (s == 1) | ((q <= 0) & (q == np.floor(q)) & (s > 1))
    made: Array = np.where(ok, total, np.where(pole, np.inf, np.nan))
    return made


def _polygamma(n: Array, x: Array) -> Array:
    n, x = np.broadcast_arrays(n, x)
    whole = (n >= 1) & (n == np.floor(n))
    m = np.where(whole, n, 1.0)
    sign = np.where(m % 2 == 1, 1.0, -1.0)
    out = sign * np.exp(_lgamma(m + 1.0)) * _zeta(m + 1.0, x)
    made: Array = np.where(whole, out, np.where(n == 0, _digamma(x), np.nan))
    return made


def _digamma(x: Array) -> Array:
    pole = (x <= 0) & (x == np.floor(x))
    safe = np.where(pole, 1.0, x)
    turn = safe < 0.5
    z = np.where(turn, 1.0 - safe, safe)
    total = np.zeros_like(z)
    for _ in range(10):
        total = np.where(z < 10, total - 1.0 / z, total)
        z = np.where(z < 10, z + 1.0, z)
    w = 1.0 / (z * z)
    series = w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w * (1 / 240 - w / 132))))
    out = total + np.log(z) - 0.5 / z - series
    made: Array = np.where(turn, out - np.pi / np.tan(np.pi * safe), out)
    answer: Array = np.where(pole, np.nan, made)
    return answer


# ------------------------------------------------------------------------- records


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    shape = inputs[0].static_shape
    for v in inputs[1:]:
        shape = broadcast(shape, v.static_shape)
    return [(inputs[0].dtype, shape)]


def _record(
    name: str, tf: str, args: str, doc: str, f: Callable[..., Array], grad: Any = None
) -> Op:
    def meaning(*xs: Array) -> Array:
        with np.errstate(all="ignore"):
            out: Array = f(*[x.astype(np.float64) for x in xs]).astype(xs[0].dtype)
            return out

    return op(name, tf, "host", doc=doc, args=tuple(args.split()), types="f", infer=_infer,
              numpy=meaning, grad=grad, facts={"no_gradient_error": grad is None})  # fmt: skip


def _reduced(g: Value, x: Value) -> Value:
    """A gradient summed over what its operand was broadcast to."""
    if x.static_shape == g.static_shape and x.static_shape is not None:
        return g
    n = shapes.rank(g) - shapes.rank(x)
    ones = fills.ones([n], dtype=dtypes.int32)
    padded = arrays.concat([ones, shapes.shape(x)], 0)
    over = shapes.reshape(arrays.where_indices(math.not_equal(padded, shapes.shape(g))), [-1])
    return shapes.reshape(reduce.reduce_sum(g, over), shapes.shape(x))


def _density(a: Value, x: Value) -> Value:
    return math.exp((a - 1.0) * math.log(x) - x - math.lgamma(a))  # type: ignore[no-any-return]


def _beta_density(a: Value, b: Value, x: Value) -> Value:
    log = (b - 1.0) * math.log1p(-x) + (a - 1.0) * math.log(x)
    return math.exp(log + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))  # type: ignore[no-any-return]


igamma_grad_op = _record(
    "igamma_grad_a", "IgammaGradA", "a x", "The derivative of igamma by a.",
    lambda a, x: _gamma_slope(a, x, False),
)  # fmt: skip
random_gamma_grad_op = _record(
    "random_gamma_grad", "RandomGammaGrad", "alpha sample",
    "The derivative of a number of the gamma distribution by its alpha.",
    lambda a, x: _gamma_slope(a, x, True),
)  # fmt: skip


def _gamma_grads(dy: Value, a: Value, x: Value) -> tuple[Value, Value]:
    slope = build(igamma_grad_op, (a, x)).outputs[0]
    return _reduced(dy * slope, a), _reduced(dy * _density(a, x), x)


igamma_op = _record(
    "igamma", "Igamma", "a x", "The lower regularised incomplete gamma function.",
    lambda a, x: _igamma(a, x, False),
    lambda y, dy, a, x: _gamma_grads(dy, a, x),
)  # fmt: skip
igammac_op = _record(
    "igammac", "Igammac", "a x", "The upper regularised incomplete gamma function.",
    lambda a, x: _igamma(a, x, True),
    lambda y, dy, a, x: _gamma_grads(-dy, a, x),
)  # fmt: skip
betainc_op = _record(
    "betainc", "Betainc", "a b x", "The regularised incomplete beta function.", _betainc,
    lambda y, dy, a, b, x: (None, None, _reduced(dy * _beta_density(a, b, x), x)),
)  # fmt: skip
zeta_op = _record(
    "zeta", "Zeta", "x q", "Hurwitz's zeta function.", _zeta,
    lambda y, dy, x, q: (None, _reduced(-dy * x * zeta(x + 1.0, q), q)),
)  # fmt: skip
polygamma_op = _record(
    "polygamma", "Polygamma", "a x", "Derivatives of the digamma function.", _polygamma,
    lambda y, dy, n, x: (None, _reduced(dy * polygamma(n + 1.0, x), x)),
)  # fmt: skip


def _call(record: Op, values: Sequence[Any], name: str | None) -> Value:
    return build(record, operands(record, values), None, name).outputs[0]


def igamma(a: Any, x: Any, name: str | None = None) -> Value:
    """The lower regularised incomplete gamma function P(a, x)."""
    return _call(igamma_op, (a, x), name)


def igammac(a: Any, x: Any, name: str | None = None) -> Value:
    """The upper regularised incomplete gamma function 1 - P(a, x)."""
    return _call(igammac_op, (a, x), name)


def betainc(a: Any, b: Any, x: Any, name: str | None = None) -> Value:
    """The regularised incomplete beta function I_x(a, b); its gradient is that in `x`."""
    return _call(betainc_op, (a, b, x), name)


def zeta(x: Any, q: Any, name: str | None = None) -> Value:
    """Hurwitz's zeta function: the sum of (q + n)^-x over n from 0 on."""
    return _call(zeta_op, (x, q), name)


def polygamma(a: Any, x: Any, name: str | None = None) -> Value:
    """The `a`-th derivative of the digamma function."""
    return _call(polygamma_op, (a, x), name)


def lbeta(x: Any, name: str | None = None) -> Value:
    """The logarithm of the beta function of the numbers along the last axis."""
    with current().scope(name, "lbeta"):
        v = as_value(x, None, "x")
        parts = reduce.reduce_sum(math.lgamma(v), axis=[-1])
        return parts - math.lgamma(reduce.reduce_sum(v, axis=[-1]))  # type: ignore[no-any-return]


def reciprocal_no_nan(x: Any, name: str | None = None) -> Value:
    """1 / x, and 0 where x is 0."""
    with current().scope(name, "reciprocal_no_nan"):
        v = as_value(x, None, "x")
        return math.div_no_nan(fills.ones_like(v), v)  # type: ignore[no-any-return]
