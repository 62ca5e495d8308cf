"""Compiled code of every elementwise record against its numpy meaning: types, shapes, odd values.

Placeholders have unknown sizes, so one compilation serves every size of a pattern. What rounds
correctly must be equal bit by bit; functions keep to the bounds that users are promised.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from op_cases import BY_KIND, draw, families
from thinned import thinned

from graphc import ops
from graphc.errors import InvalidArgumentError
from graphc.face.graph import Graph
from graphc.ir import build, dtypes
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops.record import OPS, Op, meaning, round_bf16
from graphc.runtime.executor import Executor
from graphc.runtime.llvm import vmath
from graphc.runtime.options import Options
from graphc.runtime.state import State

Array = np.ndarray[Any, Any]

#: Bounds in units of the last place, for float32 and float64.
ULP: dict[str, tuple[float, float]] = {**vmath.ULP, "xlogy": (2, 2), "xdivy": (1, 1)}
#: For these the unit is that of the largest of 1, the result, and the result at 1 - x.
WIDE = ("lgamma", "digamma", "trigamma")
#: Meanings that round once where half precision rounds after each step.
STEPS = ("squared_difference", "softsign", "xlogy", "xdivy")

ELEMENTWISE = [r for r in families("elementwise") if r.name not in ("bitcast", "cast")]
SIZES = (0, 1, 2, 15, 16, 17, 33, 130)
#: Shapes by the letters n and m, for each operand; None: all the same vector.
PATTERNS: dict[str, Any] = {
    "vector": lambda n, m: [(n,)] * 3,
    "scalar": lambda n, m: [()] * 3,
    "block": lambda n, m: [(n, m, 3)] * 3,
    "left": lambda n, m: [(), (n,), (m, n)],
    "right": lambda n, m: [(n, m), (m,), ()],
    "outer": lambda n, m: [(n, 1), (1, m), (n, m)],
    "middle": lambda n, m: [(2, 1, m), (2, n, m), (n, 1)],
    "ones": lambda n, m: [(1, 1), (n, m), (1,)],
    "column": lambda n, m: [(n, m), (n, 1), (m,)],
}


def kinds_of(record: Op) -> list[DType]:
    return [t for k in record.types for t in BY_KIND.get(k, [])]


def odd(t: DType) -> list[Any]:
    if t.kind == "b":
        return [False, True]
    if t.kind == "f":
        low, high = float(t.min), float(t.max)
        small = {"f16": 6e-8, "bf16": 1e-38, "f32": 1e-45, "f64": 5e-324}[t.code]
        return [np.nan, np.inf, -np.inf, 0.0, -0.0, small, -small, high, low, 1.0, -1.0, 0.5, 2.5]
    return sorted({t.min, t.max, t.max - 1, 0, 1, t.min + 1, 7, 8, 63, 64 % int(t.max)})


def operands(record: Op, shapes: Any, t: DType, rng: np.random.Generator) -> list[Array]:
    """Drawn from the domain of the record, every third element an odd one."""
    out = []
    for i, s in enumerate(shapes):
        kind = dtypes.bool_ if record.name == "select" and i == 0 else t
        a = draw(rng, record, s, kind)
        rule = record.facts.get("check")
        if not (rule and rule["operand"] == i and kind.kind in rule["types"]):
            flat = a.reshape(-1)
            chosen = rng.integers(0, len(odd(kind)), flat.size)
            with np.errstate(all="ignore"):
                pool = np.array([*odd(kind)]).astype(kind.np)
                strange = round_bf16(pool) if kind.code == "bf16" else pool
            flat[::3] = strange[chosen][::3]
        out.append(a)
    return out


def arity(record: Op) -> int:
    return 2 if record.args[0].startswith("*") else len(record.args)


def attributes(record: Op) -> dict[str, Any]:
    return {"alpha": 0.25} if record.name.startswith("leaky_relu") else {}


def check(record: Op, t: DType, arrays: list[Array], got: Any, want: Array) -> None:
    what = f"{record.name} {t.code} {[a.shape for a in arrays]}"
    got = np.asarray(got)
    assert got.dtype == want.dtype, what
    assert got.shape == want.shape, what
    if want.dtype.kind != "f":
        bad = np.flatnonzero(np.asarray(got != want))
        assert not bad.size, f"{what} at {bad[:3]}: {shown(arrays, want, got, bad)}"
        return
    bound = ULP.get(record.name, (0, 0))[want.dtype == np.float64]
    if t.size == 2:  # computed in single precision and rounded once
        bound = 2.5 if record.name in STEPS else 1 if bound else 0
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want), what)
    with np.errstate(all="ignore"):
        ok = ~np.isnan(want)
        signs = np.signbit(got) == np.signbit(want)
        near = np.asarray((got == want) & (signs | (bound > 0)) | ~ok)
        if record.name in ("maximum", "minimum"):  # of two zeros either may come out
            near |= np.asarray((got == 0) & (want == 0))
        if bound:
            high = exact(record, arrays, want)
            step = np.abs(spacing(want, t).astype(np.longdouble))
            if record.name in WIDE:
                x = np.maximum(1, np.abs(arrays[0].astype(np.longdouble)))
                step = np.maximum(step, np.finfo(got.dtype).eps * x * np.maximum(1, np.log(x)))
            error = np.abs(got.astype(np.longdouble) - high)
            own = 0 if want.dtype != np.float64 else 8 if record.name in WIDE else 1
            room = (bound + own) * step  # the meaning errs too
            near |= np.asarray(error <= room)
    bad = np.flatnonzero(~near)
    assert not bad.size, f"{what} at {bad[:3]}: {shown(arrays, want, got, bad)}"


def shown(arrays: list[Array], want: Array, got: Array, bad: Array) -> list[Any]:
    with np.errstate(all="ignore"):
        full = [np.broadcast_to(a, want.shape).reshape(-1) for a in arrays]
    return [
        ([repr(a[i]) for a in full], want.reshape(-1)[i], np.asarray(got).reshape(-1)[i])
        for i in bad[:3]
    ]


def spacing(want: Array, t: DType) -> Array:
    if t.code == "bf16":
        return np.spacing(np.abs(want)) * np.float32(65536)
    return np.spacing(np.abs(want))


def exact(record: Op, arrays: list[Array], want: Array) -> Any:
    """The meaning in double precision for single and half, itself for double."""
    if want.dtype == np.float64:
        return want.astype(np.longdouble)
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
    assert record.numpy is not None
    with np.errstate(all="ignore"):
        high = np.asarray(record.numpy(*wide, **attributes(record)))
        return np.where(np.isfinite(want), high, want).astype(np.longdouble)


def sizes_of(pattern: str) -> list[tuple[int, int]]:
    if pattern in ("vector", "scalar"):
        return [(n, 0) for n in (SIZES if pattern == "vector" else (0,))]
    return [(5, 17), (33, 4), (0, 3), (3, 0), (1, 16), (2, 1)]


def compare(record: Op, types: list[DType], pattern: str, level: int = 2) -> None:
    rng = np.random.default_rng(sum(record.name.encode()))
    count, attrs = arity(record), attributes(record)
    shapes = PATTERNS[pattern]
    with build.use(Graph()) as graph:
        feeds: list[Value] = []
        outs: list[Value] = []
        for t in types:
            xs = []
            for i, s in enumerate(shapes(2, 3)[:count]):
                kind = dtypes.bool_ if record.name == "select" and i == 0 else t
                xs.append(ops.state.placeholder(kind, [None] * len(s)))
            feeds += xs
            outs.append(build.build(record, xs, attrs).outputs[0])
        run = Executor(graph, State(), Options(threads=1, level=level)).prepare(outs, feeds)
    for n, m in sizes_of(pattern):
        arrays = [operands(record, shapes(n, m)[:count], t, rng) for t in types]
        got = run(*[a for group in arrays for a in group])
        for t, group, g, o in zip(types, arrays, got, outs, strict=True):
            want = meaning(record, group, attrs, [(o.dtype, None)])[0]
            check(record, t, group, g, want)


def ids(record: Op) -> str:
    return record.name


@pytest.mark.parametrize("record", ELEMENTWISE, ids=ids)
@pytest.mark.parametrize("each", thinned([1, 3], lambda each: each == 3))
def test_vectors_of_types(record: Op, each: int) -> None:
    """Of all types, or of the most usual and every third: others for neighbours in the list."""
    kinds, usual = kinds_of(record), (dtypes.float32, dtypes.int32)
    first = ELEMENTWISE.index(record) % min(each, len(kinds))
    chosen = [t for i, t in enumerate(kinds) if i % each == first or t in usual]
    compare(record, chosen, "vector")


@pytest.mark.parametrize("record", ELEMENTWISE, ids=ids)
def test_scalars_of_every_type(record: Op) -> None:
    compare(record, kinds_of(record), "scalar")


@pytest.mark.parametrize("pattern", [p for p in PATTERNS if p not in ("vector", "scalar")])
@pytest.mark.parametrize("name", ["add", "less", "select", "maximum", "realdiv", "tanh"])
def test_broadcasting(name: str, pattern: str) -> None:
    compare(OPS[name], kinds_of(OPS[name])[:1], pattern)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [p for p in PATTERNS if p not in ("vector", "scalar")])
@pytest.mark.parametrize("record", [r for r in ELEMENTWISE if r.name != "add_n"], ids=ids)
def test_every_pattern_of_every_type(record: Op, pattern: str) -> None:
    compare(record, kinds_of(record), pattern)


@pytest.mark.slow
@pytest.mark.parametrize("record", ELEMENTWISE, ids=ids)
def test_without_optimisation(record: Op) -> None:
    compare(record, kinds_of(record), "vector", level=0)


# ------------------------------------------------------------------------- conversions


@pytest.mark.parametrize("to", [t for ts in BY_KIND.values() for t in ts], ids=lambda t: t.code)
def test_cast_from_every_type(to: DType) -> None:
    rng = np.random.default_rng(3)
    cast = OPS["cast"]
    types = [t for ts in BY_KIND.values() for t in ts]
    with build.use(Graph()) as graph:
        xs = [ops.state.placeholder(t, [None]) for t in types]
        outs = [build.build(cast, (x,), {"dtype": to}).outputs[0] for x in xs]
        run = Executor(graph, State(), Options(threads=1)).prepare(outs, xs)
    for n in SIZES:
        arrays = [operands(cast, [(n,)], t, rng)[0] for t in types]
        if n == 33:  # what lies around the ends of integer types
            powers = (7, 8, 15, 16, 22, 23, 31, 32, 63, 64)
            ends = [s * 2.0**e + d for e in powers for s in (1, -1) for d in (0, 1, -0.5)]
            ends += [s * float(np.nextafter(f(2.0**e), f(0))) for e in powers for s in (1, -1)
                     for f in (np.float32, np.float64)]  # fmt: skip
            with np.errstate(all="ignore"):
                arrays = [
                    round_bf16(np.array(ends)) if t.code == "bf16" else np.array(ends).astype(t.np)
                    for t in types
                ]
        for t, a, g in zip(types, arrays, run(*arrays), strict=True):
            with np.errstate(all="ignore"):
                want = meaning(cast, [a], {"dtype": to}, [(to, None)])[0]
            check(cast, t, [a], g, want)


# ------------------------------------------------------------------------- integers that fail


@pytest.mark.parametrize("name", ["floordiv", "floormod", "truncatediv", "truncatemod"])
@pytest.mark.parametrize("t", [*BY_KIND["i"], *BY_KIND["u"]], ids=lambda t: t.code)
@pytest.mark.parametrize("n", [1, 17, 100])
def test_division_by_zero(name: str, t: DType, n: int) -> None:
    with build.use(Graph()) as graph:
        x, y = (ops.state.placeholder(t, [None]) for _ in range(2))
        out = build.build(OPS[name], (x, y)).outputs[0]
        run = Executor(graph, State(), Options(threads=1)).prepare([out], [x, y])
    a, b = np.full(n, 7, t.np), np.full(n, 2, t.np)
    run(a, b)
    b[n - 1] = 0
    with pytest.raises(InvalidArgumentError, match="Integer division by zero"):
        run(a, b)
    b[n - 1] = 1
    run(a, b)
    if t.kind == "i":
        low = np.full(n, t.min, t.np)
        want = meaning(OPS[name], [low, -b], {}, [(t, None)])[0]
        b[:] = -1
        with np.errstate(all="ignore"):
            want = meaning(OPS[name], [low, b], {}, [(t, None)])[0]
        np.testing.assert_array_equal(run(low, b)[0], want)
