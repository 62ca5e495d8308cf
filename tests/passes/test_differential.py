"""Random graphs from the op table: numpy, level 0 and level 2 agree (RELIABILITY section 4)."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ir_run import SIZES, compare
from thinned import thinned

from graphc.ir import build, dims, dtypes
from graphc.ir.dims import Dim, Expr, Facts, Symbol
from graphc.ir.graph import Graph
from graphc.ir.node import Value, reachable
from graphc.ir.text import parse_graph, print_graph
from graphc.ops.convert import make_constant
from graphc.ops.pure import input_op
from graphc.ops.record import OPS, InferError

B = Expr.symbol("b")
#: Elementwise ops of the table that are safe on any number, by operand count.
FLOAT1 = (
    "negative abs sign square exp sqrt rsqrt reciprocal relu relu6 elu softplus sigmoid tanh"
    " floor ceil rint log1p sin cos erf expm1 softsign log_sigmoid log"
).split()
INT1 = "negative abs sign square relu invert".split()
FLOAT2 = "add subtract multiply realdiv maximum minimum squared_difference".split()
INT2 = "add subtract multiply maximum minimum bitwise_and bitwise_or bitwise_xor".split()
COMPARE = "equal not_equal less less_equal greater greater_equal".split()
REDUCE = "reduce_sum reduce_max reduce_min reduce_mean reduce_logsumexp".split()
DTYPES = (dtypes.float32, dtypes.float32, dtypes.float32, dtypes.float64, dtypes.int32)


class Maker:
    """Grows a random graph: every step takes values made before."""

    def __init__(self, seed: int, size: int) -> None:
        self.rng = random.Random(seed)
        self.size = size
        self.dtype = self.rng.choice(DTYPES)
        self.pool: list[Value] = []
        self.inputs: list[Value] = []
        self.facts = Facts({Symbol("b"): SIZES[0]})

    def graph(self) -> Graph:
        with build.use(build.Rewriter()), dims.assuming(self.facts):
            for i in range(self.rng.randint(1, 3)):
                self.input(i)
            while len(self.pool) < self.size:
                self.grow()
            roots = self.pool[-1:] + self.rng.sample(
                self.pool[len(self.inputs) :], self.rng.randint(0, 2)
            )
        roots = [
            v for v in dict.fromkeys(roots) if v not in self.inputs and v.node.op.name != "constant"
        ]
        used = {n for n in reachable([v.node for v in roots])}
        inputs = tuple(v for v in self.inputs if v.node in used)
        return renumbered(Graph(tuple(roots), (), inputs, "main", self.facts))

    def input(self, i: int) -> None:
        rng = self.rng
        shape: tuple[Dim, ...] = tuple(
            rng.choice([B, 3, 4, 1]) for _ in range(rng.choice([1, 2, 2, 2, 3]))
        )
        if i and rng.random() < 0.6:
            shape = self.inputs[0].static_shape or ()
        attrs = {"index": i, "dtype": self.dtype, "shape": shape}
        v = build.build(input_op, (), attrs, f"x{i}").outputs[0]
        self.inputs.append(v)
        self.pool.append(v)

    def pick(self, kinds: str) -> Value:
        recent = [v for v in self.pool[-8:] if v.dtype.kind in kinds]
        return self.rng.choice(
            recent or [v for v in self.pool if v.dtype.kind in kinds] or self.pool
        )

    def grow(self) -> None:
        steps: list[Callable[[], Value]] = [
            self.unary, self.unary, self.binary, self.binary, self.binary, self.select,
            self.with_constant,
            self.reduce, self.move, self.move, self.move, self.matmul, self.composite, self.cast,
        ]  # fmt: skip
        try:
            v = self.rng.choice(steps)()
        except (InferError, ValueError, TypeError, IndexError, StopIteration):
            return
        size = np.prod([d if type(d) is int else SIZES[0] for d in v.static_shape or ()])
        if v not in self.pool and size < 2000:
            self.pool.append(v)

    def op(self, name: str, *inputs: Value, **attrs: Any) -> Value:
        if any(v.dtype.kind not in OPS[name].types for v in inputs) and name != "select":
            raise ValueError
        return build.build(OPS[name], inputs, attrs, f"v{len(self.pool)}").outputs[0]

    def unary(self) -> Value:
        x = self.pick("fi")
        return self.op(self.rng.choice(FLOAT1 if x.dtype.kind == "f" else INT1), x)

    def binary(self) -> Value:
        x = self.pick("fi")
        y = self.pick(x.dtype.kind)
        if x.dtype is not y.dtype:
            raise ValueError
        return self.op(self.rng.choice(FLOAT2 if x.dtype.kind == "f" else INT2), x, y)

    def with_constant(self) -> Value:
        x = self.pick("fi")
        c = self.rng.choice([0, 1, -1, 2, 4, 3])
        v = make_constant(np.asarray(c, x.dtype.np), x.dtype)
        if x.dtype.kind == "f" and c == 0 and self.rng.random() < 0.5:
            v = make_constant(np.asarray(-0.0, x.dtype.np), x.dtype)
        pair = (x, v) if self.rng.random() < 0.7 else (v, x)
        return self.op(self.rng.choice(FLOAT2 if x.dtype.kind == "f" else INT2), *pair)

    def select(self) -> Value:
        x = self.pick("fi")
        y = self.pick(x.dtype.kind)
        z = self.pick(x.dtype.kind)
        if not x.dtype is y.dtype is z.dtype:
            raise ValueError
        c = self.op(self.rng.choice(COMPARE), x, y)
        if self.rng.random() < 0.3:
            c = self.op("logical_not", c)
        return self.op("select", c, x, z) if self.rng.random() < 0.8 else c

    def cast(self) -> Value:
        x = self.pick("fib")
        to = self.rng.choice([dtypes.float32, dtypes.float64, dtypes.int32, self.dtype])
        if x.dtype.kind == "f" and to.kind == "i":  # rounding decides there: not a fair question
            raise ValueError
        return self.op("cast", x, dtype=to)

    def axes(self, x: Value) -> tuple[int, ...]:
        n = x.rank or 0
        return tuple(sorted(self.rng.sample(range(n), self.rng.randint(1, n)))) if n else ()

    def reduce(self) -> Value:
        x = self.pick("fi")
        name = self.rng.choice(REDUCE if x.dtype.kind == "f" else REDUCE[:3])
        return self.op(name, x, axis=self.axes(x), keepdims=self.rng.random() < 0.6)

    def composite(self) -> Value:
        x = self.pick("f")
        axis = self.rng.randrange(x.rank or 0)
        name = self.rng.choice(["softmax", "log_softmax"])
        y = self.op(name, x, axis=axis)
        return self.op("log", y) if self.rng.random() < 0.3 else y

    def move(self) -> Value:
        rng = self.rng
        x = self.pick("fib")
        s = list(x.static_shape or ())
        n = len(s)
        kind = rng.randrange(10)
        if kind <= 1:
            return self.op("transpose", x, perm=tuple(rng.sample(range(n), n)))
        if kind == 2:
            i = rng.randrange(n - 1)
            return self.op("reshape", x, shape=(*s[:i], s[i] * s[i + 1], *s[i + 2 :]))
        if kind == 3:
            i = next(i for i in range(n) if s[i] == 4)
            return self.op("reshape", x, shape=(*s[:i], 2, 2, *s[i + 1 :]))
        if kind == 4:
            return self.op("expand_dims", x, axis=rng.randint(0, n))
        if kind == 5:
            return self.op(
                "broadcast_to", x, shape=tuple(rng.choice([3, B]) if d == 1 else d for d in s)
            )
        if kind == 6:
            i = next(i for i in range(n) if type(s[i]) is int and s[i] > 1)
            begin = tuple(1 if j == i else 0 for j in range(n))
            return self.op(
                "slice", x, begin=begin, size=tuple(d - b for d, b in zip(s, begin, strict=True))
            )
        if kind == 7:
            y = rng.choice([x, self.pick(x.dtype.kind)])
            if x.dtype is not y.dtype:
                raise ValueError
            return self.op("concat", x, y, axis=rng.randrange(n))
        if kind == 8:
            return self.op("reverse", x, axis=self.axes(x))
        return self.op("pad", x, paddings=tuple((rng.randint(0, 1), rng.randint(0, 1)) for _ in s))

    def matmul(self) -> Value:
        x, y = self.pick("f"), self.pick("f")
        if x.dtype is not y.dtype:
            raise ValueError
        return self.op(
            "matmul", x, y, transpose_a=self.rng.random() < 0.5, transpose_b=self.rng.random() < 0.5
        )


def renumbered(g: Graph) -> Graph:
    """The graph with its inputs counted from 0, as its text gives it back."""
    order = {v.node: i for i, v in enumerate(g.inputs)}
    made: list[Value] = list(g.inputs)

    def step(n: Any, inputs: tuple[Value, ...]) -> Value | None:
        if n not in order or n.attrs["index"] == order[n]:
            return None
        i = order[n]
        made[i] = build.build(n.op, (), {**n.attrs, "index": i}, n.name).outputs[0]
        return made[i]

    h = g.rebuild(step)
    h = Graph(h.outputs, (), tuple(made), g.name, g.facts)
    return parse_graph(print_graph(h, full=True))


# ------------------------------------------------------------------------- what went wrong


def minimised(g: Graph, fails: Callable[[Graph], bool]) -> Graph:
    """A smaller graph that still fails: one root, values cut off and fed, as long as that works."""
    best = g
    for v in g.outputs:
        if len(best.outputs) > 1 and fails(h := with_roots(g, (v,))):
            best = h
            break
    changed = True
    while changed:
        changed = False
        for n in best.nodes():
            v = n.outputs[0]
            if n.op.name in ("input", "constant") or v in best.outputs:
                continue
            h = cut(best, v)
            if len(h.nodes()) < len(best.nodes()) and fails(h):
                best, changed = h, True
                break
        if not changed:
            for n in best.nodes():  # an operand of the root in its place
                if n.op.name not in ("input", "constant") and n.outputs[0] not in best.outputs:
                    h = with_roots(best, (n.outputs[0],))
                    if len(h.nodes()) < len(best.nodes()) and fails(h):
                        best, changed = h, True
                        break
    return best


def with_roots(g: Graph, roots: tuple[Value, ...]) -> Graph:
    used = set(reachable([v.node for v in roots]))
    inputs = tuple(v for v in g.inputs if v.node in used)
    return renumbered(Graph(roots, (), inputs, g.name, g.facts))


def cut(g: Graph, v: Value) -> Graph:
    """`g` with `v` fed instead of computed."""
    fed = [v]

    def step(n: Any, inputs: tuple[Value, ...]) -> Value | None:
        if n is not v.node:
            return None
        attrs = {"index": 99, "dtype": v.dtype, "shape": v.static_shape}
        fed[0] = build.build(input_op, (), attrs, f"cut_{n.name}").outputs[0]
        return fed[0]

    h = g.rebuild(step)
    used = set(reachable([r.node for r in h.outputs]))
    inputs = tuple(x for x in (*g.inputs, fed[0]) if x.node in used)
    return renumbered(Graph(h.outputs, (), inputs, g.name, g.facts))


def unsized(g: Graph) -> bool:
    """Whether a symbol is in the graph that no input has."""
    given = {
        str(s)
        for v in g.inputs
        for d in v.static_shape or ()
        if isinstance(d, Expr)
        for s in d.symbols()
    }
    return "b" not in given and "<b>" in print_graph(g)


def wrong(g: Graph, seed: int, odd: bool, like: type[Exception]) -> bool:
    if unsized(g):
        return False
    try:
        compare(g, seed, odd=odd)
    except Exception as e:
        return type(e) is like
    return False


def check(seed: int, size: int, odd: bool) -> tuple[int, int]:
    g = Maker(seed, size).graph()
    if not g.outputs or not g.inputs or unsized(g):
        return 0, 0
    try:
        return compare(g, seed, odd=odd)
    except Exception as e:
        kind = type(e)
        small = minimised(g, lambda h: wrong(h, seed, odd, kind))
        path = Path(tempfile.gettempdir()) / f"graphc_differential_{seed}.gc"
        head = f"// seed {seed}, {'odd' if odd else 'plain'} feeds\n// run:\n"
        path.write_text(f"{head}{print_graph(small, full=True)}\n")
        pytest.fail(f"{type(e).__name__}: {e}\n\nsaved as {path}:\n{print_graph(small)}")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("block", thinned(range(10), lambda block: block < 6))
def test_levels_agree(block: int) -> None:
    judged = total = 0
    for seed in range(block * 12, block * 12 + 12):
        odd = seed % 4 == 3
        counts = check(seed, 6 + seed % 9, odd)
        if not odd:
            judged += counts[0]
            total += counts[1]
    # over all blocks 1 % is not judged: float32 overflows on the way where float64 does not
    assert judged >= 0.85 * total


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", range(1000, 1400))
def test_levels_agree_at_length(seed: int) -> None:
    check(seed, 10 + seed % 30, seed % 4 == 3)
