"""Which inputs a kernel may overwrite: what it still has to read, it must not have written."""

from __future__ import annotations

import pytest

from graphc.ir.graph import Graph
from graphc.ir.text import parse_graph
from graphc.passes.lower import lower_body

#: inputs, body, and the pairs of (input, output) that may share memory
CASES = {
    "pointwise": (
        """%a = input {index=0} : f32[8,4]
        %b = input {index=1} : f32[8,4]
        %c = add %a, %b : f32[8,4]
        %d = multiply %b, %b : f32[8,4]
        return %c, %d""",
        {(0, 0), (0, 1), (1, 0), (1, 1)},
    ),
    "beside a view": (
        """%a = input {index=0} : f32[8,4]
        %b = input {index=1} : f32[8,4]
        %r = reverse %a {axis=[0]} : f32[8,4]
        %c = add %r, %b : f32[8,4]
        return %c""",
        {(1, 0)},
    ),
    "a later result reads it": (
        """%a = input {index=0} : f32[8,4]
        %b = input {index=1} : f32[8,4]
        %r = reverse %a {axis=[0]} : f32[8,4]
        %n = negative %r : f32[8,4]
        %c = add %r, %b : f32[8,4]
        return %n, %c""",
        {(1, 1)},
    ),
    "an earlier result has read it": (
        """%a = input {index=0} : f32[8,4]
        %b = input {index=1} : f32[8,4]
        %r = reverse %a {axis=[0]} : f32[8,4]
        %c = add %r, %b : f32[8,4]
        %d = multiply %c, %b : f32[8,4]
        return %c, %d""",
        {(1, 0), (1, 1)},
    ),
    "rows": (
        """%a = input {index=0} : f32[8,4]
        %b = input {index=1} : f32[8]
        %s = reduce_sum %a {axis=[1], keepdims=false} : f32[8]
        %d = multiply %b, %b : f32[8]
        return %s, %d""",
        {(1, 1)},
    ),
    "what a view reads through others": (
        """%a = input {index=0} : f32[8,4]
        %b = input {index=1} : f32[8,4]
        %n = negative %a : f32[8,4]
        %r = reverse %n {axis=[1]} : f32[8,4]
        %c = add %r, %b : f32[8,4]
        %d = add %c, %a : f32[8,4]
        return %d""",
        {(1, 0)},
    ),
}


def body(text: str) -> Graph:
    return parse_graph("graph main() {\n" + text + "\n}")


@pytest.mark.parametrize("name", CASES)
def test_what_may_be_overwritten(name: str) -> None:
    text, pairs = CASES[name]
    assert lower_body(body(text), "k").in_place == pairs
