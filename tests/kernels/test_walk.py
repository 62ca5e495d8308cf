"""Native code of each statement against its plain loop, on guarded memory."""

import math

import numpy as np
import pytest
from kernel_harness import SIZES, check, native, same, sample

from graphc.errors import CompileError
from graphc.ir import dtypes as dt
from graphc.ir.dims import Expr, ceildiv, maximum, minimum
from graphc.ir.kernel import Epilogue, Let, Value, lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.kernel_parse import parse_kernel

f32, f64, i32, i64, bool_ = dt.float32, dt.float64, dt.int32, dt.int64, dt.bool_
n, m = Expr.symbol("n"), Expr.symbol("m")
NUMERIC = [t for t in dt.DTYPES if t.kind in "fiu"]
codes = pytest.mark.parametrize("dtype", NUMERIC, ids=lambda t: t.code)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


# ------------------------------------------------------------------- elementwise


def chain(kind, dtype, **hints):
    b = KernelBuilder("chain")
    x, z = b.input("x", dtype, (n,)), b.input("z", dtype, (n,))
    y = b.output("y", dtype, (n,))
    with b.loop(kind, "i", n, **hints) as i:
        v = b.let("mul", b.load(x, (i,)), b.load(z, (i,)))
        v = b.select(b.let("less", v, lit(3, dtype), dtype=bool_), v, lit(4, dtype))
        b.store(y, (i,), b.let("add", v, lit(1, dtype)))
    return b.build()


@codes
def test_elementwise_of_each_type(dtype, rng):
    k = chain("vector", dtype)
    for size in SIZES:
        x, z = sample(rng, dtype, size), sample(rng, dtype, size)
        check(k, {"x": x, "z": z, "y": np.empty_like(x)}, {"n": size}, at_end=size % 2 == 1)


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 9000])
def test_parallel_vector_blocks(size, rng):
    k = chain("parallel vector", f32)
    x, z = sample(rng, f32, size), sample(rng, f32, size)
    arrays = {"x": x, "z": z, "y": np.zeros_like(x)}
    got = check(k, arrays, {"n": size})
    units = -(-size // 4096)
    for cut in range(units + 1):
        same(native(k, arrays, {"n": size}, [cut])[2]["y"], got["y"])


def long_body(b, x, z, i):
    """More instructions than run at once: such loops work on two vectors at a time."""
    v, w = b.load(x, (i,)), b.load(z, (i,))
    first = v
    for step in range(50):
        v = b.let("add" if step % 7 else "mul", v, w if step % 7 else lit(1, f32))
        v = b.let("maximum", b.let("sub", v, w), first if step % 3 else lit(-2, f32))
    return v


@pytest.mark.parametrize("kind", ["vector", "parallel vector"])
def test_long_bodies(kind, rng):
    b = KernelBuilder("long")
    x, z = b.input("x", f32, (n,)), b.input("z", f32, (n,))
    y, total = b.output("y", f32, (n,)), b.output("total", f32, (1,))
    place = b.output("place", i64, (1,))
    with b.loop(kind, "i", n) as i:
        b.store(y, (i,), long_body(b, x, z, i))
    if kind == "vector":
        with b.reduce("vector", "j", n) as r:
            early = b.load(z, (r.var,))
            r.yields(("sum", long_body(b, x, z, r.var)), ("argmax", early))
        b.store(total, (0,), r.results[0])
        b.store(place, (0,), r.results[1])
    k = b.build()
    for size in SIZES[::2] if kind == "vector" else (*SIZES[1::3], 4097):
        v, w = sample(rng, f32, size), sample(rng, f32, size)
        arrays = {"x": v, "z": w, "y": np.zeros_like(v), "total": np.zeros(1, np.float32)}
        arrays["place"] = np.zeros(1, np.int64)
        check(k, arrays, {"n": size}, at_end=size % 2 == 1)


def test_a_long_body_in_place(rng):
    import ctypes

    from kernel_harness import compiled, guarded

    b = KernelBuilder("long")
    x, z = b.input("x", f32, (n,)), b.input("z", f32, (n,))
    y = b.output("y", f32, (n,))
    with b.loop("parallel vector", "i", n) as i:
        b.store(y, (i,), long_body(b, x, z, i))
    k = b.build()
    v, w = sample(rng, f32, 4100), sample(rng, f32, 4100)
    want = check(k, {"x": v, "z": w, "y": np.zeros_like(v)}, {"n": 4100})["y"]
    a, c = guarded(0, v), guarded(1, w)
    table = (ctypes.c_int64 * 5)(0, a.ctypes.data, c.ctypes.data, a.ctypes.data, 4100)
    assert compiled(k)(table, 0, 2, 0) == 0
    same(a, want)


@pytest.mark.parametrize("hints", [{"lanes": 8}, {"lanes": 4, "unroll": 2}, {"unroll": 8}])
def test_hints_do_not_change_results(hints, rng):
    k = chain("vector", f32, **hints)
    for size in (1, 7, 8, 40, 129):
        x = sample(rng, f32, size)
        check(k, {"x": x, "z": x, "y": np.empty_like(x)}, {"n": size})


def test_bools_and_casts(rng):
    b = KernelBuilder("casts")
    x, y = b.input("x", f32, (n,)), b.output("y", bool_, (n,))
    z, w = b.output("z", i32, (n,)), b.output("w", dt.uint8, (n,))
    p = b.input("p", bool_, (n,))
    with b.loop("vector", "i", n) as i:
        v = b.load(x, (i,))
        b.store(y, (i,), b.cast(v, bool_))
        b.store(z, (i,), b.cast(v, i32))
        b.store(w, (i,), b.cast(b.select(b.load(p, (i,)), v, lit(7, f32)), dt.uint8))
    k = b.build()
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 3.7, -3.7, 1e20, -1e20, 255.5, 256], "f")
    for size in (5, 16, 37):
        arrays = {
            "x": np.resize(odd, size), "y": np.zeros(size, "?"), "z": np.zeros(size, "i4"),
            "w": np.zeros(size, "u1"), "p": sample(rng, bool_, size),
        }  # fmt: skip
        check(k, arrays, {"n": size})


