"""Graphs as text: one node a line, attributes sorted, the user's names.

`parse_graph(print_graph(g))` gives the same graph: the same nodes in the same order, types,
attributes, constants to the last bit. Types are inferred again while parsing and compared
with those written.

>>> print(print_graph(parse_graph('''
... graph main(b) {
...   %x = input {index=0} : f32[b,3]
...   %y = multiply %x, %x : f32[b,3]
...   return %y
... }''')))
graph main(b) {
  %x = input {index=0} : f32[b,3]
  %y = multiply %x, %x : f32[b,3]
  return %y
}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.attributes import ill
from graphc.ir.dims import Dim, Expr, Facts, Shape, Symbol
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value, shape_text, type_text
from graphc.ir.registry import OPS, REGIONS
from graphc.ir.tokens import Token, Tokens, parse_dim, parse_word

__all__ = [
    "ELIDE", "attribute_text", "parse_graph", "parse_graphs", "print_graph", "print_node",
    "shape_text",
]  # fmt: skip

#: Constants of more elements are not written out unless asked for.
ELIDE = 64

#: Bodies inside bodies that a text may have.
_DEPTH = 50

_PLAIN = re.compile(r"[A-Za-z0-9_][\w./:-]*\Z", re.ASCII)
_CODES: dict[str, DType] = {t.code: t for t in dtypes.DTYPES}
#: Attributes that the type says already.
_TYPED = {"input": ("dtype", "shape"), "read": ("dtype", "shape"), "constant": ("dtype",)}


# ------------------------------------------------------------------- printing


def print_graph(g: Graph, *, full: bool = False) -> str:
    """The text of a graph.

    Parameters
    ----------
    full : bool
        Write out large constants as well; without, such a text does not parse back.
    """
    names = _Names()
    lines = [f"graph {g.name}({', '.join(_symbols(g))}) {{"]
    lines += _body(g, names, 1, full)
    return "\n".join([*lines, "}"])


def _symbols(g: Graph) -> list[str]:
    found: dict[str, None] = {}
    for n in dict.fromkeys([*(v.node for v in g.inputs), *g.nodes()]):
        for v in n.outputs:
            for d in v.static_shape or ():
                if isinstance(d, Expr):
                    found.update(dict.fromkeys(sorted(s.name for s in d.symbols())))
        for a in n.attrs.values():
            if isinstance(a, Graph):
                found.update(dict.fromkeys(_symbols(a)))
    return list(found)


def _body(g: Graph, names: _Names, depth: int, full: bool) -> list[str]:
    pad = "  " * depth
    lines: list[str] = []
    nodes = g.nodes()
    seen = set(nodes)
    extra = [v.node for v in g.inputs if v.node not in seen]  # an input that nothing reads
    for n in [*extra, *nodes]:
        lines += print_node(n, names, depth, full)
    for var, v in g.updates:
        lines.append(f"{pad}update {json.dumps(var)} = {names.of(v)}")
    lines.append(f"{pad}return {', '.join(names.of(v) for v in g.outputs)}".rstrip())
    return lines


def print_node(n: Node, names: _Names, depth: int = 1, full: bool = False) -> list[str]:
    """The lines of one node."""
    pad = "  " * depth
    left = ", ".join(names.of(v) for v in n.outputs)
    right = ", ".join(names.of(v) for v in n.inputs)
    types = ", ".join(type_text(v.type) for v in n.outputs)
    skip = _TYPED.get(n.op.name, ())
    attrs = {k: v for k, v in n.attrs.items() if k not in skip and not isinstance(v, Graph)}
    text = "{" + ", ".join(f"{k}={attribute_text(v, full)}" for k, v in sorted(attrs.items())) + "}"
    head = " ".join(s for s in (f"{pad}{left} =", n.op.name, right, text if attrs else "") if s)
    graphs = {k: v for k, v in n.attrs.items() if isinstance(v, Graph)}
    lines = [head]
    for key in REGIONS.get(n.op.name, graphs):
        # a graph that stands alone is the body: its word is left out
        lines[-1] += " {" if list(graphs) == ["body"] else f" {key} {{"
        lines += _body(graphs[key], _Names(), depth + 1, full)
        lines.append(f"{pad}}}")
    lines[-1] += f" : {types}"
    return lines


def attribute_text(v: Any, full: bool = False) -> str:
    """The text of an attribute's value; of an object that has none, its type as a string."""
    if v is None or isinstance(v, bool):
        return str(v).lower()
    if isinstance(v, str):
        return json.dumps(v)
    if isinstance(v, DType):
        return v.code
    if isinstance(v, Expr):
        return f"<{v}>"
    if isinstance(v, (list, tuple)):
        return "[" + ", ".join(attribute_text(x, full) for x in v) + "]"
    if isinstance(v, np.ndarray):
        return _array(v, full)
    if isinstance(v, (int, float)):
        return repr(v)
    if isinstance(v, np.generic):
        return repr(v.item())
    return json.dumps(f"<{type(v).__name__}>")


