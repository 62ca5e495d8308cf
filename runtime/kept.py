"""Values made of variables alone are kept between runs that find the variables as they were.

A plan that writes no variable begins with the steps that read nothing but variables and constants,
as those that transform filters. A branch jumps over them where `State.written`, which grows with
each run or call that may change a variable, is what it was when they ran last::

    stale = written != seen; if not stale goto after
    ...                       the steps, whose results lie outside of the arena
    seen = written
    after:

Runs of a session exclude each other, so nothing changes in between; a run that ends before ``seen``
is written leaves all to be made anew. Plans that write variables, as those of training, keep
nothing, and only count.

One vector times a variable's matrix reads all of the matrix, from the cache that cores share or
from memory. Columns are divided among threads, and a thread's piece of a row ends where the
processor would go on to fetch. Where the matrix is kept in panels each thread reads what
lies in a row in memory (Zen 5: 131 instead of 92 to 105 GB/s for each core).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from graphc.ir.dims import Dim, Expr
from graphc.ir.dtypes import DType, bool_, int64
from graphc.ir.kernel import Buffer, Kernel, Value
from graphc.ir.kernel_builder import KernelBuilder
from graphc.runtime.aligned import LINE
from graphc.runtime.llvm import codegen
from graphc.runtime.llvm.cpu import host
from graphc.runtime.steps import Buf, Code, StepSpec, branch_step, copy_step, label_step

__all__ = ["HEAD", "keep", "places"]

#: The first bytes of what is kept: 0 where nothing was made yet.
HEAD = 3 * LINE

#: Bytes that the steps read and write, from which on keeping their results pays.
LEAST = 1 << 15
#: Bytes of a matrix that is kept in panels too: less is read from a core's own cache.
PANELS = 1 << 20
#: Of the third cache, what the results of steps may take: those of large convolutions are made as
#: soon as they come from memory (3x3 filters of 256 channels; 0.1 ms of 6.9 lost by keeping them).
SHARE = 1 / 8


def keep(steps: Sequence[StepSpec]) -> list[StepSpec]:
    """The steps of a plan that writes no variable, those first whose results may be kept."""
    if not all(s.calls for s in steps):  # in a loop or a branch
        return list(steps)
    chosen = _chosen(steps)
    first = [s for s in steps if s in chosen]
    rest = [s for s in steps if s not in chosen]
    for s in first:
        for b in s.writes:
            b.kind = "kept"
    readers = _products(rest, host().l3 - _bytes(b for s in first for b in s.writes))
    if not first and not readers:
        return list(steps)
    node = (first or rest)[0].node
    now = Buf("written", int64, 1, name="written")
    seen, packed, last = (Buf("kept", int64, 1, name=n) for n in ("seen", "packed", "last"))
    stale, packs, plain = (Buf("kept", bool_, 1, name=n) for n in ("stale", "packs", "plain"))
    binds = [now, seen, packed, last, stale, packs, plain]
    out = [StepSpec(_look(), binds, node, [], binds[3:], binds[:4])]
    if first:
        out += _unless_false(stale, [*first, copy_step(now, seen, node)])
    panels = {b: Buf("kept", b.dtype, b.count, name=b.name) for b in readers}
    if panels:
        pack = [_pack(b, panels[b], found[0]) for b, found in readers.items()]
        out += _unless_false(packs, [*pack, copy_step(now, packed, node)])
    twins = {s: b for b, found in readers.items() for s in found}
    for s in rest:
        out += _either(plain, s, panels[twins[s]]) if s in twins else [s]
    return out


def _unless_false(flag: Buf, steps: Sequence[StepSpec]) -> list[StepSpec]:
    """Steps that run where `flag` is true."""
    node = steps[0].node
    after = label_step(node)
    return [branch_step(flag, after, node), *steps, after]


def _either(plain: Buf, s: StepSpec, panels: Buf) -> list[StepSpec]:
    """A product as it is where `plain` is true, else with the matrix in `panels`."""
    c = s.code.contraction
    assert c is not None
    twin = replace(s, code=replace(s.code, contraction=replace(c, panels=True)))
    twin.replace(s.binds[1], panels)
    other, after = label_step(s.node), label_step(s.node)
    jump = branch_step(None, after, s.node)
    return [branch_step(plain, other, s.node), s, jump, other, twin, after]


def _chosen(steps: Sequence[StepSpec]) -> set[StepSpec]:
    """The steps whose results are kept.

    What is made of variables alone, for steps that read what differs from run to run besides. A
    run that has no such steps is computed as it stands, each time: who asks again for a mean of
    variables may want to know how long it takes.
    """
    written = Counter(b for s in steps for b in s.writes)
    readers: dict[Buf, list[StepSpec]] = {}
    for s in steps:
        for b in s.reads:
            readers.setdefault(b, []).append(s)
    held: set[Buf] = set()
    found: list[StepSpec] = []
    room = host().l3 * SHARE
    for s in steps:
        size = _bytes(s.writes)
        if _constant(s, held) and all(written[b] == 1 for b in s.writes) and size <= room:
            found.append(s)
            held.update(s.writes)
            room -= size
    fine = set(_varying(steps))
    chosen: set[StepSpec] = set()
    for s in reversed(found):
        if all(r in fine for b in s.writes for r in readers.get(b, ())):
            chosen.add(s)
            fine.add(s)
    made: set[Buf] = set()
    for s in found:  # they run before all others: what they read must be kept itself
        if s in chosen and held.intersection(s.reads) <= made:
            made.update(s.writes)
        else:
            chosen.discard(s)
    pays = sum(_bytes([*s.reads, *s.writes]) for s in chosen) >= LEAST
    return chosen if pays else set()


def _varying(steps: Sequence[StepSpec]) -> list[StepSpec]:
    """The steps that depend on more than variables and constants."""
    made: set[Buf] = set()
    found = []
    for s in steps:
        if any(b.kind in ("feed", "counters") or b in made for b in s.binds):
            made.update(s.writes)
            found.append(s)
    return found


def places(steps: Iterable[StepSpec]) -> tuple[dict[int, int], int]:
    """Where each buffer (by `id`) lies among the bytes that are kept, and how many these are."""
    found: dict[int, int] = {}
    total = 0
    for s in steps:
        for b in s.binds:
            if b.kind == "kept" and id(b) not in found:
                found[id(b)] = total
                total += -(-_bytes([b]) // LINE) * LINE
    return found, total


def _constant(s: StepSpec, held: set[Buf]) -> bool:
    """Whether a step computes the same whenever the variables are the same, and cannot fail."""
    return (
        s.code.contraction is None and s.code.native is None and not s.checks
        and bool(s.reads) and all(b in held or b.kind in ("var", "const") for b in s.reads)
        and all(b.kind == "arena" and type(b.count) is int for b in s.writes)
        and {b.kind for b in s.binds} <= {"var", "const", "arena", "scratch"}
    )  # fmt: skip


def _bytes(buffers: Iterable[Buf]) -> int:
    return sum(b.count * b.dtype.size for b in buffers if type(b.count) is int)


def _look() -> Code:
    """What is to do: filters are stale, panels may be packed, or products run on variables.

    Packing a matrix costs as much as some products of it, so it waits for a run that finds the
    variables as the last one did: where each run is followed by a step of training, none does.
    """
    b = KernelBuilder("look")
    now, seen, packed = (b.input(n, int64, (1,)) for n in ("now", "seen", "packed"))
    last = b.inout("last", int64, (1,))
    stale, packs, plain = (b.output(n, bool_, (1,)) for n in ("stale", "packs", "plain"))
    written = b.load(now, (0,))

    def old(then: Buffer) -> Value:
        return b.let("not_equal", written, b.load(then, (0,)), dtype=bool_)

    unpacked, moved = old(packed), old(last)
    b.store(stale, (0,), old(seen))
    b.store(plain, (0,), b.let("logical_and", unpacked, moved))
    b.store(packs, (0,), b.let("logical_and", unpacked, b.let("logical_not", moved)))
    b.store(last, (0,), written)
    return Code("look", b.build())


def _products(steps: Sequence[StepSpec], room: int) -> dict[Buf, list[StepSpec]]:
    """Matrices that are worth packing in panels, and the products that read them."""
    found: dict[Buf, list[StepSpec]] = {}
    for s in _varying(steps):
        if (source := _matrix(s)) is None:
            continue
        if source not in found:
            if _bytes([source]) > room:
                continue
            room -= _bytes([source])
        found.setdefault(source, []).append(s)
    return found


def _matrix(s: StepSpec) -> Buf | None:
    """The matrix of a vector's product that is quicker where it is in panels."""
    c = s.code.contraction
    if c is None or c.m != 1 or c.batch != 1 or c.tb or s.binds[1].kind != "var":
        return None
    n, k, g = c.n, c.k, codegen.gemm_of(c)
    if type(n) is not int or type(k) is not int or g.kernel(1, n, k) != "thin":
        return None
    return s.binds[1] if n * k * c.dtype.size >= PANELS and n > g.panel else None


def _pack(source: Buf, panels: Buf, reader: StepSpec) -> StepSpec:
    """What makes the panels of a matrix."""
    c = reader.code.contraction
    assert c is not None
    kernel = _panels(c.dtype, int(str(c.k)), int(str(c.n)), codegen.gemm_of(c).panel)
    return StepSpec(
        Code("panels", kernel), [source, panels], reader.node, [], [panels], [source]
    )  # fmt: skip


def _panels(dtype: DType, rows: int, columns: int, width: int) -> Kernel:
    """A matrix into panels of `width` columns, one after another; the last has what is left."""
    b = KernelBuilder("panels")
    x = b.input("x", dtype, (rows, columns))
    y = b.output("y", dtype, (rows * columns,))
    whole = columns // width

    def copy(row: Expr, panel: Dim, count: int) -> None:
        with b.loop("vector", "c", count) as c:
            to = panel * (rows * width) + row * count + c
            b.store(y, (to,), b.load(x, (row, panel * width + c)))

    with b.loop("parallel", "r", rows) as r:
        with b.loop("for", "p", whole) as p:
            copy(r, p, width)
        if columns % width:
            copy(r, whole, columns % width)
    return b.build()
