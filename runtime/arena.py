"""The arena: one piece of memory for all that a run computes on its way, shared by lifetime."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from graphc.ir import journal
from graphc.ir.dims import Dim
from graphc.runtime.llvm import codegen
from graphc.runtime.steps import Buf, StepSpec

__all__ = [
    "Piece",
    "gemm_plan",
    "gemm_variant",
    "pack",
    "pack_tight",
    "padded",
    "pieces",
    "tell_places",
]

Sizes = Callable[[Dim], int]

#: Products besides the first from which on packing what they share pays for any number of rows.
SHARERS = 4


class Piece(NamedTuple):
    """Bytes that are needed from one step to another.

    Attributes
    ----------
    first, last : int
        Steps of the plan.
    bytes : int
    key : int
        By which the offset is found: the ``id`` of a buffer, a negative number otherwise.
    kind : str
        ``"arena"`` (a value), ``"scratch"`` (working memory of a kernel, one for each thread),
        ``"gemm"`` (that of a matrix product) or ``"panels"`` (its right operand, packed).
    buf : Buf or None
    """

    first: int
    last: int
    bytes: int
    key: int
    kind: str = "arena"
    buf: Buf | None = None


def gemm_variant(s: StepSpec, size: Sizes) -> str:
    """The kernel of a matrix product of these sizes."""
    con = s.code.contraction
    assert con is not None
    m, n, k = (size(d) for d in (con.m, con.n, con.k))
    variant: str = codegen.gemm_of(con).kernel(m, n, k)
    if (s.ahead is None and s.panels is None) or con.chain != 0:
        return variant
    # what is packed once for several products pays for fewer rows
    most = variant == "local" or (variant == "dot" and m > 12)
    # read in place, as for one product, 400 x 800 numbers took 1.4 of the time with 20 rows
    many = s.ahead is not None or (s.panels is not None and s.panels.sharers >= SHARERS)
    return "packed" if most or (variant == "direct" and many) else variant


def gemm_plan(s: StepSpec, size: Sizes, threads: int, variant: str = "") -> tuple[Any, Any]:
    """The family of a matrix product, and its plan for these sizes."""
    con = s.code.contraction
    assert con is not None
    g = codegen.gemm_of(con)
    sizes = [size(d) for d in (con.m, con.n, con.k, con.batch)]
    return g, g.plan(
        *sizes, threads, kernel=variant or gemm_variant(s, size), a_shared=con.a_shared,
        b_shared=con.b_shared, chain=size(con.chain),
    )  # fmt: skip


def pieces(
    steps: Sequence[StepSpec], size: Sizes, threads: int, gemms: Mapping[int, Any]
) -> list[Piece]:
    """All that a plan keeps in the arena; `gemms` has the plans of its matrix products."""
    items: list[Piece] = []
    seen: set[int] = set()
    places = {s: i for i, s in enumerate(steps)}
    readers = {s.panels: i for s, i in places.items() if s.panels is not None}  # the last of each
    for s, i in places.items():
        for b in s.binds:
            if b.kind == "arena" and id(b) not in seen:
                seen.add(id(b))
                items.append(Piece(b.first, b.last, padded(b, size), id(b), "arena", b))
            elif b.kind == "scratch":
                items.append(Piece(i, i, size(b.data) * threads, id(b), "scratch", b))
        if i in gemms:
            p, ahead = gemms[i], s.ahead
            items.append(Piece(i, i, p.scratch, -1 - i, "gemm"))
            if s.panels not in (None, s):
                continue
            start, end = (places[ahead[0]], places[ahead[1]]) if ahead else (i, readers.get(s, i))
            items.append(Piece(start, end, p.packed, -1 - i - len(places), "panels"))
    return items


def padded(b: Buf, size: Sizes) -> int:
    """Bytes of a buffer, in whole cache lines."""
    return -(-size(b.count) * b.dtype.size // 64) * 64


class _Free:
    """Gaps of the arena: the smallest that fits is found by bisection, neighbours are joined."""

    def __init__(self) -> None:
        self.by_size: list[tuple[int, int]] = []  # sorted (size, offset)
        self.size_at: dict[int, int] = {}
        self.start_of_end: dict[int, int] = {}

    def take(self, size: int) -> int | None:
        """The offset of a gap of at least `size` bytes, now taken; None where there is none."""
        i = bisect.bisect_left(self.by_size, (size, -1))
        if i == len(self.by_size):
            return None
        n, o = self.by_size.pop(i)
        del self.size_at[o], self.start_of_end[o + n]
        if n > size:
            self._put(o + size, n - size)
        return o

    def give(self, o: int, size: int) -> None:
        """A piece is free again."""
        if not size:
            return
        before = self.start_of_end.get(o)
        if before is not None:
            size += self._remove(before)
            o = before
        after = self.size_at.get(o + size)
        if after is not None:
            size += self._remove(o + size)
        self._put(o, size)

    def _put(self, o: int, n: int) -> None:
        bisect.insort(self.by_size, (n, o))
        self.size_at[o] = n
        self.start_of_end[o + n] = o

    def _remove(self, o: int) -> int:
        n = self.size_at.pop(o)
        del self.start_of_end[o + n]
        del self.by_size[bisect.bisect_left(self.by_size, (n, o))]
        return n


def place(
    items: Sequence[Piece], offset: dict[int, int], limit: int = 0,
    fresh: dict[int, int] | None = None,
) -> int:  # fmt: skip
    """`pack`, or where that exceeds a limit `pack_tight`."""
    total = pack(items, offset, fresh)
    return pack_tight(items, offset) if total > limit > 0 else total


def pack(
    items: Sequence[Piece], offset: dict[int, int],
    fresh: dict[int, int] | None = None,
) -> int:  # fmt: skip
    """Place pieces so that what lives together does not overlap.

    Best fit in order of first use, among gaps left by what has ended; returns the total. `fresh`
    learns what found no gap, with the largest gap there was.
    """
    free = _Free()
    ends: dict[int, list[tuple[int, int]]] = {}
    total = 0
    now = -1
    for first, last, size, key, *_ in sorted(items, key=lambda t: (t[0], -t[2])):
        while now < first:
            for o, n in ends.pop(now, ()):
                free.give(o, n)
            now += 1
        gap = free.take(size) if size else 0
        if gap is None and fresh is not None:
            fresh[key] = free.by_size[-1][0] if free.by_size else 0
        o = total if gap is None else gap
        total += size if gap is None else 0
        offset[key] = o
        if size:
            ends.setdefault(last, []).append((o, size))
    return total


def pack_tight(items: Sequence[Piece], offset: dict[int, int]) -> int:
    """`pack` in less memory, for more time: the largest first, each as low as it can lie."""
    placed: list[tuple[int, int, int, int]] = []  # offset, bytes, first, last
    total = 0
    for first, last, size, key, *_ in sorted(items, key=lambda t: (-t[2], t[0])):
        o = 0
        if size:
            for at, n, f, e in placed:
                if f <= last and first <= e:
                    if o + size <= at:
                        break
                    o = max(o, at + n)
            bisect.insort(placed, (o, size, first, last))
        offset[key] = o
        total = max(total, o + size)
    return total


def tell_places(
    log: journal.Journal, steps: Sequence[StepSpec], items: Sequence[Piece],
    fresh: Mapping[int, int],
) -> None:  # fmt: skip
    """Write down why buffers took new memory of the arena: `fresh` has the largest gap of each."""
    named = {id(b): b.name for s in steps for b in s.binds if b.kind == "arena"}
    alive: list[tuple[int, int, int]] = []  # those in use, by last step: (last, bytes, id)
    for first, last, size, key, *_ in sorted(items, key=lambda t: (t[0], -t[2])):
        del alive[: bisect.bisect_left(alive, (first, 0, 0))]
        if key in fresh and key in named and first:
            gap = f"the largest free piece has {fresh[key]:,}" if fresh[key] else "no piece is free"
            text = f"{named[key]!r} takes {size:,} bytes of new memory (steps {first} to {last}): "
            text, remedy = text + gap, ""
            over = next((t for t in alive if t[1] >= size and t[2] in named), None)
            if over is not None:
                end, name = over[0], named[over[2]]
                why = f"{steps[end].node.name!r} reads it at step {end}"
                remedy = f"let {name!r} be read for the last time before {named[key]!r} is made"
                if end == first:
                    why, remedy = "its kernel reads that", ""
                text += f"; it cannot lie over {name!r}: {why}"
            log.because("buffer", (steps[first].node,), text, remedy)
        bisect.insort(alive, (last, size, key))
