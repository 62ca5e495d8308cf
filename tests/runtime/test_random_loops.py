"""Random nests of loops, conditions and arrays, natively against the interpreter, bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from graphc.ir import dtypes
from graphc.ir.dims import Expr, Facts, Symbol
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ops.pure import input_op
from graphc.ops.record import OPS
from graphc.runtime import reference
from graphc.runtime.executor import Executor
from graphc.runtime.options import Options
from graphc.runtime.state import State

B = Expr.symbol("b")
SCALAR: tuple[Any, ...] = ()
VECTOR: tuple[Any, ...] = (B,)
ARRAY: tuple[Any, ...] = (4, B)
KINDS = (SCALAR, VECTOR, ARRAY)
i32 = dtypes.int32


def make(name: str, inputs: Sequence[Value], **attrs: Any) -> Value:
    record = OPS[name]
    return Node(record, inputs, attrs, record.infer(inputs, attrs), name).outputs[0]


def constant(x: int) -> Value:
    return make("constant", (), value=np.array(x, np.int32))


def given(index: int, shape: tuple[Any, ...]) -> Value:
    return make("input", (), index=index, dtype=i32, shape=shape)


class Maker:
    """Builds graphs; `pool` holds the values that may be used."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.facts = Facts({Symbol("b"): 5})

    def pick(self, pool: list[Value], shape: tuple[Any, ...]) -> Value:
        found = [v for v in pool if v.static_shape == shape]
        # what was made late more often
        return found[int(len(found) * self.rng.random() ** 0.6)]

    def graph(self) -> Graph:
        inputs = tuple(given(i, s) for i, s in enumerate((*KINDS, *KINDS)))
        pool = list(inputs)
        self.fill(pool, 10, 2)
        outs = [self.pick(pool, s) for s in (*KINDS, *KINDS)]
        return Graph(tuple(dict.fromkeys(outs)), (), inputs, facts=self.facts)

    def fill(self, pool: list[Value], count: int, depth: int) -> None:
        for _ in range(count):
            r = self.rng.random()
            if r < 0.12 and depth:
                pool += self.condition(pool, depth - 1)
            elif r < 0.3 and depth:
                pool += self.loop(pool, depth - 1)
            else:
                self.one(pool)

    def one(self, pool: list[Value]) -> None:
        s, v, a = (self.pick(pool, k) for k in KINDS)
        t, w, c = (self.pick(pool, k) for k in KINDS)
        at = make("floormod", (t, constant(4)))
        choices = (
            lambda: make(str(self.rng.choice(["add", "subtract", "maximum"])), (s, t)),
            lambda: make(str(self.rng.choice(["add", "subtract", "maximum"])), (v, w)),
            lambda: make("add", (a, c)),
            lambda: make("multiply", (v, s)),
            lambda: make("negative", (v,)),
            lambda: make("reverse", (v,), axis=(0,)),
            lambda: make("reverse", (a,), axis=(1,)),
            lambda: make("reduce_max", (v,), axis=(0,), keepdims=False),
            lambda: make("reduce_max", (a,), axis=(0,), keepdims=False),
            lambda: make("array_get", (a, at)),
            lambda: make("array_get", (a, at)),
            lambda: make("array_set", (a, at, v)),
            lambda: make("array_set", (a, at, make("add", (v, w)))),
            lambda: make("array_set", (a, at, make("negative", (v,)))),
            lambda: make("array_add", (a, at, v)),
            lambda: make("add", (make("reverse", (v,), axis=(0,)), w)),
        )
        if self.rng.random() < 0.75:
            pool.append(choices[int(self.rng.integers(len(choices)))]())
            return
        # an element made of one of the same array, perhaps of the same element
        old = make(
            "array_get", (a, at if self.rng.random() < 0.6 else make("floormod", (s, constant(4))))
        )
        if self.rng.random() < 0.3:
            old = make("reverse", (old,), axis=(0,))
        new = make("add", (old, v))
        if self.rng.random() < 0.4:
            pool.append(new)
        if self.rng.random() < 0.3:
            pool.append(make("subtract", (w, new)))
        pool.append(make("array_set", (a, at, new)))

    def some(self, pool: list[Value], least: int) -> list[Value]:
        """Values for a region, one of each kind at least."""
        more = [pool[i] for i in self.rng.integers(len(pool), size=int(self.rng.integers(4)))]
        kinds = [self.pick(pool, k) for k in KINDS for _ in range(least)]
        return list(dict.fromkeys([*more, *kinds]))

    def region(self, values: Sequence[Value], depth: int) -> tuple[tuple[Value, ...], list[Value]]:
        inputs = tuple(given(i, v.static_shape or ()) for i, v in enumerate(values))
        pool = list(inputs)
        self.fill(pool, int(self.rng.integers(1, 6)), depth)
        return inputs, pool

    def condition(self, pool: list[Value], depth: int) -> list[Value]:
        p = make("less", (self.pick(pool, SCALAR), self.pick(pool, SCALAR)))
        captured = self.some(pool, 1)
        kinds = [KINDS[i] for i in self.rng.integers(3, size=int(self.rng.integers(1, 4)))]
        sides: dict[str, Any] = {}
        for key in ("then", "orelse"):
            inputs, inner = self.region(captured, depth)
            sides[key] = Graph(
                tuple(self.pick(inner, k) for k in kinds), (), inputs, key, self.facts
            )
        record = OPS["cond"]
        ins = (p, *captured)
        return list(Node(record, ins, sides, record.infer(ins, sides), "cond").outputs)

    def loop(self, pool: list[Value], depth: int) -> list[Value]:
        carried = [constant(0), *self.some(pool, 1)]
        captured = [constant(int(self.rng.integers(4))), *self.some(pool, 0)]
        values = [*carried, *captured]
        size = len(carried)
        inputs = tuple(given(i, v.static_shape or ()) for i, v in enumerate(values))
        head = Graph((make("less", (inputs[0], inputs[size])),), (), inputs, "cond", self.facts)
        inputs, inner = self.region(values, depth)
        # the counter goes on; the others become anything, or stay, or change places
        outs = [make("add", (inputs[0], constant(1)))]
        outs += [self.pick(inner, v.static_shape or ()) for v in carried[1:]]
        attrs = {"cond": head, "body": Graph(tuple(outs), (), inputs, "body", self.facts)}
        record = OPS["while"]
        return list(Node(record, values, attrs, record.infer(values, attrs), "while").outputs)


def check(seed: int) -> None:
    g = Maker(seed).graph()
    rng = np.random.default_rng(seed)
    sizes = {SCALAR: (), VECTOR: (5,), ARRAY: (4, 5)}
    feeds = {v: rng.integers(-9, 9, sizes[v.static_shape or ()]).astype(np.int32) for v in g.inputs}
    with np.errstate(all="ignore"):
        want = reference.evaluate(list(g.outputs), feeds)
    for level in (0, 2):
        options = Options(level=level, threads=1, check=True)
        run = Executor(None, State(), options).prepare(list(g.outputs), tuple(feeds))
        for _ in range(2):
            for got, exact in zip(run(*feeds.values()), want, strict=True):
                np.testing.assert_array_equal(np.asarray(got), exact, f"seed {seed} level {level}")


assert input_op is OPS["input"]


@pytest.mark.parametrize("seed", range(12))
def test_random_loops(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12, 300))
def test_more_random_loops(seed: int) -> None:
    check(seed)
