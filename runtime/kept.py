"""Values made of variables alone are kept between runs that find the variables as they were.

A plan that writes no variable begins with the steps that read nothing but variables and constants:
transformed filters, panels of weights. A branch jumps over them where `State.written`, which grows
with each run or call that may change a variable, is what it was when they ran last::

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
from graphc.ir.kernel import Kernel
from graphc.ir.kernel_builder import KernelBuilder
from graphc.runtime.aligned import LINE
from graphc.runtime.llvm import codegen
from graphc.runtime.steps import Buf, Code, StepSpec, branch_step, copy_step, label_step

__all__ = ["keep", "places"]

#: Bytes that the steps read and write, from which on keeping their results pays.
LEAST = 1 << 15
#: Bytes of a matrix that is kept in panels too: less is read from a core's own cache.
PANELS = 1 << 20
#: Bytes that a plan keeps at most.
MOST = 1 << 28


def keep(steps: Sequence[StepSpec]) -> list[StepSpec]:
    """The steps of a plan that writes no variable, those first whose results may be kept."""
    if not all(s.calls for s in steps):  # in a loop or a branch
        return list(steps)
    chosen = _chosen(steps)
    first = [s for s in steps if s in chosen]
    rest = [s for s in steps if s not in chosen]
    room = MOST - _bytes(b for s in first for b in s.writes)
    for s in chosen:
        for b in s.writes:
            b.kind = "kept"
    readers: dict[Buf, list[StepSpec]] = {}
    for s in _varying(rest):
        if (source := _matrix(s)) is not None:
            readers.setdefault(source, []).append(s)
    for source, found in readers.items():
        room -= _bytes([source])
        if room >= 0:
            first.append(_in_panels(source, found))
    if not first:
        return list(steps)
    node, after = first[0].node, label_step(first[0].node)
    now, seen = Buf("written", int64, 1, name="written"), Buf("kept", int64, 1, name="seen")
    stale = Buf("kept", bool_, 1, name="stale")
    look = StepSpec(_look(), [now, seen, stale], node, [], [stale], [now, seen])
    return [
        look, branch_step(stale, after, node), *first, copy_step(now, seen, node), after, *rest
    ]  # fmt: skip


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
    room = MOST
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
    """Whether the variables have been written since what is kept was made."""
    b = KernelBuilder("look")
    now, seen = b.input("now", int64, (1,)), b.input("seen", int64, (1,))
    stale = b.output("stale", bool_, (1,))
    differ = b.let("not_equal", b.load(now, (0,)), b.load(seen, (0,)), dtype=bool_)
    b.store(stale, (0,), differ)
    return Code("look", b.build())


def _matrix(s: StepSpec) -> Buf | None:
    """The matrix of a vector's product that is quicker where it is in panels."""
    c = s.code.contraction
    if c is None or c.m != 1 or c.batch != 1 or c.tb or s.binds[1].kind != "var":
        return None
    n, k, g = c.n, c.k, codegen.gemm_of(c)
    if type(n) is not int or type(k) is not int or g.kernel(1, n, k) != "thin":
        return None
    large = PANELS <= n * k * c.dtype.size <= g.target.l3
    return s.binds[1] if large and n > g.panel else None


def _in_panels(source: Buf, readers: Sequence[StepSpec]) -> StepSpec:
    """What makes the panels of a matrix, which `readers` now read in its place."""
    panels = Buf("kept", source.dtype, source.count, name=source.name)
    for s in readers:
        c = s.code.contraction
        assert c is not None
        s.code = replace(s.code, contraction=replace(c, panels=True))
        s.replace(source, panels)
    c = readers[0].code.contraction
    assert c is not None
    kernel = _panels(c.dtype, int(str(c.k)), int(str(c.n)), codegen.gemm_of(c).panel)
    step = StepSpec(Code("panels", kernel), [source, panels], readers[0].node)
    step.writes, step.reads = [panels], [source]
    return step


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
