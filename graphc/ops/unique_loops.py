"""The different elements of a vector, by a table of those met: native code that the host calls."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import dtypes
from graphc.ir.dims import Dim
from graphc.ir.kernel import Operand, lit
from graphc.ir.kernel import Value as KernelValue
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops.conv_windows import known_shape
from graphc.ops.lowering import Site
from graphc.ops.record import Attrs, Op, Types

__all__ = ["places_op"]

i32, i64, u64, truth = dtypes.int32, dtypes.int64, dtypes.uint64, dtypes.bool_

#: More rounds than any loop here makes.
ENDLESS = 1 << 62
#: The golden ratio as a fraction of 2**64: products with it spread over their high bits.
_SPREAD = 0x9E3779B97F4A7C15


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    n = known_shape(inputs[0])
    return [(i32, n), (i64, n), (i32, n), (i64, ())]


def _lower(n: Node, s: Site) -> None:
    (many,) = known_shape(n.inputs[0])
    (slots,) = known_shape(n.inputs[2])
    k = KernelBuilder("unique_places")
    keys, shift = k.input("keys", i64, (many,)), k.input("shift", u64, ())
    table = k.inout("table", i32, (slots,))
    held = k.inout("held", i64, (many,))
    which, first = k.output("which", i32, (many,)), k.output("first", i64, (many,))
    counts, count = k.output("counts", i32, (many,)), k.output("count", i64, ())

    def test(op: str, *operands: Operand) -> KernelValue:
        return k.let(op, *operands, dtype=truth)

    def index(v: Operand) -> Dim:
        wide = k.cast(v, i64)
        assert isinstance(wide, KernelValue)
        return wide.index

    by = k.load(shift, ())
    with k.loop("vector", "z", slots) as z:
        k.store(table, (z,), lit(-1, i32))
    with k.scan("i", many, [("last", i64)], [lit(0, i64)]) as sc:
        found = sc.before[0]
        key = k.load(keys, (sc.var,))
        folded = k.let("bitwise_xor", k.cast(key, u64),
                       k.let("right_shift", k.cast(key, u64), lit(32, u64)))  # fmt: skip
        mixed = k.let("right_shift", k.let("multiply", folded, lit(_SPREAD, u64)), by)
        with k.repeat([k.cast(mixed, i64)], ENDLESS) as probe:
            (at,) = probe.before
            one = k.load(table, (index(at),))
            taken = test("greater_equal", one, lit(0, i32))
            other = test("not_equal", k.load(held, (index(one),), taken), key)
            probe.test(k.let("logical_and", taken, other, dtype=truth))
            probe.next(k.index((index(at) + 1) % slots))
        place = index(probe.results[0])
        one = k.load(table, (place,))
        fresh = test("less", one, lit(0, i32))
        mine = k.select(fresh, k.cast(found, i32), one)
        k.store(table, (place,), mine)
        k.store(held, (index(mine),), key)
        k.store(which, (sc.var,), mine)
        k.store(first, (index(mine),), k.index(sc.var), where=fresh)
        before = k.load(counts, (index(mine),), test("logical_not", fresh))
        k.store(counts, (index(mine),), k.let("add", before, lit(1, i32)))
        sc.step(k.let("add", found, k.cast(fresh, i64)))
    k.store(count, (), sc.results[0])
    s.step(k.build(), [
        s.input(0), s.input(1), s.temp(i32, slots), s.temp(i64, many),
        *(s.output(i) for i in range(4)),
    ])  # fmt: skip


places_op = Op(
    name="unique_places", tf="UniquePlaces", family="structured",
    doc="Which of the different numbers each number is, where each is first, how often, how many"
    " there are; operands: numbers, bits to shift a hash by, and a place for each of its values.",
    args=("keys", "shift", "room"), types="iu", infer=_infer, lower=_lower,
)  # fmt: skip
