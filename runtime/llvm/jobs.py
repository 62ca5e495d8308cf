"""A job of the pool (one step shared between threads), and the life of workers.

The owner writes the job, opens the gate (one word: epoch, open bit, how many entered, how many are
active) and bumps the epoch that workers watch. A worker enters by a compare-and-swap on the gate,
takes tasks by adding to NEXT until none is left, and leaves. The owner works too, closes the gate
and waits for those inside: a worker that the system has not scheduled finds the gate closed, and
nobody waits for it. Tasks are taken in rising order and a task once taken is done, so when one
fails all lower ones still report: the error of the lowest unit wins for any number of threads.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.ir import dtypes
from graphc.runtime import pool
from graphc.runtime.llvm.entry import SCRATCH_HEAD, H, S
from graphc.runtime.llvm.values import V, i32, i64, ptr
from graphc.runtime.llvm.words import (
    LINUX,
    MOST,
    MXCSR,
    VOID,
    Code,
    cost_of,
    internal,
    put_f64,
    read_clock,
    set_mxcsr,
)
from graphc.runtime.pool import P

__all__ = ["SLICE_NS", "emit_loop", "emit_parallel", "emit_quit", "emit_work", "wake"]

SLICE_NS = 10_000_000  # a slice of a step
PATIENCE = 2_000  # looks at the gate (tens of ns each) before the owner of a job naps
_NARROW = 0xFFFF  # 16 bits of the gate: active, then entered, then open, then the epoch
_ENTERED = 1 << 16
_OPEN = 1 << 32
_MASK = 16  # words of an affinity mask


def emit_work(m: ir.Module, now: Any) -> Any:
    """`void work(pool, id, deadline)`: take tasks of the job until there are none."""
    c = internal(Code(m, "work", [ptr, i64, i64], VOID))
    home, me, deadline = c.args[0], c.arg(1), c.arg(2)
    area = c.at(c.read_ptr(home, P.SCRATCH), me * c.read_i64(home, P.STRIDE))
    c.put(area, 0, 0)
    words, given = c.at(area, SCRATCH_HEAD), c.read_ptr(home, P.ARGS)
    with c.loop(0, c.read_i64(home, P.NWORDS)) as k:
        c.put(words, k.i, c.read_i64(given, k.i))
    fn, stop = c.read_ptr(home, P.FN), c.read_ptr(home, P.STOP)
    units, grain = c.read_i64(home, P.UNITS), c.read_i64(home, P.GRAIN)
    main = me.eq(0)
    start, before, done = c.var(0), c.var(0), c.var(0)
    traced = c.read_i64(home, P.TRACE).ne(0)
    with c.if_(traced):
        for word in (2, 3):
            c.put(area, word, read_clock(c, now))
        c.put(area, 4, 0)
    with c.if_(main):
        start.set(read_clock(c, now))
        before.set(start.get())
    with c.forever():
        c.leave(c.watch(home, P.CANCEL).ne(0))
        chunk = c.watch(home, P.CHUNK)
        begin = c.rmw("add", home, P.NEXT, chunk)
        c.leave(begin >= units)
        end = c.minimum(begin + chunk, units)
        code = V(c, c.call_ptr(fn, i32, [words, begin, end, me]), dtypes.int32)
        with c.if_(c.cold(code.ne(0))):
            c.put(area, 0, c.cast(code, dtypes.int64))
            c.put(area, 1, begin)
            c.rmw("xchg", home, P.CANCEL, 1)
            c.ret()
        with c.if_(c.cold(c.watch(stop, 0).ne(0))):
            c.rmw("xchg", home, P.CANCEL, 1)
        done.set(done.get() + end - begin)
        with c.if_(main):
            after = read_clock(c, now)
            took = after - before.get()
            before.set(after)
            with c.if_((took > 2 * SLICE_NS) & (chunk > grain)):
                half = c.udiv_index(c.shr(chunk, 1), grain) * grain
                c.rmw("xchg", home, P.CHUNK, c.maximum(half, grain))
            with c.if_(after >= deadline):
                c.rmw("xchg", home, P.CANCEL, 1)
    with c.if_(main & (done.get() > 0)):
        # The cost alone, as far as it is seen here: two threads may be slower than one each (two
        # virtual cores can be one real one), and sharing must not be judged by that.
        step = c.read_ptr(home, P.STEP)
        old, new = c.read_f64(step, S.COST), cost_of(c, before.get() - start.get(), done.get())
        put_f64(c, step, S.COST, c.minimum(new, old))
    with c.if_(traced):
        c.put(area, 3, read_clock(c, now))
        c.put(area, 4, done.get())
    c.ret()
    return c.func


def wake(c: Code, home: Any, most: V) -> None:
    """Wake `most` parked workers at least, if there are any."""
    sleepers = c.watch(home, P.SLEEPERS)
    with c.if_(sleepers > 0):
        mutex, cond = c.at(home, P.MUTEX), c.at(home, P.COND)
        c.extern("pthread_mutex_lock", i32, [mutex])
        c.extern("pthread_mutex_unlock", i32, [mutex])
        with c.if_(most >= sleepers):
            c.extern("pthread_cond_broadcast", i32, [cond])
        with c.if_(most < sleepers), c.loop(0, most):
            c.extern("pthread_cond_signal", i32, [cond])


def _await(c: Code, home: Any) -> None:
    """Wait until no worker is active; a worker that has lost its core may need ours."""
    turns, nap = c.var(0), c.stack(dtypes.int64, 2)
    c.put(nap, 0, 0)
    c.put(nap, 1, 20_000)
    with c.forever():
        c.leave((c.watch(home, P.GATE) & _NARROW).eq(0))
        c.pause()
        turns.set(turns.get() + 1)
        with c.if_(c.cold((turns.get() & 255).eq(0))):
            c.extern("sched_yield", i32, [])
        with c.if_(c.cold(turns.get() > PATIENCE)):
            c.extern("nanosleep", i32, [nap, ir.Constant(ptr, None)])


def emit_parallel(m: ir.Module, work: Any, note: Any = None) -> Any:
    """`i32 parallel(pool, block, step, unit, chunk, take, deadline, stop)`: one job.

    With `note` the time of each participant is written down.
    """
    c = internal(Code(m, "parallel", [ptr, ptr, ptr, i64, i64, i64, i64, ptr], i32))
    home, block, step, stop = c.args[0], c.args[1], c.args[2], c.args[7]
    unit, chunk, take, deadline = c.arg(3), c.arg(4), c.arg(5), c.arg(6)
    units = c.read_i64(step, S.UNITS)
    scratch, stride = c.read_ptr(block, H.SCRATCH), c.read_i64(block, H.STRIDE)
    c.put_ptr(home, P.FN, c.read_ptr(step, S.FN))
    c.put_ptr(home, P.ARGS, c.read_ptr(step, S.WORDS))
    c.put(home, P.NWORDS, c.read_i64(step, S.NWORDS))
    c.put(home, P.UNITS, units)
    c.put_ptr(home, P.SCRATCH, scratch)
    c.put(home, P.STRIDE, stride)
    c.put(home, P.TAKE, take)
    c.put_ptr(home, P.STOP, stop)
    c.put_ptr(home, P.STEP, step)
    c.put(home, P.GRAIN, c.read_i64(step, S.GRAIN))
    c.put(home, P.CHUNK, chunk)
    c.put(home, P.NEXT, unit)
    c.put(home, P.CANCEL, 0)
    c.put(home, P.TRACE, int(note is not None))
    if LINUX:
        cpu = V(c, c.extern("sched_getcpu", i32, []), dtypes.int32)
        c.put(home, P.CPU, c.cast(cpu, dtypes.int64))
    epoch = c.shl(c.shr(c.read_i64(home, P.GATE), 33) + 1, 33)
    c.rmw("xchg", home, P.GATE, epoch | _OPEN)
    c.rmw("add", home, P.EPOCH, 1)
    wake(c, home, take)
    c.call_fn(work, [home, c.index(0), deadline])
    gate = c.rmw("and", home, P.GATE, ~_OPEN)
    _await(c, home)
    lowest, code, where = c.var(MOST), c.var(0), c.var(0)
    with c.loop(0, (c.shr(gate, 16) & _NARROW) + 1) as k:
        area = c.at(scratch, k.i * stride)
        begin = c.read_i64(area, 1)
        with c.if_(c.read_i64(area, 0).ne(0) & (begin < lowest.get())):
            lowest.set(begin)
            code.set(c.read_i64(area, 0))
            where.set(c.read_i64(area, SCRATCH_HEAD))
        if note is not None:
            times = [c.read_i64(area, word) for word in (2, 3, 4)]
            c.call_fn(note, [block, c.read_i64(block, H.STEP), k.i, *times])
    c.put(block, H.UNIT, c.minimum(c.read_i64(home, P.NEXT), units))
    c.put(block, H.WHERE, where.get())
    c.ret(c.cast(code.get(), dtypes.int32))
    return c.func


def _emit_nudge(m: ir.Module) -> Any:
    """`void nudge(pool)`: leave the core on which the owner of the job runs.

    Schedulers put a woken thread beside its waker, and some (of virtual machines) keep it there,
    where it only takes the owner's time. Excluding that core for a moment moves the thread.
    """
    c = internal(Code(m, "nudge", [ptr], VOID, plain=True))
    if not LINUX:
        c.ret()
        return c.func
    here = V(c, c.extern("sched_getcpu", i32, []), dtypes.int32)
    cpu = c.cast(here, dtypes.int64)
    with c.if_(cpu.ne(c.read_i64(c.args[0], P.CPU)) | (cpu < 0) | (cpu >= 64 * _MASK)):
        c.ret()
    mask, other = c.stack(dtypes.int64, _MASK), c.stack(dtypes.int64, _MASK)
    self, size = ir.Constant(i32, 0), ir.Constant(i64, 8 * _MASK)
    with c.if_(V(c, c.extern("sched_getaffinity", i32, [self, size, mask]), dtypes.int32).ne(0)):
        c.ret()
    rest = c.var(0)
    with c.loop(0, _MASK) as k:
        bit = c.select(k.i.eq(c.shr(cpu, 6)), c.shl(c.index(1), cpu & 63), c.index(0))
        word = c.read_i64(mask, k.i) & ~bit
        c.put(other, k.i, word)
        rest.set(rest.get() | word)
    with c.if_(rest.get().ne(0)):
        for chosen in (other, mask):
            c.extern("sched_setaffinity", i32, [self, size, chosen])
    c.ret()
    return c.func


def emit_loop(m: ir.Module, now: Any, work: Any) -> None:
    """`void graphc_worker(pool)`: the life of a worker."""
    c = Code(m, "graphc_worker", [ptr], VOID, plain=True)
    home, nudge = c.args[0], _emit_nudge(m)
    set_mxcsr(c, MXCSR)
    seen = c.var(c.watch(home, P.EPOCH))
    with c.forever():
        _emit_wait(c, home, now, nudge, seen.get())
        seen.set(c.watch(home, P.EPOCH))
        with c.if_(c.watch(home, P.QUIT).ne(0)):
            c.ret()
        c.call_fn(nudge, [home])
        with c.forever():
            gate = c.watch(home, P.GATE)
            entered = c.shr(gate, 16) & _NARROW
            c.leave((gate & _OPEN).eq(0) | (entered >= c.read_i64(home, P.TAKE)))
            mine = c.swap_if(home, P.GATE, gate, gate + (_ENTERED + 1))
            with c.if_(mine):
                c.call_fn(work, [home, entered + 1, c.index(MOST)])
                c.rmw("sub", home, P.GATE, 1)
            c.leave(mine)
    c.b.unreachable()


def _emit_wait(c: Code, home: Any, now: Any, nudge: Any, seen: V) -> None:
    """Wait until the epoch is another one: look for a while, then park."""
    limit = c.read_i64(home, P.SPIN)
    start, turns = read_clock(c, now), c.var(0)
    with c.forever():
        c.leave(c.watch(home, P.EPOCH).ne(seen))
        c.pause()
        turns.set(turns.get() + 1)
        late = c.var(c.cast(limit.eq(0), dtypes.int64))
        with c.if_((turns.get() & 15).eq(0)):
            c.call_fn(nudge, [home])
            late.set(c.cast(read_clock(c, now) - start > limit, dtypes.int64))
        with c.if_(late.get().ne(0)):
            mutex = c.at(home, P.MUTEX)
            c.extern("pthread_mutex_lock", i32, [mutex])
            c.rmw("add", home, P.SLEEPERS, 1)
            with c.forever():
                c.leave(c.watch(home, P.EPOCH).ne(seen))
                c.extern("pthread_cond_wait", i32, [c.at(home, P.COND), mutex])
            c.rmw("sub", home, P.SLEEPERS, 1)
            c.extern("pthread_mutex_unlock", i32, [mutex])


def emit_quit(m: ir.Module) -> None:
    """`void graphc_quit(pool)`: send all workers home."""
    c = Code(m, "graphc_quit", [ptr], VOID, plain=True)
    home = c.args[0]
    c.rmw("xchg", home, P.QUIT, 1)
    c.rmw("add", home, P.EPOCH, 1)
    wake(c, home, c.index(pool.MAX_THREADS))
    c.ret()
