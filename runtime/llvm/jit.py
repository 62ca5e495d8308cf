"""Kernels from IR to running code, compiled once: in memory, on disk, in parallel.

The API::

    compiled = compile_kernels({key: emit, ...}, Options())   # dict of key to Compiled
    c = compiled[key]
    c.names                      # the functions the kernel defines
    c.address("matmul")          # int; valid while `c` is alive (rule R1)
    c.function(c_int, c_void_p, name="matmul")    # a ctypes callable that keeps `c` alive
    c.llvm_ir, c.optimized_ir, c.assembly         # text for dumps, made when asked for
    stats()                      # what was compiled, loaded, found in memory; seconds in LLVM

*key* is the caller's hash of all that decides the code (kernel IR text, template versions).
*emit* is a callable that builds the kernel in the `llvmlite.ir.Module` it is given, or the text of
a module. It is called only when the code is neither in memory nor on disk: a second process that
runs the same graph builds no IR, runs no optimisation, and does not even import llvmlite as long as
the callers import `emit` inside their callables. Function names are a kernel's own: two kernels
may use the same.

A kernel is one LLVM module and one file in the cache. (Kernels batched into a module save 0.8 ms
of 6 each, and lose parallel compilation, separate errors and sharing between graphs.) Missing
kernels are emitted one after another in the calling thread while other threads compile.

Rules: IR text is linted and verified before optimisation; C functions come from `EXTERNS` and
`Options.extern_names` only, for the declarations and for what code generation adds; whatever
goes wrong is a `CompileError`; two threads never compile one kernel; `os.fork` waits for the LLVM
calls of other threads to end, so the child finds every lock free.

The emitted IR is explicit vectors already, so the only pass that pays is instcombine (with SROA
where there is an alloca, and the inliner where `alwaysinline` is used): code as fast as O3 gives,
in half of the time. What remains is code generation, linear in the number of instructions.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import heapq
import itertools
import os
import re
import struct
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

from graphc.errors import CompileError
from graphc.runtime.llvm import load
from graphc.runtime.llvm.cache import DEFAULT_LIMIT, Cache, open_cache
from graphc.runtime.llvm.cpu import LEVELS, Cpu, host

__all__ = [
    "EXTERNS", "CompileError", "Compiled", "Emit", "Options", "Stats", "clear", "compile_kernels",
    "load_entry", "load_kernels", "self_test", "stats", "store_entry",
]  # fmt: skip

Emit: TypeAlias = "Callable[[Any], object] | str"

FORMAT = 1  # of the cache body; and to be raised when the pipeline below changes
CAPACITY = 4096  # kernels kept in memory for callers that do not hold them

EXTERNS: tuple[str, ...] = (
    "memcpy", "memmove", "memset", "memcmp", "fmod", "fmodf", "acos", "acosf", "acosh", "acoshf",
    "asin", "asinf", "asinh", "asinhf", "atan", "atan2", "atan2f", "atanf", "atanh", "atanhf",
    "cbrt", "cbrtf", "ceil", "ceilf", "copysign", "copysignf", "cos", "cosf", "cosh", "coshf",
    "erf", "erfc", "erfcf", "erff", "exp", "exp2", "exp2f", "expf", "expm1", "expm1f", "fabs",
    "fabsf", "floor", "floorf", "fma", "fmaf", "hypot", "hypotf", "ldexp", "ldexpf", "lgamma",
    "lgammaf", "log", "log10", "log10f", "log1p", "log1pf", "log2", "log2f", "logf", "nextafter",
    "nextafterf", "pow", "powf", "rint", "rintf", "round", "roundf", "sin", "sinf", "sinh", "sinhf",
    "sqrt", "sqrtf", "tan", "tanf", "tanh", "tanhf", "tgamma", "tgammaf", "trunc", "truncf",
    "roundeven", "roundevenf", "nearbyint", "nearbyintf",
)  # fmt: skip
"""The C functions any kernel may call (rule R2)."""

_RUNTIME = ("__truncdfhf2", "__truncsfhf2", "__extendhfsf2", "__truncsfbf2", "__truncdfbf2")
_LIBRARIES = ("", "libm.so.6", "libgcc_s.so.1")


class Options(NamedTuple):
    """How kernels are compiled.

    Attributes
    ----------
    level : str
        Upper bound on the CPU features, one of `cpu.LEVELS`; "" is the host's best (GRAPHC_CPU).
    opt : int
        2 is normal; 0 runs no IR passes and the quickest code generation (GRAPHC_OPT=0).
    cache_dir : str or None
        None is the environment's choice, "" no disk cache.
    cache_limit : int
        Bytes the cache directory may hold.
    version : str
        graphc's version, part of the disk key.
    threads : int
        Compiling threads; 0 is one for each core, at most 8.
    extern_names : tuple of str
        C names (of libc, libm or CPython) allowed besides `EXTERNS`.
    salt : str
        More text for the key: settings that the caller's keys do not cover.
    """

    level: str = ""
    opt: int = 2
    cache_dir: str | None = None
    cache_limit: int = DEFAULT_LIMIT
    version: str = "0.1.0"
    threads: int = 0
    extern_names: tuple[str, ...] = ()
    salt: str = ""


@dataclass
class Stats:
    """Counters since the start of the process (or `clear`).

    Attributes
    ----------
    compiled, loaded_from_disk, memory_hits : int
        Kernels, by where their code came from.
    llvm_seconds : float
        Time inside LLVM, summed over threads; 0.0 means it did nothing at all.
    emit_seconds : float
        Time in the callers' `emit` and in printing and checking IR.
    disk_errors, disk_rejected, evicted : int
        Trouble with the disk cache, none of it visible otherwise; files removed for size.
    live : int
        Kernels in memory now.
    """

    compiled: int = 0
    loaded_from_disk: int = 0
    memory_hits: int = 0
    llvm_seconds: float = 0.0
    emit_seconds: float = 0.0
    disk_errors: int = 0
    disk_rejected: int = 0
    evicted: int = 0
    live: int = 0


#: Bytes a function is taken for where LLVM's linker, who does not say, has loaded it.
UNKNOWN = 4096


class Compiled:
    """A kernel ready to run; it owns the memory its code is in.

    Attributes
    ----------
    key : str
        The caller's key.
    names : tuple of str
        The functions it defines.
    """

    __slots__ = ("__weakref__", "_context", "_emit", "_end", "_engine", "_entries", "key", "names")

    def __init__(
        self, key: str, entries: dict[str, int], engine: object, emit: Emit, context: _Context,
        end: int = 0,
    ) -> None:  # fmt: skip
        self.key = key
        self._end = end
        self.names = tuple(entries)
        self._entries = entries
        self._engine = engine
        self._emit = emit
        self._context = context

    def __repr__(self) -> str:
        return f"Compiled({self.key!r}, {', '.join(self.names)})"

    def address(self, name: str | None = None) -> int:
        """Where a function is (the only one by default); valid while this object is alive."""
        if name is None:
            if len(self.names) != 1:
                raise ValueError(f"name one of {', '.join(self.names)}")
            name = self.names[0]
        try:
            return self._entries[name]
        except KeyError:
            raise CompileError(f"kernel {self.key!r} has no function {name!r}") from None

    def extents(self) -> list[tuple[str, int, int]]:
        """Name, address and bytes of each function, what it calls inside of its module included."""
        found = sorted((at, name) for name, at in self._entries.items())
        ends = [at for at, _ in found[1:]] + [self._end or found[-1][0] + UNKNOWN]
        return [(name, at, end - at) for (at, name), end in zip(found, ends, strict=True)]

    def function(
        self, restype: Any, *argtypes: Any, name: str | None = None, gil: bool = False
    ) -> Callable[..., Any]:
        """A ctypes callable that keeps this object alive.

        Parameters
        ----------
        restype, argtypes
            ctypes types.
        name : str, optional
            The function; may be left out when there is one.
        gil : bool
            Keep the GIL during the call (for code that uses CPython's API).
        """
        make = ctypes.PYFUNCTYPE if gil else ctypes.CFUNCTYPE
        f = make(restype, *argtypes)(self.address(name))
        f.owner = self  # type: ignore[attr-defined]
        return cast("Callable[..., Any]", f)

    @property
    def llvm_ir(self) -> str:
        """The IR as emitted."""
        return _text_of(self._emit, self.key, self._context)

    @property
    def optimized_ir(self) -> str:
        """The IR after the passes."""
        return self._context.printed(self.llvm_ir, assembly=False)

    @property
    def assembly(self) -> str:
        """The machine code as assembly text."""
        return self._context.printed(self.llvm_ir, assembly=True)


# ----------------------------------------------------------------- locks and fork


class _Gate:
    """Lets LLVM calls of many threads in, or one fork.

    The forking thread waits until no other thread is inside, and holds llvmlite's own lock, so
    that the child's copies of all locks are free (rule R6).
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.condition = threading.Condition(threading.Lock())
        self.inside: dict[int, int] = {}
        self.forking = 0
        self._foreign: Any = None

    @contextlib.contextmanager
    def enter(self, *, counted: bool = True) -> Iterator[None]:
        me = threading.get_ident()
        with self.condition:
            while self.forking not in (0, me) and me not in self.inside:
                self.condition.wait()
            self.inside[me] = self.inside.get(me, 0) + 1
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            with self.condition:
                self.inside[me] -= 1
                if not self.inside[me]:
                    del self.inside[me]
                    _stats.llvm_seconds += spent if counted else 0.0
                self.condition.notify_all()

    def before_fork(self) -> None:
        me = threading.get_ident()
        with self.condition:
            while self.forking:
                self.condition.wait()
            self.forking = me  # nobody enters from here on
            while any(t != me for t in self.inside):
                self.condition.wait()
        ffi = sys.modules.get("llvmlite.binding.ffi")
        self._foreign = getattr(getattr(ffi, "lib", None), "_lock", None)
        if self._foreign is not None:
            self._foreign.__enter__()
        _lock.acquire()

    def after_fork(self, *, child: bool) -> None:
        _lock.release()
        if self._foreign is not None:
            self._foreign.__exit__(None, None, None)
            self._foreign = None
        if child:
            depth = self.inside.get(threading.get_ident(), 0)
            self._reset()
            if depth:
                self.inside[threading.get_ident()] = depth
            _pending.clear()  # their threads do not exist here
            _turns.forked()
            return
        with self.condition:
            self.forking = 0
            self.condition.notify_all()


class _Pending:
    """A kernel some thread is making."""

    __slots__ = ("done", "error", "owner", "result")

    def __init__(self) -> None:
        self.owner = threading.get_ident()
        self.done = threading.Event()
        self.result: Compiled | None = None
        self.error: BaseException | None = None


_stats = Stats()
_lock = threading.RLock()  # of the tables below; never held while compiling or waiting
_recent: OrderedDict[bytes, Compiled] = OrderedDict()
_alive: weakref.WeakValueDictionary[bytes, Compiled] = weakref.WeakValueDictionary()
_pending: dict[bytes, _Pending] = {}
_contexts: dict[tuple[Options, str | None], _Context] = {}
_gate = _Gate()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_gate.before_fork,
        after_in_parent=lambda: _gate.after_fork(child=False),
        after_in_child=lambda: _gate.after_fork(child=True),
    )


