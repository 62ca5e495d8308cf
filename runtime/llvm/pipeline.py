"""Loops over full vectors whose long bodies run in stages (`graphc.runtime.llvm.stages`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from graphc.ir import dtypes
from graphc.ir.dims import Symbol
from graphc.ir.kernel import Let, Load, Loop, Operand, Reduce, Stmt, Store, Value, bodies
from graphc.runtime.llvm.ahead import prefetch
from graphc.runtime.llvm.reducers import SUM_BLOCK, SUM_LANES
from graphc.runtime.llvm.stages import Stages, cut, pipelined
from graphc.runtime.llvm.statements import cost_of, index_names
from graphc.runtime.llvm.values import V, zero

if TYPE_CHECKING:
    from graphc.runtime.llvm.walk import Walk

__all__ = [
    "MANY", "Staged", "copies_of", "reduced_rows", "rows_in_stages", "stages", "vector_at", "width",
]  # fmt: skip

#: What is built inside works on the vector there.
At = Callable[[V], AbstractContextManager[V]]

LONG = 12  # instructions from which on a body may run in stages
MANY = 16  # vectors from which on that pays
FAR = 64  # vectors from which on a loop is worth longer code
ROW = 1024  # elements of a row from which on a loop over rows is worth longer code
WRITTEN = 400  # instructions of vectors in a loop, about


def rows_in_stages(w: Walk, var: str, inside: Sequence[Stmt], begin: V, end: V) -> V:
    """A loop over rows of full vectors with a long body as one loop; where the others begin.

    The others are those whose stores cannot pass by the cache as they are not aligned. Stages of
    the next row's first vectors run beside the last ones of a row: begun anew at each row they
    cost a sixth of rows of 64 vectors.
    """
    if len(inside) != 1 or not isinstance(inside[0], Loop) or inside[0].kind != "vector":
        return begin
    k, s = w.k, inside[0]
    extent = s.extent
    lanes, unroll = width(w, s, s.body)
    wide = lanes * unroll
    if not isinstance(extent, int) or extent % wide or extent < wide or cost_of(s.body) < LONG:
        return begin
    before, inner = w.split(s.body, var, s.var)
    w.body(before)
    at = _in_rows(w, var, s.var, extent, wide)
    w.streaming = w.find_stream(s.var, inner, lanes)
    parts = stages(w, at, inner, row=extent)
    if parts is not None:
        stop = end
        if w.streaming is not None:
            w.symbols[Symbol(var)] = begin
            aligned = w.peeled(w.streaming, s.var, k.index(0)).eq(0)
            stop = k.select(aligned, end, begin)
        first, last = begin * extent, stop * extent
        Staged(w, parts, at, s.var, inner, first, last, wide, row=extent).run(first, last)
        begin = stop
    w.streaming = None
    return begin


def reduced_rows(w: Walk, var: str, inside: Sequence[Stmt], begin: V, end: V) -> Staged | None:
    """The stages of a reduction's long body that go on from row to row; None for other loops.

    Built for a loop over rows, each reduced to one number: each runs its part of the vectors.
    """
    if w.lanes != 1 or len(inside) != 1 or not isinstance(inside[0], Reduce):
        return None
    s, wide = inside[0], SUM_LANES
    extent = s.extent
    if s.kind != "vector" or not isinstance(extent, int):
        return None
    if extent % wide or not MANY * wide <= extent <= SUM_BLOCK:
        return None
    before, inner = w.split(s.body, var, s.var)
    w.body(before)
    at = _in_rows(w, var, s.var, extent, wide)
    parts = stages(w, at, inner, s.values, row=extent)
    if parts is None:
        return None
    first, last = begin * extent, end * extent
    return Staged(w, parts, at, s.var, inner, first, last, wide, s.values, extent)


def _in_rows(w: Walk, row: str, column: str, extent: int, wide: int) -> At:
    """Vectors of rows of `extent` elements, counted from the first row's first element."""

    @contextmanager
    def at(now: V) -> Iterator[V]:
        i = V(w.k, w.k.b.udiv(now.ll, w.k.index(extent).ll), dtypes.int64)
        w.symbols[Symbol(row)] = i
        with vector_at(w, column, now - i * extent, wide) as j:
            yield j

    return at


@contextmanager
def vector_at(w: Walk, var: str, now: V, wide: int) -> Iterator[V]:
    """Statements built inside work on the full vector of `var` at `now`."""
    with w.lane_context(var, now, wide, None):
        yield now


