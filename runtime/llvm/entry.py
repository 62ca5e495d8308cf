"""One native call per run: the entry, the walker over steps, and the pool's native half.

The API::

    prog = Program(
        steps=[Step(code, code.address(), [0, 0, 0, n], units=n, grain=4096, cost=0.25)],
        feeds=[FeedSpec(np.float32, (n,), patches=[(0, 1)])],   # word 1 of step 0 gets the data
        outs=[OutSpec(np.float32, (n,), patches=[(0, 2)])],
        threads=2,
    )
    code = prog.run(x, out)      # a builtin: positional arrays only, feeds then outs

`code` is 0 when all steps ran; a positive number is the code of the kernel that failed
(`prog.status()` says which step and which element); negative codes are the constants

======== ==================================================================================
SLOW     argument `status().argument` is not bindable as it is: send it through the gate
         (`feeds.as_feed`) and call again
DIMS     that argument has other sizes than this binding was made for: rebind
BUSY     another thread is inside this program: guard a program by a lock, or have two
STOPPED  `prog.stop()` was called from another thread
COUNT    the wrong number of arguments
======== ==================================================================================

Nothing has run after a negative code other than STOPPED. A Python exception leaves `run` only
from a signal handler (`KeyboardInterrupt`). The caller keeps the arrays alive; `run` itself keeps
the kernels and whatever is in `prog.keep` alive.

A kernel is ``i32 kernel(ptr args, i64 begin, i64 end, i64 worker)`` over parallel units
[begin, end). `args` are 8-byte words: word 0 receives the position of an error before the
kernel returns its code, the rest is as the lowering decides. Every worker has its own copy of the
words. A failed step reports the error of its lowest unit, whatever the number of threads.

`prog.words`, `prog.units`, `prog.dims` are numpy views of the live tables: a session binds new
sizes or a moved arena by writing to them, then calls `prog.refresh()`.

A branch is a step too: it goes on elsewhere where a byte in memory is 0, so that loops and
conditions are part of the one call. Steps inside a loop are like all others: they learn their cost,
may be shared between threads, and report errors.

How a run goes: the entry checks the arrays against the feed table (type, dtype, flags, sizes:
each a pointer or word compare) and writes their data pointers where the patches say. If the run
is known to be short (under 20 microseconds, and without branches) the steps run at once with the
GIL held. Otherwise the GIL is released and the walker runs steps in slices of about 10 ms; every
50 ms it comes back, the entry looks at Python's signals and resumes where it was. The cost of a
step starts as the estimate given and is replaced by what was measured; a step that is known to
take less than a microsecond then runs without a look at the clock.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import sys
import threading
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, cast

import numpy as np

from graphc.runtime import aligned, pool, state
from graphc.runtime.llvm import perf
from graphc.runtime.llvm.jit import compile_kernels
from graphc.runtime.llvm.kernel_options import Options

__all__ = [
    "BRANCH", "BUSY", "COMMIT", "COUNT", "DIMS", "NOT_FINITE", "OK", "SLOW", "STOPPED", "VARIES",
    "FeedSpec", "OutSpec", "Program", "Status", "Step", "branch", "native",
]  # fmt: skip

OK, SLOW, DIMS, BUSY, STOPPED, COUNT = 0, -1, -2, -3, -4, -5
NOT_FINITE = 1 << 20  # a kernel that watches its results wrote an infinity or a NaN
YIELD = -100  # the walker wants its caller to look at signals, then to call it again

SHORT_NS = 20_000  # a run below this keeps the GIL, looks at no clock and has one thread

COMMIT = 1  # step flag: part of the commit, never interrupted
LEARNED = 2  # step flag: its cost was measured
BRANCH = 4  # step flag: calls nothing; see `branch`
VARIES = 8  # step flag: its cost says little about the next time

_C_CONTIGUOUS, _ALIGNED, _WRITEABLE = 0x1, 0x100, 0x400


class H(IntEnum):
    """Words at the head of a program block."""

    BUSY = 0
    STOP = 1
    NARGS = 2
    ARGS = 3
    NSTEPS = 4
    STEPS = 5
    COST = 6  # ns of a whole run: estimated, then measured
    THREADS = 7
    GLOBALS = 8
    SCRATCH = 9  # one area a worker: code, begin, …, and from SCRATCH_HEAD its copy of the words
    STRIDE = 10
    STEP = 11  # cursor
    UNIT = 12
    CODE = 13
    WHERE = 14
    ARGUMENT = 15
    RUNS = 16
    LOOPS = 17  # whether there are branches: nobody knows how long the run takes
    TRACE = 18  # a log, while the run is a traced one (`graphc.runtime.llvm.tracing`)
    WRITTEN = 20  # address of the word that counts runs that may write variables
    SPARE = 21  # where runs count that write none
    SIZE = 24


class S(IntEnum):
    """Words of a step."""

    FN = 0
    WORDS = 1
    UNITS = 2
    GRAIN = 3
    FLAGS = 4
    COST = 5  # f64, ns a unit
    NWORDS = 6
    TRUST = 7  # in sharing it: see `stepping._judge`
    SIZE = 8


class A(IntEnum):
    """Words of an argument of the run."""

    DESCR = 0
    NDIM = 1
    FLAGS = 2
    NPATCH = 3
    DIMS = 4
    PATCHES = 5
    SIZE = 8


class G(IntEnum):
    """Words of the process: one block, whose address never changes."""

    POOL = 0
    LIMIT = 1  # threads that can be had
    MAIN = 2  # identity of the main thread
    HOOK = 3  # Python callable that makes or grows the pool
    WANT = 4  # threads it is asked for
    NDARRAY = 5
    FORKS = 6  # generation of the process, from 1
    SIZE = 16


SCRATCH_HEAD = 8


class Layout(NamedTuple):
    """Byte offsets of the public fields of an ndarray."""

    type: int
    data: int
    nd: int
    dims: int
    descr: int
    flags: int


# ------------------------------------------------------------- the process


def _find_layout() -> Layout | None:
    """The layout of ndarrays, proved on samples; None where it is another one."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    head = object.__basicsize__
    layout = Layout(head - 8, head, head + 8, head + 16, head + 40, head + 48)
    whole = np.zeros((3, 4, 5), np.float32)
    fixed = np.arange(6, dtype=np.int64)
    fixed.flags.writeable = False
    odd = np.zeros(33, np.uint8)[1:].view(np.float64)
    samples = [whole, whole[:, ::2], whole.T, np.zeros(()), np.zeros((0, 7), np.bool_), fixed, odd]
    if np.ndarray.__basicsize__ < head + 56 or not all(_fits(layout, a) for a in samples):
        return None
    return layout


