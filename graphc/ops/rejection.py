"""Numbers of gamma and Poisson distributions: TensorFlow 1's, drawn by rejection on the host.

Each result has a stream of its own, 256 blocks of the op's Philox stream further than that of the
result before. Uniform and normal numbers are float64, two of a block, of which the second is used
first. A step takes all results that are not yet accepted at once.
"""

from __future__ import annotations

import math as _math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import as_dtype
from graphc.ir.known import known
from graphc.ir.node import Value
from graphc.ops import fills, math, philox, reduce, shapes, spaced, special
from graphc.ops.convert import convert_to_tensor
from graphc.ops.random import _seeds, seeds_of
from graphc.ops.record import Attrs, Types, op

__all__ = ["random_gamma", "random_poisson"]

Array = np.ndarray[Any, Any]

#: Types that Poisson numbers may have.
_COUNTS = (dtypes.float16, dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64)

#: Rates from which on Poisson numbers are transformed uniform ones, and no products of them.
_LARGE = 10.0


class _Numbers:
    """Numbers of many streams, one for each result, of one kind."""

    def __init__(self, streams: _Streams, made: Callable[[Array], Array]) -> None:
        self.streams, self.made = streams, made
        self.pair = np.empty((streams.used.size, 2))
        self.left = np.zeros(streams.used.size, np.int8)

    def __call__(self, at: Array) -> Array:
        """The next number of each of the results `at`."""
        empty = at[self.left[at] == 0]
        if empty.size:
            self.pair[empty] = self.made(self.streams.blocks(empty))
            self.left[empty] = 2
        self.left[at] -= 1
        numbers: Array = self.pair[at, self.left[at]]
        return numbers


class _Streams:
    """The streams of a run's results."""

    def __init__(self, context: Any, count: int) -> None:
        node = context.node
        state = context.resource(f"draws/{node.name}", lambda: {"seeds": seeds_of(node), "skip": 0})
        self.seeds, self.skip = state["seeds"], state["skip"]
        state["skip"] += count * philox.BLOCKS_PER_OUTPUT
        self.used = np.arange(count) * philox.BLOCKS_PER_OUTPUT
        self.uniform = _Numbers(self, philox.uniform_pairs)
        self.normal = _Numbers(self, philox.normal_pairs)

    def blocks(self, at: Array) -> Array:
        """The next block of each of the results `at`."""
        out = philox.blocks(self.seeds[0], self.seeds[1], self.skip, self.used[at])
        self.used[at] += 1
        return out


def _each(context: Any, shape: Any, parameter: Array) -> tuple[_Streams, Array, Array]:
    """Streams, the parameter of each result, and where results go, a parameter's side by side."""
    many, kinds = int(np.prod(shape, dtype=np.int64)), parameter.size
    streams = _Streams(context, many * kinds)
    out = np.empty(many * kinds)
    return streams, np.repeat(parameter.reshape(-1).astype(np.float64), many), out


def _laid_out(out: Array, shape: Any, parameter: Array) -> Array:
    many = int(np.prod(shape, dtype=np.int64))
    rows = out.reshape(parameter.size, many).T
    made: Array = rows.reshape(*shape.tolist(), *parameter.shape)
    return made


def _gamma(context: Any, shape: Any, alpha: Any, **seeds: Any) -> Any:
    streams, a, out = _each(context, shape, alpha)
    one = np.flatnonzero(a == 1.0)
    out[one] = -np.log(1.0 - streams.uniform(one))
    at = np.flatnonzero(a != 1.0)
    below = a < 1.0
    with np.errstate(all="ignore"):
        # Marsaglia and Tsang: the cube of a normal number, moved; below 1 of alpha + 1
        d = np.where(below, a + 2.0 / 3, a - 1.0 / 3)
        c = 1.0 / 3 / np.sqrt(d)
        out[~(a >= 0)] = np.nan  # would never be accepted
        at = at[a[at] >= 0]
        while at.size:
            x = streams.normal(at)
            v = 1 + c[at] * x
            fits = v > 0
            v = v * v * v
            ok = np.flatnonzero(fits)
            u = np.ones_like(x)
            u[ok] = streams.uniform(at[ok])
            near = u < 1 - 0.0331 * (x * x) * (x * x)
            near |= np.log(u) < 0.5 * x * x + d[at] * (1 - v + np.log(v))
            done = fits & near
            out[at[done]] = d[at[done]] * v[done]
            small = at[done & below[at]]
            out[small] *= np.power(streams.uniform(small), 1 / a[small])
            at = at[~done]
        return _laid_out(out, shape, alpha).astype(alpha.dtype)


