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

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from graphc.errors import CompileError
from graphc.runtime.llvm.cache import open_cache
from graphc.runtime.llvm.cpu import asked
from graphc.runtime.llvm.gate import gate
from graphc.runtime.llvm.kernel_options import Emit, Options
from graphc.runtime.llvm.native_code import Compiled, Context
from graphc.runtime.llvm.shared import Pending, Stats, being_made, counts, lock
from graphc.runtime.llvm.workers import Stopped, stopped

__all__ = [
    "CompileError", "clear", "compile_kernels",
    "load_entry", "load_kernels", "stats", "store_entry",
]  # fmt: skip
CAPACITY = 4096  # kernels kept in memory for callers that do not hold them


_recent: OrderedDict[bytes, Compiled] = OrderedDict()
_alive: weakref.WeakValueDictionary[bytes, Compiled] = weakref.WeakValueDictionary()
_contexts: dict[tuple[Options, str, str | None], Context] = {}

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=gate.before_fork,
        after_in_parent=lambda: gate.after_fork(child=False),
        after_in_child=lambda: gate.after_fork(child=True),
    )


def stats() -> Stats:
    """A copy of the counters."""
    with lock:
        caches = {id(c.cache): c.cache for c in _contexts.values()}.values()
        return Stats(
            counts.compiled,
            counts.loaded_from_disk,
            counts.memory_hits,
            counts.llvm_seconds,
            counts.emit_seconds,
            sum(c.counts.errors for c in caches),
            sum(c.counts.rejected for c in caches),
            sum(c.counts.evicted for c in caches),
            len(_alive),
        )


def clear() -> None:
    """Forget the kernels in memory (those in use stay valid) and set the counters to zero."""
    with lock:
        _recent.clear()
        _alive.clear()
        _contexts.clear()
        counts.reset()


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
    mine: dict[str, Pending] = {}
    others: dict[str, Pending] = {}
    first: BaseException | None = None
    with lock:
        for key, digest in full.items():
            hit = _recent.get(digest) or _alive.get(digest)
            if hit is not None:
                _remember(digest, hit)
                if hit._emit is _absent:
                    hit._emit = sources[key]
                counts.memory_hits += 1
                found[key] = hit
            elif digest in being_made:
                others[key] = being_made[digest]
            else:
                mine[key] = being_made[digest] = Pending()
    if mine:
        _make({k: (full[k], sources[k]) for k in mine}, mine, context)
    for key, p in (*mine.items(), *others.items()):
        if key in others and p.owner == threading.get_ident():
            raise CompileError(f"emitting kernel {key!r} asks for kernel {key!r}")
        p.done.wait()
        if p.result is not None:
            found[key] = p.result
        elif isinstance(p.error, Stopped) and key in others:  # its thread was interrupted
            found |= compile_kernels({key: sources[key]}, options)
        else:
            first = first or p.error
    if isinstance(first, Stopped) and isinstance(first.__cause__, MemoryError):
        raise first.__cause__
    if first is not None:
        raise first
    with lock:
        counts.memory_hits += len(others)
    return {key: found[key] for key in sources}


def load_kernels(keys: Iterable[str]) -> dict[str, Compiled] | None:
    """Code for every key from memory or disk; None where some is in neither."""
    try:
        return compile_kernels(dict.fromkeys(keys, _absent))
    except Stopped:
        return None


def _absent(module: Any) -> object:
    raise Stopped("the kernel is not on disk")  # who waits for it makes it


def load_entry(name: str) -> bytes | None:
    """What `store_entry` kept under a name for this CPU."""
    context = _context(Options())
    body = context.cache.load(context.full_key(name, "")) if context.cache.enabled else None
    return body[1:] if body is not None and body[:1] == b"P" else None


def store_entry(name: str, body: bytes) -> bool:
    """Keep bytes that are no code in the disk cache; whether that was possible."""
    context = _context(Options())
    if not context.cache.enabled:
        return False
    done = context.cache.store(context.full_key(name, ""), b"P" + body)
    context.cache.trim()
    return done


def _remember(digest: bytes, kernel: Compiled) -> None:
    _recent[digest] = kernel
    _recent.move_to_end(digest)
    while len(_recent) > CAPACITY:
        _recent.popitem(last=False)


def _make(
    wanted: Mapping[str, tuple[bytes, Emit]], pending: Mapping[str, Pending], context: Context
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
        with lock:
            counts.loaded_from_disk += len(made)
            counts.compiled += len(fresh)
            for key, kernel in (made | fresh).items():
                pending[key].result = kernel
                _alive[wanted[key][0]] = kernel
                _remember(wanted[key][0], kernel)
    except CompileError as e:
        for key in pending:
            errors.setdefault(key, e)
    except BaseException as e:
        for key in pending:
            errors.setdefault(key, stopped(e))
        raise
    finally:
        with lock:
            for key, p in pending.items():
                if p.result is None:
                    p.error = errors.get(key) or CompileError(f"kernel {key!r} was not compiled")
                being_made.pop(wanted[key][0], None)
                p.done.set()


def _context(options: Options) -> Context:
    cache = open_cache(options.cache_dir, options.cache_limit)
    at = (options, asked(options.level), cache.directory)
    context = _contexts.get(at)
    if context is None:
        with gate.enter(counted=False):  # it may import llvmlite
            made = Context(options, cache)
        with lock:
            context = _contexts.setdefault(at, made)
    return context
