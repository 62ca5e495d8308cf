"""`repeat`: loops whose end is computed; native against plain loops, text, verifier."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_harness import check, native

from graphc.errors import ParseError
from graphc.ir import dtypes
from graphc.ir.dims import Expr
from graphc.ir.kernel import Kernel, KernelError, Repeat, lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.kernel_parse import parse_kernel
from graphc.ir.kernel_text import print_kernel, structure_text

f32, i32, i64, bool_ = dtypes.float32, dtypes.int32, dtypes.int64, dtypes.bool_


def counting(limit: int, name: str = "counting") -> Kernel:
    """x += 1.5, i += 1 while i < n, from where the last call ended."""
    b = KernelBuilder(name)
    n = b.input("n", i32, ())
    i, x = b.inout("i", i32, ()), b.inout("x", f32, ())
    go = b.output("go", bool_, ())
    end = b.load(n, ())
    with b.repeat([b.load(i, ()), b.load(x, ())], limit) as r:
        at, y = r.before
        r.test(b.let("less", at, end, dtype=bool_))
        r.next(b.let("add", at, lit(1, i32)), b.let("add", y, lit(1.5, f32)))
    b.store(i, (), r.results[0])
    b.store(x, (), r.results[1])
    b.store(go, (), r.go)
    return b.build()


@pytest.mark.parametrize("n", [-3, 0, 1, 6, 7, 8, 50])
def test_it_ends_by_its_condition_or_its_limit(n: int) -> None:
    k = counting(7)
    arrays = {"n": np.int32(n), "i": np.int32(0), "x": np.float32(2), "go": np.bool_(False)}
    arrays = {a: np.array(v) for a, v in arrays.items()}
    out = check(k, arrays, {})
    rounds = min(max(n, 0), 7)
    assert (out["i"], out["x"], out["go"]) == (rounds, 2 + 1.5 * rounds, n > 7)
    if n > 7:
        more = check(k, out, {})
        assert more["i"] == min(n, 14)


def searching() -> Kernel:
    """The first place from `start` on where x is negative; checked before each look."""
    n = Expr.symbol("n")
    b = KernelBuilder("searching")
    x, start = b.input("x", f32, (n,)), b.input("start", i64, ())
    y = b.output("y", i64, ())
    with b.repeat([b.load(start, ())], 1000) as r:
        (at,) = r.before
        inside = b.let("less", at, b.index(n), dtype=bool_)
        b.check(inside, 3, at.index)
        r.test(b.let("less", lit(0, f32), b.load(x, (at.index,)), dtype=bool_))
        r.next(b.let("add", at, lit(1, i64)))
    b.store(y, (), r.results[0])
    return b.build()


def test_loads_and_checks_inside() -> None:
    k = searching()
    x = np.array([1, 2, 3, -1, 5, 6], np.float32)
    for start, where in ((0, 3), (3, 3)):
        arrays = {"x": x, "start": np.array(start), "y": np.array(0)}
        assert check(k, arrays, {"n": 6})["y"] == where
    arrays = {"x": x, "start": np.array(4), "y": np.array(0)}
    check(k, arrays, {"n": 6})
    assert native(k, arrays, {"n": 6})[:2] == (3, 6)


def test_inside_a_loop_and_around_a_reduction() -> None:
    """For each row the first power of two at least as large as its sum."""
    n, m = Expr.symbol("n"), Expr.symbol("m")
    b = KernelBuilder("powers")
    x, y = b.input("x", i64, (n, m)), b.output("y", i64, (n,))
    with b.loop("parallel", "i", n) as i:
        with b.repeat([lit(1, i64)], 60) as r:
            (p,) = r.before
            with b.reduce("vector", "j", m) as s:
                s.yields(sum=b.load(x, (i, s.var)))
            r.test(b.let("less", p, s.results[0], dtype=bool_))
            r.next(b.let("add", p, p))
        b.store(y, (i,), r.results[0])
    k = b.build()
    x = np.abs(np.random.default_rng(0).integers(0, 50, (5, 33)))
    out = check(k, {"x": x, "y": np.zeros(5, np.int64)}, {"n": 5, "m": 33}, [2])
    np.testing.assert_array_equal(out["y"], 2 ** np.ceil(np.log2(x.sum(1))).astype(int))


def test_nothing_carried() -> None:
    k = parse_kernel("""kernel twice(inout i: i32[]) -> () {
      %go = repeat limit 2 {
        test bool true
        store i[] += i32 1
        next
      }
    }""")
    assert check(k, {"i": np.array(5, np.int32)}, {})["i"] == 7


def test_text() -> None:
    k = counting(9)
    text = print_kernel(k)
    assert "repeat %3: i32 from %1, %4: f32 from %2 limit 9 {" in text
    assert parse_kernel(text) == k
    assert structure_text(k) == structure_text(counting(9, "other"))
    assert structure_text(k) != structure_text(counting(10))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("limit 9", "limit 0"),
        ("limit 9", ""),
        ("test %5", "test %3"),
        ("test %5", ""),
        ("next %6, %7", "next %6"),
        ("next %6, %7", "next %7, %6"),
        ("next %6, %7", ""),
        ("%3: i32 from %1", "%3: i64 from %1"),
    ],
)
def test_broken_texts_are_refused(old: str, new: str) -> None:
    text = print_kernel(counting(9))
    assert old in text, text
    with pytest.raises(ParseError):
        parse_kernel(text.replace(old, new, 1))


def in_lanes() -> Kernel:
    n = Expr.symbol("n")
    b = KernelBuilder("lanes")
    y = b.output("y", i32, (n,))
    with b.loop("vector", "i", n) as i:
        with b.repeat([lit(0, i32)], 5) as r:
            r.test(b.let("less", r.before[0], lit(3, i32), dtype=bool_))
            r.next(b.let("add", r.before[0], lit(1, i32)))
        b.store(y, (i,), r.results[0])
    return b.build()


def test_the_verifier() -> None:
    with pytest.raises(KernelError, match="vector"):
        in_lanes()
    b = KernelBuilder("untested")
    with pytest.raises(KernelError, match="test"), b.repeat([], 5):
        pass
    value = Repeat((), "go", (), (), 5, (), lit(True, bool_), (), ())
    assert value.results[0].dtype is bool_