def stats() -> Stats:
    """A copy of the counters."""
    with _lock:
        caches = {id(c.cache): c.cache for c in _contexts.values()}.values()
        return Stats(
            _stats.compiled,
            _stats.loaded_from_disk,
            _stats.memory_hits,
            _stats.llvm_seconds,
            _stats.emit_seconds,
            sum(c.counts.errors for c in caches),
            sum(c.counts.rejected for c in caches),
            sum(c.counts.evicted for c in caches),
            len(_alive),
        )


def clear() -> None:
    """Forget the kernels in memory (those in use stay valid) and set the counters to zero."""
    global _stats
    with _lock:
        _recent.clear()
        _alive.clear()
        _contexts.clear()
        _stats = Stats()


# ----------------------------------------------------------------- the way in


def compile_kernels(
    sources: Mapping[str, Emit], options: Options | None = None
) -> dict[str, Compiled]:
    """Code for every kernel of `sources`, from memory, disk or LLVM.

    Parameters
    ----------
    sources : mapping of key to emit callable or module text
    options : Options, optional

    Returns
    -------
    dict
        Key to `Compiled`, in the order of `sources`.

    Raises
    ------
    CompileError
        A kernel breaks a codegen rule, names an unknown C function, or LLVM refuses it. The
        other kernels are compiled and kept all the same.
    """
    context = _context(options or Options())
    full = {key: context.full_key(key, emit) for key, emit in sources.items()}
    found: dict[str, Compiled] = {}
    mine: dict[str, _Pending] = {}
    others: dict[str, _Pending] = {}
    first: BaseException | None = None
    with _lock:
        for key, digest in full.items():
            hit = _recent.get(digest) or _alive.get(digest)
            if hit is not None:
                _remember(digest, hit)
                if hit._emit is _absent:
                    hit._emit = sources[key]
                _stats.memory_hits += 1
                found[key] = hit
            elif digest in _pending:
                others[key] = _pending[digest]
            else:
                mine[key] = _pending[digest] = _Pending()
    if mine:
        _make({k: (full[k], sources[k]) for k in mine}, mine, context)
    for key, p in (*mine.items(), *others.items()):
        if key in others and p.owner == threading.get_ident():
            raise CompileError(f"emitting kernel {key!r} asks for kernel {key!r}")
        p.done.wait()
        if p.result is not None:
            found[key] = p.result
        elif isinstance(p.error, _Stopped) and key in others:  # its thread was interrupted
            found |= compile_kernels({key: sources[key]}, options)
        else:
            first = first or p.error
    if first is not None:
        raise first
    with _lock:
        _stats.memory_hits += len(others)
    return {key: found[key] for key in sources}