def _fits(layout: Layout, a: np.ndarray[Any, Any]) -> bool:
    def word(at: int) -> int:
        return ctypes.c_int64.from_address(at).value

    def half(at: int) -> int:
        return ctypes.c_int32.from_address(at).value

    base = id(a)
    if word(base + layout.type) != id(np.ndarray) or half(base + layout.nd) != a.ndim:
        return False
    flags = a.flags.c_contiguous * _C_CONTIGUOUS | a.flags.aligned * _ALIGNED
    flags |= a.flags.writeable * _WRITEABLE
    mask = _C_CONTIGUOUS | _ALIGNED | _WRITEABLE
    dims = word(base + layout.dims)
    return (
        half(base + layout.flags) & mask == flags
        and word(base + layout.data) == a.ctypes.data
        and word(base + layout.descr) == id(a.dtype)
        and all(word(dims + 8 * k) == n for k, n in enumerate(a.shape))
    )


_EXTERNS = (
    "PyEval_RestoreThread", "PyEval_SaveThread", "PyErr_CheckSignals", "PyLong_FromLong",
    "PyObject_CallNoArgs", "PyThread_get_thread_ident", "Py_DecRef", "clock_gettime",
    "pthread_cond_broadcast", "pthread_cond_signal", "pthread_cond_wait",
    "pthread_mutex_lock", "pthread_mutex_unlock", "sched_getaffinity", "sched_getcpu",
    "nanosleep", "sched_setaffinity", "sched_yield",
)  # fmt: skip


#: What the code of a run is made by: a change there makes stored code stale.
SOURCES = (
    "entry.py", "runner.py", "stepping.py", "jobs.py", "words.py", "tracing.py", "emit.py",
    "arithmetic.py", "values.py", "numbers.py", os.path.join("..", "pool.py"),
)  # fmt: skip


def compile_native(what: str, emit: Callable[[Any], None]) -> Any:
    """Code that `runner` emits, from the cache where it is there."""
    key = hashlib.sha256(what.encode())
    here = os.path.dirname(os.path.abspath(__file__))
    for name in SOURCES:
        with contextlib.suppress(OSError), open(os.path.join(here, name), "rb") as f:
            key.update(f.read())
    name = f"entry {key.hexdigest()}"
    code = compile_kernels({name: emit}, Options(extern_names=_EXTERNS))[name]
    if perf.wanted():
        perf.note(code, "runtime")
    return code


