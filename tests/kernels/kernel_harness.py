"""Running a kernel natively on guarded memory and as plain loops, and comparing the two."""

from __future__ import annotations

import ctypes
import functools
import itertools
import mmap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from kernel_interp import Interpreter, run_kernel

from graphc.ir.dims import evaluate
from graphc.ir.kernel import Kernel, scratch_stride
from graphc.ir.kernel_parse import parse_kernel
from graphc.ir.kernel_text import print_kernel
from graphc.runtime.llvm.indexing import Ramp
from graphc.runtime.llvm.jit import compile_kernels
from graphc.runtime.llvm.kernel_options import Options
from graphc.runtime.llvm.values import V
from graphc.runtime.llvm.walk import Walk, emit_kernel

SIZES = (0, 1, 2, 15, 16, 17, 31, 33, 63, 65, 127, 128, 129, 255, 257)

SCALAR: dict[str, Any] = {
    "add": lambda k, x, y: x + y,
    "sub": lambda k, x, y: x - y,
    "mul": lambda k, x, y: x * y,
    "less": lambda k, x, y: x < y,
    "maximum": lambda k, x, y: k.maximum(x, y),
    "neg": lambda k, x: -x,
    "scale": lambda k, x, by: x * by,
}
NUMPY: dict[str, Any] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "less": lambda x, y: x < y,
    "maximum": np.maximum,
    "neg": lambda x: -x,
    "scale": lambda x, by: x * type(x)(by),
}


def _doubled(w: Walk, s: Any) -> None:
    """template doubled(x, y; n): y[i] = epilogue(2 * x[i]), in vectors of 16."""
    k = w.k
    x, y = s.buffers
    dtype = w.buffers[x].dtype
    n = w.uniform(s.sizes[0])
    with k.loop(0, n, 16) as p:
        mask = w.first(n - p.i, 16)
        v: V = k.load(w.pointers[x], p.i, dtype, 16, mask)
        v = v + v
        if s.epilogue is not None:
            (v,) = w.epilogue(s.epilogue, [v], [Ramp(p.i, 1)], 16, mask)
        k.store(w.pointers[y], p.i, v, mask)


def _doubled_plain(it: Interpreter, s: Any) -> None:
    x, y = (it.arrays[b] for b in s.buffers)
    for i in range(it.dim(s.sizes[0])):
        v = x[i] + x[i]
        y[i] = v if s.epilogue is None else it.epilogue(s.epilogue, [v], [i])[0]


TEMPLATES = {"doubled": _doubled}
PLAIN_TEMPLATES = {"doubled": _doubled_plain}


class _Guarded:
    """Memory whose neighbours on both sides fault."""

    PAGE = mmap.PAGESIZE

    def __init__(self, size: int) -> None:
        self.size = -(-max(size, 1) // self.PAGE) * self.PAGE
        self.map = mmap.mmap(-1, self.size + 2 * self.PAGE)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.map)) + self.PAGE
        libc = ctypes.CDLL(None, use_errno=True)
        for at in (self.start - self.PAGE, self.start + self.size):
            if libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(self.PAGE), 0):
                raise OSError(ctypes.get_errno(), "mprotect")

    def array(self, like: Any, at_end: bool) -> Any:
        """A copy of `like` that ends (or starts) where memory ends (or starts)."""
        offset = self.PAGE + (self.size - like.nbytes if at_end else 0)
        a = np.frombuffer(self.map, like.dtype, like.size, offset).reshape(like.shape)
        a[...] = like
        return a


@functools.cache
def _pages(slot: int, pages: int) -> _Guarded:
    return _Guarded(pages * _Guarded.PAGE)


def guarded(slot: int, like: Any, at_end: bool = True) -> Any:
    pages = 1
    while pages * _Guarded.PAGE < like.nbytes:
        pages *= 2
    return _pages(slot, pages).array(like, at_end)