def load_kernels(keys: Iterable[str], options: Options | None = None) -> dict[str, Compiled] | None:
    """Code for every key from memory or disk; None where some is in neither."""
    try:
        return compile_kernels(dict.fromkeys(keys, _absent), options)
    except _Stopped:
        return None


def _absent(module: Any) -> object:
    raise _Stopped("the kernel is not on disk")  # who waits for it makes it


def load_entry(name: str, options: Options | None = None) -> bytes | None:
    """What `store_entry` kept under a name for this CPU and these options."""
    context = _context(options or Options())
    body = context.cache.load(context.full_key(name, "")) if context.cache.enabled else None
    return body[1:] if body is not None and body[:1] == b"P" else None


def store_entry(name: str, body: bytes, options: Options | None = None) -> bool:
    """Keep bytes that are no code in the disk cache; whether that was possible."""
    context = _context(options or Options())
    if not context.cache.enabled:
        return False
    done = context.cache.store(context.full_key(name, ""), b"P" + body)
    context.cache.trim()
    return done


class _Stopped(CompileError):
    """Compilation ended by something that is not a fault of the kernel."""


def _stopped(e: BaseException) -> CompileError:
    error = _Stopped(f"compilation stopped by {type(e).__name__}: {e}")
    error.__cause__ = e
    return error


