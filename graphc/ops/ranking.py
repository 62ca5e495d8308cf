"""Loops of `top_k`, block by block or a whole row put in order; searches in sorted rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim
from graphc.ir.kernel import Operand, lit, scratch_stride
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_windows import known_shape
from graphc.ops.lowering import Site
from graphc.ops.operands import less

__all__ = ["lower_search", "lower_top_k"]

#: Results of a row up to which each is sought for itself.
FEW = 16
#: Elements of a row up to which that is so for all of them.
SHORT = 64
#: Elements of a block of a row, about as many as there are blocks.
BLOCKS = (64, 256, 1024)
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

    One pass finds the largest element of each block. Each next element is the first that is as
    large as the largest block, of those that come after the last one in that order; then only its
    block is looked at again. A block of which nothing is left looks like one of lowest elements:
    these are sought in the whole row. NaN counts as the lowest value.
    """
    (x,) = n.inputs[:1]
    values = n.outputs[0]
    shape = known_shape(x)
    rows, length, want = D.product(shape[:-1]), shape[-1], known_shape(values)[-1]
    t, i64 = x.dtype, dtypes.int64
    lowest = lit(-np.inf if t.kind == "f" else t.min, t)
    highest = lit(np.inf if t.kind == "f" else t.max, t)
    size = next(b for b in BLOCKS if b == BLOCKS[-1] or less(length, b * b))
    alone = type(length) is int and length <= size
    blocks = 1 if alone else D.ceildiv(length, size)
    k = KernelBuilder(n.op.name)
    a = k.input("x", t, (rows, length))
    v = k.output("values", t, (rows, want))
    p = k.output("indices", dtypes.int32, (rows, want))
    tops = k.scratch("tops", t, (D.maximum(blocks, 1),))

    def b(op: str, x: Any, y: Any) -> Any:
        return k.let(op, x, y, dtype=dtypes.bool_)

    def key(r: Dim, j: Dim) -> Any:
        e = k.load(a, (r, j))
        return e if t.kind != "f" else k.select(b("equal", e, e), e, lowest)

    def after(e: Any, j: Dim, last: Any, last_at: Any) -> Any:
        same = b("logical_and", b("equal", e, last), b("greater", k.index(j), last_at))
        return b("logical_or", b("less", e, last), same)

    def top(r: Dim, block: Dim, last: Any, last_at: Any) -> Operand:
        """The largest element of a block after the last one."""
        extent = length if alone else D.minimum(length - block * size, size)
        with k.reduce("vector", "j", extent) as m:
            place = block * size + m.var
            e = key(r, place)
            m.yields(max=k.select(after(e, place, last, last_at), e, lowest))
        found: Operand = m.results[0]
        return found

    with k.loop("parallel", "r", rows) as r:
        start = highest, lit(-1, i64)
        if not alone:
            with k.loop("for", "b", blocks) as each:
                k.store(tops, (each,), top(r, each, *start))
        with k.scan("q", want, [("last", t), ("last", i64)], start) as sc:
            begin: Dim = 0
            many = length
            if alone:
                largest = top(r, 0, *sc.before)
            else:
                with k.reduce("vector", "c", blocks) as m:
                    held = k.load(tops, (m.var,))
                    m.yields(max=held, argmax=held)
                largest, block = m.results
                some = b("greater", largest, lowest)
                begin = k.select(some, k.index(block.index * size), lit(0, i64)).index
                rest = k.index(D.minimum(length - begin, size))
                many = k.select(some, rest, k.index(length)).index
            with k.reduce("vector", "i", many) as w:
                place = begin + w.var
                e = key(r, place)
                hit = b("logical_and", after(e, place, *sc.before), b("equal", e, largest))
                w.yields(min=k.select(hit, k.index(place), lit(2**62, i64)))
            at = w.results[0]
            sc.step(largest, at)
            k.store(v, (r, sc.var), k.load(a, (r, at.index)))
            k.store(p, (r, sc.var), k.cast(at, dtypes.int32))
            if not alone:
                k.store(tops, (block.index,), top(r, block.index, *sc.after))
    scratch = s.scratch(scratch_stride(tops), t)
    s.step(k.build(), [s.input(0), s.output(0), s.output(1), scratch])


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
