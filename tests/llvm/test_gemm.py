"""Matrix products against numpy in float64, between guard pages, for every kernel."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.gemm import Gemm, Target
from graphc.runtime.llvm.lint import lint
from graphc.runtime.llvm.values import V

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()
HOST = llvm.get_host_cpu_features()
WIDE = Target(64) if HOST.get("avx512f") else Target(32) if HOST.get("avx2") else Target(16, False)
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
    if target is WIDE:
        cpu, features = llvm.get_host_cpu_name(), HOST.flatten()
    else:
        cpu, features = ("x86-64-v3", "") if target.vector_bytes == 32 else ("x86-64", "")
    triple = llvm.Target.from_default_triple()
    return triple.create_target_machine(cpu=cpu, features=features, opt=1)


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


def able(g: Gemm, m: int, n: int) -> Iterator[str]:
    """The kernels that can do this shape."""
    yield from ("local", "packed")
    if not g.tb:
        yield "direct"
    if m == 1:
        yield "dot_row" if g.tb else "thin"
    if n == 1:
        yield "thin_col" if g.ta else "dot_col"
    if g.tb and not g.ta:
        yield "dot"


# ----------------------------------------------------------------- the products

TRANSPOSES = list(itertools.product((False, True), repeat=2))


def edges(g: Gemm) -> Iterator[tuple[int, int, int]]:
    """Sizes around every block edge: two of three vary, the third is a small odd one."""
    mr, nr = g.block[0], g.columns
    lanes = g.lanes
    ms = sorted({1, 2, mr // 2, mr // 2 + 1, mr, mr + 1, 2 * mr - 1, 3 * mr})
    ns = sorted({1, 2, lanes - 1, lanes, lanes + 1, nr - 1, nr, nr + 1, 2 * nr + lanes + 3})
    ks = sorted({0, 1, 2, lanes - 1, lanes, lanes + 1, 3 * lanes + 5})
    for m, n in itertools.product(ms, ns):
        yield m, n, 7
    for m, k in itertools.product(ms, ks):
        yield m, nr + 3, k
    for n, k in itertools.product(ns, ks):
        yield mr + 3, n, k


@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64])
def test_edges(dtype: DType, ta: bool, tb: bool) -> None:
    g = Gemm(dtype, ta, tb, target=WIDE)
    some = 1 if dtype is dtypes.float32 else 3
    for at, (m, n, k) in enumerate(list(edges(g))[::some]):
        Product(g, m, n, k, high=bool(at & 1)).check()


@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_every_kernel_that_can_do_a_shape(ta: bool, tb: bool) -> None:
    g = Gemm(dtypes.float32, ta, tb, target=WIDE)
    for m, n, k in itertools.product((1, 4, 9), (1, 3, 49, 300), (0, 1, 33)):
        for kernel in able(g, m, n):
            for high in (False, True):
                Product(g, m, n, k, high=high, kernel=kernel).check()


@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
@pytest.mark.parametrize("k", [255, 256, 257, 513, 769])
def test_blocks_of_k(k: int, ta: bool, tb: bool) -> None:
    g = Gemm(dtypes.float32, ta, tb, target=WIDE)
    for kernel in able(g, 9, 50):
        Product(g, 9, 50, k, kernel=kernel).check()
        Product(g, 9, 50, k, kernel=kernel, high=False).check()


@pytest.mark.parametrize("target", [WIDE, AVX2, SSE2])
@pytest.mark.parametrize("m", [None, 128, 200])
def test_transposed_rows_packed_by_lines(target: Target, m: int | None) -> None:
    for dtype in (dtypes.float32, dtypes.bfloat16):
        g = Gemm(dtype, ta=True, m=m, target=target)
        for rows in (31, 32, 33, 63, 64, 65, 80, 100, 127, 128, 129) if m is None else (m,):
            for n, k in ((50, 9), (5, 300)):
                for high in (False, True):
                    Product(g, rows, n, k, kernel="local", high=high).check()


@pytest.mark.parametrize("target", [WIDE, AVX2, SSE2])
@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64, dtypes.int32])
@pytest.mark.parametrize("known", [False, True])
def test_transposed_rows_packed_among_products(target: Target, dtype: DType, known: bool) -> None:
    """Lines of rows, of which the first panel's tiles pack those that follow; terms in blocks."""
    sizes = [(16, 48, 16), (33, 49, 48), (72, 50, 512), (100, 47, 64), (48, 97, 1536), (40, 48, 63)]
    for m, n, k in sizes[2:5] if known else sizes:
        g = Gemm(dtype, True, False, False, *((m, n, k) if known else ()), target=target)
        for kernel in ("local", "packed"):
            for high in (False, True):
                Product(g, m, n, k, high=high, kernel=kernel, threads=2).check()