def _array(a: np.ndarray[Any, Any], full: bool) -> str:
    if a.dtype == object:
        return "[" + ", ".join(json.dumps(s.decode("latin1")) for s in a.reshape(-1)) + "]"
    if a.size > ELIDE:
        return json.dumps("hex:" + a.tobytes().hex()) if full else f"...{a.size} elements"
    return _nested(a)


def _nested(a: np.ndarray[Any, Any]) -> str:
    if a.ndim == 0:
        x = a.item()
        return str(x).lower() if isinstance(x, bool) else _number(a[()], x)
    return "[" + ", ".join(_nested(x) for x in a) + "]"


def _number(e: Any, x: Any) -> str:
    """The shortest text that gives the element again."""
    return str(x) if isinstance(x, int) else str(e) if "e" in str(e) or "." in str(e) else repr(x)


class _Names:
    """One name a node: the user's where it is unused, with a number behind it where not.

    Results after the first have the node's name with their number, ``%split:1``.
    """

    def __init__(self) -> None:
        self.names: dict[Value, str] = {}
        self.used: set[str] = set()
        self.next: dict[str, int] = {}

    def of(self, v: Value) -> str:
        name = self.names.get(v)
        if name is None:
            self.enter(v.node)
            name = self.names[v]
        return name

    def enter(self, n: Node) -> None:
        base = n.name or n.op.name
        made, k = _results(base, n), self.next.get(base, 0)
        while not self.used.isdisjoint(made):
            k += 1
            made = _results(f"{base}.{k}", n)
        self.next[base] = k
        self.used.update(made)
        for v, name in zip(n.outputs, made, strict=True):
            self.names[v] = "%" + (name if _PLAIN.match(name) else json.dumps(name))


def _results(base: str, n: Node) -> list[str]:
    return [f"{base}:{i}" if i else base for i in range(len(n.outputs))]


# ------------------------------------------------------------------- parsing


class _GraphTokens(Tokens):
    """Value names may hold the signs that TF1's names hold."""

    pattern = re.compile(
        r'(?P<string>"(?:[^"\\\n]|\\.)*")'
        r"|(?P<float>\d+(?:\.\d*(?:[eE][+-]?\d+)?|[eE][+-]?\d+))|(?P<int>\d+)"
        r"|%(?P<value>[A-Za-z0-9_][\w./:-]*)|(?P<name>[A-Za-z_?][\w.?]*)"
        r"|(?P<sign>->|//|\+=|==|[-+*%/=:;,.{}()\[\]<>|!@&])"
    )


def parse_graph(text: str, ops: Mapping[str, Any] | None = None) -> Graph:
    """The graph that `text` describes.

    Raises
    ------
    ParseError
        With line, column and a caret: bad syntax, an unknown op or value, a type that is not
        what the op infers.
    """
    t = _GraphTokens(text)
    g = _Parser(t, ops).graph()
    if t.peek().kind != "end":
        t.fail(f"expected the end of the text, found {t.found()}")
    return g


