"""Reductions, scans and repeated statements, as `Walk` emits them.

The order of a float sum (rule C8) is the same at each vector width, unrolling and number of
threads. Lanes along the summed axis: element j goes to slot j mod 128 (8 vectors of 16) of
its block of 4096; a block's slots are summed by a tree to 16 lanes, the blocks' vectors by a
compensated sum, the 16 lanes by a tree. Lanes along another axis, or none: 16 elements in
order, these groups by a compensated sum. Both stay below (4 + 2 log2 n) eps of the sum of
absolute values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from graphc.ir.dims import Expr, Symbol
from graphc.ir.kernel import Load, Reduce, Repeat, Scan, Stmt
from graphc.runtime.llvm.ahead import ask, ask_rows, prefetch, reads_once
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.periods import repeating
from graphc.runtime.llvm.pipeline import Staged, copies_of, reduced_rows
from graphc.runtime.llvm.reducers import (
    SLOTS,
    SUM_BLOCK,
    SUM_LANES,
    SUM_RUN,
    Reducer,
    State,
    flattened,
    shaped,
)
from graphc.runtime.llvm.stages import Stages
from graphc.runtime.llvm.statements import cost_of, has_vectors
from graphc.runtime.llvm.values import V

if TYPE_CHECKING:
    from graphc.runtime.llvm.walk import Walk

__all__ = ["reduce", "repeat", "scan"]


def reduce(w: Walk, s: Reduce) -> None:
    """A reduction, in lanes along the reduced axis or one element after another."""
    k = w.k
    groups = [Reducer(k, kind, v.dtype) for kind, v in zip(s.kinds, s.values, strict=True)]
    before, inside = w.split(s.body, s.var)
    n = w.uniform(s.extent)
    run = _lanes if s.kind == "vector" else _runs

    def some() -> list[V]:
        w.body(before)
        return run(w, s, inside, groups, n)

    def none() -> list[V]:
        return [g.result(g.identity(w.lanes)) for g in groups]

    if isinstance(s.extent, int) and s.extent <= 0:
        out = none()
    else:
        loads = isinstance(s.extent, Expr) and any(isinstance(x, Load) for x in before)
        with repeating(w, s, inside) if s.kind == "vector" else nullcontext():
            out = k.choose(n > 0, some, none) if loads else some()
    w.values.update(zip(s.names, out, strict=True))


def _lanes(w: Walk, s: Reduce, inside: Sequence[Stmt], groups: list[Reducer], n: V) -> list[V]:
    """Lanes along the reduced axis."""
    k, through, parts = w.k, w.through if w.through and w.through.var == s.var else None, None
    if through is None:
        trips = s.extent // SUM_LANES if isinstance(s.extent, int) else None
        parts = w.in_stages(s.var, inside, SUM_LANES, trips, s.values)
    # stages fill the processor with vectors already
    copies = 1 if through or parts else copies_of(s, inside)

    def sweep(state: list[State], start: V, stop: V) -> list[State]:
        return _sweep(w, s, inside, groups, state, start, stop, copies, through, parts)

    state = [g.start(SUM_LANES, SLOTS if g.ordered else min(copies, 2)) for g in groups]
    short = isinstance(s.extent, int) and s.extent <= SUM_BLOCK
    if short or not any(g.compensated for g in groups):
        state = sweep(state, k.index(0), n)
        totals = [g.total(st) for g, st in zip(groups, state, strict=True)]
    else:
        outer = [g.opened(st) for g, st in zip(groups, state, strict=True)]
        outer = _blocks(k, groups, outer, state, k.index(0), n, SUM_BLOCK, sweep)
        totals = [g.closed(st) for g, st in zip(groups, outer, strict=True)]
    return [g.result(g.across(t)) for g, t in zip(groups, totals, strict=True)]


def _blocks(
    k: Fn,
    groups: list[Reducer],
    outer: list[State],
    fresh: list[State],
    start: V,
    stop: V,
    step: int,
    inner: Callable[[list[State], V, V], list[State]],
) -> list[State]:
    """Blocks of `step` elements, after each of which compensated sums are flushed."""
    with k.loop(start, stop, step, carry=flattened(outer)) as p:
        kept = shaped(p.carry, outer)
        end = p.i + step
        end = k.select(end < stop, end, stop)
        begun = [
            new if g.compensated else old for g, old, new in zip(groups, kept, fresh, strict=True)
        ]
        done = inner(begun, p.i, end)
        p.next(flattened([g.flush(o, d) for g, o, d in zip(groups, kept, done, strict=True)]))
    return shaped(p.results, outer)


def _sweep(
    w: Walk,
    s: Reduce,
    inside: Sequence[Stmt],
    groups: list[Reducer],
    state: list[State],
    start: V,
    stop: V,
    copies: int,
    through: Staged | None,
    parts: Stages | None,
) -> list[State]:
    """The state after the elements from `start` to `stop`, vector by vector."""
    k = w.k
    wide = SUM_LANES * copies
    count = s.extent if isinstance(s.extent, int) else None
    full = start + ((stop - start) & -wide)
    if count is None or count >= wide:
        if copies == 1:

            def end(kept: Sequence[V]) -> list[V]:
                new = shaped(kept, state)
                _combine(w, s, groups, new, 0)
                return flattened([g.rotate(st, 1) for g, st in zip(groups, new, strict=True)])

            if through is not None:
                done = through.run(start, full, flattened(state), end)
            else:
                done = w.whole_vectors(
                    s.var, inside, start, full, wide, parts, flattened(state), end, s.values
                )
        else:
            with k.loop(start, full, wide, carry=flattened(state)) as p:
                new = shaped(p.carry, state)
                if reads_once(w, inside):
                    prefetch(w, s.var, inside, p.i, wide)
                ask(w, s.var, inside, p.i, wide)
                for c in range(copies):
                    with w.lane_context(s.var, p.i + c * SUM_LANES, SUM_LANES, None):
                        _accumulate(w, s, inside, groups, new, c)
                p.next(flattened([g.rotate(st, copies) for g, st in zip(groups, new, strict=True)]))
            done = p.results
        state = shaped(done, state)
    if count is None or count % wide:
        with k.loop(full, stop, SUM_LANES, carry=flattened(state)) as p:
            new = shaped(p.carry, state)
            mask = w.first(stop - p.i, SUM_LANES)
            ask(w, s.var, inside, p.i, SUM_LANES, s.extent)
            with w.lane_context(s.var, p.i, SUM_LANES, mask):
                _accumulate(w, s, inside, groups, new, 0)
            p.next(flattened([g.rotate(st, 1) for g, st in zip(groups, new, strict=True)]))
        state = shaped(p.results, state)
    return state


def _runs(w: Walk, s: Reduce, inside: Sequence[Stmt], groups: list[Reducer], n: V) -> list[V]:
    """One element after another (in each lane of a vector loop around it)."""
    k = w.k
    if w.lanes == 1 and not has_vectors(inside):
        w.say("reduce", s)
    copies = s.unroll or (4 if cost_of(inside) <= 8 and not w.crowded else 1)
    short = isinstance(s.extent, int) and s.extent <= SUM_RUN
    whole = 1
    if isinstance(s.extent, int) and short and s.extent * cost_of(inside) <= 32:
        whole = s.extent

    def runs(state: list[State], start: V, stop: V, copies: int = 1) -> list[State]:
        rows = reduced_rows(w, s.var, inside, start, stop) if copies == 1 else None
        sums = flattened(state)
        with k.loop(start, stop, copies, carry=[*sums, *(rows.kept if rows else ())]) as p:
            new = shaped(p.carry[: len(sums)], state)
            if rows is not None:
                rows.kept, rows.origin = p.carry[len(sums) :], p.i * rows.row
                w.through = rows
            for c in range(copies):
                w.symbols[Symbol(s.var)] = p.i + c if c else p.i
                ask_rows(w, s.var, inside)
                _accumulate(w, s, inside, groups, new, 0)
            w.through = None
            p.next([*flattened(new), *(rows.kept if rows else ())])
        return shaped(p.results[: len(sums)], state)

    state = [g.start(w.lanes, 1) for g in groups]
    if short or not any(g.compensated for g in groups):
        state = runs(state, k.index(0), n, whole)
        totals = [g.total(st) for g, st in zip(groups, state, strict=True)]
    else:
        outer = [g.opened(st) for g, st in zip(groups, state, strict=True)]
        full = n & -SUM_RUN
        outer = _blocks(
            k, groups, outer, state, k.index(0), full, SUM_RUN,
            lambda state, start, stop: runs(state, start, stop, copies),
        )  # fmt: skip
        if isinstance(s.extent, Expr) or s.extent % SUM_RUN:
            outer = _blocks(k, groups, outer, state, full, n, SUM_RUN, runs)
        totals = [g.closed(st) for g, st in zip(groups, outer, strict=True)]
    return [g.result(t) for g, t in zip(groups, totals, strict=True)]


def _accumulate(
    w: Walk, s: Reduce, inside: Sequence[Stmt], groups: list[Reducer], state: list[State], at: int
) -> None:
    """Run the body once and combine its values into slot `at` of each group."""
    w.body(inside)
    _combine(w, s, groups, state, at)


def _combine(w: Walk, s: Reduce, groups: list[Reducer], state: list[State], at: int) -> None:
    """Combine the values of the body into slot `at` of each group."""
    index = w.vector(w.symbols[Symbol(s.var)])
    mask = w.mask if s.kind == "vector" else None
    for g, st, o in zip(groups, state, s.values, strict=True):
        x = g.lift(w.wide(w.operand(o)), index, mask)
        st[at % len(st)] = g.combine(st[at % len(st)], x)


def scan(w: Walk, s: Scan) -> None:
    """What elements accumulate to, each with those before it."""
    k = w.k
    if w.lanes == 1:
        w.say("scan", s)
    groups = [Reducer(k, kind, b.dtype) for kind, b in zip(s.kinds, s.before, strict=True)]
    start = [
        g.identity(w.lanes)[0] if o is None else w.wide(w.operand(o))
        for g, o in zip(groups, s.init, strict=True)
    ]
    n = w.uniform(s.extent)
    with k.loop(0, n, carry=start) as p:
        w.symbols[Symbol(s.var)] = p.i
        w.values.update((v.name, c) for v, c in zip(s.before, p.carry, strict=True))
        w.body(s.body)
        after = []
        for g, c, o in zip(groups, p.carry, s.values, strict=True):
            x = w.wide(w.operand(o))
            after.append(x if g.kind == "last" else g.combine((c,), (x,))[0])
        w.values.update((v.name, c) for v, c in zip(s.after, after, strict=True))
        w.body(s.tail)
        p.next(after)
    w.values.update(zip(s.names, p.results, strict=True))


def repeat(w: Walk, s: Repeat) -> None:
    """Statements that run while a condition holds."""
    w.say("repeat", s)

    def test(carry: list[V]) -> V:
        w.values.update((v.name, c) for v, c in zip(s.before, carry, strict=True))
        w.body(s.head)
        return w.operand(s.cond)

    def step(carry: list[V]) -> list[V]:
        w.body(s.body)
        return [w.operand(o) for o in s.values]

    out, go = w.k.repeat([w.operand(o) for o in s.init], s.limit, test, step)
    w.values.update(zip(s.names, out, strict=True))
    w.values[s.go] = go