@functools.cache
def _compiled(text: str, level: str, opt: int) -> Any:
    kernel = parse_kernel(text)

    def emit(module: Any) -> None:
        emit_kernel(module, kernel, "kernel", SCALAR, TEMPLATES)

    c = compile_kernels({text: emit}, Options(level=level, opt=opt, cache_dir=""))[text]
    i64 = ctypes.c_int64
    return c.function(ctypes.c_int32, ctypes.c_void_p, i64, i64, i64, name="kernel")


def compiled(kernel: Kernel, level: str = "", opt: int = 2) -> Any:
    """The native function of a kernel (which is printed and parsed on the way)."""
    text = print_kernel(kernel)
    assert parse_kernel(text) == kernel
    assert print_kernel(parse_kernel(text)) == text
    return _compiled(text, level, opt)


def native(
    kernel: Kernel,
    arrays: Mapping[str, Any],
    sizes: Mapping[str, int],
    splits: Sequence[int] = (),
    *,
    level: str = "",
    opt: int = 2,
    at_end: bool = True,
) -> tuple[int, int, dict[str, Any]]:
    """Code, position and arrays after a native run, unit ranges cut at `splits`."""
    f = compiled(kernel, level, opt)
    symbols = {s: sizes[s.name] for s in kernel.sizes}
    worker = 1
    words = [-1]
    placed: dict[str, Any] = {}
    for slot, p in enumerate(kernel.params):
        a = arrays[p.name]
        if p.direction == "scratch":
            a = np.zeros((worker + 1) * evaluate(scratch_stride(p), symbols), np.uint8)
        placed[p.name] = guarded(slot, a, at_end)
        words.append(placed[p.name].ctypes.data)
    words += [sizes[s.name] for s in kernel.sizes]
    table = (ctypes.c_int64 * len(words))(*words)
    units = evaluate(kernel.units, symbols)
    cuts = [0, *splits, units]
    code = 0
    for begin, end in itertools.pairwise(cuts):
        code = code or f(table, begin, end, worker)
    out = {n: a.copy() for n, a in placed.items()}
    return code, table[0] if code else 0, out


def check(
    kernel: Kernel,
    arrays: Mapping[str, Any],
    sizes: Mapping[str, int],
    splits: Sequence[int] = (),
    **options: Any,
) -> dict[str, Any]:
    """Compare native code with plain loops, bit by bit; the native arrays."""
    plain = {n: np.array(a) for n, a in arrays.items()}
    want = run_kernel(kernel, plain, sizes, NUMPY, templates=PLAIN_TEMPLATES)
    code, position, got = native(kernel, arrays, sizes, splits, **options)
    assert (code, position) == want
    for p in kernel.params:
        if p.direction in ("out", "inout") and not code:
            same(got[p.name], plain[p.name], f"{kernel.name}: {p.name} for {dict(sizes)}")
        elif p.direction == "in":
            same(got[p.name], arrays[p.name], p.name)
    return got


def same(got: Any, want: Any, what: str = "") -> None:
    """Equal bits, except that any NaN equals any NaN."""
    if got.dtype.kind == "f":
        assert np.array_equal(np.isnan(got), np.isnan(want)), what
        ok = ~np.isnan(want)
        assert np.array_equal(np.signbit(got[ok]), np.signbit(want[ok])), what
        got, want = got[ok], want[ok]
    bad = np.flatnonzero(np.asarray(got != want))
    assert not bad.size, f"{what}: {bad.size} differ, first at {bad[:5]}"


def sample(rng: Any, dtype: Any, shape: Any, low: int = -9, high: int = 10) -> Any:
    """Small integers in memory form, so that sums are exact (bfloat16 as uint16)."""
    x = rng.integers(low, high, shape)
    if dtype.code == "bf16":
        return (x.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    if dtype.kind == "b":
        return (x > 0).astype(np.bool_)
    return (abs(x) if dtype.kind == "u" else x).astype(dtype.np)