@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.bfloat16])
def test_storage_in_16_bits(dtype: DType, ta: bool, tb: bool) -> None:
    g = Gemm(dtype, ta, tb, target=WIDE)
    for at, (m, n, k) in enumerate(itertools.product((1, 5, 17), (1, 20, 70), (0, 3, 40))):
        for kernel in able(g, m, n):
            Product(g, m, n, k, high=bool(at & 1), kernel=kernel).check()


@pytest.mark.parametrize("target", [AVX2, SSE2])
@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64, dtypes.int64])
@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_narrower_vectors(target: Target, dtype: DType, ta: bool, tb: bool) -> None:
    if target.vector_bytes > WIDE.vector_bytes:
        pytest.skip("the machine has no AVX2")
    g = Gemm(dtype, ta, tb, target=target)
    for at, (m, n, k) in enumerate(itertools.product((1, 3, 9), (1, 3, 16, 29), (0, 1, 19))):
        for kernel in (g.kernel(m, n, k), "local"):
            Product(g, m, n, k, high=bool(at & 1), kernel=kernel).check()


@pytest.mark.parametrize("dtype", [dtypes.bfloat16, dtypes.float16])
def test_16_bits_with_narrow_vectors(dtype: DType) -> None:
    for target in (AVX2, SSE2):
        if dtype is dtypes.bfloat16 or target is AVX2:  # SSE2 has no float16: library calls
            Product(Gemm(dtype, target=target), 5, 11, 9).check()


@pytest.mark.parametrize("shared", ["", "a", "b"])
@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_batches(ta: bool, tb: bool, shared: str) -> None:
    g = Gemm(dtypes.float32, ta, tb, batched=True, target=WIDE)
    kw = {"a_shared": shared == "a", "b_shared": shared == "b"}
    for m, n, k in ((1, 1, 5), (1, 50, 9), (9, 1, 20), (9, 50, 20), (33, 97, 600)):
        for kernel in able(g, m, n):
            Product(g, m, n, k, 3, kernel=kernel, **kw).check()  # type: ignore[arg-type]


@pytest.mark.parametrize("target", [WIDE, AVX2, SSE2])
@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_batches_of_known_sizes_ask_for_the_next(ta: bool, tb: bool, target: Target) -> None:
    m, n, k = 72, 100, 64
    g = Gemm(dtypes.float32, ta, tb, True, m, n, k, target=target)
    for high in (False, True):
        Product(g, m, n, k, 3, high=high, threads=2).check()


def test_zero_sizes() -> None:
    g = Gemm(dtypes.float32, batched=True, target=WIDE)
    for batch, m, n, k in ((1, 0, 5, 3), (1, 5, 0, 3), (0, 5, 5, 3), (1, 0, 0, 0)):
        assert Product(g, m, n, k, batch).plan.phases[0].units == 0
    for m, n in ((1, 1), (1, 20), (20, 1), (20, 20)):
        p = Product(g, m, n, 0, 2)
        assert (p.out[0] == 0).all()


@pytest.mark.parametrize(
    ("m", "n", "k"), [(32, 64, 32), (1, 10, 64), (12, 10, 20), (8, 48, 256), (5, 33, 17)]
)
@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_known_sizes(m: int, n: int, k: int, ta: bool, tb: bool) -> None:
    g = Gemm(dtypes.float32, ta, tb, m=m, n=n, k=k, target=WIDE)
    Product(g, m, n, k).check()
    h = Gemm(dtypes.float32, ta, tb, n=n, k=k, target=WIDE)
    for rows in (1, 2, m, m + 9):
        p = Product(h, rows, n, k)
        q = Product(Gemm(dtypes.float32, ta, tb, target=WIDE), rows, n, k)
        p.check()
        assert p.out[0].tobytes() == q.out[0].tobytes()
    with pytest.raises(ValueError, match="compiled for"):
        g.plan(m, n, k + 1)


def _text(g: Gemm, kernel: str, module: Any = None) -> str:
    module = ir.Module("gemm")
    g.emit(module, "kernel", kernel)
    return str(module)