def _remember(digest: bytes, kernel: Compiled) -> None:
    _recent[digest] = kernel
    _recent.move_to_end(digest)
    while len(_recent) > CAPACITY:
        _recent.popitem(last=False)


def _make(
    wanted: Mapping[str, tuple[bytes, Emit]], pending: Mapping[str, _Pending], context: _Context
) -> None:
    """Fill the pending entries; every one is done when this returns, whatever happens."""
    errors: dict[str, BaseException] = {}
    try:
        loaded = {}
        for key, (digest, emit) in wanted.items():
            if (body := context.cache.load(digest)) is not None:
                loaded[key] = (body, emit)
        made = context.activate(loaded, errors)
        for key in loaded.keys() - made.keys():  # whole, yet of no use here: make it anew
            context.cache.reject(wanted[key][0])
            errors.pop(key, None)
        missing = {k: v for k, v in wanted.items() if k not in made}
        built = context.build(missing, errors)
        fresh = context.activate({k: (b, wanted[k][1]) for k, b in built.items()}, errors)
        with _lock:
            _stats.loaded_from_disk += len(made)
            _stats.compiled += len(fresh)
            for key, kernel in (made | fresh).items():
                pending[key].result = kernel
                _alive[wanted[key][0]] = kernel
                _remember(wanted[key][0], kernel)
    except CompileError as e:
        for key in pending:
            errors.setdefault(key, e)
    except BaseException as e:
        for key in pending:
            errors.setdefault(key, _stopped(e))
        raise
    finally:
        with _lock:
            for key, p in pending.items():
                if p.result is None:
                    p.error = errors.get(key) or CompileError(f"kernel {key!r} was not compiled")
                _pending.pop(wanted[key][0], None)
                p.done.set()


