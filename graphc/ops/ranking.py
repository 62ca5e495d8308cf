"""Loops of `top_k`: a pass for each element that is asked for, or a whole row put in order."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim
from graphc.ir.kernel import lit, scratch_stride
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_windows import known_shape
from graphc.ops.lowering import Site
from graphc.ops.operands import less

__all__ = ["lower_search", "lower_top_k"]

#: Results of a row up to which each takes a pass over it.
FEW = 16
#: Elements of a row up to which that is so for all of them.
SHORT = 64
#: Counts of digits of a row: eight of a byte.
COUNTS = 8 * 256


def lower_top_k(n: Node, s: Site) -> None:
    want, length = known_shape(n.outputs[0])[-1], known_shape(n.inputs[0])[-1]
    few = type(want) is int and want <= FEW
    if few or (type(length) is int and length <= SHORT):
        _taken(n, s)
    else:
        _sorted(n, s)


def _sorted(n: Node, s: Site) -> None:
    x, values = n.inputs[0], n.outputs[0]
    shape = known_shape(x)
    rows, length, want = D.product(shape[:-1]), shape[-1], known_shape(values)[-1]
    k = KernelBuilder("sort_rows")
    buffers = [
        k.input("x", x.dtype, (rows, length)),
        k.output("values", x.dtype, (rows, want)),
        k.output("indices", dtypes.int32, (rows, want)),
    ]
    twice = (D.maximum(2 * length, 1),)
    own = [k.scratch("keys", dtypes.uint64, twice)]
    if x.dtype.size == 8:
        own.append(k.scratch("places", dtypes.int32, twice))
    own.append(k.scratch("counts", dtypes.int64, (COUNTS,)))
    with k.loop("parallel", "r", rows) as r:
        k.template("sort_rows", [*buffers, *own], (r, rows, length, want))
    scratch = [s.scratch(scratch_stride(b), b.dtype) for b in own]
    s.step(k.build(), [s.input(0), s.output(0), s.output(1), *scratch])


def _taken(n: Node, s: Site) -> None:
    """The `k` largest of each row and where they are, largest first, the first of equals first.

    Each next element is the largest of those that come after the last one in that order:
    k passes over a row in cache. NaN counts as the lowest value.
    """
    (x,) = n.inputs[:1]
    values = n.outputs[0]
    shape = known_shape(x)
    rows, length, want = D.product(shape[:-1]), shape[-1], known_shape(values)[-1]
    t = x.dtype
    lowest = -np.inf if t.kind == "f" else t.min
    highest = np.inf if t.kind == "f" else t.max
    k = KernelBuilder(n.op.name)
    a = k.input("x", t, (rows, length))
    v = k.output("values", t, (rows, want))
    p = k.output("indices", dtypes.int32, (rows, want))

    def b(op: str, x: Any, y: Any) -> Any:
        return k.let(op, x, y, dtype=dtypes.bool_)

    def key(r: Dim, j: Dim) -> Any:
        e = k.load(a, (r, j))
        if t.kind != "f":
            return e
        return k.select(b("equal", e, e), e, lit(lowest, t))

    def after(e: Any, j: Any, last: Any, last_at: Any) -> Any:
        same = b("logical_and", b("equal", e, last), b("greater", j, last_at))
        return b("logical_or", b("less", e, last), same)

    with (
        k.loop("parallel", "r", rows) as r,
        k.scan("q", want, [("last", t), ("last", dtypes.int64)],
               [lit(highest, t), lit(-1, dtypes.int64)]) as sc,
    ):  # fmt: skip
        last, last_at = sc.before
        with k.reduce("vector", "j", length) as m:
            e = key(r, m.var)
            m.yields(max=k.select(after(e, k.index(m.var), last, last_at), e, lit(lowest, t)))
        with k.reduce("vector", "i", length) as w:
            e, i = key(r, w.var), k.index(w.var)
            hit = b("logical_and", after(e, i, last, last_at), b("equal", e, m.results[0]))
            w.yields(min=k.select(hit, i, lit(2**62, dtypes.int64)))
        sc.step(m.results[0], w.results[0])
        at = w.results[0]
        k.store(v, (r, sc.var), k.load(a, (r, at.index)))
        k.store(p, (r, sc.var), k.cast(at, dtypes.int32))
    s.step(k.build(), [s.input(0), s.output(0), s.output(1)])


#: Halvings after which a search of a row ends, one of these.
ROUNDS = (4, 8, 16, 32)


def lower_search(n: Node, s: Site) -> None:
    """Where values belong in sorted rows, by halves: no element decides where the program goes."""
    x, v = n.inputs
    length, many = known_shape(x)[-1], known_shape(v)[-1]
    rows = D.product(known_shape(x)[:-1])
    t, i64, truth = x.dtype, dtypes.int64, dtypes.bool_
    k = KernelBuilder(n.op.name)
    a = k.input("x", t, (rows, length))
    b = k.input("values", t, (rows, many))
    y = k.output("y", n.attrs["out_type"], (rows, many))
    rounds = next(r for r in ROUNDS if r == ROUNDS[-1] or less(length, 2**r))

    def ahead(r: Dim, place: Any, value: Any) -> Any:
        """Whether the value belongs behind the element at a place."""
        element = k.load(a, (r, place.index))
        if n.attrs["side"] == "left":
            return k.let("less", element, value, dtype=truth)
        return k.let("logical_not", k.let("less", value, element, dtype=truth), dtype=truth)

    with k.loop("parallel", "r", rows) as r, k.loop("vector", "j", many) as j:
        value = k.load(b, (r, j))
        carries = [("last", i64), ("last", i64)]
        with k.scan("t", rounds, carries, [lit(0, i64), k.index(length)]) as sc:
            first, rest = sc.before
            half = k.index(rest.index // 2)
            last = k.index(D.maximum(first.index + half.index - 1, 0))
            some = k.let("greater", half, lit(0, i64), dtype=truth)
            go = k.let("logical_and", some, ahead(r, last, value), dtype=truth)
            sc.step(k.select(go, k.index(first.index + half.index), first),
                    k.index(rest.index - half.index))  # fmt: skip
        first = sc.results[0]
        if length != 0:
            go = ahead(r, first, value)
            first = k.select(go, k.index(first.index + 1), first)
        k.store(y, (r, j), k.cast(first, n.attrs["out_type"]))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])
