"""Addresses and sizes for a plan: a program that can be called."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import journal
from graphc.ir.dims import Dim, Symbol
from graphc.ir.dtypes import DType
from graphc.ops.random import reserved, seeds_of
from graphc.passes.run_errors import run_error
from graphc.runtime import aligned, kept, sharing
from graphc.runtime.arena import gemm_plan, pieces, place, tell_places
from graphc.runtime.compilation import Bound, Compilation, never
from graphc.runtime.feeds import storage, to_storage
from graphc.runtime.llvm import entry
from graphc.runtime.llvm.entry import COMMIT, FeedSpec, OutSpec, Program, Step
from graphc.runtime.memory import LARGEST, OutOfMemoryError
from graphc.runtime.results import maker
from graphc.runtime.state import Cell
from graphc.runtime.steps import Buf, StepSpec
from graphc.runtime.swap import NEW, Pointers

if TYPE_CHECKING:
    from graphc.runtime.runs import Run

__all__ = ["Binder", "layout"]


Patches = dict[int, list[tuple[int, int]]]


class Binder:
    """Puts addresses and sizes into the argument words of a plan."""

    def __init__(self, run: Run, c: Compilation, env: Mapping[Symbol, int]) -> None:
        self.owner = run
        self.c = c
        self.env = env
        self.memo: dict[Dim, int] = {}
        self.threads = run.executor.threads
        self.bound = Bound()
        self.numbers = {s: i for i, s in enumerate(c.core.steps)}
        self.offset: dict[int, int] = {}
        self.keep: list[Any] = []
        #: Steps and words that are addresses of variables, and whether of their second arrays.
        self.places: list[tuple[int, int, Cell, bool]] = []

    def size(self, d: Dim) -> int:
        if type(d) is int:
            return d
        n = self.memo.get(d)
        if n is None:
            n = self.memo[d] = D.evaluate(d, self.env)
        return n

    def shape(self, shape: Sequence[Dim]) -> tuple[int, ...]:
        return tuple(self.size(d) for d in shape)

    @staticmethod
    def fits(shape: Sequence[int], dtype: DType) -> None:
        """Refuse an array that no memory holds, before anything is allocated."""
        if math.prod(shape) * dtype.size > LARGEST or max(shape, default=0) > LARGEST:
            raise OutOfMemoryError(
                None, None,
                f"OOM when allocating tensor with shape{list(shape)} and type {dtype.name}",
            )  # fmt: skip

    def run(self) -> Bound:
        plan, b = self.c.core, self.bound
        state = self.owner.state
        self.make_cells()
        self.gemms = self.plan_gemms()
        self.place()
        streams = self.c.frozen.random
        b.drawn = {s.binds[0].index for s in plan.steps if s.code.name == "draw"}
        b.counters = np.zeros((max(1, len(streams)), 3), np.int64)
        b.streams = [(n, self.size(reserved(made))) for n, made in streams]
        for i, (n, _) in enumerate(b.streams):
            seeds = state.seeds.get(n)
            if seeds is None:
                seeds = state.seeds[n] = seeds_of(n)
            b.counters[i] = np.array([0, *seeds], np.uint64).view(np.int64)
        steps, feed_patches, out_patches = self.make_steps()
        feeds = []
        inputs = {v.node.attrs["index"]: v for v in self.c.frozen.graph.inputs}
        for i in range(len(inputs)):
            v = inputs[i]
            feeds.append(
                FeedSpec(
                    storage(v.dtype), self.shape(v.static_shape or ()), feed_patches.get(i, [])
                )
            )
        outs = []
        b.makers, b.numbers = [], []
        b.checks = self.c.frozen.checks
        for i, (dtype, shape) in enumerate(plan.out_types):
            size = self.shape(shape)
            self.fits(size, dtype)
            outs.append(OutSpec(storage(dtype), size, out_patches.get(i, [])))
            if size or dtype.code == "bf16":
                b.makers.append(maker(storage(dtype), size))
            else:  # the same array each time
                b.makers.append(repeat(np.zeros((), storage(dtype))).__next__)
                if i < len(plan.out_types) - b.checks:
                    b.numbers.append(i)
        b.plain = not (b.numbers or b.checks)
        b.program = Program(
            steps, feeds, outs, threads=self.threads, keep=[*self.keep, self.c, b.counters],
            written=state.written if plan.updates else None,
        )  # fmt: skip
        flips = [s.binds[0].name for s in plan.steps if s.code.name == "flip"]
        moved = [state.cells[name] for name in flips if name not in b.fresh]
        start = b.program.starts
        places = [(start[i] + word, cell, other) for i, word, cell, other in self.places]
        b.pointers = Pointers(b.program.words, places, moved)
        b.pointers.point()
        b.guard = plan.guard if self.owner.executor.options.numerics else None
        b.leaves = self.leaves()
        if b.fresh or any(t.code == "bf16" for t, _ in plan.out_types):
            b.call = never
        else:
            b.call = b.calling(self.owner, b.program.run)
        b.epoch, b.moves = state.epoch, state.moves
        b.env = dict(self.env)
        return b

    def make_steps(self) -> tuple[list[Step], Patches, Patches]:
        """The steps of the program, and the words that take addresses of feeds and results."""
        b = self.bound
        steps: list[Step] = []
        feeds: Patches = {}
        outs: Patches = {}
        b.steps, b.phases = [], []
        places: dict[StepSpec, int] = {}

        def add(s: StepSpec, made: list[tuple[Step, list[tuple[int, Buf]]]]) -> None:
            for step, binds in made:
                at = len(steps)
                for word, buf in binds:
                    if buf.kind in ("feed", "out"):
                        patches = feeds if buf.kind == "feed" else outs
                        patches.setdefault(buf.index, []).append((at, word))
                self.note_places(at, binds)
                steps.append(step)
                b.steps.append(s)
                b.phases.append(step.phase)

        made = [self.steps_of(i, s) for i, s in enumerate(self.c.core.steps)]
        early: dict[StepSpec, list[int]] = {}  # what is packed before which loop
        for i, s in enumerate(self.c.core.steps):
            if s.ahead is not None and len(made[i]) > 1:
                early.setdefault(s.ahead[0], []).append(i)
            elif s.panels not in (None, s):
                made[i] = made[i][-1:]
        for i, s in enumerate(self.c.core.steps):
            for j in early.get(s, ()):
                add(self.c.core.steps[j], made[j][:1])
                made[j] = made[j][1:]
            places[s] = len(steps)
            add(s, made[i])
        for at, s in enumerate(b.steps):
            if s.target is not None:
                steps[at] = entry.branch(steps[at].words[1], places[s.target])
        return steps, feeds, outs

    def leaves(self) -> list[tuple[Cell, float | None]]:
        """What will be known of the variables that the program changes."""
        if not self.owner.executor.options.numerics:
            return []
        guard, cells = self.c.core.guard, self.owner.state.cells
        known: Mapping[str, float] = {} if guard is None else guard.leaves
        return [(cells[name], known.get(name)) for name, _, _ in self.c.core.updates]

    def note_places(self, at: int, binds: Sequence[tuple[int, Buf]]) -> None:
        """Write down which words of a step are addresses of variables."""
        cells = self.owner.state.cells
        for word, buf in binds:
            if buf.kind == "var" and self.fresh_of(buf) is None:
                self.places.append((at, word, cells[buf.name], buf.index == NEW))

    # ------------------------------------------------------------- memory

    def make_cells(self) -> None:
        """Storage for the variables this run writes; a new one where the shape changes."""
        state = self.owner.state
        for name, dtype, shape in self.c.core.updates:
            size, old = self.shape(shape), state.cells.get(name)
            self.fits(size, dtype)
            if old is not None and old.ready and old.shape != size:
                self.bound.fresh[name] = Cell(dtype, size)
            else:
                state.cell(name, dtype, size)

    def plan_gemms(self) -> dict[int, tuple[Any, Any]]:
        return {
            i: gemm_plan(s, self.size, self.threads, self.c.variants[i])
            for i, s in enumerate(self.c.core.steps)
            if s.code.contraction is not None
        }

    def arrange(self) -> int:
        """Offsets in the arena: a buffer may lie where another one's life has ended."""
        steps = self.c.core.steps
        gemms = {i: p for i, (_, p) in self.gemms.items()}
        items = pieces(steps, self.size, self.threads, gemms)
        log = journal.current()
        fresh: dict[int, int] | None = None if log is None else {}
        total = place(items, self.offset, self.c.core.limit, fresh)
        if log is not None and fresh is not None:
            tell_places(log, steps, items, fresh)
        return total

    def place(self) -> None:
        """Memory for what `arrange` has given offsets."""
        total = self.arrange()
        arena = self.c.arena
        if arena is None or arena.size < total + 64:
            grow = 0 if arena is None or self.owner.executor.options.memory_limit else arena.size
            arena = self.c.arena = self.allocate(total, grow)
        self.keep.append(arena)
        self.base = -(-arena.ctypes.data // 64) * 64
        self.place_kept()

    def place_kept(self) -> None:
        """Memory for what is kept between runs; a new binding has it made anew."""
        self.kept, total = kept.places(self.c.core.steps)
        if not total:
            return
        if self.c.kept is None:
            self.c.kept = aligned.empty((total,), np.dtype(np.uint8))
        self.c.kept[: kept.HEAD] = 0
        self.keep.append(self.c.kept)

    def allocate(self, total: int, before: int) -> np.ndarray[Any, Any]:
        """Memory for temporaries: a quarter more than asked for where it must grow."""
        try:
            if total > LARGEST:
                raise MemoryError
            return np.empty(max(total, before + before // 4) + 64, np.uint8)
        except MemoryError:
            raise OutOfMemoryError(
                None, None, f"OOM when allocating {total:,} bytes for the temporaries of a run"
            ) from None

    def fresh_of(self, b: Buf) -> Cell | None:
        """The new storage of a variable, where `b` is what it is after the run."""
        return self.bound.fresh.get(b.name) if b.index else None

    def address(self, b: Buf) -> int:
        if b.kind == "arena" or b.kind == "scratch":
            return self.base + self.offset[id(b)]
        if b.kind == "kept":
            assert self.c.kept is not None
            return int(self.c.kept.ctypes.data) + self.kept[id(b)]
        if b.kind == "written":
            return int(self.owner.state.written.ctypes.data)
        if b.kind == "var":
            fresh = self.fresh_of(b)
            cell = fresh or self.owner.state.cells[b.name]
            if b.index == NEW:
                cell.need_two()
            self.keep.append(cell)
            return cell.address(b.index == NEW)
        if b.kind == "side":
            cell = self.bound.fresh.get(b.name) or self.owner.state.cells[b.name]
            return int(cell.side.ctypes.data)
        if b.kind == "const":
            a = np.ascontiguousarray(to_storage(b.data, b.dtype))
            self.keep.append(a)
            return int(a.ctypes.data)
        if b.kind == "counters":
            return int(self.bound.counters.ctypes.data) + 24 * b.index
        return 0  # feeds and outputs are patched by the entry

    def large(self, s: StepSpec) -> list[int]:
        """The address of the byte that a kernel sets which cannot fail any more."""
        if not self.owner.executor.options.numerics or not s.commit or self.c.core.guard is None:
            return []
        return [int(self.owner.state.large.ctypes.data)]

    # ------------------------------------------------------------- steps

    def steps_of(self, i: int, s: StepSpec) -> list[tuple[Step, list[tuple[int, Buf]]]]:
        if s.label:
            return []
        if s.target is not None:  # where it leads is known when all steps have a place
            return [(entry.branch(self.address(s.binds[0]), 0), [(1, s.binds[0])])]
        owners = self.c.owners[i]
        flags = (COMMIT if s.commit else 0) | (entry.VARIES if s.varies else 0)
        con = s.code.contraction
        if con is None:
            owner, address = owners["kernel"]
            env: Mapping[Symbol, int] = (
                {**self.env, **{Symbol(k): self.size(v) for k, v in s.attrs.items()}}
                if s.attrs
                else self.env
            )
            sizes = [env[x] for x in s.code.kernel.sizes]
            sizes += [D.evaluate(d, env) for d in s.code.numbers]
            words = [0, *[self.address(b) for b in s.binds], *sizes, *self.large(s)]
            units = D.evaluate(s.code.kernel.units, env)
            if max(units, *sizes, 0) > LARGEST:
                most = f"OOM when allocating tensor with {max(units, *sizes, 0):,} elements"
                raise OutOfMemoryError(None, None, run_error(s.node, most))
            grain, cost = sharing.grain_of(s, self.size, units)
            step = Step(owner, address, words, units, grain, flags, cost)
            return [(step, list(enumerate(s.binds, 1)))]
        g, p = self.gemms[i]
        binds = s.binds
        outs = binds[2 : 2 + len(con.outputs)]
        extra = binds[2 + len(con.outputs) :]
        scratch = self.base + self.offset[-1 - i]
        packer = i if s.panels is None else self.numbers[s.panels]
        words = g.words(
            p, self.address(binds[0]), self.address(binds[1]), scratch,
            [self.address(b) for b in outs],
            [*[self.address(b) for b in extra], *[self.env[x] for x in con.kernel.sizes],
             *self.large(s)],
            packed=self.base + self.offset[-1 - packer - len(self.c.core.steps)],
        )  # fmt: skip
        first_out = g.extra_word(0) - len(outs)
        places = [(1, binds[0]), (2, binds[1])]
        places += [(first_out + j, b) for j, b in enumerate(outs)]
        places += [(g.extra_word(j), b) for j, b in enumerate(extra)]
        made = []
        flops = 2.0 * p.sizes[0] * p.sizes[1] * p.sizes[2] * p.sizes[3]
        for phase in p.phases:
            owner, address = owners[phase.kernel]
            cost = flops / 60.0 / max(phase.units, 1)
            made.append(
                (
                    Step(
                        owner,
                        address,
                        words,
                        phase.units,
                        phase.grain,
                        flags,
                        max(1.0, cost),
                        phase.kernel,
                    ),
                    places,
                )
            )
        return made


def layout(run: Any, c: Compilation) -> tuple[int, dict[int, int]]:
    """The bytes of the arena and where in it each buffer (by `id`) lies; nothing is allocated."""
    binder = Binder(run, c, c.plan.facts.env)
    binder.gemms = binder.plan_gemms()
    return binder.arrange(), binder.offset
