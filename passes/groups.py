"""What a node is to a kernel, and a group of nodes that will be one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir.dims import Shape
from graphc.ir.node import Node, Value
from graphc.ops import conv_blocks

__all__ = [
    "COSTLY", "FEW", "LIMIT", "PRODUCTS", "Group", "has_many_parts", "is_alias", "is_checked",
    "is_contraction", "is_convolution", "is_pointwise", "is_reduction", "is_scalar_constant",
    "is_view", "joins_rows", "kept_shape", "largest_part", "reduction_axes", "row_aligned",
    "same_shape",
]  # fmt: skip


#: Most nodes in one group: bounds LLVM's time and memory for a kernel (rule G6).
LIMIT = 96

#: Most distinct buffers a kernel reads and writes.
BUFFERS = 24

#: Operands of a concat that are read side by side where they are in memory; more streams than that
#: are slower than one after another, and more choices at an element slower than a copy.
FEW = 4
#: Operands of one shape of a concat or stack up to which its kernel computes them in their places.
MANY = 64

#: Ops that take many instructions.
COSTLY = frozenset(
    "exp expm1 log log1p tanh sigmoid softplus erf erfc sin cos tan pow lgamma elu selu atan"
    " asin acos sinh cosh asinh acosh atanh atan2 digamma igamma igammac zeta".split()
)
PRODUCTS = frozenset({"contraction", "convolution"})


class Group:
    """Nodes that will be one kernel."""

    __slots__ = (
        "axes", "closed", "contracts", "copies", "domain", "height", "joint", "nodes", "outputs",
        "parent", "product", "views",
    )  # fmt: skip

    def __init__(self, height: int, domain: Shape | None, closed: bool) -> None:
        self.height = height
        self.nodes: list[Node] = []
        self.domain = domain  # the shape all full-size values of the group share
        self.axes: tuple[int, ...] | None = None  # reduced axes, once a reduction is inside
        self.closed = closed  # an op that fuses with nothing
        self.joint: Node | None = None  # a concat whose parts this group writes, each in its place
        self.copies = False  # whether it is a concat that copies its parts, and nothing else
        self.product: Node | None = None  # the matrix product that is to become its core
        self.parent: Group | None = None
        self.outputs = 0
        self.contracts = False  # holds a matrix product
        self.views = False  # holds an index map

    def add(self, n: Node) -> None:
        self.nodes.append(n)
        if n.op.family != "elementwise":
            self.contracts = self.contracts or is_contraction(n)
            self.views = self.views or is_view(n)

    def closed_word(self) -> str:
        """The obstacle that a group which fuses with nothing is; "" for others."""
        return ("alias" if is_alias(self.nodes[0]) else "closed") if self.closed else ""

    def full_word(self) -> str:
        """The obstacle that a group which takes in nothing more is; "" for others."""
        if self.closed:
            return self.closed_word()
        if len(self.nodes) >= LIMIT:
            return "limit"
        if self.outputs >= BUFFERS // 2:
            return "buffers"
        if self.copies:
            return "rows made"
        return ""

    def root(self) -> Group:
        g = self.parent
        if g is None:
            return self
        while g.parent is not None:
            g = g.parent
        self.parent = g
        return g


def is_pointwise(n: Node) -> bool:
    return n.op.family == "elementwise" and n.op.scalar is not None


def is_checked(n: Node) -> bool:
    """Whether the kernel of `n` must look at an operand; epilogues of products cannot."""
    rule: dict[str, Any] | None = n.op.facts.get("check")
    if not rule or "message" not in rule:
        return False
    return n.inputs[rule["operand"]].dtype.kind in rule["types"]


def is_reduction(n: Node) -> bool:
    return n.op.family == "reduction"


def is_view(n: Node) -> bool:
    return n.op.element is not None


def is_alias(n: Node) -> bool:
    """The same bytes under another shape: no kernel at all."""
    return bool(n.op.facts.get("reshape"))


def is_contraction(n: Node) -> bool:
    family = n.op.family
    return family == "contraction" or (family == "convolution" and is_convolution(n))


def is_convolution(n: Node) -> bool:
    """Whether the op is a convolution whose sizes are known well enough for register blocks."""
    return n.op.family == "convolution" and conv_blocks.grids(n) is not None


def reduction_axes(n: Node) -> tuple[int, ...]:
    shape = n.inputs[0].static_shape
    assert shape is not None
    axis = n.attrs.get("axis")
    if axis is None:
        return tuple(range(len(shape)))
    return tuple(a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,)))


def is_scalar_constant(v: Value) -> bool:
    """A constant of one element: it becomes a literal wherever it is used."""
    return v.node.op.name == "constant" and v.node.attrs["value"].size == 1


def largest_part(n: Node) -> Shape | None:
    """The shape of the largest operand of a concat or stack whose parts have loops, else None.

    The loops over operands of this shape are one; smaller operands have loops of their own. The
    first axis of the operands is parallel, so along it those of a concat are all of one shape,
    but for those that are copied one after another (`joins_rows`).
    """
    if joins_rows(n):
        return n.inputs[0].static_shape
    if n.op.name == "stack":
        first = n.inputs[0].static_shape
        every = first is not None and len(first) >= 2
        every = every and all(same_shape(v.static_shape, first) for v in n.inputs)
        return first if every else None
    if n.op.name != "concat" or n.attrs.get("dynamic") or n.attrs.get("axis") is None:
        return None
    shapes = [v.static_shape for v in n.inputs]
    rank = len(shapes[0] or ())
    axis = n.attrs["axis"]
    if rank < 2 or any(s is None or len(s) != rank for s in shapes):
        return None
    if axis % rank == 0:
        return shapes[0] if all(same_shape(s, shapes[0]) for s in shapes) else None
    sizes = [(s or ())[axis % rank] for s in shapes]
    if any(type(d) is not int or d == 0 for d in sizes) or type(axis) is not int:
        return None
    return shapes[sizes.index(max(sizes))]


def joins_rows(n: Node) -> bool:
    """Whether a concat or stack along the first axis copies many operands one after another.

    Gradients that are made one vector are the everyday case: a choice among so many at each
    element takes a hundred times as long as a copy. Fewer matrices of one shape are computed where
    they go.
    """
    axis = n.attrs.get("axis")
    if n.op.name not in ("concat", "stack") or n.attrs.get("dynamic") or type(axis) is not int:
        return False
    many, shapes = len(n.inputs), [v.static_shape for v in n.inputs]
    first, stacked = shapes[0], n.op.name == "stack"
    if first is None or any(s is None or len(s) != len(first) for s in shapes):
        return False
    if axis % max(len(first) + stacked, 1):
        return False
    if len(first) == 1 or any(not same_shape(s, first) for s in shapes):
        return many > FEW
    return many > MANY


def has_many_parts(n: Node) -> bool:
    """Whether loops that store the operands of a concat or stack are quicker than choosing."""
    return len(n.inputs) > FEW and largest_part(n) is not None


def row_aligned(n: Node, g: Group, users: Sequence[Node]) -> bool:
    """Whether a value of one number a row lines up with the rows where `users` read it.

    A value that has lost the reduced axes may only meet values that have lost them too: numpy
    would line up its last axis with the last axis of a full value.
    """
    assert g.domain is not None
    rank = n.outputs[0].rank
    if rank == len(g.domain):
        return True
    return all(not is_reduction(u) and u.outputs[0].rank == rank for u in users)


def kept_shape(g: Group, like: Shape | None) -> Shape | None:
    """The shape a value has for each row of a reducing group, of the same rank as `like`."""
    if g.domain is None or g.axes is None or like is None:
        return None
    if len(like) == len(g.domain):
        return tuple(1 if i in g.axes else d for i, d in enumerate(g.domain))
    return tuple(d for i, d in enumerate(g.domain) if i not in g.axes)


def same_shape(a: Shape | None, b: Shape | None) -> bool:
    return a is not None and a == b