# ----------------------------------------------------------------- symbols


_addresses: dict[str, int] = {}


def _address_of(name: str) -> int:
    """The address of a C function or CPython API object; raises when there is none."""
    if name in _addresses:
        return _addresses[name]
    for library in _LIBRARIES:
        try:
            lib = ctypes.PyDLL(None) if not library else ctypes.CDLL(library)
            address = ctypes.cast(getattr(lib, name), ctypes.c_void_p).value
        except (OSError, AttributeError, TypeError):
            continue
        if address:
            return _addresses.setdefault(name, address)
    try:
        address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    except AttributeError:
        address = None
    if not address:
        raise CompileError(f"the C function {name!r} does not exist in this process")
    return _addresses.setdefault(name, address)


# ----------------------------------------------------------------- one configuration


class _Machine(NamedTuple):
    """LLVM objects one thread uses at a time."""

    target: Any
    layout: str


def emitted(emit: Emit, owner: Compiled, trail: object) -> str:
    """The IR of a kernel whose instructions know their statements."""
    return _text_of(emit, owner.key, owner._context, trail)


def _text_of(emit: Emit, key: str, context: _Context, trail: object = None) -> str:
    if isinstance(emit, str):
        return emit
    from llvmlite import ir

    module = ir.Module("kernel")
    module.trail = trail
    module.triple = context.cpu.triple
    try:
        emit(module)
    except (CompileError, KeyboardInterrupt):
        raise
    except Exception as e:
        raise CompileError(f"emitting kernel {key!r} failed: {type(e).__name__}: {e}") from e
    return str(module)


def _context(options: Options) -> _Context:
    cache = open_cache(options.cache_dir, options.cache_limit)
    at = (options, cache.directory)
    context = _contexts.get(at)
    if context is None:
        with _gate.enter(counted=False):  # it may import llvmlite
            made = _Context(options, cache)
        with _lock:
            context = _contexts.setdefault(at, made)
    return context


