"""The native half of a run: the entry from Python, the walker over steps, the life of workers.

`emit` fills one module; `graphc.runtime.llvm.entry` has the tables it reads and calls it. The
walker and the workers touch nothing of Python; only the entry does.

A job of the pool (one step shared between threads) goes so. The owner writes the job, opens the
gate (one word: epoch, open bit, how many entered, how many are active) and bumps the epoch that
workers watch. A worker enters by a compare-and-swap on the gate, takes tasks by adding to NEXT
until none is left, and leaves. The owner works too, closes the gate and waits for those
inside: a worker that the system has not scheduled finds the gate closed, and nobody waits for it.
Tasks are taken in rising order and a task once taken is done, so when one fails all lower ones
still report: the error of the lowest unit wins for any number of threads.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from graphc.ir import dtypes
from graphc.runtime import pool
from graphc.runtime.llvm import entry as e
from graphc.runtime.llvm.emit import Fn, V, i32, i64, ptr
from graphc.runtime.llvm.entry import LEARNED, SCRATCH_HEAD, SHORT_NS, A, G, H, Layout, S
from graphc.runtime.llvm.tracing import T
from graphc.runtime.pool import P

__all__ = ["emit", "emit_traced"]

POLL_NS = 50_000_000  # between two looks at Python's signals
SLICE_NS = 10_000_000  # a slice of a step
QUICK_NS = 1_000  # a step below this runs without a look at the clock,
QUIET = 64  # but so many of them in a row do not
PROBE = 6  # a step never measured begins with 1/64 of its units, to learn its cost
DISTRUST = 10  # sharing that does not help is tried again after 2**10 runs at the latest,
DISTRUST_NS = 100_000_000  # or after this time of running alone;
TRIES = 4  # so often, a power of two
CHECK = 512  # of so many runs, a power of two, one does a shared step alone to know what it costs
PATIENCE = 2_000  # looks at the gate (tens of ns each) before the owner of a job naps
CHUNKS = 4  # tasks a participant gets on average
MXCSR = 0x1F80

_NARROW = 0xFFFF  # 16 bits of the gate: active, then entered, then open, then the epoch
_ENTERED = 1 << 16
_OPEN = 1 << 32
_SKIP = 0xFFFFFFFF  # low half of a step's trust: runs to go alone; the high half is the level

_POSIX = os.name == "posix"  # elsewhere: no threads, and a clock that stands still
_LINUX = sys.platform.startswith("linux")
_MASK = 16  # words of an affinity mask
_LONG = i64 if _POSIX else i32
_X86 = platform.machine().lower() in ("x86_64", "amd64")
_ARM = platform.machine().lower() in ("arm64", "aarch64")
_MAX = 2**63 - 1
_VOID = ir.VoidType()


class _Var:
    """A local variable (a stack slot that LLVM turns into registers)."""

    def __init__(self, code: _Code, value: V | int) -> None:
        self.code = code
        first = code.index(value)
        self.dtype = first.dtype
        with code.b.goto_entry_block():
            self.slot = code.b.alloca(first.ll.type)
        self.set(first)

    def get(self) -> V:
        ll = self.code.b.load(self.slot, typ=self.slot.allocated_type)
        return V(self.code, ll, self.dtype)

    def set(self, value: V | int) -> None:
        self.code.b.store(self.code.index(value).ll, self.slot)


class _FnPointer(ir.PointerType):  # type: ignore[misc]
    """A plain pointer that llvmlite lets us call."""

    pointee: ir.FunctionType


class _Code(Fn):
    """`Fn` with what runtime code needs: tables of words, variables, loops with exits, atomics."""

    def __init__(
        self, module: ir.Module, name: str, params: Sequence[ir.Type], ret: ir.Type,
        plain: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(module, name, params, ret)
        self.func.attributes.add("uwtable")  # CPython ends a daemon thread by unwinding it
        if plain:
            self.plain()
        self._exits: list[Any] = []

    def arg(self, k: int) -> V:
        return V(self, self.args[k], dtypes.int64)

    def at(self, base: Any, k: int | V) -> Any:
        return self.b.gep(base, [self.index(k).ll], source_etype=i64)

    def bytes_at(self, base: Any, k: int) -> Any:
        return self.b.gep(base, [ir.Constant(i64, k)], source_etype=ir.IntType(8))

    def put(self, base: Any, k: int | V, value: V | int) -> None:
        self.b.store(self.index(value).ll, self.at(base, k), align=8)

    def put_ptr(self, base: Any, k: int | V, value: Any) -> None:
        self.b.store(value, self.at(base, k), align=8)

    def read_f64(self, base: Any, k: int) -> V:
        return V(self, self.b.load(self.at(base, k), align=8, typ=ir.DoubleType()), dtypes.float64)

    def rmw(self, op: str, base: Any, k: int, value: V | int) -> V:
        r = self.b.atomic_rmw(op, self.at(base, k), self.index(value).ll, "seq_cst")
        return V(self, r, dtypes.int64)

    def watch(self, base: Any, k: int) -> V:
        """A sequentially consistent load."""
        r = self.b.load_atomic(self.at(base, k), "seq_cst", 8, typ=i64)
        return V(self, r, dtypes.int64)

    def swap_if(self, base: Any, k: int, old: V | int, new: V | int) -> V:
        pair = self.b.cmpxchg(
            self.at(base, k), self.index(old).ll, self.index(new).ll, "seq_cst", "seq_cst"
        )
        return V(self, self.b.extract_value(pair, 1), dtypes.bool_)

    def var(self, value: V | int) -> _Var:
        return _Var(self, value)

    def is_null(self, p: Any) -> V:
        return V(self, self.b.icmp_unsigned("==", p, ir.Constant(ptr, None)), dtypes.bool_)

    def differ(self, p: Any, q: Any) -> V:
        return V(self, self.b.icmp_unsigned("!=", p, q), dtypes.bool_)

    def call_ptr(self, p: Any, ret: ir.Type, args: Sequence[Any]) -> Any:
        lls = [a.ll if isinstance(a, V) else a for a in args]
        p.type = _FnPointer()
        p.type.pointee = ir.FunctionType(ret, [a.type for a in lls])
        return self.b.call(p, lls)

    @contextmanager
    def forever(self) -> Iterator[None]:
        """A loop that ends by `leave` (or by returning)."""
        body = self.func.append_basic_block("repeat")
        done = self.func.append_basic_block("left")
        self._exits.append((done, body))
        self.b.branch(body)
        self.b.position_at_end(body)
        yield
        if not self.b.block.is_terminated:
            self.b.branch(body)
        self._exits.pop()
        self.b.position_at_end(done)

    def leave(self, cond: V) -> None:
        """Leave the innermost `forever` when `cond` holds."""
        self._branch(cond, self._exits[-1][0])

    def again(self, cond: V) -> None:
        """Go to the start of the innermost `forever` when `cond` holds."""
        self._branch(cond, self._exits[-1][1])

    def _branch(self, cond: V, target: Any) -> None:
        on = self.func.append_basic_block("on")
        self.b.cbranch(cond.ll, target, on)
        self.b.position_at_end(on)

    def pause(self) -> None:
        """Tell the core that this is a spin loop."""
        if _X86:
            self.extern("llvm.x86.sse2.pause", ir.VoidType(), [])
        elif _ARM:
            self.extern("llvm.aarch64.hint", ir.VoidType(), [ir.Constant(i32, 1)])

    def cold(self, cond: V) -> V:
        """`cond`, which is expected to be false."""
        f, t = ir.Constant(ir.IntType(1), 0), ir.IntType(1)
        r = self.call_intrinsic("llvm.expect", [t], t, [cond.ll, f])
        return V(self, r, dtypes.bool_)


# ------------------------------------------------------------- native code


def _internal(c: _Code, *, inline: bool = False) -> _Code:
    c.func.linkage = "internal"
    if inline:
        c.func.attributes.add("alwaysinline")
    return c


def _emit_clock(m: ir.Module) -> Any:
    """`i64 now()`: nanoseconds of a clock that never goes back."""
    c = _internal(_Code(m, "now", [], i64))
    r = c.index(0)
    if _POSIX:
        t = c.stack(dtypes.int64, 2)
        c.extern("clock_gettime", i32, [ir.Constant(i32, int(time.CLOCK_MONOTONIC)), t])
        r = c.read_i64(t, 0) * 10**9 + c.read_i64(t, 1)
    c.ret(r)
    return c.func


def _emit_work(m: ir.Module, now: Any) -> Any:
    """`void work(pool, id, deadline)`: take tasks of the job until there are none."""
    c = _internal(_Code(m, "work", [ptr, i64, i64], _VOID))
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
            c.put(area, word, _clock(c, now))
        c.put(area, 4, 0)
    with c.if_(main):
        start.set(_clock(c, now))
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
            after = _clock(c, now)
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
        old, new = c.read_f64(step, S.COST), _cost(c, before.get() - start.get(), done.get())
        _put_f64(c, step, S.COST, c.minimum(new, old))
    with c.if_(traced):
        c.put(area, 3, _clock(c, now))
        c.put(area, 4, done.get())
    c.ret()
    return c.func


def _clock(c: _Code, now: Any) -> V:
    return V(c, c.call_fn(now, []), dtypes.int64)


def _cost(c: _Code, ns: V, units: V) -> V:
    return c.cast(ns, dtypes.float64) / c.cast(units, dtypes.float64)


def _put_f64(c: _Code, base: Any, k: int, value: V) -> None:
    c.b.store(value.ll, c.at(base, k), align=8)


def _learn(c: _Code, step: Any, took: V, units: V) -> None:
    """Replace the cost of a step by what a slice of it took."""
    with c.if_(took > 0):
        _put_f64(c, step, S.COST, _cost(c, took, units))
        c.put(step, S.FLAGS, c.read_i64(step, S.FLAGS) | LEARNED)


def _judge(c: _Code, step: Any, took: V, units: V, parked: V) -> None:
    """Lose or gain trust in sharing a step, by what sharing `units` of it took.

    A job that had to wake workers may take a quarter longer: the next one finds them awake. So
    a step is tried `TRIES` times before it runs alone for some time: each first try wakes them.
    """
    trust = c.shr(c.read_i64(step, S.TRUST), 32)
    alone = c.cast(c.cast(units, dtypes.float64) * c.read_f64(step, S.COST), dtypes.int64)
    better = took < alone - c.shr(alone, 3)
    worse = ~better & (~parked | (took > alone + c.shr(alone, 2)))
    most = TRIES * DISTRUST
    lost = c.select(trust + 1 < most + TRIES, trust + 1, c.index(most))
    level = c.select(better, c.maximum(trust - TRIES, 0), c.select(worse, lost, trust))
    skip = c.shl(c.index(1), c.udiv_index(level, c.index(TRIES)))
    skip = c.minimum(skip, c.udiv_index(c.index(DISTRUST_NS), alone) + 1)
    tried = worse & (level > 0) & (level & (TRIES - 1)).eq(0)
    c.put(step, S.TRUST, c.shl(level, 32) | c.select(tried, skip, c.index(0)))


def _wake(c: _Code, home: Any, most: V) -> None:
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


def _await(c: _Code, home: Any) -> None:
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


def _emit_parallel(m: ir.Module, work: Any, note: Any = None) -> Any:
    """`i32 parallel(pool, block, step, unit, chunk, take, deadline, stop)`: one job.

    With `note` the time of each participant is written down.
    """
    c = _internal(_Code(m, "parallel", [ptr, ptr, ptr, i64, i64, i64, i64, ptr], i32))
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
    if _LINUX:
        cpu = V(c, c.extern("sched_getcpu", i32, []), dtypes.int32)
        c.put(home, P.CPU, c.cast(cpu, dtypes.int64))
    epoch = c.shl(c.shr(c.read_i64(home, P.GATE), 33) + 1, 33)
    c.rmw("xchg", home, P.GATE, epoch | _OPEN)
    c.rmw("add", home, P.EPOCH, 1)
    _wake(c, home, take)
    c.call_fn(work, [home, c.index(0), deadline])
    gate = c.rmw("and", home, P.GATE, ~_OPEN)
    _await(c, home)
    lowest, code, where = c.var(_MAX), c.var(0), c.var(0)
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
    c = _internal(_Code(m, "nudge", [ptr], _VOID, plain=True))
    if not _LINUX:
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


def _emit_loop(m: ir.Module, now: Any, work: Any) -> None:
    """`void graphc_worker(pool)`: the life of a worker."""
    c = _Code(m, "graphc_worker", [ptr], _VOID, plain=True)
    home, nudge = c.args[0], _emit_nudge(m)
    _set_mxcsr(c, MXCSR)
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
                c.call_fn(work, [home, entered + 1, c.index(_MAX)])
                c.rmw("sub", home, P.GATE, 1)
            c.leave(mine)
    c.b.unreachable()


def _emit_wait(c: _Code, home: Any, now: Any, nudge: Any, seen: V) -> None:
    """Wait until the epoch is another one: look for a while, then park."""
    limit = c.read_i64(home, P.SPIN)
    start, turns = _clock(c, now), c.var(0)
    with c.forever():
        c.leave(c.watch(home, P.EPOCH).ne(seen))
        c.pause()
        turns.set(turns.get() + 1)
        late = c.var(c.cast(limit.eq(0), dtypes.int64))
        with c.if_((turns.get() & 15).eq(0)):
            c.call_fn(nudge, [home])
            late.set(c.cast(_clock(c, now) - start > limit, dtypes.int64))
        with c.if_(late.get().ne(0)):
            mutex = c.at(home, P.MUTEX)
            c.extern("pthread_mutex_lock", i32, [mutex])
            c.rmw("add", home, P.SLEEPERS, 1)
            with c.forever():
                c.leave(c.watch(home, P.EPOCH).ne(seen))
                c.extern("pthread_cond_wait", i32, [c.at(home, P.COND), mutex])
            c.rmw("sub", home, P.SLEEPERS, 1)
            c.extern("pthread_mutex_unlock", i32, [mutex])


def _emit_quit(m: ir.Module) -> None:
    """`void graphc_quit(pool)`: send all workers home."""
    c = _Code(m, "graphc_quit", [ptr], _VOID, plain=True)
    home = c.args[0]
    c.rmw("xchg", home, P.QUIT, 1)
    c.rmw("add", home, P.EPOCH, 1)
    _wake(c, home, c.index(pool.MAX_THREADS))
    c.ret()


def _set_mxcsr(c: _Code, value: V | int) -> None:
    if _X86:
        slot = c.stack(dtypes.int32, 1)
        v = c.const(value, dtypes.int32) if isinstance(value, int) else value
        c.b.store(v.ll, slot, align=4)
        c.extern("llvm.x86.sse.ldmxcsr", _VOID, [slot])


def _get_mxcsr(c: _Code) -> V:
    if not _X86:
        return c.const(MXCSR, dtypes.int32)
    slot = c.stack(dtypes.int32, 1)
    c.extern("llvm.x86.sse.stmxcsr", _VOID, [slot])
    return V(c, c.b.load(slot, align=4, typ=i32), dtypes.int32)


def _fail(c: _Code, block: Any, step: V, code: V, where: V) -> V:
    """Fill the status; gives the positive code that `run` returns."""
    c.put(block, H.STEP, step)
    c.put(block, H.CODE, code)
    c.put(block, H.WHERE, where)
    return c.select(code < 0, c.index(2**31 - 1), code)


def _emit_note(m: ir.Module) -> Any:
    """`void note(block, step, who, begin, end, units)`: an event of the log."""
    c = _internal(_Code(m, "note", [ptr, i64, i64, i64, i64, i64], _VOID))
    log = c.read_ptr(c.args[0], H.TRACE)
    count = c.read_i64(log, T.COUNT)
    with c.if_(count >= c.read_i64(log, T.CAPACITY)):
        c.put(log, T.LOST, c.read_i64(log, T.LOST) + 1)
        c.ret()
    c.put(log, T.COUNT, count + 1)
    row = c.at(c.read_ptr(log, T.EVENTS), count * T.EVENT)
    for k in range(T.EVENT):
        c.put(row, k, c.arg(1 + k))
    c.ret()
    return c.func


def _count(c: _Code, block: Any, at: V, calls: V | int, ns: V | int) -> None:
    """Add to the totals of a step."""
    row = c.at(c.read_ptr(c.read_ptr(block, H.TRACE), T.TOTALS), at * T.TOTAL)
    c.put(row, 0, c.read_i64(row, 0) + calls)
    c.put(row, 1, c.read_i64(row, 1) + ns)


def _emit_walk(m: ir.Module, now: Any, parallel: Any, note: Any = None) -> Any:
    """`i64 walk(block, poll)`: run steps from the cursor on; touches nothing of Python.

    With `note` the walker of traced runs: every step is timed.
    """
    c = _internal(_Code(m, "walk", [ptr, i64], i64))
    block = c.args[0]
    clock = c.var(_clock(c, now))
    deadline = c.select(c.arg(1).ne(0), clock.get() + POLL_NS, c.index(_MAX))
    steps, number = c.read_ptr(block, H.STEPS), c.read_i64(block, H.NSTEPS)
    threads, runs = c.read_i64(block, H.THREADS), c.read_i64(block, H.RUNS)
    if note is not None:  # as many as an ordinary run would use
        short = (c.read_i64(block, H.COST) < SHORT_NS) & c.read_i64(block, H.LOOPS).eq(0)
        threads = c.select(short, c.index(1), threads)
    home = c.read_ptr(c.read_ptr(block, H.GLOBALS), G.POOL)
    if parallel is not None:
        _call_up(c, home, steps, number, threads)
    index = c.var(c.read_i64(block, H.STEP))
    unit = c.var(c.read_i64(block, H.UNIT))
    quiet = c.var(0)  # quick steps since the last look at the clock
    with c.forever():
        at = index.get()
        c.leave(at >= number)
        with c.if_(c.cold(quiet.get() >= QUIET)):
            clock.set(_clock(c, now))
            quiet.set(0)
            with c.if_(c.watch(block, H.STOP).ne(0)):
                c.ret(c.index(e.STOPPED))
            with c.if_(clock.get() >= deadline):
                c.put(block, H.STEP, at)
                c.put(block, H.UNIT, unit.get())
                c.ret(c.index(e.YIELD))
        step = c.at(steps, at * S.SIZE)
        units, grain = c.read_i64(step, S.UNITS), c.read_i64(step, S.GRAIN)
        flags = c.read_i64(step, S.FLAGS)
        branches = (flags & e.BRANCH).ne(0)
        with c.if_(branches):
            index.set(_branch(c, step, at))
            quiet.set(quiet.get() + 1)
            if note is not None:
                _count(c, block, at, 1, 0)
        c.again(branches)
        quick = _quick(c, step, units, flags) & unit.get().eq(0)
        if note is not None:
            quick = c.index(0).ne(0)
        with c.if_(quick):
            fn, words = c.read_ptr(step, S.FN), c.read_ptr(step, S.WORDS)
            zero = c.index(0)
            r = V(c, c.call_ptr(fn, i32, [words, zero, units, zero]), dtypes.int32)
            with c.if_(c.cold(r.ne(0))):
                c.ret(_fail(c, block, at, c.cast(r, dtypes.int64), c.read_i64(words, 0)))
            index.set(at + 1)
            quiet.set(quiet.get() + 1)
        c.again(quick)
        with c.if_(quiet.get().ne(0)):
            clock.set(_clock(c, now))
            quiet.set(0)
        commit = (flags & e.COMMIT).ne(0)
        if note is not None:
            c.put(block, H.STEP, at)
            _count(c, block, at, c.cast(unit.get().eq(0) & (units > 0), dtypes.int64), 0)
        with c.forever():
            here = unit.get()
            c.leave(here >= units)
            with c.if_(c.cold(~commit & c.watch(block, H.STOP).ne(0))):
                c.ret(c.index(e.STOPPED))
            rest = units - here
            code = c.var(0)
            share = c.index(0)
            if parallel is not None:
                share = _share(c, step, rest, grain, threads, home, runs + at)
                with c.if_(share.ne(0)):
                    until = c.select(commit, c.index(_MAX), deadline)
                    stop = c.b.select(commit.ll, c.at(home, P.NEVER), c.at(block, H.STOP))
                    take = c.minimum(threads - 1, c.read_i64(home, P.WORKERS))
                    parked = c.watch(home, P.SLEEPERS) > 0
                    args = [home, block, step, here, share, take, until, stop]
                    r = V(c, c.call_fn(parallel, args), dtypes.int32)
                    c.rmw("xchg", home, P.OWNER, 0)
                    code.set(c.cast(r, dtypes.int64))
                    unit.set(c.read_i64(block, H.UNIT))
                    after = _clock(c, now)
                    if note is not None:
                        _count(c, block, at, 0, after - clock.get())
                    _judge(c, step, after - clock.get(), unit.get() - here, parked)
                    clock.set(after)
            with c.if_(share.eq(0)):
                n = _slice(c, step, rest, units, grain, commit)
                words = c.read_ptr(step, S.WORDS)
                fn = c.read_ptr(step, S.FN)
                r = V(c, c.call_ptr(fn, i32, [words, here, here + n, c.index(0)]), dtypes.int32)
                code.set(c.cast(r, dtypes.int64))
                unit.set(here + n)
                after = _clock(c, now)
                if note is not None:
                    _count(c, block, at, 0, after - clock.get())
                    c.call_fn(note, [block, at, c.index(0), clock.get(), after, n])
                _learn(c, step, after - clock.get(), n)
                clock.set(after)
                with c.if_(c.cold(r.ne(0))):
                    c.put(block, H.WHERE, c.read_i64(words, 0))
            with c.if_(c.cold(code.get().ne(0))):
                c.ret(_fail(c, block, at, code.get(), c.read_i64(block, H.WHERE)))
            with c.if_(c.cold(~commit & (clock.get() >= deadline))):
                c.put(block, H.STEP, at)
                c.put(block, H.UNIT, unit.get())
                c.ret(c.index(e.YIELD))
        unit.set(0)
        index.set(at + 1)
    c.ret(c.index(e.OK))
    return c.func


def _call_up(c: _Code, home: Any, steps: Any, number: V, threads: V) -> None:
    """Wake parked workers for a run whose steps are each too short to wake them for.

    A convolution of 15 us is worth two cores that look for work, but not waking one of them;
    ten such in a row are. They come while the first steps run alone.
    """
    idle = c.var(0)
    with c.if_((threads > 1) & ~c.is_null(home)):
        idle.set(c.watch(home, P.SLEEPERS))
    with c.if_(idle.get() > 0):
        sum_ = c.var(0)
        with c.loop(0, number) as s:
            step = c.at(steps, s.i * S.SIZE)
            units, grain = c.read_i64(step, S.UNITS), c.read_i64(step, S.GRAIN)
            ns = _estimate(c, step, units)
            fits = (grain > 0) & (units >= c.shl(grain, 1)) & _measured(c, step)
            fits &= (ns >= c.read_i64(home, P.AWAKE)) & (ns < c.read_i64(home, P.PARKED))
            fits &= (c.read_i64(step, S.TRUST) & _SKIP).eq(0)
            sum_.set(sum_.get() + c.select(fits, ns, c.index(0)))
        worth = sum_.get() >= c.read_i64(home, P.PARKED)
        with c.if_(worth), c.if_(c.swap_if(home, P.OWNER, 0, 1)):
            if _LINUX:
                cpu = V(c, c.extern("sched_getcpu", i32, []), dtypes.int32)
                c.put(home, P.CPU, c.cast(cpu, dtypes.int64))
            c.rmw("add", home, P.EPOCH, 1)
            _wake(c, home, threads - 1)
            c.rmw("xchg", home, P.OWNER, 0)


def _branch(c: _Code, step: Any, at: V) -> V:
    """Where a branch goes on."""
    words = c.read_ptr(step, S.WORDS)
    flag = c.b.load(c.read_ptr(words, 1), align=1, typ=ir.IntType(8))
    off = V(c, c.b.icmp_unsigned("==", flag, ir.Constant(flag.type, 0)), dtypes.bool_)
    return c.select(off, c.read_i64(words, 2), at + 1)


def _quick(c: _Code, step: Any, units: V, flags: V) -> V:
    """Whether a step is known to take no time that matters."""
    known = (flags & (e.COMMIT | e.VARIES | LEARNED)).eq(LEARNED)
    return known & (units > 0) & (_estimate(c, step, units) < QUICK_NS)


def _estimate(c: _Code, step: Any, units: V) -> V:
    """Nanoseconds that `units` of a step are thought to take (saturated)."""
    ns = c.cast(units, dtypes.float64) * c.read_f64(step, S.COST)
    return c.cast(ns, dtypes.int64)


def _in_time(c: _Code, step: Any, grain: V) -> V:
    """How many units fill a slice, in multiples of the grain, one grain at least."""
    n = c.cast(c.const(SLICE_NS, dtypes.float64) / c.read_f64(step, S.COST), dtypes.int64)
    return c.maximum(c.udiv_index(c.maximum(n, 0), grain) * grain, grain)


def _measured(c: _Code, step: Any) -> V:
    """Whether the cost of a step is more than a guess."""
    return (c.read_i64(step, S.FLAGS) & LEARNED).ne(0)


def _share(c: _Code, step: Any, rest: V, grain: V, threads: V, home: Any, turn: V) -> V:
    """Units of a task when the step is to be shared and the pool is now ours, else 0.

    `turn` counts the runs, from another number for each step.
    """
    share = c.var(0)
    splits = (grain > 0) & (rest >= c.shl(grain, 1)) & (threads > 1)
    splits &= (turn & (CHECK - 1)).ne(0)
    with c.if_(splits & ~c.is_null(home) & _measured(c, step)):
        workers = c.read_i64(home, P.WORKERS)
        parked = c.watch(home, P.SLEEPERS) >= workers
        least = c.select(parked, c.read_i64(home, P.PARKED), c.read_i64(home, P.AWAKE))
        worth = (workers > 0) & (_estimate(c, step, rest) >= least)
        trust = c.read_i64(step, S.TRUST)
        skip = worth & (trust & _SKIP).ne(0)
        with c.if_(skip):
            c.put(step, S.TRUST, trust - 1)
        with c.if_(worth & ~skip), c.if_(c.swap_if(home, P.OWNER, 0, 1)):
            parts = (c.minimum(threads - 1, workers) + 1) * CHUNKS
            even = c.udiv_index(rest + parts - 1, parts)
            even = c.udiv_index(even + grain - 1, grain) * grain
            share.set(c.minimum(even, _in_time(c, step, grain)))
    return share.get()


def _slice(c: _Code, step: Any, rest: V, units: V, grain: V, commit: V) -> V:
    """Units to run alone before the next look at the clock."""
    n = c.var(rest)
    with c.if_((grain > 0) & ~commit):
        probe = c.maximum(c.udiv_index(c.shr(units, PROBE), grain) * grain, grain)
        most = c.select(_measured(c, step), _in_time(c, step, grain), probe)
        n.set(c.minimum(rest, most))
    return n.get()


def _emit_bind(m: ir.Module, layout: Layout) -> Any:
    """`i64 bind(block, args)`: check the arrays and patch their data pointers."""
    c = _internal(_Code(m, "bind", [ptr, ptr], i64), inline=True)
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
    c = _internal(_Code(m, "short", [ptr], i64), inline=True)
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
                c.ret(_fail(c, block, s.i, c.cast(r, dtypes.int64), c.read_i64(words, 0)))
    c.ret(c.index(e.OK))
    return c.func


def _emit_hire(m: ir.Module) -> Any:
    """`i64 hire(block)`: have Python make the workers that the run may use; 0 if it raised."""
    c = _internal(_Code(m, "hire", [ptr], i64, plain=True))
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
            c.extern("Py_DecRef", _VOID, [r])
    c.ret(c.index(1))
    return c.func


def _emit_long(m: ir.Module, now: Any, walk: Any, hire: Any) -> Any:
    """`i64 long(block)`: run without the GIL; `YIELD` when a Python exception is set."""
    c = _internal(_Code(m, "long", [ptr], i64))
    block = c.args[0]
    with c.if_(c.cold(V(c, c.call_fn(hire, [block]), dtypes.int64).eq(0))):
        c.ret(c.index(e.YIELD))
    for word in (H.STEP, H.UNIT, H.STOP):
        c.put(block, word, 0)
    me = c.extern("PyThread_get_thread_ident", _LONG, [])
    me = me if _POSIX else c.b.zext(me, i64)
    main = V(c, me, dtypes.int64).eq(c.read_i64(c.read_ptr(block, H.GLOBALS), G.MAIN))
    poll = c.cast(main, dtypes.int64)
    code, start = c.var(0), _clock(c, now)
    with c.forever():
        thread = c.extern("PyEval_SaveThread", ptr, [])
        code.set(V(c, c.call_fn(walk, [block, poll]), dtypes.int64))
        end = _clock(c, now)
        c.extern("PyEval_RestoreThread", _VOID, [thread])
        c.leave(code.get().ne(e.YIELD))
        c.leave(V(c, c.extern("PyErr_CheckSignals", i32, []), dtypes.int32).ne(0))
    with c.if_(code.get().eq(e.OK) & (end > start)):
        c.put(block, H.COST, end - start)
    c.ret(code.get())
    return c.func


def _emit_walk_alone(m: ir.Module, walk: Any, name: str = "graphc_walk") -> None:
    """`i64 graphc_walk(block)`: the walker for callers that are not the entry."""
    c = _Code(m, name, [ptr], i64, plain=True)
    saved = _get_mxcsr(c)
    _set_mxcsr(c, MXCSR)
    _count_write(c, c.args[0])
    code = V(c, c.call_fn(walk, [c.args[0], c.index(1)]), dtypes.int64)
    _set_mxcsr(c, saved)
    c.ret(code)


def _count_write(c: _Code, block: Any) -> None:
    """Runs that may write variables are counted: what others keep of them is old."""
    word = c.read_ptr(block, H.WRITTEN)
    c.put(word, 0, c.read_i64(word, 0) + 1)


def emit(m: ir.Module, layout: Layout | None) -> None:
    """Fill `m`: `graphc_walk`; on POSIX the pool; and the entry where the layout is known."""
    now = _emit_clock(m)
    parallel = None
    if _POSIX:
        work = _emit_work(m, now)
        parallel = _emit_parallel(m, work)
        _emit_loop(m, now, work)
        _emit_quit(m)
    walk = _emit_walk(m, now, parallel)
    _emit_walk_alone(m, walk)
    if layout is not None:
        _emit_entry(m, layout, now, walk)


def emit_traced(m: ir.Module, layout: Layout | None) -> None:
    """Fill `m`: the walker that writes into the log of its program; the entry to it."""
    now, note = _emit_clock(m), _emit_note(m)
    parallel = _emit_parallel(m, _emit_work(m, now), note) if _POSIX else None
    walk = _emit_walk(m, now, parallel, note)
    _emit_walk_alone(m, walk)
    if layout is not None:
        _emit_entry(m, layout, now, walk, traced=True)


def _emit_entry(
    m: ir.Module, layout: Layout, now: Any, walk: Any, traced: bool = False
) -> None:  # fmt: skip
    """`PyObject *graphc_entry(self, args, nargs)`: `Program.run`; `self` owns the block."""
    bind, short = _emit_bind(m, layout), _emit_short(m)
    long = _emit_long(m, now, walk, _emit_hire(m))
    c = _Code(m, "graphc_entry", [ptr, ptr, i64], ptr)
    block = c.read_ptr(c.bytes_at(c.args[0], layout.data), 0)
    forks = c.read_i64(c.read_ptr(block, H.GLOBALS), G.FORKS)

    def give(code: V) -> None:
        ll = code.ll if _POSIX else c.b.trunc(code.ll, _LONG)
        c.b.ret(c.extern("PyLong_FromLong", ptr, [ll]))

    with c.if_(c.cold(c.arg(2).ne(c.read_i64(block, H.NARGS)))):
        give(c.index(e.COUNT))
    with c.if_(c.cold(~c.swap_if(block, H.BUSY, 0, forks))):
        with c.if_(c.read_i64(block, H.BUSY).eq(forks)):
            give(c.index(e.BUSY))
        c.put(block, H.BUSY, forks)  # left by a thread of the parent process
    code = c.var(V(c, c.call_fn(bind, [block, c.args[1]]), dtypes.int64))
    with c.if_(code.get().eq(e.OK)):
        saved = _get_mxcsr(c)
        odd = (saved & 0xFFC0).ne(MXCSR)
        with c.if_(c.cold(odd)):
            _set_mxcsr(c, MXCSR)
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
                start.set(_clock(c, now))
            code.set(V(c, c.call_fn(short, [block]), dtypes.int64))
            with c.if_(c.cold(timed)):
                c.put(block, H.COST, _clock(c, now) - start.get())
        with c.if_(~is_short):
            code.set(V(c, c.call_fn(long, [block]), dtypes.int64))
        with c.if_(c.cold(odd)):
            _set_mxcsr(c, saved)
    c.rmw("xchg", block, H.BUSY, 0)
    with c.if_(c.cold(code.get().eq(e.YIELD))):
        c.b.ret(ir.Constant(ptr, None))
    give(code.get())
