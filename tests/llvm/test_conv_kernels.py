"""Convolution kernels against numpy in float64, between guard pages, for each CPU level."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import guarded_plans
import numpy as np
import pytest
from guarded_plans import Array, run
from thinned import thinned

from graphc.ops import conv_products, depthwise
from graphc.ops.record import Op
from graphc.runtime.llvm import conv_forms
from graphc.runtime.llvm.cpu import LEVELS, host


def within(got: Array, want: Array, terms: Array, n: int) -> None:
    """The tolerance of sums (rule of RELIABILITY): (4 + 2 log2 n) eps of the absolute terms.

    Results of bfloat16 are rounded once more.
    """
    rounded = 0.0
    if got.dtype == np.uint16:
        got, rounded = widened(got), 2.0**-8
    eps = np.finfo(got.dtype).eps
    bound = (4 + 2 * np.log2(max(n, 2))) * eps * terms + np.finfo(got.dtype).tiny
    bound = bound + rounded * np.abs(want)
    assert np.all(np.abs(got.astype(np.float64) - want) <= bound)


def drawn(rng: Any, shape: Sequence[int], dtype: Any) -> Array:
    """Numbers of a type; those of bfloat16 are arrays of 16 bits."""
    x = rng.uniform(-1, 1, shape)
    if dtype is np.uint16:
        return (x.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return x.astype(dtype)


def widened(x: Array) -> Array:
    """Numbers of bfloat16 in float32."""
    return (x.astype(np.uint32) << 16).view(np.float32) if x.dtype == np.uint16 else x


def triple(
    rng: Any, x: Sequence[int], w: Sequence[int], attrs: dict[str, Any], dtype: Any, **how: Any
) -> None:
    """All three products for an image and a filter of these shapes."""
    a, b = drawn(rng, x, dtype), drawn(rng, w, dtype)
    groups = x[-1] // w[-2]

    def wide(f: Any, p: Array, q: Array, attrs: dict[str, Any]) -> tuple[Array, Array]:
        p, q = widened(p).astype(np.float64), widened(q).astype(np.float64)
        return f(p, q, **attrs), f(np.abs(p), np.abs(q), **attrs)

    y64, terms = wide(conv_products.conv_numpy, a, b, attrs)
    count = int(np.prod(w[:-1]))
    within(run(conv_products.conv_op, [a, b], attrs, y64.shape, **how), y64, terms, count)
    g = drawn(rng, y64.shape, dtype)
    back = {**attrs, "sizes": tuple(x[1:-1]), "groups": groups}
    want, terms = wide(conv_products.conv_input_numpy, b, g, back)
    got = run(conv_products.conv_input_op, [b, g], back, x, **how)
    within(got, want, terms, int(np.prod(w[:-2])) * w[-1] // groups)
    back["sizes"] = tuple(w[:-2])
    want, terms = wide(conv_products.conv_filter_numpy, a, g, back)
    got = run(conv_products.conv_filter_op, [a, g], back, w, **how)
    within(got, want, terms, int(np.prod(y64.shape[:-1])))


def attrs(strides: Any = 1, dilations: Any = 1, pads: Any = 0, n: int = 2) -> dict[str, Any]:
    def each(v: Any) -> tuple[Any, ...]:
        return tuple(v) if isinstance(v, list) else (v,) * n

    pads = [p if isinstance(p, tuple) else (p, p) for p in each(pads)]
    return {"strides": each(strides), "dilations": each(dilations), "pads": tuple(pads)}


#: image, filter, attributes: around register blocks, chains and borders.
SHAPES: list[Any] = [
    *[((2, 5, n, 3), (3, 3, 3, 4), attrs(pads=1)) for n in (1, 2, 7, 8, 9, 13, 14, 15, 29)],
    *[((n, 4, 5, 2), (3, 3, 2, 5), attrs(pads=1)) for n in (0, 1, 3, 7, 8, 9, 16, 17)],
    *[((8, 3, 4, 2), (2, 3, 2, f), attrs(pads=1)) for f in (1, 15, 16, 17, 31, 33, 48, 49, 64, 80)],
    *[((9, 3, 3, c), (3, 3, c, 7), attrs(pads=1)) for c in (1, 8, 15, 28, 29, 85, 86, 120)],
    *[((1, 3, 9, c), (2, 3, c, 18), attrs(pads=1)) for c in (1, 42, 43, 86, 257, 300)],
    ((2, 7, 9, 3), (3, 2, 3, 6), attrs(2, pads=[(0, 1), (1, 0)])),
    ((9, 7, 9, 3), (3, 3, 3, 6), attrs([2, 3], pads=[(1, 1), (0, 0)])),
    ((2, 9, 10, 2), (2, 1, 2, 3), attrs(4)),
    ((9, 5, 6, 2), (1, 1, 2, 3), attrs(3)),
    ((2, 9, 8, 2), (3, 2, 2, 5), attrs(dilations=2, pads=2)),
    ((9, 9, 8, 2), (3, 3, 2, 5), attrs(dilations=[2, 3], pads=[(2, 2), (3, 3)])),
    ((2, 3, 2, 2), (5, 7, 2, 3), attrs(pads=[(2, 2), (3, 3)])),
    ((1, 2, 29, 3), (1, 17, 3, 5), attrs([1, 2], dilations=[1, 2], pads=[(0, 0), (16, 20)])),
    ((9, 3, 2, 2), (5, 7, 2, 3), attrs(pads=[(2, 2), (3, 3)])),
    ((2, 4, 4, 3), (2, 2, 3, 4), attrs(pads=[(5, 4), (6, 3)])),
    ((2, 3, 3, 2), (5, 5, 2, 3), attrs()),
    ((2, 5, 6, 6), (3, 3, 2, 9), attrs(pads=1)),
    ((9, 5, 6, 6), (3, 3, 2, 9), attrs(pads=1)),
    ((9, 6, 7, 8), (3, 2, 2, 20), attrs(2, pads=1)),
    ((2, 4, 3, 5, 2), (3, 2, 3, 2, 3), attrs([1, 2, 1], pads=[(1, 1), (0, 1), (1, 1)], n=3)),
    ((9, 3, 4, 3, 3), (2, 2, 2, 3, 17), attrs(pads=[(1, 0), (0, 1), (1, 0)], n=3)),
    ((3, 11, 4), (3, 4, 6), attrs(2, pads=[(1, 1)], n=1)),
    ((1, 3, 600, 1), (1, 1, 1, 3), attrs()),
    # rows that are cut where other taps are seen
    ((1, 4, 33, 40), (3, 3, 40, 20), attrs(dilations=12, pads=12)),
    ((1, 2, 13, 3), (1, 5, 3, 17), attrs(dilations=[1, 7], pads=[(0, 0), (14, 14)])),
    ((2, 1, 30, 3), (1, 2, 3, 17), attrs([1, 2], dilations=[1, 7], pads=[(0, 0), (7, 0)])),
]  # fmt: skip


@pytest.mark.parametrize(
    "case",
    thinned([(s,) for s in SHAPES], lambda s: SHAPES.index(s) % 4 == 0 or SHAPES.index(s) > 44),
    ids=[f"{s[0]}-{s[1]}-{i}" for i, s in enumerate(SHAPES)],
)
def test_products(case: Any) -> None:
    x, w, a = case
    rng = np.random.default_rng(sum(x) + 31 * sum(w))
    triple(rng, x, w, a, np.float32, high=True, parts=2)
    triple(rng, x, w, a, np.float32, high=False, known=False)


@pytest.mark.parametrize("case", SHAPES[::5], ids=[str(s[:2]) for s in SHAPES[::5]])
def test_products_in_float64(case: Any) -> None:
    x, w, a = case
    triple(np.random.default_rng(3), x, w, a, np.float64)


@pytest.mark.parametrize(
    ("part", "pairs"),
    thinned(itertools.product(range(6), [False, True]), lambda part, pairs: part < 3 - pairs),
)
def test_products_of_bfloat16(part: int, pairs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the CPU's instruction for two products where it has one, and without."""
    cpu = host()
    if pairs and not cpu.has_bf16:
        pytest.skip("the CPU has no products of bfloat16")
    monkeypatch.setattr(conv_forms, "host", lambda: cpu._replace(has_bf16=pairs))
    guarded_plans._compiled.cache_clear()  # whose key does not know
    for i, (x, w, a) in enumerate(SHAPES[part :: 6 if pairs else 24]):
        rng = np.random.default_rng(i)
        triple(rng, x, w, a, np.uint16, high=i % 2 == 0, known=i % 3 != 0, parts=1 + i % 2)


