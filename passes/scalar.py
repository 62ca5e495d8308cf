"""What rules of ops build elements with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from graphc.ir import dtypes
from graphc.ir.dims import Dim, Expr, Shape, Symbol
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.kernel import Literal, Operand, lit
from graphc.ir.kernel import Value as KValue
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value

__all__ = ["Lowering", "Scalar", "check_operands", "symbols_of"]


class Lowering(Protocol):
    """What lowers a node: the kernel under construction, and how operands are read."""

    k: KernelBuilder

    def read(self, v: Value, index: tuple[Dim, ...], where: Operand | None, other: Any) -> Operand:
        """An element of a value; `other` where `where` is false."""

    def check(self, n: Node, ok: Operand, message: str, position: Dim) -> None:
        """Fail the run where `ok` is false."""


_MUST = {"nonzero": "not_equal", "nonnegative": "greater_equal", "finite": "equal"}


def symbols_of(body: Graph) -> set[Symbol]:
    """The sizes that a body's shapes and attributes name."""
    found: set[Symbol] = set()
    stack: list[Any] = []
    for n in body.nodes():
        stack += (v.static_shape for v in n.outputs)
        stack += n.attrs.values()
    while stack:
        x = stack.pop()
        if type(x) is tuple:
            stack += x
        elif isinstance(x, Expr):
            found |= x.symbols()
    return found


def check_operands(lower: Lowering, n: Node, args: Sequence[Operand]) -> None:
    """The check an op's record asks for: an operand, and what it must be."""
    rule = n.op.facts.get("check")
    if not rule or "message" not in rule:
        return
    x = args[rule["operand"]]
    if x.dtype.kind not in rule["types"]:
        return
    if rule["must"] == "finite":
        x = lower.k.let("subtract", x, x, dtype=x.dtype)  # NaN for what is not finite
    must = _MUST[rule["must"]]
    if isinstance(x, Literal):
        holds = {"not_equal": x.value != 0, "equal": x.value == 0}.get(must, x.value >= 0)
        if holds:
            return
    ok = lower.k.let(must, x, lit(0, x.dtype), dtype=dtypes.bool_)
    lower.check(n, ok, rule["message"], 0)


class Scalar:
    """What an op's `element` and check rules build with."""

    def __init__(self, lower: Lowering, node: Node) -> None:
        self.lower = lower
        self.node = node

    def shape(self, v: Value) -> Shape:
        """The shape of an operand."""
        assert v.static_shape is not None
        return v.static_shape

    @property
    def out_shape(self) -> Shape:
        s = self.node.outputs[0].static_shape
        assert s is not None
        return s

    def read(
        self, v: Value, index: Sequence[Dim], where: Operand | None = None, other: Any = 0
    ) -> Operand:
        """An operand's element; where `where` is false nothing is read, `other` is the answer."""
        return self.lower.read(v, tuple(index), where, other)

    def let(self, op: str, *args: Operand, dtype: DType | None = None, **attrs: Any) -> KValue:
        """A scalar op by its record's name."""
        return self.lower.k.let(op, *args, dtype=dtype, **attrs)

    def const(self, value: Any, dtype: DType) -> Literal:
        return lit(value, dtype)

    def cast(self, x: Operand, dtype: DType) -> Operand:
        return self.lower.k.cast(x, dtype)

    def select(self, c: Operand, x: Operand, y: Operand) -> KValue:
        return self.lower.k.select(c, x, y)

    def index(self, d: Dim) -> Operand:
        """An index expression as an i64 value."""
        return lit(d, dtypes.int64) if type(d) is int else self.lower.k.index(d)

    def as_index(self, x: Operand) -> Dim:
        """An integer value as an index expression."""
        if isinstance(x, Literal):
            return int(x.value)
        wide = self.cast(x, dtypes.int64)
        assert isinstance(wide, KValue)
        return wide.index

    def compare(self, op: str, a: Dim, b: Dim) -> Operand:
        """``less``, ``less_equal``, ``equal``… of two index expressions."""
        if type(a) is int and type(b) is int:
            answer = {"less": a < b, "less_equal": a <= b, "equal": a == b, "greater_equal": a >= b,
                      "greater": a > b, "not_equal": a != b}[op]  # fmt: skip
            return lit(answer, dtypes.bool_)
        return self.let(op, self.index(a), self.index(b), dtype=dtypes.bool_)

    def both(self, a: Operand | None, b: Operand) -> Operand:
        """The logical and of two conditions (None is true)."""
        if a is None or (isinstance(a, Literal) and a.value):
            return b
        if isinstance(b, Literal) and b.value:
            return a
        return self.let("logical_and", a, b, dtype=dtypes.bool_)

    def check(self, ok: Operand, message: str, position: Dim = 0) -> None:
        """Fail the run with `message` where `ok` is false (rule C11)."""
        self.lower.check(self.node, ok, message, position)
