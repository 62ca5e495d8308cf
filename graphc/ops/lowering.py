"""Kernels of structured ops: the loops they mean, built when a plan is made.

A function here is the `lower` of an op record: ``lower(node, s)``, where `s` hands out the
buffers of operands, results and temporaries, and takes the kernels in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Kernel, lit
from graphc.ir.kernel import Value as KernelValue
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops.operands import less
from graphc.ops.shapes import depth_of

__all__ = ["Site", "change_rows", "scan", "scatter", "segment", "sum_equal_rows"]


class Site(Protocol):
    """Where a structured op is lowered (`graphc.runtime.plan.Structured`)."""

    def input(self, i: int) -> Any:
        """The buffer of an operand."""

    def output(self, i: int = 0) -> Any:
        """The buffer of a result."""

    def temp(self, dtype: DType, n: Dim) -> Any:
        """A buffer of `n` elements that only this op uses."""

    def hold(self, buffer: Any) -> None:
        """The buffer is in use from here on, although nothing is written yet."""

    def scratch(self, stride: Dim, dtype: DType) -> Any:
        """A buffer of which each worker has a copy, `stride` bytes apart."""

    def counters(self, stream: int) -> Any:
        """The state of a random op: the blocks drawn before, and its two seeds."""

    def step(
        self,
        kernel: Kernel,
        binds: Sequence[Any],
        checks: Sequence[str] = (),
        native: Any = None,
        **attrs: Any,
    ) -> None:
        """Run `kernel` on buffers, in the order of its parameters."""


def _shape(v: Value) -> Shape:
    assert v.static_shape is not None
    return v.static_shape


def around(shape: Shape, axis: int) -> tuple[Dim, Dim, Dim]:
    """Sizes before, along and after an axis."""
    axis %= len(shape)
    return D.product(shape[:axis]), shape[axis], D.product(shape[axis + 1 :])


def scan(n: Node, s: Site) -> None:
    """Cumulative sums and products, in order along the axis."""
    (x,) = n.inputs
    outer, length, inner = around(_shape(x), n.attrs["axis"])
    kind, exclusive, reverse = n.op.combine or "sum", n.attrs["exclusive"], n.attrs["reverse"]
    k = KernelBuilder(n.op.name)
    a = k.input("x", x.dtype, (outer, length, inner))
    y = k.output("y", x.dtype, (outer, length, inner))
    wide = dtypes.float32 if x.dtype.code in ("f16", "bf16") else x.dtype

    def row(o: Dim, i: Dim) -> None:
        with k.scan("j", length, [(kind, wide)]) as sc:
            j = length - 1 - sc.var if reverse else sc.var
            (after,) = sc.step(k.cast(k.load(a, (o, j, i)), wide))
            k.store(y, (o, j, i), k.cast(sc.before[0] if exclusive else after, x.dtype))

    with k.loop("parallel", "o", outer) as o:
        if inner == 1:
            row(o, 0)
        else:
            with k.loop("vector", "i", inner) as i:
                row(o, i)
    s.step(k.build(), [s.input(0), s.output()])


def segment(n: Node, s: Site) -> None:
    """``out[ids[i]] op= data[i]`` in order of i; negative ids are dropped, others checked."""
    data, ids = n.inputs[:2]
    out = n.outputs[0]
    t = out.dtype
    combine, first = _combining(n)
    rows = D.product(_shape(ids))
    inner = D.product(_shape(data)[len(_shape(ids)) :])
    segments = _shape(out)[0]
    if n.attrs.get("sorted"):
        return _sorted_segment(n, s)
    if D.same(inner, 1) and less(segments * (UNITS * CHAINS * MANY), rows):
        return _counted_segment(n, s)
    if D.same(inner, 1):
        return _segment_numbers(n, s)
    k = KernelBuilder(n.op.name)
    x = k.input("data", data.dtype, (rows, inner))
    at = k.input("ids", ids.dtype, (rows,))
    y = k.output("y", t, (segments, inner))
    with k.loop("for", "z", segments) as z, k.loop("vector", "c", inner) as c:
        k.store(y, (z, c), lit(first, t))
    with k.loop("for", "i", rows) as i:
        g = k.cast(k.load(at, (i,)), dtypes.int64)
        assert isinstance(g, KernelValue)
        k.check(k.let("less", g, k.index(segments), dtype=dtypes.bool_), 1, i)
        on = k.let("greater_equal", g, lit(0, dtypes.int64), dtype=dtypes.bool_)
        with k.loop("vector", "j", inner) as j:
            new = k.let(combine, k.load(y, (g.index, j), on), k.load(x, (i, j)), dtype=t)
            k.store(y, (g.index, j), new, where=on)
    s.step(k.build(), [s.input(0), s.input(1), s.output()],
           [f"segment_ids is not in [0, {segments})"])  # fmt: skip


def _segment_numbers(n: Node, s: Site) -> None:
    """Single numbers in order: the result of the segment before stays in a register.

    Ids are often in order, and what was just stored would be waited for by the next row. So where
    the segment is the same, the place of another is read, and not used.
    """
    data, ids = n.inputs[:2]
    t, i64, truth = n.outputs[0].dtype, dtypes.int64, dtypes.bool_
    combine, first = _combining(n)
    rows, segments = D.product(_shape(ids)), _shape(n.outputs[0])[0]
    k = KernelBuilder(f"{n.op.name}_numbers")
    x = k.input("data", data.dtype, (rows,))
    at = k.input("ids", ids.dtype, (rows,))
    y = k.output("y", t, (segments,))
    with k.loop("vector", "z", segments) as z:
        k.store(y, (z,), lit(first, t))
    with k.scan("i", rows, [("last", i64), ("last", t)], [lit(-1, i64), lit(first, t)]) as sc:
        last, total = sc.before
        g = k.cast(k.load(at, (sc.var,)), i64)
        k.check(k.let("less", g, k.index(segments), dtype=truth), 1, sc.var)
        on = k.let("greater_equal", g, lit(0, i64), dtype=truth)
        same = k.let("equal", g, last, dtype=truth)
        inside = k.select(on, g, lit(0, i64))
        elsewhere = k.select(same, k.index(segments - 1), inside)
        held = k.load(y, (elsewhere.index,), on)
        new = k.let(combine, k.select(same, total, held), k.load(x, (sc.var,)), dtype=t)
        k.store(y, (inside.index,), new, where=on)
        sc.step(g, new)
    s.step(k.build(), [s.input(0), s.input(1), s.output()],
           [f"segment_ids is not in [0, {segments})"])  # fmt: skip


def _combining(n: Node) -> tuple[str, Any]:
    """The op that combines two elements of a segment, and what a segment begins with."""
    t = n.outputs[0].dtype
    return {
        "sum": ("add", 0), "prod": ("multiply", 1), "max": ("maximum", t.min),
        "min": ("minimum", t.max),
    }[n.op.facts["combine"]]  # fmt: skip


#: Parallel parts of the numbers that are counted, rows in a part that do not wait for each other,
#: and numbers for each place in all their tables together from which on these pay.
UNITS, CHAINS, MANY = 8, 4, 4


def _counted_segment(n: Node, s: Site) -> None:
    """Many single numbers in few segments: tables of parts, which are combined in their order."""
    ids = n.inputs[1]
    t, i64 = n.outputs[0].dtype, dtypes.int64
    combine, first = _combining(n)
    rows, segments = D.product(_shape(ids)), _shape(n.outputs[0])[0]
    tables = UNITS * CHAINS
    chunk = D.ceildiv(rows, tables)
    k = KernelBuilder(f"counted_{n.op.name}")
    x = k.input("data", t, (rows,))
    at = k.input("ids", ids.dtype, (rows,))
    made = k.output("tables", t, (tables, segments))
    with k.loop("parallel", "u", UNITS) as u:
        with k.loop("vector", "z", CHAINS * segments) as z:
            k.store(made, (u * CHAINS, z), lit(first, t))
        with k.loop("for", "i", chunk) as i:
            for chain in range(CHAINS):
                table = u * CHAINS + chain
                row = table * chunk + i
                inside = k.let("less", k.index(row), k.index(rows), dtype=dtypes.bool_)
                g: Any = k.cast(k.load(at, (row,), inside, -1), i64)
                k.check(k.let("less", g, k.index(segments), dtype=dtypes.bool_), 1, row)
                on = k.let("greater_equal", g, lit(0, i64), dtype=dtypes.bool_)
                new = k.let(combine, k.load(made, (table, g.index), on), k.load(x, (row,), inside))
                k.store(made, (table, g.index), new, where=on)
    parts = s.temp(t, tables * segments)
    s.step(k.build(), [s.input(0), s.input(1), parts], [f"segment_ids is not in [0, {segments})"])
    k = KernelBuilder(f"combined_{n.op.name}")
    made = k.input("tables", t, (tables, segments))
    y = k.output("y", t, (segments,))
    with k.loop("parallel vector", "z", segments) as z:
        with k.reduce("for", "j", tables) as r:
            r.yields(**{n.op.facts["combine"]: k.load(made, (r.var, z))})
        k.store(y, (z,), r.results[0])
    s.step(k.build(), [parts, s.output()])


def _sorted_segment(n: Node, s: Site) -> None:
    """The rows of each segment lie together: where they begin is found first, then each is reduced.

    Segment s begins at the first row whose id is s or more: row i is that of all segments above
    the id before it up to its own. In whatever order ids are, each of these places is written,
    with a number of rows, and rows beyond the data are not read.
    """
    data, ids = n.inputs[:2]
    t = n.outputs[0].dtype
    i64 = dtypes.int64
    kind = n.op.facts["combine"]
    rows = D.product(_shape(ids))
    inner = D.product(_shape(data)[len(_shape(ids)) :])
    segments = _shape(n.outputs[0])[0]
    k = KernelBuilder("segment_begins")
    at = k.input("ids", ids.dtype, (rows,))
    begin = k.output("begin", i64, (segments + 1,))
    with k.loop("parallel", "i", rows + 1) as i:
        place = k.index(i)
        inside = k.let("less", place, k.index(rows), dtype=dtypes.bool_)
        after = k.let("greater", place, lit(0, i64), dtype=dtypes.bool_)
        g: Any = k.cast(k.load(at, (i,), inside), i64)
        low = k.let("greater_equal", g, lit(0, i64), dtype=dtypes.bool_)
        high = k.let("less", g, k.index(segments), dtype=dtypes.bool_)
        right = k.let("logical_and", low, high, dtype=dtypes.bool_)
        k.check(k.select(inside, right, lit(True, dtypes.bool_)), 1, i)
        g = k.select(inside, g, k.index(segments))
        before = k.select(after, k.cast(k.load(at, (i - 1,), after), i64), lit(-1, i64))
        # the row before may be another thread's, which has not refused its id yet
        before = k.let("maximum", before, lit(-1, i64))
        with k.loop("for", "s", g.index - before.index) as new:
            k.store(begin, (before.index + 1 + new,), place)
    places = s.temp(i64, segments + 1)
    s.step(k.build(), [s.input(1), places], [f"segment_ids is not in [0, {segments})"])
    k = KernelBuilder(f"sorted_{n.op.name}")
    x = k.input("data", t, (rows, inner))
    begin = k.input("begin", i64, (segments + 1,))
    y = k.output("y", t, (segments, inner))
    with k.loop("parallel", "z", segments) as z:
        first, end = k.load(begin, (z,)), k.load(begin, (z + 1,))
        some = k.let("less", first, end, dtype=dtypes.bool_)
        empty = lit(kind == "prod", t)
        if inner == 1:
            with k.reduce("vector", "j", end.index - first.index) as r:
                r.yields(**{kind: k.load(x, (first.index + r.var, 0))})
            k.store(y, (z, 0), k.select(some, r.results[0], empty))
        else:
            with k.loop("vector", "c", inner) as c:
                with k.reduce("for", "j", end.index - first.index) as r:
                    r.yields(**{kind: k.load(x, (first.index + r.var, c))})
                k.store(y, (z, c), k.select(some, r.results[0], empty))
    s.step(k.build(), [s.input(0), places, s.output()])


#: Elements of a row that one thread adds: each looks at all indices.
COLUMNS = 64


def scatter(n: Node, s: Site) -> None:
    """``out[indices[i]] += updates[i]`` in order of i, out of zeros.

    An index vector of no axes names nothing (as in TensorFlow).
    """
    ids, rows = n.inputs[:2]
    t, shape, vectors = n.outputs[0].dtype, _shape(n.outputs[0]), _shape(ids)
    many, depth = D.product(vectors[:-1]), depth_of(vectors)
    assert depth is not None
    inner = D.product(_shape(rows)[len(vectors) - 1 :])
    i64 = dtypes.int64
    k = KernelBuilder(n.op.name)
    at = k.input("indices", ids.dtype, (many, depth))
    x = k.input("updates", t, (many, inner))
    y = k.output("y", t, (D.product(shape),))

    def test(op: str, *operands: Any) -> Any:
        return k.let(op, *operands, dtype=dtypes.bool_)

    units = D.maximum(D.ceildiv(inner, COLUMNS), 1)  # indices are looked at for rows of nothing too
    with k.loop("parallel", "u", units) as u:
        first = u * COLUMNS
        columns = D.minimum(inner - first, COLUMNS)
        if D.same(units, 1):
            with k.loop("vector", "z", D.product(shape)) as z:
                k.store(y, (z,), lit(0, t))
        else:
            places = D.product(shape[:depth])
            with k.loop("for", "r", places) as row, k.loop("vector", "z", columns) as z:
                k.store(y, (row * inner + first + z,), lit(0, t))
        with k.loop("for", "i", many) as i:
            k.check(test("less", lit(0, i64), k.index(depth)), 1, i)
            start: Dim = first
            for j in range(depth):
                g = k.cast(k.load(at, (i, j)), i64)
                assert isinstance(g, KernelValue)
                low = test("greater_equal", g, lit(0, i64))
                k.check(test("logical_and", low, test("less", g, k.index(shape[j]))), 1, i)
                start = start + g.index * D.product(shape[j + 1 :])
            with k.loop("vector", "e", columns) as e:
                place = (start + e,)
                new = k.load(x, (i, first + e))
                added = "logical_or" if t.kind == "b" else "add"
                k.store(y, place, k.let(added, k.load(y, place), new, dtype=t))
    s.step(k.build(), [s.input(0), s.input(1), s.output()],
           ["an index does not index into shape"])  # fmt: skip


def change_rows(n: Node, s: Site) -> None:
    """``y[ids[i]] op= new[i]`` in order of i, where y begins as the first operand (`replaces`).

    No index is checked here: this may be the step that changes a variable, which may not fail.
    """
    old, ids, new = n.inputs
    t = old.dtype
    combine = {
        "update": "", "add": "add", "sub": "subtract", "mul": "multiply", "div": "realdiv",
        "min": "minimum", "max": "maximum",
    }[n.attrs["kind"]]  # fmt: skip
    (rows,) = _shape(ids)
    inner = D.product(_shape(old)[1:])
    k = KernelBuilder(n.op.name)
    at = k.input("ids", ids.dtype, (rows,))
    x = k.input("new", new.dtype, (rows, inner))
    y = k.inout("y", t, (_shape(old)[0], inner))
    with k.loop("for", "i", rows) as i:
        g = k.cast(k.load(at, (i,)), dtypes.int64)
        assert isinstance(g, KernelValue)
        with k.loop("vector", "j", inner) as j:
            row: Any = k.load(x, (i, j))
            if combine:
                row = k.let(combine, k.load(y, (g.index, j)), row, dtype=t)
            k.store(y, (g.index, j), row)
    s.step(k.build(), [s.input(1), s.input(2), s.output()])


def sum_equal_rows(n: Node, s: Site) -> None:
    """``y[i]`` is the sum of all ``values[j]`` with ``ids[j] == ids[i]``, in order of j.

    `seen` has where an index was first met. It begins with whatever was in memory: an entry counts
    only if it is an earlier place that has this index, and once the index was met it is that
    (Briggs and Torczon 1993, "An efficient representation for sparse sets"). So the cost is that of
    the rows given, however many rows the indexed tensor has.
    """
    values, ids = n.inputs[:2]
    t = values.dtype
    (many,) = _shape(ids)
    inner = D.product(_shape(values)[1:])
    rows = n.attrs["rows"]
    i32, i64, truth = dtypes.int32, dtypes.int64, dtypes.bool_
    k = KernelBuilder(n.op.name)
    x = k.input("values", t, (many, inner))
    at = k.input("ids", ids.dtype, (many,))
    seen = k.inout("seen", i32, (rows,))
    first = k.inout("first", i32, (many,))
    y = k.output("y", t, (many, inner))

    def index(v: Any) -> KernelValue:
        wide = k.cast(v, i64)
        assert isinstance(wide, KernelValue)
        return wide

    with k.loop("for", "i", many) as i:
        g = index(k.load(at, (i,)))
        low = k.let("greater_equal", g, lit(0, i64), dtype=truth)
        high = k.let("less", g, k.index(rows), dtype=truth)
        k.check(k.let("logical_and", low, high, dtype=truth), 1, i)
        place = k.cast(k.index(i), i32)
        old = k.load(seen, (g.index,))
        low = k.let("greater_equal", old, lit(0, i32), dtype=truth)
        before = k.let("logical_and", low, k.let("less", old, place, dtype=truth), dtype=truth)
        maybe = index(k.select(before, old, place))
        same = k.let("equal", index(k.load(at, (maybe.index,))), g, dtype=truth)
        again = k.let("logical_and", before, same, dtype=truth)
        one = k.select(again, old, place)
        k.store(seen, (g.index,), one)
        k.store(first, (i,), one)
        to = index(one)
        with k.loop("vector", "j", inner) as j:
            row = k.load(x, (i, j))
            total = k.let("add", k.load(y, (to.index, j), again), row, dtype=t)
            k.store(y, (to.index, j), k.select(again, total, row))
    with k.loop("for", "m", many) as m:
        source = index(k.load(first, (m,)))
        with k.loop("vector", "c", inner) as c:
            k.store(y, (m, c), k.load(y, (source.index, c)))
    temps = [s.temp(i32, rows), s.temp(i32, many)]
    s.step(k.build(), [s.input(0), s.input(1), *temps, s.output()],
           [f"an index is not in [0, {rows})"])  # fmt: skip
