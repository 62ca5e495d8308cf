"""Products of matrices between pages that fault: the harness of their tests."""

from __future__ import annotations

import ctypes
import mmap
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from graphc.ir.dtypes import DType
from graphc.runtime.llvm.cpu import host
from graphc.runtime.llvm.gemm import Gemm, Target
from graphc.runtime.llvm.lint import lint

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()
HOST = llvm.get_host_cpu_features()
WIDE = Target(64) if HOST.get("avx512f") else Target(32) if HOST.get("avx2") else Target(16, False)
PAIRS = WIDE._replace(has_bf16=True) if host().has_bf16 else None
AVX2 = Target(32, True)
SSE2 = Target(16, False)
CALL = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64
)
KEEP: list[Any] = []
PAGE = mmap.PAGESIZE
LIBC = ctypes.CDLL(None, use_errno=True)


# ----------------------------------------------------------------- compiling and calling


def _machine(target: Target) -> Any:
    if target.vector_bytes == WIDE.vector_bytes:
        cpu, features = llvm.get_host_cpu_name(), HOST.flatten()
    else:
        cpu, features = ("x86-64-v3", "") if target.vector_bytes == 32 else ("x86-64", "")
    triple = llvm.Target.from_default_triple()
    return triple.create_target_machine(cpu=cpu, features=features, opt=1)


def assembly(g: Gemm, kernel: str) -> str:
    """The instructions of a kernel without epilogue."""
    return str(_machine(g.target).emit_assembly(llvm.parse_assembly(text_of(g, kernel))))


def text_of(g: Gemm, kernel: str) -> str:
    """What is emitted of a kernel without epilogue."""
    module = ir.Module("gemm")
    g.emit(module, "kernel", kernel)
    return str(module)


@cache
def compiled(g: Gemm, kernel: str, epilogue: Any = None) -> Any:
    module = ir.Module("gemm")
    g.emit(module, "kernel", kernel, epilogue(g) if epilogue else None)
    text = str(module)
    lint(text)
    parsed = llvm.parse_assembly(text)
    parsed.verify()
    machine = _machine(g.target)
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
    for f in parsed.functions:
        if not f.is_declaration:
            passes.run(f, builder)
    engine = llvm.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    KEEP.append((engine, parsed))
    return CALL(engine.get_function_address("kernel"))


def guarded(shape: Sequence[int], dtype: Any, high: bool) -> np.ndarray[Any, Any]:
    """An array that ends (`high`) or begins at a page that faults."""
    count = int(np.prod(shape))
    size = count * np.dtype(dtype).itemsize
    pages = -(-max(size, 1) // PAGE)
    m = mmap.mmap(-1, (pages + 2) * PAGE)
    base = ctypes.addressof(ctypes.c_char.from_buffer(m))
    for at in (base, base + (pages + 1) * PAGE):
        assert LIBC.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(PAGE), 0) == 0
    start = PAGE + (pages * PAGE - size if high else 0)
    return np.frombuffer(m, dtype, count, start).reshape(tuple(shape))


HALF = {"f16": np.float16, "bf16": np.uint16}


def storage(dtype: DType) -> Any:
    return HALF.get(dtype.code, dtype.as_numpy_dtype)


def values(rng: Any, shape: Sequence[int], dtype: DType) -> Any:
    if dtype.kind == "i":
        return rng.integers(-(2**31), 2**31, shape).astype(dtype.as_numpy_dtype)
    x = rng.standard_normal(shape).astype(np.float32)
    if dtype.code == "bf16":
        return (x.view(np.uint32) >> 16).astype(np.uint16)
    return x.astype(storage(dtype))


