"""Regions: text, verifier, reference interpreter."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import ops
from graphc.errors import ParseError, VerifyError
from graphc.ir import build
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.text import parse_graph, print_graph
from graphc.ops.control import nested, regions_of, with_regions
from graphc.passes.verify import verify
from graphc.runtime import reference

POWERS = """graph main(b) {
  %x = input {index=0} : f32[b]
  %w = input {index=1} : f32[]
  %i = constant {value=0} : i32[]
  %n = constant {value=5} : i32[]
  %out = array_like %x : f32[5,b]
  %r, %r:1, %r:2 = while %i, %x, %out, %w, %n cond {
    %i = input {index=0} : i32[]
    %x = input {index=1} : f32[b]
    %a = input {index=2} : f32[5,b]
    %w = input {index=3} : f32[]
    %n = input {index=4} : i32[]
    %c = less %i, %n : bool[]
    return %c
  } body {
    %i = input {index=0} : i32[]
    %x = input {index=1} : f32[b]
    %a = input {index=2} : f32[5,b]
    %w = input {index=3} : f32[]
    %n = input {index=4} : i32[]
    %two = constant {value=2} : i32[]
    %m = floormod %i, %two : i32[]
    %zero = constant {value=0} : i32[]
    %odd = greater %m, %zero : bool[]
    %y = cond %odd, %x, %w then {
      %x = input {index=0} : f32[b]
      %w = input {index=1} : f32[]
      %y = negative %x : f32[b]
      return %y
    } orelse {
      %x = input {index=0} : f32[b]
      %w = input {index=1} : f32[]
      %y = multiply %x, %w : f32[b]
      return %y
    } : f32[b]
    %1 = constant {value=1} : i32[]
    %i2 = add %i, %1 : i32[]
    %a2 = array_set %a, %i, %y : f32[5,b]
    return %i2, %y, %a2
  } : i32[], f32[b], f32[5,b]
  return %r, %r:1, %r:2
}""".replace("%out = array_like %x", "%zeros = constant {value=0.0} : f32[]\n"
             "  %out = fill %zeros {dims=[5, <b>]}")  # fmt: skip


def test_round_trip() -> None:
    text = print_graph(parse_graph(POWERS))
    assert print_graph(parse_graph(text)) == text
    assert text.startswith("graph main(b)")


def test_meaning() -> None:
    g = parse_graph(POWERS)
    verify(g)
    x = np.array([1, -2, 3], np.float32)
    i, y, a = reference.evaluate(g.outputs, dict(zip(g.inputs, [x, np.float32(2)], strict=True)))
    want, rows = x, []
    for k in range(5):
        want = -want if k % 2 else want * 2
        rows.append(want)
    assert int(i) == 5
    np.testing.assert_array_equal(y, want)
    np.testing.assert_array_equal(a, np.stack(rows))


def test_nested_regions_are_found() -> None:
    g = parse_graph(POWERS)
    assert len(list(nested(g))) == 4
    (loop,) = [n for n in g.nodes() if n.op.name == "while"]
    assert list(regions_of(loop)) == ["cond", "body"]
    assert with_regions(loop, loop.inputs, lambda r: r) is None


def test_a_region_reads_nothing_from_outside() -> None:
    g = parse_graph(POWERS)
    (loop,) = [n for n in g.nodes() if n.op.name == "while"]
    body = loop.attrs["body"]
    i, x, a = body.outputs
    with build.use(build.Rewriter()):
        product = ops.math.multiply(x, g.inputs[0])
    wrong = Graph((i, product, a), (), body.inputs, "body", g.facts)
    types = [v.type for v in loop.outputs]
    made = Node(loop.op, loop.inputs, {**loop.attrs, "body": wrong}, types, "loop")
    with pytest.raises(VerifyError, match="of another graph"):
        verify(Graph(made.outputs, (), g.inputs, "main", g.facts))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("return %i2, %y, %a2", "return %i2, %y", "written as"),
        ("return %i2, %y, %a2", "return %i2, %i2, %a2", "loop values: value 1"),
        ("return %c\n", "return %i\n", "one scalar bool"),
        ("%y = negative %x : f32[b]", "%y = multiply %w, %w : f32[]", "results"),
        ("} orelse {", "} otherwise {", "expected 'orelse'"),
        ("array_set %a, %i, %y", "array_set %a, %i, %i", "an element of int32"),
    ],
)
def test_bad_regions(old: str, new: str, message: str) -> None:
    assert old in POWERS
    with pytest.raises(ParseError, match=message):
        parse_graph(POWERS.replace(old, new))


def test_an_index_outside_is_an_error() -> None:
    from graphc.errors import InvalidArgumentError

    text = POWERS.replace("%n = constant {value=5}", "%n = constant {value=6}")
    g = parse_graph(text)
    with pytest.raises(InvalidArgumentError, match="index 5 but array is not resizeable"):
        reference.evaluate(
            g.outputs, dict(zip(g.inputs, [np.ones(2, np.float32), np.float32(2)], strict=True))
        )
