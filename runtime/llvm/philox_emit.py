"""Random numbers in native code: the templates that the kernels of random ops use.

Each template follows its function in `graphc.ops.philox`: uniform numbers, integers and
permutations have the same bits, normal numbers are within 2 ulp (float32 ones go through
float64 and are nearly always equal). The state of an op is three words at run time, so that
one kernel serves every op of its kind: the blocks drawn before, and the two seeds.

======================  =======================  ==============================================
template                buffers                  sizes
======================  =======================  ==============================================
``philox``              state, y[, lo, hi]       unit, number of elements; attr ``draw``
``philox_truncated``    state, y                 unit, number of elements
``philox_shuffle``      state, permutation       number of rows
``philox_candidates``   state, classes, tries,   number of candidates, of classes; attrs
                        table                    ``classes``, ``unique``, ``log``, ``slots``
======================  =======================  ==============================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Template
from graphc.ops.random import UNIT, per_block
from graphc.runtime.llvm.values import V
from graphc.runtime.llvm.walk import Walk

__all__ = ["LANES", "TEMPLATES", "State", "normal", "repeated", "uniform"]

LANES = 8  # blocks computed together: a vector of 64-bit products
MULTIPLY_0, MULTIPLY_2 = 0xD2511F53, 0xCD9E8D57
WEYL_0, WEYL_1 = 0x9E3779B9, 0xBB67AE85
LOW = 0xFFFFFFFF
PATIENCE = 1 << 24  # blocks in which candidates must be found: some seconds
TWO_PI = 6.283185307179586

u32, u64, i32, i64 = dtypes.uint32, dtypes.uint64, dtypes.int32, dtypes.int64
f32, f64 = dtypes.float32, dtypes.float64


def _as(k: Any, x: V, dtype: DType) -> V:
    """The same bits read as signed or unsigned."""
    return V(k, x.ll, dtype, x.lanes)


class State:
    """The seeds and counter of an op, loaded once."""

    def __init__(self, w: Walk, s: Template) -> None:
        k = w.k
        base = w.pointers[s.buffers[0]]
        self.k = k
        self.skip, seed, seed2 = (_as(k, k.load(base, i, i64), u64) for i in range(3))
        self.key = seed & LOW, k.shr(seed, 32)
        self.high = seed2 & LOW, k.shr(seed2, 32)

    def blocks(self, first: V, lanes: int) -> list[V]:
        """The four words of blocks `first`, `first + 1`, … as u64 below 2**32."""
        k = self.k
        at = _as(k, first, u64)
        return self.at(k.splat(at, lanes) + k.lane_ids(lanes, u64) if lanes > 1 else at)

    def at(self, blocks: V) -> list[V]:
        """The four words of each of `blocks`."""
        k, lanes = self.k, blocks.lanes
        low = blocks + (k.splat(self.skip, lanes) if lanes > 1 else self.skip)
        c0, c1 = low & LOW, k.shr(low, 32)
        c2, c3 = (k.splat(x, lanes) for x in self.high)
        k0, k1 = self.key
        for r in range(10):
            p0, p2 = c0 * MULTIPLY_0, c2 * MULTIPLY_2
            a, b = k.splat(k0, lanes), k.splat(k1, lanes)
            c0, c1 = k.shr(p2, 32) ^ c1 ^ a, p2 & LOW
            c2, c3 = k.shr(p0, 32) ^ c3 ^ b, p0 & LOW
            if r < 9:
                k0, k1 = (k0 + WEYL_0) & LOW, (k1 + WEYL_1) & LOW
        return [c0, c1, c2, c3]


# ------------------------------------------------------------------------- numbers of a block


def _unit_f32(k: Any, x: V) -> V:
    bits = (k.cast(x, u32) & 0x7FFFFF) | 0x3F800000
    return k.bitcast(bits, f32) - 1.0  # type: ignore[no-any-return]


def _unit_f64(k: Any, x: V, y: V) -> V:
    bits = k.shl((x & 0xFFFFF) | 0x3FF00000, 32) | y
    return k.bitcast(bits, f64) - 1.0  # type: ignore[no-any-return]


def uniform(k: Any, c: Sequence[V], dtype: DType) -> list[V]:
    if dtype is f64:
        return [_unit_f64(k, c[0], c[1]), _unit_f64(k, c[2], c[3])]
    if dtype is f32:
        return [_unit_f32(k, x) for x in c]
    bits = 10 if dtype is dtypes.float16 else 7
    units = [k.cast(k.cast(k.cast(x, u32) & (2**bits - 1), i32), f32) * 2.0**-bits for x in c]
    return [k.cast(x, dtype) for x in units]


def _normal32(k: Any, x: V, y: V) -> tuple[V, V]:
    """Box and Muller: two float32 normal numbers from two words."""
    u = k.maximum(_unit_f32(k, x), 1e-7)
    angle = k.cast(k.cast(_unit_f32(k, y), f64) * TWO_PI, f32)
    log = k.cast(k.log(k.cast(u, f64)), f32)
    radius = k.sqrt(log * -2.0)
    wide = k.cast(angle, f64)
    return k.cast(k.sin(wide), f32) * radius, k.cast(k.cos(wide), f32) * radius


def normal(k: Any, c: Sequence[V], dtype: DType) -> list[V]:
    if dtype is f64:
        u = k.maximum(_unit_f64(k, c[0], c[1]), 1e-7)
        angle = _unit_f64(k, c[2], c[3]) * TWO_PI
        radius = k.sqrt(k.log(u) * -2.0)
        return [k.sin(angle) * radius, k.cos(angle) * radius]
    out = [*_normal32(k, c[0], c[1]), *_normal32(k, c[2], c[3])]
    return [k.cast(x, dtype) for x in out]


def _uniform_int(k: Any, c: Sequence[V], lo: V, hi: V) -> list[V]:
    t = lo.dtype
    unsigned = u32 if t is i32 else u64
    span = _as(k, hi - lo, unsigned)
    if t is i32:
        words = [k.cast(x, u32) for x in c]
    else:
        words = [c[0] | k.shl(c[1], 32), c[2] | k.shl(c[3], 32)]
    low = _as(k, lo, unsigned)
    return [
        _as(k, k.imod(x, k.splat(span, x.lanes), floor=False) + k.splat(low, x.lanes), t)
        for x in words
    ]


def _interleave(k: Any, xs: Sequence[V]) -> V:
    """One vector: element 0 of each, element 1 of each, and so on."""
    n = xs[0].lanes
    if len(xs) == 2:
        return k.shuffle(xs[0], xs[1], [j * n + i for i in range(n) for j in range(2)])  # type: ignore[no-any-return]
    a = k.shuffle(xs[0], xs[1], list(range(2 * n)))
    b = k.shuffle(xs[2], xs[3], list(range(2 * n)))
    return k.shuffle(a, b, [j * n + i for i in range(n) for j in range(4)])  # type: ignore[no-any-return]


# ------------------------------------------------------------------------- templates


def _dtype(w: Walk, s: Template, i: int) -> DType:
    return w.buffers[s.buffers[i]].dtype


def _span(w: Walk, s: Template, group: int, per: int) -> tuple[V, V, V]:
    """The groups from, to, of this unit, and the number of elements (`group` groups a unit)."""
    k = w.k
    unit, n = w.uniform(s.sizes[0]), w.uniform(s.sizes[1])
    unit, n = k.index(unit), k.index(n)
    first = unit * group
    last = k.udiv_index(n + (per - 1), k.index(per))
    stop = first + group
    return first, k.select(stop < last, stop, last), n


def _fill(w: Walk, s: Template) -> None:
    """A unit of `UNIT` blocks, `LANES` at a time."""
    k: Any = w.k
    draw = dict(s.attrs)["draw"]
    dtype = _dtype(w, s, 1)
    per = per_block(dtype)
    out = w.pointers[s.buffers[1]]
    state = State(w, s)
    first, stop, n = _span(w, s, UNIT, per)
    ends = [k.load(w.pointers[b], 0, dtype) for b in s.buffers[2:]]
    with k.loop(first, stop, LANES) as p:
        c = state.blocks(p.i, LANES)
        if draw == "uniform_int":
            xs = _uniform_int(k, c, *ends)
        else:
            xs = (uniform if draw == "uniform" else normal)(k, c, dtype)
        x = _interleave(k, xs)
        at = p.i * per
        rest = n - at
        full = LANES * per
        with k.if_(rest >= full):
            k.store(out, at, x)
        with k.if_(rest < full):
            mask = k.lane_ids(full, i32) < k.splat(k.cast(rest, i32), full)
            k.store(out, at, x, mask)


def repeated(
    k: Any, carry: Sequence[V], go: Callable[[list[V]], V], body: Callable[[list[V]], Sequence[V]]
) -> list[V]:
    """Repeat `body` on the carried values while `go` holds."""
    before = k.b.block
    head, inside, done = (k.func.append_basic_block(x) for x in ("while", "again", "after"))
    k.b.branch(head)
    k.b.position_at_end(head)
    phis = []
    for c in carry:
        phi = k.b.phi(c.ll.type)
        phi.add_incoming(c.ll, before)
        phis.append(phi)
    now = [V(k, p, c.dtype, c.lanes) for p, c in zip(phis, carry, strict=True)]
    k.b.cbranch(go(now).ll, inside, done)
    k.b.position_at_end(inside)
    for phi, v in zip(phis, body(now), strict=True):
        phi.add_incoming(v.ll, k.b.block)
    k.b.branch(head)
    k.b.position_at_end(done)
    return now


def _truncated(w: Walk, s: Template) -> None:
    """A unit of `UNIT` groups, each filled from its own blocks by rejection."""
    k: Any = w.k
    dtype = _dtype(w, s, 1)
    per = per_block(dtype)
    own = 256 * per // 4  # blocks of a group
    wide = f64 if dtype is f64 else f32
    out = w.pointers[s.buffers[1]]
    state = State(w, s)
    first, stop, n = _span(w, s, UNIT, per)
    with k.loop(first, stop) as p:
        start = p.i * per

        def take(now: list[V], group: V = p.i, start: V = start) -> list[V]:
            filled, block = now
            c = state.blocks(group * own + block, 1)
            for x in normal(k, c, wide):
                ok = (k.abs(x) < 2.0) & (filled < per)
                at = start + filled
                with k.if_(ok & (at < n)):
                    k.store(out, at, k.cast(x, dtype))
                filled = filled + k.cast(ok, i64)
            return [filled, block + 1]

        repeated(k, [k.index(0), k.index(0)], lambda now: (now[0] < per) & (now[1] < own), take)


def _shuffle(w: Walk, s: Template) -> None:
    """A permutation, by Fisher and Yates from the front."""
    k: Any = w.k
    state = State(w, s)
    order = w.pointers[s.buffers[1]]
    n = k.index(w.uniform(s.sizes[0]))
    with k.loop(0, n) as p:
        k.store(order, p.i, p.i)
    steps = n - 1
    with k.loop(0, steps, 4) as p:
        block = k.udiv_index(p.i, k.index(4))
        for j, word in enumerate(state.blocks(block, 1)):
            i = p.i + j
            with k.if_(i < steps):
                left = k.cast(_as(k, n - i, u64), u32)
                ahead = k.imod(k.cast(word, u32), left, floor=False)
                other = i + _as(k, k.cast(ahead, u64), i64)
                a, b = k.load(order, i, i64), k.load(order, other, i64)
                k.store(order, i, b)
                k.store(order, other, a)


def _candidates(w: Walk, s: Template) -> None:
    """Classes one after the other, two words each; where they are `unique`, a table has those met.

    The table is open: a class is at the first place from its hash on that is its own or free.
    """
    k: Any = w.k
    attrs = dict(s.attrs)
    state = State(w, s)
    out, tries, seen = (w.pointers[b] for b in s.buffers[1:])
    n, top = (k.index(w.uniform(d)) for d in s.sizes)
    slots = attrs["slots"]

    def draw(low: V, high: V) -> tuple[V, V]:
        """A class, and whether the numbers gave one."""
        if attrs["classes"] == "log_uniform":
            x = k.cast(k.exp(_unit_f64(k, low, high) * attrs["log"]), i64) - 1
            return k.select(x >= top, x - top, x), k.like(True, low < high)
        classes = _as(k, top, u64)
        x = low | k.shl(high, 32)
        # as many numbers as there are a multiple of, but for powers of two, where none is left out
        last = k.like(2**64 - 1, x)
        rest = k.imod(k.imod(last, classes, floor=False) + 1, classes, floor=False)
        return _as(k, k.imod(x, classes, floor=False), i64), x <= last - rest

    def place(x: V) -> V:
        """Where `x` is in the table, or a free place for it."""
        mixed = k.shr(_as(k, x, u64) * 0x9E3779B97F4A7C15, 65 - slots.bit_length())

        def other(now: list[V]) -> V:
            here = k.load(seen, now[0], i64)
            found: V = (here >= 0) & here.ne(x)
            return found

        start = _as(k, mixed, i64)
        return repeated(k, [start], other, lambda now: [(now[0] + 1) & (slots - 1)])[0]

    def block(now: list[V]) -> list[V]:
        made, tried, at = now
        c = state.blocks(at, 1)
        for low, high in ((c[0], c[1]), (c[2], c[3])):
            x, good = draw(low, high)
            good = good & (made < n)
            tried = tried + k.cast(good, i64)
            if attrs["unique"]:
                spot = place(x)
                good = good & (k.load(seen, spot, i64) < 0)
                with k.if_(good):
                    k.store(seen, spot, x)
            with k.if_(good):
                k.store(out, made, x)
            made = made + k.cast(good, i64)
        return [made, tried, at + 1]

    made, tried, _ = repeated(
        k, [k.index(0)] * 3, lambda now: (now[0] < n) & (now[2] < PATIENCE), block
    )  # fmt: skip
    k.store(tries, k.index(0), k.select(made < n, k.index(-1), tried))


TEMPLATES: dict[str, Callable[[Walk, Template], None]] = {
    "philox": _fill,
    "philox_truncated": _truncated,
    "philox_shuffle": _shuffle,
    "philox_candidates": _candidates,
}
