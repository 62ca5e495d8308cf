"""Running pure graphs: on numpy, natively at a level, and with noise (RELIABILITY section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Expr, Symbol
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ir.registry import REGIONS
from graphc.ops.record import meaning
from graphc.passes.pipeline import LEVELS
from graphc.runtime import reference
from graphc.runtime.executor import Executor
from graphc.runtime.options import Options
from graphc.runtime.state import State

Array = np.ndarray[Any, Any]

#: Sizes of the symbols of a text, in the order its head names them: distinct, and none 0 or 1.
SIZES = (5, 3, 7, 4, 6)

#: Ops whose float results are exact: they add no noise of their own.
EXACT = frozenset(
    "negative abs sign relu relu6 relu_grad relu6_grad maximum minimum floor ceil rint round select"
    " constant input sizes fill identity".split()
)


def environment(g: Graph) -> dict[Symbol, int]:
    """A size for every symbol of a graph, in the order in which its inputs show them."""
    env: dict[Symbol, int] = {}
    for v in g.inputs:
        for d in v.static_shape or ():
            if isinstance(d, Expr):
                for s in sorted(d.symbols(), key=str):
                    env.setdefault(s, SIZES[len(env)])
    return env


def random_array(
    rng: np.random.Generator, dtype: DType, shape: Sequence[int], odd: bool = False
) -> Array:
    if dtype.kind == "f":
        a = rng.uniform(-2, 2, shape)
        if odd and a.size:
            flat = a.reshape(-1)
            at = rng.integers(0, flat.size, max(1, flat.size // 4))
            flat[at] = rng.choice(
                [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e30, 1e-40], at.size
            )
        return (
            np.asarray(a, dtype.np)
            if dtype.code != "bf16"
            else reference.round_bf16(np.asarray(a, np.float32))
        )
    if dtype.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    low = 0 if dtype.kind == "u" else -9
    return np.asarray(rng.integers(low, 10, shape), dtype.np)


def random_feeds(
    g: Graph, seed: int, odd: bool = False
) -> tuple[dict[Value, Array], dict[Symbol, int]]:
    rng = np.random.default_rng(seed)
    env = environment(g)
    feeds = {
        v: random_array(rng, v.dtype, [D.evaluate(d, env) for d in v.static_shape or ()], odd)
        for v in g.inputs
    }
    return feeds, env


def on_numpy(g: Graph, feeds: Mapping[Value, Array], env: Mapping[Symbol, int]) -> list[Array]:
    with np.errstate(all="ignore"):
        return reference.evaluate(list(g.roots), feeds, env=env, check=False)


def natively(
    g: Graph, feeds: Mapping[Value, Array], level: int = 2, passes: str | None = None
) -> list[Array]:
    """The roots of `g`, compiled at `level`."""
    options = Options(level=level, passes=passes, threads=2)
    roots = list(g.roots)
    # a fed value is not computed; what is fetched twice is fetched once
    run = Executor(None, State(), options).prepare(roots, tuple(feeds))
    return [np.asarray(a) for a in run(*feeds.values())]


def after(g: Graph, names: Sequence[str]) -> Graph:
    from graphc.passes.pipeline import optimize_ir

    return optimize_ir(g, names, check=True)


# ------------------------------------------------------------------------- noise


def wide(x: Any) -> Any:
    return dtypes.float64 if isinstance(x, DType) and x.kind == "f" else x


def twin(
    g: Graph,
    feeds: Mapping[Value, Array],
    env: Mapping[Symbol, int],
    rng: np.random.Generator | None,
) -> list[Array]:
    """The roots in float64; with `rng`, every inexact op off by up to 4 eps of its element type."""
    done: dict[Value, Array] = {
        v: a.astype(np.float64) if v.dtype.kind == "f" else a for v, a in feeds.items()
    }
    with np.errstate(all="ignore"):
        for n in g.nodes():
            if n.outputs[0] not in done:
                for v, a in zip(n.outputs, _apply(n, done, env, rng), strict=True):
                    done[v] = a
    return [done[v] for v in g.roots]


def _apply(
    n: Node, done: Mapping[Value, Array], env: Mapping[Symbol, int], rng: np.random.Generator | None
) -> list[Array]:
    if n.op.name in REGIONS:
        given = [done[v] for v in n.inputs]
        return reference.control(
            n, given, lambda r, a: twin(r, dict(zip(r.inputs, a, strict=True)), env, rng)
        )
    attrs = {k: wide(reference.resolve(a, env)) for k, a in n.attrs.items()}
    arrays = [done[v] for v in n.inputs]
    types = [(wide(v.dtype), v.static_shape) for v in n.outputs]
    if n.op.name == "constant":
        a = n.attrs["value"]
        return [a.astype(np.float64) if a.dtype.kind == "f" else a]
    out = meaning(n.op, arrays, attrs, types)
    if rng is None or n.op.name in EXACT or n.op.element is not None or n.op.facts.get("reshape"):
        return out
    sizes = magnitudes(n, arrays, attrs, out)
    noisy = []
    for v, a, size in zip(n.outputs, out, sizes, strict=True):
        if v.dtype.kind != "f":
            noisy.append(a)
            continue
        eps = 2.0**-8 if v.dtype.code == "bf16" else float(np.finfo(v.dtype.np).eps)
        off = np.where(np.isfinite(a), 4 * eps * size * rng.uniform(-1, 1, a.shape), 0)
        noisy.append(np.asarray(a + off))
    return noisy


def magnitudes(
    n: Node, arrays: Sequence[Array], attrs: Mapping[str, Any], out: Sequence[Array]
) -> list[Array]:
    """What the noise of each result scales with: itself, or the sum of absolute terms."""
    if n.op.name in ("reduce_sum", "reduce_mean", "cumsum"):
        return [meaning(n.op, [np.abs(arrays[0])], attrs, [(dtypes.float64, None)])[0]]
    if n.op.name == "matmul":
        return [meaning(n.op, [np.abs(a) for a in arrays], attrs, [(dtypes.float64, None)])[0]]
    if n.op.name in (
        "log_softmax",
        "reduce_logsumexp",
        "softmax_cross_entropy",
        "sparse_softmax_cross_entropy",
    ):
        top = max((float(np.nanmax(np.abs(arrays[0]), initial=0.0)), 1.0))
        return [np.abs(a) + top + 1 for a in out]
    return [np.abs(a) for a in out]


def compare(
    g: Graph,
    seed: int = 0,
    levels: Sequence[int] = (0, 2),
    odd: bool = False,
    passes: str | None = None,
) -> tuple[int, int]:
    """Check native results of a graph against numpy; returns how many elements were judged.

    Beside it how many there are: where noise flips a number or a NaN, none is right.

    Raises
    ------
    AssertionError
        Where they differ by more than the rules of RELIABILITY section 4 allow.
    """
    feeds, env = random_feeds(g, seed, odd)
    exact = on_numpy(g, feeds, env)
    plain = twin(g, feeds, env, None)
    rng = np.random.default_rng(seed + 1)
    samples = [twin(g, feeds, env, rng) for _ in range(6)]
    judged = total = 0
    for level in levels:
        # odd numbers are where stable formulas differ from those as written, on purpose
        text = passes or (LEVELS[level].replace("stabilize", "stabilize:-STABLER") if odd else None)
        if odd and text:
            text = text.replace("simplify", "simplify:-STABLER")
        got = natively(g, feeds, level, text)
        for i, v in enumerate(g.roots):
            mine = got[i].astype(np.float64) if v.dtype.kind == "f" else got[i]
            assert got[i].shape == exact[i].shape, (
                f"level {level}, root {i}: {got[i].shape}, not {exact[i].shape}"
            )
            ok, bad = disagree(mine, exact[i], plain[i], [s[i] for s in samples], v.dtype)
            total += ok.size
            judged += int(ok.sum())
            if bad.any():
                at = tuple(int(k[0]) for k in np.nonzero(bad)) if bad.ndim else ()
                raise AssertionError(
                    f"level {level}, root {i} {v!r} at {at}: native {got[i][at]!r}, "
                    f"numpy {exact[i][at]!r}, exact {plain[i][at]!r} "
                    f"({int(bad.sum())} of {bad.size} differ)"
                )
    return judged, total


def disagree(
    got: Array, own: Array, plain: Array, samples: Sequence[Array], dtype: DType
) -> tuple[Array, Array]:
    """Which elements are judged, and which of them are wrong."""
    if dtype.kind != "f":
        steady = np.ones(plain.shape, bool)
        for s in samples:
            steady &= s == plain
        if dtype.kind in "iu" and plain.dtype == own.dtype:
            steady &= own == plain
        return steady, steady & (got != own)
    eps = 2.0**-8 if dtype.code == "bf16" else float(np.finfo(dtype.np).eps)
    steady = np.isfinite(plain) | np.isinf(plain) | np.isnan(plain)
    spread = np.zeros(plain.shape)
    with np.errstate(all="ignore"):
        for s in samples:
            steady &= (np.isnan(s) == np.isnan(plain)) & (np.isinf(s) == np.isinf(plain))
            spread = np.fmax(spread, np.abs(s - plain))
        o = own.astype(np.float64)
        # where the element type overflows and float64 does not, numpy in the type decides
        finite = np.isfinite(plain) & np.isfinite(o)
        tiny = 2.0**-149 if dtype.code == "f32" else 2.0**-24 if dtype.code == "f16" else 2.0**-1074
        close = np.abs(got - plain) <= 8 * spread + 16 * eps * np.abs(plain) + 4 * tiny
        same = np.where(np.isnan(o), np.isnan(got), got == o)
        right = np.where(finite, close, same | (np.isnan(plain) & np.isnan(got)) | (got == plain))
        # beside the edge of the range rounding decides between a number and infinity
        edge = np.isfinite(plain) != np.isfinite(o)
    return steady & ~edge, steady & ~edge & ~right