class _Context:
    """All that options and host decide: the key prefix, the cache, the target machines."""

    def __init__(self, options: Options, cache: Cache) -> None:
        self.options = options
        self.cache = cache
        self.cpu = _trusted(host(options.level, cache), cache)
        self.allowed = frozenset((*EXTERNS, *options.extern_names))
        settings = (FORMAT, options.opt, options.version, options.salt, options.extern_names)
        self._prefix = hashlib.sha256(f"{self.cpu.identity}\n{settings!r}\n".encode())
        self._idle: list[_Machine] = []

    def full_key(self, key: str, emit: Emit) -> bytes:
        h = self._prefix.copy()
        h.update(key.encode())
        if isinstance(emit, str):
            h.update(b"\0" + emit.encode())
        return h.digest()

    # --------------------------------------------------------- compile

    def build(
        self, wanted: Mapping[str, tuple[bytes, Emit]], errors: dict[str, BaseException]
    ) -> dict[str, bytes]:
        """Emit in this thread, compile in several; errors go to `errors`."""
        if not wanted:
            return {}
        _prepare_llvm()
        from graphc.runtime.llvm.lint import lint

        threads = self.options.threads or min(8, self.cpu.cores)
        work = _Workers(self.body_of, min(threads, len(wanted)))
        spent = 0.0
        with _turns.quick():
            try:
                for key, (_, emit) in wanted.items():
                    start = time.perf_counter()
                    try:
                        text = _text_of(emit, key, self)
                        lint(text, self.allowed)
                    except CompileError as e:
                        errors[key] = e
                        continue
                    finally:
                        spent += time.perf_counter() - start
                    work.submit(key, text)
            except BaseException:
                work.cancel()
                raise
            finally:
                work.finish()
                with _lock:
                    _stats.emit_seconds += spent
        errors.update(work.errors)
        for key, body in work.results.items():
            self.cache.store(wanted[key][0], body)
        self.cache.trim()
        return work.results

    def body_of(self, text: str) -> bytes:
        """Compile a module to what the cache holds: a flat block where possible, else an object."""
        obj = self.object_of(text)
        if load.supported():
            try:
                flat = load.flatten(obj)
            except load.Unsupported:
                pass
            else:
                self.check_externs(flat)
                return b"F" + flat.dump()
        return b"O" + "\n".join(_defined(text)).encode() + b"\0" + obj

    def object_of(self, text: str) -> bytes:
        """Parse, verify, optimise and generate code: all of LLVM's work."""
        with _gate.enter():
            machine = self.machine()
            try:
                with _parsed(text, machine) as module:
                    self.optimize(module, machine, text)
                    return _emit_object(machine.target, module)
            finally:
                self._idle.append(machine)

    def machine(self) -> _Machine:
        from llvmlite import binding

        with contextlib.suppress(IndexError):
            return self._idle.pop()
        target = binding.Target.from_triple(self.cpu.triple).create_target_machine(
            cpu=self.cpu.name,
            features=self.cpu.features,
            opt=2 if self.options.opt else 0,
            reloc="pic",
            codemodel="small",
        )
        return _Machine(target, str(target.target_data))

    def optimize(self, module: Any, machine: _Machine, text: str) -> None:
        """Few passes: the emitted IR is already vectors in the order wanted."""
        if not self.options.opt:
            return
        from llvmlite import binding

        tuning = binding.create_pipeline_tuning_options(speed_level=2)
        tuning.loop_vectorization = tuning.slp_vectorization = False
        tuning.loop_unrolling = tuning.loop_interleaving = False
        builder = binding.create_pass_builder(machine.target, tuning)
        passes = binding.create_new_module_pass_manager()
        if "alwaysinline" in text:
            passes.add_always_inliner_pass()
            passes.add_global_dead_code_eliminate_pass()
        if " alloca " in text:
            passes.add_sroa_pass()
        passes.add_instruction_combine_pass()
        try:
            _unlocked("LLVMPY_RunNewModulePassManager")(passes, module, builder)
        finally:
            passes.close()
            builder.close()
            tuning.close()

    def printed(self, text: str, *, assembly: bool) -> str:
        """Optimised IR or assembly of a module, for dumps."""
        _prepare_llvm()
        with _gate.enter():
            machine = self.machine()
            try:
                with _parsed(text, machine) as module:
                    self.optimize(module, machine, text)
                    return str(machine.target.emit_assembly(module) if assembly else module)
            finally:
                self._idle.append(machine)

    def check_externs(self, flat: load.Flat) -> None:
        for _, name in flat.slots:
            if name[0] == "+":
                continue
            if name not in self.allowed and name not in _RUNTIME:
                raise CompileError(f"undeclared external {name!r}: not in the list of C functions")
            _address_of(name)

    # --------------------------------------------------------- load

    def activate(
        self, bodies: Mapping[str, tuple[bytes, Emit]], errors: dict[str, BaseException]
    ) -> dict[str, Compiled]:
        """Map code into memory: flat blocks together, objects through LLVM's linker."""
        made: dict[str, Compiled] = {}
        flats: dict[str, load.Flat] = {}
        for key, (body, emit) in bodies.items():
            try:
                if body[:1] == b"F":
                    flat = load.Flat.parse(body[1:])
                    self.check_externs(flat)
                    flats[key] = flat
                else:
                    entries, engine = self.link(body[1:])
                    made[key] = Compiled(key, entries, engine, emit, self)
            except (CompileError, ValueError) as e:
                errors[key] = e if isinstance(e, CompileError) else CompileError(str(e))
        if flats:
            names = {name for f in flats.values() for _, name in f.slots if name[0] != "+"}
            try:
                image = load.Image(list(flats.values()), {n: _address_of(n) for n in names})
            except OSError as e:
                raise CompileError(f"cannot map code: {e}") from e
            for key, entries, end in zip(flats, image.entries, image.ends, strict=True):
                made[key] = Compiled(key, entries, image, bodies[key][1], self, end)
        return made

    def link(self, body: bytes) -> tuple[dict[str, int], object]:
        """Link an object with ORC; it sees the symbols given here and no others."""
        _prepare_llvm()
        from llvmlite import binding

        table, _, obj = body.partition(b"\0")
        defined = table.decode().split("\n")
        with _gate.enter():
            linker = _linkers.get(self.cpu.identity)
            if linker is None:
                machine = self.machine()
                linker = _linkers[self.cpu.identity] = binding.create_lljit_compiler(
                    machine.target, use_jit_link=sys.platform != "win32", suppress_errors=True
                )
                self._idle.append(machine)
            builder = binding.JITLibraryBuilder().add_object_img(obj)
            for name in (*self.allowed, *_RUNTIME):
                with contextlib.suppress(CompileError):
                    builder.import_symbol(name, _address_of(name))
            for name in defined:
                builder.export_symbol(name)
            try:
                tracker = builder.link(linker, f"k{next(_serial)}")
            except RuntimeError as e:
                raise CompileError(f"LLVM could not link a kernel: {e}") from e
            return {name: tracker[name] for name in defined}, tracker


