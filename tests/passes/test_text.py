"""Text of graphs: every op's graph comes back as it was written, and broken texts say where."""

from __future__ import annotations

import random

import numpy as np
import pytest
from test_rules import sample_attributes

from graphc.errors import VerifyError
from graphc.ir import build, dims, dtypes
from graphc.ir.dims import Facts
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ir.text import parse_graph, print_graph
from graphc.ops.convert import make_constant
from graphc.ops.pure import input_op
from graphc.ops.record import OPS, InferError, Op
from graphc.passes.verify import verify

#: Attributes and operand shapes of ops that no family tells.
EXTRA: dict[str, tuple[list[tuple[str, tuple[int, ...]]], dict[str, object]]] = {
    "range": ([], {"start": 0, "limit": 5, "delta": 1, "dtype": dtypes.int32}),
    "sizes": ([], {"value": (3, 4), "dtype": dtypes.int64}),
    "select": ([("bool", (2, 3)), ("f32", (2, 3)), ("f32", (2, 3))], {}),
    "gather": ([("f32", (4, 3)), ("i32", (2,))], {"axis": 0}),
    "one_hot": ([("i32", (4,)), ("f32", ()), ("f32", ())], {"depth": 3, "axis": -1}),
    "cumsum": ([("f32", (4, 3))], {"axis": 0, "exclusive": False, "reverse": True}),
    "argmax": ([("f32", (4, 3))], {"axis": 1, "dtype": dtypes.int64}),
    "stack": ([("f32", (4, 3)), ("f32", (4, 3))], {"axis": 0}),
    "unstack": ([("f32", (2, 3))], {"axis": 0, "num": 2}),
    "split": ([("f32", (2, 4))], {"axis": 1, "num": 2}),
    "leaky_relu": ([("f32", (2, 3))], {"alpha": 0.2}),
    "bias_add": ([("f32", (2, 3)), ("f32", (3,))], {"data_format": "NHWC"}),
    "pad_v2": ([("f32", (2, 3)), ("f32", ())], {"paddings": ((1, 0), (0, 2))}),
    "mirror_pad": ([("f32", (2, 3))], {"paddings": ((1, 0), (0, 2)), "mode": "REFLECT"}),
    "linspace": ([("f32", ()), ("f32", ())], {"num": 5}),
    "shape": ([("f32", (2, 3))], {"out_type": dtypes.int32}),
    "size": ([("f32", (2, 3))], {"out_type": dtypes.int64}),
    "read": ([], {"var": "dense/w", "dtype": dtypes.float32, "shape": (2, 3)}),
    "softmax_cross_entropy": ([("f32", (2, 3)), ("f32", (2, 3))], {"axis": 1}),
    "sparse_softmax_cross_entropy": ([("f32", (2, 3)), ("i32", (2,))], {}),
}  # fmt: skip
CODES = {t.code: t for t in dtypes.DTYPES}
TRIED = [
    n for n, r in OPS.items()
    if n in EXTRA or r.family in ("elementwise", "reduction", "composite", "contraction", "view")
]  # fmt: skip


def given(i: int, code: str, shape: tuple[int, ...]) -> Value:
    attrs = {"index": i, "dtype": CODES[code], "shape": shape}
    return build.build(input_op, (), attrs, f"x{i}").outputs[0]


def sample(r: Op) -> Graph | None:
    """A graph of one node of this op."""
    rng = random.Random(7)
    with build.use(build.Rewriter()), dims.assuming(Facts()):
        if r.name in EXTRA:
            shapes, attrs = EXTRA[r.name]
            inputs = [given(i, c, s) for i, (c, s) in enumerate(shapes)]
        else:
            code = next(c for c in ("f32", "i32", "bool", "u8", "str") if CODES[c].kind in r.types)
            count = max(1, len(r.args))
            shape = (3, 3) if r.name == "matmul" else (2, 3)
            inputs = [given(i, code, shape) for i in range(count)]
            attrs = sample_attributes(r.name, shape, rng, CODES[code])
        try:
            n = build.build(r, inputs, attrs, "y")
        except (InferError, ValueError, KeyError, TypeError, IndexError, AttributeError):
            return None
    return Graph(n.outputs, (), tuple(v for v in inputs))