@pytest.mark.parametrize("target", [WIDE, AVX2, SSE2])
@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64])
@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_what_is_shared_is_the_same_code(ta: bool, tb: bool, dtype: DType, target: Target) -> None:
    """The examples of a family stand for its sizes: these give the same code."""
    rng = np.random.default_rng([ta, tb, dtype.size, target.vector_bytes])
    seen = 0
    while seen < 5:
        m, n, k = (int(rng.choice(s)) for s in (
            [12, 20, 64, 65, 68, 72, 127, 128, 784, 4096],
            [9, 24, 40, 47, 48, 96, 100, 112, 1000, 2048],
            [10, 64, 127, 128, 129, 256, 257, 784, 1024, 5000],
        ))  # fmt: skip
        exact = Gemm(dtype, ta, tb, m=m, n=n, k=k, target=target)
        loose = exact.loosened()
        if not loose.loose:
            assert m * n * k <= 1 << 20
            continue
        seen += 1
        kernel = exact.kernel(m, n, k)
        assert _text(exact._replace(loose=True), kernel) == _text(loose, kernel)


def test_products_of_one_family() -> None:
    """One piece of code for several sizes, with the bits that code for the very sizes gives."""
    sizes = [(128, 784, 272), (192, 496, 400), (96, 976, 1024), (64, 1024, 272)]
    exact = {s: Gemm(dtypes.float32, m=s[0], n=s[1], k=s[2], target=WIDE) for s in sizes}
    if WIDE == Target():
        assert len({g.loosened() for g in exact.values()}) == 2  # one of small results
    for s, g in exact.items():
        p, q = Product(g.loosened(), *s, threads=2), Product(g, *s, threads=2)
        p.check()
        assert p.out[0].tobytes() == q.out[0].tobytes()
    small = Gemm(dtypes.float32, m=64, n=64, k=64, target=WIDE)
    assert small.loosened() is small


@pytest.mark.parametrize("target", [WIDE, AVX2, SSE2])
@pytest.mark.parametrize("ta", [False, True])
def test_known_rows_split_into_units_of_odd_tiles(ta: bool, target: Target) -> None:
    """784 rows are 49 vectors of 16; two units of them end in the middle of a vector."""
    for m, n, k in ((784, 64, 20), (176, 10, 300), (48, 100, 9)):
        g = Gemm(dtypes.float32, ta, m=m, n=n, k=k, target=target)
        for kernel, threads in itertools.product(able(g, m, n), (1, 2, 3, 5)):
            if kernel == "direct" and not target.masks and n % g.lanes:
                continue
            Product(g, m, n, k, threads=threads, kernel=kernel).check()


def test_the_kernels_named_beforehand_are_those_chosen() -> None:
    for ta, tb in TRANSPOSES:
        g = Gemm(dtypes.float32, ta, tb, target=WIDE)
        sizes = (1, 2, 5, 8, 30, 100, 400, 1000)
        for m, n, k in itertools.product(sizes, repeat=3):
            assert g.kernel(m, n, k) in g.kernels()


# ----------------------------------------------------------------- accuracy, order, threads


@pytest.mark.parametrize("tb", [False, True])
def test_long_sums(tb: bool) -> None:
    g = Gemm(dtypes.float32, tb=tb, target=WIDE)
    for m, n, k in ((1, 17, 100_000), (3, 1, 100_000), (9, 17, 100_000), (20, 50, 10_000)):
        for kernel in able(g, m, n):
            Product(g, m, n, k, kernel=kernel).check()
            # one sign, and a value whose every addition rounds the same way
            a, b = np.full((1, m, k), 0.1), np.ones((1, n, k) if tb else (1, k, n))
            Product(g, m, n, k, kernel=kernel, a=a, b=b).check()


@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_the_same_bits_however_the_units_are_split(ta: bool, tb: bool) -> None:
    g = Gemm(dtypes.float32, ta, tb, batched=True, target=WIDE)
    for m, n, k in ((1, 1000, 65), (1000, 1, 65), (11, 75, 30), (150, 500, 700), (64, 64, 64)):
        want = Product(g, m, n, k, 2)
        for threads in (2, 3):
            p = Product(g, m, n, k, 2, threads=threads)
            assert p.out[0].tobytes() == want.out[0].tobytes()
        one = Product(g, m, n, k, 2, threads=8)  # eight workers' units, one call each
        one.out[0][...] = 0
        f = compiled(g, one.plan.phases[0].kernel)
        for u in reversed(range(one.plan.phases[0].units)):
            f(one.words.ctypes.data, u, u + 1, u % 8)
        assert one.out[0].tobytes() == want.out[0].tobytes()


# ----------------------------------------------------------------- epilogues


def bias_relu(g: Gemm) -> Any:
    def epilogue(k: Fn, acc: V, row: V, col: V, batch: V | None, mask: V | None) -> list[V]:
        with k.hoisted():
            bias = k.read_ptr(k.args[0], g.extra_word(0))
        y = acc + k.load(bias, col, g.acc, acc.lanes, mask)
        return [y, k.maximum(y, k.like(0, y))]

    return epilogue


