"""What vectors read that run on from one short row to the next.

What is the same in all rows is read at ``i % n``: a vector that begins anywhere in such a row is
one load of the row repeated, where it would be a gather at as many remainders. What is one element
a row is read at ``i // n``: a load of neighbours, and each lane takes its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphc.ir import dtypes
from graphc.ir.dims import Dim, Expr, Func, Symbol, is_multiple
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Load, Loop, Reduce, Stmt, bodies
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.indexing import Ramp
from graphc.runtime.llvm.values import V

if TYPE_CHECKING:
    from graphc.runtime.llvm.walk import Walk

__all__ = ["Row", "everywhere", "read_again", "repeating"]

MOST = 4  # columns that are read one after the other
LANES = 64  # of a vector, at most
ROOM, ROWS = 2048, 8  # bytes of the stack for one row; rows of a kernel


@dataclass(frozen=True)
class Row:
    """A row of `period` elements that stands repeated `at` a place; `i` says which is read."""

    period: int
    i: Dim
    at: Any


def everywhere(w: Walk, body: Sequence[Stmt]) -> None:
    """Repeat the rows that loops inside of `body` read, where these are the same in all turns."""
    for s in body:
        for inner in bodies(s):
            everywhere(w, inner)
        if isinstance(s, Loop | Reduce) and s.kind == "vector":
            _repeat(w, s, s.body)


@contextmanager
def repeating(w: Walk, s: Loop | Reduce, inside: Sequence[Stmt]) -> Iterator[None]:
    """What is built inside, the loop `s`, reads its rows repeated."""
    made = _repeat(w, s, inside)
    yield
    for key in made:
        del w.repeated[key]


def read_again(w: Walk, s: Load) -> V | None:
    """What `s` reads in the lanes here, if several of them read the same element."""
    if w.lanes == 1 or s.where is not None:
        return None
    k, flat = w.k, w.flat(s.buf, s.index)
    row = w.repeated.get((s.buf, flat))
    if row is not None and w.lanes <= LANES:
        first = w.dim(row.i)
        assert isinstance(first, Ramp)
        start = k.index(first.base)
        return k.load(row.at, start - _turns(k, start, row.period) * row.period, s.dtype, w.lanes)
    quick = k.has_avx512 and w.mask is None and s.dtype.code not in ("f16", "bf16")
    return _near(w, s, flat) if quick and isinstance(flat, Expr) else None


def _near(w: Walk, s: Load, flat: Expr) -> V | None:
    """Elements at ``down * (i // n) + along * (i % n) + rest``, if they are such and near.

    All that the rows of a register of lanes have is read, and each lane takes its own; columns
    that are far apart are read one after the other.
    """
    k, dtype = w.k, s.dtype
    found = _steps(flat)
    if found is None:
        return None
    i, n, down, along, other = found
    if along and not _whole(w.kernel.body, i, n):
        return None
    first, rest = w.dim(i), w.dim(other)
    if not isinstance(first, Ramp) or first.stride != 1 or isinstance(rest, Ramp):
        return None
    if isinstance(rest, V) and rest.lanes > 1:
        return None
    lanes = 8 if dtype.size == 8 else 16
    if w.lanes % lanes:
        return None
    rows = (n + lanes - 2) // n  # that lanes reach beyond the first one
    room = abs(down) * rows + 1
    columns = [0]
    if room + abs(along) * (n - 1) > 4 * lanes and n <= MOST and room <= 2 * lanes:
        columns, along = [along * c for c in range(n)], 0
    room += abs(along) * (n - 1)
    if room > 4 * lanes:
        return None
    lane, parts = k.lane_ids(lanes, dtypes.int32), []
    for g in range(0, w.lanes, lanes):
        start = k.index(first.base) + g
        row = _turns(k, start, n)
        over = k.cast(start - row * n, dtypes.int32)
        place = lane + k.splat(over, lanes)
        which, last = _row_of(k, place, n), _row_of(k, over + (lanes - 1), n)
        column = place - which * n
        size = last * abs(down) + (abs(along) * (n - 1) + 1)
        index = which * abs(down) if down >= 0 else (k.splat(last, lanes) - which) * -down
        index = index + (column * along if along >= 0 else ((n - 1) - column) * -along)
        low = k.index(rest) + row * down + min(0, along * (n - 1))
        if down < 0:
            low = low + k.cast(last, dtypes.int64) * down
        made = None
        for c, behind in enumerate(columns):
            x = _taken(k, w.pointers[s.buf], low + behind, dtype, lanes, index, size, room)
            made = x if made is None else k.select(column.eq(c), x, made)
        assert made is not None
        parts.append(made)
    while len(parts) > 1:
        both = range(2 * parts[0].lanes)
        parts = [k.shuffle(a, b, both) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _steps(flat: Expr) -> tuple[Dim, int, int, int, Dim] | None:
    """`i`, `n`, `down`, `along` and `rest` of such a place."""
    steps = {"//": 0, "%": 0}
    found: Func | None = None
    rest: Dim = flat
    for factors, c in flat.terms:
        if len(factors) != 1 or not isinstance(f := factors[0], Func) or f.op not in steps:
            continue
        if type(f.b) is not int:
            return None
        if not 1 < f.b < 1 << 16 or (found is not None and (f.a, f.b) != (found.a, found.b)):
            return None
        found, steps[f.op] = f, c
        rest = rest - Expr.atom(f) * c
    if found is None or type(found.b) is not int:
        return None
    return found.a, found.b, steps["//"], steps["%"], rest


def _whole(body: Sequence[Stmt], i: Dim, n: int) -> bool:
    """Whether `i` runs through whole rows of `n`, so that there is each element of its rows."""
    for s in body:
        if (
            isinstance(s, Loop | Reduce)
            and Expr.symbol(s.var) == i
            and not is_multiple(s.extent, n)
        ):
            return False
        if not all(_whole(inner, i, n) for inner in bodies(s)):
            return False
    return isinstance(i, Expr) and i.is_atom and isinstance(i.terms[0][0][0], Symbol)


def _taken(
    k: Fn, base: Any, at: V, dtype: DType, lanes: int, index: V, size: V, room: int
) -> V:  # fmt: skip
    """Element index[i] of the `size` ones from `at` on in lane i; they are at most `room`."""
    lane = k.lane_ids(lanes, dtypes.int32)
    parts = []
    for first in range(0, room, lanes):
        x = k.load(base, at + first, dtype, lanes, lane < k.splat(size - first, lanes))
        parts.append(x if dtype.size >= 4 else k.cast(x, dtypes.int32))
    made = None
    for pair in range(0, len(parts), 2):
        x = _permuted(k, parts[pair : pair + 2], index)
        made = x if made is None else k.select(index < pair * lanes, made, x)
    assert made is not None
    return k.cast(made, dtype)


def _turns(k: Fn, i: V, n: int) -> V:
    """``i // n`` of a place."""
    return V(k, k.b.udiv(i.ll, k.index(n).ll), dtypes.int64)


def _row_of(k: Fn, i: V, n: int) -> V:
    """``i // n`` of lanes behind the beginning of a row: i < n + 16."""
    if n >= 16:
        return k.select(i < n, k.like(0, i), k.like(1, i))
    return k.shr(i * -(-65536 // n), 16)


def _permuted(k: Fn, parts: Sequence[V], index: V) -> V:
    """Lane index[i] of one or two registers of 4 or 8 bytes a lane in lane i."""
    x = parts[0]
    form = ("f" if x.dtype.kind == "f" else "i") + str(x.dtype.size)
    if x.dtype.size == 8:
        index = k.cast(index, dtypes.int64)
    if len(parts) == 1:
        name = "permvar." + {"f4": "sf", "f8": "df", "i4": "si", "i8": "di"}[form]
        lls = [x.ll, index.ll]
    else:
        name = "vpermi2var." + {"f4": "ps", "f8": "pd", "i4": "d", "i8": "q"}[form]
        lls = [x.ll, index.ll, parts[1].ll]
    ll = k.call_intrinsic(f"llvm.x86.avx512.{name}.512", [], x.ll.type, lls)
    return V(k, ll, x.dtype, x.lanes)


def _repeat(w: Walk, s: Loop | Reduce, inside: Sequence[Stmt]) -> list[tuple[str, Dim]]:
    """Repeat what the loop `s` reads so and what is known here; the keys of what was new."""
    made: list[tuple[str, Dim]] = []
    for x in inside:
        if not isinstance(x, Load) or x.where is not None or x.buf not in w.buffers:
            continue
        flat = w.flat(x.buf, x.index)
        found = _remainder(flat, s.var)
        if found is None or (x.buf, flat) in w.repeated or w.buffers[x.buf].direction != "in":
            continue
        (period, i), first = found, flat - Expr.atom(Func("%", *found[::-1]))
        size = period + LANES
        names = [n for d in (first, s.extent) if isinstance(d, Expr) for n in d.symbols()]
        if (
            size * x.dtype.size > ROOM
            or len(w.repeated) >= ROWS
            or not is_multiple(s.extent, period)
            or not all(n in w.symbols for n in names)
        ):
            continue
        to = w.k.stack(x.dtype, size)
        with w.k.if_(w.uniform(s.extent) > 0):
            _write(w, x, to, first, period, size)
        w.repeated[x.buf, flat] = Row(period, i, to)
        made.append((x.buf, flat))
    return made


def _remainder(flat: Dim, var: str) -> tuple[int, Dim] | None:
    """Period and place of ``place % period + rest``, if nothing but this runs along `var`."""
    found = None
    for factors, c in flat.terms if isinstance(flat, Expr) else ():
        if var not in {n.name for f in factors for n in Expr.atom(f).symbols()}:
            continue
        (f, *rest) = factors
        if found or c != 1 or rest or not isinstance(f, Func) or f.op != "%":
            return None
        if not isinstance(f.b, int) or not isinstance(f.a, Expr):
            return None
        found = f.b, f.a
    return found


def _write(w: Walk, s: Load, to: Any, first: Dim, period: int, size: int) -> None:
    """The `period` elements from `first` on, one row behind the other, `size` of them."""
    k, base, at = w.k, w.pointers[s.buf], w.uniform(first)
    with k.loop(0, period) as column:
        x = k.load(base, at + column.i, s.dtype)
        with k.loop(column.i, size, period) as p:
            k.store(to, p.i, x)
