"""Axes in another order, between guard pages, for each element size and CPU level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from guarded_plans import plan_of, run

from graphc.ir.kernel import Template
from graphc.ops.transposing import transpose_op
from graphc.runtime.llvm import reorder
from graphc.runtime.llvm.cpu import LEVELS, host

BELOW = [v for v in LEVELS if LEVELS.index(v) < LEVELS.index(host().level)] if host().level else []

#: Shape and order: around squares and units, short axes, places of other axes, axes of one.
CASES: list[Any] = [
    ((67, 131), (1, 0)), ((64, 64), None), ((3, 5000), (1, 0)), ((5000, 3), (1, 0)),
    ((2, 4097), (1, 0)), ((4097, 8), (1, 0)), ((9, 1025), (-1, -2)), ((2050, 6), (1, 0)),
    ((0, 5, 3), (0, 2, 1)), ((5, 70, 33), (0, 2, 1)), ((5, 1, 70, 33), (3, 1, 2, 0)),
    ((3, 18, 20, 9), (2, 3, 1, 0)), ((2, 7, 3, 200), (0, 2, 3, 1)), ((2, 64, 40, 3), (0, 3, 1, 2)),
    ((2, 3, 40, 64), (0, 2, 3, 1)), ((3, 18, 20, 9), (3, 2, 1, 0)),
]  # fmt: skip


def agree(case: Any, dtype: Any, **how: Any) -> None:
    shape, order = case
    x = np.random.default_rng(3).integers(0, 99, shape).astype(dtype)
    want = x.transpose(order)
    got = run(transpose_op, [x], {"perm": order}, want.shape, **how)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_elements_are_where_numpy_has_them(case: Any) -> None:
    agree(case, np.float32, high=True, parts=3)
    agree(case, np.float32, high=False, known=False)


@pytest.mark.parametrize("dtype", ["int8", "bool", "float16", "int64", "uint16"])
def test_elements_of_each_size(dtype: str) -> None:
    for case in (CASES[0], CASES[2], CASES[3]):
        agree(case, dtype, high=True)


@pytest.mark.parametrize("level", BELOW)
def test_lesser_cpus(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reorder, "host", lambda: host(level))
    for case in (CASES[0], CASES[2], CASES[7], CASES[12]):
        agree(case, np.float32, level=level)
        agree(case, np.int8, level=level)


@pytest.mark.parametrize(("shape", "order", "turned"), [
    ((67, 131), (1, 0), True), ((64, 9, 70), (0, 2, 1), True), ((1, 64, 64), (1, 2, 0), False),
    ((64, 9, 70), (1, 0, 2), False), ((9, 9), (1, 0), False),
])  # fmt: skip
def test_where_squares_are_turned(shape: Any, order: Any, turned: bool) -> None:
    x = np.zeros(shape, np.float32)
    plan = plan_of(transpose_op, [x], {"perm": order}, True)
    kinds = [s.kind for step in plan.steps for s in step.code.kernel.parallel.body
             if isinstance(s, Template)]  # fmt: skip
    assert kinds == ["reorder"] * turned