def _compile(layout: Layout | None) -> Any:
    def emit(module: Any) -> None:
        from graphc.runtime.llvm import runner

        runner.emit(module, layout)

    return compile_native(repr(layout), emit)


class _MethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class _Native:
    """The compiled runtime of this process."""

    def __init__(self) -> None:
        layout = self.layout = _find_layout()
        code = self.code = _compile(layout)
        if layout is not None:  # workers may be in this code to the very end of the process
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(code))
        self.walk = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(code.address("graphc_walk"))
        self.globals = aligned.words(G.SIZE)
        self.globals[G.MAIN] = threading.main_thread().ident or 0
        self.globals[G.NDARRAY] = id(np.ndarray)
        self.globals[G.FORKS] = 1
        self.hook = self._hire
        self.globals[G.HOOK] = id(self.hook)
        self.globals[G.LIMIT] = 1
        if "graphc_worker" in code.names:
            self.globals[G.LIMIT] = pool.MAX_THREADS
            pool.install(code.address("graphc_worker"), code.address("graphc_quit"), self._publish)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)
            # last of all, so that it waits before the locks that runs want are taken
            os.register_at_fork(before=state.hold, after_in_parent=state.let_go)
        self.method: _MethodDef | None = None
        if layout is not None:
            self.method = self.method_of(code)
            self.make = ctypes.pythonapi.PyCFunction_NewEx
            self.make.restype = ctypes.py_object
            self.make.argtypes = [ctypes.POINTER(_MethodDef), ctypes.py_object, ctypes.py_object]

    @staticmethod
    def method_of(code: Any) -> _MethodDef:
        """What makes builtins of the entry in `code`."""
        return _MethodDef(
            b"run", code.address("graphc_entry"), 0x80, b"run(*arrays): run the program"
        )

    def _hire(self) -> None:
        pool.ensure(int(self.globals[G.WANT]))

    def _publish(self, address: int, limit: int) -> None:
        self.globals[G.POOL] = address
        self.globals[G.LIMIT] = limit

    def _forked(self) -> None:
        self.globals[G.MAIN] = threading.get_ident()
        self.globals[G.FORKS] += 1

    def bound(
        self, block: aligned.Words, keep: Any, method: _MethodDef | None = None
    ) -> Callable[..., int]:
        """The entry for `block`; it owns the block and `keep`."""
        return cast("Callable[..., int]", self.make(method or self.method, block, keep))


_native: _Native | None = None
_native_lock = threading.Lock()
_beginning: threading.Thread | None = None


def _forked() -> None:
    global _native_lock
    _native_lock = threading.Lock()  # its holder may not exist here


def native() -> _Native:
    """The compiled runtime, made at the first call."""
    global _native
    if _native is None:
        with _native_lock:
            if _native is None:
                _native = _Native()
    return _native


def begin() -> None:
    """Make the compiled runtime in a thread of its own: LLVM needs a while, beside Python."""

    def make() -> None:
        with contextlib.suppress(Exception):  # whoever needs it asks again and is told
            native()

    global _beginning
    if _native is None and _beginning is None:
        thread = threading.Thread(target=make, name="graphc-runtime")
        with contextlib.suppress(RuntimeError):  # no more threads
            thread.start()
            _beginning = thread


def _before_fork() -> None:
    """A child whose parent was importing in another thread could never import that again."""
    if _beginning is not None and _beginning is not threading.current_thread():
        _beginning.join()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_forked)


# ------------------------------------------------------------- programs


class Step(NamedTuple):
    """One kernel call.

    Attributes
    ----------
    owner : object
        Keeps the code in memory (a `native_code.Compiled`).
    address : int
        Where the function is.
    words : sequence of int
        The argument words; word 0 is for the error position.
    units : int
        Parallel units; a step of no units does not run.
    grain : int
        Tasks and slices are multiples of it; 0: the step is one piece.
    flags : int
        `COMMIT` for a step that must not be interrupted once the commit began, `VARIES` for one
        that takes a long time now and none the next time.
    cost : float
        Nanoseconds a unit is thought to take.
    phase : str
        Which part of a matrix product it is.
    """

    owner: object
    address: int
    words: Sequence[int]
    units: int = 1
    grain: int = 0
    flags: int = 0
    cost: float = 1.0
    phase: str = ""


