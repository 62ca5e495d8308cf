"""Memory that loops ask for before they read it.

Processors follow plain reads themselves, but stop at the end of each page, and masked reads are
followed by none that was measured (rows of 405 numbers, padded by masks, took six times as long
as their copy), nor those that take every second element (nine times): so loops that read far
arrays in such ways ask for what comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llvmlite import ir

from graphc.ir.dims import Dim, Expr, Symbol, product
from graphc.ir.kernel import Load, Stmt
from graphc.runtime.llvm.indexing import Ramp
from graphc.runtime.llvm.statements import reads_of, results_of, streams
from graphc.runtime.llvm.values import V

if TYPE_CHECKING:
    from graphc.runtime.llvm.walk import Walk

__all__ = ["AHEAD", "STREAMS", "ask", "ask_rows", "prefetch", "reads_once"]

STREAMS = 8  # reads of one array in a body from which on it asks ahead: sums of columns
AHEAD = 2048  # bytes: half a page of a long body's reads is asked for (measured: 1 to 4 KiB alike)
FAR = 1 << 22  # bytes of an array from which on it is not in a cache near by
LINE = 64
STRIDE = 16  # elements from one that is read to the next up to which all lines are asked for
LONG = 256  # elements of a row, whose end is where the processor is on its way to


def reads_once(w: Walk, inside: Sequence[Stmt]) -> bool:
    """Whether the kernel reads what a body reads nowhere else: the next time it is in a cache.

    Asking in the first of several passes over a row cost softmax and layer norm a third.
    """
    every = reads_of(w.kernel.body)
    return all(every[name] == 1 for name in reads_of(inside))


def prefetch(
    w: Walk, var: str, inside: Sequence[Stmt], at: V, wide: int = 1, ahead: int = 0
) -> None:
    """Ask for what a body reads `ahead` bytes further on (`AHEAD`), of arrays it reads once."""
    inner, whole = {x for s in inside for x in results_of(s)}, w.kernel.parallel
    for s in inside:
        if not isinstance(s, Load) or s.where is not None:
            continue
        rest = w.flat(s.buf, s.index) - Expr.symbol(var)
        names = _names(rest)
        once = bool(names) or (whole is not None and whole.var == var)
        if once and var not in names and inner.isdisjoint(names):
            _lines(w, s, rest, at + (ahead or AHEAD) // s.dtype.size, wide)


def ask(
    w: Walk, var: str, inside: Sequence[Stmt], at: V, wide: int, extent: Dim | None = None
) -> None:
    """Ask for what loads with a mask, or of every so many elements, read later of far arrays.

    Parameters
    ----------
    extent : Dim, optional
        Elements of a row, where all loads have a mask since the loop does. Of a short row the
        same place some rows on is asked for.
    """
    if (isinstance(extent, int) and extent >= LONG) or not reads_once(w, inside):
        return
    seen = set()
    for s in inside:
        if not isinstance(s, Load) or not _far(w, s.buf):
            continue
        flat = w.flat(s.buf, s.index)
        step = _pitch(flat, var)
        if not 0 < abs(step) <= STRIDE:
            continue
        if s.where is None and extent is None and step in (1, -1):
            continue  # a plain read of whole vectors
        rest = flat - Expr.symbol(var) * step
        names = _names(rest)
        if var in names or any(n[0] == "%" for n in names) or (s.buf, rest) in seen:
            continue
        seen.add((s.buf, rest))
        many = AHEAD // s.dtype.size
        pitch = 0
        if isinstance(extent, int) and isinstance(rest, Expr):
            pitch = min((c for _, c in rest.terms if c >= extent), default=0)
        if pitch and isinstance(extent, int):
            many = max(1, many // extent) * pitch
        elif step < 0:
            many = -many
        _lines(w, s, rest, at * step + many, wide * step)


def ask_rows(w: Walk, var: str, inside: Sequence[Stmt]) -> None:
    """Ask for what a loop over rows reads later, where a mask cuts its vectors along them."""
    if w.mask is None or not reads_once(w, inside):
        return
    for s in inside:
        if not isinstance(s, Load) or not _far(w, s.buf):
            continue
        flat = w.flat(s.buf, s.index)
        pitch = _pitch(flat, var)
        place = w.dim(flat)
        if isinstance(place, Ramp) and place.stride == 1 and pitch > 0:
            many = max(1, AHEAD // (pitch * s.dtype.size))
            _line(w, s, place.base + pitch * many)


def _pitch(flat: Dim, var: str) -> int:
    """How many elements a place moves with a loop variable; 0 where that is no number."""
    terms = flat.terms if isinstance(flat, Expr) else ()
    return next((c for factors, c in terms if factors == (Symbol(var),)), 0)


def _names(rest: Dim) -> list[str]:
    return [x.name for x in rest.symbols()] if isinstance(rest, Expr) else []


def _far(w: Walk, name: str) -> bool:
    """Whether a buffer is far: as large as is known, else where results are stored past caches."""
    buf = w.buffers[name]
    if buf.direction == "scratch":
        return False
    count = product(buf.shape)
    return count * buf.dtype.size >= FAR if isinstance(count, int) else streams(w.kernel.body)


def _lines(w: Walk, s: Load, rest: Dim, at: V, wide: int) -> None:
    there = w.uniform(rest) + at
    for line in range(0, wide * s.dtype.size, LINE if wide > 0 else -LINE):
        _line(w, s, there + line // s.dtype.size)


def _line(w: Walk, s: Load, there: int | V) -> None:
    hint = [ir.Constant(ir.IntType(32), c) for c in (0, 3, 1)]  # to read, to L1, data
    p = w.k.element_ptr(w.pointers[s.buf], there, s.dtype)
    w.k.call_intrinsic_void("llvm.prefetch", [p.type], [p, *hint])
