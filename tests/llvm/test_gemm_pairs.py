"""Products of bfloat16 by the instruction that multiplies two and adds them in float32."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from products import HOST, PAIRS, SSE2, WIDE, Product, able, assembly, text_of, wide

from graphc.ir import dtypes
from graphc.runtime.llvm.gemm import Gemm

pytestmark = pytest.mark.skipif(PAIRS is None, reason="the CPU has no products of bfloat16")
TARGET = PAIRS or WIDE
BOTH = (False, True)
TRANSPOSES = list(itertools.product(BOTH, BOTH))
FLOAT = (dtypes.float32,)


def family(ta: bool = False, tb: bool = False, **known: Any) -> Gemm:
    return Gemm(dtypes.bfloat16, ta, tb, target=TARGET, outputs=FLOAT, **known)


def bits(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Numbers that are of bfloat16, as it stores them."""
    return (np.asarray(x, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def hold(p: Product) -> None:
    """Each result has at most as many roundings as terms, each of 2**-24 of what was added."""
    want, terms = p.reference()
    k = p.sizes[3]
    np.testing.assert_array_less(np.abs(p.out[0] - want), 1.01 * (k + 1) * 2.0**-24 * terms + 1e-30)
    p.check()


def checked(g: Gemm, sizes: Sequence[tuple[int, int, int]]) -> None:
    for at, (m, n, k) in enumerate(sizes):
        for kernel in able(g, m, n, k):
            hold(Product(g, m, n, k, high=bool(at & 1), kernel=kernel, threads=1 + at % 2))


@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_sizes_around_every_block(ta: bool, tb: bool) -> None:
    sizes = [*itertools.product((1, 4, 5, 9), (1, 17, 49), (0, 1, 2, 33)), (25, 100, 64)]
    checked(family(ta, tb), sizes)


@pytest.mark.slow
@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_blocks_and_slabs_of_terms(ta: bool, tb: bool) -> None:
    checked(family(ta, tb), [(9, 50, k) for k in (511, 514, 1027, 5000)])
    for k in (512, 1539):  # where they are known
        checked(family(ta, tb, m=9, n=50, k=k), [(9, 50, k)])


@pytest.mark.parametrize("ta", BOTH)
def test_rows_packed_by_lines(ta: bool) -> None:
    g = family(ta)
    checked(g, [(m, n, k) for m in (63, 64, 65, 129) for n, k in ((50, 9), (5, 600))])


@pytest.mark.slow
@pytest.mark.parametrize("shared", ["", "a", "b"])
@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_batches(ta: bool, tb: bool, shared: str) -> None:
    g = family(ta, tb, batched=True)
    for m, n, k in ((1, 50, 9), (9, 1, 20), (9, 50, 21), (33, 97, 600)):
        for kernel in able(g, m, n, k):
            kw: Any = {"a_shared": shared == "a", "b_shared": shared == "b"}
            hold(Product(g, m, n, k, 3, kernel=kernel, **kw))


@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_the_same_bits_for_any_number_of_threads(ta: bool, tb: bool) -> None:
    g = family(ta, tb)
    for m, n, k in ((11, 75, 31), (150, 500, 700), (64, 64, 64), (3, 40, 2000)):
        one = Product(g, m, n, k).out[0].tobytes()
        assert all(Product(g, m, n, k, threads=t).out[0].tobytes() == one for t in (2, 3))
        for known in (g._replace(n=n, k=k), g._replace(m=m, n=n, k=k).loosened()):
            assert Product(known, m, n, k).out[0].tobytes() == one


def test_results_are_rounded_once() -> None:
    """The float32 sum to the nearest bfloat16, halves to even."""
    for k in (2, 30, 514):
        sums = Product(family(), 20, 70, k).out[0]
        p = Product(Gemm(dtypes.bfloat16, target=TARGET), 20, 70, k)
        u = sums.view(np.uint32).astype(np.uint64)
        nearest = (u + 0x7FFF + ((u >> 16) & 1)) >> 16
        np.testing.assert_array_equal(p.out[0], nearest.astype(np.uint16))


@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_nothing_of_other_rows_gets_in(ta: bool, tb: bool) -> None:
    """Odd terms: what follows in memory is not a number in one row and column, and stays there."""
    m, n, k = 20, 60, 7
    a, b = np.ones((1, m, k)), np.ones((1, k, n))
    a[:, 1], b[:, :, 2] = np.nan, np.inf
    a = bits(a.swapaxes(1, 2) if ta else a)
    b = bits(b.swapaxes(1, 2) if tb else b)
    for kernel in able(family(ta, tb), m, n, k):
        out = Product(family(ta, tb), m, n, k, kernel=kernel, a=a, b=b).out[0][0]
        assert np.isnan(out[1]).all()
        assert np.isposinf(np.delete(out, 1, 0)[:, 2]).all()
        assert (np.delete(np.delete(out, 1, 0), 2, 1) == k).all()


def test_denormal_numbers_are_zero() -> None:
    least, large = 2.0**-133, 2.0**100
    for x, y, want in ((least, large, 0.0), (2.0**-70, 2.0**-70, 0.0), (2.0**-60, 2.0**-60, 8)):
        p = Product(
            family(), 9, 20, 8, a=bits(np.full((1, 9, 8), x)), b=bits(np.full((1, 8, 20), y))
        )
        assert (p.out[0] == (want and want * 2.0**-120)).all()


def test_terms_of_one_sign_whose_roundings_go_one_way() -> None:
    a, b = bits(np.full((1, 9, 10_000), 0.1)), bits(np.ones((1, 10_000, 17)))
    for kernel in able(family(), 9, 17, 10_000):
        p = Product(family(), 9, 17, 10_000, kernel=kernel, a=a, b=b)
        want = wide(a, dtypes.bfloat16).sum(2)[0, 0]
        np.testing.assert_allclose(p.out[0], want, rtol=40 * 2.0**-24)


def test_only_where_the_cpu_has_it() -> None:
    for g in (Gemm(dtypes.bfloat16, target=WIDE), Gemm(dtypes.float16, target=TARGET)):
        assert (g.pair, g.kind) == (1, dtypes.float32)
        assert not re.search("dpbf16ps", text_of(g, "local"))
    assert not re.search("dpbf16ps", text_of(Gemm(dtypes.bfloat16, target=SSE2), "local"))


@pytest.mark.parametrize("kernel", ["direct", "local", "packed", "dot"])
def test_the_instruction_is_in_the_code(kernel: str) -> None:
    assert HOST.get("avx512bf16")
    text = assembly(family(tb=kernel == "dot"), kernel)
    assert text.count("vdpbf16ps") >= 8
    assert "vfmadd" not in text


@pytest.mark.parametrize(("ta", "tb"), TRANSPOSES)
def test_what_is_shared_is_the_same_code(ta: bool, tb: bool) -> None:
    seen = 0
    for m, n, k in itertools.product((65, 784), (47, 1000), (512, 1030, 5000)):
        exact = family(ta, tb, m=m, n=n, k=k)
        loose = exact.loosened()
        if loose.loose:
            seen += 1
            kernel = exact.kernel(m, n, k)
            assert text_of(exact._replace(loose=True), kernel) == text_of(loose, kernel)
    assert seen > 6
