"""The words of a matrix product's kernel, and what one tile of it is made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from llvmlite import ir

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.runtime.llvm import pairs
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.gemm import WORDS, Epilogue, Gemm
from graphc.runtime.llvm.values import V, i32, ptr

__all__ = ["Base", "Batch", "Copy", "End", "Lines", "Next", "Rows", "Sums", "Turn", "Work"]


class Sums(NamedTuple):
    """Where the sums of a register block go.

    Rows are `step` elements apart; with `more`, those in `old`, a tile, are added first.
    """

    place: Any
    step: V
    old: Any
    more: V | None


class Lines(NamedTuple):
    """Lines to ask for: for each chunk of k some, `gap` bytes apart, `step` bytes on."""

    start: Any
    step: V
    gap: V


class Copy(NamedTuple):
    """Rows to pack into the next panel: for each chunk of k one, from `row` on, below `stop`."""

    source: Any
    step: V
    to: Any
    row: V
    stop: V


class Batch(NamedTuple):
    """The operands of a batch's next product, A's of `lines`, and which chunk of this one it is."""

    a: Any
    b: Any
    lines: V
    chunk: V


class Turn(NamedTuple):
    """Columns of a stored A to pack as rows of the next tiles: a cache line of each of its rows.

    For each chunk of k as many rows of the stored A as a tile has, from `row` on, below `stop`.
    """

    source: Any
    step: V
    to: Any
    gap: V
    row: V
    stop: V


class Rows(NamedTuple):
    """Rows of a tile in memory: the first, from one to the next, the bytes of one."""

    start: Any
    step: V
    bytes: int
    write: bool


class Next(NamedTuple):
    """What the end of a tile and the tiles that follow will read: products have time to fetch it.

    A's next tile is `a` elements on. Of B's next panel each chunk of k asks for some lines, or
    packs a row. A chunk is the terms whose elements of a row of A are a cache line. `ends` is what
    a tile's end reads and writes, of which the first `some` rows are to be asked for.
    """

    a: V | None = None
    lines: Lines | None = None
    copy: Copy | None = None
    turn: Turn | None = None
    batch: Batch | None = None
    ends: tuple[Rows, ...] = ()
    some: V | None = None


class Work(NamedTuple):
    """The operands of a register block.

    Addresses of A's rows, whose elements of type `kind` are `along` apart; a panel of B whose rows
    are `step` apart; the number of terms; columns in the last vector where not all are.
    """

    rows: list[Any]
    along: V | int
    kind: DType
    panel: Any
    step: V | int
    terms: V
    left: V | None
    to: Sums
    after: Next


class End(NamedTuple):
    """What is read after a tile's last products.

    The argument table, the sums, the results; columns of these, their row where this product's
    begin, the number of the product in a batch; the tile's place and extents.
    """

    table: Any
    sums: Any
    out: list[Any]
    n: V
    first: V
    batch: V | None
    row: V
    col: V
    rows: V
    cols: V


class Base:
    """What the parts of one kernel's emission share.

    Attributes
    ----------
    stack : pointer
        A tile's sums.
    out_row : V
        The row of the results where this product of a batch begins.
    pair, terms, most : int, V, int or None
        Products of a term; terms of an element of the results, and their number where it is known.
    plain : bool
        Whether what is around the products and the epilogue is `Fn.plain`: it took most of the
        time of compiling, and takes next to none where products are many.
    """

    make: Callable[..., Fn] = Fn
    stack: Any
    out_row: V

    def __init__(self, g: Gemm, fn: Fn, kernel: str, epilogue: Epilogue | None) -> None:
        self.g = g
        self.fn = fn
        self.kernel = kernel
        self.epilogue = epilogue
        self.lanes = g.lanes
        self.mr, self.nr = g._tile(kernel)
        self.table = fn.args[0]
        self.worker = fn.wrap(fn.args[3], dtypes.int64)
        word = {w: g.word(w) for w in WORDS}
        self.a = fn.read_ptr(self.table, word["a"])
        self.b = fn.read_ptr(self.table, word["b"])
        self.packed = fn.read_ptr(self.table, word["packed"])
        self.scratch = fn.read_ptr(self.table, word["scratch"])
        self.m = self._size(g.m, word["m"])
        self.n = self._size(g.n, word["n"])
        self.k = self._size(g.k, word["k"])
        self.pair = 1 if kernel in ("thin", "thin_col") else g.pair
        self.terms = self.k if self.pair == 1 else self._div(self.k + 1, 2)
        self.most = None if g.k is None else g.terms(g.k)
        self.a_step = fn.read_i64(self.table, word["a_step"])
        self.b_step = fn.read_i64(self.table, word["b_step"])
        self.batch = fn.read_i64(self.table, word["batch"])
        self.mb = fn.read_i64(self.table, word["mb"])
        self.nb = fn.read_i64(self.table, word["nb"])
        self.group = fn.read_i64(self.table, word["group"])
        private = fn.read_i64(self.table, word["private"])
        self.private = self._byte(self.scratch, self.worker * private)
        self.out = [fn.read_ptr(self.table, 1 + len(WORDS) + i) for i in range(len(g.stored))]
        self.index: V | None = None  # the batch, inside a unit
        self.asks: Any = epilogue if hasattr(epilogue, "place") else None
        self.plain = g.loose and kernel in ("direct", "local", "packed") and fn.watched is None
        if self.plain:
            fn.plain()

    def _size(self, known: int | None, word: int) -> V:
        if known is not None and not self.g.loose:
            return self.fn.index(known)
        return self.fn.read_i64(self.table, word)

    def _byte(self, base: Any, offset: V) -> Any:
        return self.fn.element_ptr(base, offset, dtypes.uint8)

    def _min(self, x: V, y: V | int) -> V:
        return self.fn.minimum(x, y)

    def _div(self, x: V, y: int) -> V:
        """x // y for x >= 0 and a power of two."""
        return x if y == 1 else self.fn.shr(x, y.bit_length() - 1)

    def _up(self, x: V, to: int) -> V:
        return (x + (to - 1)) & -to

    def _mask(self, left: V, lanes: int) -> V:
        """Lanes below `left`."""
        fn = self.fn
        ids = fn.lane_ids(lanes, dtypes.int32)
        top = fn.cast(self._min(left, lanes), dtypes.int32)
        return ids < fn.splat(top, lanes)

    def _load(self, base: Any, at: V | int, lanes: int = 1, mask: V | None = None) -> V:
        """Elements of an operand in the accumulator's type."""
        x = self.fn.load(base, at, self.g.dtype, lanes, mask)
        return self.fn.cast(x, self.g.acc)

    def _elements(self, terms: V) -> V:
        """Elements of an operand that so many terms take."""
        return terms if self.pair == 1 else terms * 2

    def _along(self, base: Any, at: V, lanes: int = 1, mask: V | None = None) -> V:
        """Terms' factors that lie along k, from element `at`; `mask` is of elements."""
        if self.pair == 2:
            return pairs.along(self.fn, base, at, lanes, mask)
        return self._load(base, at, lanes, mask)

    def _across(
        self, base: Any, at: V, lanes: int, mask: V | None = None, more: V | None = None
    ) -> V:
        """Terms' factors that lie across k, of pairs the second ones `more` behind, else 0."""
        if self.pair == 2:
            return pairs.across(self.fn, base, at, lanes, mask, more)
        return self._load(base, at, lanes, mask)

    def _mul_add(self, x: V, y: V, z: V) -> V:
        if self.pair == 2:
            return pairs.mul_add(self.fn, x, y, z)
        if self.g.acc.kind == "f" and self.g.target.has_fma:
            return self.fn.fma(x, y, z)
        return z + x * y

    @property
    def _chunk(self) -> int:
        return 64 // self.g.acc.size

    def _line(self, p: Any, write: bool = False, near: bool = True) -> None:
        where = (int(write), 3 if near else 2, 1)  # to write, to L1 or L2, data
        hint = [ir.Constant(i32, c) for c in where]
        self.fn.call_intrinsic_void("llvm.prefetch", [ptr], [p, *hint])

    def _addresses(self, base: Any, start: V, step: V | int, count: int, rows: V) -> list[Any]:
        """Addresses of `count` rows of an operand, `step` elements apart.

        Those beyond `rows` are the last one again; nobody stores their sums.
        """
        fn, kind = self.fn, self.g.dtype
        at = [fn.element_ptr(base, start, kind)]
        for r in range(1, count):
            more = fn.select(rows > r, fn.index(step), fn.index(0))
            at.append(fn.element_ptr(at[-1], more, kind))
        return at

    def _apart(
        self, name: str, build: Callable[[Any], None], values: Any, plain: bool = False
    ) -> None:
        """``build(values)`` as a function of its own, called here (`plain`: `Fn.plain`)."""
        outer, leaves = self.fn, list(_leaves(values))
        types = [x.ll.type if isinstance(x, V) else ptr for x in leaves]
        full = f"{outer.func.name}_{name}"
        fn = self.make(outer.module, full, types, ir.VoidType(), linkage="internal")
        fn.func.attributes.add("noinline")
        if plain:
            fn.plain()
        self.fn = fn
        build(_among(values, iter(fn.args), fn))
        fn.ret()
        self.fn = outer
        outer.call_fn(fn.func, leaves)


def _leaves(x: Any) -> Iterator[Any]:
    """The values of a run inside of nested tuples and lists."""
    if isinstance(x, (V, ir.Value)):
        if not isinstance(getattr(x, "ll", x), ir.Constant):
            yield x
    elif isinstance(x, (tuple, list)):
        for y in x:
            yield from _leaves(y)


def _among(x: Any, given: Iterator[Any], fn: Fn) -> Any:
    """`x` in `fn`, with its values replaced by those given, in order; constants stay."""
    if isinstance(x, V):
        return fn.wrap(x.ll if isinstance(x.ll, ir.Constant) else next(given), x.dtype)
    if isinstance(x, ir.Value):
        return next(given)
    if isinstance(x, list):
        return [_among(y, given, fn) for y in x]
    if isinstance(x, tuple):
        inside = [_among(y, given, fn) for y in x]
        return type(x)(*inside) if hasattr(x, "_fields") else tuple(inside)
    return x