def wide(x: np.ndarray[Any, Any], dtype: DType) -> Any:
    if dtype.code == "bf16":
        return (x.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return x.astype(np.float64) if dtype.kind == "f" else x


class Product:
    """One product with its operands between guard pages."""

    def __init__(
        self, g: Gemm, m: int, n: int, k: int, batch: int = 1, *, high: bool = True,
        threads: int = 1, epilogue: Any = None, extra: Sequence[int] = (), kernel: Any = None,
        a: Any = None, b: Any = None, out: Any = None, a_shared: bool = False,
        b_shared: bool = False,
    ) -> None:  # fmt: skip
        rng = np.random.default_rng(m * 7919 + n * 104729 + k)
        self.g = g
        self.sizes = (batch, m, n, k)
        sa = (1 if a_shared else batch, *((k, m) if g.ta else (m, k)))
        sb = (1 if b_shared else batch, *((n, k) if g.tb else (k, n)))
        self.a = guarded(sa, storage(g.dtype), high)
        self.b = guarded(sb, storage(g.dtype), high)
        self.a[...] = values(rng, sa, g.dtype) if a is None else a
        self.b[...] = values(rng, sb, g.dtype) if b is None else b
        self.out = [guarded((batch, m, n), storage(t), high) for t in g.stored]
        for i, o in enumerate(self.out):
            o[...] = 77 if out is None else out[i]
        self.plan = g.plan(
            m, n, k, batch, threads, kernel=kernel, a_shared=a_shared, b_shared=b_shared
        )
        scratch = guarded([self.plan.scratch + 64], np.uint8, True)
        packed = guarded([self.plan.packed + 64], np.uint8, True)
        self.keep = scratch, packed
        self.words = np.array(
            g.words(
                self.plan, self.a.ctypes.data, self.b.ctypes.data, self._align(scratch),
                [o.ctypes.data for o in self.out], extra, packed=self._align(packed),
            ),
            np.int64,
        )  # fmt: skip
        self.run(epilogue, threads)

    @staticmethod
    def _align(x: np.ndarray[Any, Any]) -> int:
        end = x.ctypes.data + x.size  # a page, so the last 64-byte line ends there
        return int(end - (x.size - 64) & -64)

    def run(self, epilogue: Any, threads: int) -> None:
        for phase in self.plan.phases:
            f = compiled(self.g, phase.kernel, epilogue)
            cuts = [phase.units * t // threads for t in range(threads + 1)]
            table = self.words.ctypes.data

            def work(w: int, f: Any = f, cuts: Any = cuts, table: int = table) -> None:
                assert f(table, cuts[w], cuts[w + 1], w) == 0

            others = [threading.Thread(target=work, args=(w,)) for w in range(1, threads)]
            for t in others:
                t.start()
            work(0)
            for t in others:
                t.join()

    def reference(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The product and the sum of absolute terms."""
        a, b = wide(self.a, self.g.dtype), wide(self.b, self.g.dtype)
        a = a.swapaxes(1, 2) if self.g.ta else a
        b = b.swapaxes(1, 2) if self.g.tb else b
        with np.errstate(over="ignore", invalid="ignore"):
            return a @ b, np.abs(a) @ np.abs(b)

    def check(self) -> None:
        want, terms = self.reference()
        got = wide(self.out[0], self.g.stored[0])
        if self.g.dtype.kind == "i":
            np.testing.assert_array_equal(got, want)
            return
        eps = np.finfo(self.g.acc.as_numpy_dtype).eps
        bound = (4 + 2 * np.log2(max(self.sizes[3], 1))) * eps * terms
        if self.g.dtype is not self.g.acc:  # and the rounding of the stored result
            bound = bound + np.abs(want) * (2.0**-11 if self.g.dtype.code == "f16" else 2.0**-8)
        bad = np.abs(got - want) > bound
        assert not bad.any(), (self.g, self.sizes, self.plan, np.argwhere(bad)[:4])


def able(g: Gemm, m: int, n: int, k: int = 2) -> Iterator[str]:
    """The kernels that can do this shape."""
    yield from ("local", "packed")
    if not g.tb and (g.pair == 1 or not (g.ta or k % 2)):
        yield "direct"
    if m == 1:
        yield "dot_row" if g.tb else "thin"
    if n == 1:
        yield "thin_col" if g.ta else "dot_col"
    if g.tb and not g.ta:
        yield "dot"