class Staged:
    """A loop over the full vectors from `start` to `stop`, each iteration one of every stage.

    Attributes
    ----------
    row : int
        Elements of a row, where rows follow each other.
    kept : list of V
        What the stages have left so far; loops around several runs carry it.
    origin : V
        Where the row begins whose vectors run next.
    """

    def __init__(
        self, w: Walk, parts: Stages, at: At, var: str, inside: Sequence[Stmt], start: V, stop: V,
        wide: int, values: Sequence[Operand] = (), row: int = 0,
    ) -> None:  # fmt: skip
        self.row = row
        # vectors written out in the loop: values then wait in registers of their own, without moves
        self.copies = 1 if not parts.ordered else 4 if len(parts.order) <= WRITTEN // 4 else 2
        self.w, self.parts, self.at, self.var, self.inside = w, parts, at, var, inside
        self.wide, self.final = wide, stop - wide
        self.made = {o.name: w.values[o.name] for o in values if isinstance(o, Value)}
        k, last = w.k, parts.count - 1
        k.align_stack()
        begun = [V(k, zero(v.type), dtypes.float32) for b in parts.live for v in b]
        # the first vectors come as far as they would have come; the stages that have none
        # yet work on zeros, and nobody looks at what they make
        enough = start + last * wide
        with k.loop(k.select(start < stop, start, enough), enough, wide, carry=begun) as p:

            def first(b: int, now: V = p.i) -> V:
                i = now - b * wide
                i = k.select(i < start, start, i)
                return k.select(i < self.final, i, self.final)

            known = self._begun([first(b) for b in range(last)], p.carry)
            parts.emit(k.b, known)
            p.next(self._left(known))
        self.kept = p.results
        self.origin = k.index(0)

    def _vector(
        self, i: V, carried: Sequence[V], count: int, end: Callable[[Sequence[V]], list[V]]
    ) -> list[V]:
        """The last stage of the vector at `i`, the others of those after it; what goes on."""
        w, k, parts = self.w, self.w.k, self.parts
        last = parts.count - 1

        def later(b: int) -> V:
            at = i + (last - b) * self.wide
            return k.select(at < self.final, at, self.final)

        with self.at(i) as now:
            prefetch(w, self.var, self.inside, now)
        known = self._begun([*map(later, range(last)), i], carried[count:])
        parts.emit(k.b, known, [v.ll for v in self.made.values()])
        for name, v in self.made.items():
            w.values[name] = V(k, known[last].get(v.ll, v.ll), v.dtype, v.lanes)
        with self.at(i):
            return [*end(carried[:count]), *self._left(known)]

    def _begun(self, places: Sequence[V], carried: Sequence[V]) -> list[dict[Any, Any]]:
        """What is known to the stages, each of the vector at its place."""
        kept: list[dict[Any, Any]] = [{}, *_known(carried, self.parts.live)]
        body = self.parts.body
        return [{body[0]: i.ll, **kept[b]} for b, i in enumerate(places)]

    def _left(self, known: Sequence[Mapping[Any, Any]]) -> list[V]:
        """What each stage but the last leaves to those after it."""
        live = enumerate(self.parts.live)
        return [V(self.w.k, known[b][v], dtypes.float32) for b, part in live for v in part]

    def run(
        self, start: V, stop: V, state: Sequence[V] = (),
        end: Callable[[Sequence[V]], list[V]] = list,
    ) -> list[V]:  # fmt: skip
        """The row's vectors from `start` to `stop`, after those run before; the last state."""
        k, count = self.w.k, len(state)
        first, stop = self.origin + start, self.origin + stop
        carried = [*state, *self.kept]
        many = self.copies * self.wide
        steps = (
            [many] if self.copies == 1 or (self.row and self.row % many == 0) else [many, self.wide]
        )
        for step in steps:
            whole = stop if step == steps[-1] else first + ((stop - first) & -many)
            with k.loop(first, whole, step, carry=carried) as p:
                following = list(p.carry)
                for c in range(step // self.wide):
                    at = p.i + c * self.wide if c else p.i
                    following = self._vector(at, following, count, end)
                p.next(following)
            carried, first = p.results, whole
        self.kept = carried[count:]
        return carried[:count]


def stages(
    w: Walk, at: At, inside: Sequence[Stmt], values: Sequence[Operand] = (),
    trips: int | None = None, row: int = 0,
) -> Stages | None:  # fmt: skip
    """The stages of a long body; None for others, and for those with branches in them.

    Loops that go on from row to row, of `row` elements, are scheduled where rows are long, and
    loops of unknown length or of many vectors: that takes up to a third less time, and code
    written out four times.
    """
    simple = all(
        isinstance(s, Let | Load | Store) and not any(n[0] == "%" for n in index_names(s))
        for s in inside
    )
    if not simple or cost_of(inside) < LONG:
        return None
    k = w.k

    def build() -> None:
        now = V(k, k.b.add(k.index(0).ll, k.index(0).ll), dtypes.int64)
        with at(now):
            w.body(inside)

    body = k.aside(build)
    if body is None:
        return None
    results = [w.values[o.name].ll for o in values if isinstance(o, Value)]
    often = row >= ROW or (not row and (trips is None or trips >= FAR))
    parts = pipelined(body, results) if often and k.has_avx512 else None
    return parts or cut(body, results, trips)


def _known(flat: Sequence[V], live: Sequence[Sequence[Any]]) -> list[dict[Any, Any]]:
    """What each stage leaves, by the instruction it stands for."""
    items = iter(flat)
    return [{v: next(items).ll for v in part} for part in live]


def width(w: Walk, s: Loop, inside: Sequence[Stmt]) -> tuple[int, int]:
    """Lanes of the masked rest, and how many times as wide the full vectors are."""
    runs = [cost_of(x.body) for x in inside if isinstance(x, Reduce)]
    cost = max(runs) if runs else cost_of(inside)  # what follows runs of rows hardly counts
    lanes = s.lanes or (8 if widest(w, inside) == 8 else 16)
    return lanes, s.unroll or (4 if cost <= 8 else 2 if cost <= 20 else 1)


def copies_of(s: Reduce, inside: Sequence[Stmt]) -> int:
    """Vectors of the body in one step of a reduction (1, 2, 4 or 8; no influence on results)."""
    cost = cost_of(inside)
    copies = s.unroll or (8 if cost <= 4 else 4 if cost <= 12 else 2 if cost <= 40 else 1)
    if isinstance(s.extent, int):
        while copies > 1 and copies * SUM_LANES > s.extent:
            copies //= 2
    return copies


def widest(w: Walk, body: Sequence[Stmt]) -> int:
    most = 1
    for s in body:
        if isinstance(s, Let) and s.op != "index":
            most = max(most, s.dtype.size)
        elif isinstance(s, Load | Store):
            most = max(most, w.buffers[s.buf].dtype.size)
        for inner in bodies(s):
            most = max(most, widest(w, inner))
    return most