def parse_graphs(text: str, ops: Mapping[str, Any] | None = None) -> list[Graph]:
    """All graphs of a text, one after the other."""
    t = _GraphTokens(text)
    out = []
    while t.peek().kind != "end":
        out.append(_Parser(t, ops).graph())
    return out


class _Parser:
    def __init__(self, t: Tokens, ops: Mapping[str, Any] | None) -> None:
        self.t = t
        self.ops = OPS if ops is None else ops
        self.facts = Facts()

    def graph(self) -> Graph:
        t = self.t
        t.expect("graph")
        name = t.name("the graph's name")
        t.expect("(")
        for _ in t.listed(self.size, ")"):
            pass
        t.expect("{")
        with D.assuming(self.facts):
            return self.body(name)

    def size(self) -> None:
        at = self.t.peek()
        s = Symbol(self.t.name("a size"))
        if s in self.facts.env:
            self.t.fail(f"the size {at.text!r} is named twice", at)
        self.facts.env[s] = 2 + len(self.facts.env) * 7

    def known(self, at: Token) -> None:
        if Symbol(at.text) not in self.facts.env:
            self.t.fail(f"the size {at.text!r} is not named in the head of the graph", at)

    def body(self, name: str, depth: int = 0) -> Graph:
        t = self.t
        if depth > _DEPTH:
            t.fail("bodies nested too deeply", t.last)
        values: dict[str, Value] = {}
        inputs: list[Value] = []
        updates: list[tuple[str, Value]] = []
        outputs: list[Value] = []
        while True:
            if t.accept("return"):
                if t.peek().kind != "}":
                    outputs.append(self.operand(values))
                    while t.accept(","):
                        outputs.append(self.operand(values))
                t.expect("}")
                break
            if t.accept("update"):
                var = t.string("the variable's name")
                t.expect("=")
                updates.append((var, self.operand(values)))
                continue
            at = t.peek()
            n = self.node(values, depth)
            if n.op.name == "input":
                if any(v.node.attrs["index"] == n.attrs["index"] for v in inputs):
                    t.fail(f"there are two inputs with index {n.attrs['index']}", at)
                inputs.append(n.outputs[0])
        inputs.sort(key=lambda v: v.node.attrs["index"])
        return Graph(tuple(outputs), tuple(updates), tuple(inputs), name, self.facts)

    def value_name(self) -> tuple[Token, str]:
        t = self.t
        if t.text.startswith('%"', t.pos):
            t.accept_percent()
            at = t.peek()
            return at, t.string()
        at = t.peek()
        return at, t.take("value", "a value or 'return'")

    def operand(self, values: dict[str, Value]) -> Value:
        at, name = self.value_name()
        v = values.get(name)
        if v is None:
            self.t.fail(f"%{name} is not defined", at)
        return v

    def node(self, values: dict[str, Value], depth: int) -> Node:
        t = self.t
        left = [self.value_name()]
        while t.accept(","):
            left.append(self.value_name())
        t.expect("=")
        at = t.peek()
        record = self.ops.get(t.name("an op"))
        if record is None:
            t.fail(f"unknown op {at.text!r}", at)
        inputs: list[Value] = []
        if t.peek().kind in ("value", "%"):
            inputs.append(self.operand(values))
            while t.accept(","):
                inputs.append(self.operand(values))
        attrs: dict[str, Any] = {}
        opened = t.accept("{")
        if opened and not self.is_body():
            for at_key, v in t.listed(self.pair, "}"):
                if at_key.text in attrs:
                    t.fail(f"the attribute {at_key.text!r} is there twice", at_key)
                attrs[at_key.text] = v
            opened = t.accept("{")
        if opened:
            attrs["body"] = self.body("body", depth + 1)
        for key in REGIONS.get(record.name, ()):
            t.expect(key)
            t.expect("{")
            attrs[key] = self.body(key, depth + 1)
        t.expect(":")
        where = t.peek()
        types = [self.type()]
        while t.accept(","):
            types.append(self.type())
        return self.make(record, left, inputs, attrs, types, where, values)

    def is_body(self) -> bool:
        t = self.t
        return t.peek().kind in ("value", "%") or t.peek().text in ("return", "update")

    def make(
        self, record: Any, left: Sequence[tuple[Token, str]], inputs: Sequence[Value],
        attrs: dict[str, Any], types: list[tuple[DType, Shape | None]], where: Token,
        values: dict[str, Value],
    ) -> Node:  # fmt: skip
        t = self.t
        if record.name in ("input", "read"):
            attrs["dtype"], attrs["shape"] = types[0]
        if record.name == "input" and type(attrs.get("index")) is not int:
            t.fail("an input needs its index, an integer", left[0][0])
        if record.name == "read" and type(attrs.get("var")) is not str:
            t.fail('a read needs its variable, var="name"', left[0][0])
        if record.name == "constant":
            self.constant(attrs, types[0], where)
        try:
            want = [tuple(x) for x in record.infer(inputs, attrs)]
            for code, shape in want:
                type_text((code, shape))
                if code.code not in _CODES or any(
                    not isinstance(d, (int, Expr)) for d in shape or ()
                ):
                    raise TypeError("bad attributes")
        except Exception as e:
            raise t.error(f"{record.name}: {e or type(e).__name__}", left[0][0]) from None
        if want != types:
            t.fail(
                f"written as {', '.join(map(type_text, types))}, "
                f"but {record.name} gives {', '.join(map(type_text, want))}", where,
            )  # fmt: skip
        if len(left) != len(want):
            t.fail(f"{record.name} has {len(want)} results, {len(left)} are named", left[0][0])
        n = Node(record, inputs, attrs, want, left[0][1])
        for (at, name), v in zip(left, n.outputs, strict=True):
            if name in values:
                t.fail(f"%{name} is defined twice", at)
            values[name] = v
        return n

    def constant(
        self, attrs: dict[str, Any], type_: tuple[DType, Shape | None], where: Token
    ) -> None:
        t = self.t
        dtype, shape = type_
        value = attrs.get("value")
        if value is None:
            t.fail("a constant needs its value (was it left out of the text?)", where)
        if shape is None or any(type(d) is not int for d in shape):
            t.fail("the sizes of a constant are numbers", where)
        sizes = tuple(int(str(d)) for d in shape)
        try:
            if isinstance(value, str) and value.startswith("hex:"):
                a = np.frombuffer(bytes.fromhex(value[4:]), dtype.np).reshape(sizes).copy()
            elif dtype.kind == "s":
                a = np.array([s.encode("latin1") for s in value], object).reshape(sizes)
            else:
                with np.errstate(over="raise"):
                    a = np.array(value, dtype.np).reshape(sizes)
        except (ValueError, TypeError, ArithmeticError) as e:
            t.fail(f"the value does not fit {type_text(type_)}: {e}", where)
        a.flags.writeable = False
        attrs["value"] = a
        if dtype is dtypes.bfloat16:
            attrs["dtype"] = dtype

    def pair(self) -> tuple[Token, Any]:
        at = self.t.peek()
        name = self.t.name("an attribute")
        self.t.expect("=")
        where = self.t.peek()
        value = self.attribute(0)
        wrong = ill(name, value)
        if wrong:
            self.t.fail(wrong, where)
        return at, value

    def attribute(self, depth: int) -> Any:
        t = self.t
        if depth > 100:
            t.fail("an attribute nested too deeply")
        if t.accept("["):
            return tuple(t.listed(lambda: self.attribute(depth + 1), "]"))
        if t.accept("<"):
            d: Dim = parse_dim(t)
            t.expect(">")
            return d
        if t.peek().kind == "string":
            return t.string()
        return parse_word(t)

    def type(self) -> tuple[DType, Shape | None]:
        t = self.t
        at = t.peek()
        dtype = _CODES.get(t.name("a type"))
        if dtype is None:
            t.fail(f"unknown type {at.text!r}", at)
        t.expect("[")
        if t.peek().text == "?rank":
            t.next()
            t.expect("]")
            return dtype, None
        return dtype, tuple(t.listed(lambda: parse_dim(t, self.known), "]"))