def test_bool_bytes_other_than_one():
    b = KernelBuilder("odd_bools")
    p, y = b.input("p", bool_, (n,)), b.output("y", bool_, (n,))
    with b.loop("vector", "i", n) as i:
        b.store(y, (i,), b.load(p, (i,)))
    x = np.arange(40, dtype=np.uint8).view(np.bool_)
    _, _, got = native(b.build(), {"p": x, "y": np.zeros(40, "?")}, {"n": 40})
    assert got["y"].view(np.uint8).tolist() == [0] + [1] * 39


def test_short_inner_loops(rng):
    b = KernelBuilder("short")
    x, y = b.input("x", f32, (n, 3)), b.output("y", f32, (n, 3))
    scale = b.input("scale", f32, (3,))
    with b.loop("parallel", "i", n) as i, b.loop("vector", "j", 3) as j:
        b.store(y, (i, j), b.let("mul", b.load(x, (i, j)), b.load(scale, (j,))))
    x = sample(rng, f32, (50, 3))
    s = sample(rng, f32, (3,))
    check(b.build(), {"x": x, "y": np.empty_like(x), "scale": s}, {"n": 50}, [3, 20])


# ------------------------------------------------------------------- indices


INDICES = {
    "stride 1, offset": (m, lambda j: (j + 1,), (m + 1,)),
    "constant": (m, lambda j: (2,), (3,)),
    "backwards": (m, lambda j: (m - 1 - j,), (m,)),
    "stride 2": (m, lambda j: (2 * j,), (2 * m,)),
    "stride -3": (m, lambda j: (3 * m - 1 - 3 * j,), (3 * m,)),
    "run-time stride": (m, lambda j: (j, n - 1), (m, n)),
    "quotient 3": (m, lambda j: (j // 3,), (m,)),
    "quotient 4": (m, lambda j: ((j + 3) // 4,), (m + 3,)),
    "remainder 5": (m, lambda j: (j % 5,), (5,)),
    "remainder 8": (m, lambda j: (j % 8,), (8,)),
    "remainder 1000": (m, lambda j: ((j + 990) % 1000,), (1000,)),
    "quotient and remainder n": (m, lambda j: (j % n, j // n), (n, m)),
    "refolded": (m, lambda j: (j // n, j % n), (m + 1, n)),
    "strided quotient": (m, lambda j: ((2 * j) // 3,), (m,)),
    "clamped": (m, lambda j: (minimum(maximum(j - 2, 0), m - 3 + 2),), (m,)),
    "square": (m, lambda j: ((j * j) % m,), (m,)),
}


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("dtype", [f32, dt.uint8, f64], ids=lambda t: t.code)
def test_loads_at_any_index(name, dtype, rng):
    extent, index, shape = INDICES[name]
    b = KernelBuilder("loads", sizes=[n, m])
    x, y = b.input("x", dtype, shape), b.output("y", dtype, (m,))
    at = b.output("at", i64, (m,))
    with b.loop("vector", "j", extent) as j:
        b.store(y, (j,), b.load(x, index(j)))
        b.store(at, (j,), b.index(index(j)[0]))
    k = b.build()
    for rows, size in ((3, 1), (7, 17), (2, 129), (40, 64), (1, 33), (64, 100)):
        env = {s: v for s, v in zip(k.sizes, (rows, size), strict=True)}
        dims = [d if isinstance(d, int) else _value(d, env) for d in shape]
        arrays = {
            "x": sample(rng, dtype, dims, 0, 100), "y": np.zeros(size, dtype.np),
            "at": np.zeros(size, "i8"),
        }  # fmt: skip
        check(k, arrays, {"n": rows, "m": size})


def _value(d, env):
    from graphc.ir.dims import evaluate

    return evaluate(d, env)


@pytest.mark.parametrize("dtype", [f32, dt.int8], ids=lambda t: t.code)
@pytest.mark.parametrize("mode", ["set", "add"])
def test_stores_at_any_index(dtype, mode, rng):
    b = KernelBuilder("stores")
    x, ids = b.input("x", dtype, (m,)), b.input("ids", i64, (m,))
    keep = b.input("keep", bool_, (m,))
    outs = [b.inout(f"y{i}", dtype, (s,)) for i, s in enumerate((m, 2 * m, m, m + 1, 1))]
    with b.loop("vector", "j", m) as j:
        v = b.load(x, (j,))
        on = b.load(keep, (j,))
        b.store(outs[0], (m - 1 - j,), v, mode)
        b.store(outs[1], (2 * j,), v, mode, where=on)
        b.store(outs[2], (b.load(ids, (j,)).index,), v, mode, where=on)
        b.store(outs[3], (j + 1,), v, mode, where=on)
        b.store(outs[4], (0,), v, mode)
    k = b.build()
    for size in (1, 16, 33, 70):
        arrays = {
            "x": sample(rng, dtype, size), "ids": rng.integers(0, size, size),
            "keep": sample(rng, bool_, size),
        }  # fmt: skip
        for i, s in enumerate((size, 2 * size, size, size + 1, 1)):
            arrays[f"y{i}"] = sample(rng, dtype, s)
        check(k, arrays, {"m": size})


@pytest.mark.parametrize("dtype", [f32, dt.float16, dt.uint8], ids=lambda t: t.code)
def test_loads_and_stores_where(dtype, rng):
    b = KernelBuilder("pad")
    x, y = b.input("x", dtype, (n,)), b.output("y", dtype, (n + 5,))
    z, w = b.output("z", dtype, (n + 5,)), b.inout("w", dtype, (n + 5,))
    with b.loop("vector", "j", n + 5) as j:
        at = b.index(j - 2)
        low = b.let("less", lit(-1, i64), at, dtype=bool_)
        inside = b.let("mul", low, b.let("less", at, b.index(n), dtype=bool_))
        b.store(y, (j,), b.load(x, (j - 2,), inside, 3))
        b.store(z, (j,), b.load(x, ((j - 2) // 2,), inside, 3))
        b.store(w, (j,), b.load(x, (0,), inside, 5), where=inside)
    k = b.build()
    k = _logical_and(k)
    for size in (0, 1, 14, 60):
        x = sample(rng, dtype, size)
        w = sample(rng, dtype, size + 5)
        arrays = {"x": x, "y": np.zeros_like(w), "z": np.zeros_like(w), "w": w}
        check(k, arrays, {"n": size}, at_end=False)
        check(k, arrays, {"n": size}, at_end=True)


def _logical_and(k):
    """The kernel with `mul` of bools as a select (there is no arithmetic on bools)."""
    from dataclasses import replace

    (loop,) = k.body

    def fix(s):
        if isinstance(s, Let) and s.op == "mul":
            return Let(s.name, "select", (*s.args, lit(False, bool_)), bool_)
        return s

    return replace(k, body=(replace(loop, body=tuple(map(fix, loop.body))),))


def test_scalar_place_where(rng):
    b = KernelBuilder("scalars")
    x, y = b.input("x", f32, (n,)), b.inout("y", f32, (m,))
    with b.loop("for", "i", m) as i:
        on = b.let("less", b.index(i), b.index(n), dtype=bool_)
        b.store(y, (i,), b.load(x, (i,), on, 9), "add")
        b.store(y, (i,), lit(1, f32), where=on)
    for rows, size in ((0, 3), (3, 0), (4, 9)):
        arrays = {"x": sample(rng, f32, rows), "y": sample(rng, f32, size)}
        check(b.build(), arrays, {"n": rows, "m": size})


def test_a_load_that_does_not_vary_is_read_once_and_only_if_needed(rng):
    text = """
    kernel hoist(x: f32[n, m], s: f32[n]) -> (y: f32[n, m]) {
      parallel i in n {
        vector j in m {
          %s = load s[i]
          %0 = load x[i, j]
          %1 = mul %0, %s
          store y[i, j] = %1
        }
        %t = reduce sum for j in m {
          %u = load s[i]
          yield %u
        }
      }
    }
    """
    k = parse_kernel(text)
    for rows, size in ((3, 20), (0, 4), (4, 0)):
        x = sample(rng, f32, (rows, size))
        check(k, {"x": x, "s": sample(rng, f32, rows), "y": np.empty_like(x)},
              {"n": rows, "m": size})  # fmt: skip


# ------------------------------------------------------------------- reductions


def reduction(kind, where, dtype, **hints):
    """`where`: rows (lanes along the axis), columns (lanes along the other), plain (no lanes)."""
    b = KernelBuilder("reduction")
    x = b.input("x", dtype, (n, m))
    out = i64 if kind.startswith("arg") else dtype
    y = b.output("y", out, (m,) if where == "columns" else (n,))
    if where == "columns":
        with b.loop("vector", "j", m) as j:
            with b.reduce("for", "i", n, **hints) as r:
                r.yields((kind, b.load(x, (r.var, j))))
            b.store(y, (j,), r.results[0])
    else:
        with b.loop("parallel", "i", n) as i:
            with b.reduce("vector" if where == "rows" else "for", "j", m, **hints) as r:
                r.yields((kind, b.load(x, (i, r.var))))
            b.store(y, (i,), r.results[0])
    return b.build()


@pytest.mark.parametrize("where", ["rows", "columns", "plain"])
@pytest.mark.parametrize("kind", ["sum", "prod", "max", "min", "argmax", "argmin"])
def test_reductions(kind, where, rng):
    for dtype in (f32, f64, i32, dt.uint8):
        k = reduction(kind, where, dtype)
        top = 3 if kind == "prod" else 10
        for size in (0, 1, 15, 17, 64, 129, 260):
            rows, cols = (size, 5) if where == "columns" else (5, size)
            if where == "columns" and size == 17:
                cols = 70
            x = sample(rng, dtype, (rows, cols), 1 if kind == "prod" else -9, top)
            y = np.zeros(cols if where == "columns" else rows, k.params[1].dtype.np)
            if where == "columns" or size:
                check(k, {"x": x, "y": y}, {"n": rows, "m": cols})


@pytest.mark.parametrize("where", ["rows", "columns", "plain"])
def test_reductions_of_every_type(where, rng):
    for dtype in NUMERIC:
        k = reduction("sum", where, dtype)
        x = sample(rng, dtype, (20, 150), 0, 3)[:, : 150 if where == "rows" else 20]
        x = np.ascontiguousarray(x)
        y = np.zeros(x.shape[1] if where == "columns" else 20, x.dtype)
        if dtype.size > 1 or dtype.kind == "u":
            check(k, {"x": x, "y": y}, {"n": 20, "m": x.shape[1]})


@pytest.mark.parametrize("where", ["rows", "columns", "plain"])
@pytest.mark.parametrize("kind", ["any", "all"])
def test_reductions_of_bools(kind, where):
    k = reduction(kind, where, bool_)
    for size in (0, 1, 40, 200):
        shape = (size, 4) if where == "columns" else (4, size)
        x = np.zeros(shape, "?") if kind == "any" else np.ones(shape, "?")
        if size:
            flat = x.T if where == "columns" else x
            flat[1, size - 1] ^= True
            flat[2, 0] ^= True
        y = np.zeros(4, "?")
        check(k, {"x": x, "y": y}, {"n": shape[0], "m": shape[1]})


@pytest.mark.parametrize("where", ["rows", "columns", "plain"])
@pytest.mark.parametrize("kind", ["max", "min", "argmax", "argmin", "sum", "prod"])
def test_reductions_of_odd_values(kind, where, rng):
    k = reduction(kind, where, f32)
    inf, nan = math.inf, math.nan
    odd = [[nan, 1], [1, nan], [inf, -inf], [-inf, -inf], [3, 3], [inf, 1], [nan, nan], [inf, inf]]
    for size in (2, 20, 150) + (5000,) * (kind == "sum"):
        x = np.zeros((len(odd), size), "f")
        x[:] = -inf if kind == "argmax" else inf if kind == "argmin" else 1.0
        for row, pair in zip(x, odd, strict=True):
            row[rng.permutation(size)[:2]] = pair
        if where == "columns":
            x = np.ascontiguousarray(x.T)
        y = np.zeros(len(odd), k.params[1].dtype.np)
        check(k, {"x": x, "y": y}, {"n": x.shape[0], "m": x.shape[1]})


def bits(k, x, out, sizes, **options):
    code, _, got = native(k, {"x": x, "y": np.zeros(out, "f")}, sizes, **options)
    assert code == 0
    return got["y"]


@pytest.mark.parametrize("where", ["rows", "columns", "plain"])
@pytest.mark.parametrize("size", [127, 129, 1000, 4095, 4097, 20000])
def test_sums_have_one_order(where, size, rng):
    rows, cols = (size, 37) if where == "columns" else (7, size)
    x = (rng.standard_normal((rows, cols)) * 10.0 ** rng.integers(-3, 4, (rows, cols))).astype("f")
    out = cols if where == "columns" else rows
    sizes = {"n": rows, "m": cols}
    first = bits(reduction("sum", where, f32), x, out, sizes)
    for unroll in (1, 2, 4, 8):
        k = reduction("sum", where, f32, unroll=unroll)
        same(bits(k, x, out, sizes), first)
        if where != "columns":
            same(bits(k, x, out, sizes, splits=[1, 4]), first)
    k = reduction("sum", where, f32)
    for level in ("sse2", "avx2"):
        same(bits(k, x, out, sizes, level=level), first)
    same(bits(k, x, out, sizes, opt=0), first)
    same(bits(reduction_of(where, size), x, out, sizes), first)


def reduction_of(where, size):
    """The reduction with its extent as a number."""
    from graphc.ir.kernel_text import print_kernel

    var = "n" if where == "columns" else "m"
    text = print_kernel(reduction("sum", where, f32))
    return parse_kernel(
        text.replace("[n, m]) ->", "[n, m]) ->").replace(f"in {var} ", f"in {size} ")
    )


@pytest.mark.parametrize("where", ["rows", "columns", "plain"])
def test_sums_are_accurate(where):
    eps = np.finfo("f").eps
    for size in (100, 4096, 100_000, 1_000_003):
        x = np.full((size, 1) if where == "columns" else (1, size), 0.1, "f")
        x.flat[::7] = 0.3
        got = bits(reduction("sum", where, f32), x, 1, {"n": x.shape[0], "m": x.shape[1]})[0]
        want = x.astype("d").sum()
        assert abs(got - want) <= (4 + 2 * math.log2(size)) * eps * want
        assert abs(got - want) <= 8 * eps * want  # as measured


def test_a_reduction_of_several_values(rng):
    b = KernelBuilder("several")
    x = b.input("x", f32, (n, m))
    names = ("sum", "max", "argmin", "sum", "prod", "any")
    ys = [b.output(f"y{i}", i64 if c == "argmin" else bool_ if c == "any" else f32, (n,))
          for i, c in enumerate(names)]  # fmt: skip
    with b.loop("parallel", "i", n) as i:
        with b.reduce("vector", "j", m) as r:
            v = b.load(x, (i, r.var))
            sq = b.let("mul", v, v)
            neg = b.let("less", v, lit(-8, f32), dtype=bool_)
            r.yields(
                ("sum", v),
                ("max", v),
                ("argmin", v),
                ("sum", sq),
                ("prod", lit(1, f32)),
                ("any", neg),
            )
        for y, v in zip(ys, r.results, strict=True):
            b.store(y, (i,), v)
    k = b.build()
    for size in (1, 20, 129, 5000):
        arrays = {"x": sample(rng, f32, (3, size))}
        arrays |= {p.name: np.zeros(3, p.dtype.np) for p in k.params[1:]}
        check(k, arrays, {"n": 3, "m": size})


def test_softmax_like_rows(rng):
    text = """
    kernel rows(x: f32[n, m], w: f32[m]) -> (y: f32[n, m]) {
      parallel i in n {
        %m = reduce max vector j in m {
          %0 = load x[i, j]
          yield %0
        }
        %s, %a = reduce sum, argmax vector j in m {
          %1 = load x[i, j]
          %2 = sub %1, %m
          %w = load w[j]
          %3 = mul %2, %w
          store y[i, j] = %3
          yield %3, %2
        }
        %f: f32 = cast %a
        vector j in m {
          %4 = load y[i, j]
          %5 = add %4, %s
          %6 = add %5, %f
          store y[i, j] = %6
        }
      }
    }
    """
    k = parse_kernel(text)
    for size in (1, 16, 100, 300):
        x = sample(rng, f32, (6, size))
        arrays = {"x": x, "w": sample(rng, f32, size), "y": np.zeros_like(x)}
        check(k, arrays, {"n": 6, "m": size}, [1, 1, 4])


def test_column_sums_that_stream_rows(rng):
    """The schedule for large matrices: 8 rows at a time into a row that stays in cache."""
    rows = 64
    b = KernelBuilder("stream_rows")
    x, p = b.input("x", f32, (n, m)), b.output("p", f32, (ceildiv(n, rows), m))
    with b.loop("parallel", "u", ceildiv(n, rows)) as u:
        count = b.index(minimum(n - rows * u, rows)).index
        with b.loop("vector", "j", m) as j:
            with b.reduce("for", "i", count % 8) as r:
                r.yields(sum=b.load(x, (rows * u + r.var, j)))
            b.store(p, (u, j), r.results[0])
        with b.loop("for", "g", count // 8) as g:
            with b.loop("vector", "j", m) as j:
                with b.reduce("for", "i", 8) as r:
                    r.yields(sum=b.load(x, (rows * u + count % 8 + 8 * g + r.var, j)))
                b.store(p, (u, j), r.results[0], "add")
    k = b.build()
    for size, cols in ((1, 5), (63, 70), (64, 1), (130, 33)):
        x = sample(rng, f32, (size, cols))
        got = check(
            k, {"x": x, "p": np.zeros((-(-size // rows), cols), "f")}, {"n": size, "m": cols}
        )
        assert np.array_equal(got["p"].sum(0), x.sum(0))


# ------------------------------------------------------------------- scans


@pytest.mark.parametrize("kind", ["sum", "prod", "max", "min", "last"])
@pytest.mark.parametrize("lanes", ["rows", "columns"])
@pytest.mark.parametrize("form", ["plain", "exclusive", "reverse"])
def test_scans(kind, lanes, form, rng):
    b = KernelBuilder("scans")
    x, y = b.input("x", i32, (n, m)), b.output("y", i32, (n, m))
    total = b.output("t", i32, (m,))
    with b.loop("vector" if lanes == "columns" else "parallel", "j", m) as j:
        with b.scan("i", n, [(kind, i32)]) as s:
            at = (n - 1 - s.var if form == "reverse" else s.var, j)
            (after,) = s.step(b.load(x, at))
            b.store(y, at, s.before[0] if form == "exclusive" else after)
        b.store(total, (j,), s.results[0])
    k = b.build()
    for rows, cols in ((0, 3), (1, 17), (9, 40)):
        x = sample(rng, i32, (rows, cols), 1, 4)
        arrays = {"x": x, "y": np.zeros_like(x), "t": np.zeros(cols, "i4")}
        check(k, arrays, {"n": rows, "m": cols})


def test_scan_with_a_start_and_its_own_recurrence(rng):
    b = KernelBuilder("decay")
    x, y, start = b.input("x", f32, (n,)), b.output("y", f32, (n,)), b.input("s", f32, ())
    first = b.load(start, ())
    with b.scan("i", n, [("last", f32), ("sum", i64)], [first, None]) as s:
        v = b.let("add", b.let("mul", s.before[0], lit(0.5, f32)), b.load(x, (s.var,)))
        after, _ = s.step(v, lit(1, i64))
        b.store(y, (s.before[1].index,), after)
    x = sample(rng, f32, 12)
    check(b.build(), {"x": x, "y": np.zeros_like(x), "s": np.float32(3)}, {"n": 12})


# ------------------------------------------------------------------- checks, memory, templates


def test_checks_report_the_lowest_position(rng):
    b = KernelBuilder("gather")
    x, ids = b.input("x", f32, (m,)), b.input("ids", i64, (n,))
    y = b.output("y", f32, (n,))
    with b.loop("parallel vector", "i", n) as i:
        at = b.load(ids, (i,))
        ok = b.select(
            b.let("less", lit(-1, i64), at, dtype=bool_),
            b.let("less", at, b.index(m), dtype=bool_),
            lit(False, bool_),
        )
        b.check(ok, 11, i)
        b.store(y, (i,), b.load(x, (at.index,)))
    k = b.build()
    for size in (1, 20, 150, 5000):
        x, y = sample(rng, f32, 9), np.zeros(size, "f")
        ids = rng.integers(0, 9, size)
        check(k, {"x": x, "ids": ids, "y": y}, {"n": size, "m": 9})
        for bad in (-1, 9, 2**40, -(2**63)):
            broken = ids.copy()
            broken[rng.permutation(size)[:3]] = bad
            check(k, {"x": x, "ids": broken, "y": y}, {"n": size, "m": 9})
    code, position, _ = native(
        k, {"x": x, "ids": np.full(5000, 99), "y": y}, {"n": 5000, "m": 9}, [1]
    )
    assert (code, position) == (11, 0)


def test_checks_outside_vectors():
    b = KernelBuilder("checks")
    x = b.input("x", i64, (n,))
    with b.loop("for", "i", n) as i:
        b.check(b.let("less", b.load(x, (i,)), lit(5, i64), dtype=bool_), 3, 2 * i + 1)
    for values in ([1, 2, 3], [1, 7, 9], []):
        check(b.build(), {"x": np.array(values, "i8")}, {"n": len(values)})


def test_checks_of_a_value_that_does_not_vary():
    b = KernelBuilder("uniform")
    x, y = b.input("x", i64, ()), b.output("y", i64, (n,))
    with b.loop("vector", "i", n) as i:
        v = b.load(x, ())
        b.check(b.let("less", v, lit(5, i64), dtype=bool_), 3, i + 4)
        b.store(y, (i,), v)
    for value in (4, 5):
        for size in (0, 1, 99):
            check(b.build(), {"x": np.int64(value), "y": np.zeros(size, "i8")}, {"n": size})


def test_stack_and_worker_scratch(rng):
    b = KernelBuilder("scratch")
    x, y = b.input("x", f32, (n, m)), b.output("y", f32, (n, m))
    row = b.scratch("row", f32, (m,))
    with b.loop("parallel", "i", n) as i:
        t = b.alloc("t", f32, (2, 20))
        with b.loop("vector", "j", m) as j:
            b.store(row, (j,), b.let("add", b.load(x, (i, j)), lit(1, f32)))
        with b.loop("vector", "q", 20) as q:
            b.store(t, (1, q), lit(2, f32))
        with b.loop("vector", "j", m) as j:
            v = b.let("mul", b.load(row, (m - 1 - j,)), b.load(t, (1, 19)))
            b.store(y, (i, j), v)
    k = b.build()
    for size in (1, 16, 50):
        x = sample(rng, f32, (4, size))
        arrays = {"x": x, "y": np.zeros_like(x), "row": np.zeros(size, "f")}
        check(k, arrays, {"n": 4, "m": size})


def test_templates_and_epilogues(rng):
    b = KernelBuilder("tmpl")
    x, y = b.input("x", f32, (n,)), b.output("y", f32, (n,))
    bias, seen = b.input("bias", f32, (n,)), b.output("seen", f32, (n,))
    with b.epilogue(["i"], [f32]) as e:
        (i,) = e.vars
        b.store(seen, (i,), e.params[0])
        e.yields(b.let("add", e.params[0], b.load(bias, (i,))))
    assert isinstance(e.result, Epilogue)
    b.template("doubled", [x, y], [n], e.result, fast=True, name="a b", perm=[1, 0], rate=0.5)
    k = b.build()
    assert k.units == 1
    for size in (0, 1, 40):
        x = sample(rng, f32, size)
        arrays = {"x": x, "y": np.zeros_like(x), "bias": x * 3, "seen": np.zeros_like(x)}
        check(k, arrays, {"n": size})


def test_in_place(rng):
    """An output may share an input's memory where each element is read at the same index."""
    import ctypes

    from kernel_harness import compiled, guarded

    k = chain("parallel vector", f32)
    x, z = sample(rng, f32, 5000), sample(rng, f32, 5000)
    want = check(k, {"x": x, "z": z, "y": np.zeros_like(x)}, {"n": 5000})["y"]
    a, c = guarded(0, x), guarded(1, z)
    table = (ctypes.c_int64 * 5)(0, a.ctypes.data, c.ctypes.data, a.ctypes.data, 5000)
    assert compiled(k)(table, 0, 2, 0) == 0
    same(a, want)


def test_attributes_reach_the_scalar_function(rng):
    b = KernelBuilder("attrs")
    x, y = b.input("x", f32, (n,)), b.output("y", f32, (n,))
    with b.loop("vector", "i", n) as i:
        b.store(y, (i,), b.let("scale", b.load(x, (i,)), by=2.5))
    x = sample(rng, f32, 30)
    check(b.build(), {"x": x, "y": np.zeros_like(x)}, {"n": 30})


def test_a_scalar_function_of_the_wrong_type_is_refused():
    b = KernelBuilder("wrong")
    x, y = b.input("x", f32, (n,)), b.output("y", f32, (n,))
    with b.loop("vector", "i", n) as i:
        b.store(y, (i,), b.let("less", b.load(x, (i,)), lit(0, f32)))
    with pytest.raises(CompileError, match="less made bool, the kernel says f32"):
        native(b.build(), {"x": np.zeros(1, "f"), "y": np.zeros(1, "f")}, {"n": 1})


def test_values_are_symbols_of_indices():
    v = Value("7", i64)
    assert str(v.index + 1) == "%7 + 1"
