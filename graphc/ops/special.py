"""Special functions of statistics, and random numbers made with them: on the host, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import as_dtype
from graphc.ir.known import known
from graphc.ir.node import Value
from graphc.ops import arrays, fills, math, reduce, shapes
from graphc.ops.random import _seeds, seeds_of
from graphc.ops.record import Attrs, Op, Types, as_value, broadcast, no_grad, op, operands

__all__ = [
    "betainc", "igamma", "igammac", "lbeta", "polygamma", "random_gamma", "random_poisson",
    "reciprocal_no_nan", "zeta",
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
    made: Array = h * np.exp(a * np.log(x) - x - _lgamma(a))
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
    made: Array = total * np.exp(a * np.log(x) - x - _lgamma(a))
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


def _record(name: str, tf: str, args: str, doc: str, f: Callable[..., Array], grad: Any) -> Op:
    def meaning(*xs: Array) -> Array:
        with np.errstate(all="ignore"):
            out: Array = f(*[x.astype(np.float64) for x in xs]).astype(xs[0].dtype)
            return out

    return op(name, tf, "host", doc=doc, args=tuple(args.split()), types="f", infer=_infer,
              numpy=meaning, grad=grad)  # fmt: skip


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


igamma_op = _record(
    "igamma", "Igamma", "a x", "The lower regularised incomplete gamma function.",
    lambda a, x: _igamma(a, x, False),
    lambda y, dy, a, x: (None, _reduced(dy * _density(a, x), x)),
)  # fmt: skip
igammac_op = _record(
    "igammac", "Igammac", "a x", "The upper regularised incomplete gamma function.",
    lambda a, x: _igamma(a, x, True),
    lambda y, dy, a, x: (None, _reduced(-dy * _density(a, x), x)),
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
    """The lower regularised incomplete gamma function P(a, x); its gradient is that in `x`."""
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


# ------------------------------------------------------------------------- random numbers


def _generator(context: Any) -> np.random.Generator:
    """A stream of its own for each op and run: the op's seeds and how often it has run."""
    count = context.resource(f"draws/{context.node.name}", lambda: [0, seeds_of(context.node)])
    count[0] += 1
    return np.random.Generator(np.random.Philox(key=count[1], counter=count[0] << 64))


def _gamma(context: Any, shape: Any, alpha: Any, **seeds: Any) -> Any:
    size = (*shape.tolist(), *alpha.shape)
    drawn = _generator(context).standard_gamma(alpha.astype(np.float64), size)
    return np.maximum(drawn.astype(alpha.dtype), np.finfo(alpha.dtype).tiny)


def _poisson(context: Any, shape: Any, lam: Any, *, dtype: Any, **seeds: Any) -> Any:
    size = (*shape.tolist(), *lam.shape)
    return _generator(context).poisson(lam.astype(np.float64), size).astype(dtype.np)


def _drawn(inputs: Sequence[Value], attrs: Attrs) -> Types:
    shape, rate = inputs
    k = known(shape)
    n = None if shape.static_shape is None else shape.static_shape[0]
    first: Any = None
    if isinstance(k, tuple):
        first = tuple(D.fresh() if d is None else d for d in k)
    elif type(n) is int:
        first = tuple(D.fresh() for _ in range(n))
    s = None if first is None or rate.static_shape is None else (*first, *rate.static_shape)
    return [(attrs.get("dtype", rate.dtype), s)]


_RANDOM: dict[str, Any] = {"types": "fiu", "stateful": True, "infer": _drawn, "grad": no_grad}
gamma_op = op("random_gamma", "RandomGamma", "host", doc="Numbers of the gamma distribution.",
              args=("shape", "alpha"), host=_gamma, facts={"effect": True}, **_RANDOM)  # fmt: skip
poisson_op = op("random_poisson", "RandomPoissonV2", "host", args=("shape", "rate"),
                doc="Numbers of the Poisson distribution.", host=_poisson,
                facts={"effect": True}, **_RANDOM)  # fmt: skip


def _shape(x: Any) -> Value:
    return as_value(x if isinstance(x, Value) else np.asarray(x, np.int32), None, "shape")


def random_gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = dtypes.float32, seed: int | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """Numbers of gamma distributions, `shape` of them for each pair of `alpha` and `beta`.

    Parameters
    ----------
    alpha : tensor
        The shape of the distribution. (The gradient goes to `beta` only.)
    beta : tensor, optional
        Its rate, 1 by default.

    Notes
    -----
    Reproducible with seeds, but not TensorFlow's numbers.
    """
    t = as_dtype(dtype).base_dtype
    with current().scope(name, "random_gamma"):
        a = as_value(alpha, t if not isinstance(alpha, Value) else None, "alpha")
        b = as_value(1 if beta is None else beta, a.dtype if not isinstance(beta, Value) else None,
                     "beta")  # fmt: skip
        wide = a + fills.zeros_like(b)
        drawn = build(gamma_op, (_shape(shape), wide), _seeds(seed), "RandomGamma").outputs[0]
        least = float(np.finfo(a.dtype.np).tiny)
        return math.maximum(least, drawn / b)  # type: ignore[no-any-return]


def random_poisson(
    lam: Any, shape: Any, dtype: Any = dtypes.float32, seed: int | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """Numbers of Poisson distributions, `shape` of them for each rate in `lam`.

    Notes
    -----
    Reproducible with seeds, but not TensorFlow's numbers.
    """
    with current().scope(name, "random_poisson"):
        rate = as_value(lam, dtypes.float32 if not isinstance(lam, Value) else None, "lam")
        attrs = {"dtype": as_dtype(dtype), **_seeds(seed)}
        return build(poisson_op, (_shape(shape), rate), attrs, "RandomPoissonV2").outputs[0]
