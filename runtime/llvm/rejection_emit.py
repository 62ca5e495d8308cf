"""Numbers of gamma and Poisson distributions in native code, a vector of results at a time.

The templates follow the functions of `graphc.ops.rejection` number by number: each result has a
stream of its own, of which normal and uniform numbers take blocks as they need them, two numbers
a block. Lanes that are done wait for the slowest of their vector.

======================  =========================  ========================================
template                buffers                    sizes
======================  =========================  ========================================
``philox_gamma``        state, alphas, y           unit, number of results
``philox_poisson``      state, rates, most, y      unit, number of results
======================  =========================  ========================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir import dtypes
from graphc.ir.kernel import Template
from graphc.ops.rejection_loops import LARGE, OWN, RESULTS
from graphc.runtime.llvm.philox_emit import LANES, State, normal, repeated, uniform
from graphc.runtime.llvm.values import V
from graphc.runtime.llvm.walk import Walk

__all__ = ["TEMPLATES"]

f64, i64, u64, truth = dtypes.float64, dtypes.int64, dtypes.uint64, dtypes.bool_


class _Lanes:
    """A vector of results: where each stream is, and what is left of its last blocks.

    What changes is a list of vectors, which loops carry: blocks used, then for normal and for
    uniform numbers whether one is left, and which.
    """

    def __init__(self, w: Walk, state: State, first: V) -> None:
        self.w, self.k, self.state = w, w.k, state
        k: Any = w.k
        at = k.splat(first, LANES) + k.lane_ids(LANES, i64)
        self.start = V(k, at.ll, u64, LANES) * OWN

    def none(self) -> list[V]:
        k = self.k
        number, left = k.const(0.0, f64, LANES), k.const(False, truth, LANES)
        return [k.const(0, u64, LANES), left, number, left, number]

    def draw(self, now: list[V], on: V, kind: int) -> tuple[V, list[V]]:
        """The next number of the streams that are `on`: normal (0) or uniform (1)."""
        k: Any = self.k
        used, left, kept = now[0], now[1 + 2 * kind], now[2 + 2 * kind]
        empty = on & ~left

        def fresh() -> list[V]:
            c = self.state.at(self.start + used)
            return [*(uniform if kind else normal)(k, c, f64)]

        pair = k.choose(self.w.any(empty), fresh, lambda: [kept, kept])
        new = list(now)
        new[0] = used + k.cast(empty, u64)
        new[1 + 2 * kind] = k.select(on, empty, left)
        new[2 + 2 * kind] = k.select(empty, pair[0], kept)
        return k.select(empty, pair[1], kept), new

    def until_done(
        self, on: V, carry: Sequence[V], step: Callable[[V, list[V], list[V]], tuple[V, list[V]]]
    ) -> list[V]:
        """What `step` carries once no lane is `on`: it gets and gives these, streams in front."""
        count = len(self.none())

        def body(now: list[V]) -> list[V]:
            go, rest = step(now[0], now[1 : 1 + count], now[1 + count :])
            return [go, *rest]

        out = repeated(self.k, [on, *carry], lambda now: self.w.any(now[0]), body)
        return out[1:]


def _vectors(w: Walk, s: Template, each: Callable[[_Lanes, V, V], V]) -> None:
    """A unit of `RESULTS` results: ``each(lanes, parameter, on)`` gives a vector of them."""
    k: Any = w.k
    source, out = w.pointers[s.buffers[1]], w.pointers[s.buffers[-1]]
    unit, n = (k.index(w.uniform(d)) for d in s.sizes)
    state = State(w, s)
    stop = unit * RESULTS + RESULTS
    with k.loop(unit * RESULTS, k.select(stop < n, stop, n), LANES) as p:
        on = k.lane_ids(LANES, i64) < k.splat(n - p.i, LANES)
        x = each(_Lanes(w, state, p.i), k.load(source, p.i, f64, LANES, on), on)
        k.store(out, p.i, x, on)


def _gamma(w: Walk, s: Template) -> None:
    """Marsaglia and Tsang: the cube of a normal number, moved; below 1 of alpha + 1."""
    k: Any = w.k

    def number(x: float) -> V:
        made: V = k.const(x, f64, LANES)
        return made

    def each(lanes: _Lanes, a: V, on: V) -> V:
        one, below = a.eq(1.0), a < 1.0
        d = k.select(below, a + 2.0 / 3, a - 1.0 / 3)
        c = number(1.0 / 3) / k.sqrt(d)
        streams = lanes.none()
        u, streams = lanes.draw(streams, on & one, 1)
        # what is not 0 or more, NaN too, would never be accepted
        out = k.select(
            one, -k.log(number(1.0) - k.select(one, u, number(0.0))), number(float("nan"))
        )

        def step(at: V, streams: list[V], made: list[V]) -> tuple[V, list[V]]:
            x, streams = lanes.draw(streams, at, 0)
            v = c * x + 1.0
            fits = at & (v > 0.0)
            v = v * v * v
            u, streams = lanes.draw(streams, fits, 1)
            u, v = (k.select(fits, e, number(1.0)) for e in (u, v))
            square = x * x
            near = u < (number(1.0) - square * 0.0331 * square)
            near = near | (k.log(u) < square * 0.5 + d * (number(1.0) - v + k.log(v)))
            done = fits & near
            result = d * v
            small = done & below

            def smaller() -> list[V]:
                share, after = lanes.draw(streams, small, 1)
                power = k.pow(k.select(small, share, number(0.5)), number(1.0) / a)
                return [k.select(small, result * power, result), *after]

            result, *streams = k.choose(lanes.w.any(small), smaller, lambda: [result, *streams])
            return at & ~done, [*streams, k.select(done, result, made[0])]

        ready = on & (a >= 0.0) & ~one
        made: V = lanes.until_done(ready, [*streams, out], step)[-1]
        return made

    _vectors(w, s, each)


def _poisson(w: Walk, s: Template) -> None:
    """Small rates (Knuth): how many uniform numbers have a product above exp(-rate).

    Large ones (Hörmann): transformed uniform numbers, a quick test before the exact one.
    """
    k: Any = w.k
    most = k.load(w.pointers[s.buffers[2]], 0, f64)

    def number(x: float) -> V:
        made: V = k.const(x, f64, LANES)
        return made

    def each(lanes: _Lanes, r: V, on: V) -> V:
        few = on & (r < LARGE)
        many = on & (r >= LARGE)
        end = k.exp(-k.select(few, r, number(1.0)))

        def count(at: V, streams: list[V], now: list[V]) -> tuple[V, list[V]]:
            product, made = now
            u, streams = lanes.draw(streams, at, 1)
            product = product * u
            go = at & (product > end)
            return go, [*streams, product, k.select(go, made + 1.0, made)]

        rate = k.select(many, r, number(LARGE))
        b = k.sqrt(rate) * 2.53 + 0.931
        a = b * 0.02483 - 0.059
        log = k.log(rate)

        def transform(at: V, streams: list[V], now: list[V]) -> tuple[V, list[V]]:
            u, streams = lanes.draw(streams, at, 1)
            v, streams = lanes.draw(streams, at, 1)
            u = u - 0.5
            off = number(0.5) - k.abs(u)
            x = k.floor((a * 2.0 / off + b) * u + rate + 0.43)
            fits = at & (x <= k.splat(most, LANES))
            quick = (off >= 0.07) & (v <= number(0.9277) - number(3.6224) / (b - 2.0))
            never = (x < 0.0) | ((off < 0.013) & (v > off))
            slope = k.log(v * (number(1.1239) + number(1.1328) / (b - 3.4)) / (a / (off * off) + b))
            whole = k.maximum(x, 0.0) + 1.0
            least = x * log - rate - k.lgamma(whole)
            done = fits & (quick | (~never & (slope <= least)))
            return at & ~done, [*streams, k.select(done, x, now[0])]

        zero = number(0.0)
        *streams, _, made = lanes.until_done(few, [*lanes.none(), number(1.0), zero], count)
        found: V = k.choose(
            lanes.w.any(many),
            lambda: lanes.until_done(many, [*streams, made], transform)[-1:],
            lambda: [made],
        )[0]
        return found

    _vectors(w, s, each)


TEMPLATES: dict[str, Callable[[Walk, Template], None]] = {
    "philox_gamma": _gamma,
    "philox_poisson": _poisson,
}
