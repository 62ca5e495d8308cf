"""One kernel from IR to code in memory, under one set of options."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import itertools
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from graphc.errors import CompileError
from graphc.runtime.llvm import load
from graphc.runtime.llvm.cache import Cache
from graphc.runtime.llvm.cpu import host
from graphc.runtime.llvm.gate import gate
from graphc.runtime.llvm.kernel_options import EXTERNS, FORMAT, Emit, Options
from graphc.runtime.llvm.machine import (
    Machine,
    defined_in,
    emit_object,
    parsed,
    prepare_llvm,
    unlocked,
)
from graphc.runtime.llvm.self_test import trusted
from graphc.runtime.llvm.shared import counts, lock
from graphc.runtime.llvm.workers import Workers, turns

__all__ = ["Compiled", "Context", "address_of", "emitted", "text_of"]


_RUNTIME = ("__truncdfhf2", "__truncsfhf2", "__extendhfsf2", "__truncsfbf2", "__truncdfbf2")
_LIBRARIES = ("", "libm.so.6", "libgcc_s.so.1")


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
        self, key: str, entries: dict[str, int], engine: object, emit: Emit, context: Context,
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
        return text_of(self._emit, self.key, self._context)

    @property
    def optimized_ir(self) -> str:
        """The IR after the passes."""
        return self._context.printed(self.llvm_ir, assembly=False)

    @property
    def assembly(self) -> str:
        """The machine code as assembly text."""
        return self._context.printed(self.llvm_ir, assembly=True)


# ----------------------------------------------------------------- symbols


_addresses: dict[str, int] = {}


def address_of(name: str) -> int:
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


def emitted(emit: Emit, owner: Compiled, trail: object) -> str:
    """The IR of a kernel whose instructions know their statements."""
    return text_of(emit, owner.key, owner._context, trail)


def text_of(emit: Emit, key: str, context: Context, trail: object = None) -> str:
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


class Context:
    """All that options and host decide: the key prefix, the cache, the target machines."""

    def __init__(self, options: Options, cache: Cache) -> None:
        self.options = options
        self.cache = cache
        self.cpu = trusted(host(options.level, cache), cache)
        self.allowed = frozenset((*EXTERNS, *options.extern_names))
        settings = (FORMAT, options.opt, options.version, options.salt, options.extern_names)
        self._prefix = hashlib.sha256(f"{self.cpu.identity}\n{settings!r}\n".encode())
        self._idle: list[Machine] = []

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
        prepare_llvm()
        from graphc.runtime.llvm.lint import lint

        threads = self.options.threads or min(8, self.cpu.cores)
        work = Workers(self.body_of, min(threads, len(wanted)))
        spent = 0.0
        with turns.quick():
            try:
                for key, (_, emit) in wanted.items():
                    start = time.perf_counter()
                    try:
                        text = text_of(emit, key, self)
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
                with lock:
                    counts.emit_seconds += spent
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
        return b"O" + "\n".join(defined_in(text)).encode() + b"\0" + obj

    def object_of(self, text: str) -> bytes:
        """Parse, verify, optimise and generate code: all of LLVM's work."""
        with gate.enter():
            machine = self.machine()
            try:
                with parsed(text, machine) as module:
                    self.optimize(module, machine, text)
                    return emit_object(machine.target, module)
            finally:
                self._idle.append(machine)

    def machine(self) -> Machine:
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
        return Machine(target, str(target.target_data))

    def optimize(self, module: Any, machine: Machine, text: str) -> None:
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
            unlocked("LLVMPY_RunNewModulePassManager")(passes, module, builder)
        finally:
            passes.close()
            builder.close()
            tuning.close()

    def printed(self, text: str, *, assembly: bool) -> str:
        """Optimised IR or assembly of a module, for dumps."""
        prepare_llvm()
        with gate.enter():
            machine = self.machine()
            try:
                with parsed(text, machine) as module:
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
            address_of(name)

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
                image = load.Image(list(flats.values()), {n: address_of(n) for n in names})
            except OSError as e:
                raise CompileError(f"cannot map code: {e}") from e
            for key, entries, end in zip(flats, image.entries, image.ends, strict=True):
                made[key] = Compiled(key, entries, image, bodies[key][1], self, end)
        return made

    def link(self, body: bytes) -> tuple[dict[str, int], object]:
        """Link an object with ORC; it sees the symbols given here and no others."""
        prepare_llvm()
        from llvmlite import binding

        table, _, obj = body.partition(b"\0")
        defined = table.decode().split("\n")
        with gate.enter():
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
                    builder.import_symbol(name, address_of(name))
            for name in defined:
                builder.export_symbol(name)
            try:
                tracker = builder.link(linker, f"k{next(_serial)}")
            except RuntimeError as e:
                raise CompileError(f"LLVM could not link a kernel: {e}") from e
            return {name: tracker[name] for name in defined}, tracker


_serial = itertools.count()
_linkers: dict[str, Any] = {}  # never closed: what they linked must go first, in any order of gc