def test_graphs_of_every_op_come_back() -> None:
    done = 0
    for name in TRIED:
        g = sample(OPS[name])
        if g is None:
            continue
        text = print_graph(g, full=True)
        h = parse_graph(text)
        assert print_graph(h, full=True) == text, name
        verify(h)
        done += 1
    assert done > 120


@pytest.mark.parametrize(
    "dtype", [t for t in dtypes.DTYPES if t.kind in "fiub"], ids=lambda t: t.code
)
def test_constants_come_back_to_the_bit(dtype: dtypes.DType) -> None:
    rng = np.random.default_rng(3)
    with build.use(build.Rewriter()):
        for shape in ((), (3,), (2, 0), (100,)):
            n = int(np.prod(shape))
            a = rng.integers(0, 2, n).astype(dtype.np)
            if dtype.kind == "f" and dtype.code != "bf16":
                a = rng.integers(0, 256, n * dtype.np.itemsize).astype(np.uint8).view(dtype.np)
                a = np.where(np.isnan(a), dtype.np.type(-0.0), a).astype(dtype.np)
            v = make_constant(a.reshape(shape), dtype)
            h = parse_graph(print_graph(Graph((v,)), full=True))
            b = h.outputs[0].node.attrs["value"]
            assert h.outputs[0].type == v.type
            assert b.tobytes() == v.node.attrs["value"].tobytes()


# ------------------------------------------------------------------------- the verifier


GOOD = """graph main(b) {
  %x = input {index=0} : f32[b,3]
  %y = exp %x : f32[b,3]
  %z = add %y, %x : f32[b,3]
  return %z
}"""


def broken(make: object) -> Graph:
    g = parse_graph(GOOD)
    y = g.nodes()[1]
    bad = make(y)  # type: ignore[operator]
    z = g.outputs[0].node
    last = Node(z.op, (bad.outputs[0], z.inputs[1]), {}, [z.outputs[0].type], "z")
    return Graph(last.outputs, (), g.inputs, "main", g.facts)


def test_the_verifier_accepts_what_is_right() -> None:
    g = parse_graph(GOOD)
    assert verify(g) is g


def test_the_verifier_finds_a_wrong_shape() -> None:
    g = broken(lambda y: Node(y.op, y.inputs, {}, [(dtypes.float32, (3, 3))], "y"))
    with pytest.raises(VerifyError, match=r"after pass 'fold'.*y: exp.*f32\[3,3\].*f32\[b,3\]"):
        verify(g, "fold")


def test_the_verifier_finds_a_wrong_type() -> None:
    g = broken(lambda y: Node(y.op, y.inputs, {}, [(dtypes.int32, y.outputs[0].static_shape)], "y"))
    with pytest.raises(VerifyError, match=r"i32\[b,3\], its op infers f32\[b,3\]"):
        verify(g)


def test_the_verifier_finds_what_the_op_refuses() -> None:
    softmax = OPS["softmax"]
    g = parse_graph("graph main() {\n  %x = input {index=0} : f32[]\n  return %x\n}")
    n = Node(softmax, g.outputs, {"axis": 0}, [(dtypes.float32, ())], "s")
    with pytest.raises(VerifyError, match="rank 1"):
        verify(Graph(n.outputs, (), g.inputs, "main", g.facts), "simplify")


def test_the_verifier_finds_a_use_before_its_making() -> None:
    g = parse_graph(GOOD)
    z = g.outputs[0].node
    early = Node(OPS["exp"], z.inputs[:1], {}, [z.outputs[0].type], "e")
    early.id = 0
    late = Node(OPS["exp"], early.outputs, {}, [z.outputs[0].type], "l")
    with pytest.raises(VerifyError, match="before it is made"):
        verify(Graph(late.outputs, (), g.inputs, "main", g.facts))
