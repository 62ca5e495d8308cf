"""Tests that every record gets from what it says: types, derivatives, expansion, native code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from op_cases import CLOSED, Case, cases, families
from thinned import thinned

from graphc import ops
from graphc.face.graph import Graph
from graphc.ir import build, dtypes
from graphc.ir.node import Value
from graphc.ops.record import OPS, Op, meaning
from graphc.passes.differentiate import differentiate
from graphc.runtime.executor import Executor
from graphc.runtime.options import Options
from graphc.runtime.reference import evaluate
from graphc.runtime.state import State

F64 = [dtypes.float64]


def ids(record: Op) -> str:
    return record.name


def placeholders(case: Case) -> list[Value]:
    return [ops.state.placeholder(t, a.shape) for a, t in case.operands]


def apply(case: Case, inputs: list[Value]) -> list[Value]:
    return list(build.build(case.record, inputs, case.attrs).outputs)


# ------------------------------------------------------------------------- completeness

#: Records that run on the host, by their meaning in numpy.
HOST = {
    "dynamic_partition", "dynamic_stitch", "invert_permutation", "scatter_nd", "unique",
    "unique_with_counts", "where_indices",
}  # fmt: skip


def differentiable(record: Op) -> bool:
    return (
        "f" in record.types
        and record.out == "same"
        and record.family not in ("state", "random", "control", "host")
    )


@pytest.mark.parametrize("record", [r for _, r in sorted(OPS.items())], ids=ids)
def test_record_is_complete(record: Op) -> None:
    assert record.doc.endswith("."), "doc is a sentence"
    assert record.tf
    if record.family in ("state", "random", "fused", "control", "host"):
        return
    assert record.numpy is not None
    if differentiable(record):
        stated = record.grad is not None or record.facts.get("no_gradient_error")
        assert stated, "a gradient, or that there is none"
    if record.name not in HOST:
        lowered = (
            record.scalar or record.element or record.combine or record.expand or record.lower
            or record.facts.get("reshape") or record.family == "contraction"
        )  # fmt: skip
        assert lowered, "one of scalar, element, combine, expand, lower"


@pytest.mark.parametrize("record", families("elementwise", "reduction"), ids=ids)
def test_record_is_drawn_for(record: Op) -> None:
    assert record in CLOSED
    assert record.sample[0] < record.sample[1]
    assert list(cases(record))


# ------------------------------------------------------------------------- inference


@pytest.mark.parametrize("record", CLOSED, ids=ids)
def test_meaning_has_the_inferred_type(record: Op) -> None:
    for case in cases(record):
        inputs = placeholders(case)
        types = record.infer(inputs, case.attrs)
        got = meaning(record, [a for a, _ in case.operands], case.attrs, types, check=True)
        for a, (t, shape) in zip(got, types, strict=True):
            assert a.dtype == t.np, str(case)
            assert shape is None or a.shape == tuple(shape), str(case)


@pytest.mark.parametrize("record", CLOSED, ids=ids)
def test_unknown_sizes_infer_and_run(record: Op) -> None:
    """With sizes unknown when recorded, the same results come out."""
    for case in list(cases(record))[::7]:
        inputs = [ops.state.placeholder(t, [None] * a.ndim) for a, t in case.operands]
        blind = [ops.state.placeholder(t) for _, t in case.operands]
        arrays = [a for a, _ in case.operands]
        want = evaluate(apply(case, inputs), dict(zip(inputs, arrays, strict=True)))
        got = evaluate(apply(case, blind), dict(zip(blind, arrays, strict=True)))
        for a, b in zip(want, got, strict=True):
            np.testing.assert_array_equal(a, b, str(case))


# ------------------------------------------------------------------------- derivatives

#: Where a derivative by convention is not the limit of differences.
CONVENTION = {
    "softmax_cross_entropy": "takes the labels to sum to 1",
    "bitcast": "bits, not numbers",
    "cast": "rounds; test_math has its derivative",
    "count": "a size",
    "truncatediv": "has none in TF1, of floats neither",
}
#: Second derivatives that TF leaves out.
FIRST_ONLY = {
    "digamma": "trigamma has no gradient",
    "lgamma": "two derivatives: digamma, trigamma; a third is not needed",
    "fused_batch_norm": "checked by its expansion",
}


def smooth(record: Op) -> bool:
    return differentiable(record) and record.grad is not None and record.name not in CONVENTION


def chained(outs: list[Value], rng: np.random.Generator) -> Value:
    """A scalar that tells the elements of floating outputs apart."""
    total: Any = 0.0
    for v in outs[:1]:
        shape = tuple(int(str(d)) for d in v.static_shape or ())
        total = ops.reduce.reduce_sum(v * rng.uniform(0.5, 1.5, shape)) + total
    return total  # type: ignore[no-any-return]


def differences(f: Any, xs: list[np.ndarray[Any, Any]], i: int, h: float) -> np.ndarray[Any, Any]:
    """Central differences of a scalar function by its i-th argument."""
    out = np.zeros_like(xs[i])
    flat = out.reshape(-1)
    for j in range(flat.size):
        sides = []
        for step in (h, -h):
            moved = [x.copy() for x in xs]
            moved[i].reshape(-1)[j] += step
            sides.append(f(moved))
        flat[j] = (sides[0] - sides[1]) / (2 * h)
    return out


def small(record: Op) -> list[Case]:
    """Cases for finite differences: not empty, not large."""
    keep = [c for c in cases(record, F64) if all(0 < a.size <= 60 for a, _ in c.operands)]
    return keep[:: max(1, len(keep) // 4)]


def check_gradient(case: Case, order: int) -> None:
    rng = np.random.default_rng(7)
    arrays = [a.copy() for a, _ in case.operands]
    with build.use(Graph()):
        xs = placeholders(case)
        y = chained(apply(case, xs), rng)
        floats = [x for x in xs if x.dtype.kind == "f"]
        grads = differentiate([y], floats)
        if order == 2:
            live = [g for g in grads if g is not None]
            if not live:
                return
            y = sum((chained([g], rng) for g in live[1:]), start=chained([live[0]], rng))
            grads = differentiate([y], floats)
        pairs = zip(grads, floats, strict=True)
        wanted = [ops.fills.zeros_like(x) if g is None else g for g, x in pairs]
        got = evaluate(wanted, dict(zip(xs, arrays, strict=True)))

        def f(moved: list[np.ndarray[Any, Any]]) -> Any:
            return evaluate([y], dict(zip(xs, moved, strict=True)), check=False)[0]

        for x, g in zip(floats, got, strict=True):
            want = differences(f, arrays, xs.index(x), 1e-5)
            scale = max(1.0, float(np.abs(want).max(initial=0)))
            np.testing.assert_allclose(g, want, 2e-5, 2e-5 * scale, err_msg=f"{case} by {x.name}")


@pytest.mark.parametrize("record", [r for r in CLOSED if smooth(r)], ids=ids)
def test_first_derivative(record: Op) -> None:
    for case in small(record):
        check_gradient(case, 1)


@pytest.mark.parametrize(
    "record", [r for r in CLOSED if smooth(r) and r.name not in FIRST_ONLY], ids=ids
)
def test_second_derivative(record: Op) -> None:
    for case in small(record)[:2]:
        check_gradient(case, 2)


# ------------------------------------------------------------------------- expansion


@pytest.mark.parametrize("record", [r for r in CLOSED if r.expand is not None], ids=ids)
def test_expansion_means_the_same(record: Op) -> None:
    assert record.expand is not None
    for case in cases(record):
        inputs = placeholders(case)
        arrays = [a for a, _ in case.operands]
        want = meaning(record, arrays, case.attrs, record.infer(inputs, case.attrs))
        made = record.expand(*inputs, **case.attrs)
        outs = [made] if isinstance(made, Value) else list(made)
        got = evaluate(outs, dict(zip(inputs, arrays, strict=True)))
        for a, b in zip(want, got, strict=True):
            assert a.dtype == b.dtype, str(case)
            assert a.shape == b.shape, str(case)
            eps = {"float16": 4e-3, "float32": 1e-5}.get(case.operands[0][1].name, 1e-12)
            eps = 3e-2 if case.operands[0][1] is dtypes.bfloat16 else eps
            np.testing.assert_allclose(
                a.astype(float), b.astype(float), eps, eps, err_msg=str(case)
            )


# ------------------------------------------------------------------------- native code

#: Allowed relative difference of native code from numpy's own result in the same type.
NEAR = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-13, "bfloat16": 2e-2}


def native(chosen: list[Case]) -> list[list[Any]]:
    """All cases in one run, compiled."""
    feeds: list[Value] = []
    arrays: list[Any] = []
    outs: list[list[Value]] = []
    with build.use(Graph()) as graph:
        for case in chosen:
            xs = placeholders(case)
            outs.append(apply(case, xs))
            feeds += xs
            arrays += [a for a, _ in case.operands]
        fetches = [v for o in outs for v in o]
        run = Executor(graph, State(), Options(threads=1)).prepare(fetches, feeds)
        got = iter(run(*arrays))
        return [[next(got) for _ in o] for o in outs]


def tolerance(case: Case) -> float:
    types = [t.name for _, t in case.operands]
    types += [v.name for v in case.attrs.values() if isinstance(v, dtypes.DType)]
    return max(NEAR.get(t, 0.0) for t in types)


def check_native(record: Op, most: int) -> None:
    """Compare native code for some of a record's cases with its meaning."""
    every = [c for c in cases(record) if not half(c)]
    chosen = every[:: max(1, len(every) // most)]
    for case, got in zip(chosen, native(chosen), strict=True):
        types = record.infer(placeholders(case), case.attrs)
        want = meaning(record, [a for a, _ in case.operands], case.attrs, types)
        for a, b in zip(got, want, strict=True):
            a = np.asarray(a)
            assert a.dtype == b.dtype, str(case)
            assert a.shape == b.shape, str(case)
            eps = tolerance(case)
            np.testing.assert_allclose(
                a.astype(float), b.astype(float), eps, eps, err_msg=str(case)
            )


@pytest.mark.parametrize(
    ("record", "most"),
    thinned([(r, most) for r in CLOSED for most in (7, 16)], lambda record, most: most == 7),
    ids=lambda v: getattr(v, "name", None),
)
def test_native_code_means_the_same(record: Op, most: int) -> None:
    check_native(record, most)


def half(case: Case) -> bool:
    """Whether bfloat16 takes part: its feeds have tests of their own."""
    types = [t for _, t in case.operands] + list(case.attrs.values())
    return dtypes.bfloat16 in [t for t in types if isinstance(t, dtypes.DType)]