def branch(flag: int, target: int) -> Step:
    """A step that goes on at step `target` where the byte at address `flag` is 0.

    A target before the branch makes a loop; one behind the last step ends the run. The flag is
    word 1 of the step.
    """
    return Step(None, 0, [0, flag, target], flags=BRANCH)


class FeedSpec(NamedTuple):
    """An array that the run reads: its storage type, its sizes, and where its address goes.

    A patch is (step, word).
    """

    dtype: Any
    dims: Sequence[int]
    patches: Sequence[tuple[int, int]] = ()


class OutSpec(NamedTuple):
    """An array that the run writes."""

    dtype: Any
    dims: Sequence[int]
    patches: Sequence[tuple[int, int]] = ()


class Status(NamedTuple):
    """What the last run that did not give 0 has left.

    Attributes
    ----------
    code : int
        As the kernel returned it.
    step : int
        Index of the step that failed.
    position : int
        Word 0 of the failing step.
    argument : int
        Index of the argument that `SLOW` or `DIMS` speaks of.
    """

    code: int
    step: int
    position: int
    argument: int


class Program:
    """A bound list of steps, run by one native call.

    Parameters
    ----------
    steps : sequence of Step
    feeds, outs : sequence of FeedSpec, of OutSpec
        The arguments of `run`, in this order.
    threads : int
        How many threads a run may use.
    keep : sequence
        Whatever the argument words point into.
    written : ndarray of int64, optional
        Its first word grows with each run: the steps write variables.
    fast : bool, optional
        False takes the portable path (also taken where the fast one is not supported).

    Attributes
    ----------
    run : builtin function
        ``run(*arrays) -> int``; see the module.
    words : ndarray of int64
        The argument words of all steps; those of step `k` begin at ``starts[k]``.
    units, costs : ndarray
        Views of the units and of the costs of all steps.
    dims : list of ndarray
        Views of the sizes expected of each argument.
    keep : list
        What `run` keeps alive.
    """

    __slots__ = (
        "__weakref__", "_block", "_scratch", "_specs", "_stride", "costs", "dims", "keep", "run",
        "starts", "units", "words",
    )  # fmt: skip

    def __init__(
        self,
        steps: Sequence[Step],
        feeds: Sequence[FeedSpec] = (),
        outs: Sequence[OutSpec] = (),
        *,
        threads: int = 1,
        keep: Sequence[Any] = (),
        written: aligned.Words | None = None,
        fast: bool | None = None,
    ) -> None:
        nat = native()
        specs: list[FeedSpec | OutSpec] = [*feeds, *outs]
        lengths = [max(1, len(s.words)) for s in steps]
        args_at = int(H.SIZE)
        steps_at = args_at + A.SIZE * len(specs)
        words_at = steps_at + S.SIZE * len(steps)
        dims_at = words_at + sum(lengths)
        patches_at = dims_at + sum(len(s.dims) for s in specs)
        block = aligned.words(patches_at + sum(len(s.patches) for s in specs))
        at = block.ctypes.data
        self._block = block
        self._specs = [(np.dtype(s.dtype), isinstance(s, OutSpec)) for s in specs]
        self.keep = [nat, [s.owner for s in steps], self._specs, written, *keep]

        self.words = block[words_at:dims_at]
        self.starts: list[int] = []
        rows = block[steps_at:words_at].reshape(-1, S.SIZE)
        self.units = rows[:, S.UNITS]
        self.costs = rows.view(np.float64)[:, S.COST]
        start = words_at
        for row, step, length in zip(rows, steps, lengths, strict=True):
            self.starts.append(start - words_at)
            block[start : start + len(step.words)] = step.words
            row[: S.SIZE] = (
                step.address, at + 8 * start, step.units, step.grain,
                step.flags & (COMMIT | BRANCH | VARIES), 0, length, 0,
            )  # fmt: skip
            start += length
        if steps:
            self.costs[:] = [s.cost for s in steps]

        self.dims: list[aligned.Words] = []
        table = block[args_at:steps_at].reshape(-1, A.SIZE)
        for row, spec, (dtype, out) in zip(table, specs, self._specs, strict=True):
            n, m = len(spec.dims), len(spec.patches)
            flags = _C_CONTIGUOUS | _ALIGNED | (_WRITEABLE if out else 0)
            row[:6] = id(dtype), n, flags, m, at + 8 * dims_at, at + 8 * patches_at
            self.dims.append(block[dims_at : dims_at + n])
            self.dims[-1][:] = spec.dims
            for k, (step_at, word) in enumerate(spec.patches):
                if not 0 <= word < lengths[step_at]:
                    raise IndexError(f"step {step_at} has no argument word {word}")
                block[patches_at + k] = at + 8 * (words_at + self.starts[step_at] + word)
            dims_at += n
            patches_at += m

        block[H.NARGS], block[H.ARGS] = len(specs), at + 8 * args_at
        block[H.NSTEPS], block[H.STEPS] = len(steps), at + 8 * steps_at
        branches = [s for s in steps if s.flags & BRANCH]
        if not all(0 <= s.words[2] <= len(steps) for s in branches):
            raise IndexError("a branch leads to no step")
        block[H.LOOPS] = bool(branches)
        block[H.WRITTEN] = at + 8 * H.SPARE if written is None else written.ctypes.data
        block[H.GLOBALS] = nat.globals.ctypes.data
        self._stride = -(-(max(lengths, default=1) + SCRATCH_HEAD) // 16) * 16
        self._scratch = aligned.words(0)
        self.threads = threads
        self.refresh()
        self.run: Callable[..., int]
        if fast is False or nat.method is None:
            self.run = _Portable(self)
        else:
            self.run = nat.bound(block, self.keep)

    @property
    def threads(self) -> int:
        """How many threads a run may use; set it while no run is under way."""
        return int(self._block[H.THREADS])

    @threads.setter
    def threads(self, n: int) -> None:
        n = max(1, min(n, pool.MAX_THREADS))
        if n > 1 and len(self._scratch) < n * self._stride:
            self._scratch = aligned.words(n * self._stride)
            self.keep.append(self._scratch)
        self._block[H.SCRATCH] = self._scratch.ctypes.data
        self._block[H.STRIDE] = self._stride
        self._block[H.THREADS] = n

    def refresh(self) -> None:
        """Estimate the run anew, after `units` changed."""
        # no np.dot: numpy's BLAS would start, and wait for, threads of its own
        total = float((self.units * self.costs).sum()) + 20.0 * len(self.units)
        if self._block[H.LOOPS]:
            total = max(total, 1e5)
        self._block[H.COST] = int(min(total, 1e18))

    def stop(self) -> None:
        """Stop the run that is under way in another thread; it gives `STOPPED`.

        Nothing happens when none is under way, or when it commits or takes microseconds.
        """
        self._block[H.STOP] = 1

    def status(self) -> Status:
        """Details of the last run that did not give 0."""
        code, where, argument = self._block[H.CODE : H.ARGUMENT + 1].tolist()
        return Status(code, int(self._block[H.STEP]), where, argument)


class _Portable:
    """`Program.run` by way of ctypes, for interpreters whose arrays the entry cannot read."""

    def __init__(self, program: Program) -> None:
        self.block = program._block
        self.specs = program._specs
        self.keep = program.keep
        self.dims = program.dims
        self.lock = threading.Lock()

    def __call__(self, *arrays: Any) -> int:
        if len(arrays) != len(self.specs):
            return COUNT
        if not self.lock.acquire(blocking=False):
            return BUSY
        try:
            nat = native()
            if self.block[H.THREADS] > 1:
                pool.ensure(int(self.block[H.THREADS]))
            return self.bind(arrays) or self.walk(nat.walk)
        finally:
            self.lock.release()

    def bind(self, arrays: Sequence[Any]) -> int:
        """Check the arrays and patch their addresses in."""
        block = self.block
        for k, (a, (dtype, out)) in enumerate(zip(arrays, self.specs, strict=True)):
            row = block[H.SIZE + A.SIZE * k :][: A.SIZE]
            block[H.ARGUMENT] = k
            if type(a) is not np.ndarray or a.dtype is not dtype or a.ndim != row[A.NDIM]:
                return SLOW
            flags = a.flags
            if not (flags.c_contiguous and flags.aligned and (flags.writeable or not out)):
                return SLOW
            if a.shape != tuple(self.dims[k].tolist()):
                return DIMS
            first = (row[A.PATCHES] - block.ctypes.data) // 8
            for address in block[first : first + row[A.NPATCH]]:
                block[(address - block.ctypes.data) // 8] = a.ctypes.data
        return OK

    def walk(self, walker: Callable[[int], int]) -> int:
        """Run all steps."""
        block = self.block
        block[H.STEP] = block[H.UNIT] = block[H.STOP] = 0
        code = YIELD
        while code == YIELD:  # between two calls the interpreter runs signal handlers
            code = walker(block.ctypes.data)
        return int(code)