BELOW = [v for v in LEVELS if LEVELS.index(v) < LEVELS.index(host().level)] if host().level else []


@pytest.mark.parametrize(
    ("level", "first"),
    thinned(itertools.product(BELOW, (0, 4, 8)), lambda level, first: first == 0),
)
def test_products_on_lesser_cpus(level: str, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conv_forms, "host", lambda: host(level))
    rng = np.random.default_rng(5)
    for x, w, a in SHAPES[first::12]:
        triple(rng, x, w, a, np.float32, level=level)


DEPTHWISE: list[Any] = [
    ((2, 5, 6, 3), (3, 3, 3, 1), attrs(pads=1)), ((1, 4, 9, 16), (3, 2, 16, 1), attrs(2, pads=1)),
    ((3, 5, 5, 17), (2, 3, 17, 2), attrs([1, 3], pads=[(0, 1), (1, 1)])),
    ((2, 6, 7, 65), (3, 3, 65, 1), attrs(pads=1)), ((0, 3, 3, 4), (2, 2, 4, 1), attrs()),
    ((2, 2, 3, 33), (5, 4, 33, 1), attrs(pads=[(2, 2), (1, 2)])),
    ((9, 7, 8, 5), (2, 2, 5, 3), attrs(dilations=2, pads=1)),
    ((1, 1, 600, 2), (1, 1, 2, 1), attrs()), ((1, 3, 4, 7), (2, 2, 7, 6), attrs(pads=1)),
    ((1, 2, 4200, 1), (2, 4, 1, 1), attrs(pads=[(1, 1), (2, 1)])),
    ((2, 9, 53, 3), (2, 11, 3, 1), attrs([2, 1], pads=[(0, 1), (5, 5)])),
    ((1, 4, 29, 12), (2, 3, 12, 1), attrs(dilations=[1, 3], pads=2)),
    ((3, 2, 13, 16), (2, 13, 16, 1), attrs(pads=6)),
    ((1, 5, 41, 3), (3, 3, 3, 2), attrs()), ((2, 3, 9, 3), (2, 2, 3, 4), attrs(pads=1)),
    ((1, 3, 700, 1), (2, 3, 1, 2), attrs(pads=1)),
    ((1, 3, 19, 1), (2, 3, 1, 8), attrs(dilations=2)),
    ((2, 3, 9, 9), (2, 2, 9, 8), attrs(pads=1)), ((1, 3, 6, 2), (2, 2, 2, 32), attrs(2, pads=1)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "level"),
    thinned(
        [(case, level) for level in ("", *BELOW) for case in DEPTHWISE],
        lambda case, level: DEPTHWISE.index(case) % (4 if level else 2) == 0,
    ),
    ids=str,
)
def test_depthwise(case: Any, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conv_forms, "host", lambda: host(level))
    x, w, a = case
    rng = np.random.default_rng(sum(x))
    p, q = (rng.uniform(-1, 1, s).astype(np.float32) for s in (x, w))

    def against(op: Op, arrays: list[Array], attributes: dict[str, Any], n: int) -> Array:
        assert op.numpy is not None
        wide = [v.astype(np.float64) for v in arrays]
        want = op.numpy(*wide, **attributes)
        terms = op.numpy(*map(np.abs, wide), **attributes)
        for how in ({"high": True, "parts": 3}, {"high": False, "known": False}):
            got = run(op, arrays, attributes, want.shape, level=level, **how)
            within(got, want, terms, n)
        return got

    y = against(depthwise.depth_op, [p, q], a, int(np.prod(w[:2])))
    g = rng.uniform(-1, 1, y.shape).astype(np.float32)
    sizes = {**a, "sizes": x[1:-1]}
    against(depthwise.depth_input_op, [q, g], sizes, int(np.prod(w)) // w[2])
    against(depthwise.depth_filter_op, [p, g], {**a, "sizes": w}, int(np.prod(y.shape[:-1])))


def test_bits_do_not_depend_on_how_units_are_cut() -> None:
    rng = np.random.default_rng(7)
    for x, w, a in (SHAPES[5], SHAPES[15], SHAPES[30], SHAPES[38]):
        p, q = rng.standard_normal(x).astype(np.float32), rng.standard_normal(w).astype(np.float32)
        shape = conv_products.conv_numpy(p, q, **a).shape
        g = rng.standard_normal(shape).astype(np.float32)
        back = {**a, "groups": x[-1] // w[-2]}
        cases: list[Any] = [
            (conv_products.conv_op, [p, q], a, shape),
            (conv_products.conv_input_op, [q, g], {**back, "sizes": x[1:-1]}, x),
            (conv_products.conv_filter_op, [p, g], {**back, "sizes": w[:-2]}, w),
        ]
        for op, arrays, attributes, out in cases:
            one = run(op, arrays, attributes, out)
            for parts in (2, 3, 7):
                np.testing.assert_array_equal(one, run(op, arrays, attributes, out, parts=parts))


def test_which_rows_are_cut() -> None:
    """Those whose taps are far apart, where zeros would be around the image."""
    for steps, pad, wanted in ((12, 12, True), (24, 24, True), (12, 0, False), (2, 2, False)):
        x, w = np.zeros((1, 3, 33, 8), np.float32), np.zeros((1, 3, 8, 8), np.float32)
        a = attrs(dilations=[1, steps], pads=[(0, 0), (pad, pad)])
        plan = guarded_plans.plan_of(conv_products.conv_op, [x, w], a, True)
        assert any("('runs', True)" in str(s.code.kernel) for s in plan.steps) == wanted


def test_half_precision_is_summed_in_float32() -> None:
    rng = np.random.default_rng(9)
    x, w = rng.uniform(0, 1, (2, 4, 9, 60)), rng.uniform(0, 1, (3, 3, 60, 5))
    p, q = x.astype(np.float16), w.astype(np.float16)
    a = attrs(pads=1)
    want = conv_products.conv_numpy(p.astype(np.float64), q.astype(np.float64), **a)
    got = run(conv_products.conv_op, [p, q], a, want.shape).astype(np.float64)
    assert np.all(np.abs(got - want) <= np.finfo(np.float16).eps * want)


def test_what_is_not_a_number_stays_in_its_windows() -> None:
    """Idle rows and lanes of register blocks never reach results."""
    rng = np.random.default_rng(11)
    x = rng.standard_normal((3, 6, 7, 2)).astype(np.float32)
    x[1, 2, 3, 1] = np.nan
    w = rng.standard_normal((3, 3, 2, 5)).astype(np.float32)
    a = attrs(pads=1)
    got = run(conv_products.conv_op, [x, w], a, (3, 6, 7, 5))
    bad = np.zeros((3, 6, 7), bool)
    bad[1, 1:4, 2:5] = True
    np.testing.assert_array_equal(np.isnan(got).any(-1), bad)
