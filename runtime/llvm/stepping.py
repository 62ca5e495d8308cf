"""The walker over the steps of a program: which run alone, which are shared, what each takes."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.ir import dtypes
from graphc.runtime.llvm import entry as e
from graphc.runtime.llvm.entry import LEARNED, SHORT_NS, G, H, S
from graphc.runtime.llvm.jobs import SLICE_NS, wake
from graphc.runtime.llvm.tracing import T
from graphc.runtime.llvm.values import V, i32, i64, ptr
from graphc.runtime.llvm.words import (
    LINUX,
    MOST,
    VOID,
    Code,
    cost_of,
    internal,
    put_f64,
    read_clock,
)
from graphc.runtime.pool import P

__all__ = ["emit_note", "emit_walk", "fail"]

POLL_NS = 50_000_000  # between two looks at Python's signals
QUICK_NS = 1_000  # a step below this runs without a look at the clock,
QUIET = 64  # but so many of them in a row do not
PROBE = 6  # a step never measured begins with 1/64 of its units, to learn its cost
DISTRUST = 10  # sharing that does not help is tried again after 2**10 runs at the latest,
DISTRUST_NS = 100_000_000  # or after this time of running alone;
TRIES = 4  # so often, a power of two
CHECK = 512  # of so many runs, a power of two, one does a shared step alone to know what it costs
CHUNKS = 4  # tasks a participant gets on average
_SKIP = 0xFFFFFFFF  # low half of a step's trust: runs to go alone; the high half is the level


def _learn(c: Code, step: Any, took: V, units: V) -> None:
    """Replace the cost of a step by what a slice of it took."""
    with c.if_(took > 0):
        put_f64(c, step, S.COST, cost_of(c, took, units))
        c.put(step, S.FLAGS, c.read_i64(step, S.FLAGS) | LEARNED)


def _judge(c: Code, step: Any, took: V, units: V, parked: V) -> None:
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


def fail(c: Code, block: Any, step: V, code: V, where: V) -> V:
    """Fill the status; gives the positive code that `run` returns."""
    c.put(block, H.STEP, step)
    c.put(block, H.CODE, code)
    c.put(block, H.WHERE, where)
    return c.select(code < 0, c.index(2**31 - 1), code)


def emit_note(m: ir.Module) -> Any:
    """`void note(block, step, who, begin, end, units)`: an event of the log."""
    c = internal(Code(m, "note", [ptr, i64, i64, i64, i64, i64], VOID))
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


def _count(c: Code, block: Any, at: V, calls: V | int, ns: V | int) -> None:
    """Add to the totals of a step."""
    row = c.at(c.read_ptr(c.read_ptr(block, H.TRACE), T.TOTALS), at * T.TOTAL)
    c.put(row, 0, c.read_i64(row, 0) + calls)
    c.put(row, 1, c.read_i64(row, 1) + ns)


def emit_walk(m: ir.Module, now: Any, parallel: Any, note: Any = None) -> Any:
    """`i64 walk(block, poll)`: run steps from the cursor on; touches nothing of Python.

    With `note` the walker of traced runs: every step is timed.
    """
    c = internal(Code(m, "walk", [ptr, i64], i64))
    w = _Walker(c, now, parallel, note)
    with c.forever():
        w.step()
    c.ret(c.index(e.OK))
    return c.func


class _Walker:
    """What the walker keeps from step to step, and the parts of a step.

    Attributes
    ----------
    index, unit : variable
        The cursor: the step, and the first of its units that is still to be done.
    clock : variable
        When it was last looked at.
    quiet : variable
        Quick steps since then.
    """

    def __init__(self, c: Code, now: Any, parallel: Any, note: Any) -> None:
        self.c, self.now, self.parallel, self.note = c, now, parallel, note
        self.block = block = c.args[0]
        self.clock = c.var(read_clock(c, now))
        self.deadline = c.select(c.arg(1).ne(0), self.clock.get() + POLL_NS, c.index(MOST))
        self.steps, self.number = c.read_ptr(block, H.STEPS), c.read_i64(block, H.NSTEPS)
        self.threads, self.runs = c.read_i64(block, H.THREADS), c.read_i64(block, H.RUNS)
        if note is not None:  # as many as an ordinary run would use
            short = (c.read_i64(block, H.COST) < SHORT_NS) & c.read_i64(block, H.LOOPS).eq(0)
            self.threads = c.select(short, c.index(1), self.threads)
        self.home = c.read_ptr(c.read_ptr(block, H.GLOBALS), G.POOL)
        if parallel is not None:
            _call_up(c, self.home, self.steps, self.number, self.threads)
        self.index = c.var(c.read_i64(block, H.STEP))
        self.unit = c.var(c.read_i64(block, H.UNIT))
        self.quiet = c.var(0)

    def step(self) -> None:
        """The step at the cursor: a branch, a call, or its units by slices."""
        c, block, note = self.c, self.block, self.note
        at = self.index.get()
        c.leave(at >= self.number)
        with c.if_(c.cold(self.quiet.get() >= QUIET)):
            self.look()
            with c.if_(c.watch(block, H.STOP).ne(0)):
                c.ret(c.index(e.STOPPED))
            with c.if_(self.clock.get() >= self.deadline):
                self.pause(at)
        step = c.at(self.steps, at * S.SIZE)
        units, grain = c.read_i64(step, S.UNITS), c.read_i64(step, S.GRAIN)
        flags = c.read_i64(step, S.FLAGS)
        branches = (flags & e.BRANCH).ne(0)
        with c.if_(branches):
            self.index.set(_branch(c, step, at))
            self.quiet.set(self.quiet.get() + 1)
            if note is not None:
                _count(c, block, at, 1, 0)
        c.again(branches)
        quick = _quick(c, step, units, flags) & self.unit.get().eq(0)
        if note is not None:
            quick = c.index(0).ne(0)
        with c.if_(quick):
            self.call(step, at, units)
        c.again(quick)
        with c.if_(self.quiet.get().ne(0)):
            self.look()
        commit = (flags & e.COMMIT).ne(0)
        if note is not None:
            c.put(block, H.STEP, at)
            _count(c, block, at, c.cast(self.unit.get().eq(0) & (units > 0), dtypes.int64), 0)
        with c.forever():
            self.slice(step, at, units, grain, commit)
        self.unit.set(0)
        self.index.set(at + 1)

    def look(self) -> None:
        """Look at the clock."""
        self.clock.set(read_clock(self.c, self.now))
        self.quiet.set(0)

    def pause(self, at: V) -> None:
        """Leave the cursor where the next call goes on: Python wants to see its signals."""
        c = self.c
        c.put(self.block, H.STEP, at)
        c.put(self.block, H.UNIT, self.unit.get())
        c.ret(c.index(e.YIELD))

    def call(self, step: Any, at: V, units: V) -> None:
        """All of a quick step, without a look at the clock."""
        c = self.c
        fn, words = c.read_ptr(step, S.FN), c.read_ptr(step, S.WORDS)
        zero = c.index(0)
        r = V(c, c.call_ptr(fn, i32, [words, zero, units, zero]), dtypes.int32)
        with c.if_(c.cold(r.ne(0))):
            c.ret(fail(c, self.block, at, c.cast(r, dtypes.int64), c.read_i64(words, 0)))
        self.index.set(at + 1)
        self.quiet.set(self.quiet.get() + 1)

    def slice(self, step: Any, at: V, units: V, grain: V, commit: V) -> None:
        """Some units of a step, by all threads or by this one; no more once all are done."""
        c, block = self.c, self.block
        here = self.unit.get()
        c.leave(here >= units)
        with c.if_(c.cold(~commit & c.watch(block, H.STOP).ne(0))):
            c.ret(c.index(e.STOPPED))
        rest = units - here
        code = c.var(0)
        share = c.index(0)
        if self.parallel is not None:
            share = _share(c, step, rest, grain, self.threads, self.home, self.runs + at)
            with c.if_(share.ne(0)):
                self.shared(step, at, here, share, commit, code)
        with c.if_(share.eq(0)):
            n = _slice(c, step, rest, units, grain, commit)
            self.alone(step, at, here, n, code)
        with c.if_(c.cold(code.get().ne(0))):
            c.ret(fail(c, block, at, code.get(), c.read_i64(block, H.WHERE)))
        with c.if_(c.cold(~commit & (self.clock.get() >= self.deadline))):
            self.pause(at)

    def shared(self, step: Any, at: V, here: V, share: V, commit: V, code: Any) -> None:
        """The units from `here` on by all threads, `share` at a time."""
        c, block, home = self.c, self.block, self.home
        until = c.select(commit, c.index(MOST), self.deadline)
        stop = c.b.select(commit.ll, c.at(home, P.NEVER), c.at(block, H.STOP))
        take = c.minimum(self.threads - 1, c.read_i64(home, P.WORKERS))
        parked = c.watch(home, P.SLEEPERS) > 0
        args = [home, block, step, here, share, take, until, stop]
        r = V(c, c.call_fn(self.parallel, args), dtypes.int32)
        c.rmw("xchg", home, P.OWNER, 0)
        code.set(c.cast(r, dtypes.int64))
        self.unit.set(c.read_i64(block, H.UNIT))
        after = read_clock(c, self.now)
        if self.note is not None:
            _count(c, block, at, 0, after - self.clock.get())
        _judge(c, step, after - self.clock.get(), self.unit.get() - here, parked)
        self.clock.set(after)

    def alone(self, step: Any, at: V, here: V, n: V, code: Any) -> None:
        """`n` units from `here` on by this thread."""
        c, block = self.c, self.block
        words = c.read_ptr(step, S.WORDS)
        fn = c.read_ptr(step, S.FN)
        r = V(c, c.call_ptr(fn, i32, [words, here, here + n, c.index(0)]), dtypes.int32)
        code.set(c.cast(r, dtypes.int64))
        self.unit.set(here + n)
        after = read_clock(c, self.now)
        if self.note is not None:
            _count(c, block, at, 0, after - self.clock.get())
            c.call_fn(self.note, [block, at, c.index(0), self.clock.get(), after, n])
        _learn(c, step, after - self.clock.get(), n)
        self.clock.set(after)
        with c.if_(c.cold(r.ne(0))):
            c.put(block, H.WHERE, c.read_i64(words, 0))


def _call_up(c: Code, home: Any, steps: Any, number: V, threads: V) -> None:
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
            if LINUX:
                cpu = V(c, c.extern("sched_getcpu", i32, []), dtypes.int32)
                c.put(home, P.CPU, c.cast(cpu, dtypes.int64))
            c.rmw("add", home, P.EPOCH, 1)
            wake(c, home, threads - 1)
            c.rmw("xchg", home, P.OWNER, 0)


def _branch(c: Code, step: Any, at: V) -> V:
    """Where a branch goes on."""
    words = c.read_ptr(step, S.WORDS)
    flag = c.b.load(c.read_ptr(words, 1), align=1, typ=ir.IntType(8))
    off = V(c, c.b.icmp_unsigned("==", flag, ir.Constant(flag.type, 0)), dtypes.bool_)
    return c.select(off, c.read_i64(words, 2), at + 1)


def _quick(c: Code, step: Any, units: V, flags: V) -> V:
    """Whether a step is known to take no time that matters."""
    known = (flags & (e.COMMIT | e.VARIES | LEARNED)).eq(LEARNED)
    return known & (units > 0) & (_estimate(c, step, units) < QUICK_NS)


def _estimate(c: Code, step: Any, units: V) -> V:
    """Nanoseconds that `units` of a step are thought to take (saturated)."""
    ns = c.cast(units, dtypes.float64) * c.read_f64(step, S.COST)
    return c.cast(ns, dtypes.int64)


def _in_time(c: Code, step: Any, grain: V) -> V:
    """How many units fill a slice, in multiples of the grain, one grain at least."""
    n = c.cast(c.const(SLICE_NS, dtypes.float64) / c.read_f64(step, S.COST), dtypes.int64)
    return c.maximum(c.udiv_index(c.maximum(n, 0), grain) * grain, grain)


def _measured(c: Code, step: Any) -> V:
    """Whether the cost of a step is more than a guess."""
    return (c.read_i64(step, S.FLAGS) & LEARNED).ne(0)


def _share(c: Code, step: Any, rest: V, grain: V, threads: V, home: Any, turn: V) -> V:
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


def _slice(c: Code, step: Any, rest: V, units: V, grain: V, commit: V) -> V:
    """Units to run alone before the next look at the clock."""
    n = c.var(rest)
    with c.if_((grain > 0) & ~commit):
        probe = c.maximum(c.udiv_index(c.shr(units, PROBE), grain) * grain, grain)
        most = c.select(_measured(c, step), _in_time(c, step, grain), probe)
        n.set(c.minimum(rest, most))
    return n.get()
