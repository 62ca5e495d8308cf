"""Loops that choose among boxes that overlap: native code that the host's ops call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim
from graphc.ir.kernel import Operand, lit, scratch_stride
from graphc.ir.kernel import Value as KernelValue
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops.conv_windows import known_shape
from graphc.ops.lowering import Site
from graphc.ops.record import Attrs, Op, Types

__all__ = ["choose_best_op", "choose_ranked_op"]

f32, i32, i64, truth = dtypes.float32, dtypes.int32, dtypes.int64, dtypes.bool_

#: More rounds than any loop here makes.
ENDLESS = 1 << 62

#: Edges of a box in order, and its area.
Box = tuple[Operand, ...]


class _Loops:
    """What both kernels do: boxes in order, boxes beside each other."""

    def __init__(self, name: str) -> None:
        self.k = KernelBuilder(name)

    def test(self, op: str, *operands: Operand) -> KernelValue:
        return self.k.let(op, *operands, dtype=truth)

    def index(self, v: Operand) -> Dim:
        wide = self.k.cast(v, i64)
        assert isinstance(wide, KernelValue)
        return wide.index

    def number(self, d: Dim) -> KernelValue:
        return self.k.index(d)

    def both(self, a: Operand, b: Operand) -> KernelValue:
        return self.test("logical_and", a, b)

    def box(self, load: Any) -> Box:
        """Two corners as the least and greatest edges, and the area."""
        k = self.k
        y, x, v, u = (load(e) for e in range(4))
        edges = (k.let("minimum", y, v), k.let("minimum", x, u),
                 k.let("maximum", y, v), k.let("maximum", x, u))  # fmt: skip
        top, left, bottom, right = edges
        area = k.let("multiply", k.let("subtract", bottom, top), k.let("subtract", right, left))
        return (*edges, area)

    def likeness(self, a: Box, b: Box) -> Operand:
        """Intersection over union; 0 where one has no area."""
        k, zero = self.k, lit(0, f32)
        height = k.let("subtract", k.let("minimum", a[2], b[2]), k.let("maximum", a[0], b[0]))
        width = k.let("subtract", k.let("minimum", a[3], b[3]), k.let("maximum", a[1], b[1]))
        inner = k.let("multiply", k.let("maximum", height, zero), k.let("maximum", width, zero))
        union = k.let("subtract", k.let("add", a[4], b[4]), inner)
        none = self.test(
            "logical_or", self.test("less_equal", a[4], zero), self.test("less_equal", b[4], zero)
        )
        return k.select(none, zero, k.let("realdiv", inner, union))


# ------------------------------------------------------------------------- by a heap


def _best_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(i32, known_shape(inputs[4])), (i32, ())]


class _Heap(_Loops):
    """Candidates in a heap: score, place, and how many chosen boxes each was compared with.

    Children are compared as ``std::push_heap`` and ``std::pop_heap`` do, so that equal scores
    come in the order in which TensorFlow has them.
    """

    Item = tuple[Operand, Operand, Operand]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.columns: tuple[Any, ...] = ()

    def at(self, i: Dim, where: Operand | None = None) -> Item:
        a, b, c = (self.k.load(column, (i,), where) for column in self.columns)
        return a, b, c

    def put(self, i: Dim, item: Item) -> None:
        for column, v in zip(self.columns, item, strict=True):
            self.k.store(column, (i,), v)

    def rise(self, place: Operand, item: Item) -> None:
        """Put `item` where it belongs between `place` and the root."""
        k = self.k
        with k.repeat([place], ENDLESS) as up:
            (here,) = up.before
            inside = self.test("greater", here, lit(0, i64))
            parent = (here.index - 1) // 2
            above = k.load(self.columns[0], (parent,), inside)
            up.test(self.both(inside, self.test("greater", item[0], above)))
            self.put(here.index, self.at(parent))
            up.next(self.number(parent))
        self.put(up.results[0].index, item)

    def sink(self, size: Operand) -> KernelValue:
        """Fill the hole at the root from below, of `size` items; where it is then."""
        k = self.k
        with k.repeat([lit(0, i64)], ENDLESS) as down:
            (here,) = down.before
            left = self.number(2 * here.index + 1)
            down.test(self.test("less", left, size))
            right = self.number(2 * here.index + 2)
            some = self.test("less", right, size)
            scores = self.columns[0]
            a, b = k.load(scores, (left.index,)), k.load(scores, (right.index,), some)
            other = self.both(some, self.test("logical_not", self.test("greater", a, b)))
            child = k.select(other, right, left)
            self.put(here.index, self.at(child.index))
            down.next(child)
        return down.results[0]


def _lower_best(n: Node, s: Site) -> None:
    many = known_shape(n.inputs[1])[0]
    limit = known_shape(n.inputs[4])[0]
    columns = known_shape(n.inputs[0])[1]
    matrix = n.attrs["matrix"]
    h = _Heap("choose_best")
    k = h.k
    boxes = k.input("boxes", f32, (many, columns))
    scores = k.input("scores", f32, (many,))
    most, least = k.input("most", f32, ()), k.input("least", f32, ())
    h.columns = (k.inout("heap", f32, (many,)), k.inout("places", i32, (many,)),
                 k.inout("seen", i32, (many,)))  # fmt: skip
    own = [k.inout(f"edge{e}", f32, (limit,)) for e in range(0 if matrix else 5)]
    chosen = k.output("chosen", i32, (limit,))
    count = k.output("count", i32, ())
    threshold, lowest = k.load(most, ()), k.load(least, ())
    with k.scan("i", many, [("last", i64)], [lit(0, i64)]) as fill:
        score = k.load(scores, (fill.var,))
        more = h.test("greater", score, lowest)
        size = fill.before[0]
        with k.loop("for", "j", h.index(more)):
            h.rise(size, (score, k.cast(h.number(fill.var), i32), lit(0, i32)))
        fill.step(k.let("add", size, k.cast(more, i64)))
    with k.repeat([fill.results[0], lit(0, i64)], ENDLESS) as turn:
        size, made = turn.before
        wanted = h.test("less", made, h.number(limit))
        turn.test(h.both(h.test("greater", size, lit(0, i64)), wanted))
        item = h.at(0)
        rest = h.number(size.index - 1)
        last = h.at(rest.index)
        h.rise(h.sink(rest), last)
        place, seen = h.index(item[1]), h.index(item[2])
        if not matrix:
            mine = h.box(lambda e: k.load(boxes, (place, e)))
        with k.reduce("vector", "e", made.index - seen) as r:
            at = seen + r.var
            if matrix:
                like: Operand = k.load(boxes, (place, h.index(k.load(chosen, (at,)))))
            else:
                like = h.likeness(mine, tuple(k.load(b, (at,)) for b in own))
            r.yields(any=h.test("greater_equal", like, threshold))
        keep = h.test("logical_not", r.results[0])
        with k.loop("for", "q", h.index(keep)):
            k.store(chosen, (made.index,), item[1])
            for b, v in zip(own, () if matrix else mine, strict=True):
                k.store(b, (made.index,), v)
            h.rise(rest, (item[0], item[1], k.cast(made, i32)))
        one = k.cast(keep, i64)
        turn.next(k.let("add", rest, one), k.let("add", made, one))
    k.store(count, (), k.cast(turn.results[1], i32))
    temps = [
        s.temp(f32, many),
        s.temp(i32, many),
        s.temp(i32, many),
        *(s.temp(f32, limit) for _ in own),
    ]
    s.step(k.build(), [*(s.input(i) for i in range(4)), *temps, s.output(0), s.output(1)])


choose_best_op = Op(
    name="choose_best_boxes", tf="ChooseBestBoxes", family="structured",
    doc="Places of the best boxes, none of which is like a better one, and their number; the last"
    " operand has as many elements as there may be.",
    args=("boxes", "scores", "most", "least", "room"), types="fi", infer=_best_infer,
    lower=_lower_best,
)  # fmt: skip


# ------------------------------------------------------------------------- in a given order


def _ranked_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    batch, _, classes = known_shape(inputs[1])
    return [(i32, (batch, classes, *known_shape(inputs[5]))), (i32, (batch, classes))]


def _lower_ranked(n: Node, s: Site) -> None:
    batch, many, kinds, _ = known_shape(n.inputs[0])
    classes = known_shape(n.inputs[1])[2]
    (limit,) = known_shape(n.inputs[5])
    own_boxes = not D.same(kinds, 1)
    h = _Loops("choose_ranked")
    k = h.k
    boxes = k.input("boxes", f32, (batch, many, kinds, 4))
    scores = k.input("scores", f32, (batch, many, classes))
    order = k.input("order", i32, (batch, classes, many))
    most, least = k.input("most", f32, ()), k.input("least", f32, ())
    own = [k.scratch(f"edge{e}", f32, (D.maximum(limit, 1),)) for e in range(5)]
    chosen = k.output("chosen", i32, (batch, classes, limit))
    count = k.output("count", i32, (batch, classes))
    with k.loop("parallel", "u", batch * classes) as u:
        picture, kind = u // classes, u % classes
        threshold, lowest = k.load(most, ()), k.load(least, ())
        with k.repeat([lit(0, i64), lit(0, i64)], ENDLESS) as turn:
            i, made = turn.before
            inside = h.both(
                h.test("less", i, h.number(many)), h.test("less", made, h.number(limit))
            )
            place = h.index(k.load(order, (picture, kind, i.index), inside))
            score = k.load(scores, (picture, place, kind), inside)
            turn.test(inside)
            mine = h.box(lambda e: k.load(boxes, (picture, place, kind if own_boxes else 0, e)))
            with k.reduce("vector", "e", made.index) as r:
                like = h.likeness(mine, tuple(k.load(b, (r.var,)) for b in own))
                r.yields(any=h.test("greater", like, threshold))
            fresh = h.test("logical_not", r.results[0])
            keep = h.both(h.test("greater", score, lowest), fresh)
            with k.loop("for", "q", h.index(keep)):
                k.store(chosen, (picture, kind, made.index), k.cast(h.number(place), i32))
                for b, v in zip(own, mine, strict=True):
                    k.store(b, (made.index,), v)
            one = k.cast(keep, i64)
            turn.next(h.number(i.index + 1), k.let("add", made, one))
        with k.loop("vector", "z", limit - turn.results[1].index) as z:
            k.store(chosen, (picture, kind, turn.results[1].index + z), lit(0, i32))
        k.store(count, (picture, kind), k.cast(turn.results[1], i32))
    rows = [s.scratch(scratch_stride(b), f32) for b in own]
    s.step(k.build(), [*(s.input(i) for i in range(5)), *rows, s.output(0), s.output(1)])


choose_ranked_op = Op(
    name="choose_ranked_boxes", tf="ChooseRankedBoxes", family="structured",
    doc="For each picture and class the boxes that are not like one before them in an order, and"
    " their number; the last operand has as many elements as there may be.",
    args=("boxes", "scores", "order", "most", "least", "room"), types="fi", infer=_ranked_infer,
    lower=_lower_ranked,
)  # fmt: skip
