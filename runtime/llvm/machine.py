"""Calls of LLVM: parse and verify a module, make an object of it."""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

from graphc.errors import CompileError
from graphc.runtime.llvm.gate import gate

__all__ = ["Machine", "defined_in", "emit_object", "parsed", "prepare_llvm", "unlocked"]


# ----------------------------------------------------------------- one configuration


class Machine(NamedTuple):
    """LLVM objects one thread uses at a time."""

    target: Any
    layout: str


# ----------------------------------------------------------------- LLVM


def prepare_llvm() -> None:
    """Import llvmlite and start its code generator, once, with no fork in between."""
    global _prepared
    if _prepared:
        return
    with gate.enter():
        from llvmlite import binding

        from graphc.runtime.llvm import lint  # noqa: F401

        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        _prepared = True


_prepared = False


def unlocked(name: str) -> Callable[..., Any]:
    """An LLVM call without llvmlite's global lock, so that threads compile side by side.

    Each thread has its own LLVM context, target machine and pass objects, which is what LLVM
    asks for. Where llvmlite hides the plain function, its locked form does.
    """
    from llvmlite.binding import ffi

    wrapper = getattr(ffi.lib, name)
    return cast("Callable[..., Any]", getattr(wrapper, "_cfn", wrapper))


@contextlib.contextmanager
def parsed(text: str, machine: Machine) -> Iterator[Any]:
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


def emit_object(target: Any, module: Any) -> bytes:
    from llvmlite.binding import ffi

    with ffi.OutputString() as message:
        buffer = unlocked("LLVMPY_TargetMachineEmitToMemory")(target, module, 1, message)
        if not buffer:
            raise CompileError(f"LLVM cannot generate code: {message}")
    try:
        start, size = ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
        return ctypes.string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def defined_in(text: str) -> list[str]:
    """The functions a module exports."""
    found = re.findall(r'^define\b([^@\n]*)@("[^"]*"|[\w.$-]+)', text, re.M)
    return [n.strip('"') for head, n in found if not re.search(r"\b(internal|private)\b", head)]