def _poisson(context: Any, shape: Any, rate: Any, *, dtype: Any, **seeds: Any) -> Any:
    most = float(np.finfo(dtype.np).max if dtype.is_floating else np.iinfo(dtype.np).max)
    bad = np.flatnonzero(~(rate.reshape(-1).astype(np.float64) <= most))
    if bad.size:  # TensorFlow draws such numbers for ever
        raise InvalidArgumentError(
            None, None,
            f"The rate of a Poisson distribution must be a number that {dtype.name} has: rate "
            f"{bad[0]} is {rate.reshape(-1)[bad[0]]}",
        )  # fmt: skip
    streams, r, out = _each(context, shape, rate)
    _counted(streams, r, out)
    _transformed(streams, r, out, most)
    return _laid_out(out, shape, rate).astype(dtype.np)


def _counted(streams: _Streams, r: Array, out: Array) -> None:
    """Small rates (Knuth): how many uniform numbers have a product above exp(-rate)."""
    at = np.flatnonzero(r < _LARGE)
    end, product, x = np.exp(-r[at]), np.ones(at.size), 0.0
    while at.size:
        product = product * streams.uniform(at)
        done = product <= end
        out[at[done]] = x
        at, end, product = at[~done], end[~done], product[~done]
        x += 1


def _transformed(streams: _Streams, r: Array, out: Array, most: float) -> None:
    """Large rates (Hörmann): transformed uniform numbers, a quick test before the exact one."""
    at = np.flatnonzero(r >= _LARGE)
    lgamma = np.frompyfunc(_math.lgamma, 1, 1)
    with np.errstate(all="ignore"):
        while at.size:
            rate = r[at]
            b = 0.931 + 2.53 * np.sqrt(rate)
            a = -0.059 + 0.02483 * b
            u = streams.uniform(at) - 0.5
            v = streams.uniform(at)
            off = 0.5 - np.abs(u)
            k = np.floor((2 * a / off + b) * u + rate + 0.43)
            fits = k <= most
            quick = (off >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
            never = (k < 0) | ((off < 0.013) & (v > off))
            slope = np.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (off * off) + b))
            exact = np.maximum(k, 0) + 1
            least = -rate + k * np.log(rate) - lgamma(exact).astype(np.float64)
            done = fits & (quick | (~never & (slope <= least)))
            out[at[done]] = k[done]
            at = at[~done]


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


def _gamma_grad(y: Value, dy: Value, shape: Value, alpha: Value, **attrs: Any) -> Any:
    """The derivative of a number by alpha, its place in the distribution held, over all draws."""
    slope = build(special.random_gamma_grad_op, (alpha, y)).outputs[0]
    drawn = spaced.range(shapes.size(shape))
    return None, reduce.reduce_sum(dy * slope, drawn)


gamma_op = op(
    "random_gamma", "RandomGamma", "host", doc="Numbers of the gamma distribution.",
    args=("shape", "alpha"), types="fi", stateful=True, infer=_drawn, host=_gamma,
    grad=_gamma_grad, facts={"effect": True},
)  # fmt: skip
poisson_op = op(
    "random_poisson", "RandomPoissonV2", "host", doc="Numbers of the Poisson distribution.",
    args=("shape", "rate"), types="fi", stateful=True, infer=_drawn, host=_poisson,
    facts={"effect": True, "no_gradient_error": True},
)  # fmt: skip


def _shape(x: Any) -> Value:
    return convert_to_tensor(x, None if isinstance(x, Value) else dtypes.int32, "shape")


def random_gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = dtypes.float32, seed: int | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """Numbers of gamma distributions, `shape` of them for each pair of `alpha` and `beta`.

    Parameters
    ----------
    alpha : tensor
        The shape of the distribution. Gradients go there as to `beta`.
    beta : tensor, optional
        Its rate, 1 by default.
    """
    t = as_dtype(dtype).base_dtype
    with current().scope(name, "random_gamma"):
        sizes = _shape(shape)
        a = convert_to_tensor(alpha, t, "alpha")
        b = convert_to_tensor(1 if beta is None else beta, t, "beta")
        wide = a + fills.zeros_like(b)
        drawn = build(gamma_op, (sizes, wide), _seeds(seed), "RandomGamma").outputs[0]
        least = np.finfo(a.dtype.np).tiny
        return math.maximum(least, drawn / b)  # type: ignore[no-any-return]


def random_poisson(
    lam: Any, shape: Any, dtype: Any = dtypes.float32, seed: int | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """Numbers of Poisson distributions, `shape` of them for each rate in `lam`.

    Raises
    ------
    InvalidArgumentError
        In a run, for a rate that is not a number, or larger than all numbers of `dtype`.
    """
    with current().scope(name, "random_poisson"):
        sizes = _shape(shape)
        rate = convert_to_tensor(lam, None if isinstance(lam, Value) else dtypes.float32, "rate")
        kind = as_dtype(dtype).base_dtype
        if kind not in _COUNTS:
            raise TypeError(
                f"Value passed to parameter 'dtype' has DataType {kind.name} not in list of "
                f"allowed values: {', '.join(t.name for t in _COUNTS)}"
            )
        attrs = {"dtype": kind, **_seeds(seed)}
        return build(poisson_op, (sizes, rate), attrs, "RandomPoissonV2").outputs[0]
