"""Matrix products: register-blocked kernels with an epilogue, in the emitter's words.

``C[b, m, n] = epilogue(op(A)[b, m, k] @ op(B)[b, k, n])``; operands are contiguous row-major,
``op`` transposes the last two axes when ``ta`` / ``tb`` is set (A is then stored [k, m], B
[n, k]). float32, float64, int32, int64 accumulate in their own type (integers wrap), float16
and bfloat16 in float32. Where the CPU multiplies two bfloat16 and adds both products to a float32
(`Target.has_bf16`), what is a term below is such a pair.

How to use it::

    g = Gemm(dtypes.float32, tb=True, n=1024)          # what is known when compiling
    plan = g.plan(m, n, k, batch, threads)             # when the sizes are known, no LLVM
    for phase in plan.phases:                          # each: one kernel, then a barrier
        g.emit(module, name, phase.kernel, epilogue)   # once a kernel name, at any time
    words = g.words(plan, a, b, scratch, outputs, extra)  # the table of 8-byte words

`plan` picks one of the few kernels of `g.kernels()`, so a new batch size needs at most another
of these, and says how many parallel `units` each phase has, how many of them make a sensible
work item (`grain`), and how many scratch bytes the table's scratch pointer must have (64-byte
aligned; private to one call). Every kernel is ``i32 kernel(ptr args, i64 begin, i64 end, i64
worker)`` with ``0 <= worker < threads`` and no two concurrent calls with the same worker.
Results do not depend on how units are split or on the number of threads: the order in which
the terms of an element are added depends on m, n, k alone.

The words: 0 the error position (unused: nothing here can fail), then the `WORDS` in their
order, one pointer an output, and whatever words the epilogue wants (`extra_word(i)`).

An epilogue is ``f(k, acc, row, col, batch, mask) -> list[V] | None``: `acc` is the finished
vector of sums (accumulator type) of row `row` and of consecutive columns from `col`, or a
single element (`acc.lanes == 1`); when `mask` is given, only the lanes that are on exist.
`batch` is None unless `batched`. The list's value i is stored, converted to ``outputs[i]``, at
the element's place in output i; None or a shorter list stores less. It may load and store
whatever else it likes under the mask, and reads its words once with::

    with k.hoisted():
        bias = k.read_ptr(k.args[0], g.extra_word(0))

It runs exactly once an element, after all of that element's terms: an output may be a buffer
that the epilogue reads at the same place (SGD in place), but not A or B.

Weights that many products share: ``g.plan(..., prepacked=True)`` has the phases `pack_b` and
`packed` and says how many bytes the panels take (`plan.packed`, word `packed`); run `pack_b`
once for the weights and only `packed` for every product with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from graphc.ir import dtypes
from graphc.ir.chains import KC
from graphc.ir.dtypes import DType
from graphc.runtime.llvm.watch import NOTHING, Watch

if TYPE_CHECKING:  # a plan needs no LLVM: the emitter is imported when there is code to emit
    from graphc.runtime.llvm.values import V

__all__ = ["WORDS", "Epilogue", "Gemm", "Phase", "Plan", "Target"]

Epilogue = Callable[..., "Sequence[V] | None"]

WORDS = (
    "a", "b", "packed", "scratch",
    "m", "n", "k", "batch", "a_step", "b_step", "mb", "nb", "group", "private", "chain",
)  # fmt: skip
"""Words 1 to 15: the operands, B's panels when packed beforehand, scratch; the sizes; elements
from one batch of A or B to the next (0: shared); rows and columns a unit; columns of B packed
at a time; bytes of scratch that a worker has for itself; terms of a product of a sum."""

# Raise it when the words or the emitted code change: compiled kernels are cached by `repr(Gemm)`.
TEMPLATE = 19

# Terms of a register block where there are more than `KC`. Of 96, 128, 192, 256, 320 and 384 those
# of 128 and 192 were the quickest, those of 256 the slowest (512 to 1024 terms, Zen 5: 95.0 and
# 93.6 % of the peak).
BLOCK = 128
# Beyond, where blocks are many, their sums are the longer chain: blocks are of `KC` there.
LONG = 1 << 14


def blocks_of(k: int, chain: int = 0) -> tuple[int, int]:
    """How many blocks `k` terms make, and the terms of one: `chain` where that is given."""
    if 0 < chain <= KC:
        return max(1, -(-k // chain)), chain
    if k <= KC:
        return 1, max(k, 1)
    blocks = -(-k // (KC if k > LONG else BLOCK))
    return blocks, _up(-(-k // blocks), 16)


#: Products (m * n * k) up to which code is made for the very sizes: about 10 us.
SMALL = 1 << 20


class Target(NamedTuple):
    """What the kernels must know of the CPU; the default is AVX-512 on a Zen 4 or 5."""

    vector_bytes: int = 64
    has_fma: bool = True
    l1d: int = 32 << 10
    l2: int = 1 << 20
    l3: int = 32 << 20
    has_bf16: bool = False

    @property
    def registers(self) -> int:
        """Vector registers: 32 with AVX-512, 16 before."""
        return 32 if self.vector_bytes >= 64 else 16

    @property
    def masks(self) -> bool:
        """Whether masked loads are instructions; SSE would branch a lane at a time."""
        return self.vector_bytes >= 32


class Phase(NamedTuple):
    """One kernel over `units` units; `grain` units are worth handing to a thread."""

    kernel: str
    units: int
    grain: int


class Plan(NamedTuple):
    """How one product of known sizes runs; `sizes` are the words after the pointers."""

    phases: tuple[Phase, ...]
    scratch: int
    packed: int
    sizes: tuple[int, ...]


def _up(x: int, to: int) -> int:
    return -(-x // to) * to


class Gemm(NamedTuple):
    """A family of matrix products: what is known of them when they are compiled.

    Parameters
    ----------
    dtype : DType
        Of A and B.
    ta, tb : bool
        Whether A is stored [k, m] and B [n, k].
    batched : bool
        Whether there is a batch dimension; epilogues then get a batch index.
    m, n, k : int or None
        Sizes that are always the same; the code is specialised to them.
    loose : bool
        `m`, `n` and `k` are examples: the code reads the sizes from its words, and takes from the
        examples only what they share with all sizes of the family (`loosened`).
    outputs : tuple of DType
        Of the stored results, `(dtype,)` if empty.
    target : Target
    panels : bool
        B lies in panels of `panel` columns, one after another (kernel ``thin``).
    chained : bool
        The terms are those of products of `chain` terms each, which are added up one by one (up to
        `KC`; more are one long product). The epilogue's first word has the address of an int32: of
        so many of them.
    template : int
        Part of the `repr`, hence of the keys of cached kernels; leave it.
    """

    dtype: DType
    ta: bool = False
    tb: bool = False
    batched: bool = False
    m: int | None = None
    n: int | None = None
    k: int | None = None
    outputs: tuple[DType, ...] = ()
    target: Target = Target()
    template: int = TEMPLATE
    loose: bool = False
    panels: bool = False
    chained: bool = False

    # ------------------------------------------------------------- derived numbers

    @property
    def acc(self) -> DType:
        """The type in which terms are added."""
        return dtypes.float32 if self.dtype.code in ("f16", "bf16") else self.dtype

    @property
    def stored(self) -> tuple[DType, ...]:
        return self.outputs or (self.dtype,)

    @property
    def pair(self) -> int:
        """Products of a term."""
        return 2 if self.dtype.code == "bf16" and self.target.has_bf16 else 1

    @property
    def kind(self) -> DType:
        """The type of a term's factors in panels."""
        return dtypes.int32 if self.pair == 2 else self.acc

    def terms(self, k: int) -> int:
        """Terms of `k` products."""
        return -(-k // self.pair)

    @property
    def lanes(self) -> int:
        return self.target.vector_bytes // self.acc.size

    @property
    def block(self) -> tuple[int, int]:
        """Rows and vectors of the register block.

        Its accumulators hide the latency of the multiply-add (4 or 5 cycles, two a cycle: at
        least 10), leave registers for one row of B and a broadcast of A, and ask for at most
        one load a multiply-add (8 + 3 for 24; 4 + 3 for 12). Powers of two in the rows, so
        that batches of 64 or 128 have no rest. Without fma the product needs a register too.
        """
        if self.target.registers == 32:
            return 8, 3
        return (4, 3) if self.target.has_fma and self.target.masks else (4, 2)

    @property
    def columns(self) -> int:
        """Columns of a panel of B."""
        return self.block[1] * self.lanes

    @property
    def panel(self) -> int:
        """Columns that a row is multiplied by at a time."""
        return (16 if self.target.registers == 32 else 8) * self.lanes

    def extra_word(self, i: int) -> int:
        """The number of the epilogue's word `i`."""
        return 1 + len(WORDS) + len(self.stored) + i

    @property
    def large(self) -> bool | None:
        """Whether a result takes more than a quarter of the L2 cache; None where it may or not."""
        if self.m is None or self.n is None:
            return None
        return self.m * self.n * self.acc.size > self.target.l2 // 4

    def loosened(self) -> Gemm:
        """The family of all products whose code differs in numbers only, or `self`.

        A net has many products of known sizes, and their code would be the same but for these.
        It is shared where a product takes so long that what a folded number saves is not seen
        (a few nanoseconds of some microseconds).
        """
        least = SMALL if self.m is not None else SMALL >> 6
        work = math.prod([d for d in (self.m, self.n, self.k) if d is not None])
        if work <= least:
            return self
        mr, lanes, nr = self.block[0], self.lanes, self.columns
        m, n, k = self.m, self.n, self.k
        wide, line = max(lanes, mr), 64 // self.acc.size
        if m is not None and m > 2 * wide:
            rest = 0 if m % mr == 0 else 1 if m % mr <= mr // 2 else mr - 1
            m = wide if m % wide == 0 else wide + (rest or mr)
        if n is not None and n >= nr:
            rest = n % nr
            n = nr + (rest if rest % lanes == 0 else rest // lanes * lanes + 1)
        if k is not None and self.terms(k) >= mr * line:
            odd = int(k % (lanes * self.pair) != 0)
            deep = self._k_slabs(k)[0] > 1
            blocks = self.slab(BLOCK) * BLOCK if deep else KC
            k = (mr * line if self.terms(k) <= KC else blocks + lanes) * self.pair + odd
        made = self._replace(m=m, n=n, k=k, loose=True)
        if self.large and made.n is not None and made.n >= nr:
            made = made._replace(n=made.n + nr * self.target.l2)
        elif self.large and made.m is not None:
            made = made._replace(m=made.m + wide * self.target.l2)
        return made if made.large == self.large else self

    def word(self, name: str) -> int:
        """The number of one of the `WORDS`."""
        return 1 + WORDS.index(name)

    def _packs_a(self, kernel: str) -> bool:
        # Columns of A are a row apart in memory: with a power of two between them a register
        # block's lines share one set of the L1 cache. 16-bit types are converted once only.
        return kernel in ("local", "packed") and (self.ta or self.dtype is not self.acc)

    # ------------------------------------------------------------- choice for given sizes

    def kernel(self, m: int, n: int, k: int) -> str:
        """The kernel for these sizes: the fewest bytes moved before the first product."""
        ragged = n % self.lanes != 0 and not self.target.masks
        if n == 1 and (not self.ta or m == 1):
            return "dot_col"
        if n == 1:
            return "thin_col"
        if m == 1:
            return "dot_row" if self.tb else "thin"
        if self.tb:
            # A panel's transposition costs as much as 12 rows of products or more; the dot kernel's
            # sums across lanes at the end as much as 128 terms.
            most = 3 if self.terms(k) <= 128 else 12 if self.terms(k) < 256 else 16
            return "dot" if m <= most and not self.ta else "local"
        if self.pair == 2 and (self.ta or k % 2):
            return "local"  # pairs are made while a matrix is packed
        if self.ta and m * k * self.dtype.size > self.target.l1d:
            # Small ones, as in batches, are 18 % faster without packing (Zen 5). Larger ones were
            # only while their operands lay in the L2 cache, which in a graph they do not.
            wide = self.target.registers == 32 and self.dtype is self.acc
            near = m <= 64 * self.block[0] and k * n * self.dtype.size <= self.target.l2 // 8
            return "direct" if wide and near else "local"
        # Unpacked, each row block reads B with the stride n: as good as a panel while B lies
        # in the L2 cache beside the rest, or when there are few row blocks.
        few = m <= 4 * self.block[0]
        # Pairs are made anew by each row block: a tenth slower for 96 rows, 128 and 256.
        some = m <= 32 * self.block[0] and self.pair == 1
        small = few or (some and k * n * self.dtype.size <= self.target.l2 // 3)
        return "direct" if small and not ragged else "local"

    def kernels(self) -> tuple[str, ...]:
        """The kernels that `plan` can name for this family, the likeliest for big sizes first."""
        out = []
        for m in (1, 2, 512, 4096) if self.m is None else (self.m,):
            for n in (1, 8, 512) if self.n is None else (self.n,):
                for k in (1, 7, 8, 512) if self.k is None else (self.k,):
                    out.append(self.kernel(m, n, k))
        return tuple(dict.fromkeys(reversed(out)))

    def plan(
        self, m: int, n: int, k: int, batch: int = 1, threads: int = 1, *,
        a_shared: bool = False, b_shared: bool = False, prepacked: bool = False,
        kernel: str | None = None, chain: int = 0,
    ) -> Plan:  # fmt: skip
        """Phases, units, scratch and words for these sizes.

        `a_shared`, `b_shared`: that operand has no batch dimension. `kernel` overrides the
        choice (tests, measurements); it must be one that can do these sizes. `chain`: terms of
        each of the products whose sum this is, in a family that is `chained`.
        """
        for name, have, known in (("m", m, self.m), ("n", n, self.n), ("k", k, self.k)):
            if have < 0 or (known is not None and have != known and not self.loose):
                raise ValueError(f"{name} is {have}, compiled for {known}")
        kernel = kernel or ("packed" if prepacked else self.kernel(m, n, k))
        prepacked = kernel == "packed"
        _, nr = self._tile(kernel)
        mb, nb = self._unit(kernel, m, n, k, batch, threads, chain)
        units = batch * -(-m // mb) * -(-n // nb)
        group = self._group(kernel, nb, k, chain)
        private, shared = self._scratch(kernel, n, k, batch, mb, nb, group, b_shared, chain)
        # A thread is worth waking for 10 to 20 us of work: 2^21 products at 100 a nanosecond, or,
        # where an operand's numbers are read for one product each, 2^18 of them at 90 GB/s.
        worth = min(m, n, 8) << 18
        grain = max(1, worth // max(1, min(mb, m) * min(nb, n) * k)) if units else 1
        phases: tuple[Phase, ...] = (Phase(kernel, units, grain),)
        if prepacked:
            panels = (1 if b_shared else batch) * -(-n // nr) if units else 0
            phases = (
                Phase("pack_b", panels, max(1, (1 << 18) // max(1, k * nr))),
                *phases,
            )
        a_step = 0 if a_shared else m * k
        b_step = 0 if b_shared else k * n
        return Plan(
            phases,
            threads * private,
            shared,
            (m, n, k, batch, a_step, b_step, mb, nb, group, private, chain),
        )

    def words(
        self, plan: Plan, a: int, b: int, scratch: int, outputs: Sequence[int],
        extra: Sequence[int] = (), packed: int = 0,
    ) -> list[int]:  # fmt: skip
        """The argument table for addresses and a plan."""
        return [0, a, b, packed, scratch, *plan.sizes, *outputs, *extra]

    def _tile(self, kernel: str) -> tuple[int, int]:
        """Rows and columns of one tile: what a kernel finishes before it runs the epilogue."""
        if kernel in ("thin", "thin_col"):
            return 1, 16 * self.lanes
        if kernel == "dot":
            return 4, self.lanes
        if kernel == "dot_row":
            return 1, self.lanes
        if kernel == "dot_col":
            return self.lanes, 1
        return self.block[0], self.columns

    def _unit(
        self, kernel: str, m: int, n: int, k: int, batch: int, threads: int, chain: int
    ) -> tuple[int, int]:
        """Rows and columns a unit. Free to choose: no result depends on it."""
        mr, nr = self._tile(kernel)
        if kernel == "thin_col":
            mr, nr = nr, mr
        mt, nt = max(1, -(-m // mr)), max(1, -(-n // nr))
        # Rows: a packed block of A takes at most half the L2 cache, one that is read where it is
        # an eighth of the L3 cache: each panel of B reads it once.
        if self._packs_a(kernel):
            most = max(1, self.target.l2 // 2 // (self.acc.size * 2 * BLOCK) // mr)
        else:
            depth = max(1, self._k_slabs(k, chain)[1])
            most = max(1, self.target.l3 // 8 // (self.acc.size * depth) // mr)
        # At most 2^31 products a unit, about 20 ms: interrupts are seen between units.
        parts = min(nt, 1 + (min(mt, most) * mr * n * k >> 31))
        best = (float("inf"), mt, nt)
        rows = -(-mt // most)
        while rows <= mt and (best[0] == float("inf") or batch * rows < 8 * threads):
            for cols in range(parts, max(parts, min(nt, 4 * threads)) + 1):
                mb, nb = -(-mt // rows), -(-nt // cols)
                rounds = -(-(batch * -(-mt // mb) * -(-nt // nb)) // threads)
                # Packing a panel of B costs as much as computing 12 rows with it (measured).
                cost = rounds * nb * (mb * mr + (12 if kernel == "local" else 0))
                if cost < 0.98 * best[0]:
                    best = (cost, mb, nb)
            rows *= 2
        return best[1] * mr, best[2] * nr

    def slab(self, block: int) -> int:
        """Most blocks of k in a slab: the panel of B takes three eighths of the L2 cache.

        With a quarter, 1536 terms were two slabs, whose sums wait in memory: 1 to 2 % slower.
        """
        return max(1, self.target.l2 * 3 // 8 // (block * self.columns * self.acc.size))

    def _k_slabs(self, k: int, chain: int = 0) -> tuple[int, int]:
        """How many slabs `k` products make, and the terms of one."""
        k = self.terms(k)
        blocks, terms = blocks_of(k, chain)
        most = self.slab(terms) if 0 < chain <= KC else self.slab(KC if k > LONG else BLOCK)
        slabs = -(-blocks // most)
        return slabs, min(k, -(-blocks // slabs) * terms)

    def _group(self, kernel: str, nb: int, k: int, chain: int) -> int:
        """Columns of B packed at a time: at most a third of the L2 cache, or one panel."""
        _, nr = self._tile(kernel)
        if kernel == "local" and not self.tb:
            return nr  # the next one is packed while this one is read
        column = self.acc.size * max(1, self._k_slabs(k, chain)[1])
        return min(nb, max(1, self.target.l2 // 3 // column // nr) * nr)

    def _scratch(
        self,
        kernel: str,
        n: int,
        k: int,
        batch: int,
        mb: int,
        nb: int,
        group: int,
        b_shared: bool,
        chain: int,
    ) -> tuple[int, int]:
        """Bytes a worker and bytes for all."""
        private = shared = 0
        size = self.acc.size
        slabs, depth = self._k_slabs(k, chain)
        _, nr = self._tile(kernel)
        kp = _up(depth, self.lanes)
        if self._packs_a(kernel):
            private += _up(mb, max(self.lanes, self.block[0])) * kp * size
        if kernel == "local":
            private += kp * (group if self.tb else 2 * group) * size
        if slabs > 1 and kernel in ("direct", "local", "packed"):
            private += mb * nb * size
        if kernel == "packed":
            shared = (1 if b_shared else batch) * _up(n, nr) * _up(self.terms(k), self.lanes) * size
        return _up(private, 64), _up(shared, 64)

    # ------------------------------------------------------------- emission

    def emit(
        self, module: Any, name: str, kernel: str, epilogue: Epilogue | None = None,
        function: Callable[..., Any] | None = None, watch: Watch = NOTHING,
    ) -> Any:  # fmt: skip
        """Add the kernel to the module under `name`; `function` makes the `Fn` (`vmath.Math`).

        With `watch` it looks at its results (`Fn.look`).
        """
        from graphc.runtime.llvm import gemm_emit

        return gemm_emit.emit(self, module, name, kernel, epilogue, function, watch)