# ----------------------------------------------------------------- LLVM


def _prepare_llvm() -> None:
    """Import llvmlite and start its code generator, once, with no fork in between."""
    global _prepared
    if _prepared:
        return
    with _gate.enter():
        from llvmlite import binding

        from graphc.runtime.llvm import lint  # noqa: F401

        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        _prepared = True


_prepared = False
_serial = itertools.count()
_linkers: dict[str, Any] = {}  # never closed: what they linked must go first, in any order of gc


def _unlocked(name: str) -> Callable[..., Any]:
    """An LLVM call without llvmlite's global lock, so that threads compile side by side.

    Each thread has its own LLVM context, target machine and pass objects, which is what LLVM
    asks for. Where llvmlite hides the plain function, its locked form does.
    """
    from llvmlite.binding import ffi

    wrapper = getattr(ffi.lib, name)
    return cast("Callable[..., Any]", getattr(wrapper, "_cfn", wrapper))


@contextlib.contextmanager
def _parsed(text: str, machine: _Machine) -> Iterator[Any]:
    """A verified module in a context of its own, both closed here in the order LLVM needs."""
    from llvmlite import binding

    owner = binding.create_context()
    try:
        try:
            module = binding.parse_assembly(text, owner)
        except (RuntimeError, UnicodeError) as e:
            raise CompileError(f"LLVM refuses a kernel: {e}") from e
        try:
            module.data_layout = machine.layout
            for f in module.functions:  # C functions are called as written: no folding, no merging
                if f.is_declaration and not f.name.startswith("llvm."):
                    f.add_function_attribute("nobuiltin")
            try:
                module.verify()
            except RuntimeError as e:
                raise CompileError(f"LLVM refuses a kernel: {e}") from e
            yield module
        finally:
            module.close()
    finally:
        owner.close()


def _emit_object(target: Any, module: Any) -> bytes:
    from llvmlite.binding import ffi

    with ffi.OutputString() as message:
        buffer = _unlocked("LLVMPY_TargetMachineEmitToMemory")(target, module, 1, message)
        if not buffer:
            raise CompileError(f"LLVM cannot generate code: {message}")
    try:
        start, size = ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
        return ctypes.string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def _defined(text: str) -> list[str]:
    """The functions a module exports."""
    found = re.findall(r'^define\b([^@\n]*)@("[^"]*"|[\w.$-]+)', text, re.M)
    return [n.strip('"') for head, n in found if not re.search(r"\b(internal|private)\b", head)]


class _Turns:
    """Short turns of the GIL while kernels are made.

    A compiling thread needs the GIL for an instant between any two calls of LLVM. The thread that
    emits kernels would keep it for 5 ms each time, and the other core would mostly wait.
    """

    SECONDS = 2e-4

    def __init__(self) -> None:
        self.users = 0
        self.before = 0.0

    @contextlib.contextmanager
    def quick(self) -> Iterator[None]:
        with _lock:
            if not self.users:
                self.before = sys.getswitchinterval()
                sys.setswitchinterval(min(self.before, self.SECONDS))
            self.users += 1
        try:
            yield
        finally:
            with _lock:
                self.users = max(0, self.users - 1)  # 0 before in a child forked inside
                if not self.users:
                    sys.setswitchinterval(self.before)

    def forked(self) -> None:
        """In a child the other threads that make kernels do not exist."""
        if self.users:
            self.users = 0
            sys.setswitchinterval(self.before)


_turns = _Turns()


