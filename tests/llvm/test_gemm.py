"""Matrix products against numpy in float64, between guard pages, for every kernel."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from products import AVX2, SSE2, WIDE, Product, able, compiled, guarded, text_of
from thinned import thinned

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.gemm import Gemm, Target
from graphc.runtime.llvm.values import V

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


@pytest.mark.parametrize(
    ("target", "dtype", "known"),
    thinned(
        itertools.product(
            [WIDE, AVX2, SSE2], [dtypes.float32, dtypes.float64, dtypes.int32], [False, True]
        ),
        lambda target, dtype, known: (
            dtype is dtypes.float32 if known or target == WIDE else dtype is dtypes.int32
        ),
    ),
)
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


@pytest.mark.parametrize(
    ("ta", "tb", "shared"),
    thinned(
        [(*t, shared) for t in TRANSPOSES for shared in ("", "a", "b")],
        lambda ta, tb, shared: (ta == tb) == (not shared),
    ),
)
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
        assert text_of(exact._replace(loose=True), kernel) == text_of(loose, kernel)


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


@pytest.mark.parametrize("pairs", [False, True])
def test_the_kernels_named_beforehand_are_those_chosen(pairs: bool) -> None:
    dtype, target = (dtypes.bfloat16, Target(has_bf16=True)) if pairs else (dtypes.float32, WIDE)
    for ta, tb in TRANSPOSES:
        g = Gemm(dtype, ta, tb, target=target)
        sizes = (1, 2, 5, 8, 31, 100, 400, 1001)
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