def sgd(g: Gemm) -> Any:
    """c -= rate * acc, in place."""

    def epilogue(k: Fn, acc: V, row: V, col: V, batch: V | None, mask: V | None) -> list[V]:
        with k.hoisted():
            out = k.read_ptr(k.args[0], g.extra_word(0))
            n = k.read_i64(k.args[0], g.extra_word(1))
            rate = k.load(k.read_ptr(k.args[0], g.extra_word(2)), 0, g.acc)
        old = k.load(out, row * n + col, g.acc, acc.lanes, mask)
        return [old - k.splat(rate, acc.lanes) * acc]

    return epilogue


def nothing(g: Gemm) -> Any:
    """Stores by itself, in the transposed place of a buffer of its own: lane by lane."""

    def epilogue(k: Fn, acc: V, row: V, col: V, batch: V | None, mask: V | None) -> None:
        with k.hoisted():
            out = k.read_ptr(k.args[0], g.extra_word(0))
        if mask is None and acc.lanes > 1:
            mask = k.const(True, dtypes.bool_, acc.lanes)
        k.store(out, row * 1000 + col, acc, mask)

    return epilogue


EPILOGUE_SHAPES = [(1, 1), (1, 70), (1, 600), (70, 1), (9, 50), (21, 100)]


@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64])
@pytest.mark.parametrize("k", [0, 30, 1100])
def test_bias_and_activation_are_two_outputs(dtype: DType, k: int) -> None:
    g = Gemm(dtype, outputs=(dtype, dtype), target=WIDE)
    for m, n in EPILOGUE_SHAPES:
        bias = guarded([n], dtype.as_numpy_dtype, True)
        bias[:] = np.linspace(-1, 1, n)
        extra = [bias.ctypes.data]
        for kernel in (g.kernel(m, n, k), "local", "packed"):
            plain = Product(Gemm(dtype, target=WIDE), m, n, k, kernel=kernel)
            p = Product(g, m, n, k, epilogue=bias_relu, extra=extra, kernel=kernel)
            np.testing.assert_array_equal(p.out[0], plain.out[0] + bias)
            np.testing.assert_array_equal(p.out[1], np.maximum(plain.out[0] + bias, 0))


@pytest.mark.parametrize("k", [16, 1100])
def test_update_in_place(k: int) -> None:
    g = Gemm(dtypes.float32, ta=True, target=WIDE)
    rate = np.array([0.5], np.float32)
    for m, n in EPILOGUE_SHAPES:
        for kernel in (g.kernel(m, n, k), "local"):
            plain = Product(Gemm(dtypes.float32, ta=True, target=WIDE), m, n, k, kernel=kernel)
            start = np.random.default_rng(1).standard_normal((1, m, n)).astype(np.float32)
            out = guarded((1, m, n), np.float32, True)
            out[...] = start
            p = Product(
                g, m, n, k, epilogue=sgd, kernel=kernel,
                extra=[out.ctypes.data, n, rate.ctypes.data],
            )  # fmt: skip
            np.testing.assert_array_equal(p.out[0], start - np.float32(0.5) * plain.out[0])
            # and in place: the output is the buffer that the epilogue reads
            p.words[g.extra_word(0) - 1] = out.ctypes.data
            p.run(sgd, 1)
            np.testing.assert_array_equal(out, start - np.float32(0.5) * plain.out[0])


def test_an_epilogue_may_store_by_itself() -> None:
    g = Gemm(dtypes.float32, target=WIDE)
    for m, n in EPILOGUE_SHAPES:
        own = np.zeros((m, 1000), np.float32)
        p = Product(g, m, n, 20, epilogue=nothing, extra=[own.ctypes.data])
        assert (p.out[0] == 77).all()
        plain = Product(g, m, n, 20)
        np.testing.assert_array_equal(own[:, :n], plain.out[0][0])


def test_nan_and_infinity_stay_in_their_row_and_column() -> None:
    for ta, tb in TRANSPOSES:
        g = Gemm(dtypes.float32, ta, tb, target=WIDE)
        for kernel in able(g, 20, 70):
            p = Product(g, 20, 70, 40, kernel=kernel)
            (p.a[0].T if ta else p.a[0])[3, 5] = np.nan
            (p.b[0].T if tb else p.b[0])[39, 69] = np.inf
            p.run(None, 1)
            want = p.reference()[0]
            np.testing.assert_array_equal(np.isnan(p.out[0]), np.isnan(want))
            np.testing.assert_array_equal(np.isinf(p.out[0]), np.isinf(want))