class _Workers:
    """Runs `work(text)` for the texts submitted, in this thread and some helpers.

    The longest text comes first: what is left for the end is short, and all end together.
    """

    def __init__(self, work: Callable[[str], bytes], threads: int) -> None:
        self.work = work
        self.results: dict[str, bytes] = {}
        self.errors: dict[str, BaseException] = {}
        self._ready = threading.Condition()
        self._queue: list[tuple[int, str, str]] = []  # a heap, by length
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._spare = threads - 1

    def submit(self, key: str, text: str) -> None:
        with self._ready:
            heapq.heappush(self._queue, (-len(text), key, text))
            self._ready.notify()
        if self._spare > 0:
            self._spare -= 1
            helper = threading.Thread(target=self._run, name="graphc-compile")
            try:
                helper.start()
            except RuntimeError:  # no more threads: this one does all
                self._spare = 0
            else:
                self._threads.append(helper)

    def cancel(self) -> None:
        with self._ready:
            self._queue.clear()

    def finish(self) -> None:
        """Do what is left and wait for the helpers."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()
        try:
            self._run()
        finally:
            self.cancel()
            for t in self._threads:
                t.join()

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._queue and not self._closed:
                    self._ready.wait()
                if not self._queue:
                    return
                _, key, text = heapq.heappop(self._queue)
            try:
                self.results[key] = self.work(text)
            except CompileError as e:
                self.errors[key] = e
            except Exception as e:
                self.errors[key] = _stopped(e)


# ----------------------------------------------------------------- self-test (rule R8)


def _trusted(cpu: Cpu, cache: Cache) -> Cpu:
    """The CPU, at a lower level where a child process died of the code made for it.

    On Linux the kernel and LLVM agree on every feature used, so nothing is run. Elsewhere, a small
    kernel runs in a child process once; the result stays in the disk cache.
    """
    while not cpu.checked and cpu.level not in ("", LEVELS[0]) and _CHILD not in os.environ:
        key = hashlib.sha256(f"graphc self-test\n{cpu.identity}".encode()).digest()
        known = cache.load(key)
        if known is None:
            known = b"good" if self_test(cpu.level) else b"bad"
            cache.store(key, known)
        if known != b"bad":
            break
        cpu = host(LEVELS[LEVELS.index(cpu.level) - 1], cache)
    return cpu


_CHILD = "GRAPHC_SELF_TEST"


def self_test(level: str) -> bool:
    """Compile and run a kernel of a level in a child process; False when it dies or is wrong.

    Parameters
    ----------
    level : str
        One of `cpu.LEVELS`.

    Returns
    -------
    bool
        True also when no child can be started: then nothing is known against the level.
    """
    import subprocess

    code = f"from graphc.runtime.llvm import jit; jit._self_test_child({level!r})"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, _CHILD: "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return True
    return done.returncode >= 0 and done.returncode != _WRONG


_WRONG = 77
_SELF_TEST = """
declare <{n} x float> @llvm.fma.v{n}f32(<{n} x float>, <{n} x float>, <{n} x float>)
define i32 @probe(ptr %p) {{
entry:
  %x = load <{n} x float>, ptr %p, align 4
  %y = call <{n} x float> @llvm.fma.v{n}f32(<{n} x float> %x, <{n} x float> %x, <{n} x float> %x)
  %c = fcmp ogt <{n} x float> %y, %x
  %d = fdiv <{n} x float> %y, %x
  %s = select <{n} x i1> %c, <{n} x float> %d, <{n} x float> %x
  %h = fptrunc <{n} x float> %s to <{n} x half>
  %f = fpext <{n} x half> %h to <{n} x float>
  %i = bitcast <{n} x float> %f to <{n} x i32>
  %j = mul <{n} x i32> %i, %i
  %k = xor <{n} x i32> %j, %i
  store <{n} x i32> %k, ptr %p, align 4
  ret i32 0
}}
"""


def _self_test_child(level: str) -> None:
    options = Options(level=level, cache_dir="")
    lanes = {"avx512": 16, "avx2": 8}.get(level, 4)
    kernel = compile_kernels({"probe": _SELF_TEST.format(n=lanes)}, options)["probe"]
    values = (ctypes.c_float * lanes)(*(k - 2.5 for k in range(lanes)))
    kernel.function(ctypes.c_int32, ctypes.c_void_p)(values)
    got = list((ctypes.c_uint32 * lanes).from_buffer(values))
    for k, v in enumerate(got):
        x = k - 2.5
        y = x * x + x
        bits = struct.unpack("<I", struct.pack("<f", y / x if y > x else x))[0]
        if v != ((bits * bits) ^ bits) & 0xFFFFFFFF:
            sys.exit(_WRONG)
