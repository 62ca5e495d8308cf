"""Three typical kernels for the tests of the compiler, written with the emitter."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir import dtypes
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.values import V, i64, ptr

F32, I32, I64 = dtypes.float32, dtypes.int32, dtypes.int64


def _tail(f: Fn, left: V, lanes: int) -> V:
    return f.cmp("<", f.lane_ids(lanes), f.splat(left, lanes))


def chain(m: Any, name: str = "chain", ops: int = 20, lanes: int = 16) -> None:
    """An element-wise chain with a masked tail: ``i32 chain(ptr table, i64 n)``."""
    f = Fn(m, name, [ptr, i64])
    n = f.wrap(f.args[1], I64)
    a, b, o = (f.read_ptr(f.args[0], k) for k in range(3))

    def body(i: V, mask: V | None) -> None:
        x, y = (f.load(p, i, F32, lanes, mask) for p in (a, b))
        v = x
        for k in range(ops):
            v = (
                lambda v: v * y,
                lambda v: v + 0.5,
                lambda v: f.maximum(v, x),
                lambda v: v - y,
                lambda v: f.call("llvm.sqrt", f.call("llvm.fabs", v)),
                lambda v: f.select(v > 0.25, v, x),
                lambda v: f.minimum(v, y * 3.0),
            )[k % 7](v)
        f.store(o, i, v, mask)

    main = n - (n & (lanes - 1))
    with f.loop(0, main, lanes) as c:
        body(c.i, None)
    with f.if_(main < n):
        body(main, _tail(f, n - main, lanes))
    f.ret(0)


def chain_numpy(x: np.ndarray, y: np.ndarray, ops: int = 20) -> np.ndarray:
    """What `chain` computes."""
    v = x
    for k in range(ops):
        r = k % 7
        v = (
            v * y if r == 0 else v + np.float32(0.5) if r == 1 else np.maximum(v, x) if r == 2
            else v - y if r == 3 else np.sqrt(np.abs(v)) if r == 4
            else np.where(v > 0.25, v, x) if r == 5 else np.minimum(v, y * np.float32(3))
        )  # fmt: skip
    return v


def _exp(f: Fn, x: V) -> V:
    x = f.minimum(f.maximum(x, -87.0), 88.0)
    k = f.call("llvm.rint", x * 1.4426950408889634)
    r = f.fma(k, f.like(-0.693359375, x), x)
    r = f.fma(k, f.like(2.12194440e-4, x), r)
    p = f.like(1.9875691500e-4, x)
    for c in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.50000001201):
        p = f.fma(p, r, f.like(c, x))
    e = f.fma(p, r * r, r) + 1.0
    return e * f.bitcast(f.shl(f.cast(k, I32) + 127, 23), F32)


def _across(f: Fn, v: V, op: Any) -> V:
    n = v.lanes
    while n > 2:
        n //= 2
        v = op(f.shuffle(v, None, range(n)), f.shuffle(v, None, range(n, 2 * n)))
    return op(f.extract(v, 0), f.extract(v, 1))


def softmax(m: Any, name: str = "softmax", lanes: int = 16) -> None:
    """Rows in three passes: ``i32 softmax(ptr table, i64 rows, i64 columns)``."""
    f = Fn(m, name, [ptr, i64, i64])
    rows, cols = (f.wrap(a, I64) for a in f.args[1:])
    a, o = (f.read_ptr(f.args[0], k) for k in range(2))
    main = cols - (cols & (lanes - 1))
    rem, tail = _tail(f, cols - main, lanes), main < cols
    low, zero = f.const(-np.inf, F32, lanes), f.const(0.0, F32, lanes)
    with f.loop(0, rows) as row:
        base = row.i * cols

        def read(i: V, mask: V | None = None, base: V = base) -> V:
            return f.load(a, base + i, F32, lanes, mask)

        with f.loop(0, main, lanes, [low]) as c:
            c.next([f.maximum(c.carry[0], read(c.i))])
        (top,) = f.choose(
            tail,
            lambda c=c: [f.maximum(c.results[0], f.select(rem, read(main, rem), low))],
            lambda c=c: c.results,
        )
        top = f.splat(_across(f, top, f.maximum), lanes)
        with f.loop(0, main, lanes, [zero]) as c:
            e = _exp(f, read(c.i) - top)
            f.store(o, base + c.i, e)
            c.next([c.carry[0] + e])

        def last(c: Any = c, base: V = base, top: V = top) -> list[V]:
            e = _exp(f, f.load(a, base + main, F32, lanes, rem) - top)
            f.store(o, base + main, e, rem)
            return [c.results[0] + f.select(rem, e, zero)]

        (total,) = f.choose(tail, last, lambda c=c: c.results)
        scale = f.splat(1.0 / _across(f, total, f.add), lanes)
        with f.loop(0, main, lanes) as c:
            f.store(o, base + c.i, f.load(o, base + c.i, F32, lanes) * scale)
        with f.if_(tail):
            f.store(o, base + main, f.load(o, base + main, F32, lanes, rem) * scale, rem)
    f.ret(0)


def gemm(m: Any, name: str = "gemm", rows: int = 8, vectors: int = 3, lanes: int = 16) -> None:
    """A register block of packed panels: ``i32 gemm(ptr table, i64 depth, i64 row_stride)``."""
    f = Fn(m, name, [ptr, i64, i64])
    depth, stride = (f.wrap(a, I64) for a in f.args[1:])
    a, b, o = (f.read_ptr(f.args[0], k) for k in range(3))
    zero = f.const(0.0, F32, lanes)
    with f.loop(0, depth, 1, [zero] * (rows * vectors)) as c:
        at = c.i * (vectors * lanes)
        bs = [f.load(b, at + j * lanes, F32, lanes) for j in range(vectors)]
        out = []
        for r in range(rows):
            x = f.splat(f.load(a, c.i * rows + r, F32), lanes)
            out += [f.fma(x, bs[j], c.carry[r * vectors + j]) for j in range(vectors)]
        c.next(out)
    for r in range(rows):
        for j in range(vectors):
            f.store(o, f.index(r) * stride + j * lanes, c.results[r * vectors + j])
    f.ret(0)


def integers(m: Any, name: str = "integers", lanes: int = 8) -> None:
    """Divisions, remainders and shifts by data: ``i32 integers(ptr table)``."""
    f = Fn(m, name, [ptr])
    a, b, o = (f.read_ptr(f.args[0], k) for k in range(3))
    k = 0
    for n in (lanes, 1):
        x, y = f.load(a, 0, I32, n), f.load(b, 0, I32, n)
        u, w = f.cast(x, dtypes.uint32), f.cast(y, dtypes.uint32)
        for v in (
            f.idiv(x, y, floor=True), f.idiv(x, y, floor=False), f.imod(x, y, floor=True),
            f.imod(x, y, floor=False), f.shl(x, y), f.shr(x, y), f.shr(x, 3),
            f.idiv(u, w, floor=False), f.imod(u, w, floor=False), f.shr(u, w),
            f.idiv(x, f.splat(f.extract(y, 0), n), floor=True),
        ):  # fmt: skip
            f.store(o, k, f.cast(v, I32))
            k += n
    f.ret(0)
