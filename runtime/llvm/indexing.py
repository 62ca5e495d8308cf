"""Indices: expressions of sizes and loop variables as scalars, vectors, and ramps over lanes."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import dtypes
from graphc.ir.dims import Dim, Expr, Func, Symbol
from graphc.ir.kernel import Buffer
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.values import V

__all__ = ["Index", "Indexing", "Ramp"]

int32, int64 = dtypes.int32, dtypes.int64


class Ramp:
    """An index that steps evenly from lane to lane: `base + lane * stride`."""

    __slots__ = ("base", "stride")

    def __init__(self, base: int | V, stride: int | V) -> None:
        self.base = base
        self.stride = stride


Index = int | V | Ramp
"""An index expression's value: a number, an i64 scalar or vector, or a ramp over the lanes."""


class Indexing:
    """The values of index expressions at a place: what a `Walk` knows of sizes and variables."""

    k: Fn
    lanes: int
    values: dict[str, V]
    symbols: dict[Symbol, Index]
    buffers: dict[str, Buffer]

    def uniform(self, d: Dim) -> V:
        """The value of an expression that is the same in all lanes."""
        return self.k.index(self.scalar_of(self.dim(d)))

    def scalar_of(self, x: Index) -> int | V:
        if isinstance(x, Ramp) or (isinstance(x, V) and x.lanes > 1):
            raise ValueError("an index that differs between lanes where one value is needed")
        return x

    def vector(self, x: Index) -> V:
        """An index as one i64 for each lane."""
        k, n = self.k, self.lanes
        if not isinstance(x, Ramp):
            return k.splat(k.index(x), n)
        steps = k.lane_ids(n)
        if isinstance(x.stride, V) or x.stride != 1:
            steps = steps * x.stride
        return k.splat(k.index(x.base), n) + steps

    def offset(self, buf: str, index: Sequence[Dim]) -> Index:
        """The element number of a multi-dimensional index."""
        return self.dim(self.flat(buf, index))

    def flat(self, buf: str, index: Sequence[Dim]) -> Dim:
        flat: Dim = 0
        for size, i in zip(self.buffers[buf].shape, index, strict=True):
            flat = flat * size + i
        return _refold(flat)

    def dim(self, d: Dim) -> Index:
        """The value of an index expression at this place."""
        if isinstance(d, int):
            return d
        total: Index = 0
        for factors, c in d.terms:
            term: Index = c
            for a in factors:
                term = self.times(term, self.atom(a))
            total = self.plus(total, term)
        return total

    def atom(self, a: Symbol | Func) -> Index:
        if isinstance(a, Func):
            return self.func(a.op, self.dim(a.a), self.dim(a.b))
        return self.values[a.name[1:]] if a.name[0] == "%" else self.symbols[a]

    def plus(self, a: Index, b: Index) -> Index:
        if _is_vector(a) or _is_vector(b):
            return self.vector(a) + self.vector(b)
        x, y = _ramp(a), _ramp(b)
        return _simple(_add(x.base, y.base), _add(x.stride, y.stride))

    def times(self, a: Index, b: Index) -> Index:
        if _is_varying(a) and _is_varying(b):
            return self.vector(a) * self.vector(b)
        if _is_vector(a) or _is_vector(b):
            return self.vector(a) * self.vector(b)
        if _is_varying(b):
            a, b = b, a
        x, factor = _ramp(a), _ramp(b).base
        return _simple(_mul(x.base, factor), _mul(x.stride, factor))

    def func(self, op: str, a: Index, b: Index) -> Index:
        k = self.k
        if isinstance(a, Ramp) and a.stride == 1 and op in ("//", "%") and not _is_varying(b):
            if isinstance(b, V) or (isinstance(b, int) and b > 0):
                return self.wrap(op, a.base, b)
        if _is_varying(a) or _is_varying(b):
            x, y = self.vector(a), b if isinstance(b, int) else self.vector(b)
        else:
            x, y = k.index(_ramp(a).base), b if isinstance(b, int) else k.index(_ramp(b).base)
        if op in ("max", "min"):
            return (k.maximum if op == "max" else k.minimum)(x, y)
        if isinstance(y, int) and y > 0 and y & (y - 1) == 0:
            return k.shr(x, y.bit_length() - 1) if op == "//" else x & (y - 1)
        y = k.like(y, x)
        return k.idiv(x, y, floor=True) if op == "//" else k.imod(x, y, floor=True)

    def wrap(self, op: str, start: int | V, by: int | V) -> V:
        """``(start + lane) // by`` or ``% by``: one scalar division, then how often a lane wraps.

        A lane past the first multiple of `by` by p has wrapped 1 + p // by times; both are below
        the number of lanes, where p // d == p * ceil(2^16 / d) >> 16 exactly.
        """
        k, n = self.k, self.lanes
        first, size = k.index(start), k.index(by)
        q = self.func("//", first, by)
        assert isinstance(q, V)
        r = first - q * size
        rest = size - r
        rest = k.select(rest < n, rest, k.index(n))
        past = k.lane_ids(n, int32) - k.splat(k.cast(rest, int32), n)
        if isinstance(by, int):
            magic = k.index(-(-65536 // min(by, n)))
        else:
            small = k.select(size < n, size, k.index(n))
            magic = k.udiv_index(small + 65535, small)
        times = k.shr(past * k.splat(k.cast(magic, int32), n), 16) + 1
        wraps = k.cast(k.select(past >= 0, times, k.like(0, times)), int64)
        if op == "//":
            return k.splat(q, n) + wraps
        return k.splat(r, n) + k.lane_ids(n) - wraps * size


def _refold(d: Dim) -> Dim:
    """`d` with ``(a // b) * b + a % b`` put together as `a`."""
    if not isinstance(d, Expr):
        return d
    for factors, c in d.terms:
        for k, f in enumerate(factors):
            if isinstance(f, Func) and f.op == "%":
                rest = Expr(((factors[:k] + factors[k + 1 :], c),)) if len(factors) > 1 else c
                whole = (f.a // f.b) * f.b + Expr.atom(f)
                folded = d - whole * rest + f.a * rest
                if _size(folded) < _size(d):
                    return _refold(folded)
    return d


def _size(d: Dim) -> int:
    return len(d.terms) if isinstance(d, Expr) else 0


def _is_vector(x: Index) -> bool:
    return isinstance(x, V) and x.lanes > 1


def _is_varying(x: Index) -> bool:
    return isinstance(x, Ramp) or _is_vector(x)


def _ramp(x: Index) -> Ramp:
    return x if isinstance(x, Ramp) else Ramp(x, 0)


def _simple(base: int | V, stride: int | V) -> Index:
    return base if isinstance(stride, int) and stride == 0 else Ramp(base, stride)


def _add(a: int | V, b: int | V) -> int | V:
    if isinstance(a, int):
        if isinstance(b, int):
            return a + b
        a, b = b, a
    return a if isinstance(b, int) and b == 0 else a + b


def _mul(a: int | V, b: int | V) -> int | V:
    if isinstance(a, int):
        if isinstance(b, int):
            return a * b
        a, b = b, a
    if isinstance(b, int) and b in (0, 1):
        return a if b else 0
    return a * b
