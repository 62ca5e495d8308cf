"""The native half of a run: the entry from Python, and the module that holds all of it.

`emit` fills one module; `graphc.runtime.llvm.entry` has the tables it reads and calls it. The
walker (`stepping`) and the workers (`jobs`) touch nothing of Python; only the entry does.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.ir import dtypes
from graphc.runtime.llvm import entry as e
from graphc.runtime.llvm.entry import SHORT_NS, A, G, H, Layout, S
from graphc.runtime.llvm.jobs import emit_loop, emit_parallel, emit_quit, emit_work
from graphc.runtime.llvm.stepping import emit_note, emit_walk, fail
from graphc.runtime.llvm.values import V, i32, i64, ptr
from graphc.runtime.llvm.words import (
    MXCSR,
    POSIX,
    VOID,
    Code,
    emit_clock,
    get_mxcsr,
    internal,
    read_clock,
    set_mxcsr,
)
from graphc.runtime.pool import P

__all__ = ["emit", "emit_traced"]

_LONG = i64 if POSIX else i32


def _emit_bind(m: ir.Module, layout: Layout) -> Any:
    """`i64 bind(block, args)`: check the arrays and patch their data pointers."""
    c = internal(Code(m, "bind", [ptr, ptr], i64), inline=True)
    block, args = c.args
    table = c.read_ptr(block, H.ARGS)
    ndarray = c.read_ptr(c.read_ptr(block, H.GLOBALS), G.NDARRAY)
    with c.loop(0, c.read_i64(block, H.NARGS)) as k:
        a, o = c.at(table, k.i * A.SIZE), c.read_ptr(args, k.i)

        def reject(cond: V, code: int, k: V = k.i) -> None:
            with c.if_(c.cold(cond)):
                c.put(block, H.ARGUMENT, k)
                c.ret(c.index(code))

        reject(c.differ(c.read_ptr(c.bytes_at(o, layout.type), 0), ndarray), e.SLOW)
        flags = V(c, c.b.load(c.bytes_at(o, layout.flags), align=4, typ=i32), dtypes.int32)
        need = c.read_i64(a, A.FLAGS)
        nd = V(c, c.b.load(c.bytes_at(o, layout.nd), align=4, typ=i32), dtypes.int32)
        rank = c.read_i64(a, A.NDIM)
        wrong = (c.cast(flags, dtypes.int64) & need).ne(need)
        wrong |= c.cast(nd, dtypes.int64).ne(rank)
        descr = c.read_ptr(c.bytes_at(o, layout.descr), 0)
        reject(wrong | c.differ(descr, c.read_ptr(a, A.DESCR)), e.SLOW)
        dims, want = c.read_ptr(c.bytes_at(o, layout.dims), 0), c.read_ptr(a, A.DIMS)
        with c.loop(0, rank) as d:
            reject(c.read_i64(dims, d.i).ne(c.read_i64(want, d.i)), e.DIMS)
        data, patches = c.read_ptr(c.bytes_at(o, layout.data), 0), c.read_ptr(a, A.PATCHES)
        with c.loop(0, c.read_i64(a, A.NPATCH)) as p:
            c.b.store(data, c.read_ptr(patches, p.i), align=8)
    c.ret(c.index(e.OK))
    return c.func


def _emit_short(m: ir.Module) -> Any:
    """`i64 short(block)`: all steps at once."""
    c = internal(Code(m, "short", [ptr], i64), inline=True)
    block = c.args[0]
    steps = c.read_ptr(block, H.STEPS)
    with c.loop(0, c.read_i64(block, H.NSTEPS)) as s:
        step = c.at(steps, s.i * S.SIZE)
        units = c.read_i64(step, S.UNITS)
        with c.if_(units > 0):
            fn, words = c.read_ptr(step, S.FN), c.read_ptr(step, S.WORDS)
            zero = c.index(0)
            r = V(c, c.call_ptr(fn, i32, [words, zero, units, zero]), dtypes.int32)
            with c.if_(c.cold(r.ne(0))):
                c.ret(fail(c, block, s.i, c.cast(r, dtypes.int64), c.read_i64(words, 0)))
    c.ret(c.index(e.OK))
    return c.func


def _emit_hire(m: ir.Module) -> Any:
    """`i64 hire(block)`: have Python make the workers that the run may use; 0 if it raised."""
    c = internal(Code(m, "hire", [ptr], i64, plain=True))
    block = c.args[0]
    world = c.read_ptr(block, H.GLOBALS)
    want = c.minimum(c.read_i64(block, H.THREADS), c.read_i64(world, G.LIMIT))
    long = c.read_i64(block, H.COST) >= SHORT_NS
    with c.if_(long & (want > 1)):
        have, home = c.var(1), c.read_ptr(world, G.POOL)
        with c.if_(~c.is_null(home)):
            have.set(c.read_i64(home, P.WORKERS) + 1)
        with c.if_(c.cold(want > have.get())):
            c.put(world, G.WANT, want)
            r = c.extern("PyObject_CallNoArgs", ptr, [c.read_ptr(world, G.HOOK)])
            with c.if_(c.is_null(r)):
                c.ret(c.index(0))
            c.extern("Py_DecRef", VOID, [r])
    c.ret(c.index(1))
    return c.func


def _emit_long(m: ir.Module, now: Any, walk: Any, hire: Any) -> Any:
    """`i64 long(block)`: run without the GIL; `YIELD` when a Python exception is set."""
    c = internal(Code(m, "long", [ptr], i64))
    block = c.args[0]
    with c.if_(c.cold(V(c, c.call_fn(hire, [block]), dtypes.int64).eq(0))):
        c.ret(c.index(e.YIELD))
    for word in (H.STEP, H.UNIT, H.STOP):
        c.put(block, word, 0)
    me = c.extern("PyThread_get_thread_ident", _LONG, [])
    me = me if POSIX else c.b.zext(me, i64)
    main = V(c, me, dtypes.int64).eq(c.read_i64(c.read_ptr(block, H.GLOBALS), G.MAIN))
    poll = c.cast(main, dtypes.int64)
    code, start = c.var(0), read_clock(c, now)
    with c.forever():
        thread = c.extern("PyEval_SaveThread", ptr, [])
        code.set(V(c, c.call_fn(walk, [block, poll]), dtypes.int64))
        end = read_clock(c, now)
        c.extern("PyEval_RestoreThread", VOID, [thread])
        c.leave(code.get().ne(e.YIELD))
        c.leave(V(c, c.extern("PyErr_CheckSignals", i32, []), dtypes.int32).ne(0))
    with c.if_(code.get().eq(e.OK) & (end > start)):
        c.put(block, H.COST, end - start)
    c.ret(code.get())
    return c.func


def _emit_walk_alone(m: ir.Module, walk: Any) -> None:
    """`i64 graphc_walk(block)`: the walker for callers that are not the entry."""
    c = Code(m, "graphc_walk", [ptr], i64, plain=True)
    saved = get_mxcsr(c)
    set_mxcsr(c, MXCSR)
    _count_write(c, c.args[0])
    code = V(c, c.call_fn(walk, [c.args[0], c.index(1)]), dtypes.int64)
    set_mxcsr(c, saved)
    c.ret(code)


def _count_write(c: Code, block: Any) -> None:
    """Runs that may write variables are counted: what others keep of them is old."""
    word = c.read_ptr(block, H.WRITTEN)
    c.put(word, 0, c.read_i64(word, 0) + 1)


def emit(m: ir.Module, layout: Layout | None) -> None:
    """Fill `m`: `graphc_walk`; on POSIX the pool; and the entry where the layout is known."""
    now = emit_clock(m)
    parallel = None
    if POSIX:
        work = emit_work(m, now)
        parallel = emit_parallel(m, work)
        emit_loop(m, now, work)
        emit_quit(m)
    walk = emit_walk(m, now, parallel)
    _emit_walk_alone(m, walk)
    if layout is not None:
        _emit_entry(m, layout, now, walk)


def emit_traced(m: ir.Module, layout: Layout | None) -> None:
    """Fill `m`: the walker that writes into the log of its program; the entry to it."""
    now, note = emit_clock(m), emit_note(m)
    parallel = emit_parallel(m, emit_work(m, now), note) if POSIX else None
    walk = emit_walk(m, now, parallel, note)
    _emit_walk_alone(m, walk)
    if layout is not None:
        _emit_entry(m, layout, now, walk, traced=True)


def _emit_entry(
    m: ir.Module, layout: Layout, now: Any, walk: Any, traced: bool = False
) -> None:  # fmt: skip
    """`PyObject *graphc_entry(self, args, nargs)`: `Program.run`; `self` owns the block."""
    bind, short = _emit_bind(m, layout), _emit_short(m)
    long = _emit_long(m, now, walk, _emit_hire(m))
    c = Code(m, "graphc_entry", [ptr, ptr, i64], ptr)
    block = c.read_ptr(c.bytes_at(c.args[0], layout.data), 0)
    forks = c.read_i64(c.read_ptr(block, H.GLOBALS), G.FORKS)

    def give(code: V) -> None:
        ll = code.ll if POSIX else c.b.trunc(code.ll, _LONG)
        c.b.ret(c.extern("PyLong_FromLong", ptr, [ll]))

    with c.if_(c.cold(c.arg(2).ne(c.read_i64(block, H.NARGS)))):
        give(c.index(e.COUNT))
    with c.if_(c.cold(~c.swap_if(block, H.BUSY, 0, forks))):
        with c.if_(c.read_i64(block, H.BUSY).eq(forks)):
            give(c.index(e.BUSY))
        c.put(block, H.BUSY, forks)  # left by a thread of the parent process
    code = c.var(V(c, c.call_fn(bind, [block, c.args[1]]), dtypes.int64))
    with c.if_(code.get().eq(e.OK)):
        saved = get_mxcsr(c)
        odd = (saved & 0xFFC0).ne(MXCSR)
        with c.if_(c.cold(odd)):
            set_mxcsr(c, MXCSR)
        _count_write(c, block)
        runs = c.read_i64(block, H.RUNS)
        c.put(block, H.RUNS, runs + 1)
        # The first run measures, in case the estimate is far too low.
        is_short = (c.read_i64(block, H.COST) < SHORT_NS) & runs.ne(0)
        is_short &= c.read_i64(block, H.LOOPS).eq(c.index(-1 if traced else 0))
        with c.if_(is_short):
            timed = (runs & 31) < 2
            start = c.var(0)
            with c.if_(c.cold(timed)):
                start.set(read_clock(c, now))
            code.set(V(c, c.call_fn(short, [block]), dtypes.int64))
            with c.if_(c.cold(timed)):
                c.put(block, H.COST, read_clock(c, now) - start.get())
        with c.if_(~is_short):
            code.set(V(c, c.call_fn(long, [block]), dtypes.int64))
        with c.if_(c.cold(odd)):
            set_mxcsr(c, saved)
    c.rmw("xchg", block, H.BUSY, 0)
    with c.if_(c.cold(code.get().eq(e.YIELD))):
        c.b.ret(ir.Constant(ptr, None))
    give(code.get())
